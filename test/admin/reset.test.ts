import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateHttpNamespaceCommand,
  ListOperationsCommand,
  TagResourceCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { explain } from '../support/explaining.ts';
import { FakeUpstream, GOOD } from '../support/fake-upstream.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';

const CONTENT = `
namespaces:
  - name: shop.internal
    type: DNS_PRIVATE
    vpc: vpc-1
    description: as declared
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        healthCheckCustom:
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
          - { id: web-2, attributes: { AWS_INSTANCE_IPV4: 10.0.0.2 } }
          - { id: web-3, attributes: { AWS_INSTANCE_IPV4: 10.0.0.3 } }
      - name: db
        dns: { records: [{ type: SRV, ttl: 10 }] }
        instances:
          - { id: db-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.9, AWS_INSTANCE_PORT: '5432' } }
      - name: front
        dns: { routingPolicy: WEIGHTED, records: [{ type: A, ttl: 10 }] }
        instances:
          - { id: front-1, attributes: { AWS_ALIAS_DNS_NAME: web.shop.internal } }
records:
  - { name: printer.corp.example, type: A, value: 10.0.0.5 }
`;
const folder = makeFolder();
let upstream: FakeUpstream;
let daemon: RunningDaemon;
let api: Api;
/** Ids of what is declared. */
let shop: string;
let web: string;
let db: string;

async function reset({ endpoint } = daemon): Promise<Record<string, number>> {
  const response = await fetch(`${endpoint}/admin/reset`, { method: 'POST' });
  const report = (await response.json()) as Record<string, number>;
  expect({ status: response.status, report }).toMatchObject({ status: 200 });
  return report;
}

async function exported(format: 'yaml' | 'json'): Promise<string> {
  return (await fetch(`${daemon.endpoint}/admin/export?format=${format}`)).text();
}

/** Everything that can be told of the content, but for what goes on over a reset. */
async function contentNow(): Promise<unknown> {
  const json = JSON.parse(await exported('json'));
  for (const service of json.services) delete service.revision;
  for (const instance of json.instances) delete instance.registeredAt;
  return { ...json, exportedAt: null };
}

async function addresses(name: string): Promise<string[]> {
  const { answer } = await dig(daemon.dnsPort, name, 'A');
  return answer.map((record) => record.split(' ').at(-1) as string).sort();
}

async function serialOf(zone: string): Promise<number> {
  const { answer } = await dig(daemon.dnsPort, zone, 'SOA');
  return Number(answer[0]?.split(' ')[6]);
}

const serviceIds = async (): Promise<string[]> => {
  const { services } = JSON.parse(await exported('json')) as { services: { id: string; name: string }[] };
  return ['web', 'db'].map((wanted) => services.find(({ name }) => name === wanted)?.id as string);
};

let before: unknown;
beforeAll(async () => {
  const config = join(folder.path, 'shop.yaml');
  writeFileSync(config, CONTENT);
  upstream = await FakeUpstream.open(GOOD);
  daemon = await startTestDaemon({
    dataDir: join(folder.path, 'data'),
    settings: { UPSTREAMS: upstream.endpoint, CONFIG: config, SEED: '7' },
  });
  api = new Api(daemon.endpoint);
  const { namespaces } = JSON.parse(await exported('json'));
  shop = namespaces[0].id;
  [web, db] = (await serviceIds()) as [string, string];
  before = await contentNow();
});
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await upstream?.close();
  folder.remove();
});
beforeEach(async () => {
  await reset();
});

describe('POST /admin/reset', () => {
  it('changes nothing where nothing has changed', async () => {
    const yaml = await exported('yaml');
    expect(await reset()).toEqual({ created: 0, changed: 0, removed: 0, flushed: 0 });
    expect(await exported('yaml')).toBe(yaml);
    expect(await contentNow()).toEqual(before);
  });

  it('takes away what the API and imports made, DNS included', async () => {
    const other = await api.createNamespace('other.internal');
    const service = await api.createService(other, 'api');
    await api.register(service, 'api-1', { AWS_INSTANCE_IPV4: '10.1.0.1' });
    const extra = await api.createService(shop, 'extra');
    await api.register(extra, 'extra-1', { AWS_INSTANCE_IPV4: '10.1.0.2' });
    await api.register(web, 'web-4', { AWS_INSTANCE_IPV4: '10.0.0.4' });
    const body = JSON.stringify({ namespaces: [{ name: 'imported.internal', type: 'DNS_PUBLIC' }] });
    const imported = await fetch(`${daemon.endpoint}/admin/import`, { method: 'POST', body });
    expect(await imported.json()).toMatchObject({ created: { namespaces: 1 } });
    expect(await addresses('api.other.internal')).toEqual(['10.1.0.1']);
    // A namespace, two services, three instances of the API's; a namespace of the import's.
    expect(await reset()).toMatchObject({ created: 0, changed: 0, removed: 6 + 1 });
    expect((await dig(daemon.dnsPort, 'api.other.internal', 'A')).rcode).toBe('REFUSED');
    expect((await dig(daemon.dnsPort, 'extra.shop.internal', 'A')).rcode).toBe('NXDOMAIN');
    expect(await addresses('web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(await contentNow()).toEqual(before);
  });

  it('puts back what is declared, with its ids where nobody has made it anew', async () => {
    await api.deregister(web, 'web-1');
    await api.register(web, 'web-2', { AWS_INSTANCE_IPV4: '10.9.9.9', COLOUR: 'red' });
    await api.sdk.send(
      new TagResourceCommand({
        ResourceARN: `arn:aws:servicediscovery:us-east-1:123456789012:service/${web}`,
        Tags: [{ Key: 'a', Value: 'b' }],
      }),
    );
    await api.deregister(db, 'db-1');
    await api.deleteService(db);
    await reset();
    expect(await addresses('web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(await addresses('db-1._db.shop.internal')).toEqual([]);
    expect((await dig(daemon.dnsPort, '_db.shop.internal', 'SRV')).answer).toEqual([]);
    const [webNow, dbNow] = await serviceIds();
    expect(webNow).toBe(web);
    expect(dbNow).not.toBe(db);
    db = dbNow as string;
    expect(await api.attributesOf(web, 'web-2')).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.2' });
    const now = JSON.stringify(await contentNow());
    expect(now).not.toContain('creatorRequestId');
    before = await contentNow();
  });

  it('makes anew what the API has made under a declared name', async () => {
    await api.wipe();
    expect((await dig(daemon.dnsPort, 'shop.internal', 'SOA')).rcode).toBe('REFUSED');
    const made = await api.createNamespace('shop.internal');
    const service = await api.createService(made, 'web', { records: [['AAAA', 5]] });
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV6: 'fd00::1' });
    await reset();
    expect(await addresses('web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect((await dig(daemon.dnsPort, 'web.shop.internal', 'AAAA')).answer).toEqual([]);
    expect(await exported('json')).not.toContain(made);
    const { namespaces } = JSON.parse(await exported('json'));
    shop = namespaces[0].id;
    [web, db] = (await serviceIds()) as [string, string];
    before = await contentNow();
  });

  it('forgets health, also what it was before', async () => {
    for (const id of ['web-1', 'web-2', 'web-3']) await api.setHealth(web, id, 'UNHEALTHY');
    await api.setHealth(web, 'web-2', 'HEALTHY');
    expect(await addresses('web.shop.internal')).toEqual(['10.0.0.2']);
    await waitFor('the alias', async () => ((await addresses('front.shop.internal')).length === 1 ? true : null));
    expect(await reset()).toMatchObject({ created: 0, changed: 3, removed: 0 });
    expect(await addresses('web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    // An alias follows before the reset is answered.
    expect(await addresses('front.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(await api.healthOf(web)).toEqual({ 'web-1': 'HEALTHY', 'web-2': 'HEALTHY', 'web-3': 'HEALTHY' });
    expect(await contentNow()).toEqual(before);
  });

  it('forgets operations and request ids', async () => {
    const create = () => api.sdk.send(new CreateHttpNamespaceCommand({ Name: 'once', CreatorRequestId: 'request-1' }));
    const { OperationId: first } = await create();
    await reset();
    const { Operations } = await api.sdk.send(new ListOperationsCommand({}));
    expect(Operations).toEqual([]);
    expect((await create()).OperationId).not.toBe(first);
  });

  it('never takes revisions and serials back', async () => {
    const { revision } = await api.discover('shop.internal', 'web');
    const serial = await serialOf('shop.internal');
    await api.register(web, 'web-4', { AWS_INSTANCE_IPV4: '10.0.0.4' });
    const between = (await api.discover('shop.internal', 'web')).revision;
    expect(between).toBeGreaterThan(revision);
    await reset();
    expect((await api.discover('shop.internal', 'web')).revision).toBeGreaterThan(between);
    expect(await serialOf('shop.internal')).toBeGreaterThan(serial + 1);
  });

  it('forgets what upstreams said, and leaves the static records', async () => {
    const ask = () => dig(daemon.dnsPort, 'www.example.com', 'A', { rd: true });
    await ask();
    await ask();
    const asked = upstream.timesAsked('www.example.com');
    expect((await reset()).flushed).toBe(1);
    await ask();
    expect(upstream.timesAsked('www.example.com')).toBe(asked + 1);
    expect(await addresses('printer.corp.example')).toEqual(['10.0.0.5']);
  });

  it('makes a seed draw the same from then on, whatever was deregistered', async () => {
    const draw = async (): Promise<string[]> => {
      const answers: string[] = [];
      for (let i = 0; i < 12; i++) answers.push((await dig(daemon.dnsPort, 'web.shop.internal', 'A')).answer.join());
      return answers;
    };
    const first = await draw();
    expect(new Set(first).size).toBeGreaterThan(1);
    expect(await draw()).not.toEqual(first);
    await api.deregister(web, 'web-1');
    await reset();
    expect(await draw()).toEqual(first);
  });

  it('works while calls are under way: each is answered, and none is half done', async () => {
    const registrations = Array.from({ length: 40 }, (_, n) =>
      api.register(web, `more-${n}`, { AWS_INSTANCE_IPV4: `10.2.0.${n}` }),
    );
    const [ids] = await Promise.all([Promise.all(registrations), reset(), reset()]);
    expect(ids).toHaveLength(40);
    const left = (await api.instanceIds(web)).filter((id) => id.startsWith('more-'));
    const { ids: discovered } = await api.discover('shop.internal', 'web');
    expect(discovered.filter((id) => id.startsWith('more-'))).toEqual(left);
    await reset();
    expect(await api.instanceIds(web)).toEqual(['web-1', 'web-2', 'web-3']);
  });

  it('is over a restart', async () => {
    await api.register(web, 'web-4', { AWS_INSTANCE_IPV4: '10.0.0.4' });
    await reset();
    await daemon.stop('SIGKILL');
    daemon = await startTestDaemon({
      dataDir: join(folder.path, 'data'),
      settings: { UPSTREAMS: upstream.endpoint, CONFIG: join(folder.path, 'shop.yaml'), SEED: '7' },
    });
    api = new Api(daemon.endpoint);
    expect(await api.instanceIds(web)).toEqual(['web-1', 'web-2', 'web-3']);
    expect(await contentNow()).toEqual(before);
  });
});

describe('after a reset', () => {
  const journey = setUpJourney();

  it('calls that were throttled have their whole burst again, each operation its own', async () => {
    const settings = { STORE: 'memory', QUOTA_DISCOVER_INSTANCES: '1', QUOTA_DISCOVER_INSTANCES_REVISION: '1' };
    const throttled = await journey.start({ settings: { ...settings, CONFIG: journey.writeFile('c.yaml', CONTENT) } });
    const call = async (operation: string): Promise<string> => {
      const headers = { 'x-amz-target': `Route53AutoNaming_v20170314.${operation}` };
      const body = JSON.stringify({ NamespaceName: 'shop.internal', ServiceName: 'web' });
      const response = await fetch(throttled.endpoint, { method: 'POST', headers, body });
      return ((await response.json()) as { __type?: string }).__type ?? 'none';
    };
    const operations = ['DiscoverInstances', 'DiscoverInstancesRevision'];
    const exhaust = async (): Promise<void> => {
      // One token comes each second: none is left when there was none for so many in a row.
      const calls = operations.flatMap((operation) => Array.from({ length: 20 }, () => call(operation)));
      expect(await Promise.all(calls)).toContain('RequestLimitExceeded');
    };
    for (let round = 0; round < 2; round++) {
      await exhaust();
      await reset(throttled);
      for (const operation of operations) {
        expect(await Promise.all([call(operation), call(operation)])).toEqual(['none', 'none']);
      }
    }
  });

  it('every thread knows as little of upstreams as after a start', async () => {
    const silent = await FakeUpstream.open(() => []);
    const settings = { STORE: 'memory', UPSTREAMS: `${upstream.endpoint},${silent.endpoint}`, DNS_THREADS: '2' };
    const forwarding = await journey.start({ settings });
    // From where nothing is looked up: what is known of them is told, and they are not asked.
    const known = async () => {
      const { names } = await explain(forwarding.endpoint, 'www.example', '192.0.2.1');
      return names[0]?.outside.upstreams?.map(({ rttMs, isDown }) => ({ isMeasured: rttMs !== null, isDown }));
    };
    const nothing = [
      { isMeasured: false, isDown: false },
      { isMeasured: false, isDown: false },
    ];
    expect(await known()).toEqual(nothing);
    let n = 0;
    await waitFor('what they are like', async () => {
      await explain(forwarding.endpoint, `n${n++}.example`);
      const now = await known();
      return now?.[0]?.isMeasured && now[1]?.isDown ? true : null;
    });
    await reset(forwarding);
    expect(await known()).toEqual(nothing);
    await silent.close();
  });
});
