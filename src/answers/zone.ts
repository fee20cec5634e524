/**
 * One zone: its owner names with their answer sets, the choices of those that change one by one, and notes of names
 * that have no records.
 */
import { NameView } from '../wire/names.ts';
import {
  choiceAt,
  choiceBytes,
  choiceCount,
  findRrset,
  forEachRrset,
  isTabled,
  outlineSet,
  tableNumber,
} from './answer-set.ts';
import { ChoiceTable } from './choice-table.ts';
import { NameTable } from './name-table.ts';

/** Of a name without records: an empty non-terminal, or an apex that has none yet. */
export const EMPTY_SET = Uint8Array.of(0);

// One for all zones: there may be many, and no call leaves anything in it for the next.
const OWNER_VIEW = new NameView();

export class Zone {
  readonly names = new NameTable();
  /** Why a name has no records; it may be a name that does not exist. */
  readonly notes = new NameTable();
  readonly apex: Uint8Array;
  readonly #apexHash: number;
  readonly #apexLabels: number;
  readonly #view = OWNER_VIEW;
  /** By the numbers that answer sets give. */
  readonly #tables: (ChoiceTable | null)[] = [];
  readonly #freeTables: number[] = [];

  /** Names below the apex are not in it. */
  readonly isOfOneName: boolean;

  constructor(apex: Uint8Array, isOfOneName = false) {
    this.isOfOneName = isOfOneName;
    // Of its own: what it was read from is as large as a snapshot.
    this.apex = apex.slice();
    this.#view.read(apex, 0, apex.length);
    this.#apexHash = this.#view.hashes[0] as number;
    this.#apexLabels = this.#view.count;
    this.names.put(this.#apexHash, apex, 0, apex.length, EMPTY_SET);
  }

  /** Offset of the apex's own answer set in `names.bytes`. */
  apexSet(): number {
    return this.names.valueAt(this.names.find(this.#apexHash, this.apex, 0, this.apex.length));
  }

  /** @param owner wire form, inside the zone; @param set encoded answer set with at least one RRset */
  put(owner: Uint8Array, set: Uint8Array): void {
    this.#read(owner);
    this.#dropNote(owner);
    const isNew = !this.#dropTables(owner);
    this.#put(
      owner,
      0,
      outlineSet(set, (rrset) => this.#addTable(set, rrset)),
    );
    if (isNew) this.#adopt(owner);
  }

  /** Nothing happens where there is no such RRset: it is still to come, with this choice. */
  putChoice(owner: Uint8Array, type: number, index: number, choice: Uint8Array): void {
    this.#tableFor(owner, type)?.put(index, choice);
  }

  dropChoice(owner: Uint8Array, type: number, index: number): void {
    this.#tableFor(owner, type)?.drop(index);
  }

  /** The choices of the RRset at `rrset` of `names`; null: they are in the RRset itself. */
  choicesOf(bytes: Uint8Array, rrset: number): ChoiceTable | null {
    return isTabled(bytes, rrset) ? (this.#tables[tableNumber(bytes, rrset)] as ChoiceTable) : null;
  }

  /** Takes the owner's records away; the name stays while names lie below it. */
  drop(owner: Uint8Array): void {
    this.#read(owner);
    this.#dropNote(owner);
    if (!this.#dropTables(owner)) return;
    const entry = this.#entry(owner, 0);
    if (this.names.children(entry) > 0 || this.#view.count === this.#apexLabels) this.#put(owner, 0, EMPTY_SET);
    else this.#prune(owner);
  }

  /** @param text ASCII; forgotten with the next `put` or `drop` of the owner */
  putNote(owner: Uint8Array, text: Uint8Array): void {
    this.#read(owner);
    this.notes.put(this.#view.hashes[0] as number, owner, 0, owner.length, text);
  }

  /** The entry in `notes` of the name in `view` (read from `message`), or 0. */
  findNote(message: Uint8Array, view: NameView): number {
    if (this.notes.size === 0) return 0;
    const start = view.offsets[0] as number;
    return this.notes.find(view.hashes[0] as number, message, start, view.end - start);
  }

  #tableFor(owner: Uint8Array, type: number): ChoiceTable | null {
    this.#read(owner);
    const entry = this.#entry(owner, 0);
    if (entry === 0) return null;
    const { bytes } = this.names;
    const rrset = findRrset(bytes, this.names.valueAt(entry), type);
    return rrset === 0 ? null : this.choicesOf(bytes, rrset);
  }

  /** @returns the number of a table of the choices that the RRset of `set` has */
  #addTable(set: Uint8Array, rrset: number): number {
    const table = new ChoiceTable();
    for (let index = 0; index < choiceCount(set, rrset); index++) {
      const at = choiceAt(set, rrset, index);
      table.put(index, set.subarray(at, at + choiceBytes(set, at)));
    }
    const number = this.#freeTables.pop() ?? this.#tables.length;
    this.#tables[number] = table;
    return number;
  }

  /** Those of the name in `#view`, whose set is to be replaced. @returns whether it has a set at all */
  #dropTables(owner: Uint8Array): boolean {
    const entry = this.#entry(owner, 0);
    if (entry === 0) return false;
    const { bytes } = this.names;
    forEachRrset(bytes, this.names.valueAt(entry), (rrset) => {
      if (!isTabled(bytes, rrset)) return;
      const number = tableNumber(bytes, rrset);
      this.#tables[number] = null;
      this.#freeTables.push(number);
    });
    return true;
  }

  #dropNote(owner: Uint8Array): void {
    this.notes.remove(this.#view.hashes[0] as number, owner, 0, owner.length);
  }

  #read(owner: Uint8Array): void {
    if (!this.#view.read(owner, 0, owner.length)) throw new Error('an owner name of a delta is not a name');
  }

  #entry(owner: Uint8Array, label: number): number {
    const at = this.#view.offsets[label] as number;
    return this.names.find(this.#view.hashes[label] as number, owner, at, owner.length - at);
  }

  #put(owner: Uint8Array, label: number, set: Uint8Array): number {
    const at = this.#view.offsets[label] as number;
    return this.names.put(this.#view.hashes[label] as number, owner, at, owner.length - at, set);
  }

  /** Counts a new name at its parent, and makes parents down from the apex that are not there yet. */
  #adopt(owner: Uint8Array): void {
    const apexLabel = this.#view.count - this.#apexLabels;
    for (let label = 1; label <= apexLabel; label++) {
      let parent = this.#entry(owner, label);
      const existed = parent !== 0;
      if (!existed) parent = this.#put(owner, label, EMPTY_SET);
      this.names.setChildren(parent, this.names.children(parent) + 1);
      if (existed) return;
    }
  }

  /** Removes a name without children, and the empty non-terminals that it alone kept. */
  #prune(owner: Uint8Array): void {
    const apexLabel = this.#view.count - this.#apexLabels;
    for (let label = 0; label < apexLabel; label++) {
      const at = this.#view.offsets[label] as number;
      this.names.remove(this.#view.hashes[label] as number, owner, at, owner.length - at);
      const parent = this.#entry(owner, label + 1);
      const left = this.names.children(parent) - 1;
      this.names.setChildren(parent, left);
      if (left > 0 || this.names.bytes[this.names.valueAt(parent)] !== 0) return;
    }
  }
}
