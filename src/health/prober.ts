/**
 * Probes every instance of a service with a HealthCheckConfig, forever: at once when it is registered, then once an
 * interval at a moment of its own, so that probes are spread. One instance's probes never overlap. What turns a status
 * joins the registry as a call does; a probe that turns nothing writes nothing.
 */
import { aliasNameOf, type HealthCheck, type Instance, type Service } from '../registry/model.ts';
import { absoluteName, serviceOwner } from '../registry/owner-names.ts';
import type { Registry } from '../registry/registry.ts';
import { isSameCheck, turnHealth } from '../registry/verdicts.ts';
import { Hold } from './hold.ts';
import type { Probe, ProbeResult, ProbeTarget, ProbeTimeouts } from './probe.ts';

export interface ProberOptions {
  readonly intervalMs: number;
  readonly timeouts: ProbeTimeouts;
  /** Probes under way at once; others wait for their turn. */
  readonly concurrency: number;
  /** Whether failures of our own network alone leave statuses as they are. */
  readonly holds: boolean;
}

export interface ProberEvents {
  /** A verdict could not be written; the next probe brings it again. */
  onError(error: unknown): void;
  /** Null: failures count again. */
  onHold(reason: string | null): void;
  /** Probes bring no verdict, since our own means gave out. Told once until one brings a verdict again. */
  onStarved(reason: string): void;
}

/** Cloud Map names no default; Route 53's is three. */
const DEFAULT_FAILURE_THRESHOLD = 3;

/** Node takes a longer timer for one of a millisecond. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One instance being probed, from its registration on. */
interface Watch {
  readonly serviceId: string;
  readonly id: string;
  readonly check: HealthCheck;
  /** Those that it was registered with: the same object for as long as it is not registered anew. */
  readonly attributes: Instance['attributes'];
  readonly target: ProbeTarget;
  readonly end: AbortController;
  /** Where in the interval its probes are. */
  readonly phaseMs: number;
  timer: NodeJS.Timeout | undefined;
  /** Results of one kind in a row; `passing` says which. */
  passing: boolean;
  inARow: number;
}

export class Prober {
  readonly #registry: Registry;
  readonly #options: ProberOptions;
  readonly #events: ProberEvents;
  readonly #probe: Probe;
  readonly #clock: () => number;
  readonly #hold: Hold;
  readonly #watches = new Map<string, Watch>();
  readonly #waiting = new Set<Watch>();
  #running = 0;
  #isStarved = false;
  #isClosed = false;

  constructor(registry: Registry, options: ProberOptions, events: ProberEvents, probe: Probe, clock: () => number) {
    this.#registry = registry;
    this.#options = options;
    this.#events = events;
    this.#probe = probe;
    this.#clock = clock;
    this.#hold = new Hold(options.intervalMs, events.onHold);
  }

  /** Probes what is there, and follows the registry from now on. */
  start(): void {
    for (const service of this.#registry.state.services()) {
      if (service.healthCheck === null) continue;
      // After a restart there are statuses to go on from, so nothing is urgent and all are spread.
      for (const instance of this.#registry.state.instancesOf(service.id).values())
        this.#follow(service.id, instance.id, true);
    }
    this.#registry.subscribe(async (changes) => {
      for (const { change, undo } of changes) {
        if (change.kind === 'instance') this.#follow(change.serviceId, change.id, false);
        if (change.kind !== 'service' || undo.kind !== 'service') continue;
        // Where there was a check before there are statuses to go on from, as after a restart.
        const isSpread = undo.value !== null && undo.value.healthCheck !== null;
        for (const id of this.#registry.state.instancesOf(change.id).keys()) this.#follow(change.id, id, isSpread);
      }
    });
  }

  /** Ends all probes; none brings a verdict any longer, and none begins whatever the registry says. */
  close(): void {
    this.#isClosed = true;
    for (const watch of [...this.#watches.values()]) this.#end(watch);
  }

  /** How many instances are probed. */
  get size(): number {
    return this.#watches.size;
  }

  /** Begins, begins anew or ends probing an instance, as the registry has it now. */
  #follow(serviceId: string, id: string, isSpread: boolean): void {
    if (this.#isClosed) return;
    const key = keyOf({ serviceId, id });
    const service = this.#registry.state.service(serviceId);
    const instance = this.#registry.state.instance(serviceId, id);
    const before = this.#watches.get(key);
    const check = service?.healthCheck ?? null;
    if (before !== undefined && isSameCheck(before.check, check) && before.attributes === instance?.attributes) return;
    if (before !== undefined) this.#end(before);
    if (service === undefined || instance === undefined || check === null) return;
    const target = this.#targetOf(service, check, instance);
    if (target === null) return;
    const phaseMs = phaseOf(key, this.#options.intervalMs);
    const watch: Watch = {
      serviceId,
      id,
      check,
      attributes: instance.attributes,
      target,
      end: new AbortController(),
      phaseMs,
      timer: undefined,
      passing: true,
      inARow: 0,
    };
    this.#watches.set(key, watch);
    if (isSpread) this.#schedule(watch, 0);
    else this.#enqueue(watch);
  }

  #end(watch: Watch): void {
    clearTimeout(watch.timer);
    watch.end.abort();
    this.#waiting.delete(watch);
    this.#watches.delete(keyOf(watch));
  }

  /** Null: nothing to connect to. An alias has a verdict of its own, and without an address there is none to be had. */
  #targetOf(service: Service, check: HealthCheck, instance: Instance): ProbeTarget | null {
    const { AWS_INSTANCE_IPV4, AWS_INSTANCE_IPV6, AWS_INSTANCE_PORT } = instance.attributes;
    // With both IPv4 is probed and speaks for both (Cloud Map: HealthCheckConfig).
    const address = AWS_INSTANCE_IPV4 ?? AWS_INSTANCE_IPV6;
    const namespace = this.#registry.state.namespace(service.namespaceId);
    if (aliasNameOf(instance) !== null || address === undefined || AWS_INSTANCE_PORT === undefined) return null;
    if (namespace === undefined) return null;
    return {
      type: check.type,
      address,
      port: Number(AWS_INSTANCE_PORT),
      host: absoluteName(serviceOwner(service.name), namespace),
      path: check.path ?? '/',
    };
  }

  /** The next moment of the watch's own in the interval, not before `waitMs` are over. */
  #schedule(watch: Watch, waitMs: number): void {
    const { intervalMs } = this.#options;
    const late = (((watch.phaseMs - this.#clock() - waitMs) % intervalMs) + intervalMs) % intervalMs;
    watch.timer = setTimeout(() => this.#enqueue(watch), Math.min(waitMs + late, MAX_TIMER_MS));
  }

  #enqueue(watch: Watch): void {
    this.#waiting.add(watch);
    this.#runWaiting();
  }

  #runWaiting(): void {
    for (const watch of this.#waiting) {
      if (this.#running >= this.#options.concurrency) return;
      this.#waiting.delete(watch);
      void this.#run(watch);
    }
  }

  async #run(watch: Watch): Promise<void> {
    this.#running++;
    const startedAt = this.#clock();
    const result = await this.#probe(watch.target, this.#options.timeouts, watch.end.signal);
    this.#running--;
    if (!watch.end.signal.aborted) {
      this.#judge(watch, result);
      // A clock that was set back in the meantime must not put the next one off.
      const tookMs = Math.max(0, this.#clock() - startedAt);
      // Half an interval at the least, else the second probe of a registration could follow its first at once.
      this.#schedule(watch, Math.max(0, this.#options.intervalMs / 2 - tookMs));
    }
    this.#runWaiting();
  }

  #judge(watch: Watch, result: ProbeResult): void {
    if (result.kind === 'none') {
      if (!this.#isStarved) this.#events.onStarved(result.reason);
      this.#isStarved = true;
      return;
    }
    this.#isStarved = false;
    const isPassed = result.kind === 'passed';
    if (this.#options.holds && !this.#hold.counts(result, this.#clock())) return;
    watch.inARow = watch.passing === isPassed ? watch.inARow + 1 : 1;
    watch.passing = isPassed;
    const threshold = watch.check.failureThreshold ?? DEFAULT_FAILURE_THRESHOLD;
    const status = isPassed ? 'HEALTHY' : 'UNHEALTHY';
    const { serviceId, id, attributes, check } = watch;
    if (watch.inARow < threshold || this.#registry.state.instance(serviceId, id)?.health.status === status) return;
    const times = `${watch.inARow} in a row`;
    const reason = isPassed ? `probe passed, ${times}` : `${result.reason}, ${times}`;
    this.#registry
      .submit((state, context) => turnHealth(state, { serviceId, id, attributes, check, status, reason }, context))
      .catch((error: unknown) => this.#events.onError(error));
  }
}

function keyOf({ serviceId, id }: Pick<Watch, 'serviceId' | 'id'>): string {
  return `${serviceId}/${id}`;
}

/** Where in the interval an instance's probes are: always the same, and spread over all of it. */
function phaseOf(key: string, intervalMs: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return (hash >>> 0) % intervalMs;
}
