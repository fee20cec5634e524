import { DiscoverInstancesRevisionCommand } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let namespace: string;
beforeAll(async () => {
  api = await startApi();
  namespace = await api.createNamespace('Http', { Name: 'shop' });
  await api.createService(namespace, 'sound');
});
afterAll(() => api.close());

const OPERATION = 'DiscoverInstancesRevision';
const sound = { NamespaceName: 'shop', ServiceName: 'sound' };
let names = 0;
const freshName = () => `fresh-${++names}`;
const revision = async (ServiceName: string, NamespaceName = 'shop') => {
  const { InstancesRevision, ...rest } = await api.ok(OPERATION, { NamespaceName, ServiceName });
  expect(rest).toEqual({});
  expect(Number.isSafeInteger(InstancesRevision)).toBe(true);
  return InstancesRevision;
};

describe('DiscoverInstancesRevision', () => {
  describe('names', () => {
    it('does not find unknown ones, and compares exactly', async () => {
      const arn = `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${namespace}`;
      for (const NamespaceName of ['none', 'SHOP', namespace, arn.replace(ACCOUNT, OTHER_ACCOUNT)])
        await api.refused(OPERATION, { ...sound, NamespaceName }, 'NamespaceNotFound');
      for (const ServiceName of ['none', 'Sound'])
        await api.refused(OPERATION, { ...sound, ServiceName }, 'ServiceNotFound');
    });

    it('takes the ARN of a namespace, and our account as the owner', async () => {
      const NamespaceName = `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${namespace}`;
      const { InstancesRevision } = await api.ok(OPERATION, { ...sound, NamespaceName, OwnerAccount: ACCOUNT });
      expect(InstancesRevision).toBe(await revision('sound'));
    });

    it("does not find another owner's namespace", () =>
      api.refused(OPERATION, { ...sound, OwnerAccount: OTHER_ACCOUNT }, 'NamespaceNotFound'));

    it('looks a namespace up by its HttpName, whatever its type', async () => {
      const Id = await api.createNamespace('PrivateDns', { Name: 'shop' });
      await api.createService(Id, 'dns', dns({ A: 1 }));
      const { HttpName } = (await api.ok('GetNamespace', { Id })).Namespace.Properties.HttpProperties;
      expect(HttpName).not.toBe('shop');
      expect(await revision('dns', HttpName)).toBeGreaterThan(0);
      await api.refused(OPERATION, { ...sound, ServiceName: 'dns' }, 'ServiceNotFound');
    });
  });

  describe('behaviour', () => {
    it('is what DiscoverInstances says, and reads in the SDK', async () => {
      const name = freshName();
      const service = await api.createService(namespace, name);
      await api.register(service, 'one');
      const query = { NamespaceName: 'shop', ServiceName: name };
      const { InstancesRevision } = await api.ok('DiscoverInstances', query);
      expect(await revision(name)).toBe(InstancesRevision);
      const read = await api.sdk.send(new DiscoverInstancesRevisionCommand(query));
      expect(read.InstancesRevision).toBe(InstancesRevision);
    });

    it('grows when an instance is registered, again too, and deregistered', async () => {
      const name = freshName();
      const service = await api.createService(namespace, name);
      const seen = [await revision(name)];
      await api.register(service, 'one');
      seen.push(await revision(name));
      await api.register(service, 'one');
      seen.push(await revision(name));
      await api.register(service, 'two');
      seen.push(await revision(name));
      await api.ok('DeregisterInstance', { ServiceId: service, InstanceId: 'one' });
      seen.push(await revision(name));
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    });

    it('stays with everything else: health, tags, attributes, reads, other services', async () => {
      const name = freshName();
      const service = await api.createService(namespace, name, { HealthCheckCustomConfig: {} });
      const other = await api.createService(namespace, freshName());
      await api.register(service, 'one');
      const before = await revision(name);
      const instance = { ServiceId: service, InstanceId: 'one' };
      await api.ok('UpdateInstanceCustomHealthStatus', { ...instance, Status: 'UNHEALTHY' });
      await api.ok('UpdateServiceAttributes', { ServiceId: service, Attributes: { a: 'b' } });
      const ResourceARN = `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${service}`;
      await api.ok('TagResource', { ResourceARN, Tags: [{ Key: 'a', Value: 'b' }] });
      await api.ok('GetInstance', instance);
      await api.register(other, 'one');
      expect(await revision(name)).toBe(before);
    });

    it('goes on where the service is made anew under its name', async () => {
      const name = freshName();
      let last = 0;
      for (let time = 0; time < 3; time++) {
        const service = await api.createService(namespace, name);
        const empty = await revision(name);
        expect(empty).toBeGreaterThan(last);
        await api.register(service, 'one');
        await api.ok('DeregisterInstance', { ServiceId: service, InstanceId: 'one' });
        last = await revision(name);
        expect(last).toBeGreaterThan(empty);
        await api.ok('DeleteService', { Id: service });
        await api.refused(OPERATION, { NamespaceName: 'shop', ServiceName: name }, 'ServiceNotFound');
      }
    });

    it('goes on where the namespace is made anew too', async () => {
      const make = async () => {
        const Id = await api.createNamespace('Http', { Name: 'anew' });
        return { Id, service: await api.createService(Id, 'web') };
      };
      const first = await make();
      const before = await revision('web', 'anew');
      await api.ok('DeleteService', { Id: first.service });
      await api.ok('DeleteNamespace', { Id: first.Id });
      await make();
      expect(await revision('web', 'anew')).toBeGreaterThan(before);
    });
  });
});
