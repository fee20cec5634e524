/**
 * `dns`: A over UDP. dnsperf (Debian) asks; beside cloudmapd stand cloudmapd with plain sockets, a bare Node `dgram`
 * socket that sends a fixed reply, and NSD with the same names where it is installed. The figure is the server's own CPU time per answer.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, measure, printFigures } from './dnsperf.ts';
import { folder, isInstalled, ROOT, startPinned } from './support.ts';

const NAMES = 1000;
const ROUNDS = 3;
const SECONDS = 3;

interface Peer {
  readonly name: string;
  readonly port: number;
  start(): Promise<ChildProcess>;
}

export async function benchDns(): Promise<void> {
  if (!isInstalled('dnsperf')) {
    console.log('dns: left out, dnsperf is not installed (Debian: apt-get install dnsperf)');
    return;
  }
  const names = Array.from({ length: NAMES }, (_, i) => `s${i}.bench.internal`);
  const queries = join(folder, 'queries');
  writeFileSync(queries, names.map((name) => `${name} A\n`).join(''));
  const peers = [
    cloudmapd(names, 'batched'),
    cloudmapd(names, 'plain'),
    bareDgram(),
    ...(isInstalled('nsd') ? [nsd(names)] : []),
  ];
  const started = new Map<string, ChildProcess>();
  for (const peer of peers) started.set(peer.name, await peer.start());

  const figures = new Map<string, Figure[]>(peers.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const peer of peers) {
      const pid = started.get(peer.name)?.pid as number;
      figures.get(peer.name)?.push(measure(pid, peer.port, { queries, seconds: SECONDS, outstanding: 200 }));
    }
  }
  console.log(`dns: ${NAMES} names x 3 A over UDP, ${ROUNDS} rounds of ${SECONDS} s, server and client pinned apart`);
  printFigures(figures);
}

function cloudmapd(names: readonly string[], sockets: 'batched' | 'plain'): Peer {
  const services = names.map((name, i) => {
    const instances = addresses(i).map(
      (address, n) => `          - { id: i${n}, attributes: { AWS_INSTANCE_IPV4: ${address} } }`,
    );
    return [
      `      - name: ${name.split('.', 1)[0]}`,
      '        dns: { records: [{ type: A, ttl: 60 }] }',
      '        instances:',
      ...instances,
    ].join('\n');
  });
  const config = join(folder, 'bench.yaml');
  writeFileSync(
    config,
    `namespaces:\n  - name: bench.internal\n    type: DNS_PRIVATE\n    services:\n${services.join('\n')}\n`,
  );
  const port = sockets === 'batched' ? 15301 : 15304;
  return {
    name: sockets === 'batched' ? 'cloudmapd' : 'cloudmapd, plain sockets',
    port,
    start: () =>
      startPinned(process.execPath, [join(ROOT, 'src/main.ts'), 'serve', '--config', config], 'cloudmapd is ready', {
        CLOUDMAPD_HTTP: '127.0.0.1:0',
        CLOUDMAPD_DNS: `127.0.0.1:${port}`,
        CLOUDMAPD_DNS_SOCKETS: sockets,
        CLOUDMAPD_STORE: 'memory',
      }),
  };
}

/** What the runtime's own socket costs when nothing at all is looked up. */
function bareDgram(): Peer {
  const source = `
    const socket = require('node:dgram').createSocket({ type: 'udp4', lookup: (host, _, done) => done(null, host, 4) });
    const tail = Buffer.from('c00c00010001000000 3c00040a000001'.replace(/ /g, '').repeat(3), 'hex');
    socket.on('message', (query, { port, address }) => {
      const reply = Buffer.concat([query.subarray(0, query.length), tail]);
      reply[2] |= 0x84; reply[7] = 3;
      socket.send(reply, port, address);
    });
    socket.bind(15302, '127.0.0.1', () => console.log('listening'));`;
  return {
    name: 'bare dgram, fixed reply',
    port: 15302,
    start: () => startPinned(process.execPath, ['-e', source], 'listening', {}),
  };
}

function nsd(names: readonly string[]): Peer {
  const home = join(folder, 'nsd');
  mkdirSync(home);
  const records = names.flatMap((name, i) => addresses(i).map((address) => `${name}. 60 IN A ${address}`));
  writeFileSync(
    join(home, 'zone'),
    `bench.internal. 60 IN SOA ns.bench.internal. h.bench.internal. 1 1 1 1 1\nbench.internal. 60 IN NS ns.bench.internal.\n${records.join('\n')}\n`,
  );
  writeFileSync(
    join(home, 'nsd.conf'),
    `server:\n  ip-address: 127.0.0.1\n  port: 15303\n  server-count: 1\n  username: ""\n  zonesdir: "${home}"\n  pidfile: ""\n  database: ""\n  xfrdir: "${home}"\n  xfrdfile: ""\n  zonelistfile: "${home}/zones"\nremote-control:\n  control-enable: no\nzone:\n  name: bench.internal\n  zonefile: zone\n`,
  );
  return {
    name: 'NSD',
    port: 15303,
    start: () => startPinned('nsd', ['-d', '-c', join(home, 'nsd.conf')], 'nsd started', {}),
  };
}

function addresses(i: number): string[] {
  return [0, 1, 2].map((n) => `10.${n}.${i >> 8}.${i & 255}`);
}
