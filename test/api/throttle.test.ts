import { DiscoverInstancesCommand, RequestLimitExceeded } from '@aws-sdk/client-servicediscovery';
import { describe, expect, it } from 'vitest';
import { createThrottle } from '../../src/api/throttle.ts';
import { ServiceError } from '../../src/registry/errors.ts';
import { startApi, type TestApi } from '../support/api.ts';

describe('a throttle', () => {
  const throttle = (perSecond: number) => {
    const clock = { now: 1_000_000 };
    const take = createThrottle(perSecond, () => clock.now);
    /** How many of `calls` calls pass. */
    const passing = (calls: number): number => {
      let passed = 0;
      for (let call = 0; call < calls; call++) {
        try {
          take();
          passed++;
        } catch (error) {
          expect(error).toBeInstanceOf(ServiceError);
          expect(error).toMatchObject({
            code: 'RequestLimitExceeded',
            message: expect.stringContaining(`${perSecond}`),
          });
        }
      }
      return passed;
    };
    return { clock, passing, refill: () => take.refill() };
  };

  it.each([1, 2, 10, 1000])('of %d lets twice as many through at once, then so many each second', (perSecond) => {
    const { clock, passing } = throttle(perSecond);
    expect(passing(3 * perSecond)).toBe(2 * perSecond);
    for (let second = 0; second < 3; second++) {
      clock.now += 1000;
      expect(passing(3 * perSecond)).toBe(perSecond);
    }
  });

  it('saves up no more than the burst', () => {
    const { clock, passing } = throttle(10);
    expect(passing(100)).toBe(20);
    clock.now += 3_600_000;
    expect(passing(100)).toBe(20);
  });

  it('fills in parts of a second, and a refused call costs nothing', () => {
    const { clock, passing } = throttle(10);
    passing(20);
    clock.now += 99;
    expect(passing(50)).toBe(0);
    clock.now += 1;
    expect(passing(50)).toBe(1);
    clock.now += 250;
    expect(passing(50)).toBe(2);
    clock.now += 50;
    expect(passing(50)).toBe(1);
  });

  it('neither gives nor takes where the clock goes back', () => {
    const { clock, passing } = throttle(10);
    expect(passing(15)).toBe(15);
    clock.now -= 3_600_000;
    expect(passing(50)).toBe(5);
    clock.now += 100;
    expect(passing(50)).toBe(1);
  });

  it('lets a whole burst through once it is refilled, and no more', () => {
    const { clock, passing, refill } = throttle(10);
    for (const elapsedMs of [0, 1050]) {
      passing(100);
      clock.now += elapsedMs;
      refill();
      expect(passing(100)).toBe(20);
    }
    clock.now += 100;
    expect(passing(100)).toBe(1);
  });

  it('of 0 lets everything through', () => {
    const { passing, refill } = throttle(0);
    refill();
    expect(passing(10_000)).toBe(10_000);
  });
});

describe('over HTTP', () => {
  const QUERY = { NamespaceName: 'shop', ServiceName: 'web' };
  const withApi = async (flags: Parameters<typeof startApi>[0], run: (api: TestApi) => Promise<void>) => {
    const api = await startApi(flags);
    try {
      await api.createService(await api.createNamespace('Http', { Name: 'shop' }), 'web');
      await run(api);
    } finally {
      await api.close();
    }
  };
  /** The wire outcomes of calls until one is throttled; a bucket of one per second cannot outlast that. */
  const callUntilThrottled = async (api: TestApi, operation: string, body: object) => {
    for (let calls = 0; calls < 1000; calls++) {
      const reply = await api.call(operation, body);
      if (reply.body.__type === 'RequestLimitExceeded') return { calls, reply };
    }
    throw new Error('nothing was throttled');
  };

  it.each([
    ['DiscoverInstances', 'quotaDiscoverInstances', 'DiscoverInstancesRevision'],
    ['DiscoverInstancesRevision', 'quotaDiscoverInstancesRevision', 'DiscoverInstances'],
  ] as const)('%s is refused with RequestLimitExceeded past %s, and %s is not', (operation, setting, other) =>
    withApi({ [setting]: '1' }, async (api) => {
      const { calls, reply } = await callUntilThrottled(api, operation, QUERY);
      expect(calls).toBeGreaterThanOrEqual(2);
      expect(reply.status).toBe(400);
      expect(reply.body).toEqual({
        __type: 'RequestLimitExceeded',
        Message: expect.stringMatching(/1 calls? per second/),
      });
      for (let i = 0; i < 10; i++) await api.ok(other, QUERY);
      await api.ok('ListServices');
    }),
  );

  it('the refusal reads in the SDK', () =>
    withApi({ quotaDiscoverInstances: '1' }, async (api) => {
      const send = () => api.sdk.send(new DiscoverInstancesCommand(QUERY)).catch((thrown: unknown) => thrown);
      let last = await send();
      for (let calls = 0; calls < 1000 && !(last instanceof Error); calls++) last = await send();
      expect(last).toBeInstanceOf(RequestLimitExceeded);
    }));

  it('calls that fail are counted too', () =>
    withApi({ quotaDiscoverInstances: '1' }, async (api) => {
      await callUntilThrottled(api, 'DiscoverInstances', { ...QUERY, NamespaceName: 'none' });
    }));

  it('nothing is throttled by default', () =>
    withApi({}, async (api) => {
      const operations = ['DiscoverInstances', 'DiscoverInstancesRevision'];
      for (let i = 0; i < 50; i++) await Promise.all(operations.map((operation) => api.ok(operation, QUERY)));
    }));
});
