/** Several threads on one port: all answer by what was published, and where one is lost the others go on. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeAnswerSet } from '../../src/answers/answer-set.ts';
import { DeltaWriter } from '../../src/answers/delta.ts';
import type { ListenAddress } from '../../src/answers/thread-protocol.ts';
import type { AnsweringThread } from '../../src/publish/answering-thread.ts';
import type { Publisher, PublisherEvents, PublisherOptions } from '../../src/publish/publisher.ts';
import { seedOf } from '../../src/publish/thread-pool.ts';
import { toWireName } from '../../src/wire/names.ts';
import { Asker, deltaOf, rrset, zoneSetOf } from '../support/answering.ts';
import { askTcp, buildQuery, dig, readAnswer } from '../support/dns.ts';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { waitFor } from '../support/journey-tools.ts';
import { startPublisher } from '../support/publishing.ts';

/** From so many ports at least one query gets to each of two threads, but once in two thousand million times. */
const PORTS = 32;
const ZONE = 'corp.internal';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: Partial<PublisherOptions> = {}, events: Partial<PublisherEvents> = {}) {
  const publisher = await startPublisher({ threads: 2, ...options }, events);
  closers.push(() => publisher.close());
  return { publisher, port: publisher.addresses[0]?.port as number };
}

/** One name's record, as a change. */
function changeOf(n: number): Uint8Array {
  const [zone, owner] = [toWireName(ZONE), toWireName(`n${n}.${ZONE}`)];
  const delta = new DeltaWriter();
  delta.putZone(zone);
  delta.putSet(zone, owner, encodeAnswerSet([rrset([`60 IN A 10.0.${n >> 8}.${n & 255}`])]));
  return delta.finish();
}

/** The name's answers to as many clients, each on a port of its own. @throws Error where one gets none */
async function askFromManyPorts(port: number, n: number): Promise<Set<string>> {
  const answers = await Promise.all(Array.from({ length: PORTS }, () => dig(port, `n${n}.${ZONE}`, 'A')));
  return new Set(answers.map(({ rcode, answer }) => `${rcode} ${answer.join()}`));
}

const expected = (n: number): Set<string> => new Set([`NOERROR n${n}.${ZONE}. 60 IN A 10.0.${n >> 8}.${n & 255}`]);

/** Gives the thread far more to do than it can within the time in which it has to acknowledge. */
function occupy(thread: AnsweringThread): void {
  const delta = new DeltaWriter();
  const zone = toWireName('busy.internal');
  const set = encodeAnswerSet([rrset(['60 IN A 10.9.9.9'])]);
  delta.putZone(zone);
  for (let i = 0; i < 20_000; i++) delta.putSet(zone, toWireName(`n${i}.busy.internal`), set);
  const bytes = delta.finish();
  // Shared, so that a thousand of them take no more memory than one.
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  for (let i = 1; i <= 1000; i++) thread.publish(-i, shared, 600_000).catch(() => undefined);
}

const allFilled = (publisher: Publisher, count: number): true | null =>
  publisher.threads.filter(({ isFilled }) => isFilled).length === count ? true : null;

describe('two threads', () => {
  it('each answer a part of the queries, and draw by seeds of their own that are the same at each start', async () => {
    const zones = {
      [ZONE]: {
        many: [
          rrset(
            Array.from({ length: 40 }, (_, i) => `60 IN A 10.1.0.${i}`),
            'multivalue',
          ),
        ],
      },
    };
    const { publisher, port } = await start({ seed: 7 });
    await publisher.fill(() => [deltaOf(zones)]);
    const models = [0, 1].map((place) => new Asker(zoneSetOf(zones), { seed: seedOf(7, place) }));
    const draw = (model: Asker): string => model.ask(`many.${ZONE}`, 'A').answer.join();
    const next = models.map(draw);
    const drawn = [0, 0];
    for (let i = 0; i < PORTS; i++) {
      const { answer } = await dig(port, `many.${ZONE}`, 'A');
      const place = next.indexOf(answer.join());
      expect(place).toBeGreaterThanOrEqual(0);
      next[place] = draw(models[place] as Asker);
      drawn[place] = (drawn[place] as number) + 1;
    }
    expect(Math.min(...drawn)).toBeGreaterThan(0);
  });

  it('both answer by a change when it is published, over UDP and TCP', async () => {
    const { publisher, port } = await start();
    await publisher.fill(() => [deltaOf({})]);
    for (let n = 0; n < 20; n++) {
      await publisher.publish(changeOf(n));
      expect(await askFromManyPorts(port, n)).toEqual(expected(n));
    }
    const query = buildQuery(`n7.${ZONE}`, 'A');
    const replies = await Promise.all(Array.from({ length: PORTS }, () => askTcp(port, [query])));
    expect(replies.map(([reply]) => readAnswer(reply as Buffer).answer.length)).toEqual(replies.map(() => 1));
  });

  it('ask both the new upstreams, and both forget what they were told', async () => {
    const upstreams = await Promise.all(['192.0.2.1', '192.0.2.2'].map((own) => FakeUpstream.open(onlyAddress(own))));
    closers.push(...upstreams.map((upstream) => () => upstream.close()));
    const [first, second] = upstreams as [FakeUpstream, FakeUpstream];
    const addressOf = ({ address, port }: FakeUpstream): ListenAddress => ({ address, port });
    const rest = { isOn: true, rules: [], singleLabel: null, cacheBytes: 100_000, staleSeconds: 0 };
    const { publisher, port } = await start({ forwarding: { ...rest, upstreams: [addressOf(first)] } });
    await publisher.fill(() => [deltaOf({})]);
    const askAll = async (): Promise<Set<string>> => {
      const asked = Array.from({ length: PORTS }, () => dig(port, 'www.example', 'A', { rd: true }));
      return new Set(
        (await Promise.all(asked)).flatMap(({ answer }) => answer.map((text) => text.split(' ').at(-1) as string)),
      );
    };
    expect(await askAll()).toEqual(new Set(['192.0.2.1']));
    // Each has a cache of its own.
    expect(first.timesAsked('www.example')).toBe(2);
    expect(await publisher.flush('other.example', false)).toBe(0);
    publisher.setUpstreams([addressOf(second)], 'default');
    expect(await publisher.flush('www.example', false)).toBe(2);
    expect(await askAll()).toEqual(new Set(['192.0.2.2']));
    expect([first, second].map((upstream) => upstream.timesAsked('www.example'))).toEqual([2, 2]);
  });
});

describe('of two threads', () => {
  it('one that ends leaves all queries to the other, until it is replaced by one that knows what both knew', async () => {
    let replaced = 0;
    const { publisher, port } = await start({}, { onReplaced: () => replaced++ });
    const known = new Set<number>();
    const publish = async (n: number): Promise<void> => {
      known.add(n);
      await publisher.publish(changeOf(n));
    };
    await publisher.fill(() => [deltaOf({}), ...[...known].map(changeOf)]);
    await publish(1);
    for (let round = 1; round <= 2; round++) {
      const lost = publisher.threads[round % 2] as AnsweringThread;
      await lost.terminate();
      expect([publisher.isReady, publisher.threads.length]).toEqual([true, 1]);
      expect(await askFromManyPorts(port, 1)).toEqual(expected(1));
      await publish(100 + round);
      expect(await askFromManyPorts(port, 100 + round)).toEqual(expected(100 + round));
      await waitFor('the next thread', () => allFilled(publisher, 2));
      expect(publisher.threads).not.toContain(lost);
      for (const n of known) expect(await askFromManyPorts(port, n)).toEqual(expected(n));
    }
    expect(replaced).toBe(2);
  });

  it.each([0, 1])(
    'one that hangs is given up, and what it kept waiting is in the other one: number %i',
    async (place) => {
      const reasons: string[] = [];
      const { publisher, port } = await start({}, { onReplaced: ({ message }) => reasons.push(message) });
      const known = new Set([1]);
      await publisher.fill(() => [deltaOf({}), ...[...known].map(changeOf)]);
      const hanging = publisher.threads[place] as AnsweringThread;
      occupy(hanging);
      known.add(2);
      await publisher.publish(changeOf(2));
      expect(publisher.isReady).toBe(true);
      expect(publisher.threads).not.toContain(hanging);
      expect(reasons).toEqual([expect.stringContaining('did not acknowledge')]);
      await waitFor('the next thread', () => allFilled(publisher, 2));
      for (const n of known) expect(await askFromManyPorts(port, n)).toEqual(expected(n));
    },
  );

  it('both can be lost at once: the port is claimed anew, and shared as before', async () => {
    const { publisher, port } = await start();
    await publisher.fill(() => [deltaOf({}), changeOf(1)]);
    await Promise.all(publisher.threads.map((thread) => thread.terminate()));
    expect(publisher.isReady).toBe(false);
    // Nobody is there to acknowledge it.
    await publisher.publish(changeOf(2));
    await waitFor('the next threads', () => allFilled(publisher, 2));
    expect(publisher.addresses).toEqual([{ address: '127.0.0.1', port }]);
    expect(await askFromManyPorts(port, 1)).toEqual(expected(1));
  });
});

describe('a snapshot in chunks', () => {
  it('is made once for all threads, and again for each that replaces one, with changes in its midst', async () => {
    const made: number[] = [];
    const { publisher, port } = await start();
    let runs = 0;
    let midst: Promise<void> = Promise.resolve();
    await publisher.fill(function* () {
      const run = ++runs;
      for (let n = 0; n < 10; n++) {
        made.push(run);
        yield n === 0 ? Buffer.concat([deltaOf({}), changeOf(0)]) : changeOf(n);
        // Known to every run, but behind what this one has just sent.
        if (n === 5) midst = publisher.publish(changeOf(500 + run));
      }
    });
    await midst;
    expect(made).toEqual(Array.from({ length: 10 }, () => 1));
    for (const n of [0, 5, 9, 501]) expect(await askFromManyPorts(port, n)).toEqual(expected(n));
    await publisher.threads[0]?.terminate();
    await waitFor('the next thread', () => allFilled(publisher, 2));
    await midst;
    expect(made).toEqual([1, 2].flatMap((run) => Array.from({ length: 10 }, () => run)));
    for (const n of [0, 5, 9, 502]) expect(await askFromManyPorts(port, n)).toEqual(expected(n));
  });

  it('waits for the threads: no more than a few chunks are made ahead', async () => {
    const { publisher } = await start();
    const [busy] = publisher.threads as [AnsweringThread];
    occupy(busy);
    let made = 0;
    const filled = publisher.fill(function* () {
      for (; made < 1000; made++) yield changeOf(made);
    });
    for (let turn = 0; turn < 1000; turn++) await nextTurn();
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(5);
    await publisher.close();
    await filled.catch(() => undefined);
  });

  it('that no thread takes in ends the start', async () => {
    const { publisher } = await start({ threads: 1 });
    const broken = publisher.fill(() => [Uint8Array.of(255, 255, 255)]);
    await expect(broken).rejects.toThrow('no answering thread took the snapshot in');
  });
});
