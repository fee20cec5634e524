/** Calls at the same moment: one writer decides them one after the other. */
import {
  CreatePrivateDnsNamespaceCommand,
  CreateServiceCommand,
  ListNamespacesCommand,
  ListOperationsCommand,
  ListServicesCommand,
  RegisterInstanceCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { shareDaemon } from '../support/journey-tools.ts';

const sharedDaemon = shareDaemon({ settings: { QUOTA_INSTANCES_PER_SERVICE: '5' } });
const ROUNDS = 10;

let daemon: RunningDaemon;
let api: Api;

beforeEach(async () => {
  daemon = sharedDaemon();
  api = new Api(daemon.endpoint);
});
afterEach(() => api.wipe());

/** What the calls resolved to, and the errors of those that were refused. */
async function settle<T>(
  calls: readonly Promise<T>[],
): Promise<{ won: T[]; refused: (Error & Record<string, unknown>)[] }> {
  const results = await Promise.allSettled(calls);
  return {
    won: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    refused: results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])),
  };
}

describe('one name', () => {
  it('goes to exactly one of two CreatePrivateDnsNamespace calls', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const create = () =>
        api.sdk.send(new CreatePrivateDnsNamespaceCommand({ Name: `n${round}.internal`, Vpc: 'vpc-1' }));
      const { won, refused } = await settle([create(), create()]);
      expect(won).toHaveLength(1);
      const { Targets } = await api.operation(won[0]?.OperationId);
      expect(refused).toMatchObject([{ name: 'NamespaceAlreadyExists', NamespaceId: Targets?.NAMESPACE }]);
    }
    const { Namespaces = [] } = await api.sdk.send(new ListNamespacesCommand({}));
    expect(Namespaces.map(({ Name }) => Name).sort()).toEqual(
      Array.from({ length: ROUNDS }, (_, round) => `n${round}.internal`).sort(),
    );
  });

  it('goes to exactly one of two CreateService calls, also where only the case differs', async () => {
    const NamespaceId = await api.createNamespace('corp.internal');
    for (let round = 0; round < ROUNDS; round++) {
      const create = (name: string) =>
        api.sdk.send(
          new CreateServiceCommand({
            Name: `${name}${round}`,
            NamespaceId,
            DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] },
          }),
        );
      const { won, refused } = await settle([create('web'), create(round % 2 === 0 ? 'web' : 'WEB')]);
      expect(won).toHaveLength(1);
      expect(refused).toMatchObject([{ name: 'ServiceAlreadyExists', ServiceId: won[0]?.Service?.Id }]);
    }
    const { Services } = await api.sdk.send(new ListServicesCommand({}));
    expect(Services).toHaveLength(ROUNDS);
  });
});

it('gives the last place under a quota to exactly one of many', async () => {
  const service = await api.createService(await api.createNamespace('corp.internal'), 'db', { records: [['SRV', 60]] });
  const attributes = { AWS_INSTANCE_IPV4: '10.0.0.7', AWS_INSTANCE_PORT: '5432' };
  for (const id of ['1', '2', '3', '4']) await api.register(service, id, attributes);
  const candidates = Array.from({ length: 30 }, (_, i) => `late-${i}`);
  const { won, refused } = await settle(
    candidates.map(async (id) => {
      await api.register(service, id, attributes);
      return id;
    }),
  );
  expect(won).toHaveLength(1);
  expect(new Set(refused.map(({ name }) => name))).toEqual(new Set(['ResourceLimitExceeded']));
  const expected = ['1', '2', '3', '4', ...won].sort();
  expect(await api.instanceIds(service)).toEqual(expected);
  expect((await dig(daemon.dnsPort, 'db.corp.internal', 'SRV')).answer).toHaveLength(expected.length);

  // Replacing one needs no place; one that goes makes a place for one.
  await api.register(service, '1', attributes);
  await api.deregister(service, '1');
  const again = await settle(candidates.slice(0, 5).map((id) => api.register(service, `again-${id}`, attributes)));
  expect(again.won).toHaveLength(1);
});

describe('one CreatorRequestId', () => {
  it('gives both of two calls the one operation', async () => {
    const createNamespace = () =>
      api.sdk.send(
        new CreatePrivateDnsNamespaceCommand({ Name: 'corp.internal', Vpc: 'vpc-1', CreatorRequestId: 'ns' }),
      );
    const [first, second] = await Promise.all([createNamespace(), createNamespace()]);
    expect(second.OperationId).toBe(first.OperationId);
    const { Targets } = await api.operation(first.OperationId);

    const createService = () =>
      api.sdk.send(
        new CreateServiceCommand({
          Name: 'web',
          NamespaceId: Targets?.NAMESPACE,
          CreatorRequestId: 'srv',
          DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] },
        }),
      );
    const [made, same] = await Promise.all([createService(), createService()]);
    expect(same.Service?.Id).toBe(made.Service?.Id);

    const register = (address: string) =>
      api.sdk.send(
        new RegisterInstanceCommand({
          ServiceId: made.Service?.Id,
          InstanceId: 'web-1',
          CreatorRequestId: 'instance',
          Attributes: { AWS_INSTANCE_IPV4: address },
        }),
      );
    const registered = await Promise.all(Array.from({ length: 10 }, () => register('10.0.0.7')));
    expect(new Set(registered.map(({ OperationId }) => OperationId)).size).toBe(1);
    await expect(register('10.0.0.8')).rejects.toMatchObject({ name: 'InvalidInput' });

    for (const [filter, value] of [
      ['NAMESPACE_ID', Targets?.NAMESPACE],
      ['SERVICE_ID', made.Service?.Id],
    ] as const) {
      const Filters = [{ Name: filter, Values: [value as string] }];
      expect((await api.sdk.send(new ListOperationsCommand({ Filters }))).Operations).toHaveLength(1);
    }
  });
});

it('ends up with DNS and the API in agreement, whatever order replacements and deregistrations come in', async () => {
  const service = await api.createService(await api.createNamespace('corp.internal'), 'web');
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.allSettled([
      ...Array.from({ length: 5 }, (_, i) =>
        api.register(service, 'web-1', { AWS_INSTANCE_IPV4: `10.0.${round}.${i}` }),
      ),
      api.deregister(service, 'web-1'),
      api.register(service, 'web-1', { AWS_INSTANCE_IPV4: `10.0.${round}.9` }),
    ]);
    const isThere = (await api.instanceIds(service)).length > 0;
    const address = isThere ? (await api.attributesOf(service, 'web-1'))?.AWS_INSTANCE_IPV4 : undefined;
    expect(await dig(daemon.dnsPort, 'web.corp.internal', 'A')).toMatchObject({
      rcode: isThere ? 'NOERROR' : 'NXDOMAIN',
      answer: isThere ? [`web.corp.internal. 60 IN A ${address}`] : [],
    });
  }
});
