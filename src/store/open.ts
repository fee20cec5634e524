/** The backends by the name that the setting gives them. */
import { join } from 'node:path';
import { openMemoryStore } from './memory.ts';
import { openSqliteStore, SQLITE_FILE } from './sqlite.ts';
import type { Store } from './store.ts';

export const STORE_KINDS = ['sqlite', 'memory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** @param isAsItIs nothing is made or moved on. @throws StoreError where the backend cannot be opened */
export function openStore(kind: StoreKind, dataDir: string, isAsItIs = false): Store {
  return kind === 'memory' ? openMemoryStore() : openSqliteStore(dataDir, isAsItIs);
}

/** Where a backend keeps everything; null: in no file. */
export function storeFile(kind: StoreKind, dataDir: string): string | null {
  return kind === 'sqlite' ? join(dataDir, SQLITE_FILE) : null;
}
