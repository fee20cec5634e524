/** What alias names resolved to joins the state like a probe's result (Cloud Map: AWS_ALIAS_DNS_NAME). */
import type { Decision } from './decision.ts';
import type { AliasTarget } from './model.ts';
import type { State } from './state.ts';

/** Null for a family: not known this time, so that what it had last stays. */
export interface ResolvedTarget {
  readonly ipv4: readonly string[] | null;
  readonly ipv6: readonly string[] | null;
  readonly ttlSeconds: number;
}

/**
 * @param resolved null: the name did not resolve; what it had last stays, unhealthy
 * @returns no changes where nothing is new, or no instance stands for the name any longer
 */
export function putAliasTarget(
  state: State,
  name: string,
  resolved: ResolvedTarget | null,
  now: number,
): Decision<null> {
  if (state.servicesWithAlias(name).length === 0) return { changes: [], result: null };
  const previous = state.aliasTarget(name);
  const value: AliasTarget =
    resolved === null
      ? { ipv4: [], ipv6: [], ttlSeconds: 0, ...previous, isHealthy: false, lastHealthyAt: ceasedAt(previous, now) }
      : {
          ipv4: [...new Set(resolved.ipv4 ?? previous?.ipv4)].sort(),
          ipv6: [...new Set(resolved.ipv6 ?? previous?.ipv6)].sort(),
          ttlSeconds: resolved.ttlSeconds,
          isHealthy: true,
          lastHealthyAt: previous?.lastHealthyAt ?? null,
        };
  const isSame = previous !== undefined && JSON.stringify(previous) === JSON.stringify({ ...previous, ...value });
  return { changes: isSame ? [] : [{ kind: 'alias-target', id: name, value }], result: null };
}

function ceasedAt(previous: AliasTarget | undefined, now: number): number | null {
  return previous?.isHealthy === true ? now : (previous?.lastHealthyAt ?? null);
}

/** The name is nobody's alias any longer. */
export function dropAliasTarget(state: State, name: string): Decision<null> {
  const isGone = state.servicesWithAlias(name).length === 0 && state.aliasTarget(name) !== undefined;
  return { changes: isGone ? [{ kind: 'alias-target', id: name, value: null }] : [], result: null };
}
