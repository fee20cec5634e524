import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { FORWARD_TIMEOUT_MS, Forwarder } from '../../src/resolver/forwarder.ts';
import type { Upstream } from '../../src/resolver/upstream.ts';
import { buildQuery } from '../support/dns.ts';
import { type Behaviour, closedPort, FakeUpstream, replyTo } from '../support/fake-upstream.ts';

const opened: FakeUpstream[] = [];

async function upstream(behaviour: Behaviour): Promise<FakeUpstream> {
  const server = await FakeUpstream.open(behaviour);
  opened.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const QUERY = buildQuery('wWw.Example.com', 'A', { id: 0x1234, rd: true, edns: 1232 });
const QUESTION_END = QUERY.length - 11;

function forward(...upstreams: readonly Upstream[]): Promise<Uint8Array | null> {
  return new Forwarder({ upstreams, clients: [] }).forward(QUERY, QUESTION_END);
}

const dead = async (): Promise<Upstream> => ({ address: '127.0.0.1', port: await closedPort() });
const good: Behaviour = (query) => [replyTo(query)];

/** The reply as the client must get it. */
function expected(options?: Parameters<typeof replyTo>[1]): number[] {
  return [...replyTo(QUERY, options)];
}

async function timed<T>(promise: Promise<T>): Promise<{ result: T; elapsedMs: number }> {
  const startedAt = performance.now();
  const result = await promise;
  return { result, elapsedMs: performance.now() - startedAt };
}

describe('forward', () => {
  it('relays the query and the reply as bytes, but for the ID', async () => {
    const server = await upstream(good);
    const reply = await forward(server);
    expect([...(reply ?? [])]).toEqual(expected());
    expect(server.seen).toHaveLength(1);
    expect([...(server.seen[0]?.query.subarray(2) ?? [])]).toEqual([...QUERY.subarray(2)]);
  });

  it('asks with an ID and a port of its own each time (RFC 5452), and puts the ID of the client back', async () => {
    const server = await upstream(good);
    for (let i = 0; i < 20; i++) expect((await forward(server))?.slice(0, 2)).toEqual(Uint8Array.of(0x12, 0x34));
    const ids = new Set(server.seen.map(({ query }) => query.readUInt16BE(0)));
    const ports = new Set(server.seen.map(({ port }) => port));
    expect(ids.size).toBeGreaterThan(15);
    expect(ports.size).toBeGreaterThan(5);
  });

  it('leaves the query itself alone', async () => {
    const before = [...QUERY];
    await forward(await upstream(good));
    expect([...QUERY]).toEqual(before);
  });

  it('relays an RCODE such as NXDOMAIN or SERVFAIL: that is a reply', async () => {
    for (const rcode of [2, 3, 5]) {
      const reply = await forward(
        await upstream((query) => {
          const refused = replyTo(query, { records: 0 });
          refused[3] = (refused[3] as number) | rcode;
          return [refused];
        }),
      );
      expect((reply?.[3] as number) & 0xf).toBe(rcode);
    }
  });

  it('asks over TCP when the reply over UDP has TC', async () => {
    const server = await upstream((query, overTcp) => [
      replyTo(query, overTcp ? { records: 200 } : { records: 0, truncated: true }),
    ]);
    const reply = await forward(server);
    expect([...(reply ?? [])]).toEqual(expected({ records: 200 }));
    expect(server.seen.map(({ overTcp }) => overTcp)).toEqual([false, true]);
  });

  it('takes a reply of 65,535 octets over TCP', async () => {
    const server = await upstream((query, overTcp) => {
      if (!overTcp) return [replyTo(query, { records: 0, truncated: true })];
      return [Buffer.concat([replyTo(query), Buffer.alloc(65_535)]).subarray(0, 65_535)];
    });
    expect(await forward(server)).toHaveLength(65_535);
  });

  it('asks the next upstream where TCP fails or brings a reply to something else', async () => {
    const closing = await upstream((query, overTcp) => (overTcp ? [] : [replyTo(query, { truncated: true })]));
    const wrong = await upstream((query, overTcp) => {
      if (!overTcp) return [replyTo(query, { truncated: true })];
      const reply = replyTo(query);
      reply.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0);
      return [reply];
    });
    const right = await upstream(good);
    expect([...((await forward(closing, wrong, right)) ?? [])]).toEqual(expected());
    expect([closing.seen.length, wrong.seen.length, right.seen.length]).toEqual([2, 2, 1]);
  });

  it('asks the second upstream at once where nobody listens on the first', async () => {
    const second = await upstream(good);
    const { result, elapsedMs } = await timed(forward(await dead(), second));
    expect([...(result ?? [])]).toEqual(expected());
    expect(elapsedMs).toBeLessThan(500);
  });

  it('asks the second upstream at once where the first cannot even be connected to', async () => {
    // The system refuses to connect to the broadcast address, as it refuses an address without a route.
    const second = await upstream(good);
    const { result, elapsedMs } = await timed(forward({ address: '255.255.255.255', port: 53 }, second));
    expect([...(result ?? [])]).toEqual(expected());
    expect(elapsedMs).toBeLessThan(500);
  });

  it('asks the second upstream when the first stays silent', async () => {
    const silent = await upstream(() => []);
    const second = await upstream(good);
    expect([...((await forward(silent, second)) ?? [])]).toEqual(expected());
    expect([silent.seen.length, second.seen.length]).toEqual([1, 1]);
  });

  it('prefers the first upstream', async () => {
    const [first, second] = [await upstream(good), await upstream(good)];
    await forward(first, second);
    expect([first.seen.length, second.seen.length]).toEqual([1, 0]);
  });

  it('asks a silent upstream again, and gives up in time', async () => {
    const silent = await upstream(() => []);
    const { result, elapsedMs } = await timed(forward(silent));
    expect(result).toBeNull();
    expect(silent.seen.length).toBeGreaterThan(1);
    expect(elapsedMs).toBeGreaterThan(FORWARD_TIMEOUT_MS - 500);
    expect(elapsedMs).toBeLessThan(FORWARD_TIMEOUT_MS + 1000);
  });

  it('gives up quickly where every upstream refuses', async () => {
    const { result, elapsedMs } = await timed(forward(await dead(), await dead()));
    expect(result).toBeNull();
    expect(elapsedMs).toBeLessThan(500);
  });

  it('gives up at once without an upstream', async () => {
    expect(await forward()).toBeNull();
  });

  const spoilt: readonly [string, (reply: Buffer) => Uint8Array][] = [
    ['has another ID', (reply) => withWord(reply, 0, reply.readUInt16BE(0) ^ 0x0100)],
    ['is a query', (reply) => withWord(reply, 2, reply.readUInt16BE(2) & 0x7fff)],
    ['has no question', (reply) => withWord(reply, 4, 0)],
    ['has two questions', (reply) => withWord(reply, 4, 2)],
    ['is about another name', (reply) => withWord(reply, 14, 0x7878)],
    ['is about another type', (reply) => withWord(reply, QUESTION_END - 4, 28)],
    ['is about another class', (reply) => withWord(reply, QUESTION_END - 2, 3)],
    ['is cut short in the question', (reply) => reply.subarray(0, QUESTION_END - 1)],
    ['is cut short in the header', (reply) => reply.subarray(0, 11)],
    ['is empty', () => new Uint8Array(0)],
    ['is garbage', () => new Uint8Array(600).fill(0xff)],
  ];

  function withWord(reply: Buffer, at: number, value: number): Buffer {
    const out = Buffer.from(reply);
    out.writeUInt16BE(value, at);
    return out;
  }

  it.each(spoilt)('waits on where a reply %s (RFC 5452 s9.1)', async (_, spoil) => {
    const server = await upstream((query) => [spoil(replyTo(query, { records: 7 })), replyTo(query)]);
    expect([...((await forward(server)) ?? [])]).toEqual(expected());
  });

  it('takes a reply whose question has another case', async () => {
    const server = await upstream((query) => {
      const reply = replyTo(query);
      return [
        Buffer.concat([
          reply.subarray(0, 12),
          Buffer.from(reply.subarray(12).toString('latin1').toLowerCase(), 'latin1'),
        ]),
      ];
    });
    expect(await forward(server)).not.toBeNull();
  });

  it('takes nothing from another sender, whatever it knows', async () => {
    const stranger = createSocket('udp4');
    const server = await upstream(async (query, _, { port }) => {
      await new Promise<void>((resolve) =>
        stranger.send(replyTo(query, { records: 7 }), port, '127.0.0.1', () => resolve()),
      );
      return [replyTo(query)];
    });
    try {
      expect([...((await forward(server)) ?? [])]).toEqual(expected());
    } finally {
      stranger.close();
    }
  });

  it('keeps many queries apart', async () => {
    const server = await upstream((query) => [replyTo(query)]);
    const forwarder = new Forwarder({ upstreams: [server], clients: [] });
    const queries = Array.from({ length: 100 }, (_, i) => buildQuery(`n${i}.example.com`, 'A', { id: i, rd: true }));
    const replies = await Promise.all(queries.map((query) => forwarder.forward(query, query.length)));
    for (const [i, query] of queries.entries()) expect([...(replies[i] ?? [])]).toEqual([...replyTo(query)]);
  });
});

describe('isAvailable', () => {
  it('says whether there is an upstream', () => {
    expect(new Forwarder({ upstreams: [], clients: [] }).isAvailable).toBe(false);
    expect(new Forwarder({ upstreams: [{ address: '192.0.2.1', port: 53 }], clients: [] }).isAvailable).toBe(true);
  });
});

describe('isAllowed', () => {
  const forwarder = new Forwarder({
    upstreams: [],
    clients: ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.0.2.7/32', '::1/128', 'fe80::/10', 'fd00::/8'],
  });
  it.each([
    ['127.0.0.1', true],
    ['127.255.255.255', true],
    ['10.200.0.9', true],
    ['172.31.255.255', true],
    ['172.32.0.0', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['8.8.8.8', false],
    ['::1', true],
    ['::2', false],
    ['fe80::1%eth0', true],
    ['fd12:3456::1', true],
    ['2001:db8::1', false],
    ['::ffff:10.0.0.1', true],
    ['::ffff:7f00:1', true],
    ['::ffff:8.8.8.8', false],
  ])('%s: %s', (address, allowed) => {
    expect(forwarder.isAllowed(address)).toBe(allowed);
  });

  it('allows nobody where there are no blocks, and everybody where they say so', () => {
    expect(new Forwarder({ upstreams: [], clients: [] }).isAllowed('127.0.0.1')).toBe(false);
    const open = new Forwarder({ upstreams: [], clients: ['0.0.0.0/0', '::/0'] });
    for (const address of ['8.8.8.8', '2001:db8::1', '::ffff:8.8.8.8']) expect(open.isAllowed(address)).toBe(true);
  });

  it('does not allow a client without an address: a connection that was reset before it was accepted', () => {
    expect(forwarder.isAllowed('')).toBe(false);
  });
});
