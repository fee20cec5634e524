import { afterAll, describe, expect, it } from 'vitest';
import { OUTCOMES } from '../../src/dns/outcome.ts';
import { EXTENDED_ERROR } from '../../src/wire/edns.ts';
import { toWireName } from '../../src/wire/names.ts';
import { rrset } from '../support/answering.ts';
import { extendedErrorOf } from '../support/dns.ts';
import { optBytes, optionBytes, queryBytes } from '../support/message.ts';
import { closeResolvers, NOBODY } from '../support/resolving.ts';
import { type AskOptions, says, ToldResponder, type World } from '../support/told.ts';
import { QNAME, record, soaRecord } from '../support/upstream-reply.ts';

afterAll(closeResolvers);

const WWW = 'www.example.com A';
const NAME = 'www.example.com.';
const A = record(QNAME, 'A', 300, '192.0.2.1');
const SOA = soaRecord('example.com', 900, 120);
const SOA_TEXT = 'example.com. 120 IN SOA ns.example. root.example. 1 2 3 4 120';
const asked = (flags = 'RD', opt = {}) => queryBytes(WWW, { flags, opts: [opt] });
const DO = 0x8000;

describe('an upstream’s reply', () => {
  const responder = new ToldResponder({});

  it('goes on whole, with RA and without AA', () => {
    const parts = {
      answer: [A],
      authority: [record('example.com', 'NS', 500, 'ns.example.com')],
      additional: [record('ns.example.com', 'A', 600, '192.0.2.9'), optBytes({ size: 4096 })],
      flags: 'AA RD RA',
    };
    const reply = responder.read(asked('RD'), { [NAME]: says(WWW, parts) });
    expect(reply).toMatchObject({
      status: 'NOERROR RD RA',
      answer: ['www.example.com. 300 IN A 192.0.2.1'],
      authority: ['example.com. 500 IN NS ns.example.com.'],
      additional: ['ns.example.com. 600 IN A 192.0.2.9'],
      opt: 'EDNS 0; udp 1232',
    });
  });

  it('has the client’s question, octet by octet, and no OPT where the client sent none', () => {
    const query = queryBytes('wWw.EXAMPLE.com A', { flags: 'RD' });
    const reply = responder.read(query, { [NAME]: says(WWW, { answer: [A], additional: [optBytes()] }) });
    expect(reply.question).toEqual(query.subarray(12));
    expect([reply.opt, reply.answer]).toEqual([null, ['wWw.EXAMPLE.com. 300 IN A 192.0.2.1']]);
  });

  it('may say that there is no such name, or no such record', () => {
    for (const [rcode, name] of [
      [3, 'NXDOMAIN'],
      [0, 'NOERROR'],
    ] as const) {
      const reply = responder.read(asked(), { [NAME]: says(WWW, { rcode, authority: [SOA] }) });
      expect([reply.status, reply.answer, reply.authority]).toEqual([`${name} RD RA`, [], [SOA_TEXT]]);
    }
  });

  it.each([
    ['asked with DO', 'RD', { flags: DO }, 'NOERROR RD RA AD'],
    ['asked with AD', 'RD AD', {}, 'NOERROR RD RA AD'],
    ['asked with neither', 'RD', {}, 'NOERROR RD RA'],
    ['asked with CD alone', 'RD CD', {}, 'NOERROR RD RA CD'],
  ])('has AD where the upstream says so and the client wants it: %s (RFC 6840 s5.8)', (_, flags, opt, status) => {
    const authentic = says(WWW, { answer: [A], flags: 'RA AD' });
    expect(responder.read(asked(flags, opt), { [NAME]: authentic }).status).toBe(status);
    const plain = says(WWW, { answer: [A] });
    expect(responder.read(asked(flags, opt), { [NAME]: plain }).status).toBe(status.replace(' AD', ''));
  });

  it('brings its extended error along, and none where there is no OPT', () => {
    const options = optionBytes(15, [0, 4, ...Buffer.from('forged')]);
    const outcome = says(WWW, { answer: [A], additional: [optBytes({ options })] });
    expect(extendedErrorOf(responder.ask(asked(), { [NAME]: outcome }))).toEqual({ code: 4, text: 'forged' });
    const plain = queryBytes(WWW, { flags: 'RD' });
    expect(extendedErrorOf(responder.ask(plain, { [NAME]: outcome }))).toBeNull();
  });

  it('brings the scope of a client subnet back to the client that sent one (RFC 7871 s7.2.1)', () => {
    const data = [0, 1, 24, 0, 192, 0, 2];
    const options = optionBytes(8, data);
    const scoped = optBytes({ options: optionBytes(8, data.with(3, 24)) });
    const outcome = says(WWW, { answer: [A], additional: [scoped] });
    const reply = responder.ask(asked('RD', { options }), { [NAME]: outcome });
    expect(Buffer.from(reply.subarray(-11)).toString('hex')).toBe('00080007' + '00011818c00002');
    expect(responder.read(asked(), { [NAME]: outcome }).opt).toBe('EDNS 0; udp 1232');
    const without = says(WWW, { answer: [A], additional: [optBytes()] });
    expect(responder.read(asked('RD', { options }), { [NAME]: without }).opt).toBe('EDNS 0; udp 1232');
  });
});

describe('TTLs', () => {
  const parts = {
    answer: [A, record(QNAME, 'A', 10, '192.0.2.2')],
    authority: [record('example.com', 'NS', 0, 'ns.example.com')],
    additional: [record('ns.example.com', 'A', 600, '192.0.2.9')],
  };
  const ttls = (responder: ToldResponder, isStale = false): number[] => {
    const { answer, authority, additional } = responder.read(asked(), { [NAME]: says(WWW, parts, isStale) });
    return [...answer, ...authority, ...additional].map((text) => Number(text.split(' ')[1]));
  };

  it.each([
    [0, [300, 10, 0, 600]],
    [999, [300, 10, 0, 600]],
    [1000, [299, 9, 0, 599]],
    [9999, [291, 1, 0, 591]],
    [10_000, [290, 0, 0, 590]],
    [700_000, [0, 0, 0, 0]],
    // A clock that was set back.
    [-5000, [300, 10, 0, 600]],
  ])('count down by whole seconds: %d ms', (nowMs, expected) => {
    expect(ttls(new ToldResponder({ nowMs }))).toEqual(expected);
  });

  it('are half a minute in a stale answer (RFC 8767 s5.2), in whatever is less by the settings', () => {
    expect(ttls(new ToldResponder({ nowMs: 400_000 }), true)).toEqual([30, 30, 30, 30]);
    expect(ttls(new ToldResponder({ nowMs: 400_000, maxTtlSeconds: 7 }), true)).toEqual([7, 7, 7, 7]);
    expect(ttls(new ToldResponder({ nowMs: 1000, maxTtlSeconds: 100 }))).toEqual([100, 9, 0, 100]);
  });
});

describe('a stale answer', () => {
  const responder = new ToldResponder({ nowMs: 400_000 });
  it.each([
    ['answer', { answer: [A], flags: 'RA AD' }, 'NOERROR RD RA', EXTENDED_ERROR.staleAnswer],
    ['NXDOMAIN', { rcode: 3, authority: [SOA] }, 'NXDOMAIN RD RA', EXTENDED_ERROR.staleNxdomain],
    ['NODATA', { authority: [SOA] }, 'NOERROR RD RA', EXTENDED_ERROR.staleAnswer],
  ])('says that it is one: %s (RFC 8767 s6)', (_, parts, status, code) => {
    const world = { [NAME]: says(WWW, parts, true) };
    expect(responder.read(asked('RD', { flags: DO }), world).status).toBe(status);
    expect(extendedErrorOf(responder.ask(asked(), world))).toMatchObject({ code });
  });
});

describe('no answer', () => {
  const responder = new ToldResponder({});
  it.each([
    ['no upstream in time', { rcode: null, error: null, isLoop: false }, 22, /no upstream answered in time/],
    ['a refusal', { rcode: 5, error: null, isLoop: false }, 22, /could not answer/],
    ['a loop', { rcode: null, error: null, isLoop: true }, 22, /leads back/],
    ['too much to do', 'busy' as const, 0, /too many/],
    [
      'an error of the upstream’s own',
      { rcode: 2, error: { code: 6, text: Buffer.from('bogus') }, isLoop: false },
      6,
      /^bogus$/,
    ],
  ])('is SERVFAIL with what is known: %s', (_, failure, code, text) => {
    const world = { [NAME]: { held: null, failure } };
    expect(responder.read(asked(), world)).toMatchObject({ status: 'SERVFAIL RD RA', answer: [], authority: [] });
    const error = extendedErrorOf(responder.ask(asked(), world));
    expect(error?.code).toBe(code);
    expect(error?.text).toMatch(text);
  });
});

describe('the outcome', () => {
  const rules = [
    { suffix: 'test', action: { kind: 'nxdomain' } as const },
    { suffix: 'ads.example', action: { kind: 'refuse' } as const },
  ];
  const zones = {
    'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])], out: [rrset(['60 IN CNAME www.example.com'])] },
  };
  const failure = { rcode: null, error: null, isLoop: false };

  it.each([
    ['zone', 'web.corp.internal A', {}],
    ['zone', 'nobody.corp.internal A', {}],
    ['rule', 'a.test A', {}],
    ['refused', 'x.ads.example A', {}],
    ['refused', WWW, { client: NOBODY }],
    ['upstream', WWW, { world: { [NAME]: says(WWW, { answer: [A] }) } }],
    ['upstream', 'out.corp.internal A', { world: { [NAME]: says(WWW, { answer: [A] }) } }],
    ['stale', WWW, { world: { [NAME]: says(WWW, { answer: [A] }, true) } }],
    ['failed', WWW, { world: { [NAME]: { held: null, failure } } }],
  ])('says where the reply came from: %s for %s', (outcome, question, options: AskOptions & { world?: World }) => {
    const { world = {}, ...rest } = options;
    const told = new ToldResponder({ zones, resolver: { rules } });
    told.ask(queryBytes(question, { flags: 'RD' }), world, rest);
    expect(OUTCOMES[told.responder.outcome]).toBe(outcome);
  });
});

describe('what is not forwarded', () => {
  const rules = [
    { suffix: 'test', action: { kind: 'nxdomain' } as const },
    { suffix: '10.in-addr.arpa', action: { kind: 'nxdomain' } as const },
    { suffix: 'localhost', action: { kind: 'localhost' } as const },
    { suffix: 'ads.example', action: { kind: 'refuse' } as const },
  ];
  const singleLabel = { kind: 'nxdomain' } as const;
  const responder = new ToldResponder({ resolver: { rules, singleLabel } });
  const ask = (question: string, flags = 'RD') => responder.read(queryBytes(question, { flags, opts: [{}] }));
  const soa = (owner: string): string => `${owner}. 5 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 5`;

  it.each([
    ['a.test A', 'NXDOMAIN AA RD RA', [], [soa('test')]],
    ['a.b.TEST AAAA', 'NXDOMAIN AA RD RA', [], [soa('TEST')]],
    ['test A', 'NXDOMAIN AA RD RA', [], [soa('test')]],
    ['1.2.3.10.in-addr.arpa PTR', 'NXDOMAIN AA RD RA', [], [soa('10.in-addr.arpa')]],
    ['printer A', 'NXDOMAIN AA RD RA', [], [soa('')]],
    ['localhost A', 'NOERROR AA RD RA', ['localhost. 5 IN A 127.0.0.1'], []],
    ['x.localhost A', 'NOERROR AA RD RA', ['x.localhost. 5 IN A 127.0.0.1'], []],
    ['localhost AAAA', 'NOERROR AA RD RA', ['localhost. 5 IN AAAA ::1'], []],
    ['localhost ANY', 'NOERROR AA RD RA', ['localhost. 5 IN A 127.0.0.1'], []],
    ['a.localhost MX', 'NOERROR AA RD RA', [], [soa('localhost')]],
    ['x.ads.example A', 'REFUSED RD RA', [], []],
  ])('%s', (question, status, answer, authority) => {
    expect(ask(question)).toMatchObject({ status, answer, authority });
    expect(responder.wanted).toEqual([]);
  });

  it('a zone of ours below a special-use name is there, and its name leads to it (RFC 8020 s2)', () => {
    const nested = new ToldResponder({ zones: { 'a.b.test': {} }, resolver: { rules } });
    const status = (name: string): string => nested.read(queryBytes(`${name} A`, { flags: 'RD' })).status;
    expect([status('b.test'), status('c.test'), status('a.b.test')]).toEqual([
      'NOERROR AA RD RA',
      'NXDOMAIN AA RD RA',
      'NOERROR AA RD RA',
    ]);
  });

  it.each([
    ['without RD', 'www.example.com A', '', {}, 20],
    ['without RD, special use or not', 'a.test A', '', {}, 20],
    ['of a client that is not served', 'www.example.com A', 'RD', { client: NOBODY }, 18],
    ['of such a client, special use or not', 'localhost A', 'RD', { client: NOBODY }, 18],
    ['that a rule refuses', 'ads.example A', 'RD', {}, 15],
  ])('a query %s is REFUSED, and why', (_, question, flags, options, code) => {
    const reply = responder.ask(queryBytes(question, { flags, opts: [{}] }), {}, options);
    expect((reply[3] as number) & 0xf).toBe(5);
    expect((reply[2] as number) & 0x04).toBe(0);
    expect(extendedErrorOf(reply)?.code).toBe(code);
  });

  it('with forwarding off, everything outside is REFUSED', () => {
    const off = new ToldResponder({ resolver: { isOn: false, upstreams: null, rules, singleLabel } });
    for (const question of ['www.example.com A', 'a.test A', 'localhost A', 'printer A', '. NS'])
      expect(off.read(queryBytes(question, { flags: 'RD' })).status, question).toBe('REFUSED RD');
  });

  it('with rules alone, what no rule names is REFUSED', () => {
    const action = { kind: 'ask', upstreams: [{ address: '127.0.0.1', port: 9 }] } as const;
    const some = new ToldResponder({ resolver: { upstreams: null, rules: [{ suffix: 'consul', action }] } });
    expect(some.read(queryBytes('www.example.com A', { flags: 'RD' })).status).toBe('REFUSED RD RA');
    const world = { 'x.consul.': says('x.consul A', { answer: [A] }) };
    expect(some.read(queryBytes('x.consul A', { flags: 'RD' }), world).answer).toHaveLength(1);
  });

  it('the root is forwarded', () => {
    const world = { '.': says('. NS', { answer: [record([0], 'NS', 60, 'a.root-servers.net')] }) };
    expect(responder.read(queryBytes('. NS', { flags: 'RD' }), world).answer).toEqual([
      '. 60 IN NS a.root-servers.net.',
    ]);
  });
});

describe('what upstreams are asked', () => {
  it('is the name in lower case, the type, DO, AD, CD and the subnet', () => {
    const { responder } = new ToldResponder({});
    const subnet = [0, 1, 24, 0, 192, 0, 2];
    const opt = { flags: DO, options: [...optionBytes(10, [1, 2, 3, 4, 5, 6, 7, 8]), ...optionBytes(8, subnet)] };
    const query = queryBytes('WWW.example.com MX', { flags: 'RD AD CD', opts: [opt] });
    expect(
      responder.respond(query, query.length, new Uint8Array(65_535), false, null, { mayRecurse: () => true }),
    ).toBe(-1);
    const { question } = responder.takeWanted();
    expect(question).toMatchObject({ type: 15, bits: 0x8030, subnet: Uint8Array.from(subnet) });
    expect(question.name).toEqual(toWireName('www.example.com'));
    expect(() => responder.takeWanted()).toThrow();
  });
});
