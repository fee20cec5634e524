/** Everything that a daemon has, by every way to read it: all of them must say the same. */
import {
  DiscoverInstancesCommand,
  GetOperationCommand,
  ListInstancesCommand,
  ListNamespacesCommand,
  ListOperationsCommand,
  ListServicesCommand,
  type OperationFilter,
  type ServiceFilter,
  type ServiceSummary,
} from '@aws-sdk/client-servicediscovery';
import type { Random } from '../../src/answers/selection.ts';
import type { RunningDaemon } from './daemon.ts';
import type { DiskWriter } from './disk-writer.ts';
import { type Answer, dig } from './dns.ts';
import { Api } from './journey-api.ts';
import { operationName } from './ledger.ts';
import {
  ALL_SERVICES,
  attributesOf,
  callOf,
  DNS_NAMESPACE,
  instanceIds,
  instanceKey,
  instanceState,
  namespaceKey,
  PASSING_NAMESPACE,
  serviceKey,
  ttlOf,
  type WrittenService,
} from './written-content.ts';

const MULTIVALUE_RECORDS = 8;
/** Of older operations so many are asked for after each restart. */
const OLDER_OPERATIONS = 20;

interface FoundInstance {
  readonly id: string;
  readonly attributes: Record<string, string>;
  readonly status: string;
}

class WorldReader {
  readonly found = new Map<string, string>();
  readonly problems: string[] = [];
  readonly #writer: DiskWriter;
  readonly #api: Api;
  readonly #dnsPort: number;

  constructor(writer: DiskWriter, api: Api, dnsPort: number) {
    this.#writer = writer;
    this.#api = api;
    this.#dnsPort = dnsPort;
  }

  async read(): Promise<void> {
    const { Namespaces = [] } = await this.#api.sdk.send(new ListNamespacesCommand({}));
    for (const { Id = '', Name = '', Description = '', ServiceCount } of Namespaces) {
      this.#put(namespaceKey(Name), Description, Id);
      const filter: ServiceFilter = { Name: 'NAMESPACE_ID', Values: [Id] };
      const { Services = [] } = await this.#api.sdk.send(new ListServicesCommand({ Filters: [filter] }));
      this.#same(`ServiceCount of ${Name}`, ServiceCount, Services.length);
      for (const service of Services) await this.#readService(Name, service);
    }
    for (const name of [DNS_NAMESPACE, PASSING_NAMESPACE]) {
      const { answer } = await dig(this.#dnsPort, name, 'SOA');
      this.#same(`SOA records of ${name}`, answer.length, this.found.has(namespaceKey(name)) ? 1 : 0);
      this.#writer.noteSerial(name, answer[0]);
    }
  }

  async #readService(namespace: string, summary: ServiceSummary): Promise<void> {
    const { Id = '', Name = '', Description = '', InstanceCount, DnsConfig } = summary;
    this.#put(serviceKey(namespace, Name), Description, Id);
    const about = `${namespace}/${Name}`;
    const service = ALL_SERVICES.find(({ name, namespace: its }) => name === Name && its === namespace);
    if (service === undefined) return;
    const ttl = ttlOf(callOf(Description));
    const records = service.types.map((Type) => ({ Type, TTL: ttl }));
    this.#same(`records of ${about}`, DnsConfig?.DnsRecords ?? [], records);
    const { Instances = [] } = await this.#api.sdk.send(new ListInstancesCommand({ ServiceId: Id }));
    this.#same(`InstanceCount of ${about}`, InstanceCount, Instances.length);
    const statuses = (await this.#api.healthOf(Id)) ?? {};
    const instances = Instances.map(({ Id: id = '', Attributes: attributes = {} }) => ({
      ...{ id, attributes, status: statuses[id] ?? 'none' },
    }));
    const call = ({ attributes }: FoundInstance): number => Number(attributes.call);
    for (const instance of instances) {
      const key = instanceKey(namespace, Name, instance.id);
      this.found.set(key, instanceState(call(instance), instance.status));
      this.#same(`attributes of ${key}`, instance.attributes, attributesOf(service.isChecked, call(instance)));
    }
    this.#same(`statuses of ${about}`, Object.keys(statuses).length, instances.length);
    const discovered = await this.#api.sdk.send(
      new DiscoverInstancesCommand({ NamespaceName: namespace, ServiceName: Name, HealthStatus: 'ALL' }),
    );
    this.#writer.watermarks.note(`InstancesRevision ${about}`, discovered.InstancesRevision as number);
    this.#same(
      `DiscoverInstances of ${about}`,
      (discovered.Instances ?? [])
        .map(({ InstanceId, Attributes, HealthStatus }) => [InstanceId, Attributes?.call, HealthStatus])
        .sort(),
      instances.map(({ id, attributes, status }) => [id, attributes.call, status]).sort(),
    );
    for (const type of service.types) await this.#readRecords(service, type, ttl, instances);
  }

  async #readRecords(
    service: WrittenService,
    type: string,
    ttl: number,
    instances: readonly FoundInstance[],
  ): Promise<void> {
    const name = `${service.name}.${service.namespace}`;
    const answer = await dig(this.#dnsPort, name, type);
    const recordOf = ({ id, attributes }: FoundInstance): string => {
      const rdata = {
        A: attributes.AWS_INSTANCE_IPV4,
        AAAA: attributes.AWS_INSTANCE_IPV6,
        SRV: `1 1 ${attributes.AWS_INSTANCE_PORT} ${id}.${name}.`,
      }[type];
      return `${name}. ${ttl} IN ${type} ${rdata}`;
    };
    const healthy = instances.filter(({ status }) => status !== 'UNHEALTHY').map(recordOf);
    if (healthy.length > 0) this.#expectRecords(`${name} ${type}`, answer, healthy);
    // Of those that were healthy last, whichever those are.
    else if (instances.length > 0) this.#expectSome(`${name} ${type}`, answer, instances.map(recordOf));
    else this.#same(`${name} ${type}`, [answer.rcode, answer.answer], ['NXDOMAIN', []]);
    if (type !== 'SRV') return;
    const byId = new Map(instances.map((instance) => [instance.id, instance]));
    const targets = instanceIds(service).map(async (id) => {
      const target = `${id}.${name}`;
      const { answer: addresses } = await dig(this.#dnsPort, target, 'A');
      const address = byId.get(id)?.attributes.AWS_INSTANCE_IPV4;
      this.#same(`${target} A`, addresses, address === undefined ? [] : [`${target}. ${ttl} IN A ${address}`]);
    });
    await Promise.all(targets);
  }

  #expectRecords(about: string, { answer }: Answer, records: readonly string[]): void {
    if (records.length <= MULTIVALUE_RECORDS) this.#same(about, answer.toSorted(), records.toSorted());
    else if (answer.length !== MULTIVALUE_RECORDS) this.#same(`${about}, records`, answer.length, MULTIVALUE_RECORDS);
    else this.#expectSome(about, { answer }, records);
  }

  #expectSome(about: string, { answer }: Pick<Answer, 'answer'>, records: readonly string[]): void {
    const strangers = answer.filter((record) => !records.includes(record));
    if (answer.length === 0 || strangers.length > 0) this.#same(about, answer, records);
  }

  #put(key: string, state: string, id: string): void {
    this.found.set(key, state);
    this.#writer.remember(key, id);
  }

  #same(about: string, found: unknown, wanted: unknown): void {
    const [is, shouldBe] = [found, wanted].map((value) => canonical(value));
    if (is !== shouldBe) this.problems.push(`${about}: ${is} instead of ${shouldBe}`);
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

async function readWorld(writer: DiskWriter, api: Api, dnsPort: number): Promise<WorldReader> {
  const reader = new WorldReader(writer, api, dnsPort);
  await reader.read();
  return reader;
}

/** Nobody is writing. @returns where the living daemon has something else than what was acknowledged */
export async function compareWorld(writer: DiskWriter, { endpoint, dnsPort }: RunningDaemon): Promise<string[]> {
  const api = new Api(endpoint);
  const { found, problems } = await readWorld(writer, api, dnsPort);
  api.sdk.destroy();
  return [...problems, ...writer.ledger.differences(found), ...takeProblems(writer)];
}

/**
 * The daemon is the successor of one that was killed.
 * @param sinceMs before the first call of this page of the ledger; epoch
 * @returns where it has not all that was acknowledged, something half, or what nobody asked for
 */
export async function settleWorld(
  writer: DiskWriter,
  { endpoint, dnsPort }: RunningDaemon,
  sinceMs: number,
  random: Random,
): Promise<string[]> {
  const api = new Api(endpoint);
  const { found, problems } = await readWorld(writer, api, dnsPort);
  const settled = writer.ledger.settle(found);
  const { operations, olderOperations } = writer.ledger;
  const wanted = [...operations.values(), ...settled.operations];
  const older = Array.from({ length: Math.min(OLDER_OPERATIONS, olderOperations.length) }, () => {
    return olderOperations[random(olderOperations.length)] as [string, string];
  });
  const ids = await operationsSince(api, sinceMs);
  const asked = [...new Set([...ids, ...operations.keys(), ...older.map(([id]) => id)])];
  const names = await Promise.all(asked.map((id) => nameOperation(writer, api, id)));
  const named = new Map(asked.map((id, i) => [id, names[i] as string]));
  for (const [id, name] of [...operations, ...older]) {
    if (named.get(id) !== name) problems.push(`operation ${id}: ${named.get(id)} instead of ${name}`);
  }
  const listed = ids.map((id) => named.get(id) as string);
  const missing = without(wanted, listed);
  const strange = without(listed, wanted);
  if (missing.length > 0) problems.push(`operations that are not listed: ${missing.join(', ')}`);
  if (strange.length > 0) problems.push(`operations that nobody asked for: ${strange.join(', ')}`);
  api.sdk.destroy();
  writer.ledger.turnPage();
  return [...problems, ...settled.problems, ...takeProblems(writer)];
}

function takeProblems(writer: DiskWriter): string[] {
  return [...writer.problems.splice(0), ...writer.watermarks.problems.splice(0)];
}

async function operationsSince(api: Api, sinceMs: number): Promise<string[]> {
  const Values = [String(sinceMs / 1000), String(Date.now() / 1000 + 1)];
  const ids: string[] = [];
  let NextToken: string | undefined;
  do {
    const filter: OperationFilter = { Name: 'UPDATE_DATE', Condition: 'BETWEEN', Values };
    const page = await api.sdk.send(new ListOperationsCommand({ Filters: [filter], NextToken }));
    ids.push(...(page.Operations ?? []).map(({ Id }) => Id as string));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return ids;
}

/** As the ledger names it, where it has succeeded. */
async function nameOperation(writer: DiskWriter, api: Api, id: string): Promise<string> {
  const { Operation: operation } = await api.sdk
    .send(new GetOperationCommand({ OperationId: id }))
    .catch(() => ({ Operation: undefined }));
  if (operation === undefined) return 'none';
  const { NAMESPACE, SERVICE, INSTANCE } = operation.Targets ?? {};
  const parent = writer.keys.get(NAMESPACE ?? SERVICE ?? '') ?? 'of what is not known';
  const key = INSTANCE === undefined ? parent : `${parent.replace(/^service/, 'instance')}/${INSTANCE}`;
  return `${operationName(operation.Type ?? '', key)}${operation.Status === 'SUCCESS' ? '' : ` ${operation.Status}`}`;
}

/** What is left of a list when another one is taken away. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const other of others) counts.set(other, (counts.get(other) ?? 0) + 1);
  return list.filter((item) => {
    const count = counts.get(item) ?? 0;
    counts.set(item, count - 1);
    return count <= 0;
  });
}
