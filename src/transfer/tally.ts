/** What became of each record of a document: counted, and told of as far as anybody would read. */
import { isDeepStrictEqual } from 'node:util';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import type { Counts, Difference, ImportReport } from './report.ts';

export type Kind = 'namespace' | 'service' | 'instance';
export type Outcome = 'created' | 'changed' | 'unchanged';
type Thing = Namespace | Service | Instance;
type Mutable = { -readonly [K in keyof Counts]: Counts[K] };

export const MAX_DIFFERENCES = 1000;
/** Of a value in a difference. */
const MAX_SHOWN = 80;
const COUNTED = { namespace: 'namespaces', service: 'services', instance: 'instances' } as const;

export class Tally {
  readonly #counts: Readonly<Record<Outcome, Mutable>> = {
    created: { namespaces: 0, services: 0, instances: 0 },
    changed: { namespaces: 0, services: 0, instances: 0 },
    unchanged: { namespaces: 0, services: 0, instances: 0 },
  };
  readonly #differences: Difference[] = [];
  #more = 0;

  /**
   * @param name for people; made only where it is shown
   * @param members of a change
   */
  add(kind: Kind, outcome: Outcome, id: string | null, name: () => string, members: () => readonly string[]): void {
    this.#counts[outcome][COUNTED[kind]]++;
    if (outcome === 'unchanged') return;
    if (this.#differences.length >= MAX_DIFFERENCES) {
      this.#more++;
      return;
    }
    const action = outcome === 'created' ? 'create' : 'change';
    const known = id === null ? {} : { id };
    this.#differences.push({ action, kind, name: name(), ...known, members: action === 'create' ? [] : members() });
  }

  /** Takes another one in, whose records come behind. */
  join(other: Tally): void {
    for (const outcome of ['created', 'changed', 'unchanged'] as const) {
      for (const list of Object.values(COUNTED)) this.#counts[outcome][list] += other.#counts[outcome][list];
    }
    const room = MAX_DIFFERENCES - this.#differences.length;
    this.#differences.push(...other.#differences.slice(0, room));
    this.#more += other.#more + Math.max(0, other.#differences.length - room);
  }

  report(dryRun: boolean): ImportReport {
    const more = this.#more === 0 ? {} : { moreDifferences: this.#more };
    return { dryRun, ...this.#counts, differences: this.#differences, ...more };
  }
}

/** Such as `attributes.AWS_INSTANCE_IPV4: 10.0.0.1 -> 10.0.0.2`. @param unnamed members that are not told of */
export function membersChanged(before: Thing, after: Thing, unnamed: readonly string[]): string[] {
  const members: string[] = [];
  compare([], before, after, members, unnamed);
  return members;
}

function compare(
  at: readonly string[],
  before: unknown,
  after: unknown,
  members: string[],
  unnamed: readonly string[],
) {
  if (isMap(before) && isMap(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (at.length === 0 && unnamed.includes(key)) continue;
      compare([...at, key], ownOf(before, key), ownOf(after, key), members, unnamed);
    }
  } else if (!isDeepStrictEqual(before, after)) members.push(changed(at.join('.'), before, after));
}

/** One line of a difference. */
export function changed(member: string, before: unknown, after: unknown): string {
  return `${member}: ${shown(before)} -> ${shown(after)}`;
}

function ownOf(map: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text as it is, where nothing else could be meant. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  const isPlain = typeof value === 'string' && /^[!-~]+$/.test(value) && value !== 'none';
  const text = isPlain ? value : JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}
