/** Custom statuses take effect when their wait is over (Cloud Map: UpdateInstanceCustomHealthStatus). */
import { Alarm } from '../registry/alarm.ts';
import { isDue } from '../registry/decision.ts';
import { settleCustomHealth } from '../registry/health.ts';
import type { Registry } from '../registry/registry.ts';

const RETRY_MS = 1000;

/** @param onError told where a status could not be put into effect; it is tried again */
export function scheduleCustomHealth(
  registry: Registry,
  clock: () => number,
  onError: (error: unknown) => void,
): { close(): void } {
  const delayMs = registry.options.customHealthDelayMs;
  const failed = (error: unknown): void => {
    onError(error);
    alarm.set(clock() + RETRY_MS);
  };
  const alarm = new Alarm(clock, () => void registry.submit(settleCustomHealth).catch(failed));
  const setAlarm = (): void => {
    let next = Number.POSITIVE_INFINITY;
    for (const { health } of registry.state.instancesWithPendingHealth()) {
      if (health.pending === null) continue;
      const { dueAt } = health.pending;
      next = Math.min(next, isDue(dueAt, clock(), delayMs) ? clock() : dueAt);
    }
    alarm.set(next);
  };
  registry.subscribe(async () => setAlarm());
  setAlarm();
  return alarm;
}
