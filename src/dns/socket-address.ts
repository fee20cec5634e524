/** Addresses of IP sockets as Linux lays them out (sockaddr_in, sockaddr_in6; ip(7), ipv6(7)), to text and back. */
import { networkInterfaces } from 'node:os';
import { readU16, readU32, writeU16 } from '../wire/bytes.ts';
import { addressOctets } from './local-address.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
/** The longer of the two, sockaddr_in6. */
export const SOCKET_ADDRESS_BYTES = 28;

const FAMILY_AT = 0;
const PORT_AT = 2;
const IPV4_AT = 4;
const IPV6_AT = 8;
const SCOPE_AT = 24;

const DOT = 0x2e;
const DIGIT_0 = 0x30;

/** @param address literal, perhaps with a zone such as `%eth0`; @throws Error where it is none, or no such zone is here */
export function encodeSocketAddress(address: string, port: number): Uint8Array {
  const octets = addressOctets(address);
  if (octets === null) throw new Error(`"${address}" is no address`);
  const isIpv4 = octets.length === 4;
  const bytes = new Uint8Array(isIpv4 ? 16 : SOCKET_ADDRESS_BYTES);
  // Family and scope are in the order of the machine, which is little-endian wherever this is used.
  bytes[FAMILY_AT] = isIpv4 ? AF_INET : AF_INET6;
  writeU16(bytes, PORT_AT, port);
  bytes.set(octets, isIpv4 ? IPV4_AT : IPV6_AT);
  const zone = address.split('%', 2)[1];
  if (zone !== undefined) new DataView(bytes.buffer).setUint32(SCOPE_AT, scopeOf(zone), true);
  return bytes;
}

/** Writes what `encodeSocketAddress` makes of an IPv4 address, and makes nothing. */
export function writeIpv4SocketAddress(bytes: Uint8Array, at: number, address: string, port: number): void {
  bytes[at + FAMILY_AT] = AF_INET;
  writeU16(bytes, at + PORT_AT, port);
  let to = at + IPV4_AT;
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      bytes[to++] = octet;
      octet = 0;
    } else {
      octet = 10 * octet + code - DIGIT_0;
    }
  }
  bytes[to] = octet;
}

/** @param at where it begins; @returns the address as sockets report it: a link-local one has its zone */
export function decodeSocketAddress(bytes: Uint8Array, at: number): { address: string; port: number } {
  const port = readU16(bytes, at + PORT_AT);
  if (bytes[at + FAMILY_AT] === AF_INET) {
    return { address: bytes.subarray(at + IPV4_AT, at + IPV4_AT + 4).join('.'), port };
  }
  const groups = Array.from({ length: 8 }, (_, i) => readU16(bytes, at + IPV6_AT + 2 * i).toString(16));
  const scope = new DataView(bytes.buffer, bytes.byteOffset + at + SCOPE_AT, 4).getUint32(0, true);
  return { address: groups.join(':') + (scope === 0 ? '' : `%${zoneOf(scope)}`), port };
}

/** @returns the IPv4 address as one number; -1: it is of the other family */
export function ipv4Of(bytes: Uint8Array, at: number): number {
  return bytes[at + FAMILY_AT] === AF_INET ? readU32(bytes, at + IPV4_AT) : -1;
}

function scopeOf(zone: string): number {
  const scope = networkInterfaces()[zone]?.find(({ scopeid }) => scopeid !== undefined && scopeid > 0)?.scopeid;
  if (scope === undefined) throw new Error(`there is no zone "${zone}"`);
  return scope;
}

/** The number itself where the interface is gone: nothing can be sent there any more. */
function zoneOf(scope: number): string {
  const own = Object.entries(networkInterfaces());
  return own.find(([, addresses = []]) => addresses.some(({ scopeid }) => scopeid === scope))?.[0] ?? String(scope);
}
