import { describe, expect, it } from 'vitest';
import { QueryAudience, type SeenQuery } from '../../src/publish/query-audience.ts';

const QUERIES: readonly SeenQuery[] = Array.from({ length: 10 }, (_, microseconds) => ({
  at: 1,
  transport: 0,
  client: '127.0.0.1',
  outcome: 0,
  microseconds,
  reply: new Uint8Array(0),
}));

function setUp(random?: () => number) {
  const told: number[] = [];
  const audience = new QueryAudience(async (every) => {
    told.push(every);
  }, random);
  return { told, audience };
}

describe('an audience', () => {
  it('has the threads show as much as whoever wants most, and nothing when all have left', async () => {
    const { told, audience } = setUp();
    const leaveLog = await audience.add(100, () => undefined);
    const leaveOne = await audience.add(1, () => undefined);
    const leaveOther = await audience.add(1, () => undefined);
    leaveOne();
    leaveOne();
    leaveOther();
    leaveLog();
    expect(told).toEqual([100, 1, 100, 0]);
  });

  it('gives each as much as it wants of what is shown', async () => {
    let drawn = 0;
    const { audience } = setUp(() => (drawn++ % 10) / 10);
    const seen = new Map<number, number>();
    const leftOut = new Map<number, number>();
    for (const every of [1, 5]) {
      await audience.add(every, (queries, count) => {
        seen.set(every, queries.length);
        leftOut.set(every, count);
      });
    }
    audience.show({ every: 1, queries: QUERIES, leftOut: 50 });
    expect([seen.get(1), seen.get(5), leftOut.get(1), leftOut.get(5)]).toEqual([10, 2, 50, 10]);
    // What was shown when no more was asked for is all that there is.
    audience.show({ every: 5, queries: QUERIES, leftOut: 3 });
    expect([seen.get(1), seen.get(5), leftOut.get(1), leftOut.get(5)]).toEqual([10, 10, 3, 3]);
  });
});
