/** From the registry's announcements to the deltas that the answering threads get: which owner names to compile anew. */
import { DeltaWriter } from '../answers/delta.ts';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import { absoluteName, domainNameProblem, ownerOfInstance, ownerOfService } from '../registry/owner-names.ts';
import type { AppliedChange } from '../registry/registry.ts';
import type { State } from '../registry/state.ts';
import { toWireName } from '../wire/names.ts';
import { type CompileOptions, compileOwner, NAME_SERVER_OWNER } from './compile.ts';

export class Synthesizer {
  readonly #state: State;
  readonly #options: CompileOptions;
  readonly #clock: () => number;
  /** Zone name -> SOA serial. */
  readonly #serials = new Map<string, number>();

  /** @param clock epoch ms, for serials */
  constructor(state: State, options: CompileOptions, clock: () => number) {
    this.#state = state;
    this.#options = options;
    this.#clock = clock;
  }

  /** Everything, for a thread that knows nothing yet. */
  snapshot(): Uint8Array {
    const delta = new DeltaWriter();
    delta.reset();
    for (const namespace of this.#state.namespaces()) {
      if (!this.#ownsZone(namespace)) continue;
      // A thread that is filled later than others gets the serial that they have.
      if (!this.#serials.has(zoneOf(namespace))) this.#advanceSerial(namespace);
      this.#putZone(delta, namespace);
    }
    return delta.finish();
  }

  /** What the applied changes change in DNS, or null: nothing. */
  delta(changes: readonly AppliedChange[]): Uint8Array | null {
    const delta = new DeltaWriter();
    const touched = this.#touchedBy(changes);
    for (const zone of touched.zones) this.#replaceZone(delta, zone);
    for (const [namespaceId, owners] of touched.owners) {
      const namespace = this.#state.namespace(namespaceId);
      if (namespace === undefined || touched.zones.has(zoneOf(namespace)) || !this.#ownsZone(namespace)) continue;
      this.#advanceSerial(namespace);
      for (const owner of new Set([...owners, ''])) this.#putOwner(delta, namespace, owner);
    }
    return delta.isEmpty ? null : delta.finish();
  }

  /** Owner names by namespace, and zones that begin, end or change hands. */
  #touchedBy(changes: readonly AppliedChange[]): { zones: Set<string>; owners: Map<string, Set<string>> } {
    const zones = new Set<string>();
    const owners = new Map<string, Set<string>>();
    const touch = (service: Service | null, owner: string | null): void => {
      if (service === null || owner === null) return;
      const set = owners.get(service.namespaceId);
      if (set === undefined) owners.set(service.namespaceId, new Set([owner]));
      else set.add(owner);
    };
    // Services that a later change of the same batch removed.
    const removed = new Map<string, Service>();
    for (const { undo } of changes)
      if (undo.kind === 'service' && undo.value !== null) removed.set(undo.id, undo.value);

    for (const { change, undo } of changes) {
      if (change.kind === 'namespace' && undo.kind === 'namespace') {
        for (const namespace of [change.value, undo.value]) {
          if (namespace !== null && namespace.type !== 'HTTP') zones.add(zoneOf(namespace));
        }
      } else if (change.kind === 'service' && undo.kind === 'service') {
        for (const service of [change.value, undo.value]) {
          if (service === null) continue;
          touch(service, ownerOfService(service));
          for (const instance of this.#state.instancesOf(service.id).values())
            touch(service, ownerOfInstance(service, instance));
        }
      } else if (change.kind === 'instance' && undo.kind === 'instance') {
        const service = this.#state.service(change.serviceId) ?? removed.get(change.serviceId) ?? null;
        const instance: Instance | null = change.value ?? undo.value;
        if (service === null || instance === null) continue;
        touch(service, ownerOfService(service));
        touch(service, ownerOfInstance(service, instance));
      }
    }
    return { zones, owners };
  }

  /** Of DNS namespaces with one name the oldest owns the zone; the others are API-only. */
  #ownsZone(namespace: Namespace): boolean {
    return namespace.type !== 'HTTP' && this.#state.zoneNamespaces(namespace.name)[0]?.id === namespace.id;
  }

  #replaceZone(delta: DeltaWriter, zone: string): void {
    delta.dropZone(toWireName(zone));
    const owner = this.#state.zoneNamespaces(zone)[0];
    if (owner === undefined) return;
    this.#advanceSerial(owner);
    this.#putZone(delta, owner);
  }

  #putZone(delta: DeltaWriter, namespace: Namespace): void {
    delta.putZone(toWireName(namespace.name));
    const owners = new Set(['']);
    if (domainNameProblem(absoluteName(NAME_SERVER_OWNER, namespace)) === null) owners.add(NAME_SERVER_OWNER);
    for (const service of this.#state.servicesOf(namespace.id)) {
      const owner = ownerOfService(service);
      if (owner === null) continue;
      owners.add(owner);
      for (const instance of this.#state.instancesOf(service.id).values()) {
        const own = ownerOfInstance(service, instance);
        if (own !== null) owners.add(own);
      }
    }
    for (const owner of owners) this.#putOwner(delta, namespace, owner);
  }

  #putOwner(delta: DeltaWriter, namespace: Namespace, owner: string): void {
    const serial = this.#serials.get(zoneOf(namespace)) ?? 1;
    const set = compileOwner(this.#state, namespace, owner, serial, this.#options);
    const apex = toWireName(namespace.name);
    const name = toWireName(absoluteName(owner, namespace));
    if (set === null) delta.dropSet(apex, name);
    else delta.putSet(apex, name, set);
  }

  /** Serials are the time in seconds, or one more than the last where changes come faster (RFC 1982). */
  #advanceSerial(namespace: Namespace): void {
    const zone = zoneOf(namespace);
    const previous = this.#serials.get(zone) ?? 0;
    this.#serials.set(zone, Math.max(previous + 1, Math.floor(this.#clock() / 1000)) >>> 0);
  }
}

function zoneOf(namespace: Namespace): string {
  return namespace.name.toLowerCase();
}
