/** Everything that a daemon says of its content, as JSON has it: to be compared with what another one says of it. */
import {
  DiscoverInstancesCommand,
  GetInstanceCommand,
  GetNamespaceCommand,
  GetOperationCommand,
  GetServiceAttributesCommand,
  GetServiceCommand,
  ListNamespacesCommand,
  ListOperationsCommand,
  ListServicesCommand,
  ListTagsForResourceCommand,
} from '@aws-sdk/client-servicediscovery';
import type { RunningDaemon } from './daemon.ts';
import { dig } from './dns.ts';
import { Api } from './journey-api.ts';

export interface Recorded {
  readonly namespaces: Record<string, unknown>;
  readonly services: Record<string, unknown>;
  readonly operations: Record<string, unknown>;
  /** `web.corp.internal A` -> records, in order. */
  readonly dns: Record<string, string[]>;
  /** By zone. They grow where aliases are resolved anew, as at a start. */
  readonly serials: Record<string, number>;
}

const TYPES = ['A', 'AAAA', 'SRV', 'CNAME'] as const;

/** Lists of one page each. @param except the name of a namespace that is left out, operations of its things included */
export async function readAll({ endpoint, dnsPort }: RunningDaemon, except: string): Promise<Recorded> {
  const api = new Api(endpoint);
  const recorded: Recorded = { namespaces: {}, services: {}, operations: {}, dns: {}, serials: {} };
  const left = new Set<string>();
  const ask = async (name: string, type: string): Promise<void> => {
    recorded.dns[`${name} ${type}`] = (await dig(dnsPort, name, type)).answer.sort();
  };
  const tagsOf = async (arn: string | undefined): Promise<unknown> =>
    (await api.sdk.send(new ListTagsForResourceCommand({ ResourceARN: arn }))).Tags;

  const { Namespaces = [] } = await api.sdk.send(new ListNamespacesCommand({}));
  for (const { Id = '', Name = '', Type } of Namespaces) {
    if (Name === except) left.add(Id);
    else {
      const { Namespace } = await api.sdk.send(new GetNamespaceCommand({ Id }));
      recorded.namespaces[Id] = { ...Namespace, tags: await tagsOf(Namespace?.Arn) };
      if (Type !== 'HTTP') recorded.serials[Name] = await serialOf(dnsPort, Name);
    }
    const filter = { Name: 'NAMESPACE_ID' as const, Values: [Id] };
    const { Services = [] } = await api.sdk.send(new ListServicesCommand({ Filters: [filter] }));
    for (const { Id: service = '', Name: serviceName = '', Type: type } of Services) {
      if (left.has(Id)) left.add(service);
      else {
        recorded.services[service] = await readService(api, service, Name);
        for (const qtype of type === 'HTTP' ? [] : TYPES) await ask(`${serviceName}.${Name}`, qtype);
      }
    }
  }
  const { Operations = [] } = await api.sdk.send(new ListOperationsCommand({}));
  for (const { Id = '' } of Operations) {
    const { Operation: operation } = await api.sdk.send(new GetOperationCommand({ OperationId: Id }));
    const { NAMESPACE = '', SERVICE = '' } = operation?.Targets ?? {};
    if (!left.has(NAMESPACE) && !left.has(SERVICE)) recorded.operations[Id] = operation;
  }
  api.sdk.destroy();
  // Dates as text, and nothing that is undefined.
  return JSON.parse(JSON.stringify(recorded));
}

async function serialOf(port: number, zone: string): Promise<number> {
  return Number((await dig(port, zone, 'SOA')).answer[0]?.split(' ')[6]);
}

async function readService(api: Api, id: string, namespace: string): Promise<unknown> {
  const { Service } = await api.sdk.send(new GetServiceCommand({ Id: id }));
  const { Tags } = await api.sdk.send(new ListTagsForResourceCommand({ ResourceARN: Service?.Arn }));
  const { ServiceAttributes } = await api.sdk.send(new GetServiceAttributesCommand({ ServiceId: id }));
  const instances: unknown[] = [];
  for (const instance of await api.instanceIds(id)) {
    const { Instance } = await api.sdk.send(new GetInstanceCommand({ ServiceId: id, InstanceId: instance }));
    instances.push(Instance);
  }
  const { Instances = [], InstancesRevision } = await api.sdk.send(
    new DiscoverInstancesCommand({ NamespaceName: namespace, ServiceName: Service?.Name, HealthStatus: 'ALL' }),
  );
  return {
    ...{ ...Service, tags: Tags, attributes: ServiceAttributes?.Attributes, instances },
    ...{ health: await api.healthOf(id), revision: InstancesRevision },
    discovered: Instances.sort((a, b) => ((a.InstanceId ?? '') < (b.InstanceId ?? '') ? -1 : 1)),
  };
}
