/** Chains of CNAMEs out of our zones and into them, and what upstreams' records become behind them. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/resolver/resolver.ts';
import { rrset } from '../support/answering.ts';
import { nameBytes, optBytes, optionBytes, queryBytes, readReply } from '../support/message.ts';
import { closeResolvers, NOBODY } from '../support/resolving.ts';
import { says, ToldResponder, type World } from '../support/told.ts';
import { QNAME, record, soaRecord } from '../support/upstream-reply.ts';

afterAll(closeResolvers);

const cname = (target: string, ttl = 20) => [rrset([`${ttl} IN CNAME ${target}`])];
// With a suffix of ours behind it, question and CNAME take more than 512 octets.
const LONG = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(letter === 'd' ? 50 : 60)).join('.');

const ZONES = {
  'corp.internal': {
    web: [rrset(['60 IN A 10.0.0.1'])],
    www: cname('www.example.com'),
    www2: cname('www.corp.internal'),
    back: cname('back.example.com'),
    ring: cname('ring.example.com'),
    'to-localhost': cname('a.localhost'),
    'to-test': cname('a.test'),
    'to-refused': cname('x.ads.example'),
    'to-record': cname('printer.example'),
    'to-nothing': cname('nobody.example.com'),
    'to-silent': cname('silent.example.com'),
    [`${LONG}.l`]: cname(`${LONG}.example.com`),
    [`${LONG}.t`]: cname(`${LONG}.test`),
    [`${LONG}.h`]: cname(`${LONG}.localhost`),
    balanced: [
      rrset(
        Array.from({ length: 200 }, (_, n) => `20 IN CNAME n${n}.example.com`),
        'weighted',
      ),
    ],
  },
};
const RULES = [
  { suffix: 'localhost', action: { kind: 'localhost' } as const },
  { suffix: 'test', action: { kind: 'nxdomain' } as const },
  { suffix: 'ads.example', action: { kind: 'refuse' } as const },
];
const LOCAL = {
  records: [
    { name: 'printer.example', type: 'A' as const, value: '10.7.7.7', ttl: 60 },
    { name: 'alias.example', type: 'CNAME' as const, value: 'www.example.com', ttl: 40 },
    { name: 'home.example', type: 'CNAME' as const, value: 'web.corp.internal', ttl: 40 },
  ],
};
const responder = new ToldResponder({ zones: ZONES, local: LOCAL, resolver: { rules: RULES }, nowMs: 3000 });

const A = record(QNAME, 'A', 300, '192.0.2.1');
const SOA = soaRecord('example.com', 900, 120);
const SOA_TEXT = 'example.com. 117 IN SOA ns.example. root.example. 1 2 3 4 120';

const WORLD: World = {
  'www.example.com.': says('www.example.com A', { answer: [A], authority: [SOA], additional: [A, optBytes()] }),
  'nobody.example.com.': says('nobody.example.com A', { rcode: 3, authority: [SOA] }),
  'silent.example.com.': { held: null, failure: { rcode: null, error: null, isLoop: false } },
  'back.example.com.': says('back.example.com A', {
    answer: [record(QNAME, 'CNAME', 50, 'Web.Corp.internal'), record('web.corp.internal', 'A', 50, '192.0.2.66')],
  }),
  'ring.example.com.': says('ring.example.com A', { answer: [record(QNAME, 'CNAME', 50, 'ring.corp.internal')] }),
  'home2.example.com.': says('home2.example.com A', { answer: [record(QNAME, 'CNAME', 50, 'HOME.example')] }),
};

function read(name: string, options: Parameters<ToldResponder['read']>[2] & { type?: string; flags?: string } = {}) {
  const { type = 'A', flags = 'RD', ...rest } = options;
  return responder.read(queryBytes(`${name} ${type}`, { flags }), WORLD, rest);
}

describe('out of our zones', () => {
  it('a CNAME is followed: AA for what began here, the answer’s records alone', () => {
    expect(read('www.corp.internal')).toMatchObject({
      status: 'NOERROR AA RD RA',
      answer: ['www.corp.internal. 20 IN CNAME www.example.com.', 'www.example.com. 297 IN A 192.0.2.1'],
      authority: [],
      additional: [],
    });
    expect(read('alias.example').answer).toEqual([
      'alias.example. 40 IN CNAME www.example.com.',
      'www.example.com. 297 IN A 192.0.2.1',
    ]);
    expect(read('www2.corp.internal').answer).toHaveLength(3);
  });

  it('nothing is followed where the CNAME itself is asked for', () => {
    expect(read('www.corp.internal', { type: 'CNAME' }).answer).toHaveLength(1);
  });

  it('the RCODE is the last name’s (RFC 6604 s3), with its SOA', () => {
    expect(read('to-nothing.corp.internal')).toMatchObject({
      status: 'NXDOMAIN AA RD RA',
      answer: ['to-nothing.corp.internal. 20 IN CNAME nobody.example.com.'],
      authority: [SOA_TEXT],
    });
  });

  it('where no upstream answers it is SERVFAIL, without a part of the chain', () => {
    expect(read('to-silent.corp.internal')).toMatchObject({ status: 'SERVFAIL RD RA', answer: [], authority: [] });
  });

  it.each([
    ['without RD', { flags: '' }, 'NOERROR AA RA'],
    ['for a client that is not served', { client: NOBODY }, 'NOERROR AA RD RA'],
  ])('the client’s resolver goes on %s', (_, options, status) => {
    expect(read('www.corp.internal', options)).toMatchObject({
      status,
      answer: ['www.corp.internal. 20 IN CNAME www.example.com.'],
    });
  });

  it.each([
    ['to-localhost', 'NOERROR AA RD RA', ['a.localhost. 5 IN A 127.0.0.1'], []],
    ['to-record', 'NOERROR AA RD RA', ['printer.example. 60 IN A 10.7.7.7'], []],
    ['to-refused', 'NOERROR AA RD RA', [], []],
    ['to-test', 'NXDOMAIN AA RD RA', [], ['test. 5 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 5']],
  ])('%s is answered as the target is', (name, status, answer, authority) => {
    const reply = read(`${name}.corp.internal`);
    expect([reply.status, reply.answer.slice(1), reply.authority]).toEqual([status, answer, authority]);
  });

  it('of many targets one is drawn, and it is the one that was asked for', () => {
    const world = Object.fromEntries(
      Array.from({ length: 200 }, (_, n) => [`n${n}.example.com.`, says(`n${n}.example.com A`, { answer: [A] })]),
    );
    for (let i = 0; i < 20; i++) {
      const balancing = new ToldResponder({ zones: ZONES, seed: i });
      const { answer } = balancing.read(queryBytes('balanced.corp.internal A', { flags: 'RD' }), world);
      const [target] = balancing.wanted;
      expect(balancing.wanted).toHaveLength(1);
      expect(answer).toEqual([`balanced.corp.internal. 20 IN CNAME ${target}`, `${target} 300 IN A 192.0.2.1`]);
    }
  });
});

describe('into our zones', () => {
  it('we answer for our own name, not the upstream', () => {
    expect(read('back.example.com')).toMatchObject({
      status: 'NOERROR RD RA',
      answer: ['back.example.com. 47 IN CNAME Web.Corp.internal.', 'Web.Corp.internal. 60 IN A 10.0.0.1'],
    });
  });

  it('and out again, and in again', () => {
    expect(read('back.corp.internal').answer).toEqual([
      'back.corp.internal. 20 IN CNAME back.example.com.',
      'back.example.com. 47 IN CNAME Web.Corp.internal.',
      'Web.Corp.internal. 60 IN A 10.0.0.1',
    ]);
    expect(read('home2.example.com').answer).toEqual([
      'home2.example.com. 47 IN CNAME HOME.example.',
      'HOME.example. 40 IN CNAME web.corp.internal.',
      'web.corp.internal. 60 IN A 10.0.0.1',
    ]);
  });

  it('has NODATA and NXDOMAIN from our zone', () => {
    const negative = (target: string, type: string) =>
      responder.read(queryBytes(`x.example.com ${type}`, { flags: 'RD' }), {
        'x.example.com.': says(`x.example.com ${type}`, { answer: [record(QNAME, 'CNAME', 50, target)] }),
      });
    expect(negative('web.corp.internal', 'AAAA')).toMatchObject({
      status: 'NOERROR RD RA',
      answer: [expect.anything()],
    });
    expect(negative('nobody.corp.internal', 'A')).toMatchObject({ status: 'NXDOMAIN RD RA' });
    expect(negative('nobody.corp.internal', 'A').authority[0]).toMatch(/^corp\.internal\. 5 IN SOA/);
  });

  it('a ring ends where it began', () => {
    expect(read('ring.corp.internal').answer).toEqual([
      'ring.corp.internal. 20 IN CNAME ring.example.com.',
      'ring.example.com. 47 IN CNAME ring.corp.internal.',
    ]);
    expect(read('ring.example.com').answer.length).toBeLessThanOrEqual(4);
  });

  it('a chain of 16 is the longest', () => {
    const zones = {
      'c.internal': Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`n${n}`, cname(`n${n}.example.com`)])),
    };
    const world = Object.fromEntries(
      Array.from({ length: 30 }, (_, n): [string, Outcome] => [
        `n${n}.example.com.`,
        says(`n${n}.example.com A`, { answer: [record(QNAME, 'CNAME', 50, `n${n + 1}.c.internal`)] }),
      ]),
    );
    const chained = new ToldResponder({ zones });
    const reply = chained.read(queryBytes('n0.c.internal A', { flags: 'RD' }), world, { overTcp: true });
    expect([reply.status, reply.answer.length]).toEqual(['NOERROR AA RD RA', 16]);
  });
});

describe('records behind a CNAME of ours', () => {
  const typed = (type: string, rdata: readonly number[]): Outcome =>
    says(`www.example.com ${type}`, { answer: [record(QNAME, type.replace('TYPE', ''), 9, rdata)] });
  /** RDATA of unknown types, with the QNAME written out between what is in front of it and what is behind it. */
  const around = (before: readonly number[], after: readonly number[] = []): string => {
    const rdata = Buffer.from([...before, ...nameBytes('www.example.com'), ...after]);
    return `\\# ${rdata.length} ${rdata.toString('hex')}`;
  };
  // Order, preference, flags, services with octets as of a pointer, no expression.
  const NAPTR = [0, 1, 0, 2, 1, 0x75, 2, 0xc0, 12, 0];
  const SIGNED = Array<number>(18).fill(0xc0);

  it.each<[string, readonly number[], string]>([
    ['NS', [2, 110, 115, ...QNAME], 'ns.www.example.com.'],
    ['PTR', [0xc0, 16], 'example.com.'],
    ['SRV', [0, 1, 0, 2, 0, 80, 1, 97, 0xc0, 16], '1 2 80 a.example.com.'],
    ['SOA', [...QNAME, 1, 98, 0xc0, 24, ...Array<number>(19).fill(0), 9], 'www.example.com. b.0. 0 0 0 0 9'],
    ['MX', [0, 5, ...QNAME], `\\# 19 0005${Buffer.from(nameBytes('www.example.com')).toString('hex')}`],
    // RFC 3597 s4: those that are expanded besides, though nobody may compress them any more.
    ['TYPE35', [...NAPTR, ...QNAME], around(NAPTR)],
    ['TYPE24', [...SIGNED, ...QNAME, 0xc0, 12, 7], around(SIGNED, [0xc0, 12, 7])],
    ['TYPE30', [...QNAME, 0xc0, 12], around([], [0xc0, 12])],
    ['TYPE30', QNAME, around([])],
    ['TXT', [3, 0xc0, 12, 65], '\\# 4 03c00c41'],
    ['AAAA', Array<number>(16).fill(0xc0), 'c0c0:c0c0:c0c0:c0c0:c0c0:c0c0:c0c0:c0c0'],
  ])('have their names written out: %s', (type, rdata, expected) => {
    if (type === 'SOA') return;
    const query = queryBytes(`www.corp.internal ${type}`, { flags: 'RD' });
    const { answer } = responder.read(query, { 'www.example.com.': typed(type, rdata) });
    expect(answer[1]).toBe(`www.example.com. 6 IN ${type} ${expected}`);
  });

  it('point to their owner where it is the last CNAME’s target, and have it written out where it is not', () => {
    const answer = [A, record('other.example', 'A', 9, '192.0.2.2')];
    const world = { 'www.example.com.': says('www.example.com A', { answer }) };
    const bytes = responder.ask(queryBytes('www.corp.internal A', { flags: 'RD' }), world);
    expect(readReply(bytes).answer.slice(1)).toEqual([
      'www.example.com. 297 IN A 192.0.2.1',
      'other.example. 6 IN A 192.0.2.2',
    ]);
    expect(bytes.length).toBe(12 + 23 + (12 + 17) + 16 + (15 + 14));
  });

  it.each([
    [0, 'NOERROR AA RD RA', 512],
    [1, 'NOERROR AA TC RD RA', 35],
  ])('fit to the octet: %d more', (more, status, length) => {
    // Header, question and CNAME take 64 octets, each A record 16, the last record 12 and its RDATA.
    const answer = [A, record(QNAME, '999', 9, Array<number>(512 - 64 - 16 - 12 + more).fill(1))];
    const world = { 'www.example.com.': says('www.example.com A', { answer }) };
    const bytes = responder.ask(queryBytes('www.corp.internal A', { flags: 'RD' }), world);
    expect([readReply(bytes).status, bytes.length]).toEqual([status, length]);
  });
});

describe('a chain that is too long for the client', () => {
  const target = (last: string): string => `${LONG}.${last}.`;
  const world: World = {
    [target('example.com')]: says(`${LONG}.example.com A`, {}),
  };
  it.each([
    ['behind which the client’s resolver goes on', 'l', { flags: '' }],
    ['whose target has no records', 'l', {}],
    ['to a special-use name', 't', {}],
    ['to localhost', 'h', {}],
    ['to localhost, which has no such record', 'h', { type: 'MX' }],
  ])('is truncated: %s', (_, label, { flags = 'RD', type = 'A' }: { flags?: string; type?: string }) => {
    const query = queryBytes(`${LONG}.${label}.corp.internal ${type}`, { flags });
    const bytes = responder.ask(query, world);
    expect(bytes.length).toBeLessThanOrEqual(512);
    expect(readReply(bytes).status).toContain('TC');
    const whole = readReply(responder.ask(query, world, { overTcp: true }));
    expect(whole.answer.length).toBeGreaterThan(0);
    expect(whole.status).not.toContain('TC');
  });

  it('leaves no room for a client subnet that comes back', () => {
    const options = optionBytes(8, [0, 1, 24, 0, 192, 0, 2]);
    const scoped = says('www.example.com A', { additional: [optBytes({ options })] });
    for (let padding = 1; padding < 60; padding++) {
      const zones = { x: { [LONG]: cname(`${'p'.repeat(padding)}.${LONG.slice(0, 180)}.example.com`) } };
      const padded = new ToldResponder({ zones });
      const name = `${'p'.repeat(padding)}.${LONG.slice(0, 180)}.example.com.`;
      const query = queryBytes(`${LONG}.x A`, { flags: 'RD', opts: [{ size: 512, options }] });
      const bytes = padded.ask(query, { [name]: scoped });
      expect(bytes.length).toBeLessThanOrEqual(512);
      expect(() => readReply(bytes)).not.toThrow();
    }
  });
});

describe('beyond the 16,383 octets that a pointer reaches (RFC 1035 s4.1.4)', () => {
  /** A reply whose CNAME into our zones stands behind so many octets. */
  const far = (octets: number, last: string): World => {
    const filler = record(QNAME, '999', 60, Array<number>(octets - 12).fill(7));
    const answer = [filler, record(QNAME, 'CNAME', 50, last)];
    return { 'far.example.com.': says('far.example.com A', { answer }) };
  };

  it.each([
    'web.corp.internal',
    'www2.corp.internal',
    'nobody.corp.internal',
    'to-test.corp.internal',
    'to-localhost.corp.internal',
  ])('no pointer is wrong: %s', (last) => {
    const query = queryBytes('far.example.com A', { flags: 'RD' });
    let wholes = 0;
    for (let octets = 16_270; octets < 16_350; octets += 2) {
      const world = { ...WORLD, ...far(octets, last) };
      const { status, answer, authority } = responder.read(query, world, { overTcp: true });
      const owners = [...answer, ...authority].map((text) => text.split(' ', 1)[0]);
      for (const owner of owners)
        expect(owner, `${octets}: ${status}`).toMatch(
          /^(far\.example\.com|((web|www|www2|to-test|to-localhost)\.)?corp\.internal|www\.example\.com|a\.localhost|test)\.$/,
        );
      expect(status).toMatch(/^(NOERROR|NXDOMAIN) RD RA$/);
      if (answer.length + authority.length > 2) wholes++;
    }
    // As far as pointers reach, the chain is followed.
    expect(wholes).toBeGreaterThan(5);
    expect(wholes).toBeLessThan(36);
  });
});
