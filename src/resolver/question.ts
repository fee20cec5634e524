/** A question as it is asked of upstreams, and what tells two of them apart. */
import { copyBytes, writeU16 } from '../wire/bytes.ts';
import { OPT_BYTES, OPTION, OPTION_HEADER_BYTES, writeOpt, writeOption } from '../wire/edns.ts';
import { CLASS_IN, FLAG, HEADER_BYTES, QUESTION_TAIL_BYTES } from '../wire/header.ts';
import { FOLD, NameView, nameLength } from '../wire/names.ts';
import type { SecureRandom } from './random.ts';

/** DO as it stands in an OPT's TTL; it joins the header's AD and CD in `bits`. */
export const DNSSEC_OK = 0x8000;

export interface Question {
  /** Wire form, lower case. */
  readonly name: Uint8Array;
  /** Of the name, as NameView gives it. */
  readonly nameHash: number;
  readonly type: number;
  /**
   * What a client says that changes the answer, and is carried over: FLAG.AD, FLAG.CD (RFC 4035 s3.2.2, RFC 6840
   * s5.7) and DNSSEC_OK (RFC 3225).
   */
  readonly bits: number;
  /** Data of the client subnet option (RFC 7871); null: none. An answer to it is for this client, and never kept. */
  readonly subnet: Uint8Array | null;
}

/** @param name wire form, any case */
export function makeQuestion(name: Uint8Array, type: number, bits: number, subnet: Uint8Array | null = null): Question {
  const view = new NameView();
  view.read(name, 0, name.length);
  return questionOf(name, view, type, bits, subnet);
}

/** @param view of the name in `message` */
export function questionOf(
  message: Uint8Array,
  view: NameView,
  type: number,
  bits: number,
  subnet: Uint8Array | null,
): Question {
  const at = view.offsets[0] as number;
  const length = view.end - at;
  const name = new Uint8Array(length);
  for (let i = 0; i < length; i++) name[i] = FOLD[message[at + i] as number] as number;
  return { name, nameHash: view.hashes[0] as number, type, bits, subnet };
}

/** @param nameHash as NameView gives it */
export function questionHash(nameHash: number, type: number, bits: number): number {
  return Math.imul(nameHash ^ (type << 16) ^ bits, 0x9e3779b1);
}

/** Equal where one query in flight serves both. */
export function areSame(a: Question, b: Question): boolean {
  return (
    a.nameHash === b.nameHash &&
    a.type === b.type &&
    a.bits === b.bits &&
    sameOctets(a.name, b.name) &&
    (a.subnet === null ? b.subnet === null : b.subnet !== null && sameOctets(a.subnet, b.subnet))
  );
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

interface Keyed<V> {
  readonly question: Question;
  readonly value: V;
  next: Keyed<V> | null;
}

/** Values by question, without a string made of it. */
export class QuestionMap<V> {
  readonly #first = new Map<number, Keyed<V>>();
  size = 0;

  get(question: Question): V | undefined {
    for (let keyed = this.#first.get(hashOf(question)) ?? null; keyed !== null; keyed = keyed.next) {
      if (areSame(keyed.question, question)) return keyed.value;
    }
    return undefined;
  }

  /** @param question must not be there */
  add(question: Question, value: V): void {
    const hash = hashOf(question);
    this.#first.set(hash, { question, value, next: this.#first.get(hash) ?? null });
    this.size++;
  }

  delete(question: Question): void {
    const hash = hashOf(question);
    let before: Keyed<V> | null = null;
    for (let keyed = this.#first.get(hash) ?? null; keyed !== null; keyed = keyed.next) {
      if (areSame(keyed.question, question)) {
        if (before !== null) before.next = keyed.next;
        else if (keyed.next !== null) this.#first.set(hash, keyed.next);
        else this.#first.delete(hash);
        this.size--;
        return;
      }
      before = keyed;
    }
  }

  clear(): void {
    this.#first.clear();
    this.size = 0;
  }

  *values(): Generator<V> {
    for (const first of this.#first.values()) {
      for (let keyed: Keyed<V> | null = first; keyed !== null; keyed = keyed.next) yield keyed.value;
    }
  }
}

function hashOf({ nameHash, type, bits }: Question): number {
  return questionHash(nameHash, type, bits);
}

export function questionEnd({ name }: Question): number {
  return HEADER_BYTES + name.length + QUESTION_TAIL_BYTES;
}

/**
 * A query of our own: RD, one question, its OPT ours (RFC 6891 s6.1.1: hop by hop), so a client's cookie, NSID,
 * keepalive and padding go no further.
 * @param random of the ID and of the QNAME's case, which forged replies have to match (draft-vixie-dnsext-dns0x20)
 * @param keepsCase false: the upstream answers in lower case, so it is asked in lower case
 */
export function buildQuery(question: Question, random: SecureRandom, hasEdns: boolean, keepsCase: boolean): Buffer {
  const { name, type, bits, subnet } = question;
  const end = questionEnd(question);
  const optBytes = hasEdns ? OPT_BYTES + (subnet === null ? 0 : OPTION_HEADER_BYTES + subnet.length) : 0;
  const query = Buffer.allocUnsafe(end + optBytes);
  writeU16(query, 0, random.u16());
  writeU16(query, 2, FLAG.RD | (bits & (FLAG.AD | FLAG.CD)));
  writeU16(query, 4, 1);
  writeU16(query, 6, 0);
  writeU16(query, 8, 0);
  writeU16(query, 10, hasEdns ? 1 : 0);
  copyBytes(name, 0, name.length, query, HEADER_BYTES);
  if (keepsCase) mixCase(query, HEADER_BYTES, random);
  writeU16(query, end - 4, type);
  writeU16(query, end - 2, CLASS_IN);
  if (!hasEdns) return query;
  const optEnd = writeOpt(query, end, 0, (bits & DNSSEC_OK) !== 0);
  if (subnet !== null) writeOption(query, end, optEnd, query.length, OPTION.clientSubnet, subnet);
  return query;
}

/** Turns letters of the lower-case name at `at` upper case, each by the toss of a coin. */
function mixCase(message: Uint8Array, at: number, random: SecureRandom): void {
  const end = at + nameLength(message, at);
  let coins = 0;
  let left = 0;
  for (let label = at; label < end - 1; label += 1 + (message[label] as number)) {
    for (let i = label + (message[label] as number); i > label; i--) {
      const byte = message[i] as number;
      if (byte < 0x61 || byte > 0x7a) continue;
      if (left === 0) {
        coins = random.u32();
        left = 32;
      }
      if ((coins & 1) !== 0) message[i] = byte - 0x20;
      coins >>>= 1;
      left--;
    }
  }
}
