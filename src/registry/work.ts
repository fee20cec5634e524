/** Pending operations whose time has come are carried out (Cloud Map: GetOperation, Status). */
import { givenAttributes } from './attributes.ts';
import { type Context, type Decision, isDue } from './decision.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { firstHealth } from './health-status.ts';
import { checkInstance, putInstance, removeInstance } from './instances.ts';
import type { Change, Instance, Namespace, Operation, Work } from './model.ts';
import {
  changeNamespace,
  checkNamespaceName,
  findSameNamespace,
  putNewNamespace,
  removeNamespace,
  requireNoServices,
} from './namespaces.ts';
import { changeService, requireService } from './services.ts';
import type { State } from './state.ts';

/** Ends one operation that is due; it has ended already where another replica was faster. */
export function endOperation(state: State, id: string, context: Context): Decision<null> {
  const operation = state.operation(id);
  if (operation?.work == null || !isDue(operation.dueAt, context.now, context.options.operationDelayMs))
    return { changes: [], result: null };
  const ended: Operation = { ...operation, status: 'SUCCESS', updatedAt: context.now, work: null };
  try {
    const changes = carryOut(state, operation.work, context);
    return { changes: [...changes, { kind: 'operation', id, value: ended }], result: null };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    // AWS does not say what a failed operation leaves; here nothing.
    const failed: Operation = { ...ended, status: 'FAIL', error: { code: 'INTERNAL_FAILURE', message: error.message } };
    return { changes: [{ kind: 'operation', id, value: failed }], result: null };
  }
}

/**
 * Declared content may have come in since the operation was accepted, and what it does can have become impossible.
 * @throws ServiceError, which the operation ends with
 */
function carryOut(state: State, work: Work, context: Context): Change[] {
  switch (work.kind) {
    case 'create-namespace':
      recheckNamespace(state, work.namespace);
      return putNewNamespace(state, work.namespace, context);
    case 'update-namespace':
      return changeNamespace(state, work.id, work.update);
    case 'delete-namespace':
      requireNoServices(state, work.id);
      return removeNamespace(state, work.id);
    case 'update-service':
      return changeService(state, work.id, work.update, context);
    case 'register-instance':
      return putInstance(state, recheckInstance(state, work.instance, context), context.now);
    case 'deregister-instance':
      return removeInstance(state, work.serviceId, work.instanceId, context.now);
  }
}

/** An import may have brought the operation, or the namespace itself. */
function recheckNamespace(state: State, namespace: Namespace): void {
  checkNamespaceName(namespace.type, namespace.name);
  const other = state.namespace(namespace.id) ?? findSameNamespace(state, namespace);
  if (other !== undefined) throw invalidInput(`The namespace ${namespace.name} has come into being by other means.`);
}

/** @returns the instance as the service has it begin now, whose check may have come meanwhile */
function recheckInstance(state: State, instance: Instance, context: Context): Instance {
  const service = requireService(state, context, instance.serviceId);
  const namespace = state.namespace(service.namespaceId) as Namespace;
  const { given, ec2 } = givenAttributes(instance.attributes);
  const checked = checkInstance(state, namespace, service, instance.id, given, ec2, context);
  // An EC2 instance whose address an imported operation leaves to the map of the configuration.
  const attributes = instance.attributes.AWS_INSTANCE_IPV4 === undefined ? checked : instance.attributes;
  return { ...instance, attributes, health: firstHealth(service, attributes, context.options.newInstanceStatus) };
}
