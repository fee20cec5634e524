/**
 * Records of an upstream's reply where they stand behind something else: behind a CNAME of our own zones that leads
 * outside, or without their tail where one of theirs leads into our zones. Their names are written out, since their
 * compression pointers are good behind their own question alone.
 */
import { copyBytes, readU16, writeU16 } from '../wire/bytes.ts';
import { HEADER_BYTES, MAX_MESSAGE_BYTES, POINTER, QUESTION_TAIL_BYTES } from '../wire/header.ts';
import { equalNames, expandName, MAX_NAME_BYTES, nameLength, skipName } from '../wire/names.ts';
import { firstNameAt, namesInRdata } from '../wire/rdata-names.ts';
import type { Reply } from './reply.ts';

const FIELDS_BYTES = 10;
/** Offsets that a pointer cannot say begin here (RFC 1035 s4.1.4). */
const POINTER_END = 0x4000;

export class Chase {
  readonly #message = new Uint8Array(MAX_MESSAGE_BYTES + HEADER_BYTES + MAX_NAME_BYTES + QUESTION_TAIL_BYTES);
  readonly #name = new Uint8Array(MAX_NAME_BYTES);
  #end = 0;
  /** Where the next record to be copied stands. */
  #at = 0;
  /** Where in the reply the last record's RDATA was written. */
  rdataAt = 0;
  /** Where in the reply the last record's TTL was written. */
  ttlAt = 0;

  /** Takes up the records of a reply, the first of its answer section first. @param name that was asked for, in any case */
  begin(reply: Reply, name: Uint8Array, nameAt: number, nameBytes: number): void {
    copyBytes(name, nameAt, nameBytes, this.#message, HEADER_BYTES);
    this.#at = HEADER_BYTES + nameBytes + QUESTION_TAIL_BYTES;
    this.#end = this.#at + reply.bodyBytes;
    copyBytes(reply.bytes, reply.bodyAt, reply.bodyBytes, this.#message, this.#at);
  }

  /**
   * Copies the next record.
   * @param ownerAt where the name stands in `out`, uncompressed, that is pointed to where the record is its own
   * @returns the octet behind the record in `out`, -1 where it does not fit
   */
  copy(out: Uint8Array, at: number, limit: number, ownerAt: number): number {
    const message = this.#message;
    const fields = skipName(message, this.#at, this.#end);
    const rdata = fields + FIELDS_BYTES;
    const end = rdata + readU16(message, fields + 8);
    const ownerBytes = expandName(message, this.#at, fields, this.#name, 0);
    const isOwner =
      ownerAt < POINTER_END &&
      nameLength(out, ownerAt) === ownerBytes &&
      equalNames(out, ownerAt, this.#name, 0, ownerBytes);
    if (at + (isOwner ? 2 : ownerBytes) + FIELDS_BYTES > limit) return -1;
    let to = at;
    if (isOwner) {
      writeU16(out, to, POINTER | ownerAt);
      to += 2;
    } else {
      copyBytes(this.#name, 0, ownerBytes, out, to);
      to += ownerBytes;
    }
    copyBytes(message, fields, FIELDS_BYTES, out, to);
    this.ttlAt = to + 4;
    to += FIELDS_BYTES;
    this.rdataAt = to;
    const parts = namesInRdata(readU16(message, fields));
    let from = rdata;
    if (parts !== null) {
      const skip = firstNameAt(message, parts, rdata, end) - rdata;
      if (to + skip > limit) return -1;
      copyBytes(message, from, skip, out, to);
      from += skip;
      to += skip;
      for (let left = parts.names; left > 0; left--) {
        const length = expandName(message, from, end, this.#name, 0);
        if (to + length > limit) return -1;
        copyBytes(this.#name, 0, length, out, to);
        to += length;
        from = skipName(message, from, end);
      }
    }
    if (to + end - from > limit) return -1;
    copyBytes(message, from, end - from, out, to);
    to += end - from;
    writeU16(out, this.rdataAt - 2, to - this.rdataAt);
    this.#at = end;
    return to;
  }
}
