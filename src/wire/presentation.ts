/** Messages as text, record by record, as zone files and dig have them (RFC 1035 s5.1, RFC 3597). */
import { Address6 } from 'ip-address';
import { readU16, readU32 } from './bytes.ts';
import { OPTION } from './edns.ts';
import { FLAG, HEADER_BYTES, TYPE } from './header.ts';
import { expandName, MAX_NAME_BYTES, nameLength, skipName, toTextName } from './names.ts';

/** Types that have a mnemonic here; any other one is `TYPE<n>` (RFC 3597 s5). */
const TYPE_NAMES: Readonly<Record<string, number>> = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, MX: 15, TXT: 16, RP: 17, AAAA: 28, LOC: 29, SRV: 33 },
  ...{ NAPTR: 35, DNAME: 39, OPT: 41, DS: 43, SSHFP: 44, RRSIG: 46, NSEC: 47, DNSKEY: 48, NSEC3: 50, TLSA: 52 },
  ...{ SVCB: 64, HTTPS: 65, SPF: 99, IXFR: 251, AXFR: 252, ANY: 255, URI: 256, CAA: 257 },
};
const TYPE_BY_CODE = new Map(Object.entries(TYPE_NAMES).map(([name, code]) => [code, name]));

const RCODE_NAMES = [
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH'],
  ...['NOTZONE', 'RESERVED11', 'RESERVED12', 'RESERVED13', 'RESERVED14', 'RESERVED15', 'BADVERS'],
];
const OPCODE_NAMES = ['QUERY', 'IQUERY', 'STATUS', 'RESERVED3', 'NOTIFY', 'UPDATE'];

export interface TextQuestion {
  /** With an ending dot, escaped. */
  readonly name: string;
  readonly class: string;
  readonly type: string;
}

export interface TextRecord extends TextQuestion {
  readonly ttl: number;
  readonly rdata: string;
}

export interface TextMessage {
  readonly id: number;
  readonly opcode: string;
  /** With the bits of it that are in the OPT. */
  readonly rcode: string;
  /** In the order in which dig has them: `qr aa tc rd ra ad cd`. */
  readonly flags: readonly string[];
  readonly questions: readonly TextQuestion[];
  readonly answer: readonly TextRecord[];
  /** Each of these as it stands in the message behind its owner, from TYPE to RDATA, its octets as a string. */
  readonly answerTails: readonly string[];
  readonly authority: readonly TextRecord[];
  /** Without the OPT. */
  readonly additional: readonly TextRecord[];
  readonly opt: TextOpt | null;
  readonly size: number;
}

export interface TextOpt {
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly payloadBytes: number;
  /** RFC 8914; the text as it came. */
  readonly errors: readonly { readonly code: number; readonly text: string }[];
}

/** Where a message ends too early, or points to nowhere. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

export function typeText(code: number): string {
  return TYPE_BY_CODE.get(code) ?? `TYPE${code}`;
}

/** @param text mnemonic or `TYPE65280`, in any case; @returns null: no type is called that */
export function typeCode(text: string): number | null {
  const name = text.toUpperCase();
  if (Object.hasOwn(TYPE_NAMES, name)) return TYPE_NAMES[name] as number;
  const code = Number(/^TYPE(\d{1,5})$/.exec(name)?.[1] ?? Number.NaN);
  return code <= 0xffff ? code : null;
}

/** @throws MessageError */
export function messageText(bytes: Uint8Array): TextMessage {
  if (bytes.length < HEADER_BYTES) throw new MessageError('the message has no whole header');
  const bits = readU16(bytes, 2);
  let at = HEADER_BYTES;
  const questions: TextQuestion[] = [];
  for (let left = readU16(bytes, 4); left > 0; left--) {
    const fields = end(bytes, at);
    if (fields + 4 > bytes.length) throw new MessageError('the question ends too early');
    questions.push({
      name: nameText(bytes, at),
      type: typeText(readU16(bytes, fields)),
      class: classOf(bytes, fields),
    });
    at = fields + 4;
  }
  let opt: TextOpt | null = null;
  let rcode = bits & 0xf;
  const answerTails: string[] = [];
  const section = (count: number, tails: string[] = []): TextRecord[] => {
    const records: TextRecord[] = [];
    for (let left = count; left > 0; left--) {
      const owner = at;
      const fields = end(bytes, owner);
      if (fields + 10 > bytes.length) throw new MessageError('a record ends too early');
      const type = readU16(bytes, fields);
      at = fields + 10 + readU16(bytes, fields + 8);
      if (at > bytes.length) throw new MessageError('a record ends too early');
      if (type === TYPE.OPT) {
        rcode |= (bytes[fields + 4] as number) << 4;
        opt = readOpt(bytes, fields, at);
        continue;
      }
      records.push({
        name: nameText(bytes, owner),
        ttl: readU32(bytes, fields + 4),
        class: classOf(bytes, fields),
        type: typeText(type),
        rdata: rdataText(bytes, type, fields + 10, at),
      });
      tails.push(Buffer.from(bytes.subarray(fields, at)).toString('latin1'));
    }
    return records;
  };
  const answer = section(readU16(bytes, 6), answerTails);
  const authority = section(readU16(bytes, 8));
  const additional = section(readU16(bytes, 10));
  return {
    id: readU16(bytes, 0),
    opcode: OPCODE_NAMES[(bits & FLAG.OPCODE) >> 11] ?? `RESERVED${(bits & FLAG.OPCODE) >> 11}`,
    rcode: RCODE_NAMES[rcode] ?? `RESERVED${rcode}`,
    flags: (['QR', 'AA', 'TC', 'RD', 'RA', 'AD', 'CD'] as const)
      .filter((flag) => (bits & FLAG[flag]) !== 0)
      .map((flag) => flag.toLowerCase()),
    questions,
    answer,
    answerTails,
    authority,
    additional,
    opt,
    size: bytes.length,
  };
}

/** RDATA in `bytes[at, limit)`, whose names may point to what is before. What is broken, or of another type, is `\# 4 0A000001`. */
export function rdataText(bytes: Uint8Array, type: number, at: number, limit: number): string {
  try {
    const fields = new Fields(bytes, at, limit);
    const text = RDATA[typeText(type)]?.(fields) ?? null;
    if (text !== null && fields.at === limit) return text;
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
  }
  const hex = hexText(bytes.subarray(at, limit));
  return `\\# ${limit - at}${hex === '' ? '' : ` ${hex}`}`;
}

const RDATA: Readonly<Record<string, (fields: Fields) => string>> = {
  A: (f) => f.octets(4).join('.'),
  AAAA: (f) => ipv6Text(f.octets(16)),
  NS: (f) => f.name(),
  CNAME: (f) => f.name(),
  PTR: (f) => f.name(),
  DNAME: (f) => f.name(),
  SOA: (f) => [f.name(), f.name(), f.u32(), f.u32(), f.u32(), f.u32(), f.u32()].join(' '),
  MX: (f) => [f.u16(), f.name()].join(' '),
  SRV: (f) => [f.u16(), f.u16(), f.u16(), f.name()].join(' '),
  TXT: (f) => f.strings(),
  SPF: (f) => f.strings(),
  HINFO: (f) => f.strings(),
  NAPTR: (f) => [f.u16(), f.u16(), f.string(), f.string(), f.string(), f.name()].join(' '),
  CAA: (f) => [f.u8(), f.label(), quoted(f.rest())].join(' '),
  DS: (f) => [f.u16(), f.u8(), f.u8(), hexText(f.rest())].join(' '),
  TLSA: (f) => [f.u8(), f.u8(), f.u8(), hexText(f.rest())].join(' '),
  SSHFP: (f) => [f.u8(), f.u8(), hexText(f.rest())].join(' '),
  SVCB: serviceBinding,
  HTTPS: serviceBinding,
};

/** RFC 9460 s2.1: the parameters of services, of which those that are not known stand as octets. */
const PARAMETERS: Readonly<Record<number, readonly [string, (fields: Fields) => string]>> = {
  0: ['mandatory', (f) => f.all(() => parameterName(f.u16())).join(',')],
  1: ['alpn', (f) => `"${f.all(() => f.string().slice(1, -1)).join(',')}"`],
  3: ['port', (f) => String(f.u16())],
  4: ['ipv4hint', (f) => f.all(() => f.octets(4).join('.')).join(',')],
  5: ['ech', (f) => Buffer.from(f.rest()).toString('base64')],
  6: ['ipv6hint', (f) => f.all(() => ipv6Text(f.octets(16))).join(',')],
};
const NO_DEFAULT_ALPN = 2;

function parameterName(key: number): string {
  return key === NO_DEFAULT_ALPN ? 'no-default-alpn' : (PARAMETERS[key]?.[0] ?? `key${key}`);
}

function serviceBinding(fields: Fields): string {
  const parts = [String(fields.u16()), fields.name()];
  while (!fields.isDone) {
    const key = fields.u16();
    const value = fields.part(fields.u16());
    const name = parameterName(key);
    const text = value.isDone ? null : (PARAMETERS[key]?.[1](value) ?? quoted(value.rest()));
    if (!value.isDone) throw new MessageError('the parameter has more than belongs to it');
    parts.push(text === null ? name : `${name}=${text}`);
  }
  return parts.join(' ');
}

/** RDATA read field by field. */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, limit: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#limit = limit;
  }

  octets(count: number): Uint8Array {
    const from = this.at;
    this.at += count;
    if (this.at > this.#limit) throw new MessageError('the RDATA ends too early');
    return this.#bytes.subarray(from, this.at);
  }

  u8(): number {
    return this.octets(1)[0] as number;
  }

  u16(): number {
    return readU16(this.octets(2), 0);
  }

  u32(): number {
    return readU32(this.octets(4), 0);
  }

  name(): string {
    const from = this.at;
    this.at = end(this.#bytes, from);
    if (this.at > this.#limit) throw new MessageError('the RDATA ends too early');
    return nameText(this.#bytes, from);
  }

  /** A character string, in quotes. */
  string(): string {
    return quoted(this.octets(this.u8()));
  }

  strings(): string {
    return this.all(() => this.string()).join(' ');
  }

  get isDone(): boolean {
    return this.at === this.#limit;
  }

  /** As many of them as there are. */
  all(read: () => string): string[] {
    const found: string[] = [];
    while (!this.isDone) found.push(read());
    return found;
  }

  /** The next so many octets, to be read by themselves. */
  part(count: number): Fields {
    const from = this.at;
    this.octets(count);
    return new Fields(this.#bytes, from, this.at);
  }

  /** A character string without quotes: a CAA's tag is made of letters and digits (RFC 8659 s4.1). */
  label(): string {
    const octets = this.octets(this.u8());
    const text = Buffer.from(octets).toString('latin1');
    if (!/^[a-z0-9]+$/i.test(text)) throw new MessageError('the tag is none');
    return text;
  }

  rest(): Uint8Array {
    return this.octets(this.#limit - this.at);
  }
}

function readOpt(bytes: Uint8Array, fields: number, limit: number): TextOpt {
  const errors: TextOpt['errors'][number][] = [];
  for (let at = fields + 10; at + 4 <= limit; ) {
    const length = readU16(bytes, at + 2);
    const data = bytes.subarray(at + 4, Math.min(limit, at + 4 + length));
    if (readU16(bytes, at) === OPTION.extendedError && data.length >= 2) {
      errors.push({ code: readU16(data, 0), text: Buffer.from(data.subarray(2)).toString('utf8') });
    }
    at += 4 + length;
  }
  return {
    version: bytes[fields + 5] as number,
    dnssecOk: (bytes[fields + 6] as number) >= 0x80,
    payloadBytes: readU16(bytes, fields + 2),
    errors,
  };
}

/** The octet behind a name. */
function end(bytes: Uint8Array, at: number): number {
  const found = skipName(bytes, at, bytes.length);
  if (found < 0) throw new MessageError('a name ends too early');
  return found;
}

function nameText(bytes: Uint8Array, at: number): string {
  const out = new Uint8Array(MAX_NAME_BYTES);
  if (expandName(bytes, at, bytes.length, out, 0) < 0) throw new MessageError('a name is broken');
  return toTextName(out);
}

/** A name as those are written who have no escapes for it: octet by octet, without the ending dot. */
export function plainName(name: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; at < nameLength(name, 0) - 1; at += 1 + (name[at] as number)) {
    labels.push(Buffer.from(name.subarray(at + 1, at + 1 + (name[at] as number))).toString('latin1'));
  }
  return labels.join('.');
}

function classOf(bytes: Uint8Array, fields: number): string {
  const code = readU16(bytes, fields + 2);
  return code === 1 ? 'IN' : code === 3 ? 'CH' : code === 4 ? 'HS' : `CLASS${code}`;
}

/** RFC 5952, of which s5 has IPv4 in dotted form where it is mapped. */
function ipv6Text(octets: Uint8Array): string {
  if (octets.every((octet, i) => i > 11 || octet === (i < 10 ? 0 : 0xff)))
    return `::ffff:${octets.slice(12).join('.')}`;
  return Address6.fromByteArray([...octets]).correctForm();
}

/** In words of no more than 56 digits, as dig has them. */
function hexText(octets: Uint8Array): string {
  return (
    Buffer.from(octets)
      .toString('hex')
      .toUpperCase()
      .match(/.{1,56}/g) ?? []
  ).join(' ');
}

function quoted(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) {
    if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
    else if (octet >= 0x20 && octet < 0x7f) text += String.fromCharCode(octet);
    else text += `\\${String(octet).padStart(3, '0')}`;
  }
  return `"${text}"`;
}
