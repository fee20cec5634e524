/**
 * The embedded store: one SQLite file, through `node:sqlite`. WAL with full synchronous, so a batch is on the disk
 * when its commit returns; an exclusive lock of the kernel's, held while the file is open, keeps a second process out.
 * A file that is damaged is left as it was found.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Copies, removeCopies } from './sqlite-backup.ts';
import type { Store, StoreBatch, StoreChange, StoredRecord } from './store.ts';
import { StoreConflictError, StoreError } from './store.ts';

export const SQLITE_FILE = 'cloudmapd.db';
/** Marks the file as ours in its header, so that another program's database is not taken over. */
const APPLICATION_ID = 0x636d6170;
/** 2: revisions are of a session. */
const SCHEMA_VERSION = 2;
/** No two sessions ever have the same. */
const SESSION_BYTES = 12;
/** Some milliseconds of reading and taking in. */
const PAGE_RECORDS = 500;
/** To SQLite any blob is greater than any text. */
const BEHIND_ALL = new Uint8Array(0);

/**
 * Opens or makes `<dataDir>/cloudmapd.db`. Revisions count on where a backup was put back, so each is told apart by the
 * session that committed it: what was open from one opening to its end.
 * @throws StoreError where the folder cannot be written, the file is another daemon's, no database or not ours
 */
export function openSqliteStore(dataDir: string): Store {
  const path = join(dataDir, SQLITE_FILE);
  const session = randomBytes(SESSION_BYTES).toString('base64url');
  const file = open(dataDir, path, session);
  const { database, put, remove, advance, firstPage, nextPage, latest } = file;
  const listeners: ((batch: StoreBatch) => void)[] = [];
  const copies = new Copies(database, path);
  let { revision, session: lastSession } = latest;

  /** No statement stays open between pages: whoever reads may do so at leisure. */
  function* readPages(first: readonly string[]): Generator<StoredRecord[]> {
    try {
      for (const [from, to] of rangesOf(first)) {
        let page = firstPage.all(from, to) as unknown as StoredRecord[];
        for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
          yield page;
          page = nextPage.all(last[0], to) as unknown as StoredRecord[];
        }
      }
      // Once all of it has been read it costs little: half a second for a million records.
      requireIntegrity(database, path);
    } catch (cause) {
      file.isDamaged = true;
      throw cause instanceof StoreError ? cause : readError(path, cause);
    }
  }

  return {
    get version() {
      return `${lastSession}.${revision}`;
    },
    async load(first = []) {
      return { revision, pages: readPages(first) };
    },
    async commit(changes: readonly StoreChange[], basis: number) {
      await copies.waitForTurn();
      if (basis !== revision) throw new StoreConflictError(`decided on revision ${basis}, the latest is ${revision}`);
      try {
        // Of a batch that could not even be rolled back.
        if (database.isTransaction) database.exec('ROLLBACK');
        database.exec('BEGIN IMMEDIATE');
        for (const { key, value } of changes) {
          if (value === null) remove.run(key);
          else put.run(key, value);
        }
        advance.run(revision + 1, session);
        database.exec('COMMIT');
      } catch (cause) {
        throw new StoreError(`cannot write ${path}: ${rollBack(database, cause as Error).message}`, { cause });
      }
      revision++;
      lastSession = session;
      for (const listener of listeners) listener({ revision, changes });
      return revision;
    },
    watch(listener) {
      listeners.push(listener);
    },
    backup: (signal) => copies.make(signal),
    async close() {
      await copies.close();
      closeFile(file);
    },
  };
}

/** What a damaged file can be opened for is to be looked at by whoever can mend it. */
function readError(path: string, cause: unknown): StoreError {
  const { errcode, message } = cause as { errcode?: number; message: string };
  // Extended codes have the kind in the low octet.
  const isDamage = DAMAGE.includes((errcode ?? 0) & 0xff);
  return new StoreError(isDamage ? damageLine(path, message) : `cannot read ${path}: ${message}`, { cause });
}

function damageLine(path: string, problem: string): string {
  return `${path} is damaged (${problem}) and left as it is: put a backup in its place`;
}

/** @throws StoreError where the file's structure is not whole */
function requireIntegrity(database: DatabaseSync, path: string): void {
  const [problem] = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
  if (problem?.quick_check !== 'ok') {
    throw new StoreError(damageLine(path, String(problem?.quick_check).replaceAll('\n', ', ')));
  }
}

/** After a failed statement; SQLite has done it by itself after some failures. @returns what to tell: the first cause */
function rollBack(database: DatabaseSync, cause: Error): Error {
  try {
    if (database.isOpen && database.isTransaction) database.exec('ROLLBACK');
    return cause;
  } catch (error) {
    return new Error(`${cause.message}; and ${(error as Error).message}`, { cause });
  }
}

/** What is opened, and what its end needs to know. */
interface OpenFile {
  readonly database: DatabaseSync;
  /** Whether an earlier process left commits in the log beside the file. */
  readonly hadLog: boolean;
  isDamaged: boolean;
}

/** Kept from the garbage collection, which would close them. */
const leftOpen: DatabaseSync[] = [];

/**
 * Closing moves what an earlier process left in the log into the file. A damaged one is for whoever mends it to look at,
 * log and all: it is left to the end of the process, which closes nothing.
 */
function closeFile({ database, hadLog, isDamaged }: OpenFile): void {
  if (isDamaged && hadLog) leftOpen.push(database);
  else database.close();
}

/** SQL is prepared once. */
function prepare(database: DatabaseSync) {
  return {
    database,
    put: database.prepare(
      'INSERT INTO record (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),
    remove: database.prepare('DELETE FROM record WHERE key = ?'),
    advance: database.prepare('UPDATE revision SET latest = ?, session = ?'),
    firstPage: pageOf(database, '>='),
    nextPage: pageOf(database, '>'),
    latest: database.prepare('SELECT latest AS revision, session FROM revision').get() as {
      revision: number;
      session: string;
    },
  };
}

/** Rows as arrays and many at once: reading a row as an object of its own takes as long again. */
function pageOf(database: DatabaseSync, comparison: '>=' | '>'): StatementSync {
  const page = database.prepare(
    `SELECT key, value FROM record WHERE key ${comparison} ? AND key < ? ORDER BY key LIMIT ${PAGE_RECORDS}`,
  );
  page.setReturnArrays(true);
  return page;
}

/** The keys' ranges, those of the prefixes first: from, and up to but without. */
function rangesOf(prefixes: readonly string[]): (readonly [from: string, to: string | Uint8Array])[] {
  const firsts = prefixes.map((prefix) => [prefix, successorOf(prefix)] as const);
  const rests: (readonly [string, string | Uint8Array])[] = [];
  let from = '';
  for (const [start, end] of [...firsts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    rests.push([from, start]);
    from = end;
  }
  return [...firsts, ...rests, [from, BEHIND_ALL]];
}

/** What comes behind all keys with the prefix, which ends in an ASCII character. */
function successorOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function open(dataDir: string, path: string, session: string) {
  let database: DatabaseSync | undefined;
  let hadLog = false;
  try {
    makeFolder(resolve(dataDir));
    refuseFragment(path);
    hadLog = sizeOf(`${path}-wal`) > 0;
    database = new DatabaseSync(path);
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    // Taking the write lock once is what makes the exclusive mode hold it from here on.
    database.exec('BEGIN EXCLUSIVE');
    prepareSchema(database, path, session);
    database.exec('COMMIT');
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    removeCopies(dataDir, SQLITE_FILE);
    return { ...prepare(database), hadLog, isDamaged: false };
  } catch (cause) {
    if (database !== undefined) closeFile({ database, hadLog, isDamaged: true });
    if (cause instanceof StoreError) throw cause;
    const { errcode, message } = cause as { errcode?: number; message: string };
    if (errcode === SQLITE_BUSY) throw new StoreError(`${path} is held by another cloudmapd`, { cause });
    if (errcode === SQLITE_NOTADB) throw new StoreError(`${path} is not a cloudmapd database`, { cause });
    if (DAMAGE.includes((errcode ?? 0) & 0xff)) throw readError(path, cause);
    throw new StoreError(`cannot open ${path}: ${message}`, { cause });
  }
}

/** As `mkdir -p`. Node's own recursive mkdir never returns where a parent takes no folders, such as /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** SQLite's codes of what only another copy can mend. */
const DAMAGE = [SQLITE_CORRUPT, SQLITE_NOTADB];
const SQLITE_HEADER_BYTES = 100;

/** SQLite takes a file shorter than its header for an empty one and writes over it. */
function refuseFragment(path: string): void {
  const size = sizeOf(path);
  if (size > 0 && size < SQLITE_HEADER_BYTES) throw new StoreError(`${path} is not a cloudmapd database`);
}

/** 0 where there is none. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** @param session of a file that has none yet */
function prepareSchema(database: DatabaseSync, path: string, session: string): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const { application_id: owner } = database.prepare('PRAGMA application_id').get() as { application_id: number };
  if (version === 0 && owner === 0) {
    const { count } = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number };
    if (count > 0) throw new StoreError(`${path} is not a cloudmapd database`);
    database.exec(`
      CREATE TABLE record (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
      CREATE TABLE revision (latest INTEGER NOT NULL, session TEXT NOT NULL) STRICT;
      INSERT INTO revision VALUES (0, '${session}');
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${SCHEMA_VERSION};
    `);
    return;
  }
  if (owner !== APPLICATION_ID) throw new StoreError(`${path} is not a cloudmapd database`);
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      `${path} has schema ${version}, this cloudmapd knows ${SCHEMA_VERSION}: use a newer cloudmapd`,
    );
  }
  if (version === 1) {
    // A file that is written to must be whole; any other is looked through once it has been read.
    requireIntegrity(database, path);
    database.exec(`
      ALTER TABLE revision ADD COLUMN session TEXT NOT NULL DEFAULT '${session}';
      PRAGMA user_version = ${SCHEMA_VERSION};
    `);
  }
}
