/**
 * Whether an upstream leads back to this daemon: each is sent a question of the kind that it is asked, which nobody else
 * would ask, and should that come in as a client's query, there is a loop. One that loops is asked nothing else of that
 * kind, and asked again whether it still does.
 */
import { createHmac } from 'node:crypto';
import { TYPE } from '../wire/header.ts';
import { MAX_NAME_BYTES, toWireName } from '../wire/names.ts';
import { buildQuery, makeQuestion, questionEnd } from './question.ts';
import type { SecureRandom } from './random.ts';
import type { Upstream, UpstreamGroup } from './upstreams.ts';

/**
 * For upstreams of all names: below a name that resolvers on the way take for an ordinary one (RFC 6761 s6.5), and that
 * no site keeps for itself, as it does `internal`.
 */
const ORDINARY_SUFFIX = 'cloudmapd.example';
const LABEL = 'loop-';
const NONCE_HEX = 16;
/** Of the nonce, drawn at random; among several threads the rest is made of it and of their key. */
const DRAWN_HEX = 8;
const LABEL_BYTES = LABEL.length + NONCE_HEX;
/** A probe that has not come back by then does not. */
const PROBE_MS = 3000;
/** Between two probes of one upstream. */
const MIN_INTERVAL_MS = 10_000;
/** Probes of siblings that are remembered as told, lest one that is sent again and again floods the main thread. */
const MAX_TOLD = 256;

/** Other threads of the daemon, at any of which a probe may come in. */
export interface LoopSiblings {
  /** Known to all of them. */
  readonly loopKey: Uint8Array;
  /** Another one's probe came in: it is to be `heard` there. */
  onProbe(nonce: string): void;
}

interface Probe {
  readonly group: UpstreamGroup;
  readonly upstream: Upstream;
  readonly takeBack: () => void;
  hasReturned: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class LoopWatch {
  readonly #random: SecureRandom;
  readonly #onChange: (group: UpstreamGroup, upstream: Upstream, isLoop: boolean) => void;
  readonly #siblings: LoopSiblings | null;
  readonly #told = new Set<string>();
  readonly #probes = new Map<string, Probe>();
  /** When each was probed last. */
  readonly #checkedAtMs = new WeakMap<UpstreamGroup, Map<Upstream, number>>();
  readonly #timers = new Map<NodeJS.Timeout, UpstreamGroup>();

  /** @param siblings null: what leads back comes in here */
  constructor(
    random: SecureRandom,
    onChange: (group: UpstreamGroup, upstream: Upstream, isLoop: boolean) => void,
    siblings: LoopSiblings | null = null,
  ) {
    this.#random = random;
    this.#onChange = onChange;
    this.#siblings = siblings;
  }

  /** Probes the upstreams of a group, none of them twice in ten seconds. */
  check(group: UpstreamGroup): void {
    for (const upstream of group.upstreams) this.#probe(group, upstream);
  }

  /** It is asked nothing any more. */
  forget(group: UpstreamGroup): void {
    for (const [timer, of] of this.#timers) {
      if (of !== group) continue;
      clearTimeout(timer);
      this.#timers.delete(timer);
    }
  }

  #probe(group: UpstreamGroup, upstream: Upstream): void {
    const checked = this.#checkedAtMs.get(group) ?? new Map<Upstream, number>();
    this.#checkedAtMs.set(group, checked);
    const nowMs = performance.now();
    if (nowMs - (checked.get(upstream) ?? -MIN_INTERVAL_MS) < MIN_INTERVAL_MS) return;
    checked.set(upstream, nowMs);
    const drawn = hex(this.#random.u32());
    const nonce = drawn + (this.#siblings === null ? hex(this.#random.u32()) : tagOf(drawn, this.#siblings));
    const suffix = toWireName(suffixOf(group));
    if (1 + LABEL_BYTES + suffix.length > MAX_NAME_BYTES) return;
    const question = makeQuestion(Buffer.concat([toWireName(LABEL + nonce).subarray(0, -1), suffix]), TYPE.TXT, 0);
    const takeBack = upstream.sockets.send({
      query: buildQuery(question, this.#random, true, false),
      questionEnd: questionEnd(question),
      onReply: () => undefined,
      onOtherCase: () => undefined,
      onForgery: () => undefined,
      onError: () => undefined,
    });
    const probe: Probe = { group, upstream, takeBack, hasReturned: false, timer: undefined };
    probe.timer = setTimeout(() => this.#end(nonce), PROBE_MS);
    this.#probes.set(nonce, probe);
  }

  /**
   * Told of queries of type TXT. @param message has the name in wire form, uncompressed, at `at`
   * @returns whether it was a probe of ours, or of a sibling, who is told
   */
  receive(message: Uint8Array, at: number): boolean {
    if ((this.#probes.size === 0 && this.#siblings === null) || message[at] !== LABEL_BYTES) return false;
    const label = Buffer.from(message.subarray(at + 1, at + 1 + LABEL_BYTES))
      .toString('latin1')
      .toLowerCase();
    if (!label.startsWith(LABEL)) return false;
    const nonce = label.slice(LABEL.length);
    return this.heard(nonce) || this.#tellSiblings(nonce);
  }

  /** The probe with that nonce came in, here or at a sibling. @returns whether it is under way from here */
  heard(nonce: string): boolean {
    const probe = this.#probes.get(nonce);
    if (probe === undefined) return false;
    probe.hasReturned = true;
    this.#set(probe, true);
    return true;
  }

  /** @returns whether it is a probe of a sibling, or was one */
  #tellSiblings(nonce: string): boolean {
    const siblings = this.#siblings;
    if (siblings === null || nonce.slice(DRAWN_HEX) !== tagOf(nonce.slice(0, DRAWN_HEX), siblings)) return false;
    if (this.#told.has(nonce)) return true;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
    this.#told.add(nonce);
    siblings.onProbe(nonce);
    return true;
  }

  close(): void {
    for (const { takeBack, timer } of this.#probes.values()) {
      takeBack();
      clearTimeout(timer);
    }
    this.#probes.clear();
    for (const timer of this.#timers.keys()) clearTimeout(timer);
    this.#timers.clear();
  }

  #end(nonce: string): void {
    const probe = this.#probes.get(nonce);
    if (probe === undefined) return;
    this.#probes.delete(nonce);
    probe.takeBack();
    const { group, upstream } = probe;
    if (!probe.hasReturned) this.#set(probe, false);
    if (!group.looping.has(upstream)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#probe(group, upstream);
    }, MIN_INTERVAL_MS).unref();
    this.#timers.set(timer, group);
  }

  #set({ group, upstream }: Probe, isLoop: boolean): void {
    if (group.looping.has(upstream) === isLoop) return;
    if (isLoop) group.looping.add(upstream);
    else group.looping.delete(upstream);
    this.#onChange(group, upstream, isLoop);
  }
}

/** What the names end in that the group is asked. */
function suffixOf({ names }: UpstreamGroup): string {
  if (names === 'all' || names.suffix === '') return ORDINARY_SUFFIX;
  return names.suffix ?? '';
}

/** What nobody can put behind eight digits without the key. */
function tagOf(drawn: string, { loopKey }: LoopSiblings): string {
  return createHmac('sha256', loopKey)
    .update(drawn)
    .digest('hex')
    .slice(0, NONCE_HEX - DRAWN_HEX);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
