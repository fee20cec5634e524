/** What an import did or would do, for people. */
import type { Counts, Difference, ImportReport } from '../transfer/report.ts';
import { printable } from './command.ts';
import { count } from './count.ts';

const SIGNS = { create: '+', change: '~' } as const;
const NOUNS = { namespaces: 'namespace', services: 'service', instances: 'instance' } as const;

/** Of a dry run each difference on a line of its own; the numbers at the end. */
export function reportLines({
  dryRun,
  created,
  changed,
  unchanged,
  differences,
  moreDifferences = 0,
}: ImportReport): string[] {
  const parts = dryRun
    ? [`to create: ${counts(created)}`, `to change: ${counts(changed)}`, `unchanged: ${counts(unchanged)}`]
    : [`created: ${counts(created)}`, `changed: ${counts(changed)}`, `unchanged: ${counts(unchanged)}`];
  return [
    ...(dryRun ? differences.map(line) : []),
    ...(dryRun && moreDifferences > 0 ? [`and ${count(moreDifferences, 'more difference')}`] : []),
    parts.join('; '),
  ];
}

function line({ action, kind, name, members }: Difference): string {
  const what = `${SIGNS[action]} ${kind} ${name}`;
  return printable(members.length === 0 ? what : `${what}: ${members.join('; ')}`);
}

function counts(numbers: Counts): string {
  const parts = (Object.keys(NOUNS) as (keyof Counts)[]).filter((key) => numbers[key] > 0);
  return parts.map((key) => count(numbers[key], NOUNS[key])).join(', ') || 'nothing';
}
