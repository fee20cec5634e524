import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthCheck } from '../../src/registry/model.ts';
import { openProbing, PASSED, settleAll } from '../support/prober.ts';
import { registerCommand, serviceCommand } from '../support/registry.ts';

const NOW = Date.UTC(2030, 0, 1);
const INTERVAL = 1000;
const ADDRESS = '10.0.0.1';
const TCP: HealthCheck = { type: 'TCP', path: null, failureThreshold: 1 };

// The registry's own turns of the event loop stay real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - (times[i] as number));

describe('the first probe', () => {
  it('runs at once on registration', async () => {
    const { register, endpoints, advance } = await openProbing();
    await advance(777);
    await register('one');
    expect(endpoints.times(ADDRESS)).toEqual([Date.now()]);
  });

  it.each([
    ['TCP', { type: 'TCP', path: null }, {}, { type: 'TCP', address: ADDRESS, port: 80, path: '/' }],
    ['HTTP without a path', { type: 'HTTP', path: null }, {}, { type: 'HTTP', path: '/' }],
    ['a path with a query', { type: 'HTTPS', path: '/up?deep=1' }, {}, { type: 'HTTPS', path: '/up?deep=1' }],
    ['a port of its own', {}, { AWS_INSTANCE_PORT: '8080' }, { port: 8080 }],
    ['both addresses: IPv4 speaks for both', {}, { AWS_INSTANCE_IPV6: 'fd00::1' }, { address: ADDRESS }],
  ] as const)('is aimed by service and instance: %s', async (_, check, rest, target) => {
    const { register, endpoints } = await openProbing(check);
    await register('one', ADDRESS, rest);
    expect(endpoints.begun[0]?.target).toMatchObject({ ...target, host: 'service.space' });
    expect(endpoints.begun[0]?.timeouts).toEqual({ tcpMs: 10_000, connectMs: 4000, responseMs: 2000 });
  });

  it('is aimed at IPv6 where there is no other address', async () => {
    const { registry, endpoints } = await openProbing();
    const [namespace] = registry.state.namespaces();
    const dns = { routingPolicy: 'MULTIVALUE' as const, records: [{ type: 'AAAA' as const, ttlSeconds: 60 }] };
    const { id } = await registry.submit(serviceCommand(namespace?.id ?? '', 'six', { dns, healthCheck: TCP }));
    await registry.submit(registerCommand(id, 'one', { AWS_INSTANCE_IPV6: 'fd00::1', AWS_INSTANCE_PORT: '80' }));
    expect(endpoints.times('fd00::1')).toHaveLength(1);
  });

  it('comes to none but those who can be probed', async () => {
    const { registry, endpoints, prober, advance, serviceId, update, register } = await openProbing(null);
    const [namespace] = registry.state.namespaces();
    const add = async (name: string, policy: 'WEIGHTED' | null, check: object, attributes: Record<string, string>) => {
      const dns = policy && { routingPolicy: policy, records: [{ type: 'A' as const, ttlSeconds: 60 }] };
      const { id } = await registry.submit(serviceCommand(namespace?.id ?? '', name, { dns, ...check }));
      await registry.submit(registerCommand(id, 'one', attributes));
    };
    const address = { AWS_INSTANCE_IPV4: '10.0.0.9', AWS_INSTANCE_PORT: '80' };
    await add('alias', 'WEIGHTED', { healthCheck: TCP }, { AWS_ALIAS_DNS_NAME: 'lb.example' });
    await add('no-address', null, { healthCheck: TCP }, { AWS_INSTANCE_PORT: '80' });
    await add('no-check', 'WEIGHTED', {}, { ...address });
    await add('custom', 'WEIGHTED', { hasCustomHealthCheck: true }, { ...address });
    // Without a port: registered before its service had a check.
    await registry.submit(registerCommand(serviceId, 'no-port', { AWS_INSTANCE_IPV4: '10.0.0.9' }));
    await register('has-port');
    await update(TCP);
    await advance(10 * INTERVAL);
    expect(new Set(endpoints.begun.map((probe) => probe.address))).toEqual(new Set([ADDRESS]));
    expect(prober.size).toBe(1);
  });
});

describe('the probes that follow', () => {
  it('run once an interval at a moment of their own', async () => {
    const { register, endpoints, advance } = await openProbing();
    for (let i = 0; i < 5; i++) {
      await advance(137);
      await register(`i-${i}`, `10.0.0.${i}`);
    }
    await advance(20 * INTERVAL);
    const moments = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const [first = 0, second = 0, ...more] = endpoints.times(`10.0.0.${i}`);
      // Not at once after the first one, whenever that was.
      expect(second - first).toBeGreaterThanOrEqual(INTERVAL / 2);
      expect(second - first).toBeLessThan(1.5 * INTERVAL);
      expect(more.length).toBeGreaterThanOrEqual(18);
      expect(new Set(gaps([second, ...more]))).toEqual(new Set([INTERVAL]));
      moments.add(second % INTERVAL);
    }
    expect(moments.size).toBe(5);
  });

  it('wait for the one under way, and for their moment then', async () => {
    const { register, endpoints, advance } = await openProbing();
    endpoints.answer('hang', ADDRESS);
    await register('one');
    await advance(3.3 * INTERVAL);
    expect(endpoints.begun).toHaveLength(1);
    endpoints.begun[0]?.finish(PASSED);
    await advance(INTERVAL);
    expect(endpoints.begun).toHaveLength(2);
    const moment = (endpoints.begun[1]?.at as number) % INTERVAL;
    endpoints.begun[1]?.finish(PASSED);
    await advance(INTERVAL);
    expect(endpoints.begun.map(({ at }) => at % INTERVAL).slice(1)).toEqual([moment, moment]);
    expect(endpoints.most).toBe(1);
  });

  it('go on through a clock that is set back while a probe is under way', async () => {
    const { register, endpoints, advance } = await openProbing();
    endpoints.answer('hang', ADDRESS);
    await register('one');
    vi.setSystemTime(Date.now() - 3_600_000);
    endpoints.begun[0]?.finish(PASSED);
    await advance(2 * INTERVAL);
    expect(endpoints.begun.length).toBeGreaterThan(1);
  });
});

describe('probes under way at once', () => {
  it('are bounded, and the others take their turns as they came', async () => {
    const { register, endpoints, advance } = await openProbing({}, { concurrency: 3 });
    const addresses = Array.from({ length: 10 }, (_, i) => `10.0.0.${i}`);
    endpoints.answer('hang', ...addresses);
    for (const [i, address] of addresses.entries()) await register(`i-${i}`, address);
    expect(endpoints.begun.map(({ address }) => address)).toEqual(addresses.slice(0, 3));
    // Each takes so long that all want to be probed again before the last has had a turn.
    for (let ended = 0; ended < 40; ended++) {
      await advance(INTERVAL / 2);
      endpoints.begun[ended]?.finish(PASSED);
      await advance(0);
    }
    expect(endpoints.most).toBe(3);
    for (let turn = 0; turn < 40; turn += 10) {
      const probed = endpoints.begun.slice(turn, turn + 10).map(({ address }) => address);
      expect(new Set(probed)).toEqual(new Set(addresses));
    }
  });

  it('leave a place where one is ended, and none is taken by one that has gone meanwhile', async () => {
    const { register, deregister, endpoints, prober } = await openProbing({}, { concurrency: 1 });
    endpoints.answer('hang', '10.0.0.1', '10.0.0.2', '10.0.0.3');
    for (let i = 1; i <= 3; i++) await register(`i-${i}`, `10.0.0.${i}`);
    await deregister('i-2');
    await deregister('i-1');
    expect(endpoints.begun.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.3']);
    expect([prober.size, endpoints.underWay.size]).toEqual([1, 1]);
  });
});

describe('after a restart', () => {
  it('probes are spread from the first one on', async () => {
    const first = await openProbing();
    for (let i = 0; i < 20; i++) await first.register(`i-${i}`, `10.0.0.${i}`);
    const second = await first.restart();
    await second.advance(0);
    expect(second.endpoints.begun.length).toBeLessThan(3);
    await second.advance(INTERVAL - 1);
    expect(new Set(second.endpoints.begun.map(({ address }) => address)).size).toBe(20);
    expect(second.endpoints.begun).toHaveLength(20);
    // One that is registered now is probed at once all the same.
    await second.register('new', '10.0.0.99');
    expect(second.endpoints.times('10.0.0.99')).toEqual([Date.now()]);
  });
});

describe('the probes of many instances', () => {
  /** Per slot of the interval, as if by chance: the square root is the deviation. */
  const MEAN = 100;

  it.each([
    ['counted up', 10_000, (i: number) => `i-${i}`],
    ['addresses with ports', 3000, (i: number) => `10.1.${i >> 8}.${i & 255}:8080`],
    ['tasks of an orchestrator', 3000, (i: number) => ((i * 0x9e3779b1) >>> 0).toString(16).padStart(32, '0')],
  ])('are spread over the interval: ids that are %s', async (_, count, idOf) => {
    const slotCount = count / MEAN;
    const slotMs = 100;
    const options = { intervalMs: slotCount * slotMs, concurrency: count };
    const first = await openProbing({}, options);
    first.prober.close();
    const register = (_: unknown, i: number) => first.register(idOf(i), `10.2.${i >> 8}.${i & 255}`);
    await Promise.all(Array.from({ length: count }, register));
    const { endpoints, prober, registry } = await first.restart();
    expect(prober.size).toBe(count);
    const probesWithin = async (ms: number): Promise<number> => {
      const before = endpoints.begun.length;
      vi.advanceTimersByTime(ms);
      // Their results come in, and set the times of the next ones.
      await settleAll(registry);
      return endpoints.begun.length - before;
    };
    // Those whose moment is right now; it comes again at the end of the interval.
    await probesWithin(0);
    const slots: number[] = [];
    while (slots.length < 2 * slotCount) slots.push(await probesWithin(slotMs));
    prober.close();
    expect(Math.max(...slots)).toBeLessThan(MEAN + 5 * Math.sqrt(MEAN));
    expect(Math.min(...slots)).toBeGreaterThan(MEAN - 5 * Math.sqrt(MEAN));
    expect(slots.slice(0, slotCount).reduce((sum, probes) => sum + probes, 0)).toBe(count);
    expect(slots.slice(slotCount)).toEqual(slots.slice(0, slotCount));
  });
});
