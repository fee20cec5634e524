/**
 * Counts and times the queries of a thread. A look at the clock costs a hundredth of an answer, so there are two for all
 * that are read together, each of which has its part of the time; where somebody looks on there is one for each. Nothing
 * is allocated unless somebody does.
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
  /** When the queries that are being answered were read, in milliseconds. */
  #beganMs = 0;
  /** Answers since then whose time has not been counted. */
  #untimed = 0;

  constructor(made: Made, counters = new QueryCounters()) {
    this.#made = made;
    this.#counters = counters;
  }

  /** When the last queries were read, or answered, if they were counted: it costs no look at the clock. */
  get latestMs(): number {
    return this.#beganMs;
  }

  /** Queries have been read. */
  begin(): void {
    this.#beganMs = performance.now();
  }

  /** The reply to one of them is ready. */
  answered(transport: number, reply: Uint8Array, length: number, asker: Asker): void {
    const { qtype, rcode, outcome } = this.#made;
    this.#counters.count(transport, qtype, rcode, outcome);
    if (this.onlooker === null) {
      this.#untimed++;
      return;
    }
    const nowMs = performance.now();
    const microseconds = (nowMs - this.#beganMs) * 1000;
    this.#beganMs = nowMs;
    this.#counters.time(transport, false, microseconds, 1);
    this.onlooker.see(transport, outcome, asker, microseconds, reply, length);
  }

  /** All of them are answered, or wait. */
  end(transport: number): void {
    if (this.#untimed > 0) this.#countTime(transport, performance.now());
  }

  /** One of them gets no reply. */
  dropped(transport: number, asker: Asker): void {
    this.#counters.countDropped(transport);
    if (this.onlooker === null) return;
    this.onlooker.see(transport, DROPPED, asker, (performance.now() - this.#beganMs) * 1000, NOTHING, 0);
  }

  /** One of them is about to wait, for upstreams or an injected delay; `begin` is to follow. @returns what `relayed` is to be told */
  forwarded(transport: number): number {
    if (this.#untimed > 0) this.#countTime(transport, performance.now());
    return this.#beganMs;
  }

  /** The reply to one that waited is ready. @param wasAsked whether it was for upstreams */
  relayed(transport: number, beganMs: number, wasAsked: boolean, reply: Uint8Array, asker: Asker): void {
    const { qtype, rcode, outcome } = this.#made;
    const microseconds = (performance.now() - beganMs) * 1000;
    this.#counters.count(transport, qtype, rcode, outcome);
    this.#counters.time(transport, wasAsked, microseconds, 1);
    if (this.onlooker !== null) this.onlooker.see(transport, outcome, asker, microseconds, reply, reply.length);
  }

  #countTime(transport: number, nowMs: number): void {
    const microseconds = (nowMs - this.#beganMs) * 1000;
    this.#counters.time(transport, false, microseconds / this.#untimed, this.#untimed);
    this.#beganMs = nowMs;
    this.#untimed = 0;
  }
}
