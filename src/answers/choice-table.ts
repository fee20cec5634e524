/**
 * The choices of one large RRset, numbered from 0, apart from its answer set: one of them is put or taken out without
 * touching the others, so that registering the thousandth instance of a service costs what the first did.
 */
import { choiceBytes } from './answer-set.ts';

const MIN_BYTES = 1024;
const MIN_CHOICES = 64;

export class ChoiceTable {
  /** The choices, one behind the other in the order in which they came. Replaced by changes: never keep it across one. */
  bytes = new Uint8Array(MIN_BYTES);
  count = 0;
  #offsets = new Uint32Array(MIN_CHOICES);
  #end = 0;
  #garbageBytes = 0;

  /** Offset of choice `index` within `bytes`. */
  at(index: number): number {
    return this.#offsets[index] as number;
  }

  /** @param index of a choice that is to be replaced, or `count`: one more. @throws Error on a greater one */
  put(index: number, choice: Uint8Array): void {
    if (index > this.count) throw new Error(`choice ${index} of a table of ${this.count}`);
    if (index < this.count) {
      const before = choiceBytes(this.bytes, this.at(index));
      if (before === choice.length) {
        this.bytes.set(choice, this.at(index));
        return;
      }
      this.#garbageBytes += before;
    }
    // The one that is replaced is garbage, so it may be moved from under its offset only together with that.
    if (this.#end + choice.length > this.bytes.length) this.#makeRoom(index, choice.length);
    if (index === this.#offsets.length) this.#offsets = grown(this.#offsets);
    this.bytes.set(choice, this.#end);
    this.#offsets[index] = this.#end;
    this.#end += choice.length;
    if (index === this.count) this.count++;
  }

  /** Takes a choice out; the last one gets its number. @throws Error where there is no such choice */
  drop(index: number): void {
    if (index >= this.count) throw new Error(`choice ${index} of a table of ${this.count}`);
    this.#garbageBytes += choiceBytes(this.bytes, this.at(index));
    this.count--;
    this.#offsets[index] = this.at(this.count);
  }

  /** @param except the choice that need not be kept */
  #makeRoom(except: number, more: number): void {
    const live = this.#end - this.#garbageBytes;
    const next = new Uint8Array(Math.max(MIN_BYTES, Math.ceil((live + more) * 1.5)));
    let end = 0;
    for (let index = 0; index < this.count; index++) {
      if (index === except) continue;
      const from = this.at(index);
      const length = choiceBytes(this.bytes, from);
      next.set(this.bytes.subarray(from, from + length), end);
      this.#offsets[index] = end;
      end += length;
    }
    this.bytes = next;
    this.#end = end;
    this.#garbageBytes = 0;
  }
}

function grown(offsets: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(Math.ceil(offsets.length * 1.5));
  next.set(offsets);
  return next;
}
