/** A registry over a store in memory, with a clock and chance of the test's own. */
import type { Decider, Quotas, RegistryOptions } from '../../src/registry/decision.ts';
import type { Random } from '../../src/registry/ids.ts';
import { deregisterInstance, registerInstance } from '../../src/registry/instances.ts';
import type { Namespace, NamespaceType } from '../../src/registry/model.ts';
import { createNamespace } from '../../src/registry/namespaces.ts';
import { instanceOwner, serviceOwner } from '../../src/registry/owner-names.ts';
import { Registry } from '../../src/registry/registry.ts';
import { type CreateService, createService } from '../../src/registry/services.ts';
import type { State } from '../../src/registry/state.ts';
import { targetsOf } from '../../src/registry/targets.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';

export const UNLIMITED: Quotas = {
  namespaces: 0,
  instancesPerNamespace: 0,
  instancesPerService: 0,
  customAttributes: 0,
  serviceAttributes: 0,
  tags: 0,
};

export const OPTIONS: RegistryOptions = {
  region: 'us-east-1',
  accountId: '123456789012',
  operationDelayMs: 0,
  customHealthDelayMs: 0,
  newInstanceStatus: 'HEALTHY',
  allowsPrivateHealthChecks: false,
  quotas: UNLIMITED,
  declared: new Set(),
  ec2Instances: {},
};

/** The same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

export interface TestRegistry {
  readonly registry: Registry;
  readonly store: Store;
  readonly clock: { now: number };
  readonly random: Random;
  /** The registry that another start on the same store would have. */
  reopen(options?: Partial<RegistryOptions>): Promise<Registry>;
}

export async function openRegistry(
  options: Partial<RegistryOptions> = {},
  store: Store = openMemoryStore(),
  clock: { now: number } = { now: Date.UTC(2030, 0, 1) },
): Promise<TestRegistry> {
  const random = seededRandom(1);
  const reopen = (changed: Partial<RegistryOptions> = options) =>
    Registry.open({ store, options: { ...OPTIONS, ...changed }, clock: () => clock.now, random });
  return { registry: await reopen(), store, clock, random, reopen };
}

export function namespaceCommand(
  name: string,
  rest: { type?: NamespaceType; creatorRequestId?: string; description?: string } = {},
): Decider<{ operationId: string }> {
  const command = { type: 'HTTP' as const, vpc: null, soaTtlSeconds: null, tags: [], creatorRequestId: null };
  return (state, context) => createNamespace(state, { ...command, name, description: null, ...rest }, context);
}

export function serviceCommand(
  namespaceId: string,
  name: string,
  rest: Partial<CreateService> = {},
): Decider<{ id: string }> {
  const command: CreateService = {
    name,
    namespaceId,
    dnsNamespaceId: null,
    isHttpOnly: false,
    description: null,
    dns: null,
    healthCheck: null,
    hasCustomHealthCheck: false,
    tags: [],
    creatorRequestId: null,
    ...rest,
  };
  return (state, context) => createService(state, command, context);
}

export function registerCommand(
  serviceId: string,
  instanceId: string,
  attributes: Readonly<Record<string, string>> = {},
  creatorRequestId: string | null = null,
): Decider<{ operationId: string }> {
  const command = { serviceId, instanceId, attributes, ec2: null, creatorRequestId };
  return (state, context) => registerInstance(state, command, context);
}

export function deregisterCommand(serviceId: string, instanceId: string): Decider<{ operationId: string }> {
  return (state, context) => deregisterInstance(state, { serviceId, instanceId }, context);
}

/** A namespace and a service in it. */
export async function withService(
  registry: Registry,
  rest: Partial<CreateService> & { type?: NamespaceType } = {},
): Promise<{ namespaceId: string; serviceId: string }> {
  const { type = 'HTTP', ...service } = rest;
  await registry.submit(namespaceCommand('space', { type }));
  const { id: namespaceId } = [...registry.state.namespaces()].at(-1) as Namespace;
  const { id: serviceId } = await registry.submit(serviceCommand(namespaceId, 'service', service));
  return { namespaceId, serviceId };
}

/** All that can be read from the state, indexes included; equal for equal states. */
export function dump(state: State): object {
  const namespaces = [...state.namespaces()].sort(byId);
  const services = [...state.services()].sort(byId);
  const operations = [...state.operations()].sort(byId);
  return {
    namespaces,
    services,
    operations,
    pending: [...state.pendingOperations()].map(({ id }) => id).sort(),
    pendingTargets: operations.map((operation) =>
      targetsOf(operation).map((target) => [target, state.pendingOperationOn(target)?.id]),
    ),
    requests: operations.map(({ request }) => request && [request.key, state.operationByRequest(request.key)?.id]),
    operationCount: state.operationCount,
    countedNamespaces: state.countedNamespaces,
    byNamespace: namespaces.map(({ id, name, httpName }) => ({
      byHttpName: state.namespaceByHttpName(httpName)?.id,
      zone: state.zoneNamespaces(name).map((other) => other.id),
      services: state
        .servicesOf(id)
        .map((service) => service.id)
        .sort(),
      serviceCount: state.serviceCount(id),
      counted: state.countedInstances(id),
    })),
    byService: services.map((service) => {
      const instances = [...state.instancesOf(service.id).values()].sort(byId);
      return {
        byName: state.serviceByName(service.namespaceId, service.name)?.id,
        holder: state.holderOf(service.namespaceId, serviceOwner(service.name)),
        revision: state.revision(service.id),
        counted: state.countedInstances(service.id),
        instances,
        targets: instances.map(({ id }) => state.holderOf(service.namespaceId, instanceOwner(service.name, id))),
      };
    }),
    pendingHealth: [...state.instancesWithPendingHealth()].map(({ serviceId, id }) => `${serviceId}/${id}`).sort(),
    retiredRevision: state.revision('*'),
  };
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}
