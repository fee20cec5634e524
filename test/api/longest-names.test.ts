import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dns, startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';

/** `total` characters in labels of at most 63, ending in `.<end>`. */
function longName(total: number, end: string): string {
  let name = end;
  while (name.length < total) {
    const label = Math.min(63, total - name.length - 1);
    // One character more would be a dot without a label.
    name = `${'l'.repeat(total - name.length - 1 - label === 1 ? label - 1 : label)}.${name}`;
  }
  return name;
}

const dnsPort = (api: TestApi) => Number(api.daemon.dns[0]?.split(':').at(-1));

// `ns.<zone>` and `hostmaster.<zone>` stop fitting before the zone's own name does.
describe.each([242, 243, 250, 251, 253])('a namespace whose name has %i characters', (length) => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('is served', async () => {
    const Name = longName(length, `n${length}`);
    expect(Name).toHaveLength(length);
    const Id = await api.createNamespace('PublicDns', { Name });
    expect((await api.ok('GetNamespace', { Id })).Namespace.Name).toBe(Name);
    expect(await dig(dnsPort(api), Name, 'SOA')).toMatchObject({ rcode: 'NOERROR', aa: true });
    expect(await dig(dnsPort(api), Name, 'NS')).toMatchObject({ rcode: 'NOERROR', aa: true });
    expect(await dig(dnsPort(api), Name, 'A')).toMatchObject({ rcode: 'NOERROR', answer: [] });
  });
});

describe('names at the limit of a domain name', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('takes <service>.<namespace> of 253 characters, not of 254', async () => {
    const Name = longName(200, 'service');
    const namespace = await api.createNamespace('PublicDns', { Name });
    const fits = longName(52, 's');
    const service = await api.createService(namespace, fits, dns({ A: 1 }));
    await api.register(service, 'one', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    expect((await dig(dnsPort(api), `${fits}.${Name}`, 'A')).answer).toHaveLength(1);
    const body = { NamespaceId: namespace, Name: longName(53, 's'), ...dns({ A: 1 }) };
    await api.refused('CreateService', body, 'InvalidInput', /253/);
    await api.createService(namespace, longName(53, 's'));
  });

  it('takes <instance>.<service>.<namespace> of 253 characters, not of 254', async () => {
    const Name = longName(200, 'target');
    const namespace = await api.createNamespace('PublicDns', { Name });
    const service = await api.createService(namespace, '_x._tcp', dns({ SRV: 1 }));
    const attributes = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' };
    const longest = 'i'.repeat(253 - Name.length - '._x._tcp.'.length);
    await api.register(service, longest, attributes);
    expect((await dig(dnsPort(api), `_x._tcp.${Name}`, 'SRV')).answer).toHaveLength(1);
    const body = { ServiceId: service, InstanceId: `${longest}i`, Attributes: attributes };
    await api.refused('RegisterInstance', body, 'InvalidInput', /253/);
  });
});

describe('unusual characters', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ quotaNamespaces: '0' });
  });
  afterAll(() => api.close());

  it('may all be in the name of a private namespace', async () => {
    for (let code = 0x21; code <= 0x7e; code++) {
      const character = String.fromCharCode(code);
      if (character === '.') continue;
      const namespace = await api.createNamespace('PrivateDns', { Name: `a${character}b${code}.local` });
      const service = await api.createService(namespace, 'web', dns({ SRV: 1 }));
      await api.register(service, 'i', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' });
    }
  });

  it('may be in instance ids of SRV services where DNS has room for them', async () => {
    const namespace = await api.createNamespace('PrivateDns', { Name: 'ids.local' });
    const service = await api.createService(namespace, 'web', dns({ SRV: 1 }));
    const attributes = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' };
    for (const id of ['a/b', 'a:b', 'a@b', 'a_b', 'a.b', 'a-b', '0', 'A.B.C']) {
      await api.register(service, id, attributes);
    }
    for (const InstanceId of ['.', 'a.', '.a', 'a..b', 'x'.repeat(64)]) {
      const body = { ServiceId: service, InstanceId, Attributes: attributes };
      await api.refused('RegisterInstance', body, 'InvalidInput', /SRV target/);
    }
  });

  it('may be in a CNAME', async () => {
    const namespace = await api.createNamespace('PrivateDns', { Name: 'cnames.local' });
    const service = await api.createService(namespace, 'c', dns({ CNAME: 1 }));
    for (let code = 0x21; code <= 0x7e; code++) {
      if (code === 0x2e) continue;
      await api.register(service, 'one', { AWS_INSTANCE_CNAME: `a${String.fromCharCode(code)}b.example` });
    }
  });
});
