/**
 * Upstream servers: what is known of each one's speed and health, and the order in which a query asks them. Times are
 * those of `performance.now()`.
 */
import type { SecureRandom } from './random.ts';
import type { SocketBudget } from './socket-budget.ts';
import { UpstreamSockets } from './sockets.ts';

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** How long an upstream of which nothing is known is waited for before another is asked. */
const FIRST_TIMEOUT_MS = 700;
const MIN_TIMEOUT_MS = 150;
export const MAX_TIMEOUT_MS = 900;
/** One that failed is asked again beside a live one after so long, doubled with each failure. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;
/** How often one that is not the fastest is asked beside it, to learn how fast it is now. */
const MEASURE_EVERY_MS = 10_000;
/** RCODEs of no use in a row, such as SERVFAIL, after which the server itself is taken for ill. */
const MAX_REFUSALS = 3;
/** What a server was found not to know is tried again after so long. */
const RELEARN_MS = 600_000;

/** Upper ends of the buckets that useful replies are counted in by how long they took, in seconds. */
export const REPLY_BOUNDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/** What has come of asking an upstream since the start. */
export interface UpstreamFigures extends Address {
  /** Sent to it, over UDP or TCP. */
  readonly queries: number;
  /** Times that it was silent, could not be reached, or gave nothing of use. */
  readonly failures: number;
  /** Useful replies over UDP: of each of REPLY_BOUNDS, and one of those that took longer. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

export class Upstream {
  readonly address: string;
  readonly port: number;
  readonly sockets: UpstreamSockets;
  /** Smoothed round trip; -1: not known yet. */
  rttMs = -1;
  /** It has failed since it last replied. */
  isDown = false;
  /** From when it is tried, or measured, again. */
  retryAtMs = 0;
  failures = 0;
  /** How often what was known of it has been forgotten. */
  #era = 0;
  #queries = 0;
  #failed = 0;
  readonly #buckets = new Array<number>(REPLY_BOUNDS.length + 1).fill(0);
  #sumSeconds = 0;
  #refusals = 0;
  #plainUntilMs = 0;
  #foldsUntilMs = 0;

  /** @param budget of all of the thread's upstreams */
  constructor({ address, port }: Address, random: SecureRandom, budget: SocketBudget) {
    this.address = address;
    this.port = port;
    this.sockets = new UpstreamSockets(address, port, random, budget);
  }

  get figures(): UpstreamFigures {
    const { address, port } = this;
    const buckets = [...this.#buckets];
    return { address, port, queries: this.#queries, failures: this.#failed, buckets, sumSeconds: this.#sumSeconds };
  }

  /** A query goes to it. @returns what is to be handed in with what comes of it */
  asked(): number {
    this.#queries++;
    return this.#era;
  }

  /** As at the start, but for what has been counted. What was asked before and ends later says nothing about it. */
  forget(): void {
    this.#era++;
    this.rttMs = -1;
    this.retryAtMs = 0;
    this.#plainUntilMs = 0;
    this.#foldsUntilMs = 0;
    this.#isBack();
  }

  /** How long it is waited for before another is asked beside it. */
  get timeoutMs(): number {
    if (this.rttMs < 0) return FIRST_TIMEOUT_MS;
    return Math.min(MAX_TIMEOUT_MS, Math.max(MIN_TIMEOUT_MS, 4 * this.rttMs));
  }

  /** Smaller is asked first; what is not known to be fast may be dead. */
  get rank(): number {
    return this.rttMs < 0 ? MAX_TIMEOUT_MS : this.rttMs;
  }

  /** It gave an answer that can be used. */
  succeeded(rttMs: number, era = this.#era): void {
    const seconds = rttMs / 1000;
    const bucket = REPLY_BOUNDS.findIndex((bound) => seconds <= bound);
    const at = bucket === -1 ? REPLY_BOUNDS.length : bucket;
    this.#buckets[at] = (this.#buckets[at] as number) + 1;
    this.#sumSeconds += seconds;
    if (era !== this.#era) return;
    // RFC 6298's smoothing.
    this.rttMs = this.rttMs < 0 ? rttMs : this.rttMs + (rttMs - this.rttMs) / 8;
    this.#isBack();
  }

  /** @param hasEchoed whether the QNAME came back in the case that it was sent in; where nobody can forge, so it is true */
  answeredOverTcp(nowMs: number, hasEchoed: boolean, era = this.#era): void {
    if (era !== this.#era) return;
    if (!hasEchoed) this.#foldsUntilMs = nowMs + RELEARN_MS;
    this.#isBack();
  }

  /** It gave an RCODE that is no answer. */
  refused(nowMs: number, era = this.#era): void {
    this.#failed++;
    if (era !== this.#era) return;
    if (++this.#refusals >= MAX_REFUSALS) this.#fallIll(nowMs);
  }

  lacksEdns(nowMs: number, era = this.#era): void {
    if (era !== this.#era) return;
    this.#plainUntilMs = nowMs + RELEARN_MS;
  }

  /** False: it was found not to know EDNS (RFC 6891 s7). */
  hasEdns(nowMs: number): boolean {
    return nowMs >= this.#plainUntilMs;
  }

  /** False: it was found not to echo the case of the QNAME, so over UDP no reply of it would match. */
  keepsCase(nowMs: number): boolean {
    return nowMs >= this.#foldsUntilMs;
  }

  /** It stayed silent for its time, could not be reached, or gave an answer of no use. */
  failed(nowMs: number, era = this.#era): void {
    this.#failed++;
    if (era !== this.#era) return;
    this.#fallIll(nowMs);
  }

  #fallIll(nowMs: number): void {
    // Many queries may have waited for it; that is one failure.
    if (this.isDown && nowMs < this.retryAtMs) return;
    this.isDown = true;
    this.retryAtMs = nowMs + Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.failures, 10));
    this.failures++;
  }

  #isBack(): void {
    this.isDown = false;
    this.failures = 0;
    this.#refusals = 0;
  }
}

export interface Plan {
  /** In the order in which they are asked, each when the one before has failed or taken too long. */
  readonly order: readonly Upstream[];
  /** How many are asked at once. */
  readonly atOnce: number;
}

/** What a group is asked: all names that no rule names, those below a rule's suffix, or (null) those of one label. */
export type GroupNames = 'all' | { readonly suffix: string | null };

/** The upstreams of one rule. Fastest first; one that is down is asked beside the others now and then. */
export class UpstreamGroup {
  readonly upstreams: readonly Upstream[];
  readonly names: GroupNames;
  /** Those that lead back to this daemon, and are asked nothing but whether they still do. */
  readonly looping = new Set<Upstream>();
  readonly #single: Plan;

  constructor(upstreams: readonly Upstream[], names: GroupNames = 'all') {
    this.upstreams = upstreams;
    this.names = names;
    this.#single = { order: upstreams, atOnce: 1 };
  }

  /** Empty `order`: there is none that could be asked. */
  plan(nowMs: number): Plan {
    const [only] = this.upstreams;
    if (this.upstreams.length === 1 && only !== undefined && this.looping.size === 0) return this.#single;
    const usable = this.looping.size === 0 ? this.upstreams : this.upstreams.filter((one) => !this.looping.has(one));
    const up = usable.filter(({ isDown }) => !isDown).sort((a, b) => a.rank - b.rank);
    const down = usable.filter(({ isDown }) => isDown).sort((a, b) => a.failures - b.failures);
    // Nobody answers: whoever is back first is to be heard at once.
    if (up.length === 0) return { order: down, atOnce: down.length };
    const [first, ...others] = up as [Upstream, ...Upstream[]];
    const beside = [...down, ...others].find(({ retryAtMs }) => retryAtMs <= nowMs);
    if (beside === undefined) return { order: [...up, ...down], atOnce: 1 };
    beside.retryAtMs = nowMs + (beside.isDown ? FIRST_RETRY_MS * 2 ** Math.min(beside.failures, 5) : MEASURE_EVERY_MS);
    return { order: [first, beside, ...[...others, ...down].filter((other) => other !== beside)], atOnce: 2 };
  }
}
