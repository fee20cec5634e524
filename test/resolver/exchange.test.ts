/** One question to real servers on loopback, until one answers or time is up. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Exchange, type ExchangeResult, isFailure } from '../../src/resolver/exchange.ts';
import { DNSSEC_OK, makeQuestion, questionEnd } from '../../src/resolver/question.ts';
import { SecureRandom } from '../../src/resolver/random.ts';
import { Reply } from '../../src/resolver/reply.ts';
import { SocketBudget } from '../../src/resolver/socket-budget.ts';
import { type Address, Upstream, UpstreamGroup } from '../../src/resolver/upstreams.ts';
import { toWireName } from '../../src/wire/names.ts';
import { type Behaviour, closedPort, FakeUpstream, NEVER, replyTo } from '../support/fake-upstream.ts';

const random = new SecureRandom();
const servers: FakeUpstream[] = [];
const upstreams: Upstream[] = [];
const exchanges: Exchange[] = [];

afterEach(async () => {
  for (const exchange of exchanges.splice(0)) exchange.close();
  for (const { sockets } of upstreams.splice(0)) sockets.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(behaviour: Behaviour): Promise<FakeUpstream> {
  const server = await FakeUpstream.open(behaviour);
  servers.push(server);
  return server;
}

const QUESTION = makeQuestion(toWireName('www.example.com'), 1, 0);
const END = questionEnd(QUESTION);
const good: Behaviour = (query) => [replyTo(query)];
const dead = async (): Promise<Address> => ({ address: '127.0.0.1', port: await closedPort() });

/** Those of whom nothing is known are asked two at once; a measured one is asked alone, the first before the next. */
function group(addresses: readonly Address[], isMeasured = true): { group: UpstreamGroup; of: Upstream[] } {
  const of = addresses.map((address, i) => {
    const upstream = new Upstream(address, random, new SocketBudget());
    if (isMeasured) {
      upstream.rttMs = 1 + i;
      upstream.retryAtMs = Date.now() + 60_000;
    }
    return upstream;
  });
  upstreams.push(...of);
  return { group: new UpstreamGroup(of), of };
}

function ask(to: UpstreamGroup, question = QUESTION): Promise<ExchangeResult> {
  return new Promise((resolve) => exchanges.push(new Exchange(question, to, random, resolve)));
}

/** How many answers came, or the RCODE of the failure. */
async function outcome(result: Promise<ExchangeResult>): Promise<string> {
  const got = await result;
  if (!isFailure(got)) return `${new Reply().read(got, 0).answers} answers`;
  return got.isLoop ? 'loop' : `failure ${got.rcode}`;
}

function failure(query: Uint8Array, rcode: number): Buffer {
  const reply = replyTo(query, { records: 0 });
  reply[3] = (reply[3] as number) | rcode;
  return reply;
}
const fails =
  (rcode: number): Behaviour =>
  (query) => [failure(query, rcode)];

/** Sends each query back as a reply, and counts them. */
const ECHO = `
  const { parentPort, workerData } = require('node:worker_threads');
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    query[2] |= 0x80;
    query[11] = 0;
    socket.send(query.subarray(0, ${END}), port, address, () => {
      Atomics.add(workerData, 0, 1);
      Atomics.notify(workerData, 0);
    });
  });
  socket.bind(0, '127.0.0.1', () => parentPort.postMessage(socket.address().port));
`;

describe('a question', () => {
  it('goes out with an ID, a port and a case of its own each time (RFC 5452)', async () => {
    const server = await serve(good);
    const to = group([server]);
    for (let i = 0; i < 20; i++) expect(await outcome(ask(to.group))).toBe('1 answers');
    const queries = server.seen.map(({ query }) => query);
    expect(new Set(queries.map((query) => query.readUInt16BE(0))).size).toBeGreaterThan(15);
    expect(new Set(server.seen.map(({ port }) => port)).size).toBeGreaterThan(15);
    expect(new Set(queries.map((query) => query.toString('latin1', 12, END))).size).toBeGreaterThan(10);
  });

  it('is not asked again where the reply came in time and lay there to be read', async () => {
    // In a thread of its own, that it replies while this one does nothing.
    const state = new Int32Array(new SharedArrayBuffer(8));
    const server = new Worker(ECHO, { eval: true, workerData: state });
    const [port] = await once(server, 'message');
    try {
      const { group: to, of } = group([{ address: '127.0.0.1', port }], false);
      const asked = ask(to);
      // Sent when the socket is connected, and replied to before this thread goes on.
      while (Atomics.wait(state, 0, 0, 50) === 'timed-out') await new Promise((resolve) => setImmediate(resolve));
      const sentMs = performance.now();
      while (performance.now() < sentMs + 1000);
      expect(await outcome(asked)).toBe('0 answers');
      expect([Atomics.load(state, 0), of[0]?.isDown]).toEqual([1, false]);
    } finally {
      await server.terminate();
    }
  });

  it('is answered with NXDOMAIN, which is an answer', async () => {
    const to = group([await serve(fails(3)), await serve(good)]);
    expect(await outcome(ask(to.group))).toBe('0 answers');
  });

  it('is closed without an answer, and nobody is told', async () => {
    const server = await serve(() => NEVER);
    const exchange = new Exchange(QUESTION, group([server]).group, random, () => expect.unreachable());
    exchange.close();
    exchange.close();
  });
});

describe('the next upstream is asked at once where the one before', () => {
  const cases: readonly [string, () => Promise<Address>][] = [
    ['does not listen', dead],
    // The system refuses to connect to the broadcast address, as it refuses an address without a route.
    ['cannot even be connected to', async () => ({ address: '255.255.255.255', port: 53 })],
    ['says SERVFAIL', () => serve(fails(2))],
    ['says REFUSED', () => serve(fails(5))],
    ['says NOTIMP', () => serve(fails(4))],
    ['says FORMERR, also without EDNS', () => serve(fails(1))],
    ['sends a broken reply', () => serve((query) => [replyTo(query, { records: 3 }).subarray(0, -20)])],
    [
      'sends TC, and ends the connection',
      () => serve((query, overTcp) => (overTcp ? [] : [replyTo(query, { truncated: true })])),
    ],
    [
      'sends TC, and half a reply over TCP',
      () => serve((query, overTcp) => (overTcp ? [{ half: replyTo(query) }] : [replyTo(query, { truncated: true })])),
    ],
    [
      'sends TC, and a reply to something else over TCP',
      () =>
        serve((query, overTcp) => {
          const reply = replyTo(query, { truncated: !overTcp });
          if (overTcp) reply.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0);
          return [reply];
        }),
    ],
    ['sends TC over TCP as well', () => serve((query) => [replyTo(query, { records: 0, truncated: true })])],
  ];
  it.each(cases)('%s', async (_, first) => {
    const second = await serve((query) => [replyTo(query, { records: 2 })]);
    const to = group([await first(), second]);
    expect(await outcome(ask(to.group))).toBe('2 answers');
    expect(second.seen).toHaveLength(1);
  });

  it('and is not asked where the first answers', async () => {
    const [first, second] = [await serve(good), await serve(good)];
    await ask(group([first, second]).group);
    expect([first.seen.length, second.seen.length]).toEqual([1, 0]);
  });

  it('stays silent for longer than it usually does', async () => {
    const [silent, second] = [await serve(() => NEVER), await serve(good)];
    const to = group([silent, second]);
    expect(await outcome(ask(to.group))).toBe('1 answers');
    expect(to.of.map(({ isDown }) => isDown)).toEqual([true, false]);
  });

  it('and the one that is only slow is heard all the same', async () => {
    let release: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = await serve(async (query) => {
      await asked;
      return [replyTo(query, { records: 3 })];
    });
    const second = await serve(() => {
      release?.();
      return NEVER;
    });
    const to = group([slow, second]);
    expect(await outcome(ask(to.group))).toBe('3 answers');
    expect(to.of[0]?.isDown).toBe(false);
  });

  it('and the one that is only slow is heard also where the other refuses', async () => {
    let release: (() => void) | undefined;
    const askedAgain = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = await serve(async (query) => {
      if (slow.seen.length > 1) release?.();
      await askedAgain;
      return [replyTo(query, { records: 3 })];
    });
    const refusing = await serve(fails(2));
    expect(await outcome(ask(group([slow, refusing]).group))).toBe('3 answers');
  });

  it('and the one that is silent is not waited for until the end where the other refuses', async () => {
    const silent = await serve(() => NEVER);
    expect(await outcome(ask(group([silent, await serve(fails(2))]).group))).toBe('failure 2');
    expect(silent.seen).toHaveLength(2);
  });
});

describe('nobody answers', () => {
  it.each([
    ['nobody listens', async () => [await dead(), await dead()], 'failure null'],
    ['all refuse', async () => [await serve(fails(5)), await serve(fails(2))], 'failure 2'],
    ['there is nobody', async () => [], 'failure null'],
  ])('where %s', async (_, addresses, expected) => {
    expect(await outcome(ask(group(await addresses()).group))).toBe(expected);
  });

  it('where all lead back here, and they are not asked', async () => {
    const server = await serve(good);
    const to = group([server]);
    for (const upstream of to.of) to.group.looping.add(upstream);
    expect(await outcome(ask(to.group))).toBe('loop');
    expect(server.seen).toEqual([]);
  });

  it('in time, the silent ones having been asked again', async () => {
    const silent = await serve(() => NEVER);
    expect(await outcome(ask(group([silent]).group))).toBe('failure null');
    expect(silent.seen.length).toBeGreaterThan(2);
  });

  it('with what the upstream said of it', async () => {
    const server = await serve((query) => {
      const reply = replyTo(query, { records: 0, opt: { options: [0, 15, 0, 5, 0, 6, 0x62, 0x61, 0x64] } });
      reply[3] = (reply[3] as number) | 2;
      return [reply];
    });
    expect(await ask(group([server]).group)).toMatchObject({ rcode: 2, error: { code: 6, text: Buffer.from('bad') } });
  });
});

describe('over TCP', () => {
  it('a truncated reply is asked for whole', async () => {
    const server = await serve((query, overTcp) => [replyTo(query, overTcp ? { records: 200 } : { truncated: true })]);
    expect(await outcome(ask(group([server]).group))).toBe('200 answers');
    expect(server.seen.map(({ overTcp }) => overTcp)).toEqual([false, true]);
  });

  it('a reply may have 65,535 octets', async () => {
    const server = await serve((query, overTcp) => {
      if (!overTcp) return [replyTo(query, { records: 0, truncated: true })];
      // 12 octets in front of the RDATA that fills what the A record leaves.
      const whole = Buffer.concat([replyTo(query, { opt: null }), Buffer.alloc(65_535)]).subarray(0, 65_535);
      whole.writeUInt16BE(2, 6);
      const at = END + 16;
      whole.set([0xc0, 12, 0, 99, 0, 1, 0, 0, 0, 9], at);
      whole.writeUInt16BE(65_535 - at - 12, at + 10);
      return [whole];
    });
    const block = (await ask(group([server]).group)) as Uint8Array;
    expect(new Reply().read(block, 0)).toMatchObject({ answers: 2, bodyBytes: 65_535 - END });
  });

  it('is asked where the question came back in another case, and in lower case ever after', async () => {
    // Of so many letters hardly ever all are in lower case.
    const wordy = makeQuestion(toWireName(`${'a'.repeat(60)}.example`), 1, 0);
    const server = await serve((query) => {
      const reply = replyTo(query);
      for (let i = 12; i < questionEnd(wordy) - 4; i++) {
        const byte = reply[i] as number;
        if (byte >= 0x41 && byte <= 0x5a) reply[i] = byte + 0x20;
      }
      return [reply];
    });
    const to = group([server]);
    expect(await outcome(ask(to.group, wordy))).toBe('1 answers');
    expect(server.seen.map(({ overTcp }) => overTcp)).toEqual([false, true]);
    expect(await outcome(ask(to.group, wordy))).toBe('1 answers');
    expect(server.seen.slice(2).map(({ overTcp }) => overTcp)).toEqual([false]);
  });

  it('is asked where datagrams in bulk are no reply to the query', async () => {
    const server = await serve((query, overTcp) => {
      if (overTcp) return [replyTo(query)];
      return Array.from({ length: 20 }, (_, n) => {
        const forged = replyTo(query, { records: 7 });
        forged.writeUInt16BE((query.readUInt16BE(0) + 1 + n) & 0xffff, 0);
        return forged;
      });
    });
    expect(await outcome(ask(group([server]).group))).toBe('1 answers');
    expect(server.seen.map(({ overTcp }) => overTcp)).toEqual([false, true]);
  });
});

describe('a datagram is waited past (RFC 5452 s9.1) that', () => {
  const withWord = (reply: Buffer, at: number, value: number): Buffer => {
    const out = Buffer.from(reply);
    out.writeUInt16BE(value, at);
    return out;
  };
  const spoilt: readonly [string, (reply: Buffer) => Uint8Array][] = [
    ['has another ID', (reply) => withWord(reply, 0, reply.readUInt16BE(0) ^ 0x0100)],
    ['is a query', (reply) => withWord(reply, 2, reply.readUInt16BE(2) & 0x7fff)],
    ['has another opcode', (reply) => withWord(reply, 2, reply.readUInt16BE(2) | 0x2000)],
    ['has no question', (reply) => withWord(reply, 4, 0)],
    ['has two questions', (reply) => withWord(reply, 4, 2)],
    ['is about another name', (reply) => withWord(reply, 14, 0x3030)],
    ['is about another type', (reply) => withWord(reply, END - 4, 28)],
    ['is about another class', (reply) => withWord(reply, END - 2, 3)],
    ['is cut short in the question', (reply) => reply.subarray(0, END - 1)],
    ['is cut short in the header', (reply) => reply.subarray(0, 11)],
    ['is empty', () => new Uint8Array(0)],
    ['is garbage', () => new Uint8Array(600).fill(0xff)],
  ];
  it.each(spoilt)('%s', async (_, spoil) => {
    const server = await serve((query) => [spoil(replyTo(query, { records: 7 })), replyTo(query)]);
    expect(await outcome(ask(group([server]).group))).toBe('1 answers');
    expect(server.seen).toHaveLength(1);
  });

  it('comes from another sender, whatever it knows', async () => {
    const stranger = createSocket('udp4');
    const server = await serve(async (query, _, { port }) => {
      const forged = replyTo(query, { records: 7 });
      await new Promise<void>((resolve) => stranger.send(forged, port, '127.0.0.1', () => resolve()));
      return [replyTo(query)];
    });
    try {
      expect(await outcome(ask(group([server]).group))).toBe('1 answers');
    } finally {
      stranger.close();
    }
  });
});

describe('an upstream that does not know EDNS (RFC 6891 s7)', () => {
  it.each<[string, (query: Buffer) => Uint8Array]>([
    ['with the question', (query) => failure(query, 1).subarray(0, END).fill(0, 11, 12)],
    [
      'with a header alone',
      (query) => Buffer.concat([query.subarray(0, 2), Buffer.from('80010000000000000000', 'hex')]),
    ],
  ])('says FORMERR %s, and is asked without from then on', async (_, formerr) => {
    const server = await serve((query) => [query.length > END ? formerr(query) : replyTo(query)]);
    const to = group([server]);
    const signed = makeQuestion(QUESTION.name, 1, DNSSEC_OK);
    expect(await outcome(ask(to.group, signed))).toBe('1 answers');
    expect(await outcome(ask(to.group, signed))).toBe('1 answers');
    expect(server.seen.map(({ query }) => query.length > END)).toEqual([true, false, false]);
  });
});
