/** What one daemon exports another one has, seen through the real SDK and DNS, and keeps over a restart. */
import {
  CreateHttpNamespaceCommand,
  DiscoverInstancesCommand,
  DiscoverInstancesRevisionCommand,
  GetInstanceCommand,
  GetNamespaceCommand,
  GetOperationCommand,
  GetServiceAttributesCommand,
  GetServiceCommand,
  ListNamespacesCommand,
  ListOperationsCommand,
  ListServicesCommand,
  ListTagsForResourceCommand,
  RegisterInstanceCommand,
  TagResourceCommand,
  UpdateServiceAttributesCommand,
} from '@aws-sdk/client-servicediscovery';
import { describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney } from '../support/journey-tools.ts';

const journey = setUpJourney();

const exportOf = async ({ endpoint }: RunningDaemon, format: string): Promise<string> =>
  (await fetch(`${endpoint}/admin/export?format=${format}`)).text();

async function importInto({ endpoint }: RunningDaemon, body: string): Promise<unknown> {
  const response = await fetch(`${endpoint}/admin/import`, { method: 'POST', body });
  const answer = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

/** Namespaces of two kinds, services with and without checks, of which one instance is the last healthy one. */
async function fill(api: Api): Promise<void> {
  const namespace = await api.createNamespace('shop.internal');
  await api.sdk.send(
    new CreateHttpNamespaceCommand({ Name: 'calls', Description: 'two\nlines', CreatorRequestId: 'once' }),
  );
  const web = await api.createService(namespace, 'web', {
    HealthCheckCustomConfig: { FailureThreshold: 1 },
    Tags: [{ Key: 'team', Value: 'shop ☃' }],
  });
  await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1', version: '010' });
  await api.register(web, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' });
  await api.setHealth(web, 'web-1', 'UNHEALTHY');
  await api.setHealth(web, 'web-2', 'UNHEALTHY');
  const db = await api.createService(namespace, '_db._tcp', { records: [['SRV', 30]] });
  await api.register(db, 'db-1', { AWS_INSTANCE_IPV4: '10.0.1.1', AWS_INSTANCE_PORT: '5432' });
  await api.register(db, 'gone', { AWS_INSTANCE_IPV4: '10.0.1.2', AWS_INSTANCE_PORT: '5432' });
  await api.deregister(db, 'gone');
  const { Service } = await api.sdk.send(new GetServiceCommand({ Id: db }));
  await api.sdk.send(new TagResourceCommand({ ResourceARN: Service?.Arn, Tags: [{ Key: 'env', Value: 'dev' }] }));
  await api.sdk.send(new UpdateServiceAttributesCommand({ ServiceId: db, Attributes: { port: '5432' } }));
  await api.sdk.send(
    new RegisterInstanceCommand({
      ServiceId: db,
      InstanceId: 'db-2',
      CreatorRequestId: 'db-2-once',
      Attributes: { AWS_INSTANCE_IPV4: '10.0.1.3', AWS_INSTANCE_PORT: '5432' },
    }),
  );
}

const NAMES = [
  ['web.shop.internal', 'A'],
  ['_db._tcp.shop.internal', 'SRV'],
  ['db-1._db._tcp.shop.internal', 'A'],
  ['gone._db._tcp.shop.internal', 'A'],
] as const;

/** All that clients can see of it. */
async function viewOf(daemon: RunningDaemon): Promise<object> {
  const { sdk, ...api } = new Api(daemon.endpoint);
  const instancesOf = (id: string) => Api.prototype.instanceIds.call({ sdk, ...api }, id);
  const { Namespaces = [] } = await sdk.send(new ListNamespacesCommand({}));
  const { Services = [] } = await sdk.send(new ListServicesCommand({}));
  const { Operations = [] } = await sdk.send(new ListOperationsCommand({}));
  const view: Record<string, unknown> = {};
  for (const { Id, Arn } of Namespaces) {
    view[`${Id}`] = (await sdk.send(new GetNamespaceCommand({ Id }))).Namespace;
    view[`${Arn}`] = (await sdk.send(new ListTagsForResourceCommand({ ResourceARN: Arn }))).Tags;
  }
  for (const { Id, Arn } of Services) {
    const { Service } = await sdk.send(new GetServiceCommand({ Id }));
    const { Namespace } = await sdk.send(new GetNamespaceCommand({ Id: Service?.NamespaceId }));
    const names = { NamespaceName: Namespace?.Properties?.HttpProperties?.HttpName, ServiceName: Service?.Name };
    const discovered = await sdk.send(new DiscoverInstancesCommand({ ...names, HealthStatus: 'ALL' }));
    view[`${Id}`] = Service;
    view[`${Arn}`] = [
      (await sdk.send(new ListTagsForResourceCommand({ ResourceARN: Arn }))).Tags,
      (await sdk.send(new GetServiceAttributesCommand({ ServiceId: Id }))).ServiceAttributes,
      (await sdk.send(new DiscoverInstancesRevisionCommand(names))).InstancesRevision,
      discovered.Instances?.map((each) => [each.InstanceId, each.HealthStatus, each.Attributes]).sort(),
    ];
    for (const instance of await instancesOf(Id as string)) {
      const got = await sdk.send(new GetInstanceCommand({ ServiceId: Id, InstanceId: instance }));
      view[`${Id}/${instance}`] = got.Instance;
    }
  }
  for (const { Id } of Operations) {
    view[`${Id}`] = (await sdk.send(new GetOperationCommand({ OperationId: Id }))).Operation;
  }
  for (const [name, type] of NAMES) {
    const { rcode, answer, additional } = await dig(daemon.dnsPort, name, type);
    view[`${name} ${type}`] = [rcode, answer.sort(), additional.sort()];
  }
  sdk.destroy();
  return view;
}

describe('an export as JSON', () => {
  it('is brought back exactly by an import, and kept', async () => {
    const first = await journey.start();
    await fill(new Api(first.endpoint));
    const text = await exportOf(first, 'json');
    const seen = await viewOf(first);
    // It is something that is compared here: the last healthy one is answered, the revision is one.
    expect(seen).toMatchObject({ 'web.shop.internal A': ['NOERROR', ['web.shop.internal. 60 IN A 10.0.0.2'], []] });

    const dataDir = journey.newPath();
    const second = await journey.start({ dataDir });
    expect(await importInto(second, text)).toMatchObject({ created: { namespaces: 2, services: 2, instances: 4 } });
    expect(await viewOf(second)).toEqual(seen);
    expect(await exportOf(second, 'json')).toBe(text);
    expect(await importInto(second, text)).toMatchObject({ differences: [] });

    expect(await second.stop()).toBe(0);
    const third = await journey.start({ dataDir });
    expect(await viewOf(third)).toEqual(seen);
    expect(await exportOf(third, 'json')).toBe(text);

    // Whoever repeats a request gets the operation that it had, as from the first daemon.
    const [of1, of3] = [new Api(first.endpoint), new Api(third.endpoint)];
    const again = { Name: 'calls', Description: 'two\nlines', CreatorRequestId: 'once' };
    const ids = [of1, of3].map(async ({ sdk }) => (await sdk.send(new CreateHttpNamespaceCommand(again))).OperationId);
    const [operation, same] = await Promise.all(ids);
    expect(same).toBe(operation);
    // And what is written now goes on from there.
    const before = (await of3.discover('shop.internal', 'web')).revision;
    const { Services = [] } = await of3.sdk.send(new ListServicesCommand({}));
    const web = Services.find(({ Name }) => Name === 'web')?.Id as string;
    await of3.register(web, 'web-3', { AWS_INSTANCE_IPV4: '10.0.0.3' });
    const after = await of3.discover('shop.internal', 'web');
    expect(after.ids).toEqual(['web-3']);
    expect(after.revision).toBeGreaterThan(before);
    expect((await dig(third.dnsPort, 'web.shop.internal', 'A')).answer).toEqual([
      'web.shop.internal. 60 IN A 10.0.0.3',
    ]);
  });
});

describe('a daemon with a configuration file', () => {
  const CONTENT = `namespaces:
  - name: demo.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
`;

  it('is restored from its JSON, into a new folder before the first start with the file', async () => {
    const config = journey.writeFile('shop.yaml', CONTENT);
    const first = await journey.start({ args: ['--config', config] });
    await fill(new Api(first.endpoint));
    const text = await exportOf(first, 'json');
    const dataDir = journey.newPath();
    const second = await journey.start({ dataDir });
    await importInto(second, text);
    expect(await second.stop()).toBe(0);
    const third = await journey.start({ dataDir, args: ['--config', config] });
    expect(await exportOf(third, 'json')).toBe(text);
    expect((await dig(third.dnsPort, 'web.demo.internal', 'A')).answer).toEqual([
      'web.demo.internal. 10 IN A 10.0.0.1',
    ]);
    // It is the file's again.
    expect(await third.stop()).toBe(0);
    const emptied = journey.writeFile('shop.yaml', 'namespaces: []\n');
    const fourth = await journey.start({ dataDir, args: ['--config', emptied] });
    expect(await exportOf(fourth, 'json')).not.toContain('demo.internal');
    expect(await exportOf(fourth, 'json')).toContain('shop.internal');
  });
});

describe('an export as YAML', () => {
  it('is a configuration file that makes the same content', async () => {
    const first = await journey.start();
    const api = new Api(first.endpoint);
    await fill(api);
    const { Services = [] } = await api.sdk.send(new ListServicesCommand({}));
    const web = Services.find(({ Name }) => Name === 'web')?.Id as string;
    await api.setHealth(web, 'web-2', 'HEALTHY');
    await api.setHealth(web, 'web-1', 'HEALTHY');
    const yaml = await exportOf(first, 'yaml');
    const config = journey.writeFile('export.yaml', yaml);
    const second = await journey.start({ args: ['--config', config] });
    expect(await exportOf(second, 'yaml')).toBe(yaml);
    for (const [name, type] of NAMES) {
      const [one, other] = await Promise.all([first, second].map(({ dnsPort }) => dig(dnsPort, name, type)));
      const told = [one, other].map((answer) => [answer?.rcode, answer?.answer.sort(), answer?.additional.sort()]);
      expect(told[1]).toEqual(told[0]);
    }
    // What is declared is not in the way of its own export.
    expect(await importInto(second, await exportOf(second, 'json'))).toMatchObject({ differences: [] });
  });
});

describe('an import', () => {
  it('takes nothing from clients that write meanwhile, and DNS follows both', async () => {
    const daemon = await journey.start();
    const api = new Api(daemon.endpoint);
    const namespace = await api.createNamespace('busy.internal');
    const service = await api.createService(namespace, 'web');
    const document = {
      cloudmapd: 1,
      services: Array.from({ length: 200 }, (_, i) => ({
        id: `srv-imported-${i}`,
        namespaceId: namespace,
        name: `of-${i}`,
        dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 60 }] },
      })),
      instances: Array.from({ length: 4000 }, (_, i) => ({
        serviceId: `srv-imported-${i % 200}`,
        id: `i-${i}`,
        attributes: { AWS_INSTANCE_IPV4: `10.2.${i >> 8}.${i & 255}` },
      })),
    };
    let isDone = false;
    const importing = importInto(daemon, JSON.stringify(document)).finally(() => {
      isDone = true;
    });
    const written: string[] = [];
    while (!isDone) {
      const id = `api-${written.length}`;
      await api.register(service, id, { AWS_INSTANCE_IPV4: '10.3.0.1' });
      written.push(id);
      // In DNS when the call returns, in the midst of the import too.
      expect((await dig(daemon.dnsPort, 'web.busy.internal', 'A')).answer.length).toBeGreaterThan(0);
    }
    expect(await importing).toMatchObject({ created: { services: 200, instances: 4000 } });
    expect(written.length).toBeGreaterThan(1);
    expect(await api.instanceIds(service)).toEqual([...written].sort());
    for (const i of [0, 77, 199]) {
      expect((await dig(daemon.dnsPort, `of-${i}.busy.internal`, 'A')).answer).toHaveLength(8);
    }
  });
});
