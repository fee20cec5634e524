/** The reply that is being written: what stands around its records, whatever they are. Reused between queries. */
import { copyBytes, readU16, writeU16 } from '../wire/bytes.ts';
import {
  headerRcode,
  OPT_BYTES,
  OPTION,
  OPTION_HEADER_BYTES,
  writeExtendedError,
  writeOpt,
  writeOption,
} from '../wire/edns.ts';
import { FLAG, HEADER_BYTES } from '../wire/header.ts';
import { ExtendedError } from './extended-error.ts';
import type { Screen } from './screen.ts';

export class ReplyWriter {
  readonly screen: Screen;
  readonly error = new ExtendedError();
  query: Uint8Array = new Uint8Array(0);
  bytes: Uint8Array = this.query;
  /** The octet behind the last section that is kept. */
  at = 0;
  answers = 0;
  authorities = 0;
  additionals = 0;
  /** Of the reply that was finished last. */
  rcode = 0;
  /** Data of the client subnet option that goes back (RFC 7871 s7.2.1); null: none. */
  subnet: Uint8Array | null = null;
  readonly #recursionAvailable: boolean;

  constructor(screen: Screen, recursionAvailable: boolean) {
    this.screen = screen;
    this.#recursionAvailable = recursionAvailable;
  }

  /** Begins the reply to the query that was screened last. */
  begin(query: Uint8Array, reply: Uint8Array): void {
    this.query = query;
    this.bytes = reply;
    // The question is echoed byte for byte: clients that mix case (0x20) compare it.
    copyBytes(query, 0, this.screen.questionEnd, reply, 0);
    this.clear();
  }

  /** Nothing but the question. */
  clear(): void {
    this.at = this.screen.questionEnd;
    this.answers = 0;
    this.authorities = 0;
    this.additionals = 0;
    this.subnet = null;
    this.error.clear();
  }

  /** The end of what may be written in front of the OPT. */
  get room(): number {
    const { edns, replyLimit } = this.screen;
    if (!edns.present) return replyLimit;
    return replyLimit - OPT_BYTES - (this.subnet === null ? 0 : OPTION_HEADER_BYTES + this.subnet.length);
  }

  /**
   * Header and OPT around what has been written.
   * @param flags FLAG.AA, FLAG.TC, FLAG.AD
   * @returns the reply's length
   */
  finish(rcode: number, flags: number): number {
    const { bytes, screen } = this;
    this.rcode = rcode;
    const asked = readU16(this.query, 2);
    let all = FLAG.QR | (asked & (FLAG.OPCODE | FLAG.RD | FLAG.CD)) | headerRcode(rcode) | flags;
    // RFC 4035 s3 has CD copied, s3.1.6 has it cleared from what is answered with authority.
    if ((flags & FLAG.AA) !== 0) all &= ~FLAG.CD;
    if (this.#recursionAvailable) all |= FLAG.RA;
    writeU16(bytes, 2, all);
    writeU16(bytes, 4, screen.questionEnd > HEADER_BYTES ? 1 : 0);
    writeU16(bytes, 6, this.answers);
    writeU16(bytes, 8, this.authorities);
    writeU16(bytes, 10, this.additionals + (screen.edns.present ? 1 : 0));
    if (!screen.edns.present) return this.at;
    const opt = this.at;
    let end = writeOpt(bytes, opt, rcode, screen.edns.dnssecOk);
    if (this.subnet !== null) {
      end = writeOption(bytes, opt, end, screen.replyLimit, OPTION.clientSubnet, this.subnet);
    }
    const { code, text, length } = this.error;
    return code < 0 ? end : writeExtendedError(bytes, opt, end, screen.replyLimit, code, text, length);
  }

  /** As `finish`; where it is too long for the client nothing of it is sent but TC, and TCP has the whole. */
  fit(rcode: number, flags: number): number {
    return this.at > this.room ? this.finishEmpty(rcode, flags | FLAG.TC) : this.finish(rcode, flags);
  }

  /** Nothing but the question, with an RCODE or TC. */
  finishEmpty(rcode: number, flags: number): number {
    this.at = this.screen.questionEnd;
    this.answers = 0;
    this.authorities = 0;
    this.additionals = 0;
    return this.finish(rcode, flags);
  }
}
