/**
 * Shows queries to the main thread, for whoever looks on: what a turn of the event loop answered goes over in one
 * message. Where the main thread is slow to take them they are counted instead, so neither memory nor answers suffer.
 */
import type { FromThread, SeenQuery } from '../answers/thread-protocol.ts';
import type { Asker, Onlooker } from './query-meter.ts';

type Shown = Extract<FromThread, { kind: 'queries' }>;

/** Messages that were sent and not yet taken in. */
const MAX_UNDER_WAY = 2;
const MAX_QUERIES = 500;
/** Replies over TCP may have 65,535 octets each. */
const MAX_BYTES = 512 * 1024;

export class QueryShow implements Onlooker {
  /** One of so many, as chance has it: every Nth would be of one kind alone where kinds take turns. */
  every = 1;
  readonly #show: (shown: Shown) => void;
  readonly #random: () => number;
  #queries: SeenQuery[] = [];
  #bytes = 0;
  #leftOut = 0;
  #underWay = 0;
  #isDue = false;

  constructor(show: (shown: Shown) => void, random: () => number = Math.random) {
    this.#show = show;
    this.#random = random;
  }

  see(
    transport: number,
    outcome: number,
    { address: client }: Asker,
    microseconds: number,
    reply: Uint8Array,
    length: number,
  ): void {
    if (this.every > 1 && this.#random() * this.every >= 1) return;
    if (this.#queries.length >= MAX_QUERIES || this.#bytes + length > MAX_BYTES) {
      this.#leftOut++;
      return;
    }
    this.#bytes += length;
    this.#queries.push({
      at: Date.now(),
      transport,
      client,
      outcome,
      microseconds,
      reply: reply.slice(0, length),
    });
    this.#post();
  }

  /** The main thread has taken one message in. */
  taken(): void {
    this.#underWay--;
    if (this.#queries.length > 0) this.#post();
  }

  #post(): void {
    if (this.#isDue || this.#underWay >= MAX_UNDER_WAY) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#underWay++;
      this.#show({ kind: 'queries', every: this.every, queries: this.#queries, leftOut: this.#leftOut });
      this.#queries = [];
      this.#bytes = 0;
      this.#leftOut = 0;
    });
  }
}
