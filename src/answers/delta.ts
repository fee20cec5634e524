/**
 * What the main thread publishes: changes to zones and answer sets as one run of bytes, which crosses to an
 * answering thread without being copied. A snapshot is a run of deltas, of which the first begins with a reset; others
 * may come in between, of what has changed since the first.
 *
 *   delta := change...
 *   change := u8 kind, u8 bytes, apex, [u8 bytes, owner], [u16 TYPE, u32 index], [u32 bytes, answer set, choice or note]
 */
import { readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts';

const KIND = {
  reset: 0,
  putZone: 1,
  dropZone: 2,
  putSet: 3,
  dropSet: 4,
  putNote: 5,
  putNameZone: 6,
  putChoice: 7,
  dropChoice: 8,
  complete: 9,
} as const;
const NO_NAME = new Uint8Array(0);

export type DeltaChange =
  | { kind: 'reset' | 'complete' }
  | { kind: 'put-zone' | 'put-name-zone' | 'drop-zone'; apex: Uint8Array }
  | { kind: 'drop-set'; apex: Uint8Array; owner: Uint8Array }
  | { kind: 'put-set'; apex: Uint8Array; owner: Uint8Array; set: Uint8Array }
  | { kind: 'put-note'; apex: Uint8Array; owner: Uint8Array; text: Uint8Array }
  | { kind: 'put-choice'; apex: Uint8Array; owner: Uint8Array; type: number; index: number; choice: Uint8Array }
  | { kind: 'drop-choice'; apex: Uint8Array; owner: Uint8Array; type: number; index: number };

/** Collects changes. Names are in wire form, lower case. */
export class DeltaWriter {
  #bytes = new Uint8Array(1024);
  #at = 0;

  get isEmpty(): boolean {
    return this.#at === 0;
  }

  /** Octets so far. */
  get size(): number {
    return this.#at;
  }

  /** Everything known before is forgotten; nothing is answered until `complete`. */
  reset(): void {
    this.#head(KIND.reset, NO_NAME);
  }

  /** The snapshot that began with the reset ends here. */
  complete(): void {
    this.#head(KIND.complete, NO_NAME);
  }

  putZone(apex: Uint8Array): void {
    this.#head(KIND.putZone, apex);
  }

  /** A zone of its apex alone: names below it are not in it. */
  putNameZone(apex: Uint8Array): void {
    this.#head(KIND.putNameZone, apex);
  }

  dropZone(apex: Uint8Array): void {
    this.#head(KIND.dropZone, apex);
  }

  putSet(apex: Uint8Array, owner: Uint8Array, set: Uint8Array): void {
    this.#head(KIND.putSet, apex);
    this.#name(owner);
    this.#block(set);
  }

  /** Why the owner has no records, in ASCII; it stands until the owner gets some or is dropped. */
  putNote(apex: Uint8Array, owner: Uint8Array, text: Uint8Array): void {
    this.#head(KIND.putNote, apex);
    this.#name(owner);
    this.#block(text);
  }

  /** Its records and its note. */
  dropSet(apex: Uint8Array, owner: Uint8Array): void {
    this.#head(KIND.dropSet, apex);
    this.#name(owner);
  }

  /** One choice of a tabled RRset: another one instead of that with the number `index`, or one more behind the last. */
  putChoice(apex: Uint8Array, owner: Uint8Array, type: number, index: number, choice: Uint8Array): void {
    this.#choice(KIND.putChoice, apex, owner, type, index);
    this.#block(choice);
  }

  /** One choice of a tabled RRset is gone; the last one gets its number. */
  dropChoice(apex: Uint8Array, owner: Uint8Array, type: number, index: number): void {
    this.#choice(KIND.dropChoice, apex, owner, type, index);
  }

  /** The delta in memory of its own, so that each thread can be handed a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #choice(kind: number, apex: Uint8Array, owner: Uint8Array, type: number, index: number): void {
    this.#head(kind, apex);
    this.#name(owner);
    this.#reserve(6);
    writeU16(this.#bytes, this.#at, type);
    writeU32(this.#bytes, this.#at + 2, index);
    this.#at += 6;
  }

  #head(kind: number, apex: Uint8Array): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = kind;
    this.#name(apex);
  }

  #name(name: Uint8Array): void {
    this.#reserve(1 + name.length);
    this.#bytes[this.#at] = name.length;
    this.#bytes.set(name, this.#at + 1);
    this.#at += 1 + name.length;
  }

  #block(bytes: Uint8Array): void {
    this.#reserve(4 + bytes.length);
    writeU32(this.#bytes, this.#at, bytes.length);
    this.#bytes.set(bytes, this.#at + 4);
    this.#at += 4 + bytes.length;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    let capacity = this.#bytes.length * 2;
    while (capacity < this.#at + more) capacity *= 2;
    const next = new Uint8Array(capacity);
    next.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = next;
  }
}

/** Reads a delta; what it yields points into the delta's bytes. @throws Error on an unknown kind or a short delta */
export function* readDelta(bytes: Uint8Array): Generator<DeltaChange> {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new Error('a delta ends in the middle of a change');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const takeName = (): Uint8Array => take(take(1)[0] as number);
  while (at < bytes.length) {
    const kind = take(1)[0] as number;
    const apex = takeName();
    if (kind === KIND.reset) yield { kind: 'reset' };
    else if (kind === KIND.complete) yield { kind: 'complete' };
    else if (kind === KIND.putZone) yield { kind: 'put-zone', apex };
    else if (kind === KIND.putNameZone) yield { kind: 'put-name-zone', apex };
    else if (kind === KIND.dropZone) yield { kind: 'drop-zone', apex };
    else if (kind === KIND.dropSet) yield { kind: 'drop-set', apex, owner: takeName() };
    else if (kind === KIND.putSet) {
      const owner = takeName();
      yield { kind: 'put-set', apex, owner, set: take(readU32(take(4), 0)) };
    } else if (kind === KIND.putNote) {
      const owner = takeName();
      yield { kind: 'put-note', apex, owner, text: take(readU32(take(4), 0)) };
    } else if (kind === KIND.putChoice || kind === KIND.dropChoice) {
      const owner = takeName();
      const type = readU16(take(2), 0);
      const index = readU32(take(4), 0);
      if (kind === KIND.dropChoice) yield { kind: 'drop-choice', apex, owner, type, index };
      else yield { kind: 'put-choice', apex, owner, type, index, choice: take(readU32(take(4), 0)) };
    } else throw new Error(`a delta has a change of the unknown kind ${kind}`);
  }
}
