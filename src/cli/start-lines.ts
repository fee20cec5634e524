/** What `serve` prints at start: what it serves, and commands that work when pasted. */
import type { Daemon } from '../daemon.ts';
import type { Namespace, RecordType, Service } from '../registry/model.ts';
import { absoluteName, ownerOfService } from '../registry/owner-names.ts';
import type { Registry } from '../registry/registry.ts';
import { count } from './count.ts';

/** So many names of the content are shown with a command each. */
const MAX_EXAMPLES = 3;

export function startLines({ registry, http, dns, sockets, threads, configFile }: Daemon): string[] {
  const { state, options } = registry;
  const namespaces = [...state.namespaces()];
  const services = [...state.services()];
  const instances = services.reduce((sum, { id }) => sum + state.instancesOf(id).size, 0);
  const endpoint = `http://${reachable(http[0] ?? '')}`;
  const [server, port] = splitPort(reachable(dns[0] ?? ''));
  const aws = (command: string): string =>
    `aws servicediscovery ${command} --endpoint-url ${endpoint} --region ${options.region} --no-sign-request`;

  const lines = [
    'cloudmapd is ready',
    `  API  ${http.map((address) => `http://${address}`).join(', ')}`,
    `  DNS  ${dns.join(', ')} (UDP on ${sockets} sockets, and TCP${threads > 1 ? `; ${threads} threads` : ''})`,
    `  serving ${count(namespaces.length, 'namespace')}, ${count(services.length, 'service')}, ${count(instances, 'instance')}${configFile === null ? '' : ` (${configFile})`}`,
    '',
  ];
  const examples = exampleServices(registry);
  for (const { namespace, service, type } of examples) {
    const name = absoluteName(ownerOfService(service) ?? '', namespace);
    lines.push(`dig @${server} -p ${port} ${quote(name)} ${type}`);
  }
  lines.push(`curl -s ${endpoint}/readyz`);
  const [example] = examples;
  if (example !== undefined) {
    const body = JSON.stringify({ NamespaceName: example.namespace.httpName, ServiceName: example.service.name });
    lines.push(
      `curl -s ${endpoint}/ -H 'X-Amz-Target: Route53AutoNaming_v20170314.DiscoverInstances' -H 'Content-Type: application/x-amz-json-1.1' -d ${quote(body)}`,
      aws(`list-instances --service-id ${example.service.id}`),
    );
  }
  lines.push(aws('list-namespaces'));
  return lines;
}

/** Services with something to answer, each with a record type that it has. */
function exampleServices({ state }: Registry): { namespace: Namespace; service: Service; type: RecordType }[] {
  const examples: { namespace: Namespace; service: Service; type: RecordType }[] = [];
  for (const service of state.services()) {
    const namespace = state.namespace(service.namespaceId);
    const type = service.dns?.records[0]?.type;
    if (namespace === undefined || type === undefined || state.instancesOf(service.id).size === 0) continue;
    // Of namespaces with one name only the oldest is in DNS.
    if (state.zoneNamespaces(namespace.name)[0]?.id !== namespace.id) continue;
    examples.push({ namespace, service, type });
    if (examples.length === MAX_EXAMPLES) break;
  }
  return examples;
}

/** A wildcard address is none that a client can ask; on this machine loopback is. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}

function splitPort(address: string): [string, string] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at).replace(/^\[|\]$/g, ''), address.slice(at + 1)];
}

/** For a POSIX shell; as it is where nothing in it has a meaning there. */
function quote(text: string): string {
  return /^[A-Za-z0-9_./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
