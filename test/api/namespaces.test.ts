import { DeleteNamespaceCommand, GetNamespaceCommand, NamespaceAlreadyExists } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ quotaNamespaces: '0' });
});
afterAll(() => api.close());

const NAMESPACE_ID = /^ns-[a-z2-7]{16}$/;
const HOSTED_ZONE_ID = /^Z[A-Z0-9]{20}$/;
const OPERATION_ID = /^[a-z2-7]{32}-[0-9a-z]{8}$/;

const KINDS = ['Http', 'PrivateDns', 'PublicDns'] as const;
const vpcOf = (kind: string) => (kind === 'PrivateDns' ? { Vpc: 'vpc-1' } : {});
const soa = (TTL: unknown) => ({ Properties: { DnsProperties: { SOA: { TTL } } } });
const tags = (count: number) => ({ Tags: Array.from({ length: count }, (_, i) => ({ Key: `key-${i}`, Value: '' })) });
let names = 0;
const freshName = () => `fresh-${++names}.example`;

describe.each(KINDS)('Create%sNamespace', (kind) => {
  const operation = `Create${kind}Namespace`;
  const make = (body: object) => api.ok(operation, { ...vpcOf(kind), Name: freshName(), ...body });
  const refuses = (body: object, type = 'InvalidInput', message: RegExp | null = null, members = {}) =>
    api.refused(operation, { ...vpcOf(kind), Name: freshName(), ...body }, type, message, members);

  describe('validation', () => {
    it('takes 50 tags; 51 are too many tags, 201 too long a list', async () => {
      await make(tags(50));
      const { body } = await api.call(operation, { ...vpcOf(kind), Name: freshName(), ...tags(51) });
      expect(body).toEqual({
        __type: 'TooManyTagsException',
        Message: expect.any(String),
        ResourceName: expect.stringMatching(`^arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/ns-`),
      });
      await refuses(tags(201), 'InvalidInput', /Tags/);
    });

    it.each([
      [
        'with a key twice',
        [
          { Key: 'k', Value: 'v' },
          { Key: 'k', Value: 'w' },
        ],
      ],
      ['with a reserved key', [{ Key: 'aws:k', Value: 'v' }]],
    ])('refuses a tag %s', (_, Tags) => refuses({ Tags }));

    if (kind !== 'Http') {
      it.each([
        ['with an empty label', 'a..example'],
        ['with an ending dot', 'a.example.'],
        ['with a label of 64 characters', `${'l'.repeat(64)}.example`],
      ])('refuses a name %s', (_, Name) => refuses({ Name }));

      it('takes a label of 63 characters', () => make({ Name: `${'l'.repeat(63)}.${freshName()}` }));
    }
  });

  describe('behaviour', () => {
    it('answers an operation that ends and targets the namespace', async () => {
      const { OperationId, ...rest } = await make({});
      expect(rest).toEqual({});
      expect(OperationId).toMatch(OPERATION_ID);
      const { Operation } = await api.ok('GetOperation', { OperationId });
      expect(Operation).toEqual({
        Id: OperationId,
        OwnerAccount: ACCOUNT,
        Type: 'CREATE_NAMESPACE',
        Status: 'SUCCESS',
        CreateDate: expect.any(Number),
        UpdateDate: expect.any(Number),
        Targets: { NAMESPACE: expect.stringMatching(NAMESPACE_ID) },
      });
    });

    it('answers the same operation to the same CreatorRequestId and parameters', async () => {
      const body = { Name: freshName(), CreatorRequestId: freshName(), Description: 'x' };
      const first = await make(body);
      expect(await make(body)).toEqual(first);
    });

    it('refuses the same CreatorRequestId with other parameters', async () => {
      const body = { Name: freshName(), CreatorRequestId: freshName() };
      await make(body);
      await refuses({ ...body, Description: 'other' }, 'InvalidInput', /request id/i);
      await refuses({ ...body, Name: freshName() }, 'InvalidInput', /request id/i);
    });

    it('refuses the name a second time and names what is there', async () => {
      const Name = freshName();
      const id = await api.createNamespace(kind, { Name, CreatorRequestId: `first-${Name}` });
      const members = { NamespaceId: id, CreatorRequestId: `first-${Name}` };
      await refuses({ Name, CreatorRequestId: 'second' }, 'NamespaceAlreadyExists', null, members);
      await refuses({ Name }, 'NamespaceAlreadyExists', null, members);
      // Conflicts come before quotas.
      await refuses({ Name, ...tags(51) }, 'NamespaceAlreadyExists', null, members);
    });

    it('forgets a CreatorRequestId with the namespace that it made', async () => {
      const body = { Name: freshName(), CreatorRequestId: freshName() };
      const first = await api.createNamespace(kind, body);
      await api.ok('DeleteNamespace', { Id: first });
      const second = await api.createNamespace(kind, body);
      expect(second).not.toBe(first);
      expect((await api.ok('GetNamespace', { Id: second })).Namespace.Id).toBe(second);
    });

    if (kind === 'Http') {
      it('takes names that differ only by case', async () => {
        const Name = freshName();
        await api.createNamespace('Http', { Name });
        await api.createNamespace('Http', { Name: Name.toUpperCase() });
      });
    } else {
      it('compares names without case', async () => {
        const Name = freshName();
        const NamespaceId = await api.createNamespace(kind, { Name });
        const body = { ...vpcOf(kind), Name: Name.toUpperCase() };
        await api.refused(`Create${kind}Namespace`, body, 'NamespaceAlreadyExists', null, { NamespaceId });
      });
    }

    if (kind === 'PrivateDns') {
      it('takes the same name in another VPC', async () => {
        const Name = freshName();
        await api.createNamespace('PrivateDns', { Name, Vpc: 'vpc-a' });
        await api.createNamespace('PrivateDns', { Name, Vpc: 'vpc-b' });
        await api.refused('CreatePrivateDnsNamespace', { Name, Vpc: 'vpc-a' }, 'NamespaceAlreadyExists', null, {
          NamespaceId: expect.any(String),
        });
      });

      it('takes two namespaces of different names in one VPC, and nested names', async () => {
        const Name = freshName();
        await api.createNamespace('PrivateDns', { Name, Vpc: 'vpc-nested' });
        await api.createNamespace('PrivateDns', { Name: `inner.${Name}`, Vpc: 'vpc-nested' });
      });
    }
  });
});

describe('HttpName', () => {
  it('is the name, and the name with a suffix where another namespace has it', async () => {
    const Name = freshName();
    const httpName = async (kind: (typeof KINDS)[number]) => {
      const Id = await api.createNamespace(kind, { Name });
      return (await api.ok('GetNamespace', { Id })).Namespace.Properties.HttpProperties.HttpName;
    };
    expect(await httpName('Http')).toBe(Name);
    const suffixed = [await httpName('PrivateDns'), await httpName('PublicDns')];
    for (const name of suffixed) {
      expect(name.slice(0, Name.length + 1)).toBe(`${Name}-`);
      expect(name.slice(Name.length + 1)).toMatch(/^[a-z2-7]{8}$/);
    }
    expect(new Set(suffixed).size).toBe(2);
  });

  it('is free again when its namespace is deleted', async () => {
    const Name = freshName();
    const first = await api.createNamespace('Http', { Name });
    await api.ok('DeleteNamespace', { Id: first });
    const Id = await api.createNamespace('PublicDns', { Name });
    const { Namespace } = await api.ok('GetNamespace', { Id });
    expect(Namespace.Properties.HttpProperties.HttpName).toBe(Name);
  });
});

/** Of an operation that names a namespace by Id. */
function describeId(operation: string): void {
  describe('validation', () => {
    it('does not find what is no namespace of this account and region', async () => {
      const id = await api.createNamespace('Http', { Name: freshName() });
      const unknown = [
        '',
        'ns-aaaaaaaaaaaaaaaa',
        'nonsense',
        id.toUpperCase(),
        `arn:aws:servicediscovery:us-east-1:${OTHER_ACCOUNT}:namespace/${id}`,
        `arn:aws:servicediscovery:eu-west-1:${ACCOUNT}:namespace/${id}`,
        `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${id}`,
        `arn:aws-cn:servicediscovery:us-east-1:${ACCOUNT}:namespace/${id}`,
        `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/ns-aaaaaaaaaaaaaaaa`,
      ];
      for (const Id of unknown) await api.refused(operation, { Id }, 'NamespaceNotFound');
    });

    it('takes an ARN', async () => {
      const id = await api.createNamespace('Http', { Name: freshName() });
      await api.ok(operation, { Id: `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${id}` });
    });
  });
}

describe('DeleteNamespace', () => {
  describeId('DeleteNamespace');

  describe('behaviour', () => {
    it('deletes by an operation; then the namespace is not found, its operations still are', async () => {
      const Id = await api.createNamespace('PrivateDns', { Name: freshName() });
      const { OperationId } = await api.sdk.send(new DeleteNamespaceCommand({ Id }));
      expect((await api.ok('GetOperation', { OperationId })).Operation).toMatchObject({
        Type: 'DELETE_NAMESPACE',
        Status: 'SUCCESS',
        Targets: { NAMESPACE: Id },
      });
      await api.refused('GetNamespace', { Id }, 'NamespaceNotFound');
      await api.refused('DeleteNamespace', { Id }, 'NamespaceNotFound');
      const { Operations } = await api.ok('ListOperations', { Filters: [{ Name: 'NAMESPACE_ID', Values: [Id] }] });
      expect(Operations).toHaveLength(2);
    });

    it('refuses with ResourceInUse while there is a service', async () => {
      const Id = await api.createNamespace('Http', { Name: freshName() });
      const service = await api.createService(Id, 'web');
      await api.refused('DeleteNamespace', { Id }, 'ResourceInUse', /service/);
      await api.ok('DeleteService', { Id: service });
      await api.ok('DeleteNamespace', { Id });
    });
  });
});

describe('GetNamespace', () => {
  describeId('GetNamespace');

  describe('behaviour', () => {
    it('shows an HTTP namespace', async () => {
      const Name = freshName();
      const before = Date.now();
      const Id = await api.createNamespace('Http', { Name, Description: '', CreatorRequestId: `r-${Name}` });
      const { Namespace } = await api.ok('GetNamespace', { Id });
      expect(Namespace).toEqual({
        Id,
        Arn: `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${Id}`,
        ResourceOwner: ACCOUNT,
        Name,
        Type: 'HTTP',
        Description: '',
        ServiceCount: 0,
        Properties: { DnsProperties: { SOA: {} }, HttpProperties: { HttpName: Name } },
        CreateDate: expect.any(Number),
        CreatorRequestId: `r-${Name}`,
      });
      expect(Namespace.CreateDate).toBeGreaterThanOrEqual(before / 1000);
      expect(Namespace.CreateDate).toBeLessThanOrEqual(Date.now() / 1000);
    });

    it('shows a private namespace with its zone and without its VPC', async () => {
      const Name = freshName();
      const Id = await api.createNamespace('PrivateDns', { Name, Vpc: 'vpc-shown-nowhere', ...soa(15) });
      const reply = await api.call('GetNamespace', { Id });
      expect(reply.body.Namespace).toEqual({
        Id,
        Arn: expect.any(String),
        ResourceOwner: ACCOUNT,
        Name,
        Type: 'DNS_PRIVATE',
        ServiceCount: 0,
        Properties: {
          DnsProperties: { HostedZoneId: expect.stringMatching(HOSTED_ZONE_ID), SOA: { TTL: 15 } },
          HttpProperties: { HttpName: Name },
        },
        CreateDate: expect.any(Number),
      });
      expect(JSON.stringify(reply.body)).not.toContain('vpc-shown-nowhere');
    });

    it('shows SOA: {} where no TTL was given, and a TTL of 0 where it was', async () => {
      const properties = async (Id: string) =>
        (await api.ok('GetNamespace', { Id })).Namespace.Properties.DnsProperties;
      const silent = await api.createNamespace('PublicDns', { Name: freshName() });
      expect(await properties(silent)).toEqual({ HostedZoneId: expect.stringMatching(HOSTED_ZONE_ID), SOA: {} });
      const zero = await api.createNamespace('PublicDns', { Name: freshName(), ...soa(0) });
      expect(await properties(zero)).toMatchObject({ SOA: { TTL: 0 } });
    });

    it('counts services', async () => {
      const Id = await api.createNamespace('Http', { Name: freshName() });
      await api.createService(Id, 'a');
      await api.createService(Id, 'b');
      expect((await api.ok('GetNamespace', { Id })).Namespace.ServiceCount).toBe(2);
    });

    it('reads as numbers and dates in the SDK', async () => {
      const Id = await api.createNamespace('Http', { Name: freshName() });
      const { Namespace } = await api.sdk.send(new GetNamespaceCommand({ Id }));
      expect(Namespace?.CreateDate).toBeInstanceOf(Date);
      expect(Math.abs(Number(Namespace?.CreateDate) - Date.now())).toBeLessThan(60_000);
    });
  });
});

describe('SDK', () => {
  it('throws the modelled error with its members', async () => {
    const Name = freshName();
    const NamespaceId = await api.createNamespace('Http', { Name, CreatorRequestId: 'sdk-first' });
    const again = api.ok('CreateHttpNamespace', { Name, CreatorRequestId: 'sdk-first' });
    expect(await again).toMatchObject({ OperationId: expect.any(String) });
    const { CreateHttpNamespaceCommand } = await import('@aws-sdk/client-servicediscovery');
    const error = await api.sdk.send(new CreateHttpNamespaceCommand({ Name })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NamespaceAlreadyExists);
    expect(error).toMatchObject({ NamespaceId, CreatorRequestId: 'sdk-first', $metadata: { httpStatusCode: 400 } });
  });
});

describe('ListNamespaces', () => {
  let own: TestApi;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    own = await startApi();
    ids.http = await own.createNamespace('Http', { Name: 'shop', CreatorRequestId: 'r' });
    ids.private = await own.createNamespace('PrivateDns', { Name: 'shop' });
    ids.public = await own.createNamespace('PublicDns', { Name: 'shop.example', ...soa(9) });
    ids.other = await own.createNamespace('Http', { Name: 'Shop' });
  });
  afterAll(() => own.close());
  const list = async (Filters: object[]) =>
    (await own.ok('ListNamespaces', { Filters })).Namespaces.map(({ Id }) => Id).sort();
  const of = (...keys: string[]) => keys.map((key) => ids[key]).sort();

  describe('validation', () => {
    const filter = (Name: unknown, Values: unknown, Condition?: unknown) => ({
      Filters: [{ Name, Values, ...(Condition === undefined ? {} : { Condition }) }],
    });
    it.each([
      ['a filter with an empty list of values', filter('TYPE', [])],
      ['TYPE with IN', filter('TYPE', ['HTTP'], 'IN')],
      ['NAME with BETWEEN', filter('NAME', ['a', 'b'], 'BETWEEN')],
      ['RESOURCE_OWNER with BEGINS_WITH', filter('RESOURCE_OWNER', ['SELF'], 'BEGINS_WITH')],
      ['two values for EQ', filter('TYPE', ['HTTP', 'DNS_PUBLIC'])],
      ['a type that there is not', filter('TYPE', ['DNS'])],
      ['an owner that there is not', filter('RESOURCE_OWNER', ['US'])],
      ['a garbage token', { NextToken: 'garbage' }],
      ['a token of another form', { NextToken: Buffer.from('{"a":1}').toString('base64url') }],
    ])('refuses %s', (_, body) => own.refused('ListNamespaces', body, 'InvalidInput'));
  });

  describe('behaviour', () => {
    it('summarises without CreatorRequestId', async () => {
      const { Namespaces } = await own.ok('ListNamespaces');
      expect(Namespaces.find(({ Id }) => Id === ids.http)).toEqual({
        Id: ids.http,
        Arn: `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${ids.http}`,
        ResourceOwner: ACCOUNT,
        Name: 'shop',
        Type: 'HTTP',
        ServiceCount: 0,
        Properties: { DnsProperties: { SOA: {} }, HttpProperties: { HttpName: 'shop' } },
        CreateDate: expect.any(Number),
      });
      expect(Namespaces.find(({ Id }) => Id === ids.public)?.Properties).toEqual({
        DnsProperties: { HostedZoneId: expect.stringMatching(HOSTED_ZONE_ID), SOA: { TTL: 9 } },
        HttpProperties: { HttpName: 'shop.example' },
      });
    });

    it.each([
      ['all', [], ['http', 'private', 'public', 'other']],
      ['TYPE', [{ Name: 'TYPE', Values: ['HTTP'] }], ['http', 'other']],
      ['TYPE EQ', [{ Name: 'TYPE', Values: ['DNS_PUBLIC'], Condition: 'EQ' }], ['public']],
      ['TYPE by beginning', [{ Name: 'TYPE', Values: ['DNS'], Condition: 'BEGINS_WITH' }], ['private', 'public']],
      ['NAME', [{ Name: 'NAME', Values: ['shop'] }], ['http', 'private']],
      ['NAME by beginning', [{ Name: 'NAME', Values: ['shop.'], Condition: 'BEGINS_WITH' }], ['public']],
      ['HTTP_NAME', [{ Name: 'HTTP_NAME', Values: ['shop'] }], ['http']],
      ['HTTP_NAME by beginning', [{ Name: 'HTTP_NAME', Values: ['shop-'], Condition: 'BEGINS_WITH' }], ['private']],
      ['RESOURCE_OWNER', [{ Name: 'RESOURCE_OWNER', Values: ['SELF'] }], ['http', 'private', 'public', 'other']],
      ['others owners', [{ Name: 'RESOURCE_OWNER', Values: ['OTHER_ACCOUNTS'] }], []],
      [
        'several filters, all of which must pass',
        [
          { Name: 'NAME', Values: ['shop'] },
          { Name: 'TYPE', Values: ['DNS_PRIVATE'] },
        ],
        ['private'],
      ],
    ])('filters by %s', async (_, filters, expected) => {
      expect(await list(filters)).toEqual(of(...expected));
    });

    it('pages through everything once, without a token on the last page', async () => {
      const seen: string[] = [];
      let token: string | undefined;
      const sizes: number[] = [];
      do {
        const page = await own.ok('ListNamespaces', { MaxResults: 3, NextToken: token });
        seen.push(...page.Namespaces.map(({ Id }) => Id));
        sizes.push(page.Namespaces.length);
        token = page.NextToken;
      } while (token !== undefined);
      expect(sizes).toEqual([3, 1]);
      expect(seen.sort()).toEqual(of('http', 'private', 'public', 'other'));
      expect(await own.ok('ListNamespaces', { MaxResults: 4 })).not.toHaveProperty('NextToken');
    });

    it("refuses another list's token", async () => {
      const { NextToken } = await own.ok('ListNamespaces', { MaxResults: 1 });
      await own.refused('ListServices', { NextToken }, 'InvalidInput', /NextToken/);
      await own.refused('ListOperations', { NextToken }, 'InvalidInput', /NextToken/);
      const foreign = (await own.ok('ListOperations', { MaxResults: 1 })).NextToken;
      await own.refused('ListNamespaces', { NextToken: foreign }, 'InvalidInput', /NextToken/);
    });

    it('pages on where the last page ended, also when that namespace is gone', async () => {
      const all = (await own.ok('ListNamespaces')).Namespaces.map(({ Id }) => Id);
      const first = await own.ok('ListNamespaces', { MaxResults: 2 });
      const gone = first.Namespaces[1]?.Id;
      await own.ok('DeleteNamespace', { Id: gone });
      const rest = await own.ok('ListNamespaces', { NextToken: first.NextToken });
      expect([...first.Namespaces, ...rest.Namespaces].map(({ Id }) => Id)).toEqual(all);
    });
  });
});

describe('identifiers of other regions and accounts', () => {
  it.each([
    ['eu-central-1', 'aws'],
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
  ])('in %s have the partition %s', async (region, partition) => {
    const own = await startApi({ region, accountId: OTHER_ACCOUNT });
    try {
      const Id = await own.createNamespace('PrivateDns', { Name: 'corp' });
      const { Namespace } = await own.ok('GetNamespace', { Id });
      const prefix = `arn:${partition}:servicediscovery:${region}:${OTHER_ACCOUNT}:`;
      expect(Namespace).toMatchObject({ Arn: `${prefix}namespace/${Id}`, ResourceOwner: OTHER_ACCOUNT });
      expect((await own.ok('GetNamespace', { Id: Namespace.Arn })).Namespace).toEqual(Namespace);
      const service = await own.createService(Namespace.Arn, 'web', dns({ A: 1 }));
      const { Service } = await own.ok('GetService', { Id: `${prefix}service/${service}` });
      expect(Service).toMatchObject({ Id: service, Arn: `${prefix}service/${service}`, NamespaceId: Id });
    } finally {
      await own.close();
    }
  });
});

describe('quota of namespaces', () => {
  it('refuses one more with ResourceLimitExceeded, and frees a place by deletion', async () => {
    const own = await startApi({ quotaNamespaces: '2' }, 'namespaces: [{ name: declared, type: HTTP }]');
    try {
      const first = await own.createNamespace('Http', { Name: 'one' });
      await own.createNamespace('PrivateDns', { Name: 'two' });
      await own.refused('CreateHttpNamespace', { Name: 'three' }, 'ResourceLimitExceeded');
      await own.refused('CreatePublicDnsNamespace', { Name: 'three.example' }, 'ResourceLimitExceeded');
      await own.refused('CreateHttpNamespace', { Name: 'one' }, 'NamespaceAlreadyExists', null, { NamespaceId: first });
      await own.ok('DeleteNamespace', { Id: first });
      await own.createNamespace('Http', { Name: 'three' });
    } finally {
      await own.close();
    }
  });
});
