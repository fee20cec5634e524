/** Answers that never end by themselves: a line of JSON at a time, until the client goes or the daemon stops. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** What waits for a client that is slow to read; beyond it lines are left out, and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

export interface LineStream {
  /** False: a line would have to wait too long. */
  readonly hasRoom: boolean;
  write(line: object): void;
  /** So many lines are not told; `{"leftOut": n}` says so as soon as there is room. */
  leaveOut(count: number): void;
  /** Sends the head: from now on. @param onEnd called once, when nobody listens any more */
  begin(onEnd: () => void): void;
}

export class LineStreams {
  readonly #open = new Set<ServerResponse>();

  /** The reply is the stream's from now on. */
  make(reply: FastifyReply): LineStream {
    reply.hijack();
    const response = reply.raw;
    let leftOut = 0;
    const hasRoom = (): boolean => response.writableLength < MAX_WAITING_BYTES;
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    const send = (line: object): void => {
      response.write(`${JSON.stringify(line)}\n`);
    };
    const tellLeftOut = (): void => {
      if (leftOut === 0 || !hasRoom()) return;
      send({ leftOut });
      leftOut = 0;
    };
    response.on('drain', tellLeftOut);
    return {
      get hasRoom() {
        return hasRoom();
      },
      write(line) {
        tellLeftOut();
        send(line);
      },
      leaveOut(count) {
        leftOut += count;
        tellLeftOut();
      },
      begin: (onEnd) => {
        // It may be gone already.
        if (response.closed || response.destroyed) {
          onEnd();
          return;
        }
        this.#open.add(response);
        response.once('close', () => {
          this.#open.delete(response);
          onEnd();
        });
        response.on('error', () => response.destroy());
        response.flushHeaders();
      },
    };
  }

  /** The daemon stops: whoever listens sees the end. */
  endAll(): void {
    for (const response of this.#open) response.end();
  }
}
