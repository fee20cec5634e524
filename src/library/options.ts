/** What a program gives to `start`, as the daemon's configuration. */

import { type Configuration, givenConfiguration, loadConfiguration, SETTING_KEYS, SettingError } from '../config.ts';
import { givenValue } from '../declared/yaml.ts';
import type { StartOptions } from './index.cjs';
import type { GivenOptions } from './protocol.ts';

const OPTIONS: readonly string[] = ['config', 'seed', 'settings', 'log'] satisfies (keyof StartOptions)[];

/** Nobody else's ports, and nothing on disk. */
const OWN: Readonly<Record<string, string>> = {
  http: '127.0.0.1:0',
  dns: '127.0.0.1:0',
  store: 'memory',
  faults: 'true',
};

/** @throws SettingError, ConfigFileError */
export function readOptions(options: GivenOptions): Configuration {
  for (const key of Object.keys(options)) {
    if (!OPTIONS.includes(key)) throw new SettingError(`"${key}" is no option of start(): ${OPTIONS.join(', ')} are`);
  }
  const { config, seed, settings = {} } = options;
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
function asText(settings: NonNullable<StartOptions['settings']>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(settings)) {
    if (!(SETTING_KEYS as readonly string[]).includes(key)) throw new SettingError(`settings: "${key}" is no setting`);
    if (value !== undefined) texts[key] = Array.isArray(value) ? value.join(',') : String(value);
  }
  return texts;
}

/** A member of `undefined` is one that was left out. */
function withoutUndefined(config: object): object {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
