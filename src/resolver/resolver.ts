/**
 * Names outside our zones: who is asked for them, what they were found to be, and the asking itself. One per thread.
 * Identical questions in flight are asked once; an answer that has ended is given when no upstream gives a new one
 * (RFC 8767); one that is asked for often is asked again shortly before it ends.
 */
import { readU32 } from '../wire/bytes.ts';
import { HEADER_BYTES } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { Cache, type Held, matches } from './cache.ts';
import { Exchange, type ExchangeResult, type Failure, isFailure } from './exchange.ts';
import { type LoopSiblings, LoopWatch } from './loop-watch.ts';
import { makeQuestion, type Question, QuestionMap, questionEnd } from './question.ts';
import { SecureRandom } from './random.ts';
import { Reply } from './reply.ts';
import { type Action, type Route, type Rule, Rules } from './rules.ts';
import { SocketBudget } from './socket-budget.ts';
import {
  type Address,
  type GroupNames,
  REPLY_BOUNDS,
  Upstream,
  type UpstreamFigures,
  UpstreamGroup,
} from './upstreams.ts';

export interface ResolverOptions {
  /** Whether anything is forwarded at all. */
  readonly isOn: boolean;
  /** Of names that no rule names; null: those are not forwarded. */
  readonly upstreams: readonly Address[] | null;
  readonly rules: readonly Rule[];
  /** What becomes of names of one label that no rule names; null: what becomes of all others. */
  readonly singleLabel: Action | null;
  /** Octets; 0: nothing is kept. */
  readonly cacheBytes: number;
  /** For how long an ended answer is kept for when no upstream answers. */
  readonly staleSeconds: number;
}

export interface ResolverEvents {
  /** An upstream leads back to this daemon, or does no more. */
  onLoop(upstream: Address, names: GroupNames, isLoop: boolean): void;
  /** Some time after upstreams were asked, and after they have replied or not. */
  onFigures?(figures: ResolverFigures): void;
}

/** Other threads that answer on the same ports, each with a resolver of its own. */
export interface ResolverSiblings extends LoopSiblings {
  /** All of them, who share what the process may open. */
  readonly count: number;
}

/** What was done since the start, and what there is. */
export interface ResolverFigures {
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  readonly upstreams: readonly UpstreamFigures[];
  /** Upper ends of the upstreams' buckets, in seconds. */
  readonly bounds: readonly number[];
}

/** What a client is told. */
export type Outcome =
  | { readonly held: Held; readonly isStale: boolean; readonly failure: null }
  | { readonly held: null; readonly failure: Failure | 'busy' };

/** How a client waits: one among those who asked the same. */
type Waiter = (outcome: Outcome) => void;

interface Flight {
  readonly exchange: Exchange;
  readonly waiters: Waiter[];
  /** Until it has taken long, where there is something stale to be told then. */
  staleTimer: NodeJS.Timeout | undefined;
  /** It has taken long, and who asks is told what there is. */
  isLate: boolean;
  /** What comes of it is not to be kept. */
  isFlushed: boolean;
}

/** Clients that wait for upstreams at once; the next are told SERVFAIL. */
const MAX_WAITING = 10_000;
/** Questions with the upstreams at once. */
const MAX_FLIGHTS = 4000;
/** Beyond so many, what is not yet needed is not asked for. */
const MAX_PREFETCH_FLIGHTS = 1000;
/** RFC 8767 s5: a client is given a stale answer before it gives up. */
const STALE_AFTER_MS = 1800;
/** RFC 8767 s5: how often upstreams that fail are asked for what is answered stale. */
const STALE_RETRY_MS = 30_000;
/** A failure is remembered for so long (RFC 9520 s3.2: at least a second), lest many clients ask for it in a row. */
const FAILURE_MS = 1000;
const MAX_FAILURES = 1000;
/** Figures are told so long after the first of what has changed in them. */
const FIGURES_AFTER_MS = 1000;
/** Asked again in the last tenth of its time, where it has been asked for at least so often before. */
const PREFETCH_PART = 0.1;
const PREFETCH_HITS = 2;

export class Resolver {
  readonly isOn: boolean;
  readonly rules: Rules;
  readonly #cache: Cache;
  readonly #reply = new Reply();
  readonly #random = new SecureRandom();
  readonly #servers = new Map<string, Upstream>();
  readonly #budget: SocketBudget;
  readonly #groups = new Map<Action, UpstreamGroup>();
  readonly #singleLabel: Action | null;
  #isServing = false;
  readonly #flights = new QuestionMap<Flight>();
  readonly #failures = new QuestionMap<{ failure: Failure; untilMs: number }>();
  readonly #loops: LoopWatch;
  readonly #watchesLoops: boolean;
  readonly #onFigures: ((figures: ResolverFigures) => void) | undefined;
  #figuresTimer: NodeJS.Timeout | undefined;
  #default: UpstreamGroup | null;
  #waiting = 0;

  /**
   * @param events null: what is sent does not come back to this thread, so loops are not looked for
   * @param siblings null: there are none
   */
  constructor(options: ResolverOptions, events: ResolverEvents | null, siblings: ResolverSiblings | null = null) {
    this.isOn = options.isOn;
    this.rules = new Rules(options.rules, options.singleLabel);
    this.#cache = new Cache(options.cacheBytes, options.staleSeconds);
    this.#watchesLoops = events !== null;
    this.#onFigures = events?.onFigures?.bind(events);
    this.#budget = new SocketBudget(siblings?.count);
    this.#loops = new LoopWatch(
      this.#random,
      ({ names }, upstream, isLoop) => events?.onLoop(upstream, names, isLoop),
      siblings,
    );
    this.#default = options.upstreams === null ? null : this.#makeGroup(options.upstreams, 'all');
    for (const { suffix, action } of options.rules) {
      if (action.kind === 'ask') this.#groups.set(action, this.#makeGroup(action.upstreams, { suffix }));
    }
    this.#singleLabel = options.singleLabel;
    if (options.singleLabel?.kind === 'ask') this.setUpstreams(options.singleLabel.upstreams, 'single-label');
  }

  /** Other upstreams, from the next question on, for the names that no rule names, or for those of one label. */
  setUpstreams(upstreams: readonly Address[], which: 'default' | 'single-label'): void {
    const before = which === 'default' ? this.#default : this.#groups.get(this.#singleLabel as Action);
    if (before !== undefined && before !== null) this.#loops.forget(before);
    if (which === 'default') this.#default = this.#makeGroup(upstreams, 'all');
    else this.#groups.set(this.#singleLabel as Action, this.#makeGroup(upstreams, { suffix: null }));
    this.checkLoops();
    // What upstreams failed at others may know.
    this.#failures.clear();
  }

  /** Asks each upstream whether it leads back here. */
  checkLoops(): void {
    if (!this.#watchesLoops || !this.#isServing) return;
    for (const group of [...(this.#default === null ? [] : [this.#default]), ...this.#groups.values()]) {
      this.#loops.check(group);
    }
  }

  /** What leads back arrives from now on. */
  serve(): void {
    this.#isServing = true;
    this.checkLoops();
  }

  get loops(): LoopWatch {
    return this.#loops;
  }

  /** Who is asked by that route; null: nobody, the name is not forwarded. */
  groupOf(route: Route): UpstreamGroup | null {
    const { action } = route;
    if (action.kind === 'ask') return this.#groups.get(action) as UpstreamGroup;
    return action.kind === 'default' ? this.#default : null;
  }

  /**
   * What is known of a question without asking, which may be stale where upstreams have just failed.
   * @param nameHash as NameView gives it; @param name wire form in any case, `length` octets at `at`
   */
  find(
    group: UpstreamGroup,
    nameHash: number,
    name: Uint8Array,
    at: number,
    length: number,
    type: number,
    bits: number,
    nowMs: number,
  ): Held | null {
    const cache = this.#cache;
    if (!cache.find(nameHash, name, at, length, type, bits, nowMs)) return null;
    const leftMs = cache.expiresAtMs - nowMs;
    if (leftMs <= 0) return nowMs < cache.staleUntilMs ? cache : null;
    if (leftMs < PREFETCH_PART * (cache.expiresAtMs - cache.storedAtMs)) {
      this.#refresh(group, name.slice(at, at + length), type, bits, nowMs);
    }
    return cache;
  }

  /**
   * When what is known of a question came, when it ended or will, and the TTLs that it came with: of each record of the
   * answer, then of the authority section. Null: nothing is known. @param name lower case
   */
  timesOf(
    name: Uint8Array,
    type: number,
    bits: number,
    nowMs: number,
  ): { storedAtMs: number; expiresAtMs: number; ttls: number[] } | null {
    if (!this.#knows(makeQuestion(name, type, bits), nowMs)) return null;
    const { storedAtMs, expiresAtMs, bytes, at } = this.#cache;
    const reply = this.#reply.read(bytes, at);
    const count = Math.min(reply.ttlCount, reply.answers + reply.authorities);
    const ttls = Array.from({ length: count }, (_, n) => readU32(bytes, reply.bodyAt + reply.ttlPlace(n)));
    return { storedAtMs, expiresAtMs, ttls };
  }

  /** Asks again for the entry found last, where it is asked for often. */
  #refresh(group: UpstreamGroup, name: Uint8Array, type: number, bits: number, nowMs: number): void {
    const cache = this.#cache;
    if (cache.hits <= PREFETCH_HITS || cache.isRefreshing || this.#flights.size >= MAX_PREFETCH_FLIGHTS) return;
    cache.isRefreshing = true;
    this.ask(makeQuestion(name, type, bits), group, nowMs, () => undefined);
  }

  /**
   * @param onOutcome called once, never before this returns
   * @param query the client's, should it be one of our own come back
   */
  ask(
    question: Question,
    group: UpstreamGroup,
    nowMs: number,
    onOutcome: Waiter,
    query: Uint8Array | null = null,
  ): void {
    const flight = this.#flights.get(question);
    const known = this.#withoutAsking(question, flight, nowMs);
    if (known !== null) {
      process.nextTick(onOutcome, known);
      return;
    }
    this.#waiting++;
    if (flight === undefined) {
      this.#start(question, group, nowMs, onOutcome);
      return;
    }
    flight.waiters.push(onOutcome);
    if (query !== null && isOwnQuery(flight, query)) this.checkLoops();
  }

  /** What a client is told at once; null: it has to wait. */
  #withoutAsking(question: Question, flight: Flight | undefined, nowMs: number): Outcome | null {
    if (flight?.isLate) return this.#stale(question, nowMs);
    const failed = this.#failures.size === 0 ? undefined : this.#failures.get(question);
    if (failed !== undefined && nowMs < failed.untilMs) return { held: null, failure: failed.failure };
    const isFull = this.#waiting >= MAX_WAITING || (flight === undefined && this.#flights.size >= MAX_FLIGHTS);
    return isFull ? (this.#stale(question, nowMs) ?? { held: null, failure: 'busy' }) : null;
  }

  /** Forgets a name, perhaps with all below it. @param name text; null: everything. @returns how many answers */
  flush(name: string | null, isBelow: boolean): number {
    this.#failures.clear();
    const wire = name === null ? null : toWireName(name);
    for (const flight of this.#flights.values()) {
      flight.isFlushed ||= wire === null || matches(flight.exchange.question.name, wire, isBelow);
    }
    return this.#cache.flush(wire, isBelow);
  }

  /** As at the start: what was said, who is slow or silent, and who knows what. @returns how many answers */
  reset(): number {
    for (const upstream of this.#servers.values()) upstream.forget();
    return this.flush(null, false);
  }

  /** Of the cache, and of every upstream that was ever named. */
  get figures(): ResolverFigures {
    const upstreams = [...this.#servers.values()].map((upstream) => upstream.figures);
    return { cacheEntries: this.#cache.size, cacheBytes: this.#cache.sizeBytes, upstreams, bounds: REPLY_BOUNDS };
  }

  /** Whether clients wait for upstreams. */
  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  /** Tells whoever waits what there is, or that there is nothing. */
  giveUp(): void {
    const nowMs = Date.now();
    const nothing: Outcome = { held: null, failure: { rcode: null, error: null, isLoop: false } };
    for (const flight of [...this.#flights.values()]) {
      this.#tell(flight, this.#stale(flight.exchange.question, nowMs) ?? nothing);
    }
  }

  close(): void {
    this.#loops.close();
    clearTimeout(this.#figuresTimer);
    for (const { exchange, staleTimer } of this.#flights.values()) {
      exchange.close();
      clearTimeout(staleTimer);
    }
    this.#flights.clear();
    for (const { sockets } of this.#servers.values()) sockets.close();
  }

  #makeGroup(addresses: readonly Address[], names: GroupNames): UpstreamGroup {
    return new UpstreamGroup(
      addresses.map((address) => {
        const key = `${address.address}#${address.port}`;
        const known = this.#servers.get(key) ?? new Upstream(address, this.#random, this.#budget);
        this.#servers.set(key, known);
        return known;
      }),
      names,
    );
  }

  #start(question: Question, group: UpstreamGroup, nowMs: number, waiter: Waiter): void {
    const exchange = new Exchange(question, group, this.#random, (result) => this.#finish(question, result));
    const flight: Flight = { exchange, waiters: [waiter], staleTimer: undefined, isLate: false, isFlushed: false };
    this.#flights.add(question, flight);
    this.#tellFigures();
    if (!this.#knows(question, nowMs)) return;
    flight.staleTimer = setTimeout(() => {
      const stale = this.#stale(question, Date.now());
      if (stale === null) return;
      flight.isLate = true;
      this.#tell(flight, stale);
    }, STALE_AFTER_MS);
  }

  /** Now and then, for when this thread is lost. */
  #tellFigures(): void {
    if (this.#onFigures === undefined || this.#figuresTimer !== undefined) return;
    this.#figuresTimer = setTimeout(() => {
      this.#figuresTimer = undefined;
      this.#onFigures?.(this.figures);
    }, FIGURES_AFTER_MS).unref();
  }

  /** What was known of the question, whether it has ended or not. */
  #stale(question: Question, nowMs: number): Outcome | null {
    const cache = this.#cache;
    if (!this.#knows(question, nowMs)) return null;
    return { held: cache.copy(), isStale: cache.expiresAtMs <= nowMs, failure: null };
  }

  /** The cache's entry found last is then the question's. */
  #knows({ subnet, nameHash, name, type, bits }: Question, nowMs: number): boolean {
    return subnet === null && this.#cache.find(nameHash, name, 0, name.length, type, bits, nowMs);
  }

  #finish(question: Question, result: ExchangeResult): void {
    const flight = this.#flights.get(question);
    if (flight === undefined) return;
    this.#flights.delete(question);
    clearTimeout(flight.staleTimer);
    this.#tellFigures();
    const nowMs = Date.now();
    if (isFailure(result)) {
      this.#fail(flight, question, result, nowMs);
      return;
    }
    const { ttlSeconds, subnetBytes } = this.#reply.read(result, 0);
    // An answer for one subnet is for nobody else.
    const expiresAtMs = question.subnet !== null || subnetBytes > 0 ? nowMs : nowMs + 1000 * ttlSeconds;
    if (question.subnet === null && !flight.isFlushed) this.#cache.put(question, result, nowMs, expiresAtMs);
    const held: Held = { bytes: result, at: 0, storedAtMs: nowMs, expiresAtMs };
    this.#tell(flight, { held, isStale: false, failure: null });
  }

  #fail(flight: Flight, question: Question, failure: Failure, nowMs: number): void {
    if (failure.rcode === null) this.checkLoops();
    const stale = this.#stale(question, nowMs);
    if (stale === null) {
      if (!flight.isFlushed) this.#rememberFailure(question, failure, nowMs);
      this.#tell(flight, { held: null, failure });
      return;
    }
    if (this.#cache.expiresAtMs <= nowMs) this.#cache.staleUntilMs = nowMs + STALE_RETRY_MS;
    this.#tell(flight, stale);
  }

  #tell(flight: Flight, outcome: Outcome): void {
    const waiters = flight.waiters.splice(0);
    this.#waiting -= waiters.length;
    for (const waiter of waiters) waiter(outcome);
  }

  #rememberFailure(question: Question, failure: Failure, nowMs: number): void {
    if (this.#failures.size >= MAX_FAILURES) this.#failures.clear();
    this.#failures.delete(question);
    this.#failures.add(question, { failure, untilMs: nowMs + FAILURE_MS });
  }
}

/** To the case of each letter, which was drawn at random: somebody sends us what we sent. */
function isOwnQuery({ exchange }: Flight, query: Uint8Array): boolean {
  return exchange.queries.some((sent) => {
    for (let i = HEADER_BYTES; i < questionEnd(exchange.question); i++) if (sent[i] !== query[i]) return false;
    return true;
  });
}
