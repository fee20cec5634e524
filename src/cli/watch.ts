/** `cloudmapd watch [NAMESPACE [SERVICE]]`: registry changes and health transitions as they happen. */
import { isNamespace, isService, type RegistryEvent } from '../admin/event-lines.ts';
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { CommandError, endAtSignal, printable } from './command.ts';
import { shown } from './lines.ts';
import {
  findNamespace,
  findService,
  httpNameOf,
  listServices,
  type NamespaceSummary,
  NotThereError,
} from './lookup.ts';
import { writeOutput } from './output.ts';
import { type Cell, clockTime, healthCell, type Paint, paintFor, rowLine } from './table.ts';

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
  endAtSignal();
  const api = new ApiClient(endpointOf(flags, env));
  const filter = new URLSearchParams({
    ...(namespace !== null && { namespace }),
    ...(service !== null && { service }),
  });
  const lines = await api.lines(`/admin/events?${filter}`);
  const paint = paintFor(process.stdout, env);
  const head = rowLine(
    TITLES.map((text) => ({ text, style: 'bold' }) as const),
    WIDTHS,
    paint,
  );
  const show = (line: string): string => (flags.json ? printable(line) : humanLine(JSON.parse(line), paint));
  // Beside it, as nothing that happens meanwhile is to be missed.
  if (namespace !== null) void tellMissing(api, namespace, service);
  // Once the head is there, nothing that happens is missed.
  await writeOutput(null, shown(lines, show, flags.json ? undefined : head), 0);
}

/** What is not there may be created yet, or be a slip of the fingers: whoever watches it would wait in vain. */
async function tellMissing(api: ApiClient, namespaceName: string, serviceName: string | null): Promise<void> {
  try {
    const namespaces = (await api.list<NamespaceSummary>('ListNamespaces', 'Namespaces')).filter((each) =>
      isNamespace(namespaceName, { namespace: each.Name, namespaceId: each.Id, httpName: httpNameOf(each) }),
    );
    const [namespace] = namespaces;
    // What is not there is told with what there is instead.
    if (namespace === undefined) return void (await findNamespace(api, namespaceName));
    if (serviceName === null) return;
    for (const each of namespaces) {
      const services = await listServices(api, each);
      if (services.some(({ Name, Id }) => isService(serviceName, { service: Name, serviceId: Id }))) return;
    }
    await findService(api, namespace, serviceName);
  } catch (error) {
    // Of a daemon that goes away the lines' end tells.
    if (!(error instanceof CommandError)) throw error;
    if (error instanceof NotThereError)
      process.stderr.write(`cloudmapd: ${printable(error.message)} (watching for it)\n`);
  }
}

function humanLine(line: Line, paint: Paint): string {
  return rowLine([clockTime(line.at), line.event, subjectOf(line), ...whatOf(line)], WIDTHS, paint);
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
      return [healthCell(line.health), `(${line.reason})`];
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
