/**
 * `dns`: what an answer costs, by kind of query, beside every name server that is installed. All serve the same names
 * (of an own zone, from memory) on one core, each with one thread; those that are not asked sleep. dnsperf asks from
 * the other core. The figure is the server's own CPU time per answer.
 *
 * Before anything is measured each server is asked one query of each kind, and is left out of the kind where it answers
 * less than cloudmapd has to. While it is measured only replies of the right RCODE count.
 *
 * With `--against FOLDER` it is another checkout alone that this one is measured beside: see `dns-against.ts`.
 */
import { benchAgainst } from './dns-against.ts';
import { KINDS, type Kind, loadOf, NAMES, problemOf, ZONE } from './dns-kinds.ts';
import { costRows, type Figure, measure } from './dnsperf.ts';
import { bareDgram } from './peers/bare-dgram.ts';
import { bind } from './peers/bind.ts';
import { cloudmapd } from './peers/cloudmapd.ts';
import { dnsmasq } from './peers/dnsmasq.ts';
import { knot } from './peers/knot.ts';
import { nsd } from './peers/nsd.ts';
import type { Peer, Server, Zone } from './peers/peer.ts';
import { powerdns } from './peers/powerdns.ts';
import { unbound } from './peers/unbound.ts';
import { type BenchOptions, CLOUDMAPD, type Row, type Section } from './report.ts';
import { isInstalled } from './support.ts';

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

export async function benchDns({ isQuick, against }: BenchOptions): Promise<Section[]> {
  if (against !== null) return benchAgainst(against, isQuick);
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
    const load = loadOf(kind, seconds);
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
