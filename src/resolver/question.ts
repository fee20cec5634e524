/** A question as it is asked of upstreams, and what tells two of them apart. */
import { copyBytes, writeU16 } from '../wire/bytes.ts';
import { OPT_BYTES, OPTION, OPTION_HEADER_BYTES, writeOpt, writeOption } from '../wire/edns.ts';
import { CLASS_IN, FLAG, HEADER_BYTES, QUESTION_TAIL_BYTES } from '../wire/header.ts';
import { FOLD, NameView, nameLength } from '../wire/names.ts';
import type { SecureRandom } from './random.ts';

/** DO as it stands in an OPT's TTL; it joins the header's AD and CD in `bits`. */
export const DNSSEC_OK = 0x8000;

export interface Question {
  /** Wire form, lower case. */
  readonly name: Uint8Array;
  /** Of the name, as NameView gives it. */
  readonly nameHash: number;
  readonly type: number;
  /**
   * What a client says that changes the answer, and is carried over: FLAG.AD, FLAG.CD (RFC 4035 s3.2.2, RFC 6840
   * s5.7) and DNSSEC_OK (RFC 3225).
   */
  readonly bits: number;
  /** Data of the client subnet option (RFC 7871); null: none. An answer to it is for this client, and never kept. */
  readonly subnet: Uint8Array | null;
}

/** @param name wire form, any case */
export function makeQuestion(name: Uint8Array, type: number, bits: number, subnet: Uint8Array | null = null): Question {
  const view = new NameView();
  const folded = Uint8Array.from(name, (byte) => FOLD[byte] as number);
  view.read(folded, 0, folded.length);
  return { name: folded, nameHash: view.hashes[0] as number, type, bits, subnet };
}

/** Equal where the same query in flight serves both. */
export function flightKey({ name, type, bits, subnet }: Question): string {
  const tail = subnet === null ? '' : `/${Buffer.from(subnet).toString('latin1')}`;
  return `${Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')}/${type}/${bits}${tail}`;
}

export function questionEnd({ name }: Question): number {
  return HEADER_BYTES + name.length + QUESTION_TAIL_BYTES;
}

/**
 * A query of our own: RD, one question, its OPT ours (RFC 6891 s6.1.1: hop by hop), so a client's cookie, NSID,
 * keepalive and padding go no further.
 * @param random of the ID and of the QNAME's case, which forged replies have to match (draft-vixie-dnsext-dns0x20)
 * @param keepsCase false: the upstream answers in lower case, so it is asked in lower case
 */
export function buildQuery(question: Question, random: SecureRandom, hasEdns: boolean, keepsCase: boolean): Buffer {
  const { name, type, bits, subnet } = question;
  const end = questionEnd(question);
  const optBytes = hasEdns ? OPT_BYTES + (subnet === null ? 0 : OPTION_HEADER_BYTES + subnet.length) : 0;
  const query = Buffer.allocUnsafe(end + optBytes);
  writeU16(query, 0, random.u16());
  writeU16(query, 2, FLAG.RD | (bits & (FLAG.AD | FLAG.CD)));
  writeU16(query, 4, 1);
  writeU16(query, 6, 0);
  writeU16(query, 8, 0);
  writeU16(query, 10, hasEdns ? 1 : 0);
  copyBytes(name, 0, name.length, query, HEADER_BYTES);
  if (keepsCase) mixCase(query, HEADER_BYTES, random);
  writeU16(query, end - 4, type);
  writeU16(query, end - 2, CLASS_IN);
  if (!hasEdns) return query;
  const optEnd = writeOpt(query, end, 0, (bits & DNSSEC_OK) !== 0);
  if (subnet !== null) writeOption(query, end, optEnd, query.length, OPTION.clientSubnet, subnet);
  return query;
}

/** Turns letters of the lower-case name at `at` upper case, each by the toss of a coin. */
function mixCase(message: Uint8Array, at: number, random: SecureRandom): void {
  const end = at + nameLength(message, at);
  let coins = 0;
  let left = 0;
  for (let label = at; label < end - 1; label += 1 + (message[label] as number)) {
    for (let i = label + (message[label] as number); i > label; i--) {
      const byte = message[i] as number;
      if (byte < 0x61 || byte > 0x7a) continue;
      if (left === 0) {
        coins = random.u32();
        left = 32;
      }
      if ((coins & 1) !== 0) message[i] = byte - 0x20;
      coins >>>= 1;
      left--;
    }
  }
}
