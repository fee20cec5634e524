/** A UDP client whose datagrams are with the server before the call that sends them returns. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

export class UdpClient {
  readonly #socket: Socket;
  readonly #replies: Buffer[] = [];
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    // A port that is closed by now refuses; what that means is told by the replies that are missing.
    socket.on('error', () => undefined);
    socket.on('message', (reply) => {
      this.#replies.push(reply);
      this.#wake();
    });
  }

  static async open(port: number, address = '127.0.0.1'): Promise<UdpClient> {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    // A connected socket looks nothing up and waits for nothing when it sends.
    socket.connect(port, address);
    await once(socket, 'connect');
    return new UdpClient(socket);
  }

  send(...queries: readonly Uint8Array[]): void {
    for (const query of queries) this.#socket.send(query);
  }

  /** Waits for as many replies, in the order in which they come. */
  async take(count: number): Promise<Buffer[]> {
    while (this.#replies.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#replies.splice(0, count);
  }

  /** Replies that came and were not taken. */
  get left(): number {
    return this.#replies.length;
  }

  close(): void {
    this.#socket.close();
  }
}
