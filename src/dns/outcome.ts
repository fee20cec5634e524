/** What became of a query. */
import { DROPPED } from '../telemetry/query-counters.ts';

/** Where a reply came from: of a chain of CNAMEs, what its last name did. */
export const OUTCOMES = [
  /** Compiled from the registry. */
  'zone',
  /** A name of the settings' own, such as the daemon's. */
  'local',
  /** A fixed answer for names outside: by a rule, or a special-use name (RFC 6761). */
  'rule',
  'cache',
  /** From the cache, ended, as no upstream answered (RFC 8767). */
  'stale',
  /** Upstreams were asked for it. */
  'upstream',
  /** Upstreams were asked, or could not be, and gave nothing to answer with. */
  'failed',
  /** Not for this client, or not looked up here. */
  'refused',
  /** Malformed, not implemented, or it came before there was anything to answer. */
  'error',
  /** A fault that was injected. */
  'fault',
] as const;

export type QueryOutcome = (typeof OUTCOMES)[number];

/** Each one's place among them, which is what the query path sets. */
export const OUTCOME = Object.fromEntries(OUTCOMES.map((name, code) => [name, code])) as Readonly<
  Record<QueryOutcome, number>
>;

/** Of whatever became of a query, answered or not. @param outcome a number of OUTCOME, or DROPPED */
export function outcomeName(outcome: number): string {
  return outcome === DROPPED ? 'dropped' : (OUTCOMES[outcome] ?? 'other');
}
