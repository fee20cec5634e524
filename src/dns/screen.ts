/**
 * What is screened before a query is looked at, in one place (RFC 1035, 5625, 6891, 9619): replies and short headers
 * are dropped, everything else is answered, malformed queries with FORMERR.
 */
import { readU16 } from '../wire/bytes.ts';
import { EdnsView, UDP_PAYLOAD_BYTES } from '../wire/edns.ts';
import {
  CLASS_IN,
  FLAG,
  HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  MIN_UDP_BYTES,
  QUESTION_TAIL_BYTES,
  RCODE,
  TYPE,
} from '../wire/header.ts';
import { NameView } from '../wire/names.ts';
import { FIXED_ERRORS, type FixedError } from './extended-error.ts';

/** Instead of an RCODE: not even an error may be answered. */
export const SCREEN_DROP = -1;

/** One query as it was screened last; reused, so that a query allocates nothing. */
export class Screen {
  /** Where the question was read; its labels otherwise unspecified. */
  readonly qname = new NameView();
  readonly edns = new EdnsView();
  /** 0: the question could not be read. */
  qtype = 0;
  /** The octet behind the question, or behind the header where the question could not be read. */
  questionEnd = 0;
  /** The octets that the client takes over its transport. */
  replyLimit = 0;
  /** What more there is to say of an RCODE other than NOERROR. */
  error: FixedError | null = null;

  /** @returns NOERROR where the query may be looked up, SCREEN_DROP, or the RCODE to answer with */
  read(query: Uint8Array, length: number, overTcp: boolean): number {
    // A reply to a reply would start a loop, and there is no ID to answer to in a short header.
    this.qtype = 0;
    if (length < HEADER_BYTES) return SCREEN_DROP;
    const flags = readU16(query, 2);
    if ((flags & FLAG.QR) !== 0) return SCREEN_DROP;
    this.questionEnd = HEADER_BYTES;
    this.replyLimit = overTcp ? MAX_MESSAGE_BYTES : MIN_UDP_BYTES;
    this.edns.present = false;
    this.error = null;
    const questions = readU16(query, 4);
    const additionals = readU16(query, 10);
    const records = readU16(query, 6) + readU16(query, 8) + additionals;
    // RFC 1035 s4.1.1: what the sections of other opcodes mean is not known here. RFC 9619: exactly one question.
    const isOther = (flags & FLAG.OPCODE) !== 0;
    if (isOther || questions !== 1) {
      this.edns.find(query, HEADER_BYTES, length, questions, records, additionals);
      return isOther ? RCODE.NOTIMP : RCODE.FORMERR;
    }
    if (!this.qname.read(query, HEADER_BYTES, length)) return RCODE.FORMERR;
    const questionEnd = this.qname.end + QUESTION_TAIL_BYTES;
    if (questionEnd > length) return RCODE.FORMERR;
    this.questionEnd = questionEnd;
    this.qtype = readU16(query, this.qname.end);
    if (!this.edns.read(query, questionEnd, length, records, additionals)) return RCODE.FORMERR;
    if (!overTcp) this.replyLimit = Math.min(this.edns.payloadBytes, UDP_PAYLOAD_BYTES);
    if (this.edns.version > 0) return RCODE.BADVERS;
    if (readU16(query, this.qname.end + 2) !== CLASS_IN) {
      this.error = FIXED_ERRORS.class;
      return RCODE.REFUSED;
    }
    // Zone transfers are not ours to give.
    if (this.qtype === TYPE.AXFR || this.qtype === TYPE.IXFR) {
      this.error = FIXED_ERRORS.transfer;
      return RCODE.REFUSED;
    }
    return RCODE.NOERROR;
  }
}
