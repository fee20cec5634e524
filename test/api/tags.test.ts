import { ResourceNotFoundException, TagResourceCommand, TooManyTagsException } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';

let api: TestApi;
let namespace: string;
let service: string;
beforeAll(async () => {
  api = await startApi();
  namespace = await api.createNamespace('PrivateDns', { Name: 'tagged.internal' });
  service = await api.createService(namespace, 'web', dns({ A: 60 }));
});
afterAll(() => api.close());

const arn = (kind: string, id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:${kind}/${id}`;
const UNKNOWN = arn('namespace', 'ns-aaaaaaaaaaaaaaaa');
const tagList = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ Key: `key-${from + i}`, Value: `${i}` }));
const tag = (ResourceARN: string, Tags: object) => api.ok('TagResource', { ResourceARN, Tags });
const untag = (ResourceARN: string, TagKeys: object) => api.ok('UntagResource', { ResourceARN, TagKeys });
const tagsOf = async (ResourceARN: string) => {
  const { Tags, ...rest } = await api.ok('ListTagsForResource', { ResourceARN });
  expect(rest).toEqual({});
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
};
let names = 0;
/** A service's ARN, and with it the service, of the test's own. */
const fresh = async (rest: object = {}) => arn('service', await api.createService(namespace, `fresh-${++names}`, rest));

/** Of an operation on a resource. @param rest of a sound request */
function describeArn(operation: string, rest: object): void {
  it('refuses what is no ARN, an id too', async () => {
    for (const ResourceARN of ['x', namespace, service, ` ${UNKNOWN}`])
      await api.refused(operation, { ...rest, ResourceARN }, 'InvalidInput', /ARN/);
  });

  it('does not find an ARN of nothing here', async () => {
    const elsewhere = [
      arn('namespace', namespace).replace(ACCOUNT, OTHER_ACCOUNT),
      arn('namespace', namespace).replace('us-east-1', 'eu-west-1'),
      arn('namespace', namespace).replace('arn:aws:', 'arn:aws-cn:'),
      arn('service', namespace),
      arn('namespace', service),
      arn('instance', 'i'),
      'arn:aws:s3:::bucket',
    ];
    for (const ResourceARN of [UNKNOWN, ...elsewhere])
      await api.refused(operation, { ...rest, ResourceARN }, 'ResourceNotFoundException', /ARN/);
  });

  it('refuses what is no ARN', async () => {
    for (const ResourceARN of ['arn:', 'arn:foo', 'arn:aws:servicediscovery:us-east-1', namespace])
      await api.refused(operation, { ...rest, ResourceARN }, 'InvalidInput', /is not an ARN/);
  });

  it('takes namespaces and services', async () => {
    for (const ResourceARN of [arn('namespace', namespace), arn('service', service)])
      await api.ok(operation, { ...rest, ResourceARN });
  });
}

describe('ListTagsForResource', () => {
  describe('validation', () => describeArn('ListTagsForResource', {}));
});

describe('TagResource', () => {
  const refuses = async (Tags: unknown, type = 'InvalidInput', message: RegExp | null = null) => {
    const ResourceARN = await fresh({ Tags: [{ Key: 'kept', Value: 'yes' }] });
    await api.refused('TagResource', { ResourceARN, Tags }, type, message);
    expect(await tagsOf(ResourceARN)).toEqual({ kept: 'yes' });
  };

  describe('validation', () => {
    describeArn('TagResource', { Tags: [{ Key: 'a', Value: 'b' }] });

    it.each([
      ['a key twice', [...tagList(1), ...tagList(1)], /twice/],
      ['a reserved key', [{ Key: 'aws:k', Value: 'v' }], /aws:/],
      ['a reserved key in other case', [{ Key: 'AWS:k', Value: 'v' }], /aws:/],
    ])('refuses %s', (_, Tags, message) => refuses(Tags, 'InvalidInput', message));

    it('takes tags at their limits, in Unicode characters', async () => {
      const ResourceARN = await fresh();
      const longest = {
        ['k'.repeat(128)]: 'v'.repeat(256),
        ['\u{1f600}'.repeat(128)]: '\u{1f600}'.repeat(256),
        empty: '',
      };
      const Tags = Object.entries(longest).map(([Key, Value]) => ({ Key, Value }));
      expect(await tag(ResourceARN, Tags)).toEqual({});
      expect(await tagsOf(ResourceARN)).toEqual(longest);
      await api.ok('CreateService', { NamespaceId: namespace, Name: `fresh-${++names}`, Tags });
    });

    it('takes any key, also one that a language has a meaning for', async () => {
      const ResourceARN = await fresh();
      const keys = ['__proto__', 'constructor', 'toString', '7', 'caf\u00e9 au lait', 'awsome', 'aws'];
      await tag(
        ResourceARN,
        keys.map((Key) => ({ Key, Value: `of ${Key}` })),
      );
      const { Tags } = await api.ok('ListTagsForResource', { ResourceARN });
      expect(Tags.map(({ Key }) => Key).sort()).toEqual(keys.toSorted());
      for (const { Key, Value } of Tags) expect(Value).toBe(`of ${Key}`);
      await untag(ResourceARN, keys.slice(1));
      expect((await api.ok('ListTagsForResource', { ResourceARN })).Tags).toEqual([
        { Key: '__proto__', Value: 'of __proto__' },
      ]);
    });
  });

  describe('behaviour', () => {
    it('adds to the tags of creation and overwrites, case-sensitively', async () => {
      const ResourceARN = await fresh({ Tags: [{ Key: 'a', Value: '1' }] });
      expect(await tagsOf(ResourceARN)).toEqual({ a: '1' });
      await tag(ResourceARN, [
        { Key: 'a', Value: '2' },
        { Key: 'A', Value: '3' },
      ]);
      expect(await tagsOf(ResourceARN)).toEqual({ a: '2', A: '3' });
      await tag(ResourceARN, []);
      expect(await tagsOf(ResourceARN)).toEqual({ a: '2', A: '3' });
    });

    it('counts 50 after merging, all or nothing', async () => {
      const ResourceARN = await fresh({ Tags: tagList(40) });
      const members = { ResourceName: ResourceARN };
      await api.refused('TagResource', { ResourceARN, Tags: tagList(11, 40) }, 'TooManyTagsException', /50/, members);
      expect(Object.keys(await tagsOf(ResourceARN))).toHaveLength(40);
      await tag(ResourceARN, tagList(20, 30));
      expect(Object.keys(await tagsOf(ResourceARN))).toHaveLength(50);
      await tag(ResourceARN, tagList(50));
      const one = { ResourceARN, Tags: tagList(1, 50) };
      await api.refused('TagResource', one, 'TooManyTagsException', /50/, members);
      await api.refused('TagResource', { ...one, Tags: tagList(200) }, 'TooManyTagsException', /50/, members);
      await untag(ResourceARN, ['key-0']);
      await tag(ResourceARN, one.Tags);
    });

    it('leaves everything else of the resource, its children, and DNS as they were', async () => {
      const Id = await api.createNamespace('PublicDns', { Name: 'apart.example' });
      const child = await api.createService(Id, 'web', dns({ A: 60 }));
      await api.register(child, 'one', { AWS_INSTANCE_IPV4: '10.0.0.1' });
      const everything = async () => [
        await api.ok('GetNamespace', { Id }),
        await api.ok('GetService', { Id: child }),
        await api.ok('DiscoverInstancesRevision', { NamespaceName: 'apart.example', ServiceName: 'web' }),
        (await dig(api.dnsPort, 'apart.example', 'SOA')).answer,
        (await dig(api.dnsPort, 'web.apart.example', 'A')).answer,
      ];
      const before = await everything();
      await tag(arn('namespace', Id), tagList(3));
      expect(await tagsOf(arn('service', child))).toEqual({});
      await tag(arn('service', child), tagList(2));
      await untag(arn('namespace', Id), ['key-0']);
      expect(await everything()).toEqual(before);
      expect(Object.keys(await tagsOf(arn('namespace', Id)))).toHaveLength(2);
    });

    it('has its errors read in the SDK', async () => {
      const ResourceARN = await fresh();
      const send = (input: ConstructorParameters<typeof TagResourceCommand>[0]) =>
        api.sdk.send(new TagResourceCommand(input)).catch((thrown: unknown) => thrown);
      const tooMany = await send({ ResourceARN, Tags: tagList(51) });
      expect(tooMany).toBeInstanceOf(TooManyTagsException);
      expect(tooMany).toMatchObject({ ResourceName: ResourceARN });
      expect(await send({ ResourceARN: UNKNOWN, Tags: [] })).toBeInstanceOf(ResourceNotFoundException);
    });
  });
});

describe('UntagResource', () => {
  describe('validation', () => describeArn('UntagResource', { TagKeys: ['a'] }));

  describe('behaviour', () => {
    it('takes the named ones away; absent and repeated keys do no harm', async () => {
      const ResourceARN = await fresh({ Tags: tagList(3) });
      const keys = tagList(199, 1).map(({ Key }) => Key);
      expect(await untag(ResourceARN, [...keys, 'k'.repeat(128)])).toEqual({});
      expect(await tagsOf(ResourceARN)).toEqual({ 'key-0': '0' });
      await untag(ResourceARN, []);
      await untag(ResourceARN, ['KEY-0', 'aws:x']);
      expect(await tagsOf(ResourceARN)).toEqual({ 'key-0': '0' });
      await untag(ResourceARN, ['key-0', 'key-0']);
      expect(await tagsOf(ResourceARN)).toEqual({});
    });
  });
});

describe('tags', () => {
  it('vanish with the resource', async () => {
    const Id = await api.createService(namespace, 'passing', { Tags: tagList(1) });
    await api.ok('DeleteService', { Id });
    await api.refused('ListTagsForResource', { ResourceARN: arn('service', Id) }, 'ResourceNotFoundException');
    const again = await api.createService(namespace, 'passing');
    expect(await tagsOf(arn('service', again))).toEqual({});
    const ns = await api.createNamespace('Http', { Name: 'passing', Tags: tagList(1) });
    expect(await tagsOf(arn('namespace', ns))).toEqual({ 'key-0': '0' });
    await api.ok('DeleteNamespace', { Id: ns });
    await api.refused('ListTagsForResource', { ResourceARN: arn('namespace', ns) }, 'ResourceNotFoundException');
  });

  it('survive updates of the resource', async () => {
    const ns = await api.createNamespace('Http', { Name: 'updated', Tags: tagList(1) });
    await api.ok('UpdateHttpNamespace', { Id: ns, Namespace: { Description: 'd' } });
    expect(await tagsOf(arn('namespace', ns))).toEqual({ 'key-0': '0' });
    const ResourceARN = await fresh({ Tags: tagList(1), ...dns({ A: 1 }) });
    await api.ok('UpdateService', { Id: ResourceARN, Service: {} });
    expect(await tagsOf(ResourceARN)).toEqual({ 'key-0': '0' });
  });
});
