import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openProbing, PASSED, REFUSED } from '../support/prober.ts';

const NOW = Date.UTC(2030, 0, 1);
const INTERVAL = 1000;
const ADDRESS = '10.0.0.1';

// The registry's own turns of the event loop stay real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

describe('a status', () => {
  it.each([
    ['after three in a row where the service names no threshold', null, 3],
    ['at once with a threshold of 1', 1, 1],
    ['after four in a row', 4, 4],
    ['after ten in a row', 10, 10],
  ] as const)('turns either way %s', async (_, failureThreshold, threshold) => {
    const { register, endpoints, advance, instance } = await openProbing({ failureThreshold });
    endpoints.answer(REFUSED, ADDRESS);
    await register('one');
    // From here on one probe an interval.
    while (endpoints.begun.length < 2) await advance(1);
    const turnsAfter = async (from: string, probes: number) => {
      for (let i = 1; i < probes; i++) {
        expect(instance('one').health.status).toBe(from);
        await advance(INTERVAL);
      }
    };
    await turnsAfter('HEALTHY', threshold - 1);
    expect(instance('one').health.status).toBe('UNHEALTHY');
    await advance(INTERVAL);
    endpoints.answer(PASSED, ADDRESS);
    await turnsAfter('UNHEALTHY', threshold);
    await advance(INTERVAL);
    expect(instance('one').health.status).toBe('HEALTHY');
    endpoints.answer(REFUSED, ADDRESS);
    await turnsAfter('HEALTHY', threshold);
    await advance(INTERVAL);
    expect(instance('one').health.status).toBe('UNHEALTHY');
  });

  it('stays while contrary results break every row', async () => {
    const { register, endpoints, advance, instance, store } = await openProbing({ failureThreshold: 3 });
    await register('one');
    while (endpoints.begun.length < 2) await advance(1);
    const { commits } = store;
    for (let i = 0; i < 30; i++) {
      endpoints.answer(i % 3 === 2 ? PASSED : REFUSED, ADDRESS);
      await advance(INTERVAL);
      expect(instance('one').health.status).toBe('HEALTHY');
    }
    for (let i = 0; i < 3; i++) {
      endpoints.answer(REFUSED, ADDRESS);
      await advance(INTERVAL);
    }
    expect(instance('one').health.status).toBe('UNHEALTHY');
    for (let i = 0; i < 30; i++) {
      endpoints.answer(i % 3 === 2 ? REFUSED : PASSED, ADDRESS);
      await advance(INTERVAL);
      expect(instance('one').health.status).toBe('UNHEALTHY');
    }
    expect(store.commits).toBe(commits + 1);
  });

  it('is written when it turns, and no other probe writes anything', async () => {
    const { register, endpoints, advance, instance, store } = await openProbing({ failureThreshold: 2 });
    await register('one');
    const { commits } = store;
    const { transitions } = instance('one').health;
    expect(transitions).toBeUndefined();
    await advance(20 * INTERVAL);
    expect([store.commits, instance('one').health.lastHealthyAt]).toEqual([commits, null]);
    const passes = endpoints.begun.length;
    endpoints.answer(REFUSED, ADDRESS);
    await advance(20 * INTERVAL);
    const [, wentDown] = endpoints.times(ADDRESS).slice(passes);
    expect(instance('one').health).toEqual({
      status: 'UNHEALTHY',
      lastHealthyAt: wentDown,
      pending: null,
      transitions: [{ at: wentDown, status: 'UNHEALTHY', reason: 'connect ECONNREFUSED, 2 in a row' }],
    });
    expect(store.commits).toBe(commits + 1);
    endpoints.answer(PASSED, ADDRESS);
    await advance(20 * INTERVAL);
    expect(instance('one').health).toMatchObject({ status: 'HEALTHY', lastHealthyAt: wentDown });
    expect(store.commits).toBe(commits + 2);
  });

  it('keeps its last ten transitions, each with its reason', async () => {
    const { register, endpoints, advance, instance } = await openProbing({ failureThreshold: 1 });
    endpoints.answer({ kind: 'failed', reason: 'HTTP 503', isLocal: false }, ADDRESS);
    await register('one');
    for (let i = 0; i < 13; i++) {
      while (instance('one').health.status === (i % 2 === 0 ? 'HEALTHY' : 'UNHEALTHY')) await advance(1);
      endpoints.answer(i % 2 === 0 ? PASSED : { kind: 'failed', reason: `HTTP 50${i}`, isLocal: false }, ADDRESS);
    }
    const { transitions = [], lastHealthyAt } = instance('one').health;
    expect(transitions.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
      'HEALTHY probe passed, 1 in a row',
      'UNHEALTHY HTTP 503, 1 in a row',
      'HEALTHY probe passed, 1 in a row',
      'UNHEALTHY HTTP 505, 1 in a row',
      'HEALTHY probe passed, 1 in a row',
      'UNHEALTHY HTTP 507, 1 in a row',
      'HEALTHY probe passed, 1 in a row',
      'UNHEALTHY HTTP 509, 1 in a row',
      'HEALTHY probe passed, 1 in a row',
      'UNHEALTHY HTTP 5011, 1 in a row',
    ]);
    expect(transitions.map(({ at }) => at)).toEqual(endpoints.times(ADDRESS).slice(-10));
    expect(lastHealthyAt).toBe(transitions.at(-1)?.at);
  });

  it('that could not be written is written by the next probe', async () => {
    const { register, endpoints, advance, instance, store, errors } = await openProbing({ failureThreshold: 2 });
    await register('one');
    endpoints.answer(REFUSED, ADDRESS);
    store.isBroken = true;
    await advance(4 * INTERVAL);
    expect(instance('one').health).toEqual({ status: 'HEALTHY', lastHealthyAt: null, pending: null });
    expect(errors.map(String)).toContain('StoreError: the disk is full');
    const failures = errors.length;
    store.isBroken = false;
    const probes = endpoints.begun.length;
    while (endpoints.begun.length === probes) await advance(1);
    expect(instance('one').health).toMatchObject({ status: 'UNHEALTHY', lastHealthyAt: endpoints.begun.at(-1)?.at });
    await advance(5 * INTERVAL);
    expect(errors).toHaveLength(failures);
  });

  it('takes no verdict from a probe that could not be made, which is told once', async () => {
    const { register, endpoints, advance, instance, starved } = await openProbing({ failureThreshold: 2 });
    endpoints.answer({ kind: 'none', reason: 'connect EMFILE' }, ADDRESS, '10.0.0.2');
    await register('one');
    await register('two', '10.0.0.2');
    await advance(10 * INTERVAL);
    expect(starved).toEqual(['connect EMFILE']);
    expect(instance('one').health.status).toBe('HEALTHY');
    // It breaks no row either: what it would have said is not known.
    endpoints.answer(REFUSED, ADDRESS);
    await advance(INTERVAL);
    endpoints.answer({ kind: 'none', reason: 'connect EMFILE' }, ADDRESS);
    await advance(3 * INTERVAL);
    expect(instance('one').health.status).toBe('HEALTHY');
    expect(starved).toEqual(['connect EMFILE', 'connect EMFILE']);
    endpoints.answer(REFUSED, ADDRESS);
    await advance(INTERVAL);
    expect(instance('one').health.status).toBe('UNHEALTHY');
  });

  it('goes on after a restart until new probes reach the threshold, either way', async () => {
    const first = await openProbing({ failureThreshold: 3 });
    first.endpoints.answer(REFUSED, ADDRESS);
    await first.register('sick');
    await first.register('well', '10.0.0.2');
    await first.advance(5 * INTERVAL);
    const { health } = first.instance('sick');
    expect(health.status).toBe('UNHEALTHY');
    // Failures of before the restart count no longer after it.
    first.endpoints.answer(REFUSED, '10.0.0.2');
    const probes = first.endpoints.times('10.0.0.2').length;
    while (first.endpoints.times('10.0.0.2').length < probes + 2) await first.advance(1);

    const { endpoints, instance, advance } = await first.restart();
    endpoints.answer(REFUSED, '10.0.0.2');
    expect([endpoints.begun, instance('sick').health]).toEqual([[], health]);
    for (let ms = 0; ms < 4 * INTERVAL; ms++) {
      const isSickStill = endpoints.times(ADDRESS).length < 3;
      const isWellStill = endpoints.times('10.0.0.2').length < 3;
      expect(instance('sick').health.status).toBe(isSickStill ? 'UNHEALTHY' : 'HEALTHY');
      expect(instance('well').health.status).toBe(isWellStill ? 'HEALTHY' : 'UNHEALTHY');
      await advance(1);
    }
    expect(endpoints.begun.length).toBeGreaterThanOrEqual(8);
  });
});
