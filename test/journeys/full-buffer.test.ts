/**
 * Replies that the system has no room for: those to neighbours that do not answer ARP wait in the socket's buffer until
 * they are given up, and fill it. Whoever is answered meanwhile gets the reply all the same, once there is room.
 */
import { expect, it } from 'vitest';
import { buildQuery } from '../support/dns.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { makeNetwork, startInside } from '../support/test-network.ts';
import { HAS_BATCHED } from '../support/udp-listeners.ts';

const journey = setUpJourney();
const CLIENTS = new URL('../support/distant-clients.py', import.meta.url).pathname;

/** Eight SRV records and the addresses of their targets take some 1,200 octets. */
const CONTENT = {
  namespaces: [
    {
      name: 'corp.internal',
      type: 'DNS_PRIVATE',
      services: [
        {
          name: 'web',
          dns: { records: [{ type: 'SRV', ttl: 10 }] },
          instances: Array.from({ length: 8 }, (_, i) => ({
            id: `${i}${'x'.repeat(60)}`,
            attributes: { AWS_INSTANCE_IPV4: `10.0.0.${i}`, AWS_INSTANCE_PORT: '80' },
          })),
        },
      ],
    },
  ],
};
const QUERY = Buffer.from(buildQuery('web.corp.internal', 'SRV', { edns: 1232 })).toString('hex');
/** Together more than the buffer's 208 KiB, and each less, lest the neighbour's own queue overflows. */
const DEAD = ['10.99.0.60', '10.99.0.61'].map((address) => ({ address, port: 5000, count: 50, query: QUERY }));
const LIVE = { address: '10.99.0.50', port: 5000, count: 50, query: QUERY };

it.for(['plain', ...(HAS_BATCHED ? ['batched'] : [])])(
  'are sent later, on %s sockets',
  async (DNS_SOCKETS, context) => {
    const network = await makeNetwork(context);
    await network.run('ip', 'neighbour', 'add', LIVE.address, 'lladdr', '02:00:00:00:00:50', 'dev', 'eth9');
    // Given up after three tries; where that may not be set they take a second each.
    await network.run('sh', '-c', 'echo 500 > /proc/sys/net/ipv4/neigh/eth9/retrans_time_ms').catch(() => undefined);
    const { pid } = await startInside(context, network, journey, CONTENT, { DNS: '10.99.0.1:5353', DNS_SOCKETS });
    // What is sent while it stands still is there at once when it goes on.
    process.kill(pid, 'SIGSTOP');
    const { stdout } = network.feed(JSON.stringify([...DEAD, LIVE]), '/usr/bin/python3', CLIENTS);
    await waitFor('the queries', () => (stdout().includes('sent') ? true : null));
    process.kill(pid, 'SIGCONT');
    await waitFor('a full buffer', async () => {
      const [, unsent = '0'] =
        /:14E9 [0-9A-F]+:0000 07 ([0-9A-F]+):/.exec(await network.run('cat', '/proc/net/udp')) ?? [];
      return Number.parseInt(unsent, 16) > 200_000 ? true : null;
    });
    const replies = await waitFor('the replies', () => /^\[.*\]$/m.exec(stdout())?.[0] ?? null);
    const ids = (JSON.parse(replies) as number[]).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: LIVE.count }, (_, i) => i));
  },
);
