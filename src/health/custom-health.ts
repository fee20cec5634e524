/** Custom statuses take effect when their wait is over (Cloud Map: UpdateInstanceCustomHealthStatus). */
import { Alarm } from '../registry/alarm.ts';
import { settleCustomHealth } from '../registry/health.ts';
import type { Registry } from '../registry/registry.ts';

const RETRY_MS = 1000;

/** @param onError told where a status could not be put into effect; it is tried again */
export function scheduleCustomHealth(
  registry: Registry,
  clock: () => number,
  onError: (error: unknown) => void,
): { close(): void } {
  const failed = (error: unknown): void => {
    onError(error);
    alarm.set(clock() + RETRY_MS);
  };
  const alarm = new Alarm(clock, () => void registry.submit(settleCustomHealth).catch(failed));
  const setAlarm = (): void => {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const { health } of registry.state.instancesWithPendingHealth()) {
      dueAt = Math.min(dueAt, health.pending?.dueAt ?? dueAt);
    }
    alarm.set(dueAt);
  };
  registry.subscribe(async () => setAlarm());
  setAlarm();
  return alarm;
}
