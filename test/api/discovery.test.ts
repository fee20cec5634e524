import { DiscoverInstancesCommand } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let namespace: string;
beforeAll(async () => {
  api = await startApi();
  namespace = await api.createNamespace('Http', { Name: 'shop' });
});
afterAll(() => api.close());

let names = 0;
const freshName = () => `fresh-${++names}`;
const discover = (ServiceName: string, rest: object = {}) =>
  api.ok('DiscoverInstances', { NamespaceName: 'shop', ServiceName, ...rest });
const found = async (ServiceName: string, rest: object = {}) =>
  (await discover(ServiceName, rest)).Instances.map(({ InstanceId }) => InstanceId).sort();
const revision = async (ServiceName: string, rest: object = {}) =>
  (await discover(ServiceName, rest)).InstancesRevision;

describe('DiscoverInstances', () => {
  const sound = { NamespaceName: 'shop', ServiceName: 'sound' };
  beforeAll(() => api.createService(namespace, 'sound'));

  describe('validation', () => {
    it('takes empty parameters', async () => {
      expect(await found('sound', { QueryParameters: {}, OptionalParameters: {} })).toEqual([]);
    });
  });

  describe('names', () => {
    it('does not find unknown ones, and compares exactly', async () => {
      const refused = (NamespaceName: string, ServiceName: string, type: string) =>
        api.refused('DiscoverInstances', { NamespaceName, ServiceName }, type);
      await refused('none', 'sound', 'NamespaceNotFound');
      await refused('SHOP', 'sound', 'NamespaceNotFound');
      await refused(namespace, 'sound', 'NamespaceNotFound');
      await refused('shop', 'none', 'ServiceNotFound');
      await refused('shop', 'Sound', 'ServiceNotFound');
    });

    it('takes the ARN of a namespace, not one of elsewhere', async () => {
      const arn = `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${namespace}`;
      expect(await found('sound', { NamespaceName: arn, OwnerAccount: ACCOUNT })).toEqual([]);
      for (const NamespaceName of [arn.replace(ACCOUNT, OTHER_ACCOUNT), arn.replace('us-east-1', 'us-east-2')]) {
        await api.refused('DiscoverInstances', { ...sound, NamespaceName }, 'NamespaceNotFound');
      }
    });

    it("does not find another owner's namespace", () =>
      api.refused('DiscoverInstances', { ...sound, OwnerAccount: OTHER_ACCOUNT }, 'NamespaceNotFound'));

    it('looks a namespace up by its HttpName, whatever its type', async () => {
      const Id = await api.createNamespace('PrivateDns', { Name: 'shop' });
      const service = await api.createService(Id, 'dns', dns({ A: 1 }));
      await api.register(service, 'one', { AWS_INSTANCE_IPV4: '10.0.0.1' });
      const { Namespace } = await api.ok('GetNamespace', { Id });
      const { HttpName } = Namespace.Properties.HttpProperties;
      const { Instances } = await api.ok('DiscoverInstances', { NamespaceName: HttpName, ServiceName: 'dns' });
      expect(Instances).toMatchObject([{ InstanceId: 'one', NamespaceName: HttpName }]);
      await api.refused('DiscoverInstances', { NamespaceName: 'shop', ServiceName: 'dns' }, 'ServiceNotFound');
    });
  });

  describe('behaviour', () => {
    it('shows an instance with its attributes, also the reserved ones', async () => {
      const name = freshName();
      const attributes = { AWS_INSTANCE_IPV4: '10.0.0.7', AWS_INSTANCE_PORT: '8080', stage: 'beta' };
      await api.register(await api.createService(namespace, name), 'web-1', attributes);
      expect(await discover(name)).toEqual({
        Instances: [
          {
            InstanceId: 'web-1',
            NamespaceName: 'shop',
            ServiceName: name,
            HealthStatus: 'UNKNOWN',
            Attributes: attributes,
          },
        ],
        InstancesRevision: expect.any(Number),
      });
    });

    describe('parameters', () => {
      const name = 'parameters';
      beforeAll(async () => {
        const service = await api.createService(namespace, name);
        await api.register(service, 'blue-1', { color: 'blue', zone: 'a', AWS_INSTANCE_PORT: '80' });
        await api.register(service, 'blue-2', { color: 'blue', zone: 'b', AWS_INSTANCE_PORT: '81' });
        await api.register(service, 'green', { color: 'green', zone: 'a', Color: 'blue', empty: '' });
      });

      it.each([
        ['no parameters', {}, ['blue-1', 'blue-2', 'green']],
        ['one required', { QueryParameters: { color: 'blue' } }, ['blue-1', 'blue-2']],
        ['two required', { QueryParameters: { color: 'blue', zone: 'a' } }, ['blue-1']],
        ['a required one in another case', { QueryParameters: { color: 'Blue' } }, []],
        ['a required key in another case', { QueryParameters: { Color: 'blue' } }, ['green']],
        ['a required key that no instance has', { QueryParameters: { size: 'xl' } }, []],
        ['a required key that objects inherit', { QueryParameters: { constructor: 'x' } }, []],
        ['a required empty value', { QueryParameters: { empty: '' } }, ['green']],
        ['a required reserved attribute', { QueryParameters: { AWS_INSTANCE_PORT: '81' } }, ['blue-2']],
        ['an optional one that some have', { OptionalParameters: { zone: 'a' } }, ['blue-1', 'green']],
        ['two optional ones that none has both', { OptionalParameters: { zone: 'b', color: 'green' } }, allThree()],
        ['an optional one that none has', { OptionalParameters: { zone: 'c' } }, allThree()],
        [
          'required and optional',
          { QueryParameters: { color: 'blue' }, OptionalParameters: { zone: 'b' } },
          ['blue-2'],
        ],
        [
          'required, and optional of others alone',
          { QueryParameters: { color: 'green' }, OptionalParameters: { zone: 'b' } },
          ['green'],
        ],
      ])('%s', async (_, parameters, expected) => {
        expect(await found(name, parameters)).toEqual(expected);
      });

      function allThree() {
        return ['blue-1', 'blue-2', 'green'];
      }
    });

    describe('health', () => {
      const name = 'health';
      let service: string;
      beforeAll(async () => {
        service = await api.createService(namespace, name, { HealthCheckCustomConfig: {} });
        await api.register(service, 'up-1', { zone: 'a' });
        await api.register(service, 'up-2', { zone: 'b' });
        await api.register(service, 'down', { zone: 'c', AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
      });

      it.each([
        ['omitted', {}, ['up-1', 'up-2']],
        ['HEALTHY', { HealthStatus: 'HEALTHY' }, ['up-1', 'up-2']],
        ['UNHEALTHY', { HealthStatus: 'UNHEALTHY' }, ['down']],
        ['ALL', { HealthStatus: 'ALL' }, ['down', 'up-1', 'up-2']],
        ['HEALTHY_OR_ELSE_ALL', { HealthStatus: 'HEALTHY_OR_ELSE_ALL' }, ['up-1', 'up-2']],
        [
          'HEALTHY_OR_ELSE_ALL judged on what the query leaves',
          { HealthStatus: 'HEALTHY_OR_ELSE_ALL', QueryParameters: { zone: 'c' } },
          ['down'],
        ],
        [
          'HEALTHY_OR_ELSE_ALL before the optional parameters',
          { HealthStatus: 'HEALTHY_OR_ELSE_ALL', OptionalParameters: { zone: 'c' } },
          ['up-1', 'up-2'],
        ],
        ['no fail-open by default', { QueryParameters: { zone: 'c' } }, []],
        ['no fail-open for HEALTHY', { HealthStatus: 'HEALTHY', QueryParameters: { zone: 'c' } }, []],
      ])('%s', async (_, rest, expected) => {
        expect(await found(name, rest)).toEqual(expected);
      });

      it('is told of each instance', async () => {
        const { Instances } = await discover(name, { HealthStatus: 'ALL' });
        const status = Object.fromEntries(Instances.map(({ InstanceId, HealthStatus }) => [InstanceId, HealthStatus]));
        expect(status).toEqual({ 'up-1': 'HEALTHY', 'up-2': 'HEALTHY', down: 'UNHEALTHY' });
      });

      it('is ignored where the service has no check', async () => {
        const unchecked = freshName();
        await api.register(await api.createService(namespace, unchecked), 'one');
        for (const HealthStatus of ['HEALTHY', 'UNHEALTHY', 'ALL', 'HEALTHY_OR_ELSE_ALL']) {
          const { Instances } = await discover(unchecked, { HealthStatus });
          expect(Instances).toMatchObject([{ InstanceId: 'one', HealthStatus: 'UNKNOWN' }]);
        }
      });

      it('of a probed instance begins healthy', async () => {
        const probed = freshName();
        const id = await api.createService(namespace, probed, { HealthCheckConfig: { Type: 'TCP' } });
        await api.register(id, 'new', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' });
        expect(await found(probed)).toEqual(['new']);
      });
    });

    describe('many matches', () => {
      const name = 'many';
      beforeAll(async () => {
        const service = await api.createService(namespace, name);
        await Promise.all(Array.from({ length: 150 }, (_, i) => api.register(service, `i-${i}`)));
      });

      it('are cut to 100 by default and to MaxResults, without a token', async () => {
        const byDefault = await discover(name);
        expect(byDefault.Instances).toHaveLength(100);
        expect(byDefault).not.toHaveProperty('NextToken');
        expect((await discover(name, { MaxResults: 1000 })).Instances).toHaveLength(150);
        const ten = await found(name, { MaxResults: 10 });
        expect(new Set(ten).size).toBe(10);
      });

      it('come in another order each time, and as another subset', async () => {
        const orders = new Set<string>();
        const first = new Set<string>();
        for (let i = 0; i < 20; i++) {
          const { Instances } = await discover(name, { MaxResults: 5 });
          orders.add(Instances.map(({ InstanceId }) => InstanceId).join());
          first.add(Instances[0]?.InstanceId as string);
        }
        expect(orders.size).toBe(20);
        // 20 draws of 150: even ten different ones are far below what chance gives.
        expect(first.size).toBeGreaterThan(10);
      });
    });

    describe('InstancesRevision', () => {
      it('grows with every registration, replacement and deregistration, and with nothing else', async () => {
        const name = freshName();
        const service = await api.createService(namespace, name, { HealthCheckCustomConfig: {} });
        const seen = [await revision(name)];
        await api.register(service, 'one');
        seen.push(await revision(name));
        await api.register(service, 'two');
        seen.push(await revision(name));
        await api.register(service, 'two');
        seen.push(await revision(name));
        await api.ok('DeregisterInstance', { ServiceId: service, InstanceId: 'two' });
        seen.push(await revision(name));
        for (const [i, value] of seen.entries()) {
          expect(Number.isSafeInteger(value)).toBe(true);
          if (i > 0) expect(value).toBeGreaterThan(seen[i - 1] as number);
        }
        const latest = seen.at(-1);
        await api.ok('UpdateInstanceCustomHealthStatus', {
          ServiceId: service,
          InstanceId: 'one',
          Status: 'UNHEALTHY',
        });
        expect(await revision(name, { HealthStatus: 'ALL' })).toBe(latest);
        await api.register(await api.createService(namespace, freshName()), 'elsewhere');
        expect(await revision(name, { QueryParameters: { none: 'x' } })).toBe(latest);
      });

      it('does not grow with a repeated request', async () => {
        const name = freshName();
        const body = {
          ServiceId: await api.createService(namespace, name),
          InstanceId: 'one',
          Attributes: {},
          CreatorRequestId: freshName(),
        };
        await api.ok('RegisterInstance', body);
        const before = await revision(name);
        await api.ok('RegisterInstance', body);
        expect(await revision(name)).toBe(before);
      });

      it('never decreases, also where the service is deleted and made anew', async () => {
        const name = freshName();
        const first = await api.createService(namespace, name);
        await api.register(first, 'one');
        await api.ok('DeregisterInstance', { ServiceId: first, InstanceId: 'one' });
        const before = await revision(name);
        await api.ok('DeleteService', { Id: first });
        const second = await api.createService(namespace, name);
        expect(await revision(name)).toBeGreaterThanOrEqual(before);
        await api.register(second, 'one');
        expect(await revision(name)).toBeGreaterThan(before);
      });
    });

    it('answers the SDK', async () => {
      const name = freshName();
      await api.register(await api.createService(namespace, name), 'one', { a: 'b' });
      const input = { NamespaceName: 'shop', ServiceName: name };
      const { Instances, InstancesRevision } = await api.sdk.send(new DiscoverInstancesCommand(input));
      expect(Instances).toMatchObject([{ InstanceId: 'one', HealthStatus: 'UNKNOWN', Attributes: { a: 'b' } }]);
      expect(InstancesRevision).toBe(await revision(name));
    });
  });
});
