/** `cloudmapd explain`: why a name is answered as it is, as the daemon says. */
import type { ExplainedInstance, Explanation } from '../synthesis/explanation.ts';
import { span } from '../synthesis/wording.ts';
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { printable } from './command.ts';
import { writeResult } from './result.ts';
import { type Cell, healthCell, type Paint, tableLines } from './table.ts';

export interface ExplainFlags extends AskFlags {
  readonly from?: string;
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
  const api = new ApiClient(endpointOf(flags, env));
  const query = new URLSearchParams({ name, type, ...(flags.from !== undefined && { from: flags.from }) });
  const explanation = await api.admin<Explanation>('GET', `/admin/explain?${query}`, 'summary');
  await writeResult(flags.json, explanation, (paint) => linesOf(explanation, paint));
}

/** Sentences, then the instances of each service on the way, then what dig would print. */
function linesOf({ summary, names, dig, at }: Explanation, paint: Paint): string[] {
  const lines = summary.map(printable);
  const tables = names.filter(({ registry }) => registry !== null && registry.instances.length > 0);
  for (const { name, registry } of tables) {
    lines.push('', ...(tables.length > 1 ? [printable(name)] : []));
    lines.push(...tableOf(registry?.instances ?? [], registry?.instanceCount ?? 0, Date.parse(at), paint));
  }
  const digLines = dig.replace(/\n$/, '').split('\n');
  return [...lines, '', ...digLines.map((line) => line.split('\t').map(printable).join('\t'))];
}

function tableOf(instances: readonly ExplainedInstance[], count: number, now: number, paint: Paint): string[] {
  // Of many those come first that are answered, then those that are left out.
  const order = Object.keys(ANSWERED);
  const rank = ({ verdict }: ExplainedInstance): number => order.indexOf(verdict);
  const shown =
    instances.length <= MAX_ROWS ? instances : instances.toSorted((a, b) => rank(a) - rank(b)).slice(0, MAX_ROWS);
  const rows = shown.map((instance) => rowOf(instance, now));
  const rest = count - shown.length;
  const more = rest > 0 ? [`and ${rest} more (--json has ${instances.length} of them)`] : [];
  return [...tableLines(HEAD, rows, paint), ...more];
}

function rowOf(instance: ExplainedInstance, now: number): Cell[] {
  const { id, health, alias, lastTransition, lastHealthyAt, registeredAt, records, verdict } = instance;
  const since = alias === null ? (lastTransition?.at ?? registeredAt) : health === 'UNHEALTHY' ? lastHealthyAt : null;
  const reason = alias !== null ? `alias of ${alias}` : (lastTransition?.reason ?? 'registered');
  const more = records.length > MAX_SHOWN ? ` and ${records.length - MAX_SHOWN} more` : '';
  const record = records.slice(0, MAX_SHOWN).join(' ') + more;
  const age = since === null ? '-' : span(now - Date.parse(since));
  return [id, healthCell(health), age, reason, record || '-', ANSWERED[verdict]];
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
