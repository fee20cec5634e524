import { describe, expect, it } from 'vitest';
import { encodeAnswerSet, type Rrset } from '../../src/answers/answer-set.ts';
import { DeltaWriter } from '../../src/answers/delta.ts';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { FIXED_ERRORS } from '../../src/dns/extended-error.ts';
import { toTextName, toWireName } from '../../src/wire/names.ts';
import { Asker, deltaOf, rrset, soaText, tailOf, type Zones, zoneSetOf } from '../support/answering.ts';
import { buildQuery, type QueryOptions, readAnswer } from '../support/dns.ts';
import { ANYONE } from '../support/resolving.ts';

function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `60 IN A 10.0.${i >> 8}.${i & 255}`);
}

/** SRV records `1 1 80 i<n>.<owner>` with an A record for each target. */
function srvRrset(owner: string, count: number): Rrset {
  return {
    type: 33,
    policy: 'all',
    choices: Array.from({ length: count }, (_, i) => ({
      answers: [tailOf(`60 IN SRV 1 1 80 i${i}.${owner}`)],
      additionals: [{ prefix: toWireName(`i${i}`).subarray(0, -1), tail: tailOf(`60 IN A 10.0.0.${i}`) }],
    })),
  };
}

const ZONES: Zones = {
  'corp.internal': {
    '': [rrset(['5 IN NS ns.corp.internal']), rrset(['60 IN A 10.9.9.9'])],
    web: [rrset(['60 IN A 10.0.0.1']), rrset(['30 IN AAAA 2001:db8::1'])],
    'a._x._tcp': [rrset(['60 IN A 10.0.0.2'])],
    srv: [srvRrset('srv.corp.internal', 2)],
    alias: [rrset(['20 IN CNAME Web.Corp.internal'])],
    alias2: [rrset(['20 IN CNAME alias.corp.internal'])],
    'to-nothing': [rrset(['20 IN CNAME nobody.corp.internal'])],
    'to-empty': [rrset(['20 IN CNAME _tcp.corp.internal'])],
    'to-apex': [rrset(['20 IN CNAME corp.internal'])],
    'to-other': [rrset(['20 IN CNAME db.other.internal'])],
    'to-other-nothing': [rrset(['20 IN CNAME x.other.internal'])],
    'to-outside': [rrset(['20 IN CNAME www.example.com'])],
    'to-root': [rrset(['20 IN CNAME .'])],
    loop1: [rrset(['20 IN CNAME loop2.corp.internal'])],
    loop2: [rrset(['20 IN CNAME loop1.corp.internal'])],
    self: [rrset(['20 IN CNAME self.corp.internal'])],
    // 16 octets each: 20 fit into 512 octets, 60 into 1232, 200 into what TCP takes.
    a20: [rrset(addresses(20))],
    a60: [rrset(addresses(60))],
    a200: [rrset(addresses(200))],
    srv12: [srvRrset('srv12.corp.internal', 12)],
    zero: [rrset(['0 IN A 10.0.0.3'])],
  },
  'other.internal': { db: [rrset(['60 IN A 10.1.0.1'])] },
};

const asker = new Asker(zoneSetOf(ZONES));
const forwarding = new Asker(zoneSetOf(ZONES), { recursionAvailable: true });
const SOA = soaText('corp.internal');

interface QueryParts {
  id?: number;
  flags?: number;
  counts?: [number, number, number, number];
  body?: readonly number[] | Uint8Array;
}

const QUESTION = [...toWireName('WeB.corp.internal', true), 0, 1, 0, 1];

/** A message by its parts, for those that no client makes. */
function message({ id = 0x1234, flags = 0, counts = [1, 0, 0, 0], body = QUESTION }: QueryParts = {}): Uint8Array {
  const words = [id, flags, ...counts];
  return Uint8Array.from([...words.flatMap((word) => [word >> 8, word & 255]), ...body]);
}

interface OptParts {
  owner?: readonly number[];
  size?: number;
  version?: number;
  options?: readonly number[];
}

function opt({ owner = [0], size = 1232, version = 0, options = [] }: OptParts = {}): number[] {
  return [...owner, 0, 41, size >> 8, size & 255, 0, version, 0, 0, 0, options.length, ...options];
}

function withOpts(...opts: number[][]): Uint8Array {
  return message({ counts: [1, 0, 0, opts.length], body: [...QUESTION, ...opts.flat()] });
}

/** Header of a reply as text: RCODE with its extended bits, and the flags that are set. */
function headerOf(reply: Uint8Array | string): string {
  if (typeof reply === 'string') return reply;
  const view = Buffer.from(reply);
  const flags = view.readUInt16BE(2);
  const hasOpt = view.readUInt16BE(10) > 0;
  // Our OPT is the last record: root, TYPE 41, 1232.
  const opt = view.lastIndexOf(Buffer.from([0, 0, 41, 4, 0xd0]));
  const rcode = (flags & 0xf) | (hasOpt ? (view[opt + 5] as number) << 4 : 0);
  const names = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, AD: 0x0020, CD: 0x0010 };
  const set = Object.entries(names).flatMap(([name, bit]) => ((flags & bit) !== 0 ? [name] : []));
  const opcode = (flags >> 11) & 0xf;
  const counts = [4, 6, 8, 10].map((at) => view.readUInt16BE(at)).join('/');
  return `${rcode} ${set.join(' ')}${opcode === 0 ? '' : ` opcode ${opcode}`} ${counts}`;
}

describe('screening', () => {
  it.each([
    ['nothing', new Uint8Array(0)],
    ['a header that is short by one octet', message().subarray(0, 11)],
    ['a reply', message({ flags: 0x8000 })],
    ['a reply with another opcode', message({ flags: 0xa800 })],
    ['a reply that is a bare header', message({ flags: 0x8000, counts: [0, 0, 0, 0], body: [] })],
  ])('drops %s', (_, query) => {
    expect([asker.send(query), asker.send(query, true)]).toEqual(['drop', 'drop']);
  });

  const FORMERR = '1 QR 0/0/0/0';
  const FORMERR_ECHOED = '1 QR 1/0/0/0';
  const [label64, pointer] = [
    [0x40, ...Array<number>(64).fill(0x61), 0],
    [3, 0x77, 0x65, 0x62, 0xc0, 0x0c],
  ];
  it.each<[string, Uint8Array, string]>([
    ['a bare header', message({ counts: [0, 0, 0, 0], body: [] }), FORMERR],
    ['a bare header that says one question', message({ body: [] }), FORMERR],
    ['no question in front of one', message({ counts: [0, 0, 0, 0] }), FORMERR],
    ['two questions', message({ counts: [2, 0, 0, 0], body: [...QUESTION, ...QUESTION] }), FORMERR],
    ['a count of 65,535 questions', message({ counts: [65_535, 0, 0, 0] }), FORMERR],
    ['a QNAME without its end', message({ body: [3, 0x77, 0x65, 0x62] }), FORMERR],
    ['a QNAME whose label overruns', message({ body: [63, 0x77, 0, 0, 1, 0, 1] }), FORMERR],
    ['a QNAME without QTYPE', message({ body: toWireName('web') }), FORMERR],
    ['a question short by one octet', message({ body: QUESTION.slice(0, -1) }), FORMERR],
    ['a compression pointer in the question', message({ body: [0xc0, 0x0c, 0, 1, 0, 1] }), FORMERR],
    ['a pointer behind a label of the question', message({ body: [...(pointer ?? []), 0, 1, 0, 1] }), FORMERR],
    ['the label type 01', message({ body: [...(label64 ?? []), 0, 1, 0, 1] }), FORMERR],
    ['the label type 10', message({ body: [0x80, 0x61, 0, 0, 1, 0, 1] }), FORMERR],
    [
      'a QNAME of 256 octets',
      message({ body: [...[63, 63, 63, 62].flatMap((n) => [n, ...Array<number>(n).fill(0x61)]), 0, 0, 1, 0, 1] }),
      FORMERR,
    ],
    ['an octet that trails the question', message({ body: [...QUESTION, 0] }), FORMERR_ECHOED],
    ['an answer record that is not there', message({ counts: [1, 1, 0, 0] }), FORMERR_ECHOED],
    ['an additional record that is not there', message({ counts: [1, 0, 0, 1] }), FORMERR_ECHOED],
    ['an OPT short by one octet', withOpts(opt().slice(0, -1)), FORMERR_ECHOED],
  ])('answers FORMERR to %s', (_, query, expected) => {
    expect([headerOf(asker.send(query)), headerOf(asker.send(query, true))]).toEqual([expected, expected]);
  });

  it.each([
    ['two OPTs', withOpts(opt(), opt())],
    ['an OPT whose owner is not the root', withOpts(opt({ owner: [1, 0x61, 0] }))],
    ['an OPT whose option overruns', withOpts(opt({ options: [0, 10, 0, 9, 1] }))],
    ['an octet that trails the OPT', message({ counts: [1, 0, 0, 1], body: [...QUESTION, ...opt(), 0] })],
  ])('answers FORMERR to %s (RFC 6891 s6.1)', (_, query) => {
    expect(headerOf(asker.send(query))).toMatch(/^1 QR 1\/0\/0\/[01]$/);
  });

  it.each([1, 2, 3, 4, 5, 6, 15])('answers NOTIMP to opcode %d, which it echoes with the ID and RD', (opcode) => {
    const reply = asker.send(message({ id: 0xbeef, flags: (opcode << 11) | 0x0100 })) as Uint8Array;
    expect(headerOf(reply)).toBe(`4 QR RD opcode ${opcode} 0/0/0/0`);
    expect([...reply.subarray(0, 2)]).toEqual([0xbe, 0xef]);
    expect(reply).toHaveLength(12);
  });

  it('answers NOTIMP whatever the sections of another opcode hold', () => {
    const update = message({ flags: 5 << 11, counts: [1, 9, 9, 9], body: [1, 2, 3] });
    expect(headerOf(asker.send(update))).toBe('4 QR opcode 5 0/0/0/0');
  });

  it.each([
    ['class CH', 'web.corp.internal', 'A', 3],
    ['class ANY', 'web.corp.internal', 'A', 255],
    ['AXFR', 'corp.internal', 'AXFR', 1],
    ['IXFR', 'corp.internal', 251, 1],
    ['version.bind', 'version.bind', 'TXT', 3],
  ])('answers REFUSED to %s', (_, name, type, qclass) => {
    for (const overTcp of [false, true]) {
      const reply = asker.send(buildQuery(name, type, { qclass }), overTcp);
      expect(headerOf(reply)).toBe('5 QR 1/0/0/0');
    }
  });

  it('answers REFUSED to an IXFR with its SOA in the authority section', () => {
    const soa = [0, 0, 6, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0];
    const body = [...toWireName('corp.internal'), 0, 251, 0, 1, ...soa];
    expect(headerOf(asker.send(message({ counts: [1, 0, 1, 0], body }), true))).toBe('5 QR 1/0/0/0');
  });

  it('answers BADVERS to EDNS version 1, in version 0 (RFC 6891 s6.1.3)', () => {
    const reply = asker.send(withOpts(opt({ version: 1 }))) as Uint8Array;
    expect(headerOf(reply)).toBe('16 QR 1/0/0/1');
    expect(reply[reply.length - 5]).toBe(0);
  });

  it('answers SERVFAIL before the first snapshot, and screens all the same', () => {
    const early = new Asker(new ZoneSet());
    expect(headerOf(early.send(buildQuery('web.corp.internal', 'A')))).toBe('2 QR 1/0/0/0');
    expect(headerOf(early.send(buildQuery('www.example.com', 'A', { edns: 1232 })))).toBe('2 QR 1/0/0/1');
    expect(headerOf(early.send(message({ counts: [2, 0, 0, 0] })))).toBe(FORMERR);
    expect(early.send(message({ flags: 0x8000 }))).toBe('drop');
  });

  it('reads no more of the memory than the message has', () => {
    const whole = message();
    const memory = Uint8Array.from([...whole, ...opt()]);
    const reply = new Uint8Array(65_535);
    const length = asker.responder.respond(memory, whole.length, reply, false, null, ANYONE);
    expect(headerOf(reply.subarray(0, length))).toBe('0 QR AA 1/1/0/0');
    expect(
      headerOf(reply.subarray(0, asker.responder.respond(memory, whole.length - 1, reply, false, null, ANYONE))),
    ).toBe(FORMERR);
  });
});

describe('header and question of a reply', () => {
  it('echo the ID and the question byte for byte, with its case', () => {
    const query = buildQuery('wEb.CoRp.InTeRnAl', 'A', { id: 0xabcd });
    const reply = asker.send(query) as Uint8Array;
    expect([...reply.subarray(0, 2)]).toEqual([0xab, 0xcd]);
    expect([...reply.subarray(12, query.length)]).toEqual([...query.subarray(12)]);
    expect(readAnswer(reply).answer).toEqual(['wEb.CoRp.InTeRnAl. 60 IN A 10.0.0.1']);
  });

  it.each([
    [0x0100, '0 QR AA RD 1/1/0/0'],
    [0x0010, '0 QR AA 1/1/0/0'],
    [0x0110, '0 QR AA RD 1/1/0/0'],
    // AA, TC, RA, Z, AD and an RCODE are not a query's to set.
    [0x06ef, '0 QR AA 1/1/0/0'],
  ])('copy RD of the flags %j alone where the answer is authoritative (RFC 4035 s3.1.6)', (flags, expected) => {
    expect(headerOf(asker.send(message({ flags })))).toBe(expected);
  });

  it.each([
    ['REFUSED', message({ flags: 0x0110, body: [...toWireName('www.example.com'), 0, 1, 0, 1] }), '5 QR RD CD 1/0/0/0'],
    ['FORMERR', message({ flags: 0x0110, counts: [0, 0, 0, 0] }), '1 QR RD CD 0/0/0/0'],
    ['NOTIMP', message({ flags: 0x2910 }), '4 QR RD CD opcode 5 0/0/0/0'],
  ])('copy RD and CD with %s (RFC 4035 s3)', (_, query, expected) => {
    expect(headerOf(asker.send(query))).toBe(expected);
  });

  it('say RA where there is an upstream to ask, in every reply', () => {
    expect(headerOf(forwarding.send(message()))).toBe('0 QR AA RA 1/1/0/0');
    expect(headerOf(forwarding.send(message({ counts: [0, 0, 0, 0] })))).toBe('1 QR RA 0/0/0/0');
    expect(headerOf(asker.send(message()))).toBe('0 QR AA 1/1/0/0');
  });

  it('copy CD where the query is one to be forwarded (RFC 4035 s3.2.2)', () => {
    const query = message({ flags: 0x0110, body: [...toWireName('www.example.com'), 0, 1, 0, 1] });
    expect(forwarding.send(query)).toBe('forward');
    const reply = new Uint8Array(65_535);
    const length = forwarding.responder.refuse(query, reply, false, 2, FIXED_ERRORS.upstreamsFailed);
    expect(headerOf(reply.subarray(0, length))).toBe('2 QR RD RA CD 1/0/0/0');
    expect(headerOf(forwarding.send(message({ flags: 0x0110 })))).toBe('0 QR AA RD RA 1/1/0/0');
  });

  it('compress owners against the question', () => {
    const reply = asker.send(message()) as Uint8Array;
    expect([...reply.subarray(12 + QUESTION.length)]).toEqual([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
  });
});

describe('EDNS in a reply', () => {
  const optOf = (options: QueryOptions): string => {
    const reply = asker.send(buildQuery('web.corp.internal', 'A', options)) as Uint8Array;
    return Buffer.from(reply.subarray(-11)).toString('hex');
  };

  it('is there where the query has it, with 1232 and DO copied', () => {
    expect(optOf({ edns: 4096 })).toBe('00002904d0000000000000');
    expect(optOf({ edns: 4096, dnssecOk: true })).toBe('00002904d0000080000000');
    expect(asker.ask('web.corp.internal', 'A', { edns: 512 }).hasOpt).toBe(true);
    expect(asker.ask('web.corp.internal', 'A').hasOpt).toBe(false);
  });

  it.each([
    ['NXDOMAIN', 'nobody.corp.internal', 'A'],
    ['NODATA', 'web.corp.internal', 'SRV'],
    ['REFUSED', 'www.example.com', 'A'],
    ['REFUSED', 'corp.internal', 'AXFR'],
  ])('is there with %s too', (_, name, type) => {
    expect(asker.ask(name, type, { edns: 1232 }).hasOpt).toBe(true);
  });

  it.each([
    ['FORMERR for no question', message({ counts: [0, 0, 0, 1], body: opt() }), '1 QR 0/0/0/1'],
    ['FORMERR for two', message({ counts: [2, 0, 0, 1], body: [...QUESTION, ...QUESTION, ...opt()] }), '1 QR 0/0/0/1'],
    ['FORMERR for an option that overruns', withOpts(opt({ options: [0, 10, 0, 9, 1] })), '1 QR 1/0/0/1'],
    [
      'NOTIMP',
      message({ flags: 4 << 11, counts: [1, 0, 0, 1], body: [...QUESTION, ...opt()] }),
      '4 QR opcode 4 0/0/0/1',
    ],
    [
      'NOTIMP without a question',
      message({ flags: 2 << 11, counts: [0, 0, 0, 1], body: opt() }),
      '4 QR opcode 2 0/0/0/1',
    ],
  ])('is there with %s (RFC 6891 s6.1.1)', (_, query, expected) => {
    for (const overTcp of [false, true]) expect(headerOf(asker.send(query, overTcp))).toBe(expected);
  });

  it('is not there where there is no telling', () => {
    const overrun = message({ counts: [2, 0, 0, 1], body: [...QUESTION, ...opt()] });
    const inAnswer = message({ flags: 4 << 11, counts: [1, 1, 0, 0], body: [...QUESTION, ...opt()] });
    expect([headerOf(asker.send(overrun)), headerOf(asker.send(inAnswer))]).toEqual([
      '1 QR 0/0/0/0',
      '4 QR opcode 4 0/0/0/0',
    ]);
  });

  it('does not pass from one query to the next', () => {
    asker.send(buildQuery('web.corp.internal', 'A', { edns: 4096, dnssecOk: true }));
    expect(headerOf(asker.send(message({ counts: [0, 0, 0, 0] })))).toBe('1 QR 0/0/0/0');
    expect(headerOf(asker.send(message({ flags: 5 << 11 })))).toBe('4 QR opcode 5 0/0/0/0');
  });

  it('takes options that it does not know', () => {
    const cookie = opt({ options: [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8] });
    expect(headerOf(asker.send(withOpts(cookie)))).toBe('0 QR AA 1/1/0/1');
  });
});

interface Expected {
  rcode?: string;
  answer?: string[];
  authority?: string[];
  additional?: string[];
}

describe('look-up', () => {
  it.each<[string, string | number, Expected]>([
    ['web.corp.internal', 'A', { answer: ['web.corp.internal. 60 IN A 10.0.0.1'] }],
    ['web.corp.internal', 'AAAA', { answer: ['web.corp.internal. 30 IN AAAA 2001:db8::1'] }],
    ['zero.corp.internal', 'A', { answer: ['zero.corp.internal. 0 IN A 10.0.0.3'] }],
    ['corp.internal', 'A', { answer: ['corp.internal. 60 IN A 10.9.9.9'] }],
    ['corp.internal', 'NS', { answer: ['corp.internal. 5 IN NS ns.corp.internal.'] }],
    ['corp.internal', 'SOA', { answer: [SOA] }],
    ['a._x._tcp.corp.internal', 'A', { answer: ['a._x._tcp.corp.internal. 60 IN A 10.0.0.2'] }],
    ['DB.Other.internal', 'A', { answer: ['DB.Other.internal. 60 IN A 10.1.0.1'] }],
    [
      'srv.corp.internal',
      'SRV',
      {
        answer: [
          'srv.corp.internal. 60 IN SRV 1 1 80 i0.srv.corp.internal.',
          'srv.corp.internal. 60 IN SRV 1 1 80 i1.srv.corp.internal.',
        ],
        additional: ['i0.srv.corp.internal. 60 IN A 10.0.0.0', 'i1.srv.corp.internal. 60 IN A 10.0.0.1'],
      },
    ],
  ])('%s %s is answered', (name, type, expected) => {
    const none = { rcode: 'NOERROR', aa: true, tc: false, authority: [], additional: [] };
    expect(asker.ask(name, type)).toMatchObject({ ...none, ...expected });
  });

  it.each<[string, string, string | number, string, string]>([
    ['another type', 'web.corp.internal', 'SRV', 'NOERROR', SOA],
    ['an unknown type', 'web.corp.internal', 65_280, 'NOERROR', SOA],
    ['another type at the apex', 'corp.internal', 'AAAA', 'NOERROR', SOA],
    ['an empty non-terminal', '_x._tcp.corp.internal', 'A', 'NOERROR', SOA],
    ['an empty non-terminal above it', '_tcp.corp.internal', 'ANY', 'NOERROR', SOA],
    ['a name that is not there', 'nobody.corp.internal', 'A', 'NXDOMAIN', SOA],
    ['a name below one that is there', 'x.web.corp.internal', 'A', 'NXDOMAIN', SOA],
    ['a name beside an empty non-terminal', '_y._tcp.corp.internal', 'A', 'NXDOMAIN', SOA],
    ['a name that is not there, for ANY', 'nobody.corp.internal', 'ANY', 'NXDOMAIN', SOA],
    ['a name in the other zone', 'nobody.other.internal', 'A', 'NXDOMAIN', soaText('other.internal')],
  ])('%s is denied with the SOA (RFC 2308)', (_, name, type, rcode, soa) => {
    const expected = { rcode, aa: true, answer: [], authority: [soa], additional: [] };
    expect(asker.ask(name, type)).toMatchObject(expected);
    expect(asker.ask(name, type, { overTcp: true, edns: 1232 })).toMatchObject(expected);
  });

  it('gives the SOA of a denial the case in which the zone was asked for', () => {
    expect(asker.ask('Nobody.CORP.internal', 'A').authority).toEqual([SOA.replace('corp.internal.', 'CORP.internal.')]);
  });

  it('ANY gets one RRset (RFC 8482)', () => {
    expect(asker.ask('web.corp.internal', 'ANY').answer).toEqual(['web.corp.internal. 60 IN A 10.0.0.1']);
    expect(asker.ask('alias.corp.internal', 'ANY').answer).toEqual([
      'alias.corp.internal. 20 IN CNAME Web.Corp.internal.',
    ]);
  });

  it('keeps a dot inside a label apart from a dot between labels', () => {
    const qname = [8, ...Buffer.from('web.corp'), 8, ...Buffer.from('internal'), 0];
    expect(headerOf(asker.send(message({ body: [...qname, 0, 1, 0, 1] })))).toBe('5 QR 1/0/0/0');
  });

  it('the root and names outside our zones are refused, or forwarded where there is an upstream', () => {
    for (const name of ['www.example.com', 'internal', '.', 'xcorp.internal']) {
      expect(headerOf(asker.send(buildQuery(name, 'A', { rd: true })))).toBe('5 QR RD 1/0/0/0');
      expect(forwarding.send(buildQuery(name, 'A', { rd: true }))).toBe('forward');
      expect(forwarding.send(buildQuery(name, 'A', { rd: true }), true)).toBe('forward');
      expect(headerOf(forwarding.send(buildQuery(name, 'A', { rd: false })))).toBe('5 QR RA 1/0/0/0');
    }
  });

  it('transfers and other classes are never forwarded', () => {
    expect(headerOf(forwarding.send(buildQuery('example.com', 'AXFR', { rd: true })))).toBe('5 QR RD RA 1/0/0/0');
    expect(headerOf(forwarding.send(buildQuery('x.com', 'A', { rd: true, qclass: 3 })))).toBe('5 QR RD RA 1/0/0/0');
  });

  it('names of our zones are never forwarded', () => {
    expect(headerOf(forwarding.send(buildQuery('nobody.corp.internal', 'A', { rd: true })))).toMatch(/^3 QR AA RD RA/);
  });
});

describe('CNAME (RFC 1034 s4.3.2)', () => {
  it.each<[string, string, string, string[], string[]]>([
    [
      'leads to the answer',
      'alias.corp.internal',
      'A',
      ['alias.corp.internal. 20 IN CNAME Web.Corp.internal.', 'Web.Corp.internal. 60 IN A 10.0.0.1'],
      [],
    ],
    [
      'leads on over two links',
      'alias2.corp.internal',
      'AAAA',
      [
        'alias2.corp.internal. 20 IN CNAME alias.corp.internal.',
        'alias.corp.internal. 20 IN CNAME Web.Corp.internal.',
        'Web.Corp.internal. 30 IN AAAA 2001:db8::1',
      ],
      [],
    ],
    [
      'is the answer to CNAME',
      'alias2.corp.internal',
      'CNAME',
      ['alias2.corp.internal. 20 IN CNAME alias.corp.internal.'],
      [],
    ],
    [
      'leads to another zone of ours',
      'to-other.corp.internal',
      'A',
      ['to-other.corp.internal. 20 IN CNAME db.other.internal.', 'db.other.internal. 60 IN A 10.1.0.1'],
      [],
    ],
    [
      'leads to the apex',
      'to-apex.corp.internal',
      'A',
      ['to-apex.corp.internal. 20 IN CNAME corp.internal.', 'corp.internal. 60 IN A 10.9.9.9'],
      [],
    ],
    [
      'ends where it leaves our zones',
      'to-outside.corp.internal',
      'A',
      ['to-outside.corp.internal. 20 IN CNAME www.example.com.'],
      [],
    ],
    [
      'ends at an empty non-terminal, which is NODATA',
      'to-empty.corp.internal',
      'A',
      ['to-empty.corp.internal. 20 IN CNAME _tcp.corp.internal.'],
      [SOA],
    ],
    [
      'ends at another type, which is NODATA',
      'alias.corp.internal',
      'SRV',
      ['alias.corp.internal. 20 IN CNAME Web.Corp.internal.'],
      [SOA.replace('corp.internal.', 'Corp.internal.')],
    ],
  ])('%s', (_, name, type, answer, authority) => {
    for (const overTcp of [false, true])
      expect(asker.ask(name, type, { overTcp })).toMatchObject({ rcode: 'NOERROR', aa: true, answer, authority });
  });

  it('to a name that is not there is NXDOMAIN, with the SOA of its zone (RFC 6604 s3)', () => {
    expect(asker.ask('to-nothing.corp.internal', 'A')).toMatchObject({
      rcode: 'NXDOMAIN',
      answer: ['to-nothing.corp.internal. 20 IN CNAME nobody.corp.internal.'],
      authority: [SOA],
    });
    expect(asker.ask('to-other-nothing.corp.internal', 'A')).toMatchObject({
      rcode: 'NXDOMAIN',
      answer: ['to-other-nothing.corp.internal. 20 IN CNAME x.other.internal.'],
      authority: [soaText('other.internal')],
    });
  });

  it('to the root ends there', () => {
    const { rcode, answer } = asker.ask('to-root.corp.internal', 'A');
    expect([rcode, answer.length]).toEqual(['NOERROR', 1]);
  });

  it.each([
    [
      'loop1.corp.internal',
      [
        'loop1.corp.internal. 20 IN CNAME loop2.corp.internal.',
        'loop2.corp.internal. 20 IN CNAME loop1.corp.internal.',
      ],
    ],
    ['self.corp.internal', ['self.corp.internal. 20 IN CNAME self.corp.internal.']],
  ])('that loops is answered with each record of the loop once: %s (RFC 2181 s5)', (name, answer) => {
    for (const overTcp of [false, true])
      expect(asker.ask(name, 'A', { overTcp })).toMatchObject({ rcode: 'NOERROR', tc: false, answer, authority: [] });
  });

  it('answers its own type in a loop with one record', () => {
    expect(asker.ask('self.corp.internal', 'CNAME').answer).toEqual([
      'self.corp.internal. 20 IN CNAME self.corp.internal.',
    ]);
  });

  it('has a chain of ten links followed', () => {
    const owners = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`c${i}`, [rrset([`20 IN CNAME c${i + 1}.corp.internal`])]]),
    );
    const chain = new Asker(zoneSetOf({ 'corp.internal': { ...owners, c10: [rrset(['60 IN A 10.0.0.1'])] } }));
    const { answer, tc } = chain.ask('c0.corp.internal', 'A', { overTcp: true });
    expect([answer.length, answer.at(-1), tc]).toEqual([11, 'c10.corp.internal. 60 IN A 10.0.0.1', false]);
  });

  it('has a chain without end followed a bounded way', () => {
    const owners = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`c${i}`, [rrset([`20 IN CNAME c${i + 1}.corp.internal`])]]),
    );
    const { rcode, answer } = new Asker(zoneSetOf({ 'corp.internal': owners })).ask('c0.corp.internal', 'A', {
      overTcp: true,
    });
    expect(rcode).toBe('NOERROR');
    expect(answer.length).toBeGreaterThanOrEqual(10);
    expect(answer.length).toBeLessThanOrEqual(20);
  });
});

describe('fitting the transport', () => {
  it.each<[string, number, QueryOptions & { overTcp?: boolean }, number]>([
    ['20 records without EDNS', 20, {}, 20],
    ['60 records without EDNS', 60, {}, 0],
    ['60 records in 1232 octets', 60, { edns: 1232 }, 60],
    ['60 records in 512 octets', 60, { edns: 512 }, 0],
    ['20 records where the client says less than 512', 20, { edns: 100 }, 20],
    ['200 records in 4096 octets, of which we send 1232', 200, { edns: 4096 }, 0],
    ['200 records over TCP', 200, { overTcp: true }, 200],
    ['200 records over TCP with a small EDNS size, which is for UDP', 200, { overTcp: true, edns: 512 }, 200],
  ])('%s', (_, count, options, expected) => {
    const { rcode, aa, tc, answer, hasOpt } = asker.ask(`a${count}.corp.internal`, 'A', options);
    expect({ rcode, aa, tc, records: answer.length, hasOpt }).toEqual({
      rcode: 'NOERROR',
      aa: true,
      tc: expected === 0,
      records: expected,
      hasOpt: options.edns !== undefined,
    });
  });

  it('never sends more than the client takes, nor more than 1232, and truncates only where it must', () => {
    const owners = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`a${n + 1}`, [rrset(addresses(n + 1))]]));
    const many = new Asker(zoneSetOf({ corp: owners }));
    for (let n = 1; n <= 100; n++) {
      // Sixteen sizes in a row, so that the answer of each length fits one of them exactly.
      const row = Array.from({ length: 16 }, (_, i) => 600 + i);
      for (const edns of [null, 0, 511, 512, ...row, 1231, 1232, 1233, 65_535]) {
        const limit = edns === null ? 512 : Math.min(1232, Math.max(512, edns));
        const query = buildQuery(`a${n}.corp`, 'A', { edns });
        const whole = query.length + 16 * n;
        const reply = many.send(query) as Uint8Array;
        const isTruncated = ((reply[2] as number) & 0x02) !== 0;
        expect([n, edns, reply.length, isTruncated]).toEqual([
          n,
          edns,
          whole <= limit ? whole : query.length,
          whole > limit,
        ]);
      }
    }
  });

  it('drops additional records first, whole ones and without TC', () => {
    const over = (options: QueryOptions & { overTcp?: boolean }): [boolean, number, number] => {
      const { tc, answer, additional } = asker.ask('srv12.corp.internal', 'SRV', options);
      return [tc, answer.length, additional.length];
    };
    // 12 SRV records of some 42 octets leave no room in 512, and room for all in 1232.
    expect(over({ overTcp: true })).toEqual([false, 12, 12]);
    expect(over({ edns: 1232 })).toEqual([false, 12, 12]);
    const counts = Array.from({ length: 300 }, (_, i) => over({ edns: 512 + i }));
    for (const [tc, answers] of counts) expect(answers).toBe(tc ? 0 : 12);
    const additionals = counts.map(([, , count]) => count);
    expect(additionals).toEqual([...additionals].sort((a, b) => a - b));
    expect(new Set(additionals).size).toBeGreaterThan(8);
  });

  it('answers an RRset longer than 65,535 octets with TC, over TCP as well', () => {
    const choices = Array.from({ length: 200 }, (_, i) => ({
      answers: addresses(255).map((text) => tailOf(text.replace('60', String(i)))),
      additionals: [],
    }));
    const zones = new ZoneSet();
    zones.apply(deltaOf({ corp: {} }));
    const delta = new DeltaWriter();
    delta.putSet(toWireName('corp'), toWireName('big.corp'), encodeAnswerSet([{ type: 1, policy: 'all', choices }]));
    zones.apply(delta.finish());
    const big = new Asker(zones);
    for (const edns of [null, 1232]) {
      const reply = big.send(buildQuery('big.corp', 'A', { edns }), true) as Uint8Array;
      expect(headerOf(reply)).toBe(`0 QR AA TC 1/0/0/${edns === null ? 0 : 1}`);
    }
  });

  it('keeps the CNAMEs of a denial and its SOA together, or sends TC', () => {
    const label = 'x'.repeat(60);
    const long = (head: string): string => `${head}.${label}.${label}.${label}`;
    const chain = new Asker(
      zoneSetOf({
        corp: {
          [long('a')]: [rrset([`20 IN CNAME ${long('b')}.corp`])],
          [long('b')]: [rrset([`20 IN CNAME ${long('c')}.corp`])],
        },
      }),
    );
    const udp = chain.ask(`${long('a')}.corp`, 'A');
    expect([udp.rcode, udp.tc, udp.answer.length, udp.authority.length]).toEqual(['NXDOMAIN', true, 0, 0]);
    const tcp = chain.ask(`${long('a')}.corp`, 'A', { overTcp: true });
    expect([tcp.rcode, tcp.tc, tcp.answer.length, tcp.authority.length]).toEqual(['NXDOMAIN', false, 2, 1]);
  });
});

describe('a client subnet that is none', () => {
  /** As many octets as /24 does not have. */
  const OPTION = [0, 8, 0, 8, 0, 1, 24, 0, 192, 0, 2, 1];
  const withOption = (name: string): Uint8Array => {
    const query = buildQuery(name, 'A', { rd: true, edns: 1232 });
    return Uint8Array.from([...query.subarray(0, -1), OPTION.length, ...OPTION]);
  };

  it('is nothing to our own names, and not sent on for others (RFC 7871 s6)', () => {
    expect(headerOf(forwarding.send(withOption('web.corp.internal')))).toBe('0 QR AA RD RA 1/1/0/1');
    expect(headerOf(forwarding.send(withOption('www.example.com')))).toBe('1 QR RD RA 1/0/0/1');
  });
});

describe('refuse', () => {
  it('gives a forwarded query a reply with SERVFAIL, whatever came between', () => {
    const query = buildQuery('www.Example.com', 'A', { rd: true, edns: 1232 });
    forwarding.send(query);
    forwarding.send(buildQuery('web.corp.internal', 'A'));
    const reply = new Uint8Array(65_535);
    const length = forwarding.responder.refuse(query, reply, false, 2, FIXED_ERRORS.upstreamsFailed);
    expect(headerOf(reply.subarray(0, length))).toBe('2 QR RD RA 1/0/0/1');
    expect([...reply.subarray(12, 12 + 21)]).toEqual([...query.subarray(12, 12 + 21)]);
  });

  it('has a question to be asked of the upstreams for the query just screened, once', () => {
    forwarding.send(buildQuery('www.Example.com', 'AAAA', { rd: true, edns: 1000, dnssecOk: true }));
    const { question } = forwarding.responder.takeWanted();
    expect(toTextName(question.name)).toBe('www.example.com.');
    expect([question.type, question.bits, question.subnet]).toEqual([28, 0x8000, null]);
    expect(() => forwarding.responder.takeWanted()).toThrow('nothing is wanted');
  });
});
