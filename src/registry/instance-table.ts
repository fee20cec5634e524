/**
 * A service's instances by their ids, in the order in which they came. Most services have a few, for which a list that
 * is looked through takes a fifth of a Map's memory and time; a million instances are a hundred thousand of these.
 */
import type { Instance } from './model.ts';

/** Above it a Map is kept: looking through a list of so many costs as much as hashing an id. */
const MAX_LISTED = 16;

/** The instances of a service as others read them. */
export type Instances = Pick<InstanceTable, 'size' | 'get' | 'keys' | 'values' | 'now'>;

export class InstanceTable {
  // A list is never changed in place, so that whoever walks along it sees it as it was.
  #instances: readonly Instance[] | Map<string, Instance>;

  /** @param instances with an id each; the list becomes the table's */
  constructor(instances: readonly Instance[] = []) {
    this.#instances = instances.length > MAX_LISTED ? toMap(instances) : instances;
  }

  get size(): number {
    return this.#instances instanceof Map ? this.#instances.size : this.#instances.length;
  }

  get(id: string): Instance | undefined {
    if (this.#instances instanceof Map) return this.#instances.get(id);
    for (const instance of this.#instances) if (instance.id === id) return instance;
    return undefined;
  }

  values(): IteratorObject<Instance, undefined> {
    return this.#instances.values();
  }

  /** All of them as they are now, whatever is put later. */
  now(): readonly Instance[] {
    return this.#instances instanceof Map ? [...this.#instances.values()] : this.#instances;
  }

  keys(): IteratorObject<string, undefined> {
    return this.values().map(({ id }) => id);
  }

  put(instance: Instance): void {
    const instances = this.#instances;
    if (instances instanceof Map) {
      instances.set(instance.id, instance);
      return;
    }
    const at = instances.findIndex(({ id }) => id === instance.id);
    if (at >= 0) this.#instances = instances.with(at, instance);
    else if (instances.length < MAX_LISTED) this.#instances = [...instances, instance];
    else this.#instances = toMap(instances).set(instance.id, instance);
  }

  delete(id: string): void {
    if (this.#instances instanceof Map) this.#instances.delete(id);
    else this.#instances = this.#instances.filter((instance) => instance.id !== id);
  }
}

function toMap(instances: readonly Instance[]): Map<string, Instance> {
  return new Map(instances.map((instance) => [instance.id, instance]));
}
