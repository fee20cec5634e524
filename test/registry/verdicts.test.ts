import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Decider, RegistryOptions } from '../../src/registry/decision.ts';
import { updateCustomHealth } from '../../src/registry/health.ts';
import { visibleStatus } from '../../src/registry/health-status.ts';
import type { HealthCheck, HealthStatus, Instance, Service } from '../../src/registry/model.ts';
import { deleteService } from '../../src/registry/services.ts';
import { turnHealth, type Verdict } from '../../src/registry/verdicts.ts';
import { endOperation } from '../../src/registry/work.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { updateCommand } from '../support/prober.ts';
import { deregisterCommand, openRegistry, registerCommand, withService } from '../support/registry.ts';

const CHECK: HealthCheck = { type: 'HTTP', path: '/up', failureThreshold: 2 };
const A_SERVICE = { routingPolicy: 'MULTIVALUE' as const, records: [{ type: 'A' as const, ttlSeconds: 60 }] };

/** A service with the check and two instances, `one` and `two`. */
async function open(
  check: HealthCheck | null = CHECK,
  options: Partial<RegistryOptions> = {},
  store = openMemoryStore(),
) {
  const test = await openRegistry({ allowsPrivateHealthChecks: true, ...options }, store);
  const { registry } = test;
  const { serviceId } = await withService(registry, { type: 'DNS_PRIVATE', dns: A_SERVICE, healthCheck: check });
  const register = (id: string, address = '10.0.0.1') =>
    registry.submit(registerCommand(serviceId, id, { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: '80' }));
  for (const id of ['one', 'two']) await register(id);
  const instance = (id = 'one') => registry.state.instance(serviceId, id) as Instance;
  let batches = 0;
  registry.subscribe(async () => void batches++);
  return {
    ...test,
    serviceId,
    register,
    instance,
    health: (id = 'one') => instance(id).health,
    service: () => registry.state.service(serviceId) as Service,
    batches: () => batches,
    update: (healthCheck: HealthCheck | null) => registry.submit(updateCommand(registry, serviceId, healthCheck)),
    /** What a probe of the instance as it is now would say. */
    verdict: (status: HealthStatus, rest: Partial<Verdict> = {}): Decider<null> => {
      const { id, attributes } = instance(rest.id);
      const check = registry.state.service(serviceId)?.healthCheck ?? CHECK;
      const verdict = { serviceId, id, attributes, check, status, reason: 'HTTP 503, 2 in a row', ...rest };
      return (state, context) => turnHealth(state, verdict, context);
    },
  };
}

describe('a verdict', () => {
  it('turns the status, and says when and why', async () => {
    const { registry, clock, verdict, instance, health } = await open();
    const before = instance();
    clock.now += 10;
    await registry.submit(verdict('UNHEALTHY'));
    const wentDown = clock.now;
    const down = { at: wentDown, status: 'UNHEALTHY', reason: 'HTTP 503, 2 in a row' };
    expect(health()).toEqual({ status: 'UNHEALTHY', lastHealthyAt: wentDown, pending: null, transitions: [down] });
    clock.now += 10;
    await registry.submit(verdict('HEALTHY', { reason: 'probe passed, 2 in a row' }));
    const up = { at: clock.now, status: 'HEALTHY', reason: 'probe passed, 2 in a row' };
    expect(health()).toEqual({ status: 'HEALTHY', lastHealthyAt: wentDown, pending: null, transitions: [down, up] });
    // Nothing else of the instance: its next verdicts are about the same registration.
    expect(instance()).toEqual({ ...before, health: health() });
    expect(instance().attributes).toBe(before.attributes);
  });

  it('that the status is as it is already changes nothing', async () => {
    const { registry, verdict, health, batches } = await open();
    await registry.submit(verdict('HEALTHY'));
    await registry.submit(verdict('UNHEALTHY'));
    const after = health();
    const count = batches();
    await registry.submit(verdict('UNHEALTHY', { reason: 'HTTP 500, 3 in a row' }));
    expect([health(), batches()]).toEqual([after, count]);
  });

  it('leaves the InstancesRevision as it is, which is for registrations', async () => {
    const { registry, serviceId, verdict } = await open();
    const revision = registry.state.revision(serviceId);
    await registry.submit(verdict('UNHEALTHY'));
    expect(registry.state.revision(serviceId)).toBe(revision);
  });

  it.each<[string, (test: Awaited<ReturnType<typeof open>>) => Promise<unknown>]>([
    ['is deregistered', ({ registry, serviceId }) => registry.submit(deregisterCommand(serviceId, 'one'))],
    ['is registered anew with another address', ({ register }) => register('one', '10.0.0.2')],
    ['is registered anew as it was', ({ register }) => register('one')],
    ['has another check', ({ update }) => update({ ...CHECK, path: '/other' })],
    ['has another threshold', ({ update }) => update({ ...CHECK, failureThreshold: 3 })],
    ['has no check any longer', ({ update }) => update(null)],
    [
      'was in a service that is gone',
      async ({ registry, serviceId }) => {
        for (const id of ['one', 'two']) await registry.submit(deregisterCommand(serviceId, id));
        await registry.submit((state, context) => deleteService(state, { id: serviceId }, context));
      },
    ],
  ])('is void where the instance meanwhile %s', async (_, happen) => {
    const test = await open();
    const { registry, verdict, batches, instance } = test;
    const late = verdict('UNHEALTHY');
    await happen(test);
    const before = [instance(), batches()];
    await registry.submit(late);
    expect([instance(), batches()]).toEqual(before);
    expect(instance()?.health.status).not.toBe('UNHEALTHY');
  });

  it('is void too where the registration comes in the same batch, ahead of it', async () => {
    const { registry, verdict, register, instance, batches } = await open();
    const late = verdict('UNHEALTHY');
    const count = batches();
    await Promise.all([register('one', '10.0.0.2'), registry.submit(late)]);
    expect(batches()).toBe(count + 1);
    expect(instance()).toMatchObject({
      attributes: { AWS_INSTANCE_IPV4: '10.0.0.2' },
      health: { status: 'HEALTHY', lastHealthyAt: null },
    });
  });

  it('holds where the registration comes in the same batch, behind it: it was healthy till then', async () => {
    const { registry, clock, verdict, register, health } = await open();
    await Promise.all([registry.submit(verdict('UNHEALTHY')), register('one', '10.0.0.2')]);
    expect(health()).toMatchObject({ status: 'HEALTHY', lastHealthyAt: clock.now });
  });

  it('holds where the service was updated meanwhile, and the check is what it was', async () => {
    const { registry, verdict, update, health } = await open();
    const late = verdict('UNHEALTHY');
    await update({ ...CHECK });
    await registry.submit(late);
    expect(health().status).toBe('UNHEALTHY');
  });

  it('of one moment shares a commit with others', async () => {
    const { registry, verdict, health, batches } = await open();
    const count = batches();
    const both = ['one', 'two'].map((id) => registry.submit(verdict('UNHEALTHY', { id })));
    await Promise.all(both);
    expect(batches()).toBe(count + 1);
    expect([health('one').status, health('two').status]).toEqual(['UNHEALTHY', 'UNHEALTHY']);
  });
});

describe('the last transitions', () => {
  it('are ten, of every kind, also after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'verdicts-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const store = openSqliteStore(folder);
    const test = await open(CHECK, {}, store);
    for (let i = 0; i < 12; i++) {
      test.clock.now += 1;
      const status = i % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY';
      await test.registry.submit(test.verdict(status, { reason: `reason ${i}` }));
    }
    test.clock.now += 1;
    await test.registry.submit(test.verdict('UNHEALTHY', { reason: 'reason 12' }));
    test.clock.now += 1;
    await test.register('one', '10.0.0.2');
    const { transitions = [] } = test.health();
    expect(transitions.map(({ reason }) => reason)).toEqual([
      ...Array.from({ length: 9 }, (_, i) => `reason ${i + 4}`),
      'registered anew',
    ]);
    expect(transitions.map(({ status }) => status)).toEqual(
      Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY')),
    );
    expect(transitions.map(({ at }) => at - test.clock.now)).toEqual([-9, -8, -7, -6, -5, -4, -3, -2, -1, 0]);
    await store.close();
    const reopened = openSqliteStore(folder);
    const { registry } = await openRegistry({}, reopened);
    expect(registry.state.instance(test.serviceId, 'one')?.health).toEqual(test.health());
    await reopened.close();
  });
});

describe('a service that gets a check', () => {
  it('has instances that are healthy until there is data', async () => {
    const { update, health, service, instance } = await open(null);
    expect(visibleStatus(service(), instance())).toBe('UNKNOWN');
    await update(CHECK);
    expect(health()).toEqual({ status: 'HEALTHY', lastHealthyAt: null, pending: null });
    expect(visibleStatus(service(), instance())).toBe('HEALTHY');
  });

  it('has instances that are unhealthy until there is data, where new ones are', async () => {
    const { update, health, clock, registry, verdict, register } = await open(null, { newInstanceStatus: 'UNHEALTHY' });
    clock.now += 10;
    await update(CHECK);
    for (const id of ['one', 'two']) {
      expect(health(id)).toMatchObject({
        status: 'UNHEALTHY',
        lastHealthyAt: clock.now,
        transitions: [{ at: clock.now, status: 'UNHEALTHY', reason: 'the check was added' }],
      });
    }
    await register('three');
    expect(health('three')).toEqual({ status: 'UNHEALTHY', lastHealthyAt: null, pending: null });
    await registry.submit(verdict('HEALTHY'));
    expect([health('one').status, health('two').status]).toEqual(['HEALTHY', 'UNHEALTHY']);
  });

  it('forgets what an earlier check had said', async () => {
    const { registry, update, verdict, health } = await open();
    await registry.submit(verdict('UNHEALTHY'));
    await update(null);
    await update(CHECK);
    expect([health('one').status, health('two').status]).toEqual(['HEALTHY', 'HEALTHY']);
  });

  it.each<[string, HealthCheck]>([
    ['another path', { ...CHECK, path: '/other' }],
    ['another threshold', { ...CHECK, failureThreshold: 5 }],
    ['the same check', { ...CHECK }],
  ])('and had one keeps its statuses: %s', async (_, check) => {
    const { registry, update, verdict, health } = await open(CHECK, { newInstanceStatus: 'UNHEALTHY' });
    await registry.submit(verdict('HEALTHY'));
    const before = [health('one'), health('two')];
    await update(check);
    expect([health('one'), health('two')]).toEqual(before);
  });

  it('by an operation that takes time gets it when that ends', async () => {
    const { clock, serviceId, reopen } = await open(null);
    const registry = await reopen({
      allowsPrivateHealthChecks: true,
      newInstanceStatus: 'UNHEALTHY',
      operationDelayMs: 100,
    });
    const health = () => registry.state.instance(serviceId, 'one')?.health;
    const { operationId } = await registry.submit(updateCommand(registry, serviceId, CHECK));
    clock.now += 100;
    expect(health()?.status).toBe('HEALTHY');
    await registry.submit((state, context) => endOperation(state, operationId, context));
    expect(health()).toMatchObject({ status: 'UNHEALTHY', lastHealthyAt: clock.now });
  });
});

describe('a custom status', () => {
  it('stands in the history with its reason, and so does a registration that turned it', async () => {
    const { registry, clock } = await openRegistry();
    const { serviceId } = await withService(registry, { hasCustomHealthCheck: true });
    await registry.submit(registerCommand(serviceId, 'one'));
    clock.now += 5;
    await registry.submit((state, context) =>
      updateCustomHealth(state, { serviceId, instanceId: 'one', status: 'UNHEALTHY' }, context),
    );
    const first = clock.now;
    clock.now += 5;
    await registry.submit(registerCommand(serviceId, 'one', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' }));
    await registry.submit(registerCommand(serviceId, 'one', {}));
    expect(registry.state.instance(serviceId, 'one')?.health).toEqual({
      status: 'HEALTHY',
      lastHealthyAt: first,
      pending: null,
      transitions: [
        { at: first, status: 'UNHEALTHY', reason: 'UpdateInstanceCustomHealthStatus' },
        { at: clock.now, status: 'HEALTHY', reason: 'registered anew' },
      ],
    });
  });
});
