/** One timer for the earliest of many deadlines. */

/** setTimeout takes at most this; an alarm that far off is set again on the way. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Alarm {
  readonly #clock: () => number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(clock: () => number, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `dueAt` (epoch ms), and not at the time that was set before. Infinity: not at all. */
  set(dueAt: number): void {
    if (dueAt === this.#dueAt && this.#timer !== undefined) return;
    this.close();
    this.#dueAt = dueAt;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, dueAt - this.#clock()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#clock() < dueAt) this.set(dueAt);
      else this.#ring();
    }, delayMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }
}
