/**
 * What Amazon ECS does for a service with serviceRegistries. Its scheduler is not public; read were which actions its
 * role has (the policy AmazonECSServiceRolePolicy), the ECS developer guide (its tutorial on service discovery with the
 * AWS CLI shows calls, attributes and answers), and loilo-inc/canarycage canary/srv_task.go, which registers a task as
 * ECS would.
 */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { shareDaemon } from '../../support/journey-tools.ts';
import { awsService, type Call, goV2, replay, type Step, waits } from '../../support/replay.ts';

const daemon = shareDaemon();
const ecs = awsService('ecs');

/** The tutorial: a namespace, and a service whose DnsConfig names it. */
const prepare = (Name: string, Type: 'A' | 'SRV'): Step[] => [
  {
    call: 'CreatePrivateDnsNamespace',
    body: { CreatorRequestId: randomUUID(), Name, Vpc: 'vpc-abcd1234' },
    keep: { op: 'OperationId' },
  },
  waits('$op', { keep: { namespace: 'Operation.Targets.NAMESPACE' } }),
  {
    call: 'CreateService',
    body: {
      Name: 'myapplication',
      CreatorRequestId: randomUUID(),
      DnsConfig: { NamespaceId: '$namespace', DnsRecords: [{ Type, TTL: 300 }] },
      HealthCheckCustomConfig: { FailureThreshold: 1 },
    },
    keep: { service: 'Service.Id', registryArn: 'Service.Arn' },
  },
  // The registry of the ECS service, by the end of its ARN.
  {
    call: 'GetService',
    body: { Id: '$service' },
    reads: {
      Service: {
        Arn: '$registryArn',
        DnsConfig: { NamespaceId: '$namespace', DnsRecords: [{ Type, TTL: 300 }] },
        HealthCheckCustomConfig: { FailureThreshold: 1 },
      },
    },
  },
];

const attributes = (address: string, more: object = {}): object => ({
  AVAILABILITY_ZONE: 'us-east-1a',
  AWS_INIT_HEALTH_STATUS: 'UNHEALTHY',
  AWS_INSTANCE_IPV4: address,
  ECS_CLUSTER_NAME: 'tutorial',
  ECS_SERVICE_NAME: 'ecs-service-discovery',
  ECS_TASK_DEFINITION_FAMILY: 'tutorial-task-def',
  REGION: 'us-east-1',
  ...more,
});

/** A task starts: its id is the instance's. */
const starts = (InstanceId: string, Attributes: object): Step[] => [
  {
    call: 'RegisterInstance',
    body: { ServiceId: '$service', InstanceId, CreatorRequestId: randomUUID(), Attributes },
    keep: { op: 'OperationId' },
  },
  waits('$op', { reads: { Operation: { Type: 'REGISTER_INSTANCE', Status: 'SUCCESS' } } }),
];

const becomes = (InstanceId: string, Status: 'HEALTHY' | 'UNHEALTHY'): Call => ({
  call: 'UpdateInstanceCustomHealthStatus',
  body: { ServiceId: '$service', InstanceId, Status },
  exactly: { '': {} },
});

/** A task stops. */
const stops = (InstanceId: string): Step[] => [
  { call: 'DeregisterInstance', body: { ServiceId: '$service', InstanceId }, keep: { op: 'OperationId' } },
  waits('$op', {
    reads: {
      Operation: {
        Type: 'DEREGISTER_INSTANCE',
        Status: 'SUCCESS',
        Targets: { INSTANCE: InstanceId, SERVICE: '$service' },
      },
    },
  }),
];

const TASKS = ['16becc26-8558-4af1-9fbd-f81be062a266', 'baf2a3419ee446c587cba75766d899f9'] as const;
const [FIRST, SECOND] = TASKS;

it('registers tasks with their addresses, by the health of their containers', async () => {
  const records = (...last: number[]) => last.map((byte) => `myapplication.tutorial. 300 IN A 172.31.87.${byte}`);
  const ask = (...last: number[]): Step => ({ ask: ['myapplication.tutorial', 'A'], answer: records(...last) });
  const health = (Status: object): Call => ({
    call: 'GetInstancesHealthStatus',
    body: { ServiceId: '$service' },
    exactly: { Status },
  });
  await replay(daemon(), ecs, [
    ...prepare('tutorial', 'A'),
    ...starts(FIRST, attributes('172.31.87.2')),
    ...starts(SECOND, attributes('172.31.87.3')),
    health({ [FIRST]: 'UNHEALTHY', [SECOND]: 'UNHEALTHY' }),
    becomes(FIRST, 'HEALTHY'),
    ask(2),
    becomes(SECOND, 'HEALTHY'),
    ask(2, 3),
    health({ [FIRST]: 'HEALTHY', [SECOND]: 'HEALTHY' }),
    // What the tutorial looks at.
    {
      call: 'ListInstances',
      body: { ServiceId: '$service' },
      exactly: {
        Instances: expect.arrayContaining([
          expect.objectContaining({ Id: FIRST, Attributes: attributes('172.31.87.2') }),
          expect.objectContaining({ Id: SECOND, Attributes: attributes('172.31.87.3') }),
        ]),
      },
    },
    {
      call: 'GetNamespace',
      body: { Id: '$namespace' },
      reads: {
        Namespace: {
          Name: 'tutorial',
          Type: 'DNS_PRIVATE',
          Properties: { DnsProperties: { HostedZoneId: expect.stringMatching(/^Z/) } },
        },
      },
    },
    // A deployment: the new task is registered before the old one goes.
    becomes(SECOND, 'UNHEALTHY'),
    ask(2),
    ...stops(SECOND),
    ...starts('third', attributes('172.31.87.4')),
    becomes('third', 'HEALTHY'),
    ...stops(FIRST),
    ask(4),
    { call: 'DeregisterInstance', body: { ServiceId: '$service', InstanceId: FIRST }, refused: 'InstanceNotFound' },
    { ...becomes(FIRST, 'HEALTHY'), refused: 'InstanceNotFound' },
    // The desired count is 0, and everything goes.
    ...stops('third'),
    { ask: ['myapplication.tutorial', 'A'], answer: 'NXDOMAIN' },
    { call: 'DeleteService', body: { Id: '$service' } },
    { call: 'DeleteNamespace', body: { Id: '$namespace' }, keep: { op: 'OperationId' } },
    waits('$op', {
      reads: { Operation: { Type: 'DELETE_NAMESPACE', Status: 'SUCCESS', Targets: { NAMESPACE: '$namespace' } } },
    }),
  ]);
});

it('registers tasks with their ports, two of them on one machine', async () => {
  const name = 'myapplication.bridge';
  await replay(daemon(), ecs, [
    ...prepare('bridge', 'SRV'),
    ...starts(FIRST, attributes('172.31.87.2', { AWS_INSTANCE_PORT: '32768' })),
    ...starts(SECOND, attributes('172.31.87.2', { AWS_INSTANCE_PORT: '32769' })),
    becomes(FIRST, 'HEALTHY'),
    becomes(SECOND, 'HEALTHY'),
    {
      ask: [name, 'SRV'],
      answer: TASKS.map((task, i) => `${name}. 300 IN SRV 1 1 ${32768 + i} ${task}.${name}.`),
    },
    ...TASKS.map(
      (task): Step => ({ ask: [`${task}.${name}`, 'A'], answer: [`${task}.${name}. 300 IN A 172.31.87.2`] }),
    ),
    becomes(FIRST, 'UNHEALTHY'),
    { ask: [name, 'SRV'], answer: [`${name}. 300 IN SRV 1 1 32769 ${SECOND}.${name}.`] },
    ...stops(FIRST),
    ...stops(SECOND),
    { ask: [name, 'SRV'], answer: 'NXDOMAIN' },
    { call: 'DeleteService', body: { Id: '$service' } },
  ]);
});

it('waits for a canary of canarycage', async () => {
  const cage = goV2('', 3);
  const canary = attributes('172.31.87.9', { CAGE_CANARY_TASK: '1' });
  const discover: Call = {
    call: 'DiscoverInstances',
    body: {
      HealthStatus: 'HEALTHY',
      NamespaceName: 'canary',
      QueryParameters: { CAGE_CANARY_TASK: '1' },
      ServiceName: 'myapplication',
    },
  };
  const kept = await replay(daemon(), ecs, [
    ...prepare('canary', 'A'),
    ...starts(FIRST, attributes('172.31.87.2')),
    becomes(FIRST, 'HEALTHY'),
  ]);
  await replay(
    daemon(),
    cage,
    [
      { call: 'GetService', body: { Id: '$service' }, reads: { Service: { Id: '$service' } } },
      { call: 'RegisterInstance', body: { Attributes: canary, InstanceId: SECOND, ServiceId: '$service' } },
      { ...discover, exactly: { Instances: [] } },
      becomes(SECOND, 'HEALTHY'),
      {
        ...discover,
        reads: {
          Instances: [
            { InstanceId: SECOND, NamespaceName: 'canary', ServiceName: 'myapplication', HealthStatus: 'HEALTHY' },
          ],
        },
        exactly: { 'Instances.0.Attributes': canary },
      },
      { call: 'DeregisterInstance', body: { InstanceId: SECOND, ServiceId: '$service' } },
      { ...discover, exactly: { Instances: [] } },
    ],
    kept,
  );
});
