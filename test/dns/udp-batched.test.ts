/**
 * Many datagrams at once. What clients send while this process does nothing else waits in the server's socket when it
 * wakes up, so that it is there in one batch.
 */
import { spawnSync } from 'node:child_process';
import { Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it, type TestContext, vi } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { Clients } from '../../src/dns/clients.ts';
import { createRelay } from '../../src/dns/relay.ts';
import { Responder } from '../../src/dns/respond.ts';
import type { ListenUdp, UdpListener } from '../../src/dns/udp.ts';
import { loadBatchedUdp } from '../../src/dns/udp-batched.ts';
import { Asker, rrset, zoneSetOf } from '../support/answering.ts';
import { buildQuery, readAnswer } from '../support/dns.ts';
import { FakeUpstream, replyTo } from '../support/fake-upstream.ts';
import { requireIpv6, runsToSuccess, skipOrFail } from '../support/journey-tools.ts';
import { makeResolver, outside } from '../support/resolving.ts';
import { UdpClient } from '../support/udp-client.ts';
import { UDP_LISTENERS } from '../support/udp-listeners.ts';

const NAMES = 250;
const ZONES = zoneSetOf({
  'corp.internal': Object.fromEntries(
    Array.from({ length: NAMES }, (_, i) => [`n${i}`, [rrset([`60 IN A 10.0.0.${i}`])]]),
  ),
});
/** Long ones are dropped by the system rather than queued: its buffer takes some 270 small datagrams. */
const FLOOD = 200;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

interface Server {
  readonly listener: UdpListener;
  readonly address: string;
  close(): Promise<void>;
  /** Listens once more, on the same port or another one. */
  again(listen: ListenUdp, port?: number): Promise<UdpListener>;
}

async function startServer(listen: ListenUdp, address = '127.0.0.1', upstreams: FakeUpstream[] = []): Promise<Server> {
  const resolver = makeResolver(upstreams);
  closing.push(() => resolver.close());
  const clients = new Clients(['127.0.0.0/8', '::1/128', 'fe80::/10']);
  const responder = new Responder({
    zones: ZONES,
    random: createRandom(1),
    ...outside(),
    resolver,
  });
  const relay = createRelay(responder, resolver);
  const again = (kind: ListenUdp, port = 0): Promise<UdpListener> => kind(address, port, responder, relay, clients);
  const listener = await again(listen);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await listener.close();
    isOpen = false;
  };
  closing.push(close);
  return { listener, address, close, again };
}

async function openClient({ listener, address }: Server): Promise<UdpClient> {
  const client = await UdpClient.open(listener.port, address);
  closing.push(() => client.close());
  return client;
}

const queryOf = (n: number, id = n): Uint8Array => buildQuery(`n${n}.corp.internal`, 'A', { id });
const answerOf = (n: number): string => `n${n}.corp.internal. 60 IN A 10.0.0.${n}`;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** IDs and answers, by ID. */
function contentOf(replies: readonly Buffer[]): [number, string[]][] {
  const content = replies.map((reply): [number, string[]] => [reply.readUInt16BE(0), readAnswer(reply).answer]);
  return content.sort(([a], [b]) => a - b);
}

/** A query that is answered like the one without, as long as a datagram can be: its OPT is padded (RFC 7830). */
function paddedQuery(n: number, length: number): Uint8Array {
  const query = Buffer.from(buildQuery(`n${n}.corp.internal`, 'A', { id: n, edns: 1232 }));
  const padding = Buffer.alloc(length - query.length);
  query.writeUInt16BE(padding.length, query.length - 2);
  padding.writeUInt16BE(12, 0);
  padding.writeUInt16BE(padding.length - 4, 2);
  return Buffer.concat([query, padding]);
}

/** An address of this machine of each kind; the test is skipped where there is none. */
const FAMILIES: readonly (readonly [name: string, find: (context: TestContext) => string])[] = [
  ['IPv4', () => '127.0.0.1'],
  [
    'IPv6',
    (context) => {
      requireIpv6(context);
      return '::1';
    },
  ],
  [
    'IPv6 of a link',
    (context) => {
      const own = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
        addresses.map(({ address, scopeid = 0 }) => ({ text: `${address}%${name}`, scopeid })),
      );
      return own.find(({ scopeid }) => scopeid > 0)?.text ?? context.skip('this machine has no link-local address');
    },
  ],
];

const RAW_SOCKET = 'import socket; raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)';

/** Skips the test, saying why, where datagrams cannot be made by hand; under CI that is a failure. */
function requireRawSockets(context: TestContext): void {
  if (!runsToSuccess('/usr/bin/python3', ['-c', RAW_SOCKET])) skipOrFail(context, 'raw sockets need python3 and root');
}

/** Sends a datagram that says that it comes from port 0, so many times; all have arrived when this returns. */
function sendFromPort0(port: number, query: Uint8Array, count: number): void {
  const lines = [
    RAW_SOCKET,
    `query = bytes.fromhex("${Buffer.from(query).toString('hex')}")`,
    `head = b"".join(n.to_bytes(2, "big") for n in (0, ${port}, 8 + len(query), 0))`,
    `for _ in range(${count}): raw.sendto(head + query, ("127.0.0.1", 0))`,
  ];
  const { status, stderr } = spawnSync('/usr/bin/python3', ['-c', lines.join('\n')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

describe.each(UDP_LISTENERS)('many datagrams at once, on %s sockets,', (_kind, listen) => {
  it.for(FAMILIES)('are answered each to whom it came from: %s', async ([, find], context) => {
    const address = find(context);
    const server = await startServer(listen, address);
    const clients = await Promise.all(numbers(20).map(() => openClient(server)));
    for (const n of numbers(FLOOD)) clients[n % 20]?.send(queryOf(n));
    for (const [i, client] of clients.entries()) {
      const own = numbers(FLOOD).filter((n) => n % 20 === i);
      expect(contentOf(await client.take(own.length))).toEqual(own.map((n) => [n, [answerOf(n)]]));
    }
  });

  it.for(FAMILIES)('leave out what gets no reply, and what gets one later: %s', async ([, find], context) => {
    const address = find(context);
    let release = (): void => undefined;
    const isHeld = new Promise<void>((resolve) => {
      release = resolve;
    });
    const upstream = await FakeUpstream.open(async (query) => {
      await isHeld;
      return [replyTo(query)];
    });
    closing.push(() => upstream.close());
    const server = await startServer(listen, address, [upstream]);
    const clients = await Promise.all([openClient(server), openClient(server)]);
    const reply = Buffer.from(queryOf(1));
    reply[2] = 0x80;
    const outside = (id: number): Uint8Array => buildQuery(`www${id}.example.com`, 'A', { id, rd: true });
    for (const [i, client] of clients.entries()) {
      const id = 1000 * i;
      client.send(queryOf(1, id + 1), reply, queryOf(2, id + 2), new Uint8Array(0), outside(id + 3), reply);
      client.send(Uint8Array.of(1, 2), outside(id + 4), queryOf(5, id + 5), reply);
    }
    for (const [i, client] of clients.entries()) {
      const expected = [1, 2, 5].map((n) => [1000 * i + n, [answerOf(n)]]);
      expect(contentOf(await client.take(3))).toEqual(expected);
    }
    // Others come while those wait.
    clients[0]?.send(...numbers(50).map((n) => queryOf(n)));
    await clients[0]?.take(50);
    release();
    for (const [i, client] of clients.entries()) {
      const expected = [3, 4].map((n) => [1000 * i + n, readAnswer(replyTo(outside(1000 * i + n))).answer]);
      expect(contentOf(await client.take(2))).toEqual(expected);
      client.send(queryOf(6));
      await client.take(1);
      expect(client.left).toBe(0);
    }
  });

  it('may be as long as datagrams can be', async () => {
    const server = await startServer(listen);
    const client = await openClient(server);
    const long = paddedQuery(2, 65_507);
    const garbage = Buffer.alloc(65_507, 0xff);
    garbage.set(queryOf(3).subarray(0, 12));
    const asker = new Asker(ZONES);
    // The first is what wakes the server up, so one of each is read in a batch.
    const replyTo = async (id: number): Promise<Buffer | undefined> =>
      (await client.take(2)).find((reply) => reply.readUInt16BE(0) === id);
    client.send(queryOf(1), long);
    expect(await replyTo(2)).toEqual(Buffer.from(asker.send(long) as Uint8Array));
    client.send(queryOf(1), garbage);
    expect(await replyTo(3)).toEqual(Buffer.from(asker.send(garbage) as Uint8Array));
    // What a long one left in memory is not taken for a part of a short one.
    client.send(queryOf(4), queryOf(5).subarray(0, 20));
    expect((await client.take(2)).map((reply) => `${reply.readUInt16BE(0)} ${readAnswer(reply).rcode}`).sort()).toEqual(
      ['4 NOERROR', '5 FORMERR'],
    );
  });

  it('lose no more than one reply to one that cannot be sent', async (context) => {
    requireRawSockets(context);
    const server = await startServer(listen);
    const client = await openClient(server);
    // Nothing can be sent to port 0, but it may stand in a datagram as its origin. All of this is one batch.
    for (const [group, fromPort0] of [1, 3, 1].entries()) {
      client.send(...numbers(8).map((n) => queryOf(8 * group + n)));
      sendFromPort0(server.listener.port, queryOf(99), fromPort0);
    }
    expect(contentOf(await client.take(24))).toEqual(numbers(24).map((n) => [n, [answerOf(n)]]));
    // What could not be sent has left nothing behind.
    client.send(queryOf(30), queryOf(31));
    expect(contentOf(await client.take(2))).toEqual([30, 31].map((n) => [n, [answerOf(n)]]));
  });

  it('are dropped where the listener closes before it has read them, and the port is free at once', async () => {
    const server = await startServer(listen);
    const client = await openClient(server);
    client.send(...numbers(100).map((n) => queryOf(n)));
    await server.close();
    const next = await server.again(listen, server.listener.port);
    closing.push(() => next.close());
    client.send(queryOf(7, 7777));
    expect(contentOf(await client.take(1))).toEqual([[7777, [answerOf(7)]]]);
    expect(client.left).toBe(0);
  });
});

describe.each(UDP_LISTENERS)('an address, on %s sockets,', (_kind, listen) => {
  it.each([
    ['that is none of the machine', '203.0.113.77', 'EADDRNOTAVAIL'],
    ['that is none of the machine, IPv6', '2001:db8::77', /^(EADDRNOTAVAIL|EAFNOSUPPORT)$/],
  ])('%s, is refused', async (_, address, code) => {
    const error = await startServer(listen, address).catch((refusal) => refusal);
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toMatch(code);
  });

  it('of IPv6 leaves the port of IPv4 to others', async (context) => {
    requireIpv6(context);
    const { listener } = await startServer(listen, '::');
    const other = (await startServer(listen)).again(listen, listener.port);
    await (await other).close();
  });
});

describe.each(UDP_LISTENERS.filter(([kind]) => kind === 'batched'))('%s sockets', (_kind, listen) => {
  it('keep the addresses of both families apart, though they share their memory', async (context) => {
    requireIpv6(context);
    // With memory of its own, in which there is nothing yet.
    const fresh = await loadBatchedUdp();
    const upstream = await FakeUpstream.open((query) => [replyTo(query)]);
    closing.push(() => upstream.close());
    const outside = numbers(10).map((id) => buildQuery('www.example.com', 'A', { id, rd: true }));
    const expected = outside.map((query, id) => [id, readAnswer(replyTo(query)).answer]);
    for (const address of ['127.0.0.1', '::1', '127.0.0.1']) {
      const client = await openClient(await startServer(fresh, address, [upstream]));
      client.send(...outside);
      expect(contentOf(await client.take(10))).toEqual(expected);
    }
  });

  it('read what waits beside the event loop', async () => {
    const server = await startServer(listen);
    const client = await openClient(server);
    const emit = vi.spyOn(Socket.prototype, 'emit');
    client.send(...numbers(FLOOD).map((n) => queryOf(n)));
    await client.take(FLOOD);
    const wakes = emit.mock.contexts.filter(
      (socket, i) =>
        emit.mock.calls[i]?.[0] === 'message' && (socket as Socket).address().port === server.listener.port,
    );
    expect(wakes.length).toBeGreaterThan(0);
    expect(wakes.length).toBeLessThan(FLOOD / 20);
  });
});
