/** Writes at full speed through the real SDK, several calls at once, and keeps a ledger of what was answered. */
import {
  CreateHttpNamespaceCommand,
  CreatePrivateDnsNamespaceCommand,
  CreateServiceCommand,
  DeleteNamespaceCommand,
  DeleteServiceCommand,
  DeregisterInstanceCommand,
  DiscoverInstancesRevisionCommand,
  RegisterInstanceCommand,
  UpdateInstanceCustomHealthStatusCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-servicediscovery';
import type { Random } from '../../src/answers/selection.ts';
import type { RunningDaemon } from './daemon.ts';
import { askUdp, buildQuery, readAnswer } from './dns.ts';
import { Api } from './journey-api.ts';
import { Ledger, type LedgerCall, type Outcome, Watermarks } from './ledger.ts';
import {
  attributesOf,
  callOf,
  DNS_NAMESPACE,
  descriptionOf,
  firstState,
  HTTP_NAMESPACE,
  instanceIds,
  instanceKey,
  instanceState,
  namespaceKey,
  PASSING,
  PASSING_NAMESPACE,
  STAYING,
  STEADY,
  serviceInput,
  serviceKey,
  ttlOf,
  type WrittenService,
} from './written-content.ts';

/** Calls under way at once, besides the one that makes and deletes services and the one that reads. */
const WORKERS = 10;

interface Slot {
  readonly service: WrittenService;
  readonly id: string;
}

export class DiskWriter {
  readonly ledger = new Ledger();
  readonly watermarks = new Watermarks();
  /** What should not have happened. */
  readonly problems: string[] = [];
  /** Of namespaces and services, by their keys and the other way round. */
  readonly ids = new Map<string, string>();
  readonly keys = new Map<string, string>();
  readonly #random: Random;
  #calls = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  remember(key: string, id: string): void {
    this.ids.set(key, id);
    this.keys.set(id, key);
  }

  /** Makes what stays. */
  async setUp(daemon: RunningDaemon): Promise<void> {
    const api = new Api(daemon.endpoint);
    for (const namespace of [DNS_NAMESPACE, HTTP_NAMESPACE]) await this.#createNamespace(api, namespace);
    for (const service of [...STAYING, STEADY]) await this.#createService(api, service);
    for (const id of instanceIds(STEADY)) await this.#register(api, STEADY, id);
    api.sdk.destroy();
    if (this.problems.length > 0) throw new Error(this.problems.join('\n'));
  }

  /** Writes until it is stopped, or the daemon does not answer any more. */
  start(daemon: RunningDaemon): { stop: () => Promise<void> } {
    const api = new Api(daemon.endpoint);
    let isOver = false;
    const slots = STAYING.flatMap((service) => instanceIds(service).map((id) => ({ service, id })));
    const loop = async (step: () => Promise<Outcome | null>): Promise<void> => {
      try {
        while (!isOver) if ((await step()) === 'lost') break;
      } catch (error) {
        const { message, cause } = error as Error;
        this.problems.push(`${message}: ${(cause as Error | undefined)?.message}`);
      }
      isOver = true;
    };
    const workers = Array.from({ length: WORKERS }, (_, worker) => {
      // Each has things of its own: calls on one thing come one after the other.
      const own = slots.filter((_, slot) => slot % WORKERS === worker);
      return loop(() => this.#changeInstance(api, this.#pick(own)));
    });
    const running = Promise.all([...workers, loop(() => this.#pass(api)), loop(() => this.#watch(api, daemon))]);
    return {
      stop: async () => {
        isOver = true;
        await running;
        api.sdk.destroy();
      },
    };
  }

  /** One instance more or less, in other attributes, or with another status. */
  #changeInstance(api: Api, { service, id }: Slot): Promise<Outcome> {
    const key = instanceKey(service.namespace, service.name, id);
    const state = this.ledger.stateOf(key);
    const chance = this.#random(100);
    if (state === null || chance < 55) return this.#register(api, service, id);
    if (service.isChecked && chance < 75) {
      const Status = state.endsWith('UNHEALTHY') ? 'HEALTHY' : 'UNHEALTHY';
      const call = { key, next: instanceState(callOf(state), Status), operation: null };
      const input = { ServiceId: this.#idOf(service), InstanceId: id, Status } as const;
      return this.ledger.carryOut(call, async () => {
        await api.sdk.send(new UpdateInstanceCustomHealthStatusCommand(input));
        return undefined;
      });
    }
    return this.#deregister(api, service, id);
  }

  #register(api: Api, service: WrittenService, id: string): Promise<Outcome> {
    const number = ++this.#calls;
    const key = instanceKey(service.namespace, service.name, id);
    const call = { key, next: firstState(service.isChecked, number), operation: 'REGISTER_INSTANCE' };
    return this.#operate(call, () =>
      api.sdk.send(
        new RegisterInstanceCommand({
          ServiceId: this.#idOf(service),
          InstanceId: id,
          Attributes: attributesOf(service.isChecked, number),
        }),
      ),
    );
  }

  #deregister(api: Api, service: WrittenService, id: string): Promise<Outcome> {
    const key = instanceKey(service.namespace, service.name, id);
    const input = { ServiceId: this.#idOf(service), InstanceId: id };
    return this.#operate({ key, next: null, operation: 'DEREGISTER_INSTANCE' }, () =>
      api.sdk.send(new DeregisterInstanceCommand(input)),
    );
  }

  /** One step in the life of what comes and goes. */
  #pass(api: Api): Promise<Outcome> {
    const service = this.#pick(PASSING);
    const { namespace } = service;
    if (this.ledger.stateOf(namespaceKey(namespace)) === null) return this.#createNamespace(api, namespace);
    if (this.ledger.stateOf(serviceKey(namespace, service.name)) === null) {
      const isToGo = namespace === PASSING_NAMESPACE && this.#random(2) === 0;
      return isToGo ? this.#deleteNamespace(api, namespace) : this.#createService(api, service);
    }
    const [id = ''] = instanceIds(service);
    const hasInstance = this.ledger.stateOf(instanceKey(namespace, service.name, id)) !== null;
    switch (this.#random(3)) {
      case 0:
        return this.#updateService(api, service);
      case 1:
        return this.#register(api, service, id);
      default:
        return hasInstance ? this.#deregister(api, service, id) : this.#deleteService(api, service);
    }
  }

  async #createNamespace(api: Api, name: string): Promise<Outcome> {
    const number = ++this.#calls;
    const call = { key: namespaceKey(name), next: descriptionOf(number), operation: 'CREATE_NAMESPACE' };
    let id = '';
    const input = { Name: name, Description: descriptionOf(number) };
    const outcome = await this.#operate(call, async () => {
      const output =
        name === HTTP_NAMESPACE
          ? await api.sdk.send(new CreateHttpNamespaceCommand(input))
          : await api.sdk.send(new CreatePrivateDnsNamespaceCommand({ ...input, Vpc: 'vpc-1' }));
      id = output.OperationId as string;
      return output;
    });
    if (outcome !== 'acknowledged') return outcome;
    // It may be killed in between: then the next reading tells the namespace's id.
    const operation = await api.operation(id).catch(() => null);
    if (operation === null) return 'lost';
    this.remember(call.key, operation.Targets?.NAMESPACE as string);
    return outcome;
  }

  #deleteNamespace(api: Api, name: string): Promise<Outcome> {
    const key = namespaceKey(name);
    return this.#operate({ key, next: null, operation: 'DELETE_NAMESPACE' }, () =>
      api.sdk.send(new DeleteNamespaceCommand({ Id: this.ids.get(key) })),
    );
  }

  #createService(api: Api, service: WrittenService): Promise<Outcome> {
    const number = ++this.#calls;
    const key = serviceKey(service.namespace, service.name);
    const { records = [], ...rest } = serviceInput(service, number);
    const dns = { DnsConfig: { DnsRecords: records.map(([Type, TTL]) => ({ Type, TTL })) } };
    const input = {
      Name: service.name,
      NamespaceId: this.ids.get(namespaceKey(service.namespace)),
      ...(records.length > 0 && dns),
      ...rest,
    };
    return this.ledger.carryOut({ key, next: descriptionOf(number), operation: null }, async () => {
      const { Service } = await api.sdk.send(new CreateServiceCommand(input));
      this.remember(key, Service?.Id as string);
      return undefined;
    });
  }

  #updateService(api: Api, service: WrittenService): Promise<Outcome> {
    const number = ++this.#calls;
    const key = serviceKey(service.namespace, service.name);
    const records = service.types.map((Type) => ({ Type, TTL: ttlOf(number) }));
    const change = { Description: descriptionOf(number), DnsConfig: { DnsRecords: records } };
    return this.#operate({ key, next: descriptionOf(number), operation: 'UPDATE_SERVICE' }, () =>
      api.sdk.send(new UpdateServiceCommand({ Id: this.#idOf(service), Service: change })),
    );
  }

  #deleteService(api: Api, service: WrittenService): Promise<Outcome> {
    const call = { key: serviceKey(service.namespace, service.name), next: null, operation: null };
    return this.ledger.carryOut(call, async () => {
      await api.sdk.send(new DeleteServiceCommand({ Id: this.#idOf(service) }));
      return undefined;
    });
  }

  /** Reads what must never go back. */
  async #watch(api: Api, { dnsPort }: RunningDaemon): Promise<Outcome | null> {
    const { namespace, name } = this.#pick([...STAYING, ...PASSING]);
    try {
      const input = { NamespaceName: namespace, ServiceName: name };
      const { InstancesRevision } = await api.sdk.send(new DiscoverInstancesRevisionCommand(input));
      this.watermarks.note(`InstancesRevision ${namespace}/${name}`, InstancesRevision as number);
    } catch (error) {
      const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
      const status = $metadata?.httpStatusCode;
      if (status === undefined || status === 200 || status === 503) return 'lost';
      // What comes and goes may not be there.
      if (status !== 400) throw error;
    }
    const reply = await askUdp(dnsPort, buildQuery(namespace, 'SOA'), { timeoutMs: 1000 }).catch(() => null);
    if (reply !== null) this.noteSerial(namespace, readAnswer(reply).answer[0]);
    return null;
  }

  /** @param soa as zone-file text */
  noteSerial(namespace: string, soa: string | undefined): void {
    if (soa !== undefined) this.watermarks.note(`SOA serial ${namespace}`, Number(soa.split(' ')[6]));
  }

  #operate(call: LedgerCall, send: () => Promise<{ OperationId?: string | undefined }>): Promise<Outcome> {
    return this.ledger.carryOut(call, async () => (await send()).OperationId);
  }

  #idOf({ namespace, name }: WrittenService): string {
    return this.ids.get(serviceKey(namespace, name)) as string;
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random(items.length)] as T;
  }
}
