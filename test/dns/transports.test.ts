import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { Clients } from '../../src/dns/clients.ts';
import { createRelay, type Relay } from '../../src/dns/relay.ts';
import { Responder } from '../../src/dns/respond.ts';
import { listenTcp, TcpConnections } from '../../src/dns/tcp.ts';
import { type ListenUdp, listenUdp } from '../../src/dns/udp.ts';
import { rrset, type Zones, zoneSetOf } from '../support/answering.ts';
import { askTcp, askUdp, buildQuery, readAnswer } from '../support/dns.ts';
import { type Behaviour, closedPort, FakeUpstream, replyTo } from '../support/fake-upstream.ts';
import { LOCAL_CLIENTS, makeResolver, outside } from '../support/resolving.ts';
import { framed, TcpClient } from '../support/tcp-client.ts';
import { UDP_LISTENERS } from '../support/udp-listeners.ts';

const ZONES: Zones = {
  'corp.internal': {
    ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n${i}`, [rrset([`60 IN A 10.0.0.${i}`])]])),
    many: [rrset(Array.from({ length: 200 }, (_, i) => `60 IN A 10.1.0.${i}`))],
    alias: [rrset(['60 IN CNAME n1.corp.internal'])],
  },
};

interface Server {
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly relay: Relay;
  readonly responder: Responder;
  closeUdp(): Promise<void>;
}

const closing: (() => unknown)[] = [];
let listen = listenUdp;

/** For the tests of a `describe`. */
function useListener(wanted: ListenUdp): void {
  beforeEach(() => {
    listen = wanted;
  });
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startServer(upstreams: readonly FakeUpstream[] = [], blocks = ['127.0.0.0/8']): Promise<Server> {
  const resolver = makeResolver(upstreams);
  const clients = new Clients(blocks);
  closing.push(() => resolver.close());
  const responder = new Responder({
    zones: zoneSetOf(ZONES),
    random: createRandom(1),
    ...outside(),
    resolver,
  });
  const relay = createRelay(responder, resolver);
  const connections = new TcpConnections();
  const udp = await listen('127.0.0.1', 0, responder, relay, clients);
  const tcp = await listenTcp('127.0.0.1', 0, responder, relay, clients, connections);
  let isUdpOpen = true;
  const closeUdp = async (): Promise<void> => {
    if (isUdpOpen) await udp.close();
    isUdpOpen = false;
  };
  closing.push(closeUdp, async () => {
    const closed = tcp.close();
    connections.closeAll();
    await closed;
  });
  return { udpPort: udp.port, tcpPort: tcp.port, relay, responder, closeUdp };
}

async function startUpstream(behaviour: Behaviour): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.open(behaviour);
  closing.push(() => upstream.close());
  return upstream;
}

async function openClient(port: number): Promise<TcpClient> {
  const client = await TcpClient.open(port);
  closing.push(() => client.socket.destroy());
  return client;
}

const queryOf = (n: number): Uint8Array => buildQuery(`n${n}.corp.internal`, 'A', { id: 1000 + n });
const answersOf = (replies: readonly Uint8Array[]): string[] => replies.flatMap((reply) => readAnswer(reply).answer);
const answer = (n: number): string => `n${n}.corp.internal. 60 IN A 10.0.0.${n}`;

describe.each(UDP_LISTENERS)('UDP on %s sockets', (_kind, listener) => {
  useListener(listener);

  it('answers each client its own query', async () => {
    const { udpPort } = await startServer();
    const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => askUdp(udpPort, queryOf(n))));
    expect(answersOf(replies as Buffer[])).toEqual(Array.from({ length: 50 }, (_, n) => answer(n)));
    expect(replies.map((reply) => reply?.readUInt16BE(0))).toEqual(Array.from({ length: 50 }, (_, n) => 1000 + n));
  });

  it('says nothing to garbage and answers what follows', async () => {
    const { udpPort } = await startServer();
    const reply = Uint8Array.from(queryOf(1));
    reply[2] = 0x80;
    const socket = createSocket('udp4');
    closing.push(() => socket.close());
    for (const datagram of [reply, Uint8Array.of(1, 2, 3), new Uint8Array(0), queryOf(2)])
      socket.send(datagram, udpPort, '127.0.0.1');
    const [first] = (await once(socket, 'message')) as [Buffer];
    expect(answersOf([first])).toEqual([answer(2)]);
  });

  it('sends TC where the answer is too long, and TCP has the whole', async () => {
    const { udpPort, tcpPort } = await startServer();
    const query = buildQuery('many.corp.internal', 'A', { edns: 4096 });
    expect(readAnswer((await askUdp(udpPort, query)) as Buffer)).toMatchObject({ tc: true, answer: [] });
    const [whole] = await askTcp(tcpPort, [query]);
    expect(readAnswer(whole as Buffer)).toMatchObject({ tc: false, answer: expect.objectContaining({ length: 200 }) });
  });

  it('takes its address for itself alone', async () => {
    const { udpPort, relay, responder } = await startServer();
    for (const [, other] of UDP_LISTENERS) {
      const again = other('127.0.0.1', udpPort, responder, relay, LOCAL_CLIENTS);
      await expect(again).rejects.toMatchObject({
        code: 'EADDRINUSE',
        message: `bind EADDRINUSE 127.0.0.1:${udpPort}`,
        syscall: 'bind',
      });
    }
  });
});

describe('TCP (RFC 7766)', () => {
  let server: Server;
  let client: TcpClient;

  beforeEach(async () => {
    server = await startServer();
    client = await openClient(server.tcpPort);
  });

  it('answers pipelined queries, sent in one segment', async () => {
    client.socket.write(framed(...Array.from({ length: 50 }, (_, n) => queryOf(n))));
    const replies = await client.take(50);
    expect(answersOf(replies)).toEqual(Array.from({ length: 50 }, (_, n) => answer(n)));
    expect(replies.map((reply) => reply.readUInt16BE(0))).toEqual(Array.from({ length: 50 }, (_, n) => 1000 + n));
  });

  it('answers one query after the other on one connection', async () => {
    for (let n = 0; n < 20; n++) expect(answersOf([await client.ask(queryOf(n))])).toEqual([answer(n)]);
  });

  it('answers queries that come one octet at a time', async () => {
    for (const octet of framed(queryOf(1), queryOf(2))) {
      await new Promise<void>((resolve) => client.socket.write(Uint8Array.of(octet), () => resolve()));
    }
    expect(answersOf(await client.take(2))).toEqual([answer(1), answer(2)]);
  });

  it('answers queries cut at any place between two segments', async () => {
    const bytes = framed(queryOf(1), queryOf(2));
    for (let cut = 1; cut < bytes.length; cut++) {
      await new Promise<void>((resolve) => client.socket.write(bytes.subarray(0, cut), () => resolve()));
      client.socket.write(bytes.subarray(cut));
      expect(answersOf(await client.take(2))).toEqual([answer(1), answer(2)]);
    }
  });

  it('answers a client that has closed its half, and then closes the other', async () => {
    client.socket.end(framed(queryOf(1), queryOf(2)));
    expect(answersOf(await client.take(2))).toEqual([answer(1), answer(2)]);
    await once(client.socket, 'end');
    expect(client.socket.readableEnded).toBe(true);
  });

  it('closes where the client closes in the middle of a query', async () => {
    client.socket.end(framed(queryOf(1)).subarray(0, 10));
    client.socket.resume();
    await once(client.socket, 'end');
    expect(client.socket.bytesRead).toBe(0);
  });

  it('says nothing to garbage and answers what follows on the connection', async () => {
    const reply = Uint8Array.from(queryOf(1));
    reply[2] = 0x80;
    client.socket.write(framed(reply, new Uint8Array(0), Uint8Array.of(1, 2, 3), queryOf(2)));
    expect(answersOf(await client.take(1))).toEqual([answer(2)]);
  });

  it('answers all of a flood whose replies are read late', async () => {
    // 3,000 replies of some 3.2 kB: far more than the system's and our own buffers take.
    const query = buildQuery('many.corp.internal', 'A');
    client.socket.pause();
    const flood = framed(...Array.from({ length: 3000 }, () => query));
    await new Promise<void>((resolve) => client.socket.write(flood, () => resolve()));
    client.socket.write(framed(queryOf(3)));
    // Another connection is served meanwhile.
    expect(answersOf(await askTcp(server.tcpPort, [queryOf(4)]))).toEqual([answer(4)]);
    client.socket.resume();
    const replies = await client.take(3001);
    expect(answersOf([replies.at(-1) as Buffer])).toEqual([answer(3)]);
    expect(new Set(replies.slice(0, 3000).map((reply) => reply.length))).toEqual(new Set([query.length + 200 * 16]));
  });

  it('goes on when a connection is reset', async () => {
    client.socket.write(framed(queryOf(1)).subarray(0, 5));
    client.socket.resetAndDestroy();
    await once(client.socket, 'close');
    const next = await openClient(server.tcpPort);
    expect(answersOf([await next.ask(queryOf(1))])).toEqual([answer(1)]);
  });

  it('takes its address for itself alone', async () => {
    const again = listenTcp(
      '127.0.0.1',
      server.tcpPort,
      server.responder,
      server.relay,
      LOCAL_CLIENTS,
      new TcpConnections(),
    );
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('of one client has 100 connections at most: one more closes the longest idle', async () => {
    const clients = [client];
    while (clients.length < 100) clients.push(await openClient(server.tcpPort));
    for (const [n, each] of clients.entries()) await each.ask(queryOf(n % 50));
    // The first one has asked last, so the second one is the longest idle.
    await (clients[0] as TcpClient).ask(queryOf(0));
    const oldest = clients[1] as TcpClient;
    const closed = once(oldest.socket, 'close');
    oldest.socket.on('end', () => oldest.socket.end());
    const newest = await openClient(server.tcpPort);
    expect(answersOf([await newest.ask(queryOf(7))])).toEqual([answer(7)]);
    await closed;
    for (const each of [...clients.filter((other) => other !== oldest), newest])
      expect(answersOf([await each.ask(queryOf(7))])).toEqual([answer(7)]);
  });

  it('counts connections that have been closed no more', async () => {
    client.socket.destroy();
    for (let i = 0; i < 150; i++) {
      const each = await openClient(server.tcpPort);
      await each.ask(queryOf(1));
      each.socket.end();
      await once(each.socket, 'end');
    }
    const kept = await openClient(server.tcpPort);
    for (let i = 0; i < 50; i++) await (await openClient(server.tcpPort)).ask(queryOf(1));
    expect(answersOf([await kept.ask(queryOf(2))])).toEqual([answer(2)]);
  });
});

describe.each(UDP_LISTENERS)('UDP on %s sockets and TCP', (_kind, listener) => {
  useListener(listener);

  it.each([
    ['an answer', buildQuery('n1.corp.internal', 'A')],
    ['an answer with EDNS', buildQuery('N1.corp.internal', 'A', { edns: 1232, dnssecOk: true })],
    ['a chain', buildQuery('alias.corp.internal', 'A')],
    ['NODATA', buildQuery('n1.corp.internal', 'AAAA')],
    ['NXDOMAIN', buildQuery('x.corp.internal', 'A', { rd: true })],
    ['REFUSED', buildQuery('www.example.com', 'A', { rd: true })],
    ['FORMERR', buildQuery('n1.corp.internal', 'A').subarray(0, 20)],
    ['NOTIMP', Uint8Array.of(1, 2, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0)],
  ])('give the same bytes: %s', async (_, query) => {
    const { udpPort, tcpPort } = await startServer();
    const overUdp = (await askUdp(udpPort, query)) as Buffer;
    const [overTcp] = await askTcp(tcpPort, [query]);
    expect(overUdp.length).toBeGreaterThanOrEqual(12);
    expect([...(overTcp as Buffer)]).toEqual([...overUdp]);
  });
});

describe.each(UDP_LISTENERS)('queries outside our zones, with %s sockets,', (_kind, listener) => {
  useListener(listener);

  const outside = buildQuery('www.Example.com', 'A', { id: 7, rd: true });

  it('are relayed to the upstream over both transports', async () => {
    const upstream = await startUpstream((query) => [replyTo(query)]);
    const { udpPort, tcpPort } = await startServer([upstream]);
    expect([...((await askUdp(udpPort, outside)) as Buffer)]).toEqual([...replyTo(outside)]);
    expect([...((await askTcp(tcpPort, [outside]))[0] as Buffer)]).toEqual([...replyTo(outside)]);
  });

  it('hold up no other query of the connection', async () => {
    let release = (): void => undefined;
    const isHeld = new Promise<void>((resolve) => {
      release = resolve;
    });
    const upstream = await startUpstream(async (query) => {
      await isHeld;
      return [replyTo(query)];
    });
    const { tcpPort } = await startServer([upstream]);
    const client = await openClient(tcpPort);
    client.socket.write(framed(outside, queryOf(1)));
    expect(answersOf(await client.take(1))).toEqual([answer(1)]);
    release();
    expect([...((await client.take(1))[0] as Buffer)]).toEqual([...replyTo(outside)]);
  });

  it('are answered to a client that has closed its half', async () => {
    const upstream = await startUpstream((query) => [replyTo(query)]);
    const client = await openClient((await startServer([upstream])).tcpPort);
    client.socket.end(framed(outside));
    expect([...((await client.take(1))[0] as Buffer)]).toEqual([...replyTo(outside)]);
    await once(client.socket, 'end');
  });

  it('are all answered where more than 64 are pipelined', async () => {
    const upstream = await startUpstream((query) => [replyTo(query)]);
    const client = await openClient((await startServer([upstream])).tcpPort);
    const queries = Array.from({ length: 200 }, (_, id) => buildQuery(`n${id}.example.com`, 'A', { id, rd: true }));
    client.socket.write(framed(...queries));
    const replies = await client.take(200);
    const ids = replies.map((reply) => reply.readUInt16BE(0)).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: 200 }, (_, id) => id));
  });

  it('are all answered where a client pipelines more than 64 and then closes its half', async () => {
    const upstream = await startUpstream((query) => [replyTo(query)]);
    const client = await openClient((await startServer([upstream])).tcpPort);
    const queries = Array.from({ length: 200 }, (_, id) => buildQuery(`n${id}.example.com`, 'A', { id, rd: true }));
    client.socket.end(framed(...queries));
    expect(await client.end()).toHaveLength(200);
  });

  it('are SERVFAIL where no upstream replies', async () => {
    const port = await closedPort();
    const { udpPort, tcpPort } = await startServer([{ address: '127.0.0.1', port } as FakeUpstream]);
    for (const reply of [await askUdp(udpPort, outside), (await askTcp(tcpPort, [outside]))[0]])
      expect(readAnswer(reply as Buffer)).toMatchObject({ rcode: 'SERVFAIL', ra: true, rd: true });
  });

  it('are REFUSED where the client is not one that is forwarded for', async () => {
    const upstream = await startUpstream((query) => [replyTo(query)]);
    const { udpPort, tcpPort } = await startServer([upstream], ['10.0.0.0/8']);
    for (const reply of [await askUdp(udpPort, outside), (await askTcp(tcpPort, [outside]))[0]])
      expect(readAnswer(reply as Buffer).rcode).toBe('REFUSED');
    expect(upstream.seen).toEqual([]);
  });

  it('get TC over UDP where the reply is longer than the client takes, the whole over TCP', async () => {
    const upstream = await startUpstream((query) => [replyTo(query, { records: 60 })]);
    const { udpPort, tcpPort } = await startServer([upstream]);
    expect(readAnswer((await askUdp(udpPort, outside)) as Buffer)).toMatchObject({ tc: true, answer: [] });
    expect((await askTcp(tcpPort, [outside]))[0]).toHaveLength(outside.length + 60 * 16);
  });

  it('do no harm when the listener closes while they are with the upstream', async () => {
    let release = (): void => undefined;
    const isHeld = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrive = (): void => undefined;
    const hasArrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const upstream = await startUpstream(async (query) => {
      arrive();
      await isHeld;
      return [replyTo(query)];
    });
    const { udpPort, tcpPort, closeUdp } = await startServer([upstream]);
    const socket = createSocket('udp4');
    closing.push(() => socket.close());
    socket.on('message', () => expect.unreachable('a closed listener has replied'));
    socket.send(outside, udpPort, '127.0.0.1');
    await hasArrived;
    const client = await openClient(tcpPort);
    client.socket.write(framed(outside));
    client.socket.resetAndDestroy();
    await closeUdp();
    release();
    // By the time a later one is through, the first one's reply has found its socket closed.
    expect((await askTcp(tcpPort, [outside]))[0]).toHaveLength(replyTo(outside).length);
  });
});
