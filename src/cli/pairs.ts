/** `KEY=VALUE` of flags that may be given more than once. */
import { UsageError } from './command.ts';

/** @param flag for the message @throws UsageError where one is no pair, or a key comes twice */
export function readPairs(pairs: readonly string[] | undefined, flag: string): Record<string, string> {
  const read = new Map<string, string>();
  for (const pair of pairs ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`${flag}: "${pair}" is no KEY=VALUE`);
    const key = pair.slice(0, at);
    if (read.has(key)) throw new UsageError(`${flag}: ${key} is given twice`);
    read.set(key, pair.slice(at + 1));
  }
  return Object.fromEntries(read);
}
