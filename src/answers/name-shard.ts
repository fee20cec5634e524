/**
 * Some of a table's names with their values, both bytes, in one block of memory: open addressing over an arena. Nothing
 * here is an object per name, so that names cost the garbage collector nothing and a look-up allocates nothing.
 *
 *   entry := u32 hash, u32 children, u32 value bytes, u8 name bytes, name (wire form, lower case), value
 */

import { readU32, writeU32 } from '../wire/bytes.ts';
import { equalNames, FOLD } from '../wire/names.ts';

const ENTRY_HEADER_BYTES = 13;
/** Entry offsets start behind it, so that 0 says "none" and 1 says "removed" in a slot. */
const FIRST_ENTRY = 8;
const REMOVED = 1;
const MIN_SLOTS = 8;
const MIN_BYTES = 256;
/** An arena from here on gives back what it does not use when most of it is garbage. */
const SHRINKS_FROM_BYTES = 4096;

export class NameShard {
  /** How many of the first bits of its names' places are the same. @see NameTable */
  readonly depth: number;
  /** The arena. Replaced when it grows or is compacted: never keep it across a change. */
  bytes: Uint8Array;
  size = 0;
  #slots: Uint32Array;
  #used = 0;
  #end = FIRST_ENTRY;
  #garbageBytes = 0;

  /** @param sizeBytes of its names and values, and @param names how many, that are expected */
  constructor(depth = 0, sizeBytes = 0, names = 0) {
    this.depth = depth;
    this.bytes = new Uint8Array(capacityFor(sizeBytes));
    this.#slots = new Uint32Array(slotsFor(names));
  }

  /** The entry of the name at `at` (`length` octets, any case, `hash` as NameView gives it), or 0. */
  find(hash: number, name: Uint8Array, at: number, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return 0;
      if (entry !== REMOVED && this.#matches(entry, hash, name, at, length)) return entry;
    }
  }

  /** Sets the value of a name and returns its entry; entries got before are void afterwards. */
  put(hash: number, name: Uint8Array, at: number, length: number, value: Uint8Array): number {
    const found = this.find(hash, name, at, length);
    if (found !== 0 && this.valueLength(found) >= value.length) {
      // In place: the table is read by the one thread that changes it, never in the middle of this call.
      this.#garbageBytes += this.valueLength(found) - value.length;
      writeU32(this.bytes, found + 8, value.length);
      this.bytes.set(value, this.valueAt(found));
      return found;
    }
    const children = found === 0 ? 0 : this.children(found);
    this.#reserve(ENTRY_HEADER_BYTES + length + value.length);
    const entry = this.#end;
    this.#end += ENTRY_HEADER_BYTES + length + value.length;
    const { bytes } = this;
    writeU32(bytes, entry, hash);
    writeU32(bytes, entry + 4, children);
    writeU32(bytes, entry + 8, value.length);
    bytes[entry + 12] = length;
    for (let i = 0; i < length; i++) bytes[entry + ENTRY_HEADER_BYTES + i] = FOLD[name[at + i] as number] as number;
    bytes.set(value, entry + ENTRY_HEADER_BYTES + length);
    if (found !== 0) {
      // Looked up again: reserving may have compacted the arena and moved the old entry.
      const slot = this.#slotOf(hash, name, at, length);
      this.#garbageBytes += this.#entryBytes(this.#slots[slot] as number);
      this.#slots[slot] = entry;
    } else {
      this.#insert(hash, entry);
      this.size++;
    }
    return entry;
  }

  /** Takes the name out; nothing happens where it is not there. */
  remove(hash: number, name: Uint8Array, at: number, length: number): void {
    if (this.find(hash, name, at, length) === 0) return;
    const slot = this.#slotOf(hash, name, at, length);
    this.#garbageBytes += this.#entryBytes(this.#slots[slot] as number);
    this.#slots[slot] = REMOVED;
    this.size--;
    const isMostlyGarbage = this.#garbageBytes * 4 > this.bytes.length * 3;
    if (isMostlyGarbage && this.bytes.length >= SHRINKS_FROM_BYTES) this.#compact(0);
  }

  /** @param isFirst whether a name with this hash goes into the first of two shards */
  split(isFirst: (hash: number) => boolean): [NameShard, NameShard] {
    const half = (): NameShard => new NameShard(this.depth + 1, this.#end / 2, this.size / 2);
    const [first, second] = [half(), half()];
    const entries = this.#slots.filter((entry) => entry > REMOVED);
    // In the order of memory, which both keep.
    for (const entry of entries.sort()) {
      const shard = isFirst(readU32(this.bytes, entry)) ? first : second;
      shard.#take(this.bytes, entry, this.#entryBytes(entry));
    }
    return [first, second];
  }

  /** A whole entry of another shard, whose name is not here. */
  #take(bytes: Uint8Array, entry: number, length: number): void {
    this.#reserve(length);
    this.bytes.set(bytes.subarray(entry, entry + length), this.#end);
    this.#insert(readU32(bytes, entry), this.#end);
    this.#end += length;
    this.size++;
  }

  valueAt(entry: number): number {
    return entry + ENTRY_HEADER_BYTES + (this.bytes[entry + 12] as number);
  }

  valueLength(entry: number): number {
    return readU32(this.bytes, entry + 8);
  }

  nameAt(entry: number): number {
    return entry + ENTRY_HEADER_BYTES;
  }

  /** How many names of the table lie directly below this one. */
  children(entry: number): number {
    return readU32(this.bytes, entry + 4);
  }

  setChildren(entry: number, children: number): void {
    writeU32(this.bytes, entry + 4, children);
  }

  #entryBytes(entry: number): number {
    return ENTRY_HEADER_BYTES + (this.bytes[entry + 12] as number) + this.valueLength(entry);
  }

  #matches(entry: number, hash: number, name: Uint8Array, at: number, length: number): boolean {
    return (
      (readU32(this.bytes, entry) | 0) === (hash | 0) &&
      this.bytes[entry + 12] === length &&
      equalNames(this.bytes, entry + ENTRY_HEADER_BYTES, name, at, length)
    );
  }

  /** The slot of a name that is known to be there. */
  #slotOf(hash: number, name: Uint8Array, at: number, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry > REMOVED && this.#matches(entry, hash, name, at, length)) return slot;
    }
  }

  #insert(hash: number, entry: number): void {
    // Removed slots count as used: a probe must walk over them, so enough empty ones have to stay.
    if ((this.#used + 1) * 4 > this.#slots.length * 3) this.#rehash();
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
    this.#used++;
  }

  #rehash(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(slotsFor(this.size + 1));
    const { length } = this.#slots;
    this.#used = 0;
    for (const entry of old) {
      if (entry <= REMOVED) continue;
      let slot = readU32(this.bytes, entry) & (length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (length - 1);
      this.#slots[slot] = entry;
      this.#used++;
    }
  }

  #reserve(more: number): void {
    if (this.#end + more > this.bytes.length) this.#compact(more);
  }

  /** Moves what is alive together, into memory with room for `more` octets and some to spare. */
  #compact(more: number): void {
    const live = this.#end - this.#garbageBytes;
    const next = new Uint8Array(capacityFor(live + more));
    if (this.#garbageBytes === 0) {
      next.set(this.bytes.subarray(0, this.#end));
      this.bytes = next;
      return;
    }
    let end = FIRST_ENTRY;
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const entry = this.#slots[slot] as number;
      if (entry <= REMOVED) continue;
      const length = this.#entryBytes(entry);
      next.set(this.bytes.subarray(entry, entry + length), end);
      this.#slots[slot] = end;
      end += length;
    }
    this.bytes = next;
    this.#end = end;
    this.#garbageBytes = 0;
  }
}

function capacityFor(sizeBytes: number): number {
  return Math.max(MIN_BYTES, Math.ceil((sizeBytes * 1.5) / MIN_BYTES) * MIN_BYTES);
}

function slotsFor(names: number): number {
  let length = MIN_SLOTS;
  while (length < names * 2) length *= 2;
  return length;
}
