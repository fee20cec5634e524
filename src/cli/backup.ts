/** `cloudmapd backup FILE`: a copy of the store's file, which a daemon starts with when it is put in its folder. */
import { CommandError } from './command.ts';
import { download } from './export.ts';
import { withStore } from './folder.ts';
import { identityOf, refuseStoreFile, writeOutput } from './output.ts';
import { startProgress, withProgress } from './progress.ts';
import { findTarget, type TargetFlags } from './target.ts';

/** Owner-only, as it may hold more than everybody on the machine may ask the API for. */
const MODE = 0o600;

export async function backup(file: string, flags: TargetFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const target = await findTarget(flags, env);
  refuseStoreFile(file, target.kind === 'daemon' ? target.info.file : identityOf(target.file));
  const progress = startProgress();
  try {
    if (target.kind === 'daemon') {
      progress.show('the daemon makes the copy');
      return await writeOutput(file, download(target, '/admin/backup', progress, 'copying'), MODE);
    }
    await withStore(target, async (store) => {
      if (store.backup === undefined) throw new CommandError(`${target.file} cannot be copied: export instead`);
      const copy = await store.backup();
      const { size } = await copy.stat();
      await writeOutput(file, withProgress(copy.createReadStream(), progress, 'copying', size), MODE);
    });
  } finally {
    progress.end();
  }
}
