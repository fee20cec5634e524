/** Health while the daemon starts: what is declared is probed at once, and what a probe finds is in DNS. */
import { createServer } from 'node:net';
import { ListServicesCommand } from '@aws-sdk/client-servicediscovery';
import { afterEach, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { requireLoopbackBlock, setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listen(address: string): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  closers.push(() => server.close());
  return (server.address() as { port: number }).port;
}

/** Six instances at ports that refuse, and one that listens. */
const content = (check: object, port: number) => ({
  namespaces: [
    {
      name: 'corp.example',
      type: 'DNS_PUBLIC',
      services: [
        {
          name: 'web',
          dns: { records: [{ type: 'A', ttl: 10 }] },
          ...check,
          instances: [
            ...Array.from({ length: 6 }, (_, n) => ({ id: `bad-${n}`, address: `127.0.1.${n + 1}` })),
            { id: 'good', address: '127.0.1.99' },
          ].map(({ id, address }) => ({
            id,
            attributes: { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: id === 'good' ? `${port}` : '9' },
          })),
        },
      ],
    },
  ],
});

const TCP = { healthCheck: { type: 'TCP', failureThreshold: 1 } };

async function statusesOf(daemon: RunningDaemon): Promise<Record<string, string>> {
  const api = new Api(daemon.endpoint);
  const { Services } = await api.sdk.send(new ListServicesCommand({}));
  return (await api.healthOf(Services?.[0]?.Id as string)) ?? {};
}

const allBad = (daemon: RunningDaemon) =>
  waitFor('the verdicts', async () => {
    const statuses = Object.entries(await statusesOf(daemon));
    return statuses.filter(([, status]) => status === 'UNHEALTHY').length === 6 ? true : null;
  });

const answersOf = async (daemon: RunningDaemon): Promise<string[]> =>
  (await dig(daemon.dnsPort, 'web.corp.example', 'A')).answer.map((record) => record.split(' ').at(-1) as string);

it('a verdict that comes while the daemon starts is in DNS when it is in the API', async (context) => {
  requireLoopbackBlock(context);
  const port = await listen('127.0.1.99');
  // An interval of an hour: no later change brings in what was missed.
  const settings = {
    CONFIG: journey.writeFile('zone.yaml', JSON.stringify(content(TCP, port))),
    HEALTH_INTERVAL_MS: '3600000',
    STORE: 'memory',
  };
  for (let start = 0; start < 3; start++) {
    const daemon = await journey.start({ settings });
    await allBad(daemon);
    expect(await answersOf(daemon)).toEqual(['127.0.1.99']);
    await daemon.stop();
  }
});

it('a service that is declared with another kind of check begins with what that one says', async (context) => {
  requireLoopbackBlock(context);
  const port = await listen('127.0.1.99');
  const dataDir = journey.newPath();
  const first = await journey.start({
    dataDir,
    settings: { CONFIG: journey.writeFile('zone.yaml', JSON.stringify(content(TCP, port))) },
  });
  await allBad(first);
  await first.stop();
  const custom = JSON.stringify(content({ healthCheckCustom: {} }, port));
  const second = await journey.start({ dataDir, settings: { CONFIG: journey.writeFile('zone.yaml', custom) } });
  expect(new Set(Object.values(await statusesOf(second)))).toEqual(new Set(['HEALTHY']));
  expect(await answersOf(second)).toHaveLength(7);
});
