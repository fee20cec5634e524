import { describe, expect, it } from 'vitest';
import type { Decider } from '../../src/registry/decision.ts';
import { settleCustomHealth, updateCustomHealth } from '../../src/registry/health.ts';
import { changedStatus, firstHealth, replacedHealth, visibleStatus } from '../../src/registry/health-status.ts';
import type { HealthStatus, Instance, InstanceHealth, Service } from '../../src/registry/model.ts';
import { deregisterCommand, openRegistry, registerCommand, withService } from '../support/registry.ts';

const healthy = (lastHealthyAt: number | null = null): InstanceHealth => ({
  status: 'HEALTHY',
  lastHealthyAt,
  pending: null,
});
const unhealthy = (lastHealthyAt: number | null = null): InstanceHealth => ({
  status: 'UNHEALTHY',
  lastHealthyAt,
  pending: null,
});
const NOW = 5000;

describe('changedStatus', () => {
  it.each([
    ['HEALTHY to UNHEALTHY is when it was last healthy', healthy(), 'UNHEALTHY', unhealthy(NOW)],
    ['HEALTHY to UNHEALTHY replaces an earlier time', healthy(7), 'UNHEALTHY', unhealthy(NOW)],
    ['UNHEALTHY to HEALTHY keeps the time', unhealthy(7), 'HEALTHY', healthy(7)],
    ['UNHEALTHY to HEALTHY invents none', unhealthy(), 'HEALTHY', healthy()],
    ['HEALTHY to HEALTHY writes nothing', healthy(7), 'HEALTHY', healthy(7)],
    ['UNHEALTHY to UNHEALTHY writes nothing', unhealthy(7), 'UNHEALTHY', unhealthy(7)],
    ['a pending status is over', { ...healthy(), pending: { status: 'UNHEALTHY', dueAt: 1 } }, 'HEALTHY', healthy()],
  ] as const)('%s', (_, before, status, after) => {
    expect(changedStatus(before, status, NOW, 'because')).toMatchObject(after);
  });
});

describe('replacedHealth', () => {
  it.each([
    ['HEALTHY by HEALTHY keeps the time', healthy(7), healthy(), healthy(7)],
    ['HEALTHY by UNHEALTHY was healthy till now', healthy(7), unhealthy(), unhealthy(NOW)],
    ['UNHEALTHY by UNHEALTHY keeps the time', unhealthy(7), unhealthy(), unhealthy(7)],
    ['UNHEALTHY by HEALTHY keeps the time', unhealthy(7), healthy(), healthy(7)],
    ['UNHEALTHY by UNHEALTHY, never healthy', unhealthy(), unhealthy(), unhealthy()],
    [
      'a pending status goes with the registration it was for',
      { ...unhealthy(7), pending: { status: 'HEALTHY', dueAt: 9 } },
      unhealthy(),
      unhealthy(7),
    ],
  ] as const)('%s', (_, previous, next, joined) => {
    expect(replacedHealth(previous, next, NOW)).toMatchObject(joined);
  });
});

describe('firstHealth and visibleStatus', () => {
  const service = (checks: Partial<Service>) =>
    ({ healthCheck: null, hasCustomHealthCheck: false, ...checks }) as Service;
  const probed = service({ healthCheck: { type: 'TCP', path: null, failureThreshold: null } });
  const custom = service({ hasCustomHealthCheck: true });
  const bare = service({});

  const TARGET = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' };

  it.each([
    ['one without an address, which nobody can probe,', probed, {}, 'UNHEALTHY', 'HEALTHY', 'HEALTHY'],
    ['an alias', custom, { AWS_ALIAS_DNS_NAME: 'lb.example' }, 'UNHEALTHY', 'HEALTHY', 'HEALTHY'],
    ['a probed one begins as the setting says', probed, TARGET, 'HEALTHY', 'HEALTHY', 'HEALTHY'],
    ['a probed one begins as the setting says', probed, TARGET, 'UNHEALTHY', 'UNHEALTHY', 'UNHEALTHY'],
    ['a custom one begins as its attribute says', custom, init('UNHEALTHY'), 'HEALTHY', 'UNHEALTHY', 'UNHEALTHY'],
    ['a custom one begins as its attribute says', custom, init('HEALTHY'), 'UNHEALTHY', 'HEALTHY', 'HEALTHY'],
    ['a custom one begins healthy', custom, {}, 'HEALTHY', 'HEALTHY', 'HEALTHY'],
    ['one without a check is always served', bare, {}, 'UNHEALTHY', 'HEALTHY', 'UNKNOWN'],
  ] as const)('%s', (_, of, attributes, setting, status, visible) => {
    const health = firstHealth(of, attributes, setting);
    expect(health).toEqual({ status, lastHealthyAt: null, pending: null });
    expect(visibleStatus(of, { health } as Instance)).toBe(visible);
  });

  function init(status: HealthStatus) {
    return { AWS_INIT_HEALTH_STATUS: status };
  }
});

describe('an instance with a custom check', () => {
  const open = async (customHealthDelayMs = 0) => {
    const test = await openRegistry({ customHealthDelayMs });
    const { serviceId } = await withService(test.registry, { hasCustomHealthCheck: true });
    await test.registry.submit(registerCommand(serviceId, 'one'));
    return {
      ...test,
      serviceId,
      health: () => test.registry.state.instance(serviceId, 'one')?.health,
      update: (status: HealthStatus) => test.registry.submit(updateCommand(serviceId, 'one', status)),
      settle: () => test.registry.submit(settleCustomHealth),
    };
  };

  it('was last healthy when a status of UNHEALTHY came', async () => {
    const { clock, update, health } = await open();
    expect(health()).toMatchObject(healthy());
    clock.now += 10;
    await update('UNHEALTHY');
    const wentDown = clock.now;
    expect(health()).toMatchObject(unhealthy(wentDown));
    clock.now += 10;
    await update('UNHEALTHY');
    expect(health()).toMatchObject(unhealthy(wentDown));
    await update('HEALTHY');
    expect(health()).toMatchObject(healthy(wentDown));
    clock.now += 10;
    await update('UNHEALTHY');
    expect(health()).toMatchObject(unhealthy(clock.now));
  });

  it('was last healthy when it was registered anew as UNHEALTHY', async () => {
    const { registry, clock, serviceId, health } = await open();
    clock.now += 10;
    await registry.submit(registerCommand(serviceId, 'one', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' }));
    const wentDown = clock.now;
    expect(health()).toMatchObject(unhealthy(wentDown));
    clock.now += 10;
    await registry.submit(registerCommand(serviceId, 'one', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY', a: 'b' }));
    expect(health()).toMatchObject(unhealthy(wentDown));
    await registry.submit(registerCommand(serviceId, 'one'));
    expect(health()).toMatchObject(healthy(wentDown));
  });

  it('was never healthy where it began UNHEALTHY', async () => {
    const { registry, serviceId } = await open();
    await registry.submit(registerCommand(serviceId, 'two', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' }));
    expect(registry.state.instance(serviceId, 'two')?.health).toMatchObject(unhealthy());
  });

  it('forgets when it was last healthy as it is deregistered', async () => {
    const { registry, serviceId, update, health } = await open();
    await update('UNHEALTHY');
    await registry.submit(deregisterCommand(serviceId, 'one'));
    await registry.submit(registerCommand(serviceId, 'one', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' }));
    expect(health()).toMatchObject(unhealthy());
  });

  it('was last healthy across a restart', async () => {
    const { serviceId, clock, update, reopen, health } = await open();
    await update('UNHEALTHY');
    const before = health();
    clock.now += 1000;
    expect((await reopen()).state.instance(serviceId, 'one')?.health).toEqual(before);
  });

  it('writes nothing where the status stays', async () => {
    const { store, update } = await open();
    await update('UNHEALTHY');
    let batches = 0;
    store.watch(() => batches++);
    await update('UNHEALTHY');
    expect(batches).toBe(0);
  });

  describe('whose statuses wait', () => {
    it('changes when the wait is over, and was last healthy then', async () => {
      const { clock, update, settle, health } = await open(30);
      const asked = clock.now;
      await update('UNHEALTHY');
      expect(health()).toMatchObject({ ...healthy(), pending: { status: 'UNHEALTHY', dueAt: asked + 30 } });
      clock.now = asked + 29;
      await settle();
      expect(health()?.status).toBe('HEALTHY');
      clock.now = asked + 30;
      await settle();
      expect(health()).toMatchObject(unhealthy(asked + 30));
    });

    it('neither hurries nor waits again for the same status', async () => {
      const { clock, update, health } = await open(30);
      await update('UNHEALTHY');
      const { pending } = health() as InstanceHealth;
      clock.now += 20;
      await update('UNHEALTHY');
      expect(health()).toMatchObject({ ...healthy(), pending });
    });

    it('cancels for a contrary status, and then waits the whole time again', async () => {
      const { clock, update, settle, health } = await open(30);
      await update('UNHEALTHY');
      clock.now += 20;
      await update('HEALTHY');
      expect(health()).toMatchObject(healthy());
      clock.now += 20;
      await settle();
      expect(health()).toMatchObject(healthy());
      await update('UNHEALTHY');
      expect(health()?.pending).toEqual({ status: 'UNHEALTHY', dueAt: clock.now + 30 });
    });

    it('keeps waiting across a restart', async () => {
      const { clock, serviceId, update, reopen } = await open(30);
      await update('UNHEALTHY');
      clock.now += 30;
      const again = await reopen();
      await again.submit(settleCustomHealth);
      expect(again.state.instance(serviceId, 'one')?.health).toMatchObject(unhealthy(clock.now));
    });

    it('stops waiting where the instance is registered anew or deregistered', async () => {
      const { registry, serviceId, clock, update, settle, health } = await open(30);
      await update('UNHEALTHY');
      await registry.submit(registerCommand(serviceId, 'one'));
      clock.now += 60;
      await settle();
      expect(health()).toMatchObject(healthy());
      await update('UNHEALTHY');
      await registry.submit(deregisterCommand(serviceId, 'one'));
      clock.now += 60;
      await settle();
      expect(health()).toBeUndefined();
      expect([...registry.state.instancesWithPendingHealth()]).toEqual([]);
    });
  });
});

function updateCommand(serviceId: string, instanceId: string, status: HealthStatus): Decider<null> {
  return (state, context) => updateCustomHealth(state, { serviceId, instanceId, status }, context);
}
