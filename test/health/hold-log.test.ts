import { expect, it } from 'vitest';
import { Hold } from '../../src/health/hold.ts';

const LOCAL = { kind: 'failed', reason: 'connect ENETUNREACH', isLocal: true } as const;
const REFUSED = { kind: 'failed', reason: 'connect ECONNREFUSED', isLocal: false } as const;
const PASSED = { kind: 'passed' } as const;
const INTERVAL_MS = 100;

it('is told of once, whoever passes meanwhile, and is over when those that are held pass or are gone', () => {
  const told: (string | null)[] = [];
  const hold = new Hold(INTERVAL_MS, (reason) => told.push(reason));
  for (let now = 0; now < 10 * INTERVAL_MS; now += INTERVAL_MS) {
    for (const far of ['far-1', 'far-2']) expect(hold.counts(LOCAL, now, far)).toBe(false);
    expect(hold.counts(PASSED, now, 'near')).toBe(true);
  }
  expect(told).toEqual(['connect ENETUNREACH']);
  expect(hold.counts(PASSED, 2000, 'far-1')).toBe(true);
  expect(told).toHaveLength(1);
  hold.forget('far-2');
  expect(told).toEqual(['connect ENETUNREACH', null]);
});

it('is over for all when anything fails for another reason', () => {
  const told: (string | null)[] = [];
  const hold = new Hold(INTERVAL_MS, (reason) => told.push(reason));
  expect(hold.counts(LOCAL, 0, 'far-1')).toBe(false);
  expect(hold.counts(REFUSED, 10, 'refused')).toBe(true);
  expect(hold.counts(LOCAL, 20, 'far-2')).toBe(true);
  expect(told).toEqual(['connect ENETUNREACH', null]);
});
