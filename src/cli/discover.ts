/** `cloudmapd discover NAMESPACE SERVICE`: what DiscoverInstances finds, as an application would ask. */
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { UsageError } from './command.ts';
import { byId, instanceLines, type ShownInstance } from './instances.ts';
import { findNamespace, findService, httpNameOf } from './lookup.ts';
import { readPairs } from './pairs.ts';
import { writeResult } from './result.ts';

const FILTERS = ['HEALTHY', 'UNHEALTHY', 'ALL', 'HEALTHY_OR_ELSE_ALL'];
/** Cloud Map: DiscoverMaxResults. */
const MOST = 1000;

export interface DiscoverFlags extends AskFlags {
  readonly health?: string;
  readonly attribute?: readonly string[];
  readonly optional?: readonly string[];
  readonly max?: string;
}

interface Discovered {
  readonly Instances: readonly {
    readonly InstanceId: string;
    readonly HealthStatus: string;
    readonly Attributes: Record<string, string>;
  }[];
  readonly InstancesRevision: number;
}

export async function discover(
  namespaceName: string,
  serviceName: string,
  flags: DiscoverFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const health = flags.health?.toUpperCase() ?? 'HEALTHY';
  if (!FILTERS.includes(health)) throw new UsageError(`--health: "${flags.health}" is none of ${FILTERS.join(', ')}`);
  const max = Number(flags.max ?? MOST);
  if (!(Number.isInteger(max) && max >= 1 && max <= MOST)) {
    throw new UsageError(`--max: "${flags.max}" is no number from 1 to ${MOST}`);
  }
  const filters = {
    HealthStatus: health,
    QueryParameters: readPairs(flags.attribute, '--attribute'),
    OptionalParameters: readPairs(flags.optional, '--optional'),
    MaxResults: max,
  };
  const api = new ApiClient(endpointOf(flags, env));
  const namespace = await findNamespace(api, namespaceName);
  const service = await findService(api, namespace, serviceName);
  const { Instances, InstancesRevision } = await api.call<Discovered>('DiscoverInstances', {
    NamespaceName: httpNameOf(namespace),
    ServiceName: service.Name,
    ...filters,
  });
  const instances = byId(
    Instances.map(
      ({ InstanceId, HealthStatus, Attributes }): ShownInstance => ({
        id: InstanceId,
        health: HealthStatus,
        attributes: Attributes,
      }),
    ),
  );
  const value = { namespace: namespace.Name, service: service.Name, revision: InstancesRevision, instances };
  await writeResult(flags.json, value, (paint) => {
    if (instances.length > 0) return instanceLines(instances, paint);
    const of = service.InstanceCount === 0 ? 'none is registered' : `of ${service.InstanceCount} registered`;
    return [`no instances found in ${namespace.Name}/${service.Name} (${of})`];
  });
}
