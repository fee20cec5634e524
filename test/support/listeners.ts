/** What health checks probe: listeners on loopback, in this process, that behave as the test says, badly too. */
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';

export type Behaviour =
  /** A response, once the request is there. */
  | { readonly kind: 'respond'; readonly status: number; readonly headers?: string; readonly afterMs?: number }
  /** These bytes and nothing more, once the request is there. */
  | { readonly kind: 'send'; readonly text: string }
  /** These bytes at once, without TLS in any case. */
  | { readonly kind: 'blurt'; readonly text: string }
  /** Accepts and says nothing, no TLS handshake either, until `release`. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' };

/** One for all connections, or by the connection's number, from 1 on. */
export type Script = Behaviour | ((connection: number) => Behaviour);

export interface ListenerOptions {
  readonly address?: string;
  readonly port?: number;
  /** TLS with these. */
  readonly tls?: SecureContextOptions | undefined;
}

export const respond = (status: number, rest: { headers?: string; afterMs?: number } = {}): Behaviour => ({
  kind: 'respond',
  status,
  ...rest,
});
export const OK = respond(200);
export const HANG: Behaviour = { kind: 'hang' };

let addresses = 0;
/**
 * A loopback address that no other test has, so that nobody takes a port of it while it is closed. Where 127.0.0.1 is
 * all there is, it is that.
 */
export function ownAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  addresses++;
  return `127.${1 + ((process.pid >> 8) & 0x7f)}.${process.pid & 0xff}.${(addresses % 254) + 1}`;
}

export class Listener {
  readonly address: string;
  readonly port: number;
  script: Script;
  /** What came over each connection, in the order in which they came; its length is their number. */
  readonly received: string[] = [];
  /** When each of them came, in milliseconds of the process. */
  readonly cameAt: number[] = [];
  readonly #tls: SecureContext | null;
  readonly #sockets = new Set<Socket>();
  #hanging: { readonly socket: Socket; readonly index: number }[] = [];
  #server: Server;

  private constructor(server: Server, address: string, script: Script, tls: SecureContextOptions | undefined) {
    this.#server = server;
    this.address = address;
    this.port = (server.address() as { port: number }).port;
    this.script = script;
    this.#tls = tls === undefined ? null : createSecureContext(tls);
    this.#serve();
  }

  static async open(script: Script, { address = '127.0.0.1', port = 0, tls }: ListenerOptions = {}): Promise<Listener> {
    return new Listener(await listen(port, address), address, script, tls);
  }

  get connections(): number {
    return this.received.length;
  }

  /** Every request whose head is whole. */
  get requests(): string[] {
    return this.received.filter((text) => text.includes('\r\n\r\n'));
  }

  /** The attributes that make an instance be probed here. */
  get attributes(): Record<string, string> {
    const key = this.address.includes(':') ? 'AWS_INSTANCE_IPV6' : 'AWS_INSTANCE_IPV4';
    return { [key]: this.address, AWS_INSTANCE_PORT: String(this.port) };
  }

  /** New connections are refused from now on; those that are there go on. */
  refuse(): void {
    this.#server.close();
  }

  /** The contrary of `refuse`, on the same port. */
  async accept(): Promise<void> {
    this.#server = await listen(this.port, this.address);
    this.#serve();
  }

  /** How many connections wait for `release`. */
  get hanging(): number {
    return this.#hanging.length;
  }

  /** Lets the oldest connection that hangs have this, without TLS. @throws Error where none hangs */
  release(behaviour: Behaviour): void {
    const oldest = this.#hanging.shift();
    if (oldest === undefined) throw new Error('no connection hangs');
    this.#behave(oldest.socket, behaviour, oldest.index);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(): void {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#hanging = this.#hanging.filter((other) => other.socket !== socket);
      });
      // Probes end their connections as soon as they know enough.
      socket.on('error', () => socket.destroy());
      const n = this.received.push('');
      this.cameAt.push(performance.now());
      this.#behave(socket, typeof this.script === 'function' ? this.script(n) : this.script, n - 1);
    });
  }

  #behave(socket: Socket, behaviour: Behaviour, index: number): void {
    switch (behaviour.kind) {
      case 'hang':
        this.#hanging.push({ socket, index });
        // Else the end of the connection would not be seen.
        this.#record(socket, index);
        return;
      case 'close':
        socket.resume().end();
        return;
      case 'reset':
        socket.resetAndDestroy();
        return;
      case 'blurt':
        socket.resume().write(behaviour.text);
        return;
      case 'send':
      case 'respond':
        this.#answer(
          this.#tls === null ? socket : new TLSSocket(socket, { isServer: true, secureContext: this.#tls }),
          behaviour,
          index,
        );
    }
  }

  #record(stream: Socket, index: number): void {
    stream.on('data', (chunk: Buffer) => {
      this.received[index] += chunk.toString('latin1');
    });
  }

  /** As soon as the request's head is there; it may be already. */
  #answer(stream: Socket, behaviour: Extract<Behaviour, { kind: 'send' | 'respond' }>, index: number): void {
    let timer: NodeJS.Timeout | undefined;
    const write = (): void => {
      if (behaviour.kind === 'send') stream.write(behaviour.text);
      else stream.end(`HTTP/1.1 ${behaviour.status} Status\r\n${behaviour.headers ?? ''}content-length: 0\r\n\r\n`);
    };
    const answerOnce = (): void => {
      if (!this.received[index]?.includes('\r\n\r\n')) return;
      stream.off('data', answerOnce);
      const afterMs = behaviour.kind === 'send' ? 0 : (behaviour.afterMs ?? 0);
      if (afterMs === 0) write();
      else timer = setTimeout(write, afterMs);
    };
    stream.on('error', () => stream.destroy());
    stream.on('close', () => clearTimeout(timer));
    if (stream.listenerCount('data') === 0) this.#record(stream, index);
    stream.on('data', answerOnce);
    answerOnce();
  }
}

function listen(port: number, address: string): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve(server));
  });
}
