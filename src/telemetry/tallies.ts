/** Counts and durations of the main thread, by labels, kept from the start on and read when somebody asks for them. */

/** Values of the labels, in their order. Whoever counts sees to it that there are few. */
export type LabelValues = readonly string[];

export class Tally {
  readonly #counts = new Map<string, { readonly labels: LabelValues; count: number }>();

  add(labels: LabelValues, by = 1): void {
    const key = labels.join('\n');
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { labels, count: by });
    else entry.count += by;
  }

  entries(): { readonly labels: LabelValues; readonly count: number }[] {
    return [...this.#counts.values()];
  }
}

export interface TimingEntry {
  readonly labels: LabelValues;
  /** Of each bound, and one of what took longer. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

/** A histogram of durations. */
export class Timings {
  readonly bounds: readonly number[];
  readonly #entries = new Map<string, { readonly labels: LabelValues; buckets: number[]; sumSeconds: number }>();

  /** @param bounds in seconds, rising */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
  }

  add(labels: LabelValues, seconds: number): void {
    const key = labels.join('\n');
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { labels, buckets: new Array<number>(this.bounds.length + 1).fill(0), sumSeconds: 0 };
      this.#entries.set(key, entry);
    }
    const over = this.bounds.findIndex((bound) => seconds <= bound);
    const bucket = over === -1 ? this.bounds.length : over;
    entry.buckets[bucket] = (entry.buckets[bucket] as number) + 1;
    entry.sumSeconds += seconds;
  }

  entries(): TimingEntry[] {
    return [...this.#entries.values()];
  }
}
