/**
 * The UDP sockets towards one upstream. Each query goes from a socket drawn at random among up to 512, each on a port
 * of the system's random choice and connected, so that the kernel drops what another server sends (RFC 5452 s4, s9);
 * a socket is renewed after some queries.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { readU16 } from '../wire/bytes.ts';
import { FLAG, HEADER_BYTES, RCODE } from '../wire/header.ts';
import { equalNames } from '../wire/names.ts';
import type { SecureRandom } from './random.ts';
import { FEW_SOCKETS, POOL_SOCKETS, type SocketBudget, type SocketPool } from './socket-budget.ts';

/** Queries after which a socket makes place for one on another port; opening one costs some ten queries' work. */
export const RENEW_AFTER_QUERIES = 200;
/** Datagrams that are no reply to a query: more than duplicates explain, and somebody may be guessing. */
const MAX_STRAYS = 16;
/** Sockets that nobody has used for so long are closed. */
const IDLE_MS = 60_000;

/** Errors that say nothing of the upstream: this process has too many files open, or the machine has. */
const LOCAL_LIMITS = new Set(['EMFILE', 'ENFILE']);

/** One datagram sent, until its reply comes. */
export interface Sent {
  readonly query: Buffer;
  /** The octet behind the question. */
  readonly questionEnd: number;
  /** The reply, in memory that is the callee's. */
  onReply(message: Uint8Array): void;
  /** Its question has come back in other case. */
  onOtherCase(): void;
  /** So much comes that is no reply that this may be forgery: UDP is not to be trusted for now. */
  onForgery(): void;
  onError(error: Error): void;
}

interface Pooled {
  readonly socket: Socket;
  readonly sent: Map<number, Ticket>;
  /** Told what the system says of a datagram. */
  readonly onWritten: (error: Error | null) => void;
  /** IDs of queries that were taken back: their replies are late, not forged. */
  readonly gone: Set<number>;
  queries: number;
  strays: number;
  isConnected: boolean;
  isRetired: boolean;
  isClosed: boolean;
  lastUsedMs: number;
}

/** A query's place, which changes where a socket cannot be opened. */
interface Ticket {
  readonly sent: Sent;
  pooled: Pooled;
  id: number;
}

export class UpstreamSockets implements SocketPool {
  readonly #address: string;
  readonly #port: number;
  readonly #random: SecureRandom;
  readonly #budget: SocketBudget;
  readonly #pool: Pooled[] = [];
  #sweep: NodeJS.Timeout | undefined;

  constructor(address: string, port: number, random: SecureRandom, budget: SocketBudget) {
    this.#address = address;
    this.#port = port;
    this.#random = random;
    this.#budget = budget;
    budget.pools.add(this);
  }

  /** Sends a query, whose ID may be changed for one that is free. @returns takes the query back: nothing is called any more */
  send(sent: Sent): () => void {
    const ticket = this.#place(sent, this.#draw());
    return () => {
      const { pooled, id } = ticket;
      if (pooled.sent.get(id) !== ticket) return;
      pooled.sent.delete(id);
      pooled.gone.add(id);
      this.#closeIfDone(pooled);
    };
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#budget.pools.delete(this);
    for (const pooled of this.#pool.splice(0)) {
      pooled.isRetired = true;
      pooled.sent.clear();
      this.#closeIfDone(pooled);
    }
  }

  /** @param ticket whose place it becomes; none: a new one */
  #place(sent: Sent, pooled: Pooled, ticket: Ticket = { sent, pooled, id: 0 }): Ticket {
    const { query } = sent;
    let id = readU16(query, 0);
    while (pooled.sent.has(id) || pooled.gone.has(id)) id = this.#random.u16();
    query[0] = id >> 8;
    query[1] = id & 0xff;
    ticket.pooled = pooled;
    ticket.id = id;
    pooled.sent.set(id, ticket);
    pooled.queries++;
    pooled.lastUsedMs = Date.now();
    if (pooled.isConnected) this.#write(pooled, sent);
    if (pooled.queries >= RENEW_AFTER_QUERIES) this.#retire(pooled);
    return ticket;
  }

  /** One at random; a new one while there is room for more. */
  #draw(): Pooled {
    const pool = this.#pool;
    const { open, limit } = this.#budget;
    if (pool.length < POOL_SOCKETS && open < limit) return this.#open();
    if (pool.length < FEW_SOCKETS && this.#budget.takeFor(this)) return this.#open();
    // The first one of an upstream is opened whatever there is.
    if (pool.length === 0) return this.#open();
    return pool[this.#random.below(pool.length)] as Pooled;
  }

  get size(): number {
    return this.#pool.length;
  }

  closeIdle(): boolean {
    const idle = this.#pool.find(({ sent }) => sent.size === 0);
    if (idle !== undefined) this.#retire(idle);
    return idle !== undefined;
  }

  #open(): Pooled {
    const socket = createSocket(isIPv6(this.#address) ? 'udp6' : 'udp4');
    const pooled: Pooled = {
      socket,
      sent: new Map(),
      gone: new Set(),
      onWritten: (error) => {
        if (error) this.#fail(pooled, error);
      },
      queries: 0,
      strays: 0,
      isConnected: false,
      isRetired: false,
      isClosed: false,
      lastUsedMs: 0,
    };
    this.#pool.push(pooled);
    this.#budget.open++;
    socket.on('error', (error) => this.#fail(pooled, error));
    socket.on('message', (message) => this.#receive(pooled, message));
    try {
      socket.connect(this.#port, this.#address, (failure?: Error) => {
        if (failure) return this.#fail(pooled, failure);
        pooled.isConnected = true;
        for (const { sent } of pooled.sent.values()) this.#write(pooled, sent);
      });
    } catch (error) {
      process.nextTick(() => this.#fail(pooled, error as Error));
    }
    this.#sweep ??= setInterval(() => this.#closeIdle(), IDLE_MS).unref();
    return pooled;
  }

  #write(pooled: Pooled, sent: Sent): void {
    pooled.socket.send(sent.query, pooled.onWritten);
  }

  #receive(pooled: Pooled, message: Buffer): void {
    if (message.length < HEADER_BYTES) {
      this.#stray(pooled);
      return;
    }
    const id = readU16(message, 0);
    if (pooled.gone.delete(id)) return;
    const sent = pooled.sent.get(id)?.sent;
    const isReply = (readU16(message, 2) & (FLAG.QR | FLAG.OPCODE)) === FLAG.QR;
    const match = sent === undefined || !isReply ? 'other' : matchQuestion(message, sent.query, sent.questionEnd);
    if (sent === undefined || match === 'other') {
      this.#stray(pooled);
      return;
    }
    pooled.sent.delete(id);
    if (match === 'case') sent.onOtherCase();
    else sent.onReply(message);
    this.#closeIfDone(pooled);
  }

  #stray(pooled: Pooled): void {
    if (++pooled.strays <= MAX_STRAYS) return;
    pooled.strays = 0;
    const all = [...pooled.sent.values()];
    pooled.sent.clear();
    this.#retire(pooled);
    for (const { sent } of all) sent.onForgery();
  }

  /** What the network says of one query it says of the way to the upstream: it concerns all of the socket's. */
  #fail(pooled: Pooled, error: Error): void {
    const all = [...pooled.sent.values()];
    pooled.sent.clear();
    this.#retire(pooled);
    if (!LOCAL_LIMITS.has((error as NodeJS.ErrnoException).code ?? '')) {
      for (const { sent } of all) sent.onError(error);
      return;
    }
    // The upstream is not to blame: there are no more descriptors, and those that are open will do.
    this.#budget.shrink();
    const others = this.#pool.filter(({ isConnected }) => isConnected);
    for (const ticket of all) {
      const other = others[this.#random.below(Math.max(1, others.length))];
      if (other === undefined || other.isRetired) ticket.sent.onError(error);
      else this.#place(ticket.sent, other, ticket);
    }
  }

  /** It takes no more queries, and is closed when those under way are done. */
  #retire(pooled: Pooled): void {
    if (pooled.isRetired) return;
    pooled.isRetired = true;
    const last = this.#pool.pop() as Pooled;
    if (last !== pooled) this.#pool[this.#pool.indexOf(pooled)] = last;
    this.#closeIfDone(pooled);
  }

  #closeIfDone(pooled: Pooled): void {
    if (!pooled.isRetired || pooled.sent.size > 0 || pooled.isClosed) return;
    pooled.isClosed = true;
    this.#budget.open--;
    closeSocket(pooled.socket);
  }

  #closeIdle(): void {
    const since = Date.now() - IDLE_MS;
    for (const pooled of [...this.#pool]) if (pooled.lastUsedMs < since && pooled.sent.size === 0) this.#retire(pooled);
    if (this.#pool.length > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

function closeSocket(socket: Socket): void {
  socket.removeAllListeners('message');
  // A datagram's error can still surface while the socket closes, and nobody is left to tell.
  socket.removeAllListeners('error').on('error', () => undefined);
  try {
    socket.close();
  } catch {
    // One that could not be opened is closed.
  }
}

/**
 * Whether the reply is to the question that was sent, to the case of each letter (RFC 5452 s9.1). A server that does
 * not know EDNS may send its FORMERR as a header alone.
 */
export function matchQuestion(message: Uint8Array, query: Uint8Array, questionEnd: number): 'exact' | 'case' | 'other' {
  if (readU16(message, 4) === 0 && ((message[3] as number) & 0xf) === RCODE.FORMERR) return 'exact';
  if (message.length < questionEnd || readU16(message, 4) !== 1) return 'other';
  let isExact = true;
  for (let i = HEADER_BYTES; i < questionEnd && isExact; i++) isExact = message[i] === query[i];
  if (isExact) return 'exact';
  const nameBytes = questionEnd - 4 - HEADER_BYTES;
  const isSame =
    equalNames(message, HEADER_BYTES, query, HEADER_BYTES, nameBytes) &&
    readU16(message, questionEnd - 4) === readU16(query, questionEnd - 4) &&
    readU16(message, questionEnd - 2) === readU16(query, questionEnd - 2);
  return isSame ? 'case' : 'other';
}
