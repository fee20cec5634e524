/**
 * The thread that a program's daemon runs in: told what to start when it is made, then what to do, call by call. What
 * the program does to its own thread, such as blocking it or faking its timers, is not felt here.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Fault, StartOptions } from '../library/index.cjs';
import { type Configuration, givenConfiguration, loadConfiguration, SETTING_KEYS, SettingError } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { givenValue } from './declared/yaml.ts';
import type { CallName, FromDaemon, GivenOptions, Started, ToDaemon } from './library-protocol.ts';
import { createLog } from './log.ts';

const port = parentPort;
if (port === null) throw new Error('library-thread.ts runs as a worker thread only');
const tell = (message: FromDaemon): void => port.postMessage(message);

const OPTIONS: readonly string[] = ['config', 'seed', 'settings', 'log'] satisfies (keyof StartOptions)[];

/** Nobody else's ports, and nothing on disk. */
const OWN: Readonly<Record<string, string>> = {
  http: '127.0.0.1:0',
  dns: '127.0.0.1:0',
  store: 'memory',
  faults: 'true',
};

let daemon: Daemon | null = null;
try {
  const configuration = readOptions(workerData as GivenOptions);
  const write = (line: string): void => tell({ kind: 'log', line });
  const { log } = workerData as GivenOptions;
  daemon = await startDaemon(configuration, createLog(configuration.settings.log, log === true ? write : null));
  tell({ kind: 'started', ...startedOf(daemon) });
  serve(daemon);
} catch (error) {
  tell({ kind: 'failed', ...errorOf(error) });
  port.close();
}

function startedOf({ http, publisher }: Daemon): Started {
  const [dns = { address: '', port: 0 }] = publisher.addresses;
  return { endpoint: `http://${http[0]}`, dns: { address: dns.address, port: dns.port } };
}

function serve(daemon: Daemon): void {
  const { faults } = daemon;
  const calls: Record<CallName, (argument: unknown) => unknown> = {
    reset: () => daemon.reset(),
    'add-fault': (fault) => faults.add(fault as Fault),
    'list-faults': () => faults.list(),
    'remove-fault': (id) => faults.remove(String(id)),
    'clear-faults': () => faults.clear(),
    close: () => daemon.close(),
  };
  port?.on('message', async ({ id, call, argument }: ToDaemon) => {
    try {
      tell({ kind: 'done', id, result: await calls[call](argument) });
    } catch (error) {
      tell({ kind: 'refused', id, ...errorOf(error) });
    }
    if (call === 'close') port?.close();
  });
}

function errorOf(error: unknown): { name: string; message: string } {
  const { name, message } = error as Error;
  return { name, message };
}

/** @throws SettingError, ConfigFileError */
function readOptions(options: GivenOptions): Configuration {
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
