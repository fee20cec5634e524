/** The domain: namespaces, services, instances and operations as the registry keeps them. Times are epoch ms. */

export const NAMESPACE_TYPES = ['HTTP', 'DNS_PUBLIC', 'DNS_PRIVATE'] as const;
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];
export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'SRV';
export type RoutingPolicy = 'MULTIVALUE' | 'WEIGHTED';
export type HealthCheckType = 'HTTP' | 'HTTPS' | 'TCP';
/** Of an instance whose service has a check; without one it is UNKNOWN to the outside. */
export type HealthStatus = 'HEALTHY' | 'UNHEALTHY';

/**
 * Who brought a thing in, and so who may take it away again at a reconcile; what is not the API's counts against no
 * quota. It stays whatever is done to the thing: until it is gone, and made anew by somebody else; but what was imported
 * is the file's once a file declares it.
 */
export type Manager = 'api' | 'file' | 'import';

export interface Namespace {
  readonly id: string;
  readonly name: string;
  /** Unique; what discovery calls it. */
  readonly httpName: string;
  readonly type: NamespaceType;
  readonly description: string | null;
  /** Private DNS namespaces; stored, never shown. */
  readonly vpc: string | null;
  readonly hostedZoneId: string | null;
  /** Null: the daemon's default, and not shown. */
  readonly soaTtlSeconds: number | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly creatorRequestId: string | null;
  /** The operation that made it, null where none did. */
  readonly operationId: string | null;
  readonly createdAt: number;
  readonly manager: Manager;
}

export interface DnsRecord {
  readonly type: RecordType;
  readonly ttlSeconds: number;
}

export interface DnsConfig {
  readonly routingPolicy: RoutingPolicy;
  readonly records: readonly DnsRecord[];
}

export interface HealthCheck {
  readonly type: HealthCheckType;
  /** HTTP and HTTPS; null: `/`. */
  readonly path: string | null;
  /** Consecutive verdicts that turn the status; null: 3, and not shown. */
  readonly failureThreshold: number | null;
}

export interface Service {
  readonly id: string;
  readonly namespaceId: string;
  readonly name: string;
  readonly type: 'DNS_HTTP' | 'HTTP';
  readonly description: string | null;
  /** Null: API only. */
  readonly dns: DnsConfig | null;
  readonly healthCheck: HealthCheck | null;
  readonly hasCustomHealthCheck: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly creatorRequestId: string | null;
  /** Of the parameters that it was created with, to tell a retry from another request. */
  readonly requestDigest: string | null;
  readonly createdAt: number;
  readonly manager: Manager;
}

/** A status that took effect. */
export interface Transition {
  readonly at: number;
  readonly status: HealthStatus;
  /** Such as `connect ECONNREFUSED, 3 in a row`. */
  readonly reason: string;
}

export interface InstanceHealth {
  /** The effective status. */
  readonly status: HealthStatus;
  /** When the status last went from HEALTHY to UNHEALTHY; null: never. */
  readonly lastHealthyAt: number | null;
  /** A custom status that takes effect at `dueAt`. */
  readonly pending: { readonly status: HealthStatus; readonly dueAt: number } | null;
  /** The last ones, newest last; absent: none yet. */
  readonly transitions?: readonly Transition[];
}

export interface Instance {
  readonly serviceId: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly health: InstanceHealth;
  readonly creatorRequestId: string | null;
  readonly operationId: string | null;
  readonly registeredAt: number;
  readonly manager: Manager;
}

export const OPERATION_TYPES = [
  'CREATE_NAMESPACE',
  'DELETE_NAMESPACE',
  'UPDATE_NAMESPACE',
  'UPDATE_SERVICE',
  'REGISTER_INSTANCE',
  'DEREGISTER_INSTANCE',
] as const;
export type OperationType = (typeof OPERATION_TYPES)[number];
export type OperationStatus = 'PENDING' | 'SUCCESS' | 'FAIL';
/** AWS documents the targets of namespaces that are made or deleted; the others are ours by analogy. */
export type TargetType = 'NAMESPACE' | 'SERVICE' | 'INSTANCE';

/** Null: stays as it is. */
export interface NamespaceUpdate {
  readonly description: string | null;
  readonly soaTtlSeconds: number | null;
}

/** What is left out is deleted, but for the description (Cloud Map: UpdateService). */
export interface ServiceUpdate {
  /** Null: stays as it is. */
  readonly description: string | null;
  /** Of the record types that the service has; null: it leaves DNS. */
  readonly records: readonly DnsRecord[] | null;
  /** Null: none from now on. */
  readonly healthCheck: HealthCheck | null;
}

/** What a pending operation was accepted for; carried out when it ends. */
export type Work =
  | { readonly kind: 'create-namespace'; readonly namespace: Namespace }
  | { readonly kind: 'update-namespace'; readonly id: string; readonly update: NamespaceUpdate }
  | { readonly kind: 'delete-namespace'; readonly id: string }
  | { readonly kind: 'update-service'; readonly id: string; readonly update: ServiceUpdate }
  | { readonly kind: 'register-instance'; readonly instance: Instance }
  | { readonly kind: 'deregister-instance'; readonly serviceId: string; readonly instanceId: string };

export interface Operation {
  readonly id: string;
  readonly type: OperationType;
  readonly status: OperationStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly targets: Readonly<Partial<Record<TargetType, string>>>;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** While PENDING. */
  readonly work: Work | null;
  readonly dueAt: number;
  /** The request that it answers, for as long as a repetition must find it. */
  readonly request: { readonly key: string; readonly digest: string } | null;
}

/** What the target of alias instances resolved to last; addresses stay while it does not resolve. */
export interface AliasTarget {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** Of the target's own records. */
  readonly ttlSeconds: number;
  /** Whether it resolved the last time. */
  readonly isHealthy: boolean;
  /** When it last ceased to resolve; null: never. */
  readonly lastHealthyAt: number | null;
}

/** One record of the state, put (`value`) or removed (null). */
export type Change =
  | { readonly kind: 'namespace'; readonly id: string; readonly value: Namespace | null }
  | { readonly kind: 'service'; readonly id: string; readonly value: Service | null }
  | { readonly kind: 'instance'; readonly serviceId: string; readonly id: string; readonly value: Instance | null }
  | { readonly kind: 'operation'; readonly id: string; readonly value: Operation | null }
  /** The InstancesRevision of a service; under RETIRED_REVISIONS the greatest of the services that are gone. */
  | { readonly kind: 'revision'; readonly id: string; readonly value: number | null }
  /** The SOA serial of a zone, by its name in lower case; under RETIRED_SERIALS the greatest of the zones that are gone. */
  | { readonly kind: 'serial'; readonly id: string; readonly value: number | null }
  /** By the target's name, lower case. Not stored: after a restart it is resolved anew. */
  | { readonly kind: 'alias-target'; readonly id: string; readonly value: AliasTarget | null };

export function isStored(change: Change): boolean {
  return change.kind !== 'alias-target';
}

/** The name that an alias instance stands for, lower case without an ending dot; null: it is no alias. */
export function aliasNameOf({ attributes }: Pick<Instance, 'attributes'>): string | null {
  const name = attributes.AWS_ALIAS_DNS_NAME;
  return name === undefined ? null : name.toLowerCase().replace(/\.$/, '');
}

export const RETIRED_REVISIONS = '*';
/** No zone has this name: a namespace's is never empty. */
export const RETIRED_SERIALS = '';

export function hasHealthCheck(service: Service): boolean {
  return service.healthCheck !== null || service.hasCustomHealthCheck;
}
