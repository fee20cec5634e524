/** The backends by the name that the setting gives them. */
import { openMemoryStore } from './memory.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

export const STORE_KINDS = ['sqlite', 'memory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** @throws StoreError where the backend cannot be opened */
export function openStore(kind: StoreKind, dataDir: string): Store {
  return kind === 'memory' ? openMemoryStore() : openSqliteStore(dataDir);
}
