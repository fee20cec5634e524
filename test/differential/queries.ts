/** Queries made from a seed: what clients ask, what they could ask, and what no client should. */
import type { DeclaredNamespace } from '../../src/declared/schema.ts';
import { RCODE_CODES, TYPE_CODES } from '../../src/wire/codec.ts';
import type { Chance } from './chance.ts';
import { ownersOf } from './content.ts';

/** What is wrong with a message as a whole; null: nothing. */
export type Damage =
  | 'short'
  | 'reply'
  | 'no question'
  | 'question not counted'
  | 'two questions'
  | 'cut question'
  | 'pointer'
  | 'label type'
  | 'long name'
  | 'trailing'
  | 'missing record'
  | 'two OPT'
  | 'OPT owner'
  | 'option overrun';

/** A record besides the question and the OPT; null: none. */
export type Extra = 'answer' | 'authority' | 'additional' | 'SOA' | 'TSIG' | 'OPT in answer';

export interface Edns {
  readonly size: number;
  readonly version: number;
  /** DO is 0x8000. */
  readonly flags: number;
  readonly options: readonly { readonly code: number; readonly data: readonly number[] }[];
}

export interface Query {
  /** The namespace whose content it was made from. */
  readonly zone: string;
  readonly overTcp: boolean;
  readonly opcode: number;
  /** The header's second 16 bits without QR and opcode. */
  readonly flags: number;
  readonly labels: readonly (readonly number[])[];
  readonly qtype: number;
  readonly qclass: number;
  readonly edns: Edns | null;
  readonly damage: Damage | null;
  readonly extra: Extra | null;
}

/** NOTIFY and UPDATE among them; the rest nobody uses. */
const OPCODES = [1, 2, 3, 4, 5, 6, 7, 9, 15];
const COMMON_TYPES = ['A', 'A', 'A', 'AAAA', 'AAAA', 'SRV', 'SRV', 'CNAME', 'NS', 'SOA', 'ANY'].map(
  (type) => TYPE_CODES[type] as number,
);
/** PTR, MX, TXT, HINFO, NAPTR, DNAME, DS, SSHFP, RRSIG, NSEC, DNSKEY, NSEC3, TLSA, SVCB, HTTPS, URI, CAA, unknown. */
const DATA_TYPES = [12, 15, 16, 13, 35, 39, 43, 44, 46, 47, 48, 50, 52, 64, 65, 256, 257, 99, 1234, 65_280, 65_535];
/** Reserved, NULL, OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, and of the range of query types one that is none. */
const META_TYPES = [0, 10, 41, 249, 250, 251, 252, 253, 254, 200];
const SIZES = [0, 1, 511, 512, 513, 600, 900, 1220, 1232, 1233, 1400, 4096, 65_535];
const DAMAGES: readonly Damage[] = [
  ...(['short', 'reply', 'no question', 'question not counted', 'two questions', 'cut question', 'pointer'] as const),
  ...(['label type', 'long name', 'trailing', 'missing record', 'two OPT', 'OPT owner', 'option overrun'] as const),
];
const EXTRAS: readonly Extra[] = ['answer', 'authority', 'additional', 'SOA', 'TSIG', 'OPT in answer'];
const BADVERS = 16;
const [AA, TC, RD, RA, Z, AD, CD] = [0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10] as const;

/** What queries are made from: the names of a namespace, worked out once. */
export interface Subject {
  readonly zone: string;
  /** Relative owner names, the apex as an empty one. */
  readonly owners: readonly string[];
}

export function subjectOf(namespace: DeclaredNamespace): Subject {
  return { zone: namespace.name, owners: [...ownersOf(namespace), ''] };
}

export function makeQuery(chance: Chance, { zone, owners }: Subject): Query {
  const kind = chance.weighted([
    [70, 'plain'],
    [12, 'flags'],
    [4, 'opcode'],
    [4, 'class'],
    [6, 'damage'],
    [4, 'extra'],
  ] as const);
  const damage = kind === 'damage' ? chance.pick(DAMAGES) : null;
  const needsOpt = damage === 'two OPT' || damage === 'OPT owner' || damage === 'option overrun';
  return {
    zone,
    overTcp: chance.oneIn(8),
    opcode: kind === 'opcode' ? chance.pick(OPCODES) : 0,
    flags: kind === 'flags' ? flagBits(chance) : chance.oneIn(2) ? RD : 0,
    labels: labelsOf(chance, qname(chance, zone, owners)),
    qtype: chance.weighted([
      [12, chance.pick(COMMON_TYPES)],
      [3, chance.pick(DATA_TYPES)],
      [1, chance.pick(META_TYPES)],
    ]),
    qclass: kind === 'class' ? chance.pick([0, 2, 3, 4, 254, 255, 4096]) : 1,
    edns: needsOpt || chance.oneIn(2) ? edns(chance) : null,
    damage,
    extra: kind === 'extra' ? chance.pick(EXTRAS) : null,
  };
}

function flagBits(chance: Chance): number {
  return [AA, TC, RD, RA, Z, AD, CD].reduce((flags, bit) => (chance.oneIn(3) ? flags | bit : flags), 0);
}

function qname(chance: Chance, zone: string, owners: readonly string[]): string {
  const owner = chance.pick(owners);
  const at = (relative: string): string => (relative === '' ? zone : `${relative}.${zone}`);
  return chance.weighted<() => string>([
    [24, () => at(owner)],
    [3, () => zone],
    [3, () => at(`no-${chance.text('xyz', 3)}`)],
    // Below a name that has records.
    [3, () => at(owner === '' ? 'no.no' : `${chance.pick(['no', 'a.b', '*'])}.${owner}`)],
    // An empty non-terminal where something stands above.
    [4, () => at(owner.split('.').slice(1).join('.'))],
    [1, () => zone.split('.').slice(1).join('.') || '.'],
    [1, () => chance.pick(['www.example.com', 'com', '.', 'version.bind', `${zone}.example`, `x${zone}`])],
    [1, () => at(chance.pick(['ns', 'hostmaster', '*']))],
  ])();
}

/** In mixed case, up to the limit's last octet, and with any octet inside a label. */
function labelsOf(chance: Chance, name: string): number[][] {
  const text = chance.oneIn(3) ? chance.recase(name) : name;
  const labels = text === '.' || text === '' ? [] : text.split('.').map((label) => [...Buffer.from(label, 'latin1')]);
  const octets = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  const room = 255 - octets - 1;
  if (octets > 255 || labels.some(({ length }) => length > 63)) return labelsOf(chance, 'too.long.example');
  if (chance.oneIn(60) && room > 0) labels.unshift(chance.bytes(chance.between(1, Math.min(room, 63))));
  else if (chance.oneIn(100) && labels.length > 0) {
    const label = chance.pick(labels);
    label[chance.below(label.length)] = chance.pick([0, 0x2e, 0x20, 0x40, 0x5b, 0x60, 0x7b, 0xc1, 0xe1, 0xff]);
  } else if (chance.oneIn(200)) {
    for (let left = room; left > 1; left -= 2) labels.unshift([0x61]);
  }
  return labels;
}

function edns(chance: Chance): Edns {
  return {
    size: chance.pick(SIZES),
    version: chance.oneIn(20) ? chance.pick([1, 2, 255]) : 0,
    flags: (chance.oneIn(2) ? 0x8000 : 0) | (chance.oneIn(20) ? chance.below(0x8000) : 0),
    options: chance.oneIn(3) ? Array.from({ length: chance.between(1, 3) }, () => option(chance)) : [],
  };
}

function option(chance: Chance): Edns['options'][number] {
  const of = (code: number, ...data: number[]) => ({ code, data });
  return chance.weighted<() => Edns['options'][number]>([
    [3, () => of(3)],
    [1, () => of(3, ...chance.bytes(4))],
    [3, () => of(8, 0, 1, 24, 0, 192, 0, 2)],
    // More octets than the prefix has, and a family that is none.
    [1, () => of(8, 0, 1, 24, 0, 192, 0, 2, 1)],
    [1, () => of(8, 0, 9, 0, 0)],
    [3, () => of(10, ...chance.bytes(8))],
    [1, () => of(10, ...chance.bytes(chance.pick([16, 24, 40])))],
    [1, () => of(10, ...chance.bytes(chance.pick([0, 5, 12, 41])))],
    [2, () => of(11)],
    [1, () => of(11, 0, 100)],
    [2, () => of(12, ...Array<number>(chance.below(40)).fill(0))],
    [1, () => of(15, 0, 0)],
    [3, () => of(chance.pick([5, 6, 7, 9, 13, 14, 18, 65_001]), ...chance.bytes(chance.below(6)))],
  ])();
}

export const TYPES_OF_TRANSFERS: readonly number[] = [251, 252];

/**
 * What is decided whatever other servers do: the RCODE of a reply that has no records, `drop`: no reply; null: the
 * content decides.
 */
export function decidedRcode({ damage, opcode, edns, qclass, qtype }: Query): number | 'drop' | null {
  if (damage === 'short' || damage === 'reply') return 'drop';
  if (opcode !== 0) return RCODE_CODES.NOTIMP as number;
  if (damage !== null) return RCODE_CODES.FORMERR as number;
  if (edns !== null && edns.version > 0) return BADVERS;
  return qclass !== 1 || TYPES_OF_TRANSFERS.includes(qtype) ? (RCODE_CODES.REFUSED as number) : null;
}

/** The message, its ID 0. */
export function queryBytes(query: Query): Uint8Array {
  const { damage, extra } = query;
  const question = questionBytes(query);
  const opt = query.edns === null ? [] : optBytes(query.edns, damage);
  const records = { answer: [] as number[][], authority: [] as number[][], additional: [...opt] };
  if (extra === 'answer' || extra === 'authority' || extra === 'additional') records[extra].unshift(RECORD_A);
  if (extra === 'SOA') records.authority.push(RECORD_SOA);
  if (extra === 'TSIG') records.additional.push(RECORD_TSIG);
  if (extra === 'OPT in answer') records.answer.push([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
  const flags = (damage === 'reply' ? 0x8000 : 0) | (query.opcode << 11) | query.flags;
  const counts = [
    damage === 'no question' || damage === 'question not counted' ? 0 : damage === 'two questions' ? 2 : 1,
    records.answer.length,
    records.authority.length,
    records.additional.length + (damage === 'missing record' ? 1 : 0),
  ];
  const header = [0, 0, ...u16(flags), ...counts.flatMap(u16)];
  const body = [...records.answer, ...records.authority, ...records.additional].flat();
  const message = [...header, ...question, ...body, ...(damage === 'trailing' ? [0, 1, 2] : [])];
  if (damage === 'short') return Uint8Array.from(header.slice(0, 4 + (query.qtype % 8)));
  if (damage === 'cut question') return Uint8Array.from([...header, ...question.slice(0, -3)]);
  return Uint8Array.from(message);
}

function questionBytes({ damage, labels, qtype, qclass }: Query): number[] {
  if (damage === 'no question') return [];
  const tail = [...u16(qtype), ...u16(qclass)];
  const name = labels.flatMap((label) => [label.length, ...label]);
  if (damage === 'pointer') return [1, 0x61, 0xc0, 12, ...tail];
  if (damage === 'label type') return [qtype % 2 === 0 ? 0x41 : 0x81, ...name, 0, ...tail];
  if (damage === 'long name') return [...Array<number[]>(130).fill([1, 0x61]).flat(), 0, ...tail];
  const whole = [...name, 0, ...tail];
  return damage === 'two questions' ? [...whole, ...whole] : whole;
}

function optBytes({ size, version, flags, options }: Edns, damage: Damage | null): number[][] {
  const data = options.flatMap(({ code, data }) => [...u16(code), ...u16(data.length), ...data]);
  if (damage === 'option overrun') data.push(...u16(65_002), ...u16(5), 1, 2);
  const owner = damage === 'OPT owner' ? [1, 0x61, 0] : [0];
  const opt = [...owner, ...u16(41), ...u16(size), 0, version, ...u16(flags), ...u16(data.length), ...data];
  return damage === 'two OPT' ? [opt, opt] : [opt];
}

const RECORD_A = [1, 0x61, 0, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1];
const RECORD_SOA = [...[1, 0x61, 0, 0, 6, 0, 1, 0, 0, 0, 5, 0, 22, 0, 0], ...Array<number>(20).fill(0)];
/** `hmac-sha256.`, without a signature: a key that nobody knows. */
const RECORD_TSIG = [
  ...[3, 0x6b, 0x65, 0x79, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 29, 11, ...Buffer.from('hmac-sha256'), 0],
  ...[0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 0, 0, 0, 0, 0],
];

function u16(value: number): [number, number] {
  return [value >> 8, value & 255];
}
