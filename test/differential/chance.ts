/** Seeded choices; the same generator as the daemon's, so that nothing else has to be trusted to repeat itself. */
import { createRandom } from '../../src/answers/selection.ts';

export class Chance {
  readonly below: (bound: number) => number;

  constructor(seed: number) {
    this.below = createRandom(seed);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** One of the items, each as likely as its weight says. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.below(items.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    throw new Error('no item has a weight');
  }

  text(alphabet: string, length: number): string {
    return Array.from({ length }, () => alphabet[this.below(alphabet.length)]).join('');
  }

  bytes(length: number): number[] {
    return Array.from({ length }, () => this.below(256));
  }

  /** The text with the case of its letters drawn anew. */
  recase(text: string): string {
    return [...text].map((letter) => (this.oneIn(2) ? letter.toUpperCase() : letter.toLowerCase())).join('');
  }
}
