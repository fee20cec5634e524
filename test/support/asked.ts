/** What a query to an upstream says, read octet by octet. */
import { typeName } from '../../src/wire/codec.ts';
import { questionOf } from './fake-upstream.ts';

export interface Asked {
  readonly id: number;
  /** Those that are set, such as `RD CD`. */
  readonly flags: string;
  /** `www.example.com A`, in lower case. */
  readonly question: string;
  /** The name as it was sent. */
  readonly qname: string;
  /** `EDNS 0 DO; udp 1232`; null: no OPT. */
  readonly opt: string | null;
  /** The OPT's options by their code, as hexadecimal text. */
  readonly options: Readonly<Record<number, string>>;
}

const FLAGS = [
  ['QR', 0x8000],
  ['AA', 0x0400],
  ['TC', 0x0200],
  ['RD', 0x0100],
  ['RA', 0x0080],
  ['Z', 0x0040],
  ['AD', 0x0020],
  ['CD', 0x0010],
] as const;

/** @throws Error where it is anything but a question, and an OPT perhaps */
export function readAsked(query: Buffer): Asked {
  const counts = [4, 6, 8, 10].map((at) => query.readUInt16BE(at));
  const { name, type, end } = questionOf(query);
  if (counts[0] !== 1 || counts[1] !== 0 || counts[2] !== 0 || (counts[3] as number) > 1) {
    throw new Error(`a query with sections of ${counts.join(', ')}`);
  }
  const bits = query.readUInt16BE(2);
  return {
    id: query.readUInt16BE(0),
    flags: FLAGS.flatMap(([flag, bit]) => ((bits & bit) === 0 ? [] : [flag])).join(' '),
    question: `${name} ${typeName(type)}`,
    qname: query.toString('latin1', 12, end - 4),
    ...(counts[3] === 0 ? noOpt(query, end) : readOpt(query, end)),
  };
}

function noOpt(query: Buffer, end: number): Pick<Asked, 'opt' | 'options'> {
  if (query.length !== end) throw new Error('octets behind the question');
  return { opt: null, options: {} };
}

function readOpt(query: Buffer, at: number): Pick<Asked, 'opt' | 'options'> {
  if (query[at] !== 0 || query.readUInt16BE(at + 1) !== 41) throw new Error('no OPT behind the question');
  const end = at + 11 + query.readUInt16BE(at + 9);
  if (end !== query.length) throw new Error('octets behind the OPT');
  const flags = query.readUInt16BE(at + 7);
  const options: Record<number, string> = {};
  for (let option = at + 11; option < end; ) {
    const next = option + 4 + query.readUInt16BE(option + 2);
    options[query.readUInt16BE(option)] = query.toString('hex', option + 4, next);
    option = next;
  }
  const opt = `EDNS ${query[at + 6]}${flags === 0x8000 ? ' DO' : ''}; udp ${query.readUInt16BE(at + 3)}`;
  return { opt, options };
}
