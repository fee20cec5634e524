/** Joins all parts in the order in which they depend on each other, and stops them in reverse. */
import { randomInt } from 'node:crypto';
import type { Readiness } from './admin/probes.ts';
import type { SocketKind } from './answers/thread-protocol.ts';
import { HttpBindError } from './api/listen.ts';
import { type Configuration, SettingError, type Settings } from './config.ts';
import { countCommits, countProbes } from './counting.ts';
import { declare } from './declared/declare.ts';
import { watchOverrides } from './declared/overrides.ts';
import { ec2LookupOf, localOptionsOf, prepareContent } from './declared-content.ts';
import { Faults } from './faults/faults.ts';
import { followSystem, forwardingOf, settingOf, systemServers } from './forwarding.ts';
import { scheduleAliasTargets } from './health/alias-targets.ts';
import { scheduleCustomHealth } from './health/custom-health.ts';
import { logTransitions } from './health/log.ts';
import { probe } from './health/probe.ts';
import { Prober, type ProberEvents, type ProberOptions } from './health/prober.ts';
import type { Served } from './http.ts';
import { isWildcard, listenerAddresses } from './listener-addresses.ts';
import type { Log } from './log.ts';
import { BindError, SocketsError } from './publish/answering-thread.ts';
import { formatAddress, Publisher } from './publish/publisher.ts';
import { Registry } from './registry/registry.ts';
import { scheduleOperations } from './registry/schedule.ts';
import { tryFailedStore } from './registry/store-trials.ts';
import { Reloader } from './reload.ts';
import { type ResetReport, reset } from './reset.ts';
import { createLookup } from './resolver/lookup.ts';
import { Resolver } from './resolver/resolver.ts';
import type { Endpoint } from './setting-forms.ts';
import { openStore } from './store/open.ts';
import { type Store, StoreDamagedError, StoreError } from './store/store.ts';
import { Supply } from './supply.ts';
import type { CompileOptions } from './synthesis/compile-options.ts';
import { compileLocalNames, compileLocalTails } from './synthesis/local-names.ts';
import { resolveOwn } from './synthesis/own-addresses.ts';
import { watchShadowedZones } from './synthesis/shadowed-zones.ts';
import { DaemonMeters } from './telemetry/daemon-meters.ts';

export interface Daemon {
  readonly registry: Registry;
  readonly publisher: Publisher;
  /** Bound addresses, such as `127.0.0.1:8053`. */
  readonly http: readonly string[];
  readonly dns: readonly string[];
  readonly sockets: SocketKind;
  /** So many answer DNS. */
  readonly threads: number;
  /** The file that the declared content came from. */
  readonly configFile: string | null;
  readonly faults: Faults;
  /** Back to the declared content, DNS included. @throws StoreError; then nothing has changed */
  reset(): Promise<ResetReport>;
  /** Reads that file again, changed or not. */
  reload(): void;
  /** Stops accepting, finishes what is in flight, closes the store. */
  close(): Promise<void>;
}

const NOWHERE = { http: [], dns: [], sockets: 'plain' } as const;
/** What binding a port that threads share ends in where the system knows nothing of that. */
const NO_SHARING: readonly string[] = ['ENOTSUP', 'EOPNOTSUPP', 'ENOPROTOOPT'];
/** HTTP requests under way get so long. */
const DRAIN_TIMEOUT_MS = 2000;

/**
 * Starts everything. Nothing is written to disk before every listener is bound.
 * @throws SettingError, ConfigFileError; then nothing is left running
 */
export async function startDaemon(configuration: Configuration, log: Log): Promise<Daemon> {
  const { settings, yaml } = configuration;
  const configFile = yaml?.file ?? null;
  const ec2 = ec2LookupOf(settings);
  const { content, options } = await prepareContent(configuration, ec2);
  const clock = Date.now;
  const meters = new DaemonMeters();
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    let served: Registry | null = null;
    let opened: Store | null = null;
    let readiness: Readiness = { isReady: false, reason: 'the listeners are being bound', ...NOWHERE };

    const warn = (line: string): void => log.warn(line);
    const system = systemServers(settings);
    const forwarding = forwardingOf(settings, settings.dns, system, warn);
    let local = localOptionsOf(settings, content);
    const seed = settings.seed ?? randomInt(2 ** 32);
    const starting = Publisher.start(
      {
        listen: settings.dns,
        sockets: settings.dnsSockets,
        forwarding,
        clients: settings.recursionClients,
        localNames: compileLocalNames(local),
        localTails: compileLocalTails(local),
        maxTtlSeconds: settings.dnsMaxTtl ?? null,
        seed,
        threads: settings.dnsThreads,
      },
      {
        onReplaced: (reason) => log.error({ err: reason }, 'an answering thread was lost and is being replaced'),
        onReplaceFailed: (error) =>
          log.error({ err: error }, 'an answering thread could not be replaced, trying again'),
        onAddress: (address, problem) => {
          if (problem === null) log.info(`DNS is answered on ${address} too, which is new`);
          else log.warn(`DNS is not answered on ${address}, which is new: ${problem}`);
        },
        onLoop: (upstream, names, isLoop) => log.warn(loopLine(settingOf(names), upstream, isLoop)),
      },
    );
    // A failure of its own is told below, once HTTP is bound; where that fails, it may have started all the same.
    const started = starting.catch(() => null);
    closers.push(async () => (await started)?.close());
    // Loaded and bound while the thread loads what it needs.
    const { serveHttp, OPERATIONS: operations } = await import('./http.ts');
    const faults = new Faults({
      isOn: settings.faults,
      operations,
      clock,
      seed,
      tell: async (list) => (await starting).setFaults(list),
    });
    // Of the main thread's own, for aliases; it keeps nothing, since each look-up is one of an ended TTL.
    const resolver = new Resolver({ ...forwarding, cacheBytes: 0 }, null);
    closers.push(() => resolver.close());
    const stopping = new AbortController();
    const readinessNow = (): Readiness => {
      if (!readiness.isReady) return readiness;
      if (!publisher.isReady) return { ...readiness, isReady: false, reason: 'no thread answers DNS' };
      const outage = served?.outage ?? null;
      if (outage !== null) return { ...readiness, isReady: false, reason: outage.message };
      // A replaced thread may have other ones, and one that is being replaced does not answer.
      const threads = publisher.threads.filter(({ isFilled }) => isFilled).length;
      return { ...readiness, sockets: publisher.sockets, ...(publisher.threadCount > 1 && { threads }) };
    };
    const parts: Served = {
      registry: () => served,
      publisher: () => starting,
      readiness: readinessNow,
      store: () => opened,
      dns: async (hasTrials) =>
        (await import('./dns-report.ts')).reportDns(settings, served, await starting, hasTrials),
      faults: () => (served === null ? null : faults),
      local: () => local,
      reset: () => (served === null ? null : resetAll(served)),
      meters,
      lookups: () => resolver.figures,
      stopping: stopping.signal,
    };
    const resetAll = (registry: Registry): Promise<ResetReport> =>
      reset({ registry, publisher, faults, resolver, throttles: listeners });
    const listeners = await serveHttp(settings, parts, { ec2 }, clock, log);
    closers.push(() => listeners.close(DRAIN_TIMEOUT_MS));
    const publisher = await starting;
    if (settings.queryLog > 0) {
      const { logQueries } = await import('./query-log.ts');
      await logQueries(publisher, settings.queryLog, log);
    }
    closers.push(
      followSystem(settings, settings.dns, system, warn, (upstreams, which) => {
        log.info(
          `the ${which === 'default' ? '' : 'single-label '}upstreams are now ${upstreams.map(formatAddress).join(', ') || 'none'} (/etc/resolv.conf)`,
        );
        publisher.setUpstreams(upstreams, which);
        resolver.setUpstreams(upstreams, which);
      }),
    );
    for (const address of [...listeners.skipped, ...publisher.skipped]) {
      log.warn(`${formatAddress(address)} is left out: this machine has no IPv6`);
    }

    if (publisher.plainReason !== null) log.info(`DNS over UDP has plain sockets: ${publisher.plainReason}`);

    readiness = { ...readiness, reason: 'the state is being loaded' };
    const store = openStore(settings.store, settings.dataDir);
    countCommits(store, meters);
    opened = store;
    closers.push(() => store.close());
    const supply = new Supply(publisher, compileOptions(settings, publisher.addresses), store, settings.dataDir, log);
    closers.push(() => supply.close());
    supply.begin();
    const registry = await Registry.open({
      store,
      options,
      clock,
      random: (bound) => randomInt(bound),
    });
    await supply.resume(registry);
    const onError = (error: unknown): void => {
      // Told once, however many changes are due meanwhile; each is tried again.
      if (!(error instanceof StoreError)) log.error({ err: error }, 'a change that was due could not be made');
    };
    logTransitions(registry, log, (status) => meters.transitions.add([status]));
    const countedProbe = countProbes(probe, meters);
    const prober = new Prober(registry, proberOptions(settings), proberEvents(log, onError), countedProbe, clock);
    // Before the file's content comes in, whose new instances are registrations like others.
    prober.start();
    closers.push(() => prober.close());
    await declare(registry, content, yaml);

    await supply.complete(registry);
    watchShadowedZones(registry, warn);
    watchOverrides(registry, (key, isGone) => {
      log.info(
        `${key} is declared in ${configFile ?? 'a file'} and was ${isGone ? 'removed' : 'changed'} through the API; the next reload or start sets it back`,
      );
    });
    // What fails before has ended the start.
    logOutages(registry, log);
    const schedules = [
      tryFailedStore(registry),
      scheduleOperations(registry, clock, onError),
      scheduleCustomHealth(registry, clock, onError),
      scheduleAliasTargets(
        registry,
        (name) => resolveOwn(registry.state, name, settings.dnsFallback),
        createLookup(resolver),
        onError,
      ),
    ];
    closers.push(async () => {
      for (const schedule of schedules) schedule.close();
      // Before the last writes are waited for, lest a verdict comes in behind them.
      prober.close();
      await registry.close();
    });
    // Aliases of our own names are answered from the start.
    await registry.settle();
    await supply.renewAliases(registry);

    served = registry;
    const http = listeners.addresses.map(formatAddress);
    const dns = publisher.addresses.map(formatAddress);
    readiness = { isReady: true, reason: '', http, dns, sockets: publisher.sockets };
    closers.push(() => {
      readiness = { isReady: false, reason: 'the daemon is stopping', ...NOWHERE };
    });
    // Requests under way still need the registry, so the listeners are the first to be closed.
    closers.push(() => listeners.close(DRAIN_TIMEOUT_MS));
    // Calls that a fault holds up are among those under way, and an import that may take long.
    closers.push(() => faults.close());
    closers.push(() => stopping.abort());
    const isFollowed = yaml !== null && yaml.digest !== null;
    const onLocal = (now: typeof local): void => {
      local = now;
    };
    const reloader = !isFollowed ? null : new Reloader(configuration, yaml, { registry, publisher, ec2, log, onLocal });
    reloader?.start();
    closers.push(() => reloader?.close());
    const reload = (): void => {
      if (reloader === null) log.info('there is no configuration file to read again (CLOUDMAPD_CONFIG, --config)');
      else reloader.reload();
    };
    const { sockets, threadCount: threads } = publisher;
    return {
      registry,
      publisher,
      http,
      dns,
      sockets,
      threads,
      configFile,
      faults,
      reset: () => resetAll(registry),
      reload,
      close,
    };
  } catch (error) {
    await close();
    throw asSettingError(error, settings);
  }
}

/** What a person can mend by a setting, in one line that names it. */
function asSettingError(error: unknown, settings: Settings): unknown {
  if (error instanceof HttpBindError) return bindProblem('CLOUDMAPD_HTTP', '--http', error, 'TCP');
  if (error instanceof BindError && NO_SHARING.includes(error.code)) {
    return new SettingError(
      `CLOUDMAPD_DNS_THREADS: several threads cannot share a port here (${error.message}): set CLOUDMAPD_DNS_THREADS or --dns-threads to 1`,
      { cause: error },
    );
  }
  if (error instanceof BindError) return bindProblem('CLOUDMAPD_DNS', '--dns', error, error.transport);
  if (error instanceof SocketsError) {
    return new SettingError(
      `CLOUDMAPD_DNS_SOCKETS: batched sockets cannot be had here (${error.message}): choose auto or plain with CLOUDMAPD_DNS_SOCKETS or --dns-sockets`,
      { cause: error },
    );
  }
  if (error instanceof StoreError) {
    const mend = error instanceof StoreDamagedError ? 'put a backup in its place, or ' : '';
    return new SettingError(
      `CLOUDMAPD_DATA_DIR: ${error.message}: ${mend}choose another folder with CLOUDMAPD_DATA_DIR or --data-dir (now "${settings.dataDir}")`,
      { cause: error },
    );
  }
  return error;
}

function bindProblem(env: string, flag: string, error: HttpBindError | BindError, transport: string): SettingError {
  const where = `${formatAddress(error.address)} (${transport})`;
  const problem =
    {
      EADDRINUSE: `${where} is in use by another process: stop that one`,
      EACCES: `${where} needs a privilege (CAP_NET_BIND_SERVICE) that this process does not have: grant it`,
      EADDRNOTAVAIL: `${where} is no address of this machine: add it`,
    }[error.code] ?? `${where} cannot be bound (${error.message}): mend that`;
  return new SettingError(`${env}: ${problem}, or choose another address with ${env} or ${flag}`, { cause: error });
}

function logOutages(registry: Registry, log: Log): void {
  registry.onOutage((outage) => {
    if (outage === null) log.info('the store takes changes again');
    else log.error(`${outage.message}: calls that change something fail until it can; DNS and reads go on`);
  });
}

function proberOptions(settings: Settings): ProberOptions {
  return {
    intervalMs: settings.healthIntervalMs,
    timeouts: {
      tcpMs: settings.healthTcpTimeoutMs,
      connectMs: settings.healthConnectTimeoutMs,
      responseMs: settings.healthResponseTimeoutMs,
    },
    concurrency: settings.healthConcurrency,
    holds: settings.healthHold,
  };
}

function proberEvents(log: Log, onError: (error: unknown) => void): ProberEvents {
  return {
    onError,
    onHold: (reason) => {
      if (reason === null) log.warn('health statuses follow the probes again');
      else log.warn(`every probe that fails fails for want of a network (${reason}): health statuses stay as they are`);
    },
    onStarved: (reason) =>
      log.error(
        `a probe could not be made (${reason}): lower CLOUDMAPD_HEALTH_CONCURRENCY or raise the limit of open files`,
      ),
  };
}

function loopLine(setting: string, upstream: Endpoint, isLoop: boolean): string {
  const address = formatAddress(upstream);
  return isLoop
    ? `${setting}: ${address} leads back to this daemon and is not asked: name a resolver there that does not forward to it`
    : `${setting}: ${address} does not lead back to this daemon any more and is asked again`;
}

function compileOptions(settings: Settings, dns: readonly Endpoint[]): CompileOptions {
  return {
    fallback: settings.dnsFallback,
    maxTtlSeconds: settings.dnsMaxTtl ?? null,
    soaTtlSeconds: settings.soaTtl,
    hasPtr: settings.dnsPtr,
    nameServers: { ...listenerAddresses(dns), areWildcard: dns.some(({ address }) => isWildcard(address)) },
  };
}
