/** Who has an owner name, or will have it: two things may not share one. */
import { invalidInput } from './errors.ts';
import type { Namespace, Service } from './model.ts';
import { absoluteName, ownerOfInstance, ownerOfService } from './owner-names.ts';
import type { State } from './state.ts';

/** The instance being registered that will have the name, as `instance/<service id>/<id>`, or undefined. */
export function findPendingHolder(state: State, namespaceId: string, owner: string): string | undefined {
  for (const { work } of state.pendingOperations()) {
    if (work?.kind !== 'register-instance') continue;
    const service = state.service(work.instance.serviceId);
    if (service?.namespaceId !== namespaceId) continue;
    if (ownerOfInstance(service, work.instance) === owner) return `instance/${service.id}/${work.instance.id}`;
  }
  return undefined;
}

/**
 * For a service that gets records which it did not have: its names were free for others meanwhile.
 * @throws ServiceError InvalidInput where its own name or a target of its instances is somebody else's
 */
export function requireFreeOwners(state: State, service: Service): void {
  const { id, namespaceId } = service;
  const instances = [...state.instancesOf(id).values()];
  for (const owner of [ownerOfService(service), ...instances.map((each) => ownerOfInstance(service, each))]) {
    const holder = owner === null ? undefined : state.holderOf(namespaceId, owner);
    if (owner === null || holder === undefined) continue;
    if (holder === `service/${id}` || holder.startsWith(`instance/${id}/`)) continue;
    throw invalidInput(
      `The name "${absoluteName(owner, state.namespace(namespaceId) as Namespace)}" is taken by ${holder}.`,
    );
  }
}

/**
 * @param pending whether a name that an instance being registered will have counts as taken
 * @throws ServiceError InvalidInput where the SRV target of the instance is somebody else's name
 */
export function requireFreeOwner(state: State, service: Service, instanceId: string, pending: boolean): void {
  const owner = ownerOfInstance(service, { id: instanceId });
  if (owner === null) return;
  const { namespaceId } = service;
  const holder =
    state.holderOf(namespaceId, owner) ?? (pending ? findPendingHolder(state, namespaceId, owner) : undefined);
  if (holder === undefined || holder === `instance/${service.id}/${instanceId}`) return;
  const name = absoluteName(owner, state.namespace(namespaceId) as Namespace);
  throw invalidInput(`The SRV target "${name}" is taken by ${holder}.`);
}
