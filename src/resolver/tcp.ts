/** One query to an upstream over a TCP connection of its own (RFC 7766). */
import { connect } from 'node:net';
import { readU16, writeU16 } from '../wire/bytes.ts';
import { FLAG, HEADER_BYTES, MAX_MESSAGE_BYTES } from '../wire/header.ts';
import { matchQuestion } from './sockets.ts';

const FIRST_BYTES = 4096;

/**
 * @param questionEnd the octet behind the question in `query`
 * @param onReply called once, with the reply in memory of its own, unless the query is taken back first
 * @param onError called once instead: no connection, or it ended before a whole reply that is one to this query
 * @returns takes the query back
 */
export function askOverTcp(
  address: string,
  port: number,
  query: Uint8Array,
  questionEnd: number,
  onReply: (message: Uint8Array) => void,
  onError: (error: Error) => void,
): () => void {
  const socket = connect({ host: address, port, noDelay: true });
  let received = new Uint8Array(FIRST_BYTES);
  let length = 0;
  let isDone = false;
  const finish = (reply: Uint8Array | null, reason: string): void => {
    if (isDone) return;
    isDone = true;
    socket.destroy();
    if (reply === null) onError(new Error(reason));
    else onReply(reply);
  };
  socket.on('error', (error) => finish(null, error.message));
  socket.on('close', () => finish(null, 'the connection was closed before a whole reply came'));
  socket.on('connect', () => {
    const framed = new Uint8Array(2 + query.length);
    writeU16(framed, 0, query.length);
    framed.set(query, 2);
    socket.write(framed);
  });
  socket.on('data', (chunk: Buffer) => {
    if (length + chunk.length > received.length) {
      const grown = new Uint8Array(Math.min(2 + MAX_MESSAGE_BYTES, 2 * (length + chunk.length)));
      grown.set(received.subarray(0, length));
      received = grown;
    }
    const taken = Math.min(chunk.length, received.length - length);
    received.set(chunk.subarray(0, taken), length);
    length += taken;
    if (length < 2 || length < 2 + readU16(received, 0)) return;
    const reply = received.subarray(2, 2 + readU16(received, 0));
    const isReply =
      reply.length >= HEADER_BYTES &&
      readU16(reply, 0) === readU16(query, 0) &&
      (readU16(reply, 2) & (FLAG.QR | FLAG.OPCODE)) === FLAG.QR &&
      // A connection cannot be forged into, so the case of letters need not prove anything.
      matchQuestion(reply, query, questionEnd) !== 'other';
    if (isReply) finish(reply, '');
    else finish(null, 'the reply is not to this query');
  });
  return () => {
    isDone = true;
    socket.destroy();
  };
}
