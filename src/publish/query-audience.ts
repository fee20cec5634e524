/** Who looks on as queries are answered. The threads show no more than whoever wants most of them asks for. */
import type { SeenQuery } from '../answers/thread-protocol.ts';
import type { ShownQueries } from './answering-thread.ts';

export type { SeenQuery };

/** @param leftOut so many more that it could not be shown, as it took too long over those before */
export type SeeQueries = (queries: readonly SeenQuery[], leftOut: number) => void;

interface Onlooker {
  readonly every: number;
  readonly see: SeeQueries;
}

export class QueryAudience {
  readonly #onlookers = new Set<Onlooker>();
  readonly #tell: (every: number) => Promise<void>;
  readonly #random: () => number;
  #told: Promise<void> = Promise.resolve();
  /** One of so many queries is shown by the threads; 0: none is. */
  every = 0;

  /** @param tell the threads are to show one of so many, and do when it resolves */
  constructor(tell: (every: number) => Promise<void>, random: () => number = Math.random) {
    this.#tell = tell;
    this.#random = random;
  }

  /** @param every one of so many is seen, as chance has it; 1: all. @returns what ends it, once it has begun */
  async add(every: number, see: SeeQueries): Promise<() => void> {
    const onlooker = { every, see };
    this.#onlookers.add(onlooker);
    await this.#agree();
    return () => {
      if (this.#onlookers.delete(onlooker)) void this.#agree();
    };
  }

  show({ every: shownEvery, queries, leftOut }: ShownQueries): void {
    for (const { every, see } of this.#onlookers) {
      const part = Math.min(1, shownEvery / every);
      if (part === 1) see(queries, leftOut);
      else {
        see(
          queries.filter(() => this.#random() < part),
          Math.round(leftOut * part),
        );
      }
    }
  }

  async #agree(): Promise<void> {
    const every = this.#onlookers.size === 0 ? 0 : Math.min(...[...this.#onlookers].map((onlooker) => onlooker.every));
    // They may not have been told yet what was agreed on before.
    if (every === this.every) return this.#told;
    this.every = every;
    this.#told = this.#tell(every);
    await this.#told;
  }
}
