/**
 * Owner names to values, both bytes. The names are spread over shards by their hashes, and a shard that has grown large
 * is split in two (extendible hashing), so that no change ever moves more than one shard's names, however many there
 * are: queries wait behind a change.
 */
import { NameShard } from './name-shard.ts';

/** A shard with so many names, or so large, is split: some hundred microseconds of work. */
const SPLIT_NAMES = 2048;
const SPLIT_BYTES = 256 * 1024;
/** Fewer are not worth it, however large their values. */
const MIN_SPLIT_NAMES = 64;
/** Names that share this many bits stay together: somebody has chosen them. */
const MAX_DEPTH = 16;

export class NameTable {
  /** The memory that the entry found or put last is in. Replaced by changes: never keep it across one. */
  bytes: Uint8Array;
  size = 0;
  #shard = new NameShard();
  /** The first bits of a name's place to its shard; one of a lesser depth stands there several times. */
  #directory: NameShard[] = [this.#shard];
  #depth = 0;

  constructor() {
    this.bytes = this.#shard.bytes;
  }

  /** The entry of the name at `at` (`length` octets, any case, `hash` as NameView gives it), or 0. */
  find(hash: number, name: Uint8Array, at: number, length: number): number {
    const shard = this.#directory[firstBits(hash, this.#depth)] as NameShard;
    this.#shard = shard;
    this.bytes = shard.bytes;
    return shard.find(hash, name, at, length);
  }

  /** Sets the value of a name and returns its entry; entries got before are void afterwards. */
  put(hash: number, name: Uint8Array, at: number, length: number, value: Uint8Array): number {
    this.find(hash, name, at, length);
    while (isLarge(this.#shard)) this.#split(hash);
    const shard = this.#shard;
    const before = shard.size;
    const entry = shard.put(hash, name, at, length, value);
    this.size += shard.size - before;
    this.bytes = shard.bytes;
    return entry;
  }

  /** Takes the name out; nothing happens where it is not there. */
  remove(hash: number, name: Uint8Array, at: number, length: number): void {
    if (this.find(hash, name, at, length) === 0) return;
    this.#shard.remove(hash, name, at, length);
    this.size--;
    this.bytes = this.#shard.bytes;
    if (this.size > 0 || this.#depth === 0) return;
    // What it has grown to is not kept for nothing.
    this.#shard = new NameShard();
    this.#directory = [this.#shard];
    this.#depth = 0;
    this.bytes = this.#shard.bytes;
  }

  // Of the entry found or put last:

  valueAt(entry: number): number {
    return this.#shard.valueAt(entry);
  }

  valueLength(entry: number): number {
    return this.#shard.valueLength(entry);
  }

  nameAt(entry: number): number {
    return this.#shard.nameAt(entry);
  }

  /** How many names of the table lie directly below this one. */
  children(entry: number): number {
    return this.#shard.children(entry);
  }

  setChildren(entry: number, children: number): void {
    this.#shard.setChildren(entry, children);
  }

  /** Splits the shard at hand; it is the one of the name with this hash, and so is the one afterwards. */
  #split(hash: number): void {
    const shard = this.#shard;
    const depth = shard.depth + 1;
    if (depth > this.#depth) {
      this.#directory = this.#directory.flatMap((each) => [each, each]);
      this.#depth = depth;
    }
    const [zeros, ones] = shard.split((each) => (firstBits(each, depth) & 1) === 0);
    const length = 2 ** (this.#depth - depth);
    const start = firstBits(hash, shard.depth) * 2 * length;
    this.#directory.fill(zeros, start, start + length);
    this.#directory.fill(ones, start + length, start + 2 * length);
    this.#shard = this.#directory[firstBits(hash, this.#depth)] as NameShard;
  }
}

function isLarge({ size, bytes, depth }: NameShard): boolean {
  if (size < MIN_SPLIT_NAMES || depth === MAX_DEPTH) return false;
  return size >= SPLIT_NAMES || bytes.length >= SPLIT_BYTES;
}

/** A name's place is its hash, mixed once more: shards use the low bits of the hash themselves. */
function firstBits(hash: number, count: number): number {
  // Two steps, as a shift by 32 is one by 0.
  return (Math.imul(hash, 0x9e3779b1) >>> 1) >>> (31 - count);
}
