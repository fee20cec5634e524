/**
 * Reverse mapping (RFC 1035 s3.5, RFC 3596 s2.5), where the setting asks for it: an address that is registered in a
 * zone has a PTR record for each name with that address. Each address is a zone of its own, so that all other
 * addresses stay outside and are forwarded or refused as ever.
 */
import { encodeAnswerSet, type Rrset } from '../answers/answer-set.ts';
import type { DeltaWriter } from '../answers/delta.ts';
import type { Instance, Service } from '../registry/model.ts';
import { absoluteName, ownerOfInstance, ownerOfService } from '../registry/owner-names.ts';
import { hasRecord } from '../registry/record-types.ts';
import type { AppliedChange } from '../registry/registry.ts';
import { isSameInDns } from '../registry/serials.ts';
import type { State } from '../registry/state.ts';
import { TYPE } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { aaaaRdata, aRdata, ptrRdata, recordTail } from '../wire/rdata.ts';
import { apexRrsets } from './compile.ts';
import { type CompileOptions, cappedTtl } from './compile-options.ts';

/** One name that an instance gives an address. */
interface Pointer {
  /** Such as `7.0.0.10.in-addr.arpa`. */
  readonly reverse: string;
  readonly target: string;
  readonly zone: string;
  readonly ttlSeconds: number;
}

export class ReverseZones {
  readonly #state: State;
  readonly #options: CompileOptions;
  /** What each instance gives, by `<service id>/<id>`. */
  readonly #given = new Map<string, readonly Pointer[]>();
  /** What has been there from the start; changes come in one by one. */
  #hasTakenIn = false;
  /** Reverse name -> instance -> what it gives there. */
  readonly #pointers = new Map<string, Map<string, Pointer>>();

  constructor(state: State, options: CompileOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** All that the instances give, once; in steps, after each of which something may have changed. */
  *takeIn(): Generator<void> {
    if (this.#hasTakenIn) return;
    for (const service of this.#state.services()) {
      for (const instance of this.#state.instancesOf(service.id).values()) this.#put(service.id, instance.id);
      yield;
    }
    this.#hasTakenIn = true;
  }

  /** Everything, for a snapshot; in steps, after each of which something may have changed. */
  *fill(delta: () => DeltaWriter): Generator<void> {
    yield* this.takeIn();
    for (const reverse of this.#pointers.keys()) {
      this.#compile(delta(), reverse);
      yield;
    }
  }

  update(delta: DeltaWriter, changes: readonly AppliedChange[]): void {
    const touched = new Set<string>();
    const put = (serviceId: string, id: string): void => {
      for (const reverse of this.#put(serviceId, id)) touched.add(reverse);
    };
    const putService = (id: string): void => {
      for (const instance of this.#state.instancesOf(id).keys()) put(id, instance);
    };
    for (const { change, undo } of changes) {
      if (change.kind === 'instance') put(change.serviceId, change.id);
      else if (change.kind === 'service' && undo.kind === 'service') {
        if (!isSameInDns(change.value, undo.value)) putService(change.id);
      } else if (change.kind === 'namespace' && undo.kind === 'namespace') {
        if (change.value !== null && undo.value !== null) continue;
        // Its zone changes hands; and where it is the reverse name of an address, it takes that name or leaves it.
        const name = (change.value ?? undo.value)?.name.toLowerCase() ?? '';
        for (const { id } of this.#state.zoneNamespaces(name))
          for (const service of this.#state.servicesOf(id)) putService(service.id);
        touched.add(name);
      }
    }
    for (const reverse of touched) this.#compile(delta, reverse);
  }

  /** Takes in what the instance gives now. @returns the reverse names that are other than before */
  #put(serviceId: string, id: string): string[] {
    const key = `${serviceId}/${id}`;
    const before = this.#given.get(key) ?? [];
    const after = this.#pointersOf(this.#state.service(serviceId), this.#state.instance(serviceId, id));
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    for (const { reverse } of before) {
      const pointers = this.#pointers.get(reverse);
      pointers?.delete(key);
      if (pointers?.size === 0) this.#pointers.delete(reverse);
    }
    for (const pointer of after) {
      const pointers = this.#pointers.get(pointer.reverse) ?? new Map<string, Pointer>();
      this.#pointers.set(pointer.reverse, pointers.set(key, pointer));
    }
    if (after.length === 0) this.#given.delete(key);
    else this.#given.set(key, after);
    return [...before, ...after].map(({ reverse }) => reverse);
  }

  /** The records of the instance that hold its address: those of its service, or of its own name below an SRV service. */
  #pointersOf(service: Service | undefined, instance: Instance | undefined): Pointer[] {
    if (service === undefined || instance === undefined || service.dns === null) return [];
    const namespace = this.#state.namespace(service.namespaceId);
    const [owner] = this.#state.zoneNamespaces(namespace?.name ?? '');
    if (namespace === undefined || owner?.id !== namespace.id) return [];
    const { records } = service.dns;
    const isSrv = hasRecord(records, 'SRV');
    const relative = isSrv ? ownerOfInstance(service, instance) : ownerOfService(service);
    if (relative === null) return [];
    const target = absoluteName(relative, namespace).toLowerCase();
    const zone = namespace.name.toLowerCase();
    const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6 } = instance.attributes;
    const pointers: Pointer[] = [];
    for (const { type, ttlSeconds } of records) {
      if (ipv4 !== undefined && (isSrv || type === 'A'))
        pointers.push({ reverse: reverseIpv4(ipv4), target, zone, ttlSeconds });
      if (ipv6 !== undefined && (isSrv || type === 'AAAA'))
        pointers.push({ reverse: reverseIpv6(ipv6), target, zone, ttlSeconds });
    }
    return pointers;
  }

  #compile(delta: DeltaWriter, reverse: string): void {
    // Whoever has declared the zone itself knows best.
    if (this.#state.zoneNamespaces(reverse).length > 0) return;
    const apex = toWireName(reverse);
    const pointers = [...(this.#pointers.get(reverse)?.values() ?? [])];
    const [first] = pointers;
    delta.dropZone(apex);
    if (first === undefined) return;
    // An RRset has one TTL and no record twice (RFC 2181 s5).
    const ttl = cappedTtl(Math.min(...pointers.map(({ ttlSeconds }) => ttlSeconds)), this.#options);
    const targets = [...new Set(pointers.map(({ target }) => target))].sort();
    const ptr: Rrset = {
      type: TYPE.PTR,
      policy: 'all',
      // One choice, since all of them are answered, however many there are.
      choices: [{ answers: targets.map((target) => recordTail(TYPE.PTR, ttl, ptrRdata(target))), additionals: [] }],
    };
    const own = apexRrsets(first.zone, this.#state.highestSerial, this.#options.soaTtlSeconds, this.#options);
    delta.putZone(apex);
    delta.putSet(apex, apex, encodeAnswerSet([ptr, ...own]));
  }
}

function reverseIpv4(address: string): string {
  return `${[...aRdata(address)].reverse().join('.')}.in-addr.arpa`;
}

function reverseIpv6(address: string): string {
  const nibbles = Buffer.from(aaaaRdata(address)).toString('hex');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`;
}
