import { describe, expect, it } from 'vitest';
import { countCommits, countProbes } from '../src/counting.ts';
import { openMemoryStore } from '../src/store/memory.ts';
import { StoreConflictError } from '../src/store/store.ts';
import { DaemonMeters } from '../src/telemetry/daemon-meters.ts';

describe('commits', () => {
  it('are counted and timed by whether they succeed, and do what they did', async () => {
    const meters = new DaemonMeters();
    const store = openMemoryStore();
    countCommits(store, meters);
    await store.load();
    const told: unknown[] = [];
    store.watch((batch) => told.push(batch.changes));
    const changes = [{ key: 'a', value: '1' }];
    const revision = await store.commit(changes, 0);
    await expect(store.commit(changes, revision + 7)).rejects.toThrow(StoreConflictError);
    // The very array: by that the writer knows its own batch.
    expect(told).toEqual([changes]);
    expect(told[0]).toBe(changes);
    expect(meters.commits.entries()).toEqual([
      { labels: ['ok'], count: 1 },
      { labels: ['failed'], count: 1 },
    ]);
    const [entry] = meters.commitSeconds.entries();
    expect(entry?.buckets.reduce((sum, count) => sum + count)).toBe(2);
    expect(entry?.sumSeconds).toBeGreaterThan(0);
  });
});

describe('probes', () => {
  const target = { type: 'TCP', address: '127.0.0.1', port: 1, host: 'web.example', path: '/' } as const;
  const timeouts = { tcpMs: 1, connectMs: 1, responseMs: 1 };

  it('are counted by type and result, but for those that are called off', async () => {
    const meters = new DaemonMeters();
    const passing = countProbes(async () => ({ kind: 'passed' }), meters);
    const failing = countProbes(async () => ({ kind: 'failed', reason: 'no', isLocal: false }), meters);
    const end = new AbortController();
    expect(await passing(target, timeouts, end.signal)).toEqual({ kind: 'passed' });
    await passing({ ...target, type: 'HTTP' }, timeouts, end.signal);
    await failing(target, timeouts, end.signal);
    await passing(target, timeouts, end.signal);
    end.abort();
    await failing(target, timeouts, end.signal);
    expect(meters.probes.entries()).toEqual([
      { labels: ['TCP', 'passed'], count: 2 },
      { labels: ['HTTP', 'passed'], count: 1 },
      { labels: ['TCP', 'failed'], count: 1 },
    ]);
  });
});
