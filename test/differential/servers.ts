/** BIND, NSD and Knot as child processes in the foreground, on a free port and in a folder of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { askUdp, buildQuery, readAnswer } from '../support/dns.ts';
import { absolute } from './zone-file.ts';

export const SERVER_NAMES = ['bind', 'nsd', 'knot'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export const COMMANDS: Readonly<Record<ServerName, string>> = { bind: 'named', nsd: 'nsd', knot: 'knotd' };

export interface ZoneFile {
  /** As Cloud Map has it. */
  readonly zone: string;
  readonly text: string;
}

export interface NameServer {
  readonly name: ServerName;
  readonly port: number;
  stop(): Promise<void>;
}

/** Until a server has to answer; they take a second. */
const PATIENCE_MS = 20_000;

interface Setup {
  readonly folder: string;
  readonly port: number;
  /** Escaped as in zone files, with the file of each. */
  readonly zones: readonly { readonly name: string; readonly file: string }[];
}

/**
 * One thread each, so that a reply to a later query says that an earlier one gets none. No rate limits, cookies or
 * names of the machine; and the daemon's own choices where a server leaves it to its configuration: 1232 octets, no NS
 * records beside answers, addresses beside SRV records, one RRset for ANY, no transfers.
 */
const SETUPS: Readonly<Record<ServerName, (setup: Setup) => { readonly conf: string; readonly args: string[] }>> = {
  bind: ({ folder, port, zones }) => ({
    args: ['-g', '-n', '1', '-c', join(folder, 'conf')],
    conf: `options {
  directory "${folder}"; pid-file none; session-keyfile none; lock-file none;
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; empty-zones-enable no; dnssec-validation no; notify no; allow-transfer { none; };
  minimal-responses no-auth; minimal-any yes; answer-cookie no; version none; hostname none; server-id none;
  edns-udp-size 1232; max-udp-size 1232; nocookie-udp-size 1232;
  zero-no-soa-ttl no; check-names primary ignore; check-integrity no;
};
controls { };
${zones.map(({ name, file }) => `zone "${name}" { type primary; file "${file}"; };`).join('\n')}
`,
  }),
  nsd: ({ folder, port, zones }) => ({
    args: ['-d', '-c', join(folder, 'conf')],
    conf: `server:
  ip-address: 127.0.0.1@${port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: ""
  logfile: "${join(folder, 'log')}"
  xfrdfile: "${join(folder, 'xfrd.state')}"
  xfrdir: "${folder}"
  zonelistfile: "${join(folder, 'zone.list')}"
  zonefiles-write: 0
  ipv4-edns-size: 1232
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  hide-version: yes
  hide-identity: yes
  tcp-count: 200
remote-control:
  control-enable: no
${zones.map(({ name, file }) => `zone:\n  name: "${name}"\n  zonefile: "${file}"`).join('\n')}
`,
  }),
  knot: ({ folder, port, zones }) => ({
    args: ['-c', join(folder, 'conf')],
    conf: `server:
  rundir: "${folder}"
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  udp-max-payload: 1232
  identity: ""
  version: ""
  nsid: ""
log:
  - target: stderr
    any: info
database:
  storage: "${folder}"
template:
  - id: default
    storage: "${folder}"
    semantic-checks: off
    journal-content: none
    zonefile-sync: -1
zone:
${zones.map(({ name, file }) => `  - domain: "${name}"\n    file: "${file}"`).join('\n')}
`,
  }),
};

/** @throws Error with what the server said where it does not come to serve every zone */
export async function startServer(name: ServerName, parent: string, files: readonly ZoneFile[]): Promise<NameServer> {
  const folder = join(parent, name);
  mkdirSync(folder);
  const zones = files.map(({ zone }, i) => ({ name: absolute(zone), file: `${i}.zone` }));
  files.forEach(({ text }, i) => {
    writeFileSync(join(folder, `${i}.zone`), text);
  });
  const port = await freePort();
  const { conf, args } = SETUPS[name]({ folder, port, zones });
  writeFileSync(join(folder, 'conf'), conf);
  const child = spawn(COMMANDS[name], args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const note = (chunk: Buffer): void => {
    said += chunk;
  };
  child.stdout.on('data', note);
  child.stderr.on('data', note);
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  const stop = (): Promise<void> => end(child, exited);
  try {
    await untilServing(port, files, () => child.exitCode === null && child.pid !== undefined);
  } catch (error) {
    await stop();
    throw new Error(`${name} does not serve: ${said}`, { cause: error });
  }
  return { name, port, stop };
}

/** SIGTERM, which NSD's parent hands on to the processes that it forked. */
async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  await exited;
}

async function untilServing(port: number, files: readonly ZoneFile[], isAlive: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (const { zone } of files) {
    for (;;) {
      const reply = await askUdp(port, buildQuery(zone, 'SOA'), { timeoutMs: 100 }).catch(() => null);
      const told = reply === null ? null : readAnswer(reply);
      // The longest zones' SOA does not fit.
      if (told?.answer.length === 1 || told?.tc) break;
      if (!isAlive()) throw new Error('it has ended');
      if (Date.now() > deadline) throw new Error(`the zone ${zone} is answered with ${told?.rcode ?? 'nothing'}`);
    }
  }
}

/** A port of loopback that is free for UDP and TCP. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const socket = createSocket('udp4');
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise<void>((resolve) => socket.close(resolve));
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}
