/** `cloudmapd watch [NAMESPACE [SERVICE]]`: registry changes and health transitions as they happen. */
import type { RegistryEvent } from '../admin/event-lines.ts';
import { type AskFlags, endpointOf } from './api-client.ts';
import { CommandError, printable } from './command.ts';
import { ask, lost, readProblem } from './daemon-client.ts';
import { linesOf } from './lines.ts';
import { writeOutput } from './output.ts';
import { type Cell, healthCell, type Paint, paintFor, rowLine } from './table.ts';

type Line = { readonly at: string } & (RegistryEvent | { readonly event: 'cut-off'; readonly reason: string });

const TITLES = ['TIME', 'EVENT', 'OF', 'WHAT'];
const WIDTHS = [12, 17, 28, 0];

/**
 * Goes on until it is interrupted, or whoever reads has read enough.
 * @throws CommandError where the daemon goes away, or cuts it off
 */
export async function watch(
  namespace: string | null,
  service: string | null,
  flags: AskFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  // It has no other end than that, so nothing went wrong.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(signal).on(signal, () => process.exit(0));
  }
  const endpoint = endpointOf(flags, env);
  const filter = new URLSearchParams({
    ...(namespace !== null && { namespace }),
    ...(service !== null && { service }),
  });
  const response = await ask(endpoint, 'GET', `/admin/events?${filter}`);
  if (response.statusCode !== 200) {
    const { error } = await readProblem(endpoint, response);
    throw new CommandError(`the daemon at ${endpoint.href} says: ${error}`);
  }
  const paint = paintFor(process.stdout, env);
  await writeOutput(null, lines(), 0);

  async function* lines(): AsyncGenerator<string> {
    // Once it is there, nothing that happens is missed.
    if (!flags.json)
      yield `${rowLine(
        TITLES.map((text) => ({ text, style: 'bold' }) as const),
        WIDTHS,
        paint,
      )}\n`;
    try {
      for await (const line of linesOf(response)) {
        yield `${flags.json ? printable(line) : humanLine(JSON.parse(line), paint)}\n`;
      }
    } catch (error) {
      throw lost(endpoint, error);
    }
    throw new CommandError(
      `the daemon at ${endpoint.href} tells no more: it was stopped, or this command read too slowly`,
    );
  }
}

function humanLine(line: Line, paint: Paint): string {
  return rowLine([timeOf(line.at), line.event, subjectOf(line), ...whatOf(line)], WIDTHS, paint);
}

/** Local, to the millisecond. */
function timeOf(at: string): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

/** `shop.internal`, `shop.internal/api`, `shop.internal/api/api-1`: as an import's differences have it. */
function subjectOf(line: Line): string {
  if (line.event === 'alias-changed') return line.alias;
  if (!('namespace' in line)) return '';
  return [line.namespace, line.service, line.instance].filter((part) => part !== undefined).join('/');
}

function whatOf(line: Line): Cell[] {
  switch (line.event) {
    case 'health-changed':
      return [healthCell(line.status), `(${line.reason})`];
    case 'alias-changed':
      return [line.resolves ? [...line.ipv4, ...line.ipv6].join(' ') : { text: 'does not resolve', style: 'red' }];
    case 'store-failed':
    case 'cut-off':
      return [{ text: line.reason, style: 'red' }];
    case 'store-recovered':
      return [];
  }
  const { attributes, changed = [], manager } = line;
  const parts =
    attributes === undefined ? changed : Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
  return [[...parts, ...(manager === 'api' ? [] : [`(${manager})`])].join(' ')];
}
