/**
 * Replies of upstreams, kept until their TTL ends and, for when no upstream answers, some time longer (RFC 2308,
 * RFC 8767). Bounded by octets: all lie one behind the other in one ring of memory, where a new one overwrites the
 * oldest; one that has been asked for since it was written is written anew in front instead (a clock's second chance).
 *
 *   entry := u32 bytes, i32 hash, f64 storedAtMs, f64 expiresAtMs, f64 staleUntilMs, u16 TYPE, u16 bits, u16 hits,
 *            u8 isVisited, u8 isRefreshing, u8 name bytes, name (wire form, lower case), reply, padding to 8 octets
 */
import { equalNames } from '../wire/names.ts';
import { type Question, questionHash } from './question.ts';

/** A reply and when it came. What `find` gives is reused: read it before the next call. */
export interface Held {
  /** A block as `Reply` reads it, at `at`. */
  bytes: Uint8Array;
  at: number;
  storedAtMs: number;
  expiresAtMs: number;
}

const HEAD_BYTES = 41;
// Offsets within an entry.
const HASH_AT = 4;
const STORED_AT = 8;
const EXPIRES_AT = 16;
const STALE_AT = 24;
const TYPE_AT = 32;
const BITS_AT = 34;
const HITS_AT = 36;
const VISITED_AT = 38;
const REFRESHING_AT = 39;
const NAME_BYTES_AT = 40;
/** No single reply may take more than this part of the cache. */
const LARGEST_PART = 8;
const MIN_SLOTS = 1024;
/** How many entries are given their second chance for one that is written. */
const MAX_CHANCES = 4;

export class Cache implements Held {
  readonly #limit: number;
  readonly #staleMs: number;
  readonly #memory: Uint8Array;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #shorts: Uint16Array;
  /** Entry offset + 1, found by linear probing from the hash; 0: free. */
  #slots = new Int32Array(MIN_SLOTS);
  #count = 0;
  #usedBytes = 0;
  /** Where the oldest entry stands, and where the next is written. */
  #tail = 0;
  #head = 0;
  /** Entries stand in [tail, head), or once the head has gone round in [tail, wrap) and [0, head). */
  #isWrapped = false;
  #wrap = 0;

  // The entry found last.
  #entry = 0;
  readonly bytes: Uint8Array;
  at = 0;
  storedAtMs = 0;
  expiresAtMs = 0;

  /** @param limitBytes 0: nothing is kept; @param staleSeconds for how long an ended reply is kept */
  constructor(limitBytes: number, staleSeconds: number) {
    this.#limit = limitBytes - (limitBytes % 8);
    this.#staleMs = staleSeconds * 1000;
    const memory = new ArrayBuffer(this.#limit);
    this.#memory = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.#times = new Float64Array(memory);
    this.#shorts = new Uint16Array(memory);
    this.bytes = this.#memory;
  }

  get sizeBytes(): number {
    return this.#usedBytes;
  }

  get size(): number {
    return this.#count;
  }

  /** Of the entry found last. */
  get hits(): number {
    return this.#shorts[(this.#entry + HITS_AT) >> 1] as number;
  }

  /** Whether the entry found last is being asked for again, ahead of its end. */
  get isRefreshing(): boolean {
    return this.#memory[this.#entry + REFRESHING_AT] !== 0;
  }

  set isRefreshing(value: boolean) {
    this.#memory[this.#entry + REFRESHING_AT] = value ? 1 : 0;
  }

  /** Of the entry found last: until when no upstream is asked, since all have just failed, and it is answered stale. */
  get staleUntilMs(): number {
    return this.#times[(this.#entry + STALE_AT) >> 3] as number;
  }

  set staleUntilMs(value: number) {
    this.#times[(this.#entry + STALE_AT) >> 3] = value;
  }

  /**
   * @param nameHash as NameView gives it; @param name wire form in any case, `length` octets at `at`
   * @returns whether there is one, perhaps one that has ended; this object is then it
   */
  find(
    nameHash: number,
    name: Uint8Array,
    at: number,
    length: number,
    type: number,
    bits: number,
    nowMs: number,
  ): boolean {
    const entry = this.#find(questionHash(nameHash, type, bits), name, at, length, type, bits);
    if (entry < 0) return false;
    const expiresAtMs = this.#times[(entry + EXPIRES_AT) >> 3] as number;
    if (nowMs >= expiresAtMs + this.#staleMs) return false;
    this.#memory[entry + VISITED_AT] = 1;
    const hitsAt = (entry + HITS_AT) >> 1;
    if ((this.#shorts[hitsAt] as number) < 0xffff) this.#shorts[hitsAt] = (this.#shorts[hitsAt] as number) + 1;
    this.#entry = entry;
    this.at = entry + HEAD_BYTES + length;
    this.storedAtMs = this.#times[(entry + STORED_AT) >> 3] as number;
    this.expiresAtMs = expiresAtMs;
    return true;
  }

  /** The entry found last, in memory of its own: the ring goes on. */
  copy(): Held {
    const end = this.#entry + (this.#words[this.#entry >> 2] as number);
    const { storedAtMs, expiresAtMs } = this;
    return { bytes: this.#memory.slice(this.at, end), at: 0, storedAtMs, expiresAtMs };
  }

  /**
   * Keeps a reply in place of an earlier one to the question. What is too large, or has no time, is not kept.
   * @param reply a block as `Reply` reads it; copied
   */
  put(question: Question, reply: Uint8Array, storedAtMs: number, expiresAtMs: number): void {
    const { name, nameHash, type, bits } = question;
    const hash = questionHash(nameHash, type, bits);
    const before = this.#find(hash, name, 0, name.length, type, bits);
    // Its octets stay where they are until they are overwritten, but nothing finds them any more.
    const hits = before < 0 ? 0 : (this.#shorts[(before + HITS_AT) >> 1] as number);
    if (before >= 0) this.#forget(before);
    const size = (HEAD_BYTES + name.length + reply.length + 7) & ~7;
    if (expiresAtMs <= storedAtMs || size * LARGEST_PART > this.#limit) return;
    const entry = this.#makeRoom(size);
    this.#words[entry >> 2] = size;
    this.#words[(entry + HASH_AT) >> 2] = hash;
    this.#times[(entry + STORED_AT) >> 3] = storedAtMs;
    this.#times[(entry + EXPIRES_AT) >> 3] = expiresAtMs;
    this.#times[(entry + STALE_AT) >> 3] = 0;
    this.#shorts[(entry + TYPE_AT) >> 1] = type;
    this.#shorts[(entry + BITS_AT) >> 1] = bits;
    this.#shorts[(entry + HITS_AT) >> 1] = hits;
    this.#memory[entry + VISITED_AT] = 0;
    this.#memory[entry + REFRESHING_AT] = 0;
    this.#memory[entry + NAME_BYTES_AT] = name.length;
    this.#memory.set(name, entry + HEAD_BYTES);
    this.#memory.set(reply, entry + HEAD_BYTES + name.length);
    this.#link(entry, hash);
  }

  /** Forgets a name, with `isBelow` all names below it too. @param name wire form, lower case; null: all. @returns how many */
  flush(name: Uint8Array | null, isBelow: boolean): number {
    const found: number[] = [];
    for (const slot of this.#slots) {
      if (slot === 0) continue;
      const entry = slot - 1;
      const start = entry + HEAD_BYTES;
      const owner = this.#memory.subarray(start, start + (this.#memory[entry + NAME_BYTES_AT] as number));
      if (name === null || matches(owner, name, isBelow)) found.push(entry);
    }
    for (const entry of found) this.#forget(entry);
    return found.length;
  }

  #find(hash: number, name: Uint8Array, at: number, length: number, type: number, bits: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) return -1;
      if (
        this.#words[(entry + HASH_AT) >> 2] === hash &&
        this.#shorts[(entry + TYPE_AT) >> 1] === type &&
        this.#shorts[(entry + BITS_AT) >> 1] === bits &&
        this.#memory[entry + NAME_BYTES_AT] === length &&
        equalNames(this.#memory, entry + HEAD_BYTES, name, at, length)
      ) {
        return entry;
      }
    }
  }

  #link(entry: number, hash: number): void {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow();
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
    this.#count++;
    this.#usedBytes += this.#words[entry >> 2] as number;
  }

  /** Takes the entry out of the slots, where it is in them. @returns whether it was */
  #forget(entry: number): boolean {
    const mask = this.#slots.length - 1;
    let slot = (this.#words[(entry + HASH_AT) >> 2] as number) & mask;
    while (this.#slots[slot] !== entry + 1) {
      if (this.#slots[slot] === 0) return false;
      slot = (slot + 1) & mask;
    }
    this.#count--;
    this.#usedBytes -= this.#words[entry >> 2] as number;
    // What was probed past this slot has to be found without it.
    let hole = slot;
    for (let next = (slot + 1) & mask; this.#slots[next] !== 0; next = (next + 1) & mask) {
      const home = (this.#words[((this.#slots[next] as number) - 1 + HASH_AT) >> 2] as number) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#slots[hole] = this.#slots[next] as number;
      hole = next;
    }
    this.#slots[hole] = 0;
    return true;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    const mask = this.#slots.length - 1;
    for (const slot of old) {
      if (slot === 0) continue;
      let to = (this.#words[(slot - 1 + HASH_AT) >> 2] as number) & mask;
      while (this.#slots[to] !== 0) to = (to + 1) & mask;
      this.#slots[to] = slot;
    }
  }

  /** @returns where `size` octets are free, taken off the oldest; they are the caller's */
  #makeRoom(size: number): number {
    let chances = MAX_CHANCES;
    for (;;) {
      const start = this.#take(size);
      if (start >= 0) return start;
      const entry = this.#tail;
      const hash = this.#words[(entry + HASH_AT) >> 2] as number;
      const bytes = this.#words[entry >> 2] as number;
      // What was forgotten before takes up its octets to here.
      const isChanced = this.#forget(entry) && chances-- > 0 && this.#memory[entry + VISITED_AT] !== 0;
      const copy = isChanced ? this.#memory.slice(entry, entry + bytes) : null;
      this.#dropOldest(bytes);
      if (copy === null) continue;
      const again = this.#take(bytes);
      if (again < 0) continue;
      this.#memory.set(copy, again);
      this.#memory[again + VISITED_AT] = 0;
      this.#link(again, hash);
    }
  }

  /** Takes `size` octets in one piece at the head. @returns where; -1: there are none free */
  #take(size: number): number {
    if (!this.#isWrapped) {
      if (this.#head === this.#tail) {
        this.#head = 0;
        this.#tail = 0;
      }
      if (this.#head + size > this.#limit) {
        if (size > this.#tail) return -1;
        // The rest of the memory is left empty.
        this.#wrap = this.#head;
        this.#isWrapped = true;
        this.#head = 0;
      }
    } else if (this.#head + size > this.#tail) {
      return -1;
    }
    this.#head += size;
    return this.#head - size;
  }

  #dropOldest(size: number): void {
    this.#tail += size;
    if (!this.#isWrapped || this.#tail < this.#wrap) return;
    this.#tail = 0;
    this.#isWrapped = false;
  }
}

/** Whether `owner` is the name, or with `isBelow` one below it. @param name lower case */
export function matches(owner: Uint8Array, name: Uint8Array, isBelow: boolean): boolean {
  const at = owner.length - name.length;
  if (at < 0 || (at > 0 && !isBelow) || !equalNames(owner, at, name, 0, name.length)) return false;
  // A suffix counts where a label begins alone.
  let label = 0;
  while (label < at) label += 1 + (owner[label] as number);
  return label === at;
}
