/** What is left out of an upstream's reply where the client takes less, to the octet. */
import { afterAll, describe, expect, it } from 'vitest';
import { optBytes, optionBytes, queryBytes, readReply } from '../support/message.ts';
import { closeResolvers } from '../support/resolving.ts';
import { says, ToldResponder } from '../support/told.ts';
import { QNAME, type ReplyParts, record, soaRecord } from '../support/upstream-reply.ts';

afterAll(closeResolvers);

const WWW = 'www.example.com TYPE999';
const NAME = 'www.example.com.';
const responder = new ToldResponder({});

/** A record of so many octets. */
function sized(octets: number): number[] {
  return record(QNAME, '999', 60, Array<number>(octets - 12).fill(7));
}

const QUESTION_END = 12 + 17 + 4;

/** `length answers/authorities/additionals TC`, the OPT not counted. */
function fitted(parts: ReplyParts, { size = 0, overTcp = false, options = [] as number[] } = {}): string {
  const query = queryBytes(WWW, { flags: 'RD', opts: size === 0 ? [] : [{ size, options }] });
  const bytes = responder.ask(query, { [NAME]: says(WWW, parts) }, { overTcp });
  const { answer, authority, additional, status } = readReply(bytes);
  const counts = [answer, authority, additional].map(({ length }) => length).join('/');
  return `${bytes.length} ${counts}${status.includes('TC') ? ' TC' : ''}`;
}

describe('a positive answer', () => {
  // 33 octets of header and question.
  it.each([
    ['fits to the octet', 479, 0, 0, '512 1/0/0'],
    ['is too long by one octet', 480, 0, 0, '33 0/0/0 TC'],
    ['fits with its authority to the octet', 400, 79, 0, '512 1/1/0'],
    ['loses an authority that is too long by one octet', 400, 80, 0, '433 1/0/0'],
    ['fits with its additional records to the octet', 400, 40, 39, '512 1/1/1'],
    ['loses additional records that are too long by one octet', 400, 40, 40, '473 1/1/0'],
    ['loses additional records and authority', 479, 40, 40, '512 1/0/0'],
  ])('without EDNS %s', (_, answer, authority, additional, expected) => {
    const parts = {
      answer: [sized(answer)],
      authority: authority > 0 ? [sized(authority)] : [],
      additional: additional > 0 ? [sized(additional)] : [],
    };
    expect(fitted(parts)).toBe(expected);
  });

  it.each([
    [1232, 1232 - QUESTION_END - 11, '1232 1/0/0'],
    [1232, 1232 - QUESTION_END - 10, '44 0/0/0 TC'],
    [4096, 1232 - QUESTION_END - 11, '1232 1/0/0'],
    [4096, 1232 - QUESTION_END - 10, '44 0/0/0 TC'],
    [600, 600 - QUESTION_END - 11, '600 1/0/0'],
    [600, 600 - QUESTION_END - 10, '44 0/0/0 TC'],
    [100, 512 - QUESTION_END - 11, '512 1/0/0'],
  ])('beside an OPT of %d: %d octets', (size, answer, expected) => {
    expect(fitted({ answer: [sized(answer)] }, { size })).toBe(expected);
  });

  it('leaves room for the client subnet', () => {
    const data = [0, 1, 24, 0, 192, 0, 2];
    const room = 512 - QUESTION_END - 11 - 11;
    const additional = [optBytes({ options: optionBytes(8, data) })];
    const opt = { size: 512, options: optionBytes(8, data) };
    expect(fitted({ answer: [sized(room)], additional }, opt)).toBe('512 1/0/0');
    expect(fitted({ answer: [sized(room + 1)], additional }, opt)).toBe('55 0/0/0 TC');
  });

  it('shortens the extended error, and is never truncated for it (RFC 8914 s3)', () => {
    const additional = [optBytes({ options: optionBytes(15, [0, 4, ...Buffer.from('forged')]) })];
    const room = 512 - QUESTION_END - 11;
    expect(fitted({ answer: [sized(room)], additional }, { size: 512 })).toBe('512 1/0/0');
    expect(fitted({ answer: [sized(room - 5)], additional }, { size: 512 })).toBe('507 1/0/0');
    expect(fitted({ answer: [sized(room - 8)], additional }, { size: 512 })).toBe('512 1/0/0');
    expect(fitted({ answer: [sized(room - 50)], additional }, { size: 512 })).toBe('474 1/0/0');
  });

  it('over TCP may have 65,535 octets', () => {
    const most = 65_535 - QUESTION_END;
    expect(fitted({ answer: [sized(most)] }, { overTcp: true })).toBe('65535 1/0/0');
    expect(fitted({ answer: [sized(most - 11)] }, { overTcp: true, size: 512 })).toBe('65535 1/0/0');
    // The upstream had no OPT, and ours has no room.
    expect(fitted({ answer: [sized(most)] }, { overTcp: true, size: 512 })).toBe('44 0/0/0 TC');
    expect(fitted({ answer: [sized(most - 20)], additional: [sized(20)] }, { overTcp: true, size: 512 })).toBe(
      '65526 1/0/0',
    );
  });
});

describe('a negative answer', () => {
  it('keeps its authority, without which it says nothing', () => {
    const soa = soaRecord('example.com', 60, 60);
    const rest = 512 - QUESTION_END - soa.length;
    for (const rcode of [0, 3]) {
      expect(fitted({ rcode, authority: [soa, sized(rest)], additional: [sized(50)] })).toBe('512 0/2/0');
      expect(fitted({ rcode, authority: [soa, sized(rest + 1)] })).toBe('33 0/0/0 TC');
    }
  });

  it('that is a CNAME alone is truncated whole', () => {
    const alias = record(QNAME, 'CNAME', 60, 'b.example');
    const rest = 512 - QUESTION_END - alias.length;
    expect(fitted({ answer: [alias], authority: [sized(rest)] })).toBe('512 1/1/0');
    expect(fitted({ answer: [alias], authority: [sized(rest + 1)] })).toBe('33 0/0/0 TC');
  });
});

describe('a truncated reply', () => {
  it('has the RCODE and the question', () => {
    const authority = [soaRecord('example.com', 60, 60), sized(600)];
    const query = queryBytes(WWW, { flags: 'RD' });
    const reply = responder.read(query, { [NAME]: says(WWW, { rcode: 3, authority }) });
    expect(reply).toMatchObject({ status: 'NXDOMAIN TC RD RA', question: query.subarray(12) });
  });
});
