import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { scheduleAliasTargets } from '../../src/health/alias-targets.ts';
import type { Addresses } from '../../src/resolver/lookup.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { type Store, StoreError } from '../../src/store/store.ts';
import { Synthesizer } from '../../src/synthesis/synthesizer.ts';
import { Asker } from '../support/answering.ts';
import { COMPILE_OPTIONS } from '../support/content.ts';
import { FAKE_CLOCK, passTime } from '../support/prober.ts';
import { namespaceCommand, openRegistry, registerCommand, serviceCommand } from '../support/registry.ts';

// Only the timers of the schedule: the registry's own turns of the event loop stay real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

it('asks again for an outside name whose look-up failed, and says what went wrong', async () => {
  const { registry } = await openRegistry();
  await registry.submit(namespaceCommand('alias.internal', { type: 'DNS_PRIVATE' }));
  const [namespace] = registry.state.namespaces();
  const { id } = await registry.submit(
    serviceCommand(namespace?.id ?? '', 'shop', {
      dns: { routingPolicy: 'WEIGHTED', records: [{ type: 'A', ttlSeconds: 60 }] },
    }),
  );
  await registry.submit(registerCommand(id, 'lb', { AWS_ALIAS_DNS_NAME: 'balancer.example' }));

  const errors: unknown[] = [];
  const failure = new Error('no such resolver');
  const outside = vi
    .fn<() => Promise<{ ipv4: string[]; ipv6: string[]; ttlSeconds: number } | null>>()
    .mockRejectedValueOnce(failure)
    .mockResolvedValue({ ipv4: ['192.0.2.1'], ipv6: [], ttlSeconds: 30 });
  const schedule = scheduleAliasTargets(
    registry,
    (name) => ({ outside: name }),
    outside,
    (error) => errors.push(error),
  );
  try {
    await vi.waitUntil(() => registry.state.aliasTarget('balancer.example') !== undefined);
    expect(registry.state.aliasTarget('balancer.example')).toMatchObject({ isHealthy: false, ipv4: [] });
    expect(errors).toEqual([failure]);
    await vi.advanceTimersByTimeAsync(5000);
    await registry.settle();
    expect(outside).toHaveBeenCalledTimes(2);
    expect(registry.state.aliasTarget('balancer.example')).toEqual({
      isHealthy: true,
      lastHealthyAt: null,
      ipv4: ['192.0.2.1'],
      ipv6: [],
      ttlSeconds: 30,
    });
  } finally {
    schedule.close();
  }
});

/** A WEIGHTED service of A records, `shop.alias.internal`, and what DNS answers for it. */
async function openShop() {
  const { registry } = await openRegistry({}, undefined, FAKE_CLOCK);
  await registry.submit(namespaceCommand('alias.internal', { type: 'DNS_PRIVATE' }));
  const [namespace] = registry.state.namespaces();
  const dns = { routingPolicy: 'WEIGHTED' as const, records: [{ type: 'A' as const, ttlSeconds: 60 }] };
  const { id } = await registry.submit(serviceCommand(namespace?.id ?? '', 'shop', { dns }));
  const synthesizer = new Synthesizer(registry.state, COMPILE_OPTIONS);
  const zones = new ZoneSet();
  for (const part of synthesizer.snapshot()) zones.apply(part);
  registry.subscribe(async (changes) => {
    const delta = synthesizer.delta(changes);
    if (delta !== null) zones.apply(delta);
  });
  const asker = new Asker(zones);
  return {
    registry,
    register: (instanceId: string, name: string) =>
      registry.submit(registerCommand(id, instanceId, { AWS_ALIAS_DNS_NAME: name })),
    /** Every address that comes up in so many answers. */
    addresses: () => {
      const answers = Array.from({ length: 30 }, () => asker.ask('shop.alias.internal', 'A').answer);
      return [...new Set(answers.flat().map((record) => record.split(' ').at(-1)))].sort();
    },
  };
}

it('leaves the one of two aliases that resolved last, when neither does any longer', async () => {
  const { registry, register, addresses } = await openShop();
  const found = new Map<string, Addresses | null>([
    ['one.example', { ipv4: ['192.0.2.1'], ipv6: [], ttlSeconds: 5 }],
    ['two.example', { ipv4: ['192.0.2.2'], ipv6: [], ttlSeconds: 5 }],
  ]);
  const outside = async (name: string) => found.get(name) ?? null;
  const schedule = scheduleAliasTargets(
    registry,
    (name) => ({ outside: name }),
    outside,
    () => {},
  );
  try {
    await register('one', 'one.example');
    await register('two', 'two.example');
    await passTime(5000, registry);
    expect(addresses()).toEqual(['192.0.2.1', '192.0.2.2']);
    const [one, two] = [found.get('one.example'), found.get('two.example')] as [Addresses, Addresses];
    found.set('two.example', null);
    await passTime(5000, registry);
    expect(addresses()).toEqual(['192.0.2.1']);
    found.set('one.example', null);
    await passTime(60_000, registry);
    expect(addresses()).toEqual(['192.0.2.1']);
    found.set('two.example', two);
    await passTime(5000, registry);
    expect(addresses()).toEqual(['192.0.2.2']);
    found.set('one.example', one);
    await passTime(5000, registry);
    expect(addresses()).toEqual(['192.0.2.1', '192.0.2.2']);
    found.set('one.example', null);
    await passTime(5000, registry);
    found.set('two.example', null);
    await passTime(60_000, registry);
    expect(addresses()).toEqual(['192.0.2.2']);
  } finally {
    schedule.close();
  }
  expect(vi.getTimerCount()).toBe(0);
});

it('takes an address that several instances of our own share once', async () => {
  const { registry, register } = await openShop();
  const twice = { ipv4: ['10.0.0.1', '10.0.0.1'], ipv6: ['fd00::1', 'fd00::1'], ttlSeconds: 60 };
  const schedule = scheduleAliasTargets(
    registry,
    () => twice,
    async () => null,
    () => {},
  );
  try {
    await register('one', 'own.alias.internal');
    await registry.settle();
    expect(registry.state.aliasTarget('own.alias.internal')).toMatchObject({ ipv4: ['10.0.0.1'], ipv6: ['fd00::1'] });
  } finally {
    schedule.close();
  }
});

it('puts in what a store could not take once it takes changes again', async () => {
  const inner = openMemoryStore();
  let failure: StoreError | null = null;
  const store: Store = {
    ...inner,
    async commit(changes, basis) {
      if (failure !== null) throw failure;
      return inner.commit(changes, basis);
    },
  };
  const { registry } = await openRegistry({}, store, FAKE_CLOCK);
  await registry.submit(namespaceCommand('alias.internal', { type: 'DNS_PRIVATE' }));
  const [namespace] = registry.state.namespaces();
  const dns = { routingPolicy: 'WEIGHTED' as const, records: [{ type: 'A' as const, ttlSeconds: 60 }] };
  const { id } = await registry.submit(serviceCommand(namespace?.id ?? '', 'shop', { dns }));
  await registry.submit(registerCommand(id, 'own', { AWS_ALIAS_DNS_NAME: 'own.alias.internal' }));
  await registry.submit(registerCommand(id, 'outside', { AWS_ALIAS_DNS_NAME: 'balancer.example' }));
  let own: Addresses = { ipv4: ['10.0.0.1'], ipv6: [], ttlSeconds: 60 };
  let outside: Addresses = { ipv4: ['192.0.2.1'], ipv6: [], ttlSeconds: 300 };
  const schedule = scheduleAliasTargets(
    registry,
    (name) => (name === 'balancer.example' ? { outside: name } : own),
    async () => outside,
    () => undefined,
  );
  onTestFinished(() => schedule.close());
  await vi.waitUntil(() => registry.state.aliasTarget('balancer.example') !== undefined);
  await registry.settle();

  failure = new StoreError('the disk is full');
  own = { ...own, ipv4: ['10.0.0.2'] };
  outside = { ...outside, ipv4: ['192.0.2.2'] };
  await vi.advanceTimersByTimeAsync(300_000);
  await expect(registry.tryStore()).rejects.toThrow();
  expect(registry.state.aliasTarget('balancer.example')?.ipv4).toEqual(['192.0.2.1']);
  failure = null;
  await registry.tryStore();
  await registry.settle();
  expect(registry.state.aliasTarget('own.alias.internal')?.ipv4).toEqual(['10.0.0.2']);
  // The outside name is asked for again soon, not after its TTL.
  await vi.advanceTimersByTimeAsync(5000);
  await registry.settle();
  expect(registry.state.aliasTarget('balancer.example')?.ipv4).toEqual(['192.0.2.2']);
});
