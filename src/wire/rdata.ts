/**
 * RDATA of the record types that the daemon synthesises, in wire form, each name uncompressed, so that an answer is
 * copied byte for byte. A new record type is one function here and one entry in the registry's table of types.
 */
import { Address6 } from 'ip-address';
import { writeU16, writeU32 } from './bytes.ts';
import { encodeRdata } from './codec.ts';
import { CLASS_IN } from './header.ts';

const DOT = 0x2e;
const ZERO = 0x30;

/** @param address IPv4 literal that was checked; @returns four octets (RFC 1035 s3.4.1) */
export function aRdata(address: string): Uint8Array {
  // By hand: the library's parsing took most of the time of compiling a million of them.
  const out = new Uint8Array(4);
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) octet++;
    else out[octet] = (out[octet] as number) * 10 + (code - ZERO);
  }
  return out;
}

/** @param address IPv6 literal in any form of RFC 4291 s2.2; @returns sixteen octets (RFC 3596 s2.2) */
export function aaaaRdata(address: string): Uint8Array {
  // dns2 mis-encodes ::ffff:1.2.3.4, so the octets come from ip-address. It leaves leading zero octets out.
  const octets = new Address6(address).toUnsignedByteArray();
  const out = new Uint8Array(16);
  out.set(octets.slice(-16), 16 - Math.min(16, octets.length));
  return out;
}

/** @param target domain name, its case kept */
export function cnameRdata(target: string): Uint8Array {
  return encodeRdata({ type: 'CNAME', domain: withoutDot(target) });
}

export function nsRdata(host: string): Uint8Array {
  return encodeRdata({ type: 'NS', ns: withoutDot(host) });
}

/** @param target domain name (RFC 1035 s3.3.12) */
export function ptrRdata(target: string): Uint8Array {
  return encodeRdata({ type: 'PTR', domain: withoutDot(target) });
}

/** @param text UTF-8, in as many character strings of 255 octets as it takes (RFC 1035 s3.3.14) */
export function txtRdata(text: string): Uint8Array {
  const octets = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < octets.length; at += 255) {
    const part = octets.subarray(at, at + 255);
    parts.push(Buffer.from([part.length]), part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** @param target never compressed, also not against the owner name (RFC 2782) */
export function srvRdata(priority: number, weight: number, port: number, target: string): Uint8Array {
  return encodeRdata({ type: 'SRV', priority, weight, port, target: withoutDot(target) });
}

/** SOA fields (RFC 1035 s3.3.13); times in seconds. */
export interface Soa {
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}

export function soaRdata(soa: Soa): Uint8Array {
  return encodeRdata({
    type: 'SOA',
    primary: soa.mname,
    admin: soa.rname,
    serial: soa.serial,
    refresh: soa.refresh,
    retry: soa.retry,
    expiration: soa.expire,
    minimum: soa.minimum,
  });
}

/**
 * A resource record without its owner name: TYPE, CLASS IN, TTL (seconds), RDLENGTH, RDATA (RFC 1035 s3.2.1).
 * The owner is written when a query is answered, since it points into that query's own question.
 */
export function recordTail(type: number, ttlSeconds: number, rdata: Uint8Array): Uint8Array {
  const out = new Uint8Array(10 + rdata.length);
  writeU16(out, 0, type);
  writeU16(out, 2, CLASS_IN);
  writeU32(out, 4, ttlSeconds);
  writeU16(out, 8, rdata.length);
  out.set(rdata, 10);
  return out;
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
