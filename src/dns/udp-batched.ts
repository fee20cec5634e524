/**
 * DNS over UDP in batches: recvmmsg(2) and sendmmsg(2), called through koffi, take up to 32 datagrams from a socket and
 * send up to 32 replies at a time. For Linux on x64 and arm64; elsewhere, and where one of the parts is missing,
 * `udp.ts` serves.
 *
 * In outline: a socket is made and bound by hand, and Node's `dgram` socket is laid over its descriptor
 * (`bind({ fd })`). From then on that one owns it: it closes it, also when the thread is terminated, and it wakes us.
 * libuv reads one datagram; with its reply go those to what else waits, which is taken out in batches until nothing
 * does. Replies that upstreams were asked for go out in batches too. What the system does not take at once the `dgram`
 * socket sends when there is room.
 *
 * A wildcard address is still one socket for each address of the machine (`udp-wildcard.ts`): libuv reads without
 * control data, so of the datagram that wakes us it could not be told which address it was sent to (IP_PKTINFO). koffi
 * can poll a descriptor without reading from it, but what it calls then takes the process down where the thread is
 * being terminated, and that is how a thread that hangs is replaced.
 *
 * Memory: what the batches read and write is one ArrayBuffer per thread, shared by its listeners, as a batch is read,
 * answered and sent without anything else running in between. V8 keeps the bytes of an ArrayBuffer outside of its heap
 * and never moves them; ours is neither transferred nor resized, and lives as long as the functions that refer to it.
 * No view of it leaves this file but to `respond`, which keeps none; what is kept is a copy. A system call never
 * outlives the call in JavaScript that makes it, so in between the kernel has no pointer into it; a descriptor is used
 * while its socket is open, so never when its number has gone to another file. Every pointer points to a slot of the
 * same ArrayBuffer at an offset made of the constants below. What the kernel is told is written by JavaScript alone. The
 * kernel writes
 *   - in `recvmmsg`, of each header the lengths and the flags, into its address slot as much as `msg_namelen` says,
 *     which is set to 28 again once it was overwritten, and into its query slot as much as its vector says, 65,535;
 *   - in `sendmmsg`, of each header that it took the length.
 * Of that only `msg_len` is believed, as an index into a view of one slot, which JavaScript bounds. A payload has at
 * most 65,527 octets (RFC 768, RFC 8200), so none is cut off. Memory that was never used takes none of the machine's: a
 * query of a common size takes one page of its slot.
 */
import type { RemoteInfo } from 'node:dgram';
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { UDP } from '../telemetry/query-counters.ts';
import { MAX_MESSAGE_BYTES } from '../wire/header.ts';
import type { Client, Clients } from './clients.ts';
import type { Relay } from './relay.ts';
import { DROP, FORWARD, type Responder } from './respond.ts';
import {
  AF_INET,
  AF_INET6,
  decodeSocketAddress,
  encodeSocketAddress,
  ipv4Of,
  SOCKET_ADDRESS_BYTES,
  writeIpv4SocketAddress,
} from './socket-address.ts';
import { bindUdp, type ListenUdp, type ServedSocket, serveUdp } from './udp.ts';

/** Datagrams per system call. */
const BATCH = 32;
/** One more than a batch has, for the datagram that libuv has read. */
const SLOTS = BATCH + 1;
/**
 * So many batches are taken before others of the thread have their turn: connections, deltas, other sockets. It takes
 * some three milliseconds; each datagram that libuv reads costs what several in a batch do.
 */
const MAX_ROUNDS = 16;

/** struct mmsghdr, which begins with struct msghdr (recvmsg(2)), and struct iovec, where pointers have 64 bits. */
export const HEADER = { bytes: 64, name: 0, nameLength: 8, vectors: 16, vectorCount: 24, length: 56 } as const;
export const VECTOR = { bytes: 16, base: 0, length: 8 } as const;
const ADDRESS_STRIDE = 32;
/** The 128 octets keep the beginnings of the slots out of each other's way in the processor's caches. */
const MESSAGE_STRIDE = 65_536 + 128;

/** Called by number: musl's `sendmmsg` sends one by one. The numbers are those of the kernel's tables. */
export const SYSTEM_CALLS: Readonly<Record<string, { readonly recvmmsg: number; readonly sendmmsg: number }>> = {
  x64: { recvmmsg: 299, sendmmsg: 307 },
  arm64: { recvmmsg: 243, sendmmsg: 269 },
};

/** From the headers of Linux, the same on both. */
export const LINUX = {
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEPORT: 15,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  MSG_DONTWAIT: 0x40,
  EINTR: 4,
  EAGAIN: 11,
  ENOBUFS: 105,
} as const;
const SOCKET_TYPE = LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;

/** What is asked of the system. Results are as in C: -1 where a call failed, and then `errno` says why. */
interface System {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Int32Array, length: number): number;
  close(fd: number): number;
  /** `headers` is the address of an array of struct mmsghdr. */
  recvmmsg(fd: number, headers: number, count: number): number;
  sendmmsg(fd: number, headers: number, count: number): number;
  errno(): number;
  /** Where the bytes of the buffer are. */
  addressOf(memory: ArrayBuffer): bigint;
}

/**
 * Loads koffi and tries the system calls.
 * @returns what listens on one address, like `listenUdp`
 * @throws Error whose message says what is missing
 */
export async function loadBatchedUdp(): Promise<ListenUdp> {
  const system = await loadSystem();
  const batch = new Batch(system);
  batch.tryCalls();
  return async (address, port, responder, relay, clients, isShared = false) => {
    const fd = openSocket(system, address, port, isShared);
    return listen(system, batch, fd, address.includes(':') ? 6 : 4, responder, relay, clients);
  };
}

async function loadSystem(): Promise<System> {
  const numbers = SYSTEM_CALLS[process.arch];
  if (process.platform !== 'linux' || numbers === undefined || endianness() !== 'LE') {
    throw new Error(`they are for Linux on x64 and arm64, this is ${process.platform} on ${process.arch}`);
  }
  const { default: koffi } = await import('koffi');
  const vector = koffi.struct({ base: 'void *', length: 'size_t' });
  const header = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    vectors: 'void *',
    vectorCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const batchHeader = koffi.struct({ header, length: 'uint32_t' });
  const asserted: readonly (readonly [what: string, is: number, expected: number])[] = [
    ['mmsghdr', koffi.sizeof(batchHeader), HEADER.bytes],
    ['msg_name', koffi.offsetof(header, 'name'), HEADER.name],
    ['msg_namelen', koffi.offsetof(header, 'nameLength'), HEADER.nameLength],
    ['msg_iov', koffi.offsetof(header, 'vectors'), HEADER.vectors],
    ['msg_iovlen', koffi.offsetof(header, 'vectorCount'), HEADER.vectorCount],
    ['msg_len', koffi.offsetof(batchHeader, 'length'), HEADER.length],
    ['iovec', koffi.sizeof(vector), VECTOR.bytes],
    ['iov_base', koffi.offsetof(vector, 'base'), VECTOR.base],
    ['iov_len', koffi.offsetof(vector, 'length'), VECTOR.length],
  ];
  for (const [what, is, expected] of asserted) {
    if (is !== expected) throw new Error(`the layout is another one here: ${what} is ${is}, not ${expected}`);
  }

  // Null: what the process has loaded already, its C library above all, whatever that is called.
  const library = koffi.load(null);
  const syscall = library.func('syscall', 'int', ['long', 'int', 'uintptr_t', 'uint', 'int', 'uintptr_t']);
  return {
    socket: library.func('socket', 'int', ['int', 'int', 'int']),
    bind: library.func('bind', 'int', ['int', 'void *', 'uint32_t']),
    setsockopt: library.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32_t']),
    close: library.func('close', 'int', ['int']),
    recvmmsg: (fd, headers, count) => syscall(numbers.recvmmsg, fd, headers, count, LINUX.MSG_DONTWAIT, 0),
    sendmmsg: (fd, headers, count) => syscall(numbers.sendmmsg, fd, headers, count, LINUX.MSG_DONTWAIT, 0),
    errno: () => koffi.errno(),
    addressOf: (memory) => koffi.address(memory),
  };
}

/** Whoever sent the query that is being answered: its address is read where that matters alone. */
class Sender implements Client {
  clients: Clients | null = null;
  /** Where its address begins. */
  at = 0;
  readonly #octets: Uint8Array;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** As text. */
  get address(): string {
    return decodeSocketAddress(this.#octets, this.at).address;
  }

  mayRecurse(): boolean {
    if (this.clients === null) return false;
    const ipv4 = ipv4Of(this.#octets, this.at);
    if (ipv4 >= 0) return this.clients.areServedIpv4(ipv4);
    return this.clients.areServed(decodeSocketAddress(this.#octets, this.at).address);
  }
}

/** Whoever waits for a reply that an upstream is asked for: its address is read where somebody looks on alone. */
class Addressee {
  readonly #octets: Uint8Array;

  /** @param octets of its socket address */
  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get address(): string {
    return decodeSocketAddress(this.#octets, 0).address;
  }
}

/** A reply that an upstream was asked for, and the socket address that it goes to. */
interface Letter {
  readonly reply: Uint8Array;
  readonly to: Uint8Array;
}

/** Replies that come one by one while the event loop goes round once go out together. */
class Outbox {
  #letters: Letter[] = [];
  readonly #post: (letters: readonly Letter[]) => void;

  constructor(post: (letters: readonly Letter[]) => void) {
    this.#post = post;
  }

  add(reply: Uint8Array, to: Uint8Array): void {
    if (this.#letters.push({ reply, to }) > 1) return;
    setImmediate(() => {
      const letters = this.#letters;
      this.#letters = [];
      this.#post(letters);
    });
  }
}

interface Listener {
  readonly fd: number;
  readonly responder: Responder;
  readonly clients: Clients;
  readonly socket: ServedSocket;
  readonly outbox: Outbox;
}

/** The memory of a batch, and what is done with it. Slot k of anything belongs to header k. */
class Batch {
  readonly #system: System;
  /** Addresses of the arrays of headers. */
  readonly #receiving: number;
  readonly #sending: number;
  /** The memory as the numbers in the headers are written and read; all offsets below are in octets. */
  readonly #words: Uint32Array;
  readonly #pointers: BigUint64Array;
  readonly #octets: Uint8Array;
  readonly #receivingAt: number;
  readonly #sendingAt: number;
  readonly #sendingVectorsAt: number;
  readonly #addressesAt: number;
  /** Pointers to the address slots. */
  readonly #addresses: readonly bigint[];
  readonly #queries: readonly Uint8Array[];
  readonly #replies: readonly Uint8Array[];
  /** Of each reply: which query's address slot its header points to. */
  readonly #recipients = new Int32Array(SLOTS);
  readonly #sender: Sender;

  constructor(system: System) {
    this.#system = system;
    let end = 0;
    const reserve = (bytes: number): number => {
      const at = end;
      end += bytes * SLOTS;
      return at;
    };
    this.#receivingAt = reserve(HEADER.bytes);
    this.#sendingAt = reserve(HEADER.bytes);
    const receivingVectorsAt = reserve(VECTOR.bytes);
    this.#sendingVectorsAt = reserve(VECTOR.bytes);
    this.#addressesAt = reserve(ADDRESS_STRIDE);
    const queriesAt = reserve(MESSAGE_STRIDE);
    const repliesAt = reserve(MESSAGE_STRIDE);

    const memory = new ArrayBuffer(end);
    const base = system.addressOf(memory);
    const pointerTo = (at: number): bigint => base + BigInt(at);
    this.#words = new Uint32Array(memory);
    this.#pointers = new BigUint64Array(memory);
    this.#octets = new Uint8Array(memory);
    this.#sender = new Sender(this.#octets);
    // Exact: user space ends far below 2^53.
    this.#receiving = Number(pointerTo(this.#receivingAt));
    this.#sending = Number(pointerTo(this.#sendingAt));

    const slots = Array.from({ length: SLOTS }, (_, k) => k);
    const messages = (at: number) =>
      slots.map((k) => new Uint8Array(memory, at + k * MESSAGE_STRIDE, MAX_MESSAGE_BYTES));
    this.#queries = messages(queriesAt);
    this.#replies = messages(repliesAt);
    this.#addresses = slots.map((k) => pointerTo(this.#addressesAt + k * ADDRESS_STRIDE));
    const lay = (headersAt: number, vectorsAt: number, messagesAt: number): void => {
      for (const k of slots) {
        const header = headersAt + k * HEADER.bytes;
        const vector = vectorsAt + k * VECTOR.bytes;
        this.#pointers[(header + HEADER.name) >> 3] = this.#addresses[k] as bigint;
        // Of IPv4 the first 16 count, also where they are sent.
        this.#words[(header + HEADER.nameLength) >> 2] = SOCKET_ADDRESS_BYTES;
        this.#pointers[(header + HEADER.vectors) >> 3] = pointerTo(vector);
        this.#pointers[(header + HEADER.vectorCount) >> 3] = 1n;
        this.#pointers[(vector + VECTOR.base) >> 3] = pointerTo(messagesAt + k * MESSAGE_STRIDE);
        this.#pointers[(vector + VECTOR.length) >> 3] = BigInt(MAX_MESSAGE_BYTES);
        this.#recipients[k] = k;
      }
    };
    lay(this.#receivingAt, receivingVectorsAt, queriesAt);
    lay(this.#sendingAt, this.#sendingVectorsAt, repliesAt);
  }

  /** A sandbox may forbid what the machine has: an empty socket is read, and nothing sent, to see. @throws Error */
  tryCalls(): void {
    const fd = this.#system.socket(AF_INET, SOCKET_TYPE, 0);
    if (fd < 0) throw systemError(this.#system, 'socket');
    try {
      const received = this.#system.recvmmsg(fd, this.#receiving, 1);
      if (received < 0 && this.#system.errno() !== LINUX.EAGAIN) throw systemError(this.#system, 'recvmmsg');
      if (this.#system.sendmmsg(fd, this.#sending, 0) < 0) throw systemError(this.#system, 'sendmmsg');
    } finally {
      this.#system.close(fd);
    }
  }

  /**
   * Answers a datagram that libuv has read, and what waits behind it.
   * @returns whether the system took all replies at once; the others are with the listener's `dgram` socket
   */
  answer(listener: Listener, first: Buffer, client: RemoteInfo): boolean {
    this.#sender.clients = listener.clients;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      // Where an error is reported it is thereby gone, and libuv reads what is behind it.
      const count = this.#system.recvmmsg(listener.fd, this.#receiving, BATCH);
      if (count > 0 || round === 0) listener.responder.meter.begin();
      let replies = 0;
      for (let k = 0; k < count; k++) {
        const header = this.#receivingAt + k * HEADER.bytes;
        this.#words[(header + HEADER.nameLength) >> 2] = SOCKET_ADDRESS_BYTES;
        replies += this.#answerOne(listener, k, this.#words[(header + HEADER.length) >> 2] as number, replies);
      }
      // Behind the others, which so keep the slots of their queries; and with them, as each sending may wake a client.
      if (round === 0) replies += this.#answerFirst(listener, first, client, replies);
      listener.responder.meter.end(UDP);
      if (!this.#send(listener, replies)) return false;
      if (count <= 0) break;
    }
    return true;
  }

  /** Puts it where it would be, had it come with the batch. @returns 1 where its reply stands in slot `reply`, or 0 */
  #answerFirst(listener: Listener, query: Buffer, client: RemoteInfo, reply: number): number {
    if (client.family === 'IPv6') {
      listener.responder.meter.end(UDP);
      listener.socket.answer(query, client);
      return 0;
    }
    (this.#queries[BATCH] as Uint8Array).set(query);
    writeIpv4SocketAddress(this.#octets, this.#addressesAt + BATCH * ADDRESS_STRIDE, client.address, client.port);
    return this.#answerOne(listener, BATCH, query.length, reply);
  }

  /** Answers the query in slot k. @returns 1 where its reply stands in slot `reply`, or 0 */
  #answerOne({ responder, socket, outbox }: Listener, k: number, length: number, reply: number): number {
    const sender = this.#sender;
    sender.at = this.#addressesAt + k * ADDRESS_STRIDE;
    const query = this.#queries[k] as Uint8Array;
    const replied = responder.respond(query, length, this.#replies[reply] as Uint8Array, false, socket.local, sender);
    if (replied === DROP) {
      responder.meter.dropped(UDP, sender);
      return 0;
    }
    if (replied === FORWARD) {
      const to = this.#octets.slice(sender.at, sender.at + SOCKET_ADDRESS_BYTES);
      socket.relay(query.slice(0, length), new Addressee(to), (answer) => outbox.add(answer, to));
      return 0;
    }
    responder.meter.answered(UDP, this.#replies[reply] as Uint8Array, replied, sender);
    this.#lay(reply, k, replied);
    return 1;
  }

  /** Replies that upstreams were asked for, of one socket. @returns as `answer` */
  post(listener: Listener, letters: readonly Letter[]): boolean {
    let hasRoom = true;
    for (let at = 0; at < letters.length; at += BATCH) {
      const count = Math.min(BATCH, letters.length - at);
      for (let k = 0; k < count; k++) {
        const { reply, to } = letters[at + k] as Letter;
        this.#octets.set(to, this.#addressesAt + k * ADDRESS_STRIDE);
        (this.#replies[k] as Uint8Array).set(reply);
        this.#lay(k, k, reply.length);
      }
      hasRoom = this.#send(listener, count) && hasRoom;
    }
    return hasRoom;
  }

  /** Makes the reply in slot `reply`, of so many octets, one to whoever is in address slot `recipient`. */
  #lay(reply: number, recipient: number, length: number): void {
    if (this.#recipients[reply] !== recipient) {
      const header = this.#sendingAt + reply * HEADER.bytes;
      this.#pointers[(header + HEADER.name) >> 3] = this.#addresses[recipient] as bigint;
      this.#recipients[reply] = recipient;
    }
    // The upper half of the 64 bits is 0 for good.
    this.#words[(this.#sendingVectorsAt + reply * VECTOR.bytes + VECTOR.length) >> 2] = length;
  }

  /** @returns whether the system took them; where it has no room left, the `dgram` socket sends the rest when it has */
  #send({ fd, socket }: Listener, count: number): boolean {
    for (let sent = 0; sent < count; ) {
      const taken = this.#system.sendmmsg(fd, this.#sending + sent * HEADER.bytes, count - sent);
      if (taken > 0) {
        sent += taken;
        continue;
      }
      // The error is that of the first reply alone: those before it were taken, those behind it were not tried.
      const errno = this.#system.errno();
      if (errno === LINUX.EAGAIN || errno === LINUX.ENOBUFS) {
        for (; sent < count; sent++) this.#sendLater(sent, socket);
        return false;
      }
      if (errno !== LINUX.EINTR) sent++;
    }
    return true;
  }

  #sendLater(k: number, socket: ServedSocket): void {
    const length = this.#words[(this.#sendingVectorsAt + k * VECTOR.bytes + VECTOR.length) >> 2] as number;
    const at = this.#addressesAt + (this.#recipients[k] as number) * ADDRESS_STRIDE;
    const { address, port } = decodeSocketAddress(this.#octets, at);
    socket.send((this.#replies[k] as Uint8Array).slice(0, length), port, address);
  }
}

/** @returns the descriptor of a socket that nobody else can bind, or siblings alone; @throws like `listenUdp` */
function openSocket(system: System, address: string, port: number, isShared: boolean): number {
  const name = encodeSocketAddress(address, port);
  const family = name.length === SOCKET_ADDRESS_BYTES ? AF_INET6 : AF_INET;
  const where = `${address}:${port}`;
  const fd = system.socket(family, SOCKET_TYPE, 0);
  if (fd < 0) throw systemError(system, 'socket', where);
  const on = Int32Array.of(1);
  const set = (level: number, option: number): boolean => system.setsockopt(fd, level, option, on, on.byteLength) === 0;
  const isSet =
    (family === AF_INET || set(LINUX.IPPROTO_IPV6, LINUX.IPV6_V6ONLY)) &&
    (!isShared || set(LINUX.SOL_SOCKET, LINUX.SO_REUSEPORT));
  if (isSet && system.bind(fd, name, name.length) === 0) return fd;
  const error = systemError(system, isSet ? 'bind' : 'setsockopt', where);
  system.close(fd);
  throw error;
}

async function listen(
  system: System,
  batch: Batch,
  fd: number,
  family: 4 | 6,
  responder: Responder,
  relay: Relay,
  clients: Clients,
): Promise<ServedSocket> {
  const socket = await bindUdp(family, { fd, exclusive: true }).catch((error) => {
    system.close(fd);
    throw error;
  });
  const served = serveUdp(socket, responder, relay, clients);
  let hasRoom = true;
  let isOpen = true;
  socket.once('close', () => {
    isOpen = false;
  });
  const outbox = new Outbox((letters) => {
    // The descriptor may be another file's by now.
    if (isOpen) hasRoom = batch.post(listener, letters) && hasRoom;
  });
  const listener: Listener = { fd, responder, clients, socket: served, outbox };
  socket.on('message', (query, client) => {
    // What the system had no room for goes out first; until then what comes is read one by one.
    hasRoom ||= socket.getSendQueueCount() === 0;
    if (hasRoom) hasRoom = batch.answer(listener, query, client);
    else served.answer(query, client);
  });
  return served;
}

function systemError(system: System, syscall: string, where = ''): NodeJS.ErrnoException {
  const errno = -system.errno();
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${syscall} ${code} ${where}`.trimEnd()), { code, errno, syscall });
}
