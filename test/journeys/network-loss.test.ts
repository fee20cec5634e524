/** Probes in a network of their own: routes that vanish, addresses that swallow everything, well-known ports. */
import { describe, expect, it, type TestContext } from 'vitest';
import { selfSignedCertificate } from '../support/certificates.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { turnsOf, waitForTurns } from '../support/probing.ts';
import { makeNetwork, startInside, type TestNetwork } from '../support/test-network.ts';

const journey = setUpJourney();

/** Listens inside, and prints for each request where it came to and its Host header. */
const SERVER = `
const { createServer } = require('node:http');
const tls = require('node:https');
const [key, cert] = process.argv.slice(1);
const answer = (request, response) => {
  console.log(request.socket.localAddress + ':' + request.socket.localPort + ' ' + request.headers.host);
  response.end();
};
createServer(answer).listen(80, '0.0.0.0');
createServer(answer).listen(8080, '0.0.0.0');
tls.createServer({ key, cert }, answer).listen(443, '0.0.0.0', () => console.log('listening'));
`;

interface Inside extends TestNetwork {
  /** The requests so far, as `10.99.0.1:80 web.corp.example`. */
  requests(): string[];
}

async function makeServedNetwork(context: TestContext): Promise<Inside> {
  const network = await makeNetwork(context);
  const { key, cert } = selfSignedCertificate('web.corp.example', Date.now() - 1000, Date.now() + 86_400_000);
  const { child, stdout } = network.start(process.execPath, '-e', SERVER, '--', key, cert);
  await waitFor('the listeners', () => {
    if (child.exitCode !== null) throw new Error('nobody can listen there');
    return stdout().includes('listening') ? true : null;
  });
  return {
    ...network,
    requests: () =>
      stdout()
        .split('\n')
        .slice(0, -1)
        .filter((line) => line !== 'listening'),
  };
}

async function waitForMore(network: Inside, prefix: string, count: number): Promise<void> {
  const matching = () => network.requests().filter((request) => request.startsWith(prefix)).length;
  const wanted = matching() + count;
  await waitFor(`requests for ${prefix}`, () => (matching() >= wanted ? true : null));
}

type Endpoint = readonly [address: string, port: number];

/** A service `web` whose instances are probed at these. */
function contentOf(instances: Readonly<Record<string, Endpoint>>, name = 'web', check: object = { type: 'HTTP' }) {
  return {
    name,
    dns: { records: [{ type: 'A', ttl: 10 }] },
    healthCheck: { failureThreshold: 1, ...check },
    instances: Object.entries(instances).map(([id, [address, port]]) => ({
      id,
      attributes: { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: String(port) },
    })),
  };
}

const zoneOf = (...services: object[]) => ({ namespaces: [{ name: 'corp.example', type: 'DNS_PUBLIC', services }] });

const SETTINGS = { DNS: '127.0.0.1:5353', HEALTH_INTERVAL_MS: '100' };
const LOST = 'health statuses stay as they are';
const FOUND = 'health statuses follow the probes again';

async function answered(network: TestNetwork): Promise<string[]> {
  const output = await network.run('dig', '@127.0.0.1', '-p', '5353', '+short', 'web.corp.example', 'A');
  return output.trim().split('\n').sort();
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe('a network that is lost', () => {
  const FAR: Endpoint = ['10.99.0.1', 8080];
  const NEAR: Endpoint = ['127.0.0.1', 8080];
  const lose = (network: TestNetwork) => network.run('ip', 'address', 'delete', '10.99.0.1/24', 'dev', 'eth9');
  const find = (network: TestNetwork) => network.run('ip', 'address', 'add', '10.99.0.1/24', 'dev', 'eth9');

  it('turns statuses, as CLOUDMAPD_HEALTH_HOLD is off', async (context) => {
    const network = await makeServedNetwork(context);
    // Lost beforehand: a probe on its way would time out instead.
    await lose(network);
    const content = zoneOf(contentOf({ far: FAR, near: NEAR }));
    const daemon = await startInside(context, network, journey, content, SETTINGS);
    expect(await waitForTurns(daemon, 'far', 1)).toEqual(['UNHEALTHY: connect ENETUNREACH, 1 in a row']);
    await find(network);
    expect((await waitForTurns(daemon, 'far', 2)).at(-1)).toBe('HEALTHY: probe passed, 1 in a row');
    expect(daemon.stderr()).not.toContain(LOST);
    expect(turnsOf(daemon, 'near')).toEqual([]);
  });

  it('turns none with CLOUDMAPD_HEALTH_HOLD, and the log says why, once, and when that is over', async (context) => {
    const network = await makeServedNetwork(context);
    // A probe on its way when the network goes times out, and that counts.
    const content = zoneOf(contentOf({ far: FAR, near: NEAR }, 'web', { type: 'HTTP', failureThreshold: 5 }));
    const daemon = await startInside(context, network, journey, content, {
      ...SETTINGS,
      HEALTH_HOLD: 'true',
      // The hold looks back one interval: no probe may come so late, also where other tests have the processor.
      HEALTH_INTERVAL_MS: '500',
    });
    await waitForMore(network, '10.99.0.1', 1);
    for (const [round, code] of ['ENETUNREACH', 'EHOSTUNREACH'].entries()) {
      if (code === 'EHOSTUNREACH') await network.run('ip', 'route', 'add', 'unreachable', '10.99.0.1/32');
      await lose(network);
      await waitFor('the log', () => (daemon.stderr().includes(`(connect ${code}): ${LOST}`) ? true : null));
      // Those of the other instance are the clock.
      await waitForMore(network, '127.0.0.1', 15);
      expect(await answered(network)).toEqual(['10.99.0.1', '127.0.0.1']);
      expect(countOf(daemon.stderr(), LOST)).toBe(round + 1);
      expect(countOf(daemon.stderr(), FOUND)).toBe(round);
      await find(network);
      await waitFor('the log', () => (countOf(daemon.stderr(), FOUND) === round + 1 ? true : null));
    }
    expect(turnsOf(daemon)).toEqual([]);
  });

  it('turns statuses with CLOUDMAPD_HEALTH_HOLD where another instance fails for another reason', async (context) => {
    const network = await makeServedNetwork(context);
    await lose(network);
    const content = zoneOf(contentOf({ far: FAR, near: NEAR, refused: ['127.0.0.1', 9] }));
    const daemon = await startInside(context, network, journey, content, { ...SETTINGS, HEALTH_HOLD: 'true' });
    expect(await waitForTurns(daemon, 'refused', 1)).toEqual(['UNHEALTHY: connect ECONNREFUSED, 1 in a row']);
    expect(await waitForTurns(daemon, 'far', 1)).toEqual(['UNHEALTHY: connect ENETUNREACH, 1 in a row']);
    await waitFor('DNS', async () => ((await answered(network)).length === 1 ? true : null));
    expect(await answered(network)).toEqual(['127.0.0.1']);
  });
});

describe('a probe', () => {
  it('names no port where it is the default, and gives up on a connection after the time of its type', async (context) => {
    const network = await makeServedNetwork(context);
    // Known by its hardware address, and not there: what is sent to it is swallowed.
    const swallow = ['ip', 'neighbour', 'add', '10.99.0.5', 'lladdr', '02:00:00:00:00:05', 'dev', 'eth9'] as const;
    await network.run(...swallow, 'nud', 'permanent');
    const content = zoneOf(
      contentOf({ 'http-80': ['127.0.0.1', 80], 'http-8080': ['127.0.0.1', 8080] }, 'http'),
      contentOf({ 'https-443': ['127.0.0.1', 443] }, 'https', { type: 'HTTPS' }),
      contentOf({ 'http-lost': ['10.99.0.5', 80] }, 'lost'),
      contentOf({ 'tcp-lost': ['10.99.0.5', 80] }, 'lost-tcp', { type: 'TCP' }),
    );
    const daemon = await startInside(context, network, journey, content, {
      ...SETTINGS,
      HEALTH_CONNECT_TIMEOUT_MS: '301',
      HEALTH_RESPONSE_TIMEOUT_MS: '60000',
      HEALTH_TCP_TIMEOUT_MS: '402',
    });
    expect(await waitForTurns(daemon, 'http-lost', 1)).toEqual(['UNHEALTHY: timeout after 301 ms, 1 in a row']);
    expect(await waitForTurns(daemon, 'tcp-lost', 1)).toEqual(['UNHEALTHY: timeout after 402 ms, 1 in a row']);
    for (const port of [80, 8080, 443]) await waitForMore(network, `127.0.0.1:${port} `, 1);
    expect(new Set(network.requests())).toEqual(
      new Set([
        '127.0.0.1:80 http.corp.example',
        '127.0.0.1:8080 http.corp.example:8080',
        '127.0.0.1:443 https.corp.example',
      ]),
    );
  });
});
