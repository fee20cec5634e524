import { describe, expect, it } from 'vitest';
import { POLICY } from '../../src/answers/answer-set.ts';
import { createRandom, Selection } from '../../src/answers/selection.ts';

const DRAWS = 10_000;

function draw(selection: Selection, policy: number, count: number): number[] {
  return [...selection.picked.subarray(0, selection.draw(policy, count))];
}

/** How often each of `count` choices was drawn, and how often each came first. */
function tally(policy: number, count: number, draws: number, seed: number): { drawn: number[]; first: number[] } {
  const selection = new Selection(createRandom(seed));
  const drawn = Array<number>(count).fill(0);
  const first = Array<number>(count).fill(0);
  for (let i = 0; i < draws; i++) {
    const picked = draw(selection, policy, count);
    for (const index of picked) drawn[index] = (drawn[index] as number) + 1;
    first[picked[0] as number] = (first[picked[0] as number] as number) + 1;
  }
  return { drawn, first };
}

function expectWithin(counts: readonly number[], expected: number, share: number): void {
  for (const count of counts) {
    expect(count).toBeGreaterThan(expected * (1 - share));
    expect(count).toBeLessThan(expected * (1 + share));
  }
}

describe('createRandom', () => {
  it('gives the same sequence for the same seed, and another for another', () => {
    const sequence = (seed: number): number[] => {
      const random = createRandom(seed);
      return Array.from({ length: 50 }, () => random(1000));
    };
    expect(sequence(5)).toEqual(sequence(5));
    expect(sequence(5)).not.toEqual(sequence(6));
  });

  it.each([0, 1, -1, 0xffff_ffff])('stays within its bound and reaches all of it (seed %d)', (seed) => {
    const random = createRandom(seed);
    const seen = new Set(Array.from({ length: 1000 }, () => random(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(random(1)).toBe(0);
  });
});

describe('MULTIVALUE', () => {
  it.each([
    [1, 1],
    [2, 2],
    [7, 7],
    [8, 8],
    [9, 8],
    [12, 8],
    [1000, 8],
    [100_000, 8],
  ])('of %d choices draws %d, distinct and within range', (count, expected) => {
    const selection = new Selection(createRandom(count));
    for (let i = 0; i < 200; i++) {
      const picked = draw(selection, POLICY.multivalue, count);
      expect(picked).toHaveLength(expected);
      expect(new Set(picked).size).toBe(expected);
      for (const index of picked) expect(index >= 0 && index < count).toBe(true);
    }
  });

  it('draws each of 12 choices equally often, within 5 %', () => {
    expectWithin(tally(POLICY.multivalue, 12, DRAWS, 20_260_730).drawn, (DRAWS * 8) / 12, 0.05);
  });

  it('puts each of 12 choices first equally often', () => {
    expectWithin(tally(POLICY.multivalue, 12, 60_000, 3).first, 60_000 / 12, 0.1);
  });

  it('puts each of 4 choices first equally often although all are drawn', () => {
    expectWithin(tally(POLICY.multivalue, 4, 20_000, 4).first, 5000, 0.1);
  });

  it('mixes anew for each query', () => {
    const selection = new Selection(createRandom(1));
    const mixes = new Set(Array.from({ length: 100 }, () => draw(selection, POLICY.multivalue, 12).sort().join()));
    expect(mixes.size).toBeGreaterThan(50);
  });
});

describe('WEIGHTED', () => {
  it.each([1, 2, 100])('draws one of %d, each equally often', (count) => {
    const selection = new Selection(createRandom(9));
    expect(selection.draw(POLICY.weighted, count)).toBe(1);
    expectWithin(tally(POLICY.weighted, count, 2000 * count, count).drawn, 2000, 0.15);
  });
});

describe('all', () => {
  it.each([1, 8, 9, 256])('draws all %d in their order', (count) => {
    const selection = new Selection(createRandom(1));
    expect(draw(selection, POLICY.all, count)).toEqual(Array.from({ length: count }, (_, index) => index));
  });
});
