/** The only importer of dns2: RDATA is encoded by it at compile time, whole messages are decoded by it off the query path. */
import dns2 from 'dns2';

const { Packet } = dns2;

/** Record types by mnemonic, as dns2 numbers them. */
export const TYPE_CODES: Readonly<Record<string, number>> = Packet.TYPE;
/** RCODEs by mnemonic. */
export const RCODE_CODES: Readonly<Record<string, number>> = Packet.RCODE;

export type Message = dns2.Packet;

/** RDATA's members under dns2's names, for each type that we synthesise through it. */
export type RdataFields =
  | { type: 'NS'; ns: string }
  | { type: 'CNAME' | 'PTR'; domain: string }
  | { type: 'SRV'; priority: number; weight: number; port: number; target: string }
  | {
      type: 'SOA';
      primary: string;
      admin: string;
      serial: number;
      refresh: number;
      retry: number;
      expiration: number;
      minimum: number;
    };

/**
 * RDATA alone, names uncompressed: each record gets a writer of its own, so dns2 has no earlier name to point to
 * (it would compress SRV targets, which RFC 2782 forbids).
 * @throws Error from dns2 where a name or number cannot be encoded
 */
export function encodeRdata(fields: RdataFields): Uint8Array {
  const { type, ...members } = fields;
  const record = { name: '', type: TYPE_CODES[type] as number, class: Packet.CLASS.IN, ttl: 0, ...members };
  // A root owner takes one octet; TYPE, CLASS, TTL and RDLENGTH ten more.
  return Packet.Resource.encode(record as unknown as dns2.Packet.Resource).subarray(11);
}

/**
 * Decodes a whole message; `errors` of the result lists records that could not be decoded.
 * @throws Error when there is no usable header
 */
export function decodeMessage(bytes: Uint8Array): Message {
  return Packet.parse(Buffer.from(bytes));
}

/** The mnemonic of a type code, `TYPE<n>` where it has none (RFC 3597 s5). */
export function typeName(code: number): string {
  return Packet.typeName(code);
}
