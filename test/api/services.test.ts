import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let http: string;
let privateDns: string;
let publicDns: string;
const arn = (kind: string, id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:${kind}/${id}`;

beforeAll(async () => {
  api = await startApi();
  http = await api.createNamespace('Http', { Name: 'http' });
  privateDns = await api.createNamespace('PrivateDns', { Name: 'private.internal' });
  publicDns = await api.createNamespace('PublicDns', { Name: 'public.example' });
});
afterAll(() => api.close());

const SERVICE_ID = /^srv-[a-z2-7]{16}$/;
const A = dns({ A: 60 });
let names = 0;
const freshName = () => `fresh-${++names}`;

describe('CreateService', () => {
  const make = (body: object) => api.ok('CreateService', { Name: freshName(), NamespaceId: privateDns, ...body });
  const refuses = (body: object, type = 'InvalidInput', message: RegExp | null = null) =>
    api.refused('CreateService', { Name: freshName(), NamespaceId: privateDns, ...body }, type, message);

  describe('validation', () => {
    it('requires a namespace, in NamespaceId or in DnsConfig', async () => {
      await api.refused('CreateService', { Name: freshName() }, 'InvalidInput', /NamespaceId/);
      await api.refused('CreateService', { Name: freshName(), ...A }, 'InvalidInput', /NamespaceId/);
    });

    it.each([
      'a',
      '0',
      '__',
      '_x._tcp',
      'a_',
      'A-b_c.D',
      'l'.repeat(63),
      `${`${'l'.repeat(31)}.`.repeat(3)}${'l'.repeat(31)}`,
      '.',
    ])('takes the name %j, with DNS and without', async (Name) => {
      await make({ Name, NamespaceId: http });
      await make({ Name, NamespaceId: publicDns, ...A });
    });

    it('checks the name before it looks for the namespace', () =>
      refuses({ Name: '-', NamespaceId: 'ns-aaaaaaaaaaaaaaaa' }, 'InvalidInput'));

    it.each([
      ['an empty list of records', dns({})],
      [
        'a type twice',
        {
          DnsConfig: {
            DnsRecords: [
              { Type: 'A', TTL: 1 },
              { Type: 'A', TTL: 2 },
            ],
          },
        },
      ],
      ['SRV and A', dns({ SRV: 1, A: 1 })],
      ['SRV and AAAA', dns({ SRV: 1, AAAA: 1 })],
      ['CNAME and A', dns({ CNAME: 1, A: 1 }, 'WEIGHTED')],
      ['CNAME and SRV', dns({ CNAME: 1, SRV: 1 }, 'WEIGHTED')],
      ['CNAME with MULTIVALUE', dns({ CNAME: 1 }, 'MULTIVALUE')],
      ['A with Type HTTP', { ...A, Type: 'HTTP' }],
    ])('refuses %s', (_, body) => refuses(body));

    it.each([{ A: 0 }, { AAAA: 2147483647 }, { A: 1, AAAA: 2 }, { AAAA: 2, A: 1 }, { SRV: 1 }, { CNAME: 1 }])(
      'takes the records %j',
      async (records) => {
        const { Service } = await make(dns(records as Record<string, number>));
        expect(Service).toMatchObject(dns(records as Record<string, number>));
      },
    );

    it('refuses CNAME at the apex', () => refuses({ Name: '.', ...dns({ CNAME: 1 }, 'WEIGHTED') }));

    it('refuses DnsConfig in an HTTP namespace', () => refuses({ NamespaceId: http, ...A }, 'InvalidInput', /HTTP/));

    it('refuses a HealthCheckConfig of type TCP with a path', () =>
      refuses({ NamespaceId: http, HealthCheckConfig: { Type: 'TCP', ResourcePath: '/' } }, 'InvalidInput', /path/i));

    it('takes a HealthCheckConfig at its limits', async () => {
      const HealthCheckConfig = { Type: 'HTTPS', ResourcePath: `/${'p'.repeat(254)}`, FailureThreshold: 10 };
      expect((await make({ NamespaceId: http, HealthCheckConfig })).Service).toMatchObject({ HealthCheckConfig });
    });

    it('refuses HealthCheckConfig in a private namespace, also without DNS', async () => {
      await refuses({ HealthCheckConfig: { Type: 'TCP' }, ...A }, 'InvalidInput', /HealthCheckConfig/);
      await refuses({ HealthCheckConfig: { Type: 'TCP' } }, 'InvalidInput', /HealthCheckConfig/);
    });

    it('refuses both health checks', () =>
      refuses({ NamespaceId: publicDns, HealthCheckConfig: { Type: 'TCP' }, HealthCheckCustomConfig: {} }));

    it('refuses HealthCheckConfig with CNAME, not HealthCheckCustomConfig', async () => {
      const cname = { NamespaceId: publicDns, ...dns({ CNAME: 1 }, 'WEIGHTED') };
      await refuses({ ...cname, HealthCheckConfig: { Type: 'TCP' } }, 'InvalidInput', /CNAME/);
      await make({ ...cname, HealthCheckCustomConfig: {} });
    });

    it('takes 50 tags; 51 are too many, and nothing is made then', async () => {
      const list = (count: number) => Array.from({ length: count }, (_, i) => ({ Key: `k${i}`, Value: 'v' }));
      await make({ Tags: list(50) });
      const Name = freshName();
      const { body } = await api.call('CreateService', { Name, NamespaceId: http, Tags: list(51) });
      expect(body).toEqual({
        __type: 'TooManyTagsException',
        Message: expect.any(String),
        ResourceName: expect.stringMatching(`^${arn('service', 'srv-')}`),
      });
      await make({ Name, NamespaceId: http });
    });

    it('refuses a tag key twice and a reserved one', async () => {
      const tag = { Key: 'k', Value: 'v' };
      await refuses({ Tags: [tag, tag] });
      await refuses({ Tags: [{ Key: 'aws:k', Value: 'v' }] });
    });
  });

  describe('behaviour', () => {
    it('answers the service at once', async () => {
      const before = Date.now();
      const Name = freshName();
      const body = await make({
        Name,
        Description: 'A service',
        CreatorRequestId: `r-${Name}`,
        DnsConfig: { NamespaceId: privateDns, RoutingPolicy: 'WEIGHTED', DnsRecords: [{ Type: 'A', TTL: 60 }] },
        HealthCheckCustomConfig: { FailureThreshold: 7 },
      });
      const Id = body.Service.Id;
      expect(Id).toMatch(SERVICE_ID);
      expect(body).toEqual({
        Service: {
          Id,
          Arn: arn('service', Id),
          ResourceOwner: ACCOUNT,
          Name,
          NamespaceId: privateDns,
          Type: 'DNS_HTTP',
          Description: 'A service',
          InstanceCount: 0,
          DnsConfig: { NamespaceId: privateDns, RoutingPolicy: 'WEIGHTED', DnsRecords: [{ Type: 'A', TTL: 60 }] },
          HealthCheckCustomConfig: { FailureThreshold: 1 },
          CreateDate: expect.any(Number),
          CreatedByAccount: ACCOUNT,
          CreatorRequestId: `r-${Name}`,
        },
      });
      expect(body.Service.CreateDate).toBeGreaterThanOrEqual(before / 1000);
      expect(body.Service.CreateDate).toBeLessThanOrEqual(Date.now() / 1000);
    });

    it('makes HTTP services where there is no DnsConfig', async () => {
      const bodies = [{ NamespaceId: http }, { NamespaceId: http, Type: 'HTTP' }, {}, { Type: 'HTTP' }];
      for (const body of bodies) {
        expect((await make(body)).Service).toMatchObject({ Type: 'HTTP', DnsConfig: {} });
      }
    });

    it('takes the namespace from DnsConfig alone, and as an ARN', async () => {
      const inDns = (NamespaceId: string) => ({
        DnsConfig: { NamespaceId, DnsRecords: [{ Type: 'A', TTL: 1 }] },
      });
      const alone = await api.ok('CreateService', { Name: freshName(), ...inDns(privateDns) });
      expect(alone.Service).toMatchObject({ NamespaceId: privateDns });
      const byArn = await make({ NamespaceId: arn('namespace', publicDns), ...inDns(publicDns) });
      expect(byArn.Service).toMatchObject({ NamespaceId: publicDns, DnsConfig: { NamespaceId: publicDns } });
    });

    it('refuses two different namespaces', () =>
      refuses({ DnsConfig: { NamespaceId: publicDns, DnsRecords: [{ Type: 'A', TTL: 1 }] } }));

    it('does not find what is no namespace of this account and region', async () => {
      const unknown = [
        'ns-aaaaaaaaaaaaaaaa',
        'nonsense',
        arn('service', http),
        arn('namespace', http).replace(ACCOUNT, OTHER_ACCOUNT),
        arn('namespace', http).replace('us-east-1', 'us-east-2'),
      ];
      for (const NamespaceId of unknown) await refuses({ NamespaceId }, 'NamespaceNotFound');
    });

    it('routes MULTIVALUE where no policy is given, WEIGHTED with CNAME', async () => {
      expect((await make(A)).Service).toMatchObject({ DnsConfig: { RoutingPolicy: 'MULTIVALUE' } });
      expect((await make(dns({ SRV: 1 }))).Service).toMatchObject({ DnsConfig: { RoutingPolicy: 'MULTIVALUE' } });
      expect((await make(dns({ CNAME: 1 }))).Service).toMatchObject({ DnsConfig: { RoutingPolicy: 'WEIGHTED' } });
    });

    it('echoes the HealthCheckConfig as it was given', async () => {
      const bare = await make({ NamespaceId: publicDns, ...A, HealthCheckConfig: { Type: 'HTTP' } });
      expect(bare.Service).toMatchObject({ HealthCheckConfig: { Type: 'HTTP' } });
      expect(bare.Service).toHaveProperty('HealthCheckConfig', { Type: 'HTTP' });
      expect(bare.Service).not.toHaveProperty('HealthCheckCustomConfig');
    });

    it('refuses a name that the namespace has, and names the service that has it', async () => {
      const Name = freshName();
      const first = (await make({ Name, CreatorRequestId: 'first' })).Service;
      const members = { ServiceId: first.Id, ServiceArn: first.Arn, CreatorRequestId: 'first' };
      const body = { Name, NamespaceId: privateDns };
      await api.refused('CreateService', body, 'ServiceAlreadyExists', null, members);
      const other = { ...body, CreatorRequestId: 'second' };
      await api.refused('CreateService', other, 'ServiceAlreadyExists', null, members);
      // Conflicts come before quotas.
      const Tags = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: 'v' }));
      await api.refused('CreateService', { ...other, Tags }, 'ServiceAlreadyExists', null, members);
      await make({ Name, NamespaceId: publicDns });
    });

    it('compares names in DNS without case, others exactly', async () => {
      const Name = `Mixed-${freshName()}`;
      await make({ Name, ...A });
      await refusesExisting({ Name: Name.toLowerCase(), NamespaceId: privateDns, ...A });
      await make({ Name, NamespaceId: http });
      await make({ Name: Name.toLowerCase(), NamespaceId: http });
    });

    async function refusesExisting(body: object) {
      const members = { ServiceId: expect.any(String), ServiceArn: expect.any(String) };
      await api.refused('CreateService', body, 'ServiceAlreadyExists', null, members);
    }

    it('answers the same service to the same CreatorRequestId and parameters', async () => {
      const body = { Name: freshName(), CreatorRequestId: 'again', ...A, Tags: [{ Key: 'a', Value: 'b' }] };
      const first = await make(body);
      expect(await make(body)).toEqual(first);
      expect(await make({ ...body, NamespaceId: arn('namespace', privateDns) })).toEqual(first);
    });

    it('answers the same service where the parameters differ in writing alone', async () => {
      const body = { Name: freshName(), CreatorRequestId: 'effective' };
      const first = await make({ ...body, ...dns({ A: 60 }) });
      expect(await make({ ...body, ...dns({ A: 60 }, 'MULTIVALUE') })).toEqual(first);
    });

    it('refuses the same CreatorRequestId with other parameters', async () => {
      const body = { Name: freshName(), CreatorRequestId: freshName() };
      await make(body);
      await refuses({ ...body, Description: 'other' }, 'InvalidInput', /CreatorRequestId/);
      await refuses({ ...body, Name: freshName() }, 'InvalidInput', /CreatorRequestId/);
    });

    it('refuses the CreatorRequestId of one service also with the name of another', async () => {
      const [first, taken] = [{ Name: freshName(), CreatorRequestId: freshName() }, freshName()];
      await make(first);
      await make({ Name: taken, CreatorRequestId: freshName() });
      await refuses({ ...first, Name: taken }, 'InvalidInput', /CreatorRequestId/);
    });

    it('takes one CreatorRequestId in two namespaces', async () => {
      const body = { Name: freshName(), CreatorRequestId: freshName() };
      const ids = [(await make(body)).Service.Id, (await make({ ...body, NamespaceId: publicDns })).Service.Id];
      expect(new Set(ids).size).toBe(2);
    });

    it('forgets a CreatorRequestId with the service that it made', async () => {
      const body = { Name: freshName(), CreatorRequestId: freshName() };
      const first = (await make(body)).Service.Id;
      await api.ok('DeleteService', { Id: first });
      expect((await make({ ...body, Description: 'new' })).Service.Id).not.toBe(first);
    });

    it("refuses the owner name of an SRV service's instance", async () => {
      const srv = await api.createService(privateDns, 'taken', dns({ SRV: 1 }));
      await api.register(srv, 'Web', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' });
      await refuses({ Name: 'web.taken', ...A }, 'InvalidInput', /taken/);
      await refuses({ Name: 'WEB.Taken', ...A }, 'InvalidInput', /taken/);
      await make({ Name: 'web.taken' });
      await make({ Name: 'web.taken', NamespaceId: publicDns, ...A });
    });

    it('refuses nothing of a name that a deregistered SRV instance had', async () => {
      const srv = await api.createService(privateDns, 'freed', dns({ SRV: 1 }));
      await api.register(srv, 'web', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' });
      await api.ok('DeregisterInstance', { ServiceId: srv, InstanceId: 'web' });
      await make({ Name: 'web.freed', ...A });
    });

    it('takes <service>.<namespace> whatever its length where there are no records', async () => {
      await make({ Name: `${'l'.repeat(63)}.${'l'.repeat(63)}`, NamespaceId: http });
    });
  });
});

/** Of an operation that names a service by Id. */
function describeId(operation: string): void {
  describe('validation', () => {
    it('does not find what is no service of this account and region', async () => {
      const id = await api.createService(http, freshName());
      const unknown = [
        '',
        http,
        arn('namespace', id),
        arn('service', id).replace(ACCOUNT, OTHER_ACCOUNT),
        arn('service', id).replace('us-east-1', 'us-west-1'),
      ];
      for (const Id of unknown) await api.refused(operation, { Id }, 'ServiceNotFound');
    });

    it('takes an ARN', async () => {
      const id = await api.createService(http, freshName());
      await api.ok(operation, { Id: arn('service', id) });
    });
  });
}

describe('DeleteService', () => {
  describeId('DeleteService');

  describe('behaviour', () => {
    it('answers {} and the service is gone', async () => {
      const Id = await api.createService(http, freshName());
      expect(await api.ok('DeleteService', { Id })).toEqual({});
      await api.refused('GetService', { Id }, 'ServiceNotFound');
      await api.refused('DeleteService', { Id }, 'ServiceNotFound');
      await api.refused('ListInstances', { ServiceId: Id }, 'ServiceNotFound');
    });

    it('refuses with ResourceInUse while an instance is registered', async () => {
      const Id = await api.createService(http, freshName());
      await api.register(Id, 'one');
      await api.refused('DeleteService', { Id }, 'ResourceInUse', /instance/);
      await api.ok('DeregisterInstance', { ServiceId: Id, InstanceId: 'one' });
      await api.ok('DeleteService', { Id });
    });
  });
});

describe('GetService', () => {
  describeId('GetService');

  describe('behaviour', () => {
    it('shows what CreateService answered', async () => {
      const body = { Name: freshName(), NamespaceId: publicDns, ...dns({ A: 5, AAAA: 6 }), Description: '' };
      const created = await api.ok('CreateService', body);
      expect(await api.ok('GetService', { Id: created.Service.Id })).toEqual(created);
    });

    it('counts instances', async () => {
      const Id = await api.createService(http, freshName());
      await api.register(Id, 'one');
      await api.register(Id, 'two');
      await api.register(Id, 'two', { again: 'yes' });
      expect((await api.ok('GetService', { Id })).Service.InstanceCount).toBe(2);
    });
  });
});

describe('ListServices', () => {
  let own: TestApi;
  let first: string;
  let second: string;
  beforeAll(async () => {
    own = await startApi();
    first = await own.createNamespace('Http', { Name: 'first' });
    second = await own.createNamespace('PublicDns', { Name: 'second.example' });
    for (const name of ['a', 'b', 'c']) await own.createService(first, name);
    await own.createService(second, 'd', {
      ...dns({ A: 1 }),
      HealthCheckConfig: { Type: 'TCP' },
      CreatorRequestId: 'r',
      Description: 'x',
    });
  });
  afterAll(() => own.close());
  const list = async (body: object) => (await own.ok('ListServices', body)).Services.map(({ Name }) => Name).sort();

  describe('validation', () => {
    it.each([
      ['NAMESPACE_ID with IN', [{ Name: 'NAMESPACE_ID', Values: ['a'], Condition: 'IN' }]],
      ['two namespaces', [{ Name: 'NAMESPACE_ID', Values: ['a', 'b'] }]],
      ['an unknown owner', [{ Name: 'RESOURCE_OWNER', Values: ['ME'] }]],
    ])('refuses %s', (_, Filters) => own.refused('ListServices', { Filters }, 'InvalidInput'));
  });

  describe('behaviour', () => {
    it('summarises without NamespaceId and CreatorRequestId', async () => {
      const { Services } = await own.ok('ListServices', {
        Filters: [{ Name: 'NAMESPACE_ID', Values: [second] }],
      });
      const Id = Services[0]?.Id as string;
      expect(Services).toEqual([
        {
          Id,
          Arn: arn('service', Id),
          ResourceOwner: ACCOUNT,
          Name: 'd',
          Type: 'DNS_HTTP',
          Description: 'x',
          InstanceCount: 0,
          DnsConfig: { NamespaceId: second, RoutingPolicy: 'MULTIVALUE', DnsRecords: [{ Type: 'A', TTL: 1 }] },
          HealthCheckConfig: { Type: 'TCP' },
          CreateDate: expect.any(Number),
          CreatedByAccount: ACCOUNT,
        },
      ]);
    });

    it('filters by namespace, id or ARN, and by owner', async () => {
      const filter = (Name: string, Value: string) => ({ Filters: [{ Name, Values: [Value], Condition: 'EQ' }] });
      expect(await list({})).toEqual(['a', 'b', 'c', 'd']);
      expect(await list(filter('NAMESPACE_ID', first))).toEqual(['a', 'b', 'c']);
      expect(await list(filter('NAMESPACE_ID', arn('namespace', second)))).toEqual(['d']);
      expect(await list(filter('NAMESPACE_ID', 'ns-unknown'))).toEqual([]);
      expect(await list(filter('RESOURCE_OWNER', 'SELF'))).toHaveLength(4);
      expect(await list(filter('RESOURCE_OWNER', 'OTHER_ACCOUNTS'))).toEqual([]);
    });

    it('pages through a filtered list while services come and go', async () => {
      const Filters = [{ Name: 'NAMESPACE_ID', Values: [first] }];
      const page = await own.ok('ListServices', { Filters, MaxResults: 1 });
      const seen = page.Services.map(({ Name }) => Name);
      const gone = ['a', 'b', 'c'].find((name) => name !== seen[0]) as string;
      const all = (await own.ok('ListServices', { Filters })).Services;
      await own.ok('DeleteService', { Id: all.find(({ Name }) => Name === gone)?.Id });
      await own.createService(second, 'late');
      let token: string | undefined = page.NextToken;
      while (token !== undefined) {
        const next = await own.ok('ListServices', { Filters, MaxResults: 1, NextToken: token });
        seen.push(...next.Services.map(({ Name }) => Name));
        token = next.NextToken;
      }
      expect(seen.sort()).toEqual(['a', 'b', 'c'].filter((name) => name !== gone));
    });
  });
});
