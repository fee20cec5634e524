/** Everything that a registry holds, as text: the YAML that declares it, or JSON that brings it back exactly. */
import type { Registry } from '../registry/registry.ts';
import { jsonLines } from './export-json.ts';
import { yamlLines } from './export-yaml.ts';
import { takeSnapshot } from './snapshot.ts';

export const EXPORT_FORMATS = ['yaml', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Of a piece: what a socket takes at once. */
const PIECE_CHARACTERS = 32 * 1024;

/**
 * As of the call, whatever is written meanwhile.
 * @returns the text in pieces, each made in a few milliseconds when it is taken; some are empty
 */
export function exportText(registry: Pick<Registry, 'state' | 'options'>, format: ExportFormat): Iterable<string> {
  const snapshot = takeSnapshot(registry);
  return joined(format === 'json' ? jsonLines(snapshot) : yamlLines(snapshot));
}

function* joined(lines: Iterable<string>): Generator<string> {
  let piece = '';
  for (const line of lines) {
    piece += line;
    if (line === '') yield '';
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}
