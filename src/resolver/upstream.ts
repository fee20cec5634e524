/** One query to one upstream server, over UDP or TCP, as bytes. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { readU16, writeU16 } from '../wire/bytes.ts';
import { FLAG, HEADER_BYTES, MAX_MESSAGE_BYTES } from '../wire/header.ts';
import { equalNames } from '../wire/names.ts';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** The upstream gave no usable reply: silent until the deadline, refused, or unreachable. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
}

/**
 * Sends a copy of `query` with an ID of its own from a port of its own (RFC 5452 s4.5, s4.3) and waits for the reply
 * that matches it in server, ID and question; anything else is ignored (RFC 5452 s9.1).
 * @param questionEnd the octet behind the question in `query`
 * @returns the reply with the client's ID put back
 * @throws UpstreamError
 */
export function askOverUdp(
  upstream: Upstream,
  query: Uint8Array,
  questionEnd: number,
  timeoutMs: number,
): Promise<Uint8Array> {
  const sent = withRandomId(query);
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(upstream.address) ? 'udp6' : 'udp4');
    const finish = (reply: Uint8Array | null, reason: string): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      // A datagram error can still surface while the socket closes, and nobody is left to tell.
      socket.on('error', () => undefined);
      socket.close();
      if (reply === null) reject(new UpstreamError(`${upstream.address}:${upstream.port}: ${reason}`));
      else resolve(withId(reply, readU16(query, 0)));
    };
    const timer = setTimeout(() => finish(null, `no reply within ${timeoutMs} ms`), timeoutMs);
    socket.on('error', (error) => finish(null, error.message));
    socket.on('message', (reply) => {
      if (isReplyTo(reply, sent, questionEnd)) finish(reply, '');
    });
    // A connected socket takes datagrams from this server alone, and reports a closed port at once.
    socket.connect(upstream.port, upstream.address, (failure?: Error) => {
      // No route to it, such as to an IPv6 server from a machine without IPv6.
      if (failure) return finish(null, failure.message);
      socket.send(sent, (error) => {
        if (error) finish(null, error.message);
      });
    });
  });
}

/** As `askOverUdp`, over a TCP connection of its own (RFC 7766). @throws UpstreamError */
export function askOverTcp(
  upstream: Upstream,
  query: Uint8Array,
  questionEnd: number,
  timeoutMs: number,
): Promise<Uint8Array> {
  const sent = withRandomId(query);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: upstream.address, port: upstream.port, noDelay: true });
    const received = new Uint8Array(2 + MAX_MESSAGE_BYTES);
    let length = 0;
    const finish = (reply: Uint8Array | null, reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      if (reply === null) reject(new UpstreamError(`${upstream.address}:${upstream.port}: ${reason}`));
      else resolve(withId(reply, readU16(query, 0)));
    };
    const timer = setTimeout(() => finish(null, `no reply over TCP within ${timeoutMs} ms`), timeoutMs);
    socket.on('error', (error) => finish(null, error.message));
    socket.on('close', () => finish(null, 'the connection was closed before a whole reply came'));
    socket.on('connect', () => {
      const framed = new Uint8Array(2 + sent.length);
      writeU16(framed, 0, sent.length);
      framed.set(sent, 2);
      socket.write(framed);
    });
    socket.on('data', (chunk: Buffer) => {
      const taken = Math.min(chunk.length, received.length - length);
      received.set(chunk.subarray(0, taken), length);
      length += taken;
      if (length < 2 || length < 2 + readU16(received, 0)) return;
      const reply = received.subarray(2, 2 + readU16(received, 0));
      if (isReplyTo(reply, sent, questionEnd)) finish(reply, '');
      else finish(null, 'the reply is not to this query');
    });
  });
}

function withRandomId(query: Uint8Array): Uint8Array {
  return withId(query, randomInt(0x1_0000));
}

function withId(message: Uint8Array, id: number): Uint8Array {
  const out = Uint8Array.from(message);
  writeU16(out, 0, id);
  return out;
}

function isReplyTo(reply: Uint8Array, sent: Uint8Array, questionEnd: number): boolean {
  return (
    reply.length >= questionEnd &&
    readU16(reply, 0) === readU16(sent, 0) &&
    (readU16(reply, 2) & FLAG.QR) !== 0 &&
    readU16(reply, 4) === 1 &&
    equalNames(reply, HEADER_BYTES, sent, HEADER_BYTES, questionEnd - 4 - HEADER_BYTES) &&
    readU16(reply, questionEnd - 4) === readU16(sent, questionEnd - 4) &&
    readU16(reply, questionEnd - 2) === readU16(sent, questionEnd - 2)
  );
}
