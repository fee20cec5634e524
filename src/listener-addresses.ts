/** Where clients reach the listeners, as far as this machine knows. */
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Endpoint } from './setting-forms.ts';

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** By family, each once; for a wildcard those of the machine, of which loopback counts where there is no other. */
export function listenerAddresses(dns: readonly Endpoint[]): { ipv4: string[]; ipv6: string[] } {
  const addresses = dns.flatMap(({ address }) => nameServerAddresses(address));
  return {
    ipv4: [...new Set(addresses.filter((address) => !isIPv6(address)))],
    ipv6: [...new Set(addresses.filter(isIPv6))],
  };
}

/** Its own address, or for a wildcard those of the machine. */
function nameServerAddresses(address: string): string[] {
  if (!isWildcard(address)) return [address];
  const family = isIPv6(address) ? 'IPv6' : 'IPv4';
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((info) => info.family === family && !info.internal && !(info.family === 'IPv6' && info.scopeid > 0))
    .map((info) => info.address);
  return own.length > 0 ? own : [family === 'IPv6' ? '::1' : '127.0.0.1'];
}
