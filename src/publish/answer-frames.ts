/**
 * The form of the file of compiled answers: frames that each say what they are of and whether they are whole, so that
 * what a crash or a bad disk leaves is read up to the first frame that is not.
 *
 *   file  := magic, digest of what the answers depend on besides the content, frame...
 *   frame := u32 CRC-32 of the rest, u32 bytes of the payload, u8 kind, u8 bytes of the version, version, payload
 */
import { createHash } from 'node:crypto';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** Raised with every change of the frames, of deltas and answer sets, and of what is compiled into them. */
export const FORMAT = 1;
const MAGIC = Buffer.from('cloudmapd answers\n', 'latin1');
const DIGEST_BYTES = 32;
const HEADER_BYTES = MAGIC.length + DIGEST_BYTES;
const FRAME_HEAD_BYTES = 10;
/** Octets read at once. */
const READ_BYTES = 1024 * 1024;

/** A part of the base; the end of the base; what changed since. */
export type FrameKind = 'base' | 'base-end' | 'delta';
const KINDS: readonly FrameKind[] = ['base', 'base-end', 'delta'];

export interface Frame {
  readonly kind: FrameKind;
  /** Of the store's content when it was written. */
  readonly version: string;
  /** Good until the next frame is read. */
  readonly payload: Uint8Array;
  /** Where in the file it ends. */
  readonly end: number;
}

/** @param basis whatever makes other answers of the same content */
export function headerOf(basis: unknown): Buffer {
  const digest = createHash('sha256')
    .update(JSON.stringify([FORMAT, basis]))
    .digest();
  return Buffer.concat([MAGIC, digest]);
}

/** @param version at most 255 octets of ASCII; @throws Error as the system says */
export function writeFrame(fd: number, kind: FrameKind, version: string, payload: Uint8Array): number {
  const start = FRAME_HEAD_BYTES + version.length;
  const frame = Buffer.allocUnsafe(start + payload.length);
  frame.writeUInt32LE(payload.length, 4);
  frame[8] = KINDS.indexOf(kind);
  frame[9] = version.length;
  frame.write(version, FRAME_HEAD_BYTES, 'latin1');
  frame.set(payload, start);
  frame.writeUInt32LE(crc32(frame.subarray(4)), 0);
  writeAll(fd, frame);
  return frame.length;
}

/** A full disk may take a part. @throws Error as the system says */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Frames up to the first that is not whole; none where the header is another one. @throws Error as the system says */
export function* readFrames(fd: number, header: Uint8Array): Generator<Frame> {
  const reader = new FileReader(fd);
  if (!reader.has(HEADER_BYTES) || !reader.peek(HEADER_BYTES).equals(header)) return;
  reader.skip(HEADER_BYTES);
  while (reader.has(FRAME_HEAD_BYTES)) {
    const head = reader.peek(FRAME_HEAD_BYTES);
    const payloadBytes = head.readUInt32LE(4);
    const kind = KINDS[head[8] as number];
    const start = FRAME_HEAD_BYTES + (head[9] as number);
    if (kind === undefined || !reader.has(start + payloadBytes)) return;
    const frame = reader.peek(start + payloadBytes);
    if (crc32(frame.subarray(4)) !== frame.readUInt32LE(0)) return;
    const version = frame.toString('latin1', FRAME_HEAD_BYTES, start);
    reader.skip(start + payloadBytes);
    yield { kind, version, payload: frame.subarray(start), end: reader.position };
  }
}

/** A file from its beginning, some of it at a time. */
class FileReader {
  readonly #fd: number;
  readonly #size: number;
  #buffer = Buffer.alloc(READ_BYTES);
  /** What is in the buffer and not yet skipped. */
  #from = 0;
  #to = 0;
  /** In the file, of what comes next. */
  position = 0;

  constructor(fd: number) {
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
  }

  has(bytes: number): boolean {
    return this.position + bytes <= this.#size;
  }

  /** What comes next, of which there is so much; good until the next call. */
  peek(bytes: number): Buffer {
    if (this.#to - this.#from < bytes) this.#read(bytes);
    return this.#buffer.subarray(this.#from, this.#from + bytes);
  }

  skip(bytes: number): void {
    this.#from += bytes;
    this.position += bytes;
  }

  #read(bytes: number): void {
    const buffer = bytes > this.#buffer.length ? Buffer.alloc(bytes) : this.#buffer;
    this.#buffer.copy(buffer, 0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
    this.#buffer = buffer;
    while (this.#to < bytes) {
      const read = readSync(this.#fd, buffer, this.#to, buffer.length - this.#to, this.position + this.#to);
      if (read === 0) throw new Error('the file has become shorter');
      this.#to += read;
    }
  }
}
