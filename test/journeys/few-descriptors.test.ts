/** How many descriptors the way to the upstreams takes, and what becomes of queries and calls where there are few. */
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { type Behaviour, FakeUpstream, GOOD, NEVER, replyTo } from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import { runsToSuccess, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { queryBytes, readReply } from '../support/message.ts';
import { UdpClient } from '../support/udp-client.ts';

const journey = setUpJourney();
const closing: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

async function open(...behaviours: readonly Behaviour[]): Promise<FakeUpstream[]> {
  const upstreams = await Promise.all(behaviours.map((behaviour) => FakeUpstream.open(behaviour)));
  closing.push(...upstreams);
  return upstreams;
}

async function openClient({ dnsPort }: RunningDaemon): Promise<UdpClient> {
  const client = await UdpClient.open(dnsPort);
  closing.push(client);
  return client;
}

/** @param files that it may have open; null: as many as this process */
function start(upstreams: readonly FakeUpstream[], files: number | null): Promise<RunningDaemon> {
  return journey.start({
    settings: { STORE: 'memory', UPSTREAMS: upstreams.map(({ endpoint }) => endpoint).join() },
    ...(files === null ? {} : { launcher: ['sh', '-c', `ulimit -n ${files} && exec "$@"`, 'sh'] }),
  });
}

function openFiles({ pid }: RunningDaemon): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** A connection of its own each time. */
async function healthOf({ endpoint }: RunningDaemon): Promise<number> {
  return (await fetch(`${endpoint}/readyz`, { headers: { connection: 'close' } })).status;
}

const questions = (from: number, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => queryBytes(`n${from + i}.example A`, { id: from + i, flags: 'RD' }));

/** Whatever was sent before has been read once this is answered. */
async function untilRead({ dnsPort }: RunningDaemon): Promise<void> {
  expect((await ask(dnsPort, 'localhost A')).answer).toHaveLength(1);
}

function requireProc(context: TestContext): void {
  if (!runsToSuccess('test', ['-d', '/proc/self/fd'])) context.skip('this machine has no /proc');
}

describe('with 256 descriptors', () => {
  it('every name is answered, and so is every call', async () => {
    const daemon = await start(await open(GOOD), 256);
    for (let i = 0; i < 700; i++) {
      const { status } = await ask(daemon.dnsPort, `n${i}.example A`);
      expect(`${i} ${status}`).toBe(`${i} NOERROR RD RA`);
    }
    expect(await healthOf(daemon)).toBe(200);
  });
});

describe('with 1024 descriptors', () => {
  it('400 names are answered at the same time, though both upstreams take two seconds', async () => {
    const slow: Behaviour = (query) => new Promise((resolve) => setTimeout(() => resolve([replyTo(query)]), 2000));
    const daemon = await start(await open(slow, slow), 1024);
    const clients: UdpClient[] = [];
    // In portions that a socket's buffer has room for.
    for (let n = 0; n < 400; n += 50) {
      const client = await openClient(daemon);
      clients.push(client);
      client.send(...questions(n, 50));
      await untilRead(daemon);
    }
    expect(await healthOf(daemon)).toBe(200);
    const replies = (await Promise.all(clients.map((client) => client.take(50)))).flat().map(readReply);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set(['NOERROR RD RA']));
    expect(new Set(replies.map(({ id }) => id)).size).toBe(400);
    expect(await healthOf(daemon)).toBe(200);
  });
});

describe('with as many descriptors as the machine has', () => {
  it('no more than some 3,000 are taken, though thousands of names wait for upstreams that are silent', async (context) => {
    requireProc(context);
    const upstreams = await open(
      () => NEVER,
      () => NEVER,
    );
    const daemon = await start(upstreams, null);
    const atFirst = openFiles(daemon);
    let most = 0;
    const count = (): void => {
      most = Math.max(most, openFiles(daemon));
    };
    const clients: UdpClient[] = [];
    // A socket's buffer has room for so many replies at once.
    for (let n = 0; n < 3500; n += 100) {
      const client = await openClient(daemon);
      clients.push(client);
      client.send(...questions(n, 100));
      await untilRead(daemon);
      count();
    }
    await waitFor('the replies', () => {
      count();
      return clients.every(({ left }) => left === 100) ? true : null;
    });
    const replies = (await Promise.all(clients.map((client) => client.take(100)))).flat().map(readReply);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set(['SERVFAIL RD RA']));
    expect(most).toBeGreaterThan(atFirst + 100);
    expect(most).toBeLessThan(3000);
    expect(await healthOf(daemon)).toBe(200);

    for (const upstream of upstreams) upstream.behaviour = GOOD;
    let n = 0;
    await waitFor('an answer', async () => {
      count();
      return (await ask(daemon.dnsPort, `later${n++}.example A`)).answer.length === 1 ? true : null;
    });
    expect(most).toBeLessThan(3000);
  });
});
