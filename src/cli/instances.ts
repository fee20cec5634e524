/** Instances as commands show them. */
import type { ApiClient } from './api-client.ts';
import type { Place } from './lookup.ts';
import { type Cell, healthCell, type Paint, tableLines } from './table.ts';

/** As `--json` has it. */
export interface ShownInstance {
  readonly id: string;
  /** HEALTHY, UNHEALTHY, or UNKNOWN where the service has no check. */
  readonly health: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** All of them, by id. Of one that comes or goes meanwhile the status may not be known. */
export async function listInstances(api: ApiClient, { service }: Place): Promise<ShownInstance[]> {
  const page = { ServiceId: service.Id, MaxResults: 100 };
  const [instances, health] = await Promise.all([
    api.list<{ Id: string; Attributes?: Record<string, string> }>('ListInstances', 'Instances', page),
    healthOf(api, service.Id),
  ]);
  return byId(
    instances.map(({ Id, Attributes = {} }) => ({
      id: Id,
      health: health.get(Id) ?? 'UNKNOWN',
      attributes: Attributes,
    })),
  );
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
