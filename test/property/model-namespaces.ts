/** The rules of namespaces. */
import type {
  CreateNamespaceAction,
  CreateNamespaceInput,
  Outcome,
  UpdateNamespaceAction,
  UpdateNamespaceInput,
} from './calls.ts';
import { isOperation } from './calls.ts';
import type { Model, Namespace, NamespaceType, Remembered } from './model.ts';
import { putNamespace, refused, remember, repeated, servicesOf, withNewOperation, without } from './model.ts';

const TYPES: Record<CreateNamespaceAction | UpdateNamespaceAction, NamespaceType> = {
  CreateHttpNamespace: 'HTTP',
  CreatePrivateDnsNamespace: 'DNS_PRIVATE',
  CreatePublicDnsNamespace: 'DNS_PUBLIC',
  UpdateHttpNamespace: 'HTTP',
  UpdatePrivateDnsNamespace: 'DNS_PRIVATE',
  UpdatePublicDnsNamespace: 'DNS_PUBLIC',
};

export function create(
  model: Model,
  action: CreateNamespaceAction,
  input: CreateNamespaceInput,
  outcome: Outcome,
): Model[] {
  const { CreatorRequestId: requestId, ...parameters } = input;
  const type = TYPES[action];
  const { Name: name, Vpc: vpc = null } = input;
  const all = Object.values(model.namespaces);

  const earlier = all.find((other) => other.type === type && other.creation?.id === requestId)?.creation ?? null;
  if (requestId !== undefined && earlier !== null) return repeatedOrRefused(model, outcome, earlier, parameters);

  const same = all.find((other) => other.type === type && other.vpc === vpc && isSameName(type, other.name, name));
  if (same !== undefined) {
    const { NamespaceId, CreatorRequestId } = outcome.body;
    const namesIt = NamespaceId === same.id && CreatorRequestId === same.creation?.id;
    return namesIt ? refused(model, outcome, 'NamespaceAlreadyExists') : [];
  }

  const { operation, namespace: made } = outcome;
  if (operation === null || made === null || model.namespaces[made.Id] !== undefined) return [];
  if (!isOperation(outcome, 'CREATE_NAMESPACE', { NAMESPACE: made.Id })) return [];
  const isTaken = (httpName: string) => all.some((other) => other.httpName === httpName);
  const isRightHttpName = isTaken(name)
    ? made.HttpName.startsWith(`${name}-`) && !isTaken(made.HttpName)
    : made.HttpName === name;
  if (!isRightHttpName) return [];
  const namespace: Namespace = {
    id: made.Id,
    name,
    type,
    vpc,
    httpName: made.HttpName,
    description: input.Description ?? '',
    soaTtl: input.Properties?.DnsProperties.SOA.TTL ?? null,
    tags: {},
    createdAt: made.CreateDate,
    creation: remember(requestId, parameters, operation.Id),
    updates: [],
  };
  return withNewOperation(putNamespace(model, namespace), outcome, operation.Id).flatMap((next) =>
    placeInZone(next, namespace),
  );
}

/** Names in DNS are compared without case, those of API-only namespaces exactly. */
function isSameName(type: NamespaceType, a: string, b: string): boolean {
  return type === 'HTTP' ? a === b : a.toLowerCase() === b.toLowerCase();
}

/** The oldest owns the zone; of those made within one millisecond any may. */
function placeInZone(model: Model, namespace: Namespace): Model[] {
  if (namespace.type === 'HTTP') return [model];
  const zone = namespace.name.toLowerCase();
  const older = model.zones[zone] ?? [];
  const models: Model[] = [];
  for (let place = older.length; place >= 0; place--) {
    models.push({ ...model, zones: { ...model.zones, [zone]: older.toSpliced(place, 0, namespace.id) } });
    const before = model.namespaces[older[place - 1] ?? ''];
    if (before?.createdAt !== namespace.createdAt) break;
  }
  return models;
}

function repeatedOrRefused(model: Model, outcome: Outcome, earlier: Remembered, parameters: object): Model[] {
  return earlier.parameters === JSON.stringify(parameters)
    ? repeated(model, outcome, earlier)
    : refused(model, outcome, 'InvalidInput');
}

export function update(
  model: Model,
  action: UpdateNamespaceAction,
  input: UpdateNamespaceInput,
  outcome: Outcome,
): Model[] {
  const namespace = model.namespaces[input.Id];
  if (namespace === undefined) return refused(model, outcome, 'NamespaceNotFound');
  if (namespace.type !== TYPES[action]) return refused(model, outcome, 'InvalidInput');
  const requestId = input.UpdaterRequestId;
  const earlier = namespace.updates.find(({ id }) => id === requestId);
  if (earlier !== undefined) return repeatedOrRefused(model, outcome, earlier, input.Namespace);

  const { operation } = outcome;
  if (operation === null || !isOperation(outcome, 'UPDATE_NAMESPACE', { NAMESPACE: namespace.id })) return [];
  const { Description, Properties } = input.Namespace;
  const remembered = remember(requestId, input.Namespace, operation.Id);
  const changed: Namespace = {
    ...namespace,
    description: Description ?? namespace.description,
    soaTtl: Properties?.DnsProperties.SOA.TTL ?? namespace.soaTtl,
    updates: remembered === null ? namespace.updates : [...namespace.updates, remembered],
  };
  return withNewOperation(putNamespace(model, changed), outcome, operation.Id);
}

export function remove(model: Model, id: string, outcome: Outcome): Model[] {
  const namespace = model.namespaces[id];
  if (namespace === undefined) return refused(model, outcome, 'NamespaceNotFound');
  if (servicesOf(model, id).length > 0) return refused(model, outcome, 'ResourceInUse');
  const { operation } = outcome;
  if (operation === null || !isOperation(outcome, 'DELETE_NAMESPACE', { NAMESPACE: id })) return [];
  const zone = namespace.name.toLowerCase();
  const left = (model.zones[zone] ?? []).filter((other) => other !== id);
  const zones = left.length > 0 ? { ...model.zones, [zone]: left } : without(model.zones, [zone]);
  return withNewOperation({ ...model, namespaces: without(model.namespaces, [id]), zones }, outcome, operation.Id);
}
