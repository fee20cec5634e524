/** An upstream's reply as it is kept and given to clients: checked, without its OPT, with the places of its TTLs. */
import { readU16, readU32, writeU32 } from '../wire/bytes.ts';
import { OPTION, OPTION_HEADER_BYTES } from '../wire/edns.ts';
import { FLAG, HEADER_BYTES, MAX_TTL_SECONDS, RCODE, TYPE } from '../wire/header.ts';
import { expandName, MAX_NAME_BYTES, skipName } from '../wire/names.ts';

/** A name that the answer says is another one's alias (RFC 1034 s3.6.2). */
export interface Alias {
  /** Wire form, uncompressed, its case kept. */
  readonly target: Uint8Array;
  /** Records of the answer section up to and with this CNAME. */
  readonly answers: number;
}

export interface UpstreamError {
  /** INFO-CODE (RFC 8914 s4). */
  readonly code: number;
  readonly text: Uint8Array;
}

export interface Reply {
  /** NOERROR or NXDOMAIN. */
  readonly rcode: number;
  /**
   * The records behind the question, in the upstream's compression: its pointers are right behind any question as
   * long as the one that was asked.
   */
  readonly body: Uint8Array;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  /** Ends of the sections, in `body`. */
  readonly answerEnd: number;
  readonly authorityEnd: number;
  /** Where each record's TTL stands in `body`. */
  readonly ttlAt: readonly number[];
  /** How long it may be kept; 0: not at all. */
  readonly ttlSeconds: number;
  /** It has records of the type asked for, so whatever else it has may be left out. */
  readonly isPositive: boolean;
  /** AD: the upstream has validated it. */
  readonly isAuthentic: boolean;
  readonly aliases: readonly Alias[];
  readonly error: UpstreamError | null;
  /** Data of the client subnet option, which has the scope (RFC 7871 s7.2.1). */
  readonly subnet: Uint8Array | null;
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
const NO_ALIASES: readonly Alias[] = [];
// One for all replies: nothing is left in it between two calls.
const NAME = new Uint8Array(MAX_NAME_BYTES);
const ttlPlaces: number[] = [];

/**
 * @param message a reply whose header and question have been found to be ours, TC not set
 * @param questionEnd the octet behind its question
 * @param type the QTYPE
 */
export function readReply(message: Uint8Array, questionEnd: number, type: number): Reply | BadReply {
  const counts = [readU16(message, 6), readU16(message, 8), readU16(message, 10)] as const;
  let rcode = (message[3] as number) & 0xf;
  let error: UpstreamError | null = null;
  let subnet: Uint8Array | null = null;
  let hasOpt = false;
  ttlPlaces.length = 0;
  let aliases: Alias[] | null = null;
  let hasAnswer = false;
  let answerTtl = MAX_TTL_KEPT_SECONDS;
  let negativeTtl = 0;
  const ends = [questionEnd, questionEnd, questionEnd];
  let additionals = 0;
  let at = questionEnd;
  let isReadable = true;
  for (let section = 0; section < 3 && isReadable; section++) {
    for (let n = 0; n < (counts[section] as number); n++) {
      const fields = skipName(message, at, message.length);
      const rdataAt = fields + RECORD_FIELDS_BYTES;
      if (fields < 0 || rdataAt > message.length) {
        isReadable = false;
        break;
      }
      const end = rdataAt + readU16(message, fields + 8);
      if (end > message.length || expandName(message, at, fields, NAME, 0) < 0) {
        isReadable = false;
        break;
      }
      const recordType = readU16(message, fields);
      if (recordType === TYPE.OPT && section === 2) {
        hasOpt = true;
        rcode |= (message[fields + 4] as number) << 4;
        ({ error, subnet } = readOptions(message, rdataAt, end));
        at = end;
        // Ours goes behind the records that are kept; what follows it is left out with it.
        continue;
      }
      const ttl = readU32(message, fields + 4);
      const ttlSeconds = ttl > MAX_TTL_SECONDS ? 0 : ttl;
      if (section === 0) {
        answerTtl = Math.min(answerTtl, ttlSeconds);
        hasAnswer ||= recordType === type || type === TYPE.ANY;
        if (recordType === TYPE.CNAME && type !== TYPE.CNAME && type !== TYPE.ANY) {
          const length = expandName(message, rdataAt, end, NAME, 0);
          if (length < 0) {
            isReadable = false;
            break;
          }
          aliases ??= [];
          aliases.push({ target: NAME.slice(0, length), answers: n + 1 });
        }
      } else if (section === 1 && recordType === TYPE.SOA && end - rdataAt >= 4) {
        // RFC 2308 s5: the lesser of the SOA's own TTL and its MINIMUM.
        const minimum = readU32(message, end - 4);
        negativeTtl = Math.min(ttlSeconds, minimum, MAX_NEGATIVE_TTL_SECONDS);
      }
      at = end;
      if (hasOpt) continue;
      ttlPlaces.push(fields + 4 - questionEnd);
      if (section === 2) additionals++;
      ends[section] = end;
      for (let later = section + 1; later < 3; later++) ends[later] = end;
    }
  }
  if (!isReadable) return { rcode: null, error: null, hasOpt: false };
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return { rcode, error, hasOpt };
  const body = message.slice(questionEnd, ends[2]);
  const ttlAt = ttlPlaces.slice();
  for (const place of ttlAt) if (readU32(body, place) > MAX_TTL_SECONDS) writeU32(body, place, 0);
  const isPositive = rcode === RCODE.NOERROR && hasAnswer;
  return {
    rcode,
    body,
    answers: counts[0],
    authorities: counts[1],
    additionals,
    answerEnd: (ends[0] as number) - questionEnd,
    authorityEnd: (ends[1] as number) - questionEnd,
    ttlAt,
    ttlSeconds: subnet !== null ? 0 : isPositive ? answerTtl : Math.min(answerTtl, negativeTtl),
    isPositive,
    isAuthentic: (readU16(message, 2) & FLAG.AD) !== 0,
    aliases: aliases ?? NO_ALIASES,
    error,
    subnet,
  };
}

export function isBad(reply: Reply | BadReply): reply is BadReply {
  return !('body' in reply);
}

function readOptions(
  message: Uint8Array,
  start: number,
  end: number,
): { error: UpstreamError | null; subnet: Uint8Array | null } {
  let error: UpstreamError | null = null;
  let subnet: Uint8Array | null = null;
  for (let at = start; at + OPTION_HEADER_BYTES <= end; ) {
    const data = at + OPTION_HEADER_BYTES;
    const next = data + readU16(message, at + 2);
    if (next > end) break;
    const code = readU16(message, at);
    if (code === OPTION.clientSubnet) subnet = message.slice(data, next);
    if (code === OPTION.extendedError && next >= data + 2 && error === null) {
      const text = message.slice(data + 2, Math.min(next, data + 2 + MAX_ERROR_TEXT_BYTES));
      error = { code: readU16(message, data), text };
    }
    at = next;
  }
  return { error, subnet };
}

/** The whole message that a reply came as, without OPT, for readers off the query path. */
export function toMessage(reply: Reply, name: Uint8Array, type: number): Uint8Array {
  const head = HEADER_BYTES + name.length + 4;
  const message = new Uint8Array(head + reply.body.length);
  const fields = [0, FLAG.QR | reply.rcode, 1, reply.answers, reply.authorities, reply.additionals];
  for (const [i, value] of fields.entries()) {
    message[2 * i] = value >> 8;
    message[2 * i + 1] = value & 0xff;
  }
  message.set(name, HEADER_BYTES);
  message[head - 4] = type >> 8;
  message[head - 3] = type & 0xff;
  message[head - 1] = 1;
  message.set(reply.body, head);
  return message;
}
