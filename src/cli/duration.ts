/** Durations of flags, such as `60s`. */
import { UsageError } from './command.ts';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
/** More than a timer takes is some 24 days. */
const MOST_MS = 2 ** 31 - 1;

/** @param text with its unit; without one seconds @param flag for the message @returns ms @throws UsageError */
export function readDuration(text: string, flag: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const durationMs = Number(number) * UNITS[unit as keyof typeof UNITS];
  if (number === '' || durationMs > MOST_MS) throw new UsageError(`${flag}: "${text}" is no duration such as 60s`);
  return durationMs;
}
