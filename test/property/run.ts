/**
 * One random sequence against a daemon: each step's calls are sent at the same moment, and of the models that may be
 * true those stay that some order of the calls explains, by the calls' answers and by all that can be read afterwards.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { type Answer, dig } from '../support/dns.ts';
import { nextMillisecond } from '../support/journey-tools.ts';
import { type Call, type Outcome, type RecordType, readOutcomes, sendCalls } from './calls.ts';
import type { Client } from './client.ts';
import { callsOf, type Surroundings } from './command-calls.ts';
import { type Command, INSTANCE_IDS, NAMESPACE_NAMES, SERVICE_NAMES } from './commands.ts';
import { EMPTY, endStep, type Model } from './model.ts';
import { applyCall } from './rules.ts';
import { readView, viewOf } from './view.ts';
import { problemOf, zonesOf } from './zones.ts';

const TYPES: readonly RecordType[] = ['A', 'AAAA', 'SRV', 'CNAME'];
const EDNS_BYTES = 1232;

/** Every name that could have records, and some that never have. */
const OWNER_NAMES: readonly string[] = (() => {
  const owners = SERVICE_NAMES.map((name) => (name === '.' ? '' : `${name.toLowerCase()}.`));
  const targets = owners.flatMap((owner) => INSTANCE_IDS.map((id) => `${id.toLowerCase()}.${owner}`));
  const relative = [...owners, ...targets, 'ns.', 'nobody.', 'nobody.web.'];
  const zones = new Set(NAMESPACE_NAMES.map((name) => name.toLowerCase()));
  const names = [...zones].flatMap((zone) => relative.map((owner) => `${owner}${zone}`));
  return [...new Set([...names, 'test', 'www.outside.test'])];
})();

/** What one thing's id was, in the order in which they came into being. */
interface Births {
  readonly namespaces: string[];
  readonly services: string[];
}

export class Run {
  #client: Client;
  #candidates: readonly Model[] = [EMPTY];
  readonly #born: Births = { namespaces: [], services: [] };
  readonly #sent: Call[] = [];
  readonly #operations = new Set<string>();
  #revisions: ReadonlyMap<string, number> = new Map();
  /** The greatest revision that a service of the name ever had, by the names that discovery uses. */
  readonly #highest = new Map<string, number>();
  readonly #journal: string[] = [];

  constructor(client: Client) {
    this.#client = client;
  }

  /** @throws Error that tells the calls so far and what disagrees */
  async step(commands: readonly Command[]): Promise<void> {
    const calls = callsOf(commands, this.#surroundings());
    // What one step did and what the next does never happens within one millisecond.
    await nextMillisecond();
    const replies = await sendCalls(this.#client, calls);
    // First of all: what a call did is in DNS when the call is answered.
    const answers = await this.#askAll();
    const outcomes = await readOutcomes(this.#client, replies, this.#operations);
    this.#note(calls, outcomes);
    const explained = this.#candidates.flatMap((model) => serialize(model, calls, outcomes));
    if (explained.length === 0) this.#fail('no order of the last calls explains their answers');
    await this.#compare(withoutRepeats(explained), answers);
  }

  /** The daemon was started anew on what it had stored. */
  async restarted(client: Client): Promise<void> {
    this.#client = client;
    this.#journal.push('--- restarted');
    await this.#compare(this.#candidates, await this.#askAll());
  }

  #surroundings(): Surroundings {
    const [model = EMPTY] = this.#candidates;
    const { namespaces, services } = this.#born;
    const types = { HTTP: 'Http', DNS_PRIVATE: 'PrivateDns', DNS_PUBLIC: 'PublicDns' } as const;
    return {
      namespaces: namespaces.filter((id) => model.namespaces[id] !== undefined),
      services: services.filter((id) => model.services[id] !== undefined),
      goneNamespaces: namespaces.filter((id) => model.namespaces[id] === undefined),
      goneServices: services.filter((id) => model.services[id] === undefined),
      sent: this.#sent,
      typeOf: (id) => types[model.namespaces[id]?.type ?? 'DNS_PRIVATE'],
      recordTypesOf: (id) => model.services[id]?.dns?.records.map(({ type }) => type) ?? [],
      isChecked: (id) => model.services[id]?.isChecked ?? false,
      instancesOf: (id) => Object.keys(model.services[id]?.instances ?? {}).sort(),
    };
  }

  #note(calls: readonly Call[], outcomes: readonly Outcome[]): void {
    this.#sent.push(...calls);
    const lines = calls.map((call, i) => {
      const { error, body } = outcomes[i] as Outcome;
      return `${call.action} ${JSON.stringify(call.input)} -> ${error ?? JSON.stringify(body)}`;
    });
    this.#journal.push(`--- ${lines.length === 1 ? 'a call' : `${lines.length} calls at the same moment`}`, ...lines);
    for (const { operation, namespace, body } of outcomes) {
      if (operation !== null) this.#operations.add(operation.Id);
      if (operation?.Type === 'CREATE_NAMESPACE' && namespace !== null) addOnce(this.#born.namespaces, namespace.Id);
      if (body.Service !== undefined) addOnce(this.#born.services, body.Service.Id);
    }
  }

  /** Leaves of the candidates those that agree with what the API and DNS say now. */
  async #compare(candidates: readonly Model[], answers: readonly Asked[]): Promise<void> {
    const { view, revisions } = await readView(this.#client);
    const seen = candidates.filter((model) => isDeepStrictEqual(viewOf(model), view));
    if (seen.length === 0) expect(view, this.#told('what the API says')).toEqual(viewOf(candidates[0] as Model));

    const revised = seen.filter((model) => this.#revisionProblem(model, revisions) === null);
    if (revised.length === 0) this.#fail(this.#revisionProblem(seen[0] as Model, revisions) ?? '');
    for (const [id, revision] of revisions) this.#highest.set(nameOf(revised[0] as Model, id), revision);
    this.#revisions = revisions;

    const answered = revised.filter((model) => answersProblem(model, answers) === null);
    if (answered.length === 0) this.#fail(answersProblem(revised[0] as Model, answers) ?? '');
    this.#candidates = withoutRepeats(answered.map(endStep));
  }

  /** InstancesRevision changes where instances came or went and nowhere else, and never decreases under one name. */
  #revisionProblem(model: Model, revisions: ReadonlyMap<string, number>): string | null {
    for (const [id, revision] of revisions) {
      const name = nameOf(model, id);
      const before = this.#revisions.get(id);
      const highest = this.#highest.get(name) ?? 0;
      const changes = before === undefined || model.step.revised.includes(id);
      if (changes ? revision <= Math.max(highest, before ?? 0) : revision !== before)
        return `the revision of ${id} (${name}) is ${revision}, was ${before}; highest under the name ${highest}`;
    }
    return null;
  }

  #askAll(): Promise<Asked[]> {
    const questions = OWNER_NAMES.flatMap((name) => TYPES.map((type) => ({ name, type })));
    return Promise.all(
      questions.map(async ({ name, type }) => {
        return { name, type, answer: await dig(this.#client.dnsPort, name, type, { edns: EDNS_BYTES }) };
      }),
    );
  }

  #fail(problem: string): never {
    throw new Error(this.#told(problem));
  }

  #told(problem: string): string {
    return `${problem}\n${this.#journal.join('\n')}\n`;
  }
}

interface Asked {
  readonly name: string;
  readonly type: RecordType;
  readonly answer: Answer;
}

function answersProblem(model: Model, answers: readonly Asked[]): string | null {
  const zones = zonesOf(model);
  for (const { name, type, answer } of answers) {
    const problem = problemOf(zones, name, type, answer);
    if (problem === null) continue;
    const { rcode, aa, answer: records, authority, additional } = answer;
    return `${name} ${type}: ${problem}; it is ${JSON.stringify({ rcode, aa, records, authority, additional })}`;
  }
  return null;
}

/** What may be after the calls were carried out one after the other in any order, each with its outcome. */
function serialize(model: Model, calls: readonly Call[], outcomes: readonly Outcome[]): Model[] {
  // By the set of calls that are done: their order matters by what it leads to alone.
  let reached = new Map<number, readonly Model[]>([[0, [model]]]);
  for (let done = 0; done < calls.length; done++) {
    const next = new Map<number, Model[]>();
    for (const [set, models] of reached) {
      for (const [i, call] of calls.entries()) {
        if ((set & (1 << i)) !== 0) continue;
        const after = models.flatMap((each) => applyCall(each, call, outcomes[i] as Outcome));
        next.set(set | (1 << i), [...(next.get(set | (1 << i)) ?? []), ...after]);
      }
    }
    reached = new Map([...next].map(([set, models]) => [set, withoutRepeats(models)]));
  }
  return [...reached.values()].flat();
}

function withoutRepeats(models: readonly Model[]): Model[] {
  return models.length < 2 ? [...models] : [...new Map(models.map((model) => [textOf(model), model])).values()];
}

/** Equal for equal models, whatever the order in which things came into their maps. */
function textOf(model: Model): string {
  return JSON.stringify(model, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

function nameOf(model: Model, serviceId: string): string {
  const service = model.services[serviceId];
  return `${model.namespaces[service?.namespaceId ?? '']?.httpName}/${service?.name}`;
}

function addOnce(ids: string[], id: string): void {
  if (!ids.includes(id)) ids.push(id);
}
