/** `cloudmapd health NAMESPACE SERVICE [INSTANCE [STATUS]]`: shows the statuses, or sets a custom one. */
import { ApiClient, type AskFlags, endpointOf, RefusedError } from './api-client.ts';
import { CommandError, UsageError } from './command.ts';
import { byId, healthOf } from './instances.ts';
import { findPlace, instanceNotThere, type Place } from './lookup.ts';
import { writeResult } from './result.ts';
import { healthCell, tableLines } from './table.ts';

const STATUSES = ['HEALTHY', 'UNHEALTHY'];

/** @param id null: all instances @param status null: shown, not set */
export async function health(
  [namespaceName, serviceName]: readonly [namespace: string, service: string],
  id: string | null,
  status: string | null,
  flags: AskFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const wanted = status?.toUpperCase() ?? null;
  if (wanted !== null && !STATUSES.includes(wanted)) {
    throw new UsageError(`health: "${status}" is none of ${STATUSES.join(', ')}`);
  }
  const api = new ApiClient(endpointOf(flags, env));
  const place = await findPlace(api, namespaceName, serviceName);
  try {
    if (wanted !== null && id !== null) await setHealth(api, place, id, wanted);
    await show(api, place, id, wanted, flags);
  } catch (error) {
    const isGone = id !== null && error instanceof RefusedError && error.code === 'InstanceNotFound';
    throw isGone ? await instanceNotThere(api, place, id) : error;
  }
}

async function setHealth(api: ApiClient, { service, name }: Place, id: string, status: string): Promise<void> {
  const input = { ServiceId: service.Id, InstanceId: id, Status: status };
  try {
    await api.call('UpdateInstanceCustomHealthStatus', input);
  } catch (error) {
    if (!(error instanceof RefusedError && error.code === 'CustomHealthNotFound')) throw error;
    const { HealthCheckConfig: check } = service;
    const why = check === undefined ? 'it has no health check' : `cloudmapd probes it by ${check.Type}`;
    throw new CommandError(`${name} takes nobody's word for its health: ${why} (HealthCheckCustomConfig does)`, {
      cause: error,
    });
  }
}

async function show(
  api: ApiClient,
  { namespace, service, name }: Place,
  id: string | null,
  wanted: string | null,
  { json }: AskFlags,
): Promise<void> {
  const statuses = await healthOf(api, service.Id, id === null ? undefined : [id]);
  const instances = byId([...statuses].map(([each, status]) => ({ id: each, health: status })));
  await writeResult(json, { namespace: namespace.Name, service: service.Name, instances }, (paint) => {
    if (instances.length === 0) return [`no instances in ${name}`];
    const lines = tableLines(
      ['INSTANCE', 'HEALTH'],
      instances.map((instance) => [instance.id, healthCell(instance.health)]),
      paint,
    );
    const isPending = wanted !== null && instances.some((instance) => instance.health !== wanted);
    return isPending ? [...lines, `${wanted} takes effect later (CLOUDMAPD_CUSTOM_HEALTH_DELAY_MS)`] : lines;
  });
}
