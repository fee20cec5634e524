/** The daemon's log: JSON lines on stderr, pretty on a terminal. */
import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR = 2;

/** @param write is given each line in place of stderr; null: none is made */
export function createLog(level: LogLevel, write?: ((line: string) => void) | null): Log {
  if (write !== undefined) {
    return pino({ level: write === null ? 'silent' : level, base: null }, { write: (line) => write?.(line.trimEnd()) });
  }
  // Written at once: what a crash was about must not be lost in a buffer.
  const stream = process.stderr.isTTY ? prettyStream() : pino.destination({ dest: STDERR, sync: true });
  return pino({ level, base: null }, stream);
}

/** Loaded for a terminal alone. */
function prettyStream(): DestinationStream {
  const pretty: typeof import('pino-pretty') = createRequire(import.meta.url)('pino-pretty');
  return pretty({ destination: STDERR, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' });
}
