/** `cloudmapd ls`, `discover`, `register`, `deregister`, `health` and `flush`, as scripts use them: under pipes. */
import {
  CreateHttpNamespaceCommand,
  CreatePublicDnsNamespaceCommand,
  DeleteNamespaceCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectFailure, runCli, runWell, startCli } from '../support/cli.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';

const EXAMPLE = new URL('../../config/cloudmapd.example.yaml', import.meta.url).pathname;
const journey = setUpJourney();

const daemon = shareDaemon({ settings: { STORE: 'memory' }, args: ['--config', EXAMPLE] });
let api: Api;
/** Services of a namespace of this file's own. */
let web: string;
beforeAll(async () => {
  api = new Api(daemon().endpoint);
  const shop = await api.createNamespace('shop.internal');
  web = await api.createService(shop, 'web', { HealthCheckCustomConfig: { FailureThreshold: 1 } });
  await api.createService(shop, 'plain');
});

const env = () => ({ CLOUDMAPD_ENDPOINT: daemon().endpoint });
const run = (...args: string[]) => runCli(args, { env: env() });
const well = (...args: string[]) => runWell(args, { env: env() });
const json = async (...args: string[]) => {
  const text = await well(...args, '--json');
  expect(text).toMatch(/^[^\n]+\n$/);
  return JSON.parse(text);
};
const withoutIds = (text: string) => text.replaceAll(/(ns|srv)-[a-z2-7]{16}/g, '$1-...');
const SOME_ID = expect.stringMatching(/^(ns|srv)-[a-z2-7]{16}$/);

describe('ls', () => {
  it('lists namespaces', async () => {
    expect(withoutIds(await well('ls'))).toBe(
      [
        'NAMESPACE      TYPE         SERVICES  ID',
        'demo-http      HTTP                1  ns-...',
        'demo.internal  DNS_PRIVATE         3  ns-...',
        'shop.internal  DNS_PRIVATE         2  ns-...\n',
      ].join('\n'),
    );
    const { namespaces } = await json('ls');
    expect(namespaces[1]).toEqual({
      id: SOME_ID,
      name: 'demo.internal',
      httpName: 'demo.internal',
      type: 'DNS_PRIVATE',
      description: 'A demonstration',
      serviceCount: 3,
    });
  });

  it('lists the services of a namespace, and how many of their instances are healthy', async () => {
    expect(withoutIds(await well('ls', 'demo.internal'))).toBe(
      [
        'SERVICE   RECORDS   POLICY      CHECK   INSTANCES  HEALTHY  ID',
        '_db._tcp  SRV 10    MULTIVALUE  -               1  -        srv-...',
        'shop      CNAME 10  WEIGHTED    -               1  -        srv-...',
        'web       A 10      MULTIVALUE  custom          2  2        srv-...\n',
      ].join('\n'),
    );
    const { services, ...namespace } = await json('ls', 'demo.internal');
    expect(namespace).toEqual({
      namespace: 'demo.internal',
      namespaceId: SOME_ID,
      httpName: 'demo.internal',
      type: 'DNS_PRIVATE',
      description: 'A demonstration',
      serviceCount: 3,
    });
    expect(services[2]).toEqual({
      id: SOME_ID,
      name: 'web',
      type: 'DNS_HTTP',
      dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 10 }] },
      healthCheck: null,
      hasCustomHealthCheck: true,
      instanceCount: 2,
      healthyCount: 2,
    });
    expect(services[0]).toMatchObject({ name: '_db._tcp', hasCustomHealthCheck: false, healthyCount: null });
  });

  it('lists the instances of a service, by name and by id', async () => {
    expect(await well('ls', 'demo.internal', 'web')).toBe(
      [
        'INSTANCE  HEALTH   ADDRESS   PORT  ATTRIBUTES',
        'web-1     HEALTHY  10.0.0.7  8080  stage=beta',
        'web-2     HEALTHY  10.0.0.8  8080  stage=prod\n',
      ].join('\n'),
    );
    expect(await well('ls', 'demo-http', 'jobs')).toContain(
      'worker-1  UNKNOWN  -        -     url=http://10.0.0.20:9000 queue=mail\n',
    );
    const { namespaces } = await json('ls');
    const { services } = await json('ls', namespaces[1].id);
    expect(await json('ls', namespaces[1].id, services[0].id)).toEqual({
      namespace: 'demo.internal',
      service: '_db._tcp',
      instances: [
        {
          id: 'db-1',
          health: 'UNKNOWN',
          attributes: { AWS_INSTANCE_IPV4: '10.0.0.9', AWS_INSTANCE_IPV6: 'fd00::9', AWS_INSTANCE_PORT: '5432' },
        },
      ],
    });
  });

  it('takes ARNs', async () => {
    const [{ id }] = (await json('ls')).namespaces;
    const arn = `arn:aws:servicediscovery:us-east-1:123456789012:namespace/${id}`;
    expect(await json('ls', arn)).toMatchObject({ namespaceId: id, namespace: 'demo-http' });
  });

  it('says where there is nothing', async () => {
    expect(await well('ls', 'shop.internal', 'plain')).toBe('no instances in shop.internal/plain\n');
    expect(await json('ls', 'shop.internal', 'plain')).toEqual({
      namespace: 'shop.internal',
      service: 'plain',
      instances: [],
    });
  });

  it('goes through all pages', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory', QUOTA_NAMESPACES: '0' } });
    const many = new Api(endpoint);
    const namespace = await many.createNamespace('many.internal');
    const ids = Array.from({ length: 110 }, (_, i) => `i-${String(i).padStart(3, '0')}`);
    await Promise.all(ids.map((Name) => many.sdk.send(new CreateHttpNamespaceCommand({ Name }))));
    const services = await Promise.all(
      ids.map((name) => many.createService(namespace, name, { HealthCheckCustomConfig: { FailureThreshold: 1 } })),
    );
    const first = services[0] as string;
    await Promise.all(ids.map((id) => many.register(first, id, { AWS_INSTANCE_IPV4: '10.0.0.1' })));
    await many.setHealth(first, 'i-109', 'UNHEALTHY');
    const ls = async (...args: string[]) =>
      JSON.parse(await runWell(['ls', ...args, '--json', '--endpoint', endpoint]));
    expect((await ls()).namespaces.map(({ name }: { name: string }) => name)).toEqual([...ids, 'many.internal']);
    const listed = (await ls('many.internal')).services;
    expect(listed.map(({ name }: { name: string }) => name)).toEqual(ids);
    expect(listed[0]).toMatchObject({ instanceCount: 110, healthyCount: 109 });
    const { instances } = await ls('many.internal', 'i-000');
    expect(instances.map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(instances.filter(({ health }: { health: string }) => health === 'UNHEALTHY')).toMatchObject([
      { id: 'i-109' },
    ]);
  });

  it('namespaces of one name are told apart by their HttpNames', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    const same = new Api(endpoint);
    const first = await same.createNamespace('same.internal');
    await same.createNamespace('same.internal', 'public');
    await same.sdk.send(new CreateHttpNamespaceCommand({ Name: 'same.internal' }));
    const ls = (...args: string[]) => runCli(['ls', ...args, '--endpoint', endpoint]);
    const table = (await ls()).stdout;
    expect(table).toMatch(/^NAMESPACE {6}HTTP NAME +TYPE +SERVICES {2}ID\n/);
    // It is the HttpName of the oldest.
    expect((await ls('same.internal', '--json')).stdout).toContain(first);
    await same.sdk.send(new DeleteNamespaceCommand({ Id: first }));
    const httpNames = [...table.matchAll(/ (same\.internal-\S+) /g)].map(([, name]) => name as string);
    expect(httpNames).toHaveLength(2);
    expectFailure(await ls('same.internal'), 1, '2 namespaces are called "same.internal"', ...httpNames);
    for (const name of httpNames) expect(await ls(name)).toMatchObject({ stdout: 'no services in same.internal\n' });
  });
});

describe('register and deregister', () => {
  const instance = ['shop.internal', 'web', 'cli-1'];

  it('return when it is in DNS, and say so', async () => {
    expect(await well('register', ...instance, '--ipv4', '10.1.0.1', '--port', '80', '--attribute', 'a=b=c d')).toBe(
      'cli-1 registered in shop.internal/web\n',
    );
    expect((await dig(daemon().dnsPort, 'web.shop.internal', 'A')).answer).toEqual([
      'web.shop.internal. 60 IN A 10.1.0.1',
    ]);
    expect(await api.attributesOf(web, 'cli-1')).toEqual({
      AWS_INSTANCE_IPV4: '10.1.0.1',
      AWS_INSTANCE_PORT: '80',
      a: 'b=c d',
    });
    expect(await well('ls', 'shop.internal', 'web')).toContain('80    a="b=c d"\n');
    // Replaced, with all of its attributes.
    expect(await json('register', ...instance, '--attribute', 'AWS_INSTANCE_IPV4=10.1.0.2')).toEqual({
      namespace: 'shop.internal',
      service: 'web',
      instance: 'cli-1',
      operation: { id: expect.stringMatching(/^[a-z2-7]{32}-/), status: 'SUCCESS' },
    });
    expect(await api.attributesOf(web, 'cli-1')).toEqual({ AWS_INSTANCE_IPV4: '10.1.0.2' });
    expect(await well('deregister', ...instance)).toBe('cli-1 deregistered from shop.internal/web\n');
    expect(await api.instanceIds(web)).toEqual([]);
    expect((await dig(daemon().dnsPort, 'web.shop.internal', 'A')).rcode).toBe('NXDOMAIN');
  });

  it('take every kind of address', async () => {
    const namespace = await api.createNamespace('kinds.internal');
    const six = await api.createService(namespace, 'six', { records: [['AAAA', 5]] });
    const alias = await api.createService(namespace, 'alias', { records: [['CNAME', 5]], policy: 'WEIGHTED' });
    await well('register', 'kinds.internal', 'six', 'a', '--ipv6', 'fd00::1');
    await well('register', 'kinds.internal', 'alias', 'b', '--cname', 'six.kinds.internal');
    expect(await api.attributesOf(six, 'a')).toEqual({ AWS_INSTANCE_IPV6: 'fd00::1' });
    expect(await api.attributesOf(alias, 'b')).toEqual({ AWS_INSTANCE_CNAME: 'six.kinds.internal' });
    expect((await dig(daemon().dnsPort, 'alias.kinds.internal', 'AAAA')).answer).toContain(
      'six.kinds.internal. 5 IN AAAA fd00::1',
    );
  });

  it('wait for an operation that takes its time, or leave it with --no-wait', async () => {
    const { endpoint, dnsPort } = await journey.start({ settings: { STORE: 'memory', OPERATION_DELAY_MS: '700' } });
    const slow = new Api(endpoint);
    const { OperationId } = await slow.sdk.send(new CreatePublicDnsNamespaceCommand({ Name: 'slow.example' }));
    const namespace = await waitFor('the namespace', async () => {
      const { Status, Targets } = await slow.operation(OperationId);
      return Status === 'SUCCESS' ? (Targets?.NAMESPACE as string) : null;
    });
    const service = await slow.createService(namespace, 'web');
    const register = (id: string, ...flags: string[]) =>
      runWell(['register', 'slow.example', 'web', id, '--ipv4', '10.0.0.1', '--endpoint', endpoint, ...flags]);
    await register('waited-for');
    expect(await slow.instanceIds(service)).toEqual(['waited-for']);
    expect((await dig(dnsPort, 'web.slow.example', 'A')).answer).toHaveLength(1);
    const { operation } = JSON.parse(await register('left', '--no-wait', '--json'));
    expect(operation).toEqual({ id: expect.any(String), status: 'SUBMITTED' });
    expect(await register('left-too', '--no-wait')).toMatch(/^left-too: operation [a-z2-7]{32}-\w+ is under way\n$/);
    expect(['PENDING', 'SUCCESS']).toContain((await slow.operation(operation.id)).Status);
    await waitFor('both', async () => ((await slow.instanceIds(service)).length === 3 ? true : null));
  });

  it('wait so long and no longer, and then say which operation goes on', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    const quick = new Api(endpoint);
    const service = await quick.createService(await quick.createNamespace('slow.internal'), 'web');
    await quick.register(service, 'there', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    const slow = await journey.start({ settings: { STORE: 'memory', OPERATION_DELAY_MS: '600000' } });
    // Its content without the calls that would take as long.
    const body = await (await fetch(`${endpoint}/admin/export?format=json`)).text();
    expect((await fetch(`${slow.endpoint}/admin/import`, { method: 'POST', body })).status).toBe(200);
    const change = (...args: string[]) => runCli([...args, '--endpoint', slow.endpoint]);
    for (const args of [
      ['register', 'slow.internal', 'web', 'new', '--ipv4', '10.0.0.2', '--timeout', '50ms'],
      ['deregister', 'slow.internal', 'web', 'there', '--timeout', '0'],
    ]) {
      const ended = await change(...args);
      expectFailure(ended, 1, ` (waited ${args.at(-1)})\n`);
      const [, id = '', status] = /^cloudmapd: operation (\S+) is (\S+) yet, and goes on/.exec(ended.stderr) ?? [];
      expect((await new Api(slow.endpoint).operation(id)).Status).toBe(status);
      expectFailure(await change(...args.with(-1, 'soon')), 2, '--timeout: "soon" is no duration such as 60s');
    }
  });

  it('say what the API says; what is no valid input is wrong usage', async () => {
    expectFailure(await run('register', ...instance), 2, 'InvalidInput', 'AWS_INSTANCE_IPV4 is required');
    expectFailure(await run('register', ...instance, '--ipv4', '10.0.0.256'), 2, 'InvalidInput', '10.0.0.256');
    expectFailure(await run('register', 'shop.internal', 'web', 'no id'), 2, 'RegisterInstance: InvalidInput');
  });
});

describe('discover', () => {
  beforeAll(async () => {
    await api.register(web, 'd-1', { AWS_INSTANCE_IPV4: '10.2.0.1', stage: 'beta' });
    await api.register(web, 'd-2', { AWS_INSTANCE_IPV4: '10.2.0.2', stage: 'beta', zone: 'a' });
    await api.register(web, 'd-3', { AWS_INSTANCE_IPV4: '10.2.0.3' });
    await api.setHealth(web, 'd-3', 'UNHEALTHY');
  });
  afterAll(async () => {
    for (const id of await api.instanceIds(web)) await api.deregister(web, id);
  });
  const ids = async (...flags: string[]) =>
    (await json('discover', 'shop.internal', 'web', ...flags)).instances.map(({ id }: { id: string }) => id);

  it('finds what DiscoverInstances finds, in order', async () => {
    expect(await well('discover', 'shop.internal', 'web')).toBe(
      [
        'INSTANCE  HEALTH   ADDRESS   PORT  ATTRIBUTES',
        'd-1       HEALTHY  10.2.0.1  -     stage=beta',
        'd-2       HEALTHY  10.2.0.2  -     stage=beta zone=a\n',
      ].join('\n'),
    );
    const { revision } = await api.discover('shop.internal', 'web');
    expect(await json('discover', 'shop.internal', 'web', '--health', 'UNHEALTHY')).toEqual({
      namespace: 'shop.internal',
      service: 'web',
      revision,
      instances: [{ id: 'd-3', health: 'UNHEALTHY', attributes: { AWS_INSTANCE_IPV4: '10.2.0.3' } }],
    });
  });

  it('by health, attributes and number', async () => {
    expect(await ids('--health', 'all')).toEqual(['d-1', 'd-2', 'd-3']);
    expect(await ids('--attribute', 'stage=beta')).toEqual(['d-1', 'd-2']);
    expect(await ids('--attribute', 'stage=beta', '--attribute', 'zone=a')).toEqual(['d-2']);
    expect(await ids('--optional', 'zone=a')).toEqual(['d-2']);
    expect(await ids('--optional', 'zone=b')).toEqual(['d-1', 'd-2']);
    expect(await ids('--max', '1')).toHaveLength(1);
    const none = ['--health', 'UNHEALTHY', '--attribute', 'stage=beta'];
    expect(await ids(...none)).toEqual([]);
    expect(await well('discover', 'shop.internal', 'web', ...none)).toBe(
      'no instances found in shop.internal/web: 3 registered\n',
    );
    expect(await ids(...none.with(1, 'HEALTHY_OR_ELSE_ALL'))).toEqual(['d-1', 'd-2']);
  });
});

describe('health', () => {
  beforeAll(async () => {
    for (const i of [1, 2]) await api.register(web, `h-${i}`, { AWS_INSTANCE_IPV4: `10.3.0.${i}` });
  });
  afterAll(async () => {
    for (const i of [1, 2]) await api.deregister(web, `h-${i}`);
  });

  it('sets a custom status, which DNS follows, and shows it', async () => {
    expect(await well('health', 'shop.internal', 'web', 'h-1', 'unhealthy')).toBe(
      'INSTANCE  HEALTH\nh-1       UNHEALTHY\n',
    );
    expect((await dig(daemon().dnsPort, 'web.shop.internal', 'A')).answer).toEqual([
      'web.shop.internal. 60 IN A 10.3.0.2',
    ]);
    expect(await well('health', 'shop.internal', 'web')).toBe(
      'INSTANCE  HEALTH\nh-1       UNHEALTHY\nh-2       HEALTHY\n',
    );
    expect(await json('health', 'shop.internal', 'web', 'h-1', 'HEALTHY')).toEqual({
      namespace: 'shop.internal',
      service: 'web',
      instances: [{ id: 'h-1', health: 'HEALTHY' }],
    });
    expect(await json('health', 'shop.internal', 'web', 'h-2')).toMatchObject({
      instances: [{ id: 'h-2', health: 'HEALTHY' }],
    });
    expect(await well('health', 'shop.internal', 'plain')).toBe('no instances in shop.internal/plain\n');
  });

  it('says where a status takes effect later', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory', CUSTOM_HEALTH_DELAY_MS: '100000' } });
    const late = new Api(endpoint);
    const service = await late.createService(await late.createNamespace('late.internal'), 'web', {
      HealthCheckCustomConfig: { FailureThreshold: 1 },
    });
    await late.register(service, 'a', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    expect(await runWell(['health', 'late.internal', 'web', 'a', 'UNHEALTHY', '--endpoint', endpoint])).toBe(
      'INSTANCE  HEALTH\na         HEALTHY\nUNHEALTHY takes effect later (CLOUDMAPD_CUSTOM_HEALTH_DELAY_MS)\n',
    );
  });

  it('says why a status cannot be set', async () => {
    expectFailure(
      await run('health', 'demo.internal', '_db._tcp', 'db-1', 'UNHEALTHY'),
      1,
      'it has no health check',
      'HealthCheckCustomConfig',
    );
    const probed = await api.createService(await api.createNamespace('probed.example', 'public'), 'web', {
      HealthCheckConfig: { Type: 'TCP' },
    });
    await api.register(probed, 'a', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' });
    expectFailure(await run('health', 'probed.example', 'web', 'a', 'HEALTHY'), 1, 'cloudmapd probes it by TCP');
  });
});

describe('flush', () => {
  it('says how many answers it forgot', async () => {
    expect(await well('flush')).toBe('0 answers forgotten\n');
    expect(await json('flush', 'example.com', '--below')).toEqual({ flushed: 0 });
    expectFailure(await run('flush', 'a..b'), 2, 'cloudmapd: name: "a..b" is no domain name\n');
    expectFailure(await run('flush', '--below'), 2, '--below goes with a name');
  });
});

describe('what is not there is named, with what there is instead', () => {
  beforeAll(() => api.register(web, 'there-1', { AWS_INSTANCE_IPV4: '10.4.0.1' }));
  afterAll(() => api.deregister(web, 'there-1'));

  it.each([
    ['ls nope.internal', 'there is no namespace "nope.internal"; there is demo-http, demo.internal'],
    ['ls ns-aaaaaaaaaaaaaaaa', 'there is no namespace "ns-aaaaaaaaaaaaaaaa"; there is demo-http'],
    ['ls demo.internal nope', 'there is no service "nope" in demo.internal; there is _db._tcp, shop, web'],
    ['discover nope.internal web', 'there is no namespace "nope.internal"'],
    ['discover shop.internal nope', 'there is no service "nope" in shop.internal; there is plain, web'],
    ['register shop.internal nope a --ipv4 10.0.0.1', 'there is no service "nope" in shop.internal; there is'],
    ['deregister shop.internal web nope', 'there is no instance "nope" in shop.internal/web; there is there-1'],
    ['deregister shop.internal plain nope', 'there is no instance "nope" in shop.internal/plain; there is none'],
    ['health shop.internal web nope', 'there is no instance "nope" in shop.internal/web; there is there-1'],
    ['health shop.internal web nope UNHEALTHY', 'there is no instance "nope" in shop.internal/web; there is there-1'],
  ])('%s', async (line, message) => {
    expectFailure(await run(...line.split(' ')), 1, message);
  });

  it('a service of another namespace by its id', async () => {
    expectFailure(await run('ls', 'demo.internal', web), 1, `there is no service "${web}" in demo.internal`);
  });

  it('names that would move the cursor are shown as codes', async () => {
    expectFailure(await run('ls', '\u001b[2Jevil'), 2, '"\\u001b[2Jevil" is no name, id or ARN of a namespace');
    expectFailure(await run('ls', 'x'.repeat(300)), 1, 'there is no namespace');
  });
});

describe('wrong usage ends with exit code 2', () => {
  it.each([
    [['ls', ''], 'namespace'],
    [['ls', 'a b'], 'namespace'],
    [['ls', 'arn:foo'], 'namespace'],
    [['ls', 'demo', 'x y'], 'service'],
    [['discover', 'a b', 'web'], 'namespace'],
    [['discover', 'demo', 'x y'], 'service'],
    [['register', 'demo', 'x y', 'i', '--ipv4', '1.1.1.1'], 'service'],
    [['deregister', 'demo', 'x y', 'i'], 'service'],
    [['wait', 'a b', 'web'], 'namespace'],
    [['wait', 'demo', ''], 'service'],
  ])('%j: nothing can be called so', async (args, what) => {
    expectFailure(await run(...args), 2, ` is no name, id or ARN of a ${what}`);
  });

  it.each([
    ['discover a'],
    ['discover a b --health SICK'],
    ['discover a b --max 1001'],
    ['discover a b --max some'],
    ['discover a b --attribute stage'],
    ['discover a b --attribute =x'],
    ['register a b'],
    ['register a b c --attribute x=1 --attribute x=2'],
    ['register a b c --ipv4 10.0.0.1 --attribute AWS_INSTANCE_IPV4=10.0.0.2'],
    ['health a b c SICK'],
    ['ls --colour'],
    ['ls a b c'],
    ['ls --endpoint localhost:8053'],
  ])('%s', async (line) => {
    expectFailure(await run(...line.split(' ')), 2);
  });
});

it.each([['--help'], ['wait', '--help']])('%s %s tells the exit codes', async (...args) => {
  expect(await well(...args)).toContain('\nExit codes: 0 done; 1 ');
});

it('nobody who reads on ends it quietly', async () => {
  const { child, ended } = startCli(['ls'], { env: env() });
  child.stdout.destroy();
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});
