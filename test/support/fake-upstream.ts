/** A DNS server of the test's own on loopback, UDP and TCP on one port, that replies as the test says. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { setInterval } from 'node:timers';
import { RCODE_CODES, TYPE_CODES } from '../../src/wire/codec.ts';
import { askUdp } from './dns.ts';
import { type OptSpec, optBytes } from './message.ts';
import { recordOf } from './records.ts';
import { framed } from './tcp-client.ts';

export interface Seen {
  readonly query: Buffer;
  readonly overTcp: boolean;
  /** Where it came from. */
  readonly port: number;
}

/**
 * A message; one that comes from another port than was asked, over UDP alone; or over TCP a message that ends in its
 * midst, as does the connection.
 */
export type Sending = Uint8Array | { readonly fromElsewhere: Uint8Array } | { readonly half: Uint8Array };

/**
 * What to send for a query, in order, once the promise is there. Nothing: silence over UDP, the end of the connection
 * over TCP; `NEVER` is silence over both.
 */
export type Behaviour = (
  query: Buffer,
  overTcp: boolean,
  seen: Seen,
) => readonly Sending[] | Promise<readonly Sending[]>;

export const NEVER = new Promise<never>(() => undefined);
/** Replies with one A record. */
export const GOOD: Behaviour = (query) => [replyTo(query)];
/** Every name has one A record of 30 seconds, and no other type. */
export const onlyAddress =
  (address: string): Behaviour =>
  (query) => [replyTo(query, { answer: questionOf(query).type === TYPE_CODES.A ? [`@ 30 IN A ${address}`] : [] })];
/** Asks another server over UDP, and replies what it replies: where that is the daemon itself, a loop. */
export const relaying =
  (address: string, port: number): Behaviour =>
  async (query) => {
    const reply = await askUdp(port, query, { address });
    return reply === null ? [] : [reply];
  };

/** Of the clock that no test fakes. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
/** When this process last did anything: a busy machine may keep it from that for longer than a query waits. */
let awakeMs = nowMs();
const AWAKE_EVERY_MS = 20;
const ASLEEP_MS = 120;
setInterval(() => setImmediate(() => (awakeMs = nowMs())), AWAKE_EVERY_MS).unref();

export interface FakeUpstreamOptions {
  readonly address?: string;
  readonly port?: number;
  /** The queries by which a daemon looks for loops get to the behaviour, and into `seen`, like any other. */
  readonly seesLoopChecks?: boolean;
  /** Whoever asks never asks again: a question that comes twice is two questions, and each is waited for. */
  readonly answersEach?: boolean;
}

export class FakeUpstream {
  /** Changed between queries, the next one meets the new one. */
  behaviour: Behaviour;
  /** The queries so far, but for those by which a daemon looks for loops: they get NXDOMAIN. */
  readonly seen: Seen[] = [];
  readonly address: string;
  readonly port: number;
  readonly #udp: UdpSocket;
  readonly #elsewhere: UdpSocket;
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();
  readonly #seesLoopChecks: boolean;
  readonly #answersEach: boolean;
  /** Questions that came while this process slept. */
  readonly #unread = new Set<string>();
  #isClosed = false;

  private constructor(
    udp: UdpSocket,
    elsewhere: UdpSocket,
    tcp: Server,
    behaviour: Behaviour,
    options: FakeUpstreamOptions,
  ) {
    this.#udp = udp;
    this.#elsewhere = elsewhere;
    this.#tcp = tcp;
    this.behaviour = behaviour;
    this.#seesLoopChecks = options.seesLoopChecks ?? false;
    this.#answersEach = options.answersEach ?? false;
    ({ address: this.address, port: this.port } = udp.address());
    udp.on('message', async (query, { port, address }) => {
      if (this.#isAgain(query)) return;
      for (const sending of await this.#sendings(query, false, port)) {
        if (this.#isClosed) return;
        const [socket, message] =
          'fromElsewhere' in sending ? [elsewhere, sending.fromElsewhere] : [udp, sending as Uint8Array];
        // One after the other: who has to read thousands can keep up.
        await new Promise((resolve) => socket.send(message, port, address, resolve));
      }
    });
    tcp.on('connection', (socket) => this.#serve(socket));
  }

  /** On a free port where none is given. @throws Error where the one that is given is not free */
  static async open(behaviour: Behaviour, options: FakeUpstreamOptions = {}): Promise<FakeUpstream> {
    const { address = '127.0.0.1', port = 0 } = options;
    const bind = async (at: number): Promise<UdpSocket> => {
      const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
      await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(at, address, resolve));
      return socket;
    };
    for (;;) {
      const udp = await bind(port);
      const tcp = createServer();
      const problem = await new Promise<Error | null>((resolve) => {
        tcp.once('error', resolve);
        tcp.listen(udp.address().port, address, () => resolve(null));
      });
      if (problem === null) return new FakeUpstream(udp, await bind(0), tcp, behaviour, options);
      // Until then it is among those that tests count.
      await new Promise<void>((resolve) => udp.close(resolve));
      if (port !== 0) throw problem;
    }
  }

  /** As CLOUDMAPD_UPSTREAMS wants it. */
  get endpoint(): string {
    return `${isIPv6(this.address) ? `[${this.address}]` : this.address}:${this.port}`;
  }

  /** How often it was asked for the name, whatever its case. */
  timesAsked(name: string, type?: string): number {
    return this.seen.filter(({ query }) => {
      const question = questionOf(query);
      return question.name === name && (type === undefined || question.type === TYPE_CODES[type]);
    }).length;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#elsewhere.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }

  /** A question that came again while this process slept: one that works has answered the first time already. */
  #isAgain(query: Buffer): boolean {
    if (this.#answersEach || nowMs() - awakeMs < ASLEEP_MS) return false;
    const question = query.toString('latin1', 12).toLowerCase();
    const isAgain = this.#unread.has(question);
    this.#unread.add(question);
    setImmediate(() => this.#unread.clear());
    return isAgain;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        void this.#replyOver(socket, received.subarray(2, end));
        received = received.subarray(end);
      }
    });
  }

  async #replyOver(socket: Socket, query: Buffer): Promise<void> {
    const sendings = await this.#sendings(query, true, socket.remotePort ?? 0);
    if (sendings.length === 0) socket.destroy();
    for (const sending of sendings) {
      if ('half' in sending) {
        socket.end(framed(sending.half).subarray(0, 2 + sending.half.length / 2));
        return;
      }
      const octets = framed(sending as Uint8Array);
      // In two pieces, as a stream may bring it.
      socket.write(octets.subarray(0, 3));
      socket.write(octets.subarray(3));
    }
  }

  async #sendings(query: Buffer, overTcp: boolean, port: number): Promise<readonly Sending[]> {
    if (!this.#seesLoopChecks && /^loop-[0-9a-f]{16}(\.|$)/i.test(questionOf(query).name)) {
      return [replyTo(query, { rcode: 'NXDOMAIN', records: 0 })];
    }
    const seen = { query, overTcp, port };
    this.seen.push(seen);
    return this.behaviour(query, overTcp, seen);
  }
}

export interface ReplySpec {
  readonly rcode?: keyof typeof RCODE_CODES;
  /** As many A records at the question's name, from 192.0.0.1 on, where no `answer` is given; 1. */
  readonly records?: number;
  /** Records as zone-file text; `@` is the question's name. */
  readonly answer?: readonly string[];
  readonly authority?: readonly string[];
  readonly additional?: readonly string[];
  readonly truncated?: boolean;
  readonly authentic?: boolean;
  /** Null: none; where nothing is said, as a server that knows EDNS has it. */
  readonly opt?: OptSpec | null;
}

/** The reply to a query: its ID, question, RD and CD, RA, and what else is wanted. */
export function replyTo(query: Uint8Array, spec: ReplySpec = {}): Buffer {
  const { records = 1, authority = [], additional = [] } = spec;
  const numbered = (_: unknown, n: number): string => `@ 9 IN A 192.0.${(n + 1) >> 8}.${(n + 1) & 255}`;
  const answer = spec.answer ?? Array.from({ length: records }, numbered);
  const hasOpt = query[11] !== 0;
  const opt = spec.opt === undefined ? (hasOpt ? {} : null) : spec.opt;
  const head = Buffer.from(query.subarray(0, questionOf(query).end));
  head[2] = (head[2] as number) | 0x80 | (spec.truncated === true ? 0x02 : 0);
  const kept = (query[3] as number) & 0x10;
  head[3] = 0x80 | kept | (spec.authentic === true ? 0x20 : 0) | (RCODE_CODES[spec.rcode ?? 'NOERROR'] as number);
  head.writeUInt16BE(answer.length, 6);
  head.writeUInt16BE(authority.length, 8);
  head.writeUInt16BE(additional.length + (opt === null ? 0 : 1), 10);
  const tail = [...answer, ...authority, ...additional].flatMap(recordOf);
  return Buffer.concat([head, Buffer.from([...tail, ...(opt === null ? [] : optBytes(opt))])]);
}

/** The question of a message that has one: its name as text in lower case, its type, and where it ends. */
export function questionOf(message: Uint8Array): { name: string; type: number; qclass: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length !== 0; length = message[at] ?? 0) {
    labels.push(Buffer.from(message.subarray(at + 1, at + 1 + length)).toString('latin1'));
    at += 1 + length;
  }
  const [high = 0, low = 0, classHigh = 0, classLow = 0] = message.subarray(at + 1, at + 5);
  const name = labels.join('.').toLowerCase();
  return { name, type: (high << 8) | low, qclass: (classHigh << 8) | classLow, end: at + 5 };
}

/** A port on which nobody listens, neither UDP nor TCP. */
export async function closedPort(): Promise<number> {
  const upstream = await FakeUpstream.open(() => []);
  await upstream.close();
  return upstream.port;
}
