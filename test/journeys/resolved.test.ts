/** The README's lines for systemd-resolved, carried out beside a real one that asks another nameserver otherwise. */
import { expect, it } from 'vitest';
import { setupLines } from '../../src/cli/doctor/name-setups.ts';
import { requireIpv6, requireTool, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { readMetrics } from '../support/metrics.ts';
import { type Resolved, requireResolved, startResolved } from '../support/resolved.ts';
import { makeNetwork, startInside, type TestNetwork } from '../support/test-network.ts';

const journey = setUpJourney();
const RESIDENT = new URL('../support/resident-upstream.ts', import.meta.url).pathname;

/** A name of each namespace, and its address. */
const OWN = { 'web.shop.internal': '10.0.0.21', 'web._x.shop.local': '10.0.0.22', 'web.corp.example': '10.0.0.23' };
const NAMESPACES = Object.keys(OWN).map((name) => name.slice('web.'.length));
const CONTENT = {
  namespaces: Object.values(OWN).map((address, n) => ({
    name: NAMESPACES[n],
    type: 'DNS_PRIVATE',
    services: [
      {
        name: 'web',
        dns: { records: [{ type: 'A', ttl: 10 }] },
        instances: [{ id: 'web-1', attributes: { AWS_INSTANCE_IPV4: address } }],
      },
    ],
  })),
};
/** Two of them resemble names of a namespace. */
const OUTSIDE = ['www.example.org', 'www.example', 'notcorp.example'];
/** What every name is for the other nameserver, at the address of the network's only interface. */
const ELSEWHERE = '198.51.100.7';
const OTHER_SERVER = '10.99.0.1';

/** @returns the names that the other nameserver was asked for so far */
async function startOther(network: TestNetwork): Promise<() => string[]> {
  const { stdout } = network.start(process.execPath, RESIDENT, OTHER_SERVER, '53', 'answer', ELSEWHERE);
  await waitFor('the other nameserver', () => (stdout().includes('ready') ? true : null));
  return () => stdout().split('\n').slice(1, -1);
}

/** As any program does that knows of no resolver but libc's. @returns its addresses */
async function lookUp({ run }: Resolved, name: string): Promise<string[]> {
  const { stdout } = await run([`getent ahostsv4 ${name}`]);
  return [...stdout.matchAll(/^(\S+)\s+STREAM/gm)].map(([, address = '']) => address);
}

/** The same, of resolved itself, which asks anew. */
async function query({ run }: Resolved, name: string): Promise<string[]> {
  const { stdout } = await run([`resolvectl query --cache=no --legend=no --type=A ${name}`]);
  return [...stdout.matchAll(/ IN A (\S+)/g)].map(([, address = '']) => address);
}

/** How many queries the daemon had. */
async function countQueries(network: TestNetwork): Promise<number> {
  const text = await network.run('curl', '-fsS', 'http://127.0.0.1:8053/metrics');
  return readMetrics(text).value('cloudmapd_dns_queries_total');
}

it.for([
  {
    server: '127.0.0.1',
    dns: '127.0.0.1:1053',
    who: 'its settings name',
    settings: [`DNS=${OTHER_SERVER}`],
    before: 'true',
  },
  {
    server: '::1',
    dns: '[::1]:1053',
    who: 'another link has',
    settings: [],
    before: `resolvectl dns eth9 ${OTHER_SERVER}`,
  },
])('names of namespaces are asked of $server, all others of the server that $who', async (each, context) => {
  requireResolved(context);
  requireTool(context, 'curl');
  if (each.server === '::1') requireIpv6(context);
  const network = await makeNetwork(context);
  const asked = await startOther(network);
  const settings = { HTTP: '127.0.0.1:8053', DNS: each.dns };
  await startInside(context, network, journey, CONTENT, settings);
  const resolved = await startResolved(context, journey, network, ['FallbackDNS=', ...each.settings]);
  expect(await resolved.run([each.before])).toMatchObject({ code: 0, stderr: '' });

  const expectUnrouted = async (): Promise<void> => {
    const own = await countQueries(network);
    for (const name of Object.keys(OWN)) {
      // Those below `local` are asked of multicast DNS alone, where nobody is.
      const found = name.endsWith('.local') ? [] : [ELSEWHERE];
      expect(await lookUp(resolved, name)).toEqual(found);
      expect(await query(resolved, name)).toEqual(found);
    }
    expect(await countQueries(network)).toBe(own);
  };

  const expectRouted = async (): Promise<void> => {
    const already = asked().length;
    for (const [name, address] of Object.entries(OWN)) {
      expect(await lookUp(resolved, name)).toEqual([address]);
      expect(await query(resolved, name)).toEqual([address]);
    }
    // What the daemon denies is asked of nobody else.
    expect(await lookUp(resolved, 'none.shop.internal')).toEqual([]);
    const own = await countQueries(network);
    for (const name of OUTSIDE) expect(await query(resolved, name)).toEqual([ELSEWHERE]);
    expect(await countQueries(network)).toBe(own);
    const since = await waitFor('the last name', () => {
      const names = asked().slice(already);
      return names.includes(OUTSIDE.at(-1) as string) ? names : null;
    });
    expect([...new Set(since)]).toEqual(OUTSIDE);
  };

  const lines = setupLines('resolved', { names: NAMESPACES, server: { address: each.server, port: 1053 } });
  await expectUnrouted();
  expect(await resolved.run(['set -e', ...lines])).toEqual({ code: 0, stdout: '', stderr: '' });
  await expectRouted();

  // Pasted again: there is such a link already, and the other lines say the same once more.
  expect(await resolved.run(lines)).toEqual({ code: 0, stdout: '', stderr: 'RTNETLINK answers: File exists\n' });
  await expectRouted();

  expect(await resolved.run(['sudo ip link delete cloudmap'])).toEqual({ code: 0, stdout: '', stderr: '' });
  await expectUnrouted();
});
