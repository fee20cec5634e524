/** Where RDATA has names that may be compressed (RFC 1035 s3.3, RFC 3597 s4), read and never written that way. */
import { expandName, MAX_NAME_BYTES, skipName } from './names.ts';

export interface RdataNames {
  /** Octets at the beginning. */
  readonly skip: number;
  /** Character strings between those and the first name, each with a length octet (RFC 1035 s3.3). */
  readonly strings: number;
  readonly names: number;
  /** Octets behind the last name; null: as many as there are. */
  readonly tail: number | null;
}

const BY_TYPE = new Map<number, RdataNames>([
  // A, AAAA: none, but their length is known.
  [1, { skip: 0, strings: 0, names: 0, tail: 4 }],
  [28, { skip: 0, strings: 0, names: 0, tail: 16 }],
  // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME.
  ...[2, 3, 4, 5, 7, 8, 9, 12, 39].map((type) => [type, { skip: 0, strings: 0, names: 1, tail: 0 }] as const),
  // SOA.
  [6, { skip: 0, strings: 0, names: 2, tail: 20 }],
  // MINFO, RP.
  ...[14, 17].map((type) => [type, { skip: 0, strings: 0, names: 2, tail: 0 }] as const),
  // MX, AFSDB, RT, KX.
  ...[15, 18, 21, 36].map((type) => [type, { skip: 2, strings: 0, names: 1, tail: 0 }] as const),
  // PX.
  [26, { skip: 2, strings: 0, names: 2, tail: 0 }],
  // SIG: the name is the signer's, the rest its signature.
  [24, { skip: 18, strings: 0, names: 1, tail: null }],
  // NXT: the rest is a map of types.
  [30, { skip: 0, strings: 0, names: 1, tail: null }],
  // SRV.
  [33, { skip: 6, strings: 0, names: 1, tail: 0 }],
  // NAPTR: order and preference; flags, services and an expression; the replacement (RFC 3403 s4.1).
  [35, { skip: 4, strings: 3, names: 1, tail: 0 }],
]);
const NAME = new Uint8Array(MAX_NAME_BYTES);

/** Null: what names that type may have are never compressed. */
export function namesInRdata(type: number): RdataNames | null {
  return BY_TYPE.get(type) ?? null;
}

/** Where the first name of the RDATA in `message[at, end)` begins; beyond `end` where it is not whole. */
export function firstNameAt(message: Uint8Array, parts: RdataNames, at: number, end: number): number {
  let from = at + parts.skip;
  for (let left = parts.strings; left > 0 && from < end; left--) from += 1 + (message[from] as number);
  return from;
}

/** Whether the RDATA in `message[at, end)` is what its type in class IN says, as far as the table goes. */
export function isRdataWhole(message: Uint8Array, type: number, at: number, end: number): boolean {
  const parts = BY_TYPE.get(type);
  if (parts === undefined) return true;
  let from = firstNameAt(message, parts, at, end);
  for (let left = parts.names; left > 0; left--) {
    if (expandName(message, from, end, NAME, 0) < 0) return false;
    from = skipName(message, from, end);
  }
  return parts.tail === null ? from <= end : from + parts.tail === end;
}
