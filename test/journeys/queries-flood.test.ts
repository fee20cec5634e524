/** Whoever looks on at queries does not keep the main thread from its work, however fast they come. */
import { expect, it } from 'vitest';
import { buildQuery } from '../support/dns.ts';
import { setUpJourney } from '../support/journey-tools.ts';
import { framed, TcpClient } from '../support/tcp-client.ts';

const journey = setUpJourney();

it('the API answers while a flood of queries is logged and watched', async () => {
  const daemon = await journey.start({ settings: { STORE: 'memory', QUERY_LOG: 'all' } });
  const gone = new AbortController();
  const watchers = await Promise.all(
    Array.from({ length: 10 }, () =>
      fetch(`${daemon.endpoint}/admin/queries?name=nobody.example`, { signal: gone.signal }),
    ),
  );
  expect(watchers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  let isOver = false;
  let answered = 0;
  const queries = framed(...Array.from({ length: 64 }, (_, id) => buildQuery('nobody.internal', 'A', { id })));
  const flood = Array.from({ length: 4 }, async () => {
    const client = await TcpClient.open(daemon.dnsPort);
    while (!isOver) {
      await client.send(queries);
      answered += (await client.take(64)).length;
    }
    client.socket.destroy();
  });
  try {
    // They would not come before the flood ends, which they end.
    for (let i = 0; i < 10; i++) {
      const before = answered;
      expect((await fetch(`${daemon.endpoint}/healthz`)).status).toBe(200);
      while (answered === before) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    isOver = true;
    await Promise.all(flood);
    gone.abort();
  }
});
