/** The API as its clients call it: JSON 1.1 over connections that stay open. */
import { Agent, request } from 'node:http';

export interface Caller {
  /** @throws Error with the reply where it is not 200 */
  call(operation: string, body: object, path?: string): Promise<Record<string, unknown>>;
  /** @returns the namespace's id */
  createNamespace(name: string): Promise<string>;
  /** Of A records. @returns the service's id */
  createService(namespaceId: string, name: string): Promise<string>;
  register(serviceId: string, instanceId: string, ipv4: string): Promise<unknown>;
  close(): void;
}

/** @param connections at most so many calls are under way */
export function callerOf(port: number, connections: number): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const call: Caller['call'] = (operation, body, path = '/') =>
    new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
      };
      const sent = request({ port, path, agent, method: 'POST', host: '127.0.0.1', headers }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${operation}: ${text}`));
        });
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });
  return {
    call,
    createNamespace: async (Name) => {
      const { OperationId } = await call('CreatePrivateDnsNamespace', { Name, Vpc: 'vpc' });
      const { Operation } = await call('GetOperation', { OperationId });
      return (Operation as { Targets: { NAMESPACE: string } }).Targets.NAMESPACE;
    },
    createService: async (NamespaceId, Name) => {
      const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: 10 }] };
      const { Service } = await call('CreateService', { Name, NamespaceId, DnsConfig });
      return (Service as { Id: string }).Id;
    },
    register: (ServiceId, InstanceId, AWS_INSTANCE_IPV4) =>
      call('RegisterInstance', {
        ServiceId,
        InstanceId,
        Attributes: { AWS_INSTANCE_IPV4, AWS_INSTANCE_PORT: '8080', stage: 'beta' },
      }),
    close: () => agent.destroy(),
  };
}

/** Calls `one` so often, with so many under way. */
export async function inParallel(
  calls: number,
  lanes: number,
  one: (i: number, lane: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (_: unknown, n: number): Promise<void> => {
    while (next < calls) await one(next++, n);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
