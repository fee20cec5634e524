/** Who gets a port that several want, each with one thread or with several. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ListenAddress } from '../../src/answers/thread-protocol.ts';
import { BindError } from '../../src/publish/answering-thread.ts';
import type { Publisher } from '../../src/publish/publisher.ts';
import { deltaOf } from '../support/answering.ts';
import { closedPort } from '../support/fake-upstream.ts';
import { Listener } from '../support/listeners.ts';
import { startPublisher } from '../support/publishing.ts';
import { socketsAt } from '../support/sockets-at.ts';
import { HAS_BATCHED } from '../support/udp-listeners.ts';

const KINDS = ['plain', ...(HAS_BATCHED ? ['batched'] : [])] as const;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(listen: ListenAddress, threads: number, sockets: 'plain' | 'batched'): Promise<Publisher> {
  const publisher = await startPublisher({ listen: [listen], threads, sockets });
  closers.push(() => publisher.close());
  return publisher;
}

describe.each(KINDS as readonly ('plain' | 'batched')[])('on %s sockets,', (sockets) => {
  it.skipIf(process.platform !== 'linux')(
    'each thread has sockets of its own on the port that all were given',
    async () => {
      const publisher = await start({ address: '127.0.0.1', port: 0 }, 3, sockets);
      const port = publisher.addresses[0]?.port as number;
      expect(port).toBeGreaterThan(0);
      // Those beside the first have none before they can answer.
      expect(socketsAt(port)).toEqual({ udp: 1, tcp: 1 });
      await publisher.fill(() => [deltaOf({})]);
      expect(socketsAt(port)).toEqual({ udp: 3, tcp: 3 });
    },
  );

  it.each([
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ])('%i threads keep the port from %i that come later, and leave it to them at the end', async (first, second) => {
    const publisher = await start({ address: '127.0.0.1', port: 0 }, first, sockets);
    const [address] = publisher.addresses as [ListenAddress];
    for (const other of [address, { ...address, address: '0.0.0.0' }]) {
      const refused = await start(other, second, sockets).catch((error) => error);
      expect(refused).toBeInstanceOf(BindError);
      expect(refused).toMatchObject({ code: 'EADDRINUSE', address: other });
    }
    await publisher.close();
    expect((await start(address, second, sockets)).addresses).toEqual([address]);
  });

  it.each([
    [2, 2],
    [1, 2],
  ])('of %i threads and %i that come at once one side alone gets the port', async (...counts) => {
    for (let round = 0; round < 4; round++) {
      const address = { address: '127.0.0.1', port: await closedPort() };
      const results = await Promise.allSettled(counts.map((threads) => start(address, threads, sockets)));
      const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      expect([won.length, lost]).toEqual([1, [expect.objectContaining({ code: 'EADDRINUSE' })]]);
      await won[0]?.close();
    }
  });

  it('a port whose TCP somebody has is refused to several threads too', async () => {
    const listener = await Listener.open({ kind: 'hang' });
    closers.push(() => listener.close());
    const refused = await start({ address: '127.0.0.1', port: listener.port }, 2, sockets).catch((error) => error);
    expect(refused).toMatchObject({ code: 'EADDRINUSE', transport: 'TCP' });
  });
});
