/** A database that an older cloudmapd has written, and was killed over: everything in it is there, in today's schema. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { SQLITE_FILE } from '../../src/store/sqlite.ts';
import { spawnDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { readFolder, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { LATE_NAMESPACE, type LateWork, OLD_STORE_SETTINGS } from '../support/make-old-store.ts';
import { type Recorded, readAll } from '../support/read-all.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url).pathname;
/** Some of what has to be in each, lest an empty one passes. */
const CONTENT = { namespaces: 4, services: 7, operations: 20 };

const journey = setUpJourney();

function unpack(name: string): string {
  const dataDir = journey.newPath();
  mkdirSync(dataDir, { recursive: true });
  const folder = join(FIXTURES, name);
  for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.gz'))) {
    writeFileSync(join(dataDir, file.slice(0, -'.gz'.length)), gunzipSync(readFileSync(join(folder, file))));
  }
  return dataDir;
}

function readRecorded(name: string): { late: LateWork; recorded: Recorded } {
  return JSON.parse(readFileSync(join(FIXTURES, name, 'recorded.json'), 'utf8'));
}

function schemaOf(dataDir: string): unknown {
  const database = new DatabaseSync(join(dataDir, SQLITE_FILE), { readOnly: true });
  const version = database.prepare('PRAGMA user_version').get()?.user_version;
  database.close();
  return version;
}

function expectSame({ serials, ...now }: Recorded, { serials: before, ...then }: Recorded): void {
  expect(now).toEqual(then);
  expect(Object.keys(serials)).toEqual(Object.keys(before));
  for (const [zone, serial] of Object.entries(before)) expect(serials[zone]).toBeGreaterThanOrEqual(serial);
}

/** Of a store that is made today. */
async function currentSchema(): Promise<unknown> {
  const dataDir = journey.newPath();
  await (await journey.start({ dataDir })).stop();
  return schemaOf(dataDir);
}

it.each(['schema-1'])('%s is opened, moved on and opened again, with all that was in it', async (name) => {
  const { late, recorded } = readRecorded(name);
  for (const [kind, count] of Object.entries(CONTENT)) {
    expect(Object.keys(recorded[kind as keyof Recorded]).length, kind).toBeGreaterThanOrEqual(count);
  }
  const dataDir = unpack(name);
  const settings = OLD_STORE_SETTINGS;
  const first = await journey.start({ dataDir, settings });
  const found = await readAll(first, LATE_NAMESPACE);
  expectSame(found, recorded);

  // What was under way when it was killed goes on.
  const before = new Api(first.endpoint);
  await waitFor('the operation', async () =>
    (await before.operation(late.operation)).Status === 'SUCCESS' ? true : null,
  );
  await waitFor('the status', async () =>
    (await before.healthOf(late.service))?.['late-1'] === 'UNHEALTHY' ? true : null,
  );
  const { ids, revision } = await before.discover(LATE_NAMESPACE, 'web', 'ALL');
  expect(ids).toEqual(['late-1', 'late-2']);
  expect(revision).toBeGreaterThan(late.revision);
  const expectDns = async (port: number): Promise<void> => {
    const { answer } = await dig(port, `web.${LATE_NAMESPACE}`, 'A');
    expect(answer).toEqual([`web.${LATE_NAMESPACE}. 60 IN A 10.0.9.2`]);
  };
  await expectDns(first.dnsPort);
  await first.stop('SIGKILL');

  const second = await journey.start({ dataDir, settings });
  expectSame(await readAll(second, LATE_NAMESPACE), found);
  await expectDns(second.dnsPort);
  const after = new Api(second.endpoint);
  expect(await after.discover(LATE_NAMESPACE, 'web', 'ALL')).toEqual({ ids, revision });
  await after.deregister(late.service, 'late-2');
  expect((await after.discover(LATE_NAMESPACE, 'web', 'ALL')).revision).toBeGreaterThan(revision);
  await second.stop();
  expect(schemaOf(dataDir)).toBe(await currentSchema());
});

it.each(['schema-1'])('%s is opened after a kill in the middle of the move, with all that was in it', async (name) => {
  const { recorded } = readRecorded(name);
  const dataDir = unpack(name);
  const settings = OLD_STORE_SETTINGS;
  const before = readFolder(dataDir);
  const { child, exited, stdout } = spawnDaemon({ dataDir, settings });
  await waitFor('a change', () => (stdout() !== '' || !isDeepStrictEqual(readFolder(dataDir), before) ? true : null));
  child.kill('SIGKILL');
  await exited;
  expectSame(await readAll(await journey.start({ dataDir, settings }), LATE_NAMESPACE), recorded);
});
