import {
  DeregisterInstanceCommand,
  DuplicateRequest,
  GetOperationCommand,
  ListOperationsCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

describe('GetOperation', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  describe('behaviour', () => {
    it('does not find an unknown id, nor ours under another owner', async () => {
      const { OperationId } = await api.ok('CreateHttpNamespace', { Name: 'owned' });
      await api.refused('GetOperation', { OperationId: 'o'.repeat(255) }, 'OperationNotFound');
      await api.refused('GetOperation', { OperationId: '' }, 'OperationNotFound');
      await api.refused('GetOperation', { OperationId, OwnerAccount: OTHER_ACCOUNT }, 'OperationNotFound');
      await api.ok('GetOperation', { OperationId, OwnerAccount: ACCOUNT });
    });

    it('has an id whose end is its submit time in base 36 milliseconds', async () => {
      const { OperationId } = await api.ok('CreateHttpNamespace', { Name: 'timed' });
      const { Operation } = await api.ok('GetOperation', { OperationId });
      const submitted = Number.parseInt(OperationId.split('-')[1] as string, 36);
      expect(submitted).toBe(Math.round(Operation.CreateDate * 1000));
      expect(Math.abs(submitted - Date.now())).toBeLessThan(60_000);
      expect(Operation.UpdateDate).toBe(Operation.CreateDate);
    });

    it('reads in the SDK', async () => {
      const { OperationId } = await api.ok('CreateHttpNamespace', { Name: 'sdk' });
      const { Operation } = await api.sdk.send(new GetOperationCommand({ OperationId }));
      expect(Operation).toMatchObject({ Id: OperationId, Status: 'SUCCESS', CreateDate: expect.any(Date) });
    });
  });
});

describe('ListOperations', () => {
  let api: TestApi;
  const ids: Record<string, string> = {};
  let namespace: string;
  let service: string;
  beforeAll(async () => {
    api = await startApi();
    namespace = await api.createNamespace('Http', { Name: 'n' });
    ids.create = (await api.ok('ListOperations')).Operations[0]?.Id as string;
    service = await api.createService(namespace, 's');
    ids.register = await api.register(service, 'i');
    const body = { ServiceId: service, InstanceId: 'i' };
    ids.deregister = (await api.ok('DeregisterInstance', body)).OperationId;
    const other = await api.createNamespace('Http', { Name: 'other' });
    ids.delete = (await api.ok('DeleteNamespace', { Id: other })).OperationId;
    const all = (await api.ok('ListOperations')).Operations.map(({ Id }) => Id);
    ids.other = all.find((id) => !Object.values(ids).includes(id)) as string;
  });
  afterAll(() => api.close());
  const ALL = ['create', 'register', 'deregister', 'other', 'delete'];

  describe('validation', () => {
    it.each([
      { Name: 'STATUS', Values: ['DONE'] },
      { Name: 'STATUS', Values: ['SUCCESS', 'FAIL'] },
      { Name: 'STATUS', Values: ['SUCCESS'], Condition: 'BEGINS_WITH' },
      { Name: 'TYPE', Values: ['CREATE_SERVICE'] },
      { Name: 'TYPE', Values: ['CREATE_NAMESPACE', 'x'], Condition: 'IN' },
      { Name: 'NAMESPACE_ID', Values: ['ns-a'], Condition: 'IN' },
      { Name: 'SERVICE_ID', Values: ['srv-a', 'srv-b'] },
      { Name: 'UPDATE_DATE', Values: ['1'] },
      { Name: 'UPDATE_DATE', Values: ['1', '2'] },
      { Name: 'UPDATE_DATE', Values: ['1'], Condition: 'BETWEEN' },
      { Name: 'UPDATE_DATE', Values: ['1', '2', '3'], Condition: 'BETWEEN' },
      { Name: 'UPDATE_DATE', Values: ['yesterday', '2'], Condition: 'BETWEEN' },
      { Name: 'UPDATE_DATE', Values: ['1 2', '3'], Condition: 'BETWEEN' },
      { Name: 'UPDATE_DATE', Values: [' ', '3'], Condition: 'BETWEEN' },
    ])('refuses the filter %j', (filter) => api.refused('ListOperations', { Filters: [filter] }, 'InvalidInput'));

    it('refuses a filter whatever there is to list', () =>
      api.refused(
        'ListOperations',
        {
          Filters: [
            { Name: 'STATUS', Values: ['FAIL'] },
            { Name: 'UPDATE_DATE', Values: ['a', 'b'], Condition: 'BETWEEN' },
          ],
        },
        'InvalidInput',
      ));
  });

  describe('behaviour', () => {
    it('answers Id and Status alone', async () => {
      const { Operations } = await api.ok('ListOperations');
      expect(Operations).toHaveLength(5);
      for (const operation of Operations) expect(operation).toEqual({ Id: expect.any(String), Status: 'SUCCESS' });
    });

    it.each([
      ['nothing', () => [], ALL],
      ['NAMESPACE_ID', () => [{ Name: 'NAMESPACE_ID', Values: [namespace] }], ['create']],
      ['SERVICE_ID', () => [{ Name: 'SERVICE_ID', Values: [service] }], ['register', 'deregister']],
      ['an unknown SERVICE_ID', () => [{ Name: 'SERVICE_ID', Values: ['srv-x'] }], []],
      ['STATUS', () => [{ Name: 'STATUS', Values: ['SUCCESS'] }], ALL],
      ["STATUS in the prose's spelling", () => [{ Name: 'STATUS', Values: ['SUCCEED'] }], ALL],
      ['STATUS that none has', () => [{ Name: 'STATUS', Values: ['SUBMITTED', 'PENDING'], Condition: 'IN' }], []],
      ['TYPE', () => [{ Name: 'TYPE', Values: ['REGISTER_INSTANCE'] }], ['register']],
      ['UPDATE_NAMESPACE, which the enum has', () => [{ Name: 'TYPE', Values: ['UPDATE_NAMESPACE'] }], []],
      [
        'several types',
        () => [{ Name: 'TYPE', Values: ['DELETE_NAMESPACE', 'DEREGISTER_INSTANCE'], Condition: 'IN' }],
        ['delete', 'deregister'],
      ],
      ['a time that is past', () => [{ Name: 'UPDATE_DATE', Values: ['0', '1000.5'], Condition: 'BETWEEN' }], []],
      [
        'a time around now',
        () => [
          {
            Name: 'UPDATE_DATE',
            Values: [`${Date.now() / 1000 - 600}`, `${Date.now() / 1000 + 600}`],
            Condition: 'BETWEEN',
          },
        ],
        ALL,
      ],
      [
        'type and service',
        () => [
          { Name: 'TYPE', Values: ['DEREGISTER_INSTANCE'] },
          { Name: 'SERVICE_ID', Values: [service] },
        ],
        ['deregister'],
      ],
    ])('filters by %s', async (_, filters, expected) => {
      const { Operations } = await api.ok('ListOperations', { Filters: filters() });
      expect(Operations.map(({ Id }) => Id).sort()).toEqual(expected.map((key) => ids[key]).sort());
    });

    it('finds an operation by the very times of it', async () => {
      const { Operation } = await api.ok('GetOperation', { OperationId: ids.register });
      const at = `${Operation.UpdateDate}`;
      const { Operations } = await api.ok('ListOperations', {
        Filters: [
          { Name: 'UPDATE_DATE', Values: [at, at], Condition: 'BETWEEN' },
          { Name: 'TYPE', Values: ['REGISTER_INSTANCE'] },
        ],
      });
      expect(Operations.map(({ Id }) => Id)).toEqual([ids.register]);
    });

    it('pages through the SDK, while operations come', async () => {
      const before = new Set((await api.ok('ListOperations')).Operations.map(({ Id }) => Id));
      const seen: string[] = [];
      let NextToken: string | undefined;
      do {
        const page = await api.sdk.send(new ListOperationsCommand({ MaxResults: 2, NextToken }));
        seen.push(...(page.Operations ?? []).map(({ Id }) => Id as string));
        NextToken = page.NextToken;
        if (seen.length < 6) await api.register(service, `more-${seen.length}`);
      } while (NextToken !== undefined);
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((id) => before.has(id)).sort()).toEqual([...before].sort());
    });
  });
});

/** Declared content is there at once, whatever the delay. */
const CONTENT = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    vpc: vpc-1
    services:
      - { name: web, instances: [{ id: one }, { id: two }] }
      - { name: srv, dns: { records: [{ type: SRV, ttl: 1 }] } }
      - { name: y, dns: { records: [{ type: SRV, ttl: 1 }] } }
      - { name: x.y, dns: { records: [{ type: SRV, ttl: 1 }] } }
      - { name: empty }
  - { name: childless, type: HTTP }
`;
const SRV = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' };

describe('operations that stay PENDING', () => {
  let api: TestApi;
  const services: Record<string, string> = {};
  const namespaces: Record<string, string> = {};
  beforeAll(async () => {
    api = await startApi({ operationDelayMs: '3600000', quotaInstancesPerService: '2' }, CONTENT);
    for (const { Name, Id } of (await api.ok('ListServices')).Services) services[Name] = Id;
    for (const { Name, Id } of (await api.ok('ListNamespaces')).Namespaces) namespaces[Name] = Id;
  });
  afterAll(() => api.close());
  const register = (service: string, InstanceId: string, rest: object = {}) =>
    api.ok('RegisterInstance', { ServiceId: services[service], InstanceId, Attributes: {}, ...rest });

  it('show PENDING, without an error and with their targets', async () => {
    const { OperationId } = await register('web', 'shown');
    expect((await api.ok('GetOperation', { OperationId })).Operation).toEqual({
      Id: OperationId,
      OwnerAccount: ACCOUNT,
      Type: 'REGISTER_INSTANCE',
      Status: 'PENDING',
      CreateDate: expect.any(Number),
      UpdateDate: expect.any(Number),
      Targets: { INSTANCE: 'shown', SERVICE: services.web },
    });
    const filter = { Filters: [{ Name: 'STATUS', Values: ['PENDING'] }] };
    expect((await api.ok('ListOperations', filter)).Operations).toContainEqual({ Id: OperationId, Status: 'PENDING' });
  });

  it('keep a registered instance from every read', async () => {
    const ServiceId = services.web;
    const discovery = { NamespaceName: 'corp.internal', ServiceName: 'web' };
    const before = await api.ok('DiscoverInstances', discovery);
    await register('web', 'hidden');
    await api.refused('GetInstance', { ServiceId, InstanceId: 'hidden' }, 'InstanceNotFound');
    await api.refused('GetInstancesHealthStatus', { ServiceId, Instances: ['hidden'] }, 'InstanceNotFound');
    const { Instances } = await api.ok('ListInstances', { ServiceId });
    expect(Instances.map(({ Id }) => Id)).not.toContain('hidden');
    const after = await api.ok('DiscoverInstances', discovery);
    expect(after.Instances.map(({ InstanceId }) => InstanceId)).not.toContain('hidden');
    expect(after.InstancesRevision).toBe(before.InstancesRevision);
  });

  it('keep a deregistered instance readable', async () => {
    const body = { ServiceId: services.web, InstanceId: 'two' };
    const { OperationId } = await api.ok('DeregisterInstance', body);
    await api.ok('GetInstance', body);
    const members = { DuplicateOperationId: OperationId };
    await api.refused('DeregisterInstance', body, 'DuplicateRequest', new RegExp(OperationId), members);
    const again = { ...body, Attributes: {} };
    await api.refused('RegisterInstance', again, 'DuplicateRequest', /DEREGISTER_INSTANCE/, members);
    const error = await api.sdk.send(new DeregisterInstanceCommand(body)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DuplicateRequest);
    expect(error).toMatchObject({ DuplicateOperationId: OperationId });
    await api.refused('DeleteService', { Id: services.web }, 'ResourceInUse');
  });

  it('refuse a second registration or a deregistration of the instance with DuplicateRequest', async () => {
    const rest = { CreatorRequestId: 'first-request' };
    const { OperationId } = await register('srv', 'busy', { ...rest, Attributes: SRV });
    const body = { ServiceId: services.srv, InstanceId: 'busy' };
    const members = { DuplicateOperationId: OperationId };
    const other = { ...body, Attributes: SRV, CreatorRequestId: 'second-request' };
    await api.refused('RegisterInstance', other, 'DuplicateRequest', new RegExp(OperationId), members);
    await api.refused('RegisterInstance', { ...body, Attributes: SRV }, 'DuplicateRequest', null, members);
    await api.refused('DeregisterInstance', body, 'DuplicateRequest', null, members);
    // The same request again is the same operation.
    expect(await register('srv', 'busy', { ...rest, Attributes: SRV })).toEqual({ OperationId });
    const changed = { ...body, Attributes: { ...SRV, a: 'b' }, ...rest };
    await api.refused('RegisterInstance', changed, 'InvalidInput', /request id/i);
    // Ids of SRV instances that differ only by case would share a target.
    await api.refused('RegisterInstance', { ...other, InstanceId: 'BUSY' }, 'InvalidInput');
  });

  it('keep an SRV target that is on its way from services', async () => {
    await register('y', 'host', { Attributes: SRV });
    const body = { NamespaceId: namespaces['corp.internal'], Name: 'host.y', ...dns({ A: 1 }) };
    await api.refused('CreateService', body, 'InvalidInput');
  });

  it('keep an SRV target that is on its way from instances of other services', async () => {
    await register('x.y', 'a', { Attributes: SRV });
    const body = { ServiceId: services.y, InstanceId: 'a.x', Attributes: SRV };
    await api.refused('RegisterInstance', body, 'InvalidInput');
  });

  it('of registrations keep the service from deletion, and take places under the quota', async () => {
    await register('empty', 'soon');
    await api.refused('DeleteService', { Id: services.empty }, 'ResourceInUse');
    await register('empty', 'second');
    const body = { ServiceId: services.empty, InstanceId: 'third', Attributes: {} };
    await api.refused('RegisterInstance', body, 'ResourceLimitExceeded');
  });

  it.each([
    ['CreateHttpNamespace', {}],
    ['CreatePrivateDnsNamespace', { Vpc: 'vpc-1' }],
    ['CreatePublicDnsNamespace', {}],
  ])('of %s keep the name, and are found by the request id', async (operation, rest) => {
    const body = { Name: `${operation.toLowerCase()}.example`, ...rest, CreatorRequestId: 'first' };
    const { OperationId } = await api.ok(operation, body);
    expect(await api.ok(operation, body)).toEqual({ OperationId });
    const members = { DuplicateOperationId: OperationId };
    const message = new RegExp(`CREATE_NAMESPACE.*${OperationId}`);
    await api.refused(operation, { ...body, CreatorRequestId: 'second' }, 'DuplicateRequest', message, members);
    await api.refused(operation, { ...body, CreatorRequestId: undefined }, 'DuplicateRequest', message, members);
    await api.refused(operation, { ...body, Description: 'other' }, 'InvalidInput', /request id/i);
    const { Operation } = await api.ok('GetOperation', { OperationId });
    await api.refused('GetNamespace', { Id: Operation.Targets.NAMESPACE }, 'NamespaceNotFound');
  });

  it('of namespaces take places under the quota', async () => {
    const own = await startApi({ operationDelayMs: '3600000', quotaNamespaces: '1' });
    try {
      await own.ok('CreateHttpNamespace', { Name: 'last-place' });
      await own.refused('CreateHttpNamespace', { Name: 'one-too-many' }, 'ResourceLimitExceeded');
      await own.refused('CreatePublicDnsNamespace', { Name: 'one-too.many' }, 'ResourceLimitExceeded');
    } finally {
      await own.close();
    }
  });

  it('of deletion keep the namespace readable and refuse what would fill it', async () => {
    const Id = namespaces.childless as string;
    const { OperationId } = await api.ok('DeleteNamespace', { Id });
    await api.ok('GetNamespace', { Id });
    const members = { DuplicateOperationId: OperationId };
    await api.refused('DeleteNamespace', { Id }, 'DuplicateRequest', /DELETE_NAMESPACE/, members);
    await api.refused('CreateService', { NamespaceId: Id, Name: 'late' }, 'ResourceInUse');
  });
});

describe('operations that end', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ operationDelayMs: '60' });
  });
  afterAll(() => api.close());

  it('show when their status changed, and what they did is visible then', async () => {
    const { OperationId } = await api.ok('CreateHttpNamespace', { Name: 'n' });
    const { Status, Targets } = await api.ended(OperationId);
    expect(Status).toBe('SUCCESS');
    const namespace = Targets.NAMESPACE as string;
    const { Operation } = await api.ok('GetOperation', { OperationId });
    expect(Operation.UpdateDate).toBeGreaterThanOrEqual(Operation.CreateDate + 0.06);
    expect((await api.ok('GetNamespace', { Id: namespace })).Namespace.Name).toBe('n');

    const ServiceId = await api.createService(namespace, 's');
    await api.register(ServiceId, 'i', { a: 'b' });
    const body = { ServiceId, InstanceId: 'i' };
    expect((await api.ok('GetInstance', body)).Instance.Attributes).toEqual({ a: 'b' });

    const deregister = await api.ok('DeregisterInstance', body);
    expect((await api.ended(deregister.OperationId)).Status).toBe('SUCCESS');
    await api.refused('GetInstance', body, 'InstanceNotFound');

    await api.ok('DeleteService', { Id: ServiceId });
    const remove = await api.ok('DeleteNamespace', { Id: namespace });
    expect((await api.ended(remove.OperationId)).Status).toBe('SUCCESS');
    await api.refused('GetNamespace', { Id: namespace }, 'NamespaceNotFound');
    expect((await api.ok('GetOperation', { OperationId })).Operation.Status).toBe('SUCCESS');
  });

  it('end in the order in which they were accepted, many at once', async () => {
    const namespace = await api.createNamespace('Http', { Name: 'many' });
    const ServiceId = await api.createService(namespace, 's');
    const accepted = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        api.ok('RegisterInstance', { ServiceId, InstanceId: `i-${i}`, Attributes: {} }),
      ),
    );
    for (const { OperationId } of accepted) expect((await api.ended(OperationId)).Status).toBe('SUCCESS');
    expect((await api.ok('ListInstances', { ServiceId })).Instances).toHaveLength(50);
  });

  it('name the AlreadyExists error once the first create has ended', async () => {
    const id = await api.createNamespace('PublicDns', { Name: 'taken.example', CreatorRequestId: 'first' });
    await api.refused(
      'CreatePublicDnsNamespace',
      { Name: 'taken.example', CreatorRequestId: 'second' },
      'NamespaceAlreadyExists',
      null,
      { NamespaceId: id, CreatorRequestId: 'first' },
    );
  });
});
