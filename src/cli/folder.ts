/** The registry of a data folder that no daemon holds, opened by a command for as long as it works. */
import { randomInt } from 'node:crypto';
import { registryOptions } from '../config.ts';
import { Registry } from '../registry/registry.ts';
import { openMemoryStore } from '../store/memory.ts';
import { openStore } from '../store/open.ts';
import { type Store, StoreHeldError } from '../store/store.ts';
import { CommandError } from './command.ts';
import type { FolderTarget } from './target.ts';

/** @param isForLooking the store stays as it is. @throws CommandError where a daemon holds it; StoreError */
export async function withStore<T>(
  target: FolderTarget,
  run: (store: Store) => Promise<T>,
  isForLooking = true,
): Promise<T> {
  const store = openFolder(target, isForLooking);
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

/** @param isForLooking nothing is made where nothing is, or moved on. @throws CommandError, StoreError */
export async function withRegistry<T>(
  target: FolderTarget,
  run: (registry: Registry) => Promise<T>,
  isForLooking = true,
): Promise<T> {
  const work = async (store: Store): Promise<T> => {
    const registry = await Registry.open({
      store,
      options: registryOptions(target.configuration),
      clock: Date.now,
      random: (bound) => randomInt(bound),
    });
    try {
      return await run(registry);
    } finally {
      await registry.settle();
    }
  };
  return isForLooking && !target.exists ? work(openMemoryStore()) : withStore(target, work, isForLooking);
}

function openFolder({ configuration, why }: FolderTarget, isForLooking: boolean): Store {
  const { settings } = configuration;
  try {
    return openStore(settings.store, settings.dataDir, isForLooking);
  } catch (error) {
    if (!(error instanceof StoreHeldError)) throw error;
    throw new CommandError(`${error.message}, and ${why}: name its address with --endpoint`, { cause: error });
  }
}
