/** `cloudmapd explain`: why a name is answered as it is, as the daemon says. */
import { styleText } from 'node:util';
import type { ExplainedInstance, Explanation } from '../synthesis/explanation.ts';
import { span } from '../synthesis/wording.ts';
import { CommandError, printable, UsageError } from './command.ts';
import { ask, parseEndpoint, readProblem, readText } from './daemon-client.ts';
import { writeOutput } from './output.ts';
import { DEFAULT_ENDPOINT } from './target.ts';

export interface ExplainFlags {
  readonly endpoint?: string;
  readonly from?: string;
  readonly json?: true;
}

/** So many instances are in the table. */
const MAX_ROWS = 50;
/** Records of an alias. */
const MAX_SHOWN = 2;
const HEAD = ['INSTANCE', 'HEALTH', 'FOR', 'REASON', 'RECORD', 'ANSWERED'];

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
  await writeOutput(null, [explanationText(parse(text, endpoint))], 0);
}

function parse(text: string, endpoint: URL): Explanation {
  try {
    return JSON.parse(text) as Explanation;
  } catch (cause) {
    throw new CommandError(`no cloudmapd answers at ${endpoint.href}: something else does`, { cause });
  }
}

/** Sentences, then the instances of each service on the way, then what dig would print. */
function explanationText({ summary, names, dig, at }: Explanation): string {
  const parts = [summary.map((sentence) => `${printable(sentence)}\n`).join('')];
  const tables = names.filter(({ registry }) => registry !== null && registry.instances.length > 0);
  for (const { name, registry } of tables) {
    const title = tables.length > 1 ? `${printable(name)}\n` : '';
    parts.push(title + tableOf(registry?.instances ?? [], registry?.instanceCount ?? 0, Date.parse(at)));
  }
  parts.push(
    dig
      .split('\n')
      .map((line) => line.split('\t').map(printable).join('\t'))
      .join('\n'),
  );
  return parts.join('\n');
}

function tableOf(instances: readonly ExplainedInstance[], count: number, now: number): string {
  // Of many those come first that are answered, then those that are left out.
  const order = Object.keys(ANSWERED);
  const rank = ({ verdict }: ExplainedInstance): number => order.indexOf(verdict);
  const shown =
    instances.length <= MAX_ROWS ? instances : instances.toSorted((a, b) => rank(a) - rank(b)).slice(0, MAX_ROWS);
  const rows = [HEAD, ...shown.map((instance) => rowOf(instance, now))].map((row) => row.map(printable));
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] as number));
    const last = cells.length - 1;
    cells[last] = (cells[last] as string).trimEnd();
    cells[1] = coloured(cells[1] as string);
    return cells.join('  ');
  });
  if (count > shown.length) lines.push(`and ${count - shown.length} more (--json has ${instances.length} of them)`);
  return `${lines.join('\n')}\n`;
}

/** On a terminal, and without NO_COLOR. */
function coloured(status: string): string {
  const colour = status.startsWith('HEALTHY') ? 'green' : status.startsWith('UNHEALTHY') ? 'red' : null;
  return colour === null ? status : styleText(colour, status, { stream: process.stdout });
}

function rowOf(instance: ExplainedInstance, now: number): string[] {
  const { id, status, alias, lastTransition, lastHealthyAt, registeredAt, records, verdict } = instance;
  const since = alias === null ? (lastTransition?.at ?? registeredAt) : status === 'UNHEALTHY' ? lastHealthyAt : null;
  const reason = alias !== null ? `alias of ${alias}` : (lastTransition?.reason ?? 'registered');
  const more = records.length > MAX_SHOWN ? ` and ${records.length - MAX_SHOWN} more` : '';
  const record = records.slice(0, MAX_SHOWN).join(' ') + more;
  return [id, status, since === null ? '-' : span(now - Date.parse(since)), reason, record || '-', ANSWERED[verdict]];
}

const ANSWERED: Readonly<Record<ExplainedInstance['verdict'], string>> = {
  answered: 'yes',
  unhealthy: 'no, unhealthy',
  'not-last-healthy': 'no, others were healthy later',
  'no-record': 'no such record',
  'alias-unresolved': 'no address known',
  'not-drawn': 'not this time',
  fault: 'no, a fault',
  failed: 'no, its target failed',
};
