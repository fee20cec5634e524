import { describe, expect, it } from 'vitest';
import {
  equalNames,
  expandName,
  NameError,
  NameView,
  nameLength,
  skipName,
  toTextName,
  toWireName,
} from '../../src/wire/names.ts';

const L63 = 'a'.repeat(63);
// 3 x (63 + 1) + 61 characters: 253 as text, 255 octets in wire form.
const LONGEST = `${L63}.${L63}.${L63}.${'b'.repeat(61)}`;
const MOST_LABELS = Array.from({ length: 127 }, () => 'x').join('.');

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

describe('toWireName', () => {
  it.each([
    ['', [0]],
    ['.', [0]],
    ['com', [3, ...ascii('com'), 0]],
    ['com.', [3, ...ascii('com'), 0]],
    ['Web.DEMO.internal', [3, ...ascii('web'), 4, ...ascii('demo'), 8, ...ascii('internal'), 0]],
    ['_http._tcp.x', [5, ...ascii('_http'), 4, ...ascii('_tcp'), 1, ...ascii('x'), 0]],
    ['a/b:c@d.x', [7, ...ascii('a/b:c@d'), 1, ...ascii('x'), 0]],
    ['É.x', [1, 0xc9, 1, ...ascii('x'), 0]],
  ])('encodes "%s"', (text, expected) => {
    expect([...toWireName(text)]).toEqual(expected);
  });

  it('keeps the case where it is asked to', () => {
    expect([...toWireName('WeB.x', true)]).toEqual([3, ...ascii('WeB'), 1, ...ascii('x'), 0]);
  });

  it('takes labels of 63 octets and names of 255 octets or 127 labels', () => {
    expect(toWireName(L63)).toHaveLength(65);
    expect(toWireName(LONGEST)).toHaveLength(255);
    expect(toWireName(`${LONGEST}.`)).toHaveLength(255);
    expect(toWireName(MOST_LABELS)).toHaveLength(255);
  });

  it.each([
    ['a label of 64 octets', `${'a'.repeat(64)}.x`],
    ['a name of 256 octets', `${LONGEST}b`],
    ['128 labels', `${MOST_LABELS}.x`],
    ['an empty label in the middle', 'a..b'],
    ['an empty label in front', '.a'],
    ['two ending dots', 'a..'],
    ['dots alone', '..'],
    ['a character beyond one octet', 'snow☃.x'],
  ])('refuses %s', (_, text) => {
    expect(() => toWireName(text)).toThrow(NameError);
  });
});

describe('toTextName', () => {
  it.each([
    [[0], '.'],
    [[3, ...ascii('WeB'), 1, ...ascii('x'), 0], 'WeB.x.'],
    [[3, 0x61, 0x2e, 0x62, 0], 'a\\.b.'],
    [[2, 0x5c, 0x00, 0], '\\\\\\000.'],
    [[3, 0x20, 0x7f, 0xff, 0], '\\032\\127\\255.'],
  ])('writes %j as zone-file text', (bytes, expected) => {
    expect(toTextName(Uint8Array.from(bytes))).toBe(expected);
  });

  it('starts where it is told', () => {
    expect(toTextName(Uint8Array.of(9, 9, 1, 0x61, 0), 2)).toBe('a.');
  });
});

describe('nameLength', () => {
  it.each([
    ['', 1],
    ['a', 3],
    [LONGEST, 255],
  ])('counts "%s" with its root', (text, expected) => {
    expect(nameLength(toWireName(text), 0)).toBe(expected);
  });
});

describe('NameView.read', () => {
  function read(bytes: readonly number[] | Uint8Array, at = 0, limit = bytes.length): NameView | null {
    const view = new NameView();
    return view.read(Uint8Array.from(bytes), at, limit) ? view : null;
  }

  it('finds labels and end, also in the middle of a message', () => {
    const view = read([7, 7, ...toWireName('web.demo.x'), 7, 7], 2);
    expect(view?.count).toBe(3);
    expect([...(view?.offsets.subarray(0, 4) ?? [])]).toEqual([2, 6, 11, 13]);
    expect(view?.end).toBe(14);
  });

  it('reads the root', () => {
    expect(read([0])).toMatchObject({ count: 0, end: 1 });
  });

  it('reads 255 octets and 127 labels', () => {
    expect(read(toWireName(LONGEST))).toMatchObject({ count: 4, end: 255 });
    expect(read(toWireName(MOST_LABELS))).toMatchObject({ count: 127, end: 255 });
  });

  const label = (length: number): number[] => [length, ...Array<number>(length).fill(0x61)];
  it.each([
    ['256 octets', [...label(63), ...label(63), ...label(63), ...label(62), 0]],
    ['128 labels', [...Array.from({ length: 128 }, () => [1, 0x78]).flat(), 0]],
    ['a label of 64 octets, which is the reserved type 01', [0x40, ...Array<number>(64).fill(0x61), 0]],
    ['the reserved label type 10', [0x80, 0x61, 0]],
    ['a compression pointer', [0xc0, 0x00, 0]],
    ['a compression pointer behind a label', [1, 0x61, 0xc0, 0x0c]],
    ['a label that overruns', [5, 0x61, 0x62]],
    ['a name without its root', [1, 0x61]],
    ['nothing', []],
  ])('refuses %s', (_, bytes) => {
    expect(read(bytes)).toBeNull();
  });

  it('does not look behind the limit', () => {
    const bytes = toWireName('web.x');
    expect(read(bytes, 0, bytes.length)).not.toBeNull();
    expect(read(bytes, 0, bytes.length - 1)).toBeNull();
  });

  it('hashes each suffix without regard to case', () => {
    const lower = read(toWireName('web.demo.internal')) as NameView;
    const mixed = read(toWireName('WeB.DEMO.iNTERNAL', true)) as NameView;
    expect([...mixed.hashes.subarray(0, 4)]).toEqual([...lower.hashes.subarray(0, 4)]);
  });

  it('hashes a suffix as the name that it is', () => {
    const long = read(toWireName('web.demo.internal')) as NameView;
    const short = read(toWireName('demo.internal')) as NameView;
    expect([...long.hashes.subarray(1, 4)]).toEqual([...short.hashes.subarray(0, 3)]);
  });

  it('folds A-Z alone: [ and {, @ and ` stay apart, and so do letters beyond ASCII', () => {
    const hash = (byte: number): number => (read([1, byte, 0]) as NameView).hashes[0] as number;
    expect(hash(0x41)).toBe(hash(0x61));
    expect(hash(0x5a)).toBe(hash(0x7a));
    expect(hash(0x40)).not.toBe(hash(0x60));
    expect(hash(0x5b)).not.toBe(hash(0x7b));
    expect(hash(0xc9)).not.toBe(hash(0xe9));
  });

  it('spreads the low bits of the hashes of names that differ in one digit', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      const view = read(toWireName(`task-${i}.web.corp.internal`)) as NameView;
      seen.add((view.hashes[0] as number) & 1023);
    }
    // 1000 balls in 1024 urns leave about 640 urns with a ball.
    expect(seen.size).toBeGreaterThan(560);
  });
});

describe('equalNames', () => {
  const equal = (a: string, b: string): boolean => {
    const [left, right] = [toWireName(a, true), toWireName(b, true)];
    return left.length === right.length && equalNames(left, 0, right, 0, left.length);
  };
  it.each([
    ['web.x', 'WEB.X', true],
    ['web.x', 'web.x', true],
    ['web.x', 'wec.x', false],
    ['a@.x', 'a`.x', false],
    ['a.bc', 'ab.c', false],
  ])('%s and %s: %s', (a, b, expected) => {
    expect(equal(a, b)).toBe(expected);
  });

  it('keeps a dot inside a label apart from the dot between labels (RFC 2181 s11)', () => {
    const inside = Uint8Array.of(3, 0x61, 0x2e, 0x62, 0);
    expect(equalNames(inside, 0, toWireName('a.b'), 0, 5)).toBe(false);
  });
});

describe('skipName', () => {
  it.each<[string, readonly number[], number]>([
    ['the root', [0], 1],
    ['a name', [...toWireName('web.x')], 7],
    ['a pointer', [0xc0, 0x0c], 2],
    ['a pointer behind a label', [1, 0x61, 0xc0, 0x0c], 4],
    ['a pointer to anywhere, which is not followed', [0xff, 0xff], 2],
    ['nothing', [], -1],
    ['a name without its root', [1, 0x61], -1],
    ['a label that overruns', [5, 0x61, 0x62], -1],
    ['a pointer cut in two', [0xc0], -1],
    ['the reserved label type 01', [0x40, 0], -1],
    ['the reserved label type 10', [0x80, 0], -1],
  ])('%s', (_, bytes, expected) => {
    const message = Uint8Array.from([9, 9, ...bytes]);
    expect(skipName(message, 2, message.length)).toBe(expected < 0 ? -1 : 2 + expected);
  });

  it('does not look behind the limit', () => {
    const message = Uint8Array.from([1, 0x61, 0xc0, 0x0c]);
    expect([2, 3, 4].map((limit) => skipName(message, 0, limit))).toEqual([-1, -1, 4]);
  });
});

describe('expandName', () => {
  const HEADER = Array<number>(12).fill(0);
  // At 12 `WWW.example.`, at 16 `example.`.
  const BASE = [...HEADER, ...toWireName('WWW.example', true)];

  function expand(tail: readonly number[], base: readonly number[] = BASE): string | null {
    const message = Uint8Array.from([...base, ...tail]);
    const out = new Uint8Array(300).fill(0xee);
    const length = expandName(message, base.length, message.length, out, 5);
    if (length < 0) return null;
    expect(nameLength(out, 5)).toBe(length);
    expect([out[4], out[5 + length]]).toEqual([0xee, 0xee]);
    return toTextName(out, 5);
  }

  it.each<[string, readonly number[], string]>([
    ['the root', [0], '.'],
    ['a name that stands there, its case kept', [...toWireName('FtP.x', true)], 'FtP.x.'],
    ['a pointer', [0xc0, 12], 'WWW.example.'],
    ['labels in front of a pointer', [1, 0x61, 2, 0x62, 0x63, 0xc0, 16], 'a.bc.example.'],
    ['a pointer to a root', [0xc0, 24], '.'],
  ])('%s', (_, tail, expected) => {
    expect(expand(tail)).toBe(expected);
  });

  it('follows a pointer that leads to another', () => {
    const base = [...BASE, 1, 0x61, 0xc0, 12];
    expect(expand([0xc0, BASE.length], base)).toBe('a.WWW.example.');
    expect(expand([0xc0, BASE.length + 2], base)).toBe('WWW.example.');
  });

  it.each<[string, readonly number[]]>([
    ['nothing', []],
    ['a name without its root', [1, 0x61]],
    ['a label that overruns', [5, 0x61, 0x62]],
    ['a pointer cut in two', [0xc0]],
    ['a pointer to itself', [0xc0, BASE.length]],
    ['a pointer that leads on', [0xc0, BASE.length + 2, 0]],
    ['a pointer back to the label in front of it', [1, 0x61, 0xc0, BASE.length]],
    ['a pointer into a label whose length overruns', [0xc0, 13]],
    ['the reserved label type 01', [0x40, 0]],
    ['the reserved label type 10', [0x80, 0]],
  ])('refuses %s', (_, tail) => {
    expect(expand(tail)).toBeNull();
  });

  it('refuses a name that runs into the pointer that led to it', () => {
    // At the end of the base a label of three octets begins, which the pointer behind is part of.
    const base = [...BASE, 3];
    expect(expand([0xc0, BASE.length], base)).toBeNull();
  });

  it('takes 255 octets, and refuses 256', () => {
    const base = [...HEADER, ...toWireName(LONGEST.slice(64))];
    expect(expand([63, ...ascii(L63), 0xc0, 12], base)).toBe(`${LONGEST}.`);
    const tooLong = [...HEADER, ...toWireName(`${LONGEST.slice(64)}b`)];
    expect(expand([63, ...ascii(L63), 0xc0, 12], tooLong)).toBeNull();
  });

  it('refuses pointers into the header, which is another one in the next reply with these octets', () => {
    for (let target = 0; target < 12; target++) expect(expand([0xc0, target]), String(target)).toBeNull();
  });

  it('gives up on a long chain of pointers, which nobody needs and which would cost time in each record', () => {
    const pointerTo = (at: number): number[] => [0xc0 | (at >> 8), at & 255];
    // The first pointer, at 14, leads to the root at 12, each other one to the one in front of it.
    const base = (count: number): number[] => [
      ...HEADER,
      ...[0, 0],
      ...Array.from({ length: count }, (_, i) => pointerTo(12 + 2 * i)).flat(),
    ];
    const last = (count: number): number[] => pointerTo(12 + 2 * count);
    expect(expand(last(100), base(100))).toBe('.');
    expect(expand(last(1000), base(1000))).toBeNull();
  });
});
