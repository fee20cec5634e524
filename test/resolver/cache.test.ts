import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { Cache, type CacheEntry, type Held } from '../../src/resolver/cache.ts';
import { makeQuestion, type Question, questionHash } from '../../src/resolver/question.ts';
import { toWireName } from '../../src/wire/names.ts';
import { heldOf, QNAME, record } from '../support/upstream-reply.ts';

const MANY = 1_000_000;
const T = 1_000_000;

/** An answer of one address, whose last octet tells it from others. */
function held(name: string, { ttl = 60, at = T, bits = 0, octet = 1, records = 1 } = {}): Held {
  const answer = Array.from({ length: records }, () => record(QNAME, 'A', ttl, [192, 0, 2, octet]));
  return heldOf(`${name} A`, { answer }, at, bits);
}

function look(cache: Cache, name: string, { at = T, bits = 0, type = 1 } = {}): CacheEntry | null {
  const { nameHash } = makeQuestion(toWireName(name), type, bits);
  const wire = toWireName(name, true);
  return cache.find(nameHash, Uint8Array.from([9, ...wire, 9]), 1, wire.length, type, bits, at);
}

/** The octet of `held`; null: nothing is known. */
function octetOf(entry: CacheEntry | null): number | null {
  return entry?.reply.body.at(-1) ?? null;
}

function cacheOf(helds: readonly Held[], limitBytes = MANY, staleSeconds = 100): Cache {
  const cache = new Cache(limitBytes, staleSeconds);
  for (const each of helds) cache.put(each);
  return cache;
}

describe('Cache', () => {
  it('finds a question in any case, by its name, type and bits', () => {
    const cache = cacheOf([held('www.example.com'), held('www.example.com', { bits: 0x10, octet: 2 })]);
    expect(octetOf(look(cache, 'WWW.example.COM'))).toBe(1);
    expect(octetOf(look(cache, 'www.example.com', { bits: 0x10 }))).toBe(2);
    expect(look(cache, 'www.example.com', { bits: 0x8000 })).toBeNull();
    expect(look(cache, 'www.example.com', { type: 28 })).toBeNull();
    expect(look(cache, 'example.com')).toBeNull();
    expect(cache.size).toBe(2);
  });

  it('keeps an answer until its end, and as stale for some time longer', () => {
    const cache = cacheOf([held('a.x', { ttl: 60 })]);
    for (const at of [T, T + 59_999, T + 60_000, T + 159_999]) expect(octetOf(look(cache, 'a.x', { at }))).toBe(1);
    expect(look(cache, 'a.x', { at: T + 160_000 })).toBeNull();
    expect([cache.size, cache.sizeBytes]).toEqual([0, 0]);
  });

  it('keeps nothing past its end where nothing stale is wanted', () => {
    const cache = cacheOf([held('a.x', { ttl: 60 })], MANY, 0);
    expect(look(cache, 'a.x', { at: T + 59_999 })).not.toBeNull();
    expect(look(cache, 'a.x', { at: T + 60_000 })).toBeNull();
  });

  it('keeps a newer answer in place of the one before', () => {
    const cache = cacheOf([held('a.x')]);
    const before = cache.sizeBytes;
    cache.put(held('A.X', { octet: 2, at: T + 5000 }));
    expect(octetOf(look(cache, 'a.x'))).toBe(2);
    expect([cache.size, cache.sizeBytes]).toEqual([1, before]);
  });

  it('forgets an answer where the newer one must not be kept (TTL 0)', () => {
    const cache = cacheOf([held('a.x'), held('a.x', { ttl: 0 })]);
    expect([look(cache, 'a.x'), cache.size, cache.sizeBytes]).toEqual([null, 0, 0]);
  });

  it('keeps nothing where it may take no memory, and no answer that would take an eighth of it', () => {
    expect(cacheOf([held('a.x')], 0).size).toBe(0);
    expect(cacheOf([held('a.x', { records: 50 })], 8 * 2500).size).toBe(1);
    const cache = cacheOf([held('a.x'), held('a.x', { records: 200 })], 8 * 2500);
    expect([cache.size, cache.sizeBytes]).toEqual([0, 0]);
  });

  it('counts hits, which outlast a refresh', () => {
    const cache = cacheOf([held('a.x')]);
    for (let i = 0; i < 3; i++) look(cache, 'a.x');
    cache.put(held('a.x', { at: T + 50_000 }));
    expect(look(cache, 'a.x')?.hits).toBe(4);
  });
});

describe('flush', () => {
  const NAMES = ['a.b.example', 'b.example', 'xb.example', 'example', 'b.example.x', 'other'];
  it.each<[string, string | null, boolean, string[]]>([
    ['a name alone', 'b.example', false, ['b.example']],
    ['a name in another case', 'B.Example', false, ['b.example']],
    ['a name and those below it', 'b.example', true, ['a.b.example', 'b.example']],
    ['all below the root', '', true, NAMES],
    ['the root alone', '', false, []],
    ['a name that is not there', 'c.example', true, []],
    ['everything', null, false, NAMES],
  ])('forgets %s', (_, name, isBelow, gone) => {
    const cache = cacheOf([...NAMES.map((each) => held(each)), ...gone.map((each) => held(each, { bits: 0x20 }))]);
    expect(cache.flush(name === null ? null : toWireName(name), isBelow)).toBe(2 * gone.length);
    for (const each of NAMES) expect(look(cache, each) === null, each).toBe(gone.includes(each));
    expect(cache.size).toBe(NAMES.length - gone.length);
  });

  it('takes a dot in a label for no end of a label', () => {
    const odd = { ...held('x'), question: makeQuestion(Uint8Array.from([4, 0x61, 1, 0x62, 0x63, 0]), 1, 0) };
    expect(cacheOf([odd]).flush(Uint8Array.of(1, 0x62, 0x63, 0), true)).toBe(0);
    expect(cacheOf([odd]).flush(Uint8Array.of(2, 0x62, 0x63, 0), true)).toBe(0);
  });
});

describe('what has to go', () => {
  const SIZE = cacheOf([held('n00')]).sizeBytes;
  const name = (n: number): string => `n${String(n).padStart(2, '0')}`;
  const full = (count: number): Cache =>
    cacheOf(
      Array.from({ length: count }, (_, n) => held(name(n))),
      SIZE * 20,
    );
  const missing = (cache: Cache, count: number): number[] =>
    Array.from({ length: count }, (_, n) => n).filter((n) => look(cache, name(n)) === null);

  it('is the oldest where none was asked for', () => {
    expect(missing(full(20), 20)).toEqual([]);
    const cache = full(23);
    expect(missing(cache, 23)).toEqual([0, 1, 2]);
    expect(cache.sizeBytes).toBe(20 * SIZE);
  });

  it('is not what was asked for since the hand came by last (SIEVE)', () => {
    const cache = full(20);
    for (const n of [0, 1, 3, 4, 5]) look(cache, name(n));
    for (const n of [20, 21, 22]) cache.put(held(name(n)));
    // 0 and 1 were passed over, 2 went, then 3 to 5 were passed over, and 6 and 7 went.
    expect(missing(cache, 23)).toEqual([2, 6, 7]);
  });

  it('is the first that the hand comes to where all were asked for, never the one that has just come', () => {
    const cache = full(20);
    for (let n = 0; n < 20; n++) look(cache, name(n));
    cache.put(held(name(20)));
    expect(missing(cache, 21)).toEqual([0]);
  });

  it('goes on from where the hand stood, also when that has been forgotten since', () => {
    const cache = full(21);
    // The hand stands at 1.
    cache.flush(toWireName(name(1)), false);
    cache.put(held(name(21)));
    cache.put(held(name(22)));
    expect(missing(cache, 23)).toEqual([0, 1, 2]);
  });

  it('starts at the oldest again when the hand has come to the newest', () => {
    const cache = full(20);
    for (let n = 0; n < 19; n++) look(cache, name(n));
    // 19 goes, then the hand is at 20, which has just come.
    cache.put(held(name(20)));
    expect(look(cache, name(19))).toBeNull();
    cache.flush(toWireName(name(20)), false);
    for (const n of [21, 22, 23]) cache.put(held(name(n)));
    expect(cache.sizeBytes).toBe(20 * SIZE);
    expect(missing(cache, 19)).toEqual([0, 1]);
  });
});

describe('questions with one hash', () => {
  /** Other names, made to have the hash of `a.x`. */
  const colliding = (n: number): Question => ({
    ...makeQuestion(toWireName(`c${n}.x`), 1, 0),
    nameHash: makeQuestion(toWireName('a.x'), 1, 0).nameHash,
  });
  const ORDERS = [0, 1, 2].flatMap((a) => [0, 1, 2].filter((b) => b !== a).map((b) => [a, b, 3 - a - b]));

  it.each(ORDERS)('are kept apart, and one another when forgotten: %d, %d, %d', (...order) => {
    const cache = new Cache(MANY, 0);
    for (const n of [0, 1, 2]) cache.put({ ...held('a.x', { octet: n }), question: colliding(n) });
    const find = (n: number): number | null => {
      const { nameHash, name } = colliding(n);
      return octetOf(cache.find(nameHash, name, 0, name.length, 1, 0, T));
    };
    expect([find(0), find(1), find(2), find(3)]).toEqual([0, 1, 2, null]);
    for (const [i, n] of order.entries()) {
      expect(cache.flush(colliding(n).name, false)).toBe(1);
      expect(find(n)).toBeNull();
      for (const left of order.slice(i + 1)) expect(find(left)).toBe(left);
    }
    expect(cache.size).toBe(0);
  });

  it('differ in type and bits too', () => {
    const { nameHash } = makeQuestion(toWireName('a.x'), 1, 0);
    const hashes = [1, 28, 257].flatMap((type) =>
      [0, 0x10, 0x20, 0x8000].map((bits) => questionHash(nameHash, type, bits)),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('by chance', () => {
  it('keeps within its bounds, and never gives an answer to another question, or one that it was told to forget', () => {
    const random = createRandom(7);
    const limit = 40 * 800;
    const cache = new Cache(limit, 5);
    const model = new Map<string, Held>();
    let nowMs = T;
    let hits = 0;
    for (let step = 0; step < 20_000; step++) {
      const name = `n${random(120)}.${random(3) === 0 ? 'x' : 'y'}`;
      nowMs += random(20);
      const kind = random(100);
      if (kind < 40) {
        const fresh = held(name, { ttl: random(12), at: nowMs, octet: random(256), records: 1 + random(8) });
        cache.put(fresh);
        model.set(name, fresh);
      } else if (kind < 98) {
        const entry = look(cache, name, { at: nowMs });
        if (entry === null) continue;
        hits++;
        const kept = model.get(name) as Held;
        expect([entry.reply, entry.storedAtMs]).toEqual([kept.reply, kept.storedAtMs]);
        expect(nowMs).toBeLessThan(entry.expiresAtMs + 5000);
      } else {
        const below = random(20) === 0;
        const known = [...model.keys()].filter((each) => look(cache, each, { at: nowMs }) !== null);
        const gone = known.filter((each) => (below ? each.endsWith('.x') : each === name));
        // What has ended for good may still lie in the cache, and is forgotten with the others.
        expect(cache.flush(toWireName(below ? 'x' : name), below)).toBeGreaterThanOrEqual(gone.length);
        for (const each of gone) expect(look(cache, each, { at: nowMs })).toBeNull();
      }
      expect(cache.sizeBytes).toBeLessThanOrEqual(limit);
      expect(cache.sizeBytes).toBeGreaterThanOrEqual(cache.size * 700);
    }
    expect(hits).toBeGreaterThan(500);
    expect(cache.flush(null, false)).toBeGreaterThan(0);
    expect([cache.size, cache.sizeBytes]).toEqual([0, 0]);
  });
});
