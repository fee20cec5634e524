import { RegisterInstanceCommand } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, dns, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';

const arn = (id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:service/${id}`;
const IPV4 = { AWS_INSTANCE_IPV4: '10.0.0.1' };
const IPV6 = { AWS_INSTANCE_IPV6: 'fd00::1' };
const PORT = { AWS_INSTANCE_PORT: '8080' };
const ALIAS = { AWS_ALIAS_DNS_NAME: 'lb-1.us-east-1.elb.amazonaws.com' };
const EC2 = { AWS_EC2_INSTANCE_ID: 'i-0abcd1234' };
/** Every kind of service that attributes' rules tell apart, by its name. */
const SERVICES = {
  http: {},
  'http-check': { HealthCheckConfig: { Type: 'TCP' } },
  'http-custom': { HealthCheckCustomConfig: {} },
  a: dns({ A: 1 }),
  'a-weighted': dns({ A: 1 }, 'WEIGHTED'),
  'a-check': { ...dns({ A: 1 }), HealthCheckConfig: { Type: 'TCP' } },
  'a-weighted-check': { ...dns({ A: 1 }, 'WEIGHTED'), HealthCheckConfig: { Type: 'TCP' } },
  'a-custom': { ...dns({ A: 1 }), HealthCheckCustomConfig: {} },
  aaaa: dns({ AAAA: 1 }),
  'aaaa-weighted': dns({ AAAA: 1 }, 'WEIGHTED'),
  both: dns({ A: 1, AAAA: 1 }),
  'both-weighted': dns({ A: 1, AAAA: 1 }, 'WEIGHTED'),
  srv: dns({ SRV: 1 }),
  'srv-weighted': dns({ SRV: 1 }, 'WEIGHTED'),
  cname: dns({ CNAME: 1 }),
} as const;
type ServiceName = keyof typeof SERVICES;

let api: TestApi;
let http: string;
let publicDns: string;
const services = {} as Record<ServiceName, string>;
beforeAll(async () => {
  api = await startApi({}, `{ ec2Instances: { ${EC2.AWS_EC2_INSTANCE_ID}: 10.9.8.7 } }`);
  http = await api.createNamespace('Http', { Name: 'http' });
  publicDns = await api.createNamespace('PublicDns', { Name: 'public.example' });
  for (const name of Object.keys(SERVICES) as ServiceName[]) {
    services[name] = await api.createService(name.startsWith('http') ? http : publicDns, name, SERVICES[name]);
  }
});
afterAll(() => api.close());

let names = 0;
const freshId = () => `fresh-${++names}`;
const list = async (ServiceId: string) => (await api.ok('ListInstances', { ServiceId })).Instances;
const attributesOf = async (ServiceId: string, InstanceId: string) =>
  (await api.ok('GetInstance', { ServiceId, InstanceId })).Instance.Attributes;

/** Of an operation that names a service by ServiceId. @param rest of a sound request */
function describeServiceId(operation: string, rest: object): void {
  it('does not find by ServiceId what is no service of this account and region', async () => {
    const id = services['http-custom'];
    const unknown = [
      '',
      'nonsense',
      http,
      arn(id).replace(':service/', ':namespace/'),
      arn(id).replace(ACCOUNT, OTHER_ACCOUNT),
      arn(id).replace('us-east-1', 'ap-south-1'),
    ];
    for (const ServiceId of unknown) await api.refused(operation, { ...rest, ServiceId }, 'ServiceNotFound');
  });

  it('takes an ARN as ServiceId', async () => {
    await api.register(services['http-custom'], 'by-service');
    await api.ok(operation, { ...rest, ServiceId: arn(services['http-custom']) });
  });
}

/** Of an operation that names a registered instance. @param rest of a sound request */
function describeInstanceId(operation: string, rest: object): void {
  const named = (InstanceId: unknown) => ({ ...rest, ServiceId: services['http-custom'], InstanceId });

  it('compares InstanceId exactly', async () => {
    await api.register(services['http-custom'], 'Exact');
    await api.refused(operation, named('exact'), 'InstanceNotFound');
    await api.ok(operation, named('Exact'));
  });

  it('does not find an instance of another service', async () => {
    await api.register(services.http, 'elsewhere');
    await api.refused(operation, named('elsewhere'), 'InstanceNotFound');
  });
}

describe('RegisterInstance', () => {
  const register = (service: ServiceName, Attributes: unknown, rest: object = {}) =>
    api.call('RegisterInstance', { ServiceId: services[service], InstanceId: freshId(), Attributes, ...rest });
  const refuses = (service: ServiceName, Attributes: unknown, message: RegExp | null = null, rest: object = {}) =>
    api.refused(
      'RegisterInstance',
      { ServiceId: services[service], InstanceId: freshId(), Attributes, ...rest },
      'InvalidInput',
      message,
    );
  const takes = async (service: ServiceName, Attributes: unknown, rest: object = {}) => {
    const { status, body } = await register(service, Attributes, rest);
    expect({ status, Message: body.Message }).toEqual({ status: 200, Message: undefined });
  };

  describe('validation', () => {
    describeServiceId('RegisterInstance', { InstanceId: 'by-service', Attributes: {} });

    it('takes empty Attributes', () => takes('http', {}));

    it.each([
      ['of 255 characters', 'k'.repeat(255)],
      ['of one character', '!'],
      ['of any printable characters', '~!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}'],
      ['that an object inherits', 'constructor'],
      ['that JavaScript reserves', '__proto__'],
      ['of AWS that has no meaning', 'AWS_SOMETHING_NEW'],
    ])('keeps an attribute key %s', async (_, key) => {
      const InstanceId = freshId();
      const Attributes = `{${JSON.stringify(key)}:"value"}`;
      const body = `{"ServiceId":"${services.http}","InstanceId":"${InstanceId}","Attributes":${Attributes}}`;
      expect(await api.call('RegisterInstance', body)).toMatchObject({ status: 200 });
      expect(Object.entries(await attributesOf(services.http, InstanceId))).toEqual([[key, 'value']]);
    });

    it.each([
      ['empty', ''],
      ['of 1024 characters', 'v'.repeat(1024)],
      ['with spaces and tabs inside and at its end', 'a b\tc \t'],
    ])('keeps an attribute value %s', async (_, value) => {
      const InstanceId = freshId();
      await takes('http', { key: value }, { InstanceId });
      expect(await attributesOf(services.http, InstanceId)).toEqual({ key: value });
    });

    const custom = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`key-${i}`, 'v']));

    it('takes 30 custom attributes beside reserved ones, not 31', async () => {
      await takes('srv', { ...custom(30), ...IPV4, ...IPV6, ...PORT });
      await refuses('srv', { ...custom(31), ...IPV4, ...PORT }, /30/);
    });

    it('counts unknown AWS_ keys as custom', () => refuses('http', { ...custom(30), AWS_REGION: 'x' }, /30/));

    it('takes 5000 characters of keys and values together, reserved ones too, not 5001', async () => {
      const text = (total: number) => {
        const attributes: Record<string, string> = { ...IPV4 };
        let left = total - 'AWS_INSTANCE_IPV4'.length - '10.0.0.1'.length;
        for (let i = 0; left > 0; i++) {
          const value = Math.min(1024, left - 2);
          attributes[`k${i}`] = 'v'.repeat(value);
          left -= value + 2;
        }
        return attributes;
      };
      const sum = (map: Record<string, string>) =>
        Object.entries(map).reduce((all, [key, value]) => all + key.length + value.length, 0);
      expect(sum(text(5000))).toBe(5000);
      await takes('a', text(5000));
      await refuses('a', text(5001), /5000/);
    });

    it('checks attributes before it looks for the service', () =>
      refuses('http', { 'a b': 'c' }, null, { ServiceId: 'srv-unknown' }));
  });

  describe('reserved attributes', () => {
    it.each(['0.0.0.0', '255.255.255.255', '10.0.0.7'])('take %s as IPv4', (value) =>
      takes('a', { AWS_INSTANCE_IPV4: value }),
    );

    it.each(['', '10.0.0', '10.0.0.256', '10.0.0.1.2', '10.0.0.1/32', '::1', 'host.example', '10.0.0.1 ', '10.0.0.x'])(
      'refuse %j as IPv4',
      async (value) => {
        await refuses('a', { AWS_INSTANCE_IPV4: value }, /AWS_INSTANCE_IPV4/);
        await refuses('http', { AWS_INSTANCE_IPV4: value }, /AWS_INSTANCE_IPV4/);
      },
    );

    it.each([
      '::',
      '::1',
      'FD00::A',
      '2001:db8:0:0:0:0:0:1',
      '2001:0db8:0000:0000:0000:0000:0000:0001',
      '::ffff:10.0.0.1',
      '64:ff9b::192.0.2.33',
    ])('take %s as IPv6 and keep its form', async (value) => {
      const InstanceId = freshId();
      await takes('aaaa', { AWS_INSTANCE_IPV6: value }, { InstanceId });
      expect(await attributesOf(services.aaaa, InstanceId)).toEqual({ AWS_INSTANCE_IPV6: value });
    });

    it.each(['', '10.0.0.1', 'fe80::1%eth0', 'fd00::/8', ':::', '1::2::3', 'g::', '12345::', '[::1]'])(
      'refuse %j as IPv6',
      async (value) => {
        await refuses('aaaa', { AWS_INSTANCE_IPV6: value }, /AWS_INSTANCE_IPV6/);
        await refuses('http', { AWS_INSTANCE_IPV6: value }, /AWS_INSTANCE_IPV6/);
      },
    );

    it.each(['1', '80', '65535'])('take %s as port', (value) => takes('http', { AWS_INSTANCE_PORT: value }));

    it.each(['', '0', '65536', '-1', '+80', '8e1', '80.0', 'http', '80 ', '0x50'])(
      'refuse %j as port',
      async (value) => {
        await refuses('http', { AWS_INSTANCE_PORT: value }, /AWS_INSTANCE_PORT/);
        await refuses('srv', { ...IPV4, AWS_INSTANCE_PORT: value }, /AWS_INSTANCE_PORT/);
      },
    );

    it.each(['example.com', 'a.b.c.', '_x._tcp.example.com', 'l'.repeat(63)])('take %s as CNAME', (value) =>
      takes('cname', { AWS_INSTANCE_CNAME: value }),
    );

    it.each(['', '.', 'a..b', 'a b', 'l'.repeat(64), `${'label.'.repeat(42)}to`])(
      'refuse %j as CNAME and as alias',
      async (value) => {
        await refuses('cname', { AWS_INSTANCE_CNAME: value }, /AWS_INSTANCE_CNAME/);
        await refuses('a-weighted', { AWS_ALIAS_DNS_NAME: value }, /AWS_ALIAS_DNS_NAME/);
      },
    );

    it.each([
      ['a', {}, /AWS_INSTANCE_IPV4/],
      ['a', IPV6, /AWS_INSTANCE_IPV4/],
      ['a', PORT, /AWS_INSTANCE_IPV4/],
      ['aaaa', IPV4, /AWS_INSTANCE_IPV6/],
      ['both', IPV4, /AWS_INSTANCE_IPV6/],
      ['both', IPV6, /AWS_INSTANCE_IPV4/],
      ['srv', PORT, /AWS_INSTANCE_IPV4|AWS_INSTANCE_IPV6/],
      ['srv', IPV4, /AWS_INSTANCE_PORT/],
      ['srv', { ...IPV4, ...IPV6 }, /AWS_INSTANCE_PORT/],
      ['cname', IPV4, /AWS_INSTANCE_CNAME/],
      ['a-check', IPV4, /AWS_INSTANCE_PORT/],
      ['http-check', {}, /AWS_INSTANCE_PORT/],
    ] as const)('of %s: %j are not enough', (service, attributes, message) => refuses(service, attributes, message));

    it.each([
      ['a', IPV4],
      ['a', { ...IPV4, ...IPV6, ...PORT, AWS_INSTANCE_CNAME: 'x.example' }],
      ['aaaa', IPV6],
      ['both', { ...IPV4, ...IPV6 }],
      ['srv', { ...IPV4, ...PORT }],
      ['srv', { ...IPV6, ...PORT }],
      ['srv', { ...IPV4, ...IPV6, ...PORT }],
      ['cname', { AWS_INSTANCE_CNAME: 'target.example' }],
      ['a-check', { ...IPV4, ...PORT }],
      ['http-check', PORT],
      ['http', { ...IPV4, ...IPV6, ...PORT, AWS_INSTANCE_CNAME: 'x.example' }],
      ['http', {}],
    ] as const)('of %s: %j are enough', (service, attributes) => takes(service, attributes));

    it.each(['a-weighted', 'aaaa-weighted', 'both-weighted', 'a-weighted-check'] as const)(
      'take an alias with %s',
      (service) => takes(service, { ...ALIAS, stage: 'beta' }),
    );

    it.each(['a', 'both', 'srv', 'srv-weighted', 'cname', 'http'] as const)('refuse an alias with %s', (service) =>
      refuses(service, ALIAS, /AWS_ALIAS_DNS_NAME/),
    );

    it.each([IPV4, IPV6, PORT, { AWS_INSTANCE_CNAME: 'x.example' }, { AWS_INSTANCE_OTHER: 'x' }])(
      'refuse an alias beside %j',
      (other) => refuses('a-weighted', { ...ALIAS, ...other }, new RegExp(Object.keys(other)[0] as string)),
    );

    it('complete an EC2 instance id with its address', async () => {
      const InstanceId = freshId();
      await takes('http', EC2, { InstanceId });
      expect(await attributesOf(services.http, InstanceId)).toEqual({ ...EC2, AWS_INSTANCE_IPV4: '10.9.8.7' });
    });

    it('take AWS_INIT_HEALTH_STATUS beside an EC2 instance id, and nothing else', async () => {
      await takes('http-custom', { ...EC2, AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
      for (const other of [IPV4, PORT, { stage: 'beta' }]) {
        await refuses('http', { ...EC2, ...other }, /AWS_EC2_INSTANCE_ID/);
      }
    });

    it('refuse an EC2 instance id outside HTTP namespaces', async () => {
      for (const service of ['a', 'srv', 'cname', 'a-weighted'] as const) await refuses(service, EC2, /EC2/);
    });

    it('refuse an EC2 instance id without a known address and name the setting', async () => {
      await refuses('http', { AWS_EC2_INSTANCE_ID: 'i-unknown' }, /ec2Instances/);
      await refuses('http', { AWS_EC2_INSTANCE_ID: 'constructor' }, /ec2Instances/);
      await refuses('http', { AWS_EC2_INSTANCE_ID: '' }, /AWS_EC2_INSTANCE_ID/);
    });

    it('take AWS_INIT_HEALTH_STATUS with a custom check alone', async () => {
      await takes('http-custom', { AWS_INIT_HEALTH_STATUS: 'HEALTHY' });
      await takes('a-custom', { ...IPV4, AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
      for (const value of ['', 'UNKNOWN', 'healthy']) {
        await refuses('http-custom', { AWS_INIT_HEALTH_STATUS: value }, /AWS_INIT_HEALTH_STATUS/);
      }
      await refuses('http', { AWS_INIT_HEALTH_STATUS: 'HEALTHY' }, /AWS_INIT_HEALTH_STATUS/);
      await refuses('a-check', { ...IPV4, ...PORT, AWS_INIT_HEALTH_STATUS: 'HEALTHY' }, /AWS_INIT_HEALTH_STATUS/);
    });
  });

  describe('behaviour', () => {
    it('answers an operation that ends and targets instance and service', async () => {
      const InstanceId = freshId();
      const answer = await register('http', {}, { InstanceId });
      expect(answer.body).toEqual({ OperationId: expect.any(String) });
      const { Operation } = await api.ok('GetOperation', { OperationId: answer.body.OperationId });
      expect(Operation).toMatchObject({
        Type: 'REGISTER_INSTANCE',
        Status: 'SUCCESS',
        Targets: { INSTANCE: InstanceId, SERVICE: services.http },
      });
    });

    it('targets the service by id where it was named by ARN', async () => {
      const { body } = await register('http', {}, { ServiceId: arn(services.http) });
      const { Operation } = await api.ok('GetOperation', { OperationId: body.OperationId });
      expect(Operation.Targets.SERVICE).toBe(services.http);
    });

    it('replaces an instance whole', async () => {
      const InstanceId = freshId();
      await takes('a', { ...IPV4, ...PORT, old: 'yes' }, { InstanceId });
      await takes('a', { AWS_INSTANCE_IPV4: '10.0.0.2', new: 'yes' }, { InstanceId });
      expect(await attributesOf(services.a, InstanceId)).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.2', new: 'yes' });
      expect((await list(services.a)).filter(({ Id }) => Id === InstanceId)).toHaveLength(1);
    });

    it('replaces under a new request id, and under none', async () => {
      const rest = { InstanceId: freshId() };
      await takes('http', { n: '1' }, { ...rest, CreatorRequestId: freshId() });
      await takes('http', { n: '2' }, { ...rest, CreatorRequestId: freshId() });
      await takes('http', { n: '3' }, rest);
      expect(await attributesOf(services.http, rest.InstanceId)).toEqual({ n: '3' });
    });

    it('answers the same operation to the same CreatorRequestId and parameters', async () => {
      const rest = { InstanceId: freshId(), CreatorRequestId: freshId() };
      const first = (await register('http', { a: '1', b: '2' }, rest)).body;
      expect((await register('http', { b: '2', a: '1' }, rest)).body).toEqual(first);
      expect((await register('http', { a: '1', b: '2' }, { ...rest, ServiceId: arn(services.http) })).body).toEqual(
        first,
      );
    });

    it('refuses the same CreatorRequestId with another instance or other attributes', async () => {
      const rest = { InstanceId: freshId(), CreatorRequestId: freshId() };
      await takes('http', { a: '1' }, rest);
      await refuses('http', { a: '2' }, /request id/i, rest);
      await refuses('http', { a: '1' }, /request id/i, { ...rest, InstanceId: freshId() });
    });

    it('takes one CreatorRequestId in two services', async () => {
      const rest = { InstanceId: freshId(), CreatorRequestId: freshId() };
      const first = (await register('http', {}, rest)).body.OperationId;
      expect((await register('http-custom', {}, rest)).body.OperationId).not.toBe(first);
    });

    it('registers again under a CreatorRequestId whose instance was deregistered', async () => {
      const rest = { InstanceId: freshId(), CreatorRequestId: freshId() };
      const first = (await register('http', {}, rest)).body.OperationId;
      await api.ok('DeregisterInstance', { ServiceId: services.http, InstanceId: rest.InstanceId });
      expect((await register('http', {}, rest)).body.OperationId).not.toBe(first);
      expect(await attributesOf(services.http, rest.InstanceId)).toEqual({});
    });

    it('registers again under a CreatorRequestId whose instance was replaced', async () => {
      const rest = { InstanceId: freshId(), CreatorRequestId: freshId() };
      await takes('http', { n: '1' }, rest);
      await takes('http', { n: '2' }, { InstanceId: rest.InstanceId });
      await takes('http', { n: '1' }, rest);
      expect(await attributesOf(services.http, rest.InstanceId)).toEqual({ n: '1' });
    });

    it('refuses an SRV instance whose id differs only by case', async () => {
      await takes('srv', { ...IPV4, ...PORT }, { InstanceId: 'Casey' });
      await refuses('srv', { ...IPV4, ...PORT }, /casey/i, { InstanceId: 'casey' });
      await takes('srv', { ...IPV4, ...PORT }, { InstanceId: 'Casey' });
      await takes('a', IPV4, { InstanceId: 'Casey' });
      await takes('a', IPV4, { InstanceId: 'casey' });
    });

    it("refuses an SRV instance whose target is a service's owner name", async () => {
      await api.createService(publicDns, 'web.srv', dns({ A: 1 }));
      await refuses('srv', { ...IPV4, ...PORT }, /service/, { InstanceId: 'web' });
      await refuses('srv', { ...IPV4, ...PORT }, /service/, { InstanceId: 'WEB' });
      await takes('a', IPV4, { InstanceId: 'web' });
    });

    it("refuses an SRV instance whose target is another service's target", async () => {
      const inner = await api.createService(publicDns, 'c', dns({ SRV: 1 }));
      const outer = await api.createService(publicDns, 'b.c', dns({ SRV: 1 }));
      await api.register(outer, 'a', { ...IPV4, ...PORT });
      const body = { ServiceId: inner, InstanceId: 'a.b', Attributes: { ...IPV4, ...PORT } };
      await api.refused('RegisterInstance', body, 'InvalidInput', /a\.b\.c/);
    });

    it('registers through the SDK, which sends a request id of its own each time', async () => {
      const input = { ServiceId: services.http, InstanceId: freshId(), Attributes: { via: 'sdk' } };
      const first = await api.sdk.send(new RegisterInstanceCommand(input));
      const second = await api.sdk.send(new RegisterInstanceCommand(input));
      expect(second.OperationId).not.toBe(first.OperationId);
    });
  });
});

describe('DeregisterInstance', () => {
  describe('validation', () => {
    describeServiceId('DeregisterInstance', { InstanceId: 'by-service' });
    describeInstanceId('DeregisterInstance', {});
  });

  describe('behaviour', () => {
    it('removes the instance by an operation', async () => {
      await api.register(services.a, 'leaving', IPV4);
      const body = { ServiceId: services.a, InstanceId: 'leaving' };
      const answer = await api.ok('DeregisterInstance', body);
      expect(answer).toEqual({ OperationId: expect.any(String) });
      expect((await api.ok('GetOperation', answer)).Operation).toMatchObject({
        Type: 'DEREGISTER_INSTANCE',
        Status: 'SUCCESS',
        Targets: { INSTANCE: 'leaving', SERVICE: services.a },
      });
      await api.refused('GetInstance', body, 'InstanceNotFound');
      await api.refused('DeregisterInstance', body, 'InstanceNotFound');
      expect((await list(services.a)).map(({ Id }) => Id)).not.toContain('leaving');
    });
  });
});

describe('GetInstance', () => {
  describe('validation', () => {
    describeServiceId('GetInstance', { InstanceId: 'by-service' });
    describeInstanceId('GetInstance', {});
  });

  describe('behaviour', () => {
    it('shows the instance and its owner', async () => {
      const body = { ServiceId: services.a, InstanceId: 'shown' };
      await api.ok('RegisterInstance', {
        ...body,
        Attributes: { ...IPV4, stage: 'beta' },
        CreatorRequestId: 'r-shown',
      });
      expect(await api.ok('GetInstance', body)).toEqual({
        Instance: {
          Id: 'shown',
          CreatorRequestId: 'r-shown',
          Attributes: { ...IPV4, stage: 'beta' },
          CreatedByAccount: ACCOUNT,
        },
        ResourceOwner: ACCOUNT,
      });
    });

    it('leaves out a CreatorRequestId that was not given, and keeps AWS_INIT_HEALTH_STATUS', async () => {
      await api.register(services['http-custom'], 'bare', { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
      const { Instance } = await api.ok('GetInstance', { ServiceId: services['http-custom'], InstanceId: 'bare' });
      expect(Instance).toEqual({
        Id: 'bare',
        Attributes: { AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' },
        CreatedByAccount: ACCOUNT,
      });
    });
  });
});

describe('ListInstances', () => {
  let service: string;
  beforeAll(async () => {
    service = await api.createService(http, 'listed');
    for (let i = 0; i < 7; i++) await api.register(service, `i-${i}`, { n: `${i}` });
  });

  describe('validation', () => {
    describeServiceId('ListInstances', {});
  });

  describe('behaviour', () => {
    it('summarises instances and names the owner', async () => {
      const empty = await api.createService(http, 'empty');
      expect(await api.ok('ListInstances', { ServiceId: empty })).toEqual({ Instances: [], ResourceOwner: ACCOUNT });
      const { Instances, ...rest } = await api.ok('ListInstances', { ServiceId: service });
      expect(rest).toEqual({ ResourceOwner: ACCOUNT });
      expect(Instances.find(({ Id }) => Id === 'i-3')).toEqual({
        Id: 'i-3',
        Attributes: { n: '3' },
        CreatedByAccount: ACCOUNT,
      });
      expect(Instances).toHaveLength(7);
    });

    it("refuses another service's token", async () => {
      const { NextToken } = await api.ok('ListInstances', { ServiceId: service, MaxResults: 1 });
      await api.refused('ListInstances', { ServiceId: services.http, NextToken }, 'InvalidInput', /NextToken/);
      await api.refused('GetInstancesHealthStatus', { ServiceId: service, NextToken }, 'InvalidInput', /NextToken/);
    });

    it('gives 100 of 101 by default', async () => {
      const many = await api.createService(http, 'many');
      await Promise.all(Array.from({ length: 101 }, (_, i) => api.register(many, `m-${i}`)));
      const first = await api.ok('ListInstances', { ServiceId: many });
      const second = await api.ok('ListInstances', { ServiceId: many, NextToken: first.NextToken });
      expect([first.Instances.length, second.Instances.length]).toEqual([100, 1]);
      expect(second.NextToken).toBeUndefined();
      expect(new Set([...first.Instances, ...second.Instances].map(({ Id }) => Id)).size).toBe(101);
    });

    it('gives every instance that stays exactly once while others come and go', async () => {
      const busy = await api.createService(http, 'busy');
      const stay = Array.from({ length: 12 }, (_, i) => `stay-${String.fromCharCode(97 + i)}`);
      for (const id of stay) await api.register(busy, id);
      const seen: string[] = [];
      let token: string | undefined;
      let round = 0;
      do {
        const page = await api.ok('ListInstances', { ServiceId: busy, MaxResults: 3, NextToken: token });
        seen.push(...page.Instances.map(({ Id }) => Id));
        token = page.NextToken;
        await api.register(busy, `a-${round}`);
        await api.register(busy, `z-${round}`);
        if (round > 0) {
          await api.ok('DeregisterInstance', { ServiceId: busy, InstanceId: `z-${round - 1}` });
          await api.ok('DeregisterInstance', { ServiceId: busy, InstanceId: `a-${round - 1}` });
        }
        round++;
      } while (token !== undefined);
      expect(seen.filter((id) => id.startsWith('stay-')).sort()).toEqual(stay);
      expect(new Set(seen).size).toBe(seen.length);
    });
  });
});

describe('quotas of instances', () => {
  let own: TestApi;
  let first: string;
  let second: string;
  beforeAll(async () => {
    own = await startApi(
      { quotaInstancesPerService: '2', quotaInstancesPerNamespace: '3' },
      `namespaces:
        - name: shared
          type: HTTP
          services: [{ name: declared, instances: [{ id: d1 }, { id: d2 }, { id: d3 }] }]`,
    );
    const { Namespaces } = await own.ok('ListNamespaces');
    const namespace = Namespaces[0]?.Id as string;
    first = await own.createService(namespace, 'first');
    second = await own.createService(namespace, 'second');
  });
  afterAll(() => own.close());

  it('refuse one more with ResourceLimitExceeded; replacing takes no place, deregistering frees one', async () => {
    const refused = (ServiceId: string, message: RegExp) =>
      own.refused(
        'RegisterInstance',
        { ServiceId, InstanceId: 'more', Attributes: {} },
        'ResourceLimitExceeded',
        message,
      );
    await own.register(first, 'a');
    await own.register(first, 'b');
    await refused(first, /service/);
    await own.register(first, 'a', { replaced: 'yes' });
    await own.register(second, 'c');
    await refused(second, /namespace/);
    await own.ok('DeregisterInstance', { ServiceId: first, InstanceId: 'a' });
    await own.register(second, 'more');
    await refused(first, /namespace/);
  });
});
