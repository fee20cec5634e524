/** How many things a file's content has created, changed and removed. */
import type { Change, Instance, Namespace, Service } from '../registry/model.ts';
import { digestOf } from '../registry/operations.ts';
import { keyOf } from '../registry/records.ts';
import type { State } from '../registry/state.ts';
import type { DeclaredContent } from './schema.ts';

export interface Tally {
  readonly created: number;
  readonly changed: number;
  readonly removed: number;
}

/** Namespaces, services and instances. @param state before the changes */
export function tallyChanges(state: State, changes: readonly Change[]): Tally {
  const lasts = new Map<string, Change>();
  for (const change of changes) lasts.set(keyOf(change), change);
  const tally = { created: 0, changed: 0, removed: 0 };
  for (const change of lasts.values()) {
    const undo = undoOf(state, change);
    if (undo === null || isHealthAlone(change, undo) || isAdoptionAlone(change, undo)) continue;
    tally[undo.value === null ? 'created' : change.value === null ? 'removed' : 'changed']++;
  }
  return tally;
}

/** As `tallyChanges`, but that a status counts too, and nothing that ends up as it was. @param state before the changes */
export function tallyDifferences(state: State, changes: readonly Change[]): Tally {
  const lasts = new Map<string, Change>();
  for (const change of changes) lasts.set(keyOf(change), change);
  const tally = { created: 0, changed: 0, removed: 0 };
  for (const change of lasts.values()) {
    const undo = undoOf(state, change);
    if (undo === null || digestOf(change.value) === digestOf(undo.value)) continue;
    tally[undo.value === null ? 'created' : change.value === null ? 'removed' : 'changed']++;
  }
  return tally;
}

/** The RRsets of static records, and addresses of EC2 instances. */
export function tallyRecords(before: OutsideRegistry, after: OutsideRegistry): Tally {
  const olds = entriesOf(before);
  const news = entriesOf(after);
  const kept = [...news].filter(([key]) => olds.has(key));
  return {
    created: news.size - kept.length,
    changed: kept.filter(([key, value]) => olds.get(key) !== value).length,
    removed: olds.size - kept.length,
  };
}

/** `2 created, 1 removed`, or `nothing changed`. */
export function describeTallies(...tallies: readonly Tally[]): string {
  const parts = (['created', 'changed', 'removed'] as const).map((kind) => {
    const sum = tallies.reduce((total, tally) => total + tally[kind], 0);
    return sum === 0 ? [] : `${sum} ${kind}`;
  });
  return parts.flat().join(', ') || 'nothing changed';
}

/** What of the content is not in the registry. */
export type OutsideRegistry = Pick<DeclaredContent, 'records' | 'ec2Instances'>;

function entriesOf({ records, ec2Instances }: OutsideRegistry): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { name, type, value, ttl } of records) {
    const key = `${name.toLowerCase().replace(/\.$/, '')} ${type}`;
    entries.set(key, `${entries.get(key) ?? ''}${JSON.stringify([value, ttl])}`);
  }
  for (const [id, address] of Object.entries(ec2Instances)) entries.set(`ec2 ${id}`, address);
  return entries;
}

/** Null: it is of no thing that a file declares. */
function undoOf(state: State, change: Change): Change | null {
  switch (change.kind) {
    case 'namespace':
      return { ...change, value: state.namespace(change.id) ?? null };
    case 'service':
      return { ...change, value: state.service(change.id) ?? null };
    case 'instance':
      return { ...change, value: state.instance(change.serviceId, change.id) ?? null };
    default:
      return null;
  }
}

/** No instance that is new or gone. */
export function isHealthAlone(change: Change, undo: Change): boolean {
  return change.kind === 'instance' && undo.kind === 'instance' && change.value?.attributes === undo.value?.attributes;
}

/** Who manages a thing shows nowhere: what was imported and becomes the file's is what it was. */
function isAdoptionAlone({ value }: Change, { value: before }: Change): boolean {
  if (!isManaged(value) || !isManaged(before) || value.manager === before.manager) return false;
  return digestOf({ ...value, manager: before.manager }) === digestOf(before);
}

function isManaged(value: Change['value']): value is Namespace | Service | Instance {
  return typeof value === 'object' && value !== null && 'manager' in value;
}
