/** Packets made from the corpus by chance, into one buffer, so that twenty million of them make no garbage. */
import type { Random } from '../../src/answers/selection.ts';
import { CORPUS, QUERIES } from './corpus.ts';

const CAPACITY = 65_535;
const HEADER_BYTES = 12;
/** Octets that mean something in a message: lengths, pointers, label types, OPT, option codes, counts. */
const TELLING = [
  0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 15, 28, 33, 41, 63, 64, 65, 0x7f, 0x80, 0xbf, 0xc0, 0xfc, 0xff,
];
/** Pairs of octets that do: pointers, types, sizes, lengths. */
const TELLING_PAIRS = [
  0, 1, 2, 11, 12, 41, 250, 251, 252, 255, 511, 512, 513, 1232, 4096, 0x4000, 0x8000, 0xc000, 0xc00c, 0xc00d, 0xfffe,
  0xffff,
];

export class Mutator {
  /** The packet is `bytes[0, length)`. */
  readonly bytes = new Uint8Array(CAPACITY);
  length = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Makes the next packet: one of the corpus as it is, one with up to five changes, or mere noise. */
  next(): void {
    const random = this.#random;
    if (random(100) === 0) {
      this.length = random(random(20) === 0 ? 4096 : 600);
      for (let i = 0; i < this.length; i++) this.bytes[i] = random(256);
    } else {
      this.#take(this.#pick());
      // A fresh ID shows replies to another query.
      if (this.length >= 2) {
        this.bytes[0] = random(256);
        this.bytes[1] = random(256);
      }
      if (random(2) === 0) this.#changeQuestion();
      // Mostly few: what has many is mostly malformed in the same ways.
      for (let left = random(1 + random(6)); left > 0; left--) this.#change();
    }
    // Most packets are queries: what QR and opcode do is soon known.
    if (this.length > 2) {
      const head = this.bytes[2] as number;
      this.bytes[2] = random(30) === 0 ? random(256) : (head & 0x06) | random(2);
    }
  }

  #pick(): Uint8Array {
    const from = this.#random(3) === 0 ? CORPUS : QUERIES;
    return from[this.#random(from.length)] as Uint8Array;
  }

  #take(packet: Uint8Array): void {
    this.bytes.set(packet);
    this.length = packet.length;
  }

  /** One that leaves the message well-formed, where it is: an octet of a label, the type, the class. */
  #changeQuestion(): void {
    const { bytes, length } = this;
    const random = this.#random;
    let end = HEADER_BYTES;
    while (end < length && (bytes[end] as number) > 0 && (bytes[end] as number) < 64) end += 1 + (bytes[end] as number);
    switch (random(4)) {
      case 0: {
        const at = HEADER_BYTES + 1 + random(Math.max(1, end - HEADER_BYTES - 1));
        if (at < length) bytes[at] = random(2) === 0 ? (bytes[at] as number) ^ 0x20 : random(256);
        break;
      }
      case 1:
        this.#putPair(end + 1, TELLING_PAIRS[random(TELLING_PAIRS.length)] as number);
        break;
      case 2:
        this.#putPair(end + 1, random(70));
        break;
      default:
        if (random(4) === 0) this.#putPair(end + 3, random(6));
        else this.#appendOpt();
    }
  }

  #change(): void {
    const { bytes, length } = this;
    const random = this.#random;
    const at = random(Math.max(1, length));
    switch (random(15)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes[at] = (bytes[at] as number) ^ (1 << random(8));
        break;
      case 2:
        bytes[at] = TELLING[random(TELLING.length)] as number;
        break;
      case 3:
        this.#putPair(at, TELLING_PAIRS[random(TELLING_PAIRS.length)] as number);
        break;
      case 4:
        // A pointer to somewhere in the message.
        this.#putPair(at, 0xc000 | random(length + 2));
        break;
      case 5:
        this.length = at;
        break;
      case 6:
        this.#remove(at, 1 + random(6));
        break;
      case 7:
        this.#insert(at, 1 + random(6));
        for (let i = at; i < Math.min(at + 6, this.length); i++) bytes[i] = random(256);
        break;
      case 8:
        this.#repeat(at, random(length - at + 1));
        break;
      case 9:
        // The low octet of a section's count, up or down by one as a rule.
        if (length >= HEADER_BYTES) {
          const count = 5 + 2 * random(4);
          bytes[count] = (bytes[count] as number) + (random(4) === 0 ? random(256) : random(2) * 2 - 1);
        }
        break;
      case 10:
        this.#splice(at, this.#pick());
        break;
      case 11:
        this.#appendOpt();
        break;
      case 12:
        // Case of a letter, or what is no letter.
        bytes[at] = (bytes[at] as number) ^ 0x20;
        break;
      case 13:
        this.#insertLabels(1 + random(5));
        break;
      default:
        for (let left = 1 + random(40); left > 0 && this.length < CAPACITY; left--) bytes[this.length++] = random(256);
    }
  }

  #putPair(at: number, value: number): void {
    if (at + 2 > this.length) return;
    this.bytes[at] = value >> 8;
    this.bytes[at + 1] = value;
  }

  #remove(at: number, count: number): void {
    const gone = Math.min(count, this.length - at);
    this.bytes.copyWithin(at, at + gone, this.length);
    this.length -= gone;
  }

  /** Moves what stands behind `at`; the room keeps what stood there. */
  #insert(at: number, count: number): void {
    if (this.length + count > CAPACITY) return;
    this.bytes.copyWithin(at + count, at, this.length);
    this.length += count;
  }

  #repeat(at: number, count: number): void {
    if (this.length + count > CAPACITY) return;
    this.bytes.copyWithin(this.length, at, at + count);
    this.length += count;
  }

  /** The end of another packet behind the beginning of this one. */
  #splice(at: number, other: Uint8Array): void {
    const from = this.#random(Math.max(1, other.length));
    const tail = other.subarray(from, from + CAPACITY - at);
    this.bytes.set(tail, at);
    this.length = at + tail.length;
  }

  /** One more OPT at the end, counted, of which each part may be odd. */
  #appendOpt(): void {
    const random = this.#random;
    const options = random(3) === 0 ? random(60) : 0;
    if (this.length < HEADER_BYTES || this.length + 11 + options > CAPACITY) return;
    const { bytes } = this;
    bytes[11] = (bytes[11] as number) + 1;
    const at = this.length;
    bytes.fill(0, at, at + 11);
    bytes[at] = random(20) === 0 ? random(256) : 0;
    bytes[at + 2] = 41;
    bytes[at + 3] = random(random(2) === 0 ? 6 : 256);
    bytes[at + 4] = random(256);
    bytes[at + 6] = random(5) === 0 ? random(3) : 0;
    bytes[at + 7] = random(256);
    bytes[at + 10] = options;
    for (let i = 0; i < options; i++) bytes[at + 11 + i] = random(2) === 0 ? random(6) : random(256);
    this.length += 11 + options;
  }

  /** Labels in front of the QNAME, up to names that are too long. */
  #insertLabels(count: number): void {
    for (let left = count; left > 0 && this.length >= HEADER_BYTES; left--) {
      const size = this.#random(64);
      this.#insert(HEADER_BYTES, 1 + size);
      this.bytes[HEADER_BYTES] = size;
    }
  }
}
