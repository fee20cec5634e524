/** What probes say takes effect (Cloud Map: HealthCheckConfig). */
import type { Context, Decision } from './decision.ts';
import { changedStatus, firstHealth } from './health-status.ts';
import type { Change, HealthCheck, HealthStatus, Instance, InstanceHealth, Service } from './model.ts';
import type { State } from './state.ts';

export interface Verdict {
  readonly serviceId: string;
  readonly id: string;
  /** What was probed: a verdict on what the instance was before says nothing of what it is. */
  readonly attributes: Instance['attributes'];
  readonly check: HealthCheck;
  readonly status: HealthStatus;
  readonly reason: string;
}

/** A probe's verdict takes effect, unless the instance or its check has gone or been replaced meanwhile. */
export function turnHealth(state: State, verdict: Verdict, { now }: Context): Decision<null> {
  const { serviceId, id, attributes, check, status, reason } = verdict;
  const instance = state.instance(serviceId, id);
  if (instance?.attributes !== attributes || !isSameCheck(state.service(serviceId)?.healthCheck ?? null, check)) {
    return { changes: [], result: null };
  }
  return { changes: putHealth(instance, changedStatus(instance.health, status, now, reason)), result: null };
}

/** UpdateService has to send the check again where it is to stay: an equal one is the same. */
export function isSameCheck(a: HealthCheck | null, b: HealthCheck | null): boolean {
  return a?.type === b?.type && a?.path === b?.path && a?.failureThreshold === b?.failureThreshold;
}

/** Instances of a service that gets another kind of check begin as new ones do: what they were was not its verdict. */
export function beginChecks(state: State, before: Service, after: Service, { now, options }: Context): Change[] {
  const [old, next] = [kindOfCheck(before), kindOfCheck(after)];
  if (old === next) return [];
  const reason =
    old === 'none' ? 'the check was added' : next === 'none' ? 'the check was removed' : 'the check is another one';
  return [...state.instancesOf(after.id).values()].flatMap((instance) => {
    const { status } = firstHealth(after, instance.attributes, options.newInstanceStatus);
    return putHealth(instance, changedStatus(instance.health, status, now, reason));
  });
}

function kindOfCheck({ healthCheck, hasCustomHealthCheck }: Service): 'probe' | 'custom' | 'none' {
  if (healthCheck !== null) return 'probe';
  return hasCustomHealthCheck ? 'custom' : 'none';
}

/** No changes where nothing is new. */
export function putHealth(instance: Instance, health: InstanceHealth): Change[] {
  const { status, pending } = instance.health;
  if (status === health.status && pending === health.pending) return [];
  return [{ kind: 'instance', serviceId: instance.serviceId, id: instance.id, value: { ...instance, health } }];
}
