/** Who is asked for which names: rules by suffix, static records, and the daemon's own name. */
import { describe, expect, it } from 'vitest';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { ask, shareForwarding } from '../support/forwarding.ts';
import { requireIpv6, setUpJourney } from '../support/journey-tools.ts';

const journey = setUpJourney();

/** Each upstream answers with an address of its own. */
const addressOf = (upstream: number): string => `192.0.2.${upstream}`;
const answering = (count: number) => Array.from({ length: count }, (_, n) => onlyAddress(addressOf(n)));

describe('CLOUDMAPD_FORWARD', () => {
  const forwarding = shareForwarding({
    behaviours: answering(5),
    settings: ([general, corp, deep, consul, arpa]) => ({
      UPSTREAMS: String(general?.endpoint),
      FORWARD: [
        `corp.example=${corp?.endpoint}`,
        `deep.corp.example=${deep?.endpoint}`,
        `consul=${consul?.endpoint}`,
        `10.in-addr.arpa=${arpa?.endpoint}`,
        `Printers.Local=${arpa?.endpoint}`,
        `good.ads.example=${corp?.endpoint}`,
      ].join(),
      REFUSE: 'ads.example,bad.corp.example',
    }),
  });
  /** Who was asked for the name, by number; null: nobody. */
  const whoIsAsked = async (question: string): Promise<number | null> => {
    const reply = await forwarding().ask(question);
    const name = question.split(' ')[0]?.toLowerCase() as string;
    const found = forwarding().upstreams.findIndex((upstream) => upstream.timesAsked(name) > 0);
    if (found >= 0 && question.endsWith(' A')) expect(reply.answer).toHaveLength(1);
    return found < 0 ? null : found;
  };

  it.each<[string, number]>([
    ['www.example A', 0],
    ['corp.example A', 1],
    ['www.corp.example A', 1],
    ['a.b.c.corp.example A', 1],
    ['notcorp.example A', 0],
    ['deep.corp.example A', 2],
    ['x.deep.corp.example A', 2],
    ['undeep.corp.example A', 1],
    ['WWW.Upper.CORP.Example A', 1],
    ['web.service.consul A', 3],
    // A rule is worth more than the name being special: a single label, RFC 6303's zones, a part of one.
    ['consul A', 3],
    ['7.0.0.10.in-addr.arpa PTR', 4],
    ['lab.printers.local A', 4],
    ['www.good.ads.example A', 1],
    ['web.something.internal A', 0],
  ])('%s is asked of upstream %i alone', async (question, upstream) => {
    expect(await whoIsAsked(question)).toBe(upstream);
    const others = forwarding().upstreams.filter((_, n) => n !== upstream);
    expect(others.flatMap(({ seen }) => seen)).toEqual([]);
  });

  it.each(['ads.example', 'www.ads.example', 'x.bad.corp.example'])(
    '%s is refused, as a longer rule says',
    async (name) => {
      for (const overTcp of [false, true]) {
        const reply = await forwarding().ask(`${name} A`, { overTcp });
        expect(reply).toMatchObject({ status: 'REFUSED RD RA', answer: [], authority: [] });
      }
      expect(forwarding().upstreams.flatMap(({ seen }) => seen)).toEqual([]);
    },
  );

  it.each(['other.local A', '8.8.168.192.in-addr.arpa PTR', 'other A'])(
    '%s, which no rule covers, is special',
    async (question) => {
      expect((await forwarding().ask(question)).status).toBe('NXDOMAIN AA RD RA');
      expect(forwarding().upstreams.flatMap(({ seen }) => seen)).toEqual([]);
    },
  );

  it('is of no use without RD', async () => {
    expect((await forwarding().ask('norecursion.corp.example A', { flags: '' })).status).toMatch(/^REFUSED /);
    expect(forwarding().upstreams.flatMap(({ seen }) => seen)).toEqual([]);
  });
});

it('forwards by rules alone where there are no upstreams, and refuses the rest', async () => {
  const corp = await FakeUpstream.open(onlyAddress('192.0.2.1'));
  try {
    const daemon = await journey.start({ settings: { FORWARD: `corp.example=${corp.endpoint}` } });
    expect((await ask(daemon.dnsPort, 'www.corp.example A')).answer).toEqual(['www.corp.example. 30 IN A 192.0.2.1']);
    expect((await ask(daemon.dnsPort, 'www.example A')).status).toMatch(/^REFUSED /);
    // Also the root's, though every name is below it.
    expect((await ask(daemon.dnsPort, '. NS')).status).toMatch(/^REFUSED /);
  } finally {
    await corp.close();
  }
});

it('forwards over IPv6', async (context) => {
  requireIpv6(context);
  const six = await FakeUpstream.open(onlyAddress('192.0.2.6'), { address: '::1' });
  const general = await FakeUpstream.open(onlyAddress('192.0.2.7'), { address: '::1' });
  try {
    const settings = { UPSTREAMS: general.endpoint, FORWARD: `corp.example=${six.endpoint}` };
    const { dnsPort } = await journey.start({ settings });
    expect((await ask(dnsPort, 'www.corp.example A')).answer).toEqual(['www.corp.example. 30 IN A 192.0.2.6']);
    expect((await ask(dnsPort, 'www.example A')).answer).toEqual(['www.example. 30 IN A 192.0.2.7']);
  } finally {
    await Promise.all([six.close(), general.close()]);
  }
});

it('reads rules from the file as a map, and asks the addresses of one in turn', async () => {
  const [first, second] = [await FakeUpstream.open(() => []), await FakeUpstream.open(onlyAddress('192.0.2.1'))];
  await first.close();
  try {
    const file = `forward:
  corp.example: [${first.endpoint}, ${second.endpoint}]
  consul: ["${second.endpoint}"]
refuse: [ads.example]
`;
    const { dnsPort } = await journey.start({ settings: { CONFIG: journey.writeFile('cloudmapd.yaml', file) } });
    expect((await ask(dnsPort, 'www.corp.example A')).answer).toHaveLength(1);
    expect((await ask(dnsPort, 'web.consul A')).answer).toHaveLength(1);
    expect((await ask(dnsPort, 'www.ads.example A')).status).toMatch(/^REFUSED /);
  } finally {
    await second.close();
  }
});

describe('records of the file', () => {
  const RECORDS = `records:
  - { name: printer.corp.example, type: A, value: 10.0.0.5, ttl: 7 }
  - { name: printer.corp.example, type: A, value: 10.0.0.6, ttl: 7 }
  - { name: printer.corp.example, type: AAAA, value: "fd00::5" }
  - { name: text.corp.example, type: TXT, value: "v=spf1 -all" }
  - { name: alias.corp.example, type: CNAME, value: printer.corp.example }
  - { name: 5.0.0.10.in-addr.arpa, type: PTR, value: printer.corp.example }
  - { name: Upper.Corp.Example., type: A, value: 10.0.0.9 }
  - { name: nas, type: A, value: 10.0.0.10 }
  - { name: web.own.internal, type: A, value: 10.0.0.11 }
namespaces:
  - name: own.internal
    type: DNS_PRIVATE
`;
  const forwarding = shareForwarding({ file: () => RECORDS });
  const offline = shareForwarding({ file: () => RECORDS, settings: () => ({ UPSTREAMS: 'none' }) });
  const txt = Buffer.from('\x0bv=spf1 -all', 'latin1').toString('hex');

  it.each<[string, readonly string[]]>([
    ['printer.corp.example A', ['printer.corp.example. 7 IN A 10.0.0.5', 'printer.corp.example. 7 IN A 10.0.0.6']],
    ['printer.corp.example AAAA', ['printer.corp.example. 60 IN AAAA fd00::5']],
    ['text.corp.example TXT', [`text.corp.example. 60 IN TXT \\# 12 ${txt}`]],
    ['alias.corp.example CNAME', ['alias.corp.example. 60 IN CNAME printer.corp.example.']],
    ['5.0.0.10.in-addr.arpa PTR', ['5.0.0.10.in-addr.arpa. 60 IN PTR printer.corp.example.']],
    ['upper.corp.example A', ['upper.corp.example. 60 IN A 10.0.0.9']],
    ['nas A', ['nas. 60 IN A 10.0.0.10']],
  ])('answer %s with authority, with RD and without, forwarding or not', async (question, expected) => {
    for (const each of [forwarding, offline]) {
      for (const flags of ['', 'RD']) {
        const { status, answer } = await each().ask(question, { flags });
        expect(status).toMatch(/^NOERROR AA/);
        expect([...answer].sort()).toEqual(expected);
      }
    }
    expect(forwarding().upstream.seen).toEqual([]);
  });

  it('have NODATA for other types', async () => {
    for (const question of ['printer.corp.example MX', 'text.corp.example A', 'nas AAAA']) {
      const reply = await forwarding().ask(question);
      expect(reply).toMatchObject({ status: 'NOERROR AA RD RA', answer: [] });
      expect(reply.authority).toHaveLength(1);
      expect(reply.authority[0]).toContain(' IN SOA ');
    }
    expect(forwarding().upstream.seen).toEqual([]);
  });

  it('say nothing of the names above, beside and below', async () => {
    for (const name of ['corp.example', 'www.corp.example', 'x.printer.corp.example']) {
      expect((await forwarding().ask(`${name} A`)).status).toBe('NOERROR RD RA');
      expect(forwarding().upstream.timesAsked(name)).toBe(1);
      expect((await offline().ask(`${name} A`)).status).toMatch(/^REFUSED /);
    }
  });

  it('say nothing of names in our zones', async () => {
    expect((await forwarding().ask('web.own.internal A')).status).toBe('NXDOMAIN AA RD RA');
  });

  it('lead their CNAME on to another of them', async () => {
    const { answer } = await forwarding().ask('alias.corp.example AAAA');
    expect(answer).toEqual([
      'alias.corp.example. 60 IN CNAME printer.corp.example.',
      'printer.corp.example. 60 IN AAAA fd00::5',
    ]);
  });
});

describe('clients that CLOUDMAPD_RECURSION_CLIENTS does not list', () => {
  const forwarding = shareForwarding({
    settings: ([upstream]) => ({ RECURSION_CLIENTS: '10.0.0.0/8', FORWARD: `corp.example=${upstream?.endpoint}` }),
    file: () => 'records: [{ name: printer.lan.example, type: A, value: 10.0.0.5 }]\n',
  });

  it('are refused what is forwarded, by rule or not, and what is special', async () => {
    for (const name of ['www.example', 'www.corp.example', 'single', 'www.invalid']) {
      for (const overTcp of [false, true]) {
        const reply = await forwarding().ask(`${name} A`, { overTcp });
        expect(reply).toMatchObject({ answer: [], authority: [] });
        expect(reply.status).toMatch(/^REFUSED /);
      }
    }
    expect(forwarding().upstream.seen).toEqual([]);
  });

  it('get records of the file, and the daemon’s own name', async () => {
    expect((await forwarding().ask('printer.lan.example A')).answer).toEqual(['printer.lan.example. 60 IN A 10.0.0.5']);
    expect((await forwarding().ask('cloudmap A')).answer.map((record) => record.split(' ')[4])).toEqual(['127.0.0.1']);
  });
});

describe('the daemon’s own name', () => {
  const addresses = async (port: number, question: string, options = {}): Promise<(string | undefined)[]> => {
    const { status, answer } = await ask(port, question, options);
    expect(status).toMatch(/^NOERROR AA/);
    return answer.map((record) => record.split(' ')[4]);
  };

  it('is the address that was asked, with `data-` in front as well, with forwarding or without', async () => {
    const upstream = await FakeUpstream.open(onlyAddress('192.0.2.1'));
    try {
      for (const UPSTREAMS of ['none', upstream.endpoint]) {
        const { dnsPort } = await journey.start({ settings: { UPSTREAMS, STORE: 'memory' } });
        for (const name of ['cloudmap', 'data-cloudmap', 'CloudMap', 'DATA-cloudmap']) {
          for (const options of [{}, { flags: '' }, { overTcp: true }]) {
            expect(await addresses(dnsPort, `${name} A`, options)).toEqual(['127.0.0.1']);
          }
          expect(await addresses(dnsPort, `${name} AAAA`)).toEqual([]);
          expect(await addresses(dnsPort, `${name} TXT`)).toEqual([]);
        }
      }
      expect(upstream.seen).toEqual([]);
    } finally {
      await upstream.close();
    }
  });

  it('is the address that was asked under a wildcard listener', async () => {
    const { dnsPort } = await journey.start({ settings: { DNS: '0.0.0.0:0', STORE: 'memory' } });
    expect(await addresses(dnsPort, 'cloudmap A')).toEqual(['127.0.0.1']);
    expect(await addresses(dnsPort, 'data-cloudmap A', { overTcp: true })).toEqual(['127.0.0.1']);
  });

  it('is an IPv6 address where that was asked', async (context) => {
    requireIpv6(context);
    const { dnsPort } = await journey.start({ settings: { DNS: '[::1]:0', STORE: 'memory' } });
    const options = { address: '::1' };
    expect(await addresses(dnsPort, 'cloudmap AAAA', options)).toEqual(['::1']);
    expect(await addresses(dnsPort, 'data-cloudmap AAAA', { ...options, overTcp: true })).toEqual(['::1']);
    expect(await addresses(dnsPort, 'cloudmap A', options)).toEqual([]);
  });

  it('is a setting', async () => {
    const { dnsPort } = await journey.start({ settings: { OWN_NAME: 'registry.corp.example', STORE: 'memory' } });
    for (const name of ['registry.corp.example', 'data-registry.corp.example']) {
      expect(await addresses(dnsPort, `${name} A`)).toEqual(['127.0.0.1']);
    }
    expect((await ask(dnsPort, 'cloudmap A')).status).toMatch(/^REFUSED /);
  });
});
