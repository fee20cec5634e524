/**
 * A copy of the database while it is written to, by SQLite's own backup on the connection that writes. What that
 * commits meanwhile goes into the copy too, so that it is never begun anew, and is the state of one commit when it ends.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { StoreError } from './store.ts';

/** A megabyte: a step, which a commit may have to wait for, takes some two milliseconds. */
const PAGES_PER_STEP = 256;

/** The copies of one database that are under way, and the turns that their steps and its commits take. */
export class Copies {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #closing = new AbortController();
  readonly #underWay = new Map<Promise<unknown>, Turn>();

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /**
   * A step that comes in the middle of a commit is refused, and a busy writer would let hardly any in: so each commit
   * waits until every copy has made a step since the last one. Begin the commit in the same turn as this resolves.
   */
  async waitForTurn(): Promise<void> {
    for (;;) {
      const waiting = [...this.#underWay.values()].filter(({ hasStepped }) => !hasStepped);
      if (waiting.length === 0) break;
      await Promise.all(waiting.map(({ step }) => step));
    }
    for (const turn of this.#underWay.values()) turn.begin();
  }

  /**
   * @returns the whole copy, open for reading; its file has no name any more, and is gone when the handle is closed
   * @throws StoreError; what the signal was aborted with
   */
  async make(signal?: AbortSignal): Promise<FileHandle> {
    const ended = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    const turn = new Turn();
    const copy = copyDatabase(this.#database, this.#path, ended, turn);
    const settled = copy.catch(() => null);
    this.#underWay.set(settled, turn);
    try {
      return await copy;
    } finally {
      this.#underWay.delete(settled);
      turn.end();
    }
  }

  /** Ends all that are under way. */
  async close(): Promise<void> {
    this.#closing.abort(new StoreError(`${this.#path} is being closed`));
    await Promise.all(this.#underWay.keys());
  }
}

/** Of one copy: whether it has made a step since the last commit. */
class Turn {
  hasStepped = false;
  step: Promise<void> = Promise.resolve();
  end: () => void = () => {};
  #copiedPages = 0;

  constructor() {
    this.begin();
  }

  begin(): void {
    this.hasStepped = false;
    this.step = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  /** @param copiedPages as many as before: the step was refused */
  take(copiedPages: number): void {
    if (copiedPages === this.#copiedPages) return;
    this.#copiedPages = copiedPages;
    this.hasStepped = true;
    this.end();
  }
}

/** What a process that was killed has left. Only files of exactly the names that we give are ours. */
export function removeCopies(folder: string, file: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${file}${MARK}`) && LEFTOVER.test(name.slice(file.length))) {
      rmSync(join(folder, name), { force: true });
    }
  }
}

const MARK = '.backup-';
const ID_BYTES = 8;
const LEFTOVER = /^\.backup-[0-9a-f]{16}(-journal)?$/;

async function copyDatabase(
  database: DatabaseSync,
  path: string,
  signal: AbortSignal,
  turn: Turn,
): Promise<FileHandle> {
  const copy = `${path}${MARK}${randomBytes(ID_BYTES).toString('hex')}`;
  try {
    signal.throwIfAborted();
    refuseWithoutRoom(database, path);
    // Made here, as SQLite would let others read it.
    closeSync(openSync(copy, 'wx', 0o600));
    // The first step must not be refused, as Node ends the copy then ("not an error"): a commit may have had its turn
    // before this copy was there, and be carried out once this turn of the event loop ends.
    await setImmediate();
    signal.throwIfAborted();
    rollBack(database);
    await copyTo(database, copy, (copiedPages) => {
      signal.throwIfAborted();
      rollBack(database);
      turn.take(copiedPages);
    });
    return await open(copy, 'r');
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(`cannot copy ${path}: ${(cause as Error).message}`, { cause });
  } finally {
    for (const name of [copy, `${copy}-journal`]) rmSync(name, { force: true });
  }
}

/** What a commit has left that failed and could not be undone then would keep every step, and with that every commit, waiting. */
function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec('ROLLBACK');
}

async function copyTo(database: DatabaseSync, copy: string, onStep: (copiedPages: number) => void): Promise<void> {
  const url = pathToFileURL(copy);
  url.search = 'cache=shared';
  // SQLite syncs the copy in the last step, which keeps every commit waiting: for seconds, where it is large and the
  // disk slow. Of a temporary file that is in vain. This connection shares its cache, and so its settings, with the
  // one that copies.
  const settings = new DatabaseSync(url);
  try {
    settings.exec('PRAGMA synchronous = OFF');
    await backup(database, url, {
      rate: PAGES_PER_STEP,
      progress: ({ totalPages, remainingPages }) => onStep(totalPages - remainingPages),
    });
  } finally {
    settings.close();
  }
}

/** The daemon needs the disk too: its calls would fail while a copy fills it. */
function refuseWithoutRoom(database: DatabaseSync, path: string): void {
  const { page_size: pageBytes } = database.prepare('PRAGMA page_size').get() as { page_size: number };
  const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number };
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize >= pages * pageBytes) return;
  const [needed, free] = [pages * pageBytes, bavail * bsize].map((bytes) => Math.ceil(bytes / 2 ** 20));
  throw new StoreError(
    `cannot copy ${path}: a copy takes ${needed} MiB for a while, and the disk has ${free} MiB left`,
  );
}
