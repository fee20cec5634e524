/**
 * Domain names in wire form (RFC 1035 s3.1): length-prefixed labels ending in the root's zero byte, never compressed.
 * Names that the daemon makes are lower case; names that a query brings keep their bytes and are compared by
 * folding A-Z alone (RFC 4343), so that any other byte inside a label, dot and zero included, is matched as it is
 * (RFC 2181 s11).
 */
import { HEADER_BYTES } from './header.ts';

/** Octets, root included (RFC 1035 s2.3.4). */
export const MAX_NAME_BYTES = 255;
/** Octets of one label (RFC 1035 s2.3.4). */
export const MAX_LABEL_BYTES = 63;
/** A name of 255 octets has at most 127 labels. */
export const MAX_LABELS = 127;

/** Byte -> the byte it is compared as: A-Z to a-z, everything else itself. */
export const FOLD: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);

/** A name whose labels or total length the wire form cannot carry. */
export class NameError extends Error {
  override readonly name = 'NameError';
}

/**
 * Text such as `web.demo.internal` (an ending dot is accepted) to wire form, lower case unless `keepCase`.
 * @throws NameError on an empty label, a label over 63 octets, a name over 255, or a character beyond one octet
 */
export function toWireName(text: string, keepCase = false): Uint8Array {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  if (bare === '') return Uint8Array.of(0);
  if (bare.length + 2 > MAX_NAME_BYTES) throw new NameError(`the name "${text}" is longer than 253 characters`);
  const out = new Uint8Array(bare.length + 2);
  let at = 0;
  for (const label of bare.split('.')) {
    if (label.length === 0) throw new NameError(`the name "${text}" has an empty label`);
    if (label.length > MAX_LABEL_BYTES) throw new NameError(`the label "${label}" is longer than 63 octets`);
    out[at++] = label.length;
    for (let i = 0; i < label.length; i++) {
      const code = label.charCodeAt(i);
      if (code > 0xff) throw new NameError(`the name "${text}" has a character that is not one octet`);
      out[at++] = keepCase ? code : (FOLD[code] as number);
    }
  }
  return out;
}

/** Wire form at `at` to text for people and logs: `\.` and `\DDD` escapes as in zone files (RFC 1035 s5.1). */
export function toTextName(bytes: Uint8Array, at = 0): string {
  const labels: string[] = [];
  for (let i = at; ; ) {
    const length = bytes[i] ?? 0;
    if (length === 0) break;
    let label = '';
    for (const byte of bytes.subarray(i + 1, i + 1 + length)) {
      if (byte === 0x2e || byte === 0x5c) label += `\\${String.fromCharCode(byte)}`;
      else if (byte > 0x20 && byte < 0x7f) label += String.fromCharCode(byte);
      else label += `\\${String(byte).padStart(3, '0')}`;
    }
    labels.push(label);
    i += 1 + length;
  }
  return `${labels.join('.')}.`;
}

/** The octets that an uncompressed, well-formed name at `at` takes, root included. */
export function nameLength(bytes: Uint8Array, at: number): number {
  let i = at;
  while ((bytes[i] as number) !== 0) i += 1 + (bytes[i] as number);
  return i + 1 - at;
}

/**
 * The labels of one name and the hash of each of its suffixes, filled in place so that a query allocates nothing.
 * `offsets[i]` is where label i starts; `hashes[i]` covers label i to the root; `end` is the octet after the root.
 */
export class NameView {
  readonly offsets = new Int32Array(MAX_LABELS + 1);
  readonly hashes = new Int32Array(MAX_LABELS + 1);
  count = 0;
  end = 0;

  /**
   * Reads the uncompressed name at `at` within `bytes[0, limit)`.
   * @returns false when it overruns the limit, is over 255 octets, or holds a compression pointer or one of the
   * reserved label types 01 and 10 (RFC 1035 s4.1.4); the view is then unspecified
   */
  read(bytes: Uint8Array, at: number, limit: number): boolean {
    let i = at;
    let count = 0;
    for (;;) {
      if (i >= limit) return false;
      const length = bytes[i] as number;
      if (length === 0) break;
      if (length > MAX_LABEL_BYTES) return false;
      this.offsets[count++] = i;
      i += 1 + length;
      // The root's octet must still fit into 255.
      if (i - at >= MAX_NAME_BYTES) return false;
    }
    this.offsets[count] = i;
    this.count = count;
    this.end = i + 1;
    let hash = HASH_SEED;
    this.hashes[count] = hash;
    for (let label = count - 1; label >= 0; label--) {
      const start = this.offsets[label] as number;
      const stop = start + 1 + (bytes[start] as number);
      for (let b = start; b < stop; b++) hash = Math.imul(hash ^ (FOLD[bytes[b] as number] as number), HASH_PRIME);
      // FNV's low bits alone mix poorly; slots are taken from the low bits.
      hash ^= hash >>> 15;
      this.hashes[label] = hash;
    }
    return true;
  }
}

// FNV-1a's offset basis and prime.
const HASH_SEED = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

/** Whether the `length` octets of two uncompressed names are equal without regard to ASCII case (RFC 4343). */
export function equalNames(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (FOLD[a[aAt + i] as number] !== FOLD[b[bAt + i] as number]) return false;
  }
  return true;
}

/** The octet behind a possibly compressed name, or -1 where it overruns or has a reserved label type. */
export function skipName(bytes: Uint8Array, at: number, limit: number): number {
  for (let i = at; i < limit; ) {
    const length = bytes[i] as number;
    if (length === 0) return i + 1;
    if (length >= 0xc0) return i + 2 <= limit ? i + 2 : -1;
    if (length > MAX_LABEL_BYTES) return -1;
    i += 1 + length;
  }
  return -1;
}

/**
 * Writes the possibly compressed name at `at` of a message to `out` without compression, its case kept.
 * @returns the octets written, at most 255; -1 where the name is broken: pointers must lead back (RFC 1035 s4.1.4),
 * which also ends every loop, and not into the header, which is another one in the next message with these records
 */
export function expandName(bytes: Uint8Array, at: number, limit: number, out: Uint8Array, outAt: number): number {
  let i = at;
  let end = limit;
  let to = outAt;
  // No name has more labels to point to, and a long chain would cost its time in every record that leads into it.
  let pointers = MAX_LABELS;
  for (;;) {
    if (i >= end) return -1;
    const length = bytes[i] as number;
    if (length >= 0xc0) {
      if (i + 2 > end) return -1;
      const target = ((length & 0x3f) << 8) | (bytes[i + 1] as number);
      if (target >= i || target < HEADER_BYTES || pointers-- === 0) return -1;
      // What is pointed to must end before the pointer that led there.
      end = i;
      i = target;
      continue;
    }
    if (length > MAX_LABEL_BYTES || i + 1 + length > end || to + 1 + length - outAt > MAX_NAME_BYTES) return -1;
    for (let left = length + 1; left > 0; left--) out[to++] = bytes[i++] as number;
    if (length === 0) return to - outAt;
  }
}
