/** A name server beside cloudmapd: what it serves goes in, a started process comes out. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { RCODE_CODES } from '../../../src/wire/codec.ts';
import { askUdp, buildQuery } from '../../support/dns.ts';
import { sleep } from '../support.ts';

/** Names are absolute, without the ending dot. */
export interface Zone {
  readonly apex: string;
  readonly hosts: readonly Host[];
  readonly srvs: readonly Srv[];
}

export interface Host {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** As Cloud Map makes them: each instance has a record, and its addresses under a name below. */
export interface Srv {
  readonly name: string;
  readonly instances: readonly { id: string; port: number; ipv4: string; ipv6: string }[];
}

export interface Peer {
  readonly name: string;
  /** Null: it comes with the bench. */
  readonly command: string | null;
  /** The Debian package that it is in. */
  readonly debian: string;
  start(zones: readonly Zone[]): Promise<Server>;
}

export interface Server {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly pid: number;
}

export const TTL_SECONDS = 60;

/** @throws Error where the server does not answer in time, or has ended */
export async function whenServing(
  name: string,
  child: ChildProcess,
  port: number,
  zones: readonly Zone[],
): Promise<Server> {
  const server = { name, port, child, pid: child.pid as number };
  for (const { hosts } of zones) {
    const [host] = hosts;
    if (host !== undefined) await untilAnswered(server, host.name);
  }
  return server;
}

const PATIENCE_MS = 60_000;

async function untilAnswered({ name, port, child }: Server, host: string): Promise<void> {
  const query = buildQuery(host, 'A');
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    const reply = await askUdp(port, query, { timeoutMs: 100 }).catch(() => null);
    const rcode = reply === null ? null : reply.readUInt8(3) & 15;
    if (rcode === RCODE_CODES.NOERROR && (reply as Buffer).readUInt16BE(6) > 0) return;
    if (child.exitCode !== null) break;
    await sleep(20);
  }
  throw new Error(`${name} does not answer ${host}`);
}

/** In pieces: a million records do not fit into one string. */
export function writeZoneFile(path: string, zone: Zone): void {
  const file = openSync(path, 'w');
  let text = '';
  for (const line of zoneLines(zone)) {
    text += `${line}\n`;
    if (text.length < 1 << 20) continue;
    writeSync(file, text);
    text = '';
  }
  writeSync(file, text);
  closeSync(file);
}

/** SOA, NS and TTLs as cloudmapd has them. */
function* zoneLines({ apex, hosts, srvs }: Zone): Generator<string> {
  yield `$TTL ${TTL_SECONDS}`;
  yield `${apex}. IN SOA ns.${apex}. hostmaster.${apex}. 1 7200 900 1209600 5`;
  yield `${apex}. IN NS ns.${apex}.`;
  yield `ns.${apex}. IN A 127.0.0.1`;
  for (const { name, addresses } of hosts) for (const address of addresses) yield `${name}. IN A ${address}`;
  for (const { name, instances } of srvs) {
    for (const { id, port, ipv4, ipv6 } of instances) {
      yield `${name}. IN SRV 1 1 ${port} ${id}.${name}.`;
      yield `${id}.${name}. IN A ${ipv4}`;
      yield `${id}.${name}. IN AAAA ${ipv6}`;
    }
  }
}

/** Root's privileges would be given up for a user that need not be there. */
export function asRoot(argument: string): string[] {
  return process.getuid?.() === 0 ? [argument] : [];
}
