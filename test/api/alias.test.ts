import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeMessage, TYPE_CODES } from '../../src/wire/codec.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';
import { FakeUpstream, replyTo } from '../support/fake-upstream.ts';

/** AWS_ALIAS_DNS_NAME: resolved in the background, answered as plain A and AAAA under the target's TTL. */
describe('an alias instance', () => {
  let api: TestApi;
  let upstream: FakeUpstream;
  let namespace: string;
  let web: string;
  /** What the upstream answers for A of balancer.example; empty: NXDOMAIN. */
  let outside: number[][] = [[192, 0, 2, 1]];

  const aliasService = (name: string, types: string[]) =>
    api.createService(namespace, name, {
      DnsConfig: { RoutingPolicy: 'WEIGHTED', DnsRecords: types.map((Type) => ({ Type, TTL: 999 })) },
    });
  const answers = async (name: string, type: string) => (await dig(api.dnsPort, name, type)).answer.sort();
  /** Asks until the answer is as wanted; the test's own time limit ends it otherwise. */
  const until = async (name: string, type: string, wanted: string[]) => {
    for (;;) if (JSON.stringify(await answers(name, type)) === JSON.stringify(wanted)) return;
  };

  beforeAll(async () => {
    upstream = await FakeUpstream.open((query) => {
      const message = decodeMessage(query);
      const isA = message.questions[0]?.type === TYPE_CODES.A;
      const answer = isA ? outside.map((address) => `@ 30 IN A ${address.join('.')}`) : [];
      return [replyTo(query, { rcode: outside.length === 0 ? 'NXDOMAIN' : 'NOERROR', answer })];
    });
    api = await startApi({ upstreams: `127.0.0.1:${upstream.port}` });
    namespace = await api.createNamespace('PrivateDns', { Name: 'alias.internal', Vpc: 'vpc-1' });
    web = await api.createService(namespace, 'web', {
      DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 7 }] },
      HealthCheckCustomConfig: {},
    });
    await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    await api.register(web, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' });
  });
  afterAll(async () => {
    await api.close();
    await upstream.close();
  });

  it('of our own name answers all of its addresses under its TTL, and follows every change', async () => {
    const shop = await aliasService('shop', ['A']);
    await api.register(shop, 'lb', { AWS_ALIAS_DNS_NAME: 'Web.alias.internal.' });
    const [first, second] = ['shop.alias.internal. 7 IN A 10.0.0.1', 'shop.alias.internal. 7 IN A 10.0.0.2'];
    await until('shop.alias.internal', 'A', [first, second] as string[]);
    await api.ok('UpdateInstanceCustomHealthStatus', { ServiceId: web, InstanceId: 'web-1', Status: 'UNHEALTHY' });
    await until('shop.alias.internal', 'A', [second] as string[]);
    await api.ok('UpdateInstanceCustomHealthStatus', { ServiceId: web, InstanceId: 'web-1', Status: 'HEALTHY' });
    await until('shop.alias.internal', 'A', [first, second] as string[]);
  });

  it('has AAAA only where its service has', async () => {
    const six = await api.createService(namespace, 'six', {
      DnsConfig: {
        DnsRecords: [
          { Type: 'A', TTL: 7 },
          { Type: 'AAAA', TTL: 7 },
        ],
      },
    });
    await api.register(six, 's', { AWS_INSTANCE_IPV4: '10.0.0.6', AWS_INSTANCE_IPV6: 'fd00::6' });
    const both = await aliasService('both', ['A', 'AAAA']);
    const four = await aliasService('four', ['A']);
    await api.register(both, 'lb', { AWS_ALIAS_DNS_NAME: 'six.alias.internal' });
    await api.register(four, 'lb', { AWS_ALIAS_DNS_NAME: 'six.alias.internal' });
    await until('both.alias.internal', 'AAAA', ['both.alias.internal. 7 IN AAAA fd00::6']);
    await until('four.alias.internal', 'A', ['four.alias.internal. 7 IN A 10.0.0.6']);
    expect(await dig(api.dnsPort, 'four.alias.internal', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answer: [] });
  });

  it('of an outside name answers what the upstreams say, asked once, and nothing else while that lasts', async () => {
    const out = await aliasService('out', ['A']);
    await api.register(out, 'lb', { AWS_ALIAS_DNS_NAME: 'balancer.example' });
    await until('out.alias.internal', 'A', ['out.alias.internal. 30 IN A 192.0.2.1']);
    const asked = upstream.seen.length;
    await api.register(web, 'web-3', { AWS_INSTANCE_IPV4: '10.0.0.3' });
    expect(upstream.seen.length).toBe(asked);
    await api.ok('DeregisterInstance', { ServiceId: web, InstanceId: 'web-3' });
  });

  it('that does not resolve is unhealthy: another one of the service is answered', async () => {
    outside = [];
    const mixed = await aliasService('mixed', ['A']);
    await api.register(mixed, 'gone', { AWS_ALIAS_DNS_NAME: 'gone.example' });
    await api.register(mixed, 'own', { AWS_ALIAS_DNS_NAME: 'six.alias.internal' });
    await until('mixed.alias.internal', 'A', ['mixed.alias.internal. 7 IN A 10.0.0.6']);
    outside = [[192, 0, 2, 1]];
  });

  it('follows a CNAME of our zones, also to the outside', async () => {
    const name = await api.createService(namespace, 'name', {
      DnsConfig: { RoutingPolicy: 'WEIGHTED', DnsRecords: [{ Type: 'CNAME', TTL: 7 }] },
    });
    await api.register(name, 'n', { AWS_INSTANCE_CNAME: 'other.example' });
    const via = await aliasService('via', ['A']);
    await api.register(via, 'lb', { AWS_ALIAS_DNS_NAME: 'name.alias.internal' });
    await until('via.alias.internal', 'A', ['via.alias.internal. 30 IN A 192.0.2.1']);
  });

  it('leaves nothing behind when it is deregistered', async () => {
    const brief = await aliasService('brief', ['A']);
    await api.register(brief, 'lb', { AWS_ALIAS_DNS_NAME: 'web.alias.internal' });
    await until('brief.alias.internal', 'A', [
      'brief.alias.internal. 7 IN A 10.0.0.1',
      'brief.alias.internal. 7 IN A 10.0.0.2',
    ]);
    await api.ok('DeregisterInstance', { ServiceId: brief, InstanceId: 'lb' });
    expect(await dig(api.dnsPort, 'brief.alias.internal', 'A')).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
  });

  it('that leads back to its own service brings nothing, and the daemon goes on', async () => {
    const self = await aliasService('self', ['A']);
    await api.register(self, 'plain', { AWS_INSTANCE_IPV4: '10.0.0.8' });
    await api.register(self, 'lb', { AWS_ALIAS_DNS_NAME: 'self.alias.internal' });
    const [one, two] = [await aliasService('one', ['A']), await aliasService('two', ['A'])];
    await api.register(one, 'plain', { AWS_INSTANCE_IPV4: '10.0.0.9' });
    await api.register(one, 'lb', { AWS_ALIAS_DNS_NAME: 'two.alias.internal' });
    await api.register(two, 'lb', { AWS_ALIAS_DNS_NAME: 'one.alias.internal' });
    await until('two.alias.internal', 'A', ['two.alias.internal. 999 IN A 10.0.0.9']);
    expect(await answers('self.alias.internal', 'A')).toEqual(['self.alias.internal. 999 IN A 10.0.0.8']);
    // What the circle stood for goes with the instance that was behind it: nothing in it keeps it up.
    await api.ok('UpdateService', { Id: two, Service: { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 1 }] } } });
    await api.ok('DeregisterInstance', { ServiceId: one, InstanceId: 'plain' });
    await api.register(two, 'plain', { AWS_INSTANCE_IPV4: '10.0.0.10' });
    await until('one.alias.internal', 'A', ['one.alias.internal. 1 IN A 10.0.0.10']);
    for (const [ServiceId, InstanceId] of [
      [self, 'lb'],
      [one, 'lb'],
      [two, 'lb'],
      [two, 'plain'],
    ])
      await api.ok('DeregisterInstance', { ServiceId, InstanceId });
  });

  it('of an alias answers each address once, under the TTL of whoever has it', async () => {
    const [mid, top] = [await aliasService('mid', ['A']), await aliasService('top', ['A'])];
    await api.register(mid, 'a', { AWS_ALIAS_DNS_NAME: 'six.alias.internal' });
    await api.register(mid, 'b', { AWS_ALIAS_DNS_NAME: 'six.alias.internal' });
    await api.register(top, 'lb', { AWS_ALIAS_DNS_NAME: 'mid.alias.internal' });
    await until('top.alias.internal', 'A', ['top.alias.internal. 7 IN A 10.0.0.6']);
  });
});
