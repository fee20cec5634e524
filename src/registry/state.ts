/**
 * Everything the registry knows, in memory, with the indexes that decisions and reads need. It changes by `apply`
 * alone, whose result undoes the change; what is read from it is immutable.
 */
import { type Instances, InstanceTable } from './instance-table.ts';
import { addTo, deleteIn, removeFrom, setIn, setOrDelete } from './maps.ts';
import {
  type AliasTarget,
  aliasNameOf,
  type Change,
  type Instance,
  type Namespace,
  type Operation,
  type Service,
} from './model.ts';
import { OperationTable } from './operation-table.ts';
import { ownerOfInstance, ownerOfService } from './owner-names.ts';

const NO_INSTANCES: Instances = new InstanceTable();

export class State {
  readonly #namespaces = new Map<string, Namespace>();
  readonly #services = new Map<string, Service>();
  readonly #instances = new Map<string, InstanceTable>();
  readonly #operations = new OperationTable();
  readonly #revisions = new Map<string, number>();
  readonly #serials = new Map<string, number>();

  readonly #namespaceByHttpName = new Map<string, string>();
  readonly #servicesByNamespace = new Map<string, Map<string, string>>();
  /** Namespace id -> CreatorRequestId -> service id. */
  readonly #servicesByRequest = new Map<string, Map<string, string>>();
  /** Namespace id -> relative owner name -> who takes it. */
  readonly #ownerNames = new Map<string, Map<string, Service | Instance>>();
  readonly #zoneNamespaces = new Map<string, Set<string>>();
  /** Instances that count against quotas, by namespace id and by service id. */
  readonly #counted = new Map<string, number>();
  #countedNamespaces = 0;
  readonly #pendingHealth = new Map<string, Instance>();
  #highestRevision = 0;
  #highestSerial = 0;
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

  /** The service of the namespace that a request made, while it is there. */
  serviceByRequest(namespaceId: string, requestId: string): Service | undefined {
    return this.#services.get(this.#servicesByRequest.get(namespaceId)?.get(requestId) ?? '');
  }

  instancesOf(serviceId: string): Instances {
    return this.#instances.get(serviceId) ?? NO_INSTANCES;
  }

  instance(serviceId: string, id: string): Instance | undefined {
    return this.#instances.get(serviceId)?.get(id);
  }

  /** Oldest first. */
  operations(): Generator<Operation> {
    return this.#operations.all();
  }

  operation(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  get operationCount(): number {
    return this.#operations.size;
  }

  get pendingCount(): number {
    return this.#operations.pendingCount;
  }

  /** Operations that have not ended, oldest first. */
  pendingOperations(): MapIterator<Operation> {
    return this.#operations.pending();
  }

  /** The pending operation on a target (`targetsOf`). */
  pendingOperationOn(target: string): Operation | undefined {
    return this.#operations.pendingOn(target);
  }

  /** Instances with a custom status that is yet to take effect. */
  instancesWithPendingHealth(): MapIterator<Instance> {
    return this.#pendingHealth.values();
  }

  /** The operation that answered a request, while it is remembered. */
  operationByRequest(key: string): Operation | undefined {
    return this.#operations.byRequest(key);
  }

  /** Who holds a relative owner name: `service/<id>`, `instance/<service id>/<id>`, or nobody. */
  holderOf(namespaceId: string, owner: string): string | undefined {
    const holder = this.#ownerNames.get(namespaceId)?.get(owner);
    if (holder === undefined) return undefined;
    return 'serviceId' in holder ? `instance/${holder.serviceId}/${holder.id}` : `service/${holder.id}`;
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

  /** SOA serial of a zone. @param zone its name, lower case */
  serial(zone: string): number {
    return this.#serials.get(zone) ?? 1;
  }

  /** Greatest serial ever given. */
  get highestSerial(): number {
    return this.#highestSerial;
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

  /** Takes in what a store holds of a service without instances: faster than one change for each of them. */
  fillService(serviceId: string, instances: readonly Instance[]): void {
    const service = this.#services.get(serviceId);
    this.#instances.set(serviceId, new InstanceTable(instances));
    let counted = 0;
    for (const instance of instances) {
      this.#index(service, instance);
      if (instance.manager === 'api') counted++;
    }
    if (service !== undefined) this.#count(service, counted);
  }

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
        return { ...change, value: this.#operations.put(change.id, change.value) };
      case 'revision': {
        const previous = this.#revisions.get(change.id) ?? null;
        setOrDelete(this.#revisions, change.id, change.value);
        // Never lowered, also not by an undo: a revision may be skipped, never given twice.
        this.#highestRevision = Math.max(this.#highestRevision, change.value ?? 0);
        return { ...change, value: previous };
      }
      case 'serial': {
        const previous = this.#serials.get(change.id) ?? null;
        setOrDelete(this.#serials, change.id, change.value);
        // As with revisions: one may be skipped, none is given twice.
        this.#highestSerial = Math.max(this.#highestSerial, change.value ?? 0);
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
      if (previous.creatorRequestId !== null)
        deleteIn(this.#servicesByRequest, previous.namespaceId, previous.creatorRequestId);
      this.#releaseOwners(previous);
    }
    setOrDelete(this.#services, id, value);
    if (value !== null) {
      setIn(this.#servicesByNamespace, value.namespaceId, value.name, id);
      if (value.creatorRequestId !== null)
        setIn(this.#servicesByRequest, value.namespaceId, value.creatorRequestId, id);
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
    setIn(this.#ownerNames, service.namespaceId, owner, service);
    for (const instance of this.instancesOf(service.id).values()) {
      const own = ownerOfInstance(service, instance);
      if (own !== null) setIn(this.#ownerNames, service.namespaceId, own, instance);
    }
  }

  #putInstance(serviceId: string, id: string, value: Instance | null): Instance | null {
    const table = this.#instances.get(serviceId);
    const previous = table?.get(id) ?? null;
    const service = this.#services.get(serviceId);
    if (previous !== null) {
      this.#countAlias(previous, -1);
      if (service !== undefined) this.#untrackInstance(service, previous);
      this.#pendingHealth.delete(`${serviceId}/${id}`);
    }
    if (value === null) {
      table?.delete(id);
      if (table?.size === 0) this.#instances.delete(serviceId);
      return previous;
    }
    if (table === undefined) this.#instances.set(serviceId, new InstanceTable([value]));
    else table.put(value);
    this.#index(service, value);
    if (service !== undefined && value.manager === 'api') this.#count(service, 1);
    return previous;
  }

  #index(service: Service | undefined, instance: Instance): void {
    this.#countAlias(instance, 1);
    const owner = service === undefined ? null : ownerOfInstance(service, instance);
    if (service !== undefined && owner !== null) setIn(this.#ownerNames, service.namespaceId, owner, instance);
    if (instance.health.pending !== null) this.#pendingHealth.set(`${instance.serviceId}/${instance.id}`, instance);
  }

  #countAlias(instance: Instance, by: number): void {
    const name = aliasNameOf(instance);
    if (name === null) return;
    const count = (this.#aliasServices.get(name)?.get(instance.serviceId) ?? 0) + by;
    if (count === 0) deleteIn(this.#aliasServices, name, instance.serviceId);
    else setIn(this.#aliasServices, name, instance.serviceId, count);
  }

  #untrackInstance(service: Service, instance: Instance): void {
    const owner = ownerOfInstance(service, instance);
    if (owner !== null) deleteIn(this.#ownerNames, service.namespaceId, owner);
    if (instance.manager === 'api') this.#count(service, -1);
  }

  #count(service: Service, by: number): void {
    if (by === 0) return;
    for (const id of [service.namespaceId, service.id]) {
      const count = (this.#counted.get(id) ?? 0) + by;
      if (count === 0) this.#counted.delete(id);
      else this.#counted.set(id, count);
    }
  }
}
