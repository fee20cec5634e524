/** What pending operations work on, as text to look them up by: two on one target exclude each other. */
import type { Namespace, Operation } from './model.ts';

/** What a pending operation keeps others from: `namespace/<id>`, `instance/<service id>/<id>`, a name being taken. */
export function targetsOf(operation: Operation): string[] {
  const { work } = operation;
  if (work === null) return [];
  switch (work.kind) {
    case 'create-namespace':
      return [namespaceNameTarget(work.namespace)];
    case 'update-namespace':
    case 'delete-namespace':
      return [`namespace/${work.id}`];
    case 'update-service':
      return [`service/${work.id}`];
    case 'register-instance':
      return [`instance/${work.instance.serviceId}/${work.instance.id}`];
    case 'deregister-instance':
      return [`instance/${work.serviceId}/${work.instanceId}`];
  }
}

/** Two namespaces with equal ones cannot both exist. */
export function namespaceNameTarget({ type, name, vpc }: Pick<Namespace, 'type' | 'name' | 'vpc'>): string {
  return `namespace-name/${type}/${vpc ?? ''}/${type === 'HTTP' ? name : name.toLowerCase()}`;
}
