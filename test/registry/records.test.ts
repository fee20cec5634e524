import { describe, expect, it } from 'vitest';
import type { Change, Instance, Namespace, Operation, Service } from '../../src/registry/model.ts';
import { decodeChange, encodeChange, keyOf } from '../../src/registry/records.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { type StoreChange, StoreError } from '../../src/store/store.ts';
import { openRegistry } from '../support/registry.ts';

const namespace: Namespace = {
  id: 'ns-1',
  name: 'corp.internal',
  httpName: 'corp.internal',
  type: 'DNS_PRIVATE',
  description: null,
  vpc: 'vpc-1',
  hostedZoneId: 'Z1',
  soaTtlSeconds: null,
  tags: {},
  creatorRequestId: null,
  operationId: null,
  createdAt: 1000,
  manager: 'api',
};
const service: Service = {
  id: 'srv-1',
  namespaceId: 'ns-1',
  name: 'web',
  type: 'DNS_HTTP',
  description: null,
  dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 60 }] },
  healthCheck: null,
  hasCustomHealthCheck: false,
  attributes: {},
  tags: {},
  creatorRequestId: null,
  requestDigest: null,
  createdAt: 2000,
  manager: 'api',
};
const instance: Instance = {
  serviceId: 'srv-1',
  id: 'web/1',
  attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' },
  health: { status: 'HEALTHY', lastHealthyAt: null, pending: null },
  creatorRequestId: null,
  operationId: null,
  registeredAt: 3000,
  manager: 'api',
};
const operation: Operation = {
  id: 'op-1',
  type: 'REGISTER_INSTANCE',
  status: 'SUCCESS',
  createdAt: 3000,
  updatedAt: 3000,
  targets: { INSTANCE: 'web/1', SERVICE: 'srv-1' },
  error: null,
  work: null,
  dueAt: 3000,
  request: null,
};

const ofNamespace = (value: Namespace): Change => ({ kind: 'namespace', id: value.id, value });
const ofService = (value: Service): Change => ({ kind: 'service', id: value.id, value });
const ofInstance = (value: Instance): Change => ({ kind: 'instance', serviceId: value.serviceId, id: value.id, value });
const ofOperation = (value: Operation): Change => ({ kind: 'operation', id: value.id, value });
/** A record as it was written before anything was left out. */
const whole = (change: Change): StoreChange => ({ key: keyOf(change), value: JSON.stringify(change.value) });

describe('records', () => {
  const changes: [string, Change][] = [
    ['a namespace', ofNamespace(namespace)],
    ['a service', ofService(service)],
    [
      'a service with everything',
      ofService({
        ...service,
        type: 'HTTP',
        description: 'the web',
        dns: null,
        healthCheck: { type: 'HTTP', path: '/', failureThreshold: 2 },
        hasCustomHealthCheck: true,
        attributes: { team: 'shop' },
        tags: { env: '' },
        creatorRequestId: 'r-1',
        requestDigest: 'd-1',
        manager: 'file',
      }),
    ],
    ['a service with what is falsy and no default', ofService({ ...service, description: '', creatorRequestId: '' })],
    ['an instance', ofInstance(instance)],
    [
      'an instance with everything',
      ofInstance({
        ...instance,
        attributes: {},
        health: {
          status: 'UNHEALTHY',
          lastHealthyAt: 5,
          pending: { status: 'HEALTHY', dueAt: 9 },
          transitions: [{ at: 5, status: 'UNHEALTHY', reason: 'none' }],
        },
        creatorRequestId: 'r-2',
        operationId: 'op-1',
        manager: 'file',
      }),
    ],
    ['an instance that is unhealthy', ofInstance({ ...instance, health: { ...instance.health, status: 'UNHEALTHY' } })],
    ['an instance that was unhealthy', ofInstance({ ...instance, health: { ...instance.health, lastHealthyAt: 0 } })],
    ['an operation', ofOperation(operation)],
    [
      'an operation with everything',
      ofOperation({
        ...operation,
        status: 'FAIL',
        updatedAt: 3001,
        error: { code: 'INTERNAL_FAILURE', message: 'no' },
        work: { kind: 'register-instance', instance },
        dueAt: 4000,
        request: { key: 'k', digest: 'd' },
      }),
    ],
    ['a revision', { kind: 'revision', id: 'srv-1', value: 12 }],
    ['a serial', { kind: 'serial', id: 'corp.internal', value: 13 }],
  ];

  it.each(changes)('give back %s, also from a record that has everything', (_, change) => {
    expect(decodeChange(encodeChange(change))).toStrictEqual(change);
    expect(decodeChange(whole(change))).toStrictEqual(change);
  });

  it.each(changes)('give back that %s is gone', (_, change) => {
    const gone = { ...change, value: null } as Change;
    expect(decodeChange(encodeChange(gone))).toStrictEqual(gone);
  });

  it('leave out what is as it mostly is', () => {
    expect(encodeChange(ofInstance(instance)).value).toBe(
      '{"id":"web/1","attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1"},"registeredAt":3000}',
    );
  });

  it.each([
    ['no JSON', 'instance/srv-1/web-1', '{"id":"web-1"'],
    ['nothing', 'instance/srv-1/web-1', 'null'],
    ['an instance of another id', 'instance/srv-1/web-1', '{"id":"eb-1","attributes":{},"registeredAt":1}'],
    ['an instance without attributes', 'instance/srv-1/web-1', '{"id":"web-1","registeredAt":1}'],
    ['an instance of no time', 'instance/srv-1/web-1', '{"id":"web-1","attributes":{}}'],
    ['a service of another id', 'service/srv-1', '{"id":"srv-2","namespaceId":"ns-1","name":"a","createdAt":1}'],
    ['a service without a name', 'service/srv-1', '{"id":"srv-1","namespaceId":"ns-1","createdAt":1}'],
    ['an operation without targets', 'operation/op-1', '{"id":"op-1","type":"CREATE_NAMESPACE","createdAt":1}'],
    [
      'a namespace that DNS cannot name',
      'namespace/ns-1',
      '{"id":"ns-1","name":"a..b","httpName":"a..b","type":"DNS_PRIVATE","createdAt":1}',
    ],
    ['an unknown kind', 'endpoint/1', '{}'],
  ])('are refused where one is %s, by its key', async (_, key, value) => {
    const store = openMemoryStore();
    await store.commit([{ key, value }], 0);
    await expect(openRegistry({}, store)).rejects.toThrow(StoreError);
    await expect(openRegistry({}, store)).rejects.toThrow(`the record "${key}" cannot be read`);
  });

  it('are read whatever their order: instances, their service, its revision', async () => {
    const store = openMemoryStore();
    const revision: Change = { kind: 'revision', id: service.id, value: 77 };
    const other = {
      ...instance,
      id: 'web/2',
      health: { ...instance.health, pending: { status: 'UNHEALTHY', dueAt: 8 } },
    };
    await store.commit(
      [ofInstance(instance), revision, ofInstance(other as Instance), ofOperation(operation), ofService(service)]
        .concat(ofNamespace(namespace))
        .map(whole),
      0,
    );
    const { state } = (await openRegistry({}, store)).registry;
    expect([...state.instancesOf(service.id).values()]).toEqual([instance, other]);
    expect([...state.instancesWithPendingHealth()]).toEqual([other]);
    expect([state.countedInstances(service.id), state.countedInstances(namespace.id)]).toEqual([2, 2]);
    expect(state.revision(service.id)).toBe(77);
    expect(state.holderOf(namespace.id, 'web')).toBe('service/srv-1');
  });

  it('are read with turns for others in between', async () => {
    const store = openMemoryStore();
    const paged = {
      ...store,
      // A page may take any time, as far as whoever reads them knows.
      load: async () => {
        const { revision, pages } = await store.load(['service/']);
        const records = [...pages].flat();
        const slowly = function* () {
          for (const record of records) {
            const endMs = performance.now() + 15;
            while (performance.now() < endMs);
            yield [record];
          }
        };
        return { revision, pages: slowly() };
      },
    };
    await store.commit([ofService(service), ofInstance(instance), ofNamespace(namespace)].map(encodeChange), 0);
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const { registry } = await openRegistry({}, paged);
    isDone = true;
    expect(turns).toBeGreaterThanOrEqual(3);
    expect(registry.state.instance(service.id, instance.id)).toEqual(instance);
  });
});
