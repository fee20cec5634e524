/**
 * The file of the embedded store: opened, locked, moved on to the schema of today, refused where it is damaged or not
 * ours, and then left as it was found.
 */
import { accessSync, constants, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreDamagedError, StoreError, StoreHeldError } from './store.ts';

/** Marks the file as ours in its header, so that another program's database is not taken over. */
const APPLICATION_ID = 0x636d6170;
/** 2: revisions are of a session. */
export const SCHEMA_VERSION = 2;

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** SQLite's extended codes have the kind in the low octet. */
const KIND = 0xff;
const HEADER_BYTES = 100;

/** Kept from the garbage collection, which would close them. */
const leftOpen: DatabaseSync[] = [];

function leaveOpen(database: DatabaseSync): void {
  // A process that ends by itself closes what is open; one that is ended does not.
  if (leftOpen.length === 0) process.once('exit', (code) => process.exit(code));
  leftOpen.push(database);
}

export class SqliteFile {
  readonly path: string;
  readonly database: DatabaseSync;
  isDamaged = false;
  /** Whether an earlier process left commits in the log beside the file. */
  readonly #hadLog: boolean;

  private constructor(path: string, database: DatabaseSync, hadLog: boolean) {
    this.path = path;
    this.database = database;
    this.#hadLog = hadLog;
  }

  /**
   * Opens or makes it, and its folder; nobody else can until it is closed.
   * @param session of a file that has none yet
   * @param isAsItIs the file is not to become another one: what has an older schema, or none, is refused
   * @throws StoreError; then the file is as it was, or is not there if it was not
   */
  static open(path: string, session: string, isAsItIs = false): SqliteFile {
    let isNew = false;
    let file: SqliteFile;
    try {
      makeFolder(resolve(dirname(path)));
      isNew = !existsSync(path);
      if (!isNew) requireUsable(path);
      // A log never comes before the file; SQLite would take it for another file's, and begin anew.
      if (sizeOf(path) === 0 && sizeOf(logOf(path)) > 0)
        throw new StoreDamagedError(path, `it ${isNew ? 'is missing' : 'is empty'}, and its log is there`);
      file = new SqliteFile(path, new DatabaseSync(path), sizeOf(logOf(path)) > 0);
    } catch (cause) {
      throw errorOf(path, cause, 'open');
    }
    try {
      return file.attempt(() => {
        const { database } = file;
        database.exec('PRAGMA locking_mode = EXCLUSIVE');
        // Taking the write lock once is what makes the exclusive mode hold it from here on.
        database.exec('BEGIN EXCLUSIVE');
        prepareSchema(database, path, session, isAsItIs);
        database.exec('COMMIT');
        // Such as a copy by other means, which is written to when it gets a log.
        if (!isNew && !hasLog(database)) requireIntegrity(database, path);
        database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
        return file;
      });
    } catch (error) {
      // Such as where the disk is full. One that another process has made in the meantime is that one's.
      if (isNew && !(error instanceof StoreHeldError) && sizeOf(path) === 0) rmSync(path, { force: true });
      throw error;
    }
  }

  /** Closes the file where the step fails. @throws StoreError */
  attempt<Result>(step: () => Result): Result {
    try {
      return step();
    } catch (cause) {
      this.isDamaged = true;
      this.close();
      throw this.errorOf(cause, 'open');
    }
  }

  /** @param verb what was tried: read, open */
  errorOf(cause: unknown, verb: string): StoreError {
    return errorOf(this.path, cause, verb);
  }

  /**
   * Closing moves what an earlier process left in the log into the file. A damaged one is for whoever mends it to look
   * at, log and all: it is left to the end of the process, which closes nothing.
   */
  close(): void {
    if (this.isDamaged && this.#hadLog) leaveOpen(this.database);
    else this.database.close();
  }
}

/** @throws StoreDamagedError where the file's structure is not whole, or its keys are not in order */
export function requireIntegrity(database: DatabaseSync, path: string): void {
  const [found] = database.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
  if (found?.integrity_check === 'ok') return;
  throw new StoreDamagedError(path, String(found?.integrity_check).replaceAll('\n', ', '));
}

function hasLog(database: DatabaseSync): boolean {
  const { journal_mode: mode } = database.prepare('PRAGMA journal_mode').get() as { journal_mode: string };
  return mode === 'wal';
}

function errorOf(path: string, cause: unknown, verb: string): StoreError {
  if (cause instanceof StoreError) return cause;
  const { errcode = 0, message } = cause as { errcode?: number; message: string };
  switch (errcode & KIND) {
    case SQLITE_BUSY:
      return new StoreHeldError(`${path} is held by another cloudmapd`, { cause });
    case SQLITE_NOTADB:
      return notOurs(path, cause);
    case SQLITE_CORRUPT:
      return new StoreDamagedError(path, message, { cause });
    default:
      return new StoreError(`cannot ${verb} ${path}: ${message}`, { cause });
  }
}

function notOurs(path: string, cause?: unknown): StoreError {
  return new StoreError(`${path} is not a cloudmapd database`, { cause });
}

function logOf(path: string): string {
  return `${path}-wal`;
}

/** 0 where there is none. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
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

/** What SQLite would call an I/O error, or take for something else. @throws Error */
function requireUsable(path: string): void {
  accessSync(path, constants.R_OK | constants.W_OK);
  // Its log comes beside it.
  accessSync(dirname(path), constants.W_OK);
  // SQLite takes a file shorter than its header for an empty one and writes over it.
  const size = sizeOf(path);
  if (size > 0 && size < HEADER_BYTES) throw notOurs(path);
}

function prepareSchema(database: DatabaseSync, path: string, session: string, isAsItIs: boolean): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const { application_id: owner } = database.prepare('PRAGMA application_id').get() as { application_id: number };
  if (version === 0 && owner === 0) {
    const { count } = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number };
    if (count > 0) throw notOurs(path);
    if (isAsItIs) throw new StoreError(`${path} is empty`);
    database.exec(`
      CREATE TABLE record (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
      CREATE TABLE revision (latest INTEGER NOT NULL, session TEXT NOT NULL) STRICT;
      INSERT INTO revision VALUES (0, '${session}');
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${SCHEMA_VERSION};
    `);
    return;
  }
  if (owner !== APPLICATION_ID) throw notOurs(path);
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      `${path} has schema ${version}, this cloudmapd knows ${SCHEMA_VERSION}: use a newer cloudmapd`,
    );
  }
  if (version === 1) {
    if (isAsItIs) {
      throw new StoreError(
        `${path} has schema 1: the next start of a daemon moves it on to ${SCHEMA_VERSION}, from where an older cloudmapd cannot go back; until then it is left to that one`,
      );
    }
    // A file that is written to must be whole; any other is looked through once it has been read.
    requireIntegrity(database, path);
    database.exec(`
      ALTER TABLE revision ADD COLUMN session TEXT NOT NULL DEFAULT '${session}';
      PRAGMA user_version = ${SCHEMA_VERSION};
    `);
  }
}
