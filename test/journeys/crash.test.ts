/**
 * `kill -9` at any moment: a writer is at full speed, the daemon is being started or is about to end by itself. Each
 * restart on the same folder, which grows older, has everything that was acknowledged.
 *   CRASH_ROUNDS=200 CRASH_SEED=7 npm test -- test/journeys/crash
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as moment } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { ANSWERS_FILE } from '../../src/publish/answers-file.ts';
import { SQLITE_FILE } from '../../src/store/sqlite.ts';
import { spawnDaemon } from '../support/daemon.ts';
import { DiskWriter } from '../support/disk-writer.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { settleWorld } from '../support/written-world.ts';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 10);
const SEED = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
/** A start, the checks and what is written in between. */
const ROUND_TIMEOUT_MS = 20_000;
/** In a round. */
const MOST_CALLS = 120;
/** A call takes about so long. */
const CALL_MS = 30;
/** A start takes about so long. */
const START_MS = 1000;
const STOP_MS = 60;

const journey = setUpJourney();

it(
  `${ROUNDS} kills with -9 lose nothing that was acknowledged (CRASH_SEED=${SEED})`,
  async () => {
    const random = createRandom(SEED);
    const dataDir = journey.newPath();
    const writer = new DiskWriter(random);
    let sinceMs = Date.now();
    let daemon = await journey.start({ dataDir });
    await writer.setUp(daemon);
    for (let round = 1; round <= ROUNDS; round++) {
      const kind = pick(random, ['writing', 'writing', 'writing', 'starting', 'stopping'] as const);
      const before = writer.ledger.counts.acknowledged;
      const writing = writer.start(daemon);
      const enough = before + 1 + random(MOST_CALLS);
      await waitFor('calls', () => (writer.ledger.counts.acknowledged >= enough ? true : null));
      // Not a wait: the moment is what is tried out.
      await moment(random(CALL_MS));
      if (kind === 'stopping') {
        void daemon.stop('SIGTERM');
        await moment(random(STOP_MS));
      }
      await daemon.stop('SIGKILL');
      await writing.stop();

      if (kind === 'starting') {
        const { child, exited } = spawnDaemon({ dataDir });
        await moment(random(START_MS));
        child.kill('SIGKILL');
        await exited;
      }
      daemon = await journey.start({ dataDir });
      const problems = await settleWorld(writer, daemon, sinceMs, random);
      sinceMs = Date.now();
      expect(problems, `round ${round}, killed while ${kind}, CRASH_SEED=${SEED}`).toEqual([]);
    }
    if (process.env.CRASH_ROUNDS !== undefined)
      console.log(`${ROUNDS} rounds: ${JSON.stringify(writer.ledger.counts)}`);
  },
  60_000 + ROUNDS * ROUND_TIMEOUT_MS,
);

it('a kill in the middle of the first start leaves nothing that a start stumbles over', async () => {
  // One after the other on one folder: what comes first is made, what comes next is waited for.
  const dataDir = journey.newPath();
  for (const file of [SQLITE_FILE, `${SQLITE_FILE}-wal`, ANSWERS_FILE]) {
    const { child, stdout, exited } = spawnDaemon({ dataDir });
    const isThere = (): boolean => existsSync(join(dataDir, file));
    await waitFor(file, () => (isThere() || stdout() !== '' ? true : null));
    child.kill('SIGKILL');
    await exited;
  }
  const daemon = await journey.start({ dataDir });
  await new DiskWriter(createRandom(SEED)).setUp(daemon);
});

function pick<T>(random: (bound: number) => number, items: readonly T[]): T {
  return items[random(items.length)] as T;
}
