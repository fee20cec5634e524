/** What a command writes: a file that is there whole or not at all, or stdout. */
import { randomBytes } from 'node:crypto';
import {
  createWriteStream,
  existsSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  type WriteStream,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileIdentity } from '../admin/info.ts';
import { CommandError, undoAtSignal } from './command.ts';

export type Source = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/**
 * @param path null: stdout
 * @param mode of a new file, before the umask
 * @throws CommandError where it cannot be written to, and then a file is as it was; what reading the source throws
 */
export async function writeOutput(path: string | null, source: Source, mode: number): Promise<void> {
  if (path === null) return writeToStandard(source, process.stdout, 'to stdout');
  const found = statOf(path);
  const { place, descriptor } = placeOf(path);
  if (descriptor === 1) return writeToStandard(source, process.stdout, path);
  if (descriptor === 2) return writeToStandard(source, process.stderr, path);
  if (descriptor !== null && found?.isFile()) {
    // Whoever opened it goes on from where this ends. To open it again would begin at its start.
    return writeThrough(path, source, createWriteStream(path, { fd: descriptor, autoClose: false }));
  }
  // A device or a pipe is written to, not replaced.
  if (found !== null && !found.isFile()) return writeThrough(path, source, createWriteStream(path));
  await replaceFile(path, place, source, found === null ? mode : found.mode & 0o777);
}

/**
 * A store's own file is not to be replaced: a daemon would go on in one that has no name any more, and a write-ahead
 * log that lies beside would be read into another database.
 * @param identity of the store that is read
 */
export function refuseStoreFile(path: string, identity: string | null): void {
  const found = statOf(path);
  if (found === null ? !existsSync(dirname(resolve(path))) : !found.isFile()) return;
  const { place } = placeOf(path);
  const isBeside =
    identityOf(join(dirname(place), STORE_FILE)) === identity &&
    // Its log and the like are there while it is open, and else would be taken for its own.
    basename(place).startsWith(found === null ? STORE_FILE : STORE_STEM);
  if ((identity !== null && (identityOf(path) === identity || isBeside)) || existsSync(`${place}-wal`)) {
    throw new CommandError(`${path} is a file of a store that is in use: choose another one`);
  }
}

const STORE_FILE = 'cloudmapd.db';
const STORE_STEM = 'cloudmapd.';

/** @returns as `fileIdentity` does @throws CommandError where there is no looking, such as into another's folder */
export function identityOf(path: string): string | null {
  try {
    return fileIdentity(path);
  } catch (cause) {
    throw new CommandError(`cannot look for ${path}: ${(cause as Error).message}`, { cause });
  }
}

function statOf(path: string): Stats | null {
  return attempt(path, () => statSync(path, { throwIfNoEntry: false }) ?? null);
}

interface Place {
  /** Absolute, and no link. */
  readonly place: string;
  /** Of this process, where it is one of those and no name. */
  readonly descriptor: number | null;
}

/** Linux has them as links, of which each leads to what has been opened; others as devices. */
const DESCRIPTOR = new RegExp(`^(?:/dev/fd|/proc/${process.pid}/fd)/(\\d+)$`);
/** Linux gives up there. */
const MAX_LINKS = 40;

/** Where links lead to, also where there is nothing yet. @throws CommandError */
function placeOf(path: string): Place {
  return attempt(path, () => {
    let place = resolve(path);
    for (let links = 0; links < MAX_LINKS; links++) {
      place = join(realpathSync(dirname(place)), basename(place));
      const descriptor = DESCRIPTOR.exec(place)?.[1];
      if (descriptor !== undefined) return { place: readLink(place) ?? place, descriptor: Number(descriptor) };
      const target = readLink(place);
      if (target === null) break;
      place = resolve(dirname(place), target);
    }
    return { place, descriptor: null };
  });
}

/** @returns null: it is no link */
function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['EINVAL', 'ENOENT'].includes(code)) return null;
    throw error;
  }
}

/** By a neighbour that takes its place once it is whole. */
async function replaceFile(path: string, place: string, source: Source, mode: number): Promise<void> {
  const part = join(dirname(place), `.cloudmapd-${randomBytes(8).toString('hex')}.part`);
  let isOpen = false;
  const discard = (): void => {
    if (isOpen) rmSync(part, { force: true });
  };
  const forget = undoAtSignal(discard);
  try {
    // Synced, so that what takes the place of an older file is there after a power failure too.
    const stream = createWriteStream(part, { flags: 'wx', mode, flush: true });
    stream.once('open', () => {
      isOpen = true;
    });
    await writeThrough(path, source, stream);
    attempt(path, () => renameSync(part, place));
  } catch (error) {
    discard();
    throw error;
  } finally {
    forget();
  }
}

async function writeThrough(path: string, source: Source, stream: WriteStream): Promise<void> {
  let writeError: Error | null = null;
  stream.once('error', (error: NodeJS.ErrnoException) => {
    // What the source fails with is told to the stream too.
    if (error.syscall !== undefined) writeError = error;
  });
  try {
    await pipeline(source, stream);
  } catch (error) {
    if (error === writeError) throw cannotWrite(path, error);
    throw error;
  }
}

/** Piece by piece, as a pipeline that leaves it open ends before the last one is known to be written. */
async function writeToStandard(source: Source, stream: Writable, name: string): Promise<void> {
  let writeError: NodeJS.ErrnoException | null = null;
  const onError = (error: Error): void => {
    writeError ??= error;
  };
  // For good: it is told after whoever writes is.
  stream.on('error', onError);
  for await (const piece of source) {
    await new Promise<void>((resolve) => {
      stream.write(piece, (error) => {
        if (error) onError(error);
        resolve();
      });
    });
    if (writeError !== null) break;
  }
  const failed = writeError as NodeJS.ErrnoException | null;
  // Whoever reads it may have read enough, as `head` does.
  if (failed !== null && failed.code !== 'EPIPE') throw cannotWrite(name, failed);
}

function attempt<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(what: string, cause: unknown): CommandError {
  return new CommandError(`cannot write ${what}: ${(cause as Error).message}`, { cause });
}
