/** Namespaces and services by what people call them; what is not there is told with what there is instead. */
import { mayBeInstance, mayBeNamespace, mayBeService } from '../registry/spelling.ts';
import { type ApiClient, RefusedError } from './api-client.ts';
import { CommandError, UsageError } from './command.ts';

/** Cloud Map: NamespaceSummary; what is used of it. */
export interface NamespaceSummary {
  readonly Id: string;
  readonly Name: string;
  readonly Type: string;
  readonly Description?: string;
  readonly ServiceCount: number;
  readonly Properties: { readonly HttpProperties: { readonly HttpName: string } };
}

/** Cloud Map: ServiceSummary; what is used of it. */
export interface ServiceSummary {
  readonly Id: string;
  readonly Name: string;
  readonly Type: string;
  readonly Description?: string;
  readonly InstanceCount: number;
  readonly DnsConfig?: {
    readonly RoutingPolicy?: string;
    readonly DnsRecords?: readonly { readonly Type: string; readonly TTL: number }[];
  };
  readonly HealthCheckConfig?: {
    readonly Type: string;
    readonly ResourcePath?: string;
    readonly FailureThreshold?: number;
  };
  readonly HealthCheckCustomConfig?: object;
}

/** What a command names is not there. */
export class NotThereError extends CommandError {}

const NAMESPACE_ID = /^(ns-[a-z2-7]{16}$|arn:)/;
const SERVICE_ID = /^(srv-[a-z2-7]{16}$|arn:)/;
/** Of a filter's value. */
const MAX_FILTER_VALUE = 255;
/** Of what there is instead. */
const MAX_NAMED = 8;

/** What discovery calls it: of namespaces with one name each has another. */
export function httpNameOf({ Properties }: NamespaceSummary): string {
  return Properties.HttpProperties.HttpName;
}

/**
 * @param name id, ARN or HttpName, which no two have; or the name, where one alone has it
 * @throws NotThereError, UsageError; what the calls throw
 */
export async function findNamespace(api: ApiClient, name: string): Promise<NamespaceSummary> {
  if (!mayBeNamespace(name)) throw new UsageError(`"${name}" is no name, id or ARN of a namespace`);
  const byId = NAMESPACE_ID.test(name) ? await getNamespace(api, name) : null;
  if (byId !== null) return byId;
  for (const filter of ['HTTP_NAME', 'NAME']) {
    const found = await listNamespaces(api, filter, name);
    if (found.length === 1) return found[0] as NamespaceSummary;
    if (found.length > 1) {
      const names = found.map((each) => httpNameOf(each));
      throw new CommandError(`${found.length} namespaces are called "${name}": say ${names.join(' or ')}`);
    }
  }
  const names = (await api.list<NamespaceSummary>('ListNamespaces', 'Namespaces')).map(httpNameOf);
  throw new NotThereError(`there is no namespace "${name}"; ${whatThereIs(names)}`);
}

async function getNamespace(api: ApiClient, id: string): Promise<NamespaceSummary | null> {
  try {
    return (await api.call<{ Namespace: NamespaceSummary }>('GetNamespace', { Id: id })).Namespace;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function listNamespaces(api: ApiClient, filter: string, name: string): Promise<NamespaceSummary[]> {
  // Such a name no filter takes, and no namespace has.
  if (name === '' || name.length > MAX_FILTER_VALUE) return Promise.resolve([]);
  const Filters = [{ Name: filter, Values: [name], Condition: 'EQ' }];
  return api.list('ListNamespaces', 'Namespaces', { Filters });
}

/** @param name the service's, or its id or ARN @throws NotThereError; what the calls throw */
export async function findService(api: ApiClient, namespace: NamespaceSummary, name: string): Promise<ServiceSummary> {
  requireServiceName(name);
  if (SERVICE_ID.test(name)) {
    const found = await getService(api, name);
    if (found?.NamespaceId === namespace.Id) return found;
  }
  const names: string[] = [];
  for await (const { Services } of api.pages('ListServices', inNamespace(namespace))) {
    for (const service of Services as readonly ServiceSummary[]) {
      if (service.Name === name) return service;
      names.push(service.Name);
    }
  }
  throw new NotThereError(`there is no service "${name}" in ${namespace.Name}; ${whatThereIs(names)}`);
}

export function listServices(api: ApiClient, namespace: NamespaceSummary): Promise<ServiceSummary[]> {
  return api.list('ListServices', 'Services', inNamespace(namespace));
}

function inNamespace({ Id }: NamespaceSummary): object {
  return { Filters: [{ Name: 'NAMESPACE_ID', Values: [Id], Condition: 'EQ' }], MaxResults: 100 };
}

async function getService(api: ApiClient, id: string): Promise<(ServiceSummary & { NamespaceId: string }) | null> {
  try {
    return (await api.call<{ Service: ServiceSummary & { NamespaceId: string } }>('GetService', { Id: id })).Service;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** A namespace and one of its services, as a command names them. */
export interface Place {
  readonly namespace: NamespaceSummary;
  readonly service: ServiceSummary;
  /** For messages, such as `shop.internal/api`. */
  readonly name: string;
}

/** @throws NotThereError; what the calls throw */
export async function findPlace(api: ApiClient, namespaceName: string, serviceName: string): Promise<Place> {
  // Before anything is asked for: where the namespace is not there yet a mistake would be told late.
  requireServiceName(serviceName);
  const namespace = await findNamespace(api, namespaceName);
  const service = await findService(api, namespace, serviceName);
  return { namespace, service, name: `${namespace.Name}/${service.Name}` };
}

/** Makes of the API's InstanceNotFound a line that names the instances that are there. */
export async function instanceNotThere(api: ApiClient, { service, name }: Place, id: string): Promise<CommandError> {
  if (!mayBeInstance(id)) return new UsageError(`"${id}" is no id of an instance`);
  const instances = await api.list<{ Id: string }>('ListInstances', 'Instances', { ServiceId: service.Id });
  const ids = instances.map(({ Id }) => Id);
  return new NotThereError(`there is no instance "${id}" in ${name}; ${whatThereIs(ids)}`);
}

/** Whether somebody judges its instances: else all of them count as healthy. */
export function isChecked({ HealthCheckConfig, HealthCheckCustomConfig }: ServiceSummary): boolean {
  return HealthCheckConfig !== undefined || HealthCheckCustomConfig !== undefined;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof RefusedError && error.code.endsWith('NotFound');
}

/** @param name, id or ARN @throws UsageError where nothing can be called so */
export function requireServiceName(name: string): void {
  if (!mayBeService(name)) throw new UsageError(`"${name}" is no name, id or ARN of a service`);
}

function whatThereIs(names: readonly string[]): string {
  if (names.length === 0) return 'there is none at all';
  const sorted = [...names].sort();
  const more = sorted.length - MAX_NAMED;
  return `there is ${sorted.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
