/** Asks one service over UDP again and again, and compares each answer with the statuses of that very moment. */
import type { Registry } from '../../src/registry/registry.ts';
import { dig } from './dns.ts';
import { waitFor } from './journey-tools.ts';

export interface WatchedService {
  readonly id: string;
  readonly fallback: 'last-healthy' | 'all';
  readonly policy: 'MULTIVALUE' | 'WEIGHTED';
  /** What is asked, and the record of each instance, by its id: `10 IN A 10.0.0.7`. */
  readonly questions: readonly { readonly name: string; readonly type: string; readonly records: Records }[];
  /** What has one answer always. */
  readonly constants: readonly { readonly name: string; readonly type: string; readonly record: string }[];
}

type Records = Readonly<Record<string, string>>;

/** Statuses of all instances at one time. */
interface Moment {
  readonly healthy: ReadonlySet<string>;
  /** When each of the others ceased to be healthy, epoch ms. */
  readonly ceasedAt: ReadonlyMap<string, number>;
}

/**
 * Every answer must be right for a moment between the one that was published when the question was asked and the one
 * that held when the reply came.
 */
export class DnsWatch {
  /** Every answer that was not right, with the moments that it was compared with. */
  readonly wrong: string[] = [];
  #answers = 0;
  readonly #service: WatchedService;
  readonly #port: number;
  readonly #moments: Moment[];
  /** The newest moment that the answering threads have acknowledged. */
  #published = 0;
  #isStopped = false;
  readonly #asking: Promise<void>;

  /** All instances must be registered, and healthy. */
  constructor(registry: Registry, port: number, service: WatchedService) {
    this.#service = service;
    this.#port = port;
    const ids = [...registry.state.instancesOf(service.id).keys()];
    this.#moments = [{ healthy: new Set(ids), ceasedAt: new Map() }];
    registry.subscribe(async (changes) => {
      const last = this.#moments.at(-1) as Moment;
      const healthy = new Set(last.healthy);
      const ceasedAt = new Map(last.ceasedAt);
      for (const { change } of changes) {
        if (change.kind !== 'instance' || change.serviceId !== service.id || change.value === null) continue;
        const turn = change.value.health.transitions?.at(-1);
        if (turn?.status === 'HEALTHY') healthy.add(change.id);
        else if (turn !== undefined && healthy.delete(change.id)) ceasedAt.set(change.id, turn.at);
      }
      const number = this.#moments.push({ healthy, ceasedAt }) - 1;
      // A command is answered when the threads have acknowledged all that was applied before it.
      void registry
        .submit(() => ({ changes: [], result: null }))
        .then(() => {
          this.#published = Math.max(this.#published, number);
        });
    });
    this.#asking = this.#ask();
  }

  /** Waits until everything has been asked twice since now. */
  async lookTwice(): Promise<void> {
    const { questions, constants } = this.#service;
    const wanted = this.#answers + 2 * (questions.length + constants.length) + 1;
    await waitFor('answers', () => (this.#answers >= wanted ? true : null));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#asking;
  }

  async #ask(): Promise<void> {
    const { questions, constants } = this.#service;
    while (!this.#isStopped) {
      for (const { name, type, records } of questions) {
        const from = this.#published;
        const { rcode, answer } = await dig(this.#port, name, type);
        const texts = answer.map((text) => text.slice(`${name}. `.length));
        const moments = this.#moments.slice(from);
        const isRight = rcode === 'NOERROR' && moments.some((moment) => this.#fits(texts, records, moment));
        if (!isRight) this.wrong.push(`${name} ${type}: ${rcode} ${answer.join()} of ${moments.map(describe).join()}`);
        this.#answers++;
      }
      for (const { name, type, record } of constants) {
        const { answer } = await dig(this.#port, name, type);
        if (answer.join() !== `${name}. ${record}`) this.wrong.push(`${name} ${type}: ${answer.join()}`);
        this.#answers++;
      }
    }
  }

  #fits(texts: readonly string[], records: Records, { healthy, ceasedAt }: Moment): boolean {
    const eligible = healthy.size > 0 ? [...healthy] : this.#fallback(Object.keys(records), ceasedAt);
    const wanted = eligible.map((id) => records[id] as string);
    if (this.#service.policy === 'WEIGHTED') return texts.length === 1 && wanted.includes(texts[0] as string);
    return texts.toSorted().join() === wanted.toSorted().join();
  }

  #fallback(ids: readonly string[], ceasedAt: ReadonlyMap<string, number>): readonly string[] {
    if (this.#service.fallback === 'all') return ids;
    const latest = Math.max(...ceasedAt.values());
    return ids.filter((id) => ceasedAt.get(id) === latest);
  }
}

function describe({ healthy, ceasedAt }: Moment): string {
  return `[healthy ${[...healthy].join(' ')}; ceased ${[...ceasedAt].map(([id, at]) => `${id} ${at}`).join(' ')}]`;
}
