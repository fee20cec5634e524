import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildQuery, makeQuestion, questionEnd } from '../../src/resolver/question.ts';
import { SecureRandom } from '../../src/resolver/random.ts';
import { POOL_SOCKETS, SocketBudget } from '../../src/resolver/socket-budget.ts';
import { matchQuestion, RENEW_AFTER_QUERIES, UpstreamSockets } from '../../src/resolver/sockets.ts';
import { toWireName } from '../../src/wire/names.ts';
import { type Behaviour, closedPort, FakeUpstream, NEVER, replyTo } from '../support/fake-upstream.ts';

const random = new SecureRandom();
const opened: UpstreamSockets[] = [];
const servers: FakeUpstream[] = [];

// Sockets of the test before take a moment to close, and others are counted.
beforeEach(() => vi.waitFor(() => expect(openSockets()).toBe(0)));
afterEach(async () => {
  vi.useRealTimers();
  for (const sockets of opened.splice(0)) sockets.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(behaviour: Behaviour): Promise<FakeUpstream> {
  const server = await FakeUpstream.open(behaviour, { answersEach: true });
  servers.push(server);
  return server;
}

function socketsTo({ address, port }: { address: string; port: number }, budget = new SocketBudget()): UpstreamSockets {
  const sockets = new UpstreamSockets(address, port, random, budget);
  opened.push(sockets);
  return sockets;
}

/** UDP sockets that this process has open. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'UDPWrap').length;
}

interface Sending {
  readonly query: Buffer;
  /** `reply`, `case`, `forgery`, `error`. */
  readonly result: Promise<string>;
  readonly takeBack: () => void;
}

function send(sockets: UpstreamSockets, name = 'www.example.com'): Sending {
  const question = makeQuestion(toWireName(name), 1, 0);
  const query = buildQuery(question, random, true, true);
  let takeBack = (): void => undefined;
  const result = new Promise<string>((resolve) => {
    takeBack = sockets.send({
      query,
      questionEnd: questionEnd(question),
      onReply: () => resolve('reply'),
      onOtherCase: () => resolve('case'),
      onForgery: () => resolve('forgery'),
      onError: () => resolve('error'),
    });
  });
  return { query, result, takeBack };
}

const good: Behaviour = (query) => [replyTo(query)];

describe('UpstreamSockets', () => {
  it('sends each query from a socket of its own, up to as many as the pool has', async () => {
    const server = await serve(good);
    const sockets = socketsTo(server);
    // Its two; one whose port was another's may be closing yet.
    const before = 2;
    await vi.waitFor(() => expect(openSockets()).toBe(before));
    for (let i = 0; i < 12; i++) {
      const batch = Array.from({ length: 50 }, () => send(sockets).result);
      expect(new Set(await Promise.all(batch))).toEqual(new Set(['reply']));
    }
    expect(openSockets() - before).toBe(POOL_SOCKETS);
    const ports = new Set(server.seen.map(({ port }) => port));
    expect(ports.size).toBe(POOL_SOCKETS);
    sockets.close();
    await vi.waitFor(() => expect(openSockets()).toBe(before));
  });

  it('are bounded together, those under way included, and idle ones of one upstream make room for another', async () => {
    const budget = new SocketBudget(1, 1024);
    expect(budget.limit).toBe(600);
    // Several threads share what there is, and each has a few.
    expect([new SocketBudget(4, 1024).limit, new SocketBudget(64, 1024).limit]).toEqual([150, 16]);
    const [silent, other, idle] = [await serve(() => NEVER), await serve(good), await serve(good)];
    const before = openSockets();
    const [first, second, third] = [silent, other, idle].map((server) => socketsTo(server, budget)) as [
      UpstreamSockets,
      UpstreamSockets,
      UpstreamSockets,
    ];
    const waiting = Array.from({ length: 700 }, () => send(first));
    expect(budget.open).toBe(POOL_SOCKETS);
    // In portions that a socket's buffer has room for.
    for (let i = 0; i < 5; i++) await Promise.all(Array.from({ length: 60 }, () => send(second).result));
    // None of the first is idle, so the second has what is left.
    expect(budget.open).toBe(600);
    for (const { takeBack } of waiting) takeBack();
    await Promise.all(Array.from({ length: 60 }, () => send(third).result));
    expect(budget.open).toBeLessThanOrEqual(600);
    for (const sockets of [first, second, third]) sockets.close();
    expect(budget.open).toBe(0);
    // Some 600 sockets take the system a while.
    await vi.waitFor(() => expect(openSockets()).toBe(before), { timeout: 20_000 });
  });

  it('renews a socket after some queries', async () => {
    const server = await serve(good);
    const sockets = socketsTo(server);
    const total = POOL_SOCKETS * 3;
    for (let i = 0; i < total; i += 64) await Promise.all(Array.from({ length: 64 }, () => send(sockets).result));
    const counts = new Map<number, number>();
    for (const { port } of server.seen) counts.set(port, (counts.get(port) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(RENEW_AFTER_QUERIES);
  });

  it('tells of a port where nobody listens', async () => {
    const sockets = socketsTo({ address: '127.0.0.1', port: await closedPort() });
    expect(await send(sockets).result).toBe('error');
    expect(await send(sockets).result).toBe('error');
  });

  it('tells of an address that cannot be reached', async () => {
    expect(await send(socketsTo({ address: '255.255.255.255', port: 53 })).result).toBe('error');
  });

  it('tells of a reply whose question has another case', async () => {
    const server = await serve((query) => {
      const reply = replyTo(query);
      for (let i = 13; i < 28; i++) if ((reply[i] as number) >= 0x41) reply[i] = (reply[i] as number) ^ 0x20;
      return [reply];
    });
    expect(await send(socketsTo(server)).result).toBe('case');
  });

  it('tells of seventeen datagrams that are no reply, and not of sixteen', async () => {
    const noise =
      (count: number): Behaviour =>
      (query) => [...Array.from({ length: count }, () => new Uint8Array(20).fill(0xff)), replyTo(query)];
    expect(await send(socketsTo(await serve(noise(16)))).result).toBe('reply');
    expect(await send(socketsTo(await serve(noise(17)))).result).toBe('forgery');
  });

  it('takes a query back: nothing is told of it any more, and its socket goes on', async () => {
    const server = await serve(() => NEVER);
    const before = openSockets();
    const sockets = socketsTo(server);
    const { takeBack, result } = send(sockets);
    void result.then(() => expect.unreachable());
    await vi.waitFor(() => expect(server.seen).toHaveLength(1));
    takeBack();
    takeBack();
    sockets.close();
    await vi.waitFor(() => expect(openSockets()).toBe(before));
  });

  it('closes at once what has not even been connected', async () => {
    const before = openSockets();
    const sockets = socketsTo({ address: '127.0.0.1', port: 9 });
    for (let i = 0; i < 10; i++) void send(sockets).result.then(() => expect.unreachable());
    sockets.close();
    await vi.waitFor(() => expect(openSockets()).toBe(before));
  });

  it('closes sockets that nobody has used for a minute, and the clock that looks for them', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
    const server = await serve(good);
    const before = openSockets();
    const sockets = socketsTo(server);
    const results = await Promise.all(Array.from({ length: 10 }, () => send(sockets).result));
    expect(results).toEqual(Array(10).fill('reply'));
    expect([openSockets() - before, vi.getTimerCount()]).toEqual([10, 1]);
    vi.advanceTimersByTime(121_000);
    expect(vi.getTimerCount()).toBe(0);
    while (openSockets() > before) await new Promise((resolve) => setImmediate(resolve));
    expect(await send(sockets).result).toBe('reply');
    expect(vi.getTimerCount()).toBe(1);
  });
});

describe('matchQuestion', () => {
  const question = makeQuestion(toWireName('www.example.com'), 1, 0);
  const query = buildQuery(question, random, true, false);
  const end = questionEnd(question);
  const reply = (change: (message: Buffer) => void = () => undefined): Buffer => {
    const message = replyTo(query);
    change(message);
    return message;
  };
  it.each<[string, Buffer, 'exact' | 'case' | 'other']>([
    ['the same', reply(), 'exact'],
    ['another case', reply((message) => message.write('W', 13)), 'case'],
    ['another letter', reply((message) => message.write('x', 13)), 'other'],
    ['another label length', reply((message) => message.writeUInt8(4, 12)), 'other'],
    [
      'another type in another case',
      reply((message) => message.write('W', 13) && message.writeUInt16BE(28, end - 4)),
      'other',
    ],
    ['another type', reply((message) => message.writeUInt16BE(28, end - 4)), 'other'],
    ['another class', reply((message) => message.writeUInt16BE(3, end - 2)), 'other'],
    ['no question', reply((message) => message.writeUInt16BE(0, 4)), 'other'],
    ['two questions', reply((message) => message.writeUInt16BE(2, 4)), 'other'],
    ['a part of it', reply().subarray(0, end - 1), 'other'],
    ['a header of FORMERR', Buffer.from('000080010000000000000000', 'hex'), 'exact'],
    ['a header of SERVFAIL', Buffer.from('000080020000000000000000', 'hex'), 'other'],
  ])('%s', (_, message, expected) => {
    expect(matchQuestion(message, query, end)).toBe(expected);
  });
});
