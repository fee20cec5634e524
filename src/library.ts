/** The daemon in a program's own process, for its tests: what `library/index.cjs` has loaded, and its types describe. */
import type { Cloudmapd, Config, Fault, Settings, StartOptions } from '../library/index.cjs';
import { type Configuration, givenConfiguration, loadConfiguration, SETTING_KEYS, SettingError } from './config.ts';
import { givenValue } from './declared/yaml.ts';
import { createLog } from './log.ts';

const OPTIONS: readonly string[] = ['config', 'seed', 'settings', 'log'] satisfies (keyof StartOptions)[];

/** Nobody else's ports, and nothing on disk. */
const OWN: Readonly<Record<string, string>> = {
  http: '127.0.0.1:0',
  dns: '127.0.0.1:0',
  store: 'memory',
  faults: 'true',
};

/** @throws SettingError, ConfigFileError; then nothing is left running */
export async function start(options: StartOptions = {}): Promise<Cloudmapd> {
  for (const key of Object.keys(options)) {
    if (!OPTIONS.includes(key)) throw new SettingError(`"${key}" is no option of start(): ${OPTIONS.join(', ')} are`);
  }
  const configuration = readOptions(options);
  const { log } = options;
  const { startDaemon } = await import('./daemon.ts');
  const daemon = await startDaemon(configuration, createLog(configuration.settings.log, log ?? null));
  const [dns = { address: '', port: 0 }] = daemon.publisher.addresses;
  let closing: Promise<void> | null = null;
  return {
    endpoint: `http://${daemon.http[0]}`,
    dns: { address: dns.address, port: dns.port },
    reset: async () => void (await daemon.reset()),
    faults: {
      add: (fault) => daemon.faults.add(fault),
      list: () =>
        daemon.faults.list().map(({ until, ...fault }) => ({
          ...(fault as Fault & { id: string }),
          until: until === null ? null : new Date(until),
        })),
      remove: (id) => daemon.faults.remove(id),
      clear: async () => void (await daemon.faults.clear()),
    },
    close: () => {
      closing ??= daemon.close();
      return closing;
    },
  };
}

function readOptions({ config, seed, settings = {} }: StartOptions): Configuration {
  const given = { ...OWN, ...(seed === undefined ? {} : { seed: String(seed) }), ...asText(settings) };
  try {
    if (typeof config === 'string') return loadConfiguration({ ...given, config }, {});
    return givenConfiguration(given, config === undefined ? null : givenValue('config', withoutUndefined(config)));
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    // Of a flag, as which it was read.
    const message = error.message.replace(/^--([a-z0-9-]+)/, (_, flag: string) => camelCase(flag));
    throw new SettingError(message, { cause: error.cause });
  }
}

function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** As flags have them. */
function asText(settings: Settings): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(settings)) {
    if (!(SETTING_KEYS as readonly string[]).includes(key)) throw new SettingError(`settings: "${key}" is no setting`);
    if (value !== undefined) texts[key] = Array.isArray(value) ? value.join(',') : String(value);
  }
  return texts;
}

/** A member of `undefined` is one that was left out. */
function withoutUndefined(config: Config): object {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
