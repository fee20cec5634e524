/** Instances: registered, replaced, deregistered, found (Cloud Map: RegisterInstance, DeregisterInstance). */
import { type Attributes, checkAttributes, type Ec2Answer } from './attributes.ts';
import { type Context, type Decision, nextRevision } from './decision.ts';
import { managerOf } from './declared-keys.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { firstHealth, replacedHealth } from './health-status.ts';
import { INSTANCE_ID } from './limits.ts';
import type { Change, Instance, Manager, Namespace, Service } from './model.ts';
import { requireNotBeingDeleted } from './namespaces.ts';
import { acceptOperation, forgetRequest, markRequest, recallRequest, requireNonePending } from './operations.ts';
import { requireFreeOwner } from './owner-holders.ts';
import { absoluteName, domainNameProblem, instanceOwner } from './owner-names.ts';
import { hasRecord } from './record-types.ts';
import { requireService } from './services.ts';
import type { State } from './state.ts';

export interface RegisterInstance {
  /** Id or ARN. */
  readonly serviceId: string;
  readonly instanceId: string;
  readonly attributes: Attributes;
  /** What EC2 says of the instance that the attributes name; null: it was not asked. */
  readonly ec2: Ec2Answer | null;
  readonly creatorRequestId: string | null;
}

/** @throws ServiceError InstanceNotFound */
export function requireInstance(state: State, serviceId: string, instanceId: string): Instance {
  const instance = state.instance(serviceId, instanceId);
  if (instance === undefined) {
    throw new ServiceError(
      'InstanceNotFound',
      `No instance "${instanceId}" is registered in the service ${serviceId}.`,
    );
  }
  return instance;
}

/** @throws ServiceError InvalidInput */
export function checkInstanceId(instanceId: string): void {
  if (INSTANCE_ID.test(instanceId)) return;
  throw invalidInput(`"${instanceId}" is no instance id: 1 to 64 letters, digits and _ / : . @ - are.`);
}

/**
 * The rules of RegisterInstance: attributes, and the name that the instance takes in DNS.
 * @returns the attributes as they will be kept
 * @throws ServiceError InvalidInput
 */
export function checkInstance(
  state: State,
  namespace: Namespace,
  service: Service,
  instanceId: string,
  attributes: Attributes,
  ec2: Ec2Answer | null,
  context: Context,
): Attributes {
  checkInstanceId(instanceId);
  const checked = checkAttributes(namespace, service, attributes, context.options, ec2);
  checkInstanceName(state, namespace, service, instanceId);
  return checked;
}

/** The name that an instance takes in DNS. @throws ServiceError InvalidInput */
export function checkInstanceName(state: State, namespace: Namespace, service: Service, instanceId: string): void {
  if (service.dns !== null && hasRecord(service.dns.records, 'SRV')) {
    const name = absoluteName(instanceOwner(service.name, instanceId), namespace);
    const problem = domainNameProblem(name);
    if (problem !== null) throw invalidInput(`The SRV target "${name}" ${problem}.`);
  }
  requireFreeOwner(state, service, instanceId, false);
}

export function registerInstance(
  state: State,
  command: RegisterInstance,
  context: Context,
): Decision<{ operationId: string }> {
  const service = requireService(state, context, command.serviceId);
  const namespace = state.namespace(service.namespaceId) as Namespace;
  const { instanceId } = command;
  checkInstanceId(instanceId);
  const request = markRequest(`register-instance/${service.id}`, command.creatorRequestId, {
    instanceId,
    attributes: command.attributes,
  });
  const repeated = recallRequest(state, request);
  // Before the rules, which may have changed since: what was accepted once is answered as it was then. It stands while
  // a deregistration is pending, too: until that has happened the request is remembered.
  if (repeated !== undefined) return { changes: [], result: { operationId: repeated.id } };
  const attributes = checkInstance(state, namespace, service, instanceId, command.attributes, command.ec2, context);

  requireNotBeingDeleted(state, namespace.id);
  requireNonePending(state, `instance/${service.id}/${instanceId}`);
  requireFreeOwner(state, service, instanceId, true);
  // Our choice: to replace an instance takes nothing of the quotas.
  if (state.instance(service.id, instanceId) === undefined) requireInstanceQuotas(state, service, context);

  const targets = { INSTANCE: instanceId, SERVICE: service.id };
  const build = (operationId: string): Instance =>
    buildInstance(service, instanceId, attributes, context, {
      creatorRequestId: command.creatorRequestId,
      operationId,
      manager: managerOf(context.options.declared, namespace, service.name, instanceId),
    });
  return acceptOperation(
    state,
    context,
    {
      type: 'REGISTER_INSTANCE',
      targets,
      request,
      work: (operationId) => ({ kind: 'register-instance' as const, instance: build(operationId) }),
    },
    (work) => putInstance(state, work.instance, context.now),
  );
}

/** An instance as it is first registered; `putInstance` joins it with the one it replaces. */
export function buildInstance(
  service: Service,
  id: string,
  attributes: Attributes,
  context: Context,
  origin: { creatorRequestId: string | null; operationId: string | null; manager: Manager },
): Instance {
  return {
    serviceId: service.id,
    id,
    attributes,
    health: firstHealth(service, attributes, context.options.newInstanceStatus),
    registeredAt: context.now,
    ...origin,
  };
}

function requireInstanceQuotas(state: State, service: Service, { options }: Context): void {
  const { instancesPerNamespace, instancesPerService } = options.quotas;
  let ofService = state.countedInstances(service.id);
  let ofNamespace = state.countedInstances(service.namespaceId);
  // Who is being registered is looked at only where it could matter.
  const isNear = (count: number, quota: number): boolean => quota > 0 && count + state.pendingCount >= quota;
  if (!isNear(ofService, instancesPerService) && !isNear(ofNamespace, instancesPerNamespace)) return;
  for (const { work } of state.pendingOperations()) {
    if (work?.kind !== 'register-instance') continue;
    const other = work.instance;
    if (state.instance(other.serviceId, other.id) !== undefined) continue;
    if (other.serviceId === service.id) ofService++;
    if (state.service(other.serviceId)?.namespaceId === service.namespaceId) ofNamespace++;
  }
  if (instancesPerService > 0 && ofService >= instancesPerService) {
    throw new ServiceError(
      'ResourceLimitExceeded',
      `The service ${service.id} has ${ofService} instances; the quota is ${instancesPerService}.`,
    );
  }
  if (instancesPerNamespace > 0 && ofNamespace >= instancesPerNamespace) {
    throw new ServiceError(
      'ResourceLimitExceeded',
      `The namespace ${service.namespaceId} has ${ofNamespace} instances; the quota is ${instancesPerNamespace}.`,
    );
  }
}

/**
 * The instance is registered; one that was there under its id is replaced whole, but for when it was last healthy and
 * who manages it: a file's instance stays the file's, which sets it back at its next reconcile.
 */
export function putInstance(state: State, instance: Instance, now: number): Change[] {
  const { serviceId, id } = instance;
  const previous = state.instance(serviceId, id);
  const joined: Instance =
    previous === undefined
      ? instance
      : { ...instance, health: replacedHealth(previous.health, instance.health, now), manager: previous.manager };
  return [
    { kind: 'instance', serviceId, id, value: joined },
    // AWS counts registrations; that a new one of the same id counts too is ours.
    { kind: 'revision', id: serviceId, value: nextRevision(state, now) },
    ...(previous === undefined ? [] : forgetRequest(state, previous.operationId)),
  ];
}

export function deregisterInstance(
  state: State,
  command: { serviceId: string; instanceId: string },
  context: Context,
): Decision<{ operationId: string }> {
  const service = requireService(state, context, command.serviceId);
  const { instanceId } = command;
  requireNonePending(state, `instance/${service.id}/${instanceId}`);
  requireInstance(state, service.id, instanceId);
  return acceptOperation(
    state,
    context,
    {
      type: 'DEREGISTER_INSTANCE',
      // AWS adds an undocumented ROUTE_53_CHANGE_ID; there is no Route 53 here.
      targets: { INSTANCE: instanceId, SERVICE: service.id },
      request: null,
      work: () => ({ kind: 'deregister-instance' as const, serviceId: service.id, instanceId }),
    },
    () => removeInstance(state, service.id, instanceId, context.now),
  );
}

export function removeInstance(state: State, serviceId: string, id: string, now: number): Change[] {
  const previous = state.instance(serviceId, id);
  if (previous === undefined) return [];
  return [
    { kind: 'instance', serviceId, id, value: null },
    { kind: 'revision', id: serviceId, value: nextRevision(state, now) },
    ...forgetRequest(state, previous.operationId),
  ];
}
