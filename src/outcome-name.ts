/** Whatever became of a query, answered or not. */
import { OUTCOMES } from './dns/outcome.ts';
import { DROPPED } from './telemetry/query-counters.ts';

/** @param outcome a number of OUTCOME, or DROPPED */
export function outcomeName(outcome: number): string {
  return outcome === DROPPED ? 'dropped' : (OUTCOMES[outcome] ?? 'other');
}
