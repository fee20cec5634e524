/**
 * One query in, one reply out, on bytes alone: nothing is decoded into objects, allocated or awaited, and UDP and
 * TCP share it, so that behaviour cannot differ between them.
 *
 * In outline: the message is screened (RFC 1035, 5625, 6891, 9619); the zone is the longest one that the QNAME ends
 * in; the answer set compiled for the name gives the RRset, whose choices are drawn and copied behind the question,
 * each owner a pointer into it; CNAMEs are followed while they lead into our zones; what does not fit the transport
 * is left out, additional records first and without TC, then the whole answer with TC (RFC 2181 s9).
 */
import {
  CHOICE_HEADER_BYTES,
  choiceAt,
  choiceCount,
  findRrset,
  firstRrset,
  isEmptySet,
  noteEnd,
  noteLength,
  noteSeconds,
  POLICY,
  rrsetPolicy,
} from '../answers/answer-set.ts';
import { type Random, Selection } from '../answers/selection.ts';
import type { Zone, ZoneSet } from '../answers/zone-set.ts';
import { copyBytes, readU16, writeU16 } from '../wire/bytes.ts';
import { EXTENDED_ERROR, headerRcode, OPT_BYTES, writeExtendedError, writeOpt } from '../wire/edns.ts';
import { FLAG, HEADER_BYTES, POINTER, RCODE, TYPE } from '../wire/header.ts';
import { NameView } from '../wire/names.ts';
import { ExtendedError, FIXED_ERRORS, type FixedError } from './extended-error.ts';
import { SCREEN_DROP, Screen } from './screen.ts';

/** `respond`: send nothing. */
export const DROP = 0;
/** `respond`: an upstream has to be asked. */
export const FORWARD = -1;

/** A chain of CNAMEs longer than this is a loop, or might as well be. */
const MAX_CHAIN = 16;
/** Octets of TYPE, CLASS, TTL and RDLENGTH in front of RDATA. */
const RDATA_AT = 10;

export interface ResponderOptions {
  readonly zones: ZoneSet;
  readonly random: Random;
  /** Whether there is an upstream to ask: sets RA, and lets names outside our zones be forwarded. */
  readonly recursionAvailable: boolean;
  /** Epoch ms, for texts that say how long ago something was; default: the system's. */
  readonly clock?: (() => number) | undefined;
}

export class Responder {
  readonly #zones: ZoneSet;
  readonly #selection: Selection;
  readonly #recursionAvailable: boolean;
  readonly #clock: () => number;
  readonly #screen = new Screen();
  readonly #target = new NameView();

  // The reply being written.
  #at = 0;
  #answers = 0;
  #additionalCount = 0;
  #drawn = 0;
  #local: Uint8Array | null = null;
  readonly #error = new ExtendedError();
  /** The names that the chain has gone through: their zones and sets. */
  readonly #chainZones: (Zone | null)[] = Array.from({ length: MAX_CHAIN }, () => null);
  readonly #chainSets = new Int32Array(MAX_CHAIN);

  constructor(options: ResponderOptions) {
    this.#zones = options.zones;
    this.#selection = new Selection(options.random);
    this.#recursionAvailable = options.recursionAvailable;
    this.#clock = options.clock ?? Date.now;
  }

  /**
   * @param query the message, in `query[0, length)`
   * @param reply at least 65,535 octets, overwritten
   * @param overTcp whether the reply may take 65,535 octets, or what EDNS and our own 1232 allow
   * @param local octets of the address that was asked, where the listener is a wildcard
   * @returns the reply's length, DROP or FORWARD
   */
  respond(
    query: Uint8Array,
    length: number,
    reply: Uint8Array,
    overTcp: boolean,
    local: Uint8Array | null = null,
  ): number {
    this.#local = local;
    const rcode = this.#screen.read(query, length, overTcp);
    if (rcode === SCREEN_DROP) return DROP;
    if (rcode !== RCODE.NOERROR) return this.#refusal(query, reply, rcode, this.#screen.error);
    if (!this.#zones.isFilled) return this.#refusal(query, reply, RCODE.SERVFAIL, FIXED_ERRORS.notReady);

    const found = this.#zones.find(query, this.#screen.qname);
    if (found.zone === null) {
      const asksRecursion = (readU16(query, 2) & FLAG.RD) !== 0;
      if (asksRecursion && this.#recursionAvailable) return FORWARD;
      const error = asksRecursion ? FIXED_ERRORS.notForwarded : FIXED_ERRORS.notOurs;
      return this.#refusal(query, reply, RCODE.REFUSED, error);
    }
    return this.#answer(query, reply);
  }

  /**
   * A reply without records to a query that was to be forwarded: REFUSED, SERVFAIL, or with `truncated` the one that
   * sends the client to TCP.
   * @returns the reply's length
   */
  respondEmpty(
    query: Uint8Array,
    length: number,
    reply: Uint8Array,
    overTcp: boolean,
    rcode: number,
    error: FixedError | null,
    truncated = false,
  ): number {
    // Screened again: other queries came between, and the screening's result is this object's state.
    this.#screen.read(query, length, overTcp);
    this.#start(query, reply);
    if (error !== null) this.#error.setFixed(error);
    return this.#finish(query, reply, rcode, false, truncated, 0);
  }

  /** The octet behind the question of the query just screened. */
  get questionEnd(): number {
    return this.#screen.questionEnd;
  }

  /** The octets that the client of the query just screened takes over its transport. */
  get replyLimit(): number {
    return this.#screen.replyLimit;
  }

  #refusal(query: Uint8Array, reply: Uint8Array, rcode: number, error: FixedError | null): number {
    this.#start(query, reply);
    if (error !== null) this.#error.setFixed(error);
    return this.#finish(query, reply, rcode, false, false, 0);
  }

  #start(query: Uint8Array, reply: Uint8Array): void {
    // The question is echoed byte for byte: clients that mix case (0x20) compare it.
    copyBytes(query, 0, this.#screen.questionEnd, reply, 0);
    this.#at = this.#screen.questionEnd;
    this.#answers = 0;
    this.#additionalCount = 0;
    this.#error.clear();
  }

  /** Header and OPT around what has been written; `#at` is the end of the last section that is kept. */
  #finish(
    query: Uint8Array,
    reply: Uint8Array,
    rcode: number,
    authoritative: boolean,
    truncated: boolean,
    authorities: number,
  ): number {
    const asked = readU16(query, 2);
    const hasQuestion = this.#screen.questionEnd > HEADER_BYTES;
    let flags = FLAG.QR | (asked & (FLAG.OPCODE | FLAG.RD | FLAG.CD)) | headerRcode(rcode);
    // RFC 4035 s3 has CD copied, s3.1.6 has it cleared from what is answered with authority.
    if (authoritative) flags = (flags & ~FLAG.CD) | FLAG.AA;
    if (truncated) flags |= FLAG.TC;
    if (this.#recursionAvailable) flags |= FLAG.RA;
    writeU16(reply, 2, flags);
    writeU16(reply, 4, hasQuestion ? 1 : 0);
    writeU16(reply, 6, this.#answers);
    writeU16(reply, 8, authorities);
    writeU16(reply, 10, this.#additionalCount + (this.#screen.edns.present ? 1 : 0));
    if (!this.#screen.edns.present) return this.#at;
    const end = writeOpt(reply, this.#at, rcode, this.#screen.edns.dnssecOk);
    const { code, text, length } = this.#error;
    return code < 0 ? end : writeExtendedError(reply, end, this.#screen.replyLimit, code, text, length);
  }

  #answer(query: Uint8Array, reply: Uint8Array): number {
    this.#start(query, reply);
    const { qtype } = this.#screen;
    // Where the name being answered stands in the reply, for owners to point to, and its labels.
    let ownerAt = HEADER_BYTES;
    let name = this.#screen.qname;
    let message = query;
    for (let links = 0; ; links++) {
      const { zone, set, apexLabel } = this.#zones.find(message, name);
      // A chain that leaves our zones ends where the client's resolver goes on; so does a loop.
      if (zone === null || this.#isLoop(links, zone, set)) return this.#fit(query, reply, RCODE.NOERROR);
      const { bytes } = zone.names;
      if (set === 0 || isEmptySet(bytes, set)) this.#noteName(message, name, zone);
      if (set === 0) {
        // A name that only leads to a nested zone exists all the same (RFC 8020 s2).
        const rcode = this.#zones.isAboveZone(message, name) ? RCODE.NOERROR : RCODE.NXDOMAIN;
        return this.#negative(query, reply, rcode, zone, name, apexLabel);
      }
      const cname = isEmptySet(bytes, set) ? 0 : findRrset(bytes, set, TYPE.CNAME);
      const follows = cname !== 0 && qtype !== TYPE.CNAME && qtype !== TYPE.ANY;
      const rrset = follows ? cname : this.#rrsetFor(bytes, set, qtype);
      if (rrset === 0) return this.#negative(query, reply, RCODE.NOERROR, zone, name, apexLabel);
      this.#noteRrset(bytes, rrset);
      const before = this.#at;
      if (!this.#copyRrset(bytes, rrset, ownerAt, reply)) {
        return this.#fit(query, reply, RCODE.NOERROR, reply.length + 1);
      }
      if (!follows) {
        const answersEnd = this.#at;
        this.#copyAdditionals(bytes, rrset, ownerAt, reply);
        return this.#fit(query, reply, RCODE.NOERROR, answersEnd);
      }
      // The CNAME's target stands uncompressed in the reply, behind a two-octet owner and the fixed fields.
      const targetAt = before + 2 + RDATA_AT;
      ownerAt = targetAt;
      name = this.#target;
      message = reply;
      // MAX_CHAIN CNAMEs end far below the 16,383 octets that a pointer reaches.
      if (!name.read(reply, targetAt, this.#at)) return this.#fit(query, reply, RCODE.SERVFAIL);
    }
  }

  /** Notes one more name of a chain. @returns whether it was there before, or the chain is too long */
  #isLoop(links: number, zone: Zone, set: number): boolean {
    if (links === MAX_CHAIN) return true;
    for (let i = 0; i < links; i++) if (this.#chainSets[i] === set && this.#chainZones[i] === zone) return true;
    this.#chainZones[links] = zone;
    this.#chainSets[links] = set;
    return false;
  }

  /** ANY gets one RRset, the first (RFC 8482 s4.1). */
  #rrsetFor(bytes: Uint8Array, set: number, qtype: number): number {
    if (isEmptySet(bytes, set)) return 0;
    return qtype === TYPE.ANY ? firstRrset(set) : findRrset(bytes, set, qtype);
  }

  /** Draws from the RRset and copies what was drawn; false where it would overrun the reply's memory. */
  #copyRrset(bytes: Uint8Array, rrset: number, ownerAt: number, reply: Uint8Array): boolean {
    const policy = rrsetPolicy(bytes, rrset);
    if (policy === POLICY.asked && this.#copyLocal(bytes, rrset, ownerAt, reply)) return true;
    this.#drawn = this.#selection.draw(policy, choiceCount(bytes, rrset));
    for (let i = 0; i < this.#drawn; i++) {
      const choice = choiceAt(bytes, rrset, this.#selection.picked[i] as number);
      let from = choice + CHOICE_HEADER_BYTES;
      for (let left = readU16(bytes, choice); left > 0; left--) {
        const length = readU16(bytes, from);
        if (this.#at + 2 + length > reply.length) return false;
        writeU16(reply, this.#at, POINTER | ownerAt);
        copyBytes(bytes, from + 2, length, reply, this.#at + 2);
        this.#at += 2 + length;
        this.#answers++;
        from += 2 + length;
      }
    }
    return true;
  }

  /** The address that was asked, in a record like the RRset's own; false where it is of another family, or not known. */
  #copyLocal(bytes: Uint8Array, rrset: number, ownerAt: number, reply: Uint8Array): boolean {
    const local = this.#local;
    const tail = choiceAt(bytes, rrset, 0) + CHOICE_HEADER_BYTES + 2;
    if (local === null || readU16(bytes, tail + RDATA_AT - 2) !== local.length) return false;
    writeU16(reply, this.#at, POINTER | ownerAt);
    copyBytes(bytes, tail, RDATA_AT, reply, this.#at + 2);
    copyBytes(local, 0, local.length, reply, this.#at + 2 + RDATA_AT);
    this.#at += 2 + RDATA_AT + local.length;
    this.#answers++;
    this.#drawn = 0;
    return true;
  }

  /** What there is to say of an RRset besides its records. */
  #noteRrset(bytes: Uint8Array, rrset: number): void {
    const end = this.#screen.edns.present ? noteEnd(bytes, rrset) : 0;
    if (end === 0) return;
    const length = noteLength(bytes, end);
    this.#error.set(EXTENDED_ERROR.other, bytes, end - 1 - length, length);
    const seconds = noteSeconds(bytes, end);
    if (seconds > 0) this.#error.appendAge(Math.max(0, Math.floor(this.#clock() / 1000) - seconds));
  }

  /** What there is to say of a name without records that one may expect to have some. */
  #noteName(message: Uint8Array, name: NameView, zone: Zone): void {
    const entry = this.#screen.edns.present ? zone.findNote(message, name) : 0;
    if (entry === 0) return;
    const { notes } = zone;
    this.#error.set(EXTENDED_ERROR.other, notes.bytes, notes.valueAt(entry), notes.valueLength(entry));
  }

  /** The additional records of the choices just drawn, each one's end noted, so that whole ones can be dropped. */
  #copyAdditionals(bytes: Uint8Array, rrset: number, ownerAt: number, reply: Uint8Array): void {
    for (let i = 0; i < this.#drawn; i++) {
      const choice = choiceAt(bytes, rrset, this.#selection.picked[i] as number);
      let from = choice + CHOICE_HEADER_BYTES;
      for (let left = readU16(bytes, choice); left > 0; left--) from += 2 + readU16(bytes, from);
      for (let left = bytes[choice + 2] as number; left > 0; left--) {
        const prefix = bytes[from] as number;
        const tail = from + 1 + prefix;
        const length = readU16(bytes, tail);
        if (this.#at + prefix + 2 + length > this.#room()) return;
        copyBytes(bytes, from + 1, prefix, reply, this.#at);
        writeU16(reply, this.#at + prefix, POINTER | ownerAt);
        copyBytes(bytes, tail + 2, length, reply, this.#at + prefix + 2);
        this.#at += prefix + 2 + length;
        this.#additionalCount++;
        from = tail + 2 + length;
      }
    }
  }

  /** The end of what may be written in front of the OPT. */
  #room(): number {
    return this.#screen.replyLimit - (this.#screen.edns.present ? OPT_BYTES : 0);
  }

  /** A positive answer; where it is too long for the client nothing of it is sent but TC, and TCP has the whole. */
  #fit(query: Uint8Array, reply: Uint8Array, rcode: number, answersEnd = this.#at): number {
    const truncated = answersEnd > this.#room();
    if (truncated) {
      this.#at = this.#screen.questionEnd;
      this.#answers = 0;
      this.#additionalCount = 0;
    }
    return this.#finish(query, reply, rcode, true, truncated, 0);
  }

  /**
   * NODATA or NXDOMAIN, behind a chain of CNAMEs perhaps: the SOA of the zone that says so, whose TTL is the
   * negative TTL (RFC 2308 s3; both are the same here).
   */
  #negative(
    query: Uint8Array,
    reply: Uint8Array,
    rcode: number,
    zone: Zone,
    name: NameView,
    apexLabel: number,
  ): number {
    const { bytes } = zone.names;
    const soa = findRrset(bytes, zone.apexSet(), TYPE.SOA);
    const tail = choiceAt(bytes, soa, 0) + CHOICE_HEADER_BYTES;
    const length = readU16(bytes, tail);
    const end = this.#at + 2 + length;
    if (end > this.#room()) return this.#fit(query, reply, rcode, end);
    // The apex is a suffix of the name asked for, so its offset there serves as the owner.
    writeU16(reply, this.#at, POINTER | (name.offsets[apexLabel] as number));
    copyBytes(bytes, tail + 2, length, reply, this.#at + 2);
    this.#at = end;
    return this.#finish(query, reply, rcode, true, false, 1);
  }
}
