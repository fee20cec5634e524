/** DNS over TCP (RFC 7766): two octets of length in front of each message, any number of queries per connection. */
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { readU16, writeU16 } from '../wire/bytes.ts';
import { MAX_MESSAGE_BYTES } from '../wire/header.ts';
import { AddressedClient, type Clients } from './clients.ts';
import { addressOctets } from './local-address.ts';
import type { Relay } from './relay.ts';
import { DROP, FORWARD, type Responder } from './respond.ts';

export interface TcpListener {
  readonly port: number;
  close(): Promise<void>;
}

/** A connection without a whole message for so long is closed (RFC 7766 s6.2.3). */
const IDLE_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 1000;
const MAX_CONNECTIONS_PER_CLIENT = 100;
/** Queries of one connection with the upstreams at once; the next ones wait unread. */
const MAX_RELAYED_PER_CONNECTION = 64;
/** Replies that a client does not read pile up to this, then its queries are left unread. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** The open connections of a thread, the longest idle first, over all of its listeners. */
export class TcpConnections {
  readonly #idleOrder = new Set<Socket>();
  readonly #perClient = new Map<string, number>();

  /** Makes room by closing the longest idle connection, of this client where it has too many. */
  add(socket: Socket): void {
    const client = socket.remoteAddress ?? '';
    const ofClient = (this.#perClient.get(client) ?? 0) + 1;
    if (ofClient > MAX_CONNECTIONS_PER_CLIENT) this.#closeOldest((other) => other.remoteAddress === client);
    else if (this.#idleOrder.size >= MAX_CONNECTIONS) this.#closeOldest(() => true);
    this.#idleOrder.add(socket);
    this.#perClient.set(client, (this.#perClient.get(client) ?? 0) + 1);
    socket.once('close', () => this.#forget(socket, client));
  }

  /** A whole message came. */
  touch(socket: Socket): void {
    if (this.#idleOrder.delete(socket)) this.#idleOrder.add(socket);
  }

  closeAll(): void {
    for (const socket of this.#idleOrder) socket.destroy();
  }

  #closeOldest(matches: (socket: Socket) => boolean): void {
    for (const socket of this.#idleOrder) {
      if (!matches(socket)) continue;
      socket.destroy();
      this.#idleOrder.delete(socket);
      return;
    }
  }

  #forget(socket: Socket, client: string): void {
    this.#idleOrder.delete(socket);
    const left = (this.#perClient.get(client) ?? 1) - 1;
    if (left > 0) this.#perClient.set(client, left);
    else this.#perClient.delete(client);
  }
}

/**
 * Listens on one address.
 * @param isShared siblings listen there too, and the system gives each connection to one of them
 * @throws the socket's error where the address cannot be bound
 */
export async function listenTcp(
  address: string,
  port: number,
  responder: Responder,
  relay: Relay,
  clients: Clients,
  connections: TcpConnections,
  isShared = false,
): Promise<TcpListener> {
  const reply = new Uint8Array(2 + MAX_MESSAGE_BYTES);
  const body = reply.subarray(2);
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.add(socket);
    serve(socket, responder, relay, clients, connections, reply, body);
  });
  await bindTcp(server, address, port, isShared);
  // Accepting can fail for want of descriptors; the next connection may succeed.
  server.on('error', () => undefined);
  return {
    port: (server.address() as { port: number }).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** @throws the server's error */
export async function bindTcp(server: Server, address: string, port: number, isShared: boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const options = { port, host: address, ipv6Only: isIPv6(address), exclusive: true, reusePort: isShared };
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function serve(
  socket: Socket,
  responder: Responder,
  relay: Relay,
  clients: Clients,
  connections: TcpConnections,
  reply: Uint8Array,
  body: Uint8Array,
): void {
  const local = addressOctets(socket.localAddress ?? '');
  const from = new AddressedClient(clients);
  from.address = socket.remoteAddress ?? '';
  let unread: Buffer = Buffer.alloc(0);
  let relayed = 0;
  /** Whole queries wait in `unread` until replies have gone out. */
  let isBusy = false;
  let hasEnded = false;

  // Not the socket's own idle timer: single octets would keep that one from ever running out.
  const deadline = setTimeout(() => socket.destroy(), IDLE_TIMEOUT_MS);
  socket.once('close', () => clearTimeout(deadline));
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    answerUnread();
  });
  socket.on('drain', () => answerUnread());
  socket.on('end', () => {
    hasEnded = true;
    endWhenDone();
  });

  function answerUnread(): void {
    let at = 0;
    isBusy = false;
    while (unread.length - at >= 2) {
      isBusy = relayed >= MAX_RELAYED_PER_CONNECTION || socket.writableLength > MAX_UNSENT_BYTES;
      const end = at + 2 + readU16(unread, at);
      if (isBusy || end > unread.length) break;
      answer(unread.subarray(at + 2, end));
      at = end;
    }
    unread = unread.subarray(at);
    if (isBusy) socket.pause();
    else socket.resume();
    endWhenDone();
  }

  function answer(query: Buffer): void {
    connections.touch(socket);
    deadline.refresh();
    const length = responder.respond(query, query.length, body, true, local, from);
    if (length === DROP) return;
    if (length !== FORWARD) {
      writeU16(reply, 0, length);
      socket.write(reply.slice(0, 2 + length));
      return;
    }
    relayed++;
    relay.relay(Buffer.from(query), true, local, (answered) => {
      relayed--;
      if (socket.destroyed) return;
      const framed = new Uint8Array(2 + answered.length);
      writeU16(framed, 0, answered.length);
      framed.set(answered, 2);
      socket.write(framed);
      answerUnread();
    });
  }

  function endWhenDone(): void {
    // The client's end may come while the socket is paused, with the last of its octets.
    if (hasEnded && !isBusy && relayed === 0 && !socket.writableEnded) socket.end();
  }
}
