import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { openStore, STORE_KINDS } from '../../src/store/open.ts';
import { openSqliteStore, SQLITE_FILE } from '../../src/store/sqlite.ts';
import { type Store, type StoreBatch, StoreConflictError, StoreError } from '../../src/store/store.ts';
import { makeFolder } from '../support/daemon.ts';

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => folder.remove());

const records = async (store: Store) => {
  const { pages } = await store.load();
  return Object.fromEntries([...pages].flat());
};
const put = (entries: Readonly<Record<string, string | null>>) =>
  Object.entries(entries).map(([key, value]) => ({ key, value }));

/** One suite for every backend. */
describe.each([
  { kind: 'memory', open: () => openMemoryStore() },
  { kind: 'sqlite', open: () => openSqliteStore(folder.path) },
])('a store of kind $kind', ({ open }) => {
  let store: Store;
  beforeEach(() => {
    store = open();
  });
  afterEach(() => store.close());

  it('is empty at first', async () => {
    const { revision, pages } = await store.load();
    expect({ revision, records: [...pages].flat() }).toEqual({ revision: 0, records: [] });
  });

  it('gives back what was committed', async () => {
    const { revision } = await store.load();
    await store.commit(put({ 'a/1': '{"x":1}', 'b/2': '', 'c/\u00e9/\u{1f600}': '"\u{1f600}\\u0000"' }), revision);
    expect(await records(store)).toEqual({
      'a/1': '{"x":1}',
      'b/2': '',
      'c/\u00e9/\u{1f600}': '"\u{1f600}\\u0000"',
    });
  });

  it('gives records in the order of their keys, those of the prefixes that are asked for first', async () => {
    // More than a page of each, and names around the prefixes.
    const keys = ['a/', 'b/', 'c/', 'd/'].flatMap((prefix) =>
      Array.from({ length: 1100 }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`),
    );
    keys.push('', 'a', 'b', 'c', 'b0', 'b.', 'c/\u{1f600}', '\u{1f600}');
    await store.commit(put(Object.fromEntries(keys.map((key) => [key, `of ${key}`]))), 0);
    const inOrder = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const read = async (first?: string[]) => [...(await store.load(first)).pages].flat();
    expect(await read()).toEqual(inOrder.map((key) => [key, `of ${key}`]));
    const under = (prefix: string) => inOrder.filter((key) => key.startsWith(prefix));
    const others = inOrder.filter((key) => !key.startsWith('c/') && !key.startsWith('b/'));
    expect((await read(['c/', 'b/'])).map(([key]) => key)).toEqual([...under('c/'), ...under('b/'), ...others]);
    expect(await read(['e/'])).toEqual(await read());
  });

  it('replaces and removes, in the order of the changes', async () => {
    const first = await store.commit(put({ a: '1', b: '1', c: '1' }), 0);
    const changes = [...put({ a: '2', b: null, missing: null, c: null }), { key: 'c', value: '3' }];
    await store.commit(changes, first);
    expect(await records(store)).toEqual({ a: '2', c: '3' });
  });

  it('gives revisions that grow, and loads at the latest', async () => {
    const first = await store.commit(put({ a: '1' }), 0);
    const second = await store.commit(put({ a: null }), first);
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(first);
    expect((await store.load()).revision).toBe(second);
  });

  it('refuses a batch that was decided on an older revision, and stores nothing of it', async () => {
    const first = await store.commit(put({ a: '1' }), 0);
    const second = await store.commit(put({ a: '2' }), first);
    const told = watch(store);
    for (const basis of [0, first, second + 1]) {
      await expect(store.commit(put({ a: '3', b: '3' }), basis)).rejects.toThrow(StoreConflictError);
    }
    expect(await records(store)).toEqual({ a: '2' });
    expect((await store.load()).revision).toBe(second);
    expect(told).toEqual([]);
    await store.commit(put({ a: '4' }), second);
    expect(await records(store)).toEqual({ a: '4' });
  });

  it('lets one of two commits on one revision win', async () => {
    const outcomes = await Promise.allSettled([store.commit(put({ a: '1' }), 0), store.commit(put({ a: '2' }), 0)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await records(store)).toEqual({ a: '1' });
  });

  it('tells watchers of each batch, in order, before its commit resolves', async () => {
    const told = watch(store);
    const also = watch(store);
    const events: string[] = [];
    store.watch(({ revision }) => events.push(`told ${revision}`));
    const first = await store.commit(put({ a: '1', b: '2' }), 0).then((revision) => {
      events.push(`resolved ${revision}`);
      return revision;
    });
    const second = await store.commit(put({ b: null }), first);
    expect(told).toEqual([
      { revision: first, changes: put({ a: '1', b: '2' }) },
      { revision: second, changes: put({ b: null }) },
    ]);
    expect(also).toEqual(told);
    expect(events).toEqual([`told ${first}`, `resolved ${first}`, `told ${second}`]);
  });

  it('has a backup with all that was committed before it, or none at all', async () => {
    await store.commit(put({ a: '1' }), 0);
    if (store.backup === undefined) return;
    const copy = await store.backup();
    mkdirSync(join(folder.path, 'copy'));
    writeFileSync(join(folder.path, 'copy', SQLITE_FILE), await copy.readFile());
    await copy.close();
    const opened = openSqliteStore(join(folder.path, 'copy'));
    expect(await records(opened)).toEqual({ a: '1' });
    await opened.close();
  });

  it('takes a large batch', async () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key/${i}`, 'v'.repeat(200)]));
    await store.commit(put(many), 0);
    expect(await records(store)).toEqual(many);
  });
});

describe('openStore', () => {
  it.each(STORE_KINDS)('opens the kind %s', async (kind) => {
    const store = openStore(kind, folder.path);
    await store.commit(put({ a: '1' }), 0);
    await store.close();
    expect(readdirSync(folder.path)).toEqual(kind === 'sqlite' ? [SQLITE_FILE] : []);
  });
});

describe('sqlite', () => {
  const file = () => join(folder.path, SQLITE_FILE);
  const opening = () => openSqliteStore(folder.path);
  /** The error that opening gives: a StoreError in one line that names the file. */
  const openError = (): Error => {
    try {
      void opening().close();
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
      expect((error as Error).message).toContain(folder.path);
      expect((error as Error).message).not.toContain('\n');
      return error as Error;
    }
    throw new Error('it was opened');
  };

  it('makes the folder that it is to be in', async () => {
    const inner = join(folder.path, 'not', 'there', 'yet');
    await openSqliteStore(inner).close();
    expect(existsSync(join(inner, SQLITE_FILE))).toBe(true);
  });

  it('gives back after a reopening what was committed before', async () => {
    let store = opening();
    const first = await store.commit(put({ a: '1', b: '1' }), 0);
    const second = await store.commit(put({ a: '2', b: null, c: '3' }), first);
    await store.close();
    store = opening();
    const { revision, pages } = await store.load();
    expect({ revision, records: [...pages] }).toEqual({
      revision: second,
      records: [Object.entries({ a: '2', c: '3' })],
    });
    await expect(store.commit(put({ a: '3' }), first)).rejects.toThrow(StoreConflictError);
    await store.commit(put({ a: '3' }), second);
    expect(await records(store)).toEqual({ a: '3', c: '3' });
    await store.close();
  });

  it('has in its files what was committed, when the commit resolves', async () => {
    const store = opening();
    let revision = 0;
    for (const n of ['1', '2', '3']) {
      revision = await store.commit(put({ a: n, [`b${n}`]: n }), revision);
      // By another process, at once: to close the file in this one would let go of its lock.
      const copy = join(folder.path, `copy-${n}`);
      mkdirSync(copy);
      expect(spawnSync('cp', [file(), `${file()}-wal`, copy]).status).toBe(0);
      const copied = openSqliteStore(copy);
      expect((await copied.load()).revision).toBe(revision);
      expect(await records(copied)).toMatchObject({ a: n, [`b${n}`]: n });
      await copied.close();
    }
    await store.close();
  });

  it('refuses a second opening while the first lasts, and serves on', async () => {
    const first = opening();
    await first.commit(put({ a: '1' }), 0);
    expect(openError().message).toMatch(/held by another/);
    await first.commit(put({ b: '2' }), 1);
    expect(await records(first)).toEqual({ a: '1', b: '2' });
    expect(openError().message).toMatch(/held by another/);
    await first.close();
    const second = opening();
    expect(await records(second)).toEqual({ a: '1', b: '2' });
    await second.close();
  });

  it('stores all of a batch or nothing', async () => {
    const store = opening();
    const told = watch(store);
    const first = await store.commit(put({ a: '1' }), 0);
    // What SQLite cannot bind fails in the middle of the batch.
    const unstorable = { key: 'c', value: Symbol('c') as unknown as string };
    await expect(store.commit([...put({ a: null, b: '2' }), unstorable, ...put({ d: '4' })], first)).rejects.toThrow(
      StoreError,
    );
    expect(await records(store)).toEqual({ a: '1' });
    expect(told).toHaveLength(1);
    await store.commit(put({ e: '5' }), first);
    await store.close();
    const again = opening();
    expect(await records(again)).toEqual({ a: '1', e: '5' });
    await again.close();
  });

  it('refuses with a StoreError what it is given after its end', async () => {
    const store = opening();
    await store.close();
    await expect(store.commit(put({ a: '1' }), 0)).rejects.toThrow(StoreError);
  });

  it('refuses a schema that is newer, and leaves it alone', async () => {
    const store = opening();
    await store.commit(put({ a: '1' }), 0);
    await store.close();
    alter((database) => database.exec('PRAGMA user_version = 3'));
    const before = readFileSync(file());
    expect(openError().message).toMatch(/schema 3.*newer cloudmapd/);
    expect(readFileSync(file()).equals(before)).toBe(true);
    alter((database) => database.exec('PRAGMA user_version = 2'));
    const again = opening();
    expect(await records(again)).toEqual({ a: '1' });
    await again.close();
  });

  const makeFirstSchema = (): void =>
    alter((database) =>
      database.exec(`
        CREATE TABLE record (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE revision (latest INTEGER NOT NULL) STRICT;
        INSERT INTO record VALUES ('a', '1'), ('b', '2');
        INSERT INTO revision VALUES (7);
        PRAGMA application_id = 1668112752;
        PRAGMA user_version = 1;
      `),
    );

  it.each<[string, () => void, RegExp]>([
    ['an older schema', makeFirstSchema, /has schema 1: the next start of a daemon moves it on/],
    ['no schema', () => writeFileSync(file(), ''), /is empty/],
  ])('is not made another one for whoever only looks: a file with %s', (_, make, problem) => {
    make();
    const before = readFileSync(file());
    expect(() => openSqliteStore(folder.path, true)).toThrow(problem);
    expect(readFileSync(file()).equals(before)).toBe(true);
    expect(readdirSync(folder.path)).toEqual([SQLITE_FILE]);
  });

  it('makes no copy of a damaged file', async () => {
    const bytes = await damageFreelist();
    const store = opening();
    await expect(store.backup?.()).rejects.toThrow(/is damaged/);
    await store.close();
    expect(readFileSync(file()).equals(bytes)).toBe(true);
    expect(readdirSync(folder.path)).toEqual([SQLITE_FILE]);
  });

  it('opens a file of the first schema with everything, and moves it on', async () => {
    makeFirstSchema();
    const first = opening();
    expect((await first.load()).revision).toBe(7);
    expect(await records(first)).toEqual({ a: '1', b: '2' });
    const { version } = first;
    await first.close();
    const second = opening();
    expect(second.version).toBe(version);
    expect(await second.commit(put({ a: null }), 7)).toBe(8);
    await second.close();
    const third = opening();
    expect(await records(third)).toEqual({ b: '2' });
    await third.close();
    alter((database) => expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 }));
  });

  it('has one version for one content, over reopenings, and another after each commit', async () => {
    const seen = new Set<string | null>();
    let store = opening();
    for (const value of ['1', '2', '1']) {
      seen.add(store.version);
      await store.commit(put({ a: value }), (await store.load()).revision);
    }
    expect(seen.size).toBe(3);
    const { version } = store;
    expect(seen.has(version)).toBe(false);
    await store.close();
    store = opening();
    expect(store.version).toBe(version);
    await store.close();
  });

  it('tells watchers of a batch when its version is the latest', async () => {
    const store = opening();
    const { version } = store;
    const told: (string | null)[] = [];
    store.watch(() => told.push(store.version));
    await store.commit(put({ a: '1' }), 0);
    expect(told).toEqual([store.version]);
    expect(told).not.toEqual([version]);
    await store.close();
  });

  it('has another version where a backup went another way, though its revision is the same', async () => {
    let store = opening();
    const first = await store.commit(put({ a: '1' }), 0);
    await store.close();
    const backup = readFileSync(file());
    const versions: (string | null)[] = [];
    for (const value of ['2', '3']) {
      writeFileSync(file(), backup);
      store = opening();
      await store.commit(put({ a: value }), first);
      versions.push(store.version);
      await store.close();
    }
    expect(versions[0]).not.toBe(versions[1]);
  });

  it('does not write when it is opened and closed', async () => {
    const store = opening();
    await store.commit(put({ a: '1' }), 0);
    await store.close();
    const before = readFileSync(file());
    await opening().close();
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  it.each([
    ['with tables', 'CREATE TABLE recipe (name TEXT)'],
    ['with a version of its own', 'PRAGMA user_version = 1'],
    ['with an owner of its own', 'PRAGMA application_id = 7'],
    ['with tables that are called like ours', 'CREATE TABLE record (key TEXT); CREATE TABLE revision (latest INTEGER)'],
  ])("refuses another program's database %s, and leaves it alone", (_, sql) => {
    alter((database) => database.exec(sql));
    const before = readFileSync(file());
    expect(openError().message).toMatch(/not a cloudmapd database/);
    expect(readFileSync(file()).equals(before)).toBe(true);
    expect(readdirSync(folder.path)).toEqual([SQLITE_FILE]);
  });

  it.each([
    ['text', Buffer.from('This is no database.\n'.repeat(300))],
    ['a few bytes', Buffer.from('a note\n')],
    ['zeros', Buffer.alloc(8192)],
    ['a broken database', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8192, 0xa5)])],
  ])('refuses a file of %s, and leaves it as it was', (_, bytes) => {
    writeFileSync(file(), bytes);
    openError();
    expect(readFileSync(file()).equals(bytes)).toBe(true);
    expect(readdirSync(folder.path)).toEqual([SQLITE_FILE]);
  });

  it('refuses a database whose pages are damaged, when it is opened or read', async () => {
    const store = opening();
    await store.commit(put(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 'v'.repeat(99)]))), 0);
    await store.close();
    const bytes = readFileSync(file());
    bytes.fill(0xa5, 4096);
    writeFileSync(file(), bytes);
    const read = async () => {
      const opened = opening();
      try {
        await records(opened);
      } finally {
        await opened.close();
      }
    };
    await expect(read()).rejects.toThrow(StoreError);
  });

  /** A file that reads well, whose list of free pages is wrong: what is written next could overwrite records. */
  const damageFreelist = async (): Promise<Buffer> => {
    const store = opening();
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 'v'.repeat(99)]));
    const first = await store.commit(put(many), 0);
    await store.commit(put(Object.fromEntries(Object.keys(many).map((key) => [key, null]))), first);
    await store.close();
    const bytes = readFileSync(file());
    const [freePages, atCount] = [bytes.readUInt32BE(36), 36];
    expect(freePages).toBeGreaterThan(0);
    bytes.writeUInt32BE(freePages + 1, atCount);
    writeFileSync(file(), bytes);
    return bytes;
  };

  it('looks through the whole file once it has read it, and leaves a damaged one as it is', async () => {
    const bytes = await damageFreelist();
    const store = opening();
    const { pages } = await store.load();
    expect(() => [...pages]).toThrow(/cloudmapd\.db is damaged \(.*\) and is left as it is$/);
    await store.close();
    expect(readFileSync(file()).equals(bytes)).toBe(true);
    expect(readdirSync(folder.path)).toEqual([SQLITE_FILE]);
  });

  it('refuses a file with one flipped bit, or has everything', async () => {
    const store = opening();
    const keys = Array.from({ length: 120 }, (_, i) => `instance/srv-a/i-${i}`);
    await store.commit(put(Object.fromEntries(keys.map((key) => [key, 'v'.repeat(40)]))), 0);
    await store.close();
    const good = readFileSync(file());
    const random = createRandom(20_261_123);
    let refused = 0;
    for (let n = 0; n < 300; n++) {
      const bytes = Buffer.from(good);
      const [at, bit] = [random(bytes.length), random(8)];
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      writeFileSync(file(), bytes);
      try {
        const again = opening();
        try {
          const { pages } = await again.load();
          // What a key or a value means is the registry's to know.
          expect([...pages].flat(), `bit ${bit} of octet ${at}`).toHaveLength(keys.length);
        } finally {
          await again.close();
        }
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
  });

  it.each([
    ['empty', (path: string) => writeFileSync(path, '')],
    ['missing', (path: string) => rmSync(path)],
  ])('refuses a file that is %s beside its log, which it leaves alone', async (_, lose) => {
    const store = opening();
    await store.commit(put({ a: '1' }), 0);
    const log = readFileSync(`${file()}-wal`);
    await store.close();
    writeFileSync(`${file()}-wal`, log);
    lose(file());
    expect(openError().message).toMatch(/is damaged/);
    expect(readFileSync(`${file()}-wal`).equals(log)).toBe(true);
  });

  it('looks through a file before it moves that on to its own schema', async () => {
    await damageFreelist();
    alter((database) => database.exec('ALTER TABLE revision DROP COLUMN session; PRAGMA user_version = 1'));
    const bytes = readFileSync(file());
    expect(openError().message).toMatch(/is damaged/);
    expect(readFileSync(file()).equals(bytes)).toBe(true);
  });

  it('refuses a folder that is a file', () => {
    writeFileSync(join(folder.path, 'taken'), '');
    expect(() => openSqliteStore(join(folder.path, 'taken'))).toThrow(StoreError);
  });

  it.runIf(process.platform === 'linux')('says so at once where the parent folder takes no folders', () => {
    expect(() => openSqliteStore('/proc/cloudmapd-test/data')).toThrow(/cannot open .*ENOENT/);
  });

  it('refuses a file that is a folder', () => {
    mkdirSync(file());
    openError();
  });

  function alter(change: (database: DatabaseSync) => void): void {
    const database = new DatabaseSync(file());
    change(database);
    database.close();
  }
});

function watch(store: Store): StoreBatch[] {
  const told: StoreBatch[] = [];
  store.watch((batch) => told.push(batch));
  return told;
}
