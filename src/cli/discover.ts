/** `cloudmapd discover NAMESPACE SERVICE`: what DiscoverInstances finds, as an application would ask. */
import { ApiClient, type AskFlags, endpointOf, RefusedError } from './api-client.ts';
import { UsageError } from './command.ts';
import { type FoundInstance, instanceLines, shownInstances } from './instances.ts';
import { findNamespace, findService, httpNameOf, requireServiceName } from './lookup.ts';
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
  readonly Instances: readonly FoundInstance[];
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
  requireServiceName(serviceName);
  const namespace = await findNamespace(api, namespaceName);
  const find = (name: string): Promise<Discovered> =>
    api.call('DiscoverInstances', { NamespaceName: httpNameOf(namespace), ServiceName: name, ...filters });
  let name = serviceName;
  const { Instances, InstancesRevision } = await find(name).catch(async (error: unknown) => {
    // An id, or a mistake.
    if (!(error instanceof RefusedError)) throw error;
    name = (await findService(api, namespace, serviceName)).Name;
    return find(name);
  });
  const instances = shownInstances(Instances);
  const value = { namespace: namespace.Name, service: name, revision: InstancesRevision, instances };
  // What people ask next.
  const registered =
    instances.length > 0 || flags.json ? null : (await findService(api, namespace, name)).InstanceCount;
  await writeResult(flags.json, value, (paint) =>
    registered === null
      ? instanceLines(instances, paint)
      : [`no instances found in ${namespace.Name}/${name}: ${registered === 0 ? 'none' : registered} registered`],
  );
}
