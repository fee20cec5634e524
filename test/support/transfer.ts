/** Exports and imports of registries, without HTTP. */
import type { Registry } from '../../src/registry/registry.ts';
import type { Store, StoredRecord } from '../../src/store/store.ts';
import { type ExportFormat, exportText } from '../../src/transfer/export.ts';
import { importText } from '../../src/transfer/import.ts';
import type { ImportReport } from '../../src/transfer/report.ts';

export function exported(registry: Pick<Registry, 'state' | 'options'>, format: ExportFormat): string {
  return [...exportText(registry, format)].join('');
}

/** @param document text, or what JSON makes it of */
export function imported(registry: Registry, document: unknown, dryRun = false): Promise<ImportReport> {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return importText(registry, inChunks(text), { dryRun });
}

/** As a socket gives it: cut anywhere, in the midst of characters too. */
export async function* inChunks(text: string, size = 10_000): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Everything in the store, and its revision. */
export async function storedIn(store: Store): Promise<{ revision: number; records: StoredRecord[] }> {
  const { revision, pages } = await store.load();
  return { revision, records: [...pages].flat() };
}
