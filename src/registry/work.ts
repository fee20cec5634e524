/** Pending operations whose time has come are carried out (Cloud Map: GetOperation, Status). */
import type { Context, Decision } from './decision.ts';
import { putInstance, removeInstance } from './instances.ts';
import type { Change, Operation, Work } from './model.ts';
import { putNewNamespace, removeNamespace } from './namespaces.ts';
import type { State } from './state.ts';

/** Ends one operation that is due; it has ended already where another replica was faster. */
export function endOperation(state: State, id: string, context: Context): Decision<null> {
  const operation = state.operation(id);
  if (operation?.work == null || operation.dueAt > context.now) return { changes: [], result: null };
  const ended: Operation = { ...operation, status: 'SUCCESS', updatedAt: context.now, work: null };
  return {
    changes: [...carryOut(state, operation.work, context), { kind: 'operation', id, value: ended }],
    result: null,
  };
}

function carryOut(state: State, work: Work, context: Context): Change[] {
  switch (work.kind) {
    case 'create-namespace':
      return putNewNamespace(state, work.namespace, context);
    case 'delete-namespace':
      return removeNamespace(state, work.id);
    case 'register-instance':
      return putInstance(state, work.instance, context.now);
    case 'deregister-instance':
      return removeInstance(state, work.serviceId, work.instanceId, context.now);
  }
}
