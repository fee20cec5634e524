/** Copies of the SQLite file while it is written to. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore, SQLITE_FILE } from '../../src/store/sqlite.ts';
import { type Store, StoreError } from '../../src/store/store.ts';
import { makeFolder } from '../support/daemon.ts';
import { waitFor } from '../support/journey-tools.ts';

let folder: ReturnType<typeof makeFolder>;
let store: Store;
beforeEach(() => {
  folder = makeFolder();
  store = openSqliteStore(join(folder.path, 'data'));
});
afterEach(async () => {
  await store.close();
  folder.remove();
});

const put = (entries: Readonly<Record<string, string>>) =>
  Object.entries(entries).map(([key, value]) => ({ key, value }));
const files = () => readdirSync(join(folder.path, 'data')).sort();
/** Without SQLite's own, such as their journals. */
const copies = () => files().filter((name) => /^cloudmapd\.db\.backup-[^-]*$/.test(name));
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v'.repeat(1000)]));
/** Some megabytes, so that a copy takes a while. */
const fill = () => store.commit(put(many(8000)), 0);

async function backUp(signal?: AbortSignal): Promise<FileHandle> {
  const handle = await store.backup?.(signal);
  if (handle === undefined) throw new Error('there is no backup');
  return handle;
}

let restored = 0;
/** What a store finds that is given the copy as its file. */
async function contentOf(handle: FileHandle): Promise<{ revision: number; records: Record<string, string> }> {
  const dataDir = join(folder.path, `restored-${restored++}`);
  mkdirSync(dataDir);
  await writeFile(join(dataDir, SQLITE_FILE), handle.createReadStream());
  const copy = openSqliteStore(dataDir);
  try {
    const { revision, pages } = await copy.load();
    return { revision, records: Object.fromEntries([...pages].flat()) };
  } finally {
    await copy.close();
  }
}

describe('a copy of the SQLite file', () => {
  it('has everything, and its temporary file has no name any more', async () => {
    const revision = await store.commit(put({ a: '1', b: '\u{1f600}' }), 0);
    const handle = await backUp();
    expect(copies()).toEqual([]);
    expect(await contentOf(handle)).toEqual({ revision, records: { a: '1', b: '\u{1f600}' } });
  });

  it("is its owner's alone while it is made", async () => {
    await fill();
    const making = backUp();
    const [name] = copies();
    expect(statSync(join(folder.path, 'data', name as string)).mode & 0o777).toBe(0o600);
    await (await making).close();
  });

  it('is of one commit, with every one before it, while a writer commits at full speed', async () => {
    let revision = await store.commit(put({ a: '0', z: '0' }), await fill());
    let isOver = false;
    const write = async (): Promise<void> => {
      for (let n = revision; !isOver; n++) {
        // On both ends of the file, so that one half is copied before the other.
        revision = await store.commit(put({ a: String(n), z: String(n), [`k${n}`]: `w${n}` }), revision);
        if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const writing = write();
    const made: { before: number; after: number; handle: FileHandle }[] = [];
    for (let round = 0; round < 5; round++) {
      const before = revision;
      const handle = await backUp();
      made.push({ before, after: revision, handle });
    }
    isOver = true;
    await writing;
    for (const { before, after, handle } of made) {
      const { revision: copied, records } = await contentOf(handle);
      expect(copied).toBeGreaterThanOrEqual(before);
      expect(copied).toBeLessThanOrEqual(after);
      // The number of the commit before.
      const n = copied - 1;
      expect([records.a, records.z, records[`k${n}`]]).toEqual([String(n), String(n), `w${n}`]);
      expect(Object.keys(records).filter((key) => !key.startsWith('k'))).toEqual(['a', 'z']);
    }
    expect(made.at(-1)?.after).toBeGreaterThan(made[0]?.before as number);
  });

  it('ends within some commits of a writer that never pauses', async () => {
    let revision = await fill();
    let isMade = false;
    const making = backUp().then((handle) => {
      isMade = true;
      return handle;
    });
    // Some eight steps of a megabyte each, and what comes with the first and the last.
    const most = 40;
    let commits = 0;
    for (; !isMade && commits < most; commits++) {
      revision = await store.commit(put({ [`k${commits}`]: `w${commits}` }), revision);
    }
    const handle = await making;
    expect(commits).toBeGreaterThan(0);
    expect(commits).toBeLessThan(most);
    expect((await contentOf(handle)).revision).toBeGreaterThan(1);
  });

  it('can be begun in the same turn as a commit, and is then of that commit', async () => {
    for (let round = 0; round < 5; round++) {
      const filling = store.commit(put({ n: String(round), ...many(4000) }), round);
      const handle = await backUp();
      expect(await contentOf(handle)).toMatchObject({ revision: await filling, records: { n: String(round) } });
      await handle.close();
    }
  });

  it('can be made several times at once', async () => {
    await fill();
    const handles = await Promise.all([backUp(), backUp(), backUp()]);
    for (const handle of handles) expect(Object.keys((await contentOf(handle)).records)).toHaveLength(8000);
  });

  it('ends with what the signal says, and leaves nothing', async () => {
    await fill();
    const leaving = new AbortController();
    const making = backUp(leaving.signal);
    expect(copies()).toHaveLength(1);
    leaving.abort(new Error('nobody waits'));
    await expect(making).rejects.toThrow('nobody waits');
    expect(copies()).toEqual([]);
    await expect(backUp(leaving.signal)).rejects.toThrow('nobody waits');
    expect(copies()).toEqual([]);
    await (await backUp()).close();
  });

  it('ends where the store is closed, which then lets go of the folder', async () => {
    await fill();
    const making = expect(backUp()).rejects.toThrow(StoreError);
    await store.close();
    await making;
    expect(files()).toEqual([SQLITE_FILE]);
    store = openSqliteStore(join(folder.path, 'data'));
    expect([...(await store.load()).pages].flat()).toHaveLength(8000);
  });

  it('is refused where the store is closed', async () => {
    await store.close();
    await expect(backUp()).rejects.toThrow(StoreError);
    expect(files()).toEqual([SQLITE_FILE]);
    store = openSqliteStore(join(folder.path, 'data'));
  });

  it('that a killed process left is removed at the next opening, and nothing else is', async () => {
    await store.close();
    const leftovers = ['cloudmapd.db.backup-0123456789abcdef', 'cloudmapd.db.backup-0123456789abcdef-journal'];
    const others = [
      'cloudmapd.db.backup',
      'cloudmapd.db.backup-monday',
      'cloudmapd.db.backup-0123456789abcdef.gz',
      'cloudmapd.db.backup-0123456789ABCDEF',
      'cloudmapd.db.backup-0123456789abcdef0',
      'my-cloudmapd.db.backup-0123456789abcdef',
    ];
    for (const name of [...leftovers, ...others]) writeFileSync(join(folder.path, 'data', name), 'x');
    store = openSqliteStore(join(folder.path, 'data'));
    await waitFor('their end', () => (files().some((name) => leftovers.includes(name)) ? null : true));
    expect(files()).toEqual(expect.arrayContaining(others));
  });
});
