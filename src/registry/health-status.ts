/** How an instance's health status begins and changes, and when it was last healthy (cloud map: health checks). */
import type { HealthStatus, Instance, InstanceHealth, Service } from './model.ts';
import { hasHealthCheck } from './model.ts';

/** Enough to see that an instance flaps; they are kept with each instance. */
const KEPT_TRANSITIONS = 10;

/** Of an instance that was not there before. AWS does not say whether its status waits as later ones do; here not. */
export function firstHealth(
  service: Service,
  attributes: Readonly<Record<string, string>>,
  newInstanceStatus: HealthStatus,
): InstanceHealth {
  const given = service.hasCustomHealthCheck ? attributes.AWS_INIT_HEALTH_STATUS : undefined;
  const status = (given as HealthStatus | undefined) ?? (isJudged(service, attributes) ? newInstanceStatus : 'HEALTHY');
  return { status, lastHealthyAt: null, pending: null };
}

/** Whether a first verdict will come: not for what nobody checks, an alias, or what has nothing to connect to. */
function isJudged(service: Service, attributes: Readonly<Record<string, string>>): boolean {
  if (!hasHealthCheck(service) || attributes.AWS_ALIAS_DNS_NAME !== undefined) return false;
  if (service.hasCustomHealthCheck) return true;
  const { AWS_INSTANCE_IPV4, AWS_INSTANCE_IPV6, AWS_INSTANCE_PORT } = attributes;
  return AWS_INSTANCE_PORT !== undefined && (AWS_INSTANCE_IPV4 ?? AWS_INSTANCE_IPV6) !== undefined;
}

/**
 * Of an instance that replaces another: its own status, but it was last healthy when that one was. AWS leaves open what
 * it keeps.
 */
export function replacedHealth(previous: InstanceHealth, next: InstanceHealth, now: number): InstanceHealth {
  return changedStatus(previous, next.status, now, 'registered anew');
}

/** The status takes effect, and no other is waiting; going from HEALTHY to UNHEALTHY is what sets `lastHealthyAt`. */
export function changedStatus(
  health: InstanceHealth,
  status: HealthStatus,
  now: number,
  reason: string,
): InstanceHealth {
  if (status === health.status) return { ...health, pending: null };
  const lastHealthyAt = status === 'UNHEALTHY' ? now : health.lastHealthyAt;
  const transitions = [...(health.transitions ?? []), { at: now, status, reason }].slice(-KEPT_TRANSITIONS);
  return { status, lastHealthyAt, pending: null, transitions };
}

/** What the outside sees: UNKNOWN where the service has no check; never a pending status, which AWS leaves open. */
export function visibleStatus(service: Service, instance: Instance): HealthStatus | 'UNKNOWN' {
  return hasHealthCheck(service) ? instance.health.status : 'UNKNOWN';
}
