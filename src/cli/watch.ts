/** `cloudmapd watch [NAMESPACE [SERVICE]]`: registry changes and health transitions as they happen. */
import { styleText } from 'node:util';
import type { RegistryEvent } from '../admin/event-lines.ts';
import { CommandError, printable } from './command.ts';
import { ask, lost, readProblem } from './daemon-client.ts';
import { type EndpointFlags, endpointOf } from './endpoint.ts';
import { linesOf } from './lines.ts';
import { writeOutput } from './output.ts';

export interface WatchFlags extends EndpointFlags {
  /** The lines as the daemon sends them. */
  readonly json?: boolean;
}

/** Also what a later daemon may send, of which only these two are known. */
type Line = { readonly at: string } & (RegistryEvent | { readonly event: 'cut-off'; readonly reason: string });

/** Ends where the daemon goes away, with an error, or where whoever reads has read enough. */
export async function watch(
  namespace: string | undefined,
  service: string | undefined,
  flags: WatchFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  // Ctrl-C is how it is ended, by whoever has seen enough.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(signal).on(signal, () => process.exit(0));
  }
  const endpoint = endpointOf(flags, env);
  const filter = new URLSearchParams({ ...(namespace && { namespace }), ...(service && { service }) });
  const response = await ask(endpoint, 'GET', `/admin/events?${filter}`);
  if (response.statusCode !== 200) {
    const { error } = await readProblem(endpoint, response);
    throw new CommandError(`the daemon at ${endpoint.href} says: ${error}`);
  }
  const isTerminal = process.stdout.isTTY === true;
  const text = flags.json ? (line: string) => line : (line: string) => humanLine(JSON.parse(line), isTerminal);
  await writeOutput(null, eventLines(), 0);

  async function* eventLines(): AsyncGenerator<string> {
    if (!flags.json) yield `${columns('TIME', 'EVENT', 'OF', 'WHAT').trimEnd()}\n`;
    try {
      for await (const line of linesOf(response)) yield `${text(line)}\n`;
    } catch (error) {
      throw lost(endpoint, error);
    }
    throw new CommandError(`the daemon at ${endpoint.href} tells no more: it has ended, or has cut this command off`);
  }
}

function columns(time: string, event: string, of: string, what: string): string {
  return `${time.padEnd(12)}  ${event.padEnd(18)}  ${of.padEnd(32)}  ${what}`;
}

function humanLine(line: Line, hasColour: boolean): string {
  const text = columns(timeOf(line.at), printable(line.event), printable(subjectOf(line)), printable(whatOf(line)));
  const colour = colourOf(line);
  const trimmed = text.trimEnd();
  // NO_COLOR is heeded by styleText, as a stream that is no terminal is.
  return hasColour && colour !== null ? styleText(colour, trimmed, { stream: process.stdout }) : trimmed;
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

function whatOf(line: Line): string {
  switch (line.event) {
    case 'health-changed':
      return `${line.before} -> ${line.status} (${line.reason})`;
    case 'alias-changed':
      return line.resolves ? [...line.ipv4, ...line.ipv6].join(' ') : 'does not resolve';
    case 'store-failed':
    case 'cut-off':
      return line.reason;
    case 'store-recovered':
      return '';
  }
  const parts = Object.entries(line.attributes ?? {}).map(([key, value]) => `${key}=${value}`);
  if (line.changed !== undefined && line.attributes === undefined) parts.push(line.changed.join(', '));
  if (line.manager !== 'api') parts.push(`(${line.manager})`);
  return parts.join(' ');
}

function colourOf(line: Line): 'red' | 'green' | null {
  if (line.event === 'health-changed') return line.status === 'HEALTHY' ? 'green' : 'red';
  if (line.event === 'alias-changed') return line.resolves ? 'green' : 'red';
  return line.event === 'store-failed' || line.event === 'cut-off' ? 'red' : null;
}
