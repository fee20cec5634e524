/** A case's reply held against what the case says. */
import { expect } from 'vitest';
import { type Reply, readReply } from '../../support/message.ts';
import type { ExpectedReply, RfcCase, Some } from './case.ts';

/** Records of one RRset have no order; those of different ones do, as a chain of CNAMEs has. */
function inOrder(records: readonly string[]): string[] {
  const keyOf = (record: string): string => record.split(' ').slice(0, 4).join(' ');
  const rrsets: string[][] = [];
  for (const record of records) {
    const last = rrsets.at(-1);
    if (last !== undefined && keyOf(last[0] as string) === keyOf(record)) last.push(record);
    else rrsets.push([record]);
  }
  return rrsets.flatMap((rrset) => rrset.sort());
}

/** Serials are of the content's history, which is none of the RFCs' business here. */
function withSerial1(records: readonly string[]): string[] {
  return records.map((record) => record.replace(/( SOA \S+ \S+) \d+/, '$1 1'));
}

function expectSection(name: string, records: readonly string[], expected: readonly string[] | Some = []): void {
  const actual = withSerial1(records);
  if ('count' in expected) {
    expect(actual, name).toHaveLength(expected.count);
    expect(new Set(actual).size, `distinct records of ${name}`).toBe(expected.count);
    if (expected.of.length > 0) expect(expected.of, name).toEqual(expect.arrayContaining(actual));
  } else if (name === 'additional') {
    expect([...actual].sort(), name).toEqual([...expected].sort());
  } else {
    expect(inOrder(actual), name).toEqual(inOrder(expected));
  }
}

function expectReply(reply: Reply, query: Uint8Array, expected: ExpectedReply): void {
  expect(reply.status).toBe(expected.status);
  expect([reply.id, reply.opcode]).toEqual([
    ((query[0] as number) << 8) | (query[1] as number),
    ((query[2] as number) >> 3) & 15,
  ]);
  const echo = expected.question === 'none' ? [] : [...query.subarray(12, 12 + reply.question.length)];
  if (expected.question !== 'none') expect(reply.question.length, 'octets of the question').toBeGreaterThan(4);
  expect([...reply.question], 'the question').toEqual(echo);
  expectSection('answer', reply.answer, expected.answer);
  expectSection('authority', reply.authority, expected.authority);
  expectSection('additional', reply.additional, expected.additional);
  // What an extended error says is not of this table.
  const opt = reply.opt?.replace(/( \+15)+$/, '') ?? null;
  if (expected.opt !== 'either') expect(opt, 'OPT').toBe(expected.opt ?? null);
  if (expected.length !== undefined) expect(reply.bytes.length, 'octets').toBe(expected.length);
}

/**
 * @param replies all that came
 * @param maxBytes what the transport takes: 1,232 over UDP, 65,535 over TCP
 * @throws where they are not what the case says
 */
export function expectReplies(
  replies: readonly Uint8Array[],
  { query, reply: expected }: RfcCase,
  maxBytes: number,
): void {
  expect(replies.length, 'replies').toBe(expected === 'dropped' ? 0 : 1);
  if (expected === 'dropped') return;
  const reply = readReply(replies[0] as Uint8Array);
  expect(reply.bytes.length).toBeLessThanOrEqual(maxBytes);
  // Over UDP, only who has sent an OPT gets more than 512 octets.
  if (maxBytes < 65_535 && reply.opt === null) expect(reply.bytes.length).toBeLessThanOrEqual(512);
  expectReply(reply, query, expected);
}
