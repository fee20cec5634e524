/**
 * A file system of a few megabytes in a mount namespace of its own, which is gone with whoever made it: the machine's
 * mounts stay as they are. As root, or in a user namespace where the system lets users make one.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { makeFolder } from './daemon.ts';
import { skipOrFail, TOOL_ENV } from './journey-tools.ts';

const MOUNT = 'mount -t tmpfs -o "size=$1" cloudmapd-test "$0"';
const HOLD = `${MOUNT} && echo ready && exec cat`;
const BALLAST = 'ballast';
const BALLAST_STEPS = [65_536, 4096, 512, 1];

/** The flags of unshare that work here; null: none do. */
function unshareFlags(folder: string): readonly string[] | null {
  const choices = [['--mount'], ['--user', '--map-root-user', '--mount']];
  const tries = (flags: readonly string[]): boolean =>
    spawnSync('unshare', [...flags, 'sh', '-c', MOUNT, folder, '64k'], { stdio: 'ignore', env: TOOL_ENV }).status === 0;
  return choices.find(tries) ?? null;
}

export class SmallDisk {
  /** The folder that it is mounted on, for who was started by the launcher. */
  readonly path: string;
  /** The same folder for everybody else. */
  readonly outside: string;
  /** Executes the command that follows where the file system is mounted. */
  readonly launcher: readonly string[];
  readonly #holder: ChildProcess;
  readonly #folder: ReturnType<typeof makeFolder>;

  private constructor(holder: ChildProcess, flags: readonly string[], folder: ReturnType<typeof makeFolder>) {
    this.#holder = holder;
    this.#folder = folder;
    this.path = folder.path;
    this.outside = `/proc/${holder.pid}/root${folder.path}`;
    const user = flags.includes('--user') ? ['--user', '--preserve-credentials'] : [];
    this.launcher = ['nsenter', '--target', `${holder.pid}`, ...user, '--mount', '--'];
  }

  /** Skips the test, saying why, where nothing can be mounted; under CI that is a failure. */
  static async create(context: TestContext, size: `${number}m`): Promise<SmallDisk> {
    const folder = makeFolder();
    const flags = unshareFlags(folder.path);
    if (flags === null) {
      folder.remove();
      return skipOrFail(context, 'no file system can be mounted here with unshare');
    }
    // It ends with its stdin, and so with this process.
    const holder = spawn('unshare', [...flags, 'sh', '-c', HOLD, folder.path, size], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: TOOL_ENV,
    });
    await once(holder.stdout as NonNullable<typeof holder.stdout>, 'data');
    return new SmallDisk(holder, flags, folder);
  }

  /** Leaves no room at all: what has become free since the last time is taken too. */
  fill(): void {
    const fd = openSync(join(this.outside, BALLAST), 'a');
    try {
      for (const bytes of BALLAST_STEPS) while (writesAll(fd, Buffer.alloc(bytes)));
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(join(this.outside, BALLAST));
  }

  /** @throws Error where something has it open for writing */
  setReadOnly(isReadOnly: boolean): void {
    const [command, ...args] = [...this.launcher, 'mount', '-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, this.path];
    const { status, stderr } = spawnSync(command as string, args, { env: TOOL_ENV, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }

  /** What runs on it has to be stopped before. */
  async close(): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await ended;
    this.#folder.remove();
  }
}

function writesAll(fd: number, bytes: Uint8Array): boolean {
  try {
    return writeSync(fd, bytes) === bytes.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
