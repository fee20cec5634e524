/** One question to one server, to see whether it answers at all and with what; not for the answering of clients. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { readU16 } from '../wire/bytes.ts';
import { FLAG, HEADER_BYTES } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import type { Address } from './upstreams.ts';

export type Transport = 'UDP' | 'TCP';

/** What came back, or why nothing did in a few words. */
export type Trial = { readonly reply: Uint8Array; readonly ms: number } | { readonly problem: string };

/** A datagram may be lost. */
const RESEND_MS = 700;

/**
 * Never rejects.
 * @param name text; empty: the root @param type its code
 */
export async function tryServer(
  { address, port }: Address,
  name: string,
  type: number,
  transport: Transport,
  timeoutMs = 2000,
): Promise<Trial> {
  const query = queryOf(name, type);
  const startedMs = performance.now();
  const asking = transport === 'UDP' ? overUdp : overTcp;
  const reply = await asking(address, port, query, timeoutMs);
  if (typeof reply === 'string') return { problem: reply };
  return { reply, ms: Math.round((performance.now() - startedMs) * 10) / 10 };
}

function queryOf(name: string, type: number): Buffer {
  const wire = name === '' ? new Uint8Array(1) : toWireName(name);
  const query = Buffer.alloc(HEADER_BYTES + wire.length + 4);
  query.writeUInt16BE(randomInt(0x1_0000), 0);
  query.writeUInt16BE(FLAG.RD, 2);
  query.writeUInt16BE(1, 4);
  query.set(wire, HEADER_BYTES);
  query.writeUInt16BE(type, HEADER_BYTES + wire.length);
  query.writeUInt16BE(1, HEADER_BYTES + wire.length + 2);
  return query;
}

function isReplyTo(query: Uint8Array, reply: Uint8Array): boolean {
  return reply.length >= HEADER_BYTES && readU16(reply, 0) === readU16(query, 0) && (readU16(reply, 2) & FLAG.QR) !== 0;
}

function overUdp(address: string, port: number, query: Buffer, timeoutMs: number): Promise<Uint8Array | string> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address.split('%', 1)[0] as string) ? 'udp6' : 'udp4');
    const end = (result: Uint8Array | string): void => {
      clearTimeout(resend);
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(result);
    };
    // Connected, so that the system tells that nobody listens, and nobody else can reply.
    const send = (): void => socket.send(query);
    const timer = setTimeout(() => end(`no reply within ${timeoutMs / 1000} s`), timeoutMs);
    const resend = setTimeout(send, RESEND_MS);
    socket.on('error', (error: NodeJS.ErrnoException) => end(wordsOf(error)));
    socket.on('message', (reply) => {
      if (isReplyTo(query, reply)) end(reply);
    });
    socket.on('connect', send);
    socket.connect(port, address);
  });
}

function overTcp(address: string, port: number, query: Buffer, timeoutMs: number): Promise<Uint8Array | string> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    let received = Buffer.alloc(0);
    const end = (result: Uint8Array | string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(`no reply within ${timeoutMs / 1000} s`), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => end(wordsOf(error)));
    socket.on('close', () => end('the connection was closed without a reply'));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reply = received.subarray(2, 2 + received.readUInt16BE(0));
      end(isReplyTo(query, reply) ? reply : 'something else than a reply came');
    });
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    });
  });
}

function wordsOf({ code, message }: NodeJS.ErrnoException): string {
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nobody listens there',
    ENETUNREACH: 'there is no way to its network',
    EHOSTUNREACH: 'there is no way to it',
  };
  return words[code ?? ''] ?? message;
}
