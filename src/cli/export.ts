/** `cloudmapd export`: everything, as the YAML that declares it or as the JSON that brings it back exactly. */

import type { ExportFormat } from '../transfer/export.ts';
import { CommandError } from './command.ts';
import { ask, lost, readProblem } from './daemon-client.ts';
import { withRegistry } from './folder.ts';
import { identityOf, refuseStoreFile, writeOutput } from './output.ts';
import { type Progress, startProgress, withProgress } from './progress.ts';
import { type DaemonTarget, findTarget, type TargetFlags } from './target.ts';

export interface ExportFlags extends TargetFlags {
  readonly format: ExportFormat;
  /** Absent: stdout. */
  readonly output?: string;
}

const MODE = 0o666;

export async function exportContent(flags: ExportFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const { format, output = null } = flags;
  const target = await findTarget(flags, env);
  if (output !== null) {
    refuseStoreFile(output, target.kind === 'daemon' ? target.info.file : identityOf(target.file));
  }
  // A terminal that shows what is exported shows how far it is.
  const progress = startProgress(output !== null || !process.stdout.isTTY);
  try {
    if (target.kind === 'daemon') {
      return await writeOutput(output, download(target, `/admin/export?format=${format}`, progress, 'exporting'), MODE);
    }
    const { exportText } = await import('../transfer/export.ts');
    await withRegistry(target, (registry) => {
      const pieces = withTurns(exportText(registry, format));
      return writeOutput(output, withProgress(pieces, progress, 'exporting', null), MODE);
    });
  } finally {
    progress.end();
  }
}

/** What the daemon sends, to its very end. @param what is under way, for people @throws CommandError, also where it ends too early */
export async function* download(
  { endpoint }: DaemonTarget,
  path: string,
  progress: Progress,
  what: string,
): AsyncGenerator<string | Uint8Array> {
  const response = await ask(endpoint, 'GET', path);
  if (response.statusCode !== 200) {
    const { error } = await readProblem(endpoint, response);
    throw new CommandError(`the daemon at ${endpoint.href} says: ${error}`);
  }
  try {
    const total = Number(response.headers['content-length']) || null;
    yield* withProgress(response, progress, what, total);
  } catch (error) {
    throw lost(endpoint, error);
  }
}

/** Signals get theirs between the pieces. */
async function* withTurns(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
