/** The state's records as the store keeps them: `<kind>/<id>` and JSON. */
import type { Change } from './model.ts';

export function keyOf(change: Change): string {
  return change.kind === 'instance' ? `instance/${change.serviceId}/${change.id}` : `${change.kind}/${change.id}`;
}

export function encodeChange(change: Change): { key: string; value: string | null } {
  return { key: keyOf(change), value: change.value === null ? null : JSON.stringify(change.value) };
}

/** @throws Error on a record that this registry did not write */
export function decodeChange({ key, value }: { key: string; value: string | null }): Change {
  const slash = key.indexOf('/');
  const kind = key.slice(0, slash);
  const id = key.slice(slash + 1);
  const parsed = value === null ? null : JSON.parse(value);
  switch (kind) {
    case 'namespace':
    case 'service':
    case 'operation':
    case 'revision':
    case 'serial':
      return { kind, id, value: parsed };
    case 'instance': {
      // Service ids have no slash; instance ids may.
      const next = id.indexOf('/');
      return { kind, serviceId: id.slice(0, next), id: id.slice(next + 1), value: parsed };
    }
    default:
      throw new Error(`the store has a record of the unknown kind "${kind}"`);
  }
}
