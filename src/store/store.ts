/**
 * The contract of durable storage: records of text under keys, changed in batches. A backend knows nothing of what
 * the records mean.
 */
import type { FileHandle } from 'node:fs/promises';

/** `value` null: the key is removed. */
export interface StoreChange {
  readonly key: string;
  readonly value: string | null;
}

/** A record as it is read: by the hundred thousand, so it is no more than this. */
export type StoredRecord = readonly [key: string, value: string];

/** A batch that has become durable. */
export interface StoreBatch {
  /** Grows with every batch. */
  readonly revision: number;
  readonly changes: readonly StoreChange[];
}

export interface Store {
  /** What messages call it, such as its file's path. */
  readonly place: string;
  /**
   * Names what is stored now: two equal ones have the same records, also over restarts and where a backup was put back.
   * Null: this store cannot tell.
   */
  readonly version: string | null;
  /**
   * Every record, some hundred a page, and the revision at which they are read. Called once, before the first commit.
   * @param first key prefixes whose records come before all others; else records come in the order of their keys, byte
   * by byte
   */
  load(first?: readonly string[]): Promise<{ revision: number; pages: Iterable<readonly StoredRecord[]> }>;
  /**
   * Makes the changes durable, all or none. Watchers have been told of the batch when this resolves.
   * @param basis the revision that the changes were decided on
   * @throws StoreConflictError where another writer committed after `basis`; StoreError where the batch could not be
   * made durable. Either way nothing of it was stored.
   */
  commit(changes: readonly StoreChange[], basis: number): Promise<number>;
  /**
   * Called for every batch that becomes durable, in order, whoever committed it. Of a batch committed here `changes` is
   * the very array that `commit` was given.
   */
  watch(listener: (batch: StoreBatch) => void): void;
  /**
   * Copies the whole into one file while commits go on: what was committed before the call is in it, and every batch
   * since wholly or not at all. The file has no name; the caller closes the handle. Absent: this store has no such file.
   * @throws StoreError; what the signal was aborted with
   */
  readonly backup?: (signal?: AbortSignal) => Promise<FileHandle>;
  /** Finishes what is under way, but for backups, which it ends, and lets go of the files. */
  close(): Promise<void>;
}

/** The batch was decided on a state that is no longer the latest. */
export class StoreConflictError extends Error {
  override readonly name = 'StoreConflictError';
}

/** The store could not read or write; `cause` says what the system said. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError';
}

/** Another process has it open. */
export class StoreHeldError extends StoreError {
  override readonly name = 'StoreHeldError';
}

/** What is stored cannot be made sense of; nothing of it has been changed. */
export class StoreDamagedError extends StoreError {
  override readonly name = 'StoreDamagedError';

  constructor(place: string, problem: string, options?: ErrorOptions) {
    super(`${place} is damaged (${problem}) and is left as it is`, options);
  }
}
