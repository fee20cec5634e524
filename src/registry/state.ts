/**
 * Everything the registry knows, in memory, with the indexes that decisions and reads need. It changes by `apply`
 * alone, whose result undoes the change; what is read from it is immutable.
 */
import {
  type AliasTarget,
  aliasNameOf,
  type Change,
  type Instance,
  type Namespace,
  type Operation,
  type Service,
} from './model.ts';
import { ownerOfInstance, ownerOfService } from './owner-names.ts';
import { targetsOf } from './targets.ts';

const NO_INSTANCES: ReadonlyMap<string, Instance> = new Map();

export class State {
  readonly #namespaces = new Map<string, Namespace>();
  readonly #services = new Map<string, Service>();
  readonly #instances = new Map<string, Map<string, Instance>>();
  readonly #operations = new Map<string, Operation>();
  /** Operations that an undo has put back, and so behind younger ones. */
  readonly #misplaced = new Set<string>();
  #youngestOperationAt = 0;
  readonly #revisions = new Map<string, number>();

  readonly #namespaceByHttpName = new Map<string, string>();
  readonly #servicesByNamespace = new Map<string, Map<string, string>>();
  /** Namespace id -> relative owner name -> `service/<id>` or `instance/<service id>/<id>`. */
  readonly #ownerNames = new Map<string, Map<string, string>>();
  readonly #zoneNamespaces = new Map<string, Set<string>>();
  readonly #requests = new Map<string, string>();
  readonly #pending = new Map<string, Operation>();
  readonly #pendingByTarget = new Map<string, string>();
  /** Instances that count against quotas, by namespace id and by service id. */
  readonly #counted = new Map<string, number>();
  #countedNamespaces = 0;
  readonly #pendingHealth = new Map<string, Instance>();
  #highestRevision = 0;
  readonly #aliasTargets = new Map<string, AliasTarget>();
  /** Alias name -> services with an instance that stands for it, and how many. */
  readonly #aliasServices = new Map<string, Map<string, number>>();

  // --- reads ---

  namespaces(): MapIterator<Namespace> {
    return this.#namespaces.values();
  }

  namespace(id: string): Namespace | undefined {
    return this.#namespaces.get(id);
  }

  namespaceByHttpName(httpName: string): Namespace | undefined {
    return this.#namespaces.get(this.#namespaceByHttpName.get(httpName) ?? '');
  }

  /** DNS namespaces of one name, without regard to case, oldest first: the first one owns the zone. */
  zoneNamespaces(name: string): Namespace[] {
    const ids = this.#zoneNamespaces.get(name.toLowerCase()) ?? [];
    return [...ids]
      .map((id) => this.#namespaces.get(id) as Namespace)
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  services(): MapIterator<Service> {
    return this.#services.values();
  }

  servicesOf(namespaceId: string): Service[] {
    return [...(this.#servicesByNamespace.get(namespaceId)?.values() ?? [])].map(
      (id) => this.#services.get(id) as Service,
    );
  }

  serviceCount(namespaceId: string): number {
    return this.#servicesByNamespace.get(namespaceId)?.size ?? 0;
  }

  service(id: string): Service | undefined {
    return this.#services.get(id);
  }

  /** @param name exact */
  serviceByName(namespaceId: string, name: string): Service | undefined {
    return this.#services.get(this.#servicesByNamespace.get(namespaceId)?.get(name) ?? '');
  }

  instancesOf(serviceId: string): ReadonlyMap<string, Instance> {
    return this.#instances.get(serviceId) ?? NO_INSTANCES;
  }

  instance(serviceId: string, id: string): Instance | undefined {
    return this.#instances.get(serviceId)?.get(id);
  }

  /** Oldest first. */
  operations(): MapIterator<Operation> {
    if (this.#misplaced.size > 0) this.#sortOperations();
    return this.#operations.values();
  }

  operation(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  get operationCount(): number {
    return this.#operations.size;
  }

  /** Operations that have not ended, oldest first. */
  pendingOperations(): MapIterator<Operation> {
    if (this.#misplaced.size > 0) this.#sortOperations();
    return this.#pending.values();
  }

  /** The pending operation on a target (`targetsOf`). */
  pendingOperationOn(target: string): Operation | undefined {
    return this.#pending.get(this.#pendingByTarget.get(target) ?? '');
  }

  /** Instances with a custom status that is yet to take effect. */
  instancesWithPendingHealth(): MapIterator<Instance> {
    return this.#pendingHealth.values();
  }

  /** The operation that answered a request, while it is remembered. */
  operationByRequest(key: string): Operation | undefined {
    return this.#operations.get(this.#requests.get(key) ?? '');
  }

  /** Who holds a relative owner name: `service/<id>`, `instance/<service id>/<id>`, or nobody. */
  holderOf(namespaceId: string, owner: string): string | undefined {
    return this.#ownerNames.get(namespaceId)?.get(owner);
  }

  /** Namespaces, or instances of a namespace or service, that count against quotas. */
  get countedNamespaces(): number {
    return this.#countedNamespaces;
  }

  countedInstances(namespaceOrServiceId: string): number {
    return this.#counted.get(namespaceOrServiceId) ?? 0;
  }

  /** InstancesRevision of a service. */
  revision(serviceId: string): number {
    return this.#revisions.get(serviceId) ?? 0;
  }

  /** Greatest revision ever given. */
  get highestRevision(): number {
    return this.#highestRevision;
  }

  aliasTarget(name: string): AliasTarget | undefined {
    return this.#aliasTargets.get(name);
  }

  /** Names that alias instances stand for. */
  aliasNames(): MapIterator<string> {
    return this.#aliasServices.keys();
  }

  /** Ids of the services with an instance that stands for the name. */
  servicesWithAlias(name: string): string[] {
    return [...(this.#aliasServices.get(name)?.keys() ?? [])];
  }

  // --- change ---

  /** Makes one change and returns the change that undoes it. */
  apply(change: Change): Change {
    switch (change.kind) {
      case 'namespace':
        return { ...change, value: this.#putNamespace(change.id, change.value) };
      case 'service':
        return { ...change, value: this.#putService(change.id, change.value) };
      case 'instance':
        return { ...change, value: this.#putInstance(change.serviceId, change.id, change.value) };
      case 'operation':
        return { ...change, value: this.#putOperation(change.id, change.value) };
      case 'revision': {
        const previous = this.#revisions.get(change.id) ?? null;
        setOrDelete(this.#revisions, change.id, change.value);
        // Never lowered, also not by an undo: a revision may be skipped, never given twice.
        this.#highestRevision = Math.max(this.#highestRevision, change.value ?? 0);
        return { ...change, value: previous };
      }
      case 'alias-target': {
        const previous = this.#aliasTargets.get(change.id) ?? null;
        setOrDelete(this.#aliasTargets, change.id, change.value);
        return { ...change, value: previous };
      }
    }
  }

  #putNamespace(id: string, value: Namespace | null): Namespace | null {
    const previous = this.#namespaces.get(id) ?? null;
    if (previous !== null) {
      this.#namespaceByHttpName.delete(previous.httpName);
      if (previous.type !== 'HTTP') removeFrom(this.#zoneNamespaces, previous.name.toLowerCase(), id);
      if (previous.manager === 'api') this.#countedNamespaces--;
    }
    setOrDelete(this.#namespaces, id, value);
    if (value !== null) {
      this.#namespaceByHttpName.set(value.httpName, id);
      if (value.type !== 'HTTP') addTo(this.#zoneNamespaces, value.name.toLowerCase(), id);
      if (value.manager === 'api') this.#countedNamespaces++;
    }
    return previous;
  }

  #putService(id: string, value: Service | null): Service | null {
    const previous = this.#services.get(id) ?? null;
    if (previous !== null) {
      deleteIn(this.#servicesByNamespace, previous.namespaceId, previous.name);
      this.#releaseOwners(previous);
    }
    setOrDelete(this.#services, id, value);
    if (value !== null) {
      setIn(this.#servicesByNamespace, value.namespaceId, value.name, id);
      this.#takeOwners(value);
    }
    return previous;
  }

  #releaseOwners(service: Service): void {
    const owner = ownerOfService(service);
    if (owner === null) return;
    deleteIn(this.#ownerNames, service.namespaceId, owner);
    for (const instance of this.instancesOf(service.id).values()) {
      const own = ownerOfInstance(service, instance);
      if (own !== null) deleteIn(this.#ownerNames, service.namespaceId, own);
    }
  }

  #takeOwners(service: Service): void {
    const owner = ownerOfService(service);
    if (owner === null) return;
    setIn(this.#ownerNames, service.namespaceId, owner, `service/${service.id}`);
    for (const instance of this.instancesOf(service.id).values()) {
      const own = ownerOfInstance(service, instance);
      if (own !== null) setIn(this.#ownerNames, service.namespaceId, own, `instance/${service.id}/${instance.id}`);
    }
  }

  #putInstance(serviceId: string, id: string, value: Instance | null): Instance | null {
    const previous = this.#instances.get(serviceId)?.get(id) ?? null;
    const service = this.#services.get(serviceId);
    if (previous !== null) {
      this.#countAlias(previous, -1);
      if (service !== undefined) this.#untrackInstance(service, previous);
      this.#pendingHealth.delete(`${serviceId}/${id}`);
    }
    if (value === null) deleteIn(this.#instances, serviceId, id);
    else setIn(this.#instances, serviceId, id, value);
    if (value !== null) {
      this.#countAlias(value, 1);
      if (service !== undefined) this.#trackInstance(service, value);
      if (value.health.pending !== null) this.#pendingHealth.set(`${serviceId}/${id}`, value);
    }
    return previous;
  }

  #countAlias(instance: Instance, by: number): void {
    const name = aliasNameOf(instance);
    if (name === null) return;
    const count = (this.#aliasServices.get(name)?.get(instance.serviceId) ?? 0) + by;
    if (count === 0) deleteIn(this.#aliasServices, name, instance.serviceId);
    else setIn(this.#aliasServices, name, instance.serviceId, count);
  }

  #trackInstance(service: Service, instance: Instance): void {
    const owner = ownerOfInstance(service, instance);
    if (owner !== null) setIn(this.#ownerNames, service.namespaceId, owner, `instance/${service.id}/${instance.id}`);
    if (instance.manager === 'api') this.#count(service, 1);
  }

  #untrackInstance(service: Service, instance: Instance): void {
    const owner = ownerOfInstance(service, instance);
    if (owner !== null) deleteIn(this.#ownerNames, service.namespaceId, owner);
    if (instance.manager === 'api') this.#count(service, -1);
  }

  #count(service: Service, by: number): void {
    for (const id of [service.namespaceId, service.id]) {
      const count = (this.#counted.get(id) ?? 0) + by;
      if (count === 0) this.#counted.delete(id);
      else this.#counted.set(id, count);
    }
  }

  #putOperation(id: string, value: Operation | null): Operation | null {
    const previous = this.#operations.get(id) ?? null;
    if (previous !== null) {
      // The request may have got another operation since, where this one had failed.
      const key = previous.request?.key ?? '';
      if (this.#requests.get(key) === id) this.#requests.delete(key);
      this.#pending.delete(id);
      for (const target of targetsOf(previous)) this.#pendingByTarget.delete(target);
    }
    setOrDelete(this.#operations, id, value);
    if (value === null) this.#misplaced.delete(id);
    else if (previous === null && value.createdAt < this.#youngestOperationAt) this.#misplaced.add(id);
    if (value !== null) {
      this.#youngestOperationAt = Math.max(this.#youngestOperationAt, value.createdAt);
      if (value.request !== null) this.#requests.set(value.request.key, id);
      if (value.status === 'PENDING') this.#pending.set(id, value);
      for (const target of targetsOf(value)) this.#pendingByTarget.set(target, id);
    }
    return previous;
  }

  #sortOperations(): void {
    for (const operations of [this.#operations, this.#pending]) {
      const sorted = [...operations].sort(([, a], [, b]) => a.createdAt - b.createdAt);
      operations.clear();
      for (const [id, operation] of sorted) operations.set(id, operation);
    }
    this.#misplaced.clear();
  }
}

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

function setIn<V>(maps: Map<string, Map<string, V>>, outer: string, key: string, value: V): void {
  const inner = maps.get(outer);
  if (inner === undefined) maps.set(outer, new Map([[key, value]]));
  else inner.set(key, value);
}

function deleteIn<V>(maps: Map<string, Map<string, V>>, outer: string, key: string): void {
  const inner = maps.get(outer);
  inner?.delete(key);
  if (inner?.size === 0) maps.delete(outer);
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
