/** The real daemon in this process, its API called over real HTTP. */
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { ServiceDiscoveryClient } from '@aws-sdk/client-servicediscovery';
import { GetOperationCommand } from '@aws-sdk/client-servicediscovery';
import { expect } from 'vitest';
import { loadConfiguration, type SettingKey } from '../../src/config.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { makeFolder } from './daemon.ts';
import { sdkClient } from './sdk.ts';

export const ACCOUNT = '123456789012';
export const OTHER_ACCOUNT = '210987654321';
export const CONTENT_TYPE = 'application/x-amz-json-1.1';
export const TARGET = 'Route53AutoNaming_v20170314.';
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface WireNamespace {
  readonly Id: string;
  readonly Arn: string;
  readonly Name: string;
  readonly ServiceCount: number;
  readonly CreateDate: number;
  readonly Properties: { readonly DnsProperties: unknown; readonly HttpProperties: { readonly HttpName: string } };
}
export interface WireService {
  readonly Id: string;
  readonly Arn: string;
  readonly Name: string;
  readonly InstanceCount: number;
  readonly CreateDate: number;
}
export interface WireInstance {
  readonly Id: string;
  readonly InstanceId: string;
  readonly HealthStatus: string;
  readonly Attributes: Readonly<Record<string, string>>;
}
export interface WireOperation {
  readonly Id: string;
  readonly Status: string;
  readonly CreateDate: number;
  readonly UpdateDate: number;
  readonly Targets: Readonly<Record<string, string>>;
}

/** The members that tests read out of responses; which of them are there depends on the operation. */
export interface WireBody {
  readonly __type: string;
  readonly Message: string;
  readonly DuplicateOperationId: string;
  readonly OperationId: string;
  readonly Operation: WireOperation;
  readonly Operations: readonly WireOperation[];
  readonly Namespace: WireNamespace;
  readonly Namespaces: readonly WireNamespace[];
  readonly Service: WireService;
  readonly Services: readonly WireService[];
  readonly Instance: WireInstance;
  readonly Instances: readonly WireInstance[];
  readonly InstancesRevision: number;
  readonly ServiceAttributes: { readonly Attributes: Readonly<Record<string, string>> };
  readonly Tags: readonly { readonly Key: string; readonly Value: string }[];
  readonly Status: Readonly<Record<string, string>>;
  readonly NextToken: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: WireBody;
}

export interface TestApi {
  readonly daemon: Daemon;
  readonly endpoint: string;
  readonly httpPort: number;
  readonly dnsPort: number;
  readonly sdk: ServiceDiscoveryClient;
  /** @param body an object, or the body's own text */
  call(operation: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** As `call`, and fails the test where the answer is not 200. */
  ok(operation: string, body?: unknown): Promise<WireBody>;
  /** Calls and expects the error: status 400, the type, a message, and no other members than these. */
  refused(operation: string, body: unknown, type: string, message?: RegExp | null, members?: object): Promise<void>;
  /** Polls GetOperation through the SDK until the operation has ended. @returns its status and targets */
  ended(operationId: string): Promise<{ Status: string; Targets: Record<string, string> }>;
  /** Creates and waits. @returns the id */
  createNamespace(kind: 'Http' | 'PrivateDns' | 'PublicDns', body: object): Promise<string>;
  /** @returns the id */
  createService(namespaceId: string, name: string, rest?: object): Promise<string>;
  /** Registers and waits. @returns the operation's id */
  register(serviceId: string, instanceId: string, attributes?: Readonly<Record<string, string>>): Promise<string>;
  close(): Promise<void>;
}

/**
 * @param flags settings besides the store in memory and free ports
 * @param yaml declared content
 */
export async function startApi(flags: Partial<Record<SettingKey, string>> = {}, yaml?: string): Promise<TestApi> {
  const folder = yaml === undefined ? null : makeFolder();
  const file = folder === null ? {} : { config: join(folder.path, 'test.yaml') };
  if (file.config !== undefined) writeFileSync(file.config, yaml as string);
  const configuration = loadConfiguration(
    { store: 'memory', http: '127.0.0.1:0', dns: '127.0.0.1:0', log: 'error', ...flags, ...file },
    {},
  );
  const daemon = await startDaemon(configuration, createLog('error'));
  const endpoint = `http://${daemon.http[0]}`;
  const sdk = sdkClient(endpoint);

  const call = async (operation: string, body: unknown = {}, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': CONTENT_TYPE, 'x-amz-target': `${TARGET}${operation}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as WireBody };
  };
  const ok = async (operation: string, body?: unknown) => {
    const reply = await call(operation, body);
    expect(reply, `${operation} ${JSON.stringify(body)}: ${JSON.stringify(reply.body)}`).toMatchObject({ status: 200 });
    return reply.body;
  };
  const ended = async (operationId: string) => {
    for (;;) {
      const { Operation } = await sdk.send(new GetOperationCommand({ OperationId: operationId }));
      if (Operation?.Status === 'PENDING' || Operation?.Status === 'SUBMITTED') continue;
      return { Status: `${Operation?.Status}`, Targets: Operation?.Targets ?? {} };
    }
  };

  return {
    daemon,
    endpoint,
    httpPort: Number(new URL(endpoint).port),
    dnsPort: Number(new URL(`http://${daemon.dns[0]}`).port),
    sdk,
    call,
    ok,
    ended,
    refused: async (operation, body, type, message = null, members = {}) => {
      const reply = await call(operation, body);
      const where = `${operation} ${JSON.stringify(body)}`.slice(0, 300);
      expect({ status: reply.status, type: reply.body.__type, message: reply.body.Message }, where).toEqual({
        status: 400,
        type,
        message: message === null ? expect.stringMatching(/\S/) : expect.stringMatching(message),
      });
      expect(reply.body, where).toEqual({ __type: type, Message: expect.any(String), ...members });
      expect(reply.headers.get('content-type'), where).toContain(CONTENT_TYPE);
      expect(reply.headers.get('x-amzn-requestid'), where).toMatch(UUID);
    },
    createNamespace: async (kind, body) => {
      const vpc = kind === 'PrivateDns' ? { Vpc: 'vpc-1' } : {};
      const { OperationId } = await ok(`Create${kind}Namespace`, { ...vpc, ...body });
      const { Status, Targets } = await ended(OperationId);
      expect(Status).toBe('SUCCESS');
      return Targets.NAMESPACE as string;
    },
    createService: async (namespaceId, name, rest = {}) =>
      (await ok('CreateService', { NamespaceId: namespaceId, Name: name, ...rest })).Service.Id,
    register: async (serviceId, instanceId, attributes = {}) => {
      const { OperationId } = await ok('RegisterInstance', {
        ServiceId: serviceId,
        InstanceId: instanceId,
        Attributes: attributes,
      });
      expect((await ended(OperationId)).Status).toBe('SUCCESS');
      return OperationId;
    },
    close: async () => {
      sdk.destroy();
      await daemon.close();
      folder?.remove();
    },
  };
}

/** `dns({ A: 60 })`, `dns({ SRV: 10 }, 'MULTIVALUE')`: the DnsConfig of a CreateService request. */
export function dns(records: Readonly<Record<string, number>>, routingPolicy?: string): { DnsConfig: object } {
  return {
    DnsConfig: {
      ...(routingPolicy === undefined ? {} : { RoutingPolicy: routingPolicy }),
      DnsRecords: Object.entries(records).map(([Type, TTL]) => ({ Type, TTL })),
    },
  };
}

/** One HTTP request whose headers fetch would not let through, such as Host. */
export function rawRequest(
  port: number,
  options: { method?: string; path?: string; headers?: Readonly<Record<string, string>>; body?: string },
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }> {
  const { method = 'POST', path = '/', headers = {}, body = '' } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
