/** Back to the declared content, DNS included: what a test suite does between its tests. */
import { setImmediate } from 'node:timers/promises';
import { resetToDeclared } from './declared/declare.ts';
import type { Tally } from './declared/tally.ts';
import type { Publisher } from './publish/publisher.ts';
import type { Registry } from './registry/registry.ts';
import type { Resolver } from './resolver/resolver.ts';

export interface ResetReport extends Tally {
  /** Answers of upstreams that were forgotten. */
  readonly flushed: number;
}

export interface ResetParts {
  readonly registry: Registry;
  readonly publisher: Publisher;
  readonly faults: { clear(): Promise<number> };
  /** Of the main thread's own, which looks names of aliases up. */
  readonly resolver: Pick<Resolver, 'reset'>;
  /** Of the rates that calls are throttled by. */
  readonly throttles: { refill(): void };
}

/** An alias may lead to another; each round follows one more of them (the answering threads follow as many CNAMEs). */
const ALIAS_ROUNDS = 16;

/**
 * Resolves when DNS answers by it. Calls go on meanwhile: those that were decided before it are gone, later ones stay.
 * @throws StoreError; then the registry is as it was, and the faults have ended
 */
export async function reset({ registry, publisher, faults, resolver, throttles }: ResetParts): Promise<ResetReport> {
  // First: calls that a fault holds up go on with it, and so are decided before what undoes them.
  await faults.clear();
  // What they were let go by is a turn of the event loop ahead of them.
  await setImmediate();
  const tally = await resetToDeclared(registry);
  if (!registry.state.aliasNames().next().done) {
    for (let round = 0; round < ALIAS_ROUNDS; round++) await registry.submit(() => ({ changes: [], result: null }));
  }
  resolver.reset();
  const flushed = await publisher.reset();
  // Last: calls that came before have had their part.
  throttles.refill();
  return { ...tally, flushed };
}
