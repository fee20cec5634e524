/** What a service may be in its namespace (Cloud Map: CreateService, UpdateService). */
import type { Context } from './decision.ts';
import { invalidInput } from './errors.ts';
import { SERVICE_NAME } from './limits.ts';
import type { DnsConfig, DnsRecord, HealthCheck, Namespace, RoutingPolicy, Service, ServiceUpdate } from './model.ts';
import { absoluteName, domainNameProblem, serviceOwner } from './owner-names.ts';
import { hasRecord, isAllowedSet } from './record-types.ts';

/** What a service is to be, from a call or a file. */
export interface ServiceSpec {
  readonly name: string;
  readonly isHttpOnly: boolean;
  readonly description: string | null;
  readonly dns: { readonly routingPolicy: RoutingPolicy | null; readonly records: readonly DnsRecord[] } | null;
  readonly healthCheck: HealthCheck | null;
  readonly hasCustomHealthCheck: boolean;
}

/**
 * The rules of CreateService that need the namespace alone.
 * @returns the service's DnsConfig as it will be kept
 * @throws ServiceError InvalidInput
 */
export function checkService(
  namespace: Namespace,
  spec: ServiceSpec,
  context: Pick<Context, 'options'>,
): DnsConfig | null {
  if (!SERVICE_NAME.test(spec.name)) throw invalidInput(`"${spec.name}" is no name for a service.`);
  const dns = checkDns(namespace, spec);
  checkHealthChecks(namespace, spec, dns, context);
  return dns;
}

function checkDns(namespace: Namespace, { name, isHttpOnly, dns }: ServiceSpec): DnsConfig | null {
  if (dns === null) return null;
  if (namespace.type === 'HTTP')
    throw invalidInput(`The namespace ${namespace.id} is of type HTTP: its services have no DnsConfig.`);
  // AWS forbids a DnsConfig in HTTP namespaces; that Type HTTP excludes it too is ours.
  if (isHttpOnly) throw invalidInput('A service of Type HTTP has no DnsConfig.');
  if (!isAllowedSet(dns.records)) {
    const given = dns.records.map((record) => record.type).join(', ') || 'none';
    throw invalidInput(`DnsRecords are A, AAAA, A and AAAA, SRV, or CNAME; given: ${given}.`);
  }
  const isCname = hasRecord(dns.records, 'CNAME');
  // AWS documents no default; ours is MULTIVALUE, and WEIGHTED for CNAME.
  const routingPolicy = dns.routingPolicy ?? (isCname ? 'WEIGHTED' : 'MULTIVALUE');
  if (isCname && routingPolicy !== 'WEIGHTED') throw invalidInput('A CNAME record needs the RoutingPolicy WEIGHTED.');
  // RFC 1034 s3.6.2: a CNAME excludes other records, and the apex has SOA and NS.
  if (isCname && name === '.')
    throw invalidInput('A service named "." is the namespace itself and cannot have a CNAME record.');
  const problem = domainNameProblem(absoluteName(serviceOwner(name), namespace));
  if (problem !== null) throw invalidInput(`The name "${name}.${namespace.name}" ${problem}.`);
  return { routingPolicy, records: dns.records };
}

function checkHealthChecks(
  namespace: Namespace,
  spec: Pick<ServiceSpec, 'healthCheck' | 'hasCustomHealthCheck'>,
  dns: DnsConfig | null,
  { options }: Pick<Context, 'options'>,
): void {
  const { healthCheck } = spec;
  if (healthCheck === null) return;
  if (spec.hasCustomHealthCheck)
    throw invalidInput('HealthCheckConfig and HealthCheckCustomConfig exclude each other.');
  if (namespace.type === 'DNS_PRIVATE' && !options.allowsPrivateHealthChecks) {
    throw invalidInput('HealthCheckConfig is for public DNS and HTTP namespaces; use HealthCheckCustomConfig.');
  }
  if (dns !== null && hasRecord(dns.records, 'CNAME'))
    throw invalidInput('A service with a CNAME record has no HealthCheckConfig.');
  if (healthCheck.type === 'TCP' && healthCheck.path !== null)
    throw invalidInput('A TCP health check has no ResourcePath.');
}

/** What an update leaves of the DnsConfig: omitted records are deleted, and without any there is no DNS. */
export function updatedDns(dns: DnsConfig | null, records: readonly DnsRecord[] | null): DnsConfig | null {
  return dns === null || records === null || records.length === 0 ? null : { ...dns, records };
}

export function checkUpdate(
  namespace: Namespace,
  service: Service,
  { records, healthCheck }: ServiceUpdate,
  context: Pick<Context, 'options'>,
): void {
  checkRecordTypes(service, records);
  if (healthCheck === null) return;
  if (service.healthCheck !== null && service.healthCheck.type !== healthCheck.type) {
    throw invalidInput(
      `The type of a health check cannot change: it is ${service.healthCheck.type}, asked for is ${healthCheck.type}.`,
    );
  }
  // What the update leaves counts: one that drops the CNAME record may bring a check.
  checkHealthChecks(namespace, { ...service, healthCheck }, updatedDns(service.dns, records), context);
}

/**
 * The wording follows AWS's own, which names both lists. Its documents say that omitted records are deleted, its
 * answers that types cannot change: here types may go, and none may come.
 */
function checkRecordTypes({ dns }: Service, records: readonly DnsRecord[] | null): void {
  const existing = (dns?.records ?? []).map(({ type }) => type);
  const requested = (records ?? []).map(({ type }) => type);
  const isSubset = requested.every((type) => existing.includes(type)) && new Set(requested).size === requested.length;
  if (isSubset) return;
  throw invalidInput(
    `The record types of a service cannot change: they are [${existing.join(', ')}], asked for are [${requested.join(', ')}].`,
  );
}
