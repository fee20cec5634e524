import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FromThread } from '../../src/answers/thread-protocol.ts';
import { QueryShow } from '../../src/dns/query-show.ts';
import { UDP } from '../../src/telemetry/query-counters.ts';

type Shown = Extract<FromThread, { kind: 'queries' }>;

function setUp(random?: () => number) {
  const shown: Shown[] = [];
  const show = new QueryShow((message) => shown.push(message), random);
  const see = (times: number, reply = Uint8Array.of(7)): void => {
    for (let i = 0; i < times; i++) show.see(UDP, 0, { address: '127.0.0.1' }, i, reply, reply.length);
  };
  return { shown, show, see };
}

describe('queries are shown', () => {
  it('once per turn of the event loop, in order, as copies', async () => {
    const { shown, see } = setUp();
    const reply = Uint8Array.of(7);
    see(3, reply);
    reply[0] = 8;
    expect(shown).toEqual([]);
    await nextTurn();
    see(1);
    await nextTurn();
    expect(shown.map(({ queries }) => queries.map(({ microseconds }) => microseconds))).toEqual([[0, 1, 2], [0]]);
    expect(shown[0]?.queries[0]).toEqual({
      at: expect.any(Number),
      transport: UDP,
      client: '127.0.0.1',
      outcome: 0,
      microseconds: 0,
      reply: Uint8Array.of(7),
    });
    expect(shown.every(({ leftOut }) => leftOut === 0)).toBe(true);
  });

  it('as far as they are taken in; the others are counted, and none is shown or counted twice', async () => {
    const { shown, show, see } = setUp();
    for (let turn = 0; turn < 5; turn++) {
      see(200);
      await nextTurn();
    }
    // Two messages that nobody has taken in; five hundred queries wait; a hundred are too many.
    expect(shown.map(({ queries }) => queries.length)).toEqual([200, 200]);
    see(100);
    show.taken();
    await nextTurn();
    expect(shown.map(({ queries, leftOut }) => [queries.length, leftOut])).toEqual([
      [200, 0],
      [200, 0],
      [500, 200],
    ]);
    show.taken();
    show.taken();
    see(1);
    await nextTurn();
    expect(shown.at(-1)).toMatchObject({ leftOut: 0, queries: [{ microseconds: 0 }] });
  });

  it('within so many octets', async () => {
    const { shown, see } = setUp();
    see(20, new Uint8Array(65_535));
    await nextTurn();
    expect(shown.map(({ queries, leftOut }) => [queries.length, leftOut])).toEqual([[8, 12]]);
  });

  it('one of so many, as chance has it', async () => {
    let drawn = 0;
    const { shown, show, see } = setUp(() => drawn++ / 10);
    show.every = 5;
    see(10);
    await nextTurn();
    expect(shown).toMatchObject([{ every: 5, leftOut: 0, queries: [{ microseconds: 0 }, { microseconds: 1 }] }]);
  });
});
