/**
 * Names outside our zones, as far as they can be answered without waiting: by a rule, or with what the resolver holds
 * of an upstream's reply, whole behind the question or record by record behind a chain of CNAMEs.
 */
import type { ZoneSet } from '../answers/zone-set.ts';
import type { Held } from '../resolver/cache.ts';
import { Chase } from '../resolver/chase.ts';
import { DNSSEC_OK, type Question, questionOf } from '../resolver/question.ts';
import { Reply } from '../resolver/reply.ts';
import type { Outcome, Resolver } from '../resolver/resolver.ts';
import type { UpstreamGroup } from '../resolver/upstreams.ts';
import { copyBytes, readU16, readU32, writeU32 } from '../wire/bytes.ts';
import { FLAG, RCODE, TYPE } from '../wire/header.ts';
import { equalNames, NameView } from '../wire/names.ts';
import type { Client } from './clients.ts';
import { FIXED_ERRORS, type FixedError } from './extended-error.ts';
import { OUTCOME } from './outcome.ts';
import type { ReplyWriter } from './reply-writer.ts';
import { answerLocalhost, denySpecialUse, type LocalTails } from './special-use.ts';

/** `Outside.answer`: upstreams have to be asked. */
export const ASK = -1;
/** `Outside.answer`: the chain of CNAMEs goes on, in our zones. */
export const GO_ON = -2;

/** What was asked of the upstreams for a query, and what came of it. */
export interface Told {
  readonly question: Question;
  readonly outcome: Outcome;
  /** Which of their choices the CNAMEs on the way to it were: a weighted one would lead elsewhere each time. */
  readonly picks?: readonly number[];
}

export interface Wanted {
  readonly question: Question;
  readonly group: UpstreamGroup;
}

export interface OutsideOptions {
  readonly resolver: Resolver;
  readonly writer: ReplyWriter;
  /** Zones of our own, into which a CNAME may lead back. */
  readonly ours: readonly ZoneSet[];
  readonly tails: LocalTails;
  /** Seconds; null: none. */
  readonly maxTtlSeconds: number | null;
  readonly clock: () => number;
}

/** RFC 8767 s5.2: what is answered when it has ended may be kept for so long. */
const STALE_TTL_SECONDS = 30;
const NO_TELLINGS: readonly Told[] = [];

export class Outside {
  readonly #options: OutsideOptions;
  readonly #maxTtl: number;
  readonly #chase = new Chase();
  readonly #reply = new Reply();
  readonly #target = new NameView();
  #wanted: Wanted | null = null;
  /** Where the name that the chain goes on with stands in the reply. */
  ownerAt = 0;
  /** Where what `answer` has just said came from: a number of OUTCOME. */
  outcome = OUTCOME.refused;

  constructor(options: OutsideOptions) {
    this.#options = options;
    this.#maxTtl = options.maxTtlSeconds ?? 0x7fff_ffff;
  }

  /** What `answer` wants to be asked when it says ASK. */
  takeWanted(): Wanted {
    const wanted = this.#wanted;
    if (wanted === null) throw new Error('nothing is wanted of the upstreams');
    this.#wanted = null;
    return wanted;
  }

  /**
   * Answers, or goes on with an answer.
   * @param name in `message`, which is the query or, behind a CNAME, the reply; the name stands there uncompressed
   * @param isFirst the name is the QNAME
   * @param flags FLAG.AA where the reply began in our zones
   * @param tellings what upstreams have said for this query
   * @returns the reply's length, ASK, or GO_ON with `ownerAt` set
   */
  answer(
    message: Uint8Array,
    name: NameView,
    isFirst: boolean,
    flags: number,
    client: Client,
    tellings: readonly Told[] = NO_TELLINGS,
  ): number {
    const { resolver, writer, tails, ours } = this.#options;
    const { query, screen } = writer;
    this.outcome = OUTCOME.refused;
    const asked = readU16(query, 2);
    if ((asked & FLAG.RD) === 0) return this.#leave(isFirst, flags, FIXED_ERRORS.notOurs);
    if (!resolver.isOn) return this.#leave(isFirst, flags, FIXED_ERRORS.notForwarded);
    if (!client.mayRecurse()) return this.#leave(isFirst, flags, FIXED_ERRORS.clientRefused);
    const at = name.offsets[0] as number;
    const route = resolver.rules.find(message, name);
    const { kind } = route.action;
    if (kind === 'refuse') return this.#leave(isFirst, flags, FIXED_ERRORS.refusedByRule);
    const localFlags = isFirst ? FLAG.AA : flags;
    this.outcome = OUTCOME.rule;
    if (kind === 'localhost') return answerLocalhost(writer, tails, name, route.label, localFlags);
    if (kind === 'nxdomain') {
      // A name that leads to one of our zones exists all the same (RFC 8020 s2).
      const isAbove = isAboveZone(ours, message, name);
      return denySpecialUse(writer, tails, name, route.label, localFlags, isAbove);
    }
    const group = resolver.groupOf(route);
    if (group === null) {
      this.outcome = OUTCOME.refused;
      return this.#leave(isFirst, flags, FIXED_ERRORS.notForwarded);
    }

    // RFC 7871 s6.
    this.outcome = OUTCOME.error;
    if (screen.edns.hasBrokenSubnet) return writer.finishEmpty(RCODE.FORMERR, 0);

    const bits = (asked & (FLAG.AD | FLAG.CD)) | (screen.edns.dnssecOk ? DNSSEC_OK : 0);
    const told = find(tellings, message, at, name.end - at);
    if (told !== null) {
      this.outcome = told.held === null ? OUTCOME.failed : told.isStale ? OUTCOME.stale : OUTCOME.upstream;
      if (told.held === null) return this.#fail(told.failure);
      return this.#copy(told.held, told.isStale, isFirst, flags, message, name);
    }
    const nowMs = this.#options.clock();
    const hash = name.hashes[0] as number;
    // An answer for one subnet is for nobody else.
    const held =
      screen.edns.subnetAt > 0
        ? null
        : resolver.find(group, hash, message, at, name.end - at, screen.qtype, bits, nowMs);
    if (held !== null) {
      this.outcome = held.expiresAtMs <= nowMs ? OUTCOME.stale : OUTCOME.cache;
      return this.#copy(held, held.expiresAtMs <= nowMs, isFirst, flags, message, name);
    }
    const { subnetAt, subnetLength } = screen.edns;
    const subnet = subnetAt === 0 ? null : query.slice(subnetAt, subnetAt + subnetLength);
    this.#wanted = { question: questionOf(message, name, screen.qtype, bits, subnet), group };
    return ASK;
  }

  /** Not looked up: what there is of a chain stands, and the client's resolver goes on from there. */
  #leave(isFirst: boolean, flags: number, error: FixedError): number {
    const { writer } = this.#options;
    if (!isFirst) return writer.fit(RCODE.NOERROR, flags);
    writer.error.setFixed(error);
    return writer.finish(RCODE.REFUSED, 0);
  }

  #fail(failure: NonNullable<Outcome['failure']>): number {
    const { writer } = this.#options;
    writer.clear();
    if (failure === 'busy') writer.error.setFixed(FIXED_ERRORS.busy);
    else if (failure.isLoop) writer.error.setFixed(FIXED_ERRORS.loop);
    else if (failure.error !== null)
      writer.error.set(failure.error.code, failure.error.text, 0, failure.error.text.length);
    else writer.error.setFixed(failure.rcode === null ? FIXED_ERRORS.upstreamsSilent : FIXED_ERRORS.upstreamsFailed);
    return writer.finish(RCODE.SERVFAIL, 0);
  }

  #copy(held: Held, isStale: boolean, isFirst: boolean, flags: number, message: Uint8Array, name: NameView): number {
    const { writer } = this.#options;
    const reply = this.#reply.read(held.bytes, held.at);
    const { bytes, subnetAt, subnetBytes } = reply;
    if (writer.screen.edns.subnetAt > 0 && subnetBytes > 0) {
      writer.subnet = bytes.slice(subnetAt, subnetAt + subnetBytes);
    }
    this.#noteReply(reply, isStale);
    // Whole seconds since it came; -1: it is stale.
    const ageSeconds = isStale ? -1 : Math.max(0, Math.floor((this.#options.clock() - held.storedAtMs) / 1000));
    const into = reply.aliasCount === 0 ? 0 : this.#aliasIntoOurs(reply);
    if (isFirst && into === 0) return this.#copyWhole(reply, ageSeconds);
    return this.#copyRecords(reply, ageSeconds, into, flags, message, name);
  }

  #noteReply({ bytes, rcode, errorCode, errorAt, errorBytes }: Reply, isStale: boolean): void {
    const { error } = this.#options.writer;
    if (isStale) error.setFixed(rcode === RCODE.NXDOMAIN ? FIXED_ERRORS.staleNxdomain : FIXED_ERRORS.staleAnswer);
    else if (errorCode >= 0) error.set(errorCode, bytes, errorAt, errorBytes);
  }

  /** How many records of the answer there are up to a CNAME that leads into our zones; 0: none does. */
  #aliasIntoOurs({ bytes, aliasCount, aliasesAt }: Reply): number {
    let at = aliasesAt;
    for (let left = aliasCount; left > 0; left--) {
      const length = bytes[at + 2] as number;
      this.#target.read(bytes, at + 3, at + 3 + length);
      for (const zones of this.#options.ours)
        if (zones.find(bytes, this.#target).zone !== null) return readU16(bytes, at);
      at += 3 + length;
    }
    return 0;
  }

  /** Section by section in the upstream's own octets; what does not fit is left out from the end (RFC 2181 s9). */
  #copyWhole(reply: Reply, ageSeconds: number): number {
    const { writer } = this.#options;
    const { edns } = writer.screen;
    const room = writer.room - writer.at;
    let length = reply.bodyBytes;
    let { authorities, additionals } = reply;
    if (length > room) {
      length = reply.authorityEnd;
      additionals = 0;
    }
    if (length > room && reply.isPositive) {
      length = reply.answerEnd;
      authorities = 0;
    }
    if (length > room) return writer.finishEmpty(reply.rcode, FLAG.TC);
    const { bytes, at } = writer;
    copyBytes(reply.bytes, reply.bodyAt, length, bytes, at);
    for (let n = 0; n < reply.ttlCount; n++) {
      const place = reply.ttlPlace(n);
      if (place >= length) break;
      writeU32(bytes, at + place, this.#ttl(readU32(bytes, at + place), ageSeconds));
    }
    writer.at += length;
    writer.answers = reply.answers;
    writer.authorities = authorities;
    writer.additionals = additionals;
    // RFC 6840 s5.8: AD is for who asks for it.
    const wantsAd = edns.dnssecOk || (readU16(writer.query, 2) & FLAG.AD) !== 0;
    return writer.finish(reply.rcode, reply.isAuthentic && wantsAd && ageSeconds >= 0 ? FLAG.AD : 0);
  }

  /** Record by record behind what is there, up to the CNAME that leads into our zones (`into`) or to the end. */
  #copyRecords(
    reply: Reply,
    ageSeconds: number,
    into: number,
    flags: number,
    message: Uint8Array,
    name: NameView,
  ): number {
    const { writer } = this.#options;
    const { bytes, room } = writer;
    const chase = this.#chase;
    const nameAt = name.offsets[0] as number;
    chase.begin(reply, message, nameAt, name.end - nameAt);
    let ownerAt = nameAt;
    const count = into > 0 ? into : reply.answers;
    const authorities = reply.isPositive || into > 0 ? 0 : reply.authorities;
    for (let i = 0; i < count + authorities; i++) {
      const end = chase.copy(bytes, writer.at, room, ownerAt);
      if (end < 0) return writer.finishEmpty(reply.rcode, flags | FLAG.TC);
      writer.at = end;
      writeU32(bytes, chase.ttlAt, this.#ttl(readU32(bytes, chase.ttlAt), ageSeconds));
      if (i < count) writer.answers++;
      else writer.authorities++;
      if (i < count && readU16(bytes, chase.ttlAt - 4) === TYPE.CNAME) ownerAt = chase.rdataAt;
    }
    // What stands in front of them may be too long by itself.
    if (into === 0) return writer.fit(reply.rcode, flags);
    this.ownerAt = ownerAt;
    return GO_ON;
  }

  #ttl(ttl: number, ageSeconds: number): number {
    const left = ageSeconds < 0 ? STALE_TTL_SECONDS : Math.max(0, ttl - ageSeconds);
    return Math.min(left, this.#maxTtl);
  }
}

// Not a closure in `answer`: for what it refers to, each call would allocate a context.
function isAboveZone(ours: readonly ZoneSet[], message: Uint8Array, name: NameView): boolean {
  return ours.some((zones) => zones.isAboveZone(message, name));
}

function find(tellings: readonly Told[], message: Uint8Array, at: number, length: number): Outcome | null {
  for (const { question, outcome } of tellings) {
    if (question.name.length === length && equalNames(question.name, 0, message, at, length)) return outcome;
  }
  return null;
}
