/** `cloudmapd ls [NAMESPACE [SERVICE]]`: what is registered, a level at a time. */
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { instanceLines, listInstances, unhealthyOf } from './instances.ts';
import {
  findNamespace,
  findPlace,
  httpNameOf,
  isChecked,
  isNotFound,
  listServices,
  type NamespaceSummary,
  type ServiceSummary,
} from './lookup.ts';
import { writeResult } from './result.ts';
import { type Cell, type Paint, tableLines } from './table.ts';

/** Services whose instances' statuses are asked for at once. */
const PARALLEL_CALLS = 8;

/** @param namespaceName null: all namespaces @param serviceName null: all services of the namespace */
export async function list(
  namespaceName: string | null,
  serviceName: string | null,
  flags: AskFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const api = new ApiClient(endpointOf(flags, env));
  if (namespaceName === null) return listAll(api, flags);
  if (serviceName === null) return listNamespace(api, namespaceName, flags);
  const place = await findPlace(api, namespaceName, serviceName);
  const instances = await listInstances(api, place);
  const value = { namespace: place.namespace.Name, service: place.service.Name, instances };
  await writeResult(flags.json, value, (paint) =>
    instances.length === 0 ? [`no instances in ${place.name}`] : instanceLines(instances, paint),
  );
}

async function listAll(api: ApiClient, { json }: AskFlags): Promise<void> {
  const found = await api.list<NamespaceSummary>('ListNamespaces', 'Namespaces', { MaxResults: 100 });
  const namespaces = found.map(shownNamespace).sort((a, b) => (a.httpName < b.httpName ? -1 : 1));
  await writeResult(json, { namespaces }, (paint) => {
    if (namespaces.length === 0) return ['no namespaces'];
    // Mostly it is the name.
    const hasOthers = namespaces.some(({ name, httpName }) => name !== httpName);
    const titles = ['NAMESPACE', ...(hasOthers ? ['HTTP NAME'] : []), 'TYPE', 'SERVICES', 'ID'];
    const rows = namespaces.map(({ name, httpName, type, serviceCount, id }): Cell[] => [
      name,
      ...(hasOthers ? [httpName] : []),
      type,
      serviceCount,
      id,
    ]);
    return tableLines(titles, rows, paint);
  });
}

function shownNamespace(namespace: NamespaceSummary) {
  const { Id, Name, Type, Description, ServiceCount } = namespace;
  return {
    id: Id,
    name: Name,
    httpName: httpNameOf(namespace),
    type: Type,
    description: Description,
    serviceCount: ServiceCount,
  };
}

async function listNamespace(api: ApiClient, name: string, { json }: AskFlags): Promise<void> {
  const namespace = await findNamespace(api, name);
  const found = await listServices(api, namespace);
  const services = (await withHealthy(api, namespace, found)).sort((a, b) => (a.name < b.name ? -1 : 1));
  // `namespace` is a name wherever it stands.
  const { id, name: own, ...rest } = shownNamespace(namespace);
  await writeResult(json, { namespace: own, namespaceId: id, ...rest, services }, (paint) =>
    services.length === 0 ? [`no services in ${namespace.Name}`] : serviceLines(services, paint),
  );
}

type ShownService = ReturnType<typeof shownService>;

function shownService(service: ServiceSummary, healthyCount: number | null) {
  const { Id, Name, Type, Description, InstanceCount, DnsConfig = {}, HealthCheckConfig: check } = service;
  const { RoutingPolicy, DnsRecords = [] } = DnsConfig;
  return {
    id: Id,
    name: Name,
    type: Type,
    description: Description,
    dns:
      DnsRecords.length === 0
        ? null
        : {
            routingPolicy: RoutingPolicy ?? null,
            records: DnsRecords.map((record) => ({ type: record.Type, ttlSeconds: record.TTL })),
          },
    healthCheck:
      check === undefined
        ? null
        : { type: check.Type, path: check.ResourcePath, failureThreshold: check.FailureThreshold },
    hasCustomHealthCheck: service.HealthCheckCustomConfig !== undefined,
    instanceCount: InstanceCount,
    /** Null: nobody checks, the unhealthy ones are too many to be counted, or the service has gone meanwhile. */
    healthyCount,
  };
}

async function withHealthy(
  api: ApiClient,
  namespace: NamespaceSummary,
  services: readonly ServiceSummary[],
): Promise<ShownService[]> {
  const shown: ShownService[] = new Array(services.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < services.length) {
      const i = next++;
      const service = services[i] as ServiceSummary;
      shown[i] = shownService(service, await countHealthy(api, namespace, service));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_CALLS }, work));
  return shown;
}

async function countHealthy(
  api: ApiClient,
  namespace: NamespaceSummary,
  service: ServiceSummary,
): Promise<number | null> {
  if (!isChecked(service)) return null;
  try {
    const unhealthy = await unhealthyOf(api, { namespace, service });
    // Some may have gone since the services were listed.
    return unhealthy && Math.max(0, service.InstanceCount - unhealthy.size);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function serviceLines(services: readonly ShownService[], paint: Paint): string[] {
  const rows = services.map((service): Cell[] => [
    service.name,
    service.dns?.records.map(({ type, ttlSeconds }) => `${type} ${ttlSeconds}`).join(', ') ?? '-',
    service.dns?.routingPolicy ?? '-',
    checkOf(service),
    service.instanceCount,
    healthyCell(service),
    service.id,
  ]);
  return tableLines(['SERVICE', 'RECORDS', 'POLICY', 'CHECK', 'INSTANCES', 'HEALTHY', 'ID'], rows, paint);
}

function checkOf({ healthCheck, hasCustomHealthCheck }: ShownService): string {
  if (healthCheck === null) return hasCustomHealthCheck ? 'custom' : '-';
  return [healthCheck.type, healthCheck.path].filter((part) => part !== undefined).join(' ');
}

function healthyCell({ healthyCount, instanceCount }: ShownService): Cell {
  if (healthyCount === null) return '-';
  const text = String(healthyCount);
  if (healthyCount < instanceCount) return { text, style: healthyCount === 0 ? 'red' : 'yellow' };
  return { text, style: 'green' };
}
