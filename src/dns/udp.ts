/** DNS over UDP on plain `dgram` sockets. */
import { type BindOptions, createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { UDP } from '../telemetry/query-counters.ts';
import { MAX_MESSAGE_BYTES } from '../wire/header.ts';
import { AddressedClient, type Clients } from './clients.ts';
import { addressOctets } from './local-address.ts';
import type { Asker } from './query-meter.ts';
import type { Relay } from './relay.ts';
import { DROP, FORWARD, type Responder } from './respond.ts';

/**
 * For queries that come while a garbage collection or a delta keeps the thread: the default holds some 170, and drops
 * what comes after. The system gives twice what is asked for, of which `net.core.rmem_max` bounds the half.
 */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

export interface UdpListener {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Binds one address, exclusively: a second daemon gets EADDRINUSE.
 * @param port 0 = any
 * @param isShared siblings bind it too, and the system gives each datagram to one of them; see `port-claim.ts`
 * @throws the socket's error where the address cannot be bound; ENOTSUP where the system shares no ports
 */
export async function listenUdp(
  address: string,
  port: number,
  responder: Responder,
  relay: Relay,
  clients: Clients,
  isShared = false,
): Promise<UdpListener> {
  const socket = await bindUdp(isIPv6(address) ? 6 : 4, { port, address, exclusive: true }, isShared);
  const served = serveUdp(socket, responder, relay, clients);
  socket.on('message', served.answer);
  return served;
}

/** Both kinds of listeners, of plain sockets and of batched ones. */
export type ListenUdp = typeof listenUdp;

/** A listener whose datagrams are still to be handed to it. */
export interface ServedSocket extends UdpListener {
  /** Octets of the address that it is bound to. */
  readonly local: Uint8Array | null;
  /** Answers a datagram that the socket reported. @param query kept: in memory of its own */
  answer(query: Buffer, client: RemoteInfo): void;
  /**
   * Has a query relayed.
   * @param query kept: hand over a copy; @param deliver is given the reply when it comes, unless the socket is closed
   */
  relay(query: Uint8Array, asker: Asker, deliver: (reply: Uint8Array) => void): void;
  /** @param reply kept until it is sent: hand over a copy */
  send(reply: Uint8Array, port: number, address: string): void;
}

/** @throws the socket's error */
export async function bindUdp(family: 4 | 6, options: BindOptions, isShared = false): Promise<Socket> {
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: family === 6,
    reusePort: isShared,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    // Clients are given by address; the default would go through the system's look-up for each reply.
    lookup: (host, _options, callback) => callback(null, host, family),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(options, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  return socket;
}

/** @param socket is bound, and closed by `close` alone */
export function serveUdp(socket: Socket, responder: Responder, relay: Relay, clients: Clients): ServedSocket {
  // What a client's network says of a reply (unreachable, too big) concerns that reply alone.
  socket.on('error', () => undefined);

  let isClosed = false;
  const reply = new Uint8Array(MAX_MESSAGE_BYTES);
  const { address, port } = socket.address();
  const local = addressOctets(address);
  const from = new AddressedClient(clients);
  const { meter } = responder;

  function answer(query: Buffer, client: RemoteInfo): void {
    from.address = client.address;
    meter.begin();
    const length = responder.respond(query, query.length, reply, false, local, from);
    if (length === DROP) {
      meter.dropped(UDP, from);
      return;
    }
    if (length !== FORWARD) {
      meter.answered(UDP, reply, length, from);
      meter.end(UDP);
      // A copy: the system may take the datagram later than this call returns.
      send(socket, reply.slice(0, length), client.port, client.address);
      return;
    }
    relayQuery(query, client, (answered) => send(socket, answered, client.port, client.address));
  }

  function relayQuery(query: Uint8Array, asker: Asker, deliver: (answered: Uint8Array) => void): void {
    const beganMs = meter.forwarded(UDP);
    relay.relay(query, false, local, (answered, wasAsked) => {
      meter.relayed(UDP, beganMs, wasAsked, answered, asker);
      // A reply that comes when the socket has been closed is for nobody.
      if (!isClosed) deliver(answered);
    });
    meter.begin();
  }

  return {
    port,
    local,
    answer,
    relay: relayQuery,
    send: (answered, port, address) => send(socket, answered, port, address),
    close: () => {
      isClosed = true;
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
}

function send(socket: Socket, reply: Uint8Array, port: number, address: string): void {
  // A datagram may say that it comes from port 0. Nothing can be sent there, and Node throws where it is tried.
  if (port === 0) return;
  // Given a callback, the socket keeps what the network says of one reply from becoming an 'error' event.
  socket.send(reply, port, address, () => undefined);
}
