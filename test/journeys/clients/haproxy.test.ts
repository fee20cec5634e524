/** HAProxy filling its servers from our SRV and A records, and following register and deregister with real requests. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from '../../support/daemon.ts';
import { dig } from '../../support/dns.ts';
import { Api } from '../../support/journey-api.ts';
import { requireTool, shareDaemon } from '../../support/journey-tools.ts';
import { type RunningServer, startServer } from './programs.ts';

/** Bits of a server's admin state: maintenance or drain for one of five reasons, the last that no name resolves. */
const DISABLED = 0x3f;
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

const daemon = shareDaemon({ settings: { STORE: 'memory' } });
const folder = makeFolder();
const sockets = { http: join(folder.path, 'http'), admin: join(folder.path, 'admin') };
const config = join(folder.path, 'haproxy.cfg');
let api: Api;
let namespaceId: string;
/** Each answers with its own address; all are at one port. */
const backends: Server[] = [];
let port = 0;
let haproxy: RunningServer | undefined;

beforeAll(async () => {
  api = new Api(daemon().endpoint);
  for (const address of ADDRESSES) {
    const backend = createServer((_request, response) => response.end(address)).listen(port, address);
    backends.push(backend);
    await once(backend, 'listening');
    port = (backend.address() as AddressInfo).port;
  }
});
afterAll(() => {
  for (const backend of backends) backend.close();
  folder.remove();
});
beforeEach(async (context) => {
  requireTool(context, 'haproxy');
  namespaceId = await api.createNamespace('corp.internal');
});
afterEach(async () => {
  await haproxy?.stop();
  haproxy = undefined;
  await api.wipe();
});

interface Setup {
  /** The line that makes the servers. */
  readonly servers: string;
  /** In front of the nameserver's address: `tcp@`. */
  readonly transport?: string;
  /** How long a server stays that is no longer in an answer. */
  readonly holdObsolete?: string;
}

/** One that asks us every 100 ms, and believes each answer at once. */
async function startHaproxy({ servers, transport = '', holdObsolete = '0s' }: Setup): Promise<void> {
  writeFileSync(
    config,
    `global
  stats socket ${sockets.admin} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
resolvers cloudmapd
  nameserver own ${transport}127.0.0.1:${daemon().dnsPort}
  accepted_payload_size 1232
  resolve_retries 3
  timeout resolve 100ms
  timeout retry 500ms
  hold valid 100ms
  hold obsolete ${holdObsolete}
  hold nx 0s
  hold other 0s
  hold refused 0s
  hold timeout 0s
frontend all
  bind unix@${sockets.http}
  default_backend web
backend web
  balance roundrobin
  option redispatch
  ${servers} resolvers cloudmapd init-addr none
`,
  );
  const server = startServer('haproxy', ['-db', '-f', config]);
  haproxy = server;
  await server.until('its start', async () => (await command('show info').catch(() => '')).includes('Version'));
}

/** Of the runtime API. */
async function command(text: string): Promise<string> {
  const socket = connect(sockets.admin);
  socket.end(`${text}\n`);
  let reply = '';
  for await (const chunk of socket) reply += chunk;
  return reply;
}

/** Address and port of each server that requests are sent to, in order. */
async function servers(): Promise<string[]> {
  const lines = (await command('show servers state web')).split('\n');
  const names = (lines[1] ?? '').slice('# '.length).split(' ');
  const rows = lines.slice(2).filter((line) => line !== '');
  const states = rows.map((row) => Object.fromEntries(row.split(' ').map((field, i) => [names[i], field])));
  const up = states.filter(
    ({ srv_admin_state, srv_op_state }) => (Number(srv_admin_state) & DISABLED) === 0 && srv_op_state === '2',
  );
  return up.map(({ srv_addr, srv_port }) => `${srv_addr}:${srv_port}`).sort();
}

async function serversBecome(expected: readonly string[]): Promise<void> {
  await haproxy?.until(`servers ${expected}`, async () => `${await servers()}` === `${expected.toSorted()}`);
}

/** The status and body of a request through HAProxy. */
async function get(): Promise<string> {
  const [response] = await once(request({ socketPath: sockets.http, path: '/', agent: false }).end(), 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return response.statusCode === 200 ? body : `${response.statusCode}`;
}

/** Who answers requests, each once, in order. */
async function answering(): Promise<string[]> {
  const bodies: string[] = [];
  for (let i = 0; i < 3 * ADDRESSES.length; i++) bodies.push(await get());
  return [...new Set(bodies)].sort();
}

/** How many replies of ours HAProxy could make nothing of, by kind (NODATA is its `any_err`). */
async function complaints(): Promise<Record<string, number>> {
  const own = (await command('show resolvers'))
    .split(/Resolvers section /)
    .find((text) => text.startsWith('cloudmapd'));
  const counters = [...(own ?? '').matchAll(/(\w+): +(\d+)/g)].map(([, name, count]) => [name, Number(count)] as const);
  expect(counters.find(([name]) => name === 'valid')?.[1]).toBeGreaterThan(0);
  const wrong = ['snd_error', 'cname_error', 'refused', 'other', 'invalid', 'too_big', 'truncated'];
  return Object.fromEntries(counters.filter(([name, count]) => wrong.includes(name as string) && count > 0));
}

const idOf = (address: string): string => `web-${ADDRESSES.indexOf(address)}`;

const SRV_SERVERS = 'server-template web 5 _web._tcp.corp.internal resolve-prefer ipv4';

describe.each([
  ['UDP', ''],
  ['TCP', 'tcp@'],
] as const)('SRV records over %s', (_name, transport) => {
  it('fill a server-template, which follows register and deregister', async () => {
    const service = await api.createService(namespaceId, '_web._tcp', { records: [['SRV', 10]] });
    const [first, second, third] = ADDRESSES as [string, string, string];
    const register = (address: string): Promise<string> =>
      api.register(service, idOf(address), { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: `${port}` });
    const deregister = (address: string): Promise<void> => api.deregister(service, idOf(address));
    await startHaproxy({ servers: SRV_SERVERS, transport });
    expect(await answering()).toEqual(['503']);

    await register(first);
    await serversBecome([`${first}:${port}`]);
    expect(await answering()).toEqual([first]);

    await register(second);
    await register(third);
    await serversBecome([`${first}:${port}`, `${second}:${port}`, `${third}:${port}`]);
    expect(await answering()).toEqual(ADDRESSES);

    await deregister(second);
    await serversBecome([`${first}:${port}`, `${third}:${port}`]);
    expect(await answering()).toEqual([first, third]);

    await deregister(first);
    await deregister(third);
    await serversBecome([]);
    expect(await answering()).toEqual(['503']);

    await register(second);
    await serversBecome([`${second}:${port}`]);
    expect(await answering()).toEqual([second]);
    expect(await complaints()).toEqual({});
  });
});

it('leaves out what becomes unhealthy', async () => {
  const service = await api.createService(namespaceId, '_web._tcp', {
    records: [['SRV', 10]],
    HealthCheckCustomConfig: {},
  });
  const [first, second] = ADDRESSES as [string, string];
  const attributes = { AWS_INSTANCE_PORT: `${port}` };
  await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: first, ...attributes });
  await api.register(service, 'web-2', { AWS_INSTANCE_IPV4: second, ...attributes });
  await startHaproxy({ servers: SRV_SERVERS });
  await serversBecome([`${first}:${port}`, `${second}:${port}`]);
  await api.setHealth(service, 'web-1', 'UNHEALTHY');
  await serversBecome([`${second}:${port}`]);
  expect(await answering()).toEqual([second]);
  await api.setHealth(service, 'web-1', 'HEALTHY');
  await serversBecome([`${first}:${port}`, `${second}:${port}`]);
});

it('fills more servers than one answer has', async () => {
  const service = await api.createService(namespaceId, '_web._tcp', { records: [['SRV', 10]] });
  const ports = Array.from({ length: 12 }, (_, i) => 7001 + i);
  for (const each of ports) {
    await api.register(service, `${each}`, { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: `${each}` });
  }
  // Eight come at a time, others each time: one that is missing from an answer is not gone.
  await startHaproxy({ servers: SRV_SERVERS.replace(' 5 ', ' 12 '), holdObsolete: '60s' });
  await serversBecome(ports.map((each) => `127.0.0.1:${each}`));
  expect(await complaints()).toEqual({});
});

it('asks for the addresses that had no room beside the SRV records', async () => {
  const service = await api.createService(namespaceId, '_web._tcp', { records: [['SRV', 10]] });
  const ports = Array.from({ length: 8 }, (_, i) => 7001 + i);
  for (const each of ports) {
    const attributes = { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: `${each}` };
    await api.register(service, `${'x'.repeat(56)}-${each}`, attributes);
  }
  const { tc, answer, additional } = await dig(daemon().dnsPort, '_web._tcp.corp.internal', 'SRV', { edns: 1232 });
  expect({ tc, answers: answer.length }).toEqual({ tc: false, answers: 8 });
  expect(additional.length).toBeLessThan(8);
  await startHaproxy({ servers: SRV_SERVERS.replace(' 5 ', ' 8 ') });
  await serversBecome(ports.map((each) => `127.0.0.1:${each}`));
  expect(await complaints()).toEqual({});
});

// By its default it asks for AAAA first, and for A when there is NODATA.
it.each(['ipv4', 'ipv6'])('A records fill a server-template that prefers %s', async (family) => {
  const service = await api.createService(namespaceId, 'web', { records: [['A', 10]] });
  const [first, second, third] = ADDRESSES as [string, string, string];
  await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: first });
  await startHaproxy({ servers: `server-template web 3 web.corp.internal:${port} resolve-prefer ${family}` });
  await serversBecome([`${first}:${port}`]);
  await api.register(service, 'web-2', { AWS_INSTANCE_IPV4: second });
  await api.register(service, 'web-3', { AWS_INSTANCE_IPV4: third });
  await serversBecome(ADDRESSES.map((address) => `${address}:${port}`));
  expect(await answering()).toEqual(ADDRESSES);
  await api.deregister(service, 'web-1');
  await serversBecome([`${second}:${port}`, `${third}:${port}`]);
  expect(await answering()).toEqual([second, third]);
  expect(await complaints()).toEqual({});
});
