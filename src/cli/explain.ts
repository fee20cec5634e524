/** `cloudmapd explain`: why a name is answered as it is, as the daemon says. */
import type { ExplainedInstance } from '../synthesis/explain-name.ts';
import type { Explanation } from '../synthesis/explanation.ts';
import { CommandError, printable, UsageError } from './command.ts';
import { ask, parseEndpoint, readProblem, readText } from './daemon-client.ts';
import { writeOutput } from './output.ts';
import { DEFAULT_ENDPOINT } from './target.ts';

export interface ExplainFlags {
  readonly endpoint?: string;
  readonly from?: string;
  readonly json?: true;
}

/** So many instances are in the table; the JSON has them all. */
const MAX_ROWS = 50;
const HEAD = ['INSTANCE', 'HEALTH', 'SINCE', 'REASON', 'RECORD', 'ANSWERED'];

export async function explainAnswer(
  name: string,
  type: string,
  flags: ExplainFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const given = flags.endpoint ?? (env.CLOUDMAPD_ENDPOINT || DEFAULT_ENDPOINT);
  const endpoint = parseEndpoint(given, flags.endpoint === undefined ? 'CLOUDMAPD_ENDPOINT' : '--endpoint');
  const query = new URLSearchParams({ name, type, ...(flags.from !== undefined && { from: flags.from }) });
  const response = await ask(endpoint, 'GET', `/admin/explain?${query}`);
  if (response.statusCode !== 200) {
    const { error } = await readProblem(endpoint, response);
    if (response.statusCode === 400) throw new UsageError(String(error));
    throw new CommandError(`the daemon at ${endpoint.href} says: ${error}`);
  }
  const text = await readText(response);
  if (flags.json === true) return writeOutput(null, [`${text}\n`], 0);
  await writeOutput(null, [explanationText(JSON.parse(text) as Explanation)], 0);
}

/** Sentences, then a table of the instances, then what dig would print. */
function explanationText({ summary, names, dig }: Explanation): string {
  const parts = [summary.map((sentence) => `${printable(sentence)}\n`).join('')];
  for (const { registry } of names) {
    if (registry !== null && registry.instances.length > 0)
      parts.push(tableOf(registry.instances, registry.instanceCount));
  }
  const lines = dig.split('\n').map((line) => line.split('\t').map(printable).join('\t'));
  return [...parts, lines.join('\n')].join('\n');
}

function tableOf(instances: readonly ExplainedInstance[], count: number): string {
  const rows = [HEAD, ...instances.slice(0, MAX_ROWS).map(rowOf)].map((row) => row.map(printable));
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
  if (count > MAX_ROWS) lines.push(`and ${count - MAX_ROWS} more (--json has ${instances.length} of them)`);
  return `${lines.join('\n')}\n`;
}

function rowOf({ id, status, alias, lastTransition, registeredAt, records, verdict }: ExplainedInstance): string[] {
  const since = lastTransition?.at ?? registeredAt;
  const reason = alias !== null ? `alias of ${alias}` : (lastTransition?.reason ?? 'registered');
  const shown =
    records.length > 2 ? `${records.slice(0, 2).join(' ')} and ${records.length - 2} more` : records.join(' ');
  return [id, status, since.replace(/\.\d+Z$/, 'Z'), reason, shown || '-', ANSWERED[verdict]];
}

const ANSWERED: Readonly<Record<ExplainedInstance['verdict'], string>> = {
  answered: 'yes',
  'not-drawn': 'not this time',
  unhealthy: 'no, unhealthy',
  'not-last-healthy': 'no, others were healthy later',
  'no-record': 'no such record',
  'alias-unresolved': 'no address known',
};
