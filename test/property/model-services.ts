/** The rules of services. */
import type { CreateServiceInput, Outcome, RecordType, UpdateServiceInput } from './calls.ts';
import { isOperation } from './calls.ts';
import type { Model, Namespace, Service, Texts } from './model.ts';
import { ownerOf, putService, refused, remember, servicesOf, targetsIn, withNewOperation, without } from './model.ts';

const RECORD_SETS = ['A', 'AAAA', 'A AAAA', 'SRV', 'CNAME'];

/** What the request asks for, defaults written out; null: something that no service can be. */
function specOf(namespace: Namespace, input: CreateServiceInput): Pick<Service, 'type' | 'dns' | 'isChecked'> | null {
  const isChecked = input.HealthCheckCustomConfig !== undefined;
  if (isChecked && input.HealthCheckConfig !== undefined) return null;
  const { DnsConfig: config } = input;
  if (config === undefined) return { type: 'HTTP', dns: null, isChecked };
  if (namespace.type === 'HTTP' || input.Type === 'HTTP') return null;
  const types = config.DnsRecords.map(({ Type }) => Type);
  if (!RECORD_SETS.includes([...types].sort().join(' '))) return null;
  const isCname = types.includes('CNAME');
  const policy = config.RoutingPolicy ?? (isCname ? 'WEIGHTED' : 'MULTIVALUE');
  if (isCname && (policy !== 'WEIGHTED' || input.Name === '.')) return null;
  const records = config.DnsRecords.map(({ Type, TTL }) => ({ type: Type, ttl: TTL }));
  return { type: 'DNS_HTTP', dns: { policy: policy === 'WEIGHTED' ? 'WEIGHTED' : 'MULTIVALUE', records }, isChecked };
}

export function create(model: Model, input: CreateServiceInput, outcome: Outcome): Model[] {
  const namespace = model.namespaces[input.NamespaceId];
  if (namespace === undefined) return refused(model, outcome, 'NamespaceNotFound');
  const spec = specOf(namespace, input);
  if (spec === null) return refused(model, outcome, 'InvalidInput');
  const { Name: name, Description: description = '', CreatorRequestId: requestId } = input;
  const parameters = [name, description, spec];
  const others = servicesOf(model, namespace.id);

  const earlier = others.find(({ creation }) => creation !== null && creation.id === requestId);
  if (earlier !== undefined) {
    if (earlier.creation?.parameters !== JSON.stringify(parameters)) return refused(model, outcome, 'InvalidInput');
    return outcome.error === null && outcome.body.Service?.Id === earlier.id ? [model] : [];
  }

  const same =
    others.find((other) => other.name === name) ??
    others.find((other) => spec.dns !== null && other.dns !== null && ownerOf(other) === ownerOf({ name }));
  if (spec.dns !== null && targetsIn(model, namespace.id).includes(ownerOf({ name }))) {
    // A name that is taken twice over: either may be said.
    return refused(model, outcome, 'InvalidInput', ...(same === undefined ? [] : ['ServiceAlreadyExists']));
  }
  if (same !== undefined) {
    const { ServiceId, CreatorRequestId } = outcome.body;
    const namesIt = ServiceId === same.id && CreatorRequestId === same.creation?.id;
    return namesIt ? refused(model, outcome, 'ServiceAlreadyExists') : [];
  }

  const id = outcome.body.Service?.Id;
  if (outcome.error !== null || id === undefined || model.services[id] !== undefined) return [];
  const creation = remember(requestId, parameters, null);
  const about = { id, namespaceId: namespace.id, name, description, creation, tags: {}, attributes: {} };
  return [putService(model, { ...about, ...spec, instances: {} })];
}

/** What is left out is deleted, but for the description; record types can only become fewer. */
export function update(model: Model, input: UpdateServiceInput, outcome: Outcome): Model[] {
  const service = model.services[input.Id];
  if (service === undefined) return refused(model, outcome, 'ServiceNotFound');
  const { Description: description = service.description, DnsConfig: config } = input.Service;
  const records = (config?.DnsRecords ?? []).map(({ Type, TTL }) => ({ type: Type, ttl: TTL }));
  const types = records.map(({ type }) => type);
  const had: readonly RecordType[] = service.dns?.records.map(({ type }) => type) ?? [];
  const isFewer = types.every((type) => had.includes(type)) && new Set(types).size === types.length;
  const isApiOnly = model.namespaces[service.namespaceId]?.type === 'HTTP';
  if (isApiOnly || !isFewer) return refused(model, outcome, 'InvalidInput');

  const { operation } = outcome;
  if (operation === null || !isOperation(outcome, 'UPDATE_SERVICE', { SERVICE: service.id })) return [];
  const dns = service.dns === null || records.length === 0 ? null : { ...service.dns, records };
  return withNewOperation(putService(model, { ...service, description, dns }), outcome, operation.Id);
}

export function remove(model: Model, id: string, outcome: Outcome): Model[] {
  const service = model.services[id];
  if (service === undefined) return refused(model, outcome, 'ServiceNotFound');
  if (Object.keys(service.instances).length > 0) return refused(model, outcome, 'ResourceInUse');
  return outcome.error === null ? [{ ...model, services: without(model.services, [id]) }] : [];
}

export function setAttributes(
  model: Model,
  id: string,
  outcome: Outcome,
  change: (attributes: Texts) => Texts,
): Model[] {
  const service = model.services[id];
  if (service === undefined) return refused(model, outcome, 'ServiceNotFound');
  return outcome.error === null ? [putService(model, { ...service, attributes: change(service.attributes) })] : [];
}
