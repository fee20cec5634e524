import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/answers/selection.ts';
import { DROP, FORWARD, Responder } from '../../src/dns/respond.ts';
import { decodeMessage } from '../../src/wire/codec.ts';
import { toWireName } from '../../src/wire/names.ts';
import { rrset, tailOf, type Zones, zoneSetOf } from '../support/answering.ts';
import { buildQuery, readAnswer } from '../support/dns.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_260_730);
const PACKETS = Number(process.env.FUZZ_PACKETS ?? 20_000);
/** Any one reply must be there within this. */
const SLOW_MS = 250;

const srv = Array.from({ length: 12 }, (_, i) => ({
  answers: [tailOf(`60 IN SRV 1 1 80 i${i}.srv.corp.internal`)],
  additionals: [{ prefix: toWireName(`i${i}`).subarray(0, -1), tail: tailOf(`60 IN A 10.0.0.${i}`) }],
}));
const ZONES: Zones = {
  'corp.internal': {
    '': [rrset(['5 IN NS ns.corp.internal'])],
    web: [rrset(['60 IN A 10.0.0.1']), rrset(['60 IN AAAA 2001:db8::1'])],
    many: [rrset(Array.from({ length: 100 }, (_, i) => `60 IN A 10.0.1.${i}`))],
    mix: [
      rrset(
        Array.from({ length: 20 }, (_, i) => `60 IN A 10.0.2.${i}`),
        'multivalue',
      ),
    ],
    srv: [{ type: 33, policy: 'all', choices: srv }],
    alias: [rrset(['60 IN CNAME web.corp.internal'])],
    loop: [rrset(['60 IN CNAME loop.corp.internal'])],
    out: [rrset(['60 IN CNAME www.example.com'])],
    '_x._tcp': [rrset(['60 IN A 10.0.0.9'])],
  },
};

const NAMES = [
  ...['corp.internal', 'web.corp.internal', 'WEB.Corp.internal', 'many.corp.internal', 'mix.corp.internal'],
  ...['srv.corp.internal', 'alias.corp.internal', 'loop.corp.internal', 'out.corp.internal', '_tcp.corp.internal'],
  ...['nobody.corp.internal', 'www.example.com', '.', `${'a'.repeat(63)}.corp.internal`],
];
const TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'SOA', 'NS', 'ANY', 'AXFR', 251, 41, 65_535];
/** Octets that mean something in a message: lengths, pointers, label types, OPT, counts. */
const TELLING = [0, 1, 2, 11, 12, 13, 41, 63, 64, 0x7f, 0x80, 0xbf, 0xc0, 0xff];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)] as T;
}

function wellFormed(random: Random): Uint8Array {
  return buildQuery(pick(random, NAMES), pick(random, TYPES), {
    id: random(65_536),
    rd: random(2) === 1,
    edns: pick(random, [null, 0, 512, 1232, 4096, 65_535]),
    dnssecOk: random(2) === 1,
    qclass: pick(random, [1, 1, 1, 1, 3, 255]),
  });
}

/** One change of the kinds that parsers stumble over. */
function mutate(packet: Uint8Array, random: Random): Uint8Array {
  const out = Uint8Array.from(packet);
  const at = random(Math.max(1, out.length));
  switch (random(9)) {
    case 0:
      out[at] = random(256);
      return out;
    case 1:
      out[at] = (out[at] ?? 0) ^ (1 << random(8));
      return out;
    case 2:
      out[at] = pick(random, TELLING);
      return out;
    case 3:
      return out.subarray(0, at);
    case 4:
      return Uint8Array.from([...out, ...Array.from({ length: 1 + random(20) }, () => random(256))]);
    case 5:
      return Uint8Array.from([...out.subarray(0, at), ...out.subarray(at + 1 + random(4))]);
    case 6:
      return Uint8Array.from([...out.subarray(0, at), ...out.subarray(random(at + 1), at), ...out.subarray(at)]);
    case 7:
      // A count of a section.
      if (out.length >= 12) out[4 + random(8)] = pick(random, TELLING);
      return out;
    default:
      return Uint8Array.from([...out.subarray(0, at), ...wellFormed(random).subarray(random(12))]);
  }
}

function packetOf(random: Random): Uint8Array {
  if (random(50) === 0) return Uint8Array.from({ length: random(1500) }, () => random(256));
  let packet = wellFormed(random);
  for (let left = random(4); left > 0; left--) packet = mutate(packet, random);
  // Most mutants should get past the screening of QR and opcode.
  if (packet.length > 2 && random(4) > 0) packet[2] = (packet[2] as number) & 0x01;
  return packet;
}

/** What the client takes over UDP; 512 where that is enough to know. */
function udpLimit(query: Uint8Array, length: number): number {
  if (length <= 512) return 512;
  const opt = decodeMessage(query).additionals.find(({ type }) => type === 41);
  return Math.min(1232, Number(opt?.class ?? 512));
}

/** What is wrong with what the responder did, or null. */
function faultOf(query: Uint8Array, reply: Uint8Array, length: number, overTcp: boolean): string | null {
  const isReply = query.length > 2 && ((query[2] as number) & 0x80) !== 0;
  if (query.length < 12 || isReply) return length === DROP ? null : `a reply of ${length} where it had to drop`;
  if (length === FORWARD) return ((query[2] as number) & 0x01) !== 0 ? null : 'forwards without RD';
  if (length < 12) return `no reply (${length}) to a whole header`;
  if (length > (overTcp ? 65_535 : udpLimit(query, length))) return `a reply of ${length} octets`;
  if (reply[0] !== query[0] || reply[1] !== query[1]) return 'another ID';
  if (((reply[2] as number) & 0x80) === 0) return 'QR is 0';
  if (((reply[2] as number) & 0x79) !== ((query[2] as number) & 0x79)) return 'another opcode or RD';
  const rcode = (reply[3] as number) & 0xf;
  if (![0, 1, 2, 3, 4, 5].includes(rcode)) return `the RCODE ${rcode}`;
  if (rcode !== 0) return null;
  const { errors } = decodeMessage(reply.subarray(0, length));
  return errors.length === 0 ? null : `a broken reply: ${errors[0]?.message}`;
}

describe(`${PACKETS} mutated packets (FUZZ_SEED=${SEED})`, () => {
  it('are answered or dropped, quickly and within bounds, and the right answers follow', () => {
    const random = createRandom(SEED);
    const zones = zoneSetOf(ZONES);
    const options = { zones, random: createRandom(SEED), recursionAvailable: true };
    const responder = new Responder(options);
    const reply = new Uint8Array(65_535);
    const rcodes = new Map<string, number>();
    let packet = new Uint8Array(0);
    for (let i = 0; i < PACKETS; i++) {
      packet = Uint8Array.from(packetOf(random));
      const overTcp = random(3) === 0;
      const told = `FUZZ_SEED=${SEED}, packet ${i} over ${overTcp ? 'TCP' : 'UDP'}: ${Buffer.from(packet).toString('hex')}`;
      const before = Buffer.from(packet);
      // Left from a packet before, it must not show through.
      reply.fill(0xee, 0, 64);
      const startedAt = performance.now();
      let fault: string | null;
      let length = 0;
      try {
        length = responder.respond(packet, packet.length, reply, overTcp);
        fault = faultOf(packet, reply, length, overTcp);
      } catch (error) {
        throw new Error(told, { cause: error });
      }
      if (fault !== null) throw new Error(`${fault}\n${told}`);
      if (performance.now() - startedAt > SLOW_MS) throw new Error(`slow\n${told}`);
      if (!before.equals(packet)) throw new Error(`the query was written to\n${told}`);
      const outcome = length === DROP ? 'drop' : length === FORWARD ? 'forward' : String((reply[3] as number) & 0xf);
      rcodes.set(outcome, (rcodes.get(outcome) ?? 0) + 1);
    }
    // Else the mutants never got further than the screening, or were hardly mutants.
    for (const outcome of ['drop', 'forward', '0', '1', '3', '4', '5'])
      expect(rcodes.get(outcome) ?? 0, `packets with the outcome ${outcome}`).toBeGreaterThan(PACKETS / 200);

    for (const [name, type, expected] of [
      ['web.corp.internal', 'A', ['web.corp.internal. 60 IN A 10.0.0.1']],
      ['web.corp.internal', 'AAAA', ['web.corp.internal. 60 IN AAAA 2001:db8::1']],
      ['nobody.corp.internal', 'A', []],
    ] as const) {
      const query = buildQuery(name, type);
      const length = responder.respond(query, query.length, reply, false);
      expect(readAnswer(reply.slice(0, length)).answer).toEqual(expected);
    }
    const mix = buildQuery('mix.corp.internal', 'A');
    const length = responder.respond(mix, mix.length, reply, false);
    expect(new Set(readAnswer(reply.slice(0, length)).answer).size).toBe(8);
  });

  it('of any length up to that of a datagram are answered or dropped', () => {
    const random = createRandom(SEED + 1);
    const responder = new Responder({ zones: zoneSetOf(ZONES), random, recursionAvailable: false });
    const reply = new Uint8Array(65_535);
    const head = [0, 1, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255];
    for (const size of [512, 4096, 65_535]) {
      for (const fill of [0, 1, 0x3f, 0x40, 0xc0, 0xff]) {
        // 196,605 records are announced; walking them must end with the message.
        const packet = Uint8Array.from([...head, 0, 0, 1, 0, 1, ...Array<number>(size - 17).fill(fill)]);
        const length = responder.respond(packet, packet.length, reply, true);
        expect([length, (reply[3] as number) & 0xf], `FUZZ_SEED=${SEED}, ${size} octets of ${fill}`).toEqual([17, 1]);
      }
    }
  });
});
