/** All that can be read through the API, as the daemon tells it and as the model has it. */
import type { WireBody } from '../support/api.ts';
import type { Client } from './client.ts';
import { NAMESPACE_NAMES, SERVICE_NAMES } from './commands.ts';
import type { Model, Namespace, Service } from './model.ts';
import { servicesOf } from './model.ts';

const FILTERS = ['ALL', 'HEALTHY', 'HEALTHY_OR_ELSE_ALL'] as const;

type ById = Readonly<Record<string, object>>;
export interface View {
  readonly namespaces: ById;
  /** As ListNamespaces has them. */
  readonly listedNamespaces: ById;
  readonly services: ById;
  /** As ListServices has them. */
  readonly listedServices: ById;
  /** HttpNames that nobody has, and what discovery in them ends with. */
  readonly unknown: Readonly<Record<string, unknown>>;
}

/** @returns the view, and the InstancesRevision of each service */
export async function readView(client: Client): Promise<{ view: View; revisions: ReadonlyMap<string, number> }> {
  const { Namespaces } = await client.ok('ListNamespaces');
  const { Services } = await client.ok('ListServices');
  const revisions = new Map<string, number>();
  const httpNames = new Map(Namespaces.map((each) => [each.Id, each.Properties.HttpProperties.HttpName]));
  const [namespaces, services, unknown] = await Promise.all([
    Promise.all(Namespaces.map(async ({ Id }) => [Id, await readNamespace(client, Id)] as const)),
    Promise.all(
      Services.map(async ({ Id }) => {
        const { view, revision } = await readService(client, Id, httpNames);
        revisions.set(Id, revision);
        return [Id, view] as const;
      }),
    ),
    Promise.all(
      NAMESPACE_NAMES.filter((name) => ![...httpNames.values()].includes(name)).map(async (NamespaceName) => {
        const query = { NamespaceName, ServiceName: SERVICE_NAMES[0] };
        return [NamespaceName, (await client.read('DiscoverInstances', query)).body.__type] as const;
      }),
    ),
  ]);
  const view = {
    namespaces: Object.fromEntries(namespaces),
    listedNamespaces: Object.fromEntries(Namespaces.map((each) => [each.Id, namespaceMembers(each)])),
    services: Object.fromEntries(services),
    listedServices: Object.fromEntries(Services.map((each) => [each.Id, serviceMembers(each)])),
    unknown: Object.fromEntries(unknown),
  };
  return { view, revisions };
}

type Members = Readonly<Record<string, unknown>>;

function namespaceMembers(namespace: WireBody['Namespace']): Members {
  const { Name, Type, Description, ServiceCount, Properties } = namespace as typeof namespace & Members;
  const { DnsProperties, HttpProperties } = Properties;
  const { SOA } = DnsProperties as Members;
  return { Name, Type, Description: Description ?? '', ServiceCount, HttpName: HttpProperties.HttpName, SOA };
}

function serviceMembers(service: WireBody['Service']): Members {
  const { Name, Type, Description, InstanceCount, DnsConfig, HealthCheckCustomConfig } = service as typeof service &
    Members;
  const { RoutingPolicy, DnsRecords = [] } = (DnsConfig ?? {}) as Members;
  const isChecked = HealthCheckCustomConfig !== undefined;
  return { Name, Type, Description: Description ?? '', InstanceCount, RoutingPolicy, DnsRecords, isChecked };
}

async function readNamespace(client: Client, Id: string): Promise<object> {
  const [{ Namespace }, { Services }] = await Promise.all([
    client.ok('GetNamespace', { Id }),
    client.ok('ListServices', { Filters: [{ Name: 'NAMESPACE_ID', Values: [Id] }] }),
  ]);
  const { CreatorRequestId } = Namespace as typeof Namespace & Members;
  const NamespaceName = Namespace.Properties.HttpProperties.HttpName;
  const [{ Tags }, ...unknown] = await Promise.all([
    client.ok('ListTagsForResource', { ResourceARN: Namespace.Arn }),
    ...SERVICE_NAMES.filter((name) => Services.every(({ Name }) => Name !== name)).map(async (ServiceName) => {
      return [
        ServiceName,
        (await client.read('DiscoverInstances', { NamespaceName, ServiceName })).body.__type,
      ] as const;
    }),
  ]);
  return {
    ...namespaceMembers(Namespace),
    CreatorRequestId,
    services: Services.map((each) => each.Id).sort(),
    tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])),
    /** Names that no service has, and what discovery of them ends with. */
    unknown: Object.fromEntries(unknown),
  };
}

async function readService(
  client: Client,
  Id: string,
  httpNames: ReadonlyMap<string, string>,
): Promise<{ view: object; revision: number }> {
  const { Service } = await client.ok('GetService', { Id });
  const { NamespaceId, CreatorRequestId } = Service as typeof Service & Members;
  const name = { NamespaceName: httpNames.get(`${NamespaceId}`), ServiceName: Service.Name };
  const [{ Instances }, { Status }, { ServiceAttributes }, { Tags }, revision, ...discovered] = await Promise.all([
    client.ok('ListInstances', { ServiceId: Id }),
    client.ok('GetInstancesHealthStatus', { ServiceId: Id }),
    client.ok('GetServiceAttributes', { ServiceId: Id }),
    client.ok('ListTagsForResource', { ResourceARN: Service.Arn }),
    client.ok('DiscoverInstancesRevision', name),
    ...FILTERS.map(
      async (HealthStatus) => [HealthStatus, await client.ok('DiscoverInstances', { ...name, HealthStatus })] as const,
    ),
  ]);
  const view = {
    ...serviceMembers(Service),
    NamespaceId,
    CreatorRequestId,
    tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])),
    attributes: ServiceAttributes.Attributes,
    instances: Object.fromEntries(Instances.map((each) => [each.Id, each.Attributes])),
    health: Status,
    discovered: Object.fromEntries(
      discovered.map(([filter, body]) => [
        filter,
        Object.fromEntries(body.Instances.map((each) => [each.InstanceId, [each.HealthStatus, each.Attributes]])),
      ]),
    ),
    /** DiscoverInstances tells the same revision, whatever the filter. */
    isOneRevision: discovered.every(([, body]) => body.InstancesRevision === revision.InstancesRevision),
  };
  return { view, revision: revision.InstancesRevision };
}

export function viewOf(model: Model): View {
  const namespaces = Object.values(model.namespaces);
  const services = Object.values(model.services);
  const free = NAMESPACE_NAMES.filter((name) => namespaces.every(({ httpName }) => httpName !== name));
  return {
    namespaces: Object.fromEntries(namespaces.map((each) => [each.id, namespaceView(model, each)])),
    listedNamespaces: Object.fromEntries(namespaces.map((each) => [each.id, namespaceSummary(model, each)])),
    services: Object.fromEntries(services.map((each) => [each.id, serviceView(each)])),
    listedServices: Object.fromEntries(services.map((each) => [each.id, serviceSummary(each)])),
    unknown: Object.fromEntries(free.map((name) => [name, 'NamespaceNotFound'])),
  };
}

function namespaceSummary(model: Model, { id, name, type, description, httpName, soaTtl }: Namespace): object {
  return {
    Name: name,
    Type: type,
    Description: description,
    ServiceCount: servicesOf(model, id).length,
    HttpName: httpName,
    SOA: soaTtl === null ? {} : { TTL: soaTtl },
  };
}

function namespaceView(model: Model, namespace: Namespace): object {
  const services = servicesOf(model, namespace.id);
  const free = SERVICE_NAMES.filter((free) => services.every(({ name }) => name !== free));
  return {
    ...namespaceSummary(model, namespace),
    CreatorRequestId: namespace.creation?.id,
    services: services.map(({ id }) => id).sort(),
    tags: namespace.tags,
    unknown: Object.fromEntries(free.map((name) => [name, 'ServiceNotFound'])),
  };
}

function serviceSummary({ name, type, description, instances, dns, isChecked }: Service): object {
  return {
    Name: name,
    Type: type,
    Description: description,
    InstanceCount: Object.keys(instances).length,
    RoutingPolicy: dns?.policy,
    DnsRecords: (dns?.records ?? []).map((record) => ({ Type: record.type, TTL: record.ttl })),
    isChecked,
  };
}

function serviceView(service: Service): object {
  const { isChecked } = service;
  const instances = Object.entries(service.instances);
  const healthy = instances.filter(([, { status }]) => !isChecked || status === 'HEALTHY');
  const found = {
    ALL: instances,
    HEALTHY: healthy,
    HEALTHY_OR_ELSE_ALL: healthy.length > 0 ? healthy : instances,
  };
  const visible = (status: string) => (isChecked ? status : 'UNKNOWN');
  return {
    ...serviceSummary(service),
    NamespaceId: service.namespaceId,
    CreatorRequestId: service.creation?.id,
    tags: service.tags,
    attributes: service.attributes,
    instances: Object.fromEntries(instances.map(([id, { attributes }]) => [id, attributes])),
    health: Object.fromEntries(instances.map(([id, { status }]) => [id, visible(status)])),
    discovered: Object.fromEntries(
      Object.entries(found).map(([filter, some]) => [
        filter,
        Object.fromEntries(some.map(([id, { status, attributes }]) => [id, [visible(status), attributes]])),
      ]),
    ),
    isOneRevision: true,
  };
}
