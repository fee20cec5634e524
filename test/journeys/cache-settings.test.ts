/** The cache's bounds, and emptying it through `/admin/flush`. */
import { request } from 'node:http';
import { beforeEach, describe, expect, it } from 'vitest';
import { TYPE_CODES } from '../../src/wire/codec.ts';
import { questionOf, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';

const TTL_100 = (query: Buffer): Buffer[] => {
  const record = questionOf(query).type === TYPE_CODES.A ? 'A 192.0.2.1' : 'AAAA 2001:db8::1';
  return [replyTo(query, { answer: [`@ 100 IN ${record}`] })];
};

describe('CLOUDMAPD_CACHE_BYTES', () => {
  describe('0', () => {
    const forwarding = shareForwarding({ behaviours: [TTL_100], settings: () => ({ CACHE_BYTES: '0' }) });

    it('asks the upstream each time', async () => {
      for (let i = 0; i < 3; i++) expect((await forwarding().ask('www.example A')).answer).toHaveLength(1);
      expect(forwarding().upstream.seen).toHaveLength(3);
    });
  });

  describe('100000', () => {
    const forwarding = shareForwarding({ behaviours: [TTL_100], settings: () => ({ CACHE_BYTES: '100000' }) });
    const NAMES = 3000;
    const nameOf = (n: number): string => `n${n}.${'some-longer-label.'.repeat(2)}example`;

    /** How many of the names the upstream is asked for, be it once more where the machine is slow. */
    const askFor = async (from: number, to: number): Promise<number> => {
      const { upstream } = forwarding();
      upstream.seen.length = 0;
      for (let n = from; n < to; n += 50) {
        await Promise.all(Array.from({ length: 50 }, (_, i) => forwarding().ask(`${nameOf(n + i)} A`)));
      }
      return new Set(upstream.seen.map(({ query }) => questionOf(query).name)).size;
    };

    it('holds what fits, and asks again for what was asked for longest ago', async () => {
      expect(await askFor(0, NAMES)).toBe(NAMES);
      // The last ones are there.
      expect(await askFor(NAMES - 50, NAMES)).toBe(0);
      // An entry has a message of some seventy octets: of the first ones none can be there.
      expect(await askFor(0, 1000)).toBe(1000);
    });
  });
});

describe('CLOUDMAPD_DNS_MAX_TTL', () => {
  const forwarding = shareForwarding({ settings: () => ({ DNS_MAX_TTL: '20' }) });

  it('caps the TTLs of what is forwarded, and of what is cached', async () => {
    forwarding().upstream.behaviour = (query) => [
      replyTo(query, { answer: ['@ 100 IN A 192.0.2.1', '@ 7 IN A 192.0.2.2'] }),
    ];
    const first = await forwarding().ask('www.example A');
    expect([...first.answer].sort()).toEqual(['www.example. 20 IN A 192.0.2.1', 'www.example. 7 IN A 192.0.2.2']);
    for (const record of (await forwarding().ask('www.example A')).answer) {
      expect(Number(record.split(' ')[1])).toBeLessThanOrEqual(record.endsWith('.1') ? 20 : 7);
    }
  });
});

describe('POST /admin/flush', () => {
  const forwarding = shareForwarding({ behaviours: [TTL_100] });
  const NAMES = ['flush.example', 'a.flush.example', 'b.a.flush.example', 'notflush.example', 'other.example'];

  interface Response {
    readonly status: number | undefined;
    readonly body: string;
  }

  /** `fetch` sets Host and Origin as it thinks right. */
  function post(
    body: unknown,
    headers: Record<string, string> = {},
    method = 'POST',
    path = '/admin/flush',
  ): Promise<Response> {
    const { port } = new URL(forwarding().daemon.endpoint);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          port,
          host: '127.0.0.1',
          path,
          method,
          headers: { 'content-type': 'application/json', ...headers },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode, body: text }));
        },
      );
      call.on('error', reject);
      call.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  const flushed = (n: number) => ({ status: 200, body: JSON.stringify({ flushed: n }) });

  /** Those of the names that the upstream is asked for: that are not cached. */
  async function missing(): Promise<string[]> {
    const { upstream } = forwarding();
    upstream.seen.length = 0;
    for (const name of NAMES) await forwarding().ask(`${name} A`);
    return NAMES.filter((name) => upstream.timesAsked(name) > 0);
  }

  // All are cached before each test, and nothing else is.
  beforeEach(async () => {
    await post({});
    expect(await missing()).toEqual(NAMES);
  });

  it('without a name forgets everything', async () => {
    expect(await post({})).toEqual(flushed(NAMES.length));
    expect(await missing()).toEqual(NAMES);
  });

  it('forgets a name, and nothing else', async () => {
    expect(await post({ name: 'a.flush.example' })).toEqual(flushed(1));
    expect(await missing()).toEqual(['a.flush.example']);
  });

  it('forgets a name whatever its case, and with a dot behind it', async () => {
    expect(await post({ name: 'A.Flush.Example.' })).toEqual(flushed(1));
    expect(await missing()).toEqual(['a.flush.example']);
  });

  it('forgets every type of a name', async () => {
    await forwarding().ask('a.flush.example AAAA');
    expect(await post({ name: 'a.flush.example' })).toEqual(flushed(2));
  });

  it('forgets a name and all that is below it', async () => {
    expect(await post({ name: 'flush.example', below: true })).toEqual(flushed(3));
    expect(await missing()).toEqual(['flush.example', 'a.flush.example', 'b.a.flush.example']);
  });

  it('while a query is under way has its answer told, and not kept', async () => {
    const { upstream } = forwarding();
    const held = Promise.withResolvers<void>();
    upstream.behaviour = async (query) => {
      await held.promise;
      return TTL_100(query);
    };
    const waiting = forwarding().ask('under-way.example A');
    await waitFor('the query', () => (upstream.timesAsked('under-way.example') > 0 ? true : null));
    expect(await post({ name: 'under-way.example' })).toEqual(flushed(0));
    held.resolve();
    expect((await waiting).answer).toEqual(['under-way.example. 100 IN A 192.0.2.1']);
    upstream.behaviour = (query) => [replyTo(query, { answer: ['@ 100 IN A 192.0.2.2'] })];
    expect((await forwarding().ask('under-way.example A')).answer).toEqual(['under-way.example. 100 IN A 192.0.2.2']);
  });

  it('says 0 of a name that is not there', async () => {
    expect(await post({ name: 'none.example' })).toEqual(flushed(0));
    expect(await post({ name: 'none.example', below: true })).toEqual(flushed(0));
    expect(await missing()).toEqual([]);
  });

  it.each(['localhost', 'cloudmap:8053', '127.0.0.1', '[::1]:8053'])('is there under the Host %s', async (host) => {
    expect(await post({}, { host })).toEqual(flushed(NAMES.length));
  });

  it.each<[string, Record<string, string>]>([
    ['under a foreign Host', { host: 'rebound.example' }],
    ['from another site’s page', { origin: 'https://evil.example' }],
    ['that a browser says is of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('is refused %s', async (_, headers) => {
    expect((await post({}, headers)).status).toBe(403);
    expect(await missing()).toEqual([]);
  });

  it.each([
    '/%61dmin/flush',
    '/admin/%66lush',
    '/%61%64%6d%69%6e/flush?a',
    'http://127.0.0.1/%61dmin/flush',
    '/admin/none',
    '/Admin/flush',
  ])('is refused under a foreign Host however its path is written: %s', async (path) => {
    expect((await post({}, { host: 'rebound.example' }, 'POST', path)).status).toBe(403);
    expect(await missing()).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['no JSON', '{'],
    ['a list', []],
    ['a name that is no text', { name: 7 }],
    ['a member that there is not', { nmae: 'flush.example' }],
    ['a label that is too long', { name: `${'a'.repeat(64)}.example` }],
    ['a name that is none', { name: 'a..b' }],
  ])('refuses %s, and forgets nothing', async (_, body) => {
    expect((await post(body)).status).toBe(400);
    expect(await missing()).toEqual([]);
  });

  it('is no GET', async () => {
    expect([404, 405]).toContain((await post('', {}, 'GET')).status);
    expect(await missing()).toEqual([]);
  });
});
