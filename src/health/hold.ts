/**
 * Whether failures are our own network's (a setting, off by default): when all failures of one interval are local,
 * such as ENETUNREACH, it is this machine that is cut off, and statuses stay as they were.
 */
import type { ProbeResult } from './probe.ts';

export class Hold {
  readonly #intervalMs: number;
  readonly #onHold: (reason: string | null) => void;
  #lastOtherFailureAt = Number.NEGATIVE_INFINITY;
  /** Whose last failure was not counted. */
  readonly #held = new Set<string>();
  #isHeld = false;

  /** @param onHold told why statuses stay where they are, and (null) that they do so no longer */
  constructor(intervalMs: number, onHold: (reason: string | null) => void) {
    this.#intervalMs = intervalMs;
    this.#onHold = onHold;
  }

  /**
   * @param now epoch ms
   * @param of whose result it is
   * @returns false where the result says nothing of its endpoint
   */
  counts(result: ProbeResult, now: number, of = ''): boolean {
    if (result.kind === 'failed' && result.isLocal) {
      const isAlone = now - this.#lastOtherFailureAt > this.#intervalMs;
      if (isAlone) this.#held.add(of);
      else this.#held.clear();
      this.#turn(isAlone ? result.reason : null);
      return !isAlone;
    }
    if (result.kind === 'failed') {
      // A refusal, a timeout or a status came over the network.
      this.#lastOtherFailureAt = now;
      this.#held.clear();
    }
    this.forget(of);
    return true;
  }

  /** It passed, or is not probed any longer. What others pass meanwhile, such as on loopback, ends no hold. */
  forget(of: string): void {
    this.#held.delete(of);
    if (this.#held.size === 0) this.#turn(null);
  }

  #turn(reason: string | null): void {
    if (this.#isHeld === (reason !== null)) return;
    this.#isHeld = reason !== null;
    this.#onHold(reason);
  }
}
