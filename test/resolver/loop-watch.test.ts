import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LoopWatch } from '../../src/resolver/loop-watch.ts';
import { SecureRandom } from '../../src/resolver/random.ts';
import { SocketBudget } from '../../src/resolver/socket-budget.ts';
import { type GroupNames, Upstream, UpstreamGroup } from '../../src/resolver/upstreams.ts';
import { toTextName, toWireName } from '../../src/wire/names.ts';
import { type Behaviour, FakeUpstream, NEVER, replyTo } from '../support/fake-upstream.ts';

const random = new SecureRandom();
let server: FakeUpstream;
let upstream: Upstream;
let group: UpstreamGroup;
let watch: LoopWatch;
let changes: boolean[];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
  server = await FakeUpstream.open(() => NEVER, { seesLoopChecks: true });
  upstream = new Upstream(server, random, new SocketBudget());
  group = new UpstreamGroup([upstream]);
  changes = [];
  watch = new LoopWatch(random, (_group, _upstream, isLoop) => changes.push(isLoop));
});
afterEach(async () => {
  watch.close();
  upstream.sockets.close();
  vi.useRealTimers();
  await server.close();
});

/** The probe, when the upstream has it. */
async function probe(count = 1): Promise<Buffer> {
  await vi.waitFor(() => expect(server.seen).toHaveLength(count));
  return server.seen[count - 1]?.query as Buffer;
}

const isOurs = (query: Uint8Array): boolean => watch.receive(query, 12);

describe('LoopWatch', () => {
  it('asks what nobody else would, each time anew', async () => {
    watch.check(group);
    const first = await probe();
    vi.advanceTimersByTime(10_000);
    watch.check(group);
    const second = await probe(2);
    for (const query of [first, second]) {
      expect(toTextName(query, 12)).toMatch(/^loop-[0-9a-f]{16}\.cloudmapd\.example\.$/);
      expect(query.readUInt16BE(query.length - 15)).toBe(16);
    }
    expect(first.subarray(12, 34)).not.toEqual(second.subarray(12, 34));
  });

  it.each<[string, GroupNames, RegExp]>([
    ['below a rule’s suffix', { suffix: 'consul' }, /^loop-[0-9a-f]{16}\.consul\.$/],
    ['of one label', { suffix: null }, /^loop-[0-9a-f]{16}\.$/],
    ['of the root’s rule', { suffix: '' }, /^loop-[0-9a-f]{16}\.cloudmapd\.example\.$/],
  ])('asks a name such as the upstream is asked: one %s', async (_, names, expected) => {
    watch.check(new UpstreamGroup([upstream], names));
    expect(toTextName(await probe(), 12)).toMatch(expected);
  });

  it('knows its question when it comes back as a client’s, in whatever case', async () => {
    watch.check(group);
    const query = await probe();
    const upper = Buffer.concat([
      query.subarray(0, 13),
      Buffer.from(query.toString('latin1', 13, 34).toUpperCase()),
      query.subarray(34),
    ]);
    expect(isOurs(upper)).toBe(true);
    expect([group.looping.has(upstream), changes]).toEqual([true, [true]]);
    expect(isOurs(query)).toBe(true);
    expect(changes).toEqual([true]);
  });

  it('takes no other question for it', async () => {
    watch.check(group);
    const query = await probe();
    const other = Buffer.from(query);
    other[20] = (other[20] as number) ^ 1;
    const strangers = [
      other,
      Buffer.from([...Buffer.alloc(12), ...toWireName('cloudmapd.example')]),
      Buffer.from([...Buffer.alloc(12), ...toWireName(`loop-${'0'.repeat(16)}.cloudmapd.example`)]),
      Buffer.from([...Buffer.alloc(12), 0]),
    ];
    expect(strangers.map(isOurs)).toEqual([false, false, false, false]);
    expect(group.looping.has(upstream)).toBe(false);
  });

  it('is over after three seconds: what comes back then is nobody’s', async () => {
    watch.check(group);
    const query = await probe();
    vi.advanceTimersByTime(3000);
    expect([isOurs(query), group.looping.has(upstream)]).toEqual([false, false]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not ask twice in ten seconds', async () => {
    watch.check(group);
    await probe();
    vi.advanceTimersByTime(9999);
    watch.check(group);
    vi.advanceTimersByTime(1);
    watch.check(group);
    await probe(2);
  });

  it('asks a loop again until it is none', async () => {
    watch.check(group);
    isOurs(await probe());
    // Three seconds of the probe, ten until the next.
    vi.advanceTimersByTime(13_000);
    isOurs(await probe(2));
    vi.advanceTimersByTime(13_000);
    await probe(3);
    expect(changes).toEqual([true]);
    vi.advanceTimersByTime(3000);
    expect([group.looping.has(upstream), changes]).toEqual([false, [true, false]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not mind a reply, an error, or a server that is not there', async () => {
    const answering: Behaviour = (query) => [replyTo(query, { rcode: 'NXDOMAIN', records: 0 })];
    server.behaviour = answering;
    watch.check(group);
    await probe();
    vi.advanceTimersByTime(3000);
    expect([group.looping.has(upstream), upstream.isDown, changes]).toEqual([false, false, []]);
  });

  it('knows a probe of a sibling, which is told of it once and then knows that it loops', async () => {
    const told: string[] = [];
    const loopKey = Buffer.alloc(16, 7);
    const [asking, other, stranger] = [loopKey, loopKey, Buffer.alloc(16, 8)].map(
      (key) => new LoopWatch(random, () => undefined, { loopKey: key, onProbe: (nonce) => told.push(nonce) }),
    ) as [LoopWatch, LoopWatch, LoopWatch];
    asking.check(group);
    const query = await probe();
    expect(toTextName(query, 12)).toMatch(/^loop-[0-9a-f]{16}\.cloudmapd\.example\.$/);
    const other8 = Buffer.from(query);
    // The last of the digits.
    other8[33] = query[33] === 0x30 ? 0x31 : 0x30;
    const forged = Buffer.from([...Buffer.alloc(12), ...toWireName(`loop-${'0'.repeat(16)}.cloudmapd.example`)]);
    expect([other8, forged].map((wrong) => other.receive(wrong, 12))).toEqual([false, false]);
    expect([stranger.receive(query, 12), watch.receive(query, 12)]).toEqual([false, false]);
    expect(told).toEqual([]);

    expect([other.receive(query, 12), other.receive(query, 12)]).toEqual([true, true]);
    expect(told).toEqual([toTextName(query, 12).slice(5, 21)]);
    expect(group.looping.has(upstream)).toBe(false);
    for (const each of [other, stranger, asking]) each.heard(told[0] as string);
    expect(group.looping.has(upstream)).toBe(true);
    asking.close();
  });

  it('tells siblings nothing of its own probes that come in where they were sent', async () => {
    const told: string[] = [];
    const asking = new LoopWatch(random, () => undefined, {
      loopKey: Buffer.alloc(16, 7),
      onProbe: (nonce) => told.push(nonce),
    });
    asking.check(group);
    expect(asking.receive(await probe(), 12)).toBe(true);
    expect([group.looping.has(upstream), told]).toEqual([true, []]);
    asking.close();
  });

  it('leaves no timer behind', async () => {
    watch.check(group);
    isOurs(await probe());
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(60_000);
    expect(server.seen).toHaveLength(1);
  });
});
