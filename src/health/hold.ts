/**
 * Whether failures are our own network's (a setting, off by default): when all failures of one interval are local,
 * such as ENETUNREACH, it is this machine that is cut off, and statuses stay as they were.
 */
import type { ProbeResult } from './probe.ts';

export class Hold {
  readonly #intervalMs: number;
  readonly #onHold: (reason: string | null) => void;
  #lastOtherFailureAt = Number.NEGATIVE_INFINITY;
  #isHeld = false;

  /** @param onHold told why statuses stay where they are, and (null) that they do so no longer */
  constructor(intervalMs: number, onHold: (reason: string | null) => void) {
    this.#intervalMs = intervalMs;
    this.#onHold = onHold;
  }

  /** @param now epoch ms; @returns false where the result says nothing of its endpoint */
  counts(result: ProbeResult, now: number): boolean {
    if (result.kind === 'failed' && result.isLocal) {
      const isAlone = now - this.#lastOtherFailureAt > this.#intervalMs;
      this.#turn(isAlone ? result.reason : null);
      return !isAlone;
    }
    // A refusal, a timeout or a status came over the network, and so did a pass.
    if (result.kind === 'failed') this.#lastOtherFailureAt = now;
    this.#turn(null);
    return true;
  }

  #turn(reason: string | null): void {
    if (this.#isHeld === (reason !== null)) return;
    this.#isHeld = reason !== null;
    this.#onHold(reason);
  }
}
