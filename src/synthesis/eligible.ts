/** Which instances are answered, by health (cloud-map facts of RegisterInstance and of Route 53's fail-open). */
import type { Instance, Service } from '../registry/model.ts';
import { hasHealthCheck } from '../registry/model.ts';

/** What is answered where no instance is healthy: the last healthy one, or all as Route 53 does. */
export type DnsFallback = 'last-healthy' | 'all';

export interface Eligible {
  readonly instances: readonly Instance[];
  /** None was healthy. */
  readonly isFallback: boolean;
}

/**
 * Of the instances that have a record of the type in question, those that are answered: never none because of health.
 * The last healthy are those with the greatest `lastHealthyAt`; where no instance was ever healthy, all are.
 */
export function selectEligible(service: Service, instances: readonly Instance[], fallback: DnsFallback): Eligible {
  if (!hasHealthCheck(service)) return { instances, isFallback: false };
  const healthy = instances.filter((instance) => instance.health.status === 'HEALTHY');
  if (healthy.length > 0) return { instances: healthy, isFallback: false };
  if (fallback === 'all') return { instances, isFallback: true };
  const latest = instances.reduce((max, { health }) => Math.max(max, health.lastHealthyAt ?? 0), 0);
  const last = instances.filter(({ health }) => (health.lastHealthyAt ?? 0) === latest);
  return { instances: last, isFallback: true };
}
