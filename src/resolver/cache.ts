/**
 * Replies of upstreams, kept until their TTL ends and, for when no upstream answers, some time longer (RFC 2308,
 * RFC 8767). Bounded by octets; what has not been asked for since the hand came by last is dropped first (SIEVE:
 * like LRU, but a hit writes one flag).
 */
import { equalNames } from '../wire/names.ts';
import { type Question, questionHash } from './question.ts';
import type { Reply } from './reply.ts';

/** A reply and when it came. */
export interface Held {
  readonly question: Question;
  readonly reply: Reply;
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
}

export interface CacheEntry extends Held {
  readonly hash: number;
  readonly sizeBytes: number;
  /** With the same hash. */
  next: CacheEntry | null;
  newer: CacheEntry | null;
  older: CacheEntry | null;
  isVisited: boolean;
  hits: number;
  /** It is being asked for again, ahead of its end. */
  isRefreshing: boolean;
  /** Epoch ms until which no upstream is asked, since all have just failed: it is answered stale at once. */
  staleUntilMs: number;
}

/** What an entry takes besides its octets: objects, arrays' headers, the map's slot. */
const ENTRY_BYTES = 700;
/** No single reply may take more than this part of the cache. */
const LARGEST_PART = 8;

export class Cache {
  readonly #limitBytes: number;
  readonly #staleMs: number;
  readonly #entries = new Map<number, CacheEntry>();
  #newest: CacheEntry | null = null;
  #oldest: CacheEntry | null = null;
  #hand: CacheEntry | null = null;
  #bytes = 0;
  #count = 0;

  /** @param limitBytes 0: nothing is kept; @param staleSeconds for how long an ended reply is kept */
  constructor(limitBytes: number, staleSeconds: number) {
    this.#limitBytes = limitBytes;
    this.#staleMs = staleSeconds * 1000;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#count;
  }

  /**
   * @param nameHash as NameView gives it; @param name wire form in any case, `length` octets at `at`
   * @returns the entry, perhaps one that has ended, or null
   */
  find(
    nameHash: number,
    name: Uint8Array,
    at: number,
    length: number,
    type: number,
    bits: number,
    nowMs: number,
  ): CacheEntry | null {
    let entry = this.#entries.get(questionHash(nameHash, type, bits)) ?? null;
    while (entry !== null) {
      const { question } = entry;
      if (
        question.type === type &&
        question.bits === bits &&
        question.name.length === length &&
        equalNames(question.name, 0, name, at, length)
      ) {
        if (nowMs < entry.expiresAtMs + this.#staleMs) {
          entry.isVisited = true;
          entry.hits++;
          return entry;
        }
        this.#remove(entry);
        return null;
      }
      entry = entry.next;
    }
    return null;
  }

  /** Keeps a reply in place of an earlier one to the question. What is too large, or has no TTL, is not kept. */
  put({ question, reply, storedAtMs, expiresAtMs }: Held): void {
    const hash = questionHash(question.nameHash, question.type, question.bits);
    const aliasBytes = reply.aliases.reduce((sum, { target }) => sum + 100 + target.length, 0);
    const sizeBytes = ENTRY_BYTES + question.name.length + reply.body.length + 8 * reply.ttlAt.length + aliasBytes;
    const before = this.#exact(hash, question);
    if (before !== null) this.#remove(before);
    if (expiresAtMs <= storedAtMs || sizeBytes * LARGEST_PART > this.#limitBytes) return;
    const entry: CacheEntry = {
      question,
      reply,
      storedAtMs,
      expiresAtMs,
      hash,
      sizeBytes,
      next: this.#entries.get(hash) ?? null,
      newer: null,
      older: this.#newest,
      isVisited: false,
      hits: before?.hits ?? 0,
      isRefreshing: false,
      staleUntilMs: 0,
    };
    this.#entries.set(hash, entry);
    if (this.#newest !== null) this.#newest.newer = entry;
    this.#newest = entry;
    this.#oldest ??= entry;
    this.#bytes += sizeBytes;
    this.#count++;
    while (this.#bytes > this.#limitBytes) this.#evict(entry);
  }

  /** Forgets a name, with `isBelow` all names below it too. @param name wire form; null: all. @returns how many */
  flush(name: Uint8Array | null, isBelow: boolean): number {
    let count = 0;
    for (let entry = this.#newest; entry !== null; ) {
      const { older, question } = entry;
      if (name === null || matches(question.name, name, isBelow)) {
        this.#remove(entry);
        count++;
      }
      entry = older;
    }
    return count;
  }

  #exact(hash: number, { name, type, bits }: Question): CacheEntry | null {
    for (let entry = this.#entries.get(hash) ?? null; entry !== null; entry = entry.next) {
      const { question } = entry;
      if (question.type !== type || question.bits !== bits || question.name.length !== name.length) continue;
      if (equalNames(question.name, 0, name, 0, name.length)) return entry;
    }
    return null;
  }

  /** @param kept is not the one to go */
  #evict(kept: CacheEntry): void {
    let hand = this.#hand ?? this.#oldest;
    while (hand !== null && (hand.isVisited || hand === kept)) {
      hand.isVisited = false;
      hand = hand.newer ?? this.#oldest;
    }
    if (hand === null) return;
    this.#hand = hand.newer;
    this.#remove(hand);
  }

  #remove(entry: CacheEntry): void {
    if (this.#hand === entry) this.#hand = entry.newer;
    if (entry.newer === null) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.older === null) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    const first = this.#entries.get(entry.hash) as CacheEntry;
    if (first === entry) {
      if (entry.next === null) this.#entries.delete(entry.hash);
      else this.#entries.set(entry.hash, entry.next);
    } else {
      let before = first;
      while (before.next !== entry) before = before.next as CacheEntry;
      before.next = entry.next;
    }
    this.#bytes -= entry.sizeBytes;
    this.#count--;
  }
}

/** @param name lower case */
function matches(owner: Uint8Array, name: Uint8Array, isBelow: boolean): boolean {
  const at = owner.length - name.length;
  if (at < 0 || (at > 0 && !isBelow) || !equalNames(owner, at, name, 0, name.length)) return false;
  // A suffix counts where a label begins alone.
  let label = 0;
  while (label < at) label += 1 + (owner[label] as number);
  return label === at;
}
