import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { Prober } from '../../src/health/prober.ts';
import { openRegistry, registerCommand, withService } from '../support/registry.ts';

const warnings: string[] = [];
const note = (warning: Error): unknown => warnings.push(warning.message);
process.on('warning', note);
afterEach(() => {
  process.off('warning', note);
});

// Node sets such a timer to a millisecond, and says so once: instances would be probed without a pause.
it('sets no timer that is negative or too long, whatever the interval and the clock', async () => {
  const { registry, clock } = await openRegistry();
  const healthCheck = { type: 'TCP' as const, path: null, failureThreshold: null };
  const { serviceId } = await withService(registry, { healthCheck });
  const timeouts = { tcpMs: 1, connectMs: 1, responseMs: 1 };
  const events = { onError: fail, onHold: fail, onStarved: fail };
  const probers = [1, 2 ** 31 - 1].map((intervalMs) => {
    let probes = 0;
    const probe = async () => {
      probes++;
      return { kind: 'passed' } as const;
    };
    // It goes on with each look at it.
    const prober = new Prober(
      registry,
      { intervalMs, timeouts, concurrency: 100, holds: false },
      events,
      probe,
      () => clock.now++,
    );
    prober.start();
    return { prober, probes: () => probes };
  });
  const ids = Array.from({ length: 12 }, (_, i) => `web-${i}`);
  const attributes = { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' };
  for (const id of ids) await registry.submit(registerCommand(serviceId, id, attributes));
  const [often, rarely] = probers as [(typeof probers)[0], (typeof probers)[0]];
  while (often.probes() < 20 * ids.length) await nextTurn();
  expect(rarely.probes()).toBe(ids.length);
  for (const { prober } of probers) prober.close();
  expect(warnings).toEqual([]);
});

function fail(problem: unknown): never {
  throw new Error(`unexpected: ${problem}`);
}
