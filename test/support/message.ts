/**
 * DNS messages put together part by part, broken ones too, and read back strictly as zone-file text. On purpose not
 * the codec of the daemon: what both get wrong together no test would see.
 */
import { Address6 } from 'ip-address';
import { RCODE_CODES, TYPE_CODES, typeName } from '../../src/wire/codec.ts';
import { toTextName } from '../../src/wire/names.ts';

const FLAG_BITS = { AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, Z: 0x0040, AD: 0x0020, CD: 0x0010 } as const;
const CLASS_CODES: Readonly<Record<string, number>> = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 };
const TYPE_OPT = 41;
/** Types whose RDATA may hold a compressed name (RFC 3597 s4). */
const COMPRESSIBLE = ['NS', 'CNAME', 'SOA'];

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];

/** A name as in zone files, `\.` and `\DDD` included, to wire form with its case (RFC 1035 s5.1). */
export function nameBytes(text: string): number[] {
  const bytes: number[] = [];
  let label: number[] = [];
  const endLabel = (): void => {
    if (label.length > 0) bytes.push(label.length, ...label);
    label = [];
  };
  for (const [part] of text.matchAll(/\\\d{3}|\\.|[^\\]/gs)) {
    if (part === '.') endLabel();
    else if (part.length === 4) label.push(Number(part.slice(1)));
    else label.push(part.charCodeAt(part.length - 1));
  }
  endLabel();
  return [...bytes, 0];
}

function codeOf(text: string, codes: Readonly<Record<string, number>>): number {
  const code = codes[text] ?? Number(text.replace(/^(TYPE|CLASS)/, ''));
  if (Number.isNaN(code)) throw new Error(`no code for "${text}"`);
  return code;
}

/** `web.corp.internal A`, `version.bind TXT CH`, `x. TYPE65280 CLASS7` to a question. */
export function questionBytes(text: string): number[] {
  const [name = '', type = 'A', qclass = 'IN'] = text.split(' ');
  return [...nameBytes(name), ...u16(codeOf(type, TYPE_CODES)), ...u16(codeOf(qclass, CLASS_CODES))];
}

export interface OptSpec {
  readonly owner?: readonly number[];
  readonly size?: number;
  readonly version?: number;
  readonly extendedRcode?: number;
  /** The sixteen flags: DO is 0x8000. */
  readonly flags?: number;
  readonly options?: readonly number[];
}

export function optBytes({
  owner = [0],
  size = 1232,
  version = 0,
  extendedRcode = 0,
  flags = 0,
  options = [],
}: OptSpec = {}): number[] {
  const ttl = [extendedRcode, version, ...u16(flags)];
  return [...owner, ...u16(TYPE_OPT), ...u16(size), ...ttl, ...u16(options.length), ...options];
}

export function optionBytes(code: number, data: readonly number[] = []): number[] {
  return [...u16(code), ...u16(data.length), ...data];
}

/** Any record, its RDATA as it stands in the message. */
export function recordBytes(owner: string, type: string, rdata: readonly number[]): number[] {
  return [...nameBytes(owner), ...u16(codeOf(type, TYPE_CODES)), 0, 1, 0, 0, 0, 60, ...u16(rdata.length), ...rdata];
}

export interface MessageParts {
  readonly id?: number;
  readonly opcode?: number;
  /** Such as `RD CD`; QR is `isReply`. */
  readonly flags?: string;
  readonly isReply?: boolean;
  readonly rcode?: number;
  /** QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT. */
  readonly counts?: readonly [number, number, number, number];
  readonly body?: readonly number[];
}

export function messageBytes({
  id = 0x1234,
  opcode = 0,
  flags = '',
  isReply = false,
  rcode = 0,
  counts = [1, 0, 0, 0],
  body = [],
}: MessageParts): Uint8Array {
  let bits = (isReply ? 0x8000 : 0) | (opcode << 11) | rcode;
  for (const flag of flags.split(' ').filter((each) => each !== '')) bits |= FLAG_BITS[flag as keyof typeof FLAG_BITS];
  return Uint8Array.from([...u16(id), ...u16(bits), ...counts.flatMap(u16), ...body]);
}

export interface QuerySpec extends Pick<MessageParts, 'id' | 'opcode' | 'flags' | 'rcode'> {
  /** OPT records behind the question. */
  readonly opts?: readonly OptSpec[];
}

/** One well-formed question, such as `web.corp.internal A`. */
export function queryBytes(question: string, { opts = [], ...parts }: QuerySpec = {}): Uint8Array {
  const body = [...questionBytes(question), ...opts.flatMap(optBytes)];
  return messageBytes({ ...parts, counts: [1, 0, 0, opts.length], body });
}

export interface Reply {
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly opcode: number;
  /** RCODE, the OPT's bits included, then the flags but QR: `NXDOMAIN AA RD`. */
  readonly status: string;
  /** The octets of the question section. */
  readonly question: Uint8Array;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  /** `EDNS 0 DO; udp 1232`, with ` +15` for each option by its code; null: no OPT. */
  readonly opt: string | null;
}

/** @throws Error where the reply is no reply, overruns, trails, points forward, or has an OPT that is out of place */
export function readReply(bytes: Uint8Array): Reply {
  const reader = new Reader(bytes);
  const [id, bits, ...counts] = [0, 2, 4, 6, 8, 10].map((at) => reader.u16(at)) as [number, number, ...number[]];
  if ((bits & 0x8000) === 0) throw new Error('a reply without QR');
  reader.at = 12;
  for (let left = counts[0] as number; left > 0; left--) {
    reader.name();
    reader.at += 4;
  }
  const question = bytes.subarray(12, reader.at);
  const [answer, authority, additional] = counts.slice(1).map((count) => reader.records(count)) as [
    string[],
    string[],
    string[],
  ];
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} octets behind the last record`);
  const rcode = (bits & 0xf) | (reader.extendedRcode << 4);
  const flags = Object.entries(FLAG_BITS).flatMap(([flag, bit]) => ((bits & bit) !== 0 ? [flag] : []));
  const rcodeName = Object.entries(RCODE_CODES).find(([, code]) => code === rcode)?.[0] ?? String(rcode);
  return {
    bytes,
    id,
    opcode: (bits >> 11) & 0xf,
    status: [rcodeName, ...flags].join(' '),
    question,
    answer,
    authority,
    additional,
    opt: reader.opt,
  };
}

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;
  opt: string | null = null;
  extendedRcode = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u16(at: number): number {
    if (at + 2 > this.#bytes.length) throw new Error(`the message ends at ${this.#bytes.length}, in the midst of it`);
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }

  /** A whole section; the OPT is noted apart from it. */
  records(count: number): string[] {
    const texts: string[] = [];
    for (let left = count; left > 0; left--) {
      const start = this.at;
      const owner = this.name();
      const type = this.u16(this.at);
      const end = this.at + 10 + this.u16(this.at + 8);
      if (end > this.#bytes.length) throw new Error('a record overruns the message');
      const fixed = this.at;
      this.at += 10;
      if (type === TYPE_OPT) {
        if (this.opt !== null || this.#bytes[start] !== 0) throw new Error('an OPT too many, or with an owner');
        this.#readOpt(fixed, end);
      } else {
        const ttl = this.u16(fixed + 4) * 0x1_0000 + this.u16(fixed + 6);
        if (this.u16(fixed + 2) !== 1) throw new Error('a record of another class');
        texts.push(`${owner} ${ttl} IN ${typeName(type)} ${this.#rdata(typeName(type), end)}`);
      }
      if (this.at !== end) throw new Error(`RDATA of ${owner} ${typeName(type)} does not end where RDLENGTH says`);
    }
    return texts;
  }

  #readOpt(fixed: number, end: number): void {
    this.extendedRcode = this.#bytes[fixed + 4] as number;
    const flags = this.u16(fixed + 6);
    const names = [(flags & 0x8000) !== 0 ? ' DO' : '', (flags & 0x7fff) !== 0 ? ' Z' : ''].join('');
    this.opt = `EDNS ${this.#bytes[fixed + 5]}${names}; udp ${this.u16(fixed + 2)}`;
    while (this.at < end) {
      this.opt += ` +${this.u16(this.at)}`;
      this.at += 4 + this.u16(this.at + 2);
    }
  }

  /** Follows pointers, which must lead back (RFC 1035 s4.1.4). */
  name(mayBeCompressed = true): string {
    const wire: number[] = [];
    let end = 0;
    for (let at = this.at, lowest = this.at; ; ) {
      const length = this.#bytes[at];
      if (length === undefined) throw new Error('a name overruns the message');
      if (length >= 0xc0) {
        if (!mayBeCompressed) throw new Error('a compressed name where none may be');
        const target = this.u16(at) & 0x3fff;
        if (target >= lowest) throw new Error('a compression pointer that does not lead back');
        end ||= at + 2;
        at = target;
        lowest = target;
        continue;
      }
      if (length > 63) throw new Error(`the label type ${length >> 6}`);
      wire.push(...this.#bytes.subarray(at, at + 1 + length));
      if (wire.length > 255) throw new Error('a name over 255 octets');
      at += 1 + length;
      if (length > 0) continue;
      this.at = end || at;
      return toTextName(Uint8Array.from(wire));
    }
  }

  #rdata(type: string, end: number): string {
    const take = (count: number): number[] => {
      this.at += count;
      return [...this.#bytes.subarray(this.at - count, this.at)];
    };
    const number = (count: number): number => take(count).reduce((sum, byte) => sum * 256 + byte, 0);
    const name = (): string => this.name(COMPRESSIBLE.includes(type));
    switch (type) {
      case 'A':
        return take(4).join('.');
      case 'AAAA':
        return Address6.fromUnsignedByteArray(take(16)).correctForm();
      case 'CNAME':
      case 'NS':
      case 'PTR':
        return name();
      case 'SRV':
        return `${number(2)} ${number(2)} ${number(2)} ${name()}`;
      case 'SOA':
        return [name(), name(), ...[1, 2, 3, 4, 5].map(() => number(4))].join(' ');
      default:
        return `\\# ${end - this.at} ${Buffer.from(take(end - this.at)).toString('hex')}`;
    }
  }
}
