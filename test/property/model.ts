/** What the model of the property test remembers: maps of namespaces, services and instances. */
import type { Attributes, Outcome, RecordType } from './calls.ts';

export type NamespaceType = 'HTTP' | 'DNS_PRIVATE' | 'DNS_PUBLIC';
export type Status = 'HEALTHY' | 'UNHEALTHY';
export type Texts = Readonly<Record<string, string>>;

/** A request that may be repeated: its id, its parameters as text, and the operation that it was answered with. */
export interface Remembered {
  readonly id: string;
  readonly parameters: string;
  readonly operation: string | null;
}

export interface Namespace {
  readonly id: string;
  readonly name: string;
  readonly type: NamespaceType;
  readonly vpc: string | null;
  readonly httpName: string;
  readonly description: string;
  readonly soaTtl: number | null;
  readonly tags: Texts;
  readonly createdAt: number;
  readonly creation: Remembered | null;
  readonly updates: readonly Remembered[];
}

export interface DnsRecord {
  readonly type: RecordType;
  readonly ttl: number;
}

export interface Service {
  readonly id: string;
  readonly namespaceId: string;
  readonly name: string;
  readonly type: 'HTTP' | 'DNS_HTTP';
  readonly description: string;
  /** Null: it has no records. */
  readonly dns: { readonly policy: 'MULTIVALUE' | 'WEIGHTED'; readonly records: readonly DnsRecord[] } | null;
  readonly isChecked: boolean;
  readonly tags: Texts;
  readonly attributes: Texts;
  readonly creation: Remembered | null;
  readonly instances: Readonly<Record<string, Instance>>;
}

export interface Instance {
  readonly attributes: Attributes;
  readonly status: Status;
  /** Greater where it went from HEALTHY to UNHEALTHY later, equal within one millisecond; 0: it never did. */
  readonly lastHealthy: number;
  readonly creation: Remembered | null;
}

/** What happened since the last comparison. */
export interface Step {
  /** Operations that calls were answered with. */
  readonly operations: readonly string[];
  /** Services whose InstancesRevision changed. */
  readonly revised: readonly string[];
  /** Service -> when the last of its instances turned UNHEALTHY. */
  readonly unhealthyAt: Readonly<Record<string, number>>;
}

export interface Model {
  readonly namespaces: Readonly<Record<string, Namespace>>;
  readonly services: Readonly<Record<string, Service>>;
  /** Name in lower case -> the DNS namespaces of that name, of which the first, the oldest, owns the zone. */
  readonly zones: Readonly<Record<string, readonly string[]>>;
  readonly step: Step;
}

const NOTHING_YET: Step = { operations: [], revised: [], unhealthyAt: {} };
export const EMPTY: Model = { namespaces: {}, services: {}, zones: {}, step: NOTHING_YET };

/** The comparison agreed: times keep their order alone, so that equal models look equal. */
export function endStep(model: Model): Model {
  const settled = Object.values(model.services).map((service): [string, Service] => {
    const moments = Object.values(service.instances).map(({ lastHealthy }) => lastHealthy);
    const order = [0, ...[...new Set(moments)].filter((moment) => moment > 0).sort((a, b) => a - b)];
    const ranked = Object.entries(service.instances).map(([id, instance]): [string, Instance] => [
      id,
      { ...instance, lastHealthy: order.indexOf(instance.lastHealthy) },
    ]);
    return [service.id, { ...service, instances: Object.fromEntries(ranked) }];
  });
  return { ...model, services: Object.fromEntries(settled), step: NOTHING_YET };
}

// --- what the rules are written with ---

/** The call has to be refused with one of the errors, and nothing changes. */
export function refused(model: Model, { error }: Outcome, ...errors: readonly string[]): Model[] {
  return error !== null && errors.includes(error) ? [model] : [];
}

/** The call repeats an earlier one: it is answered with that one's operation, and nothing changes. */
export function repeated(model: Model, { error, body }: Outcome, { operation }: Remembered): Model[] {
  return error === null && body.OperationId === operation ? [model] : [];
}

/** The call is answered with an operation that no call was answered with before. */
export function withNewOperation(model: Model, outcome: Outcome, operation: string): Model[] {
  if (outcome.error !== null || !outcome.isNewOperation || model.step.operations.includes(operation)) return [];
  return [{ ...model, step: { ...model.step, operations: [...model.step.operations, operation].sort() } }];
}

export function remember(id: string | undefined, parameters: unknown, operation: string | null): Remembered | null {
  return id === undefined ? null : { id, parameters: JSON.stringify(parameters), operation };
}

export function putNamespace(model: Model, namespace: Namespace): Model {
  return { ...model, namespaces: { ...model.namespaces, [namespace.id]: namespace } };
}

export function putService(model: Model, service: Service): Model {
  return { ...model, services: { ...model.services, [service.id]: service } };
}

export function servicesOf(model: Model, namespaceId: string): Service[] {
  return Object.values(model.services).filter((service) => service.namespaceId === namespaceId);
}

export function without<T>(map: Readonly<Record<string, T>>, keys: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

/** Owner name of a service relative to its namespace; `.` is the namespace itself. */
export function ownerOf({ name }: Pick<Service, 'name'>): string {
  return name === '.' ? '' : name.toLowerCase();
}

/** Owner name of an instance's SRV target. */
export function targetOf(service: Service, instanceId: string): string {
  const owner = ownerOf(service);
  return owner === '' ? instanceId.toLowerCase() : `${instanceId.toLowerCase()}.${owner}`;
}

export function hasType({ dns }: Service, type: RecordType): boolean {
  return dns?.records.some((record) => record.type === type) ?? false;
}

/** The SRV targets that there are in a namespace, but for one instance's. */
export function targetsIn(model: Model, namespaceId: string, except: string | null = null): string[] {
  return servicesOf(model, namespaceId)
    .filter((service) => hasType(service, 'SRV'))
    .flatMap((service) =>
      Object.keys(service.instances)
        .filter((id) => `${service.id}/${id}` !== except)
        .map((id) => targetOf(service, id)),
    );
}
