/**
 * The embedded store: one SQLite file, through `node:sqlite`. WAL with full synchronous, so a batch is on the disk
 * when its commit returns; an exclusive lock of the kernel's, held while the file is open, keeps a second process out.
 * A file that is damaged is left as it was found.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Copies, removeCopies } from './sqlite-backup.ts';
import { requireIntegrity, SCHEMA_VERSION, SqliteFile } from './sqlite-file.ts';
import type { Store, StoreBatch, StoreChange, StoredRecord } from './store.ts';
import { StoreConflictError, StoreDamagedError, StoreError } from './store.ts';

export const SQLITE_FILE = 'cloudmapd.db';
/** No two sessions ever have the same. */
const SESSION_BYTES = 12;
/** Some milliseconds of reading and taking in. */
const PAGE_RECORDS = 500;
/** To SQLite any blob is greater than any text. */
const BEHIND_ALL = new Uint8Array(0);

/**
 * Opens or makes `<dataDir>/cloudmapd.db`. Revisions count on where a backup was put back, so each is told apart by the
 * session that committed it: what was open from one opening to its end.
 * @param isAsItIs for whoever only looks: a file of an older schema is refused rather than moved on
 * @throws StoreError where the folder cannot be written, the file is another daemon's, no database or not ours
 */
export function openSqliteStore(dataDir: string, isAsItIs = false): Store {
  const path = join(dataDir, SQLITE_FILE);
  const session = randomBytes(SESSION_BYTES).toString('base64url');
  const file = SqliteFile.open(path, session, isAsItIs);
  const { database } = file;
  const { put, remove, advance, firstPage, nextPage, latest } = file.attempt(() => {
    removeCopies(dataDir, SQLITE_FILE);
    return prepare(database, path);
  });
  const listeners: ((batch: StoreBatch) => void)[] = [];
  const copies = new Copies(database, path);
  let { revision, session: lastSession } = latest;
  /** All of it has been looked through. */
  let isWhole = false;

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
      isWhole = true;
    } catch (cause) {
      throw file.errorOf(cause, 'read');
    } finally {
      // Also where it is the reader to whom a record means nothing.
      file.isDamaged = !isWhole;
    }
  }

  const examine = (): void => {
    try {
      requireIntegrity(database, path);
      isWhole = true;
    } catch (cause) {
      file.isDamaged = true;
      throw file.errorOf(cause, 'read');
    }
  };

  /** A batch has failed. @returns why */
  const undo = (cause: unknown): Error => {
    try {
      if (database.isOpen && database.isTransaction) database.exec('ROLLBACK');
    } catch (error) {
      return new Error(`${(cause as Error).message}; and ${(error as Error).message}`, { cause });
    }
    try {
      // The log may end with the whole batch, where only the disk did not confirm it: another process would take it for
      // committed. What is written now takes its place there.
      if (database.isOpen) database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    } catch {
      // What could not be written is not in the log either.
    }
    return cause as Error;
  };

  return {
    place: path,
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
        throw new StoreError(`cannot write ${path}: ${undo(cause).message}`, { cause });
      }
      revision++;
      lastSession = session;
      for (const listener of listeners) listener({ revision, changes });
      return revision;
    },
    watch(listener) {
      listeners.push(listener);
    },
    async backup(signal) {
      // A copy of a damaged file would take the place of a good one.
      if (!isWhole) examine();
      return copies.make(signal);
    },
    async close() {
      await copies.close();
      file.close();
    },
  };
}

/** SQL is prepared once. @throws StoreDamagedError */
function prepare(database: DatabaseSync, path: string) {
  const latest = database.prepare('SELECT latest AS revision, session FROM revision').get();
  if (latest === undefined) throw new StoreDamagedError(path, 'it has no revision');
  return {
    latest: latest as { revision: number; session: string },
    put: database.prepare(
      'INSERT INTO record (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),
    remove: database.prepare('DELETE FROM record WHERE key = ?'),
    advance: database.prepare('UPDATE revision SET latest = ?, session = ?'),
    firstPage: pageOf(database, '>='),
    nextPage: pageOf(database, '>'),
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
