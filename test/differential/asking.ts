/**
 * Many queries at once over UDP and TCP. That there is no reply is told from the replies to later queries, not by the
 * clock: a sentinel, which every server answers, goes behind them, and once it is back a second one, as what a server
 * takes in one go (NSD, BIND) it may answer in another order.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';

/** Unanswered datagrams per server; few enough for the system's default buffers. */
const WINDOW = 64;
/** How often a query is sent that gets no reply, since UDP may lose it. */
const TRIES = 3;
const CONNECTIONS = 8;
/** A sentinel may be lost, too. */
const SENTINEL_AGAIN_MS = 500;
/** Over TCP it is sent only where a reply is not there at once: a second query in flight slows every server down. */
const SENTINEL_AFTER_MS = 20;
const PATIENCE_MS = 30_000;

/** One server asked over one socket. */
export class UdpAsker {
  readonly #socket: Socket;
  readonly #sentinel: Uint8Array;
  #nextId = 0;
  #nextSentinelId = 0;

  private constructor(socket: Socket, sentinel: Uint8Array) {
    this.#socket = socket;
    this.#sentinel = sentinel;
  }

  /** @param sentinel a query that is certainly answered */
  static async open(port: number, sentinel: Uint8Array): Promise<UdpAsker> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new UdpAsker(socket, sentinel);
  }

  /** @returns the replies in the order of the queries; null: none, for certain */
  async ask(queries: readonly Uint8Array[]): Promise<(Buffer | null)[]> {
    const replies: (Buffer | null)[] = queries.map(() => null);
    let open = queries.map((_, i) => i);
    for (let left = TRIES; left > 0 && open.length > 0; left--) {
      const answered = await this.#pass(open.map((i) => queries[i] as Uint8Array));
      open.forEach((i, at) => {
        replies[i] = answered[at] as Buffer | null;
      });
      open = open.filter((i) => replies[i] === null);
    }
    return replies;
  }

  /** Sends each query once. */
  #pass(queries: readonly Uint8Array[]): Promise<(Buffer | null)[]> {
    const replies: (Buffer | null)[] = queries.map(() => null);
    const baseId = this.#nextId;
    this.#nextId = (baseId + queries.length) & 0x7fff;
    return new Promise((resolve, reject) => {
      let sent = 0;
      let answered = 0;
      // Of the queries in order, those that are answered or will hardly be.
      let settled = 0;
      // By ID: how many of the queries were sent before it, and whether that was known to the server already.
      const sentinels = new Map<number, { sent: number; isSecond: boolean }>();
      const deadline = Date.now() + PATIENCE_MS;
      const finish = (error: Error | null): void => {
        clearInterval(again);
        this.#socket.removeAllListeners('message');
        this.#socket.removeAllListeners('error');
        if (error === null) resolve(replies);
        else reject(error);
      };
      const sendSentinel = (isSecond: boolean): void => {
        this.#nextSentinelId = 0x8000 | (this.#nextSentinelId + 1);
        const id = this.#nextSentinelId & 0xffff;
        sentinels.set(id, { sent, isSecond });
        this.#socket.send(withId(this.#sentinel, id));
      };
      const send = (): void => {
        while (sent < queries.length && sent - settled < WINDOW) {
          this.#socket.send(withId(queries[sent] as Uint8Array, (baseId + sent) & 0x7fff));
          sent++;
          // Also between: a window full of queries without replies must move on.
          if (sent % (WINDOW / 2) === 0 || sent === queries.length) sendSentinel(false);
        }
      };
      const again = setInterval(() => {
        if (Date.now() > deadline) finish(new Error('the server does not answer any more'));
        else sendSentinel(false);
      }, SENTINEL_AGAIN_MS);
      this.#socket.on('error', finish);
      this.#socket.on('message', (reply: Buffer) => {
        if (reply.length < 2) return;
        const id = reply.readUInt16BE(0);
        const index = (id - baseId) & 0x7fff;
        const sentinel = sentinels.get(id);
        if (sentinel !== undefined) {
          settled = Math.max(settled, sentinel.sent);
          if (sentinel.sent === queries.length && sentinel.isSecond) return finish(null);
          if (sentinel.sent === queries.length) sendSentinel(true);
        } else if (id < 0x8000 && index < queries.length) {
          if (replies[index] === null) answered++;
          replies[index] = reply;
          settled = Math.max(settled, index + 1);
          if (answered === queries.length) return finish(null);
        }
        send();
      });
      send();
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** One server asked over a few connections, each with one query at a time, so that an end is that query's doing. */
export class TcpAsker {
  readonly #port: number;
  readonly #sentinel: Uint8Array;
  readonly #connections: Connection[] = [];

  constructor(port: number, sentinel: Uint8Array) {
    this.#port = port;
    this.#sentinel = sentinel;
  }

  /** @returns as `UdpAsker.ask`; a connection that is closed instead of an answer is none */
  async ask(queries: readonly Uint8Array[]): Promise<(Buffer | null)[]> {
    const replies: (Buffer | null)[] = queries.map(() => null);
    let next = 0;
    const work = async (slot: number): Promise<void> => {
      while (next < queries.length) {
        const i = next++;
        replies[i] = await this.#askOne(slot, queries[i] as Uint8Array);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, slot) => work(slot)));
    return replies;
  }

  async #askOne(slot: number, query: Uint8Array): Promise<Buffer | null> {
    const old = this.#connections[slot];
    if (old !== undefined && !old.isClosed) {
      const reply = await old.ask(query, this.#sentinel);
      // One that had been idle may have been closed for that.
      if (reply !== null || !old.isClosed) return reply;
    }
    const connection = await Connection.open(this.#port);
    this.#connections[slot] = connection;
    return connection.ask(query, this.#sentinel);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

class Connection {
  isClosed = false;
  readonly #socket: TcpSocket;
  #received = Buffer.alloc(0);
  #nextId = 0;
  #onMessage: (message: Buffer | null) => void = () => undefined;

  private constructor(socket: TcpSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      while (this.#received.length >= 2 && this.#received.length >= 2 + this.#received.readUInt16BE(0)) {
        const end = 2 + this.#received.readUInt16BE(0);
        const message = this.#received.subarray(2, end);
        this.#received = this.#received.subarray(end);
        this.#onMessage(message);
      }
    });
    socket.on('error', () => this.close());
    socket.on('end', () => this.close());
    socket.on('close', () => this.close());
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket);
  }

  /** @returns null where there is no reply, or the connection ends */
  ask(query: Uint8Array, sentinel: Uint8Array): Promise<Buffer | null> {
    const id = this.#takeId();
    let sentinelId = -1;
    let isSecond = false;
    const sendSentinel = (): void => {
      sentinelId = this.#takeId();
      this.#send(withId(sentinel, sentinelId));
    };
    return new Promise((resolve) => {
      const finish = (message: Buffer | null): void => {
        clearTimeout(giveUp);
        clearTimeout(doubt);
        this.#onMessage = () => undefined;
        resolve(message);
      };
      const doubt = setTimeout(sendSentinel, SENTINEL_AFTER_MS);
      const giveUp = setTimeout(() => this.close(), PATIENCE_MS);
      this.#onMessage = (message) => {
        if (message === null) return finish(null);
        const replyId = message.length < 2 ? -1 : message.readUInt16BE(0);
        if (replyId === id) return finish(message);
        if (replyId !== sentinelId) return;
        if (isSecond) return finish(null);
        isSecond = true;
        sendSentinel();
      };
      this.#send(withId(query, id));
    });
  }

  #takeId(): number {
    this.#nextId = (this.#nextId + 1) & 0xffff;
    return this.#nextId;
  }

  #send(message: Uint8Array): void {
    this.#socket.write(Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 255), message]));
  }

  close(): void {
    this.isClosed = true;
    this.#socket.destroy();
    this.#onMessage(null);
  }
}

function withId(message: Uint8Array, id: number): Buffer {
  const copy = Buffer.from(message);
  // What is shorter has no ID, and no reply could be told to be its.
  if (copy.length >= 2) copy.writeUInt16BE(id, 0);
  return copy;
}
