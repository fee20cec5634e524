/** Random things that happen to instances, their endpoints and the daemon, told to a world and its oracle alike. */
import { expect, vi } from 'vitest';
import { updateCustomHealth } from '../../src/registry/health.ts';
import type { Random } from '../../src/registry/ids.ts';
import type { DnsRecord, HealthCheck, HealthStatus, RecordType } from '../../src/registry/model.ts';
import { updateService } from '../../src/registry/services.ts';
import { HealthOracle, type OracleService, ZONE } from './health-oracle.ts';
import { type Behaviour, World, type WorldOptions } from './health-world.ts';
import { deregisterCommand, namespaceCommand, registerCommand, serviceCommand } from './registry.ts';

/** What the schedules of one kind have in common: the service that they are about. */
export interface Kind {
  readonly records: readonly RecordType[];
  readonly policy: 'MULTIVALUE' | 'WEIGHTED';
  readonly check: 'probe' | 'custom' | 'none';
  /** Besides its other instances; some lead to a second service. */
  readonly hasAliases: boolean;
}

const STATUSES = ['HEALTHY', 'UNHEALTHY'] as const;
const FAMILIES: RecordType[][] = [['A'], ['AAAA'], ['A', 'AAAA']];
const OUTSIDE = ['lb1.example', 'lb2.example'];
const OWN = [`base.${ZONE}`, `nothing.${ZONE}`];
const BEHAVIOURS: Behaviour[] = ['up', 'up', 'refuses', 'refuses', 'hangs', 'late', 'flaps', 'starves'];

export class HealthSchedule {
  readonly oracle: HealthOracle;
  readonly world: World;
  /** What happened, for whoever has to understand why it went wrong. */
  readonly log: string[] = [];
  restarts = 0;
  outages = 0;
  readonly #kind: Kind;
  readonly #random: Random;
  readonly #check: () => void;
  readonly #options: WorldOptions;
  readonly #ids = new Map<string, string>();
  /** So many ids. */
  readonly #instances: number;

  /** @param check what has to hold after everything that happens */
  constructor(kind: Kind, random: Random, check: () => void) {
    this.#kind = kind;
    this.#random = random;
    this.#check = check;
    const intervalMs = this.#pick([200, 1000, 10_000, 30_000]);
    // More than eight now and then, which no answer can hold.
    this.#instances = this.#pick([1, 3, 4, 5, 12]);
    const newStatus = this.#pick(['HEALTHY', 'HEALTHY', 'HEALTHY', 'UNHEALTHY'] as const);
    const customDelayMs = this.#pick([0, 0, 500, 30_000]);
    const fallback = this.#pick(['last-healthy', 'last-healthy', 'last-healthy', 'all'] as const);
    this.#options = {
      intervalMs,
      timeoutMs: this.#pick([0.1, 0.5, 2.5]) * intervalMs,
      concurrency: this.#pick([1, 2, 100, 100]),
      fallback,
      registry: { newInstanceStatus: newStatus, customHealthDelayMs: customDelayMs },
    };
    this.oracle = new HealthOracle({ fallback, newStatus, customDelayMs });
    this.world = new World(this.#options, this.oracle, random);
    this.log.push(JSON.stringify({ kind, ...this.#options }));
  }

  async begin(): Promise<void> {
    if (this.#kind.hasAliases) for (const name of OUTSIDE) this.#changeName(name);
    await this.world.start();
    await this.world.registry.submit(namespaceCommand(ZONE, { type: 'DNS_PUBLIC' }));
    await this.#addService('web', this.#kind.records, this.#kind.policy, this.#kind.check);
    if (this.#kind.hasAliases) await this.#addService('base', ['A', 'AAAA'], 'MULTIVALUE', 'custom');
  }

  async end(): Promise<void> {
    await this.world.stop();
  }

  /** The id in the registry of one of the oracle's services. */
  idOf(service: OracleService): string {
    return this.#ids.get(service.name) as string;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#random(values.length)] as T;
  }

  async #addService(name: string, types: readonly RecordType[], policy: Kind['policy'], check: Kind['check']) {
    const records: DnsRecord[] = types.map((type) => ({ type, ttlSeconds: 60 }));
    const isCustom = check === 'custom';
    const service: OracleService = {
      name,
      records,
      isWeighted: policy === 'WEIGHTED',
      isCustom,
      check: check === 'probe' ? this.#someCheck(this.#pick(['HTTP', 'HTTPS', 'TCP'])) : null,
      instances: new Map(),
    };
    this.log.push(JSON.stringify({ name, check: service.check }));
    const { registry } = this.world;
    const [namespace] = registry.state.namespaces();
    const { id } = await registry.submit(
      serviceCommand(namespace?.id ?? '', name, {
        dns: { routingPolicy: policy, records },
        healthCheck: service.check,
        hasCustomHealthCheck: isCustom,
      }),
    );
    this.oracle.services.set(name, service);
    this.#ids.set(name, id);
    const registered = Array.from({ length: this.#random(this.#instances + 1) }, () => this.#register(service));
    await Promise.all(registered);
  }

  #someCheck(type: HealthCheck['type']): HealthCheck {
    const path = type === 'TCP' ? null : this.#pick([null, '/up', '/up?deep=1']);
    return { type, path, failureThreshold: this.#pick([null, 1, 1, 2, 3, 5]) };
  }

  async step(): Promise<void> {
    const service = this.oracle.service(this.#kind.hasAliases && this.#random(3) === 0 ? 'base' : 'web');
    const ids = [...service.instances.keys()];
    const chance = this.#random(100);
    if (chance < 12) await this.#register(service);
    else if (chance < 19 && ids.length > 0) await this.#deregister(service, this.#pick(ids));
    else if (chance < 23) await this.#restart();
    else if (chance < 28) await this.#update(service);
    else if (chance < 33) await this.#race(service);
    else if (chance < 36) await this.#breakStore(service);
    else if (chance < 41) await this.#turnAll(service, ids);
    else if (chance < 46 && this.#kind.hasAliases) this.#changeName(this.#pick(OUTSIDE));
    else if (chance < 65 && service.isCustom && ids.length > 0) await this.#setCustom(service, ids);
    else if (chance < 65 && service.check !== null) this.#changeBehaviour();
    else await this.#passTime();
  }

  async #passTime(ms = this.#someTime()): Promise<void> {
    this.log.push(`${ms} ms pass`);
    await this.world.passTime(ms, () => this.#check());
  }

  #someTime(): number {
    const { intervalMs } = this.#options;
    // Outside names are asked for again after seconds, however short the interval of probes.
    const longMs = this.#kind.hasAliases ? Math.max(intervalMs, 3000) : intervalMs;
    return this.#pick([1, this.#random(intervalMs), intervalMs, 3 * longMs, this.#random(10 * longMs)]);
  }

  #attributes(service: OracleService, i: number): Record<string, string> {
    const init = service.isCustom && this.#random(3) === 0 ? { AWS_INIT_HEALTH_STATUS: this.#pick(STATUSES) } : {};
    if (this.#kind.hasAliases && service.name === 'web' && this.#random(3) > 0)
      return { AWS_ALIAS_DNS_NAME: this.#pick([...OUTSIDE, ...OWN]), ...init };
    const port = `${service.name === 'web' ? 8000 + i : 9000 + i}`;
    // Few enough that some share one.
    const [one, other] = [this.#random(2 * this.#instances), this.#random(2 * this.#instances)];
    const types = service.records.map(({ type }) => type);
    const families = types.includes('SRV') ? this.#pick(FAMILIES) : types;
    return {
      AWS_INSTANCE_PORT: port,
      ...(families.includes('A') ? { AWS_INSTANCE_IPV4: `10.0.0.${one}` } : {}),
      ...(families.includes('AAAA') ? { AWS_INSTANCE_IPV6: `fd00::${(1 + other).toString(16)}` } : {}),
      ...(families.includes('CNAME') ? { AWS_INSTANCE_CNAME: `t${one}.example` } : {}),
      ...init,
    };
  }

  /** Of a new instance, or of one that is replaced. */
  #registration(service: OracleService, i = this.#random(this.#instances)) {
    const [id, attributes] = [`i${i}`, this.#attributes(service, i)];
    this.log.push(`register ${service.name}/${id} ${JSON.stringify(attributes)}`);
    return { id, attributes, command: registerCommand(this.idOf(service), id, attributes) };
  }

  async #register(service: OracleService, i?: number): Promise<void> {
    const { id, attributes, command } = this.#registration(service, i);
    this.oracle.register(service, id, attributes, Date.now());
    await this.world.registry.submit(command);
    await this.world.settle();
  }

  async #deregister(service: OracleService, id: string): Promise<void> {
    this.log.push(`deregister ${service.name}/${id}`);
    this.oracle.deregister(service, id, Date.now());
    await this.world.registry.submit(deregisterCommand(this.idOf(service), id));
    await this.world.settle();
  }

  /** Of one endpoint, or of all at once. */
  #changeBehaviour(all?: Behaviour): void {
    const behaviour = all ?? this.#pick(BEHAVIOURS);
    const ports = Array.from({ length: this.#instances }, (_, i) => 8000 + i);
    const changed = all !== undefined || this.#random(4) === 0 ? ports : [this.#pick(ports)];
    this.log.push(`${changed.length === 1 ? `port ${changed[0]}` : 'everything'} ${behaviour}`);
    for (const port of changed) this.world.behaviours.set(port, behaviour);
  }

  #changeName(name: string, isGone = false): void {
    const [digit, ttlSeconds] = [this.#random(5), this.#random(20)];
    const both = { ipv4: [`192.0.2.${digit}`, '192.0.2.9'], ipv6: [`2001:db8::${1 + digit}`], ttlSeconds };
    const [v4, v6] = [
      { ...both, ipv6: [] },
      { ...both, ipv4: [] },
    ];
    const found = this.#pick([both, v4, v6, { ...both, ipv4: null }, null, 'fails'] as const);
    this.log.push(`${name} is ${JSON.stringify(isGone ? null : found)}`);
    this.world.names.set(name, isGone ? null : found);
  }

  /** Everything goes down, or comes back, in any order. */
  async #turnAll(service: OracleService, ids: readonly string[]): Promise<void> {
    const isDown = this.#random(3) > 0;
    for (const name of this.#random(2) === 0 ? OUTSIDE : [...OUTSIDE].reverse()) {
      this.#changeName(name, isDown);
      if (this.#kind.hasAliases) await this.#passTime();
    }
    this.#changeBehaviour(isDown ? 'refuses' : 'up');
    for (const id of service.isCustom ? ids : []) {
      await this.#setCustom(service, [id], isDown ? 'UNHEALTHY' : 'HEALTHY');
      if (this.#random(3) === 0) await this.#passTime(1);
    }
    await this.#passTime(this.#random(10 * this.#options.intervalMs));
  }

  /** One, or all in one moment. */
  async #setCustom(
    service: OracleService,
    ids: readonly string[],
    status: HealthStatus = this.#pick(STATUSES),
  ): Promise<void> {
    const told = this.#random(3) === 0 ? ids : [this.#pick(ids)];
    this.log.push(`${service.name}/${told} told to be ${status}`);
    const { registry } = this.world;
    const commands = told.map((instanceId) => {
      this.oracle.setCustom(service, instanceId, status, Date.now());
      const command = { serviceId: this.idOf(service), instanceId, status };
      return registry.submit((state, context) => updateCustomHealth(state, command, context));
    });
    await Promise.all(commands);
    await this.world.settle();
  }

  /** The check is added, changed, sent again as it is, or removed; TTLs change. */
  async #update(service: OracleService): Promise<void> {
    const { check } = service;
    const canHaveCheck = !service.isCustom && !service.records.some(({ type }) => type === 'CNAME');
    const changed = check === null ? 'TCP' : check.type;
    const healthCheck = canHaveCheck ? this.#pick([check && { ...check }, this.#someCheck(changed), null]) : null;
    const records = service.records.map(({ type }) => ({ type, ttlSeconds: 30 + this.#random(3) }));
    this.log.push(`update ${service.name} ${JSON.stringify({ healthCheck, records })}`);
    this.oracle.update(service, records, healthCheck, Date.now(), this.#options.intervalMs);
    const command = { id: this.idOf(service), update: { description: null, records, healthCheck } };
    await this.world.registry.submit((state, context) => updateService(state, command, context));
    await this.world.settle();
  }

  /** A registration or its check is replaced or ends in the moment in which its probe brings a result. */
  async #race(service: OracleService): Promise<void> {
    const ids = [...service.instances].flatMap(([id, { epoch }]) => (epoch === 0 ? [] : id));
    // Else one that waits for its turn gets it, rightly, before the store has the change.
    if (ids.length === 0 || this.#options.concurrency < this.#instances) return this.#passTime();
    const id = this.#pick(ids);
    const behaviour = this.#pick(['hangs', 'late'] as const);
    this.log.push(`${id} ${behaviour} until it is probed, whose end meets:`);
    this.world.behaviours.set(Number(service.instances.get(id)?.attributes.AWS_INSTANCE_PORT), behaviour);
    const { intervalMs, timeoutMs } = this.#options;
    for (let ms = 0; ms < 2 * (intervalMs + timeoutMs) && !this.world.isProbed(service.name, id); ms += timeoutMs / 2)
      await this.world.passTime(timeoutMs / 2, () => this.#check());
    const replace = this.#pick([
      () => this.#register(service, Number(id.slice(1))),
      () => this.#deregister(service, id),
      () => this.#update(service),
    ]);
    const replaced = replace();
    this.world.finishProbes();
    await replaced;
  }

  /** Nothing can be written for a while, and what was refused is not seen. */
  async #breakStore(service: OracleService): Promise<void> {
    // Custom statuses and aliases are tried again at times of their own, which are tested elsewhere.
    if (this.#kind.hasAliases || this.#kind.check !== 'probe') return;
    this.log.push('the store breaks');
    this.oracle.isStoreBroken = true;
    await this.#passTime();
    const { command } = this.#registration(service);
    await expect(this.world.registry.submit(command)).rejects.toThrow('the disk is full');
    await this.#passTime();
    this.log.push('the store is mended');
    this.oracle.isStoreBroken = false;
    this.outages++;
  }

  async #restart(): Promise<void> {
    this.restarts++;
    this.log.push('stop');
    await this.world.stop();
    this.#check();
    // With no timer left, no time but the clock's.
    const downMs = this.#someTime();
    this.log.push(`start after ${downMs} ms`);
    vi.setSystemTime(Date.now() + downMs);
    this.oracle.restart(Date.now(), this.#options.intervalMs);
    await this.world.start();
    await this.#passTime(0);
  }
}
