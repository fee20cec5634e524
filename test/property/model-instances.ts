/** The rules of instances and of their health. */
import type { Attributes, HealthInput, Outcome, RegisterInput } from './calls.ts';
import { isOperation } from './calls.ts';
import type { Instance, Model, Service, Status } from './model.ts';
import {
  hasType,
  ownerOf,
  putService,
  refused,
  remember,
  repeated,
  servicesOf,
  targetOf,
  targetsIn,
  withNewOperation,
  without,
} from './model.ts';

function isComplete(service: Service, attributes: Attributes): boolean {
  const has = (key: string) => attributes[key] !== undefined;
  if (has('AWS_INIT_HEALTH_STATUS') && !service.isChecked) return false;
  if (hasType(service, 'A') && !has('AWS_INSTANCE_IPV4')) return false;
  if (hasType(service, 'AAAA') && !has('AWS_INSTANCE_IPV6')) return false;
  if (hasType(service, 'CNAME') && !has('AWS_INSTANCE_CNAME')) return false;
  const hasAddress = has('AWS_INSTANCE_IPV4') || has('AWS_INSTANCE_IPV6');
  return !hasType(service, 'SRV') || (has('AWS_INSTANCE_PORT') && hasAddress);
}

/** Two things may not share an owner name. */
function isTargetTaken(model: Model, service: Service, instanceId: string): boolean {
  if (!hasType(service, 'SRV')) return false;
  const target = targetOf(service, instanceId);
  const owners = servicesOf(model, service.namespaceId)
    .filter(({ dns }) => dns !== null)
    .map(ownerOf);
  const targets = targetsIn(model, service.namespaceId, `${service.id}/${instanceId}`);
  return [...owners, ...targets].includes(target);
}

export function register(model: Model, input: RegisterInput, outcome: Outcome): Model[] {
  const { InstanceId: id, Attributes: attributes, CreatorRequestId: requestId } = input;
  const service = model.services[input.ServiceId];
  if (service === undefined) return refused(model, outcome, 'ServiceNotFound');
  if (!isComplete(service, attributes) || isTargetTaken(model, service, id))
    return refused(model, outcome, 'InvalidInput');
  const parameters = [id, attributes];
  const earlier = Object.values(service.instances).find(
    ({ creation }) => creation !== null && creation.id === requestId,
  )?.creation;
  if (earlier != null) {
    return earlier.parameters === JSON.stringify(parameters)
      ? repeated(model, outcome, earlier)
      : refused(model, outcome, 'InvalidInput');
  }

  const { operation } = outcome;
  if (operation === null || !isOperation(outcome, 'REGISTER_INSTANCE', { INSTANCE: id, SERVICE: service.id }))
    return [];
  const status: Status = attributes.AWS_INIT_HEALTH_STATUS === 'UNHEALTHY' ? 'UNHEALTHY' : 'HEALTHY';
  const previous = service.instances[id] ?? { status, lastHealthy: 0 };
  const creation = remember(requestId, parameters, operation.Id);
  return withNewOperation(revise(model, service.id), outcome, operation.Id).flatMap((next) =>
    withStatus(next, service, id, { ...previous, attributes, creation }, status),
  );
}

export function deregister(
  model: Model,
  input: Pick<RegisterInput, 'ServiceId' | 'InstanceId'>,
  outcome: Outcome,
): Model[] {
  const service = model.services[input.ServiceId];
  if (service === undefined) return refused(model, outcome, 'ServiceNotFound');
  const { InstanceId: id } = input;
  if (service.instances[id] === undefined) return refused(model, outcome, 'InstanceNotFound');
  const { operation } = outcome;
  if (operation === null || !isOperation(outcome, 'DEREGISTER_INSTANCE', { INSTANCE: id, SERVICE: service.id }))
    return [];
  const left = putService(model, { ...service, instances: without(service.instances, [id]) });
  return withNewOperation(revise(left, service.id), outcome, operation.Id);
}

export function setHealth(model: Model, input: HealthInput, outcome: Outcome): Model[] {
  const service = model.services[input.ServiceId];
  if (service === undefined) return refused(model, outcome, 'ServiceNotFound');
  const instance = service.instances[input.InstanceId];
  // Where both are missing, either may be said.
  const missing = [
    ...(instance === undefined ? ['InstanceNotFound'] : []),
    ...(service.isChecked ? [] : ['CustomHealthNotFound']),
  ];
  if (instance === undefined || missing.length > 0) return refused(model, outcome, ...missing);
  return outcome.error === null ? withStatus(model, service, input.InstanceId, instance, input.Status) : [];
}

/**
 * The status takes effect. Going from HEALTHY to UNHEALTHY is what makes an instance the last healthy one, together
 * with others that went within the same millisecond, of which the outcome says nothing.
 */
function withStatus(model: Model, service: Service, id: string, instance: Instance, status: Status): Model[] {
  const put = (lastHealthy: number): Model =>
    putService(model, {
      ...service,
      instances: { ...service.instances, [id]: { ...instance, status, lastHealthy } },
    });
  if (instance.status !== 'HEALTHY' || status !== 'UNHEALTHY') return [put(instance.lastHealthy)];
  const inStep = model.step.unhealthyAt[service.id];
  const latest = Math.max(0, ...Object.values(service.instances).map(({ lastHealthy }) => lastHealthy));
  // Steps are more than a millisecond apart.
  const moments = inStep === undefined ? [latest + 1] : [inStep, inStep + 1];
  return moments.map((moment) => {
    const unhealthyAt = { ...model.step.unhealthyAt, [service.id]: moment };
    return { ...put(moment), step: { ...model.step, unhealthyAt } };
  });
}

function revise(model: Model, serviceId: string): Model {
  const revised = [...new Set([...model.step.revised, serviceId])].sort();
  return { ...model, step: { ...model.step, revised } };
}
