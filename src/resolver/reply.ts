/**
 * An upstream's reply as it is kept and given to clients: checked, without its OPT, in one block of octets, so that a
 * hundred thousand of them are nothing to the garbage collector and a client's answer is a copy.
 *
 *   reply := u8 rcode, u8 flags, u16 answers, u16 authorities, u16 additionals, u16 answerEnd, u16 authorityEnd,
 *            u16 bodyBytes, u16 TTLs, u32 ttlSeconds, u16 errorCode, u8 errorBytes, u8 subnetBytes, u16 aliases,
 *            body, u16 place of each TTL in the body, error text, subnet, alias...
 *   alias := u16 answers, u8 bytes, target
 */
import { readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts';
import { OPTION, OPTION_HEADER_BYTES } from '../wire/edns.ts';
import { CLASS_IN, FLAG, HEADER_BYTES, MAX_TTL_SECONDS, QUESTION_TAIL_BYTES, RCODE, TYPE } from '../wire/header.ts';
import { expandName, MAX_NAME_BYTES, skipName } from '../wire/names.ts';
import { isRdataWhole } from '../wire/rdata-names.ts';

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

/** A reply that is of no use; the next upstream may do better. */
export interface BadReply {
  /** Null: it cannot be read, or is no answer at all. */
  readonly rcode: number | null;
  readonly error: UpstreamError | null;
  readonly hasOpt: boolean;
}

/** What is kept is asked again after a day, whatever its TTL. */
const MAX_TTL_KEPT_SECONDS = 86_400;
/** RFC 2308 s5 advises one to three hours. */
const MAX_NEGATIVE_TTL_SECONDS = 3600;
const RECORD_FIELDS_BYTES = 10;
const MAX_ERROR_TEXT_BYTES = 200;
/** Address family, two prefix lengths, and an IPv6 address. */
const MAX_SUBNET_BYTES = 20;
/** Each is compared with our zones in every answer; longer chains are loops, or might as well be. */
const MAX_ALIASES = 16;
const UNREADABLE: BadReply = { rcode: null, error: null, hasOpt: false };
const NOTHING = new Uint8Array(0);

/**
 * @param message a reply whose header and question have been found to be ours, TC not set
 * @param questionEnd the octet behind its question
 * @param type the QTYPE
 * @returns the block, in memory of its own
 */
export function readReply(message: Uint8Array, questionEnd: number, type: number): Uint8Array | BadReply {
  return new ReplyReader(message, questionEnd, type).read();
}

export function isBad(reply: Uint8Array | BadReply): reply is BadReply {
  return 'hasOpt' in reply;
}

/** Walks the sections once. */
class ReplyReader {
  readonly #message: Uint8Array;
  readonly #questionEnd: number;
  readonly #type: number;
  #rcode: number;
  #hasOpt = false;
  #error: UpstreamError | null = null;
  #subnet: Uint8Array = NOTHING;
  #hasAnswer = false;
  #answerTtl = MAX_TTL_KEPT_SECONDS;
  #negativeTtl = 0;
  /** Where the TTL of the SOA stands, as the places of TTLs do; -1: there is none. */
  #soaTtlPlace = -1;
  #aliases: { answers: number; target: Uint8Array }[] | null = null;
  readonly #ttlPlaces: number[] = [];

  constructor(message: Uint8Array, questionEnd: number, type: number) {
    this.#message = message;
    this.#questionEnd = questionEnd;
    this.#type = type;
    this.#rcode = (message[3] as number) & 0xf;
  }

  read(): Uint8Array | BadReply {
    const message = this.#message;
    const answers = readU16(message, 6);
    const authorities = readU16(message, 8);
    const answerEnd = this.#readAnswers(this.#questionEnd, answers);
    const authorityEnd = answerEnd < 0 ? -1 : this.#readAuthorities(answerEnd, authorities);
    const last = authorityEnd < 0 ? null : this.#readAdditionals(authorityEnd, readU16(message, 10));
    if (last === null) return UNREADABLE;
    const isAnswer = this.#rcode === RCODE.NOERROR || this.#rcode === RCODE.NXDOMAIN;
    if (!isAnswer) return { rcode: this.#rcode, error: this.#error, hasOpt: this.#hasOpt };
    return this.#encode(answers, authorities, last.additionals, answerEnd, authorityEnd, last.end);
  }

  /** @returns the octet behind the section, -1 where it cannot be read */
  #readAnswers(start: number, count: number): number {
    const message = this.#message;
    const followsAliases = this.#type !== TYPE.CNAME && this.#type !== TYPE.ANY;
    let at = start;
    for (let n = 1; n <= count; n++) {
      const fields = this.#fieldsOf(at);
      if (fields < 0) return -1;
      const recordType = readU16(message, fields);
      // RFC 6891 s6.1.1: it is an additional record.
      if (recordType === TYPE.OPT) return -1;
      const end = fields + RECORD_FIELDS_BYTES + readU16(message, fields + 8);
      this.#answerTtl = Math.min(this.#answerTtl, this.#takeTtl(fields));
      this.#hasAnswer ||= recordType === this.#type || this.#type === TYPE.ANY;
      if (recordType === TYPE.CNAME && followsAliases) this.#takeAlias(fields + RECORD_FIELDS_BYTES, end, n);
      at = end;
    }
    return at;
  }

  #readAuthorities(start: number, count: number): number {
    const message = this.#message;
    let at = start;
    for (let left = count; left > 0; left--) {
      const fields = this.#fieldsOf(at);
      if (fields < 0) return -1;
      const recordType = readU16(message, fields);
      if (recordType === TYPE.OPT) return -1;
      const end = fields + RECORD_FIELDS_BYTES + readU16(message, fields + 8);
      const ttl = this.#takeTtl(fields);
      if (recordType === TYPE.SOA) {
        // RFC 2308 s5: the lesser of the SOA's own TTL and its MINIMUM.
        this.#negativeTtl = Math.min(ttl, readU32(message, end - 4), MAX_NEGATIVE_TTL_SECONDS);
        this.#soaTtlPlace = this.#ttlPlaces.at(-1) as number;
      }
      at = end;
    }
    return at;
  }

  /** What follows the OPT is left out with it: ours goes behind the records that are kept. Null: unreadable. */
  #readAdditionals(start: number, count: number): { additionals: number; end: number } | null {
    const message = this.#message;
    let at = start;
    let additionals = 0;
    let kept = start;
    for (let left = count; left > 0; left--) {
      const fields = this.#fieldsOf(at);
      if (fields < 0) return null;
      const rdata = fields + RECORD_FIELDS_BYTES;
      const end = rdata + readU16(message, fields + 8);
      if (readU16(message, fields) === TYPE.OPT) {
        // RFC 6891 s6.1.1: one.
        if (this.#hasOpt) return null;
        this.#hasOpt = true;
        this.#rcode |= (message[fields + 4] as number) << 4;
        this.#readOptions(rdata, end);
      } else if (!this.#hasOpt) {
        this.#takeTtl(fields);
        additionals++;
        kept = end;
      }
      at = end;
    }
    return { additionals, end: kept };
  }

  /** Where TYPE stands in the record at `at`; -1: it overruns, is of another class, or a name in it is none. */
  #fieldsOf(at: number): number {
    const message = this.#message;
    const fields = skipName(message, at, message.length);
    if (fields < 0 || fields + RECORD_FIELDS_BYTES > message.length) return -1;
    const rdata = fields + RECORD_FIELDS_BYTES;
    const end = rdata + readU16(message, fields + 8);
    const type = readU16(message, fields);
    // An OPT's class is a size.
    if (end > message.length || (type !== TYPE.OPT && readU16(message, fields + 2) !== CLASS_IN)) return -1;
    if (expandName(message, at, fields, SCRATCH, 0) < 0 || !isRdataWhole(message, type, rdata, end)) return -1;
    return fields;
  }

  #takeTtl(fields: number): number {
    this.#ttlPlaces.push(fields + 4 - this.#questionEnd);
    const ttl = readU32(this.#message, fields + 4);
    return ttl > MAX_TTL_SECONDS ? 0 : ttl;
  }

  #takeAlias(rdata: number, end: number, answers: number): void {
    this.#aliases ??= [];
    if (this.#aliases.length === MAX_ALIASES) return;
    const length = expandName(this.#message, rdata, end, SCRATCH, 0);
    this.#aliases.push({ answers, target: SCRATCH.slice(0, length) });
  }

  #readOptions(start: number, end: number): void {
    const message = this.#message;
    for (let at = start; at + OPTION_HEADER_BYTES <= end; ) {
      const data = at + OPTION_HEADER_BYTES;
      const next = data + readU16(message, at + 2);
      if (next > end) return;
      const code = readU16(message, at);
      if (code === OPTION.clientSubnet && next - data <= MAX_SUBNET_BYTES) this.#subnet = message.slice(data, next);
      if (code === OPTION.extendedError && next >= data + 2 && this.#error === null) {
        const text = message.slice(data + 2, Math.min(next, data + 2 + MAX_ERROR_TEXT_BYTES));
        this.#error = { code: readU16(message, data), text };
      }
      at = next;
    }
  }

  #encode(
    answers: number,
    authorities: number,
    additionals: number,
    answerEnd: number,
    authorityEnd: number,
    end: number,
  ): Uint8Array {
    const start = this.#questionEnd;
    const text = this.#error?.text ?? NOTHING;
    const aliases = this.#aliases ?? [];
    const places = this.#ttlPlaces;
    let size = HEAD_BYTES + (end - start) + 2 * places.length + text.length + this.#subnet.length;
    for (const { target } of aliases) size += 3 + target.length;
    const out = new Uint8Array(size);
    const isPositive = this.#rcode === RCODE.NOERROR && this.#hasAnswer;
    const isAuthentic = (readU16(this.#message, 2) & FLAG.AD) !== 0;
    out[0] = this.#rcode;
    out[1] = (isPositive ? POSITIVE : 0) | (isAuthentic ? AUTHENTIC : 0) | (this.#error === null ? 0 : HAS_ERROR);
    writeU16(out, 2, answers);
    writeU16(out, 4, authorities);
    writeU16(out, 6, additionals);
    writeU16(out, 8, answerEnd - start);
    writeU16(out, 10, authorityEnd - start);
    writeU16(out, 12, end - start);
    writeU16(out, 14, places.length);
    writeU32(out, 16, isPositive ? this.#answerTtl : Math.min(this.#answerTtl, this.#negativeTtl));
    writeU16(out, 20, this.#error?.code ?? 0);
    out[22] = text.length;
    out[23] = this.#subnet.length;
    writeU16(out, 24, aliases.length);
    let at = HEAD_BYTES;
    for (let i = start; i < end; i++) out[at++] = this.#message[i] as number;
    for (const place of places) {
      if (readU32(out, HEAD_BYTES + place) > MAX_TTL_SECONDS) writeU32(out, HEAD_BYTES + place, 0);
      writeU16(out, at, place);
      at += 2;
    }
    // RFC 2308 s3, s5: whoever keeps it further on keeps it no longer than we do.
    if (!isPositive && this.#soaTtlPlace >= 0) writeU32(out, HEAD_BYTES + this.#soaTtlPlace, this.#negativeTtl);
    out.set(text, at);
    out.set(this.#subnet, at + text.length);
    at += text.length + this.#subnet.length;
    for (const { answers: before, target } of aliases) {
      writeU16(out, at, before);
      out[at + 2] = target.length;
      out.set(target, at + 3);
      at += 3 + target.length;
    }
    return out;
  }
}

// One for all replies: nothing is left in it between two calls.
const SCRATCH = new Uint8Array(MAX_NAME_BYTES);

/** The whole message that a reply came as, without OPT, for readers off the query path. */
export function toMessage(reply: Reply, name: Uint8Array, type: number): Uint8Array {
  const head = HEADER_BYTES + name.length + QUESTION_TAIL_BYTES;
  const message = new Uint8Array(head + reply.bodyBytes);
  const fields = [0, FLAG.QR | reply.rcode, 1, reply.answers, reply.authorities, reply.additionals];
  for (const [i, value] of fields.entries()) writeU16(message, 2 * i, value);
  message.set(name, HEADER_BYTES);
  writeU16(message, head - 4, type);
  writeU16(message, head - 2, 1);
  message.set(reply.bytes.subarray(reply.bodyAt, reply.bodyAt + reply.bodyBytes), head);
  return message;
}
