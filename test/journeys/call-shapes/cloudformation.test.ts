/**
 * What CDK's constructs come to. Stacks: the templates in aws/aws-cdk
 * packages/@aws-cdk-testing/framework-integ/test/aws-servicediscovery/test/*.snapshot and
 * packages/aws-cdk-lib/aws-servicediscovery/test/integ.*.ts, a resource's properties being the members of its call.
 * How CloudFormation calls is not public: it creates in the order of references, deletes in the other, and waits for
 * each operation; names and ids that it or CDK would generate are ours, of their form. Custom resources: the SDK's
 * call in the Lambda function of
 * packages/@aws-cdk/custom-resource-handlers/lib/custom-resources/aws-custom-resource-handler/aws-sdk-v3-handler.ts.
 */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { FakeUpstream, onlyAddress } from '../../support/fake-upstream.ts';
import { setUpJourney, shareDaemon } from '../../support/journey-tools.ts';
import { awsService, type Call, lambdaJs, replay, type Step, waits } from '../../support/replay.ts';

const daemon = shareDaemon();
const journey = setUpJourney();
const cloudFormation = awsService('cloudformation');

/** AWS::ServiceDiscovery::*Namespace; Ref and Fn::GetAtt give Id and Arn. */
const namespace = (kind: string, properties: object): Step[] => [
  {
    call: `Create${kind}Namespace`,
    body: { ...properties, CreatorRequestId: randomUUID() },
    keep: { op: 'OperationId' },
  },
  waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
  { call: 'GetNamespace', body: { Id: '$namespace' }, reads: { Namespace: { Id: '$namespace' } } },
];

/** AWS::ServiceDiscovery::Service; Fn::GetAtt gives Id, Arn and Name. */
const service = (name: string, properties: object, Type: string): Call => ({
  call: 'CreateService',
  body: { ...properties, CreatorRequestId: randomUUID(), NamespaceId: '$namespace' },
  reads: { Service: { Name: expect.any(String), Type } },
  keep: { [name]: 'Service.Id', [`${name}Arn`]: 'Service.Arn' },
});

/** AWS::ServiceDiscovery::Instance; Ref gives the InstanceId. */
const instance = (name: string, InstanceId: string, InstanceAttributes: object): Step[] => [
  {
    call: 'RegisterInstance',
    body: { Attributes: InstanceAttributes, CreatorRequestId: randomUUID(), InstanceId, ServiceId: `$${name}` },
    keep: { op: 'OperationId' },
  },
  waits('$op'),
  {
    call: 'GetInstance',
    body: { InstanceId, ServiceId: `$${name}` },
    exactly: { 'Instance.Id': InstanceId, 'Instance.Attributes': InstanceAttributes },
  },
];

/** Deleting the stack. */
const deleted = (...inside: (readonly [service: string, instance: string])[]): Step[] => [
  ...inside.flatMap(([name, InstanceId]): Step[] => [
    { call: 'DeregisterInstance', body: { InstanceId, ServiceId: `$${name}` }, keep: { op: 'OperationId' } },
    waits('$op'),
  ]),
  ...inside.map(([name]): Step => ({ call: 'DeleteService', body: { Id: `$${name}` } })),
  { call: 'DeleteNamespace', body: { Id: '$namespace' }, keep: { op: 'OperationId' } },
  waits('$op'),
  { call: 'GetNamespace', body: { Id: '$namespace' }, refused: 'NamespaceNotFound' },
];

it('makes, changes and deletes the stack of a public namespace', async () => {
  const ID = 'awsservicediscoveryintegNamespaceServiceIpInstance5A6845D4';
  const DnsConfig = {
    DnsRecords: [{ TTL: 30, Type: 'A' }],
    NamespaceId: '$namespace',
    RoutingPolicy: 'MULTIVALUE',
  };
  const HealthCheckConfig = { FailureThreshold: 2, ResourcePath: '/healthcheck', Type: 'HTTPS' };
  await replay(daemon(), cloudFormation, [
    ...namespace('PublicDns', { Name: 'foobar.com' }),
    service('service', { DnsConfig, HealthCheckConfig, Name: 'foo' }, 'DNS_HTTP'),
    ...instance('service', ID, { AWS_INSTANCE_IPV4: '54.239.25.192', AWS_INSTANCE_PORT: '443' }),
    { ask: ['foo.foobar.com', 'A'], answer: ['foo.foobar.com. 30 IN A 54.239.25.192'] },
    // A change of the template: a TTL, and a description of the namespace.
    {
      call: 'UpdateService',
      body: { Id: '$service', Service: { DnsConfig: { DnsRecords: [{ TTL: 90, Type: 'A' }] }, HealthCheckConfig } },
      keep: { op: 'OperationId' },
    },
    waits('$op'),
    { ask: ['foo.foobar.com', 'A'], answer: ['foo.foobar.com. 90 IN A 54.239.25.192'] },
    {
      call: 'UpdatePublicDnsNamespace',
      body: {
        Id: '$namespace',
        Namespace: { Description: 'changed', Properties: { DnsProperties: { SOA: { TTL: 100 } } } },
        UpdaterRequestId: randomUUID(),
      },
      keep: { op: 'OperationId' },
    },
    waits('$op'),
    {
      call: 'GetNamespace',
      body: { Id: '$namespace' },
      reads: { Namespace: { Description: 'changed', Properties: { DnsProperties: { SOA: { TTL: 100 } } } } },
    },
    ...deleted(['service', ID]),
    { ask: ['foo.foobar.com', 'A'], answer: 'REFUSED' },
  ]);
});

it('makes and deletes the stack of an HTTP namespace', async () => {
  // CDK's own ids come to the 64 characters that there may be.
  const NON_IP = 'ervicediscoveryintegMyNamespaceNonIpServiceNonIpInstance45389A2A';
  const IP = 'awsservicediscoveryintegMyNamespaceIpServiceIpInstance56070746';
  await replay(daemon(), cloudFormation, [
    ...namespace('Http', { Name: 'MyHTTPNamespace' }),
    service(
      'nonIp',
      { Description: 'service registering non-ip instances', Name: 'MyNamespaceNonIpService3B425009-1XYZABCDEF' },
      'HTTP',
    ),
    ...instance('nonIp', NON_IP, { arn: 'arn:aws:s3:::amzn-s3-demo-bucket' }),
    service(
      'ip',
      {
        Description: 'service registering ip instances',
        HealthCheckConfig: { FailureThreshold: 1, ResourcePath: '/check', Type: 'HTTP' },
        Name: 'MyNamespaceIpService220F547F-1XYZABCDEF',
      },
      'HTTP',
    ),
    ...instance('ip', IP, { AWS_INSTANCE_IPV4: '54.239.25.192', AWS_INSTANCE_PORT: '80' }),
    {
      call: 'DiscoverInstances',
      body: { NamespaceName: 'MyHTTPNamespace', ServiceName: 'MyNamespaceNonIpService3B425009-1XYZABCDEF' },
      reads: { Instances: [{ InstanceId: NON_IP, Attributes: { arn: 'arn:aws:s3:::amzn-s3-demo-bucket' } }] },
    },
    ...deleted(['nonIp', NON_IP], ['ip', IP]),
  ]);
});

it('makes and deletes the stack of a private namespace with a load balancer', async () => {
  const LOAD_BALANCER = 'aws-LB8A12-1ABCDEF-123456789.us-east-1.elb.amazonaws.com';
  const upstream = await FakeUpstream.open(onlyAddress('192.0.2.80'));
  try {
    const own = await journey.start({ settings: { UPSTREAMS: upstream.endpoint } });
    const DnsRecords = [
      { TTL: 30, Type: 'A' },
      { TTL: 30, Type: 'AAAA' },
    ];
    await replay(own, cloudFormation, [
      ...namespace('PrivateDns', { Name: 'boobar.com', Vpc: 'vpc-0123456789abcdef0' }),
      // loadBalancer: true makes it WEIGHTED.
      service(
        'service',
        { DnsConfig: { DnsRecords, NamespaceId: '$namespace', RoutingPolicy: 'WEIGHTED' }, Name: 'balanced' },
        'DNS_HTTP',
      ),
      ...instance('service', 'awsservicediscoveryintegNamespaceServiceLoadbalancerD1112A76', {
        AWS_ALIAS_DNS_NAME: LOAD_BALANCER,
      }),
      { ask: ['balanced.boobar.com', 'A'], answer: ['balanced.boobar.com. 30 IN A 192.0.2.80'], eventually: true },
      // discoveryType: API.
      service('arnService', { Name: 'arns', Type: 'HTTP' }, 'HTTP'),
      ...instance('arnService', 'arns-1', { arn: 'arn://' }),
      { ask: ['arns.boobar.com', 'A'], answer: 'NXDOMAIN' },
      ...deleted(['service', 'awsservicediscoveryintegNamespaceServiceLoadbalancerD1112A76'], ['arnService', 'arns-1']),
    ]);
  } finally {
    await upstream.close();
  }
});

it('makes and deletes the stack of a CNAME', async () => {
  const ID = 'awsservicediscoveryintegNamespaceServiceCnameInstance44A3F5CA';
  await replay(daemon(), cloudFormation, [
    ...namespace('PublicDns', { Name: 'foobar.com' }),
    service(
      'service',
      {
        DnsConfig: { DnsRecords: [{ TTL: 30, Type: 'CNAME' }], NamespaceId: '$namespace', RoutingPolicy: 'WEIGHTED' },
        Name: 'foo',
      },
      'DNS_HTTP',
    ),
    ...instance('service', ID, { AWS_INSTANCE_CNAME: 'service.pizza' }),
    { ask: ['foo.foobar.com', 'CNAME'], answer: ['foo.foobar.com. 30 IN CNAME service.pizza.'] },
    ...deleted(['service', ID]),
  ]);
});

it("carries AwsCustomResource's calls out", async () => {
  const kept = await replay(daemon(), cloudFormation, namespace('PrivateDns', { Name: 'custom.local', Vpc: 'vpc-1' }));
  await replay(
    daemon(),
    lambdaJs,
    [
      // A look-up; outputs are paths such as Namespaces.0.Id.
      {
        call: 'ListNamespaces',
        body: { Filters: [{ Name: 'NAME', Values: ['custom.local'], Condition: 'EQ' }] },
        exactly: { 'Namespaces.0.Id': kept.namespace, 'Namespaces.1': undefined },
      },
      // onCreate, the physical id from the answer's Service.Id; the SDK fills CreatorRequestId.
      {
        call: 'CreateService',
        body: {
          Name: 'temporal',
          NamespaceId: '$namespace',
          DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 300 }] },
          HealthCheckCustomConfig: { FailureThreshold: 1 },
          CreatorRequestId: randomUUID(),
        },
        keep: { service: 'Service.Id', registryArn: 'Service.Arn' },
      },
      {
        call: 'GetService',
        body: { Id: '$service' },
        exactly: { 'Service.Arn': '$registryArn', 'Service.DnsConfig.DnsRecords.0': { Type: 'A', TTL: 300 } },
      },
      {
        call: 'RegisterInstance',
        body: {
          ServiceId: '$service',
          InstanceId: 'i-1',
          Attributes: { AWS_INSTANCE_IPV4: '10.0.9.1' },
          CreatorRequestId: randomUUID(),
        },
      },
      { ask: ['temporal.custom.local', 'A'], answer: ['temporal.custom.local. 300 IN A 10.0.9.1'] },
      {
        call: 'DiscoverInstances',
        body: { NamespaceName: 'custom.local', ServiceName: 'temporal' },
        exactly: { 'Instances.0.InstanceId': 'i-1' },
      },
      // onDelete; ignoreErrorCodesMatching is held against the error's name.
      { call: 'DeregisterInstance', body: { ServiceId: '$service', InstanceId: 'i-1' } },
      { call: 'DeleteService', body: { Id: '$service' }, exactly: { '': {} } },
      { call: 'DeleteService', body: { Id: '$service' }, refused: 'ServiceNotFound' },
    ],
    kept,
  );
});
