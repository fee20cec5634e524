/** A data folder without room: what was acknowledged stays, calls are refused, everything else goes on. */
import { join } from 'node:path';
import { afterEach, expect, it, type TestContext } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { SQLITE_FILE } from '../../src/store/sqlite.ts';
import { DiskWriter } from '../support/disk-writer.ts';
import { expectRefusal, readFolder, setUpJourney } from '../support/journey-tools.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { bringDown, expectRecovery, readinessOf, SteadyWatch, waitForCalls } from '../support/store-outage.ts';
import { compareWorld, settleWorld } from '../support/written-world.ts';

const FULL = /full|no space left/i;

// First, so that daemons are gone before the disk that they run on.
const disks: SmallDisk[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.close();
});
const journey = setUpJourney();

async function makeDisk(context: TestContext): Promise<SmallDisk> {
  const disk = await SmallDisk.create(context, '16m');
  disks.push(disk);
  return disk;
}

/** A daemon on the disk, with a writer's content in it. */
async function setUp(disk: SmallDisk) {
  const random = createRandom(1);
  const sinceMs = Date.now();
  const options = { dataDir: disk.path, launcher: disk.launcher };
  const daemon = await journey.start(options);
  const writer = new DiskWriter(random);
  await writer.setUp(daemon);
  const restart = async () => {
    await daemon.stop('SIGKILL');
    return journey.start(options);
  };
  return {
    ...{ daemon, writer, options, restart },
    outage: { dataDir: disk.path, words: FULL, fail: () => disk.fill() },
    settle: (successor: typeof daemon) => settleWorld(writer, successor, sinceMs, random),
  };
}

it('is got over: calls are refused while it lasts, reads and DNS go on, and nothing is lost in the end', async (context) => {
  const disk = await makeDisk(context);
  const { daemon, writer, outage, restart, settle } = await setUp(disk);
  const watch = await SteadyWatch.start(daemon);
  await bringDown(daemon, writer, outage);
  disk.free();
  await expectRecovery(daemon, writer);
  // A second time: recovering once must not be all.
  await bringDown(daemon, writer, outage);
  disk.free();
  await expectRecovery(daemon, writer);
  await watch.stop();
  expect(watch.wrong).toEqual([]);
  expect(await settle(await restart())).toEqual([]);
});

it('may be there at kill -9 and at the restart: what was acknowledged is served, and written again once there is room', async (context) => {
  const disk = await makeDisk(context);
  const { daemon, writer, outage, restart, settle } = await setUp(disk);
  await bringDown(daemon, writer, outage);
  const writing = writer.start(daemon);
  await waitForCalls(writer, 'refused');
  const successor = await restart();
  await writing.stop();
  disk.fill();
  expect(await settle(successor)).toEqual([]);
  await bringDownAgain(successor, writer, disk);
  disk.free();
  await expectRecovery(successor, writer);
  await successor.stop('SIGKILL');
  const last = await journey.start({ dataDir: disk.path, launcher: disk.launcher });
  expect(await compareWorld(writer, last)).toEqual([]);
});

/** Started without room, it is told so by its first calls at the latest. */
async function bringDownAgain(...[daemon, writer, disk]: [Parameters<typeof readinessOf>[0], DiskWriter, SmallDisk]) {
  const writing = writer.start(daemon);
  await waitForCalls(writer, 'refused', () => disk.fill());
  await writing.stop();
  expect(await readinessOf(daemon)).toMatchObject({ status: 503, reason: expect.stringMatching(FULL) });
  expect(await compareWorld(writer, daemon)).toEqual([]);
}

it('ends the start with 2 where there is no room for a first file, and leaves nothing behind', async (context) => {
  const disk = await makeDisk(context);
  disk.fill();
  const before = readFolder(disk.outside);
  const ended = await journey.runToEnd({ dataDir: disk.path, launcher: disk.launcher });
  expectRefusal(ended, 'CLOUDMAPD_DATA_DIR', '--data-dir', join(disk.path, SQLITE_FILE));
  expect(ended.stderr).toMatch(FULL);
  expect(readFolder(disk.outside)).toEqual(before);
});

it('ends the start with 2 where nothing may be written, and serves once it may', async (context) => {
  const disk = await makeDisk(context);
  const { daemon, writer, settle } = await setUp(disk);
  await daemon.stop('SIGKILL');
  disk.setReadOnly(true);
  const before = readFolder(disk.outside);
  const ended = await journey.runToEnd({ dataDir: disk.path, launcher: disk.launcher });
  expectRefusal(ended, 'CLOUDMAPD_DATA_DIR', '--data-dir', join(disk.path, SQLITE_FILE));
  expect(ended.stderr).toMatch(/read-?only/i);
  expect(readFolder(disk.outside)).toEqual(before);
  disk.setReadOnly(false);
  const successor = await journey.start({ dataDir: disk.path, launcher: disk.launcher });
  expect(await settle(successor)).toEqual([]);
  expect(writer.problems).toEqual([]);
});
