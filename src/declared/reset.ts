/**
 * Back to the declared content, as the first start with it had left it. What the API or an import made is removed,
 * under a declared name too; what is declared is put where it is missing and set back where it has changed; things that
 * nobody made anew keep their ids. Revisions and serials go on from where they are.
 */
import type { Context } from '../registry/decision.ts';
import { Draft } from '../registry/draft.ts';
import { firstHealth } from '../registry/health-status.ts';
import { removeInstance } from '../registry/instances.ts';
import type { Change, Instance, InstanceHealth, Namespace, Service } from '../registry/model.ts';
import { removeNamespace } from '../registry/namespaces.ts';
import { removeService } from '../registry/services.ts';
import type { State } from '../registry/state.ts';
import { isSameNamespace, putFile } from './reconcile.ts';
import type { DeclaredContent, DeclaredNamespace, DeclaredService } from './schema.ts';

/** @throws DeclaredError where the content breaks the registry's rules */
export function decideReset(state: State, content: DeclaredContent, context: Context): Change[] {
  const draft = new Draft(state);
  try {
    // Pending ones are never carried out.
    for (const { id } of [...state.operations()]) draft.add([{ kind: 'operation', id, value: null }]);
    const kept = keptNamespaces(state, content);
    for (const namespace of [...state.namespaces()]) {
      const declared = kept.get(namespace.id);
      for (const service of state.servicesOf(namespace.id)) {
        const wanted = declared?.services.find(({ name }) => name === service.name);
        removeExtras(draft, service, isFilesOwn(service) ? wanted : undefined, context);
      }
      if (declared === undefined) draft.add(removeNamespace(state, namespace.id));
    }
    for (const id of kept.keys()) draft.add(ownHttpName(state, state.namespace(id) as Namespace));
    putFile(draft, content, context);
    for (const service of [...state.services()]) {
      for (const instance of state.instancesOf(service.id).now()) draft.add(beginAnew(service, instance, context));
    }
    return draft.changes;
  } finally {
    draft.rollBack();
  }
}

/**
 * Declared namespaces that may stay, by id. Of several with one name the oldest is in DNS: where one that is declared
 * before another has to be made anew, so has the other.
 */
function keptNamespaces(state: State, { namespaces }: DeclaredContent): Map<string, DeclaredNamespace> {
  const kept = new Map<string, DeclaredNamespace>();
  const newNames = new Set<string>();
  for (const declared of namespaces) {
    const found = [...state.namespaces()].find((namespace) => isSameNamespace(namespace, declared));
    const name = declared.name.toLowerCase();
    if (found !== undefined && isFilesOwn(found) && !newNames.has(name)) kept.set(found.id, declared);
    else newNames.add(name);
  }
  return kept;
}

/** A file's own under a declared name, unless the API has made it anew there. */
function isFilesOwn(thing: Namespace | Service | Instance): boolean {
  const isRemade = 'requestDigest' in thing ? thing.requestDigest !== null : thing.operationId !== null;
  return thing.manager === 'file' && !isRemade;
}

/** @param declared what is to be there; undefined: nothing, not even the service */
function removeExtras(draft: Draft, service: Service, declared: DeclaredService | undefined, { now }: Context): void {
  const { state } = draft;
  const ids = declared?.instances.map(({ id }) => id) ?? [];
  const wanted = new Set(ids);
  const isExtra = (instance: Instance): boolean => !wanted.has(instance.id) || !isFilesOwn(instance);
  const instances = state.instancesOf(service.id).now();
  const kept = instances.filter((instance) => !isExtra(instance)).map(({ id }) => id);
  // Answers are drawn by place: what comes back behind those that stayed would make a seed draw others.
  const areInOrder = kept.every((id, place) => id === ids[place]);
  for (const instance of instances) {
    if (!areInOrder || isExtra(instance)) draft.add(removeInstance(state, service.id, instance.id, now));
  }
  if (declared === undefined) draft.add(removeService(state, service.id));
}

/** Whoever had its name in discovery may have gone. */
function ownHttpName(state: State, namespace: Namespace): Change[] {
  const { id, name, httpName } = namespace;
  if (httpName === name || state.namespaceByHttpName(name) !== undefined) return [];
  return [{ kind: 'namespace', id, value: { ...namespace, httpName: name } }];
}

/** No verdict has been given, and none is waiting. */
function beginAnew(service: Service, instance: Instance, { options }: Context): Change[] {
  const health = firstHealth(service, instance.attributes, options.newInstanceStatus);
  const isProbed = service.healthCheck !== null;
  if (!isProbed && isUnjudged(instance.health, health)) return [];
  // By the attributes the prober knows what it probes: others, though equal ones, make it begin anew too.
  const attributes = isProbed ? { ...instance.attributes } : instance.attributes;
  const { serviceId, id } = instance;
  return [{ kind: 'instance', serviceId, id, value: { ...instance, attributes, health } }];
}

function isUnjudged(is: InstanceHealth, first: InstanceHealth): boolean {
  const { status, lastHealthyAt, pending, transitions } = is;
  return status === first.status && lastHealthyAt === null && pending === null && transitions === undefined;
}
