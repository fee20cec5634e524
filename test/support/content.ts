/** A registry's content made by hand, record by record, and what DNS says of it. */
import { ZoneSet } from '../../src/answers/zone-set.ts';
import type {
  AliasTarget,
  Change,
  DnsRecord,
  HealthStatus,
  Instance,
  Namespace,
  NamespaceType,
  RoutingPolicy,
  Service,
} from '../../src/registry/model.ts';
import type { AppliedChange } from '../../src/registry/registry.ts';
import { serialChanges } from '../../src/registry/serials.ts';
import { State } from '../../src/registry/state.ts';
import type { CompileOptions } from '../../src/synthesis/compile-options.ts';
import { Synthesizer } from '../../src/synthesis/synthesizer.ts';
import { Asker } from './answering.ts';

export const COMPILE_OPTIONS: CompileOptions = {
  fallback: 'last-healthy',
  maxTtlSeconds: null,
  soaTtlSeconds: 5,
  hasPtr: false,
  nameServers: { ipv4: ['127.0.0.1'], ipv6: ['::1'], areWildcard: false },
};

export interface NamespaceSpec {
  readonly id?: string;
  readonly name?: string;
  readonly type?: NamespaceType;
  readonly soaTtlSeconds?: number | null;
  readonly createdAt?: number;
}

export function namespaceOf(spec: NamespaceSpec = {}): Namespace {
  const { id = 'ns-1', name = 'corp.internal', type = 'DNS_PRIVATE', soaTtlSeconds = null, createdAt = 1 } = spec;
  return {
    id,
    name,
    httpName: `${name}/${id}`,
    type,
    description: null,
    vpc: null,
    hostedZoneId: null,
    soaTtlSeconds,
    tags: {},
    creatorRequestId: null,
    operationId: null,
    createdAt,
    manager: 'api',
  };
}

export interface ServiceSpec {
  readonly id?: string;
  readonly namespaceId?: string;
  readonly name?: string;
  /** `A 60`, `A 60, AAAA 30`; null: API only. */
  readonly records?: string | null;
  readonly policy?: RoutingPolicy;
  readonly check?: 'none' | 'custom' | 'probe';
}

export function serviceOf(spec: ServiceSpec = {}): Service {
  const { id = 'srv-1', namespaceId = 'ns-1', name = 'web', records = 'A 60' } = spec;
  const { policy = 'MULTIVALUE', check = 'none' } = spec;
  return {
    id,
    namespaceId,
    name,
    type: records === null ? 'HTTP' : 'DNS_HTTP',
    description: null,
    dns: records === null ? null : { routingPolicy: policy, records: records.split(', ').map(recordOf) },
    healthCheck: check === 'probe' ? { type: 'TCP', path: null, failureThreshold: null } : null,
    hasCustomHealthCheck: check === 'custom',
    attributes: {},
    tags: {},
    creatorRequestId: null,
    requestDigest: null,
    createdAt: 1,
    manager: 'api',
  };
}

function recordOf(text: string): DnsRecord {
  const [type, ttl] = text.split(' ') as [DnsRecord['type'], string];
  return { type, ttlSeconds: Number(ttl) };
}

export interface InstanceSpec {
  readonly serviceId?: string;
  readonly id: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly port?: number;
  readonly cname?: string;
  readonly alias?: string;
  readonly status?: HealthStatus;
  readonly lastHealthyAt?: number | null;
}

export function instanceOf(spec: InstanceSpec): Instance {
  const { serviceId = 'srv-1', id, status = 'HEALTHY', lastHealthyAt = null } = spec;
  const attributes: Record<string, string> = {};
  if (spec.ipv4 !== undefined) attributes.AWS_INSTANCE_IPV4 = spec.ipv4;
  if (spec.ipv6 !== undefined) attributes.AWS_INSTANCE_IPV6 = spec.ipv6;
  if (spec.port !== undefined) attributes.AWS_INSTANCE_PORT = String(spec.port);
  if (spec.cname !== undefined) attributes.AWS_INSTANCE_CNAME = spec.cname;
  if (spec.alias !== undefined) attributes.AWS_ALIAS_DNS_NAME = spec.alias;
  return {
    serviceId,
    id,
    attributes,
    health: { status, lastHealthyAt, pending: null },
    creatorRequestId: null,
    operationId: null,
    registeredAt: 1,
    manager: 'api',
  };
}

export function putNamespace(spec: NamespaceSpec = {}): Change {
  const value = namespaceOf(spec);
  return { kind: 'namespace', id: value.id, value };
}

export function dropNamespace(id: string): Change {
  return { kind: 'namespace', id, value: null };
}

export function putService(spec: ServiceSpec = {}): Change {
  const value = serviceOf(spec);
  return { kind: 'service', id: value.id, value };
}

export function dropService(id: string): Change {
  return { kind: 'service', id, value: null };
}

export function putInstance(spec: InstanceSpec): Change {
  const value = instanceOf(spec);
  return { kind: 'instance', serviceId: value.serviceId, id: value.id, value };
}

/** What a name that aliases stand for resolved to; of both families, healthy and never otherwise unless given. */
export function putTarget(id: string, target: Partial<AliasTarget> | null): Change {
  const empty = { ipv4: [], ipv6: [], ttlSeconds: 60, isHealthy: true, lastHealthyAt: null };
  return { kind: 'alias-target', id, value: target === null ? null : { ...empty, ...target } };
}

export function dropInstance(id: string, serviceId = 'srv-1'): Change {
  return { kind: 'instance', serviceId, id, value: null };
}

/** A state whose changes go through the synthesiser into a zone set, as in the daemon but in one thread. */
export class Content {
  readonly state = new State();
  readonly zones = new ZoneSet();
  readonly asker: Asker;
  /** Epoch ms. */
  now = 1_700_000_000_000;
  readonly #synthesizer: Synthesizer;
  /** What DNS was told last. */
  delta: Uint8Array | null = null;

  /** What is put before the first snapshot. */
  constructor(changes: readonly Change[] = [], options: Partial<CompileOptions> = {}, seed = 1) {
    this.#apply(changes);
    this.#synthesizer = new Synthesizer(this.state, { ...COMPILE_OPTIONS, ...options });
    for (const part of this.#synthesizer.snapshot()) this.zones.apply(part);
    this.asker = new Asker(this.zones, { seed });
  }

  /** One batch of changes. @returns whether DNS was told anything */
  change(...changes: readonly Change[]): boolean {
    this.delta = this.#synthesizer.delta(this.#apply(changes));
    if (this.delta !== null) this.zones.apply(this.delta);
    return this.delta !== null;
  }

  /** The parts of a snapshot for another thread. */
  snapshot(): Generator<Uint8Array> {
    return this.#synthesizer.snapshot();
  }

  /** As the registry does: the serials go with the changes. */
  #apply(changes: readonly Change[]): AppliedChange[] {
    const put = (change: Change): AppliedChange => ({ change, undo: this.state.apply(change) });
    const applied = changes.map(put);
    return [...applied, ...serialChanges(this.state, applied, this.now).map(put)];
  }

  /** The records of the answer section, sorted; where there are none the RCODE, `NODATA` for NOERROR. */
  dig(name: string, type: string): string[] {
    const { rcode, answer } = this.asker.ask(name, type);
    if (answer.length > 0) return answer.sort();
    return [rcode === 'NOERROR' ? 'NODATA' : rcode];
  }
}
