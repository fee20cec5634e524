/**
 * What external-dns sends as provider aws-sd. Read in kubernetes-sigs/external-dns provider/awssd/aws_sd.go, in the
 * version on aws-sdk-go-v2 and in those before it on aws-sdk-go, of which aws/aws-sdk-go
 * private/protocol/json/jsonutil/build.go says how a list is written. It waits for no operation.
 */
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../../support/daemon.ts';
import { FakeUpstream, onlyAddress } from '../../support/fake-upstream.ts';
import { setUpJourney } from '../../support/journey-tools.ts';
import { type Call, goV1, goV2, type Kept, replay, type Step, waits } from '../../support/replay.ts';

const journey = setUpJourney();
const externalDns = goV2('ExternalDNS/v0.16.1', 3);
const olderExternalDns = goV1('ExternalDNS/v0.14.2');

/** The registry's label; without it nothing is taken for its own. */
const description = (name: string): string =>
  `heritage=external-dns,external-dns/owner=k8s,external-dns/resource=service/default/${name}`;

/** What the user made beforehand: the namespace of the domain, and one of another type that a filter leaves out. */
const prepare: Step[] = [
  {
    call: 'CreatePublicDnsNamespace',
    body: { CreatorRequestId: randomUUID(), Name: 'k8s.example' },
    keep: { op: 'OperationId' },
  },
  waits('$op', { keep: { publicNamespace: 'Operation.Targets.NAMESPACE' } }),
  {
    call: 'CreatePrivateDnsNamespace',
    body: { CreatorRequestId: randomUUID(), Name: 'k8s.internal', Vpc: 'vpc-1' },
    keep: { op: 'OperationId' },
  },
  waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
];

const listNamespaces: Call = {
  call: 'ListNamespaces',
  body: { Filters: [{ Name: 'TYPE', Values: ['DNS_PRIVATE'] }] },
  reads: { Namespaces: [{ Id: '$namespace', Name: 'k8s.internal' }] },
};

/** All that it knows of its services comes from the summaries, a description that is missing ends it. */
const listServices = (...Services: object[]): Call => ({
  call: 'ListServices',
  body: { Filters: [{ Name: 'NAMESPACE_ID', Values: ['$namespace'] }], MaxResults: 100 },
  reads: { Services: Services.map((service) => ({ Id: '$service', ...service })) },
});

const summary = (Name: string, Type: string, TTL: number, RoutingPolicy: string): object => ({
  Name,
  Description: description(Name),
  DnsConfig: { DnsRecords: [{ Type, TTL }], RoutingPolicy },
});

const createService = (Name: string, Type: string, TTL: number, RoutingPolicy: string, rest: object): Call => ({
  call: 'CreateService',
  body: {
    CreatorRequestId: randomUUID(),
    Description: description(Name),
    DnsConfig: { DnsRecords: [{ TTL, Type }], RoutingPolicy },
    Name,
    NamespaceId: '$namespace',
    ...rest,
  },
  reads: { Service: summary(Name, Type, TTL, RoutingPolicy) },
  keep: { service: 'Service.Id' },
});

/** The target is the id; a long one's digest. */
const idOf = (target: string): string =>
  target.length > 64 ? createHash('sha256').update(target.toLowerCase()).digest('hex') : target.toLowerCase();

const register = (attribute: string, target: string): Call => ({
  call: 'RegisterInstance',
  body: {
    Attributes: { [attribute]: target },
    CreatorRequestId: randomUUID(),
    InstanceId: idOf(target),
    ServiceId: '$service',
  },
});

const deregister = (target: string): Call => ({
  call: 'DeregisterInstance',
  body: { InstanceId: idOf(target), ServiceId: '$service' },
});

const discover = (ServiceName: string, ...Attributes: object[]): Call => ({
  call: 'DiscoverInstances',
  body: { NamespaceName: 'k8s.internal', ServiceName },
  reads: {
    Instances:
      Attributes.length < 2
        ? Attributes.map((attributes) => ({ Attributes: attributes }))
        : expect.arrayContaining(Attributes.map((attributes) => expect.objectContaining({ Attributes: attributes }))),
  },
});

describe('on aws-sdk-go-v2', () => {
  it('makes a service of an endpoint, follows it, and clears the empty service away', async () => {
    const daemon = await journey.start();
    await replay(daemon, externalDns, [
      ...prepare,
      // Records, then ApplyChanges: the lists again, and what is missing. No tags are an empty list.
      listNamespaces,
      listServices(),
      listNamespaces,
      listServices(),
      createService('nginx', 'A', 300, 'MULTIVALUE', { Tags: [] }),
      register('AWS_INSTANCE_IPV4', '10.1.0.1'),
      register('AWS_INSTANCE_IPV4', '10.1.0.2'),
      {
        ask: ['nginx.k8s.internal', 'A'],
        answer: ['nginx.k8s.internal. 300 IN A 10.1.0.1', 'nginx.k8s.internal. 300 IN A 10.1.0.2'],
      },
      // The next round: what is there is read back.
      listNamespaces,
      listServices(summary('nginx', 'A', 300, 'MULTIVALUE')),
      discover('nginx', { AWS_INSTANCE_IPV4: '10.1.0.1' }, { AWS_INSTANCE_IPV4: '10.1.0.2' }),
      // Other targets and another TTL: all go, then all come.
      listNamespaces,
      listServices(summary('nginx', 'A', 300, 'MULTIVALUE')),
      deregister('10.1.0.1'),
      deregister('10.1.0.2'),
      listServices(summary('nginx', 'A', 300, 'MULTIVALUE')),
      {
        call: 'UpdateService',
        body: {
          Id: '$service',
          Service: { Description: description('nginx'), DnsConfig: { DnsRecords: [{ TTL: 60, Type: 'A' }] } },
        },
      },
      register('AWS_INSTANCE_IPV4', '10.1.0.3'),
      { ask: ['nginx.k8s.internal', 'A'], answer: ['nginx.k8s.internal. 60 IN A 10.1.0.3'] },
      listServices(summary('nginx', 'A', 60, 'MULTIVALUE')),
      discover('nginx', { AWS_INSTANCE_IPV4: '10.1.0.3' }),
      // The endpoint is deleted; a round later so is the service.
      listNamespaces,
      listServices(summary('nginx', 'A', 60, 'MULTIVALUE')),
      deregister('10.1.0.3'),
      { ask: ['nginx.k8s.internal', 'A'], answer: 'NXDOMAIN' },
      listNamespaces,
      listServices(summary('nginx', 'A', 60, 'MULTIVALUE')),
      { ...discover('nginx'), exactly: { Instances: [] } },
      { call: 'DeleteService', body: { Id: '$service' } },
      listServices(),
      {
        call: 'DiscoverInstances',
        body: { NamespaceName: 'none', ServiceName: 'nginx' },
        refused: 'NamespaceNotFound',
      },
    ]);
  });

  describe('other kinds of endpoints', () => {
    const LONG = `${'a-very-long-name-'.repeat(3)}of-a-target.${'behind-it.'.repeat(2)}example.org`;
    const BALANCER = 'K8s-Ingress-0123456789.eu-west-1.elb.amazonaws.com';
    const folder = makeFolder();
    let upstream: FakeUpstream;
    let daemon: RunningDaemon;
    let kept: Kept;
    beforeAll(async () => {
      // The load balancer's name resolves to one A record, and to none of another type.
      upstream = await FakeUpstream.open(onlyAddress('192.0.2.80'));
      const settings = { UPSTREAMS: upstream.endpoint };
      daemon = await startTestDaemon({ dataDir: folder.path, settings });
      kept = await replay(daemon, externalDns, prepare);
    });
    afterAll(async () => {
      await daemon?.stop('SIGKILL');
      await upstream.close();
      folder.remove();
    });

    it.each([
      ['an IPv6 address', 'AAAA', 'MULTIVALUE', 'AWS_INSTANCE_IPV6', '2001:db8::1', '300 IN AAAA 2001:db8::1'],
      ['a name', 'CNAME', 'WEIGHTED', 'AWS_INSTANCE_CNAME', 'target.example.org', '300 IN CNAME target.example.org.'],
      ['a long name', 'CNAME', 'WEIGHTED', 'AWS_INSTANCE_CNAME', LONG, `300 IN CNAME ${LONG}.`],
      // Under the load balancer's TTL.
      ['a load balancer', 'A', 'WEIGHTED', 'AWS_ALIAS_DNS_NAME', BALANCER, '30 IN A 192.0.2.80'],
    ])('makes a service of %s', async (_, type, policy, attribute, target, record) => {
      const ask: Step = {
        ask: ['web.k8s.internal', type],
        answer: [`web.k8s.internal. ${record}`],
        eventually: true,
      };
      await replay(
        daemon,
        externalDns,
        [
          listNamespaces,
          listServices(),
          createService('web', type, 300, policy, { Tags: [{ Key: 'cluster', Value: 'k8s' }] }),
          register(attribute, target),
          listServices(summary('web', type, 300, policy)),
          discover('web', { [attribute]: target }),
          ask,
          // Registered again at every update, whatever has changed.
          register(attribute, target),
          ask,
          deregister(target),
          { ask: ['web.k8s.internal', type], answer: 'NXDOMAIN' },
          { call: 'DeleteService', body: { Id: '$service' } },
        ],
        kept,
      );
    });
  });
});

it('on aws-sdk-go asks for namespaces of any type by an empty filter, and lists instances', async () => {
  const daemon = await journey.start();
  // A nil filter in the list leaves the list empty.
  const anyNamespaces = (kept: Kept): Step => ({
    call: 'ListNamespaces',
    body: { Filters: [] },
    reads: {
      Namespaces: expect.arrayContaining(
        ['namespace', 'publicNamespace'].map((name) => expect.objectContaining({ Id: kept[name] })),
      ),
    },
  });
  const kept = await replay(daemon, olderExternalDns, prepare);
  await replay(
    daemon,
    olderExternalDns,
    [
      anyNamespaces(kept),
      listServices(),
      createService('nginx', 'A', 120, 'MULTIVALUE', {}),
      register('AWS_INSTANCE_IPV4', '10.1.0.1'),
      listServices(summary('nginx', 'A', 120, 'MULTIVALUE')),
      {
        call: 'ListInstances',
        body: { ServiceId: '$service' },
        exactly: { Instances: [expect.objectContaining({ Attributes: { AWS_INSTANCE_IPV4: '10.1.0.1' } })] },
      },
      // Its earliest versions asked for each service besides.
      { call: 'GetService', body: { Id: '$service' }, reads: { Service: summary('nginx', 'A', 120, 'MULTIVALUE') } },
      { ask: ['nginx.k8s.internal', 'A'], answer: ['nginx.k8s.internal. 120 IN A 10.1.0.1'] },
      deregister('10.1.0.1'),
      { call: 'ListInstances', body: { ServiceId: '$service' }, exactly: { Instances: [] } },
      { call: 'DeleteService', body: { Id: '$service' } },
      listServices(),
    ],
    kept,
  );
});
