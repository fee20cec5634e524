/**
 * What a document is like as far as its tokens have come: where it can be told from them that it is none, it need not be
 * read (and held) to its end.
 */
import { LISTS, notAnObject, type Reader } from './reader.ts';
import { ImportError, type KeyPath } from './report.ts';

/** Deeper than any document is; each level takes memory, and one character opens it. */
const MAX_DEPTH = 32;
const MAX_KEYS = 1_000_000;
/** More keys than records have; beyond, a set is faster. */
const FEW_KEYS = 32;

/** Told of every token, in order. What makes no JSON is the parser's to refuse, and comes here all the same. */
export class Outline {
  readonly #reader: Pick<Reader, 'key'>;
  /** Of objects their keys, of lists null; the document itself first. */
  readonly #keys: (Keys | null)[] = [];
  /** By depth, for the next object there. */
  readonly #spare: Keys[] = [];
  #depth = 0;
  #isKeyNext = false;
  /** The member that has been begun, and the record in it. */
  #member = '';
  #index: number | null = null;

  constructor(reader: Pick<Reader, 'key'>) {
    this.#reader = reader;
  }

  text(text: string): void {
    if (this.#isKeyNext) this.#key(text);
    else this.scalar(false);
  }

  /** A number, a text, true, false or null. @param isNull which an empty list may be written as */
  scalar(isNull: boolean): void {
    if (this.#depth === 0) throw notAnObject();
    this.#value(isNull);
  }

  open(isObject: boolean): void {
    this.#value(!isObject);
    if (this.#depth === 0 && !isObject) throw notAnObject();
    if (this.#depth === MAX_DEPTH) throw new ImportError(this.#path, 'is nested too deeply');
    if (this.#depth === 1 && !isObject) this.#index = 0;
    this.#keys[this.#depth] = isObject ? this.#emptyKeys() : null;
    this.#depth++;
    this.#isKeyNext = isObject;
  }

  close(): void {
    if (this.#depth > 0) this.#depth--;
    if (this.#depth === 1) this.#index = null;
    this.#isKeyNext = false;
  }

  comma(): void {
    if (this.#depth === 2 && this.#index !== null) this.#index++;
    this.#isKeyNext = this.#depth > 0 && this.#keys[this.#depth - 1] !== null;
  }

  #key(key: string): void {
    this.#isKeyNext = false;
    const keys = this.#keys[this.#depth - 1] as Keys;
    const isNew = keys.add(key);
    if (this.#depth > 1) {
      if (!isNew) throw new ImportError(this.#path, `has the key ${JSON.stringify(key)} twice`);
      if (keys.count > MAX_KEYS) throw new ImportError(this.#path, `has more than ${MAX_KEYS} keys in one object`);
      return;
    }
    if (!isNew) throw new ImportError([key], 'is there twice');
    this.#member = key;
    this.#reader.key(key);
  }

  /** @param mayBeList whether a list can be meant by it */
  #value(mayBeList: boolean): void {
    if (this.#depth !== 1 || mayBeList || !LISTS.some((list) => list === this.#member)) return;
    throw new ImportError([this.#member], 'a list is expected');
  }

  get #path(): KeyPath {
    return this.#index === null ? [this.#member] : [this.#member, this.#index];
  }

  #emptyKeys(): Keys {
    let keys = this.#spare[this.#depth];
    if (keys === undefined) {
      keys = new Keys();
      this.#spare[this.#depth] = keys;
    }
    keys.clear();
    return keys;
  }
}

/** Of one object; used again for the next one, for there are millions. */
class Keys {
  readonly #few: string[] = [];
  #many: Set<string> | null = null;

  get count(): number {
    return this.#many === null ? this.#few.length : this.#many.size;
  }

  clear(): void {
    this.#few.length = 0;
    this.#many = null;
  }

  /** Whether it is new. */
  add(key: string): boolean {
    if (this.#many !== null) {
      const { size } = this.#many;
      return this.#many.add(key).size > size;
    }
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > FEW_KEYS) this.#many = new Set(this.#few);
    return true;
  }
}
