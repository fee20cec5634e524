/** Documents into the registry: missing is created, changed is set, the rest is left alone. */
import type { Registry } from '../registry/registry.ts';
import { type Document, DocumentReader } from './document.ts';
import { importDeclared } from './import-declared.ts';
import { importExact } from './import-exact.ts';
import type { ImportOptions } from './import-options.ts';
import { readJson, readTree } from './read.ts';
import type { ImportReport } from './report.ts';

/**
 * Reads JSON of either form, text or its bytes in UTF-8.
 * @throws ImportError; then nothing is in, or as much as it says. StoreError, likewise
 */
export async function importText(
  registry: Registry,
  chunks: AsyncIterable<string | Uint8Array>,
  options: ImportOptions,
): Promise<ImportReport> {
  const reader = new DocumentReader(registry.options);
  await readJson(chunks, reader);
  return bringIn(registry, reader.finish(), options);
}

/** As `importText`, of what has been parsed already, such as a YAML file's value. */
export async function importTree(registry: Registry, tree: unknown, options: ImportOptions): Promise<ImportReport> {
  const reader = new DocumentReader(registry.options);
  readTree(tree, reader);
  return bringIn(registry, reader.finish(), options);
}

function bringIn(registry: Registry, document: Document, options: ImportOptions): Promise<ImportReport> {
  return document.form === 'exact'
    ? importExact(registry, document.content, options)
    : importDeclared(registry, document.content, options);
}
