/** A store that failed is tried until it takes batches again, also where nobody makes calls meanwhile. */
import type { Registry } from './registry.ts';

const INTERVAL_MS = 500;

export function tryFailedStore(registry: Registry): { close(): void } {
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const tryLater = (): void => {
    clearTimeout(timer);
    if (isClosed) return;
    timer = setTimeout(() => {
      // What it failed of is the registry's to tell; its success ends the outage.
      registry.tryStore().catch(tryLater);
    }, INTERVAL_MS);
  };
  registry.onOutage((outage) => {
    if (outage === null) clearTimeout(timer);
    else tryLater();
  });
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
