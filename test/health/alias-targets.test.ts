import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { scheduleAliasTargets } from '../../src/health/alias-targets.ts';
import { namespaceCommand, openRegistry, registerCommand, serviceCommand } from '../support/registry.ts';

// Only the timers of the schedule: the registry's own turns of the event loop stay real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
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
