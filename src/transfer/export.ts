/** Everything that a registry holds, as text: the YAML that declares it, or JSON that brings it back exactly. */
import type { Registry } from '../registry/registry.ts';

export type ExportFormat = 'yaml' | 'json';

/**
 * As of the call, whatever is written meanwhile.
 * @returns the text in pieces, made as they are taken; some are empty, so that others can get a turn in between
 */
export function exportText(_registry: Pick<Registry, 'state' | 'options'>, _format: ExportFormat): Iterable<string> {
  throw new Error('not written yet');
}
