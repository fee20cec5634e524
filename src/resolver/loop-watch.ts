/**
 * Whether an upstream leads back to this daemon: each is sent a question that nobody else would ask, and should that
 * come in as a client's query, there is a loop. One that loops is asked nothing else, and asked again whether it still
 * does.
 */

import { TYPE } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { buildQuery, makeQuestion, questionEnd } from './question.ts';
import type { SecureRandom } from './random.ts';
import type { Upstream } from './upstreams.ts';

/** A resolver on the way takes it for an ordinary name, and forwards it. */
const SUFFIX = 'loop-check.cloudmapd.internal';
const SUFFIX_WIRE = toWireName(SUFFIX);
const NONCE_HEX = 16;
/** A probe that has not come back by then does not. */
const PROBE_MS = 3000;
/** Between two probes of one upstream. */
const MIN_INTERVAL_MS = 10_000;

interface Probe {
  readonly upstream: Upstream;
  readonly takeBack: () => void;
  hasReturned: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class LoopWatch {
  readonly #random: SecureRandom;
  readonly #onChange: (upstream: Upstream) => void;
  readonly #probes = new Map<string, Probe>();
  readonly #checkedAtMs = new WeakMap<Upstream, number>();
  readonly #timers = new Map<Upstream, NodeJS.Timeout>();

  constructor(random: SecureRandom, onChange: (upstream: Upstream) => void) {
    this.#random = random;
    this.#onChange = onChange;
  }

  check(upstream: Upstream): void {
    const nowMs = Date.now();
    if (nowMs - (this.#checkedAtMs.get(upstream) ?? 0) < MIN_INTERVAL_MS) return;
    this.#checkedAtMs.set(upstream, nowMs);
    const nonce = `${hex(this.#random.u32())}${hex(this.#random.u32())}`;
    const question = makeQuestion(toWireName(`${nonce}.${SUFFIX}`), TYPE.TXT, 0);
    const query = buildQuery(question, this.#random, true, false);
    const takeBack = upstream.sockets.send({
      query,
      questionEnd: questionEnd(question),
      onReply: () => undefined,
      onOtherCase: () => undefined,
      onForgery: () => undefined,
      onError: () => undefined,
    });
    const probe: Probe = { upstream, takeBack, hasReturned: false, timer: undefined };
    probe.timer = setTimeout(() => this.#end(nonce), PROBE_MS);
    this.#probes.set(nonce, probe);
  }

  /**
   * Told of queries of type TXT. @param name wire form, uncompressed, at `at`, `length` octets
   * @returns whether it was a probe of ours
   */
  receive(message: Uint8Array, at: number, length: number): boolean {
    if (length !== 1 + NONCE_HEX + SUFFIX_WIRE.length || message[at] !== NONCE_HEX) return false;
    const nonce = Buffer.from(message.subarray(at + 1, at + 1 + NONCE_HEX))
      .toString('latin1')
      .toLowerCase();
    const probe = this.#probes.get(nonce);
    if (probe === undefined) return false;
    probe.hasReturned = true;
    this.#set(probe.upstream, true);
    return true;
  }

  close(): void {
    for (const { takeBack, timer } of this.#probes.values()) {
      takeBack();
      clearTimeout(timer);
    }
    this.#probes.clear();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #end(nonce: string): void {
    const probe = this.#probes.get(nonce);
    if (probe === undefined) return;
    this.#probes.delete(nonce);
    probe.takeBack();
    const { upstream } = probe;
    if (!probe.hasReturned) this.#set(upstream, false);
    if (!upstream.isLoop) return;
    this.#timers.set(upstream, setTimeout(() => this.check(upstream), MIN_INTERVAL_MS).unref());
  }

  #set(upstream: Upstream, isLoop: boolean): void {
    if (upstream.isLoop === isLoop) return;
    upstream.isLoop = isLoop;
    this.#onChange(upstream);
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
