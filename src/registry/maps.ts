/** Maps of maps and of sets, in which what has become empty is not kept. */

export function setOrDelete<V>(map: Map<string, V>, key: string, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

export function setIn<V>(maps: Map<string, Map<string, V>>, outer: string, key: string, value: V): void {
  const inner = maps.get(outer);
  if (inner === undefined) maps.set(outer, new Map([[key, value]]));
  else inner.set(key, value);
}

export function deleteIn<V>(maps: Map<string, Map<string, V>>, outer: string, key: string): void {
  const inner = maps.get(outer);
  inner?.delete(key);
  if (inner?.size === 0) maps.delete(outer);
}

export function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

export function removeFrom(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
