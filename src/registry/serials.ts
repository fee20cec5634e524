/**
 * SOA serials: one per zone, kept with the content that they stand for, so that each change of what DNS answers has a
 * greater one, restarts and replicas included (RFC 1035 s3.3.13).
 */
import { type Change, hasHealthCheck, RETIRED_SERIALS, type Service } from './model.ts';
import type { State } from './state.ts';

/** A change that was applied, and what it replaced. */
export interface Applied {
  readonly change: Change;
  /** The change that would undo it. */
  readonly undo: Change;
}

/**
 * The serials that go with changes which the state has already.
 * @returns none where nothing in DNS changed
 */
export function serialChanges(state: State, applied: readonly Applied[], now: number): Change[] {
  const zones = touchedZones(state, applied);
  if (zones.size === 0) return [];
  // The time in seconds as a rule, so that it says something; one more than any other where changes come faster.
  const value = Math.max(state.highestSerial + 1, Math.floor(now / 1000));
  const changes: Change[] = [];
  for (const id of zones) {
    if (state.zoneNamespaces(id).length > 0) changes.push({ kind: 'serial', id, value });
    else changes.push({ kind: 'serial', id, value: null }, { kind: 'serial', id: RETIRED_SERIALS, value });
  }
  return changes;
}

/** Names of the zones whose content may have changed, lower case. */
function touchedZones(state: State, applied: readonly Applied[]): Set<string> {
  const zones = new Set<string>();
  // What the batch has removed, for the changes in front of the removal.
  const names = new Map<string, string>();
  const services = new Map<string, Service>();
  for (const { undo } of applied) {
    if (undo.kind === 'namespace' && undo.value !== null && undo.value.type !== 'HTTP')
      names.set(undo.id, undo.value.name);
    if (undo.kind === 'service' && undo.value !== null) services.set(undo.id, undo.value);
  }
  const touch = (namespaceId: string): void => {
    const namespace = state.namespace(namespaceId);
    if (namespace === undefined) {
      const name = names.get(namespaceId);
      if (name !== undefined) zones.add(name.toLowerCase());
    } else if (namespace.type !== 'HTTP' && state.zoneNamespaces(namespace.name)[0]?.id === namespaceId) {
      // Of namespaces with one name the oldest is in DNS.
      zones.add(namespace.name.toLowerCase());
    }
  };
  const touchService = (id: string): void => {
    for (const service of [state.service(id), services.get(id)])
      if (service !== undefined && service.dns !== null) touch(service.namespaceId);
  };
  for (const { change, undo } of applied) {
    if (change.kind === 'namespace' && undo.kind === 'namespace') {
      if (change.value?.soaTtlSeconds !== undo.value?.soaTtlSeconds) touch(change.id);
    } else if (change.kind === 'service' && undo.kind === 'service') {
      if (isSameInDns(change.value, undo.value)) continue;
      for (const service of [change.value, undo.value])
        if (service != null && service.dns !== null) touch(service.namespaceId);
    } else if (change.kind === 'instance') {
      touchService(change.serviceId);
    } else if (change.kind === 'alias-target') {
      for (const id of state.servicesWithAlias(change.id)) touchService(id);
    }
  }
  return zones;
}

/** Tags, attributes and the like do not matter; whether there is a check does, for health decides answers. */
export function isSameInDns(next: Service | null, previous: Service | null): boolean {
  return (
    next?.dns === previous?.dns &&
    next !== null &&
    previous !== null &&
    hasHealthCheck(next) === hasHealthCheck(previous)
  );
}
