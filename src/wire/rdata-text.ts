/** RDATA as text, as zone files and dig have it (RFC 1035 s5.1, RFC 3597). */
import { Address6 } from 'ip-address';
import { readU16, readU32 } from './bytes.ts';
import { expandName, MAX_NAME_BYTES, skipName, toTextName } from './names.ts';
import { typeText } from './type-names.ts';

/** Where a message ends too early, or points to nowhere. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
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
    this.at = endOfName(this.#bytes, from);
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

/** The octet behind a name. */
export function endOfName(bytes: Uint8Array, at: number): number {
  const found = skipName(bytes, at, bytes.length);
  if (found < 0) throw new MessageError('a name ends too early');
  return found;
}

export function nameText(bytes: Uint8Array, at: number): string {
  const out = new Uint8Array(MAX_NAME_BYTES);
  if (expandName(bytes, at, bytes.length, out, 0) < 0) throw new MessageError('a name is broken');
  return toTextName(out);
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
