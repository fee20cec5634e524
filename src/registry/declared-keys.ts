/**
 * Names of what a file declares. A thing that the API makes anew under such a name is the file's own again: it lasts
 * until the next reconcile, as every call on a file's thing does.
 */
import type { Manager, Namespace } from './model.ts';
import { namespaceNameTarget } from './targets.ts';

type NamespaceName = Pick<Namespace, 'type' | 'name' | 'vpc'>;

export function declaredKey(namespace: NamespaceName, service?: string, instance?: string): string {
  return JSON.stringify([namespaceNameTarget(namespace), service, instance]);
}

/** Who manages what is made under the name. @param otherwise where the file does not declare it */
export function managerOf(
  declared: ReadonlySet<string>,
  namespace: NamespaceName,
  service?: string,
  instance?: string,
  otherwise: Manager = 'api',
): Manager {
  // Asked for each of a million instances.
  if (declared.size === 0) return otherwise;
  return declared.has(declaredKey(namespace, service, instance)) ? 'file' : otherwise;
}
