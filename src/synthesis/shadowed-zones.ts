/** Of two DNS namespaces with one name the oldest is answered; whoever made the other one will wonder. */
import type { Namespace } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';

/** @param warn told a line of each namespace that is not in DNS for that reason, now and as they are made */
export function watchShadowedZones(registry: Registry, warn: (line: string) => void): void {
  const look = (namespace: Namespace | null): void => {
    if (namespace === null || namespace.type === 'HTTP') return;
    const [owner] = registry.state.zoneNamespaces(namespace.name);
    if (owner === undefined || owner.id === namespace.id) return;
    warn(
      `${namespace.id} has the name of ${owner.id}, "${owner.name}", which owns the zone: it is not in DNS until that one is deleted`,
    );
  };
  for (const namespace of registry.state.namespaces()) look(namespace);
  registry.subscribe(async (changes) => {
    for (const { change, undo } of changes) {
      if (change.kind === 'namespace' && undo.value === null) look(change.value);
    }
  });
}
