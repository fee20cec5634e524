/** `cloudmapd wait`: what scripts do in place of a sleep. */
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectFailure, runCli, runWell, startCli } from '../support/cli.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon } from '../support/journey-tools.ts';
import { freePort } from './clients/programs.ts';

const NOBODY = 'http://127.0.0.1:1';
const journey = setUpJourney();
const CHECKED = { HealthCheckCustomConfig: { FailureThreshold: 1 } };

it('waits for the daemon, the namespace, the service and its instances, one after the other', async () => {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const { child, ended } = startCli(['wait', 'late.internal', 'web', '--healthy', '2', '--endpoint', endpoint]);
  const settings = { STORE: 'memory', HTTP: `127.0.0.1:${port}` };
  const { dnsPort } = await journey.start({ settings });
  const api = new Api(endpoint);
  const steps = [
    async () => undefined,
    async () => (namespace = await api.createNamespace('late.internal')),
    async () => (service = await api.createService(namespace, 'web', CHECKED)),
    () => api.register(service, 'a', { AWS_INSTANCE_IPV4: '10.0.0.1' }),
    () => api.register(service, 'b', { AWS_INSTANCE_IPV4: '10.0.0.2', AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' }),
  ];
  let namespace = '';
  let service = '';
  for (const step of steps) {
    await step();
    expect(child.exitCode).toBe(null);
  }
  await api.setHealth(service, 'b', 'HEALTHY');
  expect(await ended).toEqual({ code: 0, stdout: 'late.internal/web: 2 healthy instances\n', stderr: '' });
  expect((await dig(dnsPort, 'web.late.internal', 'A')).answer).toHaveLength(2);
});

describe('with a daemon', () => {
  const daemon = shareDaemon({ settings: { STORE: 'memory' } });
  let api: Api;
  let namespace: string;
  let web: string;
  beforeAll(async () => {
    api = new Api(daemon().endpoint);
    namespace = await api.createNamespace('shop.internal');
    web = await api.createService(namespace, 'web', CHECKED);
    for (const i of [1, 2, 3, 4, 5]) await api.register(web, `web-${i}`, { AWS_INSTANCE_IPV4: `10.0.0.${i}` });
    for (const i of [2, 3, 4, 5]) await api.setHealth(web, `web-${i}`, 'UNHEALTHY');
    const plain = await api.createService(namespace, 'plain');
    await api.register(plain, 'plain-1', { AWS_INSTANCE_IPV4: '10.0.1.1' });
    await api.createService(namespace, 'empty');
  });
  const env = () => ({ CLOUDMAPD_ENDPOINT: daemon().endpoint });
  const well = (...args: string[]) => runWell(['wait', ...args], { env: env() });
  const run = (...args: string[]) => runCli(['wait', ...args], { env: env() });

  it('what is there already is found at once, also with no time at all', async () => {
    expect(await well('shop.internal', 'web')).toBe('shop.internal/web: 1 healthy instance\n');
    expect(JSON.parse(await well('shop.internal', 'web', '--timeout', '0', '--json'))).toEqual({
      namespace: 'shop.internal',
      service: 'web',
      wanted: 1,
      instances: ['web-1'],
    });
  });

  it('without a check every instance counts', async () => {
    expect(await well('shop.internal', 'plain')).toBe('shop.internal/plain: 1 healthy instance\n');
  });

  it('--healthy 0 waits for the service alone', async () => {
    expect(await well('shop.internal', 'empty', '--healthy', '0')).toBe('shop.internal/empty is there\n');
    expectFailure(await run('shop.internal', 'nope', '--healthy', '0', '--timeout', '0'), 1, 'no service "nope"');
  });

  it.each([
    [
      'shop.internal web --healthy 2 --timeout 4s',
      'shop.internal/web: 1 of 5 instances healthy, 2 wanted; UNHEALTHY: web-2, web-3, web-4 and 1 more (waited 4s)',
    ],
    ['shop.internal empty --timeout 0s', 'shop.internal/empty: 0 of 0 instances healthy, 1 wanted (waited 0s)'],
    ['shop.internal nope --timeout 4', 'there is no service "nope" in shop.internal; there is empty, plain, web'],
    ['nope.internal web --timeout 0', 'there is no namespace "nope.internal"; there is shop.internal (waited 0)'],
    [`shop.internal web --timeout 0 --endpoint ${NOBODY}`, `no cloudmapd answers at ${NOBODY}: `],
  ])('%s ends with exit code 1, and what there is', async (line, message) => {
    expectFailure(await run(...line.split(' ')), 1, message);
  });

  it('a service that is deleted and made anew meanwhile is the one that is waited for', async () => {
    const first = await api.createService(namespace, 'anew', CHECKED);
    const { child, ended } = startCli(['wait', 'shop.internal', 'anew'], { env: env() });
    await api.deleteService(first);
    const second = await api.createService(namespace, 'anew', CHECKED);
    expect(child.exitCode).toBe(null);
    await api.register(second, 'a', { AWS_INSTANCE_IPV4: '10.0.2.1' });
    expect(await ended).toEqual({ code: 0, stdout: 'shop.internal/anew: 1 healthy instance\n', stderr: '' });
  });

  it('what was found is in DNS when it ends', async () => {
    const fast = await api.createService(namespace, 'fast', CHECKED);
    for (let i = 0; i < 5; i++) {
      const { ended } = startCli(['wait', 'shop.internal', 'fast', '--healthy', String(i + 1)], { env: env() });
      await api.register(fast, `fast-${i}`, { AWS_INSTANCE_IPV4: `10.0.3.${i}` });
      expect(await ended).toMatchObject({ code: 0 });
      expect((await dig(daemon().dnsPort, 'fast.shop.internal', 'A')).answer).toHaveLength(i + 1);
    }
  });

  it('under a name of the daemon that is not its own it ends too', async () => {
    const relay = createHttpServer((request, response) => {
      const { method, url: path, headers } = request;
      const to = httpRequest(
        { port: daemon().httpPort, method, path, headers: { ...headers, host: 'other.example' } },
        (from) => {
          response.writeHead(from.statusCode as number, from.headers);
          from.pipe(response);
        },
      );
      request.pipe(to);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    try {
      const endpoint = `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
      expectFailure(await runCli(['flush', '--endpoint', endpoint]), 1, 'other.example');
      expect(await well('shop.internal', 'web', '--endpoint', endpoint)).toContain('1 healthy instance');
    } finally {
      relay.close();
    }
  });

  it('a mistake in the call ends it at once, with exit code 2', async () => {
    for (const flags of [
      ['--healthy', 'two'],
      ['--healthy', '-1'],
      ['--healthy', '1001'],
      ['--timeout', 'soon'],
      ['--timeout', '-1s'],
      ['--timeout', '30d'],
      ['--timeout', '9999h'],
    ]) {
      expectFailure(await run('shop.internal', 'nope', ...flags), 2, flags[0] as string);
    }
    expectFailure(await run('shop.internal'), 2);
  });
});

it('whoever takes connections and never answers is told when the time is over', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ended = await runCli(['wait', 'a', 'b', '--timeout', '500ms', '--endpoint', endpoint]);
    expectFailure(ended, 1, endpoint, 'it does not answer (waited 500ms)');
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
