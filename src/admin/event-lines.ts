/** What became of a batch of changes, as those who look on are told it. */
import type { Change, Instance, Manager, Namespace, Service } from '../registry/model.ts';
import type { AppliedChange } from '../registry/registry.ts';
import type { State } from '../registry/state.ts';

/** What it is that was created, changed or removed; the names are those that it had when it was there. */
export interface Subject {
  readonly namespace: string;
  readonly namespaceId: string;
  /** What discovery calls the namespace, where that is not its name. */
  readonly httpName?: string;
  readonly service?: string;
  readonly serviceId?: string;
  readonly instance?: string;
}

export type RegistryEvent =
  | (Subject & {
      readonly event: `${'namespace' | 'service' | 'instance'}-${'created' | 'changed' | 'removed'}`;
      /** Who brought it in. */
      readonly manager: Manager;
      /** Of an instance, as they are now, or were. */
      readonly attributes?: Readonly<Record<string, string>>;
      /** The members that are not what they were. */
      readonly changed?: readonly string[];
    })
  | (Subject & {
      readonly event: 'health-changed';
      readonly health: string;
      readonly before: string;
      /** Such as `connect ECONNREFUSED, 3 in a row`. */
      readonly reason: string;
    })
  /** What aliases of that name are answered with. */
  | {
      readonly event: 'alias-changed';
      readonly alias: string;
      readonly resolves: boolean;
      readonly ipv4: readonly string[];
      readonly ipv6: readonly string[];
      readonly subjects: readonly Subject[];
    }
  | { readonly event: 'store-failed'; readonly reason: string }
  | { readonly event: 'store-recovered' };

/**
 * Everything of a namespace, or of one of its services; each is a name, in any case, an id or an ARN, and a namespace's
 * may be its HttpName. Null: of all.
 */
export interface EventFilter {
  readonly namespace: string | null;
  readonly service: string | null;
}

/** @param state with the changes in it */
export function eventsOf(applied: readonly AppliedChange[], state: State): RegistryEvent[] {
  const names = namesOf(applied, state);
  return applied.flatMap(({ change, undo }) => eventOf(change, undo, names) ?? []);
}

/** What the filter lets through. What concerns no namespace alone concerns everybody. */
export function isWanted(event: RegistryEvent, { namespace, service }: EventFilter): boolean {
  if (event.event === 'store-failed' || event.event === 'store-recovered') return true;
  const subjects = event.event === 'alias-changed' ? event.subjects : [event];
  return subjects.some(
    (subject) =>
      (namespace === null || isNamespace(namespace, subject)) &&
      // The namespace that a service is in is told of with it.
      (service === null || subject.serviceId === undefined || isService(service, subject)),
  );
}

/** @param wanted as a filter has it */
export function isNamespace(
  wanted: string,
  { namespace, namespaceId, httpName }: Pick<Subject, 'namespace' | 'namespaceId' | 'httpName'>,
): boolean {
  return wanted === httpName || isMeant(wanted, namespace, namespaceId);
}

/** @param wanted as a filter has it */
export function isService(wanted: string, { service, serviceId }: Pick<Subject, 'service' | 'serviceId'>): boolean {
  return isMeant(wanted, service, serviceId);
}

function isMeant(wanted: string, name: string | undefined, id: string | undefined): boolean {
  const idOrName = wanted.replace(/^arn:.*\//, '');
  return idOrName === id || idOrName.toLowerCase() === name?.toLowerCase();
}

interface Names {
  namespace(id: string): Namespace | undefined;
  service(id: string): Service | undefined;
  aliasSubjects(name: string): Subject[];
}

/** A service may be gone in the same batch as its instances: then it is found in what the batch took away. */
function namesOf(applied: readonly AppliedChange[], state: State): Names {
  const gone = new Map<string, Namespace | Service>();
  for (const { undo } of applied) {
    if ((undo.kind === 'namespace' || undo.kind === 'service') && undo.value !== null) gone.set(undo.id, undo.value);
  }
  const names: Names = {
    namespace: (id) => state.namespace(id) ?? (gone.get(id) as Namespace | undefined),
    service: (id) => state.service(id) ?? (gone.get(id) as Service | undefined),
    aliasSubjects: (name) => state.servicesWithAlias(name).map((id) => subjectOf(names, names.service(id))),
  };
  return names;
}

function subjectOf(names: Names, service: Service | undefined, instance?: string): Subject {
  const namespaceId = service?.namespaceId ?? '';
  return {
    ...namespaceOf(namespaceId, names.namespace(namespaceId)),
    service: service?.name ?? '',
    serviceId: service?.id ?? '',
    ...(instance !== undefined && { instance }),
  };
}

function namespaceOf(namespaceId: string, namespace: Namespace | undefined): Subject {
  const { name = '', httpName = name } = namespace ?? {};
  return { namespace: name, namespaceId, ...(httpName !== name && { httpName }) };
}

function eventOf(change: Change, undo: Change, names: Names): RegistryEvent | RegistryEvent[] | null {
  switch (change.kind) {
    case 'namespace': {
      const { before, now, there } = sidesOf(change.value, (undo as typeof change).value);
      if (there === null) return null;
      return madeOf('namespace', before, now, there.manager, namespaceOf(change.id, there));
    }
    case 'service': {
      const { before, now, there } = sidesOf(change.value, (undo as typeof change).value);
      return there === null ? null : madeOf('service', before, now, there.manager, subjectOf(names, there));
    }
    case 'instance': {
      const { before, now, there } = sidesOf(change.value, (undo as typeof change).value);
      if (there === null) return null;
      const subject = subjectOf(names, names.service(change.serviceId), change.id);
      return ofInstance(before, now, there, { ...subject, serviceId: change.serviceId });
    }
    case 'alias-target': {
      const { value } = change;
      if (value === null) return null;
      const { isHealthy, ipv4, ipv6 } = value;
      const before = (undo as typeof change).value;
      if (before !== null && isSame([before.isHealthy, before.ipv4, before.ipv6], [isHealthy, ipv4, ipv6])) return null;
      const subjects = names.aliasSubjects(change.id);
      return { event: 'alias-changed', alias: change.id, resolves: isHealthy, ipv4, ipv6, subjects };
    }
    default:
      return null;
  }
}

function ofInstance(before: Instance | null, now: Instance | null, there: Instance, subject: Subject): RegistryEvent[] {
  const { attributes } = there;
  const made = madeOf('instance', before, now, there.manager, subject);
  const events: RegistryEvent[] = made === null ? [] : [{ ...made, attributes }];
  const last = now?.health.transitions?.at(-1);
  if (before === null || now === null || last === undefined || before.health.status === now.health.status)
    return events;
  const { status, reason } = last;
  return [...events, { event: 'health-changed', ...subject, health: status, before: before.health.status, reason }];
}

/** Members that say nothing about the thing itself: how it came to be, and what is told on its own. */
const UNTOLD: readonly string[] = ['health', 'operationId', 'creatorRequestId', 'requestDigest', 'registeredAt'];

function madeOf(
  kind: 'namespace' | 'service' | 'instance',
  before: object | null,
  now: object | null,
  manager: Manager,
  subject: Subject,
): Extract<RegistryEvent, { manager: Manager }> | null {
  if (before === null) return { event: `${kind}-created`, ...subject, manager };
  if (now === null) return { event: `${kind}-removed`, ...subject, manager };
  const changed = Object.entries(now)
    .filter(([key, value]) => !isSame(value, (before as Record<string, unknown>)[key]) && !UNTOLD.includes(key))
    .map(([key]) => key);
  return changed.length === 0 ? null : { event: `${kind}-changed`, ...subject, manager, changed };
}

function sidesOf<T>(now: T | null, before: T | null): { now: T | null; before: T | null; there: T | null } {
  return { now, before, there: now ?? before };
}

/** Of values as the registry has them: plain data, whose members keep their order. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
