/** `cloudmapd wait NAMESPACE SERVICE --healthy N`: in place of a sleep in scripts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient, type AskFlags, endpointOf, RefusedError } from './api-client.ts';
import { CommandError, UsageError } from './command.ts';
import { count } from './count.ts';
import { UnreachableError } from './daemon-client.ts';
import { readDuration } from './duration.ts';
import { type FoundInstance, type ShownInstance, shownInstances } from './instances.ts';
import { findPlace, httpNameOf, isNotFound, NotThereError, type Place } from './lookup.ts';
import { startProgress } from './progress.ts';
import { writeResult } from './result.ts';

export interface WaitFlags extends AskFlags {
  readonly healthy: string;
  readonly timeout: string;
}

/** Between two looks: a look costs the daemon a fraction of a millisecond, and whoever waits some of that. */
const FIRST_DELAY_MS = 20;
const MOST_DELAY_MS = 200;
/** However short the time is, what is there is told: the first look has so long, on a busy machine too. */
const FIRST_LOOK_MS = 5000;
/** Whoever took the connection may be gone, and another there already. */
const ASK_TIMEOUT_MS = 10_000;
/** Cloud Map: DiscoverMaxResults. */
const MOST = 1000;
const MOST_NAMED = 3;

/**
 * Waits for all of it: the daemon, its listeners, the namespace, the service, and so many instances that discovery finds
 * as healthy, which DNS answers too when this ends.
 * @throws CommandError that says what there was instead when the time was over
 */
export async function wait(
  namespaceName: string,
  serviceName: string,
  flags: WaitFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const wanted = Number(flags.healthy);
  if (!(/^\d+$/.test(flags.healthy) && wanted <= MOST)) {
    throw new UsageError(`--healthy: "${flags.healthy}" is no number from 0 to ${MOST}`);
  }
  const timeoutMs = readDuration(flags.timeout, '--timeout');
  const endpoint = endpointOf(flags, env);
  const deadlineMs = performance.now() + timeoutMs;
  const over = new AbortController();
  const api = new ApiClient(endpoint, over.signal, ASK_TIMEOUT_MS);
  const look = lookFor(api, namespaceName, serviceName, wanted);
  const progress = startProgress();
  let timer = setTimeout(() => over.abort(), Math.max(timeoutMs, FIRST_LOOK_MS));
  const onMissing = (missing: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => over.abort(), Math.max(0, deadlineMs - performance.now()));
    progress.show(`waiting: ${missing}`);
  };
  try {
    const found = await lookUntil(look, deadlineMs, flags.timeout, onMissing);
    progress.end();
    const { place, instances } = found;
    const value = { namespace: place.namespace.Name, service: place.service.Name, wanted, instances };
    await writeResult(flags.json, value, () => [
      wanted === 0 ? `${place.name} is there` : `${place.name}: ${count(instances.length, 'healthy instance')}`,
    ]);
  } finally {
    clearTimeout(timer);
    progress.end();
  }
}

interface Found {
  readonly place: Place;
  /** Healthy ones, `wanted` of them at least. */
  readonly instances: readonly ShownInstance[];
}

/** @returns what is found, or what is missing yet @throws what no waiting would mend */
type Look = () => Promise<Found | string>;

async function lookUntil(
  look: Look,
  deadlineMs: number,
  timeout: string,
  onMissing: (what: string) => void,
): Promise<Found> {
  let last: string | null = null;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(1.5 * delayMs, MOST_DELAY_MS)) {
    const found = await look();
    if (typeof found !== 'string') return found;
    const leftMs = deadlineMs - performance.now();
    // A look that the end of the time cut short says less than the one before.
    if (leftMs > 0 || last === null) last = found;
    onMissing(last);
    if (leftMs <= 0) throw new CommandError(`${last} (waited ${timeout})`);
    await sleep(Math.min(delayMs, leftMs));
  }
}

function lookFor(api: ApiClient, namespaceName: string, serviceName: string, wanted: number): Look {
  let place: Place | null = null;
  let missing: string | null = null;
  return async () => {
    try {
      place ??= await findPlace(api, namespaceName, serviceName);
      const instances = await discover(api, place, 'HEALTHY');
      if (instances.length < wanted) {
        missing = missingText(place, instances, await discover(api, place, 'ALL'), wanted);
        return missing;
      }
      // Whether it answers DNS at all, and then what was found.
      await api.admin<{ status: string }>('GET', '/readyz', 'status');
      await passThreads(api);
      return { place, instances };
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'InvalidInput') throw error;
      // It may be made anew, with another id.
      if (isNotFound(error)) place = null;
      // How many are there is what somebody waits to hear of, not that this was asked too often.
      if (missing !== null && error instanceof RefusedError && error.code === 'RequestLimitExceeded') return missing;
      if (error instanceof RefusedError) return `${api.name}: ${error.reason}`;
      if (error instanceof UnreachableError || error instanceof NotThereError) return error.message;
      throw error;
    }
  };
}

/**
 * Answering threads are told one thing after the other: once they have forgotten a name that nobody has, they answer all
 * that there was before. Under a name that is not the daemon's own nobody may ask for that, and it is a matter of some
 * milliseconds.
 */
async function passThreads(api: ApiClient): Promise<void> {
  try {
    await api.admin<{ flushed: number }>('POST', '/admin/flush', 'flushed', { name: 'wait.cloudmapd.invalid' });
  } catch (error) {
    if (!(error instanceof RefusedError && error.code === 'AccessDeniedException')) throw error;
  }
}

/** @param healthy all of them, as there are fewer than are wanted */
function missingText(
  { name }: Place,
  healthy: readonly ShownInstance[],
  all: readonly ShownInstance[],
  wanted: number,
): string {
  const ids = new Set(healthy.map(({ id }) => id));
  const others = all.map(({ id }) => id).filter((id) => !ids.has(id));
  const more = others.length - MOST_NAMED;
  const named = others.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
  return `${name}: ${healthy.length} of ${count(all.length, 'instance')} healthy, ${wanted} wanted${named && `; UNHEALTHY: ${named}`}`;
}

/** Where the service has no check every instance is found as healthy, as in DNS. */
async function discover(api: ApiClient, place: Place, status: string): Promise<ShownInstance[]> {
  const { Instances } = await api.call<{ Instances: readonly FoundInstance[] }>('DiscoverInstances', {
    NamespaceName: httpNameOf(place.namespace),
    ServiceName: place.service.Name,
    HealthStatus: status,
    MaxResults: MOST,
  });
  return shownInstances(Instances);
}
