/** Namespaces: created, deleted, found (Cloud Map: Create...Namespace, DeleteNamespace). */
import type { Context, Decision } from './decision.ts';
import { managerOf } from './declared-keys.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { arnOf, hostedZoneId, idFrom, namespaceId, randomText } from './ids.ts';
import { HTTP_NAMESPACE_NAME, PRIVATE_NAMESPACE_NAME, PUBLIC_NAMESPACE_NAME } from './limits.ts';
import type { Change, Namespace, NamespaceType, NamespaceUpdate } from './model.ts';
import { acceptOperation, forgetRequest, markRequest, recallRequest, requireNonePending } from './operations.ts';
import { domainNameProblem } from './owner-names.ts';
import type { State } from './state.ts';
import { readTags, requireTagQuota } from './tags.ts';
import { namespaceNameTarget } from './targets.ts';

export interface CreateNamespace {
  readonly type: NamespaceType;
  readonly name: string;
  readonly description: string | null;
  readonly vpc: string | null;
  readonly soaTtlSeconds: number | null;
  readonly tags: readonly { key: string; value: string }[];
  readonly creatorRequestId: string | null;
}

/** @throws ServiceError NamespaceNotFound */
export function requireNamespace(state: State, context: Pick<Context, 'options'>, idOrArn: string): Namespace {
  const namespace = state.namespace(idFrom(context.options, 'namespace', idOrArn));
  if (namespace === undefined) {
    throw new ServiceError('NamespaceNotFound', `No namespace has the id "${idOrArn}".`);
  }
  return namespace;
}

export const NAMESPACE_NAMES: Readonly<Record<NamespaceType, RegExp>> = {
  HTTP: HTTP_NAMESPACE_NAME,
  DNS_PRIVATE: PRIVATE_NAMESPACE_NAME,
  DNS_PUBLIC: PUBLIC_NAMESPACE_NAME,
};

/** @throws ServiceError InvalidInput where a namespace of the type cannot be called so */
export function checkNamespaceName(type: NamespaceType, name: string): void {
  if (!NAMESPACE_NAMES[type].test(name)) throw invalidInput(`"${name}" is no name for a namespace of type ${type}.`);
  // AWS's pattern takes more for private namespaces; what no zone can be called is refused here at once.
  const problem = type === 'HTTP' ? null : domainNameProblem(name);
  if (problem !== null) throw invalidInput(`"${name}" cannot be served as a domain name: it ${problem}.`);
}

/** The namespace that makes another of this name, type and VPC impossible. AWS names no such rule; this one is ours. */
export function findSameNamespace(
  state: State,
  wanted: Pick<Namespace, 'type' | 'name' | 'vpc'>,
): Namespace | undefined {
  const target = namespaceNameTarget(wanted);
  const candidates = wanted.type === 'HTTP' ? state.namespaces() : state.zoneNamespaces(wanted.name);
  for (const namespace of candidates) if (namespaceNameTarget(namespace) === target) return namespace;
  return undefined;
}

export function createNamespace(
  state: State,
  command: CreateNamespace,
  context: Context,
): Decision<{ operationId: string }> {
  checkNamespaceName(command.type, command.name);
  const tags = readTags(command.tags);
  const { creatorRequestId, ...parameters } = command;
  const request = markRequest(`create-namespace/${command.type}`, creatorRequestId, { ...parameters, tags });
  const repeated = recallRequest(state, request);
  if (repeated !== undefined) return { changes: [], result: { operationId: repeated.id } };

  const existing = findSameNamespace(state, command);
  if (existing !== undefined) {
    throw new ServiceError(
      'NamespaceAlreadyExists',
      `The namespace ${command.name} (${command.type}) exists already.`,
      {
        NamespaceId: existing.id,
        ...(existing.creatorRequestId === null ? {} : { CreatorRequestId: existing.creatorRequestId }),
      },
    );
  }
  requireNonePending(state, namespaceNameTarget(command));
  requireNamespaceQuota(state, context);
  const id = namespaceId(context.random);
  requireTagQuota(tags, arnOf(context.options, 'namespace', id), context);

  const namespace: Namespace = {
    id,
    name: command.name,
    httpName: command.name,
    type: command.type,
    description: command.description,
    vpc: command.vpc,
    hostedZoneId: command.type === 'HTTP' ? null : hostedZoneId(context.random),
    soaTtlSeconds: command.soaTtlSeconds,
    tags,
    creatorRequestId,
    operationId: null,
    createdAt: nextCreation(state, command.name, context.now),
    manager: managerOf(context.options.declared, command),
  };
  return acceptOperation(
    state,
    context,
    {
      type: 'CREATE_NAMESPACE',
      targets: { NAMESPACE: namespace.id },
      request,
      work: (operationId) => ({ kind: 'create-namespace' as const, namespace: { ...namespace, operationId } }),
    },
    (work) => putNewNamespace(state, work.namespace, context),
  );
}

/** Later than that of every namespace of the name, whatever the clock says: the oldest owns the zone, and keeps it. */
export function nextCreation(state: State, name: string, now: number): number {
  return state.zoneNamespaces(name).reduce((latest, { createdAt }) => Math.max(latest, createdAt + 1), now);
}

function requireNamespaceQuota(state: State, { options }: Context): void {
  const { namespaces: quota } = options.quotas;
  if (quota === 0) return;
  let count = state.countedNamespaces;
  for (const operation of state.pendingOperations()) if (operation.work?.kind === 'create-namespace') count++;
  if (count >= quota) {
    throw new ServiceError('ResourceLimitExceeded', `There are ${count} namespaces; the quota is ${quota}.`);
  }
}

/**
 * A namespace comes into being. Its HttpName is its name, or that with a suffix where another has it (cloud map:
 * HttpProperties); AWS calls the suffix a hash, its form is ours.
 */
export function putNewNamespace(state: State, namespace: Namespace, context: Context): Change[] {
  let { httpName } = namespace;
  while (state.namespaceByHttpName(httpName) !== undefined) {
    httpName = `${namespace.name}-${randomText(context.random, 8)}`;
  }
  return [{ kind: 'namespace', id: namespace.id, value: { ...namespace, httpName } }];
}

export interface UpdateNamespace extends NamespaceUpdate {
  /** Id or ARN. */
  readonly id: string;
  /** The kind of namespace that the action is for. */
  readonly type: NamespaceType;
  readonly updaterRequestId: string | null;
}

/** The three Update...Namespace; only description and SOA TTL can change. */
export function updateNamespace(
  state: State,
  command: UpdateNamespace,
  context: Context,
): Decision<{ operationId: string }> {
  const namespace = requireNamespace(state, context, command.id);
  // AWS does not say what the action for another kind does; ours refuses.
  if (namespace.type !== command.type) {
    throw invalidInput(`The namespace ${namespace.id} is of type ${namespace.type}, not ${command.type}.`);
  }
  const update: NamespaceUpdate = { description: command.description, soaTtlSeconds: command.soaTtlSeconds };
  const request = markRequest(`update-namespace/${namespace.id}`, command.updaterRequestId, update);
  const repeated = recallRequest(state, request);
  if (repeated !== undefined) return { changes: [], result: { operationId: repeated.id } };
  requireNonePending(state, `namespace/${namespace.id}`);
  return acceptOperation(
    state,
    context,
    {
      type: 'UPDATE_NAMESPACE',
      targets: { NAMESPACE: namespace.id },
      request,
      work: () => ({ kind: 'update-namespace' as const, id: namespace.id, update }),
    },
    () => changeNamespace(state, namespace.id, update),
  );
}

/** @throws ServiceError NamespaceNotFound where it has gone meanwhile */
export function changeNamespace(state: State, id: string, update: NamespaceUpdate): Change[] {
  const namespace = state.namespace(id);
  if (namespace === undefined) throw new ServiceError('NamespaceNotFound', `The namespace ${id} has gone meanwhile.`);
  const value: Namespace = {
    ...namespace,
    // Undocumented; ours: what is left out stays, an empty description clears it.
    description: update.description === null ? namespace.description : update.description || null,
    soaTtlSeconds: update.soaTtlSeconds ?? namespace.soaTtlSeconds,
  };
  return [{ kind: 'namespace', id, value }];
}

export function deleteNamespace(
  state: State,
  command: { id: string },
  context: Context,
): Decision<{ operationId: string }> {
  const namespace = requireNamespace(state, context, command.id);
  requireNonePending(state, `namespace/${namespace.id}`);
  // At once, not in the operation: AWS does not say when.
  requireNoServices(state, namespace.id);
  return acceptOperation(
    state,
    context,
    {
      type: 'DELETE_NAMESPACE',
      targets: { NAMESPACE: namespace.id },
      request: null,
      work: () => ({ kind: 'delete-namespace' as const, id: namespace.id }),
    },
    () => removeNamespace(state, namespace.id),
  );
}

/** @throws ServiceError ResourceInUse */
export function requireNoServices(state: State, id: string): void {
  const services = state.serviceCount(id);
  if (services === 0) return;
  throw new ServiceError('ResourceInUse', `The namespace ${id} contains ${services} service(s); delete them first.`);
}

export function removeNamespace(state: State, id: string): Change[] {
  const namespace = state.namespace(id);
  if (namespace === undefined) return [];
  return [{ kind: 'namespace', id, value: null }, ...forgetRequest(state, namespace.operationId)];
}

/** @throws ServiceError ResourceInUse while the namespace is being deleted */
export function requireNotBeingDeleted(state: State, namespaceId: string): void {
  const pending = state.pendingOperationOn(`namespace/${namespaceId}`);
  if (pending?.work?.kind !== 'delete-namespace') return;
  throw new ServiceError('ResourceInUse', `The namespace ${namespaceId} is being deleted (operation ${pending.id}).`);
}
