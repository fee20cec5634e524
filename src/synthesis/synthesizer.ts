/** From the registry's announcements to the deltas that the answering threads get: which owner names to compile anew. */
import { DeltaWriter } from '../answers/delta.ts';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import { absoluteName, domainNameProblem, ownerOfInstance, ownerOfService } from '../registry/owner-names.ts';
import type { AppliedChange } from '../registry/registry.ts';
import { isSameInDns } from '../registry/serials.ts';
import type { State } from '../registry/state.ts';
import { toWireName } from '../wire/names.ts';
import { compileOwner, NAME_SERVER_OWNER } from './compile.ts';
import type { CompileOptions } from './compile-options.ts';
import { LargeServices } from './large-services.ts';
import { absenceNote } from './notes.ts';
import { ReverseZones } from './reverse.ts';

/** Of a snapshot's parts: some milliseconds of compiling. */
const PART_BYTES = 128 * 1024;

export class Synthesizer {
  readonly #state: State;
  readonly #options: CompileOptions;
  readonly #reverse: ReverseZones | null;
  readonly #large: LargeServices;

  constructor(state: State, options: CompileOptions) {
    this.#state = state;
    this.#options = options;
    this.#reverse = options.hasPtr ? new ReverseZones(state, options) : null;
    this.#large = new LargeServices(state, options);
  }

  /**
   * Everything, for a thread that knows nothing yet, in parts that are compiled when they are asked for. Between them
   * changes may come, whose deltas are to be sent in between as well: each part is as things are by then.
   */
  *snapshot(): Generator<Uint8Array> {
    let delta = new DeltaWriter();
    const parts = this.#compileAll(() => delta);
    delta.reset();
    while (parts.next().done !== true) {
      if (delta.size < PART_BYTES) continue;
      yield delta.finish();
      delta = new DeltaWriter();
    }
    delta.complete();
    yield delta.finish();
  }

  /** In place of a snapshot, where the threads have one from an earlier run: what deltas to come build on. */
  *resume(): Generator<void> {
    yield* this.#reverse?.takeIn() ?? [];
  }

  /** Steps of a snapshot: after each of them something may have changed. */
  *#compileAll(delta: () => DeltaWriter): Generator<void> {
    for (const { id } of this.#state.namespaces()) {
      const owned = (): Namespace | null => {
        const namespace = this.#state.namespace(id);
        return namespace !== undefined && this.#ownsZone(namespace) ? namespace : null;
      };
      const namespace = owned();
      if (namespace === null) continue;
      delta().putZone(toWireName(namespace.name));
      for (const owner of ownOwners(namespace)) this.#putOwner(delta(), namespace, owner);
      yield;
      for (const { id: serviceId } of this.#state.servicesOf(id)) {
        const current = owned();
        if (current === null) break;
        const service = this.#state.service(serviceId);
        for (const owner of service === undefined ? [] : this.#ownersOf(service))
          this.#putOwner(delta(), current, owner);
        yield;
      }
    }
    yield* this.#reverse?.fill(delta) ?? [];
  }

  /** What the applied changes change in DNS, or null: nothing. */
  delta(changes: readonly AppliedChange[]): Uint8Array | null {
    const delta = new DeltaWriter();
    const touched = this.#touchedBy(changes, delta);
    for (const zone of touched.zones) this.#replaceZone(delta, zone);
    for (const [namespaceId, owners] of touched.owners) {
      const namespace = this.#state.namespace(namespaceId);
      if (namespace === undefined || touched.zones.has(zoneOf(namespace)) || !this.#ownsZone(namespace)) continue;
      for (const owner of owners) {
        this.#number(namespace, owner);
        this.#putOwner(delta, namespace, owner);
      }
    }
    this.#reverse?.update(delta, changes);
    return delta.isEmpty ? null : delta.finish();
  }

  /**
   * Owner names by namespace, and zones that begin, end or change hands.
   * @param delta gets the changes of single choices, in front of all that is compiled whole
   */
  #touchedBy(
    changes: readonly AppliedChange[],
    delta: DeltaWriter,
  ): { zones: Set<string>; owners: Map<string, Set<string>> } {
    const zones = new Set<string>();
    const owners = new Map<string, Set<string>>();
    const touchOwner = (namespaceId: string, owner: string): void => {
      const set = owners.get(namespaceId);
      if (set === undefined) owners.set(namespaceId, new Set([owner]));
      else set.add(owner);
    };
    const touch = (service: Service, owner: string | null): void => {
      if (owner !== null) touchOwner(service.namespaceId, owner);
    };
    // What the batch's services were before it and in its midst: an instance can have come or gone under any of them.
    const earlier = new Map<string, Service[]>();
    for (const { change, undo } of changes) {
      if (change.kind !== 'service' || undo.kind !== 'service') continue;
      // Its choices were numbered as it was before, wherever in the batch it changes.
      if (!isSameInDns(change.value, undo.value)) this.#large.forget(change.id);
      if (undo.value !== null) earlier.set(undo.id, [...(earlier.get(undo.id) ?? []), undo.value]);
    }

    for (const { change, undo } of changes) {
      if (change.kind === 'namespace' && undo.kind === 'namespace') {
        const [next, previous] = [change.value, undo.value];
        if (next !== null && previous !== null) {
          // Of what can change only the SOA's TTL is in DNS, which the name server's addresses have too.
          if (next.soaTtlSeconds !== previous.soaTtlSeconds)
            for (const owner of ownOwners(next)) touchOwner(next.id, owner);
          continue;
        }
        const namespace = next ?? previous;
        if (namespace !== null && namespace.type !== 'HTTP') zones.add(zoneOf(namespace));
      } else if (change.kind === 'service' && undo.kind === 'service') {
        if (isSameInDns(change.value, undo.value)) continue;
        for (const service of [change.value, undo.value]) {
          if (service === null) continue;
          for (const owner of this.#ownersOf(service)) touch(service, owner);
        }
      } else if (change.kind === 'serial') {
        const [namespace] = this.#state.zoneNamespaces(change.id);
        if (namespace !== undefined) touchOwner(namespace.id, '');
      } else if (change.kind === 'alias-target') {
        for (const id of this.#state.servicesWithAlias(change.id)) {
          const service = this.#state.service(id);
          if (service !== undefined) touch(service, ownerOfService(service));
        }
      } else if (change.kind === 'instance' && undo.kind === 'instance') {
        const instance: Instance | null = change.value ?? undo.value;
        if (instance === null) continue;
        const now = this.#state.service(change.serviceId);
        if (now !== undefined && this.#updateLarge(delta, now, undo.value, change.value)) {
          touch(now, ownerOfInstance(now, instance));
          continue;
        }
        for (const service of [this.#state.service(change.serviceId), ...(earlier.get(change.serviceId) ?? [])]) {
          if (service === undefined) continue;
          touch(service, ownerOfService(service));
          touch(service, ownerOfInstance(service, instance));
        }
      }
    }
    return { zones, owners };
  }

  /** @returns whether that was all that changes at the service's own name */
  #updateLarge(delta: DeltaWriter, service: Service, before: Instance | null, after: Instance | null): boolean {
    const namespace = this.#state.namespace(service.namespaceId);
    if (namespace !== undefined && this.#ownsZone(namespace))
      return this.#large.update(delta, namespace, service, before, after);
    this.#large.forget(service.id);
    return false;
  }

  /** From the next change of the service on its instances may change one by one. */
  #number(namespace: Namespace, owner: string): void {
    const [kind, serviceId = ''] = (this.#state.holderOf(namespace.id, owner) ?? '').split('/');
    const service = kind === 'service' ? this.#state.service(serviceId) : undefined;
    if (service !== undefined) this.#large.number(namespace, service);
  }

  /** The names that the service and its instances have. */
  #ownersOf(service: Service): string[] {
    const owner = ownerOfService(service);
    if (owner === null) return [];
    const owners = [owner];
    for (const instance of this.#state.instancesOf(service.id).values()) {
      const own = ownerOfInstance(service, instance);
      if (own !== null) owners.push(own);
    }
    return owners;
  }

  /** Of DNS namespaces with one name the oldest owns the zone; the others are API-only. */
  #ownsZone(namespace: Namespace): boolean {
    return namespace.type !== 'HTTP' && this.#state.zoneNamespaces(namespace.name)[0]?.id === namespace.id;
  }

  #replaceZone(delta: DeltaWriter, zone: string): void {
    delta.dropZone(toWireName(zone));
    const owner = this.#state.zoneNamespaces(zone)[0];
    if (owner !== undefined) this.#putZone(delta, owner);
  }

  #putZone(delta: DeltaWriter, namespace: Namespace): void {
    delta.putZone(toWireName(namespace.name));
    const owners = new Set(ownOwners(namespace));
    for (const service of this.#state.servicesOf(namespace.id))
      for (const owner of this.#ownersOf(service)) owners.add(owner);
    for (const owner of owners) this.#putOwner(delta, namespace, owner);
  }

  #putOwner(delta: DeltaWriter, namespace: Namespace, owner: string): void {
    const set = compileOwner(this.#state, namespace, owner, this.#large, this.#options);
    const apex = toWireName(namespace.name);
    const name = toWireName(absoluteName(owner, namespace));
    if (set !== null) {
      delta.putSet(apex, name, set);
      return;
    }
    delta.dropSet(apex, name);
    const note = absenceNote(this.#state, namespace, owner);
    if (note !== null) delta.putNote(apex, name, note);
  }
}

/** Relative owner names of the zone's own records: the apex, and its name server where that name fits. */
function ownOwners(namespace: Namespace): string[] {
  return domainNameProblem(absoluteName(NAME_SERVER_OWNER, namespace)) === null ? ['', NAME_SERVER_OWNER] : [''];
}

function zoneOf(namespace: Namespace): string {
  return namespace.name.toLowerCase();
}
