/**
 * The zones of one answering thread. A zone is a table of owner names; the name's place in the tree decides between
 * an answer, NODATA and NXDOMAIN, so empty non-terminals are entries too, kept for as long as a name lies below
 * them (RFC 8020).
 */
import { readU32, writeU32 } from '../wire/bytes.ts';
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
import { readDelta } from './delta.ts';
import { NameTable } from './name-table.ts';

/** What a look-up found; reused, so read it before the next one. */
export interface Lookup {
  /** The zone whose name is the longest suffix of the name asked, or null: not ours. */
  zone: Zone | null;
  /** Which label of the name the zone's apex starts at. */
  apexLabel: number;
  /** What the name's answer set is in. */
  bytes: Uint8Array;
  /** Offset of the name's answer set in `bytes`, or 0: the name does not exist. */
  set: number;
}

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

const EMPTY_SET = Uint8Array.of(0);

export class ZoneSet {
  /** False until the first snapshot is complete: nothing that would be said before it could be true. */
  isFilled = false;
  // The value of an apex is its u32 index into `#zones`.
  readonly #apexes = new NameTable();
  /** Names with an apex below them; the count of those stands where tables count children. */
  readonly #above = new NameTable();
  readonly #zones: (Zone | null)[] = [];
  readonly #free: number[] = [];
  readonly #view = new NameView();
  readonly #lookup: Lookup = { zone: null, apexLabel: 0, bytes: EMPTY_SET, set: 0 };
  /** Between a reset and the end of the snapshot that it began. */
  #isIncomplete = false;

  /** The longest zone of the name in `view` (read from `message`), and its entry in it. */
  find(message: Uint8Array, view: NameView): Lookup {
    const lookup = this.#lookup;
    lookup.zone = null;
    lookup.set = 0;
    for (let label = 0; label <= view.count; label++) {
      const at = view.offsets[label] as number;
      const entry = this.#apexes.find(view.hashes[label] as number, message, at, view.end - at);
      if (entry === 0) continue;
      const zone = this.#zones[this.#indexOf(entry)] as Zone;
      if (zone.isOfOneName && label > 0) continue;
      const start = view.offsets[0] as number;
      const found = zone.names.find(view.hashes[0] as number, message, start, view.end - start);
      lookup.zone = zone;
      lookup.apexLabel = label;
      lookup.bytes = zone.names.bytes;
      lookup.set = found === 0 ? 0 : zone.names.valueAt(found);
      break;
    }
    return lookup;
  }

  /** Whether a zone lies below the name in `view` (read from `message`). */
  isAboveZone(message: Uint8Array, view: NameView): boolean {
    const start = view.offsets[0] as number;
    return this.#above.find(view.hashes[0] as number, message, start, view.end - start) !== 0;
  }

  /** Counts the apex in `#view` at every name above it, or takes it off again. */
  #countAbove(apex: Uint8Array, by: 1 | -1): void {
    for (let label = 1; label < this.#view.count; label++) {
      const at = this.#view.offsets[label] as number;
      const hash = this.#view.hashes[label] as number;
      let entry = this.#above.find(hash, apex, at, apex.length - at);
      if (entry === 0) entry = this.#above.put(hash, apex, at, apex.length - at, EMPTY_SET);
      const count = this.#above.children(entry) + by;
      if (count === 0) this.#above.remove(hash, apex, at, apex.length - at);
      else this.#above.setChildren(entry, count);
    }
  }

  /** Swaps in one delta, whole: no query is answered in between. @throws Error on a delta that is not well formed */
  apply(delta: Uint8Array): void {
    for (const change of readDelta(delta)) {
      switch (change.kind) {
        case 'reset':
          this.#reset();
          this.#isIncomplete = true;
          break;
        case 'complete':
          this.#isIncomplete = false;
          break;
        case 'put-zone':
          if (this.#zoneAt(change.apex) === null) this.#putZone(change.apex, false);
          break;
        case 'put-name-zone':
          if (this.#zoneAt(change.apex) === null) this.#putZone(change.apex, true);
          break;
        case 'drop-zone':
          this.#dropZone(change.apex);
          break;
        case 'put-set':
          this.#zoneAt(change.apex)?.put(change.owner, change.set);
          break;
        case 'drop-set':
          this.#zoneAt(change.apex)?.drop(change.owner);
          break;
        case 'put-note':
          this.#zoneAt(change.apex)?.putNote(change.owner, change.text);
          break;
        case 'put-choice':
          this.#zoneAt(change.apex)?.putChoice(change.owner, change.type, change.index, change.choice);
          break;
        case 'drop-choice':
          this.#zoneAt(change.apex)?.dropChoice(change.owner, change.type, change.index);
          break;
      }
    }
    this.isFilled = !this.#isIncomplete;
  }

  #reset(): void {
    for (const zone of this.#zones) if (zone !== null) this.#dropZone(zone.apex);
    this.#zones.length = 0;
    this.#free.length = 0;
  }

  #zoneAt(apex: Uint8Array): Zone | null {
    this.#view.read(apex, 0, apex.length);
    const entry = this.#apexes.find(this.#view.hashes[0] as number, apex, 0, apex.length);
    return entry === 0 ? null : (this.#zones[this.#indexOf(entry)] as Zone);
  }

  #putZone(apex: Uint8Array, isOfOneName: boolean): void {
    const index = this.#free.pop() ?? this.#zones.length;
    this.#zones[index] = new Zone(apex, isOfOneName);
    const value = new Uint8Array(4);
    writeU32(value, 0, index);
    this.#apexes.put(this.#view.hashes[0] as number, apex, 0, apex.length, value);
    this.#countAbove(apex, 1);
  }

  #dropZone(apex: Uint8Array): void {
    this.#view.read(apex, 0, apex.length);
    const entry = this.#apexes.find(this.#view.hashes[0] as number, apex, 0, apex.length);
    if (entry === 0) return;
    const index = this.#indexOf(entry);
    this.#zones[index] = null;
    this.#free.push(index);
    this.#apexes.remove(this.#view.hashes[0] as number, apex, 0, apex.length);
    this.#countAbove(apex, -1);
  }

  #indexOf(entry: number): number {
    return readU32(this.#apexes.bytes, this.#apexes.valueAt(entry));
  }
}
