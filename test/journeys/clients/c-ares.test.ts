/** c-ares, as Node's `dns.Resolver` has it: it refuses SRV targets that are compressed, and knows NODATA from NXDOMAIN. */
import { promises as dns } from 'node:dns';
import { beforeAll, expect, it } from 'vitest';
import { Api } from '../../support/journey-api.ts';
import { shareDaemon } from '../../support/journey-tools.ts';
import {
  BIG_SRV,
  BIG_SRV_RECORDS,
  CASES,
  CHAIN,
  CHAIN_ADDRESSES,
  type Outcome,
  type QueryType,
  registerContent,
} from './content.ts';

const daemon = shareDaemon({ settings: { STORE: 'memory' } });
let api: Api;
let namespaceId: string;
let resolver: dns.Resolver;

beforeAll(async () => {
  api = new Api(daemon().endpoint);
  namespaceId = await registerContent(api);
  resolver = new dns.Resolver();
  resolver.setServers([`127.0.0.1:${daemon().dnsPort}`]);
});

async function resolve(name: string, type: QueryType): Promise<Outcome> {
  try {
    const records = (await resolveRecords(name, type)).sort();
    // Behind a CNAME it has nothing to say of a name without such records but an empty list.
    return records.length === 0 ? 'NODATA' : records;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENODATA') return 'NODATA';
    if (code === 'ENOTFOUND') return 'NXDOMAIN';
    throw error;
  }
}

async function resolveRecords(name: string, type: QueryType): Promise<string[]> {
  switch (type) {
    case 'A':
      return await resolver.resolve4(name);
    case 'AAAA':
      return await resolver.resolve6(name);
    case 'CNAME':
      return (await resolver.resolveCname(name)).map((target) => `${target}.`);
    case 'SRV': {
      const records = await resolver.resolveSrv(name);
      return records.map(({ priority, weight, port, name: target }) => `${priority} ${weight} ${port} ${target}.`);
    }
  }
}

it.each(CASES)('has of %s %s what there is', async (name, type, outcome) => {
  expect(await resolve(name, type)).toEqual(outcome);
});

it('has the TTL of each address', async () => {
  expect(await resolver.resolve4('web.corp.internal', { ttl: true })).toEqual([{ address: '10.0.0.7', ttl: 60 }]);
  expect(await resolver.resolve6('six.corp.internal', { ttl: true })).toEqual([{ address: 'fd00::6', ttl: 60 }]);
});

it('has what lies at the apex', async () => {
  expect(await resolver.resolveSoa('corp.internal')).toMatchObject({
    nsname: 'ns.corp.internal',
    hostmaster: 'hostmaster.corp.internal',
    minttl: 5,
  });
  expect(await resolver.resolveNs('corp.internal')).toEqual(['ns.corp.internal']);
  expect(await resolver.resolve4('ns.corp.internal')).toEqual(['127.0.0.1']);
});

it('has one RRset for ANY, and nothing for types that we do not have', async () => {
  expect(await resolver.resolveAny('web.corp.internal')).toEqual([{ type: 'A', address: '10.0.0.7', ttl: 60 }]);
  for (const resolveOther of ['resolveTxt', 'resolveMx', 'resolveCaa', 'resolvePtr', 'resolveNaptr'] as const) {
    await expect(resolver[resolveOther]('web.corp.internal'), resolveOther).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolver[resolveOther]('none.corp.internal')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  }
});

it('is refused outside of our zones', async () => {
  await expect(resolver.resolve4('outside.example')).rejects.toMatchObject({ code: 'EREFUSED' });
});

it('has answers beyond 512 octets, and beyond 1232', async () => {
  expect(await resolve(BIG_SRV, 'SRV')).toEqual(BIG_SRV_RECORDS);
  expect(await resolve(CHAIN, 'A')).toEqual(CHAIN_ADDRESSES.A);
  expect(await resolve(CHAIN, 'AAAA')).toEqual(CHAIN_ADDRESSES.AAAA);
});

it('has all answers to many questions at once', async () => {
  const questions = Array.from({ length: 20 }, () => CASES).flat();
  const outcomes = await Promise.all(questions.map(([name, type]) => resolve(name, type)));
  expect(outcomes).toEqual(questions.map(([, , outcome]) => outcome));
});

it('follows register and deregister', async () => {
  const service = await api.createService(namespaceId, '_live._tcp', { records: [['SRV', 0]] });
  await api.register(service, 'a', { AWS_INSTANCE_IPV4: '10.0.9.1', AWS_INSTANCE_PORT: '81' });
  const name = '_live._tcp.corp.internal';
  // It keeps answers for as long as their TTL says, which is 0 here.
  expect(await resolve(name, 'SRV')).toEqual([`1 1 81 a.${name}.`]);
  await api.register(service, 'b', { AWS_INSTANCE_IPV4: '10.0.9.2', AWS_INSTANCE_PORT: '82' });
  expect(await resolve(name, 'SRV')).toEqual([`1 1 81 a.${name}.`, `1 1 82 b.${name}.`]);
  await api.deregister(service, 'a');
  expect(await resolve(name, 'SRV')).toEqual([`1 1 82 b.${name}.`]);
  await api.deregister(service, 'b');
  expect(await resolve(name, 'SRV')).toEqual('NXDOMAIN');
});
