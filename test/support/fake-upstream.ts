/** A DNS server of the test's own on loopback, UDP and TCP on one port, that replies as the test says. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';

export interface Seen {
  readonly query: Buffer;
  readonly overTcp: boolean;
  readonly port: number;
}

/** The messages to send for a query, in order; none: silence. */
export type Behaviour = (query: Buffer, overTcp: boolean, seen: Seen) => readonly Uint8Array[] | Promise<Uint8Array[]>;

export class FakeUpstream {
  readonly seen: Seen[] = [];
  readonly address = '127.0.0.1';
  readonly port: number;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();
  readonly #behaviour: Behaviour;

  private constructor(udp: UdpSocket, tcp: Server, behaviour: Behaviour) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.#behaviour = behaviour;
    this.port = udp.address().port;
    udp.on('message', async (query, { port }) => {
      for (const reply of await this.#replies(query, false, port)) udp.send(reply, port, this.address, () => undefined);
    });
    tcp.on('connection', (socket) => this.#serve(socket));
  }

  static async open(behaviour: Behaviour): Promise<FakeUpstream> {
    for (;;) {
      const udp = createSocket('udp4');
      await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
      const tcp = createServer();
      const isFree = await new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false));
        tcp.listen(udp.address().port, '127.0.0.1', () => resolve(true));
      });
      if (isFree) return new FakeUpstream(udp, tcp, behaviour);
      udp.close();
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', async (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const replies = await this.#replies(received.subarray(2), true, socket.remotePort ?? 0);
      if (replies.length === 0) socket.destroy();
      for (const reply of replies) {
        const framed = Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]);
        // In two pieces, as a stream may bring it.
        socket.write(framed.subarray(0, 3));
        socket.write(framed.subarray(3));
      }
    });
  }

  async #replies(query: Buffer, overTcp: boolean, port: number): Promise<readonly Uint8Array[]> {
    const seen = { query, overTcp, port };
    this.seen.push(seen);
    return this.#behaviour(query, overTcp, seen);
  }
}

/** The reply to a query: its bytes with QR, RA and other flags set, and A records behind the question. */
export function replyTo(query: Uint8Array, { records = 1, truncated = false } = {}): Buffer {
  let questionEnd = 12;
  while (query[questionEnd] !== 0) questionEnd += 1 + (query[questionEnd] as number);
  questionEnd += 5;
  const head = Buffer.from(query.subarray(0, questionEnd));
  head[2] = (head[2] as number) | 0x80 | (truncated ? 0x02 : 0);
  head[3] = 0x80;
  head.writeUInt16BE(records, 6);
  head.writeUInt32BE(0, 8);
  const record = (n: number): number[] => [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, n >> 8, n & 255];
  return Buffer.concat([head, Buffer.from(Array.from({ length: records }, (_, n) => record(n + 1)).flat())]);
}

/** A port on which nobody listens, neither UDP nor TCP. */
export async function closedPort(): Promise<number> {
  const upstream = await FakeUpstream.open(() => []);
  await upstream.close();
  return upstream.port;
}
