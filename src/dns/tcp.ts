/** DNS over TCP (RFC 7766): two octets of length in front of each message, any number of queries per connection. */
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { TCP } from '../telemetry/query-counters.ts';
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

/** A connection without a whole message for so long is closed, unless it is owed replies alone (RFC 7766 s6.2.3). */
const IDLE_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 1000;
const MAX_CONNECTIONS_PER_CLIENT = 100;
/** Queries of one connection with the upstreams at once; the next ones wait unread. */
const MAX_RELAYED_PER_CONNECTION = 64;
/** Replies that a client does not read pile up to this, then its queries are left unread. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** Replies that go out together: a system call for each would cost more than all else that a query does. */
const BATCH_BYTES = 16 * 1024;
const LENGTH_BYTES = 2;
const NOTHING = Buffer.alloc(0);

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
 * What the connections of a listener work in, each in its turn: nothing is left in it for the next one, and no query
 * takes memory of its own.
 */
class Scratch {
  /** The query that is being answered, and its reply. */
  readonly query = new Uint8Array(MAX_MESSAGE_BYTES);
  readonly reply = new Uint8Array(MAX_MESSAGE_BYTES);
  /** The same memory: between buffers it is copied without a view for each copy. */
  readonly #reply = Buffer.from(this.reply.buffer);
  /** Replies behind each other, as they are sent. */
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  /** Octets in it. */
  filled = 0;

  /** Puts the reply behind the others, or sends it with them where they fill a batch. */
  add(length: number, socket: Socket): void {
    const end = this.filled + LENGTH_BYTES + length;
    if (end > BATCH_BYTES) {
      this.send(socket);
      if (LENGTH_BYTES + length > BATCH_BYTES) {
        socket.write(framed(this.reply, length));
        return;
      }
    }
    writeU16(this.#batch, this.filled, length);
    this.#reply.copy(this.#batch, this.filled + LENGTH_BYTES, 0, length);
    this.filled += LENGTH_BYTES + length;
  }

  send(socket: Socket): void {
    const { filled } = this;
    if (filled === 0) return;
    this.filled = 0;
    // A copy, where it will wait for what does.
    if (socket.writableLength > 0) {
      socket.write(Buffer.from(this.#batch.subarray(0, filled)));
      return;
    }
    socket.write(this.#batch.subarray(0, filled));
    // Node has offered it to the system already, which mostly takes all of it; `writableLength` is what it did not take,
    // and that the system reads later from where it is.
    if (socket.writableLength > 0) this.#batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  }
}

function framed(message: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + length);
  writeU16(bytes, 0, length);
  bytes.set(message.subarray(0, length), LENGTH_BYTES);
  return bytes;
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
  const scratch = new Scratch();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.add(socket);
    serve(socket, responder, relay, clients, connections, scratch);
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
  scratch: Scratch,
): void {
  const local = addressOctets(socket.localAddress ?? '');
  const from = new AddressedClient(clients);
  from.address = socket.remoteAddress ?? '';
  const { meter } = responder;
  let unread: Buffer = NOTHING;
  let relayed = 0;
  /** Whole queries wait in `unread` until replies have gone out. */
  let isBusy = false;
  let hasEnded = false;
  /** When a whole message last came, or it was last owed something. */
  let activeMs = performance.now();

  // Not the socket's own idle timer: single octets would keep that one from ever running out.
  let deadline = setTimeout(onDeadline, IDLE_TIMEOUT_MS);
  socket.once('close', () => clearTimeout(deadline));
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    // A message that begins has its whole time, however long replies have been waited for.
    if (relayed > 0 && unread.length === 0) activeMs = performance.now();
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    answerUnread();
  });
  socket.on('drain', () => answerUnread());
  socket.on('end', () => {
    hasEnded = true;
    endWhenDone();
  });

  function answerUnread(): void {
    const wasBusy = isBusy;
    let at = 0;
    isBusy = false;
    meter.begin();
    while (unread.length - at >= LENGTH_BYTES) {
      isBusy = relayed >= MAX_RELAYED_PER_CONNECTION || socket.writableLength + scratch.filled > MAX_UNSENT_BYTES;
      const length = readU16(unread, at);
      const end = at + LENGTH_BYTES + length;
      if (isBusy || end > unread.length) break;
      unread.copy(scratch.query, 0, at + LENGTH_BYTES, end);
      answer(length);
      at = end;
    }
    meter.end(TCP);
    if (at > 0) {
      scratch.send(socket);
      unread = at === unread.length ? NOTHING : unread.subarray(at);
      connections.touch(socket);
      activeMs = meter.latestMs;
    }
    if (isBusy) socket.pause();
    else if (wasBusy) socket.resume();
    endWhenDone();
  }

  /** @param queryLength of the query in `scratch` */
  function answer(queryLength: number): void {
    const { query, reply } = scratch;
    const length = responder.respond(query, queryLength, reply, true, local, from);
    if (length === DROP) {
      meter.dropped(TCP, from);
      return;
    }
    if (length !== FORWARD) {
      meter.answered(TCP, reply, length, from);
      scratch.add(length, socket);
      return;
    }
    relayed++;
    const beganMs = meter.forwarded(TCP);
    relay.relay(query.slice(0, queryLength), true, local, (answered, wasAsked) => {
      meter.relayed(TCP, beganMs, wasAsked, answered, from);
      relayed--;
      if (socket.destroyed) return;
      socket.write(framed(answered, answered.length));
      // With the last one idleness begins.
      if (relayed === 0 && !isMidMessage()) activeMs = performance.now();
      answerUnread();
    });
    meter.begin();
  }

  /** Set anew here alone: to do that with each message would cost some percent of an answer. */
  function onDeadline(): void {
    // Whoever waits for replies is not idle; who has begun a message and does not end it is.
    if (relayed > 0 && !isMidMessage()) activeMs = performance.now();
    const leftMs = activeMs + IDLE_TIMEOUT_MS - performance.now();
    if (leftMs <= 0) socket.destroy();
    else deadline = setTimeout(onDeadline, Math.ceil(leftMs));
  }

  /** The client has sent part of a message, and the rest may still come. */
  function isMidMessage(): boolean {
    return unread.length > 0 && !isBusy && !hasEnded;
  }

  function endWhenDone(): void {
    // The client's end may come while the socket is paused, with the last of its octets.
    if (hasEnded && !isBusy && relayed === 0 && !socket.writableEnded) socket.end();
  }
}
