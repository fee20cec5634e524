/** What the real clients are asked to resolve, registered through the SDK, and what each has to make of it. */
import type { Api } from '../../support/journey-api.ts';
import { nextMillisecond } from '../../support/journey-tools.ts';

/** RDATA as zone-file text, in order; or why there is none. */
export type Outcome = readonly string[] | 'NODATA' | 'NXDOMAIN';
export type QueryType = 'A' | 'AAAA' | 'SRV' | 'CNAME';

export const EIGHT_ADDRESSES = Array.from({ length: 8 }, (_, i) => `10.0.1.${i + 1}`);
export const CHAIN_ADDRESSES = {
  A: Array.from({ length: 8 }, (_, i) => `10.0.3.${i + 1}`),
  AAAA: Array.from({ length: 8 }, (_, i) => `fd00::3:${i + 1}`),
};
const SRV_PORTS = [5431, 5432, 5433];

/** Four CNAMEs whose names take more than 512 octets and less than 1232: a client without EDNS has to come over TCP. */
const CHAIN_LINKS = Array.from({ length: 4 }, (_, i) => `link-${i}-${'x'.repeat(50)}.${'y'.repeat(60)}`);
export const CHAIN = `${CHAIN_LINKS[0]}.corp.internal`;
/** The name whose SRV records take more than 1232 octets, so that every client has to come over TCP. */
const BIG_SERVICE = `_big._tcp.${'w'.repeat(60)}`;
export const BIG_SRV = `${BIG_SERVICE}.corp.internal`;
const BIG_IDS = Array.from({ length: 8 }, (_, i) => `big-${'z'.repeat(57)}-${i}`);
export const BIG_SRV_RECORDS = BIG_IDS.map((id, i) => `1 1 ${6000 + i} ${id}.${BIG_SRV}.`);

/** Each reply takes less than 512 octets: musl up to 1.2.3 has neither EDNS nor TCP. */
export const CASES: readonly (readonly [name: string, type: QueryType, outcome: Outcome])[] = [
  ['web.corp.internal', 'A', ['10.0.0.7']],
  ['web.corp.internal', 'AAAA', 'NODATA'],
  ['WeB.CoRp.InTeRnAl', 'A', ['10.0.0.7']],
  ['eight.corp.internal', 'A', EIGHT_ADDRESSES],
  ['six.corp.internal', 'AAAA', ['fd00::6']],
  ['six.corp.internal', 'A', 'NODATA'],
  ['dual.corp.internal', 'A', ['10.0.2.1', '10.0.2.2']],
  ['dual.corp.internal', 'AAAA', ['fd00::2:1', 'fd00::2:2']],
  ['_db._tcp.corp.internal', 'SRV', SRV_PORTS.map((port, i) => `1 1 ${port} db-${i + 1}._db._tcp.corp.internal.`)],
  ['_DB._TCP.CORP.INTERNAL', 'SRV', SRV_PORTS.map((port, i) => `1 1 ${port} db-${i + 1}._db._tcp.corp.internal.`)],
  ['db-2._db._tcp.corp.internal', 'A', ['10.0.4.2']],
  ['db-2._db._tcp.corp.internal', 'AAAA', ['fd00::4:2']],
  ['_db._tcp.corp.internal', 'A', 'NODATA'],
  ['_tcp.corp.internal', 'A', 'NODATA'],
  ['db-9._db._tcp.corp.internal', 'A', 'NXDOMAIN'],
  ['_none._tcp.corp.internal', 'SRV', 'NXDOMAIN'],
  ['none.corp.internal', 'A', 'NXDOMAIN'],
  ['none.corp.internal', 'AAAA', 'NXDOMAIN'],
  ['empty.corp.internal', 'A', 'NXDOMAIN'],
  ['shop.corp.internal', 'CNAME', ['web.corp.internal.']],
  ['shop.corp.internal', 'A', ['10.0.0.7']],
  ['shop.corp.internal', 'AAAA', 'NODATA'],
  ['lost.corp.internal', 'A', 'NXDOMAIN'],
  ['sick.corp.internal', 'A', ['10.0.5.2']],
];

/** @returns the id of the namespace `corp.internal` */
export async function registerContent(api: Api): Promise<string> {
  const corp = await api.createNamespace('corp.internal');
  const create = async (
    name: string,
    types: readonly QueryType[],
    instances: readonly (readonly [id: string, attributes: Record<string, string>])[],
    policy: 'MULTIVALUE' | 'WEIGHTED' = 'MULTIVALUE',
  ): Promise<string> => {
    const records = types.map((type) => [type, 60] as const);
    const health = name === 'sick' ? { HealthCheckCustomConfig: {} } : {};
    const service = await api.createService(corp, name, { records, policy, ...health });
    await Promise.all(instances.map(([id, attributes]) => api.register(service, id, attributes)));
    return service;
  };
  const ipv4 = (address: string) => ({ AWS_INSTANCE_IPV4: address });
  const ipv6 = (address: string) => ({ AWS_INSTANCE_IPV6: address });
  const alias = (name: string, target: string) =>
    create(name, ['CNAME'], [['1', { AWS_INSTANCE_CNAME: target }]], 'WEIGHTED');
  const many = (attributes: (i: number) => Record<string, string>, count: number) =>
    Array.from({ length: count }, (_, i) => [`i-${i}`, attributes(i)] as const);

  await Promise.all([
    create('web', ['A'], [['web-1', ipv4('10.0.0.7')]]),
    create(
      'eight',
      ['A'],
      EIGHT_ADDRESSES.map((address) => [address, ipv4(address)] as const),
    ),
    create('six', ['AAAA'], [['six-1', ipv6('fd00::6')]]),
    create(
      'dual',
      ['A', 'AAAA'],
      many((i) => ({ ...ipv4(`10.0.2.${i + 1}`), ...ipv6(`fd00::2:${i + 1}`) }), 2),
    ),
    create(
      '_db._tcp',
      ['SRV'],
      SRV_PORTS.map((port, i) => [
        `db-${i + 1}`,
        { ...ipv4(`10.0.4.${i + 1}`), ...ipv6(`fd00::4:${i + 1}`), AWS_INSTANCE_PORT: `${port}` },
      ]),
    ),
    create(
      BIG_SERVICE,
      ['SRV'],
      BIG_IDS.map((id, i) => [id, { ...ipv4(`10.0.6.${i}`), AWS_INSTANCE_PORT: `${6000 + i}` }] as const),
    ),
    create('empty', ['A'], []),
    alias('shop', 'web.corp.internal'),
    alias('lost', 'none.corp.internal'),
    ...CHAIN_LINKS.map((link, i) => alias(link, `${CHAIN_LINKS[i + 1] ?? 'end'}.corp.internal`)),
    create(
      'end',
      ['A', 'AAAA'],
      many((i) => ({ ...ipv4(CHAIN_ADDRESSES.A[i] as string), ...ipv6(CHAIN_ADDRESSES.AAAA[i] as string) }), 8),
    ),
  ]);
  // None is healthy, the second was so last.
  const sick = await create(
    'sick',
    ['A'],
    many((i) => ipv4(`10.0.5.${i + 1}`), 2),
  );
  for (const id of ['i-0', 'i-1']) {
    await nextMillisecond();
    await api.setHealth(sick, id, 'UNHEALTHY');
  }
  return corp;
}
