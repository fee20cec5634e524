import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { discoverInstances } from '../../src/registry/discovery.ts';
import { visibleStatus } from '../../src/registry/health-status.ts';
import type { RecordType, Service } from '../../src/registry/model.ts';
import { aliasOf, hasCheck, type OracleInstance, type OracleService, ZONE } from '../support/health-oracle.ts';
import { HealthSchedule, type Kind } from '../support/health-schedule.ts';
import { seededRandom } from '../support/registry.ts';

const SEED = Number(process.env.SIMULATION_SEED ?? 20_261_122);
const SCHEDULES = Number(process.env.SIMULATION_SCHEDULES ?? (process.env.CI === 'true' ? 2080 : 1040));

const ADDRESSES: RecordType[][] = [['A'], ['AAAA'], ['A', 'AAAA']];
const KINDS: Kind[] = [
  ...[...ADDRESSES, ['SRV'] as RecordType[]].flatMap((records) =>
    (['MULTIVALUE', 'WEIGHTED'] as const).flatMap((policy) =>
      (['probe', 'custom'] as const).map((check) => ({ records, policy, check, hasAliases: false })),
    ),
  ),
  { records: ['CNAME'], policy: 'WEIGHTED', check: 'custom', hasAliases: false },
  ...ADDRESSES.flatMap((records) =>
    (['none', 'probe', 'custom'] as const).map((check) => ({
      records,
      policy: 'WEIGHTED' as const,
      check,
      hasAliases: true,
    })),
  ),
];

/** What the schedules came across: a simulation that never falls back shows nothing of the fallback. */
const seen = {
  probes: 0,
  turned: 0,
  fallbacks: 0,
  ties: 0,
  neverHealthy: 0,
  ceasedAliases: 0,
  restarts: 0,
  outages: 0,
};

const FILTERS = ['HEALTHY', 'UNHEALTHY', 'ALL', 'HEALTHY_OR_ELSE_ALL'] as const;

/** A schedule, and what must hold after each thing that happens in it. */
class Simulation {
  readonly #schedule: HealthSchedule;
  readonly #seed: number;
  #checked = '';

  constructor(kind: Kind, seed: number) {
    this.#seed = seed;
    this.#schedule = new HealthSchedule(kind, seededRandom(seed), () => this.#check());
  }

  async run(): Promise<void> {
    const schedule = this.#schedule;
    try {
      await schedule.begin();
      for (let step = 6 + (this.#seed % 13); step > 0; step--) {
        await schedule.step();
        this.#check();
      }
      await schedule.end();
      this.#check();
    } catch (error) {
      const told = error instanceof Error ? error.message : error;
      throw new Error(`${told}\nschedule ${this.#seed}:\n${schedule.log.join('\n')}`, { cause: error });
    } finally {
      vi.clearAllTimers();
    }
    seen.probes += schedule.world.probeCount;
    seen.restarts += schedule.restarts;
    seen.outages += schedule.outages;
  }

  #check(): void {
    same('what was done that may not be', this.#schedule.world.problems, []);
    // Nothing was told and nothing ought to have been.
    const now = `${this.#schedule.oracle.version} ${this.#schedule.world.batches}`;
    if (now === this.#checked) return;
    this.#checked = now;
    for (const service of this.#schedule.oracle.services.values()) {
      this.#checkStatuses(service);
      for (const { type } of service.records) this.#checkAnswers(service, type);
      this.#checkCompanions(service);
      this.#checkDiscovery(service);
    }
  }

  #checkStatuses(service: OracleService): void {
    const { state } = this.#schedule.world.registry;
    const found = state.service(this.#schedule.idOf(service)) as Service;
    const instances = state.instancesOf(found.id);
    same('the registered instances', [...instances.keys()].sort(), [...service.instances.keys()].sort());
    for (const instance of instances.values()) {
      const { id } = instance;
      const { status, lastHealthyAt, pending } = service.instances.get(id) as OracleInstance;
      const { transitions = [], ...health } = instance.health;
      same(`the health of ${id}`, health, { status, lastHealthyAt, pending });
      same(`the visible status of ${id}`, visibleStatus(found, instance), hasCheck(service) ? status : 'UNKNOWN');
      if (transitions.length === 0) continue;
      seen.turned++;
      same(`the last transition of ${id}`, transitions.at(-1)?.status, status);
      const isInOrder = transitions.every(({ at, status: to }, i) => {
        const before = transitions[i - 1];
        return before === undefined || (before.at <= at && before.status !== to);
      });
      same(`the history of ${id}`, [transitions.length <= 10, isInOrder], [true, true]);
    }
  }

  #checkAnswers(service: OracleService, type: RecordType): void {
    const owner = `${service.name}.${ZONE}`;
    const choices = this.#schedule.oracle.choices(service, type).map((choice) => choice.join('\n'));
    const hasOthers = service.records.some((record) => this.#schedule.oracle.choices(service, record.type).length > 0);
    if (choices.length === 0) {
      const { rcode, answer } = this.#schedule.world.ask(owner, type);
      same(`${owner} ${type}`, [rcode, answer], [hasOthers ? 'NOERROR' : 'NXDOMAIN', []]);
      return;
    }
    this.#note(service);
    const drawn = service.isWeighted ? 1 : Math.min(8, choices.length);
    const answered = new Set<string>();
    this.#schedule.world.drawsInTurn = service.isWeighted;
    // Of more than eight each comes sooner or later; that one never does in so many draws is out of the question.
    const asks = choices.length <= drawn || service.isWeighted ? choices.length / drawn : 100;
    for (let left = asks; left > 0 && answered.size < choices.length; left--) {
      const { answer, additional } = this.#schedule.world.ask(owner, type);
      const picked = service.isWeighted ? [[...answer].sort().join('\n')] : answer;
      same(`${owner} ${type}: how many`, [picked.length, new Set(picked).size], [drawn, drawn]);
      for (const choice of picked) {
        if (!choices.includes(choice)) same(`${owner} ${type}`, choice, choices);
        answered.add(choice);
      }
      if (type === 'SRV') this.#checkAdditional(service, answer, additional);
    }
    same(`${owner} ${type}: all that may be`, [...answered].sort(), [...choices].sort());
  }

  /** Addresses of the answered targets, and of no others. */
  #checkAdditional(service: OracleService, answer: readonly string[], additional: readonly string[]): void {
    const ids = answer.map((record) => record.split(' ').at(-1)?.split('.')[0] as string);
    const wanted = ids.flatMap((id) => [
      ...this.#schedule.oracle.companions(service, id, 'A'),
      ...this.#schedule.oracle.companions(service, id, 'AAAA'),
    ]);
    same('the additional records', [...additional].sort(), wanted.sort());
  }

  #checkCompanions(service: OracleService): void {
    if (!service.records.some(({ type }) => type === 'SRV')) return;
    for (const id of service.instances.keys()) {
      for (const type of ['A', 'AAAA'] as const) {
        const name = `${id}.${service.name}.${ZONE}`;
        same(
          `${name} ${type}`,
          this.#schedule.world.ask(name, type).answer,
          this.#schedule.oracle.companions(service, id, type),
        );
      }
    }
  }

  #checkDiscovery(service: OracleService): void {
    const { registry } = this.#schedule.world;
    for (const healthStatus of FILTERS) {
      const query = { namespaceName: ZONE, serviceName: service.name, maxResults: 1000, ownerAccount: null };
      const rest = { queryParameters: {}, optionalParameters: {}, healthStatus };
      const { instances } = discoverInstances(registry.state, { ...query, ...rest }, registry.context());
      const wanted = this.#schedule.oracle.discovered(service, healthStatus);
      same(`discovered as ${healthStatus}`, instances.map(({ id }) => id).sort(), wanted);
    }
  }

  #note(service: OracleService): void {
    const instances = [...service.instances.values()];
    const plain = instances.filter(({ attributes }) => aliasOf(attributes) === null);
    if (plain.some(({ status }) => status === 'HEALTHY')) return;
    const aliases = instances.map(({ attributes }) => this.#schedule.oracle.target(aliasOf(attributes) ?? ''));
    if (aliases.some((target) => target?.isHealthy === true)) return;
    if (aliases.some((target) => (target?.lastHealthyAt ?? null) !== null)) seen.ceasedAliases++;
    if (plain.length < 2) return;
    seen.fallbacks++;
    const times = plain.map(({ lastHealthyAt }) => lastHealthyAt ?? 0).sort((a, b) => b - a);
    if (times[0] === 0) seen.neverHealthy++;
    else if (times[0] === times[1]) seen.ties++;
  }
}

/** Cheap where it holds, which is nearly always. */
function same(what: string, actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual, what).toEqual(expected);
}

describe(`${SCHEDULES} random schedules (SIMULATION_SEED=${SEED}): statuses and answers are what the rules say`, () => {
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.UTC(2030, 0, 1) }),
  );
  afterEach(() => void vi.useRealTimers());

  const count = Math.ceil(SCHEDULES / KINDS.length);
  it.each(KINDS.map((kind, i) => [titleOf(kind), kind, i] as const))('%s', async (_, kind, index) => {
    for (let i = 0; i < count; i++) await new Simulation(kind, SEED + index * 1_000_003 + i * 7919).run();
  });

  it('come across all that they are for', () => {
    console.log(`SIMULATION_SEED=${SEED}: ${JSON.stringify(seen)}`);
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(0);
  });
});

function titleOf({ records, policy, check, hasAliases }: Kind): string {
  const checked = { probe: 'with a probe', custom: 'with a custom check', none: 'without a check' }[check];
  return `${records.join(' and ')} by ${policy} ${checked}${hasAliases ? ', with aliases' : ''}`;
}
