/** The kinds of query that `dns` asks, and the zone that all servers answer them from. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askTcp, askUdp, buildQuery, readAnswer } from '../support/dns.ts';
import { FULL_LOAD, type Load } from './dnsperf.ts';
import type { Server, Zone } from './peers/peer.ts';
import type { Target } from './report.ts';
import { folder } from './support.ts';

export const NAMES = 1000;
const INDEXES = Array.from({ length: NAMES }, (_, i) => i);
const APEX = 'bench.internal';
const HOSTS = INDEXES.map((i) => `s${i}.${APEX}`);
const SRVS = INDEXES.map((i) => `_s${i}._tcp.${APEX}`);

export interface Kind {
  readonly name: string;
  /** The queries, of which the first is the one that is tried. */
  readonly queries: readonly Uint8Array[];
  readonly transport: 'udp' | 'tcp';
  readonly expected: { readonly rcode: 'NOERROR' | 'NXDOMAIN'; readonly answers: number; readonly additionals: number };
  readonly target: Target;
}

const THREE_ADDRESSES = { rcode: 'NOERROR', answers: 3, additionals: 0 } as const;
const BESIDE_BIND = { atMost: 1, of: ['BIND'] };

export const KINDS: readonly Kind[] = [
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

export const ZONE: Zone = {
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

/** What a server answers otherwise than it is to be, or null. */
export async function problemOf({ queries, transport, expected }: Kind, { port }: Server): Promise<string | null> {
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

/** @param seconds of one run */
export function loadOf(kind: Kind, seconds: number): Load {
  const { name, queries, transport, expected } = kind;
  const path = join(folder, name.replace(/\W+/g, '-'));
  // As TCP has them, so that each goes out as it is.
  writeFileSync(path, Buffer.concat(queries.flatMap((one) => [Buffer.from([one.length >> 8, one.length & 255]), one])));
  return { queries: path, isBinary: true, transport, seconds, outstanding: FULL_LOAD, rcode: expected.rcode };
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
