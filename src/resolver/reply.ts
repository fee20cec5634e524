/**
 * An upstream's reply as it is kept and given to clients: checked, without its OPT, in one block of octets, so that a
 * hundred thousand of them are nothing to the garbage collector and a client's answer is a copy.
 *
 *   reply := u8 rcode, u8 flags, u16 answers, u16 authorities, u16 additionals, u16 answerEnd, u16 authorityEnd,
 *            u16 bodyBytes, u16 TTLs, u32 ttlSeconds, u16 errorCode, u8 errorBytes, u8 subnetBytes, u16 aliases,
 *            body, u16 place of each TTL in the body, error text, subnet, alias...
 *   alias := u16 answers, u8 bytes, target
 */
import { copyBytes, readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts';
import { CLASS_IN, FLAG, HEADER_BYTES, MAX_TTL_SECONDS, QUESTION_TAIL_BYTES } from '../wire/header.ts';

const POSITIVE = 1;
const AUTHENTIC = 2;
const HAS_ERROR = 4;
const HEAD_BYTES = 26;

/** A reply as readers see it; reused, so read it before the next `read`. */
export class Reply {
  bytes: Uint8Array = new Uint8Array(0);
  /** NOERROR or NXDOMAIN. */
  rcode = 0;
  /** It has records of the type asked for, so whatever else it has may be left out. */
  isPositive = false;
  /** AD: the upstream has validated it. */
  isAuthentic = false;
  answers = 0;
  authorities = 0;
  additionals = 0;
  /**
   * Where in `bytes` the records begin, in the upstream's compression: its pointers are right behind any question as
   * long as the one that was asked.
   */
  bodyAt = 0;
  bodyBytes = 0;
  /** Ends of the sections, from `bodyAt` on. */
  answerEnd = 0;
  authorityEnd = 0;
  /** How long it may be kept; 0: not at all. */
  ttlSeconds = 0;
  ttlCount = 0;
  /** INFO-CODE of the upstream's extended error (RFC 8914 s4); -1: none. */
  errorCode = -1;
  errorAt = 0;
  errorBytes = 0;
  /** Data of the client subnet option, which has the scope (RFC 7871 s7.2.1); 0 octets: none. */
  subnetAt = 0;
  subnetBytes = 0;
  /** How many aliases (RFC 1034 s3.6.2) the answer leads through. */
  aliasCount = 0;
  aliasesAt = 0;
  #ttlsAt = 0;

  /** @param at where the block begins */
  read(bytes: Uint8Array, at: number): this {
    const flags = bytes[at + 1] as number;
    this.bytes = bytes;
    this.rcode = bytes[at] as number;
    this.isPositive = (flags & POSITIVE) !== 0;
    this.isAuthentic = (flags & AUTHENTIC) !== 0;
    this.answers = readU16(bytes, at + 2);
    this.authorities = readU16(bytes, at + 4);
    this.additionals = readU16(bytes, at + 6);
    this.answerEnd = readU16(bytes, at + 8);
    this.authorityEnd = readU16(bytes, at + 10);
    this.bodyBytes = readU16(bytes, at + 12);
    this.ttlCount = readU16(bytes, at + 14);
    this.ttlSeconds = readU32(bytes, at + 16);
    this.errorCode = (flags & HAS_ERROR) === 0 ? -1 : readU16(bytes, at + 20);
    this.errorBytes = bytes[at + 22] as number;
    this.subnetBytes = bytes[at + 23] as number;
    this.aliasCount = readU16(bytes, at + 24);
    this.bodyAt = at + HEAD_BYTES;
    this.#ttlsAt = this.bodyAt + this.bodyBytes;
    this.errorAt = this.#ttlsAt + 2 * this.ttlCount;
    this.subnetAt = this.errorAt + this.errorBytes;
    this.aliasesAt = this.subnetAt + this.subnetBytes;
    return this;
  }

  /** Where the nth TTL stands, from `bodyAt` on. */
  ttlPlace(n: number): number {
    return readU16(this.bytes, this.#ttlsAt + 2 * n);
  }
}

export interface UpstreamError {
  /** INFO-CODE (RFC 8914 s4). */
  readonly code: number;
  readonly text: Uint8Array;
}

/** A name that the answer says is another one's alias (RFC 1034 s3.6.2). */
export interface Alias {
  /** Records of the answer section up to and with this CNAME. */
  readonly answers: number;
  /** Wire form, uncompressed. */
  readonly target: Uint8Array;
}

/** What a block is made of; places and ends count from the body's beginning. */
export interface ReplyParts {
  readonly rcode: number;
  readonly isPositive: boolean;
  readonly isAuthentic: boolean;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  readonly answerEnd: number;
  readonly authorityEnd: number;
  /** The body is `message[start, end)`. */
  readonly message: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly ttlPlaces: readonly number[];
  readonly ttlSeconds: number;
  /** What the SOA's TTL is to be; null: as it is. */
  readonly soaTtl: { readonly place: number; readonly seconds: number } | null;
  readonly error: UpstreamError | null;
  readonly subnet: Uint8Array;
  readonly aliases: readonly Alias[];
}

/** @returns the block, in memory of its own */
export function encodeReply(parts: ReplyParts): Uint8Array {
  const { message, start, end, ttlPlaces, soaTtl, error, subnet, aliases } = parts;
  const errorBytes = error?.text.length ?? 0;
  let size = HEAD_BYTES + (end - start) + 2 * ttlPlaces.length + errorBytes + subnet.length;
  for (const { target } of aliases) size += 3 + target.length;
  const out = new Uint8Array(size);
  out[0] = parts.rcode;
  out[1] = (parts.isPositive ? POSITIVE : 0) | (parts.isAuthentic ? AUTHENTIC : 0) | (error === null ? 0 : HAS_ERROR);
  writeU16(out, 2, parts.answers);
  writeU16(out, 4, parts.authorities);
  writeU16(out, 6, parts.additionals);
  writeU16(out, 8, parts.answerEnd);
  writeU16(out, 10, parts.authorityEnd);
  writeU16(out, 12, end - start);
  writeU16(out, 14, ttlPlaces.length);
  writeU32(out, 16, parts.ttlSeconds);
  writeU16(out, 20, error?.code ?? 0);
  out[22] = errorBytes;
  out[23] = subnet.length;
  writeU16(out, 24, aliases.length);
  copyBytes(message, start, end - start, out, HEAD_BYTES);
  let at = HEAD_BYTES + end - start;
  for (const place of ttlPlaces) {
    if (readU32(out, HEAD_BYTES + place) > MAX_TTL_SECONDS) writeU32(out, HEAD_BYTES + place, 0);
    writeU16(out, at, place);
    at += 2;
  }
  if (soaTtl !== null) writeU32(out, HEAD_BYTES + soaTtl.place, soaTtl.seconds);
  if (error !== null) out.set(error.text, at);
  out.set(subnet, at + errorBytes);
  at += errorBytes + subnet.length;
  for (const { answers, target } of aliases) {
    writeU16(out, at, answers);
    out[at + 2] = target.length;
    out.set(target, at + 3);
    at += 3 + target.length;
  }
  return out;
}

/** The whole message that a reply came as, without OPT, for readers off the query path. */
export function toMessage(reply: Reply, name: Uint8Array, type: number): Uint8Array {
  const head = HEADER_BYTES + name.length + QUESTION_TAIL_BYTES;
  const message = new Uint8Array(head + reply.bodyBytes);
  const fields = [0, FLAG.QR | reply.rcode, 1, reply.answers, reply.authorities, reply.additionals];
  for (const [i, value] of fields.entries()) writeU16(message, 2 * i, value);
  message.set(name, HEADER_BYTES);
  writeU16(message, head - 4, type);
  writeU16(message, head - 2, CLASS_IN);
  message.set(reply.bytes.subarray(reply.bodyAt, reply.bodyAt + reply.bodyBytes), head);
  return message;
}
