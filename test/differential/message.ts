/**
 * Replies read strictly, by a decoder of the test's own: what the daemon writes is not to be held against its own
 * reading of it. Names become lower case, since a server may compress against any spelling (RFC 1035 s4.1.4, 4343).
 */
import { typeName } from '../../src/wire/codec.ts';

export interface Opt {
  readonly octets: number;
  readonly size: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** The flags besides DO. */
  readonly z: number;
  /** Option codes. */
  readonly options: readonly number[];
}

export interface Reply {
  readonly octets: number;
  /** What of them is not additional records, the OPT aside. */
  readonly coreOctets: number;
  readonly id: number;
  readonly qr: boolean;
  readonly opcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
  readonly ra: boolean;
  readonly z: boolean;
  readonly ad: boolean;
  readonly cd: boolean;
  /** With the OPT's upper bits. */
  readonly rcode: number;
  /** The question section as it stands, in hexadecimal. */
  readonly question: string;
  /** Zone-file text, sorted. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  /** Without the OPT. */
  readonly additional: readonly string[];
  readonly opt: Opt | null;
}

const TYPE_OPT = 41;
/** Without options. */
const OPT_OCTETS = 11;
const TYPE_TSIG = 250;

/** @throws Error on a message that is not well formed to its last octet */
export function decodeReply(bytes: Buffer): Reply {
  const reader = new Reader(bytes);
  const [id, flags, qdcount, ancount, nscount, arcount] = [0, 0, 0, 0, 0, 0].map(() => reader.u16()) as Six;
  for (let i = 0; i < qdcount; i++) {
    reader.name();
    reader.skip(4);
  }
  const question = bytes.toString('hex', 12, reader.at);
  const answer = reader.records(ancount);
  const authority = reader.records(nscount);
  const additionalAt = reader.at;
  const additional = reader.records(arcount);
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} octets trail`);
  const opts = additional.flatMap(({ opt }) => opt ?? []);
  if (opts.length > 1) throw new Error('it has two OPT records');
  if ([...answer, ...authority].some(({ opt }) => opt !== null)) throw new Error('an OPT is not in the last section');
  const [opt = null] = opts;
  const texts = (records: readonly Read[]): string[] => records.map(({ text }) => text).sort();
  return {
    octets: bytes.length,
    coreOctets: additionalAt + (opt?.octets ?? 0),
    id,
    qr: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    aa: (flags & 0x0400) !== 0,
    tc: (flags & 0x0200) !== 0,
    rd: (flags & 0x0100) !== 0,
    ra: (flags & 0x0080) !== 0,
    z: (flags & 0x0040) !== 0,
    ad: (flags & 0x0020) !== 0,
    cd: (flags & 0x0010) !== 0,
    rcode: (flags & 15) | ((opt?.upperRcode ?? 0) << 4),
    question,
    answer: texts(answer),
    authority: texts(authority),
    additional: texts(additional.filter((record) => record.opt === null)),
    opt,
  };
}

type Six = [number, number, number, number, number, number];

interface Read {
  readonly text: string;
  readonly opt: (Opt & { readonly upperRcode: number }) | null;
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u16(): number {
    this.skip(2);
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }

  skip(octets: number): void {
    this.at += octets;
    if (this.at > this.#bytes.length) throw new Error('it ends too early');
  }

  /** Pointers must lead back, which also bounds them. */
  name(): string {
    const labels: string[] = [];
    let at = this.at;
    let end = -1;
    let octets = 1;
    for (;;) {
      const length = this.#bytes[at];
      if (length === undefined) throw new Error('a name overruns the message');
      if (length >= 0xc0) {
        const target = this.#bytes.readUInt16BE(at) & 0x3fff;
        if (target >= at) throw new Error('a pointer does not lead back');
        if (end < 0) end = at + 2;
        at = target;
        continue;
      }
      if (length > 63) throw new Error('a label type is reserved');
      octets += 1 + length;
      if (octets > 256) throw new Error('a name is too long');
      if (length === 0) break;
      const label = this.#bytes.toString('latin1', at + 1, at + 1 + length);
      labels.push(/[.\\]/.test(label) ? label.replace(/[.\\]/g, '\\$&') : label);
      at += 1 + length;
    }
    this.at = end < 0 ? at + 1 : end;
    if (this.at > this.#bytes.length) throw new Error('a name overruns the message');
    return `${labels.join('.')}.`.toLowerCase();
  }

  records(count: number): Read[] {
    return Array.from({ length: count }, () => this.#record());
  }

  #record(): Read {
    const owner = this.name();
    const type = this.u16();
    const rclass = this.u16();
    const ttl = this.u32();
    const end = this.u16() + this.at;
    if (end > this.#bytes.length) throw new Error('RDATA overruns the message');
    if (type === TYPE_OPT) {
      if (owner !== '.') throw new Error('the OPT is not at the root');
      return { text: 'OPT', opt: this.#opt(rclass, ttl, end) };
    }
    const rdata = this.#rdata(type, end);
    if (this.at !== end) throw new Error(`RDATA of type ${type} has another length than it says`);
    // A TSIG's RDATA holds the time.
    return { text: `${owner} ${ttl} ${rclass} ${typeName(type)} ${type === TYPE_TSIG ? '' : rdata}`, opt: null };
  }

  #opt(size: number, ttl: number, end: number): Read['opt'] {
    const options: number[] = [];
    const octets = OPT_OCTETS + end - this.at;
    while (this.at < end) {
      options.push(this.u16());
      this.skip(this.u16());
    }
    if (this.at !== end) throw new Error('an option overruns the OPT');
    const flags = ttl & 0xffff;
    return {
      octets,
      size,
      version: (ttl >>> 16) & 255,
      dnssecOk: (flags & 0x8000) !== 0,
      z: flags & 0x7fff,
      options,
      upperRcode: ttl >>> 24,
    };
  }

  #rdata(type: number, end: number): string {
    const at = this.at;
    switch (typeName(type)) {
      case 'NS':
      case 'CNAME':
        return this.name();
      case 'SRV': {
        const numbers = [this.u16(), this.u16(), this.u16()];
        // RFC 2782: the target is not compressed; nor does any of the servers.
        if (((this.#bytes[this.at] as number) & 0xc0) !== 0) throw new Error('an SRV target is compressed');
        return `${numbers.join(' ')} ${this.name()}`;
      }
      case 'SOA': {
        const names = [this.name(), this.name()];
        return [...names, this.u32(), this.u32(), this.u32(), this.u32(), this.u32()].join(' ');
      }
      default:
        this.skip(end - at);
        return this.#bytes.toString('hex', at, end);
    }
  }
}
