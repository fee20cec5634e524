/** What was answered with 200 outlives `kill -9`, in DNS and in every read call. */
import {
  DeleteServiceCommand,
  DiscoverInstancesCommand,
  GetInstanceCommand,
  GetServiceCommand,
  ListNamespacesCommand,
  ListOperationsCommand,
  ListServicesCommand,
} from '@aws-sdk/client-servicediscovery';
import { describe, expect, it } from 'vitest';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { nextMillisecond, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { keptHealth } from '../support/probing.ts';

const journey = setUpJourney();

async function addressesOf(port: number, name: string): Promise<string[]> {
  const { answer } = await dig(port, name, 'A');
  return answer.map((record) => record.split(' ').at(-1) as string).sort();
}

describe('kill -9 and a restart on the same folder', () => {
  it('keeps the SOA serial, which fast changes have driven ahead of the clock', async () => {
    const serialOf = async (port: number): Promise<number> =>
      Number((await dig(port, 'corp.internal', 'SOA')).answer[0]?.split(' ')[6]);
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'web');
    const seen = [await serialOf(first.dnsPort)];
    // One after the other, since calls that arrive together share a batch and its serial.
    for (let n = 0; n < 40 || (seen.at(-1) as number) <= Date.now() / 1000; n++) {
      await before.register(service, 'web-1', { AWS_INSTANCE_IPV4: `10.0.${n >> 8}.${n & 255}` });
      seen.push(await serialOf(first.dnsPort));
    }
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    await first.stop('SIGKILL');

    const { endpoint, dnsPort } = await journey.start({ dataDir });
    expect(await serialOf(dnsPort)).toBe(seen.at(-1));
    await new Api(endpoint).deregister(service, 'web-1');
    expect(await serialOf(dnsPort)).toBeGreaterThan(seen.at(-1) as number);
  });

  it('keeps an instance whose RegisterInstance was answered a moment before', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const namespace = await before.createNamespace('corp.internal');
    const service = await before.createService(namespace, 'web');
    const attributes = { AWS_INSTANCE_IPV4: '10.0.0.7', AWS_INSTANCE_PORT: '8080', stage: 'beta' };
    const operation = await before.register(service, 'web-1', attributes);
    await first.stop('SIGKILL');

    const { endpoint, dnsPort } = await journey.start({ dataDir });
    const api = new Api(endpoint);
    expect(await dig(dnsPort, 'web.corp.internal', 'A')).toMatchObject({
      rcode: 'NOERROR',
      answer: ['web.corp.internal. 60 IN A 10.0.0.7'],
    });
    expect(await api.sdk.send(new GetInstanceCommand({ ServiceId: service, InstanceId: 'web-1' }))).toMatchObject({
      Instance: { Id: 'web-1', Attributes: attributes },
    });
    expect(await api.instanceIds(service)).toEqual(['web-1']);
    expect(
      await api.sdk.send(new DiscoverInstancesCommand({ NamespaceName: 'corp.internal', ServiceName: 'web' })),
    ).toMatchObject({ Instances: [{ InstanceId: 'web-1', HealthStatus: 'UNKNOWN', Attributes: attributes }] });
    expect(await api.healthOf(service)).toEqual({ 'web-1': 'UNKNOWN' });
    expect(await api.operation(operation)).toMatchObject({
      Type: 'REGISTER_INSTANCE',
      Status: 'SUCCESS',
      Targets: { INSTANCE: 'web-1', SERVICE: service },
    });
    const { Operations } = await api.sdk.send(
      new ListOperationsCommand({ Filters: [{ Name: 'SERVICE_ID', Values: [service] }] }),
    );
    expect(Operations).toEqual([{ Id: operation, Status: 'SUCCESS' }]);
    expect(await api.sdk.send(new GetServiceCommand({ Id: service }))).toMatchObject({
      Service: { InstanceCount: 1, NamespaceId: namespace },
    });
    expect(await api.sdk.send(new ListServicesCommand({}))).toMatchObject({
      Services: [{ Id: service, InstanceCount: 1 }],
    });
    expect(await api.sdk.send(new ListNamespacesCommand({}))).toMatchObject({
      Namespaces: [{ Id: namespace, ServiceCount: 1 }],
    });
  });

  it('keeps every one of many registrations in flight that was acknowledged, and shows no half of the others', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'db', {
      records: [['SRV', 60]],
    });
    const ids = Array.from({ length: 200 }, (_, i) => `db-${i}`);
    const acknowledged: string[] = [];
    const calls = ids.map(async (id, i) => {
      await before.register(service, id, { AWS_INSTANCE_IPV4: `10.0.1.${i}`, AWS_INSTANCE_PORT: '5432' });
      acknowledged.push(id);
      if (acknowledged.length === 20) void first.stop('SIGKILL');
    });
    await Promise.allSettled(calls);
    await first.exited;
    expect(acknowledged.length).toBeLessThan(ids.length);

    const { endpoint, dnsPort } = await journey.start({ dataDir });
    const api = new Api(endpoint);
    const listed = await api.instanceIds(service);
    expect(listed).toEqual(expect.arrayContaining(acknowledged));
    // An SRV target is a name of its own, so DNS can be asked for each instance.
    const answers = await Promise.all(ids.map((id) => dig(dnsPort, `${id}.db.corp.internal`, 'A')));
    const inDns = ids.filter((_, i) => answers[i]?.answer.length === 1);
    expect(inDns.sort()).toEqual(listed);
    expect(new Set(answers.map(({ rcode }) => rcode))).toEqual(new Set(['NOERROR', 'NXDOMAIN']));
    const { Service } = await api.sdk.send(new GetServiceCommand({ Id: service }));
    expect(Service?.InstanceCount).toBe(listed.length);
  });

  it('keeps a deregistration', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'web');
    await before.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    await before.register(service, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' });
    await before.deregister(service, 'web-1');
    await first.stop('SIGKILL');

    const second = await journey.start({ dataDir });
    const api = new Api(second.endpoint);
    expect(await addressesOf(second.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.2']);
    expect(await api.instanceIds(service)).toEqual(['web-2']);
    expect((await api.discover('corp.internal', 'web')).ids).toEqual(['web-2']);
    await expect(api.attributesOf(service, 'web-1')).rejects.toMatchObject({ name: 'InstanceNotFound' });
    await api.deregister(service, 'web-2');
    await second.stop('SIGKILL');

    const third = await journey.start({ dataDir });
    expect(await dig(third.dnsPort, 'web.corp.internal', 'A')).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
    expect(await new Api(third.endpoint).instanceIds(service)).toEqual([]);
  });

  it('keeps custom statuses and which instance was the last healthy one', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'web', {
      HealthCheckCustomConfig: {},
    });
    for (const id of ['1', '2', '3']) await before.register(service, id, { AWS_INSTANCE_IPV4: `10.0.0.${id}` });
    for (const id of ['3', '1', '2']) {
      await nextMillisecond();
      await before.setHealth(service, id, 'UNHEALTHY');
    }
    await first.stop('SIGKILL');

    const second = await journey.start({ dataDir });
    const api = new Api(second.endpoint);
    expect(await api.healthOf(service)).toEqual({ 1: 'UNHEALTHY', 2: 'UNHEALTHY', 3: 'UNHEALTHY' });
    expect(await addressesOf(second.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.2']);
    // The ones before it are remembered too.
    await api.deregister(service, '2');
    expect(await addressesOf(second.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.1']);
    await api.setHealth(service, '3', 'HEALTHY');
    await second.stop('SIGKILL');

    const third = await journey.start({ dataDir });
    expect(await addressesOf(third.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.3']);
    expect((await new Api(third.endpoint).discover('corp.internal', 'web', 'HEALTHY')).ids).toEqual(['3']);
  });

  it('never lets InstancesRevision go back', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const namespace = await before.createNamespace('corp.internal');
    const service = await before.createService(namespace, 'web');
    // More changes than milliseconds may pass: the revision runs ahead of the clock then.
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => before.register(service, `web-${i}`, { AWS_INSTANCE_IPV4: `10.0.0.${i}` })),
    );
    const { revision: atKill } = await before.discover('corp.internal', 'web');
    await first.stop('SIGKILL');

    const { endpoint } = await journey.start({ dataDir });
    const api = new Api(endpoint);
    expect((await api.discover('corp.internal', 'web')).revision).toBe(atKill);
    await api.deregister(service, 'web-0');
    const { revision: afterChange } = await api.discover('corp.internal', 'web');
    expect(afterChange).toBeGreaterThan(atKill);
    expect(Number.isSafeInteger(afterChange)).toBe(true);
  });

  it('lets InstancesRevision grow on when a service is deleted and made again, also over a restart', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const namespace = await before.createNamespace('corp.internal');
    const service = await before.createService(namespace, 'web');
    await before.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    await before.deregister(service, 'web-1');
    const { revision: atDeletion } = await before.discover('corp.internal', 'web');
    await before.sdk.send(new DeleteServiceCommand({ Id: service }));
    await first.stop('SIGKILL');

    const api = new Api((await journey.start({ dataDir })).endpoint);
    const next = await api.createService(namespace, 'web');
    const { revision: whenMade } = await api.discover('corp.internal', 'web');
    await api.register(next, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    const { revision: atChange } = await api.discover('corp.internal', 'web');
    expect(atChange).toBeGreaterThan(atDeletion);
    expect(whenMade).toBeGreaterThanOrEqual(atDeletion);
  });

  it('goes on with an operation that was pending', async () => {
    const config = journey.writeFile(
      'cloudmapd.yaml',
      `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
      - { name: web, dns: { records: [{ type: A, ttl: 60 }] } }
`,
    );
    const dataDir = journey.newPath();
    const settings = { OPERATION_DELAY_MS: '1500', CONFIG: config };
    const first = await journey.start({ dataDir, settings });
    const before = new Api(first.endpoint);
    const { Services } = await before.sdk.send(new ListServicesCommand({}));
    const service = Services?.[0]?.Id as string;
    const operation = await before.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7' });
    expect(await before.operation(operation)).toMatchObject({ Status: 'PENDING' });
    expect(await dig(first.dnsPort, 'web.corp.internal', 'A')).toMatchObject({ rcode: 'NXDOMAIN' });
    await first.stop('SIGKILL');

    const { endpoint, dnsPort } = await journey.start({ dataDir, settings });
    const api = new Api(endpoint);
    await waitFor('the operation', async () => ((await api.operation(operation)).Status === 'SUCCESS' ? true : null));
    expect(await addressesOf(dnsPort, 'web.corp.internal')).toEqual(['10.0.0.7']);
    expect(await api.instanceIds(service)).toEqual(['web-1']);
  });

  it('goes on with a custom status that was waiting to take effect', async () => {
    const dataDir = journey.newPath();
    const settings = { CUSTOM_HEALTH_DELAY_MS: '1500' };
    const first = await journey.start({ dataDir, settings });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'web', {
      HealthCheckCustomConfig: {},
    });
    for (const id of ['1', '2']) await before.register(service, id, { AWS_INSTANCE_IPV4: `10.0.0.${id}` });
    await before.setHealth(service, '1', 'UNHEALTHY');
    expect(await before.healthOf(service)).toEqual({ 1: 'HEALTHY', 2: 'HEALTHY' });
    await first.stop('SIGKILL');

    const { endpoint, dnsPort } = await journey.start({ dataDir, settings });
    const api = new Api(endpoint);
    await waitFor('the status', async () => ((await api.healthOf(service))?.['1'] === 'UNHEALTHY' ? true : null));
    expect(await addressesOf(dnsPort, 'web.corp.internal')).toEqual(['10.0.0.2']);
  });

  it('lets a custom status that was waiting be cancelled, and does not let it wait anew', async () => {
    const dataDir = journey.newPath();
    const settings = { CUSTOM_HEALTH_DELAY_MS: '86400000' };
    const first = await journey.start({ dataDir, settings });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'web', {
      HealthCheckCustomConfig: {},
    });
    for (const id of ['1', '2']) {
      await before.register(service, id, { AWS_INSTANCE_IPV4: `10.0.0.${id}` });
      await before.setHealth(service, id, 'UNHEALTHY');
    }
    await first.stop('SIGKILL');
    const waiting = await keptHealth(dataDir);
    expect(waiting.get('2')).toMatchObject({ status: 'HEALTHY', pending: { status: 'UNHEALTHY' } });

    const second = await journey.start({ dataDir, settings });
    const api = new Api(second.endpoint);
    await api.setHealth(service, '1', 'HEALTHY');
    await api.setHealth(service, '2', 'UNHEALTHY');
    expect(await api.healthOf(service)).toEqual({ 1: 'HEALTHY', 2: 'HEALTHY' });
    expect(await addressesOf(second.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.1', '10.0.0.2']);
    await second.stop('SIGKILL');
    const kept = await keptHealth(dataDir);
    expect(kept.get('1')).toEqual({ ...waiting.get('1'), pending: null });
    expect(kept.get('2')).toEqual(waiting.get('2'));
  });
});
