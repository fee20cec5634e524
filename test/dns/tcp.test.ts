import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { FaultTable } from '../../src/dns/faults.ts';
import { createRelay } from '../../src/dns/relay.ts';
import { Responder } from '../../src/dns/respond.ts';
import { listenTcp, TcpConnections } from '../../src/dns/tcp.ts';
import { toWireName } from '../../src/wire/names.ts';
import { Asker, rrset, tailOf, zoneSetOf } from '../support/answering.ts';
import { buildQuery, readAnswer } from '../support/dns.ts';
import { bytesInUse } from '../support/memory.ts';
import { LOCAL_CLIENTS, makeResolver, outside } from '../support/resolving.ts';
import { framed, TcpClient } from '../support/tcp-client.ts';

const addresses = (count: number, block: string): string[] =>
  Array.from({ length: count }, (_, i) => `60 IN A ${block}.${i}`);
const ZONES = zoneSetOf({
  'corp.internal': {
    web: [rrset(['60 IN A 10.0.0.1'])],
    ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n${i}`, [rrset(addresses(200, `10.2.${i}`))]])),
    many: [rrset(addresses(200, '10.1.0'))],
    // 16 choices of 250 records each, 64,000 octets in all.
    huge: [
      {
        type: 1,
        policy: 'all',
        choices: Array.from({ length: 16 }, (_, i) => ({
          answers: Array.from({ length: 250 }, (__, j) => tailOf(`60 IN A 10.3.${i}.${j}`)),
          additionals: [],
        })),
      },
    ],
  },
});
const WEB = buildQuery('web.corp.internal', 'A');
const MANY = buildQuery('many.corp.internal', 'A');
const MANY_BYTES = MANY.length + 200 * 16;
const HUGE = buildQuery('huge.corp.internal', 'A');
const HUGE_BYTES = HUGE.length + 4000 * 16;
/** What the server leaves unsent before it leaves queries unread, and one more reply (`src/dns/tcp.ts`). */
const MAX_UNSENT_BYTES = 256 * 1024 + 2 + MANY_BYTES;
const TIMEOUT_MS = 10_000;

/** The server's own ends of the connections, in the order in which they were accepted. */
class WatchedConnections extends TcpConnections {
  readonly accepted: Socket[] = [];
  #wake: () => void = () => undefined;

  override add(socket: Socket): void {
    super.add(socket);
    this.accepted.push(socket);
    this.#wake();
  }

  /** Waits for the server's end of connection `index`. */
  async at(index: number): Promise<Socket> {
    while (this.accepted.length <= index) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.accepted[index] as Socket;
  }

  get open(): number {
    return this.accepted.filter((socket) => !socket.destroyed).length;
  }
}

let connections: WatchedConnections;
let port = 0;
let faults: FaultTable;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  faults = new FaultTable();
  const responder = new Responder({ zones: ZONES, random: createRandom(1), faults, ...outside() });
  const relay = createRelay(responder, makeResolver());
  connections = new WatchedConnections();
  const tcp = await listenTcp('127.0.0.1', 0, responder, relay, LOCAL_CLIENTS, connections);
  port = tcp.port;
  closing.push(() => {
    const closed = tcp.close();
    connections.closeAll();
    return closed;
  });
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  vi.useRealTimers();
});

async function openClient(localAddress?: string): Promise<TcpClient> {
  const client = await TcpClient.open(port, localAddress);
  closing.push(() => client.socket.destroy());
  return client;
}

async function expectServed(client: TcpClient): Promise<void> {
  expect(readAnswer(await client.ask(WEB)).answer).toEqual(['web.corp.internal. 60 IN A 10.0.0.1']);
}

/** Sends, and waits until the server has read it. */
async function deliver(client: TcpClient, server: Socket, bytes: Uint8Array): Promise<void> {
  const expected = server.bytesRead + bytes.length;
  client.socket.write(bytes);
  while (server.bytesRead < expected) await once(server, 'data');
}

describe('an idle or unfinished connection (RFC 7766 s6.2.3)', () => {
  let client: TcpClient;
  let server: Socket;

  beforeEach(async () => {
    // The deadlines of `src/dns/tcp.ts` alone: sockets have timers of their own.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    client = await openClient();
    server = await connections.at(0);
  });

  const expectOpenUntil = async (leftMs: number): Promise<void> => {
    vi.advanceTimersByTime(leftMs - 1);
    expect(server.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(server.destroyed).toBe(true);
    await client.end();
  };

  const expectClosedIn10s = async (): Promise<void> => {
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(server.destroyed).toBe(true);
    client.socket.resume();
    await client.end();
  };

  it('is closed after 10 s without a query', async () => {
    await expectOpenUntil(TIMEOUT_MS);
  });

  it('is closed 10 s after its last query, however many came before', async () => {
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(TIMEOUT_MS - 1);
      await expectServed(client);
    }
    await expectOpenUntil(TIMEOUT_MS);
  });

  it.each([
    ['half of its length', [0]],
    ['a length without a message', [0, 35]],
    ['all but the last octet of a message', [...framed(WEB).subarray(0, -1)]],
  ])('is closed after 10 s with %s', async (_, bytes) => {
    await deliver(client, server, Uint8Array.from(bytes));
    await expectOpenUntil(TIMEOUT_MS);
    expect(client.socket.bytesRead).toBe(0);
  });

  it('gains no time by octets that make no whole message', async () => {
    await expectServed(client);
    for (const octet of framed(WEB).subarray(0, 9)) {
      await deliver(client, server, Uint8Array.of(octet));
      vi.advanceTimersByTime(1000);
    }
    await expectOpenUntil(TIMEOUT_MS - 9000);
  });

  it('gains 10 s by each whole message, be it finished late', async () => {
    const bytes = framed(WEB);
    for (let i = 0; i < 3; i++) {
      await deliver(client, server, bytes.subarray(0, 20));
      vi.advanceTimersByTime(TIMEOUT_MS - 1);
      client.socket.write(bytes.subarray(20));
      expect(readAnswer((await client.take(1))[0] as Buffer).answer).toHaveLength(1);
    }
    await expectOpenUntil(TIMEOUT_MS);
  });

  it('is closed where a second message does not follow the first one whole', async () => {
    await deliver(client, server, Buffer.concat([framed(WEB), framed(WEB).subarray(0, 10)]));
    await client.take(1);
    await expectOpenUntil(TIMEOUT_MS);
  });

  it('is closed where the client reads none of its replies', async () => {
    client.socket.pause();
    client.socket.write(framed(...Array.from({ length: 20_000 }, () => MANY)));
    while (!server.isPaused()) await once(server, 'pause');
    // What the client's side of the network still takes makes the server go on for a while.
    for (let idle = 0, read = 0; idle < 50; idle = read === server.bytesRead ? idle + 1 : 0) {
      read = server.bytesRead;
      await nextTurn();
    }
    await expectClosedIn10s();
  });

  it('is closed where the client has closed its half and reads none of its replies', async () => {
    client.socket.pause();
    client.socket.end(framed(...Array.from({ length: 5000 }, () => MANY)));
    while (!server.isPaused()) await once(server, 'pause');
    await expectClosedIn10s();
  });
});

describe('a connection that is owed a reply', () => {
  const DELAY_MS = 25_000;
  let client: TcpClient;
  let server: Socket;

  beforeEach(async () => {
    const name = toWireName('web.corp.internal');
    const delay = {
      id: 'fault-1',
      kind: 'delay',
      delayMs: DELAY_MS,
      type: null,
      isBelow: false,
      percent: 100,
      untilMs: null,
    } as const;
    faults.set([{ name, ...delay }], 1);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    client = await openClient();
    server = await connections.at(0);
  });

  it('gets it, however late, and is idle from then on', async () => {
    await deliver(client, server, framed(WEB, WEB));
    vi.advanceTimersByTime(DELAY_MS - 1);
    expect(server.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await client.take(2)).toHaveLength(2);
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    expect(server.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(server.destroyed).toBe(true);
  });

  it('may ask on meanwhile, and has 10 s for each message', async () => {
    await deliver(client, server, framed(WEB));
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    await deliver(client, server, framed(MANY).subarray(0, 5));
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    client.socket.write(framed(MANY).subarray(5));
    expect(readAnswer((await client.take(1))[0] as Buffer).answer).toHaveLength(200);
    vi.advanceTimersByTime(DELAY_MS);
    expect(readAnswer((await client.take(1))[0] as Buffer).answer).toHaveLength(1);
  });

  it('is closed all the same where it does not end a message that it has begun', async () => {
    await deliver(client, server, framed(WEB));
    vi.advanceTimersByTime(5000);
    await deliver(client, server, framed(WEB).subarray(0, 5));
    for (const octet of framed(WEB).subarray(5, 9)) {
      vi.advanceTimersByTime(1000);
      await deliver(client, server, Uint8Array.of(octet));
    }
    vi.advanceTimersByTime(TIMEOUT_MS - 4001);
    expect(server.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(server.destroyed).toBe(true);
  });

  it('gets it where it has closed its half, in the midst of a message too', async () => {
    client.socket.end(framed(WEB, WEB).subarray(0, -5));
    await once(server, 'end');
    vi.advanceTimersByTime(DELAY_MS);
    expect(await client.end()).toHaveLength(1);
  });
});

describe('a client that has closed its half (RFC 7766 s6.2.4)', () => {
  it('gets the replies to all that it had sent, and then the end', async () => {
    const client = await openClient();
    const server = await connections.at(0);
    client.socket.pause();
    // 13 MB of replies, which the network does not take before the client reads; so the server leaves off.
    client.socket.write(framed(...Array.from({ length: 200 }, () => HUGE)));
    while (!server.isPaused()) await once(server, 'pause');
    // 52 MB more, asked for while it does so, in queries that come to it together with the client's end.
    const rest = framed(...Array.from({ length: 800 }, () => HUGE), WEB);
    client.socket.end(rest);
    while (server.readableLength < rest.length) await nextTurn();
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    client.socket.resume();
    const replies = await client.end();
    expect(replies).toHaveLength(1001);
    expect(replies.slice(0, 1000).every((reply) => reply.length === HUGE_BYTES)).toBe(true);
    expect(readAnswer(replies[1000] as Buffer).answer).toHaveLength(1);
  });

  it('gets the replies to what was whole, where it ends in the midst of a message', async () => {
    const client = await openClient();
    client.socket.end(Buffer.concat([framed(WEB, WEB), framed(WEB).subarray(0, 20)]));
    expect(await client.end()).toHaveLength(2);
  });
});

describe('the caps on connections (RFC 7766 s6.2.2)', () => {
  it("100 of one client: one more closes its own longest idle one, not another client's", async () => {
    const other = await openClient('127.0.0.3');
    await connections.at(0);
    const clients: TcpClient[] = [];
    for (let i = 0; i < 100; i++) clients.push(await openClient('127.0.0.2'));
    await connections.at(100);
    expect(connections.open).toBe(101);
    const newest = await openClient('127.0.0.2');
    await (clients[0] as TcpClient).end();
    for (const client of [other, newest, ...clients.slice(1)]) await expectServed(client);
    expect(connections.open).toBe(101);
  });

  it('100 of one client: octets that make no whole message are idleness too', async () => {
    const clients: TcpClient[] = [];
    for (let i = 0; i < 100; i++) clients.push(await openClient());
    const [first, second] = clients as [TcpClient, TcpClient];
    await deliver(first, await connections.at(0), framed(WEB).subarray(0, -1));
    await openClient();
    await first.end();
    await expectServed(second);
  });

  it('100 of one client: of 300 that come at once the last 100 stay', async () => {
    const clients = await Promise.all(Array.from({ length: 300 }, () => openClient()));
    await connections.at(299);
    expect(connections.open).toBe(100);
    const ports = connections.accepted.filter((socket) => !socket.destroyed).map(({ remotePort }) => remotePort);
    expect(ports).toEqual(connections.accepted.slice(200).map(({ remotePort }) => remotePort));
    const kept = clients.filter(({ socket }) => ports.includes(socket.localPort));
    expect(kept).toHaveLength(100);
    for (const client of kept) await expectServed(client);
  });

  it('1,000 in all: one more closes the longest idle one of all, and is served', async () => {
    const clients: TcpClient[] = [];
    for (let i = 0; i < 1000; i++) clients.push(await openClient(`127.0.1.${1 + (i % 10)}`));
    await connections.at(999);
    expect(connections.open).toBe(1000);
    // The first one asks, so that the second one, of another client, is the longest idle.
    await expectServed(clients[0] as TcpClient);
    const newest = await openClient('127.0.1.11');
    await expectServed(newest);
    await (clients[1] as TcpClient).end();
    expect(connections.open).toBe(1000);
    // Two more close the next two, and a closed one makes room.
    const more = [await openClient('127.0.1.12'), await openClient('127.0.1.13')];
    await Promise.all([2, 3].map((i) => (clients[i] as TcpClient).end()));
    const gone = once(await connections.at(4), 'close');
    (clients[4] as TcpClient).socket.destroy();
    await gone;
    const last = await openClient('127.0.1.14');
    for (const client of [clients[0] as TcpClient, ...clients.slice(5), newest, ...more, last])
      await expectServed(client);
    expect(connections.open).toBe(1000);
  });
});

describe('queries that come together', () => {
  const queryOf = (n: number): Uint8Array => buildQuery(`n${n % 50}.corp.internal`, 'A', { id: n });
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
  /** Octet by octet, in their order. */
  const expectReplies = (replies: readonly Buffer[], count: number): void => {
    const asker = new Asker(ZONES);
    const expected = numbers(50).map((n) => Buffer.from(asker.send(queryOf(n), true) as Uint8Array));
    expect(replies).toHaveLength(count);
    const wrong = replies.findIndex((reply, n) => {
      const right = expected[n % 50] as Buffer;
      right.writeUInt16BE(n);
      return !reply.equals(right);
    });
    expect(wrong).toBe(-1);
  };

  it('get their replies together', async () => {
    const client = await openClient();
    const server = await connections.at(0);
    const writes = vi.spyOn(server, 'write');
    client.socket.write(framed(...numbers(100).map(() => WEB)));
    expect(new Set((await client.take(100)).map((reply) => readAnswer(reply).answer.join()))).toEqual(
      new Set(['web.corp.internal. 60 IN A 10.0.0.1']),
    );
    expect(writes).toHaveBeenCalledTimes(1);
    // A reply that is longer than what is sent at once is sent by itself, in its place.
    client.socket.write(framed(queryOf(0), HUGE, queryOf(1)));
    const replies = await client.take(3);
    expect(replies[1]).toHaveLength(HUGE_BYTES);
    expectReplies([replies[0] as Buffer, replies[2] as Buffer], 2);
    expect(writes).toHaveBeenCalledTimes(4);
  });

  it('get each their own replies, where clients that read late keep the system from taking them', async () => {
    // More than their share of memory on both sides holds.
    const count = 5000;
    const clients = await Promise.all(numbers(3).map(() => openClient()));
    for (const client of clients) {
      client.socket.pause();
      client.socket.write(framed(...numbers(count).map(queryOf)));
    }
    for (const [i] of clients.entries()) {
      const server = await connections.at(i);
      while (!server.isPaused()) await once(server, 'pause');
    }
    const other = await openClient();
    other.socket.write(framed(...numbers(500).map(queryOf)));
    expectReplies(await other.take(500), 500);
    for (const client of clients) client.socket.resume();
    for (const client of clients) expectReplies(await client.take(count), count);
  });
});

describe('the memory of a connection', () => {
  it('holds some 256 KiB of replies that the client does not read, and leaves further queries unread', async () => {
    const client = await openClient();
    const server = await connections.at(0);
    let greatest = 0;
    for (const event of ['data', 'pause', 'drain']) {
      server.on(event, () => {
        greatest = Math.max(greatest, server.writableLength);
      });
    }
    client.socket.pause();
    // 2.3 MB of queries whose replies take 215 MB.
    const flood = framed(...Array.from({ length: 60_000 }, () => MANY));
    client.socket.write(flood);
    for (let idle = 0, read = 0; idle < 200 || !server.isPaused(); idle = read === server.bytesRead ? idle + 1 : 0) {
      read = server.bytesRead;
      await nextTurn();
    }
    expect(greatest).toBeGreaterThan(0);
    expect(greatest).toBeLessThanOrEqual(MAX_UNSENT_BYTES);
    expect(server.writableLength + server.readableLength).toBeLessThanOrEqual(MAX_UNSENT_BYTES + 65_536);
    expect(server.bytesRead).toBeLessThan(flood.length / 2);
    const other = await openClient();
    await expectServed(other);
  });

  it('holds no more than an unfinished message, and answers it when it is whole', async () => {
    const before = bytesInUse();
    const clients: TcpClient[] = [];
    for (let i = 0; i < 50; i++) clients.push(await openClient());
    // A query with octets that trail it, which is malformed however long it is.
    const message = Buffer.concat([WEB, Buffer.alloc(65_535 - WEB.length)]);
    const bytes = framed(message);
    for (const [i, client] of clients.entries()) await deliver(client, await connections.at(i), bytes.subarray(0, -1));
    expect((bytesInUse() - before) / clients.length).toBeLessThan(3 * 65_536);
    for (const client of clients) {
      client.socket.write(bytes.subarray(-1));
      expect(readAnswer((await client.take(1))[0] as Buffer).rcode).toBe('FORMERR');
    }
  });

  it('is given back when it closes', async () => {
    const use = async (): Promise<void> => {
      connections.accepted.length = 0;
      const client = await openClient();
      const server = await connections.at(0);
      const closed = new Promise((resolve) => server.once('close', resolve));
      await deliver(client, server, Buffer.concat([framed(WEB), Buffer.alloc(60_000, 0xff)]));
      client.socket.resetAndDestroy();
      await closed;
      closing.pop();
    };
    for (let i = 0; i < 50; i++) await use();
    const before = bytesInUse();
    for (let i = 0; i < 500; i++) await use();
    // 500 times 60,000 octets, had they stayed.
    expect(bytesInUse() - before).toBeLessThan(5_000_000);
  });
});
