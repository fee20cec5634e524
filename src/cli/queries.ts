/** `cloudmapd queries`: DNS queries as they are answered. */
import type { QueryLine } from '../admin/query-line.ts';
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { endAtSignal, printable } from './command.ts';
import { shown } from './lines.ts';
import { writeOutput } from './output.ts';
import { type Cell, clockTime, type Paint, paintFor, rowLine } from './table.ts';

export interface QueriesFlags extends AskFlags {
  readonly name?: string;
  readonly client?: string;
}

type Line = QueryLine | { readonly leftOut: number };

/** Room for an IPv4 address, and for names of a common length; what is longer moves the rest of its line. */
const WIDTHS = [12, 15, 3, 36, 8, 8, 9, 0];
const TIME_WIDTH = 9;

/**
 * Goes on until it is interrupted, or whoever reads has read enough.
 * @throws CommandError where the daemon goes away
 */
export async function queries(flags: QueriesFlags, env: NodeJS.ProcessEnv): Promise<void> {
  endAtSignal();
  const { name, client } = flags;
  const filter = new URLSearchParams({ ...(name !== undefined && { name }), ...(client !== undefined && { client }) });
  const lines = await new ApiClient(endpointOf(flags, env)).lines(`/admin/queries?${filter}`);
  // Whoever waits for the first query sees that this does too.
  if (process.stderr.isTTY) process.stderr.write('DNS queries from now on; Ctrl-C ends it\n');
  const paint = paintFor(process.stdout, env);
  await writeOutput(
    null,
    shown(lines, (line) => (flags.json ? printable(line) : humanLine(JSON.parse(line), paint))),
    0,
  );
}

function humanLine(line: Line, paint: Paint): string {
  if ('leftOut' in line) return paint('yellow', `${line.leftOut} queries are left out: they were too many at once`);
  const { at, client, transport, name, type, rcode, outcome, answers, microseconds } = line;
  const isGood = rcode === 'NOERROR' || rcode === 'NXDOMAIN';
  const cells: Cell[] = [
    { text: clockTime(at), style: 'dim' },
    client,
    transport,
    name === null ? '(no question)' : `${name} ${type}`,
    { text: rcode ?? 'no reply', style: isGood ? 'green' : 'red' },
    outcome,
    `${Math.round(microseconds)} µs`.padStart(TIME_WIDTH),
    answers.join(', '),
  ];
  return rowLine(cells, WIDTHS, paint);
}
