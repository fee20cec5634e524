/** A store that forgets at exit: for test suites that want nothing on disk. */
import type { Store, StoreBatch, StoreChange } from './store.ts';
import { StoreConflictError } from './store.ts';

export function openMemoryStore(): Store {
  const records = new Map<string, string>();
  const listeners: ((batch: StoreBatch) => void)[] = [];
  let revision = 0;
  return {
    place: 'the memory store',
    version: null,
    async load(first = []) {
      const rank = (key: string): number => {
        const index = first.findIndex((prefix) => key.startsWith(prefix));
        return index < 0 ? first.length : index;
      };
      const sorted = [...records].sort(
        ([a], [b]) => rank(a) - rank(b) || Buffer.compare(Buffer.from(a), Buffer.from(b)),
      );
      return { revision, pages: [sorted] };
    },
    async commit(changes: readonly StoreChange[], basis: number) {
      if (basis !== revision) throw new StoreConflictError(`decided on revision ${basis}, the latest is ${revision}`);
      revision++;
      for (const { key, value } of changes) {
        if (value === null) records.delete(key);
        else records.set(key, value);
      }
      for (const listener of listeners) listener({ revision, changes });
      return revision;
    },
    watch(listener) {
      listeners.push(listener);
    },
    async close() {},
  };
}
