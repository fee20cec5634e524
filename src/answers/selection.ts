/** Which of an RRset's choices one answer carries (cloud map: RoutingPolicy), drawn anew for each query. */
import { POLICY } from './answer-set.ts';

/** MULTIVALUE answers carry up to eight records (Route 53's multivalue answer routing). */
export const MULTIVALUE_RECORDS = 8;

/** A uniform integer in [0, bound), bound at least 1. */
export type Random = (bound: number) => number;

/**
 * A small, fast generator (sfc32). Not for secrets: it mixes answers.
 * @param seed equal seeds give equal sequences
 */
export function createRandom(seed: number): Random {
  let a = 0;
  let b = seed | 0;
  let c = ~seed | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return (bound) => Math.floor((next() / 0x1_0000_0000) * bound);
}

/**
 * Draws choices for one answer in O(drawn), whatever `count` is.
 * Reused between queries: `picked[0, n)` are the distinct indexes, in random order, where n is the result.
 */
export class Selection {
  readonly picked = new Int32Array(256);
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** @param policy one of POLICY, of which `all` and those of the address asked draw 256 at the most; @param count choices to draw from, at least 1 */
  draw(policy: number, count: number): number {
    const { picked } = this;
    if (policy === POLICY.weighted) {
      picked[0] = this.#random(count);
      return 1;
    }
    if (policy !== POLICY.multivalue) {
      const n = Math.min(count, picked.length);
      for (let i = 0; i < n; i++) picked[i] = i;
      return n;
    }
    const n = Math.min(count, MULTIVALUE_RECORDS);
    if (n === count) for (let i = 0; i < n; i++) picked[i] = i;
    else this.#sample(n, count);
    // Sampling's order is not uniform, and clients mostly take the first address: shuffle.
    for (let i = n - 1; i > 0; i--) {
      const j = this.#random(i + 1);
      const swap = picked[i] as number;
      picked[i] = picked[j] as number;
      picked[j] = swap;
    }
    return n;
  }

  /** Floyd's: n distinct values below `count` without a table of `count` entries. */
  #sample(n: number, count: number): void {
    const { picked } = this;
    for (let i = 0; i < n; i++) {
      const top = count - n + i;
      const candidate = this.#random(top + 1);
      let taken = false;
      for (let j = 0; j < i; j++) taken ||= picked[j] === candidate;
      picked[i] = taken ? top : candidate;
    }
  }
}
