/** All that a registry holds at one moment. Its records are never changed in place, so that it is lists of them. */
import type { RegistryOptions } from '../registry/decision.ts';
import type { Instance, Namespace, Operation, Service } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';

export interface ServiceContent {
  readonly service: Service;
  readonly revision: number;
  /** In no order. */
  readonly instances: readonly Instance[];
}

export interface Snapshot {
  readonly options: RegistryOptions;
  /** In no order. */
  readonly namespaces: readonly Namespace[];
  /** In no order. */
  readonly services: readonly ServiceContent[];
  /** Oldest first. */
  readonly operations: readonly Operation[];
}

/** Some tens of milliseconds where there are a million instances: it has to be one turn. */
export function takeSnapshot({ state, options }: Pick<Registry, 'state' | 'options'>): Snapshot {
  const services: ServiceContent[] = [];
  for (const service of state.services()) {
    services.push({ service, revision: state.revision(service.id), instances: state.instancesOf(service.id).now() });
  }
  return { options, namespaces: [...state.namespaces()], services, operations: [...state.operations()] };
}

/** Some milliseconds of comparing. */
const RUN = 2000;

/**
 * As `toSorted`, with turns for others in between: it yields no text whenever some milliseconds have gone.
 * @returns the sorted list, as the generator's own result
 */
export function* sortInTurns<T>(items: readonly T[], compare: (a: T, b: T) => number): Generator<string, T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += RUN) {
    runs.push(items.slice(at, at + RUN).sort(compare));
    yield '';
  }
  // Pairs of runs are merged until one is left.
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(yield* mergeInTurns(runs[at] as T[], runs[at + 1] ?? [], compare));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeInTurns<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (a: T, b: T) => number,
): Generator<string, T[]> {
  const merged: T[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const isLeft = r >= right.length || (l < left.length && compare(left[l] as T, right[r] as T) <= 0);
    merged.push((isLeft ? left[l++] : right[r++]) as T);
    if (merged.length % (8 * RUN) === 0) yield '';
  }
  return merged;
}

/** By UTF-16 code units: the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
