/**
 * A disk that fails under a daemon at work, by a preloaded library: calls are refused, everything else goes on, and
 * nothing is lost when the process is killed meanwhile. A device that fails below its file system (dm-error) is not
 * tried here: it takes root, a kernel with the device mapper, and a file system that would be beyond recovery anyway.
 */
import { ListNamespacesCommand } from '@aws-sdk/client-servicediscovery';
import { expect, it, type TestContext } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { ANSWERS_FILE } from '../../src/publish/answers-file.ts';
import { DiskWriter } from '../support/disk-writer.ts';
import { type Fault, makeFailingDisk } from '../support/failing-disk.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { bringDown, expectRecovery, readinessOf, SteadyWatch, waitForCalls } from '../support/store-outage.ts';
import { compareWorld, settleWorld } from '../support/written-world.ts';

const journey = setUpJourney();

// The file's paths end so; what is beside it, such as the answers, is not meant.
const onBoth = ({ call, errno }: Pick<Fault, 'call' | 'errno'>): Fault[] =>
  ['cloudmapd.db', 'cloudmapd.db-wal'].map((end) => ({ call, errno, end }));

const CASES: [string, Fault[], RegExp][] = [
  ['fsync and fdatasync fail', onBoth({ call: 'fsync', errno: 'EIO' }), /I\/O error/i],
  ['writes fail', onBoth({ call: 'write', errno: 'EIO' }), /I\/O error/i],
  ['writes end half-way', onBoth({ call: 'short', errno: 'ENOSPC' }), /full|no space left/i],
  [
    'the file system has become read-only',
    [...onBoth({ call: 'write', errno: 'EROFS' }), ...onBoth({ call: 'open', errno: 'EROFS' })],
    /I\/O error|read-?only/i,
  ],
];

async function setUp(context: TestContext) {
  const disk = await makeFailingDisk(context, journey);
  const random = createRandom(1);
  const sinceMs = Date.now();
  const dataDir = journey.newPath();
  const daemon = await journey.start({ dataDir, launcher: disk.launcher });
  const writer = new DiskWriter(random);
  await writer.setUp(daemon);
  return {
    ...{ disk, daemon, writer },
    outage: (faults: readonly Fault[], words: RegExp) => ({ dataDir, words, fail: () => disk.fail(faults) }),
    /** On the same folder, without the library. */
    restart: async () => {
      await daemon.stop('SIGKILL');
      return journey.start({ dataDir });
    },
    settle: (successor: typeof daemon) => settleWorld(writer, successor, sinceMs, random),
  };
}

it.for(CASES)('is got over where %s, and costs nothing that was acknowledged', async ([, faults, words], context) => {
  const { disk, daemon, writer, outage, restart, settle } = await setUp(context);
  const watch = await SteadyWatch.start(daemon);
  await bringDown(daemon, writer, outage(faults, words));
  // Of the library, not of something else.
  expect(disk.failures()).toBeGreaterThan(0);
  disk.mend();
  await expectRecovery(daemon, writer);
  // However many calls were refused.
  const told = daemon.stderr().match(/^.*(cannot|the store).*$/gm);
  expect(told).toEqual([expect.stringContaining('cannot write'), expect.stringContaining('takes changes again')]);
  await bringDown(daemon, writer, outage(faults, words));
  await watch.stop();
  expect(watch.wrong).toEqual([]);
  // Killed in the middle of it.
  const writing = writer.start(daemon);
  await waitForCalls(writer, 'refused');
  const successor = await restart();
  await writing.stop();
  expect(await settle(successor)).toEqual([]);
  await expectRecovery(successor, writer);
});

it('does not keep the daemon from ending', async (context) => {
  const { disk, daemon, writer, outage, restart, settle } = await setUp(context);
  const faults = [...onBoth({ call: 'write', errno: 'EIO' }), ...onBoth({ call: 'fsync', errno: 'EIO' })];
  await bringDown(daemon, writer, outage(faults, /I\/O error/i));
  const failures = disk.failures();
  expect(await daemon.stop('SIGTERM')).toBe(0);
  // The end would have moved the log into the file.
  expect(disk.failures()).toBeGreaterThan(failures);
  expect(await settle(await restart())).toEqual([]);
});

it('does not matter where it is compiled answers alone that cannot be kept', async (context) => {
  const { disk, daemon, writer, restart, settle } = await setUp(context);
  const { refused } = writer.ledger.counts;
  disk.fail([{ call: 'short', errno: 'ENOSPC', end: ANSWERS_FILE }]);
  const writing = writer.start(daemon);
  await waitForCalls(writer, 'acknowledged');
  // A record that is too long to be written at once.
  await waitFor('a failure', () => (disk.failures() > 0 ? true : null));
  await waitForCalls(writer, 'acknowledged');
  await writing.stop();
  expect(await readinessOf(daemon)).toEqual({ status: 200 });
  expect(writer.ledger.counts.refused).toBe(refused);
  expect(await compareWorld(writer, daemon)).toEqual([]);
  expect(daemon.stderr()).toMatch(/^[^\n]*compiled answers cannot be kept[^\n]*$/m);
  const successor = await restart();
  expect(await settle(successor)).toEqual([]);
  expect(successor.stderr()).toBe('');
});

it('leaves nothing of a call that was refused, also where the process is killed at once', async (context) => {
  const disk = await makeFailingDisk(context, journey);
  const dataDir = journey.newPath();
  const daemon = await journey.start({ dataDir, launcher: disk.launcher });
  const call = (operation: string, body: object) =>
    fetch(daemon.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': `Route53AutoNaming_v20170314.${operation}` },
      body: JSON.stringify(body),
    });
  expect((await call('CreateHttpNamespace', { Name: 'kept' })).status).toBe(200);
  // Written, and not confirmed: the process that follows finds it in the log.
  disk.fail(onBoth({ call: 'fsync', errno: 'EIO' }));
  const refused = await call('CreateHttpNamespace', { Name: 'refused' });
  expect({ status: refused.status, body: await refused.json() }).toMatchObject({
    status: 500,
    body: { __type: 'InternalFailure', Message: expect.stringContaining('Nothing was changed') },
  });
  await daemon.stop('SIGKILL');
  const { Namespaces } = await new Api((await journey.start({ dataDir })).endpoint).sdk.send(
    new ListNamespacesCommand({}),
  );
  expect(Namespaces?.map(({ Name }) => Name)).toEqual(['kept']);
});

it('is asked to confirm each call before it is answered, and no copy, which nobody may wait for', async (context) => {
  const disk = await makeFailingDisk(context, journey);
  const { endpoint } = await journey.start({ launcher: disk.launcher });
  const api = new Api(endpoint);
  const service = await api.createService(await api.createNamespace('corp.internal'), 'web');
  const syncs = disk.noteSyncs();
  for (let n = 1; n <= 5; n++) {
    const before = syncs().length;
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: `10.0.0.${n}` });
    expect(syncs().slice(before)).toContainEqual(expect.stringMatching(/\/cloudmapd\.db-wal$/));
  }
  const response = await fetch(`${endpoint}/admin/backup`);
  expect(response.status).toBe(200);
  expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(0);
  expect(syncs().filter((path) => path.includes('.backup-'))).toEqual([]);
});
