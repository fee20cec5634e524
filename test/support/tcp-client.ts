/** A TCP connection of a DNS client, for what `askTcp` is too simple for. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Messages as they go over TCP, each behind its length (RFC 1035 s4.2.2). */
export function framed(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 255]), message]),
  );
}

export class TcpClient {
  readonly socket: Socket;
  /** The server has closed its half, or the connection. */
  isEnded = false;
  readonly #replies: Buffer[] = [];
  readonly #received: Buffer[] = [];
  #receivedBytes = 0;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    // A reset is an end like any other: who waits for replies is told of it by `take`.
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.isEnded = true;
        this.#wake();
      });
    }
  }

  /** @param localAddress another loopback address is another client */
  static async open(port: number, localAddress = '127.0.0.1'): Promise<TcpClient> {
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
    const client = new TcpClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Waits for as many replies, in the order in which they come. @throws Error where the server closes before */
  async take(count: number): Promise<Buffer[]> {
    while (this.#replies.length < count) {
      if (this.isEnded) throw new Error(`the connection ended after ${this.#replies.length} replies`);
      await this.#next();
    }
    return this.#replies.splice(0, count);
  }

  async ask(query: Uint8Array): Promise<Buffer> {
    this.socket.write(framed(query));
    return (await this.take(1))[0] as Buffer;
  }

  /** Waits until the server has closed its half. @returns the replies that came and were not taken */
  async end(): Promise<Buffer[]> {
    while (!this.isEnded) await this.#next();
    return this.#replies.splice(0);
  }

  /** Writes, and waits until the system has taken it. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    // Put together only where a message is whole: a large one comes in hundreds of chunks.
    for (let needed = this.#needed(); this.#receivedBytes >= needed; needed = this.#needed()) {
      const bytes = Buffer.concat(this.#received);
      this.#replies.push(bytes.subarray(2, needed));
      this.#received.splice(0, this.#received.length, bytes.subarray(needed));
      this.#receivedBytes -= needed;
    }
    this.#wake();
  }

  /** Octets that the next message takes with its length, as far as that is known. */
  #needed(): number {
    if (this.#receivedBytes < 2) return 2;
    const [first = Buffer.alloc(0)] = this.#received;
    const head = first.length >= 2 ? first : Buffer.concat(this.#received);
    return 2 + head.readUInt16BE(0);
  }
}
