/**
 * Whether failures are our own network's (a setting, off by default): when all failures of one interval are local,
 * such as ENETUNREACH, it is this machine that is cut off, and statuses stay as they were.
 */
import type { ProbeResult } from './probe.ts';

export class Hold {
  readonly #intervalMs: number;
  readonly #onHold: (reason: string | null) => void;
  #lastLocalFailureAt = Number.NEGATIVE_INFINITY;
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
      this.#lastLocalFailureAt = now;
      const isAlone = now - this.#lastOtherFailureAt > this.#intervalMs;
      this.#turn(isAlone ? result.reason : null);
      return !isAlone;
    }
    if (result.kind === 'failed') {
      // A refusal, a timeout or a status came over the network.
      this.#lastOtherFailureAt = now;
      this.#turn(null);
    } else if (now - this.#lastLocalFailureAt > this.#intervalMs) {
      // What passes is no failure: while others still fail, such as all that is not on this machine, nothing is over.
      this.#turn(null);
    }
    return true;
  }

  #turn(reason: string | null): void {
    if (this.#isHeld === (reason !== null)) return;
    this.#isHeld = reason !== null;
    this.#onHold(reason);
  }
}
