/** What the `scale` bench serves: so many instances, ten to a service with A records, in four namespaces. */
import type { Zone } from './peers/peer.ts';

export const PER_SERVICE = 10;
const NAMESPACES = 4;

/** @param instances a multiple of `perService`; the namespaces in turn, so that a few services are in as many */
export function scaleZones(instances: number, perService = PER_SERVICE): Zone[] {
  const services = instances / perService;
  return Array.from({ length: Math.min(NAMESPACES, services) }, (_, n) => {
    const apex = `n${n}.bench.internal`;
    const hosts: Zone['hosts'][number][] = [];
    for (let i = n; i < services; i += NAMESPACES) {
      const addresses = Array.from({ length: perService }, (_, k) => address(i * perService + k));
      hosts.push({ name: `s${i}.${apex}`, addresses });
    }
    return { apex, hosts, srvs: [] };
  });
}

function address(n: number): string {
  return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
}
