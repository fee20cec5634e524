/** Names of addresses (RFC 1035 s3.5, RFC 3596 s2.5): which address one is of, and who is registered with that. */
import { absoluteName, ownerOfInstance, ownerOfService } from '../registry/owner-names.ts';
import type { State } from '../registry/state.ts';
import { aaaaRdata, aRdata } from '../wire/rdata.ts';

const NIBBLES = 32;

/** @param name lower case. @returns four or sixteen octets; null: it is of no whole address */
export function addressOfReverse(name: string): Uint8Array | null {
  const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (ipv4 !== null) {
    const octets = ipv4.slice(1).map(Number).reverse();
    return octets.some((octet) => octet > 255) ? null : Uint8Array.from(octets);
  }
  const nibbles = /^((?:[0-9a-f]\.)+)ip6\.arpa$/.exec(name)?.[1]?.split('.').slice(0, -1) ?? [];
  return nibbles.length === NIBBLES ? Uint8Array.from(Buffer.from(nibbles.reverse().join(''), 'hex')) : null;
}

/** Instances that are registered with the address and in DNS: `web-1 (web.demo.internal)`. @param max so many at the most */
export function instancesWith(state: State, address: Uint8Array, max: number): string[] {
  const isIpv4 = address.length === 4;
  const found: string[] = [];
  for (const service of state.services()) {
    const owner = ownerOfService(service);
    const namespace = state.namespace(service.namespaceId);
    if (owner === null || namespace === undefined) continue;
    for (const instance of state.instancesOf(service.id).values()) {
      const { AWS_INSTANCE_IPV4, AWS_INSTANCE_IPV6 } = instance.attributes;
      const text = isIpv4 ? AWS_INSTANCE_IPV4 : AWS_INSTANCE_IPV6;
      if (text === undefined || Buffer.compare(isIpv4 ? aRdata(text) : aaaaRdata(text), address) !== 0) continue;
      found.push(`${instance.id} (${absoluteName(ownerOfInstance(service, instance) ?? owner, namespace)})`);
      if (found.length === max) return found;
    }
  }
  return found;
}

/** Such as `7.0.0.10.in-addr.arpa`. */
export function reverseOf(address: Uint8Array): string {
  if (address.length === 4) return `${[...address].reverse().join('.')}.in-addr.arpa`;
  return `${[...Buffer.from(address).toString('hex')].reverse().join('.')}.ip6.arpa`;
}
