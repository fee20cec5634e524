/** Debian's boto3, as a user has it: real calls of a real Python. */
import { afterEach, expect, it } from 'vitest';
import { dig } from '../support/dns.ts';
import { requireTool, setUpJourney } from '../support/journey-tools.ts';
import { carryOutAll } from '../support/operations-journey.ts';
import {
  type Boto3,
  ClientRefusal,
  HOSTS_NAME,
  hostsEntry,
  type Output,
  startBoto3,
} from '../support/outside-client.ts';

const journey = setUpJourney();
const started: Boto3[] = [];
afterEach(() => {
  for (const boto3 of started.splice(0)) boto3.close();
});
const start: typeof startBoto3 = (...args) => {
  const boto3 = startBoto3(...args);
  started.push(boto3);
  return boto3;
};

it('carries out each operation that its model has', async (context) => {
  requireTool(context, "Debian's boto3");
  const daemon = await journey.start();
  const boto3 = start(daemon.endpoint);
  const { operations } = await boto3.about();
  expect(operations.length).toBeGreaterThanOrEqual(26);
  const done = await carryOutAll(boto3, daemon, (operation) => operations.includes(operation));
  expect([...done].sort()).toEqual([...operations].sort());
});

it('gets past the prefix without a change to the code', async (context) => {
  requireTool(context, "Debian's boto3");
  const daemon = await journey.start();
  const made = start(daemon.endpoint);
  const { settings } = await made.about();
  const { OperationId } = await made.call('CreateHttpNamespace', { Name: 'jobs' });
  const { Operation } = await made.call('GetOperation', { OperationId });
  const { Service } = await made.call('CreateService', { Name: 'web', NamespaceId: Operation.Targets.NAMESPACE });
  await made.call('RegisterInstance', { ServiceId: Service.Id, InstanceId: 'web-1', Attributes: { port: '80' } });

  // Debian 12's botocore does not know the variable yet; a hosts entry does for any.
  const hasVariable = settings.includes('disable_host_prefix_injection');
  const environment = { AWS_DISABLE_HOST_PREFIX_INJECTION: 'true' };
  const boto3 = hasVariable
    ? start(daemon.endpoint, { switchedBy: 'environment', environment })
    : start(`http://${HOSTS_NAME}:${daemon.httpPort}`, {
        switchedBy: 'environment',
        wrap: hostsEntry(context, journey),
      });
  const found = await boto3.call('DiscoverInstances', { NamespaceName: 'jobs', ServiceName: 'web' });
  expect(found.Instances).toMatchObject([{ InstanceId: 'web-1', Attributes: { port: '80' } }]);
  expect((await boto3.call('ListNamespaces')).Namespaces).toMatchObject([{ Name: 'jobs' }]);
});

it('pages through each list', async (context) => {
  requireTool(context, "Debian's boto3");
  const daemon = await journey.start();
  const boto3 = start(daemon.endpoint);
  expect((await boto3.about()).paginated).toEqual([
    'ListInstances',
    'ListNamespaces',
    'ListOperations',
    'ListServices',
  ]);

  const namespaces: string[] = [];
  for (const Name of ['a.internal', 'b.internal', 'c.internal']) {
    const { OperationId } = await boto3.call('CreatePrivateDnsNamespace', { Name, Vpc: 'vpc-1' });
    namespaces.push((await boto3.call('GetOperation', { OperationId })).Operation.Targets.NAMESPACE);
  }
  const services: string[] = [];
  for (const Name of ['s1', 's2', 's3', 's4', 's5']) {
    const { Service } = await boto3.call('CreateService', {
      Name,
      NamespaceId: namespaces[0],
      DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 1 }] },
    });
    services.push(Service.Id);
  }
  for (const i of [1, 2, 3, 4, 5]) {
    const Attributes = { AWS_INSTANCE_IPV4: `10.0.0.${i}` };
    await boto3.call('RegisterInstance', { ServiceId: services[0], InstanceId: `i${i}`, Attributes });
  }

  /** Every item once, none on a page of more than `pageSize`, and no page too many. */
  const expectPages = (pages: Output[], member: string, pageSize: number, ids: string[]): void => {
    expect(pages.flatMap((page) => page[member].map(({ Id }: Output) => Id)).sort()).toEqual([...ids].sort());
    const sizes = pages.map((page) => page[member].length);
    expect(Math.max(...sizes)).toBe(pageSize);
    expect(pages).toHaveLength(Math.ceil(ids.length / pageSize));
  };
  expectPages(await boto3.paginate('ListNamespaces', 1), 'Namespaces', 1, namespaces);
  const inFirst = { Filters: [{ Name: 'NAMESPACE_ID', Values: [namespaces[0]] }] };
  expectPages(await boto3.paginate('ListServices', 2, inFirst), 'Services', 2, services);
  const inService = { ServiceId: services[0] };
  expectPages(await boto3.paginate('ListInstances', 2, inService), 'Instances', 2, ['i1', 'i2', 'i3', 'i4', 'i5']);
  const { Operations } = await boto3.call('ListOperations');
  const operations = Operations.map(({ Id }: Output) => Id);
  expect(operations).toHaveLength(8);
  expectPages(await boto3.paginate('ListOperations', 3), 'Operations', 3, operations);
  // What the pages were about is there.
  expect((await dig(daemon.dnsPort, 's1.a.internal', 'A')).answer).toHaveLength(5);
});

it('raises refusals as the modelled exceptions, with what they carry', async (context) => {
  requireTool(context, "Debian's boto3");
  const daemon = await journey.start();
  const boto3 = start(daemon.endpoint);
  const refusal = (operation: string, input: Record<string, unknown>): Promise<ClientRefusal> =>
    boto3.call(operation, input).then(
      () => Promise.reject(new Error(`${operation} was not refused`)),
      (error) => (error instanceof ClientRefusal ? error : Promise.reject(error)),
    );
  const create = { Name: 'corp.internal', Vpc: 'vpc-1', CreatorRequestId: 'first' };
  const { OperationId } = await boto3.call('CreatePrivateDnsNamespace', create);
  const NamespaceId = (await boto3.call('GetOperation', { OperationId })).Operation.Targets.NAMESPACE;
  const service = { Name: 'web', NamespaceId, DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 1 }] } };
  const { Service } = await boto3.call('CreateService', { ...service, CreatorRequestId: 'second' });
  const ServiceId = Service.Id;
  const Attributes = { AWS_INSTANCE_IPV4: '10.0.0.1' };
  await boto3.call('RegisterInstance', { ServiceId, InstanceId: 'web-1', Attributes });

  const cases: [string, Record<string, unknown>, string, object?][] = [
    ['GetNamespace', { Id: 'ns-none' }, 'NamespaceNotFound'],
    ['GetService', { Id: 'srv-none' }, 'ServiceNotFound'],
    ['GetInstance', { ServiceId, InstanceId: 'none' }, 'InstanceNotFound'],
    ['GetOperation', { OperationId: 'none' }, 'OperationNotFound'],
    ['DiscoverInstances', { NamespaceName: 'none', ServiceName: 'web' }, 'NamespaceNotFound'],
    ['DiscoverInstances', { NamespaceName: 'corp.internal', ServiceName: 'none' }, 'ServiceNotFound'],
    ['RegisterInstance', { ServiceId, InstanceId: 'web-2', Attributes: {} }, 'InvalidInput'],
    ['ListInstances', { ServiceId, MaxResults: 101 }, 'InvalidInput'],
    ['DeleteService', { Id: ServiceId }, 'ResourceInUse'],
    ['DeleteNamespace', { Id: NamespaceId }, 'ResourceInUse'],
    ['UpdateInstanceCustomHealthStatus', { ServiceId, InstanceId: 'web-1', Status: 'HEALTHY' }, 'CustomHealthNotFound'],
    ['ListTagsForResource', { ResourceARN: `${Service.Arn}x` }, 'ResourceNotFoundException'],
    [
      'CreatePrivateDnsNamespace',
      { ...create, CreatorRequestId: 'other' },
      'NamespaceAlreadyExists',
      { NamespaceId, CreatorRequestId: 'first' },
    ],
    [
      'CreateService',
      { ...service, CreatorRequestId: 'other' },
      'ServiceAlreadyExists',
      { ServiceId, CreatorRequestId: 'second' },
    ],
    [
      'TagResource',
      { ResourceARN: Service.Arn, Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' })) },
      'TooManyTagsException',
      { ResourceName: Service.Arn },
    ],
  ];
  for (const [operation, input, name, members = {}] of cases) {
    const { classes, response } = await refusal(operation, input);
    expect(classes, operation).toEqual([name]);
    expect(response, operation).toMatchObject({
      Error: { Code: name, Message: expect.stringMatching(/\S/) },
      ResponseMetadata: { HTTPStatusCode: 400, RequestId: expect.stringMatching(/^[0-9a-f-]{36}$/), RetryAttempts: 0 },
      ...members,
    });
  }
});
