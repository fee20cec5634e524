/** Packets that the fuzzers start from: all that the table of RFCs asks, and what clients of the field send. */
import { ANSWERS } from '../dns/rfc-cases/answers.ts';
import { FITTING_CASES } from '../dns/rfc-cases/fitting.ts';
import { RFC_CASES } from '../dns/rfc-cases.ts';
import {
  messageBytes,
  nameBytes,
  optBytes,
  optionBytes,
  queryBytes,
  questionBytes,
  recordBytes,
} from '../support/message.ts';

const octets = (count: number, byte = 0xa5): number[] => Array<number>(count).fill(byte);
const DO = 0x8000;

/** Queries as these programs send them, for names of the RFC content. */
const CLIENTS: readonly Uint8Array[] = [
  // dig, with its COOKIE; then back with the server's half of one.
  queryBytes('web.corp.internal A', { flags: 'RD AD', opts: [{ options: optionBytes(10, octets(8)) }] }),
  queryBytes('web.corp.internal A', { flags: 'RD AD', opts: [{ options: optionBytes(10, octets(24)) }] }),
  // dig +dnssec +nsid +subnet +expire +keepalive +padding
  queryBytes('_db._tcp.corp.internal SRV', {
    flags: 'RD AD',
    opts: [
      {
        size: 4096,
        flags: DO,
        options: [
          ...optionBytes(3),
          ...optionBytes(8, [0, 1, 24, 0, 192, 0, 2]),
          ...optionBytes(9),
          ...optionBytes(11),
          ...optionBytes(12, octets(64, 0)),
        ],
      },
    ],
  }),
  // glibc and musl: no EDNS. Go and c-ares: EDNS with sizes of their own. HAProxy: 8192.
  queryBytes('web.corp.internal A', { flags: 'RD' }),
  queryBytes('web.corp.internal AAAA', { flags: 'RD' }),
  queryBytes('shop.corp.internal AAAA', { flags: 'RD AD', opts: [{ size: 1232 }] }),
  queryBytes('_long._tcp.corp.internal SRV', { flags: 'RD', opts: [{ size: 1280 }] }),
  queryBytes('_mid._tcp.corp.internal SRV', { flags: 'RD', opts: [{ size: 8192 }] }),
  // unbound: 0x20 and DO, iterative; with CD where it validates.
  queryBytes('wEB.coRP.iNTErnAL A', { flags: 'CD', opts: [{ flags: DO }] }),
  queryBytes('CorP.InteRNAL NS', { opts: [{ flags: DO, size: 512 }] }),
  // Names that would be forwarded.
  queryBytes('www.example.com A', { flags: 'RD', opts: [{}] }),
  queryBytes('4.3.2.1.in-addr.arpa PTR', { flags: 'RD' }),
  queryBytes('. NS', { flags: 'RD', opts: [{ size: 4096, flags: DO }] }),
];

const SOA_RDATA = [...nameBytes('ns.corp.internal'), ...nameBytes('hostmaster.corp.internal'), ...octets(20, 1)];
const TSIG_RDATA = [...nameBytes('hmac-sha256'), ...octets(6, 1), 1, 44, 0, 32, ...octets(32), 0x12, 0x34, 0, 0, 0, 0];

/** Messages with more than a question: transfers, updates, notifications, signatures, OPTs in odd places. */
const FULL: readonly Uint8Array[] = [
  messageBytes({
    counts: [1, 0, 1, 1],
    body: [...questionBytes('corp.internal TYPE251'), ...recordBytes('corp.internal', 'SOA', SOA_RDATA), ...optBytes()],
  }),
  messageBytes({
    opcode: 4,
    flags: 'AA',
    counts: [1, 1, 0, 0],
    body: [...questionBytes('corp.internal SOA'), ...recordBytes('corp.internal', 'SOA', SOA_RDATA)],
  }),
  messageBytes({
    opcode: 5,
    counts: [1, 1, 1, 1],
    body: [
      ...questionBytes('corp.internal SOA'),
      ...recordBytes('web.corp.internal', 'ANY', []),
      ...recordBytes('web.corp.internal', 'A', [10, 0, 0, 1]),
      ...optBytes(),
    ],
  }),
  messageBytes({ opcode: 6, counts: [0, 0, 0, 0], body: [0, 1, 0, 8, ...octets(8, 0)] }),
  messageBytes({
    counts: [1, 0, 0, 2],
    body: [
      ...questionBytes('web.corp.internal A'),
      ...optBytes(),
      ...recordBytes('key.example', 'TYPE250', TSIG_RDATA),
    ],
  }),
  messageBytes({
    counts: [1, 1, 1, 1],
    body: [
      ...questionBytes('shop.corp.internal A'),
      ...[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1],
      ...[0xc0, 17, 0, 2, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12],
      ...optBytes({ options: octets(0) }),
    ],
  }),
  messageBytes({
    counts: [1, 0, 0, 3],
    body: [...questionBytes('web.corp.internal ANY'), ...optBytes(), ...optBytes(), ...optBytes()],
  }),
];

/** Packets that once broke something stay here, each with what it did. */
const FOUND: readonly string[] = [];

function distinct(packets: readonly Uint8Array[]): readonly Uint8Array[] {
  const byHex = new Map(packets.map((packet) => [Buffer.from(packet).toString('hex'), Uint8Array.from(packet)]));
  return [...byHex.values()];
}

/** Queries that are looked up. */
export const QUERIES = distinct([...[...ANSWERS, ...FITTING_CASES].map(({ query }) => query), ...CLIENTS]);

/** All packets, broken ones too. */
export const CORPUS = distinct([
  ...RFC_CASES.map(({ query }) => query),
  ...CLIENTS,
  ...FULL,
  ...FOUND.map((hex) => Buffer.from(hex, 'hex')),
]);
