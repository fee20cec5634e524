/** Pending operations end when they are due, also those that were pending before a restart. */
import { Alarm } from './alarm.ts';
import type { Registry } from './registry.ts';
import { endOperation } from './work.ts';

const RETRY_MS = 1000;

/** @param onError told of a failed end; it is tried again */
export function scheduleOperations(
  registry: Registry,
  clock: () => number,
  onError: (error: unknown) => void,
): { close(): void } {
  const failed = (error: unknown): void => {
    onError(error);
    alarm.set(clock() + RETRY_MS);
  };
  const alarm = new Alarm(clock, () => {
    for (const operation of registry.state.pendingOperations()) {
      if (operation.dueAt > clock()) continue;
      registry.submit((state, context) => endOperation(state, operation.id, context)).catch(failed);
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
