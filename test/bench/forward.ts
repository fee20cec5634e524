/**
 * `forward`: cloudmapd, dnsmasq and unbound (Debian's) as forwarders in front of one NSD; the figure is the forwarder's
 * own CPU time per answer, the NSD's is nobody's. `cached` asks 1,000 names that were asked before; `uncached` asks no
 * name twice.
 *
 * The forwarder under test has its core to itself (the others idle, as nobody asks them). The NSD shares the other one
 * with dnsperf: beside the forwarder it would take turns with it, and what it does to the core's caches would be on the
 * forwarder's bill. Together the two cost some 20 us an answer, which bounds the rate of `uncached` near 50,000.
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costRows, type Figure, FULL_LOAD, measure, runDnsperf } from './dnsperf.ts';
import { SERVE } from './peers/cloudmapd.ts';
import { asRoot } from './peers/peer.ts';
import { type BenchOptions, CLOUDMAPD, type Section } from './report.ts';
import { CLIENT_CORE, cpuSeconds, folder, isInstalled, makeHome, startOn, startPinned } from './support.ts';

const NAMES = 1000;
/** Of a second of `uncached`: more than any of them answers in it. */
const FRESH_NAMES = 100_000;
/** Fewer, as they wait in the NSD's buffer too while dnsperf has the core. */
const UNCACHED_OUTSTANDING = 100;
const NSD_PORT = 15310;

interface Peer {
  readonly name: string;
  readonly command: string;
  /** The Debian package that it is in. */
  readonly debian: string;
  readonly port: number;
  /** Whether its cache has room for the names of `cached`. */
  readonly isCaching: boolean;
  start(): Promise<ChildProcess>;
}

type Started = Peer & { readonly pid: number };

export async function benchForward({ isQuick }: BenchOptions): Promise<Section[]> {
  const [rounds, seconds] = isQuick ? [3, 0.5] : [3, 3];
  const title = `${NAMES} names x 3 A over UDP in front of one NSD, ${rounds} rounds of ${seconds} s; in brackets cloudmapd's cost as a part of it`;
  const missing = ['dnsperf', 'nsd'].filter((command) => !isInstalled(command));
  if (missing.length > 0) {
    const note = `left out, ${missing.join(' and ')} not installed (Debian: apt-get install dnsperf nsd)`;
    return [{ bench: 'forward', title, rows: [], notes: [note] }];
  }
  const all = [cloudmapd(), dnsmasq(15312, 10_000), dnsmasq(15313, 150), unbound()];
  const nsdPid = (await startNsd()).pid as number;
  const peers: Started[] = [];
  const notes: string[] = [];
  for (const peer of all) {
    if (isInstalled(peer.command)) peers.push({ ...peer, pid: (await peer.start()).pid as number });
    else notes.push(`${peer.name} left out, it is not installed (Debian: apt-get install ${peer.debian})`);
  }

  const known = writeQueries('known', NAMES, (i) => `c${i}`);
  const fresh = Array.from({ length: rounds + 1 }, (_, round) => {
    return writeQueries(`fresh-${round}`, FRESH_NAMES * seconds, (i) => `u${round}-${i}`);
  });
  const caching = peers.filter((peer) => peer.isCaching);
  const cached = new Map<string, Figure[]>(caching.map(({ name }) => [name, []]));
  const uncached = new Map<string, Figure[]>(peers.map(({ name }) => [name, []]));
  const asksAgain = new Set<string>();
  // The first round is not counted: code is still being compiled.
  for (let round = 0; round <= rounds; round++) {
    for (const { name, pid, port } of caching) {
      runDnsperf(port, { queries: known, seconds, outstanding: UNCACHED_OUTSTANDING, isAskedOnce: true });
      const before = cpuSeconds(nsdPid);
      const figure = measure(pid, port, { queries: known, seconds, outstanding: FULL_LOAD });
      if (round > 0) cached.get(name)?.push(figure);
      // A tenth of a microsecond for an answer is an NSD that sleeps; a query costs it some five.
      if ((cpuSeconds(nsdPid) - before) * 1e6 > figure.answers * 0.1) asksAgain.add(name);
    }
    for (const { name, pid, port } of peers) {
      const queries = fresh[round] as string;
      const load = { queries, seconds, outstanding: UNCACHED_OUTSTANDING, isAskedOnce: true };
      const figure = measure(pid, port, load);
      if (round > 0) uncached.get(name)?.push(figure);
    }
  }
  for (const name of asksAgain) notes.push(`${name} asks the NSD again for names that it was asked before`);
  const parts = [costRows('cached', cached, null), costRows('uncached, each name once', uncached, null)];
  const rows = parts.flatMap((part) => part.rows);
  return [{ bench: 'forward', title, rows, notes: [...notes, ...parts.flatMap((part) => part.notes)] }];
}

function writeQueries(file: string, count: number, label: (i: number) => string): string {
  const path = join(folder, file);
  writeFileSync(path, Array.from({ length: count }, (_, i) => `${label(i)}.bench.example A\n`).join(''));
  return path;
}

function startNsd(): Promise<ChildProcess> {
  const home = makeHome('forward-nsd');
  const records = Array.from({ length: NAMES }, (_, i) =>
    [0, 1, 2].map((n) => `c${i}.bench.example. 3600 IN A 10.${n}.${i >> 8}.${i & 255}\n`).join(''),
  );
  const soa = 'bench.example. 3600 IN SOA ns.bench.example. h.bench.example. 1 3600 600 86400 300\n';
  const apex = 'bench.example. 3600 IN NS ns.bench.example.\nns.bench.example. 3600 IN A 127.0.0.1\n';
  writeFileSync(join(home, 'zone'), `${soa}${apex}*.bench.example. 300 IN A 10.9.9.9\n${records.join('')}`);
  const config = join(home, 'nsd.conf');
  // Debian's NSD limits the rate at which one client gets answers of one kind, which is all a wildcard's.
  writeFileSync(
    config,
    `server:\n  ip-address: 127.0.0.1\n  port: ${NSD_PORT}\n  server-count: 1\n  rrl-ratelimit: 0\n  username: ""\n  zonesdir: "${home}"\n  pidfile: ""\n  database: ""\n  xfrdir: "${home}"\n  xfrdfile: ""\n  zonelistfile: "${home}/zones"\nremote-control:\n  control-enable: no\nzone:\n  name: bench.example\n  zonefile: zone\n`,
  );
  return startOn(CLIENT_CORE, 'nsd', ['-d', '-c', config], 'nsd started');
}

function cloudmapd(): Peer {
  return {
    name: CLOUDMAPD,
    command: process.execPath,
    debian: 'none',
    port: 15311,
    isCaching: true,
    start: () =>
      startPinned(process.execPath, SERVE, 'cloudmapd is ready', {
        CLOUDMAPD_HTTP: '127.0.0.1:0',
        CLOUDMAPD_DNS: '127.0.0.1:15311',
        CLOUDMAPD_STORE: 'memory',
        CLOUDMAPD_UPSTREAMS: `127.0.0.1:${NSD_PORT}`,
      }),
  };
}

/**
 * Once its cache is full of records that have not expired, it walks the whole of it for each one that it adds: a large
 * cache costs it ten times as much in `uncached` as the 150 records of its default, which are too few for `cached`.
 */
function dnsmasq(port: number, cacheSize: number): Peer {
  const args = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file=',
    '--log-facility=-',
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    `--port=${port}`,
    '--no-hosts',
    '--no-resolv',
    `--server=127.0.0.1#${NSD_PORT}`,
    `--cache-size=${cacheSize}`,
    // By default 150 at once.
    '--dns-forward-max=2000',
  ];
  return {
    name: `dnsmasq, cache of ${cacheSize}`,
    command: 'dnsmasq',
    debian: 'dnsmasq-base',
    port,
    isCaching: cacheSize > 3 * NAMES,
    start: () => startPinned('dnsmasq', [...args, ...asRoot('--user=root')], 'started, version', {}),
  };
}

/** Its caches together are as large as cloudmapd's by default. */
function unbound(): Peer {
  const home = makeHome('forward-unbound');
  const config = join(home, 'unbound.conf');
  writeFileSync(
    config,
    `server:\n  interface: 127.0.0.1@15314\n  num-threads: 1\n  module-config: "iterator"\n  msg-cache-size: 8m\n  rrset-cache-size: 8m\n  do-not-query-localhost: no\n  access-control: 127.0.0.0/8 allow\n  do-daemonize: no\n  use-syslog: no\n  verbosity: 1\n  username: ""\n  chroot: ""\n  directory: "${home}"\n  pidfile: ""\nremote-control:\n  control-enable: no\nforward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@${NSD_PORT}\n`,
  );
  return {
    name: 'unbound',
    command: 'unbound',
    debian: 'unbound',
    port: 15314,
    isCaching: true,
    start: () => startPinned('unbound', ['-d', '-c', config], 'start of service', {}),
  };
}
