/**
 * Compiled answers on disk, beside the store: what a start can answer DNS with before it has read the store. The file is
 * a snapshot and, behind it, the delta of each batch since; it counts for nothing unless its last frame is of the very
 * content that the store has. So nothing has to be flushed to the disk, and whatever is wrong with it, the answers are
 * made from the store as if there were no file.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type FrameKind, headerOf, readFrames, writeAll, writeFrame } from './answer-frames.ts';

export const ANSWERS_FILE = 'cloudmapd.answers';
/** Deltas may grow to as much as the snapshot in front of them, and to so much in any case. */
const MIN_DELTA_BYTES = 4 * 1024 * 1024;
/** Of what a thread is told at once: far more than a frame of the file, since each waits for its turn and its answer. */
const CHUNK_BYTES = 1024 * 1024;
const NOTHING = new Uint8Array(0);

export interface AnswersFileOptions {
  readonly dataDir: string;
  /** Whatever makes other answers of the same content: told apart as JSON. */
  readonly basis: unknown;
  /** Of the store's content now. @see Store.version */
  readonly version: () => string;
  /** Where deltas outgrow it the file is made anew, from what this size does not reach. For tests. */
  readonly minDeltaBytes?: number;
  /** It cannot be written, and is done without until the next start. */
  onGivenUp(error: unknown): void;
}

/** A file being written. */
interface Written {
  readonly fd: number;
  /** Of the snapshot; of the frames behind it. */
  baseBytes: number;
  deltaBytes: number;
}

export class AnswersFile {
  readonly #options: AnswersFileOptions;
  readonly #path: string;
  readonly #nextPath: string;
  readonly #header: Buffer;
  /** What a start could use. */
  #file: Written | null = null;
  /** What will take its place, once it has a whole snapshot. */
  #next: Written | null = null;
  #takeSnapshot: (() => Iterable<Uint8Array>) | null = null;
  #isOver = false;

  constructor(options: AnswersFileOptions) {
    this.#options = options;
    this.#path = join(options.dataDir, ANSWERS_FILE);
    this.#nextPath = `${this.#path}.new`;
    this.#header = headerOf(options.basis);
  }

  /**
   * What an earlier run has left, where it is what the store's content makes: deltas, of which the first begins a
   * snapshot. What is appended from now on goes behind it.
   */
  open(): (() => Iterable<Uint8Array>) | null {
    let fd: number;
    try {
      fd = openSync(this.#path, 'r+');
    } catch {
      // It may not be there; and if it cannot be written either, that will be told.
      return null;
    }
    try {
      const found = this.#check(fd);
      if (found !== null) {
        // What a crash has left unfinished behind it would hide what is appended.
        if (fstatSync(fd).size > found.end) ftruncateSync(fd, found.end);
        this.#file = { fd: openSync(this.#path, 'a'), baseBytes: found.baseEnd, deltaBytes: found.end - found.baseEnd };
        return () => this.#read(found.end);
      }
    } catch {
      // A disk that cannot be read: as with any other damage.
    } finally {
      closeSync(fd);
    }
    return null;
  }

  /** What `open` has given is not what it should be: the next snapshot makes another one. */
  discard(): void {
    if (this.#file !== null) closeSync(this.#file.fd);
    this.#file = null;
  }

  /** The chunks of a snapshot on their way to the threads; where there is no file yet, one is made of them. */
  *keep(snapshot: Iterable<Uint8Array>): Generator<Uint8Array> {
    if (this.#isOver || this.#file !== null || this.#next !== null) yield* snapshot;
    else yield* this.#renew(snapshot);
  }

  /** From now on the file is made anew, in the background, when deltas outgrow it. */
  renewFrom(takeSnapshot: () => Iterable<Uint8Array>): void {
    this.#takeSnapshot = takeSnapshot;
  }

  /** A batch has been taken in. @param delta null: it changed nothing in DNS */
  append(delta: Uint8Array | null): void {
    for (const written of [this.#file, this.#next]) this.#write(written, 'delta', delta ?? NOTHING);
    if (this.#file === null || this.#next !== null || this.#takeSnapshot === null) return;
    const { baseBytes, deltaBytes } = this.#file;
    if (deltaBytes > Math.max(baseBytes, this.#options.minDeltaBytes ?? MIN_DELTA_BYTES))
      void this.#renewSlowly(this.#takeSnapshot());
  }

  /** The file is not what the store's content makes any more, and is done without until the next start. */
  giveUp(error: unknown): void {
    if (this.#isOver) return;
    this.close();
    for (const path of [this.#path, this.#nextPath]) {
      try {
        rmSync(path, { force: true });
      } catch {
        // Left as it is: what the store has next is not what its last frame is of.
      }
    }
    this.#options.onGivenUp(error);
  }

  close(): void {
    this.#isOver = true;
    for (const written of [this.#file, this.#next]) if (written !== null) closeSync(written.fd);
    this.#file = null;
    this.#next = null;
  }

  /** @returns where the snapshot and the last frame end; null: it is of no use */
  #check(fd: number): { baseEnd: number; end: number } | null {
    let baseEnd = 0;
    let end = 0;
    let version: string | null = null;
    for (const frame of readFrames(fd, this.#header)) {
      if (frame.kind === 'base-end') baseEnd = frame.end;
      end = frame.end;
      version = frame.version;
    }
    return baseEnd > 0 && version === this.#options.version() ? { baseEnd, end } : null;
  }

  /** @throws Error where the file is not any more what it was when it was checked */
  *#read(end: number): Generator<Uint8Array> {
    const fd = openSync(this.#path, 'r');
    try {
      let payloads: Uint8Array[] = [];
      let bytes = 0;
      let at = 0;
      for (const frame of readFrames(fd, this.#header)) {
        // A copy, which a slice of a Buffer is not.
        payloads.push(new Uint8Array(frame.payload));
        bytes += frame.payload.length;
        at = frame.end;
        if (bytes < CHUNK_BYTES && at < end) continue;
        // A run of deltas is a delta. In memory of its own, which can be handed over.
        yield joined(payloads, bytes);
        payloads = [];
        bytes = 0;
        if (at >= end) break;
      }
      if (at !== end) throw new Error(`${this.#path} has been changed by somebody else`);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes a new file of a snapshot; meanwhile deltas may come, and go into it as well. */
  *#renew(snapshot: Iterable<Uint8Array>): Generator<Uint8Array> {
    const next = this.#begin();
    try {
      for (const chunk of snapshot) {
        if (this.#next === next) this.#write(next, 'base', chunk);
        yield chunk;
      }
      if (next !== null && this.#next === next) this.#finish(next);
    } finally {
      // Nobody wanted the rest of it.
      if (next !== null && this.#next === next) {
        this.#next = null;
        closeSync(next.fd);
      }
    }
  }

  async #renewSlowly(snapshot: Iterable<Uint8Array>): Promise<void> {
    try {
      for (const _ of this.#renew(snapshot)) {
        await nextTurn();
        if (this.#isOver) return;
      }
    } catch (error) {
      this.giveUp(error);
    }
  }

  #begin(): Written | null {
    try {
      const fd = openSync(this.#nextPath, 'w');
      this.#next = { fd, baseBytes: this.#header.length, deltaBytes: 0 };
      writeAll(fd, this.#header);
    } catch (error) {
      this.giveUp(error);
    }
    return this.#next;
  }

  #finish(next: Written): void {
    this.#write(next, 'base-end', NOTHING);
    if (this.#next !== next) return;
    try {
      renameSync(this.#nextPath, this.#path);
    } catch (error) {
      this.giveUp(error);
      return;
    }
    if (this.#file !== null) closeSync(this.#file.fd);
    this.#file = next;
    this.#next = null;
  }

  #write(written: Written | null, kind: FrameKind, payload: Uint8Array): void {
    if (written === null || this.#isOver) return;
    try {
      const bytes = writeFrame(written.fd, kind, this.#options.version(), payload);
      if (kind === 'delta') written.deltaBytes += bytes;
      else written.baseBytes += bytes;
    } catch (error) {
      this.giveUp(error);
    }
  }
}

function joined(payloads: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const payload of payloads) {
    all.set(payload, at);
    at += payload.length;
  }
  return all;
}
