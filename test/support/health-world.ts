/**
 * Everything that decides health, put together as the daemon does but for the network: endpoints and outside names
 * behave as they are told. It tells an oracle what happened, and notes where a probe is made that may not be.
 */
import { vi } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { type AliasResolver, scheduleAliasTargets } from '../../src/health/alias-targets.ts';
import { scheduleCustomHealth } from '../../src/health/custom-health.ts';
import type { ProbeResult, ProbeTarget } from '../../src/health/probe.ts';
import { Prober } from '../../src/health/prober.ts';
import type { RegistryOptions } from '../../src/registry/decision.ts';
import type { Random } from '../../src/registry/ids.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Addresses } from '../../src/resolver/lookup.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { type Store, StoreError } from '../../src/store/store.ts';
import { resolveOwn } from '../../src/synthesis/own-addresses.ts';
import { Synthesizer } from '../../src/synthesis/synthesizer.ts';
import { Asker } from './answering.ts';
import { COMPILE_OPTIONS } from './content.ts';
import { type Answer, buildQuery, readAnswer } from './dns.ts';
import { type HealthOracle, ZONE } from './health-oracle.ts';
import { passTime, settleAll } from './prober.ts';
import { OPTIONS } from './registry.ts';

export type Behaviour = 'up' | 'refuses' | 'hangs' | 'late' | 'flaps' | 'starves';

export interface WorldOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly fallback: 'last-healthy' | 'all';
  readonly registry: Partial<RegistryOptions>;
}

/** The probes of one instance; `epoch` as the oracle's. */
interface Probed {
  epoch: number;
  isUnderWay: boolean;
  startedAt: number;
  endedAt: number;
}

const QUERIES = new Map<string, Uint8Array>();
/** By the reply's octets. */
const ANSWERS = new Map<string, Answer>();

/** An outside name is asked for again not more often than this. */
const MIN_LOOKUP_MS = 5000;

export class World {
  /** What was done that may not be. */
  readonly problems: string[] = [];
  /** By port: endpoints are told apart by it, since instances may share an address. */
  readonly behaviours = new Map<number, Behaviour>();
  /** Outside names; null: does not resolve, `fails`: nobody can be asked. */
  readonly names = new Map<string, Addresses | null | 'fails'>();
  probeCount = 0;
  /** Whether DNS draws one choice after the other, so that each is seen soon, in the stead of any. */
  drawsInTurn = false;
  /** Batches that the registry has told of. */
  batches = 0;
  readonly #options: WorldOptions;
  readonly #oracle: HealthOracle;
  readonly #random: Random;
  readonly #store = openMemoryStore();
  readonly #probed = new Map<string, Probed>();
  readonly #lookedUpAt = new Map<string, number>();
  readonly #lookups = new Set<NodeJS.Timeout>();
  readonly #underWay = new Set<() => void>();
  #turn = 0;
  #life: Life | null = null;

  constructor(options: WorldOptions, oracle: HealthOracle, random: Random) {
    this.#options = options;
    this.#oracle = oracle;
    this.#random = random;
  }

  get registry(): Registry {
    return (this.#life as Life).registry;
  }

  /** What DNS answers, without the limit of UDP. */
  ask(name: string, type: string): Answer {
    const key = `${name} ${type}`;
    const query = QUERIES.get(key) ?? buildQuery(name, type);
    QUERIES.set(key, query);
    const reply = (this.#life as Life).asker.send(query, true);
    if (typeof reply === 'string') throw new Error(`the query for ${key} got "${reply}"`);
    // There are far fewer replies than questions, and to read one takes longer than to make it.
    const bytes = Buffer.from(reply.buffer).toString('latin1');
    const answer = ANSWERS.get(bytes) ?? readAnswer(reply);
    ANSWERS.set(bytes, answer);
    return answer;
  }

  /** Starts on what the store has. */
  async start(): Promise<void> {
    ANSWERS.clear();
    const { intervalMs, timeoutMs, concurrency, fallback } = this.#options;
    const shell = {
      store: this.#storeOfLife(() => life.isOver),
      options: { ...OPTIONS, ...this.#options.registry },
      clock: Date.now,
      random: this.#random,
    };
    const life: Life = { isOver: false } as Life;
    life.registry = await Registry.open(shell);
    const { registry } = life;
    // A verdict or a look-up may fail to be written, and then only.
    const onError = (error: unknown): void => {
      if (!(error instanceof StoreError)) this.problems.push(`an error: ${error}`);
    };
    const timeouts = { tcpMs: timeoutMs, connectMs: timeoutMs, responseMs: timeoutMs };
    const options = { intervalMs, concurrency, timeouts, holds: false };
    const events = { onError, onHold: () => this.problems.push('a hold'), onStarved: () => {} };
    const probe = (target: ProbeTarget, _: unknown, signal: AbortSignal) => this.#probe(target, signal);
    life.prober = new Prober(registry, options, events, probe, Date.now);
    life.prober.start();
    const synthesizer = new Synthesizer(registry.state, { ...COMPILE_OPTIONS, fallback });
    const zones = new ZoneSet();
    for (const part of synthesizer.snapshot()) zones.apply(part);
    registry.subscribe(async (changes) => {
      this.batches++;
      const delta = synthesizer.delta(changes);
      if (delta !== null) zones.apply(delta);
    });
    const random = createRandom(this.#random(2 ** 31));
    const draw = (bound: number): number => (this.drawsInTurn ? this.#turn++ % bound : random(bound));
    life.asker = new Asker(zones, { random: draw, clock: Date.now });
    life.schedules = [
      scheduleCustomHealth(registry, Date.now, onError),
      scheduleAliasTargets(
        registry,
        (name) => resolveOwn(registry.state, name, fallback),
        (name) => this.#lookUp(name, life),
        () => {},
      ),
    ];
    this.#life = life;
    await this.settle();
  }

  /** As the daemon does. Nothing is left to happen then. */
  async stop(): Promise<void> {
    const life = this.#life as Life;
    life.prober.close();
    for (const schedule of life.schedules) schedule.close();
    for (const timer of this.#lookups) clearTimeout(timer);
    this.#lookups.clear();
    this.#lookedUpAt.clear();
    this.#probed.clear();
    await this.settle();
    life.isOver = true;
    if (this.#underWay.size > 0) this.problems.push(`${this.#underWay.size} probes are under way after close()`);
    if (vi.getTimerCount() > 0) this.problems.push(`${vi.getTimerCount()} timers are left after close()`);
  }

  async settle(): Promise<void> {
    await settleAll(this.registry);
  }

  /** @param each after everything that happened at a moment */
  async passTime(ms: number, each: () => void): Promise<void> {
    await passTime(ms, this.registry, () => {
      this.#oracle.passTime(Date.now());
      this.#findLateProbes();
      each();
    });
  }

  /** What another process would see of the store: nothing of what a life that is over still does. */
  #storeOfLife(isOver: () => boolean): Store {
    const oracle = this.#oracle;
    const store = this.#store;
    return {
      place: 'memory',
      version: null,
      load: (first) => store.load(first),
      commit: async (changes, basis) => {
        if (isOver()) throw new StoreError('this life is over');
        if (oracle.isStoreBroken) throw new StoreError('the disk is full');
        return store.commit(changes, basis);
      },
      watch: (listener) => store.watch((batch) => isOver() || listener(batch)),
      close: () => store.close(),
    };
  }

  // --- the network ---

  #probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
    this.probeCount++;
    const now = Date.now();
    const found = this.#instanceAt(target);
    if (found === null) {
      this.problems.push(`${JSON.stringify(target)} is probed, which nobody registered`);
      return Promise.resolve({ kind: 'passed' });
    }
    const { serviceName, id, epoch } = found;
    const key = `${serviceName}/${id}`;
    const before = this.#probed.get(key);
    if (before?.isUnderWay) this.problems.push(`${key} is probed while another probe is under way`);
    // An epoch's first probe is at once, whenever the last one of before was.
    if (before?.epoch === epoch && now - before.startedAt < this.#options.intervalMs / 2)
      this.problems.push(`${key} is probed ${now - before.startedAt} ms after the probe before`);
    const probed: Probed = { epoch, isUnderWay: true, startedAt: now, endedAt: now };
    this.#probed.set(key, probed);

    const { promise, resolve } = Promise.withResolvers<ProbeResult>();
    const finish = (result: ProbeResult, isAborted = false): void => {
      if (!this.#underWay.delete(finishNow)) return;
      probed.isUnderWay = false;
      probed.endedAt = Date.now();
      clearTimeout(timer);
      if (!isAborted && result.kind !== 'none')
        this.#oracle.probed(this.#oracle.service(serviceName), id, epoch, result.kind === 'passed', Date.now());
      resolve(result);
    };
    signal.addEventListener('abort', () => finish({ kind: 'none', reason: 'aborted' }, true));
    const { result, afterMs } = this.#answerOf(target.port);
    const finishNow = (): void => finish(result);
    this.#underWay.add(finishNow);
    if (this.#underWay.size > this.#options.concurrency)
      this.problems.push(`${this.#underWay.size} probes are under way`);
    const timer = setTimeout(finishNow, afterMs);
    if (afterMs === 0) finishNow();
    return promise;
  }

  isProbed(serviceName: string, id: string): boolean {
    return this.#probed.get(`${serviceName}/${id}`)?.isUnderWay === true;
  }

  /** What is under way brings its result at this moment. */
  finishProbes(): void {
    for (const finish of this.#underWay) finish();
  }

  #instanceAt(target: ProbeTarget): { serviceName: string; id: string; epoch: number } | null {
    for (const { name, check, instances } of this.#oracle.services.values()) {
      for (const [id, { attributes, epoch }] of instances) {
        const { AWS_INSTANCE_IPV4, AWS_INSTANCE_IPV6, AWS_INSTANCE_PORT } = attributes;
        if (epoch === 0 || check === null || Number(AWS_INSTANCE_PORT) !== target.port) continue;
        const { type, path } = check;
        const address = AWS_INSTANCE_IPV4 ?? AWS_INSTANCE_IPV6;
        const wanted = { type, address, port: target.port, host: `${name}.${ZONE}`, path: path ?? '/' };
        return JSON.stringify(wanted) === JSON.stringify(target) ? { serviceName: name, id, epoch } : null;
      }
    }
    return null;
  }

  #answerOf(port: number): { result: ProbeResult; afterMs: number } {
    const { timeoutMs } = this.#options;
    const passed: ProbeResult = { kind: 'passed' };
    const refused: ProbeResult = { kind: 'failed', reason: 'connect ECONNREFUSED', isLocal: false };
    const soon = this.#random(2) === 0 ? 0 : this.#random(timeoutMs);
    switch (this.behaviours.get(port) ?? 'up') {
      case 'up':
        return { result: passed, afterMs: soon };
      case 'refuses':
        return { result: refused, afterMs: soon };
      case 'flaps':
        return { result: this.#random(2) === 0 ? passed : refused, afterMs: soon };
      case 'late':
        return { result: passed, afterMs: timeoutMs - 1 };
      case 'hangs':
        return {
          result: { kind: 'failed', reason: `timeout after ${timeoutMs} ms`, isLocal: false },
          afterMs: timeoutMs,
        };
      case 'starves':
        return { result: { kind: 'none', reason: 'connect EMFILE' }, afterMs: soon };
    }
  }

  /** Where probes need not wait for each other, every instance has its own once an interval. */
  #findLateProbes(): void {
    const { concurrency, intervalMs } = this.#options;
    const now = Date.now();
    const services = [...this.#oracle.services.values()];
    if (services.reduce((sum, { instances }) => sum + instances.size, 0) > concurrency) return;
    for (const { name, instances } of services) {
      for (const [id, { epoch, firstBy }] of instances) {
        if (epoch === 0) continue;
        const probed = this.#probed.get(`${name}/${id}`);
        const isBegun = probed?.epoch === epoch;
        if (isBegun && probed.isUnderWay) continue;
        const nextBy = isBegun ? Math.max(probed.endedAt, probed.startedAt + intervalMs / 2) + intervalMs : firstBy;
        if (now > nextBy)
          this.problems.push(`${name}/${id} is not probed: it ought to have been ${now - nextBy} ms ago`);
      }
    }
  }

  #lookUp(name: string, life: Life): Promise<Addresses | null> {
    const now = Date.now();
    const epoch = this.#oracle.aliasEpoch(name);
    const key = `${name} ${epoch}`;
    const before = this.#lookedUpAt.get(key);
    if (epoch === 0) this.problems.push(`${name} is looked up, which nobody stands for`);
    if (before !== undefined && now - before < MIN_LOOKUP_MS)
      this.problems.push(`${name} is looked up ${now - before} ms after the last time`);
    this.#lookedUpAt.set(key, now);
    const found = this.names.get(name) ?? null;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#lookups.delete(timer);
        if (!life.isOver) this.#oracle.resolved(name, epoch, found === 'fails' ? null : found, Date.now());
        if (found === 'fails') reject(new Error('no upstream answers'));
        else resolve(found);
      };
      const timer = setTimeout(finish, this.#random(1000));
      this.#lookups.add(timer);
    });
  }
}

/** From one start to the next. */
interface Life {
  registry: Registry;
  prober: Prober;
  asker: Asker;
  schedules: (AliasResolver | { close(): void })[];
  isOver: boolean;
}
