/** Pending operations end when they are due, also those that were pending before a restart. */
import { Alarm } from './alarm.ts';
import type { Registry } from './registry.ts';
import { endOperation } from './work.ts';

/** @param onError told of a failed end; it is tried again with the next change */
export function scheduleOperations(
  registry: Registry,
  clock: () => number,
  onError: (error: unknown) => void,
): { close(): void } {
  const alarm = new Alarm(clock, () => {
    for (const operation of registry.state.pendingOperations()) {
      if (operation.dueAt > clock()) continue;
      registry.submit((state, context) => endOperation(state, operation.id, context)).catch(onError);
    }
  });
  const setAlarm = (): void => {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const operation of registry.state.pendingOperations()) dueAt = Math.min(dueAt, operation.dueAt);
    alarm.set(dueAt);
  };
  registry.subscribe(async () => setAlarm());
  setAlarm();
  return alarm;
}
