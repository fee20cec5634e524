/** Every transition in the log, with its reason: what flaps is seen to flap. */
import type { Log } from '../log.ts';
import type { HealthStatus } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';

/** @param onTransition told of the status that each led to */
export function logTransitions(registry: Registry, log: Log, onTransition: (status: HealthStatus) => void): void {
  registry.subscribe(async (changes) => {
    for (const { change, undo } of changes) {
      if (change.kind !== 'instance' || undo.kind !== 'instance' || change.value === null || undo.value === null)
        continue;
      const transition = change.value.health.transitions?.at(-1);
      if (transition === undefined || transition === undo.value.health.transitions?.at(-1)) continue;
      if (change.value.health.status === undo.value.health.status) continue;
      const service = registry.state.service(change.serviceId);
      const { status, reason } = transition;
      onTransition(status);
      log.info(
        { service: change.serviceId, instance: change.id, status, reason },
        `${service?.name ?? change.serviceId}: ${change.id} is ${status} (${reason})`,
      );
    }
  });
}
