/** EDNS(0), RFC 6891: the OPT pseudo-record of a query read in place, and ours written behind a reply. */
import { copyBytes, readU16, writeU16 } from './bytes.ts';
import { MIN_UDP_BYTES, QUESTION_TAIL_BYTES, TYPE } from './header.ts';
import { skipName } from './names.ts';

/**
 * The largest UDP message that we send and say we take: fits the IPv6 minimum MTU, so no reply is ever fragmented
 * (the value that the DNS flag day of 2020 settled on).
 */
export const UDP_PAYLOAD_BYTES = 1232;
/** Root owner, TYPE, CLASS, TTL, RDLENGTH of an OPT without options. */
export const OPT_BYTES = 11;

/** OPTION-CODEs that are read: client subnet (RFC 7871 s6), extended error (RFC 8914 s2). */
export const OPTION = { clientSubnet: 8, extendedError: 15 } as const;
/** The INFO-CODEs of extended errors that we give (RFC 8914 s4). */
export const EXTENDED_ERROR = {
  other: 0,
  staleAnswer: 3,
  notReady: 14,
  blocked: 15,
  prohibited: 18,
  staleNxdomain: 19,
  notAuthoritative: 20,
  notSupported: 21,
  noReachableAuthority: 22,
} as const;
/** OPTION-CODE, OPTION-LENGTH and INFO-CODE in front of the text. */
const EXTENDED_ERROR_BYTES = 6;
/** OPTION-CODE and OPTION-LENGTH. */
export const OPTION_HEADER_BYTES = 4;

/** FAMILY, SOURCE PREFIX-LENGTH and SCOPE PREFIX-LENGTH in front of a client subnet's address. */
const SUBNET_FIELDS_BYTES = 4;

const FLAG_DO = 0x8000;

/** What a message's records behind the question say about EDNS. Reused between queries. */
export class EdnsView {
  /** An OPT was there, so the reply carries one. */
  present = false;
  version = 0;
  /** The client's UDP payload size, at least 512 (RFC 6891 s6.2.3). */
  payloadBytes = MIN_UDP_BYTES;
  /** The DO bit, copied into the reply (RFC 3225 s3). */
  dnssecOk = false;
  /** Where the client subnet option's data stands (RFC 7871 s6); 0: there is none. */
  subnetAt = 0;
  subnetLength = 0;
  /** There is one that is none (RFC 7871 s6): nothing to us, but not to be sent on. */
  hasBrokenSubnet = false;

  /**
   * Looks for the OPT of a message that is refused for what its header says, behind as many questions as it counts:
   * also such a reply has one where the query has (RFC 6891 s6.1.1). What cannot be walked has none.
   */
  find(bytes: Uint8Array, at: number, limit: number, questions: number, records: number, additionals: number): void {
    this.present = false;
    let i = at;
    for (let question = 0; question < questions; question++) {
      i = skipName(bytes, i, limit);
      if (i < 0 || i + QUESTION_TAIL_BYTES > limit) return;
      i += QUESTION_TAIL_BYTES;
    }
    this.read(bytes, i, limit, records, additionals);
  }

  /**
   * Walks `records` resource records that start at `at` and must end exactly at `limit`, where the last
   * `additionals` of them are the additional section.
   * @returns false when the section overruns, bytes trail, there is more than one OPT, its owner is not the root,
   * or one of its options overruns RDLENGTH (RFC 6891 s6.1.1, s6.1.2)
   */
  read(bytes: Uint8Array, at: number, limit: number, records: number, additionals: number): boolean {
    this.present = false;
    this.version = 0;
    this.payloadBytes = MIN_UDP_BYTES;
    this.dnssecOk = false;
    this.subnetAt = 0;
    this.hasBrokenSubnet = false;
    let i = at;
    for (let record = 0; record < records; record++) {
      const ownerIsRoot = bytes[i] === 0;
      i = skipName(bytes, i, limit);
      if (i < 0 || i + 10 > limit) return false;
      const type = readU16(bytes, i);
      const rdataAt = i + 10;
      const end = rdataAt + readU16(bytes, i + 8);
      if (end > limit) return false;
      if (type === TYPE.OPT && record >= records - additionals) {
        if (this.present || !ownerIsRoot) return false;
        this.present = true;
        this.payloadBytes = Math.max(MIN_UDP_BYTES, readU16(bytes, i + 2));
        this.version = bytes[i + 5] as number;
        this.dnssecOk = (readU16(bytes, i + 6) & FLAG_DO) !== 0;
        // Last: a reply to an OPT with broken options has an OPT all the same (RFC 6891 s6.1.1).
        if (!this.#readOptions(bytes, rdataAt, end)) return false;
      }
      i = end;
    }
    return i === limit;
  }

  #readOptions(bytes: Uint8Array, at: number, end: number): boolean {
    let i = at;
    while (i < end) {
      if (i + OPTION_HEADER_BYTES > end) return false;
      const length = readU16(bytes, i + 2);
      if (readU16(bytes, i) === OPTION.clientSubnet) {
        const isWhole = isSubnet(bytes, i + OPTION_HEADER_BYTES, length, end);
        this.hasBrokenSubnet ||= !isWhole;
        this.subnetAt = isWhole ? i + OPTION_HEADER_BYTES : 0;
        this.subnetLength = length;
      }
      i += OPTION_HEADER_BYTES + length;
    }
    return i === end;
  }
}

/** Whether there are as many octets of an address as the prefix says, since the option goes on to upstreams (RFC 7871 s6). */
function isSubnet(bytes: Uint8Array, at: number, length: number, limit: number): boolean {
  if (length < SUBNET_FIELDS_BYTES || at + length > limit) return false;
  const prefixBits = bytes[at + 2] as number;
  const family = readU16(bytes, at);
  const most = family === 1 ? 32 : family === 2 ? 128 : 0;
  return prefixBits <= most && length === SUBNET_FIELDS_BYTES + Math.ceil(prefixBits / 8);
}

/** Writes our OPT at `at` and returns the octet behind it. `rcode` may be an extended one. */
export function writeOpt(reply: Uint8Array, at: number, rcode: number, dnssecOk: boolean): number {
  reply[at] = 0;
  writeU16(reply, at + 1, TYPE.OPT);
  writeU16(reply, at + 3, UDP_PAYLOAD_BYTES);
  reply[at + 5] = rcode >>> 4;
  reply[at + 6] = 0;
  writeU16(reply, at + 7, dnssecOk ? FLAG_DO : 0);
  writeU16(reply, at + 9, 0);
  return at + OPT_BYTES;
}

/**
 * Adds an option to the OPT that begins at `opt` and ends at `at`.
 * @returns the octet behind it; `at` where it does not fit into `limit`
 */
export function writeOption(
  reply: Uint8Array,
  opt: number,
  at: number,
  limit: number,
  code: number,
  data: Uint8Array,
): number {
  const end = at + OPTION_HEADER_BYTES + data.length;
  if (end > limit) return at;
  writeU16(reply, opt + OPT_BYTES - 2, end - opt - OPT_BYTES);
  writeU16(reply, at, code);
  writeU16(reply, at + 2, data.length);
  copyBytes(data, 0, data.length, reply, at + OPTION_HEADER_BYTES);
  return end;
}

/**
 * Adds an extended error to the OPT that begins at `opt` and ends at `at`, the text shortened or the whole left out
 * where the reply has no room for it (RFC 8914 s3: it must not be the cause of a truncation).
 * @param limit octets that the reply may take; @param text ASCII, `text[0, length)`
 * @returns the octet behind the OPT
 */
export function writeExtendedError(
  reply: Uint8Array,
  opt: number,
  at: number,
  limit: number,
  code: number,
  text: Uint8Array,
  length: number,
): number {
  const room = limit - at - EXTENDED_ERROR_BYTES;
  if (room < 0) return at;
  const kept = Math.min(length, room);
  const end = at + EXTENDED_ERROR_BYTES + kept;
  writeU16(reply, opt + OPT_BYTES - 2, end - opt - OPT_BYTES);
  writeU16(reply, at, OPTION.extendedError);
  writeU16(reply, at + 2, 2 + kept);
  writeU16(reply, at + 4, code);
  copyBytes(text, 0, kept, reply, at + EXTENDED_ERROR_BYTES);
  return end;
}

/** The low four bits, which the header carries. */
export function headerRcode(rcode: number): number {
  return rcode & 0xf;
}
