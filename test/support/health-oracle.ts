/**
 * What statuses and answers have to be: the rules of health once more, as plainly as they can be said and without any of
 * the daemon's own code (cloud map: health checks, and when nothing is healthy).
 */
import type { DnsRecord, HealthCheck, HealthStatus, RecordType } from '../../src/registry/model.ts';

export interface OracleRules {
  readonly fallback: 'last-healthy' | 'all';
  readonly newStatus: HealthStatus;
  readonly customDelayMs: number;
}

type Attributes = Readonly<Record<string, string>>;

export interface OracleInstance {
  attributes: Attributes;
  status: HealthStatus;
  lastHealthyAt: number | null;
  pending: { status: HealthStatus; dueAt: number } | null;
  /** Results in a row, of the check as it now is. */
  passes: number;
  failures: number;
  /** What is probed; another number is another thing to probe, of which the old one's results say nothing. 0: nothing. */
  epoch: number;
  /** When its first probe has to begin at the latest. */
  firstBy: number;
}

export interface OracleService {
  readonly name: string;
  records: readonly DnsRecord[];
  readonly isWeighted: boolean;
  readonly isCustom: boolean;
  check: HealthCheck | null;
  readonly instances: Map<string, OracleInstance>;
}

/** What a name resolved to. Null for a family: nobody could say. */
export interface Target {
  readonly ipv4: readonly string[] | null;
  readonly ipv6: readonly string[] | null;
  readonly ttlSeconds: number;
}

export interface OracleTarget {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly ttlSeconds: number;
  readonly isHealthy: boolean;
  readonly lastHealthyAt: number | null;
}

export const ZONE = 'sim.example';

export class HealthOracle {
  readonly services = new Map<string, OracleService>();
  /** Grows with every change that may be seen from outside. */
  version = 0;
  /** No verdict can be written. */
  isStoreBroken = false;
  readonly #rules: OracleRules;
  readonly #targets = new Map<string, OracleTarget>();
  /** By name: when it came into use, as a number of its own. */
  readonly #aliasEpochs = new Map<string, number>();
  #epochs = 0;

  constructor(rules: OracleRules) {
    this.#rules = rules;
  }

  service(name: string): OracleService {
    return this.services.get(name) as OracleService;
  }

  // --- what happens ---

  register(service: OracleService, id: string, attributes: Attributes, now: number): void {
    const before = service.instances.get(id);
    const status = this.#firstStatus(service, attributes);
    const lastHealthyAt = before?.lastHealthyAt ?? null;
    const instance = { attributes, status: before?.status ?? status, lastHealthyAt, pending: null };
    const registered = { ...instance, passes: 0, failures: 0, epoch: 0, firstBy: now };
    service.instances.set(id, registered);
    this.#turn(registered, status, now);
    this.#begin(service, registered, now);
    this.#followAliases(now);
  }

  deregister(service: OracleService, id: string, now: number): void {
    service.instances.delete(id);
    this.version++;
    this.#followAliases(now);
  }

  /** UpdateService. */
  update(
    service: OracleService,
    records: readonly DnsRecord[],
    check: HealthCheck | null,
    now: number,
    intervalMs: number,
  ): void {
    const before = service.check;
    service.records = records;
    service.check = check;
    this.version++;
    if (JSON.stringify(before) !== JSON.stringify(check)) {
      for (const instance of service.instances.values()) {
        // What it was while there was no check was no verdict, and what it was with one says nothing without.
        const isOther = (before === null) !== (check === null);
        if (isOther) this.#turn(instance, this.#firstStatus(service, instance.attributes), now);
        // Where there was a check there are statuses to go on from, and nothing is urgent.
        this.#begin(service, instance, before === null ? now : now + intervalMs);
      }
    }
    this.#followAliases(now);
  }

  /** UpdateInstanceCustomHealthStatus. */
  setCustom(service: OracleService, id: string, status: HealthStatus, now: number): void {
    const instance = service.instances.get(id) as OracleInstance;
    this.version++;
    if (status === instance.status) instance.pending = null;
    else if (this.#rules.customDelayMs === 0) this.#turn(instance, status, now);
    else instance.pending ??= { status, dueAt: now + this.#rules.customDelayMs };
    this.#followAliases(now);
  }

  /** Custom statuses whose wait is over, and names of ours that now lead elsewhere. */
  passTime(now: number): void {
    for (const instance of this.#instances()) {
      const { pending } = instance;
      if (pending !== null && pending.dueAt <= now) this.#turn(instance, pending.status, pending.dueAt);
    }
    this.#followAliases(now);
  }

  /** A probe of what `epoch` stands for has brought a result. */
  probed(service: OracleService, id: string, epoch: number, isPassed: boolean, now: number): void {
    const instance = service.instances.get(id);
    if (instance?.epoch !== epoch) return;
    instance.passes = isPassed ? instance.passes + 1 : 0;
    instance.failures = isPassed ? 0 : instance.failures + 1;
    const inARow = Math.max(instance.passes, instance.failures);
    if (this.isStoreBroken || inARow < (service.check?.failureThreshold ?? 3)) return;
    this.#turn(instance, isPassed ? 'HEALTHY' : 'UNHEALTHY', now);
    this.#followAliases(now);
  }

  /** An outside name has resolved, or (null) has not. */
  resolved(name: string, epoch: number, target: Target | null, now: number): void {
    if (this.#aliasEpochs.get(name) === epoch) this.#setTarget(name, target, now);
  }

  /** Statuses are durable; counts and what aliases resolved to are not. */
  restart(now: number, intervalMs: number): void {
    this.#targets.clear();
    this.#aliasEpochs.clear();
    for (const service of this.services.values()) {
      for (const instance of service.instances.values()) {
        this.#begin(service, instance, now + intervalMs);
        // Its time has come while nobody was there.
        const { pending } = instance;
        if (pending !== null && pending.dueAt <= now) this.#turn(instance, pending.status, now);
      }
    }
    this.#followAliases(now);
    this.version++;
  }

  /** Before a verdict, and for good where none will come: of an alias, and where nobody checks. */
  #firstStatus(service: OracleService, attributes: Attributes): HealthStatus {
    const given = service.isCustom ? (attributes.AWS_INIT_HEALTH_STATUS as HealthStatus | undefined) : undefined;
    const isJudged = hasCheck(service) && aliasOf(attributes) === null;
    return given ?? (isJudged ? this.#rules.newStatus : 'HEALTHY');
  }

  #turn(instance: OracleInstance, status: HealthStatus, now: number): void {
    if (status === instance.status && instance.pending === null) return;
    this.version++;
    instance.pending = null;
    if (status === instance.status) return;
    instance.status = status;
    if (status === 'UNHEALTHY') instance.lastHealthyAt = now;
  }

  #begin(service: OracleService, instance: OracleInstance, firstBy: number): void {
    const isProbed = service.check !== null && aliasOf(instance.attributes) === null;
    Object.assign(instance, { passes: 0, failures: 0, epoch: isProbed ? ++this.#epochs : 0, firstBy });
    this.version++;
  }

  /** Names of ours lead where they lead now; what nobody stands for any longer is forgotten. */
  #followAliases(now: number): void {
    const names = new Set(this.#instances().flatMap(({ attributes }) => aliasOf(attributes) ?? []));
    for (const name of this.#aliasEpochs.keys()) {
      if (names.has(name)) continue;
      this.#aliasEpochs.delete(name);
      this.#targets.delete(name);
    }
    for (const name of names) {
      if (!this.#aliasEpochs.has(name)) this.#aliasEpochs.set(name, ++this.#epochs);
      if (name.endsWith(`.${ZONE}`)) this.#setTarget(name, this.#ownTarget(name), now);
    }
  }

  #setTarget(name: string, found: Target | null, now: number): void {
    const before = this.#targets.get(name);
    const kept = before ?? { ipv4: [], ipv6: [], ttlSeconds: 0 };
    const lastHealthyAt = found === null && before?.isHealthy === true ? now : (before?.lastHealthyAt ?? null);
    const target = {
      // What is not known this time stays as it was.
      ipv4: found?.ipv4 ?? kept.ipv4,
      ipv6: found?.ipv6 ?? kept.ipv6,
      ttlSeconds: (found ?? kept).ttlSeconds,
      isHealthy: found !== null,
      lastHealthyAt,
    };
    if (JSON.stringify(target) === JSON.stringify(before)) return;
    this.#targets.set(name, target);
    this.version++;
  }

  /** The addresses of a service of ours that is no alias itself. */
  #ownTarget(name: string): Target | null {
    const service = this.services.get(name.slice(0, -ZONE.length - 1));
    if (service === undefined) return null;
    const instances = this.#eligible(service, [...service.instances.values()]);
    const ipv4 = instances.flatMap(({ attributes }) => attributes.AWS_INSTANCE_IPV4 ?? []);
    const ipv6 = instances.flatMap(({ attributes }) => attributes.AWS_INSTANCE_IPV6 ?? []);
    const ttlSeconds = Math.min(...service.records.map((record) => record.ttlSeconds));
    return ipv4.length + ipv6.length === 0 ? null : { ipv4, ipv6, ttlSeconds };
  }

  // --- what has to be seen ---

  target(name: string): OracleTarget | undefined {
    return this.#targets.get(name);
  }

  aliasEpoch(name: string): number {
    return this.#aliasEpochs.get(name) ?? 0;
  }

  /** What DNS may answer: choices of one record each, or of all addresses of an alias. */
  choices(service: OracleService, type: RecordType): string[][] {
    const able = [...service.instances].filter(
      ([id, instance]) => this.#records(service, id, instance, type).length > 0,
    );
    const eligible = new Set(
      this.#eligible(
        service,
        able.map(([, instance]) => instance),
      ),
    );
    const choices = able
      .filter(([, instance]) => eligible.has(instance))
      .map(([id, instance]) => this.#records(service, id, instance, type));
    return [...new Map(choices.map((choice) => [choice.join(), choice])).values()];
  }

  /** DiscoverInstances. */
  discovered(service: OracleService, filter: HealthStatus | 'ALL' | 'HEALTHY_OR_ELSE_ALL'): string[] {
    const all = [...service.instances.keys()].sort();
    if (!hasCheck(service) || filter === 'ALL') return all;
    const wanted = filter === 'UNHEALTHY' ? 'UNHEALTHY' : 'HEALTHY';
    const found = all.filter((id) => service.instances.get(id)?.status === wanted);
    return filter === 'HEALTHY_OR_ELSE_ALL' && found.length === 0 ? all : found;
  }

  /** Addresses at an instance's own name, which has them for SRV alone, whatever the health. */
  companions(service: OracleService, id: string, type: 'A' | 'AAAA'): string[] {
    const srv = service.records.find((record) => record.type === 'SRV');
    const address = service.instances.get(id)?.attributes[type === 'A' ? 'AWS_INSTANCE_IPV4' : 'AWS_INSTANCE_IPV6'];
    if (srv === undefined || address === undefined) return [];
    return [`${id}.${service.name}.${ZONE}. ${srv.ttlSeconds} IN ${type} ${address}`];
  }

  /** Healthy ones; else the last healthy, or all. */
  #eligible(service: OracleService, instances: readonly OracleInstance[]): readonly OracleInstance[] {
    const isHealthy = ({ attributes, status }: OracleInstance): boolean => {
      const alias = aliasOf(attributes);
      return alias === null ? !hasCheck(service) || status === 'HEALTHY' : this.#targets.get(alias)?.isHealthy === true;
    };
    const healthy = instances.filter(isHealthy);
    if (healthy.length > 0) return healthy;
    if (this.#rules.fallback === 'all') return instances;
    const last = ({ attributes, lastHealthyAt }: OracleInstance): number => {
      const alias = aliasOf(attributes);
      return (alias === null ? lastHealthyAt : this.#targets.get(alias)?.lastHealthyAt) ?? -1;
    };
    const greatest = Math.max(...instances.map(last));
    return instances.filter((instance) => last(instance) === greatest);
  }

  #records(service: OracleService, id: string, { attributes }: OracleInstance, type: RecordType): string[] {
    const owner = `${service.name}.${ZONE}.`;
    const ttl = service.records.find((record) => record.type === type)?.ttlSeconds;
    const alias = aliasOf(attributes);
    if (alias !== null) {
      const target = this.#targets.get(alias);
      const addresses = type === 'A' ? target?.ipv4 : type === 'AAAA' ? target?.ipv6 : [];
      // An RRset has no record twice (RFC 2181).
      return [...new Set(addresses)].sort().map((address) => `${owner} ${target?.ttlSeconds} IN ${type} ${address}`);
    }
    const rdata = {
      A: attributes.AWS_INSTANCE_IPV4,
      AAAA: attributes.AWS_INSTANCE_IPV6,
      CNAME: attributes.AWS_INSTANCE_CNAME && `${attributes.AWS_INSTANCE_CNAME}.`,
      SRV: attributes.AWS_INSTANCE_PORT && `1 1 ${attributes.AWS_INSTANCE_PORT} ${id}.${owner}`,
    }[type];
    return rdata === undefined ? [] : [`${owner} ${ttl} IN ${type} ${rdata}`];
  }

  #instances(): OracleInstance[] {
    return [...this.services.values()].flatMap(({ instances }) => [...instances.values()]);
  }
}

export function hasCheck({ check, isCustom }: OracleService): boolean {
  return check !== null || isCustom;
}

export function aliasOf(attributes: Attributes): string | null {
  return attributes.AWS_ALIAS_DNS_NAME ?? null;
}
