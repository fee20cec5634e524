/** A store that failed is tried until it takes batches again, also where nobody makes calls meanwhile. */
import type { Registry } from './registry.ts';

const SHORTEST_MS = 500;
const LONGEST_MS = 8000;
/** A store that fails again so soon takes what is small alone, as where the disk is all but full. */
const STEADY_MS = 10_000;

/** @param now ms of any clock that never goes back */
export function tryFailedStore(registry: Registry, now = (): number => performance.now()): { close(): void } {
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let endedAt = Number.NEGATIVE_INFINITY;
  let intervalMs = SHORTEST_MS;
  const tryLater = (): void => {
    clearTimeout(timer);
    if (isClosed) return;
    timer = setTimeout(() => {
      // What it failed of is the registry's to tell; its success ends the outage.
      registry.tryStore().catch(tryLater);
    }, intervalMs);
  };
  registry.onOutage((outage) => {
    if (outage === null) {
      clearTimeout(timer);
      endedAt = now();
      return;
    }
    intervalMs = now() - endedAt < STEADY_MS ? Math.min(intervalMs * 2, LONGEST_MS) : SHORTEST_MS;
    tryLater();
  });
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
