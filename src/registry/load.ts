/**
 * The state that a store holds, read at the start: a million records in a few seconds, without keeping the event loop
 * for more than some of their pages.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Store, StoreDamagedError, type StoredRecord } from '../store/store.ts';
import type { Change, Instance } from './model.ts';
import { decodeChange, INSTANCE_PREFIX, instanceFrom } from './records.ts';
import type { State } from './state.ts';

/** Others get their turn after so long. */
const MAX_TURN_MS = 10;

/** @returns the revision that was read; @throws StoreError that names the record which cannot be read */
export async function loadState(store: Store, state: State): Promise<number> {
  // The indexes of an instance need its service.
  const { revision, pages } = await store.load(['service/']);
  const operations: Extract<Change, { kind: 'operation' }>[] = [];
  // Of one service they come in a row.
  let prefix = '';
  let serviceId = '';
  let instances: Instance[] = [];
  const endService = (): void => {
    if (instances.length > 0) state.fillService(serviceId, instances);
    instances = [];
  };
  const take = (key: string, value: string): void => {
    if (key.startsWith(INSTANCE_PREFIX)) {
      if (prefix === '' || !key.startsWith(prefix)) {
        endService();
        const given = key.slice(INSTANCE_PREFIX.length, key.indexOf('/', INSTANCE_PREFIX.length));
        // The service's own string, for all its instances.
        const service = state.service(given);
        if (service === undefined) throw new Error('its service is missing');
        serviceId = service.id;
        prefix = `${INSTANCE_PREFIX}${serviceId}/`;
      }
      instances.push(instanceFrom(serviceId, key, value));
      return;
    }
    const change = decodeChange({ key, value });
    // They are kept in the order in which they were accepted.
    if (change.kind === 'operation') operations.push(change);
    else if (change.kind === 'revision') state.apply({ ...change, id: state.service(change.id)?.id ?? change.id });
    else state.apply(change);
  };

  let turnEndMs = performance.now() + MAX_TURN_MS;
  for (const page of pages) {
    for (const record of page) readRecord(store.place, record, take);
    if (performance.now() < turnEndMs) continue;
    await nextTurn();
    turnEndMs = performance.now() + MAX_TURN_MS;
  }
  endService();
  for (const { id, namespaceId } of state.services()) {
    if (state.namespace(namespaceId) === undefined)
      throw new StoreDamagedError(store.place, `the namespace of the service ${id} is missing`);
  }
  operations.sort((a, b) => (a.value?.createdAt ?? 0) - (b.value?.createdAt ?? 0));
  for (const change of operations) state.apply(change);
  return revision;
}

/** @throws StoreDamagedError that names the record */
function readRecord(place: string, [key, value]: StoredRecord, take: (key: string, value: string) => void): void {
  try {
    take(key, value);
  } catch (cause) {
    const problem = `the record ${JSON.stringify(key)} cannot be read: ${(cause as Error).message}`;
    throw new StoreDamagedError(place, problem.replaceAll('\n', ' '), { cause });
  }
}
