/**
 * What an answering thread counts of its queries, in memory that it shares with the main thread: it alone writes, with
 * plain stores, and whoever reads sees each number whole, as aligned stores of 64 bits are on every machine there is a
 * Node for. The memory outlives the thread, so what replaces a lost one counts on.
 *
 *   counts    := f64 of each transport x type x RCODE x outcome
 *   durations := of each transport, and whether an upstream was asked: f64 of each bucket, f64 sum in microseconds
 */

export const TRANSPORTS = ['udp', 'tcp'] as const;
/** Places among TRANSPORTS. */
export const UDP = 0;
export const TCP = 1;

/** Types that are counted by themselves, with their codes; the others together. */
const TYPE_CODES = {
  A: 1,
  AAAA: 28,
  CNAME: 5,
  SRV: 33,
  PTR: 12,
  NS: 2,
  SOA: 6,
  TXT: 16,
  HTTPS: 65,
  ANY: 255,
} as const;
const QUERY_TYPES: readonly string[] = [...Object.keys(TYPE_CODES), 'other'];
const OTHER_TYPE = 10;
/** Places of each of them: powers of two, as a query's place among the counts is put together by shifts. */
const TYPE_BITS = 4;
/** By code, the place among QUERY_TYPES. */
const TYPE_PLACES = new Uint8Array(256).fill(OTHER_TYPE);
for (const [place, code] of Object.values(TYPE_CODES).entries()) TYPE_PLACES[code] = place;

/** By code; `none` of what was dropped. */
const RCODES: readonly string[] = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'other', 'none'];
const OTHER_RCODE = 6;
const NO_RCODE = 7;
const RCODE_BITS = 3;

/** There is room for so many outcomes; the last one is of queries that got no reply. */
const OUTCOME_BITS = 4;
export const DROPPED = 15;

/** Upper ends of the buckets, in microseconds; one bucket more has what took longer. */
const DURATION_BOUNDS_US = new Float64Array([
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7,
]);
export const DURATION_BOUNDS: readonly number[] = [...DURATION_BOUNDS_US].map((us) => us / 1e6);
const BUCKETS = DURATION_BOUNDS_US.length + 1;
const DURATION_PLACES = BUCKETS + 1;

const COUNTS = TRANSPORTS.length << (TYPE_BITS + RCODE_BITS + OUTCOME_BITS);
const DURATIONS = TRANSPORTS.length * 2 * DURATION_PLACES;

export interface QueryCount {
  readonly transport: string;
  readonly type: string;
  readonly rcode: string;
  /** Its place among the outcomes, or DROPPED. */
  readonly outcome: number;
  readonly count: number;
}

export interface QueryDurations {
  readonly transport: string;
  /** Whether an upstream was asked. */
  readonly wasRelayed: boolean;
  /** Of DURATION_BOUNDS, and one of what took longer. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

export class QueryCounters {
  readonly memory: SharedArrayBuffer;
  readonly #counts: Float64Array;
  readonly #durations: Float64Array;

  /** @param memory of another one's, which then count the same */
  constructor(memory = new SharedArrayBuffer((COUNTS + DURATIONS) * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#counts = new Float64Array(memory, 0, COUNTS);
    this.#durations = new Float64Array(memory, COUNTS * Float64Array.BYTES_PER_ELEMENT, DURATIONS);
  }

  /** @param type, rcode as codes, of any size; @param outcome its place, below DROPPED */
  count(transport: number, type: number, rcode: number, outcome: number): void {
    const typeAt = type < 256 ? (TYPE_PLACES[type] as number) : OTHER_TYPE;
    const rcodeAt = rcode < OTHER_RCODE ? rcode : OTHER_RCODE;
    const at = placeOf(transport, typeAt, rcodeAt, outcome);
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  countDropped(transport: number): void {
    const at = placeOf(transport, OTHER_TYPE, NO_RCODE, DROPPED);
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  /** @param microseconds of each; @param count so many took as long */
  time(transport: number, wasRelayed: boolean, microseconds: number, count: number): void {
    // From the shortest on: most answers are in the first few.
    let bucket = 0;
    while (bucket < BUCKETS - 1 && microseconds > (DURATION_BOUNDS_US[bucket] as number)) bucket++;
    const first = (transport * 2 + (wasRelayed ? 1 : 0)) * DURATION_PLACES;
    const sum = first + BUCKETS;
    this.#durations[first + bucket] = (this.#durations[first + bucket] as number) + count;
    this.#durations[sum] = (this.#durations[sum] as number) + microseconds * count;
  }
}

function placeOf(transport: number, type: number, rcode: number, outcome: number): number {
  return (((((transport << TYPE_BITS) | type) << RCODE_BITS) | rcode) << OUTCOME_BITS) | outcome;
}

/** Of several threads together: those that are not zero. */
export function queryCounts(threads: readonly QueryCounters[]): QueryCount[] {
  const sums = sumOf(threads, 0, COUNTS);
  const found: QueryCount[] = [];
  for (const [t, transport] of TRANSPORTS.entries()) {
    for (const [y, type] of QUERY_TYPES.entries()) {
      for (const [r, rcode] of RCODES.entries()) {
        for (let outcome = 0; outcome <= DROPPED; outcome++) {
          const count = sums[placeOf(t, y, r, outcome)] as number;
          if (count > 0) found.push({ transport, type, rcode, outcome, count });
        }
      }
    }
  }
  return found;
}

/** Of several threads together. */
export function queryDurations(threads: readonly QueryCounters[]): QueryDurations[] {
  const sums = sumOf(threads, COUNTS, DURATIONS);
  return TRANSPORTS.flatMap((transport, t) =>
    [false, true].map((wasRelayed, r) => {
      const first = (t * 2 + r) * DURATION_PLACES;
      const buckets = [...sums.subarray(first, first + BUCKETS)];
      return { transport, wasRelayed, buckets, sumSeconds: (sums[first + BUCKETS] as number) / 1e6 };
    }),
  );
}

function sumOf(threads: readonly QueryCounters[], first: number, length: number): Float64Array {
  const sums = new Float64Array(length);
  for (const { memory } of threads) {
    const cells = new Float64Array(memory, first * Float64Array.BYTES_PER_ELEMENT, length);
    for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (cells[i] as number);
  }
  return sums;
}
