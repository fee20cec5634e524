/**
 * The zones of one answering thread. A zone is a table of owner names; the name's place in the tree decides between
 * an answer, NODATA and NXDOMAIN, so empty non-terminals are entries too, kept for as long as a name lies below
 * them (RFC 8020).
 */
import { readU32, writeU32 } from '../wire/bytes.ts';
import { NameView } from '../wire/names.ts';
import { readDelta } from './delta.ts';
import { NameTable } from './name-table.ts';
import { EMPTY_SET, Zone } from './zone.ts';

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
