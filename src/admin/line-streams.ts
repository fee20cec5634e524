/** Answers that never end by themselves: a line of JSON at a time, until the client goes or the daemon stops. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** What waits for a client that is slow to read: more would fill the memory. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** What may come in one turn, such as an import's, when no socket takes any, where every line counts; and for all. */
const MAX_BURST_BYTES = 8 * 1024 * 1024;
const MAX_BURSTS_BYTES = 64 * 1024 * 1024;
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
    const stream = new LineStream(reply.raw, () => this.#waitingBytes);
    // A client that has gone already is told of no more.
    if (reply.raw.closed || reply.raw.destroyed) return stream;
    this.#open.add(stream);
    reply.raw.once('close', () => this.#open.delete(stream));
    return stream;
  }

  get #waitingBytes(): number {
    return this.#open.values().reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
  }

  /** The daemon stops: whoever listens sees the end. */
  endAll(): void {
    for (const stream of this.#open) stream.end();
  }
}

export class LineStream {
  readonly #response: ServerResponse;
  /** Of all streams. */
  readonly #allWaitingBytes: () => number;
  #leftOut = 0;

  constructor(response: ServerResponse, allWaitingBytes: () => number) {
    this.#response = response;
    this.#allWaitingBytes = allWaitingBytes;
    response.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' });
    response.socket?.setKeepAlive(true, KEEP_ALIVE_MS);
    response.on('drain', () => this.#tellLeftOut());
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
    return this.waitingBytes < MAX_WAITING_BYTES;
  }

  get waitingBytes(): number {
    return this.#response.writableLength;
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

  /** For one whose every line counts: where there is no room for it, it ends. @returns whether it went on */
  writeOrEnd(line: object): boolean {
    const waiting = this.waitingBytes;
    if (this.hasRoom || (waiting < MAX_BURST_BYTES && this.#allWaitingBytes() < MAX_BURSTS_BYTES)) {
      this.#send(line);
      return true;
    }
    const reason = `this client does not read: ${waiting} octets were waiting for it, and what came then is lost`;
    this.#send({ at: new Date().toISOString(), event: 'cut-off', reason });
    this.#response.end();
    return false;
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
