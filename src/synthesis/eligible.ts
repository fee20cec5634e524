/** Which instances are answered, by health (cloud-map facts of RegisterInstance and of Route 53's fail-open). */
import { type AliasTarget, aliasNameOf, hasHealthCheck, type Instance, type Service } from '../registry/model.ts';

/** What is answered where no instance is healthy: the last healthy one, or all as Route 53 does. */
export type DnsFallback = 'last-healthy' | 'all';

export interface Eligible {
  readonly instances: readonly Instance[];
  /** None was healthy, and so these are answered: the last healthy ones, or all where none ever was. */
  readonly fallback: 'last-healthy' | 'all' | null;
  /** Epoch ms; when the last healthy ones were healthy, null: never, or the others are answered too. */
  readonly lastHealthyAt: number | null;
}

/** Without a check an instance is healthy; an alias is what its target is (Route 53: EvaluateTargetHealth). */
export function isHealthy(
  service: Service,
  instance: Instance,
  aliasTarget: (name: string) => AliasTarget | undefined = () => undefined,
): boolean {
  const alias = aliasNameOf(instance);
  if (alias !== null) return aliasTarget(alias)?.isHealthy ?? false;
  return !hasHealthCheck(service) || instance.health.status === 'HEALTHY';
}

/**
 * Of the instances that have a record of the type in question, those that are answered: never none because of health.
 * The last healthy are those with the greatest `lastHealthyAt`; where no instance was ever healthy, all are.
 */
export function selectEligible(
  service: Service,
  instances: readonly Instance[],
  fallback: DnsFallback,
  aliasTarget: (name: string) => AliasTarget | undefined = () => undefined,
): Eligible {
  const healthy = instances.filter((instance) => isHealthy(service, instance, aliasTarget));
  if (healthy.length > 0) return { instances: healthy, fallback: null, lastHealthyAt: null };
  if (fallback === 'all') return { instances, fallback: 'all', lastHealthyAt: null };
  const lastHealthyAt = (instance: Instance): number => {
    const alias = aliasNameOf(instance);
    return (alias === null ? instance.health.lastHealthyAt : aliasTarget(alias)?.lastHealthyAt) ?? 0;
  };
  const latest = instances.reduce((max, instance) => Math.max(max, lastHealthyAt(instance)), 0);
  const last = instances.filter((instance) => lastHealthyAt(instance) === latest);
  return latest === 0
    ? { instances: last, fallback: 'all', lastHealthyAt: null }
    : { instances: last, fallback: 'last-healthy', lastHealthyAt: latest };
}
