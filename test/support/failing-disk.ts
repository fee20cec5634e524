/** System calls that fail on a daemon's files: failing-disk.c, compiled and preloaded. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'vitest';
import { type Journey, requireTool, runCommand } from './journey-tools.ts';

const SOURCE = new URL('./failing-disk.c', import.meta.url).pathname;

export const ERRNO = { EIO: 5, ENOSPC: 28, EROFS: 30 } as const;

export interface Fault {
  /** @see failing-disk.c */
  readonly call: 'fsync' | 'write' | 'open' | 'short';
  readonly errno: keyof typeof ERRNO;
  /** Of the file's path: `cloudmapd.db-wal`. */
  readonly end: string;
}

export interface FailingDisk {
  /** For the daemon whose calls are to fail. */
  readonly launcher: readonly string[];
  /** From now on these fail. */
  fail(faults: readonly Fault[]): void;
  mend(): void;
  /** How many calls have failed so far. */
  failures(): number;
  /** From now on syncs are noted. @returns the paths of the files that have been synced since, one for each call */
  noteSyncs(): () => string[];
}

/** Skips the test, saying why, where nothing can be preloaded; where gcc is missing under CI, that is a failure. */
export async function makeFailingDisk(context: TestContext, journey: Journey): Promise<FailingDisk> {
  if (process.platform !== 'linux') context.skip('only on Linux is a library preloaded by LD_PRELOAD');
  requireTool(context, 'gcc');
  const library = journey.newPath('failing-disk.so');
  mkdirSync(dirname(library), { recursive: true });
  const compiled = await runCommand('gcc', ['-Wall', '-Werror', '-O1', '-shared', '-fPIC', '-o', library, SOURCE]);
  if (compiled.code !== 0) throw new Error(compiled.stderr);
  const faultsFile = join(dirname(library), 'faults');
  const countFile = `${faultsFile}.count`;
  return {
    launcher: ['env', `LD_PRELOAD=${library}`, `CLOUDMAPD_TEST_FAULTS=${faultsFile}`],
    fail: (faults) => {
      const lines = faults.map(({ call, errno, end }) => `${call} ${ERRNO[errno]} ${end}\n`);
      writeFileSync(`${faultsFile}.new`, lines.join(''));
      // At no moment is there none.
      renameSync(`${faultsFile}.new`, faultsFile);
    },
    mend: () => rmSync(faultsFile, { force: true }),
    noteSyncs: () => {
      const syncsFile = `${faultsFile}.syncs`;
      writeFileSync(syncsFile, '');
      return () => readFileSync(syncsFile, 'utf8').split('\n').slice(0, -1);
    },
    failures: () => (existsSync(countFile) ? statSync(countFile).size : 0),
  };
}
