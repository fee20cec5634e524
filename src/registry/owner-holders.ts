/** Who has an owner name, the instances included that are on their way there. */
import { ownerOfInstance } from './owner-names.ts';
import type { State } from './state.ts';

/** `service/<id>`, `instance/<service id>/<id>`, or undefined: the name is free. */
export function findHolder(state: State, namespaceId: string, owner: string): string | undefined {
  const holder = state.holderOf(namespaceId, owner);
  if (holder !== undefined) return holder;
  for (const { work } of state.pendingOperations()) {
    if (work?.kind !== 'register-instance') continue;
    const service = state.service(work.instance.serviceId);
    if (service?.namespaceId !== namespaceId) continue;
    if (ownerOfInstance(service, work.instance) === owner) return `instance/${service.id}/${work.instance.id}`;
  }
  return undefined;
}
