/** What HTTP serves, joined: the API, the probes and the admin routes. It is loaded while the answering thread starts. */
import { registerBackup } from './admin/backup.ts';
import { type DnsReport, registerDns } from './admin/dns.ts';
import { registerEvents } from './admin/events.ts';
import { registerExplain } from './admin/explain.ts';
import { registerExport } from './admin/export.ts';
import { registerFaults } from './admin/faults.ts';
import { registerFlush } from './admin/flush.ts';
import { registerImport } from './admin/import.ts';
import { registerInfo } from './admin/info.ts';
import { LineStreams } from './admin/line-streams.ts';
import { registerMetrics } from './admin/metrics.ts';
import { type Readiness, registerProbes } from './admin/probes.ts';
import { registerQueries } from './admin/queries.ts';
import { registerReset } from './admin/reset.ts';
import type { ResolverFigures } from './answers/thread-protocol.ts';
import type { Outside } from './api/action.ts';
import { type HttpListeners, listenHttp } from './api/listen.ts';
import { createApp } from './api/server.ts';
import { createThrottle } from './api/throttle.ts';
import { ACTIONS, observeCalls, registerApi } from './api/wire.ts';
import type { Settings } from './config.ts';
import { outcomeName } from './dns/outcome.ts';
import type { Faults } from './faults/faults.ts';
import type { Log } from './log.ts';
import type { Publisher } from './publish/publisher.ts';
import type { Registry } from './registry/registry.ts';
import type { ResetReport } from './reset.ts';
import { storeFile } from './store/open.ts';
import type { Store } from './store/store.ts';
import type { LocalOptions } from './synthesis/local-names.ts';
import type { DaemonMeters } from './telemetry/daemon-meters.ts';

/** What is served, as far as it is there yet; each is asked at every request. */
export interface Served {
  /** Null while the state is not loaded. */
  registry(): Registry | null;
  publisher(): Promise<Publisher>;
  readiness(): Readiness;
  /** Null while it is not open. */
  store(): Store | null;
  dns(hasTrials: boolean): Promise<DnsReport>;
  faults(): Faults | null;
  /** Names of the settings, as they are answered now. */
  local(): LocalOptions;
  /** Null while the state is not loaded. */
  reset(): Promise<ResetReport> | null;
  readonly meters: DaemonMeters;
  /** Of the main thread's own look-ups outside. */
  lookups(): ResolverFigures;
  /** Aborted when the daemon stops: what would take long ends. */
  readonly stopping: AbortSignal;
}

/** Names of the API's operations. */
export const OPERATIONS: ReadonlySet<string> = new Set(ACTIONS.keys());

export interface ServedHttp extends HttpListeners {
  /** Calls that are counted against a rate are counted anew. */
  refill(): void;
}

/** Binds every address and serves there. @throws HttpBindError; then none stays bound */
export async function serveHttp(
  settings: Settings,
  { registry, publisher, readiness, store, dns, faults, local, reset, meters, lookups, stopping }: Served,
  outside: Outside,
  clock: () => number,
  log: Log,
): Promise<ServedHttp> {
  const { ownName } = settings;
  const app = createApp(ownName === null ? [] : [ownName, `data-${ownName}`]);
  const throttles = new Map([
    ['DiscoverInstances', createThrottle(settings.quotaDiscoverInstances, clock)],
    ['DiscoverInstancesRevision', createThrottle(settings.quotaDiscoverInstancesRevision, clock)],
  ]);
  observeCalls(app, ({ operation, error, seconds }) => {
    meters.calls.add([operation, error]);
    meters.callSeconds.add([operation], seconds);
  });
  const disturb = (operation: string) => faults()?.disturb(operation) ?? null;
  registerApi(app, registry, throttles, outside, log, undefined, disturb);
  registerProbes(app, readiness);
  registerFlush(app, publisher);
  registerExport(app, registry);
  const explaining = {
    fallback: settings.dnsFallback,
    maxTtlSeconds: settings.dnsMaxTtl ?? null,
    soaTtlSeconds: settings.soaTtl,
  };
  registerExplain(app, registry, publisher, explaining, local, faults);
  registerImport(app, registry, outside.ec2, stopping);
  registerBackup(app, store);
  registerReset(app, reset);
  registerFaults(app, faults);
  registerInfo(app, settings.store, storeFile(settings.store, settings.dataDir));
  registerDns(app, dns);
  const { cacheBytes: cacheLimitBytes } = settings;
  const streams = new LineStreams();
  registerEvents(app, registry, streams, clock);
  registerQueries(app, publisher, streams, outcomeName);
  registerMetrics(app, { registry, publisher, lookups, meters, outcomeName, cacheLimitBytes });
  const listening = await listenHttp(app, settings.http);
  return {
    ...listening,
    refill: () => {
      for (const throttle of throttles.values()) throttle.refill();
    },
    close(timeoutMs) {
      // What goes on for as long as the client reads it would be waited for.
      streams.endAll();
      return listening.close(timeoutMs);
    },
  };
}
