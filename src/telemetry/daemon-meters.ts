/** What the main thread counts of its own work. */
import { Tally, Timings } from './tallies.ts';

/** In seconds: a call that reads takes a tenth of a millisecond, one that waits for a disk some ten. */
const BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class DaemonMeters {
  /** By operation, and the error's type or `none`. */
  readonly calls = new Tally();
  /** By operation. */
  readonly callSeconds = new Timings(BOUNDS);
  /** By the check's type, and `passed`, `failed` or `none` (no verdict). */
  readonly probes = new Tally();
  /** By the status that it led to. */
  readonly transitions = new Tally();
  /** By `ok` or `failed`. */
  readonly commits = new Tally();
  readonly commitSeconds = new Timings(BOUNDS);
}
