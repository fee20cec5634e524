/** API calls on a file's things work, and last until the next reconcile: the log says so, or it would surprise. */
import type { Change } from '../registry/model.ts';
import { keyOf } from '../registry/records.ts';
import type { Registry } from '../registry/registry.ts';
import { isReconciled } from './declare.ts';
import { isHealthAlone } from './tally.ts';

/** @param onOverride told what was changed, such as `instance/srv-.../web-1`, and whether it is gone */
export function watchOverrides(registry: Registry, onOverride: (key: string, isGone: boolean) => void): void {
  registry.subscribe(async (changes) => {
    for (const { change, undo } of changes) {
      if (isFilesOwn(undo) && !isReconciled(change) && !isHealthAlone(change, undo)) {
        onOverride(keyOf(change), change.value === null);
      }
    }
  });
}

function isFilesOwn(undo: Change): boolean {
  if (undo.kind !== 'namespace' && undo.kind !== 'service' && undo.kind !== 'instance') return false;
  return undo.value?.manager === 'file';
}
