/**
 * The record synthesiser: a service's DnsConfig and its instances' attributes to RRsets, in the bytes that an
 * answering thread copies. Pure: state in, answer set out.
 */
import { type Additional, type Choice, encodeAnswerSet, type Rrset } from '../answers/answer-set.ts';
import {
  type AliasTarget,
  aliasNameOf,
  type DnsRecord,
  type Instance,
  type Namespace,
  type RecordType,
  type Service,
} from '../registry/model.ts';
import { absoluteName, domainNameProblem, instanceOwner } from '../registry/owner-names.ts';
import type { State } from '../registry/state.ts';
import { TYPE } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { aaaaRdata, aRdata, cnameRdata, nsRdata, recordTail, soaRdata, srvRdata } from '../wire/rdata.ts';
import { askedAddresses } from './asked-addresses.ts';
import { type DnsFallback, selectEligible } from './eligible.ts';
import { fallbackNote } from './notes.ts';

export interface CompileOptions {
  readonly fallback: DnsFallback;
  /** Caps every TTL that is answered; null: as configured. */
  readonly maxTtlSeconds: number | null;
  /** SOA TTL and negative TTL where a namespace sets none. */
  readonly soaTtlSeconds: number;
  /** Whether registered addresses have PTR records. */
  readonly hasPtr: boolean;
  /** Addresses of `ns.<zone>`: where the daemon listens. */
  readonly nameServers: {
    readonly ipv4: readonly string[];
    readonly ipv6: readonly string[];
    /** Whether they stand for wildcard listeners, whose clients get the address that they asked. */
    readonly areWildcard: boolean;
  };
}

/** Relative owner name of the zone's name server, unless the namespace's content has taken it. */
export const NAME_SERVER_OWNER = 'ns';

// Route 53's numbers, in seconds.
const SOA_REFRESH = 7200;
const SOA_RETRY = 900;
const SOA_EXPIRE = 1_209_600;
// Fixed in Cloud Map's SRV records.
const SRV_PRIORITY = 1;
const SRV_WEIGHT = 1;

/**
 * Everything at one owner name of a namespace's zone, or null: no records there.
 * @param owner relative to the namespace, lower case; empty: the apex
 */
export function compileOwner(
  state: State,
  namespace: Namespace,
  owner: string,
  options: CompileOptions,
): Uint8Array | null {
  const rrsets = compileHolder(state, namespace, owner, options);
  if (owner === '') rrsets.push(...ownApexRrsets(state, namespace, options));
  if (owner === NAME_SERVER_OWNER && rrsets.length === 0) rrsets.push(...nameServerRrsets(namespace, options));
  return rrsets.length === 0 ? null : encodeAnswerSet(rrsets);
}

function compileHolder(state: State, namespace: Namespace, owner: string, options: CompileOptions): Rrset[] {
  const [kind, serviceId, ...instanceId] = (state.holderOf(namespace.id, owner) ?? '').split('/');
  const service = state.service(serviceId ?? '');
  if (service === undefined) return [];
  if (kind === 'service') return serviceRrsets(state, namespace, service, options);
  const instance = state.instance(service.id, instanceId.join('/'));
  return instance === undefined ? [] : companionRrsets(service, instance, options);
}

/** The RRsets at the service's own name. */
function serviceRrsets(state: State, namespace: Namespace, service: Service, options: CompileOptions): Rrset[] {
  const rrsets: Rrset[] = [];
  const instances = [...state.instancesOf(service.id).values()];
  const aliasTarget = (name: string): AliasTarget | undefined => state.aliasTarget(name);
  for (const record of service.dns?.records ?? []) {
    const choiceOf = (instance: Instance): Choice | null =>
      aliasNameOf(instance) === null
        ? choiceOfRecord(namespace, service, instance, record, options)
        : choiceOfAlias(instance, record.type, aliasTarget, options);
    const candidates = new Map(instances.map((instance) => [instance, choiceOf(instance)] as const));
    const able = instances.filter((instance) => candidates.get(instance) !== null);
    const eligible = selectEligible(service, able, options.fallback, aliasTarget);
    const choices = withoutRepeats(eligible.instances.map((instance) => candidates.get(instance) as Choice));
    if (choices.length === 0) continue;
    const policy = service.dns?.routingPolicy === 'WEIGHTED' ? 'weighted' : 'multivalue';
    rrsets.push({
      type: TYPE[record.type],
      policy,
      choices,
      note: fallbackNote(able.length, eligible, policy === 'weighted'),
    });
  }
  return rrsets;
}

/** Null where the instance does not have the type's attributes: a record type that came later. */
function choiceOfRecord(
  namespace: Namespace,
  service: Service,
  instance: Instance,
  record: DnsRecord,
  options: CompileOptions,
): Choice | null {
  const rdata = rdataOf(namespace, service, instance, record.type);
  if (rdata === null) return null;
  const ttl = cappedTtl(record.ttlSeconds, options);
  return {
    answers: [recordTail(TYPE[record.type], ttl, rdata)],
    additionals: record.type === 'SRV' ? targetAddresses(instance, ttl) : [],
  };
}

/** All addresses of the alias, under the target's own TTL. Null where the target has none of the type. */
function choiceOfAlias(
  instance: Instance,
  type: RecordType,
  aliasTarget: (name: string) => AliasTarget | undefined,
  options: CompileOptions,
): Choice | null {
  const target = aliasTarget(aliasNameOf(instance) ?? '');
  const rdatas = type === 'A' ? target?.ipv4.map(aRdata) : type === 'AAAA' ? target?.ipv6.map(aaaaRdata) : undefined;
  if (target === undefined || rdatas === undefined || rdatas.length === 0) return null;
  const ttl = cappedTtl(target.ttlSeconds, options);
  // One address may be written in several ways, and an RRset has no record twice (RFC 2181 s5).
  const tails = new Map(
    rdatas.map((rdata) => [Buffer.from(rdata).toString('latin1'), recordTail(TYPE[type], ttl, rdata)]),
  );
  return { answers: [...tails.values()], additionals: [] };
}

/** One choice per distinct RDATA: an RRset has no record twice (RFC 2181 s5). */
function withoutRepeats(choices: readonly Choice[]): Choice[] {
  const byAnswers = new Map<string, Choice>();
  for (const choice of choices) {
    const key = Buffer.concat(choice.answers).toString('latin1');
    if (!byAnswers.has(key)) byAnswers.set(key, choice);
  }
  return [...byAnswers.values()];
}

/** The addresses of an SRV record's target, which stands directly below the owner name. */
function targetAddresses(instance: Instance, ttl: number): Additional[] {
  const name = toWireName(instance.id);
  const prefix = name.subarray(0, name.length - 1);
  return addressTails(instance, ttl).map(({ tail }) => ({ prefix, tail }));
}

/** A and AAAA at an SRV target. They answer whatever the instance's health. */
function companionRrsets(service: Service, instance: Instance, options: CompileOptions): Rrset[] {
  const srv = service.dns?.records.find((record) => record.type === 'SRV');
  if (srv === undefined) return [];
  return addressTails(instance, cappedTtl(srv.ttlSeconds, options)).map(({ type, tail }) => ({
    type,
    policy: 'all' as const,
    choices: [{ answers: [tail], additionals: [] }],
  }));
}

function addressTails({ attributes }: Instance, ttl: number): { type: number; tail: Uint8Array }[] {
  const tails: { type: number; tail: Uint8Array }[] = [];
  const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6 } = attributes;
  if (ipv4 !== undefined) tails.push({ type: TYPE.A, tail: recordTail(TYPE.A, ttl, aRdata(ipv4)) });
  if (ipv6 !== undefined) tails.push({ type: TYPE.AAAA, tail: recordTail(TYPE.AAAA, ttl, aaaaRdata(ipv6)) });
  return tails;
}

type RdataCache = Partial<Record<RecordType, Uint8Array | null>>;
// A change of one instance compiles its service anew; the other instances' RDATA need not be encoded again. Instances
// are never changed in place, and their service's names never change.
const rdataCaches = new WeakMap<Instance, RdataCache>();

function rdataOf(namespace: Namespace, service: Service, instance: Instance, type: RecordType): Uint8Array | null {
  let cache = rdataCaches.get(instance);
  if (cache === undefined) {
    cache = {};
    rdataCaches.set(instance, cache);
  }
  cache[type] ??= encodeRdata(namespace, service, instance, type);
  return cache[type];
}

function encodeRdata(namespace: Namespace, service: Service, instance: Instance, type: RecordType): Uint8Array | null {
  const { attributes } = instance;
  switch (type) {
    case 'A':
      return attributes.AWS_INSTANCE_IPV4 === undefined ? null : aRdata(attributes.AWS_INSTANCE_IPV4);
    case 'AAAA':
      return attributes.AWS_INSTANCE_IPV6 === undefined ? null : aaaaRdata(attributes.AWS_INSTANCE_IPV6);
    case 'CNAME':
      return attributes.AWS_INSTANCE_CNAME === undefined ? null : cnameRdata(attributes.AWS_INSTANCE_CNAME);
    case 'SRV': {
      if (attributes.AWS_INSTANCE_PORT === undefined) return null;
      const target = absoluteName(instanceOwner(service.name, instance.id), namespace).toLowerCase();
      return srvRdata(SRV_PRIORITY, SRV_WEIGHT, Number(attributes.AWS_INSTANCE_PORT), target);
    }
  }
}

function ownApexRrsets(state: State, namespace: Namespace, options: CompileOptions): Rrset[] {
  const zone = namespace.name.toLowerCase();
  return apexRrsets(zone, state.serial(zone), namespace.soaTtlSeconds ?? options.soaTtlSeconds, options);
}

/** SOA and NS. @param zone whose name server and mailbox they name, lower case */
export function apexRrsets(zone: string, serial: number, soaTtlSeconds: number, options: CompileOptions): Rrset[] {
  // One number for both: what the SOA's TTL counts down is how long a negative answer lives (RFC 2308 s3).
  const ttl = cappedTtl(soaTtlSeconds, options);
  const soa = soaRdata({
    mname: nameBelow(NAME_SERVER_OWNER, zone),
    rname: nameBelow('hostmaster', zone),
    serial,
    refresh: SOA_REFRESH,
    retry: SOA_RETRY,
    expire: SOA_EXPIRE,
    minimum: ttl,
  });
  return [
    single(TYPE.SOA, recordTail(TYPE.SOA, ttl, soa)),
    single(TYPE.NS, recordTail(TYPE.NS, ttl, nsRdata(nameBelow(NAME_SERVER_OWNER, zone)))),
  ];
}

function nameServerRrsets(namespace: Namespace, options: CompileOptions): Rrset[] {
  const ttl = cappedTtl(namespace.soaTtlSeconds ?? options.soaTtlSeconds, options);
  const { ipv4, ipv6, areWildcard } = options.nameServers;
  if (areWildcard) return askedAddresses({ ipv4, ipv6 }, ttl);
  const rrset = (type: number, rdatas: Uint8Array[]): Rrset[] =>
    rdatas.length === 0
      ? []
      : [
          {
            type,
            policy: 'all',
            choices: rdatas.map((r) => ({ answers: [recordTail(type, ttl, r)], additionals: [] })),
          },
        ];
  return [...rrset(TYPE.A, ipv4.map(aRdata)), ...rrset(TYPE.AAAA, ipv6.map(aaaaRdata))];
}

/** A zone whose name is so long that no label fits in front of it stands for its own name server and mailbox. */
function nameBelow(label: string, zone: string): string {
  const name = `${label}.${zone}`;
  return domainNameProblem(name) === null ? name : zone;
}

function single(type: number, tail: Uint8Array): Rrset {
  return { type, policy: 'all', choices: [{ answers: [tail], additionals: [] }] };
}

export function cappedTtl(ttlSeconds: number, { maxTtlSeconds }: CompileOptions): number {
  return maxTtlSeconds === null ? ttlSeconds : Math.min(ttlSeconds, maxTtlSeconds);
}
