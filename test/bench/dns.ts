/**
 * `dns`: what an answer costs, by kind of query, beside every name server that is installed. All serve the same names
 * (of an own zone, from memory) on one core, each with one thread; those that are not asked sleep. dnsperf asks from
 * the other core. The figure is the server's own CPU time per answer.
 *
 * Before anything is measured each server is asked one query of each kind, and is left out of the kind where it answers
 * less than cloudmapd has to. While it is measured only replies of the right RCODE count.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askTcp, askUdp, buildQuery, readAnswer } from '../support/dns.ts';
import { costRows, type Figure, FULL_LOAD, type Load, measure } from './dnsperf.ts';
import { bareDgram } from './peers/bare-dgram.ts';
import { bind } from './peers/bind.ts';
import { cloudmapd } from './peers/cloudmapd.ts';
import { dnsmasq } from './peers/dnsmasq.ts';
import { knot } from './peers/knot.ts';
import { nsd } from './peers/nsd.ts';
import type { Peer, Server, Zone } from './peers/peer.ts';
import { powerdns } from './peers/powerdns.ts';
import { unbound } from './peers/unbound.ts';
import { type BenchOptions, CLOUDMAPD, type Row, type Section, type Target } from './report.ts';
import { folder, isInstalled } from './support.ts';

const NAMES = 1000;
const INDEXES = Array.from({ length: NAMES }, (_, i) => i);
const APEX = 'bench.internal';
const HOSTS = INDEXES.map((i) => `s${i}.${APEX}`);
const SRVS = INDEXES.map((i) => `_s${i}._tcp.${APEX}`);

interface Kind {
  readonly name: string;
  /** The queries, of which the first is the one that is tried. */
  readonly queries: readonly Uint8Array[];
  readonly transport: 'udp' | 'tcp';
  readonly expected: { readonly rcode: 'NOERROR' | 'NXDOMAIN'; readonly answers: number; readonly additionals: number };
  readonly target: Target;
}

const THREE_ADDRESSES = { rcode: 'NOERROR', answers: 3, additionals: 0 } as const;
const BESIDE_BIND = { atMost: 1, of: ['BIND'] };

const KINDS: readonly Kind[] = [
  {
    name: 'A',
    queries: HOSTS.map((name) => query(name, 'A')),
    transport: 'udp',
    expected: THREE_ADDRESSES,
    target: { atMost: 1, of: ['NSD', 'Knot'] },
  },
  {
    name: 'A, 0x20 case',
    // Ten of each name, since a server could remember the last ones.
    queries: INDEXES.flatMap((i) =>
      Array.from({ length: 10 }, (_, n) => query(mixedCase(HOSTS[i] as string, i + n), 'A')),
    ),
    transport: 'udp',
    expected: THREE_ADDRESSES,
    target: BESIDE_BIND,
  },
  {
    name: "A, dig's EDNS",
    queries: HOSTS.map((name) => asDig(name, 'A')),
    transport: 'udp',
    expected: THREE_ADDRESSES,
    target: BESIDE_BIND,
  },
  {
    name: 'NXDOMAIN',
    queries: INDEXES.map((i) => query(`n${i}.${APEX}`, 'A')),
    transport: 'udp',
    expected: { rcode: 'NXDOMAIN', answers: 0, additionals: 0 },
    target: BESIDE_BIND,
  },
  {
    name: 'SRV',
    queries: SRVS.map((name) => query(name, 'SRV')),
    transport: 'udp',
    // Three targets, each with an address of either family.
    expected: { rcode: 'NOERROR', answers: 3, additionals: 6 },
    target: BESIDE_BIND,
  },
  {
    name: 'A over TCP',
    queries: HOSTS.map((name) => query(name, 'A')),
    transport: 'tcp',
    expected: THREE_ADDRESSES,
    target: BESIDE_BIND,
  },
];

interface Entrant {
  readonly peer: Peer;
  readonly zone: Zone;
  /** Servers that stand for one peer differ in what they are asked. */
  readonly isAsked: (kind: Kind) => boolean;
}

const isSrv = (kind: Kind): boolean => kind.name === 'SRV';
const isNotSrv = (kind: Kind): boolean => !isSrv(kind);
const isPlainA = (kind: Kind): boolean => kind.name === 'A';

function entrants(): Entrant[] {
  const always = (peer: Peer): Entrant => ({ peer, zone: ZONE, isAsked: () => true });
  return [
    always(cloudmapd(CLOUDMAPD, 'auto')),
    { peer: nsd(), zone: ZONE, isAsked: isNotSrv },
    { peer: nsd({ hasAdditionals: true }), zone: ZONE, isAsked: isSrv },
    always(knot),
    always(bind),
    // It looks through all its SRV records at each query, whatever the type.
    { peer: dnsmasq, zone: { ...ZONE, srvs: [] }, isAsked: isNotSrv },
    { peer: dnsmasq, zone: ZONE, isAsked: isSrv },
    always(powerdns),
    always(unbound),
    { peer: cloudmapd('cloudmapd, plain sockets', 'plain'), zone: ZONE, isAsked: isPlainA },
    { peer: bareDgram, zone: ZONE, isAsked: isPlainA },
  ];
}

export async function benchDns({ isQuick }: BenchOptions): Promise<Section[]> {
  const [rounds, seconds] = isQuick ? [3, 0.4] : [3, 3];
  const title = `${NAMES} names x 3 A, as many x 3 SRV, ${rounds} rounds of ${seconds} s, server and client pinned apart; in brackets cloudmapd's cost as a part of it`;
  if (!isInstalled('dnsperf')) {
    return [
      {
        bench: 'dns',
        title,
        rows: [],
        notes: ['left out, dnsperf is not installed (Debian: apt-get install dnsperf)'],
      },
    ];
  }
  const notes: string[] = [];
  const started: { server: Server; isAsked: Entrant['isAsked'] }[] = [];
  for (const { peer, zone, isAsked } of entrants()) {
    const server = await startPeer(peer, zone, notes);
    if (server !== null) started.push({ server, isAsked });
  }
  const rows: Row[] = [];
  for (const kind of KINDS) {
    const asked: Server[] = [];
    for (const { server, isAsked } of started) {
      if (!isAsked(kind)) continue;
      const problem = await problemOf(kind, server);
      if (problem === null) asked.push(server);
      else notes.push(`${kind.name}: ${server.name} left out, ${problem}`);
    }
    const load = {
      ...writeQueries(kind),
      transport: kind.transport,
      seconds,
      outstanding: FULL_LOAD,
      rcode: kind.expected.rcode,
    };
    const figures = new Map<string, Figure[]>(asked.map(({ name }) => [name, []]));
    // The first round is not counted: code is still being compiled, and caches are filled.
    for (let round = 0; round <= rounds; round++) {
      for (const { name, pid, port } of asked) {
        const figure = measure(pid, port, load);
        if (round > 0) figures.get(name)?.push(figure);
      }
    }
    const found = costRows(kind.name, figures, kind.target);
    rows.push(...found.rows);
    notes.push(...found.notes);
  }
  return [{ bench: 'dns', title, rows, notes: [...new Set(notes)] }];
}

const ZONE: Zone = {
  apex: APEX,
  hosts: HOSTS.map((name, i) => ({ name, addresses: [0, 1, 2].map((n) => `10.${n}.${i >> 8}.${i & 255}`) })),
  srvs: SRVS.map((name, i) => ({
    name,
    instances: [0, 1, 2].map((n) => ({
      id: `i${n}`,
      port: 8000 + n,
      ipv4: `10.${100 + n}.${i >> 8}.${i & 255}`,
      ipv6: `fd00::${n}:${i.toString(16)}`,
    })),
  })),
};

/** @returns null, with a note, where it is not to be had: on Debian AppArmor keeps some from files in unusual places */
async function startPeer(peer: Peer, zone: Zone, notes: string[]): Promise<Server | null> {
  const { name, command, debian } = peer;
  if (command === null) return peer.start([zone]);
  if (!isInstalled(command)) {
    notes.push(`${name} left out, it is not installed (Debian: apt-get install ${debian})`);
    return null;
  }
  try {
    return await peer.start([zone]);
  } catch (error) {
    notes.push(`${name} left out, it does not start: ${(error as Error).message.slice(0, 500)}`);
    return null;
  }
}

/** What a server answers otherwise than it is to be, or null. */
async function problemOf({ queries, transport, expected }: Kind, { port }: Server): Promise<string | null> {
  const [first] = queries as [Uint8Array];
  const reply = transport === 'udp' ? await askUdp(port, first) : (await askTcp(port, [first]).catch(() => []))[0];
  if (reply === null || reply === undefined) return 'it does not answer';
  const { rcode, answer, additional } = readAnswer(reply);
  if (rcode !== expected.rcode) return `it answers ${rcode}`;
  if (answer.length !== expected.answers) return `it answers with ${answer.length} records`;
  if (additional.length < expected.additionals)
    return `it adds ${additional.length} of ${expected.additionals} addresses`;
  // A resolver that sends random case wants it back (0x20).
  const end = 12 + (HOSTS[0] as string).length + 2;
  return Buffer.compare(reply.subarray(12, end), first.subarray(12, end)) === 0
    ? null
    : 'it changes the case of the name';
}

/** As TCP has them, so that each goes out as it is. */
function writeQueries({ name, queries }: Kind): Pick<Load, 'queries' | 'isBinary'> {
  const path = join(folder, name.replace(/\W+/g, '-'));
  writeFileSync(path, Buffer.concat(queries.flatMap((one) => [Buffer.from([one.length >> 8, one.length & 255]), one])));
  return { queries: path, isBinary: true };
}

/** As a stub resolver asks. */
function query(name: string, type: string): Uint8Array {
  return buildQuery(name, type, { rd: true });
}

/** With AD, 1232 octets and a cookie, as dig sends it by default. */
function asDig(name: string, type: string): Uint8Array {
  const plain = Buffer.from(buildQuery(name, type, { rd: true, edns: 1232 }));
  plain[3] = 0x20;
  // In place of the length of the empty options: 12 octets, COOKIE (10), 8 octets.
  return Buffer.concat([plain.subarray(0, -2), Buffer.from('000c000a00080102030405060708', 'hex')]);
}

/** The same for the same number. */
function mixedCase(name: string, seed: number): string {
  let state = seed + 1;
  return name.replace(/[a-z]/g, (letter) => {
    state = (state * 48_271) % 2_147_483_647;
    return state & 64 ? letter.toUpperCase() : letter;
  });
}
