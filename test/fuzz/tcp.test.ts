import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/answers/selection.ts';
import { createRelay } from '../../src/dns/relay.ts';
import { DROP, Responder } from '../../src/dns/respond.ts';
import { listenTcp, TcpConnections } from '../../src/dns/tcp.ts';
import { rfcContent } from '../dns/rfc-content.ts';
import { bytesInUse } from '../support/memory.ts';
import { ANYONE, LOCAL_CLIENTS, makeResolver, outside } from '../support/resolving.ts';
import { framed, TcpClient } from '../support/tcp-client.ts';
import { Mutator } from './mutator.ts';
import { FUZZ_SEED, fuzzCount, withinMs } from './settings.ts';

/** Messages, some forty to a connection. */
const MESSAGES = fuzzCount('FUZZ_MESSAGES', 2000, 8000);
const MESSAGES_PER_CONNECTION = 40;
const MAX_GROWTH_BYTES = 8_000_000;

const { zones } = rfcContent();
let port = 0;
let connections: TcpConnections;
/** Asked the same in the same order, so that chance gives both the same records. */
let model: Responder;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  const responderOf = (): Responder => new Responder({ zones, random: createRandom(FUZZ_SEED), ...outside() });
  const responder = responderOf();
  model = responderOf();
  connections = new TcpConnections();
  const relay = createRelay(responder, makeResolver());
  const tcp = await listenTcp('127.0.0.1', 0, responder, relay, LOCAL_CLIENTS, connections);
  port = tcp.port;
  closing.push(() => {
    const closed = tcp.close();
    connections.closeAll();
    return closed;
  });
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const scratch = new Uint8Array(65_535);

/** What the server has to reply to whole messages, in their order. */
function expectedReplies(messages: readonly Uint8Array[]): string[] {
  return messages.flatMap((message) => {
    const length = model.respond(message, message.length, scratch, true, null, ANYONE);
    return length === DROP ? [] : [Buffer.from(scratch.subarray(0, length)).toString('hex')];
  });
}

function someMessages(random: Random, mutator: Mutator): Uint8Array[] {
  return Array.from({ length: 1 + random(2 * MESSAGES_PER_CONNECTION - 1) }, () => {
    mutator.next();
    return mutator.bytes.slice(0, mutator.length);
  });
}

/** The start of a message that never becomes whole: a piece of its length, or of what is behind that. */
function unfinished(random: Random): Buffer {
  const length = 2 + random(random(2) === 0 ? 60 : 65_534);
  const whole = Buffer.alloc(2 + length, random(256));
  whole.writeUInt16BE(length);
  return whole.subarray(0, 1 + random(random(2) === 0 ? 3 : length + 1));
}

/** Cuts the stream where chance will; some cuts are segments of their own, others wait for their place in one. */
async function sendInPieces(client: TcpClient, bytes: Buffer, random: Random): Promise<void> {
  const most = [2, 20, 200, 70_000][random(4)] as number;
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random(most);
    client.socket.write(bytes.subarray(at, end));
    at = end;
    if (random(3) === 0) await nextTurn();
  }
}

describe(`${MESSAGES} mutated messages over TCP (FUZZ_SEED=${FUZZ_SEED})`, () => {
  it(
    'are answered as they would be alone, in their order, however the stream is cut',
    async () => {
      const random = createRandom(FUZZ_SEED);
      const mutator = new Mutator(random);
      let sent = 0;
      let inUse = 0;
      for (let connection = 0; sent < MESSAGES; connection++) {
        if (connection === 5) inUse = bytesInUse();
        const messages = someMessages(random, mutator);
        sent += messages.length;
        const expected = expectedReplies(messages);
        const told = `FUZZ_SEED=${FUZZ_SEED}, connection ${connection}`;
        const client = await TcpClient.open(port);
        const isCutShort = random(3) === 0;
        await sendInPieces(
          client,
          Buffer.concat([framed(...messages), ...(isCutShort ? [unfinished(random)] : [])]),
          random,
        );
        if (random(2) === 0) {
          // What was whole is answered to who closes half of the connection.
          client.socket.end();
          const replies = await client.end();
          expect(
            replies.map((reply) => reply.toString('hex')),
            told,
          ).toEqual(expected);
          client.socket.destroy();
        } else {
          const replies = await client.take(expected.length);
          expect(
            replies.map((reply) => reply.toString('hex')),
            told,
          ).toEqual(expected);
          if (random(2) === 0) client.socket.resetAndDestroy();
          else client.socket.destroy();
        }
      }
      const growth = bytesInUse() - inUse;
      console.log(`FUZZ_SEED=${FUZZ_SEED}: ${sent} messages over TCP, ${growth} octets more in use`);
      expect(growth, 'octets more in use').toBeLessThan(MAX_GROWTH_BYTES);
    },
    withinMs(20 * MESSAGES),
  );

  it('of which clients reset half leave the others served', async () => {
    const random = createRandom(FUZZ_SEED + 1);
    const mutator = new Mutator(random);
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(Array.from({ length: 20 }, () => TcpClient.open(port)));
      await Promise.all(
        clients.map(async (client, i) => {
          const messages = someMessages(random, mutator);
          await sendInPieces(client, framed(...messages), random);
          if (i % 2 === 0) {
            client.socket.resetAndDestroy();
            return;
          }
          client.socket.end();
          const isAnswered = (message: Uint8Array): boolean =>
            message.length >= 12 && ((message[2] as number) & 0x80) === 0;
          const ids = messages.filter(isAnswered).map((message) => Buffer.from(message).readUInt16BE(0));
          const replies = await client.end();
          expect(
            replies.map((reply) => reply.readUInt16BE(0)),
            `FUZZ_SEED=${FUZZ_SEED}, round ${round}`,
          ).toEqual(ids);
          client.socket.destroy();
        }),
      );
    }
  });
});
