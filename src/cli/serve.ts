/** `cloudmapd serve`: the daemon in this process, its start lines on stdout, its end and its reloads by signal. */
import { isatty } from 'node:tty';
import { loadConfiguration, SettingError } from '../config.ts';
import { type Daemon, startDaemon } from '../daemon.ts';
import { ConfigFileError } from '../declared/yaml.ts';
import { createLog } from '../log.ts';
import { tidyAfterStart } from './after-start.ts';
import { EXIT_USAGE } from './exit-codes.ts';
import { startLines } from './start-lines.ts';

/** The process must be gone five seconds after the signal, whatever hangs. */
const STOP_TIMEOUT_MS = 4500;
const STDIN = 0;

export async function serve(
  flags: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  let daemon: Daemon | null = null;
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    // While starting there is nothing in flight; the store is safe against an end at any moment.
    if (daemon === null) process.exit(0);
    setTimeout(() => process.exit(0), STOP_TIMEOUT_MS).unref();
    void daemon.close().then(() => process.exit(0));
  };
  const hadTerminal = isatty(STDIN);
  let isReloadDue = false;
  const hangUp = (): void => {
    if (isStopping) return;
    // The terminal has been closed: whoever started the daemon there is gone.
    if (hadTerminal && !isatty(STDIN)) stop();
    else if (daemon === null) isReloadDue = true;
    else daemon.reload();
  };
  // Beside the entry's own, which does nothing: there is no moment without any, when the signal would end the process.
  process.on('SIGHUP', hangUp);
  // In place of the entry's own handlers.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeAllListeners(signal).on(signal, stop);
  try {
    const configuration = loadConfiguration(flags, env);
    daemon = await startDaemon(configuration, createLog(configuration.settings.log));
  } catch (error) {
    if (!(error instanceof SettingError || error instanceof ConfigFileError)) throw error;
    process.stderr.write(`cloudmapd: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  process.stdout.write(`${startLines(daemon).join('\n')}\n`);
  tidyAfterStart();
  if (isReloadDue) daemon.reload();
}
