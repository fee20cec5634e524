/** The address that a client asked, where one listener stands for all of the machine's. */
import { isIP } from 'node:net';
import { Address4, Address6 } from 'ip-address';

export function isWildcardAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** @param address literal, perhaps with a zone; @returns its 4 or 16 octets; null: it is none, such as a closed socket's */
export function addressOctets(address: string): Uint8Array | null {
  const bare = address.split('%', 1)[0] as string;
  if (isIP(bare) === 0) return null;
  if (!bare.includes(':')) return Uint8Array.from(new Address4(bare).toArray());
  return Uint8Array.from(Buffer.from(new Address6(bare).canonicalForm().replaceAll(':', ''), 'hex'));
}
