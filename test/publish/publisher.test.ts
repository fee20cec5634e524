import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { deltaOf } from '../support/answering.ts';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';
import { startPublisher } from '../support/publishing.ts';

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
