/**
 * A registry with something of every kind in it, and inputs that every operation takes there: as many members in them as
 * may stand together. A case changes one member of such an input.
 */
import { ACCOUNT, dns, type TestApi } from '../../support/api.ts';
import type { Path } from './cases.ts';

export type Input = Record<string, unknown>;
type Make = (world: World) => Input | Promise<Input>;

export interface World {
  readonly api: TestApi;
  readonly http: string;
  readonly publicDns: string;
  /** Of an HTTP namespace; has the instance. */
  readonly plain: string;
  /** As `plain`, with a HealthCheckCustomConfig. */
  readonly checked: string;
  readonly instance: string;
  readonly operation: string;
  fresh(): string;
}

export async function makeWorld(api: TestApi): Promise<World> {
  const http = await api.createNamespace('Http', { Name: 'http' });
  const publicDns = await api.createNamespace('PublicDns', { Name: 'public.example' });
  const plain = await api.createService(http, 'plain');
  const checked = await api.createService(http, 'checked', { HealthCheckCustomConfig: {} });
  const operation = await api.register(plain, 'instance');
  await api.register(checked, 'instance');
  let names = 0;
  const fresh = () => `fresh-${++names}`;
  return { api, http, publicDns, plain, checked, instance: 'instance', operation, fresh };
}

const arn = (id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${id}`;
const TAGS = [{ Key: 'key', Value: 'value' }];
const SOA = { DnsProperties: { SOA: { TTL: 60 } } };
const CHECK = { Type: 'HTTP', ResourcePath: '/', FailureThreshold: 3 };
const records = (Type: string) => ({ DnsRecords: [{ Type, TTL: 60 }] });

const create = ({ fresh }: World) => ({
  Name: `${fresh()}.example`,
  CreatorRequestId: fresh(),
  Description: 'text',
  Tags: TAGS,
});

const update = (kind: 'Http' | 'PrivateDns' | 'PublicDns', Namespace: object): Make => {
  return async ({ api, fresh }) => ({
    Id: await api.createNamespace(kind, { Name: `${fresh()}.example` }),
    UpdaterRequestId: fresh(),
    Namespace,
  });
};

const discover = { NamespaceName: 'http', ServiceName: 'plain', OwnerAccount: ACCOUNT };
const filters = (Name: string) => ({ MaxResults: 10, Filters: [{ Name, Values: ['x'], Condition: 'EQ' }] });

/** The first that has a member is the one in which it is changed. */
const INPUTS: Readonly<Record<string, readonly Make[]>> = {
  CreateHttpNamespace: [create],
  CreatePrivateDnsNamespace: [(world) => ({ ...create(world), Vpc: world.fresh(), Properties: SOA })],
  CreatePublicDnsNamespace: [(world) => ({ ...create(world), Properties: SOA })],
  CreateService: [
    (world) => ({
      ...create(world),
      NamespaceId: world.publicDns,
      DnsConfig: { NamespaceId: world.publicDns, RoutingPolicy: 'MULTIVALUE', ...records('A') },
      HealthCheckConfig: CHECK,
    }),
    ({ fresh, http }) => ({
      Name: fresh(),
      NamespaceId: http,
      HealthCheckCustomConfig: { FailureThreshold: 1 },
      Type: 'HTTP',
    }),
  ],
  DeleteNamespace: [async ({ api, fresh }) => ({ Id: await api.createNamespace('Http', { Name: fresh() }) })],
  DeleteService: [async ({ api, http, fresh }) => ({ Id: await api.createService(http, fresh()) })],
  DeleteServiceAttributes: [({ plain }) => ({ ServiceId: plain, Attributes: ['key'] })],
  DeregisterInstance: [
    async ({ api, plain, fresh }) => {
      const InstanceId = fresh();
      await api.register(plain, InstanceId);
      return { ServiceId: plain, InstanceId };
    },
  ],
  DiscoverInstances: [
    () => ({
      ...discover,
      MaxResults: 10,
      QueryParameters: { key: 'value' },
      OptionalParameters: { key: 'value' },
      HealthStatus: 'ALL',
    }),
  ],
  DiscoverInstancesRevision: [() => discover],
  GetInstance: [({ plain, instance }) => ({ ServiceId: plain, InstanceId: instance })],
  GetInstancesHealthStatus: [
    ({ checked, instance }) => ({ ServiceId: checked, Instances: [instance], MaxResults: 10 }),
  ],
  GetNamespace: [({ http }) => ({ Id: http })],
  GetOperation: [({ operation }) => ({ OperationId: operation, OwnerAccount: ACCOUNT })],
  GetService: [({ plain }) => ({ Id: plain })],
  GetServiceAttributes: [({ plain }) => ({ ServiceId: plain })],
  ListInstances: [({ plain }) => ({ ServiceId: plain, MaxResults: 10 })],
  ListNamespaces: [() => filters('NAME')],
  ListOperations: [() => filters('NAMESPACE_ID')],
  ListServices: [() => filters('NAMESPACE_ID')],
  ListTagsForResource: [({ plain }) => ({ ResourceARN: arn(plain) })],
  RegisterInstance: [
    ({ plain, fresh }) => ({
      ServiceId: plain,
      InstanceId: fresh(),
      Attributes: { AWS_INSTANCE_IPV4: '10.0.0.1', key: 'value' },
      CreatorRequestId: fresh(),
    }),
  ],
  TagResource: [({ plain }) => ({ ResourceARN: arn(plain), Tags: TAGS })],
  UntagResource: [({ plain }) => ({ ResourceARN: arn(plain), TagKeys: ['key'] })],
  UpdateHttpNamespace: [update('Http', { Description: 'text' })],
  UpdateInstanceCustomHealthStatus: [
    ({ checked, instance }) => ({ ServiceId: checked, InstanceId: instance, Status: 'HEALTHY' }),
  ],
  UpdatePrivateDnsNamespace: [update('PrivateDns', { Description: 'text', Properties: SOA })],
  UpdatePublicDnsNamespace: [update('PublicDns', { Description: 'text', Properties: SOA })],
  UpdateService: [
    async (world) => ({
      Id: await serviceOf(world, 'A'),
      Service: { Description: 'text', DnsConfig: records('A'), HealthCheckConfig: CHECK },
    }),
  ],
  UpdateServiceAttributes: [
    async ({ api, http, fresh }) => ({
      ServiceId: await api.createService(http, fresh()),
      Attributes: { key: 'value' },
    }),
  ],
};

function serviceOf({ api, publicDns, fresh }: World, type: string): Promise<string> {
  return api.createService(publicDns, fresh(), dns({ [type]: 60 }));
}

/** What a value of one member wants of others. Undefined: left out; a function: made for the occasion. */
const COMPANIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'CreateService DnsConfig.DnsRecords.0.Type CNAME': {
    'DnsConfig.RoutingPolicy': 'WEIGHTED',
    HealthCheckConfig: undefined,
  },
  'CreateService HealthCheckConfig.Type TCP': { 'HealthCheckConfig.ResourcePath': undefined },
  'UpdateService Service.HealthCheckConfig.Type TCP': { 'Service.HealthCheckConfig.ResourcePath': undefined },
  'UpdateService Service.DnsConfig.DnsRecords.0.Type AAAA': { Id: (world: World) => serviceOf(world, 'AAAA') },
  'UpdateService Service.DnsConfig.DnsRecords.0.Type SRV': { Id: (world: World) => serviceOf(world, 'SRV') },
  'UpdateService Service.DnsConfig.DnsRecords.0.Type CNAME': {
    Id: (world: World) => serviceOf(world, 'CNAME'),
    'Service.HealthCheckConfig': undefined,
  },
  'ListNamespaces Filters.0.Name TYPE': { 'Filters.0.Values': ['HTTP'] },
  'ListNamespaces Filters.0.Name RESOURCE_OWNER': { 'Filters.0.Values': ['SELF'] },
  'ListServices Filters.0.Name RESOURCE_OWNER': { 'Filters.0.Values': ['SELF'] },
  'ListOperations Filters.0.Name STATUS': { 'Filters.0.Values': ['SUCCESS'] },
  'ListOperations Filters.0.Name TYPE': { 'Filters.0.Values': ['CREATE_NAMESPACE'] },
  'ListOperations Filters.0.Name UPDATE_DATE': { 'Filters.0.Values': ['1', '2'], 'Filters.0.Condition': 'BETWEEN' },
  'ListOperations Filters.0.Condition IN': { 'Filters.0.Name': 'STATUS', 'Filters.0.Values': ['SUCCESS', 'FAIL'] },
  'ListOperations Filters.0.Condition BETWEEN': { 'Filters.0.Name': 'UPDATE_DATE', 'Filters.0.Values': ['1', '2'] },
};

/** An input whose other members are sound, with `value` at the path; undefined: left out. */
export async function inputWith(world: World, operation: string, path: Path, value: unknown): Promise<Input> {
  const input = await soundInput(world, operation, path);
  put(input, path, value);
  const companions = COMPANIONS[`${operation} ${path.join('.')} ${String(value)}`] ?? {};
  for (const [other, companion] of Object.entries(companions)) {
    put(input, other.split('.'), typeof companion === 'function' ? await companion(world) : companion);
  }
  return input;
}

async function soundInput(world: World, operation: string, path: Path): Promise<Input> {
  let second: Input | null = null;
  for (const make of INPUTS[operation] ?? []) {
    const input = structuredClone(await make(world));
    if (at(input, path) !== undefined) return input;
    // A member such as NextToken, that no input has to begin with.
    if (second === null && at(input, path.slice(0, -1)) !== undefined) second = input;
  }
  if (second === null) throw new Error(`no sound input of ${operation} has a place for ${path.join('.')}`);
  return second;
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((inner, member) => (inner as Readonly<Record<string, unknown>> | undefined)?.[member], value);
}

function put(input: Input, path: Path, value: unknown): void {
  const parent = at(input, path.slice(0, -1)) as Record<string, unknown>;
  const member = path.at(-1) as string;
  if (value === undefined) delete parent[member];
  else parent[member] = value;
}

export interface Refusal {
  readonly type: string;
  readonly message: RegExp;
}

/**
 * How a legal value is answered that stands for something which is not there, or does not go with other members; null:
 * the call succeeds.
 */
export function answerTo(operation: string, path: Path, value: unknown): Refusal | null {
  if (value === undefined || value === null) return null;
  const member = path.at(-1) as string;
  switch (member) {
    case 'Id':
    case 'ServiceId':
      return notFound(operation.endsWith('Namespace') ? 'Namespace' : 'Service');
    case 'NamespaceId':
      // Of the two members of CreateService that name the namespace the other is looked for.
      return path.length === 1 ? notFound('Namespace') : { type: 'InvalidInput', message: /different namespaces/ };
    case 'InstanceId':
      return operation === 'RegisterInstance' ? null : notFound('Instance');
    case 'OperationId':
      return notFound('Operation');
    case 'NamespaceName':
      return notFound('Namespace');
    case 'ServiceName':
      return notFound('Service');
    case 'OwnerAccount':
      return notFound(operation === 'GetOperation' ? 'Operation' : 'Namespace');
    case 'ResourceARN':
      return { type: `${value}`.startsWith('arn:') ? 'ResourceNotFoundException' : 'InvalidInput', message: /ARN/ };
    case 'NextToken':
      return { type: 'InvalidInput', message: /^The NextToken is not one/ };
    case 'Condition':
      return conditionAnswer(operation, `${value}`);
    default:
      return path[0] === 'Instances' ? notFound('Instance') : null;
  }
}

const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  ListNamespaces: ['EQ', 'BEGINS_WITH'],
  ListServices: ['EQ'],
  ListOperations: ['EQ', 'IN', 'BETWEEN'],
};

/** No filter of the operation has the condition, or one that it is tried with has. */
function conditionAnswer(operation: string, condition: string): Refusal | null {
  if (CONDITIONS[operation]?.includes(condition)) return null;
  return { type: 'InvalidInput', message: new RegExp(`takes the condition .*, not ${condition}`) };
}

function notFound(what: string): Refusal {
  return { type: `${what}NotFound`, message: /\S/ };
}
