/** Every metric of our own: its name by Prometheus's conventions, what it means, and where its values are. */
import type { Publisher } from '../publish/publisher.ts';
import type { DaemonMeters } from '../telemetry/daemon-meters.ts';
import { DURATION_BOUNDS, type QueryCount, queryCounts, queryDurations } from '../telemetry/query-counters.ts';
import type { Tally, TimingEntry } from '../telemetry/tallies.ts';
import { readVersion } from '../version.ts';
import type { RegistrySizes } from './registry-sizes.ts';

type ResolverFigures = Awaited<ReturnType<Publisher['figures']>>;

export interface MetricSources {
  /** Null: none answer yet. */
  readonly publisher: Publisher | null;
  readonly figures: ResolverFigures | null;
  /** Null while the state is not loaded. */
  readonly sizes: RegistrySizes | null;
  readonly meters: DaemonMeters;
  /** Of what became of a query. */
  readonly outcomeName: (outcome: number) => string;
  /** Octets for answers of upstreams in each thread. */
  readonly cacheLimitBytes: number;
}

export interface Sample {
  /** Where it is not the metric's own. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: (sources: MetricSources) => Sample[];
}

/** `system` follows the machine's resolvers, which may be others every day: beyond so many they are told together. */
const MAX_UPSTREAMS = 100;

/** Outcomes that say what the cache had for a query that it was looked into for. */
const CACHE_RESULTS: Readonly<Record<string, string>> = {
  cache: 'hit',
  stale: 'stale',
  upstream: 'miss',
  failed: 'miss',
};

export const FAMILIES: readonly Family[] = [
  {
    name: 'cloudmapd_build_info',
    type: 'gauge',
    help: 'Always 1; the labels say what runs.',
    samples: () => [sample(1, { version: readVersion(), node: process.version })],
  },
  {
    name: 'cloudmapd_dns_queries_total',
    type: 'counter',
    help: 'Queries that came in, by what became of them.',
    samples: (sources) =>
      queries(sources).map(({ transport, type, rcode, outcome, count }) =>
        sample(count, { transport, type, rcode, outcome: sources.outcomeName(outcome) }),
      ),
  },
  {
    name: 'cloudmapd_dns_query_duration_seconds',
    type: 'histogram',
    help: 'From when a query was read until its reply was ready, by whether an upstream was asked for it.',
    samples: ({ publisher }) =>
      queryDurations(publisher?.counters ?? []).flatMap(({ transport, wasRelayed, buckets, sumSeconds }) =>
        histogram('cloudmapd_dns_query_duration_seconds', DURATION_BOUNDS, buckets, sumSeconds, {
          transport,
          source: wasRelayed ? 'upstream' : 'local',
        }),
      ),
  },
  {
    name: 'cloudmapd_dns_threads',
    type: 'gauge',
    help: 'Threads that answer DNS now.',
    samples: ({ publisher }) => [sample(publisher?.threads.filter(({ isFilled }) => isFilled).length ?? 0)],
  },
  {
    name: 'cloudmapd_cache_lookups_total',
    type: 'counter',
    help: 'Queries for names outside, by what the cache had: hit, miss, or stale where no upstream answered.',
    samples: (sources) => cacheLookups(sources),
  },
  {
    name: 'cloudmapd_cache_entries',
    type: 'gauge',
    help: "Upstreams' answers in the caches of all threads.",
    samples: ({ figures }) => [sample(figures?.cacheEntries ?? 0)],
  },
  {
    name: 'cloudmapd_cache_bytes',
    type: 'gauge',
    help: 'Memory that they take.',
    samples: ({ figures }) => [sample(figures?.cacheBytes ?? 0)],
  },
  {
    name: 'cloudmapd_cache_limit_bytes',
    type: 'gauge',
    help: 'Memory that they may take (CLOUDMAPD_CACHE_BYTES of each thread).',
    samples: ({ publisher, cacheLimitBytes }) => [sample(cacheLimitBytes * (publisher?.threadCount ?? 0))],
  },
  {
    name: 'cloudmapd_upstream_queries_total',
    type: 'counter',
    help: 'Queries sent to an upstream.',
    samples: ({ figures }) => upstreams(figures).map(({ upstream, queries }) => sample(queries, { upstream })),
  },
  {
    name: 'cloudmapd_upstream_failures_total',
    type: 'counter',
    help: 'Times that an upstream was silent, could not be reached, or replied with nothing of use.',
    samples: ({ figures }) => upstreams(figures).map(({ upstream, failures }) => sample(failures, { upstream })),
  },
  {
    name: 'cloudmapd_upstream_response_seconds',
    type: 'histogram',
    help: 'How long useful replies of an upstream over UDP took.',
    samples: ({ figures }) =>
      upstreams(figures).flatMap(({ upstream, buckets, sumSeconds }) =>
        histogram('cloudmapd_upstream_response_seconds', figures?.bounds ?? [], buckets, sumSeconds, { upstream }),
      ),
  },
  {
    name: 'cloudmapd_api_calls_total',
    type: 'counter',
    help: 'Calls of the API, by operation and the type of the error that they were answered with.',
    samples: ({ meters }) => tally(meters.calls, ['operation', 'error']),
  },
  {
    name: 'cloudmapd_api_call_duration_seconds',
    type: 'histogram',
    help: 'From a call until its answer was sent, by operation.',
    samples: ({ meters }) =>
      timings('cloudmapd_api_call_duration_seconds', meters.callSeconds.bounds, meters.callSeconds.entries(), [
        'operation',
      ]),
  },
  {
    name: 'cloudmapd_health_probes_total',
    type: 'counter',
    help: "Probes of instances, by the check's type and their result; none: our own means gave out.",
    samples: ({ meters }) => tally(meters.probes, ['type', 'result']),
  },
  {
    name: 'cloudmapd_health_transitions_total',
    type: 'counter',
    help: 'Changes of the health status of instances, by the new one.',
    samples: ({ meters }) => tally(meters.transitions, ['status']),
  },
  {
    name: 'cloudmapd_store_commits_total',
    type: 'counter',
    help: 'Batches of changes given to the store, by result: ok, failed.',
    samples: ({ meters }) => tally(meters.commits, ['result']),
  },
  {
    name: 'cloudmapd_store_commit_duration_seconds',
    type: 'histogram',
    help: 'Until the store had made a batch durable, or had failed to.',
    samples: ({ meters }) =>
      timings(
        'cloudmapd_store_commit_duration_seconds',
        meters.commitSeconds.bounds,
        meters.commitSeconds.entries(),
        [],
      ),
  },
  {
    name: 'cloudmapd_namespaces',
    type: 'gauge',
    help: 'Namespaces that are registered.',
    samples: ({ sizes }) => (sizes === null ? [] : [sample(sizes.namespaces)]),
  },
  {
    name: 'cloudmapd_services',
    type: 'gauge',
    help: 'Services that are registered.',
    samples: ({ sizes }) => (sizes === null ? [] : [sample(sizes.services)]),
  },
  {
    name: 'cloudmapd_instances',
    type: 'gauge',
    help: 'Instances that are registered, by health; UNKNOWN: of services without a check.',
    samples: ({ sizes }) =>
      sizes === null ? [] : Object.entries(sizes.instances).map(([health, count]) => sample(count, { health })),
  },
  // Those of prom-client begin when it is loaded.
  {
    name: 'process_cpu_user_seconds_total',
    type: 'counter',
    help: 'User CPU time of the process, its threads included.',
    samples: () => [sample(process.cpuUsage().user / 1e6)],
  },
  {
    name: 'process_cpu_system_seconds_total',
    type: 'counter',
    help: 'System CPU time of the process, its threads included.',
    samples: () => [sample(process.cpuUsage().system / 1e6)],
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the process, its threads included.',
    samples: () => {
      const { user, system } = process.cpuUsage();
      return [sample((user + system) / 1e6)];
    },
  },
];

function sample(value: number, labels: Readonly<Record<string, string>> = {}): Sample {
  return { labels, value };
}

function queries({ publisher }: MetricSources): QueryCount[] {
  return queryCounts(publisher?.counters ?? []);
}

function cacheLookups(sources: MetricSources): Sample[] {
  const counts = { hit: 0, miss: 0, stale: 0 };
  for (const { outcome, count } of queries(sources)) {
    const result = CACHE_RESULTS[sources.outcomeName(outcome)];
    if (result !== undefined) counts[result as keyof typeof counts] += count;
  }
  return Object.entries(counts).map(([result, count]) => sample(count, { result }));
}

interface UpstreamSums {
  readonly upstream: string;
  queries: number;
  failures: number;
  buckets: number[];
  sumSeconds: number;
}

function upstreams(figures: ResolverFigures | null): UpstreamSums[] {
  const sums = new Map<string, UpstreamSums>();
  for (const one of figures?.upstreams ?? []) {
    const { address, port } = one;
    const name = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const upstream = sums.size < MAX_UPSTREAMS ? name : 'other';
    const sum = sums.get(upstream) ?? { upstream, queries: 0, failures: 0, buckets: [], sumSeconds: 0 };
    sum.queries += one.queries;
    sum.failures += one.failures;
    sum.buckets = one.buckets.map((count, i) => count + (sum.buckets[i] ?? 0));
    sum.sumSeconds += one.sumSeconds;
    sums.set(upstream, sum);
  }
  return [...sums.values()];
}

function tally(counted: Tally, names: readonly string[]): Sample[] {
  return counted.entries().map(({ labels, count }) => sample(count, named(names, labels)));
}

function timings(
  name: string,
  bounds: readonly number[],
  entries: readonly TimingEntry[],
  names: readonly string[],
): Sample[] {
  return entries.flatMap(({ labels, buckets, sumSeconds }) =>
    histogram(name, bounds, buckets, sumSeconds, named(names, labels)),
  );
}

function named(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] as string]));
}

/** @param buckets of each bound, and one of what is beyond; Prometheus has each with all those below it */
function histogram(
  name: string,
  bounds: readonly number[],
  buckets: readonly number[],
  sumSeconds: number,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  let count = 0;
  const samples = buckets.map((inBucket, i) => {
    count += inBucket;
    const le = i < bounds.length ? String(bounds[i]) : '+Inf';
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...samples,
    { metricName: `${name}_sum`, labels, value: sumSeconds },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
