/** Unpredictable numbers for queries to upstreams (RFC 5452 s4, s9): drawn in bulk, since each draw is a system call. */
import { randomFillSync } from 'node:crypto';
import { readU16, readU32 } from '../wire/bytes.ts';

const POOL_BYTES = 4096;

export class SecureRandom {
  readonly #pool = new Uint8Array(POOL_BYTES);
  #at = POOL_BYTES;

  /** A uniform 16-bit number. */
  u16(): number {
    return readU16(this.#pool, this.#take(2));
  }

  /** A uniform 32-bit number, not negative. */
  u32(): number {
    return readU32(this.#pool, this.#take(4));
  }

  /** In [0, bound), bound from 1 to 65,536; even to one part in 65,536. */
  below(bound: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }

  #take(bytes: number): number {
    if (this.#at + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    this.#at += bytes;
    return this.#at - bytes;
  }
}
