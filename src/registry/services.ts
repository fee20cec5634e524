/** Services: created, updated, deleted, found (Cloud Map: CreateService, UpdateService, DeleteService). */
import { type Context, type Decision, nextRevision } from './decision.ts';
import { managerOf } from './declared-keys.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { arnOf, idFrom, serviceId } from './ids.ts';
import {
  type Change,
  type DnsConfig,
  type Namespace,
  RETIRED_REVISIONS,
  type Service,
  type ServiceUpdate,
} from './model.ts';
import { requireNamespace, requireNotBeingDeleted } from './namespaces.ts';
import { acceptOperation, digestOf, requireNonePending } from './operations.ts';
import { findPendingHolder } from './owner-holders.ts';
import { serviceOwner } from './owner-names.ts';
import { checkService, checkUpdate, type ServiceSpec, updatedDns } from './service-rules.ts';
import type { State } from './state.ts';
import { readTags, requireTagQuota } from './tags.ts';
import { beginChecks } from './verdicts.ts';

export interface CreateService extends ServiceSpec {
  /** Ids or ARNs; one of them must be there. */
  readonly namespaceId: string | null;
  readonly dnsNamespaceId: string | null;
  readonly tags: readonly { key: string; value: string }[];
  readonly creatorRequestId: string | null;
}

/** @throws ServiceError ServiceNotFound */
export function requireService(state: State, context: Pick<Context, 'options'>, idOrArn: string): Service {
  const service = state.service(idFrom(context.options, 'service', idOrArn));
  if (service === undefined) throw new ServiceError('ServiceNotFound', `No service has the id "${idOrArn}".`);
  return service;
}

/**
 * The service that stands in the way of this name in the namespace: the same name, or one that differs only by case
 * where both are in DNS (AWS forbids it, and names no error: ours is ServiceAlreadyExists).
 * @throws ServiceError InvalidInput where an instance's SRV target has the name
 */
export function findSameService(
  state: State,
  namespaceId: string,
  name: string,
  dns: DnsConfig | null,
): Service | undefined {
  const exact = state.serviceByName(namespaceId, name);
  if (exact !== undefined || dns === null) return exact;
  const holder = state.holderOf(namespaceId, serviceOwner(name));
  if (holder === undefined) return undefined;
  if (holder.startsWith('service/')) return state.service(holder.slice('service/'.length));
  throw nameTaken(name, holder);
}

function nameTaken(name: string, holder: string): ServiceError {
  return invalidInput(`The name "${name}" is taken by the SRV target of ${holder}.`);
}

export function createService(state: State, command: CreateService, context: Context): Decision<Service> {
  const wanted = command.namespaceId ?? command.dnsNamespaceId;
  if (wanted === null) throw invalidInput('NamespaceId is required.');
  const namespace = requireNamespace(state, context, wanted);
  // AWS does not say which of two namespaces would win; ours refuses.
  if (
    command.dnsNamespaceId !== null &&
    idFrom(context.options, 'namespace', command.dnsNamespaceId) !== namespace.id
  ) {
    throw invalidInput('NamespaceId and DnsConfig.NamespaceId name different namespaces.');
  }
  const { creatorRequestId } = command;
  const dns = checkService(namespace, command, context);
  const tags = readTags(command.tags);
  // What the service would be, so that a retry which writes a default out is still a retry.
  const made = {
    name: command.name,
    // AWS does not name the type of a service without DnsConfig in a DNS namespace; ours is HTTP.
    type: dns === null ? ('HTTP' as const) : ('DNS_HTTP' as const),
    description: command.description,
    dns,
    healthCheck: command.healthCheck,
    hasCustomHealthCheck: command.hasCustomHealthCheck,
    tags,
  };
  const digest = digestOf(made);
  const existing = findSameService(state, namespace.id, command.name, dns);
  if (existing !== undefined && creatorRequestId !== null && existing.creatorRequestId === creatorRequestId) {
    if (existing.requestDigest === digest) return { changes: [], result: existing };
    throw invalidInput('The CreatorRequestId was used before, with other parameters.');
  }
  requireNotBeingDeleted(state, namespace.id);
  const pending = dns === null ? undefined : findPendingHolder(state, namespace.id, serviceOwner(command.name));
  if (pending !== undefined) throw nameTaken(command.name, pending);
  // Before the name: whoever repeats a request with other parameters has to hear of that.
  requireFreshRequestId(state, namespace.id, creatorRequestId);
  if (existing !== undefined) {
    throw new ServiceError(
      'ServiceAlreadyExists',
      `The service ${existing.name} exists already in the namespace ${namespace.id}.`,
      {
        ServiceId: existing.id,
        ServiceArn: arnOf(context.options, 'service', existing.id),
        ...(existing.creatorRequestId === null ? {} : { CreatorRequestId: existing.creatorRequestId }),
      },
    );
  }
  const id = serviceId(context.random);
  requireTagQuota(tags, arnOf(context.options, 'service', id), context);
  const service: Service = {
    id,
    namespaceId: namespace.id,
    ...made,
    attributes: {},
    creatorRequestId,
    requestDigest: digest,
    createdAt: context.now,
    manager: managerOf(context.options.declared, namespace, command.name),
  };
  return { changes: putNewService(state, service, context.now), result: service };
}

/**
 * A service comes into being, its InstancesRevision above all that were given before: one that is made anew under the
 * name of another goes on from there.
 */
export function putNewService(state: State, service: Service, now: number): Change[] {
  return [
    { kind: 'service', id: service.id, value: service },
    { kind: 'revision', id: service.id, value: nextRevision(state, now) },
  ];
}

/** The same request id for a service of another name is other parameters. */
function requireFreshRequestId(state: State, namespaceId: string, requestId: string | null): void {
  if (requestId !== null && state.serviceByRequest(namespaceId, requestId) !== undefined) {
    throw invalidInput('The CreatorRequestId was used before, with other parameters.');
  }
}

export interface UpdateService {
  /** Id or ARN. */
  readonly id: string;
  readonly update: ServiceUpdate;
}

/**
 * UpdateService: what is left out is deleted. Record types and the check's type are fixed at creation.
 * @throws ServiceError InvalidInput, ServiceNotFound, DuplicateRequest
 */
export function updateService(
  state: State,
  command: UpdateService,
  context: Context,
): Decision<{ operationId: string }> {
  const service = requireService(state, context, command.id);
  const namespace = state.namespace(service.namespaceId) as Namespace;
  // AWS forbids it and names no error; ours is InvalidInput.
  if (namespace.type === 'HTTP')
    throw invalidInput(`The namespace ${namespace.id} is of type HTTP: its services cannot be updated.`);
  const { update } = command;
  checkUpdate(namespace, service, update, context);
  requireNonePending(state, `service/${service.id}`);
  return acceptOperation(
    state,
    context,
    {
      type: 'UPDATE_SERVICE',
      targets: { SERVICE: service.id },
      request: null,
      work: () => ({ kind: 'update-service' as const, id: service.id, update }),
    },
    () => changeService(state, service.id, update, context),
  );
}

/** @throws ServiceError where a file has meanwhile removed the service, or given it other types */
export function changeService(state: State, id: string, update: ServiceUpdate, context: Context): Change[] {
  const service = state.service(id);
  if (service === undefined) throw new ServiceError('ServiceNotFound', `The service ${id} has gone meanwhile.`);
  checkUpdate(state.namespace(service.namespaceId) as Namespace, service, update, context);
  const { description, records, healthCheck } = update;
  const value: Service = {
    ...service,
    // AWS deletes what is left out, and does not say so of the description: here it stays, and an empty one clears it.
    description: description === null ? service.description : description || null,
    dns: updatedDns(service.dns, records),
    healthCheck,
  };
  return [{ kind: 'service', id, value }, ...beginChecks(state, service, value, context)];
}

export function deleteService(state: State, command: { id: string }, context: Context): Decision<null> {
  const service = requireService(state, context, command.id);
  const instances = state.instancesOf(service.id).size;
  if (instances > 0) {
    throw new ServiceError(
      'ResourceInUse',
      `The service ${service.id} contains ${instances} registered instance(s); deregister them before you delete it.`,
    );
  }
  for (const { work } of state.pendingOperations()) {
    if (work?.kind === 'register-instance' && work.instance.serviceId === service.id) {
      throw new ServiceError('ResourceInUse', `An instance is being registered in the service ${service.id}.`);
    }
  }
  // Else the update, accepted already, could only fail. DeleteService has no DuplicateRequest.
  if (state.pendingOperationOn(`service/${service.id}`) !== undefined) {
    throw new ServiceError('ResourceInUse', `The service ${service.id} is being updated.`);
  }
  return { changes: removeService(state, service.id), result: null };
}

export function removeService(state: State, id: string): Change[] {
  // Kept, so that a service made anew goes on from here whatever the clock says then, a restart in between included.
  const retired = Math.max(state.revision(id), state.revision(RETIRED_REVISIONS));
  return [
    { kind: 'service', id, value: null },
    { kind: 'revision', id, value: null },
    { kind: 'revision', id: RETIRED_REVISIONS, value: retired },
  ];
}
