/** Where RDATA has names that may be compressed (RFC 1035 s3.3, RFC 3597 s4), read and never written that way. */
import { expandName, MAX_NAME_BYTES, skipName } from './names.ts';

export interface RdataNames {
  /** Octets in front of the first name. */
  readonly skip: number;
  readonly names: number;
  /** Octets behind the last name. */
  readonly tail: number;
}

const BY_TYPE = new Map<number, RdataNames>([
  // A, AAAA: none, but their length is known.
  [1, { skip: 0, names: 0, tail: 4 }],
  [28, { skip: 0, names: 0, tail: 16 }],
  // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME.
  ...[2, 3, 4, 5, 7, 8, 9, 12, 39].map((type) => [type, { skip: 0, names: 1, tail: 0 }] as const),
  // SOA.
  [6, { skip: 0, names: 2, tail: 20 }],
  // MINFO, RP.
  ...[14, 17].map((type) => [type, { skip: 0, names: 2, tail: 0 }] as const),
  // MX, AFSDB, RT, KX.
  ...[15, 18, 21, 36].map((type) => [type, { skip: 2, names: 1, tail: 0 }] as const),
  // PX.
  [26, { skip: 2, names: 2, tail: 0 }],
  // SRV.
  [33, { skip: 6, names: 1, tail: 0 }],
]);
const NAME = new Uint8Array(MAX_NAME_BYTES);

/** Null: what names that type may have are never compressed. */
export function namesInRdata(type: number): RdataNames | null {
  return BY_TYPE.get(type) ?? null;
}

/** Whether the RDATA in `message[at, end)` is what its type in class IN says, as far as the table goes. */
export function isRdataWhole(message: Uint8Array, type: number, at: number, end: number): boolean {
  const parts = BY_TYPE.get(type);
  if (parts === undefined) return true;
  let from = at + parts.skip;
  for (let left = parts.names; left > 0; left--) {
    if (expandName(message, from, end, NAME, 0) < 0) return false;
    from = skipName(message, from, end);
  }
  return from + parts.tail === end;
}
