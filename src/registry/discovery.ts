/** Discovery by name and attributes (Cloud Map: DiscoverInstances). */
import type { Context } from './decision.ts';
import { ServiceError } from './errors.ts';
import { idFrom, type Random } from './ids.ts';
import type { Instance, Namespace, Service } from './model.ts';
import { hasHealthCheck } from './model.ts';
import type { State } from './state.ts';

export type HealthStatusFilter = 'HEALTHY' | 'UNHEALTHY' | 'ALL' | 'HEALTHY_OR_ELSE_ALL';

export interface DiscoverInstances {
  /** HttpName, or the ARN of a namespace. */
  readonly namespaceName: string;
  readonly serviceName: string;
  readonly maxResults: number;
  readonly queryParameters: Readonly<Record<string, string>>;
  readonly optionalParameters: Readonly<Record<string, string>>;
  readonly healthStatus: HealthStatusFilter;
  readonly ownerAccount: string | null;
}

export interface Discovered {
  readonly namespace: Namespace;
  readonly service: Service;
  readonly instances: readonly Instance[];
  readonly revision: number;
}

/** @throws ServiceError NamespaceNotFound, ServiceNotFound */
export function findDiscoverable(
  state: State,
  query: Pick<DiscoverInstances, 'namespaceName' | 'serviceName' | 'ownerAccount'>,
  { options }: Pick<Context, 'options'>,
): { namespace: Namespace; service: Service } {
  const { namespaceName, serviceName, ownerAccount } = query;
  // One account: another's namespaces are not found, which is our choice.
  const isOurs = ownerAccount === null || ownerAccount === options.accountId;
  const namespace = isOurs
    ? (state.namespaceByHttpName(namespaceName) ??
      (namespaceName.startsWith('arn:') ? state.namespace(idFrom(options, 'namespace', namespaceName)) : undefined))
    : undefined;
  if (namespace === undefined)
    throw new ServiceError('NamespaceNotFound', `No namespace has the HttpName "${namespaceName}".`);
  // AWS does not say whether case matters; here discovery compares exactly, and DNS without case.
  const service = state.serviceByName(namespace.id, serviceName);
  if (service === undefined) {
    throw new ServiceError('ServiceNotFound', `The namespace "${namespaceName}" has no service "${serviceName}".`);
  }
  return { namespace, service };
}

/**
 * Filters in this order: QueryParameters, health (its fail-open judged on what is left), OptionalParameters; then a
 * random subset in random order. AWS documents each of them, not their order, nor that reserved attributes can be asked
 * for too: both are our choice.
 * @throws ServiceError NamespaceNotFound, ServiceNotFound
 */
export function discoverInstances(state: State, query: DiscoverInstances, context: Context): Discovered {
  const { namespace, service } = findDiscoverable(state, query, context);
  const required = Object.entries(query.queryParameters);
  const optional = Object.entries(query.optionalParameters);
  let found = [...state.instancesOf(service.id).values()].filter((instance) => hasAll(instance, required));
  if (hasHealthCheck(service)) found = filterByHealth(found, query.healthStatus);
  if (optional.length > 0) {
    const preferred = found.filter((instance) => hasAll(instance, optional));
    if (preferred.length > 0) found = preferred;
  }
  return {
    namespace,
    service,
    instances: sample(found, query.maxResults, context.random),
    revision: state.revision(service.id),
  };
}

function hasAll({ attributes }: Instance, pairs: readonly (readonly [string, string])[]): boolean {
  return pairs.every(([key, value]) => Object.hasOwn(attributes, key) && attributes[key] === value);
}

function filterByHealth(instances: Instance[], filter: HealthStatusFilter): Instance[] {
  if (filter === 'ALL') return instances;
  const wanted = filter === 'UNHEALTHY' ? 'UNHEALTHY' : 'HEALTHY';
  const matching = instances.filter((instance) => instance.health.status === wanted);
  return filter === 'HEALTHY_OR_ELSE_ALL' && matching.length === 0 ? instances : matching;
}

/** The first `count` steps of a Fisher-Yates shuffle. */
function sample<T>(items: T[], count: number, random: Random): T[] {
  const n = Math.min(count, items.length);
  for (let i = 0; i < n; i++) {
    const j = i + random(items.length - i);
    const swap = items[i] as T;
    items[i] = items[j] as T;
    items[j] = swap;
  }
  return items.slice(0, n);
}
