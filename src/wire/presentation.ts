/** Messages as text, record by record. */
import { readU16, readU32 } from './bytes.ts';
import { OPTION } from './edns.ts';
import { FLAG, HEADER_BYTES, TYPE } from './header.ts';
import { nameLength } from './names.ts';
import { endOfName, MessageError, nameText, rdataText } from './rdata-text.ts';
import { typeText } from './type-names.ts';

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

/** @throws MessageError */
export function messageText(bytes: Uint8Array): TextMessage {
  if (bytes.length < HEADER_BYTES) throw new MessageError('the message has no whole header');
  const bits = readU16(bytes, 2);
  let at = HEADER_BYTES;
  const questions: TextQuestion[] = [];
  for (let left = readU16(bytes, 4); left > 0; left--) {
    const fields = endOfName(bytes, at);
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
      const fields = endOfName(bytes, owner);
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
