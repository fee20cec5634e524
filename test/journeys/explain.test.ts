/** `GET /admin/explain` of names in namespaces: why the answer is what it is, with the answer itself. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { explain, instancesOf, stable, summaryOf } from '../support/explaining.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { Api } from '../support/journey-api.ts';
import { nextMillisecond, setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();

/** A service of `corp.internal`, and its instances by id. */
interface Declared {
  readonly dns?: string;
  readonly more?: string;
  readonly instances?: Readonly<Record<string, string>>;
}

const declare = (services: Readonly<Record<string, Declared>>): string =>
  Object.entries(services)
    .map(([name, { dns, more = '', instances = {} }]) =>
      [
        `      - name: ${name}`,
        ...(dns === undefined ? [] : [`        dns: { ${dns} }`]),
        ...(more === '' ? [] : [`        ${more}`]),
        ...(Object.keys(instances).length === 0 ? [] : ['        instances:']),
        ...Object.entries(instances).map(
          ([id, attributes]) => `          - { id: ${id}, attributes: { ${attributes} } }`,
        ),
      ].join('\n'),
    )
    .join('\n');

const a = (address: string): string => `AWS_INSTANCE_IPV4: ${address}`;
const A10 = 'records: [{ type: A, ttl: 10 }]';

const CONTENT = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
${declare({
  many: {
    dns: `routingPolicy: MULTIVALUE, ${A10}`,
    instances: Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`i-${n}`, a(`10.0.1.${n}`)])),
  },
  'one-of': {
    dns: `routingPolicy: WEIGHTED, ${A10}`,
    instances: { a: a('10.0.2.1'), b: a('10.0.2.2'), c: a('10.0.2.3') },
  },
  mixed: {
    dns: 'routingPolicy: MULTIVALUE, records: [{ type: A, ttl: 10 }, { type: AAAA, ttl: 20 }]',
    instances: {
      m: `${a('10.0.3.1')}, AWS_INSTANCE_IPV6: "fd00::1"`,
      n: `${a('10.0.3.2')}, AWS_INSTANCE_IPV6: "fd00::2"`,
    },
  },
  '_db._tcp': {
    dns: 'records: [{ type: SRV, ttl: 10 }]',
    instances: { 'db-1': `${a('10.0.4.1')}, AWS_INSTANCE_PORT: "5432"` },
  },
  link: { dns: 'records: [{ type: CNAME, ttl: 10 }]', instances: { l: 'AWS_INSTANCE_CNAME: one-of.corp.internal' } },
  lb: { dns: `routingPolicy: WEIGHTED, ${A10}`, instances: { lb: 'AWS_ALIAS_DNS_NAME: mixed.corp.internal' } },
  lost: { dns: `routingPolicy: WEIGHTED, ${A10}`, instances: { n: 'AWS_ALIAS_DNS_NAME: gone.corp.internal' } },
  empty: { dns: A10 },
  'api-only': { instances: { x: 'url: "http://10.0.0.9"' } },
})}
  - name: jobs.corp
    type: HTTP
    services:
      - name: mail
records:
  - { name: printer.corp.example, type: A, value: 10.9.9.9 }
  - { name: empty.corp.internal, type: A, value: 10.9.9.8 }
`;

const NEGATIVE = "Clients may remember that for 5 s, the TTL of the zone's SOA.";
const SOA_TTL = "The TTL is 5 s, that of the zone's SOA.";
const RULE = 'The rule for internal (CLOUDMAPD_FORWARD) does not count: registered names come first.';
const NAMESPACE = 'the namespace corp.internal (ns-*)';
const OUTSIDE = 'It is in no namespace here.';
const ZONE = 'The zone corp.internal is at serial N.';
const of = (service: string): string => `It is the service ${service} (srv-*) of the namespace corp.internal (ns-*).`;
const unchecked = (count: string): string => `Nobody checks the health of its instances: ${count} can be answered.`;

describe('a name', () => {
  const shared = shareForwarding({
    file: () => CONTENT,
    settings: () => ({ UPSTREAMS: 'none', FORWARD: 'internal=127.0.0.1:9' }),
  });
  const endpoint = (): string => shared().daemon.endpoint;

  it.each<[string, string[], string[]]>([
    [
      'mixed.corp.internal AAAA',
      [
        of('mixed'),
        unchecked('2 instances'),
        'MULTIVALUE: an answer has all 2, in random order.',
        'The TTL is 20 s, as the service says of AAAA.',
        ZONE,
      ],
      ['m UNKNOWN answered fd00::1', 'n UNKNOWN answered fd00::2'],
    ],
    [
      '_db._tcp.corp.internal SRV',
      [
        '_db._tcp.corp.internal SRV is answered with 1 1 5432 db-1._db._tcp.corp.internal.',
        of('_db._tcp'),
        unchecked('1 instance'),
        'The TTL is 10 s, as the service says of SRV.',
        ZONE,
      ],
      ['db-1 UNKNOWN answered 1 1 5432 db-1._db._tcp.corp.internal.'],
    ],
    [
      'db-1._db._tcp.corp.internal A',
      [
        'db-1._db._tcp.corp.internal A is answered with 10.0.4.1.',
        `It is what the SRV record of db-1 leads to, an instance of the service _db._tcp in ${NAMESPACE}.`,
        'It is answered whatever its health.',
        'The TTL is 10 s, as the service says of SRV.',
        ZONE,
      ],
      ['db-1 UNKNOWN answered 10.0.4.1'],
    ],
    [
      'db-1._db._tcp.corp.internal AAAA',
      ['db-1 has no AAAA record there.', RULE, NEGATIVE, ZONE],
      ['db-1 UNKNOWN no-record'],
    ],
    [
      '_db._tcp.corp.internal A',
      [
        '_db._tcp.corp.internal A is answered with no record: NODATA.',
        of('_db._tcp'),
        'The service has SRV records, and none of type A.',
        RULE,
        NEGATIVE,
        ZONE,
      ],
      ['db-1 UNKNOWN no-record'],
    ],
    [
      '_tcp.corp.internal A',
      [
        '_tcp.corp.internal A is answered with no record: NODATA.',
        `In ${NAMESPACE} nothing has that name itself, but there is _db._tcp.corp.internal.`,
        RULE,
        NEGATIVE,
        ZONE,
      ],
      [],
    ],
    [
      'mayn.corp.internal A',
      [
        'mayn.corp.internal A is answered with NXDOMAIN: there is no such name.',
        `No service of ${NAMESPACE} has that name (it has 9).`,
        'There is many.corp.internal.',
        RULE,
        NEGATIVE,
        ZONE,
      ],
      [],
    ],
    [
      'api-only.corp.internal A',
      [
        'api-only.corp.internal A is answered with NXDOMAIN: there is no such name.',
        `The service api-only of ${NAMESPACE} has no DnsConfig: it is for the API alone (DiscoverInstances).`,
        RULE,
        NEGATIVE,
        ZONE,
      ],
      [],
    ],
    [
      'empty.corp.internal A',
      [
        'empty.corp.internal A is answered with NXDOMAIN: there is no such name.',
        of('empty'),
        'No instance of it is registered, so there are no records.',
        'A name of the settings (`records`, CLOUDMAPD_OWN_NAME) is the same: registered names come first.',
        RULE,
        NEGATIVE,
        ZONE,
      ],
      [],
    ],
    [
      'lb.corp.internal A',
      [
        'lb.corp.internal A is answered with 10.0.3.1 and 10.0.3.2.',
        of('lb'),
        'Its one instance is healthy.',
        'lb stands for mixed.corp.internal (AWS_ALIAS_DNS_NAME), whose addresses it has, under their TTL of 10 s.',
        ZONE,
      ],
      ['lb HEALTHY answered 10.0.3.1 10.0.3.2'],
    ],
    [
      'lost.corp.internal A',
      [
        of('lost'),
        'n stands for gone.corp.internal (AWS_ALIAS_DNS_NAME), of which no A record is known.',
        RULE,
        NEGATIVE,
        ZONE,
      ],
      ['n UNHEALTHY alias-unresolved'],
    ],
    [
      'Corp.Internal. TXT',
      [
        'Corp.Internal TXT is answered with no record: NODATA.',
        `It is the name of ${NAMESPACE} itself, which has SOA and NS alone.`,
        RULE,
        NEGATIVE,
        ZONE,
      ],
      [],
    ],
    [
      'ns.corp.internal A',
      [
        'ns.corp.internal A is answered with 127.0.0.1.',
        `It is the name server of ${NAMESPACE}: this daemon.`,
        SOA_TTL,
        ZONE,
      ],
      [],
    ],
    [
      'corp.internal NS',
      [
        'corp.internal NS is answered with ns.corp.internal.',
        `It is the name of ${NAMESPACE} itself, which has SOA and NS alone.`,
        SOA_TTL,
        ZONE,
      ],
      [],
    ],
    [
      'many.corp.internal AXFR',
      ['many.corp.internal AXFR is answered with REFUSED: zone transfers are not served.', of('many'), RULE, ZONE],
      Array.from({ length: 12 }, (_, n) => `i-${n} UNKNOWN no-record`),
    ],
    [
      'printer.corp.example A',
      [
        'printer.corp.example A is answered with 10.9.9.9.',
        'printer.corp.example is a name of the settings: of `records` in the file, or CLOUDMAPD_OWN_NAME.',
        'The TTL is 60 s, as `records` says.',
      ],
      [],
    ],
    [
      'cloudmap A',
      [
        'cloudmap A is answered with 127.0.0.1.',
        'cloudmap is a name of the settings: of `records` in the file, or CLOUDMAPD_OWN_NAME.',
        "The TTL is 5 s, as always of the daemon's own name.",
      ],
      [],
    ],
    [
      'mail.jobs.corp A',
      [
        'mail.jobs.corp A is REFUSED.',
        'It is in no namespace here.',
        'The namespace jobs.corp is of type HTTP: its services are for DiscoverInstances alone, not for DNS.',
        'Names outside are not looked up: no upstreams are set (CLOUDMAPD_UPSTREAMS).',
      ],
      [],
    ],
    [
      'many A',
      [
        'many A is answered with NXDOMAIN: there is no such name.',
        'It is in no namespace here.',
        'There is many.corp.internal: ask for the whole name.',
        'Names of one label are for local use, and nobody is asked for them (CLOUDMAPD_SPECIAL_USE_NAMES).',
        'Clients may remember that for 5 s, as CLOUDMAPD_SOA_TTL says.',
      ],
      [],
    ],
  ])('%s', async (question, summary, instances) => {
    const said = await summaryOf(endpoint(), question);
    expect(said.slice(-summary.length)).toEqual(summary);
    expect(instancesOf(await explain(endpoint(), question))).toEqual(instances);
  });

  it('of a MULTIVALUE service with more than eight instances says which eight are in the answer', async () => {
    const explained = await explain(endpoint(), 'many.corp.internal');
    expect(explained.summary).toContain('MULTIVALUE: each answer has 8 of the 12 that could be in it, drawn anew.');
    const answered = (explained.names[0]?.registry?.instances ?? []).filter(({ verdict }) => verdict === 'answered');
    expect(answered).toHaveLength(8);
    expect(answered.flatMap(({ records }) => records).sort()).toEqual(
      explained.answer.map(({ rdata }) => rdata).sort(),
    );
    expect(instancesOf(explained).filter((text) => text.includes(' not-drawn '))).toHaveLength(4);
  });

  it.each(['CNAME', 'ANY'])('of a CNAME that is asked for itself goes no further: %s', async (type) => {
    const explained = await explain(endpoint(), `link.corp.internal ${type}`);
    expect(explained.answer.map(({ type }) => type)).toEqual(['CNAME']);
    expect(explained.names.map(({ name }) => name)).toEqual(['link.corp.internal']);
    expect(explained.summary.join(' ')).not.toMatch(/leads to|may remember/);
  });

  it('of a WEIGHTED service says which instance is in the answer, behind a CNAME too', async () => {
    const explained = await explain(endpoint(), 'link.corp.internal');
    const [cname, address] = explained.answer;
    expect(explained.answer.map(({ type }) => type)).toEqual(['CNAME', 'A']);
    expect(cname?.rdata).toBe('one-of.corp.internal.');
    const drawn = { '10.0.2.1': 'a', '10.0.2.2': 'b', '10.0.2.3': 'c' }[address?.rdata ?? ''] as string;
    expect(explained.summary.map(stable)).toEqual([
      `link.corp.internal A is answered with ${address?.rdata}.`,
      of('link'),
      unchecked('1 instance'),
      'The TTL is 10 s, as the service says of CNAME.',
      'link.corp.internal is a CNAME, and it leads to one-of.corp.internal.',
      of('one-of'),
      unchecked('3 instances'),
      `WEIGHTED: each answer has one of the 3, drawn anew, this time ${drawn}.`,
      'The TTL is 10 s, as the service says of A.',
      ZONE,
    ]);
    expect(instancesOf(explained)).toEqual(['l UNKNOWN answered one-of.corp.internal.']);
    expect(instancesOf(explained, 1).filter((text) => text.includes(' answered '))).toEqual([
      `${drawn} UNKNOWN answered ${address?.rdata}`,
    ]);
    const followed = await summaryOf(endpoint(), 'link.corp.internal AAAA');
    expect(followed[0]).toBe('link.corp.internal AAAA is answered with a CNAME alone.');
    expect(followed).toContain('The service has A records, and none of type AAAA.');
    expect(followed).toContain(NEGATIVE);
  });

  it('has in JSON what the text says, and the very records of the answer', async () => {
    const { at, question, rcode, outcome, transport, names, authority } = await explain(
      endpoint(),
      'none.corp.internal',
      '10.1.2.3',
    );
    expect({ question, rcode, outcome, transport }).toEqual({
      question: { name: 'none.corp.internal', type: 'A', from: '10.1.2.3', to: '127.0.0.1' },
      rcode: 'NXDOMAIN',
      outcome: 'zone',
      transport: 'udp',
    });
    expect(new Date(at).toISOString()).toBe(at);
    const namespace = names[0]?.registry?.namespace;
    expect(namespace).toMatchObject({
      name: 'corp.internal',
      type: 'DNS_PRIVATE',
      negativeTtlSeconds: 5,
      serviceCount: 9,
    });
    expect(authority).toEqual([
      {
        name: 'corp.internal.',
        ttl: 5,
        class: 'IN',
        type: 'SOA',
        rdata: `ns.corp.internal. hostmaster.corp.internal. ${namespace?.serial} 7200 900 1209600 5`,
      },
    ]);
  });

  it('that is wrong is refused with the parameter and what is wrong with it', async () => {
    const ask = async (query: string): Promise<[number, unknown]> => {
      const response = await fetch(`${endpoint()}/admin/explain?${query}`);
      return [response.status, await response.json()];
    };
    expect(await ask('')).toEqual([400, { error: expect.stringMatching(/^name: /) }]);
    expect(await ask('name=a..b')).toEqual([400, { error: 'name: "a..b" is no domain name' }]);
    expect(await ask(`name=${'a'.repeat(64)}`)).toEqual([400, { error: expect.stringMatching(/^name: /) }]);
    expect(await ask('name=a.b&type=TYPE65536')).toEqual([
      400,
      { error: expect.stringMatching(/^type: "TYPE65536" /) },
    ]);
    expect(await ask('name=a.b&from=somebody')).toEqual([400, { error: 'from: "somebody" is no IP address' }]);
    expect(await ask('name=a.b&for=me')).toEqual([400, { error: expect.stringContaining('for') }]);
  });
});

describe('health', () => {
  const shared = shareDaemon({ settings: { STORE: 'memory' } });
  let daemon: RunningDaemon;
  let api: Api;
  let service: string;
  beforeEach(async () => {
    daemon = shared();
    api = new Api(daemon.endpoint);
    const namespace = await api.createNamespace('corp.internal');
    service = await api.createService(namespace, 'web', { HealthCheckCustomConfig: {}, records: [['A', 60]] });
    for (const n of [1, 2, 3]) await api.register(service, `web-${n}`, { AWS_INSTANCE_IPV4: `10.0.0.${n}` });
  });
  afterEach(() => api.wipe());

  /** In a millisecond of its own: only equal ones tie for the last healthy. */
  async function set(n: number, status: 'HEALTHY' | 'UNHEALTHY'): Promise<void> {
    await nextMillisecond();
    await api.setHealth(service, `web-${n}`, status);
  }
  const why = (): Promise<string[]> => summaryOf(daemon.endpoint, 'web.corp.internal');
  const tail = ['The TTL is 60 s, as the service says of A.', ZONE];

  it('leaves out who is unhealthy, and says since when and why', async () => {
    expect((await why()).slice(1)).toEqual([
      of('web'),
      'All 3 of its instances are healthy.',
      'MULTIVALUE: an answer has all 3, in random order.',
      ...tail,
    ]);
    await set(2, 'UNHEALTHY');
    expect((await why()).slice(1)).toEqual([
      of('web'),
      '2 of its 3 instances are healthy, and those alone can be answered.',
      'web-2 is left out: UNHEALTHY for T (UpdateInstanceCustomHealthStatus).',
      'MULTIVALUE: an answer has all 2, in random order.',
      ...tail,
    ]);
    const explained = await explain(daemon.endpoint, 'web.corp.internal');
    expect(instancesOf(explained)).toEqual([
      'web-1 HEALTHY answered 10.0.0.1',
      'web-2 UNHEALTHY unhealthy 10.0.0.2',
      'web-3 HEALTHY answered 10.0.0.3',
    ]);
    expect(explained.names[0]?.registry?.instances[1]?.lastTransition).toEqual({
      at: expect.stringMatching(/Z$/),
      health: 'UNHEALTHY',
      reason: 'UpdateInstanceCustomHealthStatus',
    });
  });

  it('of none is answered with the last healthy one, as dig sees it too', async () => {
    for (const n of [1, 3, 2]) await set(n, 'UNHEALTHY');
    expect(await why()).toEqual([
      'web.corp.internal A is answered with 10.0.0.2.',
      of('web'),
      'None of its instances is healthy, so what was healthy last is answered: web-2, healthy until T ago (CLOUDMAPD_DNS_FALLBACK=last-healthy).',
      'web-1 is left out: UNHEALTHY for T (UpdateInstanceCustomHealthStatus).',
      'web-3 is left out: UNHEALTHY for T (UpdateInstanceCustomHealthStatus).',
      ...tail,
    ]);
    const explained = await explain(daemon.endpoint, 'web.corp.internal');
    expect((await dig(daemon.dnsPort, 'web.corp.internal', 'A')).answer).toEqual([
      'web.corp.internal. 60 IN A 10.0.0.2',
    ]);
    expect(explained.extendedErrors).toEqual([
      {
        code: 0,
        name: 'Other',
        text: expect.stringMatching(/^3 instances, none healthy, answering web-2, last healthy/),
      },
    ]);
    expect(instancesOf(explained).map((text) => text.split(' ')[2])).toEqual([
      'not-last-healthy',
      'answered',
      'not-last-healthy',
    ]);
  });

  it('of none that ever was is answered with all', async () => {
    for (const n of [1, 2, 3]) await api.deregister(service, `web-${n}`);
    for (const n of [1, 2]) {
      const attributes = { AWS_INSTANCE_IPV4: `10.0.0.${n}`, AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' };
      await api.register(service, `web-${n}`, attributes);
    }
    expect((await why())[2]).toBe(
      'Neither of its instances is healthy and none ever was, as far as is known, so both count nevertheless (CLOUDMAPD_DNS_FALLBACK=last-healthy).',
    );
  });
});

describe('settings', () => {
  it('that cap TTLs, answer all and put things off are named', async () => {
    const { endpoint } = await journey.start({
      settings: {
        STORE: 'memory',
        DNS_MAX_TTL: '7',
        DNS_FALLBACK: 'all',
        CUSTOM_HEALTH_DELAY_MS: '3600000',
        SOA_TTL: '30',
      },
    });
    const api = new Api(endpoint);
    const service = await api.createService(await api.createNamespace('corp.internal'), 'web', {
      HealthCheckCustomConfig: {},
    });
    const attributes = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' };
    await api.register(service, 'web-1', attributes);
    await api.setHealth(service, 'web-1', 'HEALTHY');
    expect(await summaryOf(endpoint, 'web.corp.internal')).toEqual([
      'web.corp.internal A is answered with 10.0.0.1.',
      of('web'),
      'Its one instance is not healthy, so it is answered nevertheless (CLOUDMAPD_DNS_FALLBACK=all).',
      'web-1 will be HEALTHY in T (CLOUDMAPD_CUSTOM_HEALTH_DELAY_MS).',
      "The TTL is 7 s, which CLOUDMAPD_DNS_MAX_TTL has made of the service's 60 s.",
      ZONE,
    ]);
    expect(await summaryOf(endpoint, 'none.corp.internal')).toContain(
      "Clients may remember that for 7 s, the TTL of the zone's SOA.",
    );
  });

  it('that put operations off show in what is yet to come', async () => {
    const content = `namespaces:\n  - name: corp.internal\n    type: DNS_PRIVATE\n    services:\n      - name: web\n        dns: { ${A10} }\n`;
    const { endpoint } = await journey.start({
      settings: { STORE: 'memory', OPERATION_DELAY_MS: '3600000', CONFIG: journey.writeFile('c.yaml', content) },
    });
    const [id] = (await explain(endpoint, 'web.corp.internal')).summary[1]?.match(/srv-\w+/) ?? [];
    await new Api(endpoint).register(id as string, 'web-9', { AWS_INSTANCE_IPV4: '10.0.0.9' });
    const said = await summaryOf(endpoint, 'web.corp.internal');
    expect(said).toContain('web-9 will be registered in T (CLOUDMAPD_OPERATION_DELAY_MS).');
  });

  it('that make the choice repeatable are not disturbed by explanations', async () => {
    const start = () =>
      journey.start({
        settings: { STORE: 'memory', SEED: '7', UPSTREAMS: 'none', CONFIG: journey.writeFile('c.yaml', CONTENT) },
      });
    const [plain, explained] = [await start(), await start()];
    const answersOf = async ({ dnsPort }: RunningDaemon, between: () => Promise<unknown>): Promise<string[][]> => {
      const answers: string[][] = [];
      for (let i = 0; i < 10; i++) {
        answers.push((await dig(dnsPort, 'many.corp.internal', 'A')).answer);
        await between();
      }
      return answers;
    };
    const alone = await answersOf(plain, async () => undefined);
    expect(await answersOf(explained, () => explain(explained.endpoint, 'many.corp.internal'))).toEqual(alone);
  });

  it('with several threads, one of them is asked', async () => {
    const { endpoint } = await journey.start({
      settings: { STORE: 'memory', DNS_THREADS: '2', CONFIG: journey.writeFile('c.yaml', CONTENT) },
    });
    expect((await summaryOf(endpoint, 'mixed.corp.internal'))[1]).toBe(of('mixed'));
  });
});

describe('the name of an address', () => {
  const REVERSE = '1.3.0.10.in-addr.arpa PTR';

  it('is explained where PTR records are made, and where they are not', async () => {
    const config = journey.writeFile('c.yaml', CONTENT);
    const settings = { STORE: 'memory', CONFIG: config };
    const [without, having] = [
      await journey.start({ settings }),
      await journey.start({ settings: { ...settings, DNS_PTR: 'true' } }),
    ];
    expect((await summaryOf(without.endpoint, REVERSE)).slice(0, 3)).toEqual([
      '1.3.0.10.in-addr.arpa PTR is REFUSED.',
      OUTSIDE,
      'm (mixed.corp.internal) has the address, but PTR records are made by CLOUDMAPD_DNS_PTR alone.',
    ]);
    expect(await summaryOf(having.endpoint, REVERSE)).toEqual([
      '1.3.0.10.in-addr.arpa PTR is answered with mixed.corp.internal.',
      'It is the name of an address that m (mixed.corp.internal) has, and so it has a PTR record (CLOUDMAPD_DNS_PTR).',
      "The TTL is 10 s: the least of its services' records, or CLOUDMAPD_DNS_MAX_TTL where that is less.",
    ]);
    expect(await summaryOf(having.endpoint, '10.0.3.1')).toContain(
      'It is an address, of which the name is 1.3.0.10.in-addr.arpa, with type PTR.',
    );
    expect(await summaryOf(having.endpoint, `${'2.'}${'0.'.repeat(29)}d.f.ip6.arpa PTR`)).toContain(
      'It is the name of an address that n (mixed.corp.internal) has, and so it has a PTR record (CLOUDMAPD_DNS_PTR).',
    );
  });
});

describe('a wildcard listener', () => {
  it("is asked at the address that a client of its network would ask, which is the daemon's own then", async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory', DNS: '0.0.0.0:0' } });
    const { question, answer } = await explain(endpoint, 'cloudmap', '127.0.0.5');
    expect(question.to).toBe('127.0.0.1');
    expect(answer.map(({ rdata }) => rdata)).toEqual(['127.0.0.1']);
    expect((await explain(endpoint, 'cloudmap', '203.0.113.9')).question.to).toBe(null);
  });
});

describe('namespaces', () => {
  it('that stand behind others are named', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    const api = new Api(endpoint);
    const outer = await api.createNamespace('corp.internal');
    await api.createService(outer, 'web.eu');
    const first = await api.createNamespace('eu.corp.internal');
    await nextMillisecond();
    const second = await api.createNamespace('eu.corp.internal', 'public');
    await api.createService(second, 'web');
    const { summary } = await explain(endpoint, 'web.eu.corp.internal');
    expect(summary.slice(0, -2)).toEqual([
      'web.eu.corp.internal A is answered with NXDOMAIN: there is no such name.',
      `It would be in the namespace eu.corp.internal (${first}), which has no services.`,
      `The namespace ${second} has the same name, whose service web has the name too: it is not in DNS, as ${first} is older.`,
      `The namespace corp.internal (${outer}), whose service web.eu has the name too, does not count: eu.corp.internal is the longer name.`,
    ]);
  });
});

describe('a probe', () => {
  it('that fails is the reason why an instance is left out', async () => {
    const { endpoint } = await journey.start({
      settings: { STORE: 'memory', ALLOW_PRIVATE_HEALTH_CHECKS: 'true', HEALTH_INTERVAL_MS: '50' },
    });
    const api = new Api(endpoint);
    const service = await api.createService(await api.createNamespace('corp.internal'), 'web', {
      HealthCheckConfig: { Type: 'TCP', FailureThreshold: 2 },
    });
    const own = new URL(endpoint).port;
    await api.register(service, 'up', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: own });
    await api.register(service, 'down', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' });
    const said = await waitFor('the verdict', async () => {
      const sentences = await summaryOf(endpoint, 'web.corp.internal');
      return sentences.some((sentence) => sentence.startsWith('down is left out')) ? sentences : null;
    });
    expect(said).toContain('down is left out: UNHEALTHY for T (connect ECONNREFUSED, 2 in a row).');
    expect(said).toContain('1 of its 2 instances is healthy, and that one alone can be answered.');
  });
});
