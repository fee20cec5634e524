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
  hasAdditionals,
  isEmptySet,
  nextRrset,
  noteEnd,
  noteLength,
  noteSeconds,
  POLICY,
  rrsetPolicy,
} from '../answers/answer-set.ts';
import { type Random, Selection } from '../answers/selection.ts';
import type { Zone } from '../answers/zone.ts';
import type { Lookup, ZoneSet } from '../answers/zone-set.ts';
import type { Resolver } from '../resolver/resolver.ts';
import type { QueryCounters } from '../telemetry/query-counters.ts';
import { copyBytes, readU16, writeU16 } from '../wire/bytes.ts';
import { EXTENDED_ERROR } from '../wire/edns.ts';
import { FLAG, HEADER_BYTES, POINTER, RCODE, TYPE } from '../wire/header.ts';
import { NameView } from '../wire/names.ts';
import type { Client } from './clients.ts';
import { FIXED_ERRORS, type FixedError } from './extended-error.ts';
import { type FaultKind, FaultTable, type HeldQuery } from './faults.ts';
import { OUTCOME } from './outcome.ts';
import { ASK, GO_ON, Outside, type Told, type Wanted } from './outside.ts';
import { QueryMeter } from './query-meter.ts';
import { ReplyWriter } from './reply-writer.ts';
import { SCREEN_DROP, Screen } from './screen.ts';
import type { LocalTails } from './special-use.ts';

/** `respond`: send nothing. */
export const DROP = 0;
/** `respond`: an upstream has to be asked. */
export const FORWARD = ASK;

/** `#fault`: the query is answered as ever. */
const NO_FAULT = -3;

/** A chain of CNAMEs longer than this is a loop, or might as well be. */
const MAX_CHAIN = 16;
/** Octets of TYPE, CLASS, TTL and RDLENGTH in front of RDATA. */
const RDATA_AT = 10;
/** Offsets from here on are beyond what a pointer can say (RFC 1035 s4.1.4). */
const POINTER_END = 0x4000;

export interface ResponderOptions {
  readonly zones: ZoneSet;
  /** Names of the daemon's own settings: each is a zone of one name; what lies below it is outside. */
  readonly locals: ZoneSet;
  readonly random: Random;
  readonly resolver: Resolver;
  readonly tails: LocalTails;
  /** Of records that upstreams gave, in seconds; null: their own. */
  readonly maxTtlSeconds?: number | null;
  /** Epoch ms; default: the system's. */
  readonly clock?: (() => number) | undefined;
  /** Default: none, until some are put into it. */
  readonly faults?: FaultTable | undefined;
  /** Whether injected delays are waited for; where not, what comes after them comes at once. */
  readonly isDelayed?: boolean | undefined;
  /** Default: nobody else's. */
  readonly counters?: QueryCounters | undefined;
}

const NO_TELLINGS: readonly Told[] = [];

export class Responder {
  readonly #zones: ZoneSet;
  readonly #locals: ZoneSet;
  #selection: Selection;
  readonly #clock: () => number;
  readonly #screen = new Screen();
  readonly #writer: ReplyWriter;
  readonly #outside: Outside;
  readonly #resolver: Resolver;
  readonly #target = new NameView();

  /** Where the reply came from that `respond` or `refuse` has just made: a number of OUTCOME. */
  outcome = OUTCOME.error;
  /** Of the queries that transports bring. */
  readonly meter: QueryMeter;

  /** What queries meet in place of an answer, when they have just come. */
  readonly #faults: FaultTable;
  readonly #isDelayed: boolean;
  #held: HeldQuery | null = null;

  // Of the reply being written.
  #flags = 0;
  #drawn = 0;
  /** Of the CNAMEs followed so far, which choice was drawn. */
  readonly #picks = new Int32Array(MAX_CHAIN);
  #picked = 0;
  #local: Uint8Array | null = null;
  /** The names that the chain has gone through: their sets. */
  readonly #chainBytes: (Uint8Array | null)[] = Array.from({ length: MAX_CHAIN }, () => null);
  readonly #chainSets = new Int32Array(MAX_CHAIN);

  constructor(options: ResponderOptions) {
    const { zones, locals, random, resolver, tails, maxTtlSeconds = null, clock = Date.now, counters } = options;
    this.#faults = options.faults ?? new FaultTable();
    this.#isDelayed = options.isDelayed ?? true;
    this.#zones = zones;
    this.#locals = locals;
    this.#selection = new Selection(random);
    this.#clock = clock;
    this.#resolver = resolver;
    this.#writer = new ReplyWriter(this.#screen, resolver.isOn);
    this.meter = new QueryMeter(this, counters);
    const ours = [zones, locals];
    this.#outside = new Outside({ resolver, writer: this.#writer, ours, tails, maxTtlSeconds, clock });
  }

  /** Of the query that `respond` was given last; 0: it could not be read. */
  get qtype(): number {
    return this.#screen.qtype;
  }

  /** Of the reply that was made last. */
  get rcode(): number {
    return this.#writer.rcode;
  }

  /**
   * @param query the message, in `query[0, length)`
   * @param reply at least 65,535 octets, overwritten
   * @param overTcp whether the reply may take 65,535 octets, or what EDNS and our own 1232 allow
   * @param local octets of the address that was asked; null: not known
   * @param tellings what upstreams have said for this query, where it was to be forwarded
   * @returns the reply's length, DROP, or FORWARD: see `takeWanted`
   */
  respond(
    query: Uint8Array,
    length: number,
    reply: Uint8Array,
    overTcp: boolean,
    local: Uint8Array | null,
    client: Client,
    tellings: readonly Told[] = NO_TELLINGS,
  ): number {
    this.#local = local;
    this.outcome = OUTCOME.error;
    const rcode = this.#screen.read(query, length, overTcp);
    if (rcode === SCREEN_DROP) return DROP;
    this.#writer.begin(query, reply);
    if (rcode !== RCODE.NOERROR) return this.#refusal(rcode, this.#screen.error);
    if (!this.#zones.isFilled) return this.#refusal(RCODE.SERVFAIL, FIXED_ERRORS.notReady);
    // Whatever zone its name is in: it is none that anybody has.
    if (this.#screen.qtype === TYPE.TXT && this.#resolver.loops.receive(query, HEADER_BYTES)) {
      this.outcome = OUTCOME.refused;
      return this.#refusal(RCODE.REFUSED, FIXED_ERRORS.loop);
    }
    // What comes from the relay has met them before.
    if (this.#faults.size > 0 && tellings === NO_TELLINGS) {
      const end = this.#fault(query, overTcp, client);
      if (end !== NO_FAULT) return end;
    }
    return this.#answer(query, reply, client, tellings);
  }

  /** When `respond` has said FORWARD: whether it was for a delay; null: upstreams are to be asked. Taken at once. */
  takeHeld(): HeldQuery | null {
    const held = this.#held;
    this.#held = null;
    return held;
  }

  /** A reply as the fault makes it, to a query that was screened before. @returns the reply's length */
  fault(query: Uint8Array, reply: Uint8Array, overTcp: boolean, kind: FaultKind): number {
    this.#screen.read(query, query.length, overTcp);
    this.#writer.begin(query, reply);
    return this.#carryOut(kind);
  }

  /** From now on. */
  drawBy(random: Random): void {
    this.#selection = new Selection(random);
  }

  /** What the upstreams are to be asked when `respond` says FORWARD. Taken at once: it is of the query just screened. */
  takeWanted(): Wanted & { readonly picks: readonly number[] } {
    return { ...this.#outside.takeWanted(), picks: [...this.#picks.subarray(0, this.#picked)] };
  }

  /** A reply without records, to a query that was screened before. @param outcome of OUTCOME. @returns the reply's length */
  refuse(
    query: Uint8Array,
    reply: Uint8Array,
    overTcp: boolean,
    rcode: number,
    error: FixedError,
    outcome = OUTCOME.failed,
  ): number {
    this.outcome = outcome;
    // Screened again: other queries came between, and the screening's result is this object's state.
    this.#screen.read(query, query.length, overTcp);
    this.#writer.begin(query, reply);
    return this.#refusal(rcode, error);
  }

  /** @returns the reply's length, DROP, FORWARD with `#held` set, or NO_FAULT */
  #fault(query: Uint8Array, overTcp: boolean, client: Client): number {
    const faults = this.#faults;
    if (!faults.find(query, this.#screen.qname, this.#screen.qtype, this.#clock())) return NO_FAULT;
    // Over TCP there is nothing to ask again by.
    const kind = faults.kind === 'truncate' && overTcp ? null : faults.kind;
    this.outcome = OUTCOME.fault;
    if (kind === 'drop') return DROP;
    if (faults.delayMs > 0 && this.#isDelayed) {
      this.#held = { delayMs: faults.delayMs, kind, mayRecurse: client.mayRecurse() };
      return FORWARD;
    }
    return kind === null ? NO_FAULT : this.#carryOut(kind);
  }

  #carryOut(kind: FaultKind): number {
    this.outcome = OUTCOME.fault;
    this.#writer.error.setFixed(FIXED_ERRORS.fault);
    return kind === 'truncate'
      ? this.#writer.finishEmpty(RCODE.NOERROR, FLAG.TC)
      : this.#writer.finishEmpty(RCODE.SERVFAIL, 0);
  }

  #refusal(rcode: number, error: FixedError | null): number {
    if (error !== null) this.#writer.error.setFixed(error);
    return this.#writer.finish(rcode, 0);
  }

  #answer(query: Uint8Array, reply: Uint8Array, client: Client, tellings: readonly Told[]): number {
    const { qtype } = this.#screen;
    const writer = this.#writer;
    this.#picked = 0;
    const before = tellings.at(-1)?.picks;
    // Where the name being answered stands in the reply, for owners to point to, and its labels.
    let ownerAt = HEADER_BYTES;
    let name = this.#screen.qname;
    let message = query;
    for (let links = 0; ; links++) {
      const { zone, bytes, set, apexLabel } = this.#find(message, name);
      if (links === 0) this.#flags = zone === null ? 0 : FLAG.AA;
      if (zone === null) {
        if (links === MAX_CHAIN) return this.#fit(RCODE.NOERROR);
        this.#chainBytes[links] = null;
        const end = this.#outside.answer(message, name, links === 0, this.#flags, client, tellings);
        this.outcome = this.#outside.outcome;
        if (end !== GO_ON) return end;
        ownerAt = this.#outside.ownerAt;
        name = this.#target;
        message = reply;
        if (!this.#readTarget(reply, ownerAt)) return this.#fit(RCODE.NOERROR);
        continue;
      }
      // A chain that leads back to where it was ends where the client's resolver goes on.
      if (this.#isLoop(links, bytes, set)) return this.#fit(RCODE.NOERROR);
      if (set === 0 || isEmptySet(bytes, set)) this.#noteName(message, name, zone);
      if (set === 0) {
        // A name that only leads to a nested zone exists all the same (RFC 8020 s2).
        const rcode = this.#zones.isAboveZone(message, name) ? RCODE.NOERROR : RCODE.NXDOMAIN;
        return this.#negative(rcode, zone, name, apexLabel);
      }
      const cname = isEmptySet(bytes, set) ? 0 : findRrset(bytes, set, TYPE.CNAME);
      const follows = cname !== 0 && qtype !== TYPE.CNAME && qtype !== TYPE.ANY;
      const rrset = follows ? cname : this.#rrsetFor(bytes, set, qtype);
      if (rrset === 0) return this.#negative(RCODE.NOERROR, zone, name, apexLabel);
      this.#noteRrset(bytes, rrset);
      const cnameAt = writer.at;
      const pick = follows ? (before?.[this.#picked] ?? -1) : -1;
      if (!this.#copyRrset(zone, bytes, rrset, ownerAt, reply, pick)) return this.#fit(RCODE.NOERROR, reply.length + 1);
      if (!follows) {
        const answersEnd = writer.at;
        if (hasAdditionals(bytes, rrset)) this.#copyAdditionals(zone, bytes, rrset, ownerAt, reply);
        return this.#fit(RCODE.NOERROR, answersEnd);
      }
      // The CNAME's target stands uncompressed in the reply, behind a two-octet owner and the fixed fields.
      this.#picks[this.#picked++] = this.#selection.picked[0] as number;
      const targetAt = cnameAt + 2 + RDATA_AT;
      ownerAt = targetAt;
      name = this.#target;
      message = reply;
      if (!this.#readTarget(reply, targetAt)) return this.#fit(RCODE.NOERROR);
    }
  }

  /** @returns false where no pointer reaches the whole of it: the client's resolver has to go on from there */
  #readTarget(reply: Uint8Array, at: number): boolean {
    return this.#target.read(reply, at, this.#writer.at) && this.#target.end <= POINTER_END;
  }

  /** Registered names before those of the settings, longest zone first. */
  #find(message: Uint8Array, name: NameView): Lookup {
    const found = this.#zones.find(message, name);
    this.outcome = OUTCOME.zone;
    if (found.zone !== null) return found;
    this.outcome = OUTCOME.local;
    return this.#locals.find(message, name);
  }

  /** Notes one more name of a chain. @returns whether it was there before, or the chain is too long */
  #isLoop(links: number, bytes: Uint8Array, set: number): boolean {
    if (links === MAX_CHAIN) return true;
    for (let i = 0; i < links; i++) if (this.#chainSets[i] === set && this.#chainBytes[i] === bytes) return true;
    this.#chainBytes[links] = bytes;
    this.#chainSets[links] = set;
    return false;
  }

  /** ANY gets one RRset, the first that there is (RFC 8482 s4.1). */
  #rrsetFor(bytes: Uint8Array, set: number, qtype: number): number {
    if (qtype !== TYPE.ANY) {
      const rrset = findRrset(bytes, set, qtype);
      return rrset !== 0 && this.#isThere(bytes, rrset) ? rrset : 0;
    }
    let rrset = firstRrset(set);
    for (let left = bytes[set] as number; left > 0; left--) {
      if (this.#isThere(bytes, rrset)) return rrset;
      rrset = nextRrset(bytes, rrset);
    }
    return 0;
  }

  #isThere(bytes: Uint8Array, rrset: number): boolean {
    return rrsetPolicy(bytes, rrset) !== POLICY.askedOnly || this.#isAsked(bytes, rrset);
  }

  /** Whether the address that was asked is known, and of the RRset's family. */
  #isAsked(bytes: Uint8Array, rrset: number): boolean {
    const tail = choiceAt(bytes, rrset, 0) + CHOICE_HEADER_BYTES + 2;
    return this.#local !== null && readU16(bytes, tail + RDATA_AT - 2) === this.#local.length;
  }

  /**
   * Draws from the RRset and copies what was drawn; false where it would overrun the reply's memory.
   * @param pick the one to take where one is drawn; -1: any
   */
  #copyRrset(zone: Zone, bytes: Uint8Array, rrset: number, ownerAt: number, reply: Uint8Array, pick: number): boolean {
    const policy = rrsetPolicy(bytes, rrset);
    if ((policy === POLICY.asked || policy === POLICY.askedOnly) && this.#isAsked(bytes, rrset)) {
      this.#copyLocal(bytes, rrset, ownerAt, reply);
      return true;
    }
    const table = zone.choicesOf(bytes, rrset);
    const source = table === null ? bytes : table.bytes;
    const count = table === null ? choiceCount(bytes, rrset) : table.count;
    this.#drawn = this.#selection.draw(policy, count);
    const { picked } = this.#selection;
    if (this.#drawn === 1 && pick >= 0 && pick < count) picked[0] = pick;
    const writer = this.#writer;
    let { at, answers } = writer;
    for (let i = 0; i < this.#drawn; i++) {
      const index = picked[i] as number;
      const choice = table === null ? choiceAt(bytes, rrset, index) : table.at(index);
      let from = choice + CHOICE_HEADER_BYTES;
      for (let left = readU16(source, choice); left > 0; left--) {
        const length = readU16(source, from);
        if (at + 2 + length > reply.length) return false;
        writeU16(reply, at, POINTER | ownerAt);
        copyBytes(source, from + 2, length, reply, at + 2);
        at += 2 + length;
        answers++;
        from += 2 + length;
      }
    }
    writer.at = at;
    writer.answers = answers;
    return true;
  }

  /** The address that was asked, in a record like the RRset's own. */
  #copyLocal(bytes: Uint8Array, rrset: number, ownerAt: number, reply: Uint8Array): void {
    const local = this.#local as Uint8Array;
    const tail = choiceAt(bytes, rrset, 0) + CHOICE_HEADER_BYTES + 2;
    writeU16(reply, this.#writer.at, POINTER | ownerAt);
    copyBytes(bytes, tail, RDATA_AT, reply, this.#writer.at + 2);
    copyBytes(local, 0, local.length, reply, this.#writer.at + 2 + RDATA_AT);
    this.#writer.at += 2 + RDATA_AT + local.length;
    this.#writer.answers++;
    this.#drawn = 0;
  }

  /** What there is to say of an RRset besides its records. */
  #noteRrset(bytes: Uint8Array, rrset: number): void {
    const end = this.#screen.edns.present ? noteEnd(bytes, rrset) : 0;
    if (end === 0) return;
    const length = noteLength(bytes, end);
    this.#writer.error.set(EXTENDED_ERROR.other, bytes, end - 1 - length, length);
    const seconds = noteSeconds(bytes, end);
    if (seconds > 0) this.#writer.error.appendAge(Math.max(0, Math.floor(this.#clock() / 1000) - seconds));
  }

  /** What there is to say of a name without records that one may expect to have some. */
  #noteName(message: Uint8Array, name: NameView, zone: Zone): void {
    const entry = this.#screen.edns.present ? zone.findNote(message, name) : 0;
    if (entry === 0) return;
    const { notes } = zone;
    this.#writer.error.set(EXTENDED_ERROR.other, notes.bytes, notes.valueAt(entry), notes.valueLength(entry));
  }

  /** The additional records of the choices just drawn, each one's end noted, so that whole ones can be dropped. */
  #copyAdditionals(zone: Zone, bytes: Uint8Array, rrset: number, ownerAt: number, reply: Uint8Array): void {
    const table = zone.choicesOf(bytes, rrset);
    const source = table === null ? bytes : table.bytes;
    for (let i = 0; i < this.#drawn; i++) {
      const index = this.#selection.picked[i] as number;
      const choice = table === null ? choiceAt(bytes, rrset, index) : table.at(index);
      if (source[choice + 2] === 0) continue;
      let from = choice + CHOICE_HEADER_BYTES;
      for (let left = readU16(source, choice); left > 0; left--) from += 2 + readU16(source, from);
      for (let left = source[choice + 2] as number; left > 0; left--) {
        const prefix = source[from] as number;
        const tail = from + 1 + prefix;
        const length = readU16(source, tail);
        if (this.#writer.at + prefix + 2 + length > this.#writer.room) return;
        copyBytes(source, from + 1, prefix, reply, this.#writer.at);
        writeU16(reply, this.#writer.at + prefix, POINTER | ownerAt);
        copyBytes(source, tail + 2, length, reply, this.#writer.at + prefix + 2);
        this.#writer.at += prefix + 2 + length;
        this.#writer.additionals++;
        from = tail + 2 + length;
      }
    }
  }

  /** A positive answer; where it is too long for the client nothing of it is sent but TC, and TCP has the whole. */
  #fit(rcode: number, answersEnd = this.#writer.at): number {
    const writer = this.#writer;
    if (answersEnd > writer.room) return writer.finishEmpty(rcode, this.#flags | FLAG.TC);
    return writer.finish(rcode, this.#flags);
  }

  /**
   * NODATA or NXDOMAIN, behind a chain of CNAMEs perhaps: the SOA of the zone that says so, whose TTL is the
   * negative TTL (RFC 2308 s3; both are the same here).
   */
  #negative(rcode: number, zone: Zone, name: NameView, apexLabel: number): number {
    const writer = this.#writer;
    const apexSet = zone.apexSet();
    const { bytes } = zone.names;
    const soa = findRrset(bytes, apexSet, TYPE.SOA);
    const tail = choiceAt(bytes, soa, 0) + CHOICE_HEADER_BYTES;
    const length = readU16(bytes, tail);
    const end = writer.at + 2 + length;
    if (end > writer.room) return this.#fit(rcode, end);
    // The apex is a suffix of the name asked for, so its offset there serves as the owner.
    writeU16(writer.bytes, writer.at, POINTER | (name.offsets[apexLabel] as number));
    copyBytes(bytes, tail + 2, length, writer.bytes, writer.at + 2);
    writer.at = end;
    writer.authorities = 1;
    return writer.finish(rcode, this.#flags);
  }
}
