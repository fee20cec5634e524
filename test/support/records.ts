/** Records as zone-file text, put into wire form with any type and RDATA. */
import { Address6 } from 'ip-address';
import { TYPE_CODES } from '../../src/wire/codec.ts';
import { nameBytes } from './message.ts';

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];
/** The question's name, where it stands in every message. */
const QNAME_POINTER = [0xc0, 12];

const nameOf = (text: string): number[] => (text === '@' ? QNAME_POINTER : nameBytes(text));

/** `@` is the question's name, as a pointer to it: `@ 30 IN A 192.0.2.1`, `x.example. 5 IN TYPE65 \# 2 c001`. */
export function recordOf(text: string): number[] {
  const [, owner, ttl, , type, rdata] = /^(\S+) (\d+) (IN) (\S+) (.+)$/.exec(text) ?? [];
  if (owner === undefined || type === undefined || rdata === undefined) throw new Error(`"${text}" is no record`);
  const code = TYPE_CODES[type] ?? Number(type.replace('TYPE', ''));
  const octets = rdataOf(type, rdata);
  return [...nameOf(owner), ...u16(code), 0, 1, ...u32(Number(ttl)), ...u16(octets.length), ...octets];
}

function rdataOf(type: string, text: string): number[] {
  // RFC 3597 s5: any type.
  const unknown = /^\\# \d+ ?([0-9a-f]*)$/.exec(text);
  if (unknown !== null) return [...Buffer.from(unknown[1] as string, 'hex')];
  switch (type) {
    case 'A':
      return text.split('.').map(Number);
    case 'AAAA':
      return [...Buffer.from(new Address6(text).canonicalForm().replaceAll(':', ''), 'hex')];
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return nameOf(text);
    case 'TXT':
      return [text.length, ...Buffer.from(text, 'latin1')];
    case 'SOA': {
      const [primary = '', mailbox = '', ...numbers] = text.split(' ');
      return [...nameOf(primary), ...nameOf(mailbox), ...numbers.flatMap((number) => u32(Number(number)))];
    }
    default:
      throw new Error(`no RDATA of type ${type} from "${text}"`);
  }
}
