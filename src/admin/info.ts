/** `GET /admin/info`: which daemon this is, for commands that look for the one that holds a folder. */
import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { readVersion } from '../version.ts';

export interface Info {
  readonly version: string;
  readonly pid: number;
  /** As CLOUDMAPD_STORE has it. */
  readonly store: string;
  /** Absolute, without links; null where the store has none, or none yet. */
  readonly dataDir: string | null;
  /** `<device>:<inode>` of the store's file, as a path says little across containers; null without one. */
  readonly file: string | null;
}

/**
 * @param store its kind
 * @param file the store's; null: it has none. It is never opened here: closing it would drop the store's locks.
 */
export function registerInfo(app: FastifyInstance, store: string, file: string | null): void {
  const about = { version: readVersion(), pid: process.pid, store };
  app.get('/admin/info', async (): Promise<Info> => {
    if (file === null) return { ...about, dataDir: null, file: null };
    return { ...about, dataDir: realPath(dirname(file)), file: fileIdentity(file) };
  });
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** `<device>:<inode>`; null: there is no such file. */
export function fileIdentity(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}
