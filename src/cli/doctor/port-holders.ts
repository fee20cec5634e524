/** Who holds a port of this machine, as /proc tells on Linux (proc(5)). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Holder {
  readonly transport: 'UDP' | 'TCP';
  /** Text form; `0.0.0.0` or `::`: all of them. */
  readonly address: string;
  readonly port: number;
  /** Null: another user's, which only root may look at. */
  readonly process: {
    readonly pid: number;
    /** Of its program, without the folder. */
    readonly name: string;
    readonly command: string;
  } | null;
}

const TABLES = [
  { file: 'udp', transport: 'UDP' },
  { file: 'udp6', transport: 'UDP' },
  { file: 'tcp', transport: 'TCP' },
  { file: 'tcp6', transport: 'TCP' },
] as const;
/** Of sockets that take what comes: TCP_LISTEN, and TCP_CLOSE, which is that of UDP without a peer. */
const STATES = { TCP: '0A', UDP: '07' } as const;
const MAX_COMMAND = 120;

/**
 * @param folder where proc is mounted
 * @returns null: this system has no such thing
 */
export function findHolders(ports: ReadonlySet<number>, folder = '/proc'): Holder[] | null {
  const found: (Omit<Holder, 'process'> & { readonly inode: string })[] = [];
  let hasTables = false;
  for (const { file, transport } of TABLES) {
    const text = readOrNull(join(folder, 'self/net', file));
    if (text === null) continue;
    hasTables = true;
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [hex = '', portHex = ''] = local.split(':');
      const port = Number.parseInt(portHex, 16);
      if (state === STATES[transport] && ports.has(port))
        found.push({ transport, address: addressOf(hex), port, inode });
    }
  }
  if (!hasTables) return null;
  const owners = found.length === 0 ? new Map() : ownersOf(new Set(found.map(({ inode }) => inode)), folder);
  return found.map(({ inode, ...holder }) => ({ ...holder, process: owners.get(inode) ?? null }));
}

/** Ports of no privilege that may be had in place of one. */
export function alternativePorts(port: number): number[] {
  return [10_000, 20_000, -10_000, -20_000].map((by) => port + by).filter((each) => each >= 1024 && each <= 65_535);
}

/** Words of 32 bits, each in the machine's order of octets, which is that of all machines that we run on: lowest first. */
function addressOf(hex: string): string {
  const octets = Buffer.from(hex, 'hex');
  octets.swap32();
  if (octets.length === 4) return octets.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(2 * i).toString(16));
  // As everybody writes it (RFC 5952).
  return new URL(`http://[${groups.join(':')}]/`).hostname.replace(/^\[|\]$/g, '');
}

/** Every process's descriptors are looked through, as nothing leads from a socket to who has it. */
function ownersOf(inodes: ReadonlySet<string>, folder: string): Map<string, NonNullable<Holder['process']>> {
  const owners = new Map<string, NonNullable<Holder['process']>>();
  for (const pid of namesIn(folder).filter((name) => /^\d+$/.test(name))) {
    const descriptors = join(folder, pid, 'fd');
    for (const descriptor of namesIn(descriptors)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(join(descriptors, descriptor)))?.[1];
      if (inode === undefined || !inodes.has(inode) || owners.has(inode)) continue;
      const line = readOrNull(join(folder, pid, 'cmdline')) ?? '';
      // The system's own name for it may be that of a thread, and has fifteen octets at most.
      const name = basename(line.split('\0', 1)[0] as string) || (readOrNull(join(folder, pid, 'comm')) ?? '').trim();
      const command = line.replaceAll('\0', ' ').trim().slice(0, MAX_COMMAND);
      owners.set(inode, { pid: Number(pid), name, command: command || name });
    }
  }
  return owners;
}

/** Nothing of another user's, and of a process that has ended meanwhile. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
