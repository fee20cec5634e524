/** Calls of the API as the property test sends them, and what came back. */
import { isDeepStrictEqual } from 'node:util';
import type { WireBody, WireOperation } from '../support/api.ts';
import type { Client } from './client.ts';

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'CNAME';
export type Attributes = Readonly<Record<string, string>>;
export interface WireRecord {
  readonly Type: RecordType;
  readonly TTL: number;
}

export type CreateNamespaceAction = 'CreateHttpNamespace' | 'CreatePrivateDnsNamespace' | 'CreatePublicDnsNamespace';
export type UpdateNamespaceAction = 'UpdateHttpNamespace' | 'UpdatePrivateDnsNamespace' | 'UpdatePublicDnsNamespace';

interface SoaProperties {
  readonly DnsProperties: { readonly SOA: { readonly TTL: number } };
}
export interface CreateNamespaceInput {
  readonly Name: string;
  readonly Vpc?: string;
  readonly Description?: string;
  readonly Properties?: SoaProperties;
  readonly CreatorRequestId?: string;
}
export interface UpdateNamespaceInput {
  readonly Id: string;
  readonly Namespace: { readonly Description?: string; readonly Properties?: SoaProperties };
  readonly UpdaterRequestId?: string;
}
export interface CreateServiceInput {
  readonly Name: string;
  readonly NamespaceId: string;
  readonly Type?: 'HTTP';
  readonly Description?: string;
  readonly DnsConfig?: { readonly RoutingPolicy?: string; readonly DnsRecords: readonly WireRecord[] };
  readonly HealthCheckConfig?: { readonly Type: 'TCP' };
  readonly HealthCheckCustomConfig?: object;
  readonly CreatorRequestId?: string;
}
export interface UpdateServiceInput {
  readonly Id: string;
  readonly Service: {
    readonly Description?: string;
    readonly DnsConfig?: { readonly DnsRecords: readonly WireRecord[] };
  };
}
export interface RegisterInput {
  readonly ServiceId: string;
  readonly InstanceId: string;
  readonly Attributes: Attributes;
  readonly CreatorRequestId?: string;
}
export interface HealthInput {
  readonly ServiceId: string;
  readonly InstanceId: string;
  readonly Status: 'HEALTHY' | 'UNHEALTHY';
}

/** With ids of the daemon's own: a call can be sent again as it is. */
export type Call =
  | { readonly action: CreateNamespaceAction; readonly input: CreateNamespaceInput }
  | { readonly action: UpdateNamespaceAction; readonly input: UpdateNamespaceInput }
  | { readonly action: 'DeleteNamespace' | 'DeleteService'; readonly input: { readonly Id: string } }
  | { readonly action: 'CreateService'; readonly input: CreateServiceInput }
  | { readonly action: 'UpdateService'; readonly input: UpdateServiceInput }
  | { readonly action: 'RegisterInstance'; readonly input: RegisterInput }
  | { readonly action: 'DeregisterInstance'; readonly input: Pick<RegisterInput, 'ServiceId' | 'InstanceId'> }
  | { readonly action: 'UpdateInstanceCustomHealthStatus'; readonly input: HealthInput }
  | {
      readonly action: 'TagResource';
      readonly input: { readonly ResourceARN: string; readonly Tags: readonly { Key: string; Value: string }[] };
    }
  | {
      readonly action: 'UntagResource';
      readonly input: { readonly ResourceARN: string; readonly TagKeys: readonly string[] };
    }
  | {
      readonly action: 'UpdateServiceAttributes';
      readonly input: { readonly ServiceId: string; readonly Attributes: Attributes };
    }
  | {
      readonly action: 'DeleteServiceAttributes';
      readonly input: { readonly ServiceId: string; readonly Attributes: readonly string[] };
    };

/** What a call came to. */
export interface Outcome {
  /** The error's type; null: it was accepted. */
  readonly error: string | null;
  /** The response's body. */
  readonly body: Partial<WireBody> & {
    readonly NamespaceId?: string;
    readonly ServiceId?: string;
    readonly CreatorRequestId?: string;
  };
  /** The operation that it was answered with, as GetOperation has it. */
  readonly operation: (WireOperation & { readonly Type: string }) | null;
  /** Whether no call of an earlier step was answered with that operation. */
  readonly isNewOperation: boolean;
  /** The namespace that the operation is about, as it was once all calls of the step were answered. */
  readonly namespace: { readonly Id: string; readonly CreateDate: number; readonly HttpName: string } | null;
}

type Answered = Awaited<ReturnType<Client['send']>>;

/** Sends all calls at the same moment. */
export function sendCalls(client: Client, calls: readonly Call[]): Promise<Answered[]> {
  return Promise.all(calls.map(({ action, input }) => client.send(action, input)));
}

/** What the answers were, and what became of their operations. */
export function readOutcomes(
  client: Client,
  replies: readonly Answered[],
  earlierOperations: ReadonlySet<string>,
): Promise<Outcome[]> {
  return Promise.all(
    replies.map(async ({ status, body }): Promise<Outcome> => {
      if (status !== 200) return { ...NO_OPERATION, error: body.__type, body };
      const { OperationId: id } = body;
      if (id === undefined) return { ...NO_OPERATION, error: null, body };
      return { error: null, body, isNewOperation: !earlierOperations.has(id), ...(await readOperation(client, id)) };
    }),
  );
}

const NO_OPERATION = { operation: null, isNewOperation: false, namespace: null };

async function readOperation(client: Client, OperationId: string): Promise<Pick<Outcome, 'operation' | 'namespace'>> {
  const { Operation } = await client.ok('GetOperation', { OperationId });
  const operation = Operation as Outcome['operation'];
  if (operation?.Type !== 'CREATE_NAMESPACE') return { operation, namespace: null };
  // A call that was sent again can be answered with the creation of one that was deleted in the same step.
  const { status, body } = await client.read('GetNamespace', { Id: operation.Targets.NAMESPACE ?? '' });
  if (status !== 200) return { operation, namespace: null };
  const { Id, CreateDate, Properties } = body.Namespace;
  return { operation, namespace: { Id, CreateDate, HttpName: Properties.HttpProperties.HttpName } };
}

/** Whether the outcome is an operation of the type that ended well and is about the targets. */
export function isOperation({ operation }: Outcome, type: string, targets: object): boolean {
  return operation?.Type === type && operation.Status === 'SUCCESS' && isDeepStrictEqual(operation.Targets, targets);
}
