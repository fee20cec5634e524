/** Where a command does its work: in the daemon that runs, or in a data folder that no daemon holds. */
import type { Info } from '../admin/info.ts';
import { type Configuration, loadConfiguration } from '../config.ts';
import { storeFile } from '../store/open.ts';
import { CommandError, UsageError } from './command.ts';
import { askInfo, parseEndpoint, unreachable } from './daemon-client.ts';
import { identityOf } from './output.ts';

export const DEFAULT_ENDPOINT = 'http://127.0.0.1:8053';

export interface TargetFlags {
  readonly endpoint?: string;
  readonly dataDir?: string;
  readonly config?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

export interface DaemonTarget {
  readonly kind: 'daemon';
  readonly endpoint: URL;
  readonly info: Info;
}

export interface FolderTarget {
  readonly kind: 'folder';
  readonly configuration: Configuration;
  /** The store's. */
  readonly file: string;
  /** Whether there is one already. */
  readonly exists: boolean;
  /** Why the daemon that was looked for does not do it, in a few words. */
  readonly why: string;
}

export type Target = DaemonTarget | FolderTarget;

/** By flag or by CLOUDMAPD_ENDPOINT; null: none. The text says which, for messages. @throws UsageError */
export function givenEndpoint(
  { endpoint }: { readonly endpoint?: string },
  env: Env,
): { readonly endpoint: URL; readonly text: string } | null {
  const source = endpoint === undefined ? 'CLOUDMAPD_ENDPOINT' : '--endpoint';
  const given = endpoint ?? (env.CLOUDMAPD_ENDPOINT || undefined);
  return given === undefined ? null : { endpoint: parseEndpoint(given, source), text: `${source} ${given}` };
}

/**
 * An endpoint that is given is asked, and nothing else; a folder beside it by flag has to be the one that is held
 * there, as it would be read or filled in vain for another's. Otherwise the default one does the work, if it holds the folder
 * that is given or none is; and otherwise the command itself, in the folder.
 * @param mayCreate a store that is not there yet, in a folder that was given
 * @throws CommandError, UsageError, SettingError, ConfigFileError
 */
export async function findTarget(flags: TargetFlags, env: Env, mayCreate = false): Promise<Target> {
  const given = givenEndpoint(flags, env);
  if (given !== null) {
    const { endpoint, text } = given;
    const info = await askInfo(endpoint);
    if (typeof info === 'string') throw unreachable(endpoint, info);
    if (flags.dataDir !== undefined) refuseOtherFolder(flags.dataDir, info, text);
    return { kind: 'daemon', endpoint, info };
  }
  const { dataDir, config } = flags;
  const configuration = loadConfiguration({ dataDir, config }, env);
  const { settings, yaml } = configuration;
  const isFolderGiven =
    dataDir !== undefined || Boolean(env.CLOUDMAPD_DATA_DIR) || Object.hasOwn(Object(yaml?.value), 'dataDir');
  const file = storeFile(settings.store, settings.dataDir);
  const identity = file === null ? null : identityOf(file);
  const endpoint = new URL(DEFAULT_ENDPOINT);
  const info = await askInfo(endpoint);
  if (typeof info !== 'string' && (!isFolderGiven || (identity !== null && info.file === identity))) {
    return { kind: 'daemon', endpoint, info };
  }
  const why =
    typeof info === 'string'
      ? `no cloudmapd answers at ${DEFAULT_ENDPOINT} (${info})`
      : `the cloudmapd at ${DEFAULT_ENDPOINT} holds ${info.dataDir === null ? 'no folder' : 'another folder'}`;
  if (file === null) throw new CommandError(`${why}, and a store of the kind "${settings.store}" is in no file`);
  if (identity === null && !(mayCreate && isFolderGiven)) {
    throw new CommandError(`${why}, and there is no ${file}: name the one that is meant with --endpoint or --data-dir`);
  }
  return { kind: 'folder', configuration, file, exists: identity !== null, why };
}

/** What is asked and what is named are two stores: either may be the one that is meant. @throws UsageError */
function refuseOtherFolder(dataDir: string, info: Info, asked: string): void {
  const { settings } = loadConfiguration({ dataDir }, {});
  const file = storeFile('sqlite', settings.dataDir);
  const identity = file === null ? null : identityOf(file);
  if (identity !== null && identity === info.file) return;
  const held = info.dataDir ?? 'no folder';
  throw new UsageError(`${asked} holds ${held}, and not --data-dir ${dataDir}: name the one that is meant alone`);
}
