/** `cloudmapd import --from-aws`: what another registry has, through the AWS SDK; here another cloudmapd's. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  CreateHttpNamespaceCommand,
  CreateServiceCommand,
  GetNamespaceCommand,
  GetServiceAttributesCommand,
  GetServiceCommand,
  ListNamespacesCommand,
  ListTagsForResourceCommand,
  UpdateServiceAttributesCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterEach, describe, expect, it } from 'vitest';
import { expectFailure, runCli, runWell } from '../support/cli.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon } from '../support/journey-tools.ts';

const journey = setUpJourney();

/** More than AWS's page of each. */
const MANY = 110;

describe('from one daemon to another', () => {
  const unlimited = { STORE: 'memory', QUOTA_NAMESPACES: '0' };
  const source = shareDaemon({ settings: { ...unlimited, REGION: 'eu-west-1', ACCOUNT_ID: '999999999999' } });

  it('brings all pages, with ids, attributes, tags, health and DNS', async () => {
    const api = new Api(source().endpoint);
    const namespace = await api.createNamespace('corp.internal');
    const web = await api.createService(namespace, 'web', {
      Description: 'the shop',
      CreatorRequestId: 'request-1',
      records: [['A', 30]],
      policy: 'WEIGHTED',
      Tags: [{ Key: 'env', Value: 'dev' }],
    });
    await api.sdk.send(new UpdateServiceAttributesCommand({ ServiceId: web, Attributes: { team: 'shop' } }));
    const checked = await api.createService(namespace, 'checked', { HealthCheckCustomConfig: { FailureThreshold: 1 } });
    await Promise.all(
      Array.from({ length: MANY }, (_, i) => api.register(checked, `i-${i}`, { AWS_INSTANCE_IPV4: `10.0.0.${i}` })),
    );
    await Promise.all(Array.from({ length: MANY - 1 }, (_, i) => api.setHealth(checked, `i-${i}`, 'UNHEALTHY')));
    await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.1.0.1', stage: 'beta' });
    await Promise.all(
      Array.from({ length: MANY }, (_, i) => api.sdk.send(new CreateHttpNamespaceCommand({ Name: `http-${i}` }))),
    );
    await Promise.all(Array.from({ length: MANY }, (_, i) => api.createService(namespace, `more-${i}`)));

    const { endpoint, dnsPort } = await journey.start({ settings: { STORE: 'memory' } });
    const args = ['import', '--from-aws', '--aws-endpoint', source().endpoint, '--endpoint', endpoint];
    expect(await runWell([...args, '--dry-run'])).toContain('+ instance corp.internal/web/web-1\n');
    const target = new Api(endpoint);
    expect((await target.sdk.send(new ListNamespacesCommand({}))).Namespaces).toEqual([]);
    expect(await runWell(args)).toBe(
      `created: ${MANY + 1} namespaces, ${MANY + 2} services, ${MANY + 1} instances; changed: nothing; unchanged: nothing\n`,
    );

    // Identical but for region and account, which are the daemon's own.
    const here = (value: unknown) =>
      JSON.parse(
        JSON.stringify(value).replaceAll(/eu-west-1:999999999999|999999999999/g, (told) =>
          told.startsWith('eu') ? 'us-east-1:123456789012' : '123456789012',
        ),
      );
    const look = async ({ sdk }: Api) => [
      (await sdk.send(new GetNamespaceCommand({ Id: namespace }))).Namespace,
      (await sdk.send(new GetServiceCommand({ Id: web }))).Service,
      (await sdk.send(new GetServiceCommand({ Id: checked }))).Service,
    ];
    expect(here(await look(target))).toEqual(here(await look(api)));
    const attributes = await target.sdk.send(new GetServiceAttributesCommand({ ServiceId: web }));
    expect(attributes.ServiceAttributes?.Attributes).toEqual({ team: 'shop' });
    const ResourceARN = `arn:aws:servicediscovery:us-east-1:123456789012:service/${web}`;
    expect((await target.sdk.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags).toEqual([
      { Key: 'env', Value: 'dev' },
    ]);
    expect(await target.attributesOf(web, 'web-1')).toEqual({ AWS_INSTANCE_IPV4: '10.1.0.1', stage: 'beta' });
    expect(await target.instanceIds(checked)).toEqual(await api.instanceIds(checked));
    const healthy = await target.discover('corp.internal', 'checked', 'HEALTHY');
    expect(healthy.ids).toEqual([`i-${MANY - 1}`]);
    expect((await dig(dnsPort, 'checked.corp.internal', 'A')).answer).toEqual([
      `checked.corp.internal. 60 IN A 10.0.0.${MANY - 1}`,
    ]);

    // Again: nothing is left to do. Later: what has changed since.
    expect(await runWell(args)).toMatch(/^created: nothing; changed: nothing; /);
    await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.1.0.2', stage: 'beta' });
    expect(await runWell([...args, '--dry-run'])).toMatch(
      /^~ instance corp.internal\/web\/web-1: attributes.AWS_INSTANCE_IPV4: 10.1.0.1 -> 10.1.0.2\n/,
    );
  });

  it('fills a folder that no daemon holds', async () => {
    const dataDir = journey.newPath();
    const from = await journey.start({ settings: { STORE: 'memory' } });
    const api = new Api(from.endpoint);
    const { Service } = await api.sdk.send(
      new CreateServiceCommand({ Name: 'web', NamespaceId: await api.createNamespace('corp.internal') }),
    );
    await api.register(Service?.Id as string, 'web-1', { anything: 'goes' });
    await runWell(['import', '--from-aws', '--aws-endpoint', from.endpoint, '--data-dir', dataDir]);
    // Whose VPC a namespace is in no call tells.
    const exported = (await runWell(['export', '--endpoint', from.endpoint])).replace(/ *vpc: .*\n/, '');
    expect(await runWell(['export', '--data-dir', dataDir])).toBe(exported);
  });
});

type Answer = readonly [status: number, body: string];

describe('what cannot be read', () => {
  const daemon = shareDaemon({ settings: { STORE: 'memory' } });
  const importing = (awsEndpoint: string, ...flags: string[]) =>
    runCli(['import', '--from-aws', '--aws-endpoint', awsEndpoint, '--endpoint', daemon().endpoint, ...flags]);
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** An endpoint that answers each operation so. */
  async function answering(
    answers: Readonly<Record<string, Answer | ((input: Readonly<Record<string, string>>) => Answer)>>,
  ): Promise<string> {
    const server = createServer(async (request, response) => {
      const operation = String(request.headers['x-amz-target']).split('.')[1] as string;
      const answer = answers[operation] ?? [400, '{"__type":"UnknownOperationException"}'];
      const input = JSON.parse(await text(request));
      const [status, body] = typeof answer === 'function' ? answer(input) : answer;
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(body);
    }).listen(0, '127.0.0.1');
    closers.push(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const denied = [400, '{"__type":"AccessDeniedException","Message":"not\\nyou"}'] as const;
  const namespace = '{"Id":"ns-1","Name":"a.internal","Type":"DNS_PRIVATE","Arn":"arn:aws:x:y:1:namespace/ns-1"}';
  const service = '{"Id":"srv-1","Name":"web","NamespaceId":"ns-1","Type":"HTTP"}';
  const all = {
    ListNamespaces: [200, `{"Namespaces":[${namespace}]}`],
    GetNamespace: [200, `{"Namespace":${namespace}}`],
    ListTagsForResource: [200, '{"Tags":[]}'],
    ListServices: [200, `{"Services":[${service}]}`],
    GetService: [200, `{"Service":${service}}`],
    GetServiceAttributes: [200, '{"ServiceAttributes":{"Attributes":{}}}'],
    ListInstances: [200, '{"Instances":[{"Id":"i-1","Attributes":{"a":"b"}}]}'],
  } as const;

  it.each(Object.keys(all))('%s, where it is refused, is named on one line', async (operation) => {
    const endpoint = await answering({ ...all, [operation]: denied });
    expectFailure(await importing(endpoint), 1, endpoint, `${operation}: AccessDeniedException`);
    expect(await runWell(['export', '--endpoint', daemon().endpoint])).not.toContain('a.internal');
  });

  describe('what is deleted meanwhile is left out with what it holds', () => {
    const gone = (type: string): Answer => [400, `{"__type":"${type}","Message":"no such thing"}`];
    const arnOf = (id: string) => `arn:aws:servicediscovery:us-east-1:1:${id}`;
    const namespaceOf = (id: string) => ({ Id: id, Name: `${id}.internal`, Type: 'HTTP', Arn: arnOf(id) });
    const serviceOf = (id: string, NamespaceId = 'ns-1') => {
      return { Id: id, Name: id, NamespaceId, Type: 'HTTP', Arn: arnOf(id), HealthCheckCustomConfig: {} };
    };
    /** `srv-2` is deleted as soon as the first read of it is refused. */
    const world = (refused: string, type: string) => {
      let isThere = true;
      const unless = (operation: string, id: string | undefined, value: unknown): Answer => {
        if (id?.endsWith('srv-2') && operation === refused) isThere = false;
        if (id?.endsWith('srv-2') && !isThere) return gone(operation === refused ? type : 'ServiceNotFound');
        return [200, JSON.stringify(value)];
      };
      return answering({
        ListNamespaces: [200, JSON.stringify({ Namespaces: ['ns-1', 'ns-2'].map(namespaceOf) })],
        GetNamespace: ({ Id = '' }) =>
          Id === 'ns-1' ? [200, JSON.stringify({ Namespace: namespaceOf(Id) })] : gone('NamespaceNotFound'),
        ListTagsForResource: ({ ResourceARN }) => unless('ListTagsForResource', ResourceARN, { Tags: [] }),
        // Of the namespaces one is deleted by now, and one was not yet made when they were listed.
        ListServices: [
          200,
          JSON.stringify({
            Services: [serviceOf('srv-1'), serviceOf('srv-2'), serviceOf('srv-3', 'ns-2'), serviceOf('srv-4', 'ns-3')],
          }),
        ],
        GetService: ({ Id = '' }) => {
          const in2or3 = { 'srv-3': 'ns-2', 'srv-4': 'ns-3' }[Id];
          return unless('GetService', Id, { Service: serviceOf(Id, in2or3) });
        },
        GetServiceAttributes: ({ ServiceId }) =>
          unless('GetServiceAttributes', ServiceId, { ServiceAttributes: { Attributes: {} } }),
        ListInstances: ({ ServiceId }) =>
          unless('ListInstances', ServiceId, { Instances: [{ Id: `of-${ServiceId}`, Attributes: { a: 'b' } }] }),
        GetInstancesHealthStatus: ({ ServiceId }) => unless('GetInstancesHealthStatus', ServiceId, { Status: {} }),
      });
    };

    it.each([
      ['GetService', 'ServiceNotFound'],
      ['ListTagsForResource', 'ResourceNotFoundException'],
      ['GetServiceAttributes', 'ServiceNotFound'],
      ['ListInstances', 'ServiceNotFound'],
      ['GetInstancesHealthStatus', 'ServiceNotFound'],
    ])('where %s says %s', async (operation, type) => {
      const ended = await importing(await world(operation, type), '--dry-run');
      const created = [
        'namespace ns-1.internal',
        'service ns-1.internal/srv-1',
        'instance ns-1.internal/srv-1/of-srv-1',
      ];
      expect(ended.stderr).toBe('');
      expect(ended.stdout.split('\n').filter((line) => line.startsWith('+'))).toEqual(
        created.map((line) => `+ ${line}`),
      );
    });

    it('and only then: where tags are not found of what is there, that is told', async () => {
      const endpoint = await answering({ ...all, ListTagsForResource: gone('ResourceNotFoundException') });
      expectFailure(await importing(endpoint), 1, endpoint, 'ListTagsForResource: ResourceNotFoundException');
    });
  });

  it('nobody who listens is told too', async () => {
    expectFailure(await importing('http://127.0.0.1:1'), 1, 'http://127.0.0.1:1: ListNamespaces: ', 'ECONNREFUSED');
  });

  it('a profile that there is not is told, and none is made up', async () => {
    const endpoint = await answering(all);
    expectFailure(await importing(endpoint, '--aws-profile', 'nobody'), 1, 'CredentialsProviderError');
  });

  it('the region that AWS is asked in has to be known', async () => {
    const args = ['import', '--from-aws', '--endpoint', daemon().endpoint];
    expectFailure(await runCli(args), 1, 'AWS: ListNamespaces: ', 'Region is missing');
  });

  it("what the registry's rules do not allow is named, and nothing is in", async () => {
    const wrong = all.ListInstances[1].replace('"a":"b"', '"AWS_INSTANCE_IPV4":"10.0.0.256"');
    const endpoint = await answering({ ...all, ListInstances: [200, wrong] });
    expectFailure(await importing(endpoint), 1, endpoint, 'instances[0]', 'srv-1/i-1');
    expect(await runWell(['export', '--endpoint', daemon().endpoint])).not.toContain('a.internal');
  });

  it.each([
    ['does not know', [400, '{"__type":"UnknownOperationException"}']],
    ['has no page for', [404, '<html>']],
    ['has not written yet', [501, '{"__type":"InternalFailure","message":"not implemented"}']],
  ] as const)('service attributes are left out where the endpoint %s them', async (_, answer) => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    const from = await answering({ ...all, GetServiceAttributes: answer });
    const args = ['import', '--from-aws', '--aws-endpoint', from, '--endpoint', endpoint];
    expect(await runWell(args)).toMatch(/^created: 1 namespace, 1 service, 1 instance; /);
    expect(await new Api(endpoint).attributesOf('srv-1', 'i-1')).toEqual({ a: 'b' });
  });
});
