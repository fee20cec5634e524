/** Names that nobody outside could know (RFC 6761, RFC 6303): answered with authority, and never asked for. */
import { copyBytes, writeU16 } from '../wire/bytes.ts';
import { FLAG, POINTER, RCODE, TYPE } from '../wire/header.ts';
import type { NameView } from '../wire/names.ts';
import { FIXED_ERRORS } from './extended-error.ts';
import type { ReplyWriter } from './reply-writer.ts';

/** Records without their owner, compiled: TYPE, CLASS, TTL, RDLENGTH and RDATA. */
export interface LocalTails {
  readonly soa: Uint8Array;
  readonly localhostA: Uint8Array;
  readonly localhostAaaa: Uint8Array;
}

/**
 * NXDOMAIN with a SOA at the special-use name (RFC 6303 s3, RFC 2308 s3).
 * @param name in the query, or behind a CNAME in the reply
 * @param label at which the special-use name begins in it; the count of its labels: the root
 * @param hasBelow a name below it exists all the same, so it does too: NODATA
 * @returns the reply's length
 */
export function denySpecialUse(
  writer: ReplyWriter,
  tails: LocalTails,
  name: NameView,
  label: number,
  flags: number,
  hasBelow: boolean,
): number {
  writer.error.setFixed(FIXED_ERRORS.specialUse);
  return finishNegative(writer, tails, name, label, flags, hasBelow ? RCODE.NOERROR : RCODE.NXDOMAIN);
}

/** RFC 6761 s6.3: the addresses of `localhost` and of names below it are loopback's, and they have nothing else. */
export function answerLocalhost(
  writer: ReplyWriter,
  tails: LocalTails,
  name: NameView,
  label: number,
  flags: number,
): number {
  const { qtype } = writer.screen;
  const isIpv4 = qtype === TYPE.A || qtype === TYPE.ANY;
  if (!isIpv4 && qtype !== TYPE.AAAA) return finishNegative(writer, tails, name, label, flags, RCODE.NOERROR);
  writeU16(writer.bytes, writer.at, POINTER | (name.offsets[0] as number));
  writer.at += 2;
  writeTail(writer, isIpv4 ? tails.localhostA : tails.localhostAaaa);
  writer.answers++;
  return writer.fit(RCODE.NOERROR, flags);
}

function finishNegative(
  writer: ReplyWriter,
  tails: LocalTails,
  name: NameView,
  label: number,
  flags: number,
  rcode: number,
): number {
  if (writer.at + 2 + tails.soa.length > writer.room) return writer.finishEmpty(rcode, flags | FLAG.TC);
  if (label === name.count) writer.bytes[writer.at++] = 0;
  else {
    writeU16(writer.bytes, writer.at, POINTER | (name.offsets[label] as number));
    writer.at += 2;
  }
  writeTail(writer, tails.soa);
  writer.authorities++;
  return writer.finish(rcode, flags);
}

function writeTail(writer: ReplyWriter, tail: Uint8Array): void {
  copyBytes(tail, 0, tail.length, writer.bytes, writer.at);
  writer.at += tail.length;
}
