import { describe, expect, it } from 'vitest';
import { ConfigFileError } from '../../src/declared/yaml.ts';
import { ACCOUNT, dns, startApi, type TestApi } from '../support/api.ts';

type Flags = Parameters<typeof startApi>[0];
const withApi = async (flags: Flags, run: (api: TestApi, serviceId: string) => Promise<void>) => {
  const api = await startApi(flags);
  try {
    const namespace = await api.createNamespace('Http', { Name: 'shop' });
    await run(api, await api.createService(namespace, 'web'));
  } finally {
    await api.close();
  }
};
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key-${i}`, `${i}`] as const));
const tagList = (count: number) => Object.entries(many(count)).map(([Key, Value]) => ({ Key, Value }));

describe('quotaCustomAttributes', () => {
  const register = (ServiceId: string, count: number, reserved: object = {}) => ({
    ServiceId,
    InstanceId: 'one',
    Attributes: { ...many(count), ...reserved },
  });

  it.each([
    ['30 by default', {}, 30],
    ['as set', { quotaCustomAttributes: '2' }, 2],
  ])('is %s; reserved ones are not counted', (_, flags, quota) =>
    withApi(flags, async (api, id) => {
      await api.ok('RegisterInstance', register(id, quota, { AWS_INSTANCE_IPV4: '10.0.0.1' }));
      await api.refused('RegisterInstance', register(id, quota + 1), 'InvalidInput', new RegExp(`${quota} custom`));
    }),
  );

  it('of 0 is unlimited', () =>
    withApi({ quotaCustomAttributes: '0' }, async (api, id) => {
      await api.ok('RegisterInstance', register(id, 200));
    }));
});

describe('quotaServiceAttributes', () => {
  const put = (ServiceId: string, count: number) => ({ ServiceId, Attributes: many(count) });

  it('is the limit that is set', () =>
    withApi({ quotaServiceAttributes: '2' }, async (api, id) => {
      await api.ok('UpdateServiceAttributes', put(id, 2));
      const type = 'ServiceAttributesLimitExceededException';
      await api.refused('UpdateServiceAttributes', put(id, 3), type, /2/);
    }));

  it('of 0 is unlimited', () =>
    withApi({ quotaServiceAttributes: '0' }, async (api, id) => {
      await api.ok('UpdateServiceAttributes', put(id, 300));
      const { ServiceAttributes } = await api.ok('GetServiceAttributes', { ServiceId: id });
      expect(Object.keys(ServiceAttributes.Attributes)).toHaveLength(300);
    }));
});

describe('quotaTags', () => {
  const arn = (id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${id}`;

  it('is the limit that is set, at creation too', () =>
    withApi({ quotaTags: '2' }, async (api, id) => {
      const ResourceARN = arn(id);
      await api.ok('TagResource', { ResourceARN, Tags: tagList(2) });
      const members = { ResourceName: ResourceARN };
      const tooMany = { ResourceARN, Tags: tagList(3) };
      await api.refused('TagResource', tooMany, 'TooManyTagsException', /2/, members);
      await api.ok('CreateHttpNamespace', { Name: 'two', Tags: tagList(2) });
      const { body } = await api.call('CreateHttpNamespace', { Name: 'three', Tags: tagList(3) });
      expect(body.__type).toBe('TooManyTagsException');
    }));

  it('of 0 is unlimited, but for the length of one list', () =>
    withApi({ quotaTags: '0' }, async (api, id) => {
      const ResourceARN = arn(id);
      await api.ok('TagResource', { ResourceARN, Tags: tagList(200) });
      await api.refused('TagResource', { ResourceARN, Tags: tagList(201) }, 'InvalidInput', /Tags/);
      await api.ok('TagResource', { ResourceARN, Tags: [{ Key: 'more', Value: '' }] });
      expect((await api.ok('ListTagsForResource', { ResourceARN })).Tags).toHaveLength(201);
    }));
});

describe('allowPrivateHealthChecks', () => {
  const check = { HealthCheckConfig: { Type: 'HTTP', ResourcePath: '/up' } };
  const make = (api: TestApi) => api.createNamespace('PrivateDns', { Name: 'private.internal' });
  const DECLARED = `
namespaces:
  - { name: corp.internal, type: DNS_PRIVATE, vpc: vpc-1, services: [{ name: web, healthCheck: { type: TCP } }] }
`;

  it('is off by default: InvalidInput in private namespaces', () =>
    withApi({}, async (api) => {
      const NamespaceId = await make(api);
      const body = { NamespaceId, Name: 'web', ...dns({ A: 1 }), ...check };
      await api.refused('CreateService', body, 'InvalidInput', /HealthCheckCustomConfig/);
      const Id = await api.createService(NamespaceId, 'web', dns({ A: 1 }));
      await api.refused('UpdateService', { Id, Service: { ...dns({ A: 1 }), ...check } }, 'InvalidInput');
    }));

  it('lets services of private namespaces be created with a check, and get one', () =>
    withApi({ allowPrivateHealthChecks: 'true' }, async (api) => {
      const NamespaceId = await make(api);
      const created = await api.createService(NamespaceId, 'web', { ...dns({ A: 1 }), ...check });
      expect((await api.ok('GetService', { Id: created })).Service).toMatchObject(check);
      const updated = await api.createService(NamespaceId, 'api', dns({ A: 1 }));
      await api.ok('UpdateService', { Id: updated, Service: { ...dns({ A: 1 }), ...check } });
      expect((await api.ok('GetService', { Id: updated })).Service).toMatchObject(check);
    }));

  it('loosens no other rule of checks', () =>
    withApi({ allowPrivateHealthChecks: 'true' }, async (api) => {
      const NamespaceId = await make(api);
      const refused = (rest: object) =>
        api.refused('CreateService', { NamespaceId, Name: 'web', ...dns({ A: 1 }), ...check, ...rest }, 'InvalidInput');
      await refused({ HealthCheckCustomConfig: {} });
      await refused({ HealthCheckConfig: { Type: 'TCP', ResourcePath: '/' } });
      await refused(dns({ CNAME: 1 }));
    }));

  it('holds for declared content too', async () => {
    await expect(startApi({}, DECLARED)).rejects.toBeInstanceOf(ConfigFileError);
    const api = await startApi({ allowPrivateHealthChecks: 'true' }, DECLARED);
    try {
      expect((await api.ok('ListServices')).Services).toMatchObject([{ HealthCheckConfig: { Type: 'TCP' } }]);
    } finally {
      await api.close();
    }
  });
});
