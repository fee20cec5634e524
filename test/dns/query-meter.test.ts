import { beforeEach, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { OUTCOME } from '../../src/dns/outcome.ts';
import { type Onlooker, QueryMeter } from '../../src/dns/query-meter.ts';
import { Responder } from '../../src/dns/respond.ts';
import { DROPPED, QueryCounters, queryCounts, queryDurations, TCP, UDP } from '../../src/telemetry/query-counters.ts';
import { rrset, zoneSetOf } from '../support/answering.ts';
import { buildQuery } from '../support/dns.ts';
import { ANYONE, outside } from '../support/resolving.ts';

const ASKER = { address: '127.0.0.1' };
const REPLY = Uint8Array.of(1, 2, 3, 4);

let counters: QueryCounters;
let made: { qtype: number; rcode: number; outcome: number };
let meter: QueryMeter;
beforeEach(() => {
  counters = new QueryCounters();
  made = { qtype: 1, rcode: 0, outcome: OUTCOME.zone };
  meter = new QueryMeter(made, counters);
});

const timed = (transport: 'udp' | 'tcp', wasRelayed = false) => {
  const found = queryDurations([counters]).find((one) => one.transport === transport && one.wasRelayed === wasRelayed);
  const { buckets = [], sumSeconds = 0 } = found ?? {};
  return { count: buckets.reduce((sum, count) => sum + count, 0), sumSeconds };
};

describe('queries that are read together', () => {
  it('are counted each by what it is, and share the time that they took', () => {
    const began = performance.now();
    meter.begin();
    for (let i = 0; i < 30; i++) {
      made.rcode = i < 10 ? 0 : 3;
      meter.answered(UDP, REPLY, 4, ASKER);
    }
    meter.dropped(UDP, ASKER);
    expect(timed('udp').count).toBe(0);
    meter.end(UDP);
    const tookSeconds = (performance.now() - began) / 1000;
    expect(queryCounts([counters]).map(({ rcode, count }) => [rcode, count])).toEqual([
      ['NOERROR', 10],
      ['NXDOMAIN', 20],
      ['none', 1],
    ]);
    expect(timed('udp').count).toBe(30);
    expect(timed('udp').sumSeconds).toBeGreaterThan(0);
    expect(timed('udp').sumSeconds).toBeLessThanOrEqual(tookSeconds);
    // What ended before has no part in what comes next.
    meter.end(UDP);
    expect(timed('udp').count).toBe(30);
    expect(timed('tcp').count).toBe(0);
  });

  it('are timed apart from one that waits for an upstream, and from what that costs', () => {
    meter.begin();
    meter.answered(TCP, REPLY, 4, ASKER);
    const beganMs = meter.forwarded(TCP);
    expect(timed('tcp').count).toBe(1);
    const before = timed('tcp').sumSeconds;
    const until = performance.now() + 5;
    while (performance.now() < until);
    const secondBegan = performance.now();
    meter.begin();
    meter.answered(TCP, REPLY, 4, ASKER);
    meter.end(TCP);
    const secondSeconds = (performance.now() - secondBegan) / 1000;
    made.outcome = OUTCOME.upstream;
    meter.relayed(TCP, beganMs, true, REPLY, ASKER);
    expect(timed('tcp').count).toBe(2);
    expect(timed('tcp').sumSeconds - before).toBeLessThanOrEqual(secondSeconds + 1e-9);
    expect(timed('tcp', true).count).toBe(1);
    expect(timed('tcp', true).sumSeconds).toBeGreaterThanOrEqual(0.005);
    expect(queryCounts([counters]).map(({ outcome, count }) => [outcome, count])).toEqual([
      [OUTCOME.zone, 2],
      [OUTCOME.upstream, 1],
    ]);
  });
});

describe('an onlooker', () => {
  it('sees each query with its own time, and all is counted as it is without one', () => {
    const seen: Parameters<Onlooker['see']>[] = [];
    meter.onlooker = { see: (...query) => seen.push(query) };
    meter.begin();
    meter.answered(UDP, REPLY, 4, ASKER);
    meter.dropped(UDP, ASKER);
    const beganMs = meter.forwarded(UDP);
    meter.begin();
    meter.answered(UDP, REPLY, 2, ASKER);
    meter.end(UDP);
    meter.relayed(UDP, beganMs, true, REPLY, ASKER);
    expect(seen.map(([transport, outcome, asker, , , length]) => [transport, outcome, asker, length])).toEqual([
      [UDP, OUTCOME.zone, ASKER, 4],
      [UDP, DROPPED, ASKER, 0],
      [UDP, OUTCOME.zone, ASKER, 2],
      [UDP, OUTCOME.zone, ASKER, 4],
    ]);
    for (const [, , , microseconds] of seen) expect(microseconds).toBeGreaterThanOrEqual(0);
    expect([timed('udp').count, timed('udp', true).count]).toEqual([2, 1]);
    expect(queryCounts([counters]).reduce((sum, { count }) => sum + count, 0)).toBe(4);
  });
});

describe('counting and timing', () => {
  it('allocates nothing', () => {
    const zones = zoneSetOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } });
    const responder = new Responder({ zones, random: createRandom(1), counters, ...outside(false) });
    const query = buildQuery('web.corp.internal', 'A');
    const reply = new Uint8Array(65_535);
    const askBatch = (): void => {
      responder.meter.begin();
      for (let i = 0; i < 32; i++) {
        const length = responder.respond(query, query.length, reply, false, null, ANYONE);
        responder.meter.answered(UDP, reply, length, ASKER);
      }
      responder.meter.end(UDP);
    };
    // As of `respond` alone: until V8 has compiled what is run, and where the collector did not run meanwhile.
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 100 && least >= 1; i++) {
      const before = process.memoryUsage().heapUsed;
      for (let j = 0; j < 400; j++) askBatch();
      const bytes = (process.memoryUsage().heapUsed - before) / (400 * 32);
      if (bytes >= 0) least = Math.min(least, bytes);
    }
    expect(least).toBeLessThan(1);
    expect(queryCounts([counters])).toHaveLength(1);
  });
});
