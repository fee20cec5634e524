/** What was answered once is answered from memory while its TTL lasts (RFC 1035 s7.4, RFC 2308). */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Behaviour, GOOD, questionOf, type ReplySpec, replyTo } from '../support/fake-upstream.ts';
import { type AskOptions, shareForwarding } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';
import { optionBytes } from '../support/message.ts';

const forwarding = shareForwarding();
const DO = 0x8000;

let names = 0;
let name: string;
/** What one test has cached is nothing to the next. */
beforeEach(() => {
  name = `n${names++}.cache.example`;
});

const replying =
  (spec: ReplySpec): Behaviour =>
  (query) => [replyTo(query, spec)];
const asked = (): number => forwarding().upstream.seen.length;
const ask = (options?: AskOptions, type = 'A') => forwarding().ask(`${name} ${type}`, options);

function ttlOf(record: string | undefined): number {
  return Number(record?.split(' ')[1]);
}

const SOA = 'cache.example. 300 IN SOA ns.cache.example. host.cache.example. 7 3600 600 86400 60';

describe('an answer', () => {
  it('is asked for once, and given to every client', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.1', '@ 100 IN A 192.0.2.2'] });
    const first = await ask();
    expect(first.status).toBe('NOERROR RD RA');
    for (const options of [{}, { id: 7 }, { overTcp: true }]) {
      const again = await ask(options);
      expect(again.status).toBe(first.status);
      const addresses = again.answer.map((record) => record.split(' ')[4]).sort();
      expect(addresses).toEqual(['192.0.2.1', '192.0.2.2']);
    }
    expect(asked()).toBe(1);
  });

  it('counts its TTL down, in every section', async () => {
    forwarding().upstream.behaviour = replying({
      answer: ['@ 100 IN A 192.0.2.1', '@ 50 IN A 192.0.2.2'],
      authority: ['cache.example. 200 IN NS ns.cache.example.'],
      additional: ['ns.cache.example. 70 IN A 192.0.2.53'],
    });
    const first = await ask({ opt: {} });
    expect(first.answer.map(ttlOf)).toEqual([100, 50]);
    const later = await waitFor('a TTL that is less', async () => {
      const reply = await ask({ opt: {} });
      return ttlOf(reply.answer[0]) < 99 ? reply : null;
    });
    const gone = 100 - Math.max(...later.answer.map(ttlOf));
    expect(gone).toBeGreaterThan(1);
    expect(later.answer.map(ttlOf).sort((a, b) => b - a)).toEqual([100 - gone, 50 - gone]);
    expect([...later.authority, ...later.additional].map(ttlOf)).toEqual([200 - gone, 70 - gone]);
    expect(asked()).toBe(1);
  });

  it('is asked for again when its TTL is over, the least of its records’', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.1', '@ 1 IN A 192.0.2.2'] });
    await ask();
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.3'] });
    const fresh = await waitFor('the answer that is new', async () => {
      const { answer } = await ask();
      return answer.length === 1 ? answer : null;
    });
    expect(fresh).toEqual([`${name}. 100 IN A 192.0.2.3`]);
    expect(asked()).toBe(2);
  });

  it('is not kept with a TTL of 0, which means this once', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 0 IN A 192.0.2.1'] });
    for (let i = 0; i < 3; i++) expect((await ask()).answer).toEqual([`${name}. 0 IN A 192.0.2.1`]);
    expect(asked()).toBe(3);
  });

  it('is not kept with a TTL that has its first bit set, which counts as 0 (RFC 2181 s8)', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 2147483648 IN A 192.0.2.1'] });
    for (let i = 0; i < 2; i++) expect((await ask()).status).toBe('NOERROR RD RA');
    expect(asked()).toBe(2);
  });

  it('is one for each type, DO and CD', async () => {
    const kinds: readonly (readonly [AskOptions, string])[] = [
      [{}, 'A'],
      [{}, 'AAAA'],
      [{}, 'TYPE65'],
      [{ opt: { flags: DO } }, 'A'],
      [{ flags: 'RD CD' }, 'A'],
    ];
    const rdata: Readonly<Record<number, string>> = {
      1: '0a000001',
      28: '20010db8000000000000000000000001',
      65: '000100',
    };
    forwarding().upstream.behaviour = (query) => {
      const { type } = questionOf(query);
      const octets = rdata[type] as string;
      return [replyTo(query, { answer: [String.raw`@ 100 IN TYPE${type} \# ${octets.length / 2} ${octets}`] })];
    };
    for (const [options, type] of kinds) await ask(options, type);
    expect(asked()).toBe(kinds.length);
    for (const [options, type] of kinds) expect((await ask(options, type)).answer).toHaveLength(1);
    expect(asked()).toBe(kinds.length);
  });

  it('is one for clients with EDNS and without', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.1'] });
    expect((await ask({ opt: {} })).opt).toBe('EDNS 0; udp 1232');
    expect((await ask()).opt).toBeNull();
    expect((await ask({ opt: { size: 512 } })).opt).toBe('EDNS 0; udp 1232');
    expect(asked()).toBe(1);
  });

  it('has AD for whom it is meant', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.1'], authentic: true });
    expect((await ask({ flags: 'RD AD' })).status).toBe('NOERROR RD RA AD');
    expect((await ask()).status).toBe('NOERROR RD RA');
    expect((await ask({ flags: 'RD AD' })).status).toBe('NOERROR RD RA AD');
  });

  it('to one subnet is none for another', async () => {
    forwarding().upstream.behaviour = replying({
      answer: ['@ 100 IN A 192.0.2.1'],
      opt: { options: optionBytes(8, [0, 1, 24, 24, 192, 0, 2]) },
    });
    await ask({ opt: { options: optionBytes(8, [0, 1, 24, 0, 192, 0, 2]) } });
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.9'] });
    expect((await ask({ opt: { options: optionBytes(8, [0, 1, 24, 0, 198, 51, 100]) } })).answer).toEqual([
      `${name}. 100 IN A 192.0.2.9`,
    ]);
    expect((await ask()).answer).toEqual([`${name}. 100 IN A 192.0.2.9`]);
  });

  it('is found whatever the case, and has the question as this client spelt it', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 100 IN A 192.0.2.1'] });
    await ask();
    const spelt = name.replace('cache', 'CaChE').toUpperCase().replace('EXAMPLE', 'eXaMpLe');
    const reply = await forwarding().ask(`${spelt} A`);
    const question = Buffer.from(reply.question).toString('latin1');
    expect(question).toContain('CACHE');
    expect(question).toContain('eXaMpLe');
    expect(reply.answer).toEqual([`${spelt}. 100 IN A 192.0.2.1`]);
    expect(asked()).toBe(1);
  });

  it('is fitted to each client: TC for one that takes 512 octets', async () => {
    const answer = Array.from({ length: 60 }, (_, i) => `@ 100 IN A 192.0.2.${i}`);
    forwarding().upstream.behaviour = replying({ answer });
    expect((await ask({ opt: { size: 1232 } })).answer).toHaveLength(60);
    const small = await ask();
    expect(small.status).toBe('NOERROR TC RD RA');
    expect(small.bytes.length).toBeLessThanOrEqual(512);
    expect((await ask({ overTcp: true })).answer).toHaveLength(60);
    expect(asked()).toBe(1);
  });

  it('is asked for once where a hundred clients ask at the same time', async () => {
    let release = (): void => undefined;
    const isHeld = new Promise<void>((resolve) => {
      release = resolve;
    });
    forwarding().upstream.behaviour = async (query) => {
      await isHeld;
      return [replyTo(query, { answer: ['@ 100 IN A 192.0.2.1'] })];
    };
    const overTcp = { overTcp: true };
    const clients = Array.from({ length: 100 }, (_, id) => ask({ id, ...(id % 10 === 0 ? overTcp : {}) }));
    await waitFor('the query', () => (asked() > 0 ? true : null));
    release();
    const replies = await Promise.all(clients);
    expect(new Set(replies.map(({ status, answer }) => `${status} ${answer}`)).size).toBe(1);
    expect(replies[0]?.status).toBe('NOERROR RD RA');
    expect(asked()).toBe(1);
  });
});

describe('a negative answer', () => {
  it.each([
    ['NXDOMAIN', 'NXDOMAIN'],
    ['NODATA', 'NOERROR'],
  ])('%s is asked for once, and comes with its SOA each time', async (_, rcode) => {
    forwarding().upstream.behaviour = replying({ rcode, answer: [], authority: [SOA] });
    for (let i = 0; i < 3; i++) {
      const reply = await ask(i === 2 ? { overTcp: true } : {});
      expect(reply).toMatchObject({ status: `${rcode} RD RA`, answer: [] });
      expect(reply.authority).toEqual([expect.stringMatching(/^cache\.example\. \d+ IN SOA ns\.cache\.example\. /)]);
    }
    expect(asked()).toBe(1);
  });

  it.each([
    ['NXDOMAIN', 'NXDOMAIN', 'MINIMUM', SOA.replace(/ 60$/, ' 1')],
    ['NXDOMAIN', 'NXDOMAIN', 'TTL', SOA.replace(' 300 ', ' 1 ')],
    ['NODATA', 'NOERROR', 'MINIMUM', SOA.replace(/ 60$/, ' 1')],
    ['NODATA', 'NOERROR', 'TTL', SOA.replace(' 300 ', ' 1 ')],
  ])(
    '%s is kept for as long as the SOA’s %s says where that is the lesser (RFC 2308 s5)',
    async (...[, rcode, , soa]) => {
      forwarding().upstream.behaviour = replying({ rcode, answer: [], authority: [soa] });
      await ask();
      forwarding().upstream.behaviour = GOOD;
      const found = await waitFor('the name', async () => {
        const { answer } = await ask();
        return answer.length > 0 ? answer : null;
      });
      expect(found).toHaveLength(1);
      expect(asked()).toBe(2);
    },
  );

  // Whoever keeps our reply would else keep it for as long again once ours is nearly over.
  it('from the cache has a SOA whose TTL is what is left of the time for which it is kept (RFC 2308 s3, s6)', async () => {
    forwarding().upstream.behaviour = replying({ rcode: 'NXDOMAIN', answer: [], authority: [SOA] });
    await ask();
    expect(ttlOf((await ask()).authority[0])).toBeLessThanOrEqual(60);
  });

  it.each([
    ['NXDOMAIN', 'NXDOMAIN'],
    ['NODATA', 'NOERROR'],
  ])('%s is not kept without a SOA (RFC 2308 s5)', async (_, rcode) => {
    forwarding().upstream.behaviour = replying({ rcode, answer: [] });
    for (let i = 0; i < 2; i++) expect(await ask()).toMatchObject({ status: `${rcode} RD RA`, answer: [] });
    forwarding().upstream.behaviour = GOOD;
    expect((await ask()).answer).toHaveLength(1);
    expect(asked()).toBe(3);
  });

  it('with a MINIMUM of 0 is not kept', async () => {
    const authority = [SOA.replace(/ 60$/, ' 0')];
    forwarding().upstream.behaviour = replying({ rcode: 'NXDOMAIN', answer: [], authority });
    await ask();
    await ask();
    expect(asked()).toBe(2);
  });

  it('of one type says nothing of another', async () => {
    forwarding().upstream.behaviour = replying({ answer: [], authority: [SOA] });
    await ask({}, 'AAAA');
    forwarding().upstream.behaviour = GOOD;
    expect((await ask()).answer).toHaveLength(1);
  });

  it('behind a CNAME is kept with the CNAME', async () => {
    const answer = ['@ 100 IN CNAME gone.cache.example.'];
    forwarding().upstream.behaviour = replying({ rcode: 'NXDOMAIN', answer, authority: [SOA] });
    await ask();
    const again = await ask();
    expect(again).toMatchObject({ status: 'NXDOMAIN RD RA', answer: [`${name}. 100 IN CNAME gone.cache.example.`] });
    expect(again.authority).toHaveLength(1);
    expect(asked()).toBe(1);
  });
});

describe('a failure', () => {
  it.each(['SERVFAIL', 'REFUSED'] as const)('%s is forgotten soon', async (rcode) => {
    forwarding().upstream.behaviour = replying({ rcode, records: 0 });
    expect((await ask()).status).toBe('SERVFAIL RD RA');
    forwarding().upstream.behaviour = GOOD;
    const startedAt = Date.now();
    const reply = await waitFor('an answer', async () => {
      const { status, answer } = await ask();
      return status.startsWith('NOERROR') ? answer : null;
    });
    expect(reply).toHaveLength(1);
    // RFC 2308 s7.1 would allow five minutes; whoever mends an upstream does not wait for that.
    expect(Date.now() - startedAt).toBeLessThan(10_000);
  });
});

describe('a name that is asked for again and again', () => {
  it('is asked for before its TTL ends, so that no client waits', async () => {
    forwarding().upstream.behaviour = replying({ answer: ['@ 5 IN A 192.0.2.1'] });
    await ask();
    // Whoever has to wait for this one waits in vain.
    let isAskedAgain = false;
    forwarding().upstream.behaviour = () => {
      isAskedAgain = true;
      return new Promise<never>(() => undefined);
    };
    const last = await waitFor('the upstream to be asked', async () => {
      const { answer } = await ask();
      return isAskedAgain ? answer : null;
    });
    expect(last).toHaveLength(1);
    expect(ttlOf(last[0])).toBeGreaterThan(0);
    expect(ttlOf(last[0])).toBeLessThanOrEqual(5);
  });
});
