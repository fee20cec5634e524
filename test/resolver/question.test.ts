import { describe, expect, it } from 'vitest';
import { areSame, buildQuery, DNSSEC_OK, makeQuestion, QuestionMap, questionEnd } from '../../src/resolver/question.ts';
import { SecureRandom } from '../../src/resolver/random.ts';
import { FLAG } from '../../src/wire/header.ts';
import { NameView, toTextName, toWireName } from '../../src/wire/names.ts';

const random = new SecureRandom();
const WWW = toWireName('WWW.Example.com', true);
const SUBNET = Uint8Array.of(0, 1, 24, 0, 192, 0, 2);

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('SecureRandom', () => {
  it('draws numbers of all of their ranges, past the end of what it drew in bulk', () => {
    const seen = new Set<number>();
    let [least, most] = [0xffff_ffff, 0];
    for (let i = 0; i < 20_000; i++) {
      seen.add(random.u16());
      const word = random.u32();
      [least, most] = [Math.min(least, word), Math.max(most, word)];
      expect(word).toBeGreaterThanOrEqual(0);
    }
    // 20,000 balls in 65,536 urns leave about 17,240 urns with a ball.
    expect(seen.size).toBeGreaterThan(16_500);
    expect(least).toBeLessThan(0x0100_0000);
    expect(most).toBeGreaterThan(0xff00_0000);
  });

  it('draws below a bound, evenly', () => {
    const counts = Array<number>(7).fill(0);
    for (let i = 0; i < 7000; i++) {
      const drawn = random.below(7);
      counts[drawn] = (counts[drawn] as number) + 1;
    }
    expect(random.below(1)).toBe(0);
    expect(counts.reduce((sum, count) => sum + count)).toBe(7000);
    for (const count of counts) expect(count).toBeGreaterThan(800);
  });
});

describe('makeQuestion', () => {
  it('folds the name, in memory of its own, and hashes it as views do', () => {
    const name = Uint8Array.from(WWW);
    const question = makeQuestion(name, 1, 0);
    name.fill(0xee);
    const view = new NameView();
    view.read(WWW, 0, WWW.length);
    expect(toTextName(question.name)).toBe('www.example.com.');
    expect(question).toMatchObject({ nameHash: view.hashes[0], type: 1, bits: 0, subnet: null });
  });
});

describe('areSame', () => {
  const question = makeQuestion(WWW, 1, DNSSEC_OK, SUBNET);
  it.each([
    ['another case', makeQuestion(toWireName('www.EXAMPLE.com', true), 1, DNSSEC_OK, SUBNET), true],
    ['another name', makeQuestion(toWireName('wwx.example.com'), 1, DNSSEC_OK, SUBNET), false],
    ['another type', makeQuestion(WWW, 28, DNSSEC_OK, SUBNET), false],
    ['other bits', makeQuestion(WWW, 1, DNSSEC_OK | FLAG.CD, SUBNET), false],
    ['no subnet', makeQuestion(WWW, 1, DNSSEC_OK), false],
    ['another subnet', makeQuestion(WWW, 1, DNSSEC_OK, SUBNET.with(6, 3)), false],
    ['a longer subnet', makeQuestion(WWW, 1, DNSSEC_OK, Uint8Array.of(...SUBNET, 0)), false],
    ['the dot in a label', makeQuestion(Uint8Array.from(WWW).fill(0x2e, 4, 5), 1, DNSSEC_OK, SUBNET), false],
  ])('%s: %#', (_, other, expected) => {
    expect([areSame(question, other), areSame(other, question)]).toEqual([expected, expected]);
  });
});

describe('QuestionMap', () => {
  // The hash leaves the subnet out, so these share a chain.
  const [a, b, c, d] = [0, 1, 2, 3].map((n) => makeQuestion(WWW, 1, 0, SUBNET.with(6, n))) as [
    ReturnType<typeof makeQuestion>,
    ReturnType<typeof makeQuestion>,
    ReturnType<typeof makeQuestion>,
    ReturnType<typeof makeQuestion>,
  ];

  it.each([
    ['first', [a, b, c]],
    ['second', [b, c, a]],
    ['last', [c, a, b]],
  ])('keeps those with one hash apart as they go, the %s of a chain first', (_, order) => {
    const map = new QuestionMap<string>();
    for (const [question, value] of [
      [a, 'a'],
      [b, 'b'],
      [c, 'c'],
    ] as const)
      map.add(question, value);
    expect([map.get(a), map.get(b), map.get(c), map.get(d), map.size]).toEqual(['a', 'b', 'c', undefined, 3]);
    expect([...map.values()].sort()).toEqual(['a', 'b', 'c']);
    for (const [i, question] of order.entries()) {
      map.delete(question);
      map.delete(d);
      expect(map.get(question)).toBeUndefined();
      expect(map.size).toBe(2 - i);
      for (const left of order.slice(i + 1)) expect(map.get(left)).toBeDefined();
    }
    expect([...map.values()]).toEqual([]);
  });

  it('is empty when cleared', () => {
    const map = new QuestionMap<number>();
    map.add(a, 1);
    map.add(makeQuestion(toWireName('x'), 1, 0), 2);
    map.clear();
    expect([map.size, map.get(a), [...map.values()]]).toEqual([0, undefined, []]);
  });
});

describe('buildQuery', () => {
  it('asks with RD, one question and an OPT of our own', () => {
    const question = makeQuestion(WWW, 28, 0);
    const query = buildQuery(question, random, true, false);
    expect(hex(query.subarray(2))).toBe(`01000001000000000001${hex(question.name)}001c000100002904d0000000000000`);
    expect(questionEnd(question)).toBe(query.length - 11);
  });

  it('carries AD, CD and DO over, each alone', () => {
    const flagsOf = (bits: number): [number, number] => {
      const query = buildQuery(makeQuestion(WWW, 1, bits), random, true, false);
      return [query.readUInt16BE(2), query.readUInt16BE(query.length - 4)];
    };
    expect(flagsOf(FLAG.AD)).toEqual([0x0120, 0]);
    expect(flagsOf(FLAG.CD)).toEqual([0x0110, 0]);
    expect(flagsOf(DNSSEC_OK)).toEqual([0x0100, 0x8000]);
    expect(flagsOf(DNSSEC_OK | FLAG.AD | FLAG.CD)).toEqual([0x0130, 0x8000]);
  });

  it('carries the client subnet', () => {
    const query = buildQuery(makeQuestion(WWW, 1, 0, SUBNET), random, true, false);
    expect(hex(query.subarray(query.length - 22))).toBe(`00002904d000000000000b00080007${hex(SUBNET)}`);
  });

  it('leaves the OPT and all that it carries out for who does not know EDNS', () => {
    const query = buildQuery(makeQuestion(WWW, 1, DNSSEC_OK | FLAG.CD, SUBNET), random, false, false);
    expect(hex(query.subarray(2))).toBe(`01100001000000000000${hex(toWireName('www.example.com'))}00010001`);
  });

  it('draws the ID anew each time', () => {
    const question = makeQuestion(WWW, 1, 0);
    const ids = new Set(Array.from({ length: 100 }, () => buildQuery(question, random, true, true).readUInt16BE(0)));
    expect(ids.size).toBeGreaterThan(90);
  });

  it('mixes the case of every letter and touches nothing else (draft-vixie-dnsext-dns0x20)', () => {
    const name = toWireName(`az.${'x'.repeat(63)}.0-_{\`@[.m`);
    const seen = new Map<number, Set<number>>();
    for (let i = 0; i < 200; i++) {
      const query = buildQuery(makeQuestion(name, 1, 0), random, false, true);
      for (const [at, byte] of query.subarray(12, 12 + name.length).entries())
        seen.set(at, (seen.get(at) ?? new Set()).add(byte));
    }
    for (const [at, byte] of name.entries()) {
      const isLetter = byte >= 0x61 && byte <= 0x7a;
      expect(
        [...(seen.get(at) as Set<number>)].sort((a, b) => a - b),
        `octet ${at}`,
      ).toEqual(isLetter ? [byte - 0x20, byte] : [byte]);
    }
  });

  it('takes the root and names of 255 octets', () => {
    const root = buildQuery(makeQuestion(Uint8Array.of(0), 2, 0), random, true, true);
    expect(hex(root.subarray(12))).toBe('000002000100002904d0000000000000');
    const longest = toWireName(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`);
    const query = buildQuery(makeQuestion(longest, 1, 0), random, true, true);
    expect(query.length).toBe(12 + 255 + 4 + 11);
    expect(query.toString('latin1', 12, 267).toLowerCase()).toBe(Buffer.from(longest).toString('latin1'));
  });
});
