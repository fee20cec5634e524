/** Calls of the real SDK client, as short as journeys want them. */
import {
  CreatePrivateDnsNamespaceCommand,
  CreatePublicDnsNamespaceCommand,
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteNamespaceCommand,
  DeleteServiceCommand,
  DeregisterInstanceCommand,
  DiscoverInstancesCommand,
  GetInstanceCommand,
  GetInstancesHealthStatusCommand,
  GetOperationCommand,
  type HealthStatusFilter,
  ListInstancesCommand,
  ListNamespacesCommand,
  ListServicesCommand,
  type Operation,
  RegisterInstanceCommand,
  type ServiceChange,
  UpdateInstanceCustomHealthStatusCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-servicediscovery';
import { sdkClient } from './sdk.ts';

export interface ServiceInput extends Omit<CreateServiceCommandInput, 'Name' | 'NamespaceId' | 'DnsConfig'> {
  readonly records?: readonly (readonly ['A' | 'AAAA' | 'SRV' | 'CNAME', number])[];
  readonly policy?: 'MULTIVALUE' | 'WEIGHTED';
}

export class Api {
  readonly sdk;

  constructor(endpoint: string) {
    this.sdk = sdkClient(endpoint);
  }

  /** @returns the namespace's id */
  async createNamespace(name: string, kind: 'private' | 'public' = 'private'): Promise<string> {
    const { OperationId } =
      kind === 'private'
        ? await this.sdk.send(new CreatePrivateDnsNamespaceCommand({ Name: name, Vpc: 'vpc-1' }))
        : await this.sdk.send(new CreatePublicDnsNamespaceCommand({ Name: name }));
    const operation = await this.operation(OperationId);
    return operation.Targets?.NAMESPACE as string;
  }

  /** MULTIVALUE with A of 60 seconds where nothing else is said. @returns the service's id */
  async createService(namespaceId: string, name: string, input: ServiceInput = {}): Promise<string> {
    const { records = [['A', 60]], policy = 'MULTIVALUE', ...rest } = input;
    const { Service } = await this.sdk.send(
      new CreateServiceCommand({
        Name: name,
        NamespaceId: namespaceId,
        DnsConfig: { RoutingPolicy: policy, DnsRecords: records.map(([Type, TTL]) => ({ Type, TTL })) },
        ...rest,
      }),
    );
    return Service?.Id as string;
  }

  /** What is not given is deleted. */
  async updateService(id: string, change: ServiceChange): Promise<void> {
    await this.sdk.send(new UpdateServiceCommand({ Id: id, Service: change }));
  }

  async deleteService(id: string): Promise<void> {
    await this.sdk.send(new DeleteServiceCommand({ Id: id }));
  }

  /** @returns the operation's id */
  async register(serviceId: string, id: string, attributes: Record<string, string>): Promise<string> {
    const { OperationId } = await this.sdk.send(
      new RegisterInstanceCommand({ ServiceId: serviceId, InstanceId: id, Attributes: attributes }),
    );
    return OperationId as string;
  }

  async deregister(serviceId: string, id: string): Promise<void> {
    await this.sdk.send(new DeregisterInstanceCommand({ ServiceId: serviceId, InstanceId: id }));
  }

  async setHealth(serviceId: string, id: string, status: 'HEALTHY' | 'UNHEALTHY'): Promise<void> {
    await this.sdk.send(
      new UpdateInstanceCustomHealthStatusCommand({ ServiceId: serviceId, InstanceId: id, Status: status }),
    );
  }

  async operation(id: string | undefined): Promise<Operation> {
    const { Operation: operation } = await this.sdk.send(new GetOperationCommand({ OperationId: id }));
    return operation as Operation;
  }

  async attributesOf(serviceId: string, id: string): Promise<Record<string, string> | undefined> {
    const { Instance } = await this.sdk.send(new GetInstanceCommand({ ServiceId: serviceId, InstanceId: id }));
    return Instance?.Attributes;
  }

  /** Every instance's id, in order, whatever the number of pages. */
  async instanceIds(serviceId: string): Promise<string[]> {
    const ids: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.sdk.send(new ListInstancesCommand({ ServiceId: serviceId, NextToken: token }));
      ids.push(...(page.Instances ?? []).map(({ Id }) => Id as string));
      token = page.NextToken;
    } while (token !== undefined);
    return ids.sort();
  }

  async healthOf(serviceId: string): Promise<Record<string, string> | undefined> {
    const { Status } = await this.sdk.send(new GetInstancesHealthStatusCommand({ ServiceId: serviceId }));
    return Status;
  }

  /** Ids in order, and the revision. */
  async discover(
    namespace: string,
    service: string,
    filter?: HealthStatusFilter,
  ): Promise<{ ids: string[]; revision: number }> {
    const { Instances = [], InstancesRevision } = await this.sdk.send(
      new DiscoverInstancesCommand({ NamespaceName: namespace, ServiceName: service, HealthStatus: filter }),
    );
    return {
      ids: Instances.map(({ InstanceId }) => InstanceId as string).sort(),
      revision: InstancesRevision as number,
    };
  }

  /** Deletes everything there is (one page of each). */
  async wipe(): Promise<void> {
    const { Services = [] } = await this.sdk.send(new ListServicesCommand({}));
    for (const { Id } of Services) {
      for (const instance of await this.instanceIds(Id as string)) await this.deregister(Id as string, instance);
      await this.deleteService(Id as string);
    }
    const { Namespaces = [] } = await this.sdk.send(new ListNamespacesCommand({}));
    for (const { Id } of Namespaces) await this.sdk.send(new DeleteNamespaceCommand({ Id }));
  }
}
