import {
  ServiceAttributesLimitExceededException,
  UpdateServiceAttributesCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';

let api: TestApi;
let namespace: string;
beforeAll(async () => {
  api = await startApi();
  namespace = await api.createNamespace('PrivateDns', { Name: 'attributes.internal' });
});
afterAll(() => api.close());

let names = 0;
const fresh = () => api.createService(namespace, `fresh-${++names}`, dns({ A: 60 }));
const arn = (id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${id}`;
const many = (count: number, from = 0) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key-${from + i}`, `${i}`]));
const put = (ServiceId: string, Attributes: object) => api.ok('UpdateServiceAttributes', { ServiceId, Attributes });
const drop = (ServiceId: string, Attributes: readonly string[]) =>
  api.ok('DeleteServiceAttributes', { ServiceId, Attributes });
const attributesOf = async (ServiceId: string) =>
  (await api.ok('GetServiceAttributes', { ServiceId })).ServiceAttributes.Attributes;

/** Of an operation that names a service. @param rest of a sound request */
function describeServiceId(operation: string, rest: object): void {
  it('does not find what is no service of this account and region', async () => {
    const id = await fresh();
    const elsewhere = [arn(id).replace(ACCOUNT, OTHER_ACCOUNT), arn(id).replace('us-east-1', 'us-west-1')];
    for (const ServiceId of ['', 'srv-none', namespace, arn(id).replace('service/', 'namespace/'), ...elsewhere])
      await api.refused(operation, { ...rest, ServiceId }, 'ServiceNotFound');
  });

  it('takes an ARN', async () => {
    await api.ok(operation, { ...rest, ServiceId: arn(await fresh()) });
  });
}

describe('GetServiceAttributes', () => {
  describe('validation', () => describeServiceId('GetServiceAttributes', {}));

  describe('behaviour', () => {
    it('answers the ARN, the owner and an empty map of a service without any', async () => {
      const ServiceId = await fresh();
      expect(await api.ok('GetServiceAttributes', { ServiceId })).toEqual({
        ServiceAttributes: { ServiceArn: arn(ServiceId), ResourceOwner: ACCOUNT, Attributes: {} },
      });
    });
  });
});

describe('UpdateServiceAttributes', () => {
  describe('validation', () => {
    describeServiceId('UpdateServiceAttributes', { Attributes: { a: 'b' } });

    it('takes a map of nulls for an empty one', async () =>
      api.refused('UpdateServiceAttributes', { ServiceId: await fresh(), Attributes: { a: null } }, 'InvalidInput'));

    it('takes keys and values at their limits, and any characters', async () => {
      const ServiceId = await fresh();
      const attributes = {
        ['k'.repeat(255)]: 'v'.repeat(1024),
        empty: '',
        'two words': ' begins with a space',
        caf\u00e9: 'line\nbreak',
        AWS_INSTANCE_IPV4: 'no address',
      };
      expect(await put(ServiceId, attributes)).toEqual({});
      expect(await attributesOf(ServiceId)).toEqual(attributes);
    });

    it('takes keys that a language has a meaning for', async () => {
      const ServiceId = await fresh();
      const text = '{"__proto__":"p","constructor":"c","toString":"t"}';
      await api.ok('UpdateServiceAttributes', `{"ServiceId":"${ServiceId}","Attributes":${text}}`);
      expect(JSON.stringify(await attributesOf(ServiceId))).toBe(text);
      await drop(ServiceId, ['__proto__', 'hasOwnProperty']);
      expect(await attributesOf(ServiceId)).toEqual({ constructor: 'c', toString: 't' });
    });
  });

  describe('behaviour', () => {
    it('adds and overwrites, and keeps the rest', async () => {
      const ServiceId = await fresh();
      await put(ServiceId, { a: '1', b: '2' });
      await put(ServiceId, { b: '3', B: '4' });
      expect(await attributesOf(ServiceId)).toEqual({ a: '1', b: '3', B: '4' });
    });

    it('counts 30 after merging, all or nothing', async () => {
      const ServiceId = await fresh();
      const refused = (Attributes: object) =>
        api.refused(
          'UpdateServiceAttributes',
          { ServiceId, Attributes },
          'ServiceAttributesLimitExceededException',
          /30/,
        );
      await refused(many(31));
      expect(await attributesOf(ServiceId)).toEqual({});
      await put(ServiceId, many(30));
      await put(ServiceId, { 'key-0': 'changed' });
      await refused({ 'key-0': 'lost', more: 'x' });
      expect(await attributesOf(ServiceId)).toEqual({ ...many(30), 'key-0': 'changed' });
      await drop(ServiceId, ['key-1']);
      await put(ServiceId, { more: 'x' });
    });

    it('has its error read in the SDK', async () => {
      const input = { ServiceId: await fresh(), Attributes: many(31) };
      const error = await api.sdk.send(new UpdateServiceAttributesCommand(input)).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ServiceAttributesLimitExceededException);
    });

    it('shows in neither discovery, GetService nor DNS', async () => {
      const ServiceId = await fresh();
      await api.register(ServiceId, 'one', { AWS_INSTANCE_IPV4: '10.0.0.1' });
      const ServiceName = `fresh-${names}`;
      const everything = async () => [
        await api.ok('GetService', { Id: ServiceId }),
        await api.ok('DiscoverInstances', { NamespaceName: 'attributes.internal', ServiceName }),
        await api.ok('GetInstance', { ServiceId, InstanceId: 'one' }),
        (await dig(api.dnsPort, `${ServiceName}.attributes.internal`, 'A')).answer,
        (await dig(api.dnsPort, 'attributes.internal', 'SOA')).answer,
      ];
      const before = await everything();
      await put(ServiceId, many(3));
      await drop(ServiceId, ['key-0']);
      expect(await everything()).toEqual(before);
      const query = { QueryParameters: { 'key-1': '1' } };
      const found = await api.ok('DiscoverInstances', { NamespaceName: 'attributes.internal', ServiceName, ...query });
      expect(found.Instances).toEqual([]);
    });

    it('is for services of every kind of namespace', async () => {
      const http = await api.createNamespace('Http', { Name: 'http' });
      const ServiceId = await api.createService(http, 'any');
      await put(ServiceId, { a: 'b' });
      expect(await attributesOf(ServiceId)).toEqual({ a: 'b' });
    });

    it('merges calls that come together', async () => {
      const ServiceId = await fresh();
      await Promise.all(Array.from({ length: 20 }, (_, i) => put(ServiceId, many(1, i))));
      expect(Object.keys(await attributesOf(ServiceId))).toHaveLength(20);
    });
  });
});

describe('DeleteServiceAttributes', () => {
  describe('validation', () => describeServiceId('DeleteServiceAttributes', { Attributes: ['a'] }));

  describe('behaviour', () => {
    it('takes the named ones away; absent and repeated keys do no harm', async () => {
      const ServiceId = await fresh();
      await put(ServiceId, { ...many(2), ['k'.repeat(255)]: 'v' });
      expect(await drop(ServiceId, [...Object.keys(many(28, 1)), 'key-1', 'k'.repeat(255)])).toEqual({});
      expect(await attributesOf(ServiceId)).toEqual({ 'key-0': '0' });
      await drop(ServiceId, ['KEY-0']);
      expect(await attributesOf(ServiceId)).toEqual({ 'key-0': '0' });
      await drop(ServiceId, ['key-0']);
      expect(await attributesOf(ServiceId)).toEqual({});
    });
  });
});

describe('service attributes', () => {
  it('go with the service, and survive its updates', async () => {
    const Id = await api.createService(namespace, 'passing', dns({ A: 1 }));
    await put(Id, { a: 'b' });
    await api.ok('UpdateService', { Id, Service: { Description: 'd' } });
    expect(await attributesOf(Id)).toEqual({ a: 'b' });
    await api.ok('DeleteService', { Id });
    await api.refused('GetServiceAttributes', { ServiceId: Id }, 'ServiceNotFound');
    expect(await attributesOf(await api.createService(namespace, 'passing'))).toEqual({});
  });
});
