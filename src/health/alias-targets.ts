/**
 * Resolves the names that alias instances stand for, in the background: nothing is resolved while a query waits. Names
 * of our own zones are looked up again with every change of the registry, others with the upstreams when their TTL
 * ends (cloud map: AWS_ALIAS_DNS_NAME).
 */
import { dropAliasTarget, putAliasTarget } from '../registry/alias-targets.ts';
import type { Registry } from '../registry/registry.ts';
import type { Addresses } from '../resolver/lookup.ts';

/** A target is asked for again after its TTL, but not more often than this. */
const MIN_INTERVAL_MS = 5000;
/** A TTL may be days; a load balancer's addresses change sooner. */
const MAX_INTERVAL_MS = 300_000;

/** Addresses where the name is ours, null where it is ours and has none, `outside` where the upstreams know. */
export type OwnLookup = (name: string) => Addresses | null | { outside: string };

interface Watch {
  /** The outside name that is asked for; null: the name is ours. */
  readonly outside: string | null;
  timer: NodeJS.Timeout | undefined;
}

export interface AliasResolver {
  close(): void;
}

/** @param onError told where a look-up failed or its result could not be put into the registry; it is done again */
export function scheduleAliasTargets(
  registry: Registry,
  own: OwnLookup,
  outside: (name: string) => Promise<Addresses | null>,
  onError: (error: unknown) => void,
): AliasResolver {
  const watched = new Map<string, Watch>();
  let isClosed = false;

  /** @returns whether the registry has it */
  const put = (name: string, resolved: Addresses | null): Promise<boolean> =>
    registry
      .submit((state, { now }) => putAliasTarget(state, name, resolved, now))
      .then(() => true)
      .catch((error) => {
        onError(error);
        return false;
      });

  const askOutside = async (name: string, watch: Watch): Promise<void> => {
    // Whatever went wrong, the name has not resolved, and is asked for again.
    const resolved = await outside(watch.outside as string).catch((error: unknown) => {
      onError(error);
      return null;
    });
    // Meanwhile the name may be nobody's any longer, or another's.
    if (isClosed || watched.get(name) !== watch) return;
    const isPut = await put(name, resolved);
    if (isClosed || watched.get(name) !== watch) return;
    const ttlMs = isPut ? (resolved?.ttlSeconds ?? 0) * 1000 : 0;
    const waitMs = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, ttlMs));
    watch.timer = setTimeout(() => void askOutside(name, watch), waitMs);
  };

  const follow = (): void => {
    const wanted = new Set(registry.state.aliasNames());
    for (const [name, { timer }] of watched) {
      if (wanted.has(name)) continue;
      clearTimeout(timer);
      watched.delete(name);
      registry.submit((state) => dropAliasTarget(state, name)).catch(onError);
    }
    for (const name of wanted) {
      const found = own(name);
      const target = found !== null && 'outside' in found ? found.outside : null;
      const before = watched.get(name);
      const watch = before?.outside === target ? before : { outside: target, timer: undefined };
      if (watch !== before) clearTimeout(before?.timer);
      watched.set(name, watch);
      if (found === null || !('outside' in found)) void put(name, found);
      else if (watch !== before) void askOutside(name, watch);
    }
  };

  registry.subscribe(async (changes) => {
    // Results of our own bring nothing new about names, but one alias may lead to another.
    if (changes.some(({ change }) => change.kind !== 'operation' && change.kind !== 'revision')) follow();
  });
  // What could not be put into the registry meanwhile.
  registry.onOutage((outage) => {
    if (outage === null && !isClosed) follow();
  });
  follow();
  return {
    close: () => {
      isClosed = true;
      for (const { timer } of watched.values()) clearTimeout(timer);
    },
  };
}
