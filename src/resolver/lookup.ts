/** Addresses of a name, asked of the upstreams by the main thread; not for the query path. */

import { writeU16 } from '../wire/bytes.ts';
import { decodeMessage, RCODE_CODES, TYPE_CODES } from '../wire/codec.ts';
import { HEADER_BYTES, QUESTION_TAIL_BYTES } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { Forwarder } from './forwarder.ts';
import type { Upstream } from './upstream.ts';

export interface Addresses {
  /** Null: nobody could say whether there are any. */
  readonly ipv4: readonly string[] | null;
  readonly ipv6: readonly string[] | null;
  /** The least of the records'. */
  readonly ttlSeconds: number;
}

/** @returns asks for A and AAAA; its result is null where neither came: no such name, or no answer in time */
export function createLookup(upstreams: readonly Upstream[]): (name: string) => Promise<Addresses | null> {
  const forwarder = new Forwarder({ upstreams, clients: [] });
  const ask = async (name: string, type: 'A' | 'AAAA'): Promise<{ addresses: string[] | null; ttlSeconds: number }> => {
    const query = buildQuery(name, TYPE_CODES[type] as number);
    const reply = await forwarder.forward(query, query.length);
    const message = reply === null ? null : decodeMessage(reply);
    const rcode = message?.header.rcode;
    if (message === null || (rcode !== RCODE_CODES.NOERROR && rcode !== RCODE_CODES.NXDOMAIN)) {
      return { addresses: null, ttlSeconds: Number.MAX_SAFE_INTEGER };
    }
    // CNAMEs on the way stand in front of the addresses; theirs are the records that count.
    const records = rcode === RCODE_CODES.NOERROR ? message.answers : [];
    const found = records.filter((record) => record.type === TYPE_CODES[type] && record.address !== undefined);
    return {
      addresses: found.map(({ address }) => address as string),
      ttlSeconds: Math.min(Number.MAX_SAFE_INTEGER, ...records.map(({ ttl }) => ttl)),
    };
  };
  return async (name) => {
    if (!forwarder.isAvailable) return null;
    const [v4, v6] = await Promise.all([ask(name, 'A'), ask(name, 'AAAA')]);
    if (!v4.addresses?.length && !v6.addresses?.length) return null;
    return { ipv4: v4.addresses, ipv6: v6.addresses, ttlSeconds: Math.min(v4.ttlSeconds, v6.ttlSeconds) };
  };
}

/** One question with RD set; the forwarder gives it an ID. */
function buildQuery(name: string, type: number): Uint8Array {
  const qname = toWireName(name);
  const query = new Uint8Array(HEADER_BYTES + qname.length + QUESTION_TAIL_BYTES);
  query[2] = 1;
  query[5] = 1;
  query.set(qname, HEADER_BYTES);
  writeU16(query, HEADER_BYTES + qname.length, type);
  writeU16(query, HEADER_BYTES + qname.length + 2, 1);
  return query;
}
