/** What a command writes: a file that is there whole or not at all, or stdout. */
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, realpathSync, renameSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileIdentity } from '../admin/info.ts';
import { CommandError, undoAtSignal } from './command.ts';

/**
 * @param path null: stdout
 * @param mode of a new file, before the umask
 * @throws CommandError where it cannot be written to, and then a file is as it was; what reading the source throws
 */
export async function writeOutput(path: string | null, source: Source, mode: number): Promise<void> {
  if (path === null) return writeToStdout(source);
  let part: string | null = null;
  const discard = (): void => {
    if (part !== null) rmSync(part, { force: true });
  };
  const forget = undoAtSignal(discard);
  let writeError: NodeJS.ErrnoException | null = null;
  try {
    const found = statOf(path);
    // A device or a pipe is written to, not replaced; a link goes on leading to its file.
    const isReplaced = found === null || found.isFile();
    const target = found === null ? resolve(path) : realpathSync(path);
    const written = isReplaced ? join(dirname(target), `.cloudmapd-${randomBytes(8).toString('hex')}.part`) : target;
    const stream = createWriteStream(written, {
      flags: isReplaced ? 'wx' : 'w',
      mode: found?.isFile() ? found.mode & 0o777 : mode,
      // Synced, so that what takes the place of an older file is there after a power failure too.
      flush: isReplaced,
    });
    stream.once('open', () => {
      if (isReplaced) part = written;
    });
    stream.once('error', (error: NodeJS.ErrnoException) => {
      // What the source fails with is told to the stream too.
      if (error.syscall !== undefined) writeError = error;
    });
    await pipeline(source, stream);
    if (isReplaced) renameSync(written, target);
  } catch (error) {
    discard();
    const { syscall } = error as NodeJS.ErrnoException;
    if (error === writeError || ['rename', 'realpath'].includes(syscall ?? '')) {
      throw new CommandError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
    throw error;
  } finally {
    forget();
  }
}

export type Source = AsyncIterable<string | Uint8Array>;

/**
 * A store's own file is not to be replaced: a daemon would go on in one that has no name any more, and a write-ahead
 * log that lies beside would be read into another database.
 * @param identity of the store that is read
 */
export function refuseStoreFile(path: string, identity: string | null): void {
  const found = statOf(path);
  if (found === null || !found.isFile()) return;
  const target = realpathSync(path);
  const isBeside =
    fileIdentity(join(dirname(target), STORE_FILE)) === identity && basename(target).startsWith(STORE_STEM);
  if ((identity !== null && (fileIdentity(target) === identity || isBeside)) || existsSync(`${target}-wal`)) {
    throw new CommandError(`${path} is a file of a store that is in use: choose another one`);
  }
}

const STORE_FILE = 'cloudmapd.db';
const STORE_STEM = 'cloudmapd.';

function statOf(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (cause) {
    throw new CommandError(`cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Whoever reads it may have read enough, as `head` does. */
async function writeToStdout(source: Source): Promise<void> {
  try {
    await pipeline(source, process.stdout, { end: false });
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') return;
    if (syscall === 'write') throw new CommandError(`cannot write to stdout: ${message}`, { cause: error });
    throw error;
  }
}
