import { describe, expect, it } from 'vitest';
import { SecureRandom } from '../../src/resolver/random.ts';
import { SocketBudget } from '../../src/resolver/socket-budget.ts';
import { MAX_TIMEOUT_MS, Upstream, UpstreamGroup } from '../../src/resolver/upstreams.ts';

const random = new SecureRandom();
const make = (name: string): Upstream => new Upstream({ address: name, port: 53 }, random, new SocketBudget());
const T = 1_000_000;

/** `a b|c`: those that are asked at once, then the others in their order. */
function planned(group: UpstreamGroup, nowMs: number): string {
  const { order, atOnce } = group.plan(nowMs);
  const names = order.map(({ address }) => address);
  return [names.slice(0, atOnce).join(' '), names.slice(atOnce).join(' ')].join('|');
}

/** Upstreams that have been measured at T, in a group. */
function measured(rtts: Readonly<Record<string, number>>): { group: UpstreamGroup; of: Record<string, Upstream> } {
  const of = Object.fromEntries(Object.keys(rtts).map((name) => [name, make(name)]));
  for (const [name, rttMs] of Object.entries(rtts)) {
    const upstream = of[name] as Upstream;
    upstream.succeeded(rttMs);
    upstream.retryAtMs = T + 10_000;
  }
  return { group: new UpstreamGroup(Object.values(of)), of };
}

describe('Upstream', () => {
  it('is waited for four round trips, within bounds', () => {
    const upstream = make('a');
    expect(upstream.timeoutMs).toBe(700);
    upstream.succeeded(100);
    expect(upstream.timeoutMs).toBe(400);
    const [fast, slow] = [make('fast'), make('slow')];
    fast.succeeded(1);
    slow.succeeded(3000);
    expect([fast.timeoutMs, slow.timeoutMs]).toEqual([150, MAX_TIMEOUT_MS]);
  });

  it('smooths its round trips (RFC 6298 s2)', () => {
    const upstream = make('a');
    upstream.succeeded(80);
    upstream.succeeded(160);
    expect(upstream.rttMs).toBe(90);
    for (let i = 0; i < 100; i++) upstream.succeeded(20);
    expect(upstream.rttMs).toBeCloseTo(20, 1);
  });

  it('is as at the start once it is forgotten, but for what was counted', () => {
    const upstream = make('a');
    const known = (): unknown => {
      const { rttMs, isDown, retryAtMs, failures, timeoutMs } = upstream;
      return { rttMs, isDown, retryAtMs, failures, timeoutMs, edns: upstream.hasEdns(T), fits: upstream.keepsCase(T) };
    };
    const first = known();
    const fill = (era?: number): void => {
      upstream.succeeded(20, era);
      upstream.answeredOverTcp(T, false, era);
      upstream.lacksEdns(T, era);
      for (let i = 0; i < 2; i++) upstream.refused(T, era);
      upstream.failed(T, era);
    };
    const era = upstream.asked();
    fill();
    expect(known()).not.toEqual(first);
    upstream.forget();
    expect(known()).toEqual(first);
    // What was asked before ends later.
    fill(era);
    expect(known()).toEqual(first);
    expect(upstream.figures).toMatchObject({ queries: 1, failures: 6, sumSeconds: 0.04 });
    // RCODEs of no use are counted anew too.
    upstream.refused(T);
    expect(upstream.isDown).toBe(false);
    fill(upstream.asked());
    expect(upstream.isDown).toBe(true);
  });

  it('is down when it fails, longer each time, to half a minute', () => {
    const upstream = make('a');
    const waits = Array.from({ length: 8 }, () => {
      const now = Math.max(T, upstream.retryAtMs);
      upstream.failed(now);
      // Many queries may have waited for it.
      upstream.failed(now + 999);
      return upstream.retryAtMs - now;
    });
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(upstream.isDown).toBe(true);
    upstream.succeeded(10);
    expect([upstream.isDown, upstream.failures]).toEqual([false, 0]);
    upstream.failed(T);
    expect(upstream.retryAtMs - T).toBe(1000);
  });

  it('is not down for two RCODEs of no use, but for three in a row', () => {
    const upstream = make('a');
    const refuse = (): boolean => {
      upstream.refused(T);
      return upstream.isDown;
    };
    expect([refuse(), refuse()]).toEqual([false, false]);
    upstream.succeeded(10);
    expect([refuse(), refuse(), refuse(), refuse()]).toEqual([false, false, true, true]);
    upstream.answeredOverTcp(T, true);
    expect([upstream.isDown, refuse()]).toEqual([false, false]);
  });

  it('is asked without EDNS, or in lower case, for ten minutes after it was found to need that', () => {
    const upstream = make('a');
    expect([upstream.hasEdns(T), upstream.keepsCase(T)]).toEqual([true, true]);
    upstream.lacksEdns(T);
    upstream.answeredOverTcp(T, true);
    expect([upstream.hasEdns(T), upstream.keepsCase(T)]).toEqual([false, true]);
    upstream.answeredOverTcp(T + 1000, false);
    expect([upstream.hasEdns(T + 599_999), upstream.hasEdns(T + 600_000)]).toEqual([false, true]);
    expect([upstream.keepsCase(T + 600_999), upstream.keepsCase(T + 601_000)]).toEqual([false, true]);
  });
});

describe('UpstreamGroup.plan', () => {
  it('asks the only one, whatever is known of it', () => {
    const only = make('a');
    const group = new UpstreamGroup([only]);
    expect(planned(group, T)).toBe('a|');
    for (let i = 0; i < 5; i++) only.failed(T);
    expect(planned(group, T)).toBe('a|');
  });

  it('asks nobody where there is nobody, or all lead back here', () => {
    expect(planned(new UpstreamGroup([]), T)).toBe('|');
    const [a, b] = [make('a'), make('b')];
    const group = new UpstreamGroup([a, b]);
    group.looping.add(a);
    expect(planned(group, T)).toBe('b|');
    group.looping.add(b);
    expect(planned(group, T)).toBe('|');
    // Of other names the same servers may lead elsewhere.
    expect(planned(new UpstreamGroup([a]), T)).toBe('a|');
  });

  it('asks the fastest first', () => {
    expect(planned(measured({ a: 30, b: 10, c: 20 }).group, T)).toBe('b|c a');
  });

  it('asks those of which nothing is known at once, two at a time, in their order', () => {
    const group = new UpstreamGroup([make('a'), make('b'), make('c')]);
    expect([1, 2, 3].map(() => planned(group, T))).toEqual(['a b|c', 'a c|b', 'a|b c']);
  });

  it('measures the others beside it every ten seconds, one at a time', () => {
    const { group } = measured({ a: 30, b: 10, c: 20 });
    expect(planned(group, T + 9999)).toBe('b|c a');
    expect([1, 2, 3].map(() => planned(group, T + 10_000))).toEqual(['b c|a', 'b a|c', 'b|c a']);
    expect(planned(group, T + 19_999)).toBe('b|c a');
    expect(planned(group, T + 20_000)).toBe('b c|a');
  });

  it('asks one that is down last, and beside the first when its time has come', () => {
    const { group, of } = measured({ a: 10, b: 20, c: 30 });
    of.a?.failed(T);
    expect(planned(group, T + 999)).toBe('b|c a');
    expect(planned(group, T + 1000)).toBe('b a|c');
    // Not again by the next query: should it still be silent, its next time is later.
    expect(planned(group, T + 1001)).toBe('b|c a');
    of.a?.succeeded(10);
    expect(planned(group, T + 1002)).toBe('a|b c');
  });

  it('asks all at once where all are down, those with the fewest failures first', () => {
    const { group, of } = measured({ a: 10, b: 20, c: 30 });
    for (const [name, failures] of Object.entries({ a: 3, b: 1, c: 2 }))
      for (let i = 0; i < failures; i++) of[name]?.failed(T + i * 30_000);
    expect(planned(group, T)).toBe('b c a|');
  });

  it('names each once, whoever is up', () => {
    const { group, of } = measured({ a: 10, b: 20, c: 30, d: 40 });
    for (let down = 0; down < 16; down++) {
      for (const [i, upstream] of Object.values(of).entries()) {
        if ((down & (1 << i)) !== 0) upstream.failed(T);
        else upstream.succeeded(10);
      }
      for (const nowMs of [T, T + 40_000, T + 80_000]) {
        const { order } = group.plan(nowMs);
        expect(new Set(order).size, `down ${down}`).toBe(4);
        expect(order.length).toBe(4);
      }
    }
  });
});
