/** Instances as commands show them. */
import type { ApiClient } from './api-client.ts';
import { httpNameOf, isChecked, type Place } from './lookup.ts';
import { startProgress } from './progress.ts';
import { type Cell, healthCell, type Paint, tableLines } from './table.ts';

/** As `--json` has it. */
export interface ShownInstance {
  readonly id: string;
  /** HEALTHY, UNHEALTHY, or UNKNOWN where the service has no check. */
  readonly health: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Cloud Map: HttpInstanceSummary; what is used of it. */
export interface FoundInstance {
  readonly InstanceId: string;
  readonly HealthStatus: string;
  readonly Attributes: Record<string, string>;
}

/** What discovery has found, by id. */
export function shownInstances(found: readonly FoundInstance[]): ShownInstance[] {
  return byId(
    found.map(({ InstanceId, HealthStatus, Attributes }) => ({
      id: InstanceId,
      health: HealthStatus,
      attributes: Attributes,
    })),
  );
}

/** All of them, by id. Of one that comes or goes meanwhile the status may not be known. */
export async function listInstances(api: ApiClient, place: Place): Promise<ShownInstance[]> {
  const { service, name } = place;
  const instances: { readonly Id: string; readonly Attributes?: Record<string, string> }[] = [];
  const progress = startProgress();
  let healthOfOne: (id: string) => string;
  try {
    for await (const { Instances } of api.pages('ListInstances', { ServiceId: service.Id, MaxResults: 100 })) {
      instances.push(...(Instances as typeof instances));
      progress.show(`listing ${name}`, instances.length / service.InstanceCount);
    }
    progress.show(`asking for the health of ${name}`);
    healthOfOne = await lookUpHealth(api, place);
  } finally {
    progress.end();
  }
  return byId(
    instances.map(({ Id, Attributes = {} }) => ({
      id: Id,
      health: healthOfOne(Id),
      attributes: Attributes,
    })),
  );
}

/** Cloud Map: DiscoverMaxResults. */
const MOST_DISCOVERED = 1000;

/**
 * In one call, where the other way takes one for each hundred instances.
 * @returns the ids of the unhealthy instances; null: there may be more than one call tells
 */
export async function unhealthyOf(
  api: ApiClient,
  { namespace, service }: Pick<Place, 'namespace' | 'service'>,
): Promise<ReadonlySet<string> | null> {
  const { Instances } = await api.call<{ Instances: readonly { InstanceId: string }[] }>('DiscoverInstances', {
    NamespaceName: httpNameOf(namespace),
    ServiceName: service.Name,
    HealthStatus: 'UNHEALTHY',
    MaxResults: MOST_DISCOVERED,
  });
  return Instances.length === MOST_DISCOVERED ? null : new Set(Instances.map(({ InstanceId }) => InstanceId));
}

async function lookUpHealth(api: ApiClient, place: Place): Promise<(id: string) => string> {
  if (!isChecked(place.service)) return () => 'UNKNOWN';
  const unhealthy = await unhealthyOf(api, place);
  if (unhealthy !== null) return (id) => (unhealthy.has(id) ? 'UNHEALTHY' : 'HEALTHY');
  const statuses = await healthOf(api, place.service.Id);
  return (id) => statuses.get(id) ?? 'UNKNOWN';
}

/** @param only of these instances; absent: of all @returns statuses by id */
export async function healthOf(
  api: ApiClient,
  serviceId: string,
  only?: readonly string[],
): Promise<Map<string, string>> {
  const statuses = new Map<string, string>();
  const input = { ServiceId: serviceId, MaxResults: 100, ...(only && { Instances: only }) };
  for await (const { Status } of api.pages('GetInstancesHealthStatus', input)) {
    for (const [id, status] of Object.entries(Status as Record<string, string>)) statuses.set(id, status);
  }
  return statuses;
}

export function byId<T extends { readonly id: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const ADDRESSES = ['AWS_INSTANCE_IPV4', 'AWS_INSTANCE_IPV6', 'AWS_INSTANCE_CNAME', 'AWS_ALIAS_DNS_NAME'];
const PORT = 'AWS_INSTANCE_PORT';

export function instanceLines(instances: readonly ShownInstance[], paint: Paint): string[] {
  const rows = instances.map(({ id, health, attributes }): Cell[] => {
    const addresses = ADDRESSES.map((key) => attributes[key]).filter((address) => address !== undefined);
    const others = Object.entries(attributes).filter(([key]) => key !== PORT && !ADDRESSES.includes(key));
    return [
      id,
      healthCell(health),
      addresses.join(' ') || '-',
      attributes[PORT] ?? '-',
      others.map(([key, value]) => `${key}=${quoted(value)}`).join(' ') || '-',
    ];
  });
  return tableLines(['INSTANCE', 'HEALTH', 'ADDRESS', 'PORT', 'ATTRIBUTES'], rows, paint);
}

/** Where it would not be seen where it ends. */
function quoted(value: string): string {
  return /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
}
