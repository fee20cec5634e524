import { describe, expect, it } from 'vitest';
import { dropAliasTarget, putAliasTarget } from '../../src/registry/alias-targets.ts';
import { deregisterCommand, openRegistry, registerCommand, withService } from '../support/registry.ts';

const NAME = 'lb.example';
const FOUND = { ipv4: ['192.0.2.2', '192.0.2.1'], ipv6: ['fd00::1'], ttlSeconds: 30 };
const KEPT = { ipv4: ['192.0.2.1', '192.0.2.2'], ipv6: ['fd00::1'], ttlSeconds: 30 };

async function open() {
  const test = await openRegistry();
  const { serviceId } = await withService(test.registry, {
    type: 'DNS_PRIVATE',
    dns: { routingPolicy: 'WEIGHTED', records: [{ type: 'A', ttlSeconds: 60 }] },
  });
  await test.registry.submit(registerCommand(serviceId, 'lb', { AWS_ALIAS_DNS_NAME: 'LB.example.' }));
  const told: unknown[] = [];
  test.registry.subscribe(async (changes) => {
    for (const { change } of changes) if (change.kind === 'alias-target') told.push(change.value);
  });
  return {
    ...test,
    serviceId,
    /** How often a target was changed, or dropped. */
    told,
    target: () => test.registry.state.aliasTarget(NAME),
    /** At `clock.now`, of which a second passes first. */
    put: async (resolved: typeof FOUND | null) => {
      test.clock.now += 1000;
      await test.registry.submit((state, { now }) => putAliasTarget(state, NAME, resolved, now));
      return test.clock.now;
    },
  };
}

describe('the target of an alias', () => {
  it('was last healthy when it ceased to resolve, and keeps the addresses that it had', async () => {
    const { put, target } = await open();
    await put(FOUND);
    expect(target()).toEqual({ ...KEPT, isHealthy: true, lastHealthyAt: null });
    const ceased = await put(null);
    expect(target()).toEqual({ ...KEPT, isHealthy: false, lastHealthyAt: ceased });
  });

  it('that still does not resolve was last healthy when it first did not', async () => {
    const { put, target, told } = await open();
    await put(FOUND);
    const ceased = await put(null);
    const { length } = told;
    await put(null);
    await put(null);
    expect([target()?.lastHealthyAt, told.length]).toEqual([ceased, length]);
  });

  it('that resolves again keeps the time, until it ceases once more', async () => {
    const { put, target, told } = await open();
    await put(FOUND);
    const first = await put(null);
    await put(FOUND);
    expect(target()).toEqual({ ...KEPT, isHealthy: true, lastHealthyAt: first });
    const { length } = told;
    await put({ ...FOUND, ipv4: [...FOUND.ipv4].reverse() });
    expect(told).toHaveLength(length);
    const second = await put(null);
    expect(target()).toEqual({ ...KEPT, isHealthy: false, lastHealthyAt: second });
  });

  it('that never resolved was never healthy, and has no addresses', async () => {
    const { put, target } = await open();
    await put(null);
    await put(null);
    expect(target()).toEqual({ ipv4: [], ipv6: [], ttlSeconds: 0, isHealthy: false, lastHealthyAt: null });
    await put(FOUND);
    expect(target()).toEqual({ ...KEPT, isHealthy: true, lastHealthyAt: null });
  });

  it('is not stored: after a restart it is resolved anew', async () => {
    const { put, reopen } = await open();
    await put(FOUND);
    await put(null);
    expect((await reopen()).state.aliasTarget(NAME)).toBeUndefined();
  });

  it('is kept while an instance stands for it, and no longer', async () => {
    const { registry, serviceId, put, target, told } = await open();
    await put(FOUND);
    await registry.submit((state) => dropAliasTarget(state, NAME));
    expect(target()?.isHealthy).toBe(true);
    await registry.submit(deregisterCommand(serviceId, 'lb'));
    await registry.submit((state) => dropAliasTarget(state, NAME));
    expect([target(), told.at(-1)]).toEqual([undefined, null]);
    // A look-up that was under way then.
    await put(FOUND);
    expect(target()).toBeUndefined();
  });
});
