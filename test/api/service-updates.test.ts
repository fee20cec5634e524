import { DuplicateRequest, UpdateServiceCommand } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';

let api: TestApi;
let http: string;
let privateDns: string;
let publicDns: string;
beforeAll(async () => {
  api = await startApi();
  http = await api.createNamespace('Http', { Name: 'http' });
  privateDns = await api.createNamespace('PrivateDns', { Name: 'private.internal' });
  publicDns = await api.createNamespace('PublicDns', { Name: 'public.example' });
});
afterAll(() => api.close());

const arn = (id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${id}`;
const records = (ttls: Readonly<Record<string, number>>) => dns(ttls);
const update = (Id: string, Service: object) => api.ok('UpdateService', { Id, Service });
const shown = async (Id: string) => (await api.ok('GetService', { Id })).Service;
let names = 0;
const freshName = () => `fresh-${++names}`;
const fresh = (rest: object = {}, namespace = publicDns) => api.createService(namespace, freshName(), rest);

/** A service in `public.example` with one instance; `ask` digs its name, or `label` below it. */
async function answered(rest: object, attributes: Readonly<Record<string, string>>) {
  const name = freshName();
  const id = await api.createService(publicDns, name, rest);
  await api.register(id, 'one', attributes);
  const owner = `${name}.public.example`;
  const ask = async (type: string, label = '') => {
    const { rcode, answer } = await dig(api.dnsPort, `${label}${owner}`, type);
    return answer.length > 0 ? answer : [rcode === 'NOERROR' ? 'NODATA' : rcode];
  };
  return { id, name, owner, ask };
}
const IPV4 = { AWS_INSTANCE_IPV4: '10.0.0.1' };
const IPV6 = { AWS_INSTANCE_IPV6: '2001:db8::1' };
const PORT = { AWS_INSTANCE_PORT: '80' };

describe('UpdateService', () => {
  describe('validation', () => {
    it('does not find what is no service of this account and region', async () => {
      const id = await fresh();
      const elsewhere = [arn(id).replace(ACCOUNT, OTHER_ACCOUNT), arn(id).replace('us-east-1', 'us-west-1')];
      for (const Id of ['', 'srv-none', publicDns, arn(id).replace('service/', 'namespace/'), ...elsewhere])
        await api.refused('UpdateService', { Id, Service: {} }, 'ServiceNotFound');
    });

    it('takes everything at its limits', async () => {
      const Id = await fresh(dns({ A: 1, AAAA: 1 }));
      const check = { Type: 'HTTPS', ResourcePath: '/'.repeat(255) };
      for (const FailureThreshold of [1, 10]) {
        const HealthCheckConfig = { ...check, FailureThreshold };
        const change = { Description: 'd'.repeat(1024), ...records({ A: 0, AAAA: 2147483647 }), HealthCheckConfig };
        await update(Id, change);
        expect(await shown(Id)).toMatchObject(change);
      }
    });

    it.each([['a ResourcePath with TCP', { HealthCheckConfig: { Type: 'TCP', ResourcePath: '/' } }]])(
      'refuses %s, and changes nothing',
      async (_, Service) => {
        const Id = await fresh({ ...dns({ A: 1 }), Description: 'kept' });
        const before = await shown(Id);
        await api.refused('UpdateService', { Id, Service }, 'InvalidInput');
        expect(await shown(Id)).toEqual(before);
      },
    );

    it('checks the change before it looks for the service', () =>
      api.refused('UpdateService', { Id: 'srv-none', Service: records({ A: -1 }) }, 'InvalidInput', /TTL/));

    it('ignores what it cannot change: RoutingPolicy, custom check, Type, Name', async () => {
      const Id = await fresh({ ...dns({ A: 1 }, 'WEIGHTED'), HealthCheckCustomConfig: {} });
      const before = await shown(Id);
      await update(Id, {
        Name: 'other',
        Type: 'HTTP',
        HealthCheckCustomConfig: null,
        DnsConfig: { NamespaceId: http, RoutingPolicy: 'MULTIVALUE', DnsRecords: [{ Type: 'A', TTL: 1 }] },
      });
      expect(await shown(Id)).toEqual(before);
    });
  });

  describe('record types', () => {
    it.each<[Record<string, number> | null, Record<string, number>]>([
      [{ A: 1 }, { AAAA: 1 }],
      [{ A: 1 }, { A: 1, AAAA: 1 }],
      [{ A: 1 }, { SRV: 1 }],
      [{ A: 1 }, { CNAME: 1 }],
      [{ AAAA: 1 }, { A: 1 }],
      [{ A: 1, AAAA: 1 }, { SRV: 1 }],
      [
        { A: 1, AAAA: 1 },
        { A: 1, SRV: 1 },
      ],
      [{ SRV: 1 }, { SRV: 1, A: 1 }],
      [{ CNAME: 1 }, { A: 1 }],
      [null, { A: 1 }],
    ])('of %j cannot become %j; the refusal names both', async (existing, requested) => {
      const Id = await fresh(existing === null ? {} : dns(existing, existing.CNAME ? 'WEIGHTED' : undefined));
      const before = await shown(Id);
      const list = (types: object | null) => Object.keys(types ?? {}).join(', ');
      const message = new RegExp(`\\[${list(existing)}\\].*\\[${list(requested)}\\]`);
      await api.refused('UpdateService', { Id, Service: records(requested) }, 'InvalidInput', message);
      expect(await shown(Id)).toEqual(before);
    });

    it('cannot be given twice', async () => {
      const DnsRecords = [
        { Type: 'A', TTL: 1 },
        { Type: 'A', TTL: 2 },
      ];
      const body = { Id: await fresh(dns({ A: 1 })), Service: { DnsConfig: { DnsRecords } } };
      await api.refused('UpdateService', body, 'InvalidInput', /\[A\].*\[A, A\]/);
    });
  });

  describe('in an HTTP namespace', () => {
    it.each([{}, { Description: 'new' }, { HealthCheckConfig: { Type: 'TCP' } }, records({ A: 1 })])(
      'refuses %j',
      async (Service) => {
        const Id = await fresh({ Description: 'old' }, http);
        await api.refused('UpdateService', { Id, Service }, 'InvalidInput', /HTTP/);
        expect(await shown(Id)).toMatchObject({ Description: 'old' });
      },
    );
  });

  describe('behaviour', () => {
    it('answers an operation that ends and targets the service', async () => {
      const Id = await fresh(dns({ A: 1 }));
      const { OperationId, ...rest } = await update(Id, records({ A: 2 }));
      expect(rest).toEqual({});
      expect((await api.ok('GetOperation', { OperationId })).Operation).toEqual({
        Id: OperationId,
        OwnerAccount: ACCOUNT,
        Type: 'UPDATE_SERVICE',
        Status: 'SUCCESS',
        CreateDate: expect.any(Number),
        UpdateDate: expect.any(Number),
        Targets: { SERVICE: Id },
      });
      const Filters = [
        { Name: 'TYPE', Values: ['UPDATE_SERVICE'] },
        { Name: 'SERVICE_ID', Values: [Id] },
      ];
      expect((await api.ok('ListOperations', { Filters })).Operations).toEqual([
        { Id: OperationId, Status: 'SUCCESS' },
      ]);
    });

    it('takes an ARN', async () => {
      const id = await fresh(dns({ A: 1 }));
      await update(arn(id), { Description: 'by ARN', ...records({ A: 2 }) });
      expect(await shown(id)).toMatchObject({ Description: 'by ARN', DnsConfig: { DnsRecords: [{ TTL: 2 }] } });
    });

    it('changes the description, leaves an omitted one, and clears it with an empty one', async () => {
      const Id = await fresh({ ...dns({ A: 1 }), Description: 'first', CreatorRequestId: freshName() });
      const before = await shown(Id);
      await update(Id, { Description: 'second', ...records({ A: 1 }) });
      expect(await shown(Id)).toEqual({ ...before, Description: 'second' });
      await update(Id, records({ A: 1 }));
      expect(await shown(Id)).toEqual({ ...before, Description: 'second' });
      await update(Id, { Description: '', ...records({ A: 1 }) });
      expect(await shown(Id)).not.toHaveProperty('Description');
    });

    it('changes a service without DNS in a DNS namespace', async () => {
      const Id = await fresh();
      await update(Id, { Description: 'new', HealthCheckConfig: { Type: 'TCP' } });
      expect(await shown(Id)).toMatchObject({ Description: 'new', HealthCheckConfig: { Type: 'TCP' }, Type: 'HTTP' });
    });

    it('is seen in ListServices', async () => {
      const Id = await fresh(dns({ A: 1 }));
      await update(Id, { Description: 'listed', ...records({ A: 2 }) });
      const { Services } = await api.ok('ListServices');
      expect(Services.find((service) => service.Id === Id)).toMatchObject({
        Description: 'listed',
        DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 2 }] },
      });
    });

    it('does not change the InstancesRevision', async () => {
      const { id, name, ask } = await answered(dns({ A: 60 }), IPV4);
      const query = { NamespaceName: 'public.example', ServiceName: name };
      const before = await api.ok('DiscoverInstancesRevision', query);
      await update(id, {});
      expect(await ask('A')).toEqual(['NXDOMAIN']);
      expect(await api.ok('DiscoverInstancesRevision', query)).toEqual(before);
    });

    it('leaves a retried CreateService a retry', async () => {
      const body = { NamespaceId: publicDns, Name: freshName(), CreatorRequestId: freshName(), ...dns({ A: 1 }) };
      const { Service } = await api.ok('CreateService', body);
      await update(Service.Id, { Description: 'new', ...records({ A: 2 }) });
      expect((await api.ok('CreateService', body)).Service).toMatchObject({ Id: Service.Id, Description: 'new' });
    });
  });

  describe('in DNS', () => {
    it.each<[string, Record<string, number>, Record<string, string>, string]>([
      ['A', { A: 60 }, IPV4, '10.0.0.1'],
      ['AAAA', { AAAA: 60 }, IPV6, '2001:db8::1'],
      ['CNAME', { CNAME: 60 }, { AWS_INSTANCE_CNAME: 'target.example' }, 'target.example.'],
    ])('answers %s of existing instances with the new TTL at once', async (type, ttls, attributes, rdata) => {
      const { id, owner, ask } = await answered(dns(ttls), attributes);
      expect(await ask(type)).toEqual([`${owner}. 60 IN ${type} ${rdata}`]);
      await update(id, records({ [type]: 7 }));
      expect(await ask(type)).toEqual([`${owner}. 7 IN ${type} ${rdata}`]);
      await api.register(id, 'one', attributes);
      expect(await ask(type)).toEqual([`${owner}. 7 IN ${type} ${rdata}`]);
    });

    it('gives the new TTL of SRV to the targets too', async () => {
      const { id, owner, ask } = await answered(dns({ SRV: 60 }), { ...IPV4, ...IPV6, ...PORT });
      await update(id, records({ SRV: 7 }));
      expect(await ask('SRV')).toEqual([`${owner}. 7 IN SRV 1 1 80 one.${owner}.`]);
      expect(await ask('A', 'one.')).toEqual([`one.${owner}. 7 IN A 10.0.0.1`]);
      expect(await ask('AAAA', 'one.')).toEqual([`one.${owner}. 7 IN AAAA 2001:db8::1`]);
    });

    it.each([
      ['AAAA', 'A', '10.0.0.1', IPV4],
      ['A', 'AAAA', '2001:db8::1', IPV6],
    ])('drops %s of A and AAAA, for good; %s stays', async (dropped, kept, rdata, attributes) => {
      const { id, owner, ask } = await answered(dns({ A: 60, AAAA: 60 }), { ...IPV4, ...IPV6 });
      await update(id, records({ [kept]: 60 }));
      expect(await ask(dropped)).toEqual(['NODATA']);
      expect(await ask(kept)).toEqual([`${owner}. 60 IN ${kept} ${rdata}`]);
      expect(await shown(id)).toMatchObject({ Type: 'DNS_HTTP', DnsConfig: { DnsRecords: [{ Type: kept, TTL: 60 }] } });
      await api.refused('UpdateService', { Id: id, Service: records({ A: 60, AAAA: 60 }) }, 'InvalidInput', /cannot/);
      // What the dropped type wanted is wanted no more.
      await api.register(id, 'two', attributes);
    });

    it.each([
      ['no DnsConfig', {}],
      ['null for DnsConfig', { DnsConfig: null }],
      ['an empty list of records', { DnsConfig: { DnsRecords: [] } }],
    ])('removes everything with %s; instances and Type stay, DNS cannot come back', async (_, Service) => {
      const { id, name, ask } = await answered(dns({ SRV: 60 }), { ...IPV4, ...PORT });
      expect(await ask('A', 'one.')).toHaveLength(1);
      await update(id, Service);
      expect(await ask('SRV')).toEqual(['NXDOMAIN']);
      expect(await ask('A', 'one.')).toEqual(['NXDOMAIN']);
      expect(await shown(id)).toMatchObject({ Type: 'DNS_HTTP', DnsConfig: {}, InstanceCount: 1 });
      const query = { NamespaceName: 'public.example', ServiceName: name };
      expect((await api.ok('DiscoverInstances', query)).Instances).toMatchObject([{ InstanceId: 'one' }]);
      await api.refused('UpdateService', { Id: id, Service: records({ SRV: 60 }) }, 'InvalidInput', /\[\].*\[SRV\]/);
      // It goes on as a service of the API alone.
      await api.register(id, 'two');
      expect(await ask('SRV')).toEqual(['NXDOMAIN']);
      await update(id, { Description: 'still changed' });
      expect(await shown(id)).toMatchObject({ Type: 'DNS_HTTP', Description: 'still changed' });
    });

    it('keeps the name for itself, but frees the SRV targets and other cases of it', async () => {
      const { id, name, ask } = await answered(dns({ SRV: 60 }), { ...IPV4, ...PORT });
      const take = { NamespaceId: publicDns, ...dns({ A: 1 }) };
      await api.refused('CreateService', { ...take, Name: `one.${name}` }, 'InvalidInput', /taken/);
      await update(id, {});
      const { body } = await api.call('CreateService', { ...take, Name: name });
      expect(body).toMatchObject({ __type: 'ServiceAlreadyExists', ServiceId: id });
      const target = await api.createService(publicDns, `one.${name}`, dns({ A: 1 }));
      await api.register(target, 'own', { AWS_INSTANCE_IPV4: '10.0.0.9' });
      const upper = await api.createService(publicDns, name.toUpperCase(), dns({ A: 1 }));
      await api.register(upper, 'own', { AWS_INSTANCE_IPV4: '10.0.0.8' });
      expect((await ask('A', 'one.'))[0]).toMatch(/10\.0\.0\.9$/);
      // What the first one does now does not touch them.
      await api.register(id, 'one', {});
      await api.ok('DeregisterInstance', { ServiceId: id, InstanceId: 'one' });
      await api.ok('DeleteService', { Id: id });
      expect((await ask('A', 'one.'))[0]).toMatch(/10\.0\.0\.9$/);
      expect((await ask('A'))[0]).toMatch(/10\.0\.0\.8$/);
    });

    it('removes the records where the instance goes in the same moment', async () => {
      const { id, ask } = await answered(dns({ SRV: 60 }), { ...IPV4, ...PORT });
      await Promise.all([update(id, {}), api.ok('DeregisterInstance', { ServiceId: id, InstanceId: 'one' })]);
      expect(await ask('A', 'one.')).toEqual(['NXDOMAIN']);
      expect(await ask('SRV')).toEqual(['NXDOMAIN']);
    });
  });

  describe('HealthCheckConfig', () => {
    const A = records({ A: 1 });
    const checkOf = async (Id: string) => ((await shown(Id)) as { HealthCheckConfig?: object }).HealthCheckConfig;

    it('is added, changed and removed', async () => {
      const Id = await fresh(dns({ A: 1 }));
      expect(await checkOf(Id)).toBeUndefined();
      await update(Id, { ...A, HealthCheckConfig: { Type: 'HTTP' } });
      expect(await checkOf(Id)).toEqual({ Type: 'HTTP' });
      const changed = { Type: 'HTTP', ResourcePath: '/up?deep=1', FailureThreshold: 5 };
      await update(Id, { ...A, HealthCheckConfig: changed });
      expect(await checkOf(Id)).toEqual(changed);
      await update(Id, { ...A, HealthCheckConfig: { Type: 'HTTP', FailureThreshold: 2 } });
      expect(await checkOf(Id)).toEqual({ Type: 'HTTP', FailureThreshold: 2 });
      await update(Id, A);
      expect(await checkOf(Id)).toBeUndefined();
    });

    it.each(['HTTP', 'HTTPS', 'TCP'])('keeps its type %s, until it is removed', async (type) => {
      const Id = await fresh({ ...dns({ A: 1 }), HealthCheckConfig: { Type: type } });
      for (const other of ['HTTP', 'HTTPS', 'TCP'].filter((each) => each !== type)) {
        const Service = { ...A, HealthCheckConfig: { Type: other } };
        await api.refused('UpdateService', { Id, Service }, 'InvalidInput', new RegExp(`${type}.*${other}`));
      }
      expect(await checkOf(Id)).toEqual({ Type: type });
      await update(Id, A);
      await update(Id, { ...A, HealthCheckConfig: { Type: type === 'TCP' ? 'HTTP' : 'TCP' } });
    });

    it('decides what discovery says of instances that are there', async () => {
      const { id, name } = await answered(dns({ A: 60 }), { ...IPV4, ...PORT });
      const statuses = async () => {
        const query = { NamespaceName: 'public.example', ServiceName: name };
        const { Instances } = await api.ok('DiscoverInstances', query);
        const { Status } = await api.ok('GetInstancesHealthStatus', { ServiceId: id });
        return [Instances[0]?.HealthStatus, Status.one];
      };
      expect(await statuses()).toEqual(['UNKNOWN', 'UNKNOWN']);
      await update(id, { ...records({ A: 60 }), HealthCheckConfig: { Type: 'TCP' } });
      expect(await statuses()).toEqual(['HEALTHY', 'HEALTHY']);
      await update(id, records({ A: 60 }));
      expect(await statuses()).toEqual(['UNKNOWN', 'UNKNOWN']);
    });

    it('makes AWS_INSTANCE_PORT required while it is there', async () => {
      const Id = await fresh(dns({ A: 1 }));
      await update(Id, { ...A, HealthCheckConfig: { Type: 'TCP' } });
      const body = { ServiceId: Id, InstanceId: 'i', Attributes: IPV4 };
      await api.refused('RegisterInstance', body, 'InvalidInput', /AWS_INSTANCE_PORT/);
      await update(Id, A);
      await api.ok('RegisterInstance', body);
    });

    it('is refused beside a custom check, which an update never removes', async () => {
      const Id = await fresh({ ...dns({ A: 1 }), HealthCheckCustomConfig: {} });
      const Service = { ...A, HealthCheckConfig: { Type: 'TCP' } };
      await api.refused('UpdateService', { Id, Service }, 'InvalidInput', /HealthCheckCustomConfig/);
      await update(Id, {});
      expect(await shown(Id)).toMatchObject({ HealthCheckCustomConfig: { FailureThreshold: 1 } });
    });

    it('is refused in a private namespace, and with CNAME', async () => {
      const check = { HealthCheckConfig: { Type: 'TCP' } };
      const inPrivate = await fresh(dns({ A: 1 }), privateDns);
      await api.refused('UpdateService', { Id: inPrivate, Service: { ...A, ...check } }, 'InvalidInput', /public/);
      await update(inPrivate, records({ A: 2 }));
      const cname = await fresh(dns({ CNAME: 1 }));
      const body = { Id: cname, Service: { ...records({ CNAME: 1 }), ...check } };
      await api.refused('UpdateService', body, 'InvalidInput', /CNAME/);
      // Without the record, which is deleted as it is left out, nothing stands against the check.
      await update(cname, check);
      expect(await shown(cname)).toMatchObject(check);
    });
  });
});

describe('while operations are pending', () => {
  const CONTENT = `
namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    vpc: vpc-1
    services:
      - { name: web, dns: { records: [{ type: A, ttl: 60 }] }, instances: [{ id: one, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }] }
      - { name: empty, dns: { records: [{ type: A, ttl: 60 }] } }
      - { name: sdk, dns: { records: [{ type: A, ttl: 60 }] } }
`;
  let slow: TestApi;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    slow = await startApi({ operationDelayMs: '3600000' }, CONTENT);
    for (const { Name, Id } of (await slow.ok('ListServices')).Services) ids[Name] = Id;
  });
  afterAll(() => slow.close());

  it('an update is not seen yet, and keeps other updates off', async () => {
    const body = { Id: ids.web, Service: records({ A: 7 }) };
    const { OperationId } = await slow.ok('UpdateService', body);
    expect((await slow.ok('GetOperation', { OperationId })).Operation).toMatchObject({
      Status: 'PENDING',
      Targets: { SERVICE: ids.web },
    });
    expect((await dig(slow.dnsPort, 'web.corp.internal', 'A')).answer).toEqual(['web.corp.internal. 60 IN A 10.0.0.1']);
    const members = { DuplicateOperationId: OperationId };
    const message = new RegExp(`UPDATE_SERVICE.*${OperationId}`);
    await slow.refused('UpdateService', body, 'DuplicateRequest', message, members);
    // What is wrong with a request is said first.
    await slow.refused('UpdateService', { ...body, Service: records({ SRV: 1 }) }, 'InvalidInput', /cannot/);
  });

  it('an update keeps registrations and tags running, and the service from deletion', async () => {
    await slow.ok('UpdateService', { Id: ids.empty, Service: {} });
    await slow.refused('DeleteService', { Id: ids.empty }, 'ResourceInUse', /updated/);
    await slow.ok('RegisterInstance', { ServiceId: ids.empty, InstanceId: 'one', Attributes: IPV4 });
    const ResourceARN = arn(ids.empty as string);
    await slow.ok('TagResource', { ResourceARN, Tags: [{ Key: 'a', Value: 'b' }] });
    await slow.ok('UpdateServiceAttributes', { ServiceId: ids.empty, Attributes: { a: 'b' } });
  });

  it('DuplicateRequest reads in the SDK', async () => {
    const send = () => slow.sdk.send(new UpdateServiceCommand({ Id: ids.sdk, Service: {} }));
    const { OperationId } = await send();
    const error = await send().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DuplicateRequest);
    expect(error).toMatchObject({ DuplicateOperationId: OperationId });
  });

  it('an update is seen, in DNS too, when it has ended, and keeps tags and attributes that came meanwhile', async () => {
    const own = await startApi({ operationDelayMs: '60' }, CONTENT);
    try {
      const { Services } = await own.ok('ListServices');
      const { Id } = Services.find(({ Name }) => Name === 'web') as { Id: string };
      const { OperationId } = await own.ok('UpdateService', { Id, Service: records({ A: 7 }) });
      await own.ok('TagResource', { ResourceARN: arn(Id), Tags: [{ Key: 'a', Value: 'b' }] });
      await own.ok('UpdateServiceAttributes', { ServiceId: Id, Attributes: { c: 'd' } });
      expect(await own.ended(OperationId)).toEqual({ Status: 'SUCCESS', Targets: { SERVICE: Id } });
      expect((await dig(own.dnsPort, 'web.corp.internal', 'A')).answer).toEqual(['web.corp.internal. 7 IN A 10.0.0.1']);
      expect((await own.ok('ListTagsForResource', { ResourceARN: arn(Id) })).Tags).toEqual([{ Key: 'a', Value: 'b' }]);
      const { ServiceAttributes } = await own.ok('GetServiceAttributes', { ServiceId: Id });
      expect(ServiceAttributes.Attributes).toEqual({ c: 'd' });
      const again = await own.ok('UpdateService', { Id, Service: {} });
      expect((await own.ended(again.OperationId)).Status).toBe('SUCCESS');
      expect((await dig(own.dnsPort, 'web.corp.internal', 'A')).rcode).toBe('NXDOMAIN');
    } finally {
      await own.close();
    }
  });
});
