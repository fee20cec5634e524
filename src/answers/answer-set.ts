/**
 * An answer set: all RRsets of one owner name, compiled to the bytes that a reply carries, so that answering is
 * choosing and copying. The main thread builds them, an answering thread reads them in place.
 *
 *   set    := u8 rrsets, rrset...
 *   rrset  := u16 TYPE, u8 policy, u32 bodyBytes, body
 *   body   := u32 choices, u32 offset of each choice within the body, choice..., [note]
 *           | u32 number of a table that has the choices, [note]; where the policy has the bit TABLED, see `outlineSet`
 *   choice := u16 answers, u8 additionals, answer..., additional...
 *   answer := u16 bytes, record tail (TYPE CLASS TTL RDLENGTH RDATA; its owner is the RRset's)
 *   additional := u8 bytes, labels in front of the RRset's owner name, u16 bytes, record tail
 *   note   := u32 epoch seconds or 0, text, u8 text bytes; there is one where the policy has the bit NOTED
 *
 * A choice is what one instance brings: one record as a rule, an SRV record with its target's addresses, or all
 * addresses of one alias. Additional owners are kept relative to the owner name (the SRV target of an instance is
 * `<instance>.<owner>`), so that they compress against the question in every reply.
 */
import { readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts';

/**
 * How many of an RRset's choices an answer carries: `all`, up to eight at random, or one at random. `asked`: in their
 * stead the address that was asked, where that is of the record's family; else all. `askedOnly`: the same, but else there
 * is no such RRset; its choice is the form of the record.
 */
export const POLICY = { all: 0, multivalue: 1, weighted: 2, asked: 3, askedOnly: 4 } as const;
export type Policy = keyof typeof POLICY;

export interface Additional {
  /** Labels in front of the owner name, in wire form without the root; empty for the owner itself. */
  readonly prefix: Uint8Array;
  readonly tail: Uint8Array;
}

export interface Choice {
  /** Record tails, see `recordTail`; 1 to 65,535. */
  readonly answers: readonly Uint8Array[];
  readonly additionals: readonly Additional[];
}

/** Why the choices are what they are, for an extended error (RFC 8914). */
export interface RrsetNote {
  /** ASCII, at most 255 octets. */
  readonly text: Uint8Array;
  /** Epoch seconds at which what is answered was last healthy; 0: never, or it does not matter. */
  readonly lastHealthySeconds: number;
}

export interface Rrset {
  readonly type: number;
  readonly policy: Policy;
  /** Some may be encoded already. */
  readonly choices: readonly (Choice | Uint8Array)[];
  readonly note?: RrsetNote | undefined;
  /** Whether an answering thread keeps the choices in a table, since they will be changed one by one. */
  readonly isTabled?: boolean | undefined;
}

const RRSET_HEADER_BYTES = 7;
/** Octets of a choice in front of its first answer. */
export const CHOICE_HEADER_BYTES = 3;
/** Bits of the policy octet. */
const NOTED = 0x80;
const TABLED = 0x40;
/** Some of its choices bring additional records. */
const ADDED = 0x20;
/** Octets of a note besides its text. */
const NOTE_BYTES = 5;

/** Compiles RRsets, at most 255 with at least one choice each, into one set. */
export function encodeAnswerSet(rrsets: readonly Rrset[]): Uint8Array {
  let size = 1;
  for (const rrset of rrsets) size += RRSET_HEADER_BYTES + bodyBytes(rrset);
  const out = new Uint8Array(size);
  out[0] = rrsets.length;
  let at = 1;
  for (const rrset of rrsets) {
    writeU16(out, at, rrset.type);
    out[at + 2] = POLICY[rrset.policy] | bitsOf(rrset);
    writeU32(out, at + 3, bodyBytes(rrset));
    const body = at + RRSET_HEADER_BYTES;
    writeU32(out, body, rrset.choices.length);
    let table = body + 4;
    at = table + 4 * rrset.choices.length;
    for (const choice of rrset.choices) {
      writeU32(out, table, at - body);
      table += 4;
      at = writeChoice(out, at, choice);
    }
    if (rrset.note !== undefined) at = writeNote(out, at, rrset.note);
  }
  return out;
}

function bitsOf({ note, isTabled, choices }: Rrset): number {
  // Of a tabled one it may change.
  const isAdded = isTabled || choices.some((choice) => choice instanceof Uint8Array || choice.additionals.length > 0);
  return (note === undefined ? 0 : NOTED) | (isTabled ? TABLED : 0) | (isAdded ? ADDED : 0);
}

export function encodeChoice(choice: Choice): Uint8Array {
  const out = new Uint8Array(sizeOfChoice(choice));
  writeChoice(out, 0, choice);
  return out;
}

function writeChoice(out: Uint8Array, start: number, choice: Choice | Uint8Array): number {
  let at = start;
  if (choice instanceof Uint8Array) {
    out.set(choice, at);
    return at + choice.length;
  }
  writeU16(out, at, choice.answers.length);
  out[at + 2] = choice.additionals.length;
  at += CHOICE_HEADER_BYTES;
  for (const tail of choice.answers) at = writeTail(out, at, tail);
  for (const additional of choice.additionals) {
    out[at++] = additional.prefix.length;
    out.set(additional.prefix, at);
    at = writeTail(out, at + additional.prefix.length, additional.tail);
  }
  return at;
}

function writeTail(out: Uint8Array, at: number, tail: Uint8Array): number {
  writeU16(out, at, tail.length);
  out.set(tail, at + 2);
  return at + 2 + tail.length;
}

function writeNote(out: Uint8Array, at: number, { text, lastHealthySeconds }: RrsetNote): number {
  writeU32(out, at, lastHealthySeconds);
  out.set(text, at + 4);
  out[at + 4 + text.length] = text.length;
  return at + NOTE_BYTES + text.length;
}

function bodyBytes(rrset: Rrset): number {
  let size = 4 + 4 * rrset.choices.length;
  for (const choice of rrset.choices) size += sizeOfChoice(choice);
  if (rrset.note !== undefined) size += NOTE_BYTES + rrset.note.text.length;
  return size;
}

function sizeOfChoice(choice: Choice | Uint8Array): number {
  if (choice instanceof Uint8Array) return choice.length;
  let size = CHOICE_HEADER_BYTES;
  for (const tail of choice.answers) size += 2 + tail.length;
  for (const additional of choice.additionals) size += 3 + additional.prefix.length + additional.tail.length;
  return size;
}

/**
 * Where the RRset of `type` starts within the set at `set`, or 0 where the name has none.
 * Offsets into `bytes` are good until the bytes change.
 */
export function findRrset(bytes: Uint8Array, set: number, type: number): number {
  let at = set + 1;
  for (let left = bytes[set] as number; left > 0; left--) {
    if (readU16(bytes, at) === type) return at;
    at = nextRrset(bytes, at);
  }
  return 0;
}

/** Whether the set at `set` holds no record: an empty non-terminal. */
export function isEmptySet(bytes: Uint8Array, set: number): boolean {
  return bytes[set] === 0;
}

/** Offset of the first RRset of a set that is not empty. */
export function firstRrset(set: number): number {
  return set + 1;
}

/** Offset of the RRset behind this one, where the set has more. */
export function nextRrset(bytes: Uint8Array, rrset: number): number {
  return rrset + RRSET_HEADER_BYTES + readU32(bytes, rrset + 3);
}

export function rrsetPolicy(bytes: Uint8Array, rrset: number): number {
  return (bytes[rrset + 2] as number) & ~(NOTED | TABLED | ADDED);
}

/** Where the RRset's note ends, or 0 where it has none: text length in the octet before, the text before that. */
export function noteEnd(bytes: Uint8Array, rrset: number): number {
  return ((bytes[rrset + 2] as number) & NOTED) === 0 ? 0 : rrset + RRSET_HEADER_BYTES + readU32(bytes, rrset + 3);
}

/** Octets of the note's text, which stands right in front of the last octet of the note that ends at `end`. */
export function noteLength(bytes: Uint8Array, end: number): number {
  return bytes[end - 1] as number;
}

/** Epoch seconds of the note that ends at `end`, or 0. */
export function noteSeconds(bytes: Uint8Array, end: number): number {
  return readU32(bytes, end - NOTE_BYTES - noteLength(bytes, end));
}

export function choiceCount(bytes: Uint8Array, rrset: number): number {
  return readU32(bytes, rrset + RRSET_HEADER_BYTES);
}

/** Offset of choice `index`: its two counts, then its answers. */
export function choiceAt(bytes: Uint8Array, rrset: number, index: number): number {
  const body = rrset + RRSET_HEADER_BYTES;
  return body + readU32(bytes, body + 4 + 4 * index);
}

/** Octets of the choice at `choice`. */
export function choiceBytes(bytes: Uint8Array, choice: number): number {
  let at = choice + CHOICE_HEADER_BYTES;
  for (let left = readU16(bytes, choice); left > 0; left--) at += 2 + readU16(bytes, at);
  for (let left = bytes[choice + 2] as number; left > 0; left--) {
    const tail = at + 1 + (bytes[at] as number);
    at = tail + 2 + readU16(bytes, tail);
  }
  return at - choice;
}

/** Whether a choice of the RRset may bring additional records. */
export function hasAdditionals(bytes: Uint8Array, rrset: number): boolean {
  return ((bytes[rrset + 2] as number) & ADDED) !== 0;
}

export function isTabled(bytes: Uint8Array, rrset: number): boolean {
  return ((bytes[rrset + 2] as number) & TABLED) !== 0;
}

/** The number of the table that has the choices of an RRset that `outlineSet` has made. */
export function tableNumber(bytes: Uint8Array, rrset: number): number {
  return readU32(bytes, rrset + RRSET_HEADER_BYTES);
}

/**
 * A set whose tabled RRsets have the number of a table in the place of their choices.
 * @param set as `encodeAnswerSet` makes it; @param tableOf takes the choices of the RRset in and gives the number
 * @returns the set itself where it has no such RRset
 */
export function outlineSet(set: Uint8Array, tableOf: (rrset: number) => number): Uint8Array {
  let size = 1;
  let hasTabled = false;
  forEachRrset(set, 0, (rrset) => {
    hasTabled ||= isTabled(set, rrset);
    size += isTabled(set, rrset) ? RRSET_HEADER_BYTES + 4 + noteBytes(set, rrset) : nextRrset(set, rrset) - rrset;
  });
  if (!hasTabled) return set;
  const out = new Uint8Array(size);
  out[0] = set[0] as number;
  let at = 1;
  forEachRrset(set, 0, (rrset) => {
    const next = nextRrset(set, rrset);
    if (!isTabled(set, rrset)) {
      out.set(set.subarray(rrset, next), at);
      at += next - rrset;
      return;
    }
    const note = set.subarray(next - noteBytes(set, rrset), next);
    out.set(set.subarray(rrset, rrset + RRSET_HEADER_BYTES), at);
    writeU32(out, at + 3, 4 + note.length);
    writeU32(out, at + RRSET_HEADER_BYTES, tableOf(rrset));
    out.set(note, at + RRSET_HEADER_BYTES + 4);
    at += RRSET_HEADER_BYTES + 4 + note.length;
  });
  return out;
}

/** Calls with the offset of each RRset of the set at `set`. */
export function forEachRrset(bytes: Uint8Array, set: number, visit: (rrset: number) => void): void {
  let rrset = firstRrset(set);
  for (let left = bytes[set] as number; left > 0; left--) {
    visit(rrset);
    rrset = nextRrset(bytes, rrset);
  }
}

function noteBytes(bytes: Uint8Array, rrset: number): number {
  const end = noteEnd(bytes, rrset);
  return end === 0 ? 0 : NOTE_BYTES + noteLength(bytes, end);
}
