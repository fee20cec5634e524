import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Hold } from '../../src/health/hold.ts';
import type { ProbeResult } from '../../src/health/probe.ts';
import { openProbing, PASSED, REFUSED } from '../support/prober.ts';

const INTERVAL = 1000;
const UNREACHABLE: ProbeResult = { kind: 'failed', reason: 'connect ENETUNREACH', isLocal: true };
const TIMEOUT: ProbeResult = { kind: 'failed', reason: 'timeout after 4000 ms', isLocal: false };
const STATUS: ProbeResult = { kind: 'failed', reason: 'HTTP 503', isLocal: false };

/** When, what came, and whether it is to count. */
type Step = readonly [at: number, result: ProbeResult, counts: boolean];

describe('a hold', () => {
  it.each<[string, Step[], (string | null)[]]>([
    [
      'counts all that is not local, and says nothing',
      [
        [0, PASSED, true],
        [1, REFUSED, true],
        [2, TIMEOUT, true],
        [3, STATUS, true],
      ],
      [],
    ],
    [
      'acts where all failures are local, and says so once',
      [
        [0, UNREACHABLE, false],
        [500, UNREACHABLE, false],
        [9000, UNREACHABLE, false],
      ],
      ['connect ENETUNREACH'],
    ],
    [
      'does not act while another failure is younger than an interval',
      [
        [0, REFUSED, true],
        [500, UNREACHABLE, true],
        [1000, UNREACHABLE, true],
        [1001, UNREACHABLE, false],
        [1500, TIMEOUT, true],
        [1600, UNREACHABLE, true],
        [2500, UNREACHABLE, true],
        [2501, UNREACHABLE, false],
      ],
      ['connect ENETUNREACH', null, 'connect ENETUNREACH'],
    ],
    [
      'lets passes count, which are no failures and do not end it',
      [
        [0, UNREACHABLE, false],
        [100, PASSED, true],
        [200, UNREACHABLE, false],
        [300, PASSED, true],
        [400, UNREACHABLE, false],
      ],
      ['connect ENETUNREACH'],
    ],
    [
      'ends where an interval brings no local failure, and says so',
      [
        [0, UNREACHABLE, false],
        [1000, PASSED, true],
        [1001, PASSED, true],
        [1002, PASSED, true],
      ],
      ['connect ENETUNREACH', null],
    ],
    [
      'ends at once with a failure that came over the network',
      [
        [0, UNREACHABLE, false],
        [1, STATUS, true],
        [2, UNREACHABLE, true],
      ],
      ['connect ENETUNREACH', null],
    ],
  ])('%s', (_, steps, told) => {
    const said: (string | null)[] = [];
    const hold = new Hold(INTERVAL, (reason) => void said.push(reason));
    const counted = steps.map(([at, result]) => [at, hold.counts(result, 1_000_000 + at)]);
    expect(counted).toEqual(steps.map(([at, , counts]) => [at, counts]));
    expect(said).toEqual(told);
  });
});

describe('statuses', () => {
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.UTC(2030, 0, 1) }),
  );
  afterEach(() => void vi.useRealTimers());

  const open = async (holds: boolean) => {
    const test = await openProbing({ failureThreshold: 2 }, { holds, intervalMs: INTERVAL });
    await test.register('one', '10.0.0.1');
    await test.register('two', '10.0.0.2');
    await test.advance(2 * INTERVAL);
    return test;
  };
  const statusesOf = ({ instance }: Awaited<ReturnType<typeof open>>) =>
    ['one', 'two'].map((id) => instance(id).health.status);

  it('stay where they are while all failures are local, either way, and go on afterwards', async () => {
    const test = await open(true);
    const { endpoints, advance, holds, store } = test;
    endpoints.answer(REFUSED, '10.0.0.2');
    await advance(3 * INTERVAL);
    expect(statusesOf(test)).toEqual(['HEALTHY', 'UNHEALTHY']);
    // The last failures of before are over an interval old when the network goes.
    endpoints.answer(PASSED, '10.0.0.2');
    while (endpoints.begun.at(-1)?.address !== '10.0.0.2') await advance(1);
    endpoints.answer('hang', '10.0.0.1', '10.0.0.2');
    await advance(2 * INTERVAL);
    endpoints.answer(UNREACHABLE, '10.0.0.1', '10.0.0.2');
    for (const probe of endpoints.underWay) probe.finish(UNREACHABLE);
    const { commits } = store;
    await advance(20 * INTERVAL);
    expect([statusesOf(test), store.commits]).toEqual([['HEALTHY', 'UNHEALTHY'], commits]);
    expect(holds).toEqual(['connect ENETUNREACH']);
    endpoints.answer(REFUSED, '10.0.0.1');
    endpoints.answer(PASSED, '10.0.0.2');
    await advance(3 * INTERVAL);
    expect(statusesOf(test)).toEqual(['UNHEALTHY', 'HEALTHY']);
    expect(holds).toEqual(['connect ENETUNREACH', null]);
  });

  it('follow local failures too where there is no hold', async () => {
    const test = await open(false);
    test.endpoints.answer(UNREACHABLE, '10.0.0.1', '10.0.0.2');
    await test.advance(3 * INTERVAL);
    expect([statusesOf(test), test.holds]).toEqual([['UNHEALTHY', 'UNHEALTHY'], []]);
  });

  it('follow local failures where another one came over the network', async () => {
    const test = await open(true);
    test.endpoints.answer(UNREACHABLE, '10.0.0.1');
    test.endpoints.answer(REFUSED, '10.0.0.2');
    await test.advance(4 * INTERVAL);
    expect(statusesOf(test)).toEqual(['UNHEALTHY', 'UNHEALTHY']);
  });
});
