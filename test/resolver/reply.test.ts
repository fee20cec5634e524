import { describe, expect, it } from 'vitest';
import { Reply, toMessage } from '../../src/resolver/reply.ts';
import { isBad } from '../../src/resolver/reply-reader.ts';
import { toTextName, toWireName } from '../../src/wire/names.ts';
import { nameBytes, optBytes, optionBytes, readReply as readStrictly } from '../support/message.ts';
import { OPT, QNAME, read, readGood, record, soaRecord, typeOf, upstreamReply } from '../support/upstream-reply.ts';

const WWW = 'www.example.com A';
const A = record(QNAME, 'A', 300, '192.0.2.1');
const SOA = soaRecord('example.com', 900, 120);
const BAD = { rcode: null, error: null, hasOpt: false };

/** The octets of its records. */
function bodyOf({ bytes, bodyAt, bodyBytes }: Reply): Buffer {
  return Buffer.from(bytes.subarray(bodyAt, bodyAt + bodyBytes));
}

function ttlPlaces(reply: Reply): number[] {
  return Array.from({ length: reply.ttlCount }, (_, n) => reply.ttlPlace(n));
}

/** Each alias, and how many records of the answer there are up to it. */
function aliasesOf({ bytes, aliasesAt, aliasCount }: Reply): [string, number][] {
  const found: [string, number][] = [];
  for (let at = aliasesAt; found.length < aliasCount; at += 3 + (bytes[at + 2] as number))
    found.push([toTextName(bytes, at + 3), Buffer.from(bytes).readUInt16BE(at)]);
  return found;
}

function errorOf({ bytes, errorCode, errorAt, errorBytes }: Reply): { code: number; text: Uint8Array } {
  return { code: errorCode, text: bytes.slice(errorAt, errorAt + errorBytes) };
}

/** Sections as zone-file text. */
function sections(question: string, reply: Reply): readonly (readonly string[])[] {
  const message = toMessage(reply, toWireName(question.split(' ')[0] as string), typeOf(question));
  const { answer, authority, additional } = readStrictly(message);
  return [answer, authority, additional];
}

describe('readReply', () => {
  it('keeps the records behind the question, without the OPT', () => {
    const parts = {
      answer: [A, record(QNAME, 'A', 200, '192.0.2.2')],
      authority: [record('example.com', 'NS', 500, 'ns.example.com')],
      additional: [record('ns.example.com', 'A', 600, '192.0.2.9'), OPT],
    };
    const reply = readGood(WWW, parts);
    const [answer, authority, additional] = sections(WWW, reply);
    expect(answer).toEqual(['www.example.com. 300 IN A 192.0.2.1', 'www.example.com. 200 IN A 192.0.2.2']);
    expect(authority).toEqual(['example.com. 500 IN NS ns.example.com.']);
    expect(additional).toEqual(['ns.example.com. 600 IN A 192.0.2.9']);
    expect(reply).toMatchObject({ rcode: 0, answers: 2, authorities: 1, additionals: 1, isPositive: true });
    expect(reply).toMatchObject({ answerEnd: 32, isAuthentic: false, aliasCount: 0, errorCode: -1, subnetBytes: 0 });
    expect(ttlPlaces(reply).map((at) => bodyOf(reply).readUInt32BE(at))).toEqual([300, 200, 500, 600]);
    expect(reply.authorityEnd).toBe(reply.bodyBytes - 30);
  });

  it('has memory of its own', () => {
    const message = upstreamReply(WWW, { answer: [A] });
    const reply = new Reply().read(read(WWW, message) as Uint8Array, 0);
    message.fill(0xee);
    expect(sections(WWW, reply)[0]).toEqual(['www.example.com. 300 IN A 192.0.2.1']);
  });

  it('is not disturbed by the reply read before', () => {
    const first = readGood(WWW, { answer: [record(QNAME, 'CNAME', 10, 'a.example'), A], additional: [A] });
    const second = readGood(WWW, { answer: [A] });
    expect([first.ttlCount, first.aliasCount]).toEqual([3, 1]);
    expect([ttlPlaces(second), second.aliasCount]).toEqual([[6], 0]);
  });

  it('leaves out what stands behind an OPT, and what trails the last record', () => {
    const reply = readGood(WWW, { answer: [A], additional: [record('a.x', 'A', 1, '10.0.0.1'), OPT, A] });
    expect([reply.additionals, reply.ttlCount]).toEqual([1, 2]);
    const trailing = read(WWW, Uint8Array.from([...upstreamReply(WWW, { answer: [A] }), 1, 2, 3]));
    expect(new Reply().read(trailing as Uint8Array, 0).bodyBytes).toBe(A.length);
  });

  it.each([
    [0, false, 0],
    [1, false, null],
    [2, false, null],
    [3, false, 3],
    [5, false, null],
    [9, false, null],
    // BADVERS, and another in whose low bits stands NXDOMAIN.
    [0, true, null],
    [3, true, null],
  ])('an RCODE of %d, extended: %s', (rcode, isExtended, kept) => {
    const additional = [optBytes({ extendedRcode: isExtended ? 1 : 0 })];
    const reply = read(WWW, upstreamReply(WWW, { rcode, additional }));
    expect(isBad(reply)).toBe(kept === null);
    if (isBad(reply)) expect(reply).toMatchObject({ rcode: rcode + (isExtended ? 16 : 0), hasOpt: true });
    else expect(new Reply().read(reply, 0).rcode).toBe(kept);
  });

  it('says whether an error came with an OPT, and a header alone is one', () => {
    expect(read(WWW, upstreamReply(WWW, { rcode: 1 }))).toEqual({ rcode: 1, error: null, hasOpt: false });
    const header = upstreamReply(WWW, { rcode: 1, counts: [0, 0, 0, 0] }).subarray(0, 12);
    expect(read(WWW, header)).toEqual({ rcode: 1, error: null, hasOpt: false });
  });

  it('takes the first extended error, its text cut at 200 octets (RFC 8914)', () => {
    const text = (value: string): number[] => [...Buffer.from(value)];
    const options = [
      ...optionBytes(10, [1, 2]),
      ...optionBytes(15, [0]),
      ...optionBytes(15, [0, 6, ...text('x'.repeat(201))]),
      ...optionBytes(15, [0, 9, ...text('later')]),
    ];
    const expected = { code: 6, text: Uint8Array.from(text('x'.repeat(200))) };
    expect(errorOf(readGood(WWW, { answer: [A], additional: [optBytes({ options })] }))).toEqual(expected);
    const failed = read(WWW, upstreamReply(WWW, { rcode: 2, additional: [optBytes({ options })] }));
    expect(failed).toEqual({ rcode: 2, error: expected, hasOpt: true });
  });

  it('takes options up to one that overruns the OPT', () => {
    const options = [...optionBytes(15, [0, 6]), 0, 8, 0, 9, 1];
    const reply = readGood(WWW, { answer: [A], additional: [optBytes({ options })] });
    expect(reply).toMatchObject({ errorCode: 6, errorBytes: 0, subnetBytes: 0 });
  });

  it('reads AD', () => {
    expect(readGood(WWW, { answer: [A], flags: 'RA AD' }).isAuthentic).toBe(true);
  });
});

describe('TTLs', () => {
  const ttlOf = (parts: Parameters<typeof readGood>[1], question = WWW): number => readGood(question, parts).ttlSeconds;

  it('of answers: the least of the section', () => {
    expect(ttlOf({ answer: [A, record(QNAME, 'A', 20, '192.0.2.2')], authority: [SOA], additional: [OPT] })).toBe(20);
  });

  it('of answers are a day at the most, and none with the highest bit set (RFC 2181 s8)', () => {
    expect(ttlOf({ answer: [record(QNAME, 'A', 0x7fff_ffff, '192.0.2.1')] })).toBe(86_400);
    for (const ttl of [0x8000_0000, 0xffff_ffff]) {
      const reply = readGood(WWW, { answer: [record(QNAME, 'A', ttl, '192.0.2.1')] });
      expect(reply.ttlSeconds).toBe(0);
      expect(sections(WWW, reply)[0]).toEqual(['www.example.com. 0 IN A 192.0.2.1']);
    }
  });

  it.each<[string, number, number, number]>([
    ['MINIMUM, where it is less than the TTL', 900, 120, 120],
    ['the TTL, where it is less than MINIMUM', 60, 120, 60],
    ['an hour at the most', 86_400, 86_400, 3600],
    ['none where MINIMUM is 0', 900, 0, 0],
    ['none where the TTL has the highest bit set', 0x8000_0000, 120, 0],
  ])('of negative answers are the SOA: %s (RFC 2308 s5)', (_, ttl, minimum, expected) => {
    for (const rcode of [0, 3])
      expect(ttlOf({ rcode, authority: [soaRecord('example.com', ttl, minimum)] })).toBe(expected);
  });

  it('of negative answers without a SOA are none (RFC 2308 s5)', () => {
    for (const rcode of [0, 3]) expect(ttlOf({ rcode })).toBe(0);
    expect(ttlOf({ authority: [record('example.com', 'NS', 500, 'ns.example.com')] })).toBe(0);
    expect(ttlOf({ additional: [SOA] })).toBe(0);
  });

  it('of negative answers behind a CNAME are bound by the CNAME too', () => {
    const alias = (ttl: number): number[] => record(QNAME, 'CNAME', ttl, 'b.example');
    expect(ttlOf({ answer: [alias(30)], authority: [SOA] })).toBe(30);
    expect(ttlOf({ rcode: 3, answer: [alias(300)], authority: [SOA] })).toBe(120);
  });

  it('stand beside the client subnet that they are for', () => {
    const data = [0, 1, 24, 24, 192, 0, 2];
    const reply = readGood(WWW, { answer: [A], additional: [optBytes({ options: optionBytes(8, data) })] });
    expect(reply.bytes.slice(reply.subnetAt, reply.subnetAt + reply.subnetBytes)).toEqual(Uint8Array.from(data));
  });

  it('do not stand beside a subnet that is longer than any address', () => {
    const options = optionBytes(8, [0, 1, 24, 24, ...Array<number>(60).fill(1)]);
    expect(readGood(WWW, { answer: [A], additional: [optBytes({ options })] }).subnetBytes).toBe(0);
  });
});

describe('aliases', () => {
  it('are the CNAMEs of the answer, each with where it stands, its case kept', () => {
    const answer = [record(QNAME, 'CNAME', 10, 'B.example'), record('b.example', 'CNAME', 10, 'c.example')];
    const reply = readGood(WWW, { answer: [...answer, record('c.example', 'A', 9, '192.0.2.1')] });
    expect(aliasesOf(reply)).toEqual([
      ['B.example.', 1],
      ['c.example.', 2],
    ]);
    expect(reply.isPositive).toBe(true);
    expect(readGood(WWW, { answer }).isPositive).toBe(false);
  });

  it.each(['CNAME', 'ANY'])('are none where %s was asked for', (type) => {
    const reply = readGood(`www.example.com ${type}`, { answer: [record(QNAME, 'CNAME', 10, 'b.example')] });
    expect([reply.aliasCount, reply.isPositive]).toEqual([0, true]);
  });

  it('are none in other sections', () => {
    const stray = record('x.example', 'CNAME', 10, 'b.example');
    expect(readGood(WWW, { answer: [A], authority: [stray], additional: [stray] }).aliasCount).toBe(0);
  });

  it('are as many as a chain may have, since each is compared with our zones in every answer', () => {
    const answer = Array.from({ length: 1000 }, (_, n) => record(QNAME, 'CNAME', 10, `n${n}.example`));
    expect(readGood(WWW, { answer })).toMatchObject({ aliasCount: 16, answers: 1000 });
  });
});

describe('a broken reply', () => {
  const END = 12 + nameBytes('www.example.com').length + 4;
  const over = [...QNAME, 0, 1, 0, 1, 0, 0, 0, 9, 0, 5, 1, 2, 3, 4];
  const typed = (type: string, rdata: readonly number[]): number[] => record(QNAME, type, 9, rdata);
  it.each<[string, Parameters<typeof upstreamReply>[1]]>([
    ['says more answers than it has', { answer: [A], counts: [1, 2, 0, 0] }],
    ['says 65,535 records in each section', { answer: [A], counts: [1, 65_535, 65_535, 65_535] }],
    ['says an additional record that is not there', { answer: [A], counts: [1, 1, 0, 1] }],
    ['has RDATA that overruns', { answer: [over] }],
    ['ends in a record’s fields', { answer: [A.slice(0, 8)] }],
    ['ends in a record’s owner', { answer: [[5, 0x61]] }],
    ['has an owner that points to itself', { answer: [[0xc0, END, ...A.slice(2)]] }],
    ['has an owner that points on', { answer: [[0xc0, END + 20, ...A.slice(2)]] }],
    ['has an owner that points into the header', { answer: [[0xc0, 4, ...A.slice(2)]] }],
    [
      'has an owner over 255 octets',
      {
        answer: [
          [
            ...Array(4)
              .fill([63, ...Array<number>(63).fill(97)])
              .flat(),
            0,
            ...A.slice(2),
          ],
        ],
      },
    ],
    ['has an owner of a reserved label type', { answer: [[0x80, ...A.slice(2)]] }],
    ['has a CNAME to itself by pointers', { answer: [typed('CNAME', [0xc0, END + 12])] }],
    ['has a CNAME that overruns its RDATA', { answer: [typed('CNAME', [3, 0x61])] }],
    ['has an empty CNAME', { answer: [typed('CNAME', [])] }],
    ['has an NS that points on', { answer: [A], authority: [typed('NS', [0xc0, 0xff])] }],
    [
      'has a SOA whose second name points on',
      { authority: [typed('SOA', [0, 0xff, 0xff, ...Array<number>(20).fill(0)])] },
    ],
    ['has a SOA that is too short', { authority: [typed('SOA', [0, 0, 1, 2, 3, 4])] }],
    ['has an MX without its name', { answer: [typed('MX', [0, 1])] }],
    ['has a NAPTR whose strings overrun it', { answer: [typed('35', [0, 1, 0, 1, 1, 0x75, 0, 9, ...QNAME])] }],
    ['has a NAPTR without its name', { answer: [typed('35', [0, 1, 0, 1, 1, 0x75, 0, 0])] }],
    ['has a NAPTR with octets behind its name', { answer: [typed('35', [0, 1, 0, 1, 0, 0, 0, ...QNAME, 0])] }],
    ['has a SIG without its signer', { answer: [typed('24', Array<number>(18).fill(0))] }],
    ['has an NXT whose name overruns it', { answer: [typed('30', [3, 1])] }],
    ['has an SRV whose target loops', { answer: [typed('SRV', [0, 1, 0, 1, 0, 80, 0xc0, END + 18])] }],
    ['has a PTR behind whose name octets trail', { answer: [typed('PTR', [...nameBytes('a.x'), 9])] }],
    ['has an A record of five octets', { answer: [typed('A', [1, 2, 3, 4, 5])] }],
    ['has an AAAA record of four octets', { answer: [typed('AAAA', [1, 2, 3, 4])] }],
    ['has a record of another class', { answer: [A.with(5, 3)] }],
    ['has an OPT among its answers', { answer: [A, OPT] }],
    ['has an OPT among its authorities', { answer: [A], authority: [OPT] }],
    ['has two OPTs', { answer: [A], additional: [OPT, OPT] }],
    ['has an OPT that overruns', { answer: [A], additional: [OPT.with(10, 9)] }],
  ])('%s', (_, parts) => {
    expect(read(WWW, upstreamReply(WWW, parts))).toEqual(BAD);
  });

  it('is one wherever it is cut', () => {
    const whole = upstreamReply(WWW, { answer: [A], authority: [SOA], additional: [OPT] });
    for (let length = END; length < whole.length; length++)
      expect(read(WWW, whole.subarray(0, length)), `${length} octets`).toEqual(BAD);
  });
});

describe('a reply of 65,535 octets', () => {
  it('is read whole', () => {
    const room = 65_535 - upstreamReply(WWW).length;
    const records = Array.from({ length: Math.floor(room / 16) - 1 }, () => A);
    const last = record(QNAME, 'TXT', 5, Array<number>(room - records.length * 16 - 12).fill(1));
    const message = upstreamReply(WWW, { answer: [...records, last] });
    expect(message).toHaveLength(65_535);
    const reply = new Reply().read(read(WWW, message) as Uint8Array, 0);
    expect([reply.answers, reply.bodyBytes, reply.ttlSeconds]).toEqual([records.length + 1, room, 5]);
    expect(ttlPlaces(reply).at(-1)).toBe(records.length * 16 + 6);
  });

  it('of pointers to pointers is refused without following each', () => {
    // 8,000 pointers, each to the one in front, and 4,000 records whose owners lead into the last.
    const start = 12 + nameBytes('www.example.com').length + 4 + 12;
    const chain = Array.from({ length: 8000 }, (_, n) => [
      0xc0 | ((start + 2 * n - 2) >> 8),
      (start + 2 * n - 2) & 255,
    ]);
    const first = [0, ...record(QNAME, 'TXT', 5, chain.flat()).slice(2)];
    const owner = chain.at(-1) as number[];
    const answer = [first, ...Array.from({ length: 3500 }, () => [...owner, ...A.slice(2)])];
    expect(read(WWW, upstreamReply(WWW, { answer }))).toEqual(BAD);
  });
});
