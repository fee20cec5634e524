/** A prober by fake time: its endpoints answer as the test says, everything behind it is real. */
import { vi } from 'vitest';
import type { Probe, ProbeResult, ProbeTarget, ProbeTimeouts } from '../../src/health/probe.ts';
import { Prober, type ProberOptions } from '../../src/health/prober.ts';
import type { Decider, RegistryOptions } from '../../src/registry/decision.ts';
import type { HealthCheck, Instance, ServiceUpdate } from '../../src/registry/model.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { updateService } from '../../src/registry/services.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { type Store, type StoreChange, StoreError } from '../../src/store/store.ts';
import { deregisterCommand, openRegistry, registerCommand, withService } from './registry.ts';

export const PASSED: ProbeResult = { kind: 'passed' };
export const REFUSED: ProbeResult = { kind: 'failed', reason: 'connect ECONNREFUSED', isLocal: false };

/** A probe that has begun. */
export interface BegunProbe {
  readonly address: string;
  /** Epoch ms. */
  readonly at: number;
  readonly target: ProbeTarget;
  readonly timeouts: ProbeTimeouts;
  readonly signal: AbortSignal;
  /** Ends it; a probe that was aborted or has ended takes no result. */
  readonly finish: (result: ProbeResult) => void;
}

/** What is behind the addresses. Every endpoint passes at once unless it is told otherwise. */
export class FakeEndpoints {
  readonly begun: BegunProbe[] = [];
  readonly underWay = new Set<BegunProbe>();
  /** Most probes that were ever under way at once. */
  most = 0;
  /** By address; `hang`: until the test finishes the probe. */
  readonly #answers = new Map<string, ProbeResult | 'hang'>();

  answer(result: ProbeResult | 'hang', ...addresses: readonly string[]): void {
    for (const address of addresses) this.#answers.set(address, result);
  }

  /** When the probes of an address began. */
  times(address: string): number[] {
    return this.begun.filter((probe) => probe.address === address).map(({ at }) => at);
  }

  readonly probe: Probe = (target, timeouts, signal) => {
    const { promise, resolve } = Promise.withResolvers<ProbeResult>();
    const begun: BegunProbe = {
      address: target.address,
      at: Date.now(),
      target,
      timeouts,
      signal,
      finish: (result) => {
        if (this.underWay.delete(begun)) resolve(result);
      },
    };
    this.begun.push(begun);
    this.underWay.add(begun);
    this.most = Math.max(this.most, this.underWay.size);
    // As the real one does.
    signal.addEventListener('abort', () => begun.finish({ kind: 'none', reason: 'aborted' }));
    const answer = this.#answers.get(target.address) ?? PASSED;
    if (answer !== 'hang') begun.finish(answer);
    return promise;
  };
}

/** A store in memory that counts what is written, and can be out of order. */
export function countingStore(inner: Store = openMemoryStore()): Store & { commits: number; isBroken: boolean } {
  return {
    ...inner,
    commits: 0,
    isBroken: false,
    async commit(changes: readonly StoreChange[], basis: number) {
      if (this.isBroken) throw new StoreError('the disk is full');
      this.commits++;
      return inner.commit(changes, basis);
    },
  };
}

const OPTIONS: ProberOptions = {
  intervalMs: 1000,
  timeouts: { tcpMs: 10_000, connectMs: 4000, responseMs: 2000 },
  concurrency: 100,
  holds: false,
};

/** A prober on a registry, and what it told. */
export interface TestProber {
  readonly prober: Prober;
  readonly endpoints: FakeEndpoints;
  readonly errors: unknown[];
  readonly holds: (string | null)[];
  readonly starved: string[];
}

/** @param registry whose clock is that of `Date`; fake timers are to be in use */
export function startProber(registry: Registry, options: Partial<ProberOptions> = {}): TestProber {
  const endpoints = new FakeEndpoints();
  const errors: unknown[] = [];
  const holds: (string | null)[] = [];
  const starved: string[] = [];
  const events = {
    onError: (error: unknown) => void errors.push(error),
    onHold: (reason: string | null) => void holds.push(reason),
    onStarved: (reason: string) => void starved.push(reason),
  };
  const prober = new Prober(registry, { ...OPTIONS, ...options }, events, endpoints.probe, Date.now);
  prober.start();
  return { prober, endpoints, errors, holds, starved };
}

/**
 * Lets time pass, timer by timer, and the registry do what each brought about before the next: its turns of the event
 * loop are real ones, which vitest's own way waits for only as a rule.
 * @param each after what a moment brought
 */
export async function passTime(ms: number, registry: Registry, each: () => void = () => {}): Promise<void> {
  await settleAll(registry);
  let isOver = false;
  setTimeout(() => {
    isOver = true;
  }, ms);
  while (!isOver) {
    vi.advanceTimersToNextTimer();
    await settleAll(registry);
    each();
  }
  // Those of the last millisecond that were set after the end was.
  vi.advanceTimersByTime(0);
  await settleAll(registry);
  each();
}

/** Results that are there have been judged, and what came of them is in the registry. */
export async function settleAll(registry: Registry): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await registry.settle();
}

/** The registry's clock is the faked `Date`. */
export const FAKE_CLOCK = {
  get now(): number {
    return Date.now();
  },
};

export interface Probing extends TestProber {
  readonly registry: Registry;
  readonly store: ReturnType<typeof countingStore>;
  readonly serviceId: string;
  /** In attributes of its own: an address, and port 80 unless given. */
  register(id: string, address?: string, rest?: Readonly<Record<string, string>>): Promise<unknown>;
  deregister(id: string): Promise<unknown>;
  /** UpdateService with this check, and the records as they are. */
  update(healthCheck: HealthCheck | null): Promise<unknown>;
  instance(id: string): Instance;
  /** Lets so much time pass, and what became due in it happen. */
  advance(ms: number): Promise<void>;
  /** Another start on the same store, the first prober being closed. */
  restart(): Promise<Probing>;
}

/** A service with a check, and a prober. Its clock is the faked `Date`. @param check null: none */
export async function openProbing(
  check: Partial<HealthCheck> | null = {},
  options: Partial<ProberOptions> & { registry?: Partial<RegistryOptions> } = {},
): Promise<Probing> {
  const { registry: registryOptions, ...proberOptions } = options;
  const store = countingStore();
  const shell = { allowsPrivateHealthChecks: true, ...registryOptions };
  const { registry, reopen } = await openRegistry(shell, store, FAKE_CLOCK);
  const { serviceId } = await withService(registry, {
    type: 'DNS_PRIVATE',
    dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 60 }] },
    healthCheck: check === null ? null : { type: 'TCP', path: null, failureThreshold: null, ...check },
  });
  const wrap = (current: Registry): Probing => {
    const started = startProber(current, proberOptions);
    return {
      ...started,
      registry: current,
      store,
      serviceId,
      register: (id, address = '10.0.0.1', rest = {}) =>
        current.submit(
          registerCommand(serviceId, id, { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: '80', ...rest }),
        ),
      deregister: (id) => current.submit(deregisterCommand(serviceId, id)),
      update: (healthCheck) => current.submit(updateCommand(current, serviceId, healthCheck)),
      instance: (id) => current.state.instance(serviceId, id) as Instance,
      advance: (ms) => passTime(ms, current),
      restart: async () => {
        started.prober.close();
        await current.settle();
        return wrap(await reopen());
      },
    };
  };
  return wrap(registry);
}

/** UpdateService that leaves the records as they are. */
export function updateCommand(
  registry: Registry,
  id: string,
  healthCheck: HealthCheck | null,
  rest: Partial<ServiceUpdate> = {},
): Decider<{ operationId: string }> {
  const records = registry.state.service(id)?.dns?.records ?? null;
  return (state, context) =>
    updateService(state, { id, update: { description: null, records, healthCheck, ...rest } }, context);
}
