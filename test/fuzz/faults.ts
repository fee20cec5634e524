/** What is wrong with what a responder did with a packet, whatever the packet is. On bytes, for speed. */
import { DROP, FORWARD } from '../../src/dns/respond.ts';

const TYPE_OPT = 41;
const HEADER_BYTES = 12;
/** NOERROR to REFUSED; BADVERS shows as its low four bits, 0. */
const MAX_RCODE = 5;

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

/** @returns what is wrong, or null */
export function faultOf(
  query: Uint8Array,
  queryLength: number,
  reply: Uint8Array,
  length: number,
  overTcp: boolean,
): string | null {
  const isReply = queryLength > 2 && ((query[2] as number) & 0x80) !== 0;
  if (queryLength < HEADER_BYTES || isReply)
    return length === DROP ? null : `a reply of ${length} where it had to drop`;
  if (length === FORWARD) return ((query[2] as number) & 0x01) !== 0 ? null : 'forwards without RD';
  if (length < HEADER_BYTES) return `no reply (${length}) to a whole header`;
  const limit = overTcp ? 65_535 : length <= 512 ? 512 : udpLimit(query, queryLength);
  if (length > limit) return `a reply of ${length} octets where ${limit} are taken`;
  return headerFault(query, reply) ?? messageFault(query, queryLength, reply, length);
}

function headerFault(query: Uint8Array, reply: Uint8Array): string | null {
  if (u16(reply, 0) !== u16(query, 0)) return 'another ID';
  const [asked, said] = [u16(query, 2), u16(reply, 2)];
  if ((said & 0x8000) === 0) return 'QR is 0';
  if (((asked ^ said) & 0x7900) !== 0) return 'another opcode or RD';
  if ((said & 0x0060) !== 0) return 'Z or AD';
  if ((said & 0x0410) === 0x0410) return 'CD in an authoritative answer';
  const rcode = said & 0xf;
  if (rcode > MAX_RCODE) return `the RCODE ${rcode}`;
  if ((asked & 0x7800) !== 0 && rcode !== 4) return `the RCODE ${rcode} to another opcode`;
  if ((said & 0x0200) !== 0 && u16(reply, 6) + u16(reply, 8) > 0) return 'TC with records';
  if (rcode !== 0 && rcode !== 3 && u16(reply, 6) + u16(reply, 8) > 0) return `records with the RCODE ${rcode}`;
  return null;
}

/** The sections: the question echoed, records whole, names that lead back, one OPT, nothing behind. */
function messageFault(query: Uint8Array, queryLength: number, reply: Uint8Array, length: number): string | null {
  if (u16(reply, 4) > 1) return 'two questions';
  let at = HEADER_BYTES;
  if (u16(reply, 4) === 1) {
    at = nameEnd(reply, at, length) + 4;
    if (at < HEADER_BYTES + 5 || at > length || at > queryLength) return 'a broken question';
    for (let i = HEADER_BYTES; i < at; i++) if (query[i] !== reply[i]) return 'another question';
  }
  const records = u16(reply, 6) + u16(reply, 8) + u16(reply, 10);
  let opts = 0;
  for (let left = records; left > 0; left--) {
    const fixed = nameEnd(reply, at, length);
    if (fixed < 0 || fixed + 10 > length) return `a broken owner at ${at}`;
    if (u16(reply, fixed) === TYPE_OPT) opts++;
    at = fixed + 10 + u16(reply, fixed + 8);
    if (at > length) return 'a record that overruns';
  }
  if (opts > 1) return 'two OPTs';
  return at === length ? null : `${length - at} octets behind the last record`;
}

/** The octet behind a name whose pointers lead back and which is 255 octets at most; -1 where there is none. */
function nameEnd(bytes: Uint8Array, start: number, limit: number): number {
  let end = -1;
  let wire = 1;
  for (let at = start, lowest = start; at < limit; ) {
    const size = bytes[at] as number;
    if (size === 0) return end < 0 ? at + 1 : end;
    if (size >= 0xc0) {
      const target = u16(bytes, at) & 0x3fff;
      if (at + 2 > limit || target >= lowest) return -1;
      if (end < 0) end = at + 2;
      at = target;
      lowest = target;
      continue;
    }
    wire += 1 + size;
    if (size > 63 || wire > 255) return -1;
    at += 1 + size;
  }
  return -1;
}

/** What a client that sent this well-formed query takes over UDP: by its only OPT, and 1,232 at most. */
function udpLimit(query: Uint8Array, queryLength: number): number {
  let at = nameEnd(query, HEADER_BYTES, queryLength) + 4;
  let size = 512;
  for (let left = u16(query, 6) + u16(query, 8) + u16(query, 10); left > 0; left--) {
    while (at < queryLength && (query[at] as number) > 0 && (query[at] as number) < 0xc0)
      at += 1 + (query[at] as number);
    at += (query[at] as number) >= 0xc0 ? 2 : 1;
    if (at + 10 > queryLength) break;
    if (u16(query, at) === TYPE_OPT && left <= u16(query, 10)) size = u16(query, at + 2);
    at += 10 + u16(query, at + 8);
  }
  return Math.min(1232, Math.max(512, size));
}
