/** Answers that go on for as long as the client reads them: lines of JSON, each when there is something to tell. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Octets that wait for a client; one that lets more come together is cut off, lest they fill the memory. */
const MAX_WAITING_BYTES = 1_048_576;
/** Each is a socket, and is written to with every line. */
const MAX_STREAMS = 100;
/** A client that has gone without a word is noticed after some minutes. */
const KEEP_ALIVE_MS = 60_000;

export class LineStreams<Filter> {
  readonly #streams = new Map<ServerResponse, Filter>();

  /** Those that look on. */
  get size(): number {
    return this.#streams.size;
  }

  /** Answers with the head at once, so that the client knows that it misses nothing from then on. @returns false: too many */
  open(reply: FastifyReply, filter: Filter): boolean {
    if (this.#streams.size >= MAX_STREAMS) return false;
    reply.hijack();
    const { raw } = reply;
    this.#streams.set(raw, filter);
    raw.once('close', () => this.#streams.delete(raw));
    // Told where the client resets the connection; the close follows.
    raw.on('error', () => undefined);
    raw.socket?.setKeepAlive(true, KEEP_ALIVE_MS);
    raw.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' });
    raw.flushHeaders();
    return true;
  }

  /** @param line made once, where anybody wants it */
  write(line: () => string, isWanted: (filter: Filter) => boolean): void {
    let text: string | null = null;
    for (const [stream, filter] of this.#streams) {
      if (!isWanted(filter)) continue;
      text ??= `${line()}\n`;
      stream.write(text);
      if (stream.writableLength > MAX_WAITING_BYTES) this.#cutOff(stream);
    }
  }

  close(): void {
    for (const stream of this.#streams.keys()) stream.end();
    this.#streams.clear();
  }

  #cutOff(stream: ServerResponse): void {
    this.#streams.delete(stream);
    const reason = `this client does not read: ${MAX_WAITING_BYTES} octets were waiting for it, and what came then is lost`;
    stream.end(`${JSON.stringify({ at: new Date().toISOString(), event: 'cut-off', reason })}\n`);
  }
}
