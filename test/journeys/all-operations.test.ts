import * as client from '@aws-sdk/client-servicediscovery';
import { afterAll, expect, it } from 'vitest';
import { dig } from '../support/dns.ts';
import { shareDaemon } from '../support/journey-tools.ts';
import { sdkClient } from '../support/sdk.ts';

const daemon = shareDaemon();
const closers: (() => void)[] = [];
afterAll(() => {
  for (const close of closers) close();
});

/** An SDK client, and the commands that it has sent with success. */
function recordingClient() {
  const sdk = sdkClient(daemon().endpoint);
  closers.push(() => sdk.destroy());
  const done = new Set<string>();
  sdk.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      done.add(context.commandName as string);
      return result;
    },
    { step: 'initialize' },
  );
  /** Waits for the operation. @returns what it targeted */
  const ended = async ({ OperationId }: { OperationId?: string | undefined }) => {
    for (;;) {
      const { Operation } = await sdk.send(new client.GetOperationCommand({ OperationId }));
      if (Operation?.Status === 'SUCCESS') return Operation.Targets ?? {};
      expect(['SUBMITTED', 'PENDING']).toContain(Operation?.Status);
    }
  };
  const answers = async (name: string, type: string) => (await dig(daemon().dnsPort, name, type)).answer;
  return { sdk, done, ended, answers };
}

it('the SDK carries each of the 30 operations out', async () => {
  const { sdk, done, ended, answers } = recordingClient();

  // Namespaces of each kind.
  const http = (await ended(await sdk.send(new client.CreateHttpNamespaceCommand({ Name: 'jobs' })))).NAMESPACE;
  const privateDns = (
    await ended(await sdk.send(new client.CreatePrivateDnsNamespaceCommand({ Name: 'corp.internal', Vpc: 'vpc-1' })))
  ).NAMESPACE;
  const publicDns = (await ended(await sdk.send(new client.CreatePublicDnsNamespaceCommand({ Name: 'shop.example' }))))
    .NAMESPACE;
  const all = await sdk.send(new client.ListNamespacesCommand({}));
  expect(all.Namespaces?.map(({ Id }) => Id).sort()).toEqual([http, privateDns, publicDns].sort());

  const Description = 'described';
  await ended(await sdk.send(new client.UpdateHttpNamespaceCommand({ Id: http, Namespace: { Description } })));
  const Namespace = { Description, Properties: { DnsProperties: { SOA: { TTL: 33 } } } };
  await ended(await sdk.send(new client.UpdatePrivateDnsNamespaceCommand({ Id: privateDns, Namespace })));
  await ended(await sdk.send(new client.UpdatePublicDnsNamespaceCommand({ Id: publicDns, Namespace })));
  for (const Id of [http, privateDns, publicDns]) {
    expect((await sdk.send(new client.GetNamespaceCommand({ Id }))).Namespace).toMatchObject({ Description });
  }
  for (const zone of ['corp.internal', 'shop.example']) expect((await answers(zone, 'SOA'))[0]).toMatch(/ 33 IN SOA /);

  // A service with a custom check, and an instance.
  const { Service } = await sdk.send(
    new client.CreateServiceCommand({
      Name: 'web',
      NamespaceId: privateDns,
      DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] },
      HealthCheckCustomConfig: {},
      Tags: [{ Key: 'stage', Value: 'beta' }],
    }),
  );
  const ServiceId = Service?.Id;
  const instance = { ServiceId, InstanceId: 'web-1' };
  const Attributes = { AWS_INSTANCE_IPV4: '10.0.0.7' };
  await ended(await sdk.send(new client.RegisterInstanceCommand({ ...instance, Attributes })));
  expect(await answers('web.corp.internal', 'A')).toEqual(['web.corp.internal. 60 IN A 10.0.0.7']);
  const DnsConfig = { DnsRecords: [{ Type: 'A' as const, TTL: 7 }] };
  const updated = await ended(
    await sdk.send(new client.UpdateServiceCommand({ Id: ServiceId, Service: { Description, DnsConfig } })),
  );
  expect(updated).toEqual({ SERVICE: ServiceId });
  expect(await answers('web.corp.internal', 'A')).toEqual(['web.corp.internal. 7 IN A 10.0.0.7']);
  expect((await sdk.send(new client.GetServiceCommand({ Id: ServiceId }))).Service).toMatchObject({
    Description,
    DnsConfig,
    InstanceCount: 1,
  });
  const services = await sdk.send(new client.ListServicesCommand({}));
  expect(services.Services).toMatchObject([{ Id: ServiceId, Type: 'DNS_HTTP' }]);

  // Instances, and their health.
  expect((await sdk.send(new client.GetInstanceCommand(instance))).Instance).toMatchObject({ Id: 'web-1', Attributes });
  const listed = await sdk.send(new client.ListInstancesCommand({ ServiceId }));
  expect(listed.Instances).toMatchObject([{ Id: 'web-1', Attributes }]);
  const health = async () => (await sdk.send(new client.GetInstancesHealthStatusCommand({ ServiceId }))).Status;
  expect(await health()).toEqual({ 'web-1': 'HEALTHY' });
  await sdk.send(new client.UpdateInstanceCustomHealthStatusCommand({ ...instance, Status: 'UNHEALTHY' }));
  expect(await health()).toEqual({ 'web-1': 'UNHEALTHY' });

  // Discovery.
  const names = { NamespaceName: 'corp.internal', ServiceName: 'web' };
  const revision = async () =>
    (await sdk.send(new client.DiscoverInstancesRevisionCommand(names))).InstancesRevision as number;
  const found = await sdk.send(new client.DiscoverInstancesCommand({ ...names, HealthStatus: 'ALL' }));
  expect(found.Instances).toMatchObject([{ InstanceId: 'web-1', HealthStatus: 'UNHEALTHY' }]);
  const registered = await revision();
  expect(found.InstancesRevision).toBe(registered);

  // Service attributes.
  const attributes = async () =>
    (await sdk.send(new client.GetServiceAttributesCommand({ ServiceId }))).ServiceAttributes?.Attributes;
  await sdk.send(new client.UpdateServiceAttributesCommand({ ServiceId, Attributes: { team: 'shop', tier: '1' } }));
  expect(await attributes()).toEqual({ team: 'shop', tier: '1' });
  await sdk.send(new client.DeleteServiceAttributesCommand({ ServiceId, Attributes: ['tier'] }));
  expect(await attributes()).toEqual({ team: 'shop' });

  // Tags.
  const ResourceARN = Service?.Arn;
  const tags = async () => (await sdk.send(new client.ListTagsForResourceCommand({ ResourceARN }))).Tags;
  await sdk.send(new client.TagResourceCommand({ ResourceARN, Tags: [{ Key: 'team', Value: 'shop' }] }));
  await sdk.send(new client.UntagResourceCommand({ ResourceARN, TagKeys: ['stage'] }));
  expect(await tags()).toEqual([{ Key: 'team', Value: 'shop' }]);

  // Everything goes again.
  await ended(await sdk.send(new client.DeregisterInstanceCommand(instance)));
  expect(await revision()).toBeGreaterThan(registered);
  expect((await dig(daemon().dnsPort, 'web.corp.internal', 'A')).rcode).toBe('NXDOMAIN');
  await sdk.send(new client.DeleteServiceCommand({ Id: ServiceId }));
  for (const Id of [http, privateDns, publicDns])
    await ended(await sdk.send(new client.DeleteNamespaceCommand({ Id })));
  expect((await sdk.send(new client.ListNamespacesCommand({}))).Namespaces).toEqual([]);
  const operations = await sdk.send(new client.ListOperationsCommand({}));
  // Three namespaces, each created, updated and deleted; a service updated; an instance registered and deregistered.
  expect(operations.Operations).toHaveLength(12);

  const commands = Object.keys(client).filter((name) => name.endsWith('Command') && !name.startsWith('$'));
  expect(commands).toHaveLength(30);
  expect([...done].sort()).toEqual(commands.sort());
});
