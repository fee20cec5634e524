/**
 * The record synthesiser: a service's DnsConfig and its instances' attributes to RRsets, in the bytes that an
 * answering thread copies. Pure: state in, answer set out.
 */
import { encodeAnswerSet, type Rrset } from '../answers/answer-set.ts';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import { domainNameProblem } from '../registry/owner-names.ts';
import type { State } from '../registry/state.ts';
import { TYPE } from '../wire/header.ts';
import { aaaaRdata, aRdata, nsRdata, recordTail, soaRdata } from '../wire/rdata.ts';
import { askedAddresses } from './asked-addresses.ts';
import { addressTails } from './choices.ts';
import { type CompileOptions, cappedTtl } from './compile-options.ts';
import type { LargeServices } from './large-services.ts';
import { serviceRrsets } from './service-rrsets.ts';

/** Relative owner name of the zone's name server, unless the namespace's content has taken it. */
export const NAME_SERVER_OWNER = 'ns';

// Route 53's numbers, in seconds.
const SOA_REFRESH = 7200;
const SOA_RETRY = 900;
const SOA_EXPIRE = 1_209_600;

/**
 * Everything at one owner name of a namespace's zone, or null: no records there.
 * @param owner relative to the namespace, lower case; empty: the apex
 */
export function compileOwner(
  state: State,
  namespace: Namespace,
  owner: string,
  large: LargeServices,
  options: CompileOptions,
): Uint8Array | null {
  const rrsets = compileHolder(state, namespace, owner, large, options);
  if (owner === '') rrsets.push(...ownApexRrsets(state, namespace, options));
  if (owner === NAME_SERVER_OWNER && rrsets.length === 0) rrsets.push(...nameServerRrsets(namespace, options));
  return rrsets.length === 0 ? null : encodeAnswerSet(rrsets);
}

function compileHolder(
  state: State,
  namespace: Namespace,
  owner: string,
  large: LargeServices,
  options: CompileOptions,
): Rrset[] {
  const [kind, serviceId, ...instanceId] = (state.holderOf(namespace.id, owner) ?? '').split('/');
  const service = state.service(serviceId ?? '');
  if (service === undefined) return [];
  if (kind === 'service') return large.rrsetsOf(service) ?? serviceRrsets(state, namespace, service, options);
  const instance = state.instance(service.id, instanceId.join('/'));
  return instance === undefined ? [] : companionRrsets(service, instance, options);
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
