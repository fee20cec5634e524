/** `GET /admin/events` of a running daemon. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dns, startApi, type TestApi } from '../support/api.ts';
import { type EventReader, readEvents } from '../support/event-reader.ts';
import { waitFor } from '../support/journey-tools.ts';

let api: TestApi;
const readers: EventReader[] = [];
beforeAll(async () => {
  api = await startApi({ quotaInstancesPerService: '0', quotaInstancesPerNamespace: '0' });
});
afterAll(async () => {
  for (const reader of readers) reader.close();
  await api.close();
});

async function look(query = ''): Promise<EventReader> {
  const reader = await readEvents(api.endpoint, query);
  readers.push(reader);
  return reader;
}

const CUSTOM = { ...dns({ A: 10 }), HealthCheckCustomConfig: {} };
const ADDRESS = { AWS_INSTANCE_IPV4: '10.0.0.1' };

describe('the stream', () => {
  it('is lines of JSON, and its head comes before anything happens', async () => {
    const { response } = await look();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  });

  it('tells what is created, changed and removed, with names and ids, in the order in which it happens', async () => {
    const reader = await look('?namespace=life.internal');
    const before = Date.now();
    const namespaceId = await api.createNamespace('PrivateDns', { Name: 'life.internal' });
    const serviceId = await api.createService(namespaceId, 'web', CUSTOM);
    await api.register(serviceId, 'web-1', ADDRESS);
    await api.ok('UpdateInstanceCustomHealthStatus', {
      ServiceId: serviceId,
      InstanceId: 'web-1',
      Status: 'UNHEALTHY',
    });
    await api.register(serviceId, 'web-1', { ...ADDRESS, stage: 'beta' });
    await api.ok('UpdateServiceAttributes', { ServiceId: serviceId, Attributes: { team: 'a' } });
    await api.ok('DeregisterInstance', { ServiceId: serviceId, InstanceId: 'web-1' });
    await api.ok('DeleteService', { Id: serviceId });
    await api.ok('DeleteNamespace', { Id: namespaceId });

    const inNamespace = { namespace: 'life.internal', namespaceId };
    const inService = { ...inNamespace, service: 'web', serviceId };
    const instance = { ...inService, instance: 'web-1' };
    const lines = await reader.take(10);
    expect(lines.map(({ at, ...line }) => line)).toEqual([
      { event: 'namespace-created', ...inNamespace, manager: 'api' },
      { event: 'service-created', ...inService, manager: 'api' },
      { event: 'instance-created', ...instance, manager: 'api', attributes: ADDRESS },
      {
        event: 'health-changed',
        ...instance,
        health: 'UNHEALTHY',
        before: 'HEALTHY',
        reason: 'UpdateInstanceCustomHealthStatus',
      },
      {
        event: 'instance-changed',
        ...instance,
        manager: 'api',
        attributes: { ...ADDRESS, stage: 'beta' },
        changed: ['attributes'],
      },
      { event: 'health-changed', ...instance, health: 'HEALTHY', before: 'UNHEALTHY', reason: 'registered anew' },
      { event: 'service-changed', ...inService, manager: 'api', changed: ['attributes'] },
      { event: 'instance-removed', ...instance, manager: 'api', attributes: { ...ADDRESS, stage: 'beta' } },
      { event: 'service-removed', ...inService, manager: 'api' },
      { event: 'namespace-removed', ...inNamespace, manager: 'api' },
    ]);
    for (const { at } of lines) {
      expect(new Date(at).toISOString()).toBe(at);
      expect(Date.parse(at)).toBeGreaterThanOrEqual(before);
    }
  });

  it('tells what probes find, with their reason', async () => {
    const namespaceId = await api.createNamespace('PublicDns', { Name: 'probed.example' });
    const check = { HealthCheckConfig: { Type: 'TCP', FailureThreshold: 1 } };
    const serviceId = await api.createService(namespaceId, 'web', { ...dns({ A: 10 }), ...check });
    const reader = await look(`?service=${serviceId}`);
    // A port that nobody listens on.
    await api.register(serviceId, 'web-1', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' });
    expect(await reader.take(2)).toMatchObject([
      { event: 'instance-created', instance: 'web-1' },
      { event: 'health-changed', instance: 'web-1', health: 'UNHEALTHY', reason: 'connect ECONNREFUSED, 1 in a row' },
    ]);
  });

  it('tells of an alias what it is answered with', async () => {
    const namespaceId = await api.createNamespace('PrivateDns', { Name: 'alias.internal' });
    const target = await api.createService(namespaceId, 'target', dns({ A: 10 }));
    const serviceId = await api.createService(namespaceId, 'front', dns({ A: 10 }, 'WEIGHTED'));
    await api.register(serviceId, 'front-1', { AWS_ALIAS_DNS_NAME: 'target.alias.internal' });
    const reader = await look('?namespace=alias.internal&service=front');
    await api.register(target, 'target-1', ADDRESS);
    expect(await reader.next()).toMatchObject({
      event: 'alias-changed',
      alias: 'target.alias.internal',
      resolves: true,
      ipv4: ['10.0.0.1'],
      subjects: [{ service: 'front' }],
    });
  });

  it('gives each client what it asked for, by name in any case or by id', async () => {
    const one = await api.createNamespace('Http', { Name: 'one' });
    const two = await api.createNamespace('Http', { Name: 'two' });
    const [byName, byId, byService] = await Promise.all([
      look('?namespace=ONE'),
      look(`?namespace=${two}`),
      look('?namespace=two&service=b'),
    ]);
    await api.createService(one, 'a');
    await api.createService(two, 'a');
    await api.createService(two, 'b');
    expect(await byName.next()).toMatchObject({ namespace: 'one', service: 'a' });
    expect(await byId.take(2)).toMatchObject([
      { namespace: 'two', service: 'a' },
      { namespace: 'two', service: 'b' },
    ]);
    expect(await byService.next()).toMatchObject({ namespace: 'two', service: 'b' });
  });

  it('has no head alone, as it has no end', async () => {
    expect((await fetch(`${api.endpoint}/admin/events`, { method: 'HEAD' })).status).toBe(404);
  });

  it('refuses what it does not know', async () => {
    const response = await fetch(`${api.endpoint}/admin/events?zone=x`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringContaining('zone') });
  });

  it.each([
    ['namespace', 'no name'],
    ['namespace', ''],
    ['namespace', 'arn:aws:servicediscovery:us-east-1:123456789012:service/srv-aaaaaaaaaaaaaaaa'],
    ['service', 'a..b'],
    ['service', 'arn:aws:servicediscovery:us-east-1:123456789012:namespace/ns-aaaaaaaaaaaaaaaa'],
  ])('refuses a %s that nothing can be called: "%s"', async (key, value) => {
    const response = await fetch(`${api.endpoint}/admin/events?${new URLSearchParams({ [key]: value })}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: `${key}: "${value}" is no name, id or ARN of a ${key}` });
  });

  it('has what discovery calls a namespace where that is not its name, and is asked for by that', async () => {
    await api.createNamespace('PrivateDns', { Name: 'twin' });
    const twin = await api.createNamespace('Http', { Name: 'twin' });
    const { Namespace } = await api.ok('GetNamespace', { Id: twin });
    const httpName = Namespace.Properties.HttpProperties.HttpName;
    const reader = await look(`?namespace=${httpName}`);
    await api.ok('DeleteService', { Id: await api.createService(twin, 'jobs') });
    await api.ok('DeleteNamespace', { Id: twin });
    expect(await reader.take(3)).toMatchObject([
      { event: 'service-created', namespace: 'twin', httpName, service: 'jobs' },
      { event: 'service-removed', namespace: 'twin', httpName },
      { event: 'namespace-removed', namespace: 'twin', namespaceId: twin, httpName },
    ]);
  });
});

it('a client that does not read is cut off, with a last line that says so, and others go on', async () => {
  const namespaceId = await api.createNamespace('Http', { Name: 'flood' });
  const serviceId = await api.createService(namespaceId, 'a');
  const reader = await look('?namespace=flood');
  const socket = connect(api.httpPort, '127.0.0.1');
  socket.write('GET /admin/events?namespace=flood HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'readable');
  socket.pause();
  // What the system's buffers hold, and more than waits behind them; no more at once than the daemon keeps for a reader.
  const attributes = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`k${n}`, 'v'.repeat(900)]));
  for (let round = 0; round < 6; round++) {
    const instances = Array.from({ length: 2000 }, (_, n) => ({ id: `i${round}-${n}`, attributes }));
    const content = { namespaces: [{ name: 'flood', type: 'HTTP', services: [{ name: 'a', instances }] }] };
    const imported = await fetch(`${api.endpoint}/admin/import`, { method: 'POST', body: JSON.stringify(content) });
    expect(await imported.json()).toMatchObject({ created: { instances: 2000 } });
    expect((await reader.take(2000)).at(-1)).toMatchObject({ event: 'instance-created', namespace: 'flood' });
  }
  await api.register(serviceId, 'last', {});
  expect(await reader.next()).toMatchObject({ instance: 'last' });

  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  socket.resume();
  // The answer's end, as chunks are written (RFC 9112 s7.1).
  await waitFor('the end', () => (text.endsWith('\r\n0\r\n\r\n') ? true : null));
  const last = text.slice(text.lastIndexOf('{"at"'), text.lastIndexOf('}') + 1);
  expect(JSON.parse(last)).toEqual({
    at: expect.any(String),
    event: 'cut-off',
    reason: expect.stringMatching(/^this client reads too slowly: \d{4} lines were waiting for it, and are lost$/),
  });
  expect(text).not.toContain('"last"');
  socket.destroy();
});

it('what happens in one turn is told whole to whoever reads: an import of sixty thousand', async () => {
  const own = await startApi();
  const reader = await readEvents(own.endpoint);
  const instances = Array.from({ length: 60_000 }, (_, i) => ({ id: `i-${i}`, attributes: { k: 'v'.repeat(200) } }));
  const content = { namespaces: [{ name: 'large', type: 'HTTP', services: [{ name: 'web', instances }] }] };
  const imported = await fetch(`${own.endpoint}/admin/import`, { method: 'POST', body: JSON.stringify(content) });
  expect(imported.status).toBe(200);
  const lines = await reader.take(60_002);
  expect(lines.at(-1)).toMatchObject({ event: 'instance-created', instance: expect.stringMatching(/^i-/) });
  expect(new Set(lines.map(({ instance }) => instance)).size).toBe(60_001);
  await own.close();
});

it('a daemon that stops ends the stream, and does not wait for whoever looks on', async () => {
  const own = await startApi();
  const reader = await readEvents(own.endpoint);
  const services = [{ name: 'web', instances: [{ id: 'web-1', attributes: { k: 'v' } }] }];
  const body = JSON.stringify({ namespaces: [{ name: 'gone', type: 'HTTP', services }] });
  const imported = await fetch(`${own.endpoint}/admin/import`, { method: 'POST', body });
  expect(await imported.text()).toContain('"created"');
  expect(await reader.take(3)).toMatchObject([
    { event: 'namespace-created', namespace: 'gone', manager: 'import' },
    { event: 'service-created', namespace: 'gone', service: 'web' },
    { event: 'instance-created', namespace: 'gone', service: 'web', instance: 'web-1' },
  ]);
  await own.close();
  expect(await reader.next()).toBeNull();
});
