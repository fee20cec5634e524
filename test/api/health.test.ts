import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let http: string;
let custom: string;
beforeAll(async () => {
  api = await startApi();
  http = await api.createNamespace('Http', { Name: 'http' });
  custom = await api.createService(http, 'custom', { HealthCheckCustomConfig: {} });
});
afterAll(() => api.close());

let names = 0;
const freshName = () => `fresh-${++names}`;
const statuses = (ServiceId: string, rest: object = {}) => api.ok('GetInstancesHealthStatus', { ServiceId, ...rest });
const statusOf = async (InstanceId: string, from: TestApi = api, ServiceId = custom) =>
  (await from.ok('GetInstancesHealthStatus', { ServiceId, Instances: [InstanceId] })).Status[InstanceId];

/** Of an operation that names a service by ServiceId. @param rest of a sound request */
function describeServiceId(operation: string, rest: object): void {
  const arn = () => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${custom}`;

  it('does not find by ServiceId what is no service of this account and region', async () => {
    const elsewhere = [arn().replace(ACCOUNT, OTHER_ACCOUNT), arn().replace('us-east-1', 'ap-south-1')];
    for (const ServiceId of ['', 'nonsense', http, arn().replace(':service/', ':namespace/'), ...elsewhere])
      await api.refused(operation, { ...rest, ServiceId }, 'ServiceNotFound');
  });

  it('takes an ARN as ServiceId', async () => {
    await api.register(custom, 'by-service');
    await api.ok(operation, { ...rest, ServiceId: arn() });
  });
}

describe('UpdateInstanceCustomHealthStatus', () => {
  const update = (InstanceId: string, Status: string) =>
    api.ok('UpdateInstanceCustomHealthStatus', { ServiceId: custom, InstanceId, Status });
  const refuses = (body: object, type: string, message: RegExp | null = null) =>
    api.refused(
      'UpdateInstanceCustomHealthStatus',
      { ServiceId: custom, InstanceId: 'i', Status: 'HEALTHY', ...body },
      type,
      message,
    );

  describe('validation', () => {
    describeServiceId('UpdateInstanceCustomHealthStatus', { InstanceId: 'by-service', Status: 'HEALTHY' });

    it('compares InstanceId exactly, and within the service', async () => {
      await api.register(custom, 'Exact');
      await refuses({ InstanceId: 'exact' }, 'InstanceNotFound');
      await api.register(await api.createService(http, freshName()), 'elsewhere');
      await refuses({ InstanceId: 'elsewhere' }, 'InstanceNotFound');
    });
  });

  describe('behaviour', () => {
    it('answers {} and the status is in effect at once', async () => {
      await api.register(custom, 'flips');
      expect(await statusOf('flips')).toBe('HEALTHY');
      expect(await update('flips', 'UNHEALTHY')).toEqual({});
      expect(await statusOf('flips')).toBe('UNHEALTHY');
      await update('flips', 'UNHEALTHY');
      expect(await statusOf('flips')).toBe('UNHEALTHY');
      await update('flips', 'HEALTHY');
      expect(await statusOf('flips')).toBe('HEALTHY');
    });

    it('leaves the attributes as they were registered', async () => {
      await api.register(custom, 'kept', { AWS_INIT_HEALTH_STATUS: 'HEALTHY' });
      await update('kept', 'UNHEALTHY');
      const { Instance } = await api.ok('GetInstance', { ServiceId: custom, InstanceId: 'kept' });
      expect(Instance.Attributes).toEqual({ AWS_INIT_HEALTH_STATUS: 'HEALTHY' });
    });

    it('refuses an unknown instance with InstanceNotFound', () =>
      refuses({ InstanceId: 'unknown' }, 'InstanceNotFound'));

    it('refuses a service without a custom check with CustomHealthNotFound', async () => {
      const bare = await api.createService(http, freshName());
      await api.register(bare, 'i');
      await refuses({ ServiceId: bare }, 'CustomHealthNotFound');
      const probed = await api.createService(http, freshName(), { HealthCheckConfig: { Type: 'TCP' } });
      await api.register(probed, 'i', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' });
      await refuses({ ServiceId: probed }, 'CustomHealthNotFound');
    });
  });
});

describe('initial status', () => {
  it('is AWS_INIT_HEALTH_STATUS, or HEALTHY, at once', async () => {
    await api.register(custom, 'silent');
    await api.register(custom, 'up', { AWS_INIT_HEALTH_STATUS: 'HEALTHY' });
    await api.register(custom, 'down', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
    expect(await statuses(custom, { Instances: ['silent', 'up', 'down'] })).toEqual({
      Status: { silent: 'HEALTHY', up: 'HEALTHY', down: 'UNHEALTHY' },
    });
  });

  it('is set again by a new registration', async () => {
    await api.register(custom, 'again', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
    await api.register(custom, 'again');
    expect(await statusOf('again')).toBe('HEALTHY');
    await api.register(custom, 'again', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
    expect(await statusOf('again')).toBe('UNHEALTHY');
  });
});

describe('GetInstancesHealthStatus', () => {
  let service: string;
  beforeAll(async () => {
    service = await api.createService(http, 'five', { HealthCheckCustomConfig: {} });
    for (let i = 0; i < 5; i++) {
      await api.register(service, `i-${i}`, { AWS_INIT_HEALTH_STATUS: i % 2 === 0 ? 'HEALTHY' : 'UNHEALTHY' });
    }
  });

  describe('validation', () => describeServiceId('GetInstancesHealthStatus', {}));

  describe('behaviour', () => {
    const all = { 'i-0': 'HEALTHY', 'i-1': 'UNHEALTHY', 'i-2': 'HEALTHY', 'i-3': 'UNHEALTHY', 'i-4': 'HEALTHY' };

    it('answers all instances, or those that are named', async () => {
      expect(await statuses(service)).toEqual({ Status: all });
      expect(await statuses(service, { Instances: ['i-1', 'i-4'] })).toEqual({
        Status: { 'i-1': 'UNHEALTHY', 'i-4': 'HEALTHY' },
      });
      expect(await statuses(await api.createService(http, freshName()))).toEqual({ Status: {} });
    });

    it('refuses a list with an unknown instance', () =>
      api.refused(
        'GetInstancesHealthStatus',
        { ServiceId: service, Instances: ['i-1', 'unknown'] },
        'InstanceNotFound',
        /unknown/,
      ));

    it('pages by hand, without a token on the last page', async () => {
      const seen: Record<string, string> = {};
      const sizes: number[] = [];
      let token: string | undefined;
      do {
        const page = await statuses(service, { MaxResults: 2, NextToken: token });
        Object.assign(seen, page.Status);
        sizes.push(Object.keys(page.Status).length);
        token = page.NextToken;
      } while (token !== undefined);
      expect({ seen, sizes }).toEqual({ seen: all, sizes: [2, 2, 1] });
    });

    it('goes on behind what an earlier page answered, though that has gone', async () => {
      const brief = await api.createService(http, freshName(), { HealthCheckCustomConfig: {} });
      for (const id of ['a', 'b', 'c', 'd']) await api.register(brief, id);
      const Instances = ['d', 'c', 'b', 'a'];
      const first = await statuses(brief, { Instances, MaxResults: 2 });
      expect(Object.keys(first.Status)).toEqual(['a', 'b']);
      await api.ok('DeregisterInstance', { ServiceId: brief, InstanceId: 'a' });
      const second = await statuses(brief, { Instances, MaxResults: 2, NextToken: first.NextToken });
      expect(Object.keys(second.Status)).toEqual(['c', 'd']);
    });

    it('answers UNKNOWN where the service has no check', async () => {
      const bare = await api.createService(http, freshName());
      await api.register(bare, 'one');
      expect(await statuses(bare)).toEqual({ Status: { one: 'UNKNOWN' } });
    });
  });
});

describe('delay of custom statuses', () => {
  /** The service `custom` of the namespace, with the instance `one`. */
  const CONTENT = `namespaces:
    - name: declared
      type: HTTP
      services: [{ name: custom, healthCheckCustom: {}, instances: [{ id: one }] }]`;
  const start = async (customHealthDelayMs: string) => {
    const own = await startApi({ customHealthDelayMs }, CONTENT);
    const ServiceId = (await own.ok('ListServices')).Services[0]?.Id as string;
    const update = (Status: string) =>
      own.ok('UpdateInstanceCustomHealthStatus', { ServiceId, InstanceId: 'one', Status });
    return { own, ServiceId, update, status: () => statusOf('one', own, ServiceId) };
  };

  it('shows the effective status while another one is pending, in discovery too', async () => {
    const { own, ServiceId, update, status } = await start('3600000');
    try {
      await update('UNHEALTHY');
      expect(await status()).toBe('HEALTHY');
      const { Instances } = await own.ok('DiscoverInstances', { NamespaceName: 'declared', ServiceName: 'custom' });
      expect(Instances).toMatchObject([{ InstanceId: 'one', HealthStatus: 'HEALTHY' }]);
      // The initial status is in effect at once, and a new registration ends the wait.
      const body = { ServiceId, InstanceId: 'one', Attributes: { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' } };
      await own.ok('RegisterInstance', body);
      expect(await status()).toBe('UNHEALTHY');
    } finally {
      await own.close();
    }
  });

  it('puts the status into effect by itself when the wait is over', async () => {
    const { own, update, status } = await start('50');
    try {
      const asked = Date.now();
      await update('UNHEALTHY');
      while ((await status()) !== 'UNHEALTHY');
      expect(Date.now() - asked).toBeGreaterThanOrEqual(50);
    } finally {
      await own.close();
    }
  });
});

describe('newInstance: unhealthy', () => {
  it('begins probed instances as UNHEALTHY, and leaves unchecked ones UNKNOWN', async () => {
    const own = await startApi({ newInstance: 'unhealthy' });
    try {
      const namespace = await own.createNamespace('PublicDns', { Name: 'public.example' });
      const check = { ...dns({ A: 1 }), HealthCheckConfig: { Type: 'TCP' } };
      const probed = await own.createService(namespace, 'probed', check);
      // 192.0.2.0/24 answers nobody (RFC 5737), so no verdict comes.
      await own.register(probed, 'one', { AWS_INSTANCE_IPV4: '192.0.2.1', AWS_INSTANCE_PORT: '80' });
      expect(await statusOf('one', own, probed)).toBe('UNHEALTHY');
      const bare = await own.createService(namespace, 'bare', dns({ A: 1 }));
      await own.register(bare, 'one', { AWS_INSTANCE_IPV4: '192.0.2.1' });
      expect(await statusOf('one', own, bare)).toBe('UNKNOWN');
    } finally {
      await own.close();
    }
  });
});
