/** One journey through all operations, for whichever client; another client and DNS see what became of each call. */
import * as sdk from '@aws-sdk/client-servicediscovery';
import { expect } from 'vitest';
import type { RunningDaemon } from './daemon.ts';
import { dig } from './dns.ts';
import type { Output, OutsideClient } from './outside-client.ts';
import { sdkClient } from './sdk.ts';

type Input = Readonly<Record<string, unknown>>;

const COMMANDS = new Map<string, unknown>(Object.entries(sdk));

/** Dates as epoch ms, whichever way a client shows them; without what is about the call and not the answer. */
function plain(value: Output): Output {
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([key]) => key !== '$metadata');
  return Object.fromEntries(
    members.map(([key, member]) => {
      const isDate = /^(Create|Update)Date$/.test(key) && typeof member === 'string';
      return [key, isDate ? Date.parse(member) : plain(member)];
    }),
  );
}

/**
 * Carries out every operation of Cloud Map that the client knows, on a daemon without content. Each once, as a client
 * may take a second for a call: what is needed besides is made by another client.
 * @param knows of the operations that came after the first 26
 * @returns the operations that succeeded
 */
export async function carryOutAll(
  client: OutsideClient,
  daemon: RunningDaemon,
  knows: (operation: string) => boolean,
): Promise<Set<string>> {
  const sdkOfOthers = sdkClient(daemon.endpoint);
  const done = new Set<string>();

  const call = async (operation: string, input: Input = {}): Promise<Output> => {
    const output = await client.call(operation, input);
    done.add(operation);
    return output;
  };
  const callByOther = async (operation: string, input: Input = {}): Promise<Output> => {
    const Command = COMMANDS.get(`${operation}Command`) as typeof sdk.GetNamespaceCommand;
    return plain(await sdkOfOthers.send(new Command(input as { Id: string })));
  };
  /** A call that only reads: its answer has to be what the other client reads. Older models miss members. */
  const read = async (operation: string, input: Input = {}): Promise<Output> => {
    const output = await call(operation, input);
    expect(await callByOther(operation, input), operation).toMatchObject(plain(output));
    return output;
  };
  const answers = async (name: string, type: string) => (await dig(daemon.dnsPort, name, type)).answer.sort();

  try {
    // Namespaces of each kind.
    const operations: { OperationId: string }[] = await Promise.all([
      call('CreateHttpNamespace', { Name: 'jobs' }),
      call('CreatePrivateDnsNamespace', { Name: 'corp.internal', Vpc: 'vpc-1', Description: 'two words' }),
      call('CreatePublicDnsNamespace', { Name: 'shop.example', Tags: [{ Key: 'stage', Value: 'beta' }] }),
    ]);
    const [http, privateDns, publicDns] = (await Promise.all(
      operations.map(async ({ OperationId }) => (await callByOther('GetOperation', { OperationId })).Operation),
    ).then((ended) => ended.map(({ Targets }) => Targets.NAMESPACE))) as [string, string, string];
    const ids = [http, privateDns, publicDns].sort();
    const [{ Operation }, { Namespaces }] = await Promise.all([
      read('GetOperation', operations[0]),
      read('ListNamespaces'),
    ]);
    expect(Operation).toMatchObject({
      Type: 'CREATE_NAMESPACE',
      Status: 'SUCCESS',
      Targets: { NAMESPACE: http },
      CreateDate: expect.any(String),
    });
    expect(Namespaces.map(({ Id }: Output) => Id).sort()).toEqual(ids);
    expect(await answers('corp.internal', 'NS')).toHaveLength(1);

    const Description = 'described';
    const Namespace = { Description, Properties: { DnsProperties: { SOA: { TTL: 33 } } } };
    const updates: { OperationId: string }[] = await Promise.all([
      call('UpdateHttpNamespace', { Id: http, Namespace: { Description } }),
      call('UpdatePrivateDnsNamespace', { Id: privateDns, Namespace }),
      call('UpdatePublicDnsNamespace', { Id: publicDns, Namespace }),
    ]);
    for (const { OperationId } of updates) {
      expect((await callByOther('GetOperation', { OperationId })).Operation).toMatchObject({ Status: 'SUCCESS' });
    }
    for (const Id of ids) expect((await callByOther('GetNamespace', { Id })).Namespace).toMatchObject({ Description });
    for (const zone of ['corp.internal', 'shop.example']) {
      expect((await answers(zone, 'SOA'))[0]).toMatch(/ 33 IN SOA /);
    }

    // A service with a custom check.
    const { Service } = await call('CreateService', {
      Name: 'web',
      NamespaceId: privateDns,
      DnsConfig: { RoutingPolicy: 'MULTIVALUE', DnsRecords: [{ Type: 'A', TTL: 60 }] },
      HealthCheckCustomConfig: { FailureThreshold: 1 },
      Tags: [{ Key: 'stage', Value: 'beta' }],
    });
    const { Id: ServiceId, Arn: ResourceARN } = Service;
    expect((await callByOther('GetService', { Id: ServiceId })).Service).toMatchObject(plain(Service));

    // Two instances, one of them somebody else's.
    const instance = { ServiceId, InstanceId: 'web-0' };
    const Attributes = { AWS_INSTANCE_IPV4: '10.0.0.7', note: 'a b' };
    const elsewhere = { ServiceId, InstanceId: 'web-1' };
    await call('RegisterInstance', { ...instance, Attributes });
    await callByOther('RegisterInstance', { ...elsewhere, Attributes: { AWS_INSTANCE_IPV4: '10.0.0.8' } });
    const records = (ttl: number, ...last: number[]) =>
      last.map((byte) => `web.corp.internal. ${ttl} IN A 10.0.0.${byte}`);
    expect(await answers('web.corp.internal', 'A')).toEqual(records(60, 7, 8));

    const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: 7 }] };
    const { OperationId } = await call('UpdateService', { Id: ServiceId, Service: { Description, DnsConfig } });
    expect((await callByOther('GetOperation', { OperationId })).Operation.Targets).toEqual({ SERVICE: ServiceId });
    expect(await answers('web.corp.internal', 'A')).toEqual(records(7, 7, 8));
    const [{ Namespace: shown }, { Service: updated }, { Services }, { Instance }, { Instances }] = await Promise.all([
      read('GetNamespace', { Id: privateDns }),
      read('GetService', { Id: ServiceId }),
      read('ListServices', { Filters: [{ Name: 'NAMESPACE_ID', Values: [privateDns], Condition: 'EQ' }] }),
      read('GetInstance', instance),
      read('ListInstances', { ServiceId }),
    ]);
    expect(shown).toMatchObject({ Id: privateDns, Name: 'corp.internal', Type: 'DNS_PRIVATE', Description });
    expect(updated).toMatchObject({ Description, DnsConfig, InstanceCount: 2 });
    expect(Services).toMatchObject([{ Id: ServiceId, Type: 'DNS_HTTP' }]);
    expect(Instance).toMatchObject({ Id: 'web-0', Attributes });
    expect(Instances.map(({ Id }: Output) => Id).sort()).toEqual(['web-0', 'web-1']);

    // Health, and tags.
    await Promise.all([
      call('UpdateInstanceCustomHealthStatus', { ...instance, Status: 'UNHEALTHY' }),
      call('TagResource', { ResourceARN, Tags: [{ Key: 'team', Value: 'shop' }] }),
      call('UntagResource', { ResourceARN, TagKeys: ['stage'] }),
    ]);
    expect(await answers('web.corp.internal', 'A')).toEqual(records(7, 8));
    const names = { NamespaceName: 'corp.internal', ServiceName: 'web' };
    const [{ Status }, { Tags }, found] = await Promise.all([
      read('GetInstancesHealthStatus', { ServiceId }),
      read('ListTagsForResource', { ResourceARN }),
      // Past the `data-` prefix.
      read('DiscoverInstances', { ...names, HealthStatus: 'UNHEALTHY', QueryParameters: { note: 'a b' } }),
    ]);
    expect(Status).toEqual({ 'web-0': 'UNHEALTHY', 'web-1': 'HEALTHY' });
    expect(Tags).toEqual([{ Key: 'team', Value: 'shop' }]);
    expect(found.Instances).toMatchObject([{ InstanceId: 'web-0', HealthStatus: 'UNHEALTHY', Attributes }]);

    // What came after the first 26.
    if (knows('DiscoverInstancesRevision')) await read('DiscoverInstancesRevision', names);
    if (knows('UpdateServiceAttributes')) {
      await call('UpdateServiceAttributes', { ServiceId, Attributes: { team: 'shop', tier: '1' } });
      await call('DeleteServiceAttributes', { ServiceId, Attributes: ['tier'] });
      const { ServiceAttributes } = await read('GetServiceAttributes', { ServiceId });
      expect(ServiceAttributes.Attributes).toEqual({ team: 'shop' });
    }

    // Everything goes again.
    await callByOther('DeregisterInstance', elsewhere);
    // The last healthy one is gone; the unhealthy one is what is left.
    expect(await answers('web.corp.internal', 'A')).toEqual(records(7, 7));
    await call('DeregisterInstance', instance);
    expect((await dig(daemon.dnsPort, 'web.corp.internal', 'A')).rcode).toBe('NXDOMAIN');
    await call('DeleteService', { Id: ServiceId });
    expect((await callByOther('ListServices')).Services).toEqual([]);
    await call('DeleteNamespace', { Id: privateDns });
    expect((await dig(daemon.dnsPort, 'corp.internal', 'SOA')).rcode).toBe('REFUSED');
    expect((await callByOther('ListNamespaces')).Namespaces).toHaveLength(2);
    // Three namespaces created and updated, one deleted; a service updated; two instances registered and deregistered.
    expect((await read('ListOperations')).Operations).toHaveLength(12);
    return done;
  } finally {
    sdkOfOthers.destroy();
  }
}
