/** Custom health statuses: taken, and put into effect (Cloud Map: UpdateInstanceCustomHealthStatus). */
import { type Context, type Decision, isDue } from './decision.ts';
import { ServiceError } from './errors.ts';
import { changedStatus } from './health-status.ts';
import { requireInstance } from './instances.ts';
import type { Change, HealthStatus, InstanceHealth } from './model.ts';
import { requireService } from './services.ts';
import type { State } from './state.ts';
import { putHealth } from './verdicts.ts';

const CUSTOM_REASON = 'UpdateInstanceCustomHealthStatus';

/**
 * UpdateInstanceCustomHealthStatus. With a delay the status waits; a contrary request within it cancels the wait, the
 * same one changes nothing.
 */
export function updateCustomHealth(
  state: State,
  command: { serviceId: string; instanceId: string; status: HealthStatus },
  context: Context,
): Decision<null> {
  const service = requireService(state, context, command.serviceId);
  const instance = requireInstance(state, service.id, command.instanceId);
  if (!service.hasCustomHealthCheck) {
    throw new ServiceError('CustomHealthNotFound', `The service ${service.id} has no HealthCheckCustomConfig.`);
  }
  const { health } = instance;
  const { status } = command;
  const delayMs = context.options.customHealthDelayMs;
  let next: InstanceHealth;
  if (status === health.status) next = { ...health, pending: null };
  else if (delayMs === 0) next = changedStatus(health, status, context.now, CUSTOM_REASON);
  else next = { ...health, pending: health.pending ?? { status, dueAt: context.now + delayMs } };
  return { changes: putHealth(instance, next), result: null };
}

/** Custom statuses whose wait is over take effect. */
export function settleCustomHealth(state: State, { now, options }: Context): Decision<null> {
  const changes: Change[] = [];
  for (const instance of state.instancesWithPendingHealth()) {
    const { pending } = instance.health;
    if (pending === null || !isDue(pending.dueAt, now, options.customHealthDelayMs)) continue;
    changes.push(...putHealth(instance, changedStatus(instance.health, pending.status, now, CUSTOM_REASON)));
  }
  return { changes, result: null };
}
