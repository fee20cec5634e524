/** Commands to the calls that they are among the things that are there. */
import type { Attributes, Call, RecordType, WireRecord } from './calls.ts';
import { type Command, GONE, INSTANCE_IDS, type Pick } from './commands.ts';

/** What commands refer to, as it was before the step. */
export interface Surroundings {
  /** Ids of those that are there, oldest first, and of those that are gone. */
  readonly namespaces: readonly string[];
  readonly services: readonly string[];
  readonly goneNamespaces: readonly string[];
  readonly goneServices: readonly string[];
  /** Calls that were sent, latest last. */
  readonly sent: readonly Call[];
  typeOf(namespace: string): 'Http' | 'PrivateDns' | 'PublicDns' | undefined;
  recordTypesOf(service: string): readonly RecordType[];
  /** Whether the service has a HealthCheckCustomConfig. */
  isChecked(service: string): boolean;
  instancesOf(service: string): readonly string[];
}

const ARN = 'arn:aws:servicediscovery:us-east-1:123456789012:';
const UNKNOWN_NAMESPACE = 'ns-2222222222222222';
const UNKNOWN_SERVICE = 'srv-2222222222222222';

function picked(at: Pick, here: readonly string[], gone: readonly string[], unknown: string): string {
  return here[at === GONE ? GONE : at % here.length] ?? gone.at(-1) ?? unknown;
}

/** Of one moment: more have too many orders in which they may have been carried out. */
const MAX_CALLS = 6;

/** The calls that a step's commands are, all to be sent at once. */
export function callsOf(commands: readonly Command[], around: Surroundings): Call[] {
  const calls: Call[] = [];
  for (const one of commands) calls.push(...callsOfOne(one, around, [...around.sent, ...calls]));
  return calls.slice(0, MAX_CALLS);
}

function callsOfOne(one: Command, around: Surroundings, sent: readonly Call[]): Call[] {
  const namespaceAt = (at: Pick) => picked(at, around.namespaces, around.goneNamespaces, UNKNOWN_NAMESPACE);
  const serviceAt = (at: Pick) => picked(at, around.services, around.goneServices, UNKNOWN_SERVICE);
  const instanceAt = (serviceId: string, at: Pick) => picked(at, around.instancesOf(serviceId), [], INSTANCE_IDS[0]);
  switch (one.kind) {
    case 'create-namespace':
      return [createNamespaceCall(one)];
    case 'update-namespace': {
      const Id = namespaceAt(one.namespace);
      const type = one.type ?? around.typeOf(Id) ?? 'PrivateDns';
      const properties = type === 'Http' ? {} : soaProperties(one.soaTtl);
      // Required there.
      const description = type === 'Http' ? (one.description ?? '') : one.description;
      const Namespace = { ...given('Description', description), ...properties };
      return [
        { action: `Update${type}Namespace`, input: { Id, Namespace, ...given('UpdaterRequestId', one.request) } },
      ];
    }
    case 'delete-namespace':
      return [{ action: 'DeleteNamespace', input: { Id: namespaceAt(one.namespace) } }];
    case 'create-service':
      return [createServiceCall(one, namespaceAt(one.namespace), around)];
    case 'update-service': {
      const Id = serviceAt(one.service);
      const types = one.types === 'own' ? around.recordTypesOf(Id) : one.types;
      const config =
        types === undefined || types.length === 0 ? {} : { DnsConfig: { DnsRecords: wireRecords(types, one.ttls) } };
      return [
        { action: 'UpdateService', input: { Id, Service: { ...given('Description', one.description), ...config } } },
      ];
    }
    case 'delete-service':
      return [{ action: 'DeleteService', input: { Id: serviceAt(one.service) } }];
    case 'empty-service': {
      const ServiceId = serviceAt(one.service);
      return around
        .instancesOf(ServiceId)
        .map((InstanceId) => ({ action: 'DeregisterInstance', input: { ServiceId, InstanceId } }));
    }
    case 'register':
      return [registerCall(one, serviceAt(one.service), around)];
    case 'deregister': {
      const ServiceId = serviceAt(one.service);
      return [{ action: 'DeregisterInstance', input: { ServiceId, InstanceId: instanceAt(ServiceId, one.instance) } }];
    }
    case 'health': {
      const ServiceId = serviceAt(one.service);
      const input = { ServiceId, InstanceId: instanceAt(ServiceId, one.instance), Status: one.status };
      return [{ action: 'UpdateInstanceCustomHealthStatus', input }];
    }
    case 'tag':
    case 'untag': {
      const id = one.on === 'namespace' ? namespaceAt(one.pick) : serviceAt(one.pick);
      const ResourceARN = `${ARN}${one.on}/${id}`;
      return one.kind === 'tag'
        ? [{ action: 'TagResource', input: { ResourceARN, Tags: [{ Key: one.key, Value: one.value }] } }]
        : [{ action: 'UntagResource', input: { ResourceARN, TagKeys: [one.key] } }];
    }
    case 'set-attribute': {
      const Attributes = { [one.key]: one.value };
      return [{ action: 'UpdateServiceAttributes', input: { ServiceId: serviceAt(one.service), Attributes } }];
    }
    case 'delete-attribute':
      return [
        { action: 'DeleteServiceAttributes', input: { ServiceId: serviceAt(one.service), Attributes: [one.key] } },
      ];
    case 'again': {
      const call = sent.at(-1 - one.back);
      return call === undefined ? [] : [call];
    }
  }
}

function createNamespaceCall(one: Command & { kind: 'create-namespace' }): Call {
  const common = {
    Name: one.name,
    ...given('Description', one.description),
    ...given('CreatorRequestId', one.request),
  };
  if (one.type === 'Http') return { action: 'CreateHttpNamespace', input: common };
  const input = { ...common, ...soaProperties(one.soaTtl) };
  return one.type === 'PrivateDns'
    ? { action: 'CreatePrivateDnsNamespace', input: { ...input, Vpc: one.vpc } }
    : { action: 'CreatePublicDnsNamespace', input };
}

function createServiceCall(one: Command & { kind: 'create-service' }, NamespaceId: string, around: Surroundings): Call {
  const { policy } = one;
  const dns = around.typeOf(NamespaceId) === 'Http' && !one.isMisfit ? undefined : one.dns;
  const checks = {
    none: {},
    custom: { HealthCheckCustomConfig: {} },
    both: { HealthCheckCustomConfig: {}, HealthCheckConfig: { Type: 'TCP' as const } },
  };
  const config =
    dns === undefined
      ? {}
      : { DnsConfig: { ...given('RoutingPolicy', policy), DnsRecords: wireRecords(dns.types, dns.ttls) } };
  return {
    action: 'CreateService',
    input: {
      Name: one.name,
      NamespaceId,
      ...(one.isHttp ? { Type: 'HTTP' } : {}),
      ...config,
      ...checks[one.check],
      ...given('CreatorRequestId', one.request),
    },
  };
}

/** What the service's record types do not want is given too, but for what it has no use for: it is no error. */
function registerCall(one: Command & { kind: 'register' }, ServiceId: string, around: Surroundings): Call {
  const types = around.recordTypesOf(ServiceId);
  const Attributes: Attributes = {
    ...given('AWS_INSTANCE_IPV4', one.ipv4),
    ...given('AWS_INSTANCE_IPV6', one.ipv6),
    ...given('AWS_INSTANCE_PORT', one.port),
    ...given('AWS_INSTANCE_CNAME', types.includes('CNAME') ? one.cname : undefined),
    ...given('AWS_INIT_HEALTH_STATUS', around.isChecked(ServiceId) || one.isMisfit ? one.init : undefined),
    ...given('stage', one.stage),
  };
  const input = { ServiceId, InstanceId: one.id, Attributes, ...given('CreatorRequestId', one.request) };
  return { action: 'RegisterInstance', input };
}

function wireRecords(types: readonly RecordType[], ttls: readonly number[]): WireRecord[] {
  return types.map((Type, i) => ({ Type, TTL: ttls[i % ttls.length] ?? 0 }));
}

function soaProperties(TTL: number | undefined): { Properties?: { DnsProperties: { SOA: { TTL: number } } } } {
  return TTL === undefined ? {} : { Properties: { DnsProperties: { SOA: { TTL } } } };
}

/** A member that is left out where it has no value. */
function given<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [name]: value } as Partial<Record<K, V>>);
}
