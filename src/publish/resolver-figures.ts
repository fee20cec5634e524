/** What several threads say of names outside, those that are gone included, so that counts never go back. */
import type { ResolverFigures, UpstreamFigures } from '../answers/thread-protocol.ts';

const NOTHING: ResolverFigures = { cacheEntries: 0, cacheBytes: 0, upstreams: [], bounds: [] };

/** Of a thread that is gone its counts are left, and nothing of its cache. */
export function withoutCache(figures: ResolverFigures): ResolverFigures {
  return { ...figures, cacheEntries: 0, cacheBytes: 0 };
}

export function addFigures(all: readonly ResolverFigures[]): ResolverFigures {
  return all.reduce(add, NOTHING);
}

function add(a: ResolverFigures, b: ResolverFigures): ResolverFigures {
  const upstreams = new Map(a.upstreams.map((one) => [keyOf(one), one]));
  for (const one of b.upstreams) {
    const other = upstreams.get(keyOf(one));
    upstreams.set(keyOf(one), other === undefined ? one : addUpstream(other, one));
  }
  return {
    cacheEntries: a.cacheEntries + b.cacheEntries,
    cacheBytes: a.cacheBytes + b.cacheBytes,
    upstreams: [...upstreams.values()],
    bounds: b.bounds,
  };
}

function addUpstream(a: UpstreamFigures, b: UpstreamFigures): UpstreamFigures {
  return {
    ...a,
    queries: a.queries + b.queries,
    failures: a.failures + b.failures,
    buckets: a.buckets.map((count, i) => count + (b.buckets[i] ?? 0)),
    sumSeconds: a.sumSeconds + b.sumSeconds,
  };
}

function keyOf({ address, port }: UpstreamFigures): string {
  return `${address}#${port}`;
}
