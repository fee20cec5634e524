/** The system's own list of sockets (Linux). */
import { readFileSync } from 'node:fs';

const LISTENING = '0A';

/** How many sockets are bound to the port, of UDP, and how many listen there, of TCP over IPv4. */
export function socketsAt(port: number): { udp: number; tcp: number } {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = (file: string): string[][] =>
    readFileSync(`/proc/net/${file}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, address = '']) => address.endsWith(local));
  return { udp: rows('udp').length, tcp: rows('tcp').filter(([, , , state]) => state === LISTENING).length };
}
