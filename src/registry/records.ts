/**
 * The state's records as the store keeps them: `<kind>/<id>` and JSON. What is as it mostly is stays out of the JSON;
 * records from before that have it are read as well. The id is in there besides the key: a string that JSON gives is
 * one of its own, a part of the key would keep the whole key in memory.
 */
import type { StoreChange } from '../store/store.ts';
import {
  type Change,
  type Instance,
  type InstanceHealth,
  NAMESPACE_TYPES,
  type Namespace,
  type Operation,
  type Service,
} from './model.ts';
import { domainNameProblem } from './owner-names.ts';

/** What a record leaves out may be missing; what it must have may be damaged. */
type Stored<T> = { readonly [K in keyof T]?: T[K] };

// Shared by all that have nothing else: there are many of them, and nothing of the state is ever changed in place.
const HEALTHY: InstanceHealth = Object.freeze({ status: 'HEALTHY', lastHealthyAt: null, pending: null });
const UNHEALTHY: InstanceHealth = Object.freeze({ status: 'UNHEALTHY', lastHealthyAt: null, pending: null });
const NOTHING: Readonly<Record<string, string>> = Object.freeze({});

export const INSTANCE_PREFIX = 'instance/';

export function keyOf(change: Change): string {
  return change.kind === 'instance'
    ? `${INSTANCE_PREFIX}${change.serviceId}/${change.id}`
    : `${change.kind}/${change.id}`;
}

export function encodeChange(change: Change): StoreChange {
  return { key: keyOf(change), value: change.value === null ? null : JSON.stringify(storedOf(change)) };
}

/** @throws Error on a record that this registry did not write */
export function decodeChange({ key, value }: StoreChange): Change {
  const slash = key.indexOf('/');
  const kind = key.slice(0, slash);
  const id = key.slice(slash + 1);
  switch (kind) {
    case 'namespace':
      return { kind, id, value: value === null ? null : namespaceFrom(id, value) };
    case 'revision':
    case 'serial':
      return { kind, id, value: value === null ? null : numberFrom(value) };
    case 'service': {
      const service = value === null ? null : serviceFrom(id, value);
      return { kind, id: service?.id ?? id, value: service };
    }
    case 'operation': {
      const operation = value === null ? null : operationFrom(id, value);
      return { kind, id: operation?.id ?? id, value: operation };
    }
    case 'instance': {
      // Service ids have no slash; instance ids may.
      const next = id.indexOf('/');
      const serviceId = id.slice(0, next);
      const instance = value === null ? null : instanceFrom(serviceId, key, value);
      return { kind, serviceId, id: instance?.id ?? id.slice(next + 1), value: instance };
    }
    default:
      throw new Error(`the store has a record of the unknown kind "${kind}"`);
  }
}

/** What JSON leaves out where it is undefined. */
function storedOf(change: Change): unknown {
  switch (change.kind) {
    case 'instance':
      return change.value && storedInstance(change.value);
    case 'service':
      return change.value && storedService(change.value);
    case 'operation':
      return change.value && storedOperation(change.value);
    default:
      return change.value;
  }
}

function storedInstance(instance: Instance): unknown {
  const { id, attributes, health, creatorRequestId, operationId, registeredAt, manager } = instance;
  return {
    id,
    attributes,
    registeredAt,
    health: sharedHealth(health) === HEALTHY ? undefined : health,
    creatorRequestId: creatorRequestId ?? undefined,
    operationId: operationId ?? undefined,
    manager: manager === 'api' ? undefined : manager,
  };
}

/** @param serviceId whose string the instance gets; @throws Error where it is not the instance of the key */
export function instanceFrom(serviceId: string, key: string, json: string): Instance {
  const { id, attributes, registeredAt, health, creatorRequestId, operationId, manager }: Stored<Instance> =
    JSON.parse(json) ?? {};
  const isOfKey =
    id !== undefined && key.length === INSTANCE_PREFIX.length + serviceId.length + 1 + id.length && key.endsWith(id);
  if (!isOfKey || typeof attributes !== 'object' || registeredAt === undefined) throw notOfKey();
  return {
    serviceId,
    id,
    attributes,
    health: health === undefined ? HEALTHY : sharedHealth(health),
    creatorRequestId: creatorRequestId ?? null,
    operationId: operationId ?? null,
    registeredAt,
    manager: manager ?? 'api',
  };
}

/** The same one for all that are as they mostly are. */
export function sharedHealth(health: InstanceHealth): InstanceHealth {
  if (health.lastHealthyAt !== null || health.pending !== null || health.transitions !== undefined) return health;
  return health.status === 'HEALTHY' ? HEALTHY : UNHEALTHY;
}

function namespaceFrom(key: string, json: string): Namespace {
  const namespace: Namespace | null = JSON.parse(json);
  if (namespace?.id !== key || typeof namespace.name !== 'string' || !NAMESPACE_TYPES.includes(namespace.type)) {
    throw notOfKey();
  }
  // What DNS cannot say would end the start further on, where nobody knows the record.
  const problem = namespace.type === 'HTTP' ? null : domainNameProblem(namespace.name);
  if (problem !== null) throw new Error(`its name "${namespace.name}" ${problem}`);
  return namespace;
}

function numberFrom(json: string): number {
  const number: unknown = JSON.parse(json);
  if (!Number.isSafeInteger(number)) throw notOfKey();
  return number as number;
}

function storedService(service: Service): unknown {
  return {
    ...service,
    type: service.type === 'DNS_HTTP' ? undefined : service.type,
    description: service.description ?? undefined,
    dns: service.dns ?? undefined,
    healthCheck: service.healthCheck ?? undefined,
    hasCustomHealthCheck: service.hasCustomHealthCheck || undefined,
    attributes: unlessEmpty(service.attributes),
    tags: unlessEmpty(service.tags),
    creatorRequestId: service.creatorRequestId ?? undefined,
    requestDigest: service.requestDigest ?? undefined,
    manager: service.manager === 'api' ? undefined : service.manager,
  };
}

function serviceFrom(key: string, json: string): Service {
  const stored: Stored<Service> = JSON.parse(json) ?? {};
  const { id, namespaceId, name, createdAt } = stored;
  if (id !== key || namespaceId === undefined || name === undefined || createdAt === undefined) throw notOfKey();
  return {
    id,
    namespaceId,
    name,
    type: stored.type ?? 'DNS_HTTP',
    description: stored.description ?? null,
    dns: stored.dns ?? null,
    healthCheck: stored.healthCheck ?? null,
    hasCustomHealthCheck: stored.hasCustomHealthCheck ?? false,
    attributes: unlessEmpty(stored.attributes) ?? NOTHING,
    tags: unlessEmpty(stored.tags) ?? NOTHING,
    creatorRequestId: stored.creatorRequestId ?? null,
    requestDigest: stored.requestDigest ?? null,
    createdAt,
    manager: stored.manager ?? 'api',
  };
}

function storedOperation(operation: Operation): unknown {
  return {
    ...operation,
    status: operation.status === 'SUCCESS' ? undefined : operation.status,
    updatedAt: operation.updatedAt === operation.createdAt ? undefined : operation.updatedAt,
    error: operation.error ?? undefined,
    work: operation.work ?? undefined,
    dueAt: operation.dueAt === operation.createdAt ? undefined : operation.dueAt,
    request: operation.request ?? undefined,
  };
}

function operationFrom(key: string, json: string): Operation {
  const stored: Stored<Operation> = JSON.parse(json) ?? {};
  const { id, type, createdAt, targets } = stored;
  if (id !== key || type === undefined || createdAt === undefined || targets === undefined) throw notOfKey();
  return {
    id,
    type,
    status: stored.status ?? 'SUCCESS',
    createdAt,
    updatedAt: stored.updatedAt ?? createdAt,
    targets,
    error: stored.error ?? null,
    work: stored.work ?? null,
    dueAt: stored.dueAt ?? createdAt,
    request: stored.request ?? null,
  };
}

function notOfKey(): Error {
  return new Error('it is not what its key says');
}

function unlessEmpty<T extends object>(pairs: T | undefined): T | undefined {
  for (const _ in pairs) return pairs;
  return undefined;
}
