import { describe, expect, it } from 'vitest';
import { NameTable } from '../../src/answers/name-table.ts';
import { createRandom } from '../../src/answers/selection.ts';
import { NameView, toTextName, toWireName } from '../../src/wire/names.ts';

/** The table by text names and values, with hashes of the caller's choice. */
class TextTable {
  readonly table = new NameTable();
  readonly #view = new NameView();
  readonly #hashOf: (wire: Uint8Array) => number;

  constructor(hashOf?: (wire: Uint8Array) => number) {
    this.#hashOf = hashOf ?? ((wire) => (this.#view.read(wire, 0, wire.length) ? (this.#view.hashes[0] as number) : 0));
  }

  find(name: string): number {
    const wire = toWireName(name, true);
    return this.table.find(this.#hashOf(wire), wire, 0, wire.length);
  }

  put(name: string, value: string): number {
    const wire = toWireName(name, true);
    return this.table.put(this.#hashOf(wire), wire, 0, wire.length, Buffer.from(value, 'latin1'));
  }

  remove(name: string): void {
    const wire = toWireName(name, true);
    this.table.remove(this.#hashOf(wire), wire, 0, wire.length);
  }

  /** The value's first `length` octets; the table itself does not say where a value ends. */
  value(name: string, length: number): string | null {
    const entry = this.find(name);
    if (entry === 0) return null;
    const at = this.table.valueAt(entry);
    return Buffer.from(this.table.bytes.subarray(at, at + length)).toString('latin1');
  }
}

describe('NameTable', () => {
  it('finds nothing in an empty table', () => {
    const names = new TextTable();
    expect(names.find('web.x')).toBe(0);
    expect(names.table.size).toBe(0);
  });

  it('finds a name in any case, and keeps it in lower case', () => {
    const names = new TextTable();
    names.put('WeB.Corp', 'one');
    expect(names.value('wEb.cORP', 3)).toBe('one');
    expect(toTextName(names.table.bytes, names.table.nameAt(names.find('web.corp')))).toBe('web.corp.');
  });

  it('keeps apart names that share a hash', () => {
    const names = new TextTable(() => 42);
    for (let i = 0; i < 100; i++) names.put(`n${i}.x`, `v${i}`);
    names.remove('n50.x');
    for (let i = 0; i < 100; i++) expect(names.value(`n${i}.x`, `v${i}`.length)).toBe(i === 50 ? null : `v${i}`);
  });

  it.each([-1, 0, 1, 0x7fff_ffff, -0x8000_0000, 0xffff_ffff])('takes the hash %d', (hash) => {
    const names = new TextTable(() => hash);
    names.put('a', 'v');
    expect(names.value('a', 1)).toBe('v');
    names.remove('a');
    expect(names.find('a')).toBe(0);
  });

  it('replaces a value by a shorter, an equal and a longer one and keeps the count of children', () => {
    const names = new TextTable();
    names.table.setChildren(names.put('a', 'middle'), 3);
    for (const value of ['tiny', 'middle', 'a much longer value', '']) {
      names.put('a', value);
      expect(names.value('a', value.length)).toBe(value);
      expect(names.table.children(names.find('a'))).toBe(3);
      expect(names.table.size).toBe(1);
    }
  });

  it('keeps the count of children when the arena moves', () => {
    const names = new TextTable();
    names.table.setChildren(names.put('a', 'v'), 0xffff_ffff);
    for (let i = 0; i < 200; i++) names.put(`n${i}`, 'v'.repeat(50));
    expect(names.table.children(names.find('a'))).toBe(0xffff_ffff);
  });

  it('takes a removed name again, with no children', () => {
    const names = new TextTable();
    names.table.setChildren(names.put('a', 'v'), 2);
    names.remove('a');
    names.remove('a');
    expect([names.find('a'), names.table.size]).toEqual([0, 0]);
    names.put('a', 'w');
    expect([names.value('a', 1), names.table.children(names.find('a')), names.table.size]).toEqual(['w', 0, 1]);
  });

  it('takes the root and a name of 255 octets', () => {
    const label = 'a'.repeat(63);
    const longest = `${label}.${label}.${label}.${'b'.repeat(61)}`;
    const names = new TextTable();
    names.put('', 'root');
    names.put(longest, 'longest');
    expect([names.value('', 4), names.value(longest, 7)]).toEqual(['root', 'longest']);
  });

  it('takes a value of a megabyte', () => {
    const names = new TextTable();
    const value = 'v'.repeat(1_000_000);
    names.put('a', 'small');
    names.put('b', value);
    expect(names.value('b', value.length)).toBe(value);
    expect(names.value('a', 5)).toBe('small');
  });

  it('does not grow while one name is put and removed again and again', () => {
    const names = new TextTable();
    for (let i = 0; i < 20_000; i++) {
      names.put(`n${i}.x`, 'v'.repeat(i % 40));
      names.remove(`n${i}.x`);
    }
    expect(names.table.size).toBe(0);
    expect(names.table.bytes.length).toBeLessThanOrEqual(1024);
    expect(names.find('n1.x')).toBe(0);
  });

  it('does not grow while the values of a few names are replaced by other lengths', () => {
    const names = new TextTable();
    const random = createRandom(7);
    for (let i = 0; i < 20_000; i++) names.put(`n${i % 10}`, 'v'.repeat(random(50)));
    // Ten entries of at most 13 + 5 + 50 octets.
    expect(names.table.bytes.length).toBeLessThanOrEqual(4096);
  });

  it('finds each of 50,000 names, in memory of no more than twice their size and of some hundred kilobytes at a time', () => {
    const names = new TextTable();
    const nameOf = (i: number): string => `n${i}.some-service.corp.internal`;
    for (let i = 0; i < 50_000; i++) names.table.setChildren(names.put(nameOf(i), `value ${i}`), i);
    expect(names.table.size).toBe(50_000);
    const arenas = new Set<Uint8Array>();
    for (let i = 0; i < 50_000; i++) {
      const entry = names.find(nameOf(i));
      if (names.table.children(entry) !== i) throw new Error(`${nameOf(i)} is not found`);
      arenas.add(names.table.bytes);
    }
    for (let i = 0; i < 50_000; i += 7) expect(names.value(nameOf(i), `value ${i}`.length)).toBe(`value ${i}`);
    // 13 octets, a name of 35 and a value of 11.
    const sizes = [...arenas].map(({ length }) => length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * 50_000 * 59);
    expect(Math.max(...sizes)).toBeLessThan(400_000);
    for (let i = 0; i < 50_000; i++) names.remove(nameOf(i));
    expect([names.table.size, names.find(nameOf(1)), names.table.bytes.length]).toEqual([0, 0, 256]);
  });

  it('keeps 3,000 names apart whose hashes somebody has made the same', () => {
    const names = new TextTable(() => 7);
    for (let i = 0; i < 3000; i++) names.put(`n${i}`, `v${i}`);
    for (let i = 0; i < 3000; i += 100) expect(names.value(`n${i}`, `v${i}`.length)).toBe(`v${i}`);
    expect(names.table.size).toBe(3000);
  });

  it.each([1, 2, 3, 4])('does what a Map does over 20,000 random changes (seed %d)', (seed) => {
    const random = createRandom(seed);
    const names = new TextTable();
    const model = new Map<string, { value: string; children: number }>();
    const nameOf = (): string => `${['a', 'task', 'Web', 'x-y'][random(4)]}${random(2500)}.svc${random(3)}.corp`;
    // Phases of growth and of decay, so that tables fill, rehash and compact.
    for (let step = 0; step < 20_000; step++) {
      const isGrowing = Math.floor(step / 2500) % 2 === 0;
      const name = nameOf();
      const key = name.toLowerCase();
      const dice = random(10);
      if (dice < (isGrowing ? 7 : 3)) {
        const value = String.fromCharCode(...Array.from({ length: random(60) }, () => random(256)));
        const entry = names.put(name, value);
        const children = model.get(key)?.children ?? 0;
        const next = dice === 0 ? children + 1 : children;
        expect(names.table.children(entry)).toBe(children);
        names.table.setChildren(entry, next);
        model.set(key, { value, children: next });
      } else {
        names.remove(name);
        model.delete(key);
      }
      const probe = nameOf();
      const expected = model.get(probe.toLowerCase());
      if (names.value(probe, expected?.value.length ?? 0) !== (expected?.value ?? null))
        throw new Error(`${probe} is wrong after step ${step}`);
      if (names.table.size !== model.size) throw new Error(`the size is wrong after step ${step}`);
      if (step % 2500 !== 2499) continue;
      for (const [each, { value, children }] of model) {
        expect(names.value(each, value.length)).toBe(value);
        expect(names.table.children(names.find(each))).toBe(children);
      }
    }
    expect(model.size).toBeGreaterThan(100);
    for (const each of [...model.keys()]) names.remove(each);
    expect(names.table.size).toBe(0);
    for (const each of model.keys()) expect(names.find(each)).toBe(0);
  });
});
