/** Reads an upstream's reply: every record of it is looked at, and what is not whole is no answer. */
import { readU16, readU32 } from '../wire/bytes.ts';
import { OPTION, OPTION_HEADER_BYTES } from '../wire/edns.ts';
import { CLASS_IN, FLAG, MAX_TTL_SECONDS, RCODE, TYPE } from '../wire/header.ts';
import { expandName, MAX_NAME_BYTES, skipName } from '../wire/names.ts';
import { isRdataWhole } from '../wire/rdata-names.ts';
import { type Alias, encodeReply, type UpstreamError } from './reply.ts';

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
const NO_ALIASES: readonly Alias[] = [];

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
  #aliases: Alias[] | null = null;
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
    const start = this.#questionEnd;
    const isPositive = this.#rcode === RCODE.NOERROR && this.#hasAnswer;
    return encodeReply({
      rcode: this.#rcode,
      isPositive,
      isAuthentic: (readU16(message, 2) & FLAG.AD) !== 0,
      answers,
      authorities,
      additionals: last.additionals,
      answerEnd: answerEnd - start,
      authorityEnd: authorityEnd - start,
      message,
      start,
      end: last.end,
      ttlPlaces: this.#ttlPlaces,
      ttlSeconds: isPositive ? this.#answerTtl : Math.min(this.#answerTtl, this.#negativeTtl),
      // RFC 2308 s3, s5: whoever keeps it further on keeps it no longer than we do.
      soaTtl: !isPositive && this.#soaTtlPlace >= 0 ? { place: this.#soaTtlPlace, seconds: this.#negativeTtl } : null,
      error: this.#error,
      subnet: this.#subnet,
      aliases: this.#aliases ?? NO_ALIASES,
    });
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
}

// One for all replies: nothing is left in it between two calls.
const SCRATCH = new Uint8Array(MAX_NAME_BYTES);
