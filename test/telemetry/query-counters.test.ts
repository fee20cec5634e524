import { describe, expect, it } from 'vitest';
import { OUTCOMES } from '../../src/dns/outcome.ts';
import {
  DROPPED,
  DURATION_BOUNDS,
  QueryCounters,
  queryCounts,
  queryDurations,
  TCP,
  TRANSPORTS,
  UDP,
} from '../../src/telemetry/query-counters.ts';
import { RCODE_CODES, TYPE_CODES } from '../../src/wire/codec.ts';

describe('queries', () => {
  it('are counted by transport, type, RCODE and outcome', () => {
    const counters = new QueryCounters();
    counters.count(UDP, 1, 0, 0);
    counters.count(UDP, 1, 0, 0);
    counters.count(UDP, 1, 0, 1);
    counters.count(UDP, 1, 3, 0);
    counters.count(UDP, 28, 0, 0);
    counters.count(TCP, 1, 0, 0);
    counters.countDropped(TCP);
    expect(queryCounts([counters])).toEqual([
      { transport: 'udp', type: 'A', rcode: 'NOERROR', outcome: 0, count: 2 },
      { transport: 'udp', type: 'A', rcode: 'NOERROR', outcome: 1, count: 1 },
      { transport: 'udp', type: 'A', rcode: 'NXDOMAIN', outcome: 0, count: 1 },
      { transport: 'udp', type: 'AAAA', rcode: 'NOERROR', outcome: 0, count: 1 },
      { transport: 'tcp', type: 'A', rcode: 'NOERROR', outcome: 0, count: 1 },
      { transport: 'tcp', type: 'other', rcode: 'none', outcome: DROPPED, count: 1 },
    ]);
  });

  it('of each kind there may be have a number of their own, and none reaches into another', () => {
    for (const type of ['A', 'AAAA', 'CNAME', 'SRV', 'PTR', 'NS', 'SOA', 'TXT', 'HTTPS', 'ANY']) {
      for (const rcode of ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']) {
        for (const [outcome] of OUTCOMES.entries()) {
          for (const [transport, name] of TRANSPORTS.entries()) {
            const counters = new QueryCounters();
            counters.count(transport, TYPE_CODES[type] ?? 65, RCODE_CODES[rcode] as number, outcome);
            expect(queryCounts([counters])).toEqual([{ transport: name, type, rcode, outcome, count: 1 }]);
            expect(queryDurations([counters]).every(({ buckets }) => buckets.every((count) => count === 0))).toBe(true);
          }
        }
      }
    }
  });

  it('leave room for every outcome beside those that are dropped', () => {
    expect(OUTCOMES.length).toBeLessThanOrEqual(DROPPED);
  });

  it.each([0, 15, 251, 256, 257, 65_535])('of type %d are counted with the other types', (type) => {
    const counters = new QueryCounters();
    counters.count(UDP, type, 0, 0);
    expect(queryCounts([counters])).toMatchObject([{ type: 'other', count: 1 }]);
  });

  it.each([6, 7, 16, 23, 4095])('of RCODE %d are counted with the other RCODEs', (rcode) => {
    const counters = new QueryCounters();
    counters.count(UDP, 1, rcode, 0);
    expect(queryCounts([counters])).toMatchObject([{ rcode: 'other', count: 1 }]);
  });
});

describe('durations', () => {
  const bucketsOf = (...microseconds: number[]): readonly number[] => {
    const counters = new QueryCounters();
    for (const each of microseconds) counters.time(TCP, true, each, 1);
    const found = queryDurations([counters]).filter(({ sumSeconds }) => sumSeconds > 0);
    expect(found).toMatchObject([{ transport: 'tcp', wasRelayed: true }]);
    expect(found[0]?.sumSeconds).toBeCloseTo(microseconds.reduce((sum, each) => sum + each) / 1e6, 9);
    return found[0]?.buckets ?? [];
  };

  it('have buckets from a microsecond to ten seconds', () => {
    expect([DURATION_BOUNDS.at(0), DURATION_BOUNDS.at(-1)]).toEqual([1e-6, 10]);
    expect(DURATION_BOUNDS).toEqual([...DURATION_BOUNDS].sort((a, b) => a - b));
  });

  it.each(DURATION_BOUNDS.map((bound, i) => [bound, i] as const))(
    'of %d s are in the bucket of that bound',
    (bound, i) => {
      expect(bucketsOf(bound * 1e6).indexOf(1)).toBe(i);
      // A little longer is the next one's.
      expect(bucketsOf(bound * 1e6 * 1.01).indexOf(1)).toBe(i + 1);
    },
  );

  it('beyond the last bound are counted', () => {
    expect(bucketsOf(60e6).at(-1)).toBe(1);
    expect(bucketsOf(60e6, 70e6, 3).reduce((sum, count) => sum + count)).toBe(3);
  });
});

describe('the memory', () => {
  it('is counted in on by whoever is given it, and of several it is summed', () => {
    const first = new QueryCounters();
    first.count(UDP, 1, 0, 0);
    first.time(UDP, false, 10, 1);
    const successor = new QueryCounters(first.memory);
    successor.count(UDP, 1, 0, 0);
    successor.time(UDP, false, 20, 1);
    const other = new QueryCounters();
    other.count(UDP, 1, 0, 0);
    other.time(UDP, false, 20, 1);
    expect(queryCounts([first])).toMatchObject([{ count: 2 }]);
    expect(queryCounts([first, other])).toMatchObject([{ count: 3 }]);
    const [durations] = queryDurations([first, other]);
    expect(durations?.sumSeconds).toBeCloseTo(50e-6, 12);
    expect(durations?.buckets.reduce((sum, count) => sum + count)).toBe(3);
  });
});
