import { describe, expect, it } from 'vitest';
import { Tally, Timings } from '../../src/telemetry/tallies.ts';

describe('a tally', () => {
  it('counts by all labels together', () => {
    const tally = new Tally();
    tally.add(['a', 'bc']);
    tally.add(['ab', 'c'], 2);
    tally.add(['a', 'bc']);
    expect(tally.entries()).toEqual([
      { labels: ['a', 'bc'], count: 2 },
      { labels: ['ab', 'c'], count: 2 },
    ]);
  });
});

describe('timings', () => {
  it('are counted in the first bucket that they are not above, or in the one behind all', () => {
    const timings = new Timings([0.1, 1]);
    for (const seconds of [0, 0.1, 0.5, 1, 1.5]) timings.add(['a'], seconds);
    timings.add(['b'], 1);
    const [a, b] = timings.entries();
    expect(a).toMatchObject({ labels: ['a'], buckets: [2, 2, 1] });
    expect(a?.sumSeconds).toBeCloseTo(3.1, 9);
    expect(b).toEqual({ labels: ['b'], buckets: [0, 1, 0], sumSeconds: 1 });
  });
});
