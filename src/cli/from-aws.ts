/** The content of AWS Cloud Map, or of whatever speaks its API, as a document of the exact form. */
import type {
  NamespaceSummary,
  ServiceDiscoveryClient,
  ServiceDiscoveryClientConfig,
  ServiceSummary,
  Tag,
} from '@aws-sdk/client-servicediscovery';
import { CommandError } from './command.ts';
import { count } from './count.ts';
import type { Progress } from './progress.ts';

export interface AwsFlags {
  /** Any that speaks the API; absent: AWS's own. */
  readonly awsEndpoint?: string;
  readonly awsRegion?: string;
  readonly awsProfile?: string;
}

/** AWS allows some tens of calls a second; what it refuses the SDK repeats, more slowly. */
const PARALLEL_CALLS = 4;
const MAX_ATTEMPTS = 5;
const PAGE_SIZE = 100;

type Sdk = typeof import('@aws-sdk/client-servicediscovery');

/**
 * Reads everything first, so that nothing is sent where something cannot be read. What is deleted meanwhile is left out
 * with all that it holds. Ids are AWS's own; ARNs, which the
 * daemon makes of its own region and account, and what AWS does not tell are left out.
 * @returns the document and a name for the place that it comes from
 * @throws CommandError that names the operation
 */
export async function readCloudMap(
  flags: AwsFlags,
  progress: Progress,
): Promise<{ name: string; chunks: AsyncIterable<string> }> {
  const sdk = await import('@aws-sdk/client-servicediscovery');
  const reader = new Reader(sdk, flags, progress);
  try {
    const namespaces = await reader.namespaces();
    const ids = new Set(namespaces.map(({ id }) => id));
    // Of a namespace that was made or deleted since, some would be there.
    const listed = (await reader.services()).filter(({ namespaceId }) => ids.has(namespaceId as string));
    const held = await reader.instancesOf(listed);
    const services = listed.filter((_, i) => held[i] !== null);
    const instances = held.flatMap((some) => some ?? []);
    return { name: reader.name, chunks: documentOf({ namespaces, services, instances }) };
  } finally {
    reader.close();
  }
}

interface ExactService {
  readonly id: string;
  readonly healthCheck: unknown;
  readonly hasCustomHealthCheck: boolean | undefined;
}

class Reader {
  /** For messages. */
  readonly name: string;
  readonly #sdk: Sdk;
  readonly #client: Promise<ServiceDiscoveryClient>;
  /** Not every emulator has what AWS added in 2024. */
  #hasServiceAttributes = true;
  readonly #progress: Progress;

  constructor(sdk: Sdk, flags: AwsFlags, progress: Progress) {
    this.#sdk = sdk;
    this.#progress = progress;
    this.name = flags.awsEndpoint ?? 'AWS';
    this.#client = openClient(sdk, flags);
  }

  close(): void {
    this.#client.then(
      (client) => client.destroy(),
      // Told by the first call.
      () => {},
    );
  }

  async namespaces() {
    const { ListNamespacesCommand, GetNamespaceCommand } = this.#sdk;
    this.#progress.show(`${this.name}: ListNamespaces`);
    const summaries = await this.#pages<NamespaceSummary>('ListNamespaces', async (client, page) => {
      const { Namespaces, NextToken } = await client.send(new ListNamespacesCommand(page));
      return [Namespaces, NextToken];
    });
    return this.#stillThere(summaries, 'namespace', async ({ Id, Arn }) => {
      const get = () => this.#call('GetNamespace', (client) => client.send(new GetNamespaceCommand({ Id })));
      const { Namespace: namespace = {} } = await get();
      const { DnsProperties: dns, HttpProperties: http } = namespace.Properties ?? {};
      return {
        id: Id as string,
        name: namespace.Name,
        httpName: http?.HttpName,
        type: namespace.Type,
        description: namespace.Description,
        hostedZoneId: dns?.HostedZoneId,
        soaTtlSeconds: dns?.SOA?.TTL,
        tags: await this.#tags(namespace.Arn ?? Arn, get),
        creatorRequestId: namespace.CreatorRequestId,
        createdAt: namespace.CreateDate?.getTime(),
      };
    });
  }

  /** Of all namespaces at once: not every emulator knows the filter. */
  async services() {
    const { ListServicesCommand, GetServiceCommand } = this.#sdk;
    this.#progress.show(`${this.name}: ListServices`);
    const summaries = await this.#pages<ServiceSummary>('ListServices', async (client, page) => {
      const { Services, NextToken } = await client.send(new ListServicesCommand(page));
      return [Services, NextToken];
    });
    return this.#stillThere(summaries, 'service', async ({ Id, Arn }) => {
      const get = () => this.#call('GetService', (client) => client.send(new GetServiceCommand({ Id })));
      const { Service: service = {} } = await get();
      const records = service.DnsConfig?.DnsRecords ?? [];
      const { HealthCheckConfig: check } = service;
      return {
        id: Id as string,
        namespaceId: service.NamespaceId,
        name: service.Name,
        type: (service.Type ?? (records.length > 0 ? 'DNS' : 'HTTP')) === 'HTTP' ? 'HTTP' : 'DNS_HTTP',
        description: service.Description,
        dns:
          records.length === 0
            ? undefined
            : {
                routingPolicy: service.DnsConfig?.RoutingPolicy ?? 'MULTIVALUE',
                records: records.map(({ Type, TTL }) => ({ type: Type, ttlSeconds: TTL })),
              },
        healthCheck: check && { type: check.Type, path: check.ResourcePath, failureThreshold: check.FailureThreshold },
        hasCustomHealthCheck: service.HealthCheckCustomConfig !== undefined || undefined,
        attributes: await this.#serviceAttributes(Id as string),
        tags: await this.#tags(service.Arn ?? Arn, get),
        creatorRequestId: service.CreatorRequestId,
        createdAt: service.CreateDate?.getTime(),
      };
    });
  }

  /** @returns for each service its instances, or null where it is not there any more */
  async instancesOf(services: readonly ExactService[]) {
    const what = `instances of ${count(services.length, 'service')}`;
    return this.#readEach(services, what, (service) => unlessGone(() => this.#instances(service)));
  }

  async #instances({ id: serviceId, healthCheck, hasCustomHealthCheck }: ExactService) {
    const { ListInstancesCommand } = this.#sdk;
    const summaries = await this.#pages('ListInstances', async (client, page) => {
      const { Instances, NextToken } = await client.send(new ListInstancesCommand({ ...page, ServiceId: serviceId }));
      return [Instances, NextToken];
    });
    const hasCheck = healthCheck !== undefined || hasCustomHealthCheck === true;
    const statuses = hasCheck && summaries.length > 0 ? await this.#statuses(serviceId) : null;
    return summaries.map(({ Id, Attributes }) => {
      const status = statuses?.get(Id as string);
      return {
        serviceId,
        id: Id,
        attributes: Attributes,
        // Right after its registration it is unknown.
        health: status === 'HEALTHY' || status === 'UNHEALTHY' ? { status } : undefined,
      };
    });
  }

  async #statuses(serviceId: string): Promise<Map<string, string>> {
    const { GetInstancesHealthStatusCommand } = this.#sdk;
    try {
      const entries = await this.#pages('GetInstancesHealthStatus', async (client, page) => {
        const { Status = {}, NextToken } = await client.send(
          new GetInstancesHealthStatusCommand({ ...page, ServiceId: serviceId }),
        );
        return [Object.entries(Status), NextToken];
      });
      return new Map(entries);
    } catch (error) {
      // One of them, and not the service.
      if (((error as CommandError).cause as Error | undefined)?.name === 'InstanceNotFound') return new Map();
      throw error;
    }
  }

  async #serviceAttributes(serviceId: string): Promise<Record<string, string> | undefined> {
    if (!this.#hasServiceAttributes) return undefined;
    const { GetServiceAttributesCommand } = this.#sdk;
    try {
      const { ServiceAttributes } = await this.#call('GetServiceAttributes', (client) =>
        client.send(new GetServiceAttributesCommand({ ServiceId: serviceId })),
      );
      return ServiceAttributes?.Attributes;
    } catch (error) {
      if (isGone(error) || !isUnknownOperation((error as CommandError).cause)) throw error;
      this.#hasServiceAttributes = false;
      return undefined;
    }
  }

  /** @param get fails where what has the tags is not there any more */
  async #tags(arn: string | undefined, get: () => Promise<unknown>): Promise<Record<string, string> | undefined> {
    if (arn === undefined) return undefined;
    const { ListTagsForResourceCommand } = this.#sdk;
    try {
      const { Tags = [] } = await this.#call('ListTagsForResource', (client) =>
        client.send(new ListTagsForResourceCommand({ ResourceARN: arn })),
      );
      return Object.fromEntries(Tags.map(({ Key, Value }: Tag) => [Key, Value ?? '']));
    } catch (error) {
      if (!isGone(error)) throw error;
      await get();
      // Of an endpoint that knows no ARNs, say, everything would be left out.
      throw new CommandError((error as CommandError).message, { cause: error });
    }
  }

  async #stillThere<T, R>(items: readonly T[], noun: string, read: (item: T) => Promise<R>): Promise<R[]> {
    const found = await this.#readEach(items, count(items.length, noun), (item) => unlessGone(() => read(item)));
    return found.filter((result) => result !== null) as R[];
  }

  /** @param what they are, for people */
  #readEach<T, R>(items: readonly T[], what: string, read: (item: T) => Promise<R>): Promise<R[]> {
    let done = 0;
    return mapLimited(items, async (item) => {
      this.#progress.show(`${this.name}: ${what}`, done / items.length);
      const result = await read(item);
      done++;
      return result;
    });
  }

  /** Pages of AWS may be short, or empty, and still not be the last. */
  async #pages<T>(
    operation: string,
    read: (
      client: ServiceDiscoveryClient,
      page: { MaxResults: number; NextToken: string | undefined },
    ) => Promise<[items: readonly T[] | undefined, token: string | undefined]>,
  ): Promise<T[]> {
    const all: T[] = [];
    let token: string | undefined;
    do {
      const [items = [], next] = await this.#call(operation, (client) =>
        read(client, { MaxResults: PAGE_SIZE, NextToken: token }),
      );
      for (const item of items) all.push(item);
      token = next || undefined;
    } while (token !== undefined);
    return all;
  }

  async #call<T>(operation: string, send: (client: ServiceDiscoveryClient) => Promise<T>): Promise<T> {
    try {
      return await send(await this.#client);
    } catch (cause) {
      const { name, message, code } = cause as NodeJS.ErrnoException;
      const [line = ''] = message.split('\n');
      const problem = [name === 'Error' ? '' : name, line || (code ?? '')].filter((part) => part !== '').join(': ');
      throw new CommandError(`${this.name}: ${operation}: ${problem}`, { cause });
    }
  }
}

/** Region, profile and credentials are found as every program of AWS's finds them. */
async function openClient(
  sdk: Sdk,
  { awsEndpoint: endpoint, awsRegion: region, awsProfile: profile }: AwsFlags,
): Promise<ServiceDiscoveryClient> {
  const config: ServiceDiscoveryClientConfig = {
    maxAttempts: MAX_ATTEMPTS,
    retryMode: 'adaptive',
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
  };
  const client = new sdk.ServiceDiscoveryClient(config);
  if (endpoint === undefined) return client;
  // Emulators take any; none need be made up for them by hand.
  const found = await Promise.all([
    client.config.region().catch(() => 'us-east-1'),
    client.config.credentials().catch((error: unknown) => {
      if (profile !== undefined) throw error;
      return { accessKeyId: 'cloudmapd', secretAccessKey: 'cloudmapd' };
    }),
  ]);
  client.destroy();
  return new sdk.ServiceDiscoveryClient({ ...config, region: found[0], credentials: found[1] });
}

/** @returns null where what is read is deleted meanwhile */
async function unlessGone<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

const GONE = new Set(['NamespaceNotFound', 'ServiceNotFound', 'ResourceNotFoundException']);

function isGone(error: unknown): boolean {
  const { cause } = error as CommandError;
  return cause instanceof Error && GONE.has(cause.name);
}

/** Emulators say it in many ways: with the error of a server that has no such path, or with a page of HTML. */
function isUnknownOperation(error: unknown): boolean {
  const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
  if (/UnknownOperation|InvalidAction|NotImplemented/i.test(name)) return true;
  return name === 'SyntaxError' || [404, 501].includes($metadata?.httpStatusCode ?? 0);
}

/** In the order of the items, so many at a time. */
async function mapLimited<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++;
      results[i] = await map(items[i] as T);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_CALLS }, work));
  return results;
}

async function* documentOf(kinds: Readonly<Record<string, readonly unknown[]>>): AsyncGenerator<string> {
  yield '{"cloudmapd":1';
  for (const [kind, records] of Object.entries(kinds)) {
    yield `,\n"${kind}":[`;
    for (const [i, record] of records.entries()) yield `${i === 0 ? '' : ','}\n${JSON.stringify(record)}`;
    yield '\n]';
  }
  yield '}\n';
}
