import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthCheck } from '../../src/registry/model.ts';
import { deleteService } from '../../src/registry/services.ts';
import { openProbing, REFUSED, updateCommand } from '../support/prober.ts';

const NOW = Date.UTC(2030, 0, 1);
const INTERVAL = 1000;
const ADDRESS = '10.0.0.1';
const TCP: HealthCheck = { type: 'TCP', path: null, failureThreshold: 1 };

// The registry's own turns of the event loop stay real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

describe('probing ends', () => {
  it('where the instance is deregistered, and what is under way brings nothing', async () => {
    const { register, deregister, endpoints, advance, instance, prober, store } = await openProbing(TCP);
    endpoints.answer('hang', ADDRESS);
    await register('one');
    await deregister('one');
    expect(endpoints.begun[0]?.signal.aborted).toBe(true);
    const { commits } = store;
    await advance(5 * INTERVAL);
    expect(instance('one')).toBeUndefined();
    expect([endpoints.begun.length, store.commits, prober.size, vi.getTimerCount()]).toEqual([1, commits, 0, 0]);
  });

  it('where it is deregistered between two probes, or while it waits for a turn', async () => {
    const { register, deregister, endpoints, advance, prober } = await openProbing(TCP, { concurrency: 1 });
    await register('one');
    endpoints.answer('hang', '10.0.0.2');
    await register('two', '10.0.0.2');
    await register('three', '10.0.0.3');
    for (const id of ['one', 'three', 'two']) await deregister(id);
    await advance(5 * INTERVAL);
    expect(endpoints.begun).toHaveLength(2);
    expect([prober.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('where the service is updated to have no check, and deleted', async () => {
    const { register, deregister, update, registry, endpoints, advance, prober, serviceId } = await openProbing(TCP);
    await register('one');
    await update(null);
    expect([prober.size, vi.getTimerCount()]).toEqual([0, 0]);
    await advance(5 * INTERVAL);
    expect(endpoints.begun).toHaveLength(1);
    await deregister('one');
    await registry.submit((state, context) => deleteService(state, { id: serviceId }, context));
    await advance(5 * INTERVAL);
    expect(endpoints.begun).toHaveLength(1);
  });

  it('with close(): nothing is under way or due, and nothing is probed any longer', async () => {
    const { register, endpoints, advance, instance, prober, update } = await openProbing(TCP, { concurrency: 2 });
    endpoints.answer('hang', '10.0.0.2', '10.0.0.3');
    for (let i = 1; i <= 4; i++) await register(`i-${i}`, `10.0.0.${i}`);
    prober.close();
    expect(endpoints.begun.filter(({ signal }) => !signal.aborted).map(({ address }) => address)).toEqual([]);
    expect([prober.size, vi.getTimerCount()]).toEqual([0, 0]);
    const { length } = endpoints.begun;
    await register('later', '10.0.0.5');
    await update({ ...TCP, failureThreshold: 2 });
    await advance(5 * INTERVAL);
    expect(endpoints.begun).toHaveLength(length);
    expect(instance('i-2').health.status).toBe('HEALTHY');
  });
});

describe('probing begins anew', () => {
  it('where the instance is registered anew: another target, at once, its counts from nothing', async () => {
    const { register, endpoints, advance, instance, prober } = await openProbing({ failureThreshold: 2 });
    endpoints.answer(REFUSED, ADDRESS, '10.0.0.2');
    await register('one');
    await advance(3 * INTERVAL);
    expect(instance('one').health.status).toBe('UNHEALTHY');
    const before = endpoints.times(ADDRESS).length;
    await register('one', '10.0.0.2');
    // A new check counts as healthy until there is data.
    expect(instance('one').health.status).toBe('HEALTHY');
    expect(endpoints.times('10.0.0.2')).toEqual([Date.now()]);
    while (endpoints.times('10.0.0.2').length < 2) {
      expect(instance('one').health.status).toBe('HEALTHY');
      await advance(1);
    }
    expect(instance('one').health.status).toBe('UNHEALTHY');
    await advance(3 * INTERVAL);
    expect(endpoints.times(ADDRESS)).toHaveLength(before);
    expect(prober.size).toBe(1);
  });

  it('where it is registered anew as it was', async () => {
    const { register, endpoints, advance, instance } = await openProbing({ failureThreshold: 3 });
    endpoints.answer(REFUSED, ADDRESS);
    await register('one');
    while (endpoints.begun.length < 2) await advance(1);
    await register('one');
    expect(endpoints.begun).toHaveLength(3);
    await advance(1);
    expect(instance('one').health.status).toBe('HEALTHY');
  });

  it('and what the earlier registration had under way says nothing of the new one', async () => {
    const { register, endpoints, instance, registry } = await openProbing(TCP);
    endpoints.answer('hang', ADDRESS);
    await register('one');
    // The verdict and the registration meet in one batch, whose order is theirs.
    const registered = register('one', '10.0.0.2');
    endpoints.begun[0]?.finish(REFUSED);
    await registered;
    await registry.settle();
    expect(instance('one')).toMatchObject({
      attributes: { AWS_INSTANCE_IPV4: '10.0.0.2' },
      health: { status: 'HEALTHY', lastHealthyAt: null },
    });
    expect(endpoints.begun.map(({ address }) => address)).toEqual([ADDRESS, '10.0.0.2']);
  });

  it.each([
    ['the path', { type: 'HTTP', path: '/a', failureThreshold: 2 }, { type: 'HTTP', path: '/b', failureThreshold: 2 }],
    [
      'the threshold',
      { type: 'TCP', path: null, failureThreshold: 3 },
      { type: 'TCP', path: null, failureThreshold: 2 },
    ],
  ] as const)('where the service is updated: %s', async (_, before, after) => {
    const { register, update, endpoints, advance, instance, registry, prober } = await openProbing(before);
    endpoints.answer(REFUSED, ADDRESS);
    await register('one');
    const updated = update(after);
    await updated;
    await registry.settle();
    // In its turn, as after a restart: a service of thousands would be probed all at once otherwise.
    expect(endpoints.begun).toHaveLength(1);
    await advance(INTERVAL);
    expect(endpoints.begun[1]?.target.path).toBe(after.path ?? '/');
    expect(instance('one').health.status).toBe('HEALTHY');
    while (endpoints.begun.length < 3) await advance(1);
    expect(instance('one').health.status).toBe('UNHEALTHY');
    expect(prober.size).toBe(1);
  });

  it('and what the earlier check had under way says nothing', async () => {
    const { register, update, endpoints, advance, instance, registry } = await openProbing({ ...TCP, type: 'HTTP' });
    endpoints.answer('hang', ADDRESS);
    await register('one');
    const updated = update({ type: 'HTTP', path: '/other', failureThreshold: 1 });
    endpoints.begun[0]?.finish(REFUSED);
    await updated;
    await registry.settle();
    await advance(INTERVAL);
    expect(instance('one').health.status).toBe('HEALTHY');
    expect(endpoints.begun.map(({ target }) => target.path)).toEqual(['/', '/other']);
  });

  it('where the service gets a check: every instance at once', async () => {
    const { register, update, endpoints, advance, instance } = await openProbing(null);
    endpoints.answer(REFUSED, ADDRESS);
    await register('one');
    await register('two', '10.0.0.2');
    await advance(3 * INTERVAL);
    expect(endpoints.begun).toEqual([]);
    await update(TCP);
    await advance(0);
    expect([...endpoints.times(ADDRESS), ...endpoints.times('10.0.0.2')]).toEqual([Date.now(), Date.now()]);
    expect([instance('one').health.status, instance('two').health.status]).toEqual(['UNHEALTHY', 'HEALTHY']);
  });

  it('not where the update leaves the check as it is: it has to be sent with every update', async () => {
    const check: HealthCheck = { type: 'HTTP', path: '/up', failureThreshold: 2 };
    const { register, registry, serviceId, endpoints, advance, instance } = await openProbing(check);
    endpoints.answer(REFUSED, ADDRESS);
    await register('one');
    await registry.submit(updateCommand(registry, serviceId, { ...check }, { description: 'another text' }));
    await advance(0);
    expect(endpoints.begun).toHaveLength(1);
    while (endpoints.begun.length < 2) await advance(1);
    // The count went on, and the verdict holds of the check as it now is.
    expect(instance('one').health.status).toBe('UNHEALTHY');
  });
});
