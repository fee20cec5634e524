import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { Cache } from '../../src/resolver/cache.ts';
import { makeQuestion, type Question, questionHash } from '../../src/resolver/question.ts';
import { toWireName } from '../../src/wire/names.ts';

const MANY = 1_000_000;
const T = 1_000_000;

/** Stands for a reply: `tag`, as many times as it has octets. */
const block = (tag: number, octets = 100): Uint8Array => new Uint8Array(octets).fill(tag);
const ask = (name: string, { type = 1, bits = 0 } = {}): Question => makeQuestion(toWireName(name), type, bits);

interface Put {
  readonly tag?: number;
  readonly ttl?: number;
  readonly at?: number;
  readonly octets?: number;
}

function put(cache: Cache, question: Question | string, { tag = 1, ttl = 60, at = T, octets = 100 }: Put = {}): void {
  const asked = typeof question === 'string' ? ask(question) : question;
  cache.put(asked, block(tag, octets), at, at + 1000 * ttl);
}

/** The tag; null: nothing is known. What is found has to be the whole of one reply. */
function look(cache: Cache, question: Question | string, at = T): number | null {
  const { nameHash, name, type, bits } = typeof question === 'string' ? ask(question) : question;
  const message = Buffer.from(`!${Buffer.from(name).toString('latin1').toUpperCase()}`, 'latin1');
  if (!cache.find(nameHash, message, 1, name.length, type, bits, at)) return null;
  const tag = cache.bytes[cache.at] as number;
  const held = cache.copy();
  expect(held.bytes.subarray(0, 8)).toEqual(block(tag, 8));
  return tag;
}

describe('Cache', () => {
  it('finds a question in any case, by its name, type and bits', () => {
    const cache = new Cache(MANY, 100);
    put(cache, 'WWW.example.com');
    put(cache, ask('www.example.com', { bits: 0x10 }), { tag: 2 });
    put(cache, ask('www.example.com', { type: 28 }), { tag: 3 });
    expect(look(cache, 'www.example.com')).toBe(1);
    expect(look(cache, ask('www.example.com', { bits: 0x10 }))).toBe(2);
    expect(look(cache, ask('www.example.com', { type: 28 }))).toBe(3);
    expect(look(cache, ask('www.example.com', { bits: 0x8000 }))).toBeNull();
    expect(look(cache, 'example.com')).toBeNull();
    expect(cache.size).toBe(3);
  });

  it('keeps an answer until its end, and as stale for some time longer', () => {
    const cache = new Cache(MANY, 100);
    put(cache, 'a.x');
    for (const at of [T, T + 59_999, T + 60_000, T + 159_999]) expect(look(cache, 'a.x', at)).toBe(1);
    expect(look(cache, 'a.x', T + 160_000)).toBeNull();
    expect(cache.copy()).toMatchObject({ storedAtMs: T, expiresAtMs: T + 60_000 });
  });

  it('keeps nothing past its end where nothing stale is wanted', () => {
    const cache = new Cache(MANY, 0);
    put(cache, 'a.x');
    expect([look(cache, 'a.x', T + 59_999), look(cache, 'a.x', T + 60_000)]).toEqual([1, null]);
  });

  it('keeps a newer answer in place of the one before', () => {
    const cache = new Cache(MANY, 100);
    put(cache, 'a.x');
    const before = cache.sizeBytes;
    put(cache, 'A.x', { tag: 2, at: T + 5000 });
    expect([look(cache, 'a.x'), cache.size, cache.sizeBytes]).toEqual([2, 1, before]);
  });

  it('forgets an answer where the newer one must not be kept (TTL 0)', () => {
    const cache = new Cache(MANY, 100);
    put(cache, 'a.x');
    put(cache, 'a.x', { ttl: 0 });
    expect([look(cache, 'a.x'), cache.size, cache.sizeBytes]).toEqual([null, 0, 0]);
  });

  it('keeps nothing where it may take no memory, and no answer that would take more than an eighth of it', () => {
    const none = new Cache(0, 100);
    put(none, 'a.x');
    expect(none.size).toBe(0);
    // 41 octets in front of the name's five.
    const small = new Cache(8 * 400, 100);
    put(small, 'a.x', { octets: 400 - 46 });
    expect([small.size, small.sizeBytes]).toEqual([1, 400]);
    put(small, 'a.x', { octets: 400 - 45 });
    expect([small.size, small.sizeBytes]).toEqual([0, 0]);
  });

  it('counts hits, which outlast a refresh, up to what 16 bits hold', () => {
    const cache = new Cache(MANY, 100);
    put(cache, 'a.x');
    for (let i = 0; i < 3; i++) look(cache, 'a.x');
    put(cache, 'a.x', { at: T + 50_000 });
    look(cache, 'a.x');
    expect(cache.hits).toBe(4);
    const { nameHash, name } = ask('a.x');
    for (let i = 0; i < 70_000; i++) cache.find(nameHash, name, 0, name.length, 1, 0, T);
    expect(cache.hits).toBe(0xffff);
  });

  it('remembers of each what is being done about it, until it is replaced', () => {
    const cache = new Cache(MANY, 100);
    put(cache, 'a.x');
    put(cache, 'b.x');
    look(cache, 'a.x');
    expect([cache.isRefreshing, cache.staleUntilMs]).toEqual([false, 0]);
    cache.isRefreshing = true;
    cache.staleUntilMs = T + 30_000.5;
    look(cache, 'b.x');
    expect([cache.isRefreshing, cache.staleUntilMs]).toEqual([false, 0]);
    look(cache, 'a.x');
    expect([cache.isRefreshing, cache.staleUntilMs]).toEqual([true, T + 30_000.5]);
    put(cache, 'a.x');
    look(cache, 'a.x');
    expect([cache.isRefreshing, cache.staleUntilMs]).toEqual([false, 0]);
  });

  it('gives copies that stay as they are', () => {
    const cache = new Cache(2000, 100);
    put(cache, 'a.x');
    look(cache, 'a.x');
    const copy = cache.copy();
    for (let i = 0; i < 50; i++) put(cache, `n${i}`, { tag: 7 });
    expect(look(cache, 'a.x')).toBeNull();
    expect(copy.bytes.subarray(copy.at, copy.at + 100)).toEqual(block(1));
  });

  it('takes names of 255 octets and the root, and replies of 65,535 octets', () => {
    const cache = new Cache(MANY, 100);
    const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    put(cache, longest, { tag: 1, octets: 65_535 });
    put(cache, '', { tag: 2 });
    expect([look(cache, longest), look(cache, '')]).toEqual([1, 2]);
  });
});

describe('flush', () => {
  const NAMES = ['a.b.example', 'b.example', 'xb.example', 'example', 'b.example.x', 'other'];
  it.each<[string, string | null, boolean, string[]]>([
    ['a name alone', 'b.example', false, ['b.example']],
    ['a name and those below it', 'b.example', true, ['a.b.example', 'b.example']],
    ['all below the root', '', true, NAMES],
    ['the root alone', '', false, []],
    ['a name that is not there', 'c.example', true, []],
    ['everything', null, false, NAMES],
  ])('forgets %s, of every type', (_, name, isBelow, gone) => {
    const cache = new Cache(MANY, 100);
    for (const each of NAMES) {
      put(cache, each);
      put(cache, ask(each, { type: 28 }));
    }
    expect(cache.flush(name === null ? null : toWireName(name), isBelow)).toBe(2 * gone.length);
    for (const each of NAMES) {
      expect(look(cache, each) === null, each).toBe(gone.includes(each));
      expect(look(cache, ask(each, { type: 28 })) === null, each).toBe(gone.includes(each));
    }
    expect(cache.size).toBe(2 * (NAMES.length - gone.length));
  });

  it('takes a dot in a label for no end of a label', () => {
    const cache = new Cache(MANY, 100);
    put(cache, makeQuestion(Uint8Array.from([4, 0x61, 1, 0x62, 0x63, 0]), 1, 0));
    expect(cache.flush(Uint8Array.of(1, 0x62, 0x63, 0), true)).toBe(0);
    expect(cache.flush(Uint8Array.of(2, 0x62, 0x63, 0), true)).toBe(0);
  });

  it('leaves room that is used again', () => {
    const cache = new Cache(20 * 160, 100);
    for (let round = 0; round < 10; round++) {
      for (let n = 0; n < 20; n++) put(cache, `n${n}`);
      expect(cache.flush(null, false)).toBeGreaterThanOrEqual(19);
      expect([cache.size, cache.sizeBytes]).toEqual([0, 0]);
    }
    put(cache, 'a.x', { tag: 3 });
    expect(look(cache, 'a.x')).toBe(3);
  });
});

describe('what has to go', () => {
  // 41 octets, a name of five, 98 of the reply: a round 144.
  const SIZE = 144;
  const name = (n: number): string => `n${String(n).padStart(2, '0')}`;
  const add = (cache: Cache, n: number): void => put(cache, name(n), { tag: n, octets: 98 });
  const full = (count: number): Cache => {
    const cache = new Cache(20 * SIZE, 100);
    for (let n = 0; n < count; n++) add(cache, n);
    return cache;
  };
  const missing = (cache: Cache, count: number): number[] =>
    Array.from({ length: count }, (_, n) => n).filter((n) => look(cache, name(n)) === null);

  it('is the oldest where none was asked for', () => {
    expect(missing(full(20), 20)).toEqual([]);
    const cache = full(23);
    expect([cache.size, cache.sizeBytes]).toEqual([20, 20 * SIZE]);
    expect(missing(cache, 23)).toEqual([0, 1, 2]);
  });

  it('is not what was asked for since it was written', () => {
    const cache = full(20);
    for (const n of [0, 1, 3]) look(cache, name(n));
    for (const n of [20, 21]) add(cache, n);
    expect(missing(cache, 22)).toEqual([2, 4]);
  });

  it('is what was asked for once its second chance is over', () => {
    const cache = full(20);
    look(cache, name(0));
    for (let n = 20; n < 42; n++) add(cache, n);
    expect(missing(cache, 1)).toEqual([0]);
  });

  it('is found soon where all were asked for', () => {
    const cache = full(20);
    for (let n = 0; n < 20; n++) look(cache, name(n));
    add(cache, 20);
    expect([cache.size, look(cache, name(20))]).toEqual([20, 20]);
    expect(missing(cache, 20)).toHaveLength(1);
  });
});

describe('questions with one hash', () => {
  /** Other names, made to have the hash of `a.x`, as somebody may choose them. */
  const colliding = (n: number): Question => ({ ...ask(`c${n}.x`), nameHash: ask('a.x').nameHash });
  const ORDERS = [0, 1, 2].flatMap((a) => [0, 1, 2].filter((b) => b !== a).map((b) => [a, b, 3 - a - b]));

  it.each(ORDERS)('are kept apart, and one another when forgotten: %d, %d, %d', (...order) => {
    const cache = new Cache(MANY, 0);
    for (const n of [0, 1, 2]) put(cache, colliding(n), { tag: n });
    const find = (n: number): number | null => look(cache, colliding(n));
    expect([find(0), find(1), find(2), find(3)]).toEqual([0, 1, 2, null]);
    for (const [i, n] of order.entries()) {
      expect(cache.flush(colliding(n).name, false)).toBe(1);
      expect(find(n)).toBeNull();
      for (const left of order.slice(i + 1)) expect(find(left)).toBe(left);
    }
    expect(cache.size).toBe(0);
  });

  it('differ in type and bits too', () => {
    const { nameHash } = ask('a.x');
    const hashes = [1, 28, 257].flatMap((type) =>
      [0, 0x10, 0x20, 0x8000].map((bits) => questionHash(nameHash, type, bits)),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('by chance', () => {
  it.each([
    // Entries of up to an eighth of it, so that the ring's end is met in every way; many with few slots between them.
    [8 * 400, 5, 60],
    [40_000, 5, 300],
    [1_000_003, 50, 5000],
  ])(
    'a cache of %d octets never gives an answer to another question, an old one, or one it was told to forget',
    (limit, staleSeconds, names) => {
      const random = createRandom(limit);
      const cache = new Cache(limit, staleSeconds);
      const model = new Map<string, { tag: number; expiresAtMs: number }>();
      let nowMs = T;
      let hits = 0;
      for (let step = 0; step < 30_000; step++) {
        const name = `n${random(names)}.${random(3) === 0 ? 'x' : 'y'}`;
        // Some share a hash.
        const asked = ask(name);
        const question = name.endsWith('1.x') ? { ...asked, nameHash: 77 } : asked;
        nowMs += random(20);
        const kind = random(100);
        if (kind < 40) {
          const fresh = {
            tag: random(256),
            ttl: random(12),
            at: nowMs,
            octets: 8 + random(random(4) === 0 ? 360 : 60),
          };
          put(cache, question, fresh);
          if (fresh.ttl === 0 || 46 + fresh.octets > limit / 8) model.delete(name);
          else model.set(name, { tag: fresh.tag, expiresAtMs: nowMs + 1000 * fresh.ttl });
        } else if (kind < 99) {
          const tag = look(cache, question, nowMs);
          if (tag === null) continue;
          hits++;
          const { expiresAtMs } = cache.copy();
          expect({ tag, expiresAtMs }).toEqual(model.get(name));
          expect(nowMs).toBeLessThan(expiresAtMs + 1000 * staleSeconds);
        } else {
          const below = random(4) === 0;
          const before = cache.size;
          const gone = cache.flush(toWireName(below ? 'x' : name), below);
          expect(cache.size).toBe(before - gone);
          for (const each of [...model.keys()]) if (below ? each.endsWith('.x') : each === name) model.delete(each);
        }
        expect(cache.sizeBytes).toBeLessThanOrEqual(limit);
        expect(cache.size).toBeLessThanOrEqual(model.size);
      }
      expect(hits).toBeGreaterThan(1000);
      expect(cache.flush(null, false)).toBeGreaterThan(0);
      expect([cache.size, cache.sizeBytes]).toEqual([0, 0]);
    },
  );
});
