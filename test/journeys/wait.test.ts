/** `cloudmapd wait`: what scripts do in place of a sleep. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  CreateHttpNamespaceCommand,
  CreateServiceCommand,
  DeleteNamespaceCommand,
} from '@aws-sdk/client-servicediscovery';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectFailure, runCli, runWell, startCli } from '../support/cli.ts';
import { dig } from '../support/dns.ts';
import { httpRelayTo } from '../support/http-relay.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon } from '../support/journey-tools.ts';
import { requireTerminal, startInTerminal } from '../support/terminal.ts';
import { freePort } from './clients/programs.ts';

const NOBODY = 'http://127.0.0.1:1';
const journey = setUpJourney();
const CHECKED = { HealthCheckCustomConfig: { FailureThreshold: 1 } };

it('waits for the daemon, the namespace, the service and its instances, one after the other', async (context) => {
  requireTerminal(context);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  // A terminal is told each time what is missing yet.
  const terminal = startInTerminal(['wait', 'late.internal', 'web', '--healthy', '2', '--endpoint', endpoint]);
  await terminal.shows(`waiting: no cloudmapd answers at ${endpoint}: `);
  const { dnsPort } = await journey.start({ settings: { STORE: 'memory', HTTP: `127.0.0.1:${port}` } });
  const api = new Api(endpoint);
  await terminal.shows('waiting: there is no namespace "late.internal"; there is none at all');
  const namespace = await api.createNamespace('late.internal');
  await terminal.shows('waiting: there is no service "web" in late.internal; there is none at all');
  const service = await api.createService(namespace, 'web', CHECKED);
  await terminal.shows('waiting: late.internal/web: 0 of 0 instances healthy, 2 wanted');
  await api.register(service, 'a', { AWS_INSTANCE_IPV4: '10.0.0.1' });
  await terminal.shows('waiting: late.internal/web: 1 of 1 instance healthy, 2 wanted');
  await api.register(service, 'b', { AWS_INSTANCE_IPV4: '10.0.0.2', AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
  await terminal.shows('waiting: late.internal/web: 1 of 2 instances healthy, 2 wanted; UNHEALTHY: b');
  await api.setHealth(service, 'b', 'HEALTHY');
  expect(await terminal.ended).toBe(0);
  expect(terminal.text().endsWith('late.internal/web: 2 healthy instances\n')).toBe(true);
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
      instances: [{ id: 'web-1', health: 'HEALTHY', attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' } }],
    });
  });

  it('without a check every instance counts', async () => {
    expect(await well('shop.internal', 'plain')).toBe('shop.internal/plain: 1 healthy instance\n');
  });

  it('tells all that are healthy, however few are wanted', async () => {
    const api = new Api(daemon().endpoint);
    const service = await api.createService(await api.createNamespace('three.internal'), 'web');
    for (const n of [1, 2, 3]) await api.register(service, `web-${n}`, { AWS_INSTANCE_IPV4: `10.0.3.${n}` });
    expect(await well('three.internal', 'web')).toBe('three.internal/web: 3 healthy instances\n');
    const { wanted, instances } = JSON.parse(await well('three.internal', 'web', '--json'));
    expect([wanted, instances.map(({ id }: { id: string }) => id)]).toEqual([1, ['web-1', 'web-2', 'web-3']]);
  });

  it('tells what is missing also where it was asked too often meanwhile', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory', QUOTA_DISCOVER_INSTANCES: '1' } });
    const api = new Api(endpoint);
    const service = await api.createService(await api.createNamespace('slow.internal'), 'web');
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.4.1' });
    const ended = await run('slow.internal', 'web', '--healthy', '2', '--timeout', '700ms', '--endpoint', endpoint);
    expectFailure(ended, 1, 'slow.internal/web: 1 of 1 instance healthy, 2 wanted (waited 700ms)');
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
    [
      'nope.internal web --timeout 0',
      'there is no namespace "nope.internal"; there is shop.internal, three.internal (waited 0)',
    ],
    [`shop.internal web --timeout 0 --endpoint ${NOBODY}`, `no cloudmapd answers at ${NOBODY}: `],
  ])('%s ends with exit code 1, and what there is', async (line, message) => {
    expectFailure(await run(...line.split(' ')), 1, message);
  });

  it('where what it had found is gone, it looks for the name again', async () => {
    const first = await api.createNamespace('twin.internal');
    const gone = await api.createService(first, 'web', CHECKED);
    // The second one of a name has another one in discovery.
    const { OperationId } = await api.sdk.send(new CreateHttpNamespaceCommand({ Name: 'twin.internal' }));
    const second = (await api.operation(OperationId)).Targets?.NAMESPACE;
    const { Service } = await api.sdk.send(new CreateServiceCommand({ NamespaceId: second, Name: 'web' }));
    const relay = await httpRelayTo(daemon().endpoint);
    const isLooking = relay.hold('DiscoverInstances');
    const { ended } = startCli(['wait', 'twin.internal', 'web', '--timeout', '20s'], {
      env: { CLOUDMAPD_ENDPOINT: relay.endpoint },
    });
    const letGo = await isLooking;
    await api.deleteService(gone);
    await api.sdk.send(new DeleteNamespaceCommand({ Id: first }));
    await api.register(Service?.Id as string, 'a', {});
    letGo();
    expect(await ended).toEqual({ code: 0, stdout: 'twin.internal/web: 1 healthy instance\n', stderr: '' });
  });

  it('ends when the answering threads have gone past what was found, and not before', async () => {
    const relay = await httpRelayTo(daemon().endpoint);
    const areAsked = relay.hold('POST /admin/flush');
    const { child, ended } = startCli(['wait', 'shop.internal', 'web'], {
      env: { CLOUDMAPD_ENDPOINT: relay.endpoint },
    });
    const letGo = await Promise.race([areAsked, ended]);
    // What was found came first: threads answer by it once they have answered this.
    expect(relay.seen.slice(-3)).toEqual(['DiscoverInstances', 'GET /readyz', 'POST /admin/flush']);
    expect(child.exitCode).toBe(null);
    (letGo as () => void)();
    expect(await ended).toEqual({ code: 0, stdout: 'shop.internal/web: 1 healthy instance\n', stderr: '' });
  });

  it('however short the time is, the first look is carried to its end', async () => {
    const own = await journey.start({ settings: { STORE: 'memory', FAULTS: 'true' } });
    const slow = new Api(own.endpoint);
    await slow.createService(await slow.createNamespace('slow.internal'), 'web');
    const body = JSON.stringify({ api: { operation: 'DiscoverInstances', fault: 'delay', delayMs: 100 } });
    expect((await fetch(`${own.endpoint}/admin/faults`, { method: 'POST', body })).status).toBe(200);
    expectFailure(
      await runCli(['wait', 'slow.internal', 'web', '--timeout', '20ms', '--endpoint', own.endpoint]),
      1,
      'slow.internal/web: 0 of 0 instances healthy, 1 wanted (waited 20ms)',
    );
  });

  it('under a name of the daemon that is not its own it ends too', async () => {
    const { endpoint } = await httpRelayTo(daemon().endpoint, { headers: { host: 'other.example' } });
    expectFailure(await runCli(['flush', '--endpoint', endpoint]), 1, 'other.example');
    expect(await well('shop.internal', 'web', '--endpoint', endpoint)).toContain('1 healthy instance');
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
