/** A data file that cannot be used: the daemon says so in one line, ends with 2, and leaves the folder as it is. */
import { chmodSync, cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SQLITE_FILE } from '../../src/store/sqlite.ts';
import { makeFolder, startTestDaemon } from '../support/daemon.ts';
import {
  cutOff,
  cutOffPage,
  damageFreelist,
  damageHeader,
  damagePage,
  garbage,
  overwrite,
  runSql,
  runSqlIntoLog,
} from '../support/damage.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import {
  type Ended,
  expectRefusal,
  readFolder,
  runsToSuccess,
  setUpJourney,
  skipOrFail,
} from '../support/journey-tools.ts';

/** Half of them are gone again, which leaves free pages. */
const INSTANCES = { small: 3, large: 400, logged: 100 } as const;
/** Written one after the other, and in the log alone. */
const LOGGED = Array.from({ length: 5 }, (_, n) => `web-${n}`);
const ATTRIBUTES = { AWS_INSTANCE_IPV4: '10.0.0.1', more: 'x'.repeat(600) };

const journey = setUpJourney();
const folder = makeFolder();
/** A few pages; some hundred; some ten and a log. */
const KINDS = ['small', 'large', 'logged'] as const;
type Kind = (typeof KINDS)[number];

async function make(kind: Kind): Promise<void> {
  const options = { dataDir: join(folder.path, kind) };
  const first = await startTestDaemon(options);
  const api = new Api(first.endpoint);
  const namespace = await api.createNamespace('corp.internal');
  const service = await api.createService(namespace, 'db', { records: [['SRV', 60]] });
  const attributes = { ...ATTRIBUTES, AWS_INSTANCE_PORT: '80' };
  const ids = Array.from({ length: INSTANCES[kind] }, (_, n) => `db-${n}`);
  await Promise.all(ids.map((id) => api.register(service, id, attributes)));
  await Promise.all(ids.slice(ids.length / 2).map((id) => api.deregister(service, id)));
  const web = await api.createService(namespace, 'web');
  await first.stop();
  if (kind !== 'logged') return;
  const second = await startTestDaemon(options);
  for (const id of LOGGED) await new Api(second.endpoint).register(web, id, ATTRIBUTES);
  await second.stop('SIGKILL');
}

beforeAll(async () => {
  for (const kind of KINDS) await make(kind);
});
afterAll(() => folder.remove());

/** @returns the copy's folder, and its database */
function copy(kind: Kind): { dataDir: string; file: string } {
  const dataDir = journey.newPath();
  cpSync(join(folder.path, kind), dataDir, { recursive: true });
  return { dataDir, file: join(dataDir, SQLITE_FILE) };
}

/** @returns what it says */
async function expectRefused(dataDir: string, launcher: readonly string[] = []): Promise<string> {
  const before = readFolder(dataDir);
  const ended: Ended = await journey.runToEnd({ dataDir, launcher });
  expect(readFolder(dataDir)).toEqual(before);
  expectRefusal(ended, 'CLOUDMAPD_DATA_DIR', '--data-dir', join(dataDir, SQLITE_FILE));
  return ended.stderr;
}

describe('a database that is damaged', () => {
  it.each<[string, Kind, (file: string) => void]>([
    ['the header is overwritten', 'small', damageHeader],
    ['a leaf page is overwritten', 'large', (file) => damagePage(file, 'leaf')],
    ['a leaf page is overwritten', 'logged', (file) => damagePage(file, 'leaf')],
    ['an interior page is overwritten', 'large', (file) => damagePage(file, 'interior')],
    ['the list of free pages is overwritten', 'large', damageFreelist],
    ['it is cut off in the middle', 'large', (file) => cutOff(file, 0.55)],
    ['it is cut off by one page', 'large', cutOffPage],
  ])('is refused where %s (%s)', async (_, kind, damage) => {
    const { dataDir, file } = copy(kind);
    damage(file);
    expect(await expectRefused(dataDir)).toMatch(/damaged|not a cloudmapd database/);
  });

  it.each([
    ['an instance that is cut off', `UPDATE record SET value = substr(value, 1, 40) WHERE key LIKE 'instance/%/db-0'`],
    ['a service of another form', `UPDATE record SET value = '{"id":1}' WHERE key LIKE 'service/%'`],
    ['a namespace of another form', `UPDATE record SET value = '{}' WHERE key LIKE 'namespace/%'`],
    ['an operation of another form', `UPDATE record SET value = '[]' WHERE key LIKE 'operation/%'`],
    ['a revision that is no number', `UPDATE record SET value = '"x"' WHERE key LIKE 'revision/%'`],
    ['a serial that is no number', `UPDATE record SET value = '{}' WHERE key LIKE 'serial/%'`],
    ['a record of an unknown kind', `INSERT INTO record VALUES ('secret/1', '{}')`],
    ['no revision', 'DELETE FROM revision'],
    ['no records', 'DROP TABLE record'],
  ])('is refused where its pages are whole, and it has %s', async (_, sql) => {
    const { dataDir, file } = copy('small');
    runSql(file, sql);
    await expectRefused(dataDir);
  });

  it.each<[string, (wal: string) => void]>([
    ['header', (wal) => overwrite(wal, 0, garbage(32))],
    ['middle', (wal) => overwrite(wal, 30_000, garbage(100))],
    ['end', (wal) => cutOff(wal, 0.98)],
  ])('is as it once was, wholly, where the log is damaged: its %s', async (_, damage) => {
    const { dataDir, file } = copy('logged');
    damage(`${file}-wal`);
    const { endpoint, dnsPort } = await journey.start({ dataDir });
    const api = new Api(endpoint);
    const { ids } = await api.discover('corp.internal', 'web');
    expect(ids.length).toBeLessThan(LOGGED.length);
    expect(ids).toEqual(LOGGED.slice(0, ids.length));
    const { answer } = await dig(dnsPort, 'web.corp.internal', 'A');
    // All have one address.
    expect(answer).toEqual(ids.length === 0 ? [] : ['web.corp.internal. 60 IN A 10.0.0.1']);
  });

  it('is whole where the header is overwritten that the log has too', async () => {
    const { dataDir, file } = copy('logged');
    damageHeader(file);
    const api = new Api((await journey.start({ dataDir })).endpoint);
    expect((await api.discover('corp.internal', 'web')).ids).toEqual(LOGGED);
    expect((await api.discover('corp.internal', 'db')).ids).toHaveLength(INSTANCES.logged / 2);
  });
});

describe('something else in the place of the database', () => {
  /** The owner without what root may do besides. */
  const OWNER = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', '--'] as const;

  it('is refused: a folder', async () => {
    const { dataDir, file } = copy('small');
    rmSync(file);
    mkdirSync(file);
    await expectRefused(dataDir);
  });

  it("is refused: another program's database", async () => {
    const { dataDir, file } = copy('small');
    rmSync(file);
    runSql(file, 'CREATE TABLE bookmark (url TEXT)');
    expect(await expectRefused(dataDir)).toMatch(/not a cloudmapd database/);
  });

  it('is refused: a database of a newer cloudmapd, log and all', async () => {
    const { dataDir, file } = copy('small');
    runSqlIntoLog(file, 'PRAGMA user_version = 99');
    expect(Object.keys(readFolder(dataDir) ?? {})).toContain(`${SQLITE_FILE}-wal`);
    expect(await expectRefused(dataDir)).toMatch(/schema 99.*newer cloudmapd/);
  });

  it.for<[string, number]>([
    ['may not be read', 0o000],
    ['may not be written', 0o444],
  ])('is refused: a file that %s', async ([, mode], context) => {
    const [command, ...options] = OWNER;
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !runsToSuccess(command, [...options, 'true'])) {
      skipOrFail(context, 'root cannot be kept here from reading every file');
    }
    const { dataDir, file } = copy('small');
    const before = readFolder(dataDir);
    chmodSync(file, mode);
    const ended = await journey.runToEnd({ dataDir, launcher: isRoot ? OWNER : [] });
    chmodSync(file, 0o644);
    expectRefusal(ended, 'CLOUDMAPD_DATA_DIR', '--data-dir', file);
    expect(ended.stderr).toMatch(/permission|read-?only|unable to open/i);
    expect(readFolder(dataDir)).toEqual(before);
  });
});
