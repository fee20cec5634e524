/** Answers that never end by themselves: a line of JSON at a time, until the client goes or the daemon stops. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** What waits for a client that is slow to read: more would fill the memory. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Where every line counts those behind that wait unwritten, since an import makes thousands in one turn. In octets, roughly. */
const MAX_UNWRITTEN_BYTES = 32 * 1024 * 1024;
/** So many that have been written are let go of together. */
const COMPACT_AFTER = 10_000;
/** Each is a socket, and is written to with every line. */
const MAX_STREAMS = 100;
/** A client that has gone without a word is noticed after some minutes. */
const KEEP_ALIVE_MS = 60_000;

export class LineStreams {
  readonly #open = new Set<LineStream>();

  /** The reply is the stream's from now on. @returns null where there are too many; the reply says so then */
  make(reply: FastifyReply): LineStream | null {
    if (this.#open.size >= MAX_STREAMS) {
      reply.code(503).send({ error: `${MAX_STREAMS} listen already` });
      return null;
    }
    reply.hijack();
    const stream = new LineStream(reply.raw);
    // A client that has gone already is told of no more.
    if (reply.raw.closed || reply.raw.destroyed) return stream;
    this.#open.add(stream);
    reply.raw.once('close', () => this.#open.delete(stream));
    return stream;
  }

  /** The daemon stops: whoever listens sees the end. */
  endAll(): void {
    for (const stream of this.#open) stream.end();
  }
}

/** For any number of streams. */
export interface SharedLine {
  readonly line: object;
  /** Of its text, roughly. */
  readonly bytes: number;
}

export class LineStream {
  readonly #response: ServerResponse;
  #leftOut = 0;
  /** Lines that are told to other streams too, and so are written out only when their turn comes. */
  #unwritten: SharedLine[] = [];
  /** The first of them that is yet to be written. */
  #next = 0;
  #unwrittenBytes = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' });
    response.socket?.setKeepAlive(true, KEEP_ALIVE_MS);
    response.on('drain', () => {
      this.#tellLeftOut();
      this.#writeOn();
    });
    response.on('error', () => response.destroy());
  }

  /** Sends the head: from now on. @param onEnd called once, when nobody listens any more */
  begin(onEnd: () => void): void {
    // The client may have gone already.
    if (this.#response.closed) onEnd();
    else this.#response.once('close', onEnd);
    this.#response.flushHeaders();
  }

  /** False: a line would have to wait too long. */
  get hasRoom(): boolean {
    return this.#response.writableLength < MAX_WAITING_BYTES;
  }

  write(line: object): void {
    this.#tellLeftOut();
    this.#send(line);
  }

  /** So many lines are not told; `{"leftOut": n}` says so as soon as there is room. */
  leaveOut(count: number): void {
    this.#leftOut += count;
    this.#tellLeftOut();
  }

  end(): void {
    this.#response.end();
  }

  /** For one whose every line counts: where too much waits for it, it ends. @returns whether it went on */
  writeAllOrEnd(lines: readonly SharedLine[]): boolean {
    for (const line of lines) {
      this.#unwritten.push(line);
      this.#unwrittenBytes += line.bytes;
    }
    this.#writeOn();
    if (this.#unwrittenBytes <= MAX_UNWRITTEN_BYTES) return true;
    const count = this.#unwritten.length - this.#next;
    this.#unwritten = [];
    const reason = `this client reads too slowly: ${count} lines were waiting for it, and are lost`;
    this.#send({ at: new Date().toISOString(), event: 'cut-off', reason });
    this.#response.end();
    return false;
  }

  #writeOn(): void {
    while (this.#next < this.#unwritten.length && this.hasRoom) {
      const { line, bytes } = this.#unwritten[this.#next++] as SharedLine;
      this.#unwrittenBytes -= bytes;
      this.#send(line);
    }
    // A reader that is always somewhat behind would have it grow for ever.
    const isAllWritten = this.#next === this.#unwritten.length;
    if (!isAllWritten && this.#next < COMPACT_AFTER) return;
    this.#unwritten = isAllWritten ? [] : this.#unwritten.slice(this.#next);
    this.#next = 0;
  }

  #tellLeftOut(): void {
    if (this.#leftOut === 0 || !this.hasRoom) return;
    this.#send({ leftOut: this.#leftOut });
    this.#leftOut = 0;
  }

  #send(line: object): void {
    if (!this.#response.writableEnded && !this.#response.destroyed) this.#response.write(`${JSON.stringify(line)}\n`);
  }
}
