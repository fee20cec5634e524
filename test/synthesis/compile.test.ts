import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/registry/model.ts';
import type { CompileOptions } from '../../src/synthesis/compile-options.ts';
import { selectEligible } from '../../src/synthesis/eligible.ts';
import {
  Content,
  type InstanceSpec,
  instanceOf,
  putInstance,
  putNamespace,
  putService,
  type ServiceSpec,
  serviceOf,
} from '../support/content.ts';

function contentOf(
  service: ServiceSpec,
  instances: readonly InstanceSpec[],
  options: Partial<CompileOptions> = {},
  seed = 1,
): Content {
  const changes: Change[] = [putNamespace(), putService(service), ...instances.map(putInstance)];
  return new Content(changes, options, seed);
}

interface Case {
  readonly title: string;
  readonly service: ServiceSpec;
  readonly instances: readonly InstanceSpec[];
  readonly options?: Partial<CompileOptions>;
  /** `name type` -> records, or an RCODE, or NODATA. */
  readonly expected: Readonly<Record<string, readonly string[]>>;
}

const A1: InstanceSpec = { id: 'a', ipv4: '10.0.0.1' };
const A2: InstanceSpec = { id: 'b', ipv4: '10.0.0.2' };

const CASES: readonly Case[] = [
  {
    title: 'A',
    service: { records: 'A 60' },
    instances: [A1, A2],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'],
      'web.corp.internal AAAA': ['NODATA'],
      'web.corp.internal SRV': ['NODATA'],
      'a.web.corp.internal A': ['NXDOMAIN'],
      'other.corp.internal A': ['NXDOMAIN'],
    },
  },
  {
    title: 'AAAA, in canonical form whatever was registered',
    service: { records: 'AAAA 60' },
    instances: [
      { id: 'a', ipv6: '2001:DB8:0:0:0:0:0:1' },
      { id: 'b', ipv6: '::ffff:1.2.3.4' },
    ],
    expected: {
      'web.corp.internal AAAA': [
        'web.corp.internal. 60 IN AAAA 2001:db8::1',
        'web.corp.internal. 60 IN AAAA ::ffff:102:304',
      ],
      'web.corp.internal A': ['NODATA'],
    },
  },
  {
    title: 'A and AAAA, each with its TTL',
    service: { records: 'A 60, AAAA 30' },
    instances: [{ ...A1, ipv6: '2001:db8::1' }],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1'],
      'web.corp.internal AAAA': ['web.corp.internal. 30 IN AAAA 2001:db8::1'],
    },
  },
  {
    title: 'an address that no record of the service wants',
    service: { records: 'A 60' },
    instances: [{ ...A1, ipv6: '2001:db8::1', port: 80 }],
    expected: { 'web.corp.internal AAAA': ['NODATA'], 'web.corp.internal SRV': ['NODATA'] },
  },
  {
    title: 'CNAME, whose case stays, for every type that is asked',
    service: { records: 'CNAME 20', policy: 'WEIGHTED' },
    instances: [{ id: 'a', cname: 'Target.Example.com' }],
    expected: {
      'web.corp.internal CNAME': ['web.corp.internal. 20 IN CNAME Target.Example.com.'],
      'web.corp.internal A': ['web.corp.internal. 20 IN CNAME Target.Example.com.'],
      'web.corp.internal SRV': ['web.corp.internal. 20 IN CNAME Target.Example.com.'],
    },
  },
  {
    title: 'CNAME with an ending dot',
    service: { records: 'CNAME 20', policy: 'WEIGHTED' },
    instances: [{ id: 'a', cname: 'example.com.' }],
    expected: { 'web.corp.internal CNAME': ['web.corp.internal. 20 IN CNAME example.com.'] },
  },
  {
    title: 'SRV with companions of both families',
    service: { records: 'SRV 45' },
    instances: [
      { ...A1, ipv6: '2001:db8::1', port: 8080 },
      { id: 'Task-B', ipv4: '10.0.0.2', port: 8081 },
    ],
    expected: {
      'web.corp.internal SRV': [
        'web.corp.internal. 45 IN SRV 1 1 8080 a.web.corp.internal.',
        'web.corp.internal. 45 IN SRV 1 1 8081 task-b.web.corp.internal.',
      ],
      'web.corp.internal A': ['NODATA'],
      'a.web.corp.internal A': ['a.web.corp.internal. 45 IN A 10.0.0.1'],
      'a.web.corp.internal AAAA': ['a.web.corp.internal. 45 IN AAAA 2001:db8::1'],
      'a.web.corp.internal SRV': ['NODATA'],
      'task-b.web.corp.internal A': ['task-b.web.corp.internal. 45 IN A 10.0.0.2'],
      'task-b.web.corp.internal AAAA': ['NODATA'],
      'c.web.corp.internal A': ['NXDOMAIN'],
    },
  },
  {
    title: 'SRV of a service and an instance with dots in their names',
    service: { name: '_http._tcp', records: 'SRV 45' },
    instances: [{ id: '10.0.0.1:80', ipv4: '10.0.0.1', port: 80 }],
    expected: {
      '_http._tcp.corp.internal SRV': [
        '_http._tcp.corp.internal. 45 IN SRV 1 1 80 10.0.0.1:80._http._tcp.corp.internal.',
      ],
      '10.0.0.1:80._http._tcp.corp.internal A': ['10.0.0.1:80._http._tcp.corp.internal. 45 IN A 10.0.0.1'],
      '_tcp.corp.internal SRV': ['NODATA'],
      '1:80._http._tcp.corp.internal A': ['NODATA'],
    },
  },
  {
    title: 'a service named "." at the apex',
    service: { name: '.', records: 'A 60' },
    instances: [A1],
    expected: {
      'corp.internal A': ['corp.internal. 60 IN A 10.0.0.1'],
      'corp.internal NS': ['corp.internal. 5 IN NS ns.corp.internal.'],
      'corp.internal AAAA': ['NODATA'],
    },
  },
  {
    title: 'an SRV service at the apex',
    service: { name: '.', records: 'SRV 60' },
    instances: [{ ...A1, port: 80 }],
    expected: {
      'corp.internal SRV': ['corp.internal. 60 IN SRV 1 1 80 a.corp.internal.'],
      'a.corp.internal A': ['a.corp.internal. 60 IN A 10.0.0.1'],
    },
  },
  {
    title: 'a service named with capitals',
    service: { name: 'Web', records: 'A 60' },
    instances: [A1],
    expected: { 'WEB.corp.internal A': ['WEB.corp.internal. 60 IN A 10.0.0.1'] },
  },
  {
    title: 'the TTLs 0 and 2147483647',
    service: { records: 'A 0, AAAA 2147483647' },
    instances: [{ ...A1, ipv6: '2001:db8::1' }],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 0 IN A 10.0.0.1'],
      'web.corp.internal AAAA': ['web.corp.internal. 2147483647 IN AAAA 2001:db8::1'],
    },
  },
  {
    title: 'a cap on TTLs, which lowers and never raises, zone and companions included',
    service: { records: 'SRV 300' },
    instances: [{ ...A1, port: 80 }],
    options: { maxTtlSeconds: 3 },
    expected: {
      'web.corp.internal SRV': ['web.corp.internal. 3 IN SRV 1 1 80 a.web.corp.internal.'],
      'a.web.corp.internal A': ['a.web.corp.internal. 3 IN A 10.0.0.1'],
      'corp.internal NS': ['corp.internal. 3 IN NS ns.corp.internal.'],
      'corp.internal SOA': [
        'corp.internal. 3 IN SOA ns.corp.internal. hostmaster.corp.internal. 1700000000 7200 900 1209600 3',
      ],
    },
  },
  {
    title: 'a cap above the TTL',
    service: { records: 'A 60' },
    instances: [A1],
    options: { maxTtlSeconds: 300 },
    expected: { 'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1'] },
  },
  {
    title: 'a cap of 0',
    service: { records: 'A 60' },
    instances: [A1],
    options: { maxTtlSeconds: 0 },
    expected: { 'web.corp.internal A': ['web.corp.internal. 0 IN A 10.0.0.1'] },
  },
  {
    title: 'instances with equal RDATA once',
    service: { records: 'A 60, AAAA 60' },
    instances: [
      { id: 'a', ipv4: '10.0.0.1', ipv6: '2001:db8::1' },
      { id: 'b', ipv4: '10.0.0.1', ipv6: '2001:db8:0::1' },
      { id: 'c', ipv4: '10.0.0.2', ipv6: '2001:db8::2' },
    ],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'],
      'web.corp.internal AAAA': [
        'web.corp.internal. 60 IN AAAA 2001:db8::1',
        'web.corp.internal. 60 IN AAAA 2001:db8::2',
      ],
    },
  },
  {
    title: 'a service with no instances',
    service: { records: 'A 60' },
    instances: [],
    expected: { 'web.corp.internal A': ['NXDOMAIN'], 'corp.internal A': ['NODATA'] },
  },
  {
    title: 'an instance without the attribute of the record (an alias)',
    service: { records: 'A 60' },
    instances: [{ id: 'a' }, A2],
    expected: { 'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.2'] },
  },
  {
    title: 'a service without DNS',
    service: { records: null },
    instances: [A1],
    expected: { 'web.corp.internal A': ['NXDOMAIN'], 'a.web.corp.internal A': ['NXDOMAIN'] },
  },
  {
    title: 'only what is healthy',
    service: { records: 'A 60', check: 'custom' },
    instances: [A1, { ...A2, status: 'UNHEALTHY', lastHealthyAt: 99 }],
    expected: { 'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1'] },
  },
  {
    title: 'whatever the status where the service has no check',
    service: { records: 'A 60', check: 'none' },
    instances: [A1, { ...A2, status: 'UNHEALTHY', lastHealthyAt: 99 }],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'],
    },
  },
  {
    title: 'the last healthy instance where none is healthy',
    service: { records: 'A 60', check: 'probe' },
    instances: [
      { ...A1, status: 'UNHEALTHY', lastHealthyAt: 1000 },
      { ...A2, status: 'UNHEALTHY', lastHealthyAt: 1001 },
      { id: 'c', ipv4: '10.0.0.3', status: 'UNHEALTHY' },
    ],
    expected: { 'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.2'] },
  },
  {
    title: 'all that were last healthy in the same millisecond',
    service: { records: 'A 60', check: 'custom' },
    instances: [
      { ...A1, status: 'UNHEALTHY', lastHealthyAt: 1001 },
      { ...A2, status: 'UNHEALTHY', lastHealthyAt: 1001 },
      { id: 'c', ipv4: '10.0.0.3', status: 'UNHEALTHY', lastHealthyAt: 1000 },
    ],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'],
    },
  },
  {
    title: 'all instances where none was ever healthy',
    service: { records: 'A 60', check: 'custom' },
    instances: [
      { ...A1, status: 'UNHEALTHY' },
      { ...A2, status: 'UNHEALTHY' },
    ],
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'],
    },
  },
  {
    title: 'all instances where none is healthy and the fallback says so',
    service: { records: 'A 60', check: 'custom' },
    instances: [
      { ...A1, status: 'UNHEALTHY', lastHealthyAt: 1000 },
      { ...A2, status: 'UNHEALTHY' },
    ],
    options: { fallback: 'all' },
    expected: {
      'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'],
    },
  },
  {
    title: 'what is healthy although the fallback is "all"',
    service: { records: 'A 60', check: 'custom' },
    instances: [A1, { ...A2, status: 'UNHEALTHY' }],
    options: { fallback: 'all' },
    expected: { 'web.corp.internal A': ['web.corp.internal. 60 IN A 10.0.0.1'] },
  },
  {
    title: 'the last healthy target of a WEIGHTED CNAME',
    service: { records: 'CNAME 20', policy: 'WEIGHTED', check: 'custom' },
    instances: [
      { id: 'a', cname: 'one.example', status: 'UNHEALTHY', lastHealthyAt: 7 },
      { id: 'b', cname: 'two.example', status: 'UNHEALTHY', lastHealthyAt: 8 },
    ],
    expected: { 'web.corp.internal A': ['web.corp.internal. 20 IN CNAME two.example.'] },
  },
  {
    title: 'companions whatever the health of their instance',
    service: { records: 'SRV 45', check: 'custom' },
    instances: [
      { ...A1, port: 80 },
      { ...A2, port: 80, status: 'UNHEALTHY', lastHealthyAt: 3 },
    ],
    expected: {
      'web.corp.internal SRV': ['web.corp.internal. 45 IN SRV 1 1 80 a.web.corp.internal.'],
      'b.web.corp.internal A': ['b.web.corp.internal. 45 IN A 10.0.0.2'],
    },
  },
  {
    title: 'addresses of ns.<zone>: where the daemon listens',
    service: { records: 'A 60' },
    instances: [],
    options: { nameServers: { ipv4: ['10.1.1.1', '10.1.1.2'], ipv6: [], areWildcard: false } },
    expected: {
      'ns.corp.internal A': ['ns.corp.internal. 5 IN A 10.1.1.1', 'ns.corp.internal. 5 IN A 10.1.1.2'],
      'ns.corp.internal AAAA': ['NODATA'],
    },
  },
  {
    title: 'a service named ns, which wins over the name server',
    service: { name: 'ns', records: 'A 60' },
    instances: [A1],
    expected: {
      'ns.corp.internal A': ['ns.corp.internal. 60 IN A 10.0.0.1'],
      'ns.corp.internal AAAA': ['NODATA'],
      'corp.internal NS': ['corp.internal. 5 IN NS ns.corp.internal.'],
    },
  },
  {
    title: 'an SRV instance of the apex named ns, which wins over the name server',
    service: { name: '.', records: 'SRV 60' },
    instances: [{ id: 'NS', ipv4: '10.0.0.9', port: 80 }],
    expected: { 'ns.corp.internal A': ['ns.corp.internal. 60 IN A 10.0.0.9'] },
  },
];

describe('what DNS answers for a service', () => {
  it.each(CASES)('$title', ({ service, instances, options, expected }) => {
    const content = contentOf(service, instances, options);
    const answered = Object.fromEntries(
      Object.keys(expected).map((question) => [question, content.dig(...(question.split(' ') as [string, string]))]),
    );
    expect(answered).toEqual(expected);
  });

  it('gives SRV answers the addresses of their targets as additional records', () => {
    const instances = [
      { ...A1, ipv6: '2001:db8::1', port: 8080 },
      { ...A2, port: 8081 },
    ];
    const { answer, additional } = contentOf({ records: 'SRV 45' }, instances).asker.ask('web.corp.internal', 'SRV');
    expect(answer).toHaveLength(2);
    expect(additional.sort()).toEqual([
      'a.web.corp.internal. 45 IN A 10.0.0.1',
      'a.web.corp.internal. 45 IN AAAA 2001:db8::1',
      'b.web.corp.internal. 45 IN A 10.0.0.2',
    ]);
  });

  it('gives only the drawn SRV records their additional records', () => {
    const instances = [
      { ...A1, port: 8080 },
      { ...A2, port: 8080 },
    ];
    const content = contentOf({ records: 'SRV 45', policy: 'WEIGHTED' }, instances);
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const { answer, additional } = content.asker.ask('web.corp.internal', 'SRV');
      expect([answer.length, additional.length]).toEqual([1, 1]);
      expect(answer[0]).toContain(` ${additional[0]?.split(' ')[0]}`);
      seen.add(answer[0] as string);
    }
    expect(seen.size).toBe(2);
  });

  it('names the targets of instances that share one attributes object each by its own id', () => {
    const shared = instanceOf({ id: 'a', ipv4: '10.0.0.1', port: 80 });
    const content = new Content([
      putNamespace(),
      putService({ records: 'SRV 60' }),
      { kind: 'instance', serviceId: 'srv-1', id: 'a', value: shared },
      { kind: 'instance', serviceId: 'srv-1', id: 'b', value: { ...shared, id: 'b' } },
    ]);
    expect(content.dig('web.corp.internal', 'SRV')).toEqual([
      'web.corp.internal. 60 IN SRV 1 1 80 a.web.corp.internal.',
      'web.corp.internal. 60 IN SRV 1 1 80 b.web.corp.internal.',
    ]);
  });
});

describe('choosing among ten', () => {
  const TEN: InstanceSpec[] = Array.from({ length: 10 }, (_, i) => ({ id: `i${i}`, ipv4: `10.0.0.${i}` }));

  it('MULTIVALUE answers eight of ten, distinct, and every one of them now and then', () => {
    const content = contentOf({ records: 'A 60' }, TEN);
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const answer = content.dig('web.corp.internal', 'A');
      expect(new Set(answer).size).toBe(8);
      for (const record of answer) seen.add(record);
    }
    expect(seen.size).toBe(10);
  });

  it('MULTIVALUE answers all of eight, in changing order', () => {
    const content = contentOf({ records: 'A 60' }, TEN.slice(0, 8));
    const orders = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { answer } = content.asker.ask('web.corp.internal', 'A');
      orders.add(answer.join());
      expect(new Set(answer).size).toBe(8);
    }
    expect(orders.size).toBeGreaterThan(10);
  });

  it('MULTIVALUE merges equal RDATA before it chooses', () => {
    const twice = [...TEN.slice(0, 8), ...TEN.slice(0, 8).map((spec) => ({ ...spec, id: `${spec.id}x` }))];
    expect(contentOf({ records: 'A 60' }, twice).dig('web.corp.internal', 'A')).toHaveLength(8);
  });

  it('WEIGHTED answers one, each equally often, A and AAAA on their own', () => {
    const instances = [
      { ...A1, ipv6: '2001:db8::1' },
      { ...A2, ipv6: '2001:db8::2' },
    ];
    const content = contentOf({ records: 'A 60, AAAA 60', policy: 'WEIGHTED' }, instances);
    const pairs = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const [a, ...more] = content.dig('web.corp.internal', 'A');
      const [aaaa] = content.dig('web.corp.internal', 'AAAA');
      expect(more).toEqual([]);
      const pair = `${a?.at(-1)}${aaaa?.at(-1)}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    expect([...pairs.keys()].sort()).toEqual(['11', '12', '21', '22']);
    for (const count of pairs.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('WEIGHTED chooses among the healthy alone', () => {
    const instances = TEN.map((spec, i) => ({
      ...spec,
      status: i === 4 ? ('HEALTHY' as const) : ('UNHEALTHY' as const),
    }));
    const content = contentOf({ records: 'A 60', policy: 'WEIGHTED', check: 'custom' }, instances);
    for (let i = 0; i < 30; i++)
      expect(content.dig('web.corp.internal', 'A')).toEqual(['web.corp.internal. 60 IN A 10.0.0.4']);
  });

  it('the fallback "all" answers by policy: up to eight, or one', () => {
    const sick = TEN.map((spec) => ({
      ...spec,
      status: 'UNHEALTHY' as const,
      lastHealthyAt: Number(spec.ipv4?.at(-1)),
    }));
    for (const [policy, count] of [
      ['MULTIVALUE', 8],
      ['WEIGHTED', 1],
    ] as const) {
      const content = contentOf({ records: 'A 60', policy, check: 'custom' }, sick, { fallback: 'all' });
      expect(content.dig('web.corp.internal', 'A')).toHaveLength(count);
    }
  });
});

describe('the zone', () => {
  const soaOf = (ttl: number): string =>
    `corp.internal. ${ttl} IN SOA ns.corp.internal. hostmaster.corp.internal. 1700000000 7200 900 1209600 ${ttl}`;

  it.each([
    ['the default', null, 5],
    ['its own', 60, 60],
    ['0', 0, 0],
  ])('has SOA and NS with %s as TTL and as negative TTL', (_, soaTtlSeconds, ttl) => {
    const content = new Content([putNamespace({ soaTtlSeconds })]);
    expect(content.dig('corp.internal', 'SOA')).toEqual([soaOf(ttl)]);
    expect(content.dig('corp.internal', 'NS')).toEqual([`corp.internal. ${ttl} IN NS ns.corp.internal.`]);
    expect(content.asker.ask('nobody.corp.internal', 'A')).toMatchObject({
      rcode: 'NXDOMAIN',
      authority: [soaOf(ttl)],
    });
    expect(content.asker.ask('corp.internal', 'A')).toMatchObject({ rcode: 'NOERROR', authority: [soaOf(ttl)] });
  });

  it('is in lower case whatever the namespace was called', () => {
    const content = new Content([putNamespace({ name: 'CORP.Internal' })]);
    expect(content.dig('corp.internal', 'SOA')).toEqual([soaOf(5)]);
    expect(content.dig('corp.internal', 'NS')).toEqual(['corp.internal. 5 IN NS ns.corp.internal.']);
  });

  it('answers ns.<zone> with both families', () => {
    const content = new Content([putNamespace()]);
    expect(content.dig('ns.corp.internal', 'A')).toEqual(['ns.corp.internal. 5 IN A 127.0.0.1']);
    expect(content.dig('ns.corp.internal', 'AAAA')).toEqual(['ns.corp.internal. 5 IN AAAA ::1']);
  });

  it('has no ns.<zone> where the daemon listens on no address that can be named', () => {
    const content = new Content([putNamespace()], { nameServers: { ipv4: [], ipv6: [], areWildcard: false } });
    expect(content.dig('ns.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  });

  it('is there for public namespaces and not for HTTP ones', () => {
    const content = new Content([
      putNamespace({ id: 'ns-1', name: 'public.example', type: 'DNS_PUBLIC' }),
      putNamespace({ id: 'ns-2', name: 'http.example', type: 'HTTP' }),
      putService({ id: 'srv-2', namespaceId: 'ns-2', records: null }),
      putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.1' }),
    ]);
    expect(content.dig('public.example', 'NS')).toEqual(['public.example. 5 IN NS ns.public.example.']);
    expect(content.dig('http.example', 'NS')).toEqual(['REFUSED']);
    expect(content.dig('web.http.example', 'A')).toEqual(['REFUSED']);
  });
});

describe('selectEligible', () => {
  const service = serviceOf({ check: 'custom' });

  it('says that it fell back, and only then', () => {
    const healthy = instanceOf({ id: 'a' });
    const sick = instanceOf({ id: 'b', status: 'UNHEALTHY', lastHealthyAt: 5 });
    expect(selectEligible(service, [healthy, sick], 'last-healthy')).toEqual({
      instances: [healthy],
      fallback: null,
      lastHealthyAt: null,
    });
    expect(selectEligible(service, [sick], 'last-healthy')).toEqual({
      instances: [sick],
      fallback: 'last-healthy',
      lastHealthyAt: 5,
    });
    expect(selectEligible(service, [sick], 'all')).toMatchObject({ instances: [sick], fallback: 'all' });
    expect(selectEligible(serviceOf({ check: 'none' }), [sick], 'last-healthy').fallback).toBeNull();
  });

  it('never gives none because of health', () => {
    for (const lastHealthyAt of [null, 0, 1]) {
      const sick = instanceOf({ id: 'a', status: 'UNHEALTHY', lastHealthyAt });
      expect(selectEligible(service, [sick], 'last-healthy').instances).toEqual([sick]);
    }
  });
});
