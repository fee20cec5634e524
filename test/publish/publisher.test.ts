import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { DeltaWriter } from '../../src/answers/delta.ts';
import { toWireName } from '../../src/wire/names.ts';
import { deltaOf, rrset } from '../support/answering.ts';
import { dig } from '../support/dns.ts';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';
import { startPublisher } from '../support/publishing.ts';
import { socketsAt } from '../support/sockets-at.ts';

/** Far more than it takes until the next thread is being started, and far less than that takes. */
const TURNS = 50;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openUpstream(address: string): Promise<{ address: string; port: number }> {
  const upstream = await FakeUpstream.open(onlyAddress(address));
  closers.push(() => upstream.close());
  return { address: '127.0.0.1', port: upstream.port };
}

it('a thread that is being started when the upstreams change asks the new ones', async () => {
  const first = await openUpstream('192.0.2.1');
  const second = await openUpstream('192.0.2.2');
  const publisher = await startPublisher({
    forwarding: { isOn: true, upstreams: [first], rules: [], singleLabel: null, cacheBytes: 0, staleSeconds: 0 },
  });
  closers.push(() => publisher.close());
  await publisher.fill(() => [deltaOf({})]);
  const port = publisher.addresses[0]?.port as number;
  expect((await ask(port, 'www.example A')).answer).toEqual(['www.example. 30 IN A 192.0.2.1']);

  await publisher.threads[0]?.terminate();
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
  expect(publisher.threads).toEqual([]);
  publisher.setUpstreams([second], 'default');
  await waitFor('the next thread', () => (publisher.isReady ? true : null));
  expect((await ask(port, 'www.example A')).answer).toEqual(['www.example. 30 IN A 192.0.2.2']);
});

it('a thread answers nothing before a snapshot is complete, whatever else comes in between', async () => {
  const publisher = await startPublisher();
  closers.push(() => publisher.close());
  const whole = deltaOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } });
  // The last change is the mark of the end.
  await publisher.fill(() => [whole.subarray(0, whole.length - 2).slice()]);
  const other = new DeltaWriter();
  other.putZone(toWireName('other.internal'));
  await publisher.publish(other.finish());
  const port = publisher.addresses[0]?.port as number;
  expect((await dig(port, 'web.corp.internal', 'A')).rcode).toBe('SERVFAIL');
  const end = new DeltaWriter();
  end.complete();
  await publisher.publish(end.finish());
  expect((await dig(port, 'web.corp.internal', 'A')).answer).toEqual(['web.corp.internal. 60 IN A 10.0.0.1']);
});

it('an acknowledgement that came while the main thread did nothing for longer than it waits is one', async () => {
  const lost: string[] = [];
  const publisher = await startPublisher({}, { onReplaced: ({ message }) => lost.push(message) });
  closers.push(() => publisher.close());
  await publisher.fill(() => [deltaOf({})]);
  const published = publisher.publish(deltaOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } }));
  // As an fsync does, or the collector; the thread takes a millisecond.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  await published;
  expect(lost).toEqual([]);
});

it('a fill that finds all threads being replaced ends when one answers by it', async () => {
  const publisher = await startPublisher({ threads: 2 });
  closers.push(() => publisher.close());
  const port = publisher.addresses[0]?.port as number;
  await Promise.all(publisher.threads.map((thread) => thread.terminate()));
  expect(publisher.threads).toEqual([]);
  await publisher.fill(() => [deltaOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } })]);
  expect(publisher.isReady).toBe(true);
  expect((await dig(port, 'web.corp.internal', 'A')).answer).toEqual(['web.corp.internal. 60 IN A 10.0.0.1']);
});

it('a thread that replaces one of two takes no query before it can answer', async () => {
  const publisher = await startPublisher({ threads: 2 });
  closers.push(() => publisher.close());
  const port = publisher.addresses[0]?.port as number;
  const whole = deltaOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } });
  let runs = 0;
  // The end of what the replacement gets is held back.
  await publisher.fill(() => [runs++ === 0 ? whole.slice() : whole.slice(0, whole.length - 2)]);
  await publisher.threads[0]?.terminate();
  await waitFor('the next thread', () => (publisher.threads.length === 2 && runs === 2 ? true : null));
  // It has the port of each client that the system gives to it: were it there, about half of these would be its own.
  for (let i = 0; i < 40; i++) {
    expect((await dig(port, 'web.corp.internal', 'A')).answer).toEqual(['web.corp.internal. 60 IN A 10.0.0.1']);
  }
  expect(socketsAt(port)).toEqual({ udp: 1, tcp: 1 });
  const end = new DeltaWriter();
  end.complete();
  await publisher.publish(end.finish());
  expect(socketsAt(port)).toEqual({ udp: 2, tcp: 2 });
});
