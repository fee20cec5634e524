/** Replies of upstreams put together part by part, right and wrong ones, and the parts of the resolver that they meet. */
import type { Held } from '../../src/resolver/cache.ts';
import { Reply } from '../../src/resolver/reply.ts';
import { type BadReply, isBad, readReply } from '../../src/resolver/reply-reader.ts';
import { TYPE_CODES } from '../../src/wire/codec.ts';
import { type MessageParts, messageBytes, nameBytes, optBytes, questionBytes } from './message.ts';

/** Points to the QNAME. */
export const QNAME = [0xc0, 12];

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];

/** A resource record. @param owner text, or octets such as a pointer; @param rdata text for addresses' octets and names */
export function record(
  owner: string | readonly number[],
  type: string,
  ttl: number,
  rdata: string | readonly number[],
): number[] {
  const octets = typeof rdata === 'string' ? rdataBytes(type, rdata) : rdata;
  const name = typeof owner === 'string' ? nameBytes(owner) : owner;
  return [...name, ...u16(TYPE_CODES[type] ?? Number(type)), 0, 1, ...u32(ttl), ...u16(octets.length), ...octets];
}

function rdataBytes(type: string, text: string): number[] {
  return type === 'A' ? text.split('.').map(Number) : nameBytes(text);
}

/** A SOA record. */
export function soaRecord(owner: string | readonly number[], ttl: number, minimum: number): number[] {
  const names = [...nameBytes('ns.example'), ...nameBytes('root.example')];
  return record(owner, 'SOA', ttl, [...names, ...u32(1), ...u32(2), ...u32(3), ...u32(4), ...u32(minimum)]);
}

export interface ReplyParts extends Pick<MessageParts, 'id' | 'flags' | 'rcode' | 'counts'> {
  readonly answer?: readonly (readonly number[])[];
  readonly authority?: readonly (readonly number[])[];
  readonly additional?: readonly (readonly number[])[];
}

/** The reply to a question such as `www.example.com A`. @param counts instead of those that the sections have */
export function upstreamReply(question: string, parts: ReplyParts = {}): Uint8Array {
  const { answer = [], authority = [], additional = [], flags = 'RD RA', ...head } = parts;
  return messageBytes({
    counts: [1, answer.length, authority.length, additional.length],
    ...head,
    flags,
    isReply: true,
    body: [...questionBytes(question), ...[...answer, ...authority, ...additional].flat()],
  });
}

/** An OPT as the last record of an upstream's reply. */
export const OPT = optBytes();

export function read(question: string, message: Uint8Array): Uint8Array | BadReply {
  return readReply(message, 12 + questionBytes(question).length, typeOf(question));
}

/** The block that is kept of a reply. @throws Error where the reply is of no use */
export function blockOf(question: string, parts: ReplyParts): Uint8Array {
  const block = read(question, upstreamReply(question, parts));
  if (isBad(block)) throw new Error(`the reply to ${question} is of no use: RCODE ${block.rcode}`);
  return block;
}

/** @throws Error where the reply is of no use */
export function readGood(question: string, parts: ReplyParts): Reply {
  return new Reply().read(blockOf(question, parts), 0);
}

export function typeOf(question: string): number {
  const type = question.split(' ')[1] as string;
  return TYPE_CODES[type] ?? Number(type.replace('TYPE', ''));
}

/** What the resolver holds of a reply that came at `storedAtMs`. */
export function heldOf(question: string, parts: ReplyParts, storedAtMs = 0): Held {
  const { bytes, ttlSeconds } = readGood(question, parts);
  return { bytes, at: 0, storedAtMs, expiresAtMs: storedAtMs + 1000 * ttlSeconds };
}
