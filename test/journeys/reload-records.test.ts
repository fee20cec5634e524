/** Static records of a file that is edited: every answering thread has them, also one that came later. */
import { writeFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { makeFolder } from '../support/daemon.ts';
import { askTcp, askUdp, buildQuery, dig, readAnswer } from '../support/dns.ts';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { hangUp, reloadBy } from '../support/reloading.ts';

const journey = setUpJourney();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** From so many ports at least one query gets to each of two threads, but once in two thousand million times. */
const PORTS = 32;
const CLIENT_PATIENCE_MS = 300;

const recordsOf = (addresses: Readonly<Record<string, string>>): string =>
  `records:\n${Object.entries(addresses)
    .map(([name, value]) => `  - { name: ${name}.example, type: A, value: ${value} }\n`)
    .join('')}`;

/** What clients on as many ports are told, each different answer once. */
async function answersOf(port: number, name: string): Promise<string[]> {
  const question = [`${name}.example`, 'A', { rd: true }] as const;
  const told = await Promise.all(Array.from({ length: PORTS }, () => dig(port, ...question)));
  return [
    ...new Set(told.map(({ rcode, answer }) => `${rcode} ${answer.map((text) => text.split(' ').at(-1)).join()}`)),
  ];
}

it('every thread answers by what was added, changed and removed when the log says so', async () => {
  const CONFIG = journey.writeFile('records.yaml', recordsOf({ a: '10.0.0.1', b: '10.0.0.2' }));
  const daemon = await journey.start({ settings: { CONFIG, DNS_THREADS: '2', STORE: 'memory' } });
  const { dnsPort } = daemon;
  expect(await answersOf(dnsPort, 'a')).toEqual(['NOERROR 10.0.0.1']);
  const edit = (addresses: Readonly<Record<string, string>>): Promise<string> => {
    writeFileSync(CONFIG, recordsOf(addresses));
    return hangUp(daemon);
  };
  expect(await edit({ a: '10.0.0.11', c: '10.0.0.3' })).toBe('1 created, 1 changed, 1 removed');
  expect(await answersOf(dnsPort, 'a')).toEqual(['NOERROR 10.0.0.11']);
  expect(await answersOf(dnsPort, 'b')).toEqual(['REFUSED ']);
  expect(await answersOf(dnsPort, 'c')).toEqual(['NOERROR 10.0.0.3']);
  const replies = await Promise.all(
    Array.from({ length: PORTS }, () => askTcp(dnsPort, [buildQuery('c.example', 'A')])),
  );
  for (const [reply] of replies) expect(readAnswer(reply as Buffer).answer).toEqual(['c.example. 60 IN A 10.0.0.3']);
  // The daemon's own name is beside them, whatever they are.
  expect((await dig(dnsPort, 'cloudmap', 'A')).answer).toEqual(['cloudmap. 5 IN A 127.0.0.1']);
  expect(await reloadBy(daemon, () => writeFileSync(CONFIG, ''))).toBe('2 removed');
  expect(await answersOf(dnsPort, 'a')).toEqual(['REFUSED ']);
  expect((await dig(dnsPort, 'cloudmap', 'A')).answer).toEqual(['cloudmap. 5 IN A 127.0.0.1']);
});

it('they win over what upstreams have said, and what upstreams say is back when they are gone', async () => {
  const upstream = await FakeUpstream.open(onlyAddress('192.0.2.1'));
  closers.push(() => upstream.close());
  const CONFIG = journey.writeFile('records.yaml', '');
  const daemon = await journey.start({ settings: { CONFIG, UPSTREAMS: upstream.endpoint, STORE: 'memory' } });
  const { dnsPort } = daemon;
  const edit = (text: string): Promise<string> => {
    writeFileSync(CONFIG, text);
    return hangUp(daemon);
  };
  // Kept from here on, for 30 seconds.
  expect(await answersOf(dnsPort, 'a')).toEqual(['NOERROR 192.0.2.1']);
  await edit(recordsOf({ a: '10.0.0.1', b: '10.0.0.2' }));
  expect(await answersOf(dnsPort, 'a')).toEqual(['NOERROR 10.0.0.1']);
  expect(await answersOf(dnsPort, 'b')).toEqual(['NOERROR 10.0.0.2']);
  await edit('');
  expect(await answersOf(dnsPort, 'a')).toEqual(['NOERROR 192.0.2.1']);
  expect(await answersOf(dnsPort, 'b')).toEqual(['NOERROR 192.0.2.1']);
});

it('threads that replace lost ones have the latest, whenever these were lost', async () => {
  const folder = makeFolder();
  closers.push(folder.remove);
  const config = journey.writeFile('records.yaml', recordsOf({ a: '10.0.0.0' }));
  // In this process: the threads have to be within reach.
  const flags = { config, http: '127.0.0.1:0', dns: '127.0.0.1:0', dnsThreads: '2', dataDir: folder.path };
  const log = createLog('error');
  log.level = 'silent';
  const daemon: Daemon = await startDaemon(loadConfiguration(flags, {}), log);
  closers.push(() => daemon.close());
  const port = Number(daemon.dns[0]?.split(':').at(-1));
  const filled = () => daemon.publisher.threads.filter(({ isFilled }) => isFilled);
  const allBack = () => waitFor('both threads', () => (filled().length === 2 ? true : null));
  const edit = (n: number): void => {
    writeFileSync(config, recordsOf({ a: `10.0.0.${n}` }));
    daemon.reload();
  };
  const isThere = (n: number) =>
    waitFor('the new address', async () => {
      // While no thread is there nobody says that none is: the client's patience ends the wait.
      const reply = await askUdp(port, buildQuery('a.example', 'A'), { timeoutMs: CLIENT_PATIENCE_MS });
      return reply !== null && readAnswer(reply).answer.join() === `a.example. 60 IN A 10.0.0.${n}` ? true : null;
    });

  // Lost after the change, and before it; lost while it is made, one of them and then both.
  edit(1);
  await isThere(1);
  await daemon.publisher.threads[0]?.terminate();
  await allBack();
  expect(await answersOf(port, 'a')).toEqual(['NOERROR 10.0.0.1']);
  for (const [n, places] of [
    [2, [1]],
    [3, [0, 1]],
    [4, [1, 0]],
  ] as const) {
    const [first, second] = [...daemon.publisher.threads];
    const lost = places.map((place) => [first, second][place]?.terminate());
    edit(n);
    await Promise.all(lost);
    await isThere(n);
    await allBack();
    expect(await answersOf(port, 'a')).toEqual([`NOERROR 10.0.0.${n}`]);
  }
});
