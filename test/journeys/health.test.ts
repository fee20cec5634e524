/** Custom health over the API, what DNS makes of it, and DiscoverInstances saying the same. */
import type { HealthStatusFilter } from '@aws-sdk/client-servicediscovery';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api, type ServiceInput } from '../support/journey-api.ts';
import { nextMillisecond, setUpJourney, shareDaemon } from '../support/journey-tools.ts';

const journey = setUpJourney();

/** A service whose instance `n` has the address 10.0.0.n. */
class CheckedService {
  readonly #daemon: RunningDaemon;
  readonly #api: Api;
  readonly #namespace: string;
  id = '';

  private constructor(daemon: RunningDaemon, namespace: string) {
    this.#daemon = daemon;
    this.#api = new Api(daemon.endpoint);
    this.#namespace = namespace;
  }

  static async create(daemon: RunningDaemon, input: ServiceInput = {}): Promise<CheckedService> {
    const service = new CheckedService(daemon, 'corp.internal');
    const namespaceId = await service.#api.createNamespace('corp.internal');
    service.id = await service.#api.createService(namespaceId, 'web', { HealthCheckCustomConfig: {}, ...input });
    return service;
  }

  async register(n: number, status?: 'HEALTHY' | 'UNHEALTHY'): Promise<void> {
    await nextMillisecond();
    const init = status === undefined ? {} : { AWS_INIT_HEALTH_STATUS: status };
    await this.#api.register(this.id, `web-${n}`, { AWS_INSTANCE_IPV4: `10.0.0.${n}`, ...init });
  }

  async deregister(n: number): Promise<void> {
    await this.#api.deregister(this.id, `web-${n}`);
  }

  /** In a millisecond of its own: only equal ones tie for the last healthy. */
  async set(n: number, status: 'HEALTHY' | 'UNHEALTHY'): Promise<void> {
    await nextMillisecond();
    await this.#api.setHealth(this.id, `web-${n}`, status);
  }

  /** The instances that DNS answers, in order. */
  async answered(): Promise<number[]> {
    const { rcode, answer } = await dig(this.#daemon.dnsPort, `web.${this.#namespace}`, 'A');
    expect(rcode).toBe('NOERROR');
    return answer.map((record) => Number(record.split('.').at(-1))).sort();
  }

  async discovered(filter?: HealthStatusFilter): Promise<number[]> {
    const { ids } = await this.#api.discover(this.#namespace, 'web', filter);
    return ids.map((id) => Number(id.slice('web-'.length)));
  }

  async revision(): Promise<number> {
    return (await this.#api.discover(this.#namespace, 'web')).revision;
  }

  /** All filters of DiscoverInstances, and GetInstancesHealthStatus, by which instances are healthy. */
  async expectStatuses(healthy: number[], unhealthy: number[]): Promise<void> {
    const all = [...healthy, ...unhealthy].sort();
    expect(await this.discovered()).toEqual(healthy);
    expect(await this.discovered('HEALTHY')).toEqual(healthy);
    expect(await this.discovered('UNHEALTHY')).toEqual(unhealthy);
    expect(await this.discovered('ALL')).toEqual(all);
    expect(await this.discovered('HEALTHY_OR_ELSE_ALL')).toEqual(healthy.length > 0 ? healthy : all);
    expect(await this.#api.healthOf(this.id)).toEqual({
      ...Object.fromEntries(healthy.map((n) => [`web-${n}`, 'HEALTHY'])),
      ...Object.fromEntries(unhealthy.map((n) => [`web-${n}`, 'UNHEALTHY'])),
    });
  }
}

describe('CLOUDMAPD_DNS_FALLBACK=last-healthy, the default', () => {
  const sharedDaemon = shareDaemon({ settings: { STORE: 'memory' } });
  let daemon: RunningDaemon;
  beforeEach(() => {
    daemon = sharedDaemon();
  });
  afterEach(() => new Api(daemon.endpoint).wipe());

  it('answers the healthy ones, then the one that was healthy last, then the one that recovers', async () => {
    const service = await CheckedService.create(daemon);
    for (const n of [1, 2, 3]) await service.register(n);
    const revision = await service.revision();
    expect(await service.answered()).toEqual([1, 2, 3]);
    await service.expectStatuses([1, 2, 3], []);

    await service.set(2, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1, 3]);
    await service.expectStatuses([1, 3], [2]);

    await service.set(3, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1]);
    await service.expectStatuses([1], [2, 3]);

    await service.set(1, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1]);
    await service.expectStatuses([], [1, 2, 3]);
    // Saying it once more does not make an instance healthier.
    await service.set(3, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1]);

    await service.set(2, 'HEALTHY');
    expect(await service.answered()).toEqual([2]);
    await service.expectStatuses([2], [1, 3]);

    await service.set(2, 'UNHEALTHY');
    expect(await service.answered()).toEqual([2]);

    for (const n of [3, 1]) await service.set(n, 'HEALTHY');
    expect(await service.answered()).toEqual([1, 3]);
    // Health is no change of the instances.
    expect(await service.revision()).toBe(revision);
  });

  it('goes by the registered instances alone, and keeps the time over a re-registration', async () => {
    const service = await CheckedService.create(daemon);
    for (const n of [1, 2, 3]) await service.register(n);
    for (const n of [1, 2, 3]) await service.set(n, 'UNHEALTHY');
    expect(await service.answered()).toEqual([3]);

    await service.deregister(3);
    expect(await service.answered()).toEqual([2]);
    await service.register(2, 'UNHEALTHY');
    expect(await service.answered()).toEqual([2]);

    // Deregistered it is forgotten, so what comes back under the id was never healthy.
    await service.deregister(2);
    await service.register(2, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1]);

    // Re-registered UNHEALTHY while healthy is a change to unhealthy like any other.
    await service.register(2, 'HEALTHY');
    await service.register(2, 'UNHEALTHY');
    expect(await service.answered()).toEqual([2]);
  });

  it('answers the only instance though it was UNHEALTHY from the start', async () => {
    const service = await CheckedService.create(daemon);
    await service.register(1, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1]);
    await service.expectStatuses([], [1]);

    // None was ever healthy: all by policy.
    await service.register(2, 'UNHEALTHY');
    expect(await service.answered()).toEqual([1, 2]);

    await service.register(3);
    expect(await service.answered()).toEqual([3]);
    await service.set(3, 'UNHEALTHY');
    expect(await service.answered()).toEqual([3]);
  });

  it('answers one under WEIGHTED: the healthy one, then the last healthy one', async () => {
    const service = await CheckedService.create(daemon, { policy: 'WEIGHTED' });
    for (const n of [1, 2]) await service.register(n);
    const answersOf = async (): Promise<Set<number>> => {
      const seen = new Set<number>();
      for (let i = 0; i < 60; i++) {
        const answered = await service.answered();
        expect(answered).toHaveLength(1);
        for (const n of answered) seen.add(n);
      }
      return seen;
    };
    expect(await answersOf()).toEqual(new Set([1, 2]));
    await service.set(2, 'UNHEALTHY');
    expect(await answersOf()).toEqual(new Set([1]));
    await service.set(1, 'UNHEALTHY');
    expect(await answersOf()).toEqual(new Set([1]));
    await service.deregister(1);
    expect(await answersOf()).toEqual(new Set([2]));
  });
});

it('answers all of them under CLOUDMAPD_DNS_FALLBACK=all when none is healthy', async () => {
  const daemon = await journey.start({ settings: { STORE: 'memory', DNS_FALLBACK: 'all' } });
  const service = await CheckedService.create(daemon);
  for (const n of [1, 2, 3]) await service.register(n);
  for (const n of [1, 2]) await service.set(n, 'UNHEALTHY');
  expect(await service.answered()).toEqual([3]);
  await service.set(3, 'UNHEALTHY');
  expect(await service.answered()).toEqual([1, 2, 3]);
  await service.expectStatuses([], [1, 2, 3]);
  await service.set(1, 'HEALTHY');
  expect(await service.answered()).toEqual([1]);
});
