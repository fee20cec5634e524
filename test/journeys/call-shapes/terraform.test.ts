/**
 * What Terraform's AWS provider sends for its Cloud Map resources and data sources. Read in
 * hashicorp/terraform-provider-aws, internal/service/servicediscovery/ (the file stands at each table), its tags in
 * tags_gen.go and internal/provider/sdkv2/tags_interceptor.go, its request ids in hashicorp/terraform-plugin-sdk
 * helper/id/id.go.
 */
import { describe, expect, it } from 'vitest';
import { setUpJourney, shareDaemon } from '../../support/journey-tools.ts';
import { type Call, goV2, replay, type Step, send, waits } from '../../support/replay.ts';

// Operations stay PENDING for a moment, so that the polling is for something.
const daemon = shareDaemon({ settings: { OPERATION_DELAY_MS: '10' } });
const journey = setUpJourney();

const terraform = goV2(
  'APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.98.0 (+https://registry.terraform.io/providers/hashicorp/aws)',
  25,
);

/** `id.UniqueId()`: the time, and a counter in hex. */
let ids = 0;
const uniqueId = (): string => `terraform-202611222015071234${(++ids).toString(16).padStart(8, '0')}`;

const ARN = /^arn:aws:servicediscovery:us-east-1:123456789012:(namespace\/ns|service\/srv)-[a-z2-7]{16}$/;

/** The tags of whatever has this ARN, as after every create, read and update. */
const tags = (Tags: readonly object[]): Call => ({
  call: 'ListTagsForResource',
  body: { ResourceARN: '$arn' },
  exactly: { Tags },
});

const destroyNamespace: Step[] = [
  { call: 'DeleteNamespace', body: { Id: '$namespace' }, keep: { op: 'OperationId' } },
  waits('$op'),
  // Once more by whoever ran twice, and a refresh after that: both take it for gone.
  { call: 'DeleteNamespace', body: { Id: '$namespace' }, refused: 'NamespaceNotFound' },
  { call: 'GetNamespace', body: { Id: '$namespace' }, refused: 'NamespaceNotFound' },
];

describe('namespaces', () => {
  it('creates, tags, finds and destroys an HTTP namespace', async () => {
    const kept = await replay(daemon(), terraform, [
      // http_namespace.go: create, then read.
      {
        call: 'CreateHttpNamespace',
        body: {
          CreatorRequestId: uniqueId(),
          Description: 'by terraform',
          Name: 'tf-http',
          Tags: [{ Key: 'stage', Value: 'beta' }],
        },
        keep: { op: 'OperationId' },
      },
      waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
      {
        call: 'GetNamespace',
        body: { Id: '$namespace' },
        reads: {
          Namespace: {
            Arn: expect.stringMatching(ARN),
            Description: 'by terraform',
            Name: 'tf-http',
            Properties: { HttpProperties: { HttpName: 'tf-http' } },
          },
        },
        keep: { arn: 'Namespace.Arn' },
      },
      tags([{ Key: 'stage', Value: 'beta' }]),
      // Only tags can change: what went first, what came then, and a read.
      { call: 'UntagResource', body: { ResourceARN: '$arn', TagKeys: ['stage'] }, exactly: { '': {} } },
      { call: 'TagResource', body: { ResourceARN: '$arn', Tags: [{ Key: 'team', Value: '' }] } },
      { call: 'GetNamespace', body: { Id: '$namespace' }, reads: { Namespace: { Arn: '$arn' } } },
      tags([{ Key: 'team', Value: '' }]),
      // http_namespace_data_source.go: the list of the type, the name looked for in it.
      {
        call: 'ListNamespaces',
        body: { Filters: [{ Condition: 'EQ', Name: 'TYPE', Values: ['HTTP'] }] },
        reads: { Namespaces: [{ Id: '$namespace', Name: 'tf-http' }] },
      },
      { call: 'GetNamespace', body: { Id: '$namespace' }, reads: { Namespace: { Name: 'tf-http' } } },
      tags([{ Key: 'team', Value: '' }]),
    ]);
    // Its delete is tried again for two minutes while something is inside.
    await replay(
      daemon(),
      terraform,
      [
        {
          call: 'CreateService',
          body: { CreatorRequestId: uniqueId(), Name: 'left-over', NamespaceId: '$namespace' },
          keep: { service: 'Service.Id' },
        },
        { call: 'DeleteNamespace', body: { Id: '$namespace' }, refused: 'ResourceInUse' },
        { call: 'DeleteService', body: { Id: '$service' } },
        ...destroyNamespace,
      ],
      kept,
    );
  });

  it.each([
    ['private_dns_namespace.go', 'PrivateDns', 'DNS_PRIVATE', { Vpc: 'vpc-0a1b2c3d4e5f67890' }],
    ['public_dns_namespace.go', 'PublicDns', 'DNS_PUBLIC', {}],
  ])('creates, updates, finds and destroys that of %s', async (_, kind, type, vpc) => {
    const Name = `tf-${kind.toLowerCase()}.example`;
    const read = (Description: unknown): Call => ({
      call: 'GetNamespace',
      body: { Id: '$namespace' },
      reads: {
        Namespace: {
          Arn: expect.stringMatching(ARN),
          Name,
          Properties: { DnsProperties: { HostedZoneId: expect.stringMatching(/^Z[A-Z0-9]+$/) } },
        },
      },
      exactly: { 'Namespace.Description': Description },
      keep: { arn: 'Namespace.Arn' },
    });
    const update = (Description: string): Step[] => [
      {
        call: `Update${kind}Namespace`,
        body: { Id: '$namespace', Namespace: { Description }, UpdaterRequestId: uniqueId() },
        keep: { op: 'OperationId' },
      },
      waits('$op'),
    ];
    await replay(daemon(), terraform, [
      {
        call: `Create${kind}Namespace`,
        body: { CreatorRequestId: uniqueId(), Name, ...vpc },
        keep: { op: 'OperationId' },
      },
      waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
      read(undefined),
      tags([]),
      { ask: [Name, 'NS'], answer: [expect.stringContaining(` IN NS ns.${Name}.`) as string] },
      ...update('described'),
      read('described'),
      tags([]),
      // An argument that is taken out is sent empty, and read back as nothing.
      ...update(''),
      read(undefined),
      // dns_namespace_data_source.go.
      {
        call: 'ListNamespaces',
        body: { Filters: [{ Condition: 'EQ', Name: 'TYPE', Values: [type] }] },
        reads: { Namespaces: [{ Id: '$namespace', Name }] },
      },
      read(undefined),
      tags([]),
      ...destroyNamespace,
      { ask: [Name, 'NS'], answer: 'REFUSED' },
    ]);
  });
});

/** A namespace to be in. @returns the id as `namespace` */
const inNamespace = (Name: string): Step[] => [
  {
    call: 'CreatePrivateDnsNamespace',
    body: { CreatorRequestId: uniqueId(), Name, Vpc: 'vpc-0a1b2c3d4e5f67890' },
    keep: { op: 'OperationId' },
  },
  waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
];

const register = (InstanceId: string, Attributes: object): Step[] => [
  {
    call: 'RegisterInstance',
    body: { Attributes, CreatorRequestId: uniqueId(), InstanceId, ServiceId: '$service' },
    keep: { op: 'OperationId' },
  },
  waits('$op'),
  // A plan that is never empty follows from any other attribute.
  {
    call: 'GetInstance',
    body: { InstanceId, ServiceId: '$service' },
    reads: { Instance: { Id: InstanceId } },
    exactly: { 'Instance.Attributes': Attributes },
  },
];

const deregister = (InstanceId: string): Step[] => [
  { call: 'DeregisterInstance', body: { InstanceId, ServiceId: '$service' }, keep: { op: 'OperationId' } },
  waits('$op'),
];

describe('service.go and instance.go', () => {
  it('keeps a service for DNS as it was configured, changes its TTL, and destroys it', async () => {
    // What the block dns_config is compared with: namespace_id and routing_policy would make it anew.
    const read = (TTL: number, Description?: string): Call => ({
      call: 'GetService',
      body: { Id: '$service' },
      reads: { Service: { Arn: expect.stringMatching(ARN), Name: 'web', NamespaceId: '$namespace', Type: 'DNS_HTTP' } },
      exactly: {
        'Service.DnsConfig': {
          NamespaceId: '$namespace',
          RoutingPolicy: 'MULTIVALUE',
          DnsRecords: [{ Type: 'A', TTL }],
        },
        'Service.HealthCheckConfig': undefined,
        'Service.HealthCheckCustomConfig': { FailureThreshold: 1 },
        'Service.Description': Description,
      },
      keep: { arn: 'Service.Arn' },
    });
    await replay(daemon(), terraform, [
      ...inNamespace('tf-service.internal'),
      {
        call: 'CreateService',
        body: {
          CreatorRequestId: uniqueId(),
          DnsConfig: {
            DnsRecords: [{ TTL: 10, Type: 'A' }],
            NamespaceId: '$namespace',
            RoutingPolicy: 'MULTIVALUE',
          },
          HealthCheckCustomConfig: { FailureThreshold: 1 },
          Name: 'web',
          Tags: [{ Key: 'Name', Value: 'web' }],
        },
        keep: { service: 'Service.Id' },
      },
      read(10),
      tags([{ Key: 'Name', Value: 'web' }]),
      ...register('web-1', { AWS_INSTANCE_IPV4: '172.18.0.1', custom_attribute: 'custom' }),
      { ask: ['web.tf-service.internal', 'A'], answer: ['web.tf-service.internal. 10 IN A 172.18.0.1'] },
      // An update says all that it can say, an empty description included.
      {
        call: 'UpdateService',
        body: { Id: '$service', Service: { Description: '', DnsConfig: { DnsRecords: [{ TTL: 5, Type: 'A' }] } } },
        keep: { op: 'OperationId' },
      },
      waits('$op'),
      read(5),
      { ask: ['web.tf-service.internal', 'A'], answer: ['web.tf-service.internal. 5 IN A 172.18.0.1'] },
      // service_data_source.go.
      {
        call: 'ListServices',
        body: { Filters: [{ Condition: 'EQ', Name: 'NAMESPACE_ID', Values: ['$namespace'] }] },
        reads: { Services: [{ Id: '$service', Name: 'web' }] },
      },
      read(5),
      tags([{ Key: 'Name', Value: 'web' }]),
      // An instance's update is another registration.
      ...register('web-1', { AWS_INSTANCE_IPV4: '172.18.0.2' }),
      { ask: ['web.tf-service.internal', 'A'], answer: ['web.tf-service.internal. 5 IN A 172.18.0.2'] },
      // Destroyed from the leaves on; without force_destroy the service stays while something is in it.
      { call: 'DeleteService', body: { Id: '$service' }, refused: 'ResourceInUse' },
      ...deregister('web-1'),
      { call: 'GetInstance', body: { InstanceId: 'web-1', ServiceId: '$service' }, refused: 'InstanceNotFound' },
      { call: 'DeleteService', body: { Id: '$service' } },
      { call: 'DeleteService', body: { Id: '$service' }, refused: 'ServiceNotFound' },
      { call: 'GetService', body: { Id: '$service' }, refused: 'ServiceNotFound' },
      ...destroyNamespace,
    ]);
  });

  it('keeps health checks, and services that are not for DNS', async () => {
    const HealthCheckConfig = { FailureThreshold: 5, ResourcePath: '/path', Type: 'HTTP' };
    const DnsRecords = [{ TTL: 10, Type: 'A' }];
    await replay(daemon(), terraform, [
      {
        call: 'CreatePublicDnsNamespace',
        body: { CreatorRequestId: uniqueId(), Name: 'tf-checked.example' },
        keep: { op: 'OperationId' },
      },
      waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
      {
        call: 'CreateService',
        body: {
          CreatorRequestId: uniqueId(),
          Description: 'checked',
          DnsConfig: { DnsRecords, NamespaceId: '$namespace', RoutingPolicy: 'WEIGHTED' },
          HealthCheckConfig,
          Name: 'checked',
        },
        keep: { service: 'Service.Id' },
      },
      {
        call: 'UpdateService',
        body: {
          Id: '$service',
          Service: {
            Description: 'checked',
            DnsConfig: { DnsRecords },
            HealthCheckConfig: { ...HealthCheckConfig, FailureThreshold: 3 },
          },
        },
        keep: { op: 'OperationId' },
      },
      waits('$op'),
      {
        call: 'GetService',
        body: { Id: '$service' },
        reads: { Service: { Description: 'checked', DnsConfig: { RoutingPolicy: 'WEIGHTED' } } },
        exactly: {
          'Service.HealthCheckConfig': { ...HealthCheckConfig, FailureThreshold: 3 },
          'Service.HealthCheckCustomConfig': undefined,
        },
      },
      { call: 'DeleteService', body: { Id: '$service' } },
      // type = "HTTP" in a namespace for DNS: dns_config is compared with nothing.
      {
        call: 'CreateService',
        body: { CreatorRequestId: uniqueId(), Name: 'api-only', NamespaceId: '$namespace', Type: 'HTTP' },
        keep: { service: 'Service.Id' },
      },
      {
        call: 'GetService',
        body: { Id: '$service' },
        reads: { Service: { Name: 'api-only', NamespaceId: '$namespace', Type: 'HTTP' } },
        exactly: { 'Service.DnsConfig.DnsRecords': undefined, 'Service.DnsConfig.NamespaceId': undefined },
      },
      { call: 'DeleteService', body: { Id: '$service' } },
      ...destroyNamespace,
    ]);
  });

  it('empties a service of more than one page by force_destroy', async () => {
    const kept = await replay(daemon(), terraform, [
      ...inNamespace('tf-force.internal'),
      {
        call: 'CreateService',
        body: {
          CreatorRequestId: uniqueId(),
          DnsConfig: { DnsRecords: [{ TTL: 5, Type: 'A' }], NamespaceId: '$namespace', RoutingPolicy: 'MULTIVALUE' },
          Name: 'web',
        },
        keep: { service: 'Service.Id' },
      },
    ]);
    const names = Array.from({ length: 130 }, (_, i) => `web-${i}`);
    await Promise.all(
      names.map((name, i) => replay(daemon(), terraform, register(name, { AWS_INSTANCE_IPV4: `10.0.1.${i}` }), kept)),
    );
    // resourceServiceDelete: a page, its instances deregistered one by one, the next page by the first one's token.
    const gone: string[] = [];
    let token: string | undefined;
    do {
      const body = { ...(token === undefined ? {} : { NextToken: token }), ServiceId: kept.service };
      const { Instances = [], NextToken } = await send(daemon(), terraform, { call: 'ListInstances', body });
      for (const { Id } of Instances) {
        await replay(daemon(), terraform, deregister(Id), kept);
        gone.push(Id);
      }
      token = NextToken;
    } while (token !== undefined);
    expect(gone.sort()).toEqual(names.sort());
    await replay(daemon(), terraform, [{ call: 'DeleteService', body: { Id: '$service' } }, ...destroyNamespace], kept);
  });

  it('reads an EC2 instance back without the address that was looked up for it', async () => {
    const CONFIG = journey.writeFile('cloudmapd.yaml', 'ec2Instances: { i-0abdg374kd892cj6dl: 10.0.4.5 }\n');
    const own = await journey.start({ settings: { CONFIG } });
    await replay(own, terraform, [
      {
        call: 'CreateHttpNamespace',
        body: { CreatorRequestId: uniqueId(), Name: 'tf-ec2' },
        keep: { op: 'OperationId' },
      },
      waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
      {
        call: 'CreateService',
        body: { CreatorRequestId: uniqueId(), Name: 'web', NamespaceId: '$namespace' },
        keep: { service: 'Service.Id' },
      },
      {
        call: 'RegisterInstance',
        body: {
          Attributes: { AWS_EC2_INSTANCE_ID: 'i-0abdg374kd892cj6dl' },
          CreatorRequestId: uniqueId(),
          InstanceId: 'web-1',
          ServiceId: '$service',
        },
        keep: { op: 'OperationId' },
      },
      waits('$op'),
      // It takes AWS_INSTANCE_IPV4 out before it compares, and nothing else.
      {
        call: 'GetInstance',
        body: { InstanceId: 'web-1', ServiceId: '$service' },
        exactly: {
          'Instance.Attributes': { AWS_EC2_INSTANCE_ID: 'i-0abdg374kd892cj6dl', AWS_INSTANCE_IPV4: '10.0.4.5' },
        },
      },
    ]);
  });
});
