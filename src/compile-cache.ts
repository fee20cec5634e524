/** Compiled modules, kept from start to start: most of what a start does is compiling the same ones again. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/**
 * Has Node keep what it compiles in `$XDG_CACHE_HOME/cloudmapd` or `~/.cache/cloudmapd`, for this user alone: what is
 * read from there is run, and Node's own default is a folder below the temporary one, which whoever comes first makes
 * for everybody. Where there is no such folder to be had, each start compiles anew. NODE_COMPILE_CACHE and
 * NODE_DISABLE_COMPILE_CACHE win, as with Node.
 */
export function keepCompiled(env: NodeJS.ProcessEnv): void {
  if (env.NODE_COMPILE_CACHE || env.NODE_DISABLE_COMPILE_CACHE) return;
  const folder = ownFolder(env);
  if (folder === null || enableCompileCache(folder).directory === undefined) return;
  // Threads have it from the environment.
  env.NODE_COMPILE_CACHE = folder;
}

/** Null: there is none that is this user's alone. */
function ownFolder({ XDG_CACHE_HOME = '' }: NodeJS.ProcessEnv): string | null {
  try {
    const caches = isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache');
    const folder = join(caches, 'cloudmapd');
    // Under sudo the home may still be another user's, who is to find nothing of ours there. Not recursively: a home
    // that does not exist is not to be made.
    if (!isOwn(existsSync(caches) ? caches : dirname(caches))) return null;
    for (const path of [caches, folder]) if (!existsSync(path)) mkdirSync(path, 0o700);
    return isOwn(folder) && (statSync(folder).mode & 0o022) === 0 ? folder : null;
  } catch {
    // No home, or one that is read-only, as in many containers.
    return null;
  }
}

function isOwn(path: string): boolean {
  return statSync(path).uid === process.getuid?.();
}
