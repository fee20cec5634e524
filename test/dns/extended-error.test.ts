/** Extended errors (RFC 8914): why an answer is what it is, for clients that understand EDNS. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { Asker } from '../support/answering.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { Content, dropInstance, putInstance, putNamespace, putService } from '../support/content.ts';
import { askTcp, askUdp, buildQuery, extendedErrorOf, type QueryOptions, readAnswer } from '../support/dns.ts';
import { requireTool, runDig } from '../support/journey-tools.ts';

const NOW = 1_700_000_000_000;

function errorOf(asker: Asker, name: string, type = 'A', options: QueryOptions = {}, overTcp = false) {
  const reply = asker.send(buildQuery(name, type, { edns: 1232, ...options }), overTcp);
  if (typeof reply === 'string') throw new Error(reply);
  return { ...readAnswer(reply), error: extendedErrorOf(reply), size: reply.length };
}

/** A checked service with these instances; `lastHealthy` in seconds before now. */
function contentOf(
  instances: readonly { id: string; lastHealthy?: number; healthy?: boolean }[],
  { policy = 'MULTIVALUE' as const, fallback = 'last-healthy' as const, records = 'A 60' } = {},
) {
  const content = new Content(
    [
      putNamespace(),
      putService({ check: 'custom', policy, records }),
      ...instances.map(({ id, lastHealthy, healthy }, n) =>
        putInstance({
          id,
          ipv4: `10.0.0.${n + 1}`,
          port: 80,
          status: healthy ? 'HEALTHY' : 'UNHEALTHY',
          lastHealthyAt: lastHealthy === undefined ? null : NOW - lastHealthy * 1000,
        }),
      ),
    ],
    { fallback },
  );
  return { content, asker: new Asker(content.zones, { clock: () => NOW }) };
}

describe('a fallback', () => {
  it('says how many there are, which one is answered, and when it was last healthy', () => {
    const { asker } = contentOf([
      { id: 'web-1', lastHealthy: 40 },
      { id: 'web-2', lastHealthy: 90 },
    ]);
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({
      rcode: 'NOERROR',
      answer: ['web.corp.internal. 60 IN A 10.0.0.1'],
      error: { code: 0, text: '2 instances, none healthy, answering web-1, last healthy 40 s ago' },
    });
  });

  it.each<[string, Parameters<typeof contentOf>[0], string]>([
    ['one instance', [{ id: 'a', lastHealthy: 0 }], '1 instance, none healthy, answering a, last healthy 0 s ago'],
    [
      'a long time',
      [{ id: 'a', lastHealthy: 1_234_567_890 }],
      '1 instance, none healthy, answering a, last healthy 1234567890 s ago',
    ],
    [
      'two that were healthy to the same moment',
      [
        { id: 'a', lastHealthy: 9 },
        { id: 'b', lastHealthy: 9 },
        { id: 'c', lastHealthy: 10 },
      ],
      '3 instances, none healthy, answering a and b, last healthy 9 s ago',
    ],
    [
      'three of them',
      [
        { id: 'a', lastHealthy: 10 },
        { id: 'b', lastHealthy: 10 },
        { id: 'c', lastHealthy: 10 },
      ],
      '3 instances, none healthy, answering all 3, last healthy 10 s ago',
    ],
    ['none that ever was', [{ id: 'a' }, { id: 'b' }], '2 instances, none healthy, answering a and b'],
    [
      'a clock that stepped back',
      [{ id: 'a', lastHealthy: -60 }],
      '1 instance, none healthy, answering a, last healthy 0 s ago',
    ],
  ])('to %s', (_, instances, text) => {
    const { asker } = contentOf(instances);
    expect(errorOf(asker, 'web.corp.internal').error).toEqual({ code: 0, text });
  });

  it('says what one answer carries: one under WEIGHTED, eight under MULTIVALUE', () => {
    const many = Array.from({ length: 12 }, (_, n) => ({ id: `i-${n}`, lastHealthy: 7 }));
    const textOf = (count: number, policy: string): string | undefined =>
      errorOf(contentOf(many.slice(0, count), { policy: policy as never }).asker, 'web.corp.internal').error?.text;
    expect(textOf(12, 'MULTIVALUE')).toBe('12 instances, none healthy, answering 8 of 12, last healthy 7 s ago');
    expect(textOf(12, 'WEIGHTED')).toBe('12 instances, none healthy, answering 1 of 12, last healthy 7 s ago');
    expect(textOf(2, 'WEIGHTED')).toBe('2 instances, none healthy, answering i-0 or i-1, last healthy 7 s ago');
  });

  it('to all of them says so', () => {
    const { asker } = contentOf(
      [
        { id: 'a', lastHealthy: 1 },
        { id: 'b', lastHealthy: 2 },
      ],
      { fallback: 'all' as never },
    );
    expect(errorOf(asker, 'web.corp.internal').error?.text).toBe('2 instances, none healthy, answering a and b');
  });

  it('is told behind a CNAME, of SRV records, and over TCP', () => {
    const { content, asker } = contentOf([{ id: 'a', lastHealthy: 5 }], { records: 'SRV 60' });
    const text = '1 instance, none healthy, answering a, last healthy 5 s ago';
    const srv = errorOf(asker, 'web.corp.internal', 'SRV');
    expect(srv).toMatchObject({ error: { text }, additional: ['a.web.corp.internal. 60 IN A 10.0.0.1'] });
    expect(errorOf(asker, 'web.corp.internal', 'SRV', {}, true).error).toEqual({ code: 0, text });
    content.change(
      putService({ id: 'srv-2', name: 'shop', records: 'CNAME 9', policy: 'WEIGHTED' }),
      putInstance({ serviceId: 'srv-2', id: 'c', cname: 'web.corp.internal' }),
    );
    expect(errorOf(asker, 'shop.corp.internal', 'SRV').error).toEqual({ code: 0, text });
  });

  it('ends when one is healthy again', () => {
    const { content, asker } = contentOf([{ id: 'a', lastHealthy: 5 }]);
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1', lastHealthyAt: NOW - 5000 }));
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({ rcode: 'NOERROR', error: null });
  });

  it('is not told to a client without EDNS', () => {
    const { asker } = contentOf([{ id: 'a', lastHealthy: 5 }]);
    expect(errorOf(asker, 'web.corp.internal', 'A', { edns: null })).toMatchObject({ hasOpt: false, error: null });
  });

  it('gives way where the reply has no room: the text is cut or left out, the records stay', () => {
    const whole = '4 instances, none healthy, answering all 4';
    const told = Array.from({ length: 60 }, (_, length) => {
      const ids = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(length + 1));
      const { asker } = contentOf(
        ids.map((id) => ({ id })),
        { records: 'SRV 60' },
      );
      const bare = errorOf(asker, 'web.corp.internal', 'SRV', { edns: null });
      const reply = errorOf(asker, 'web.corp.internal', 'SRV', { edns: 512 });
      expect(reply.size).toBeLessThanOrEqual(512);
      expect({ tc: reply.tc, answers: reply.answer.sort() }).toEqual({ tc: bare.tc, answers: bare.answer.sort() });
      expect(whole.startsWith(reply.error?.text ?? '')).toBe(true);
      return reply.error?.text.length ?? -1;
    });
    // The whole text, a part of it, no room at all.
    expect(Math.max(...told)).toBe(whole.length);
    expect(told.some((length) => length > 0 && length < whole.length)).toBe(true);
    expect(Math.min(...told)).toBe(-1);
  });
});

describe('a service without instances', () => {
  it('is told from a name that nobody has', () => {
    const { content, asker } = contentOf([]);
    const absent = { rcode: 'NXDOMAIN', answer: [] };
    const error = { code: 0, text: 'service web exists, 0 instances registered' };
    expect(errorOf(asker, 'WEB.corp.internal')).toMatchObject({ ...absent, error });
    expect(errorOf(asker, 'web.corp.internal', 'AAAA')).toMatchObject({ ...absent, error });
    expect(errorOf(asker, 'wob.corp.internal')).toMatchObject({ ...absent, error: null });
    expect(errorOf(asker, 'x.web.corp.internal')).toMatchObject({ ...absent, error: null });

    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1' }));
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({ rcode: 'NOERROR', error: null });
    content.change(dropInstance('a'));
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({ ...absent, error });
    content.change({ kind: 'service', id: 'srv-1', value: null });
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({ ...absent, error: null });
  });

  it('is told where the name is an empty non-terminal too', () => {
    const { content, asker } = contentOf([]);
    content.change(
      putService({ id: 'srv-2', name: 'x.web' }),
      putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.9' }),
    );
    const error = { code: 0, text: 'service web exists, 0 instances registered' };
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({ rcode: 'NOERROR', answer: [], error });
  });

  it('says that an alias has not resolved yet', () => {
    const { content, asker } = contentOf([], { policy: 'WEIGHTED' as never });
    content.change({
      kind: 'instance',
      serviceId: 'srv-1',
      id: 'lb',
      value: {
        ...(putInstance({ id: 'lb' }) as { value: object }).value,
        attributes: { AWS_ALIAS_DNS_NAME: 'lb.example' },
      } as never,
    });
    expect(errorOf(asker, 'web.corp.internal')).toMatchObject({
      rcode: 'NXDOMAIN',
      error: { text: 'service web exists, 1 instance registered, no address known yet' },
    });
  });
});

describe('a refusal', () => {
  const { content } = contentOf([]);
  const open = new Asker(content.zones, { recursionAvailable: true });

  it.each<[string, Asker, string, string, QueryOptions, number, RegExp]>([
    ['a name outside', content.asker, 'www.example.com', 'A', {}, 20, /in no namespace here$/],
    ['a name outside, with RD', content.asker, 'www.example.com', 'A', { rd: true }, 20, /CLOUDMAPD_UPSTREAMS/],
    ['a name outside, without RD but with upstreams', open, 'www.example.com', 'A', {}, 20, /in no namespace here$/],
    ['class CH', content.asker, 'version.bind', 'TXT', { qclass: 3 }, 21, /class IN/],
    ['AXFR', content.asker, 'corp.internal', 'AXFR', {}, 21, /transfer/],
    ['IXFR', content.asker, 'corp.internal', 'IXFR', {}, 21, /transfer/],
  ])('of %s says why', (_, asker, name, type, options, code, text) => {
    const codes: Record<string, number> = { AXFR: 252, IXFR: 251 };
    const reply = asker.send(buildQuery(name, codes[type] ?? type, { edns: 1232, ...options }));
    expect(readAnswer(reply as Uint8Array).rcode).toBe('REFUSED');
    expect(extendedErrorOf(reply as Uint8Array)).toEqual({ code, text: expect.stringMatching(text) });
  });

  it('says that nothing is known yet before the first snapshot', () => {
    const { rcode, error } = errorOf(new Asker(new ZoneSet()), 'web.corp.internal');
    expect({ rcode, code: error?.code }).toEqual({ rcode: 'SERVFAIL', code: 14 });
  });

  it('leaves nothing behind for the next reply', () => {
    expect(errorOf(content.asker, 'www.example.com').error).not.toBeNull();
    expect(errorOf(content.asker, 'corp.internal', 'SOA').error).toBeNull();
  });
});

describe('over the network', () => {
  let api: TestApi;
  beforeAll(async () => {
    // An upstream that nobody listens on, and no client that may use it.
    api = await startApi({ upstreams: '127.0.0.1:9', recursionClients: '192.0.2.0/24' });
    const namespace = await api.createNamespace('PrivateDns', { Name: 'corp.internal' });
    const service = await api.createService(namespace, 'web', {
      DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] },
      HealthCheckCustomConfig: {},
    });
    await api.createService(namespace, 'empty', { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] } });
    for (const n of [1, 2]) await api.register(service, `web-${n}`, { AWS_INSTANCE_IPV4: `10.0.0.${n}` });
    for (const n of [2, 1]) {
      const body = { ServiceId: service, InstanceId: `web-${n}`, Status: 'UNHEALTHY' };
      await api.ok('UpdateInstanceCustomHealthStatus', body);
    }
  });
  afterAll(() => api.close());

  it('is on UDP and TCP', async () => {
    const query = buildQuery('web.corp.internal', 'A', { edns: 1232 });
    for (const reply of [await askUdp(api.dnsPort, query), ...(await askTcp(api.dnsPort, [query]))]) {
      const text = expect.stringMatching(
        /^2 instances, none healthy, answering web-\d( and web-\d)?, last healthy \d+ s ago$/,
      );
      expect(extendedErrorOf(reply as Buffer)).toEqual({ code: 0, text });
    }
  });

  it('says that the client is refused', async () => {
    const query = buildQuery('www.example.com', 'A', { edns: 1232, rd: true });
    for (const reply of [await askUdp(api.dnsPort, query), ...(await askTcp(api.dnsPort, [query]))]) {
      expect(readAnswer(reply as Buffer).rcode).toBe('REFUSED');
      expect(extendedErrorOf(reply as Buffer)).toEqual({
        code: 18,
        text: expect.stringMatching(/not forwarded for this client \(CLOUDMAPD_RECURSION_CLIENTS\)/),
      });
    }
  });

  it('is printed by dig', async (context) => {
    requireTool(context, 'dig');
    expect(await runDig(api.dnsPort, ['web.corp.internal', 'A'])).toMatch(
      /; EDE: 0 \(Other\): \(2 instances, none healthy, answering web-1.*, last healthy \d+ s ago\)/,
    );
    expect(await runDig(api.dnsPort, ['empty.corp.internal', 'A'])).toContain(
      '; EDE: 0 (Other): (service empty exists, 0 instances registered)',
    );
    expect(await runDig(api.dnsPort, ['www.example.com', 'A'])).toMatch(/; EDE: 18 \(Prohibited\)/);
  });
});
