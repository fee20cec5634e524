/** Pending operations end when they are due, also those that were pending before a restart. */
import { Alarm } from './alarm.ts';
import { isDue } from './decision.ts';
import type { Registry } from './registry.ts';
import { endOperation } from './work.ts';

const RETRY_MS = 1000;

/** @param onError told of a failed end; it is tried again */
export function scheduleOperations(
  registry: Registry,
  clock: () => number,
  onError: (error: unknown) => void,
): { close(): void } {
  const delayMs = registry.options.operationDelayMs;
  const failed = (error: unknown): void => {
    onError(error);
    alarm.set(clock() + RETRY_MS);
  };
  const alarm = new Alarm(clock, () => {
    for (const operation of registry.state.pendingOperations()) {
      if (!isDue(operation.dueAt, clock(), delayMs)) continue;
      registry.submit((state, context) => endOperation(state, operation.id, context)).catch(failed);
    }
  });
  const setAlarm = (): void => {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of registry.state.pendingOperations())
      next = Math.min(next, isDue(dueAt, clock(), delayMs) ? clock() : dueAt);
    alarm.set(next);
  };
  registry.subscribe(async () => setAlarm());
  setAlarm();
  return alarm;
}
