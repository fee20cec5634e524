/**
 * Counts and times the queries of a thread. Of a batch the end of one answer is the beginning of the next, so each costs
 * one look at the clock; nothing is allocated unless somebody looks on.
 */
import { DROPPED, QueryCounters } from '../telemetry/query-counters.ts';

/** Of the reply that has just been made. */
export interface Made {
  readonly qtype: number;
  readonly rcode: number;
  /** A number of OUTCOME. */
  readonly outcome: number;
}

export interface Asker {
  /** Where the query came from, as text. */
  readonly address: string;
}

/** Somebody who looks on. */
export interface Onlooker {
  /** @param outcome of OUTCOME, or DROPPED; @param reply the first `length` octets; 0: there is none, the query was dropped. Not kept. */
  see(transport: number, outcome: number, asker: Asker, microseconds: number, reply: Uint8Array, length: number): void;
}

const NOTHING = new Uint8Array(0);

export class QueryMeter {
  /** Null: nobody. */
  onlooker: Onlooker | null = null;
  readonly #made: Made;
  readonly #counters: QueryCounters;
  /** When the query that is being answered was read, in milliseconds. */
  #beganMs = 0;

  constructor(made: Made, counters = new QueryCounters()) {
    this.#made = made;
    this.#counters = counters;
  }

  /** The next query has been read. */
  begin(): void {
    this.#beganMs = performance.now();
  }

  /** Its reply is ready, and the one behind it begins. */
  answered(transport: number, reply: Uint8Array, length: number, asker: Asker): void {
    const nowMs = performance.now();
    const microseconds = (nowMs - this.#beganMs) * 1000;
    this.#beganMs = nowMs;
    this.#count(transport, false, microseconds, reply, length, asker);
  }

  /** It gets no reply. */
  dropped(transport: number, asker: Asker): void {
    this.#counters.countDropped(transport);
    if (this.onlooker === null) return;
    this.onlooker.see(transport, DROPPED, asker, (performance.now() - this.#beganMs) * 1000, NOTHING, 0);
  }

  /** It waits for upstreams. @returns what `relayed` is to be told */
  forwarded(): number {
    const beganMs = this.#beganMs;
    this.#beganMs = performance.now();
    return beganMs;
  }

  /** The reply to a query that upstreams were asked for is ready. */
  relayed(transport: number, beganMs: number, reply: Uint8Array, asker: Asker): void {
    this.#count(transport, true, (performance.now() - beganMs) * 1000, reply, reply.length, asker);
  }

  #count(
    transport: number,
    wasRelayed: boolean,
    microseconds: number,
    reply: Uint8Array,
    length: number,
    asker: Asker,
  ): void {
    const { qtype, rcode, outcome } = this.#made;
    this.#counters.count(transport, qtype, rcode, outcome);
    this.#counters.time(transport, wasRelayed, microseconds);
    if (this.onlooker !== null) this.onlooker.see(transport, outcome, asker, microseconds, reply, length);
  }
}
