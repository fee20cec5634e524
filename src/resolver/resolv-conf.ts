/** The system's own resolvers, as resolv.conf(5) names them, followed as the file changes. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Address } from './upstreams.ts';

const DNS_PORT = 53;
/** The file is looked at so often; a network that changes rewrites it, or puts another in its place. */
const WATCH_INTERVAL_MS = 1000;

/** Nameservers in their order, IPv6 ones with their zone; none where there is no such file. */
export function readResolvConf(file: string): Address[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // The system then has no resolver that it could name.
    return [];
  }
  const found: Address[] = [];
  for (const line of text.split('\n')) {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    if (address === undefined || isIP(address.split('%', 1)[0] as string) === 0) continue;
    if (!found.some((other) => other.address === address)) found.push({ address, port: DNS_PORT });
  }
  return found;
}

/**
 * @param known what the file was read to name before; a change since then counts
 * @param onChange told when the file names other servers. @returns stops
 */
export function watchResolvConf(
  file: string,
  known: readonly Address[],
  onChange: (servers: Address[]) => void,
): () => void {
  let before = JSON.stringify(known);
  // Its content, not its time: what replaces it may be older, and reading it takes microseconds.
  const timer = setInterval(() => {
    const servers = readResolvConf(file);
    const now = JSON.stringify(servers);
    if (now === before) return;
    before = now;
    onChange(servers);
  }, WATCH_INTERVAL_MS).unref();
  return () => clearInterval(timer);
}
