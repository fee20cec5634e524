/** How much is registered: counted when somebody asks, and then again when something has changed. */
import type { Registry } from '../registry/registry.ts';

export type InstanceCounts = Readonly<Record<'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN', number>>;

export class RegistrySizes {
  readonly #registry: Registry;
  #known: { namespaces: number; services: number; instances: InstanceCounts } | null = null;

  constructor(registry: Registry) {
    this.#registry = registry;
    registry.subscribe(async () => {
      this.#known = null;
    });
  }

  get namespaces(): number {
    return this.#counted().namespaces;
  }

  get services(): number {
    return this.#counted().services;
  }

  get instances(): InstanceCounts {
    return this.#counted().instances;
  }

  #counted() {
    if (this.#known !== null) return this.#known;
    const { state } = this.#registry;
    const instances = { HEALTHY: 0, UNHEALTHY: 0, UNKNOWN: 0 };
    let services = 0;
    for (const { id, healthCheck, hasCustomHealthCheck } of state.services()) {
      services++;
      const ofService = state.instancesOf(id);
      if (healthCheck === null && !hasCustomHealthCheck) instances.UNKNOWN += ofService.size;
      else for (const { health } of ofService.values()) instances[health.status]++;
    }
    const namespaces = [...state.namespaces()].length;
    this.#known = { namespaces, services, instances };
    return this.#known;
  }
}
