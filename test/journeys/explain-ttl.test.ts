/** `GET /admin/explain`: for how long what is answered of names in no namespace may be kept, and who says so. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explain, stable } from '../support/explaining.ts';
import { type Behaviour, questionOf, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';

const SOA = 'example. 300 IN SOA ns.example. host.example. 7 3600 600 86400 60';
const knowing: Behaviour = (query) => {
  const { name } = questionOf(query);
  if (name.startsWith('none.')) return [replyTo(query, { rcode: 'NXDOMAIN', records: 0, authority: [SOA] })];
  if (name.startsWith('silly.')) return [replyTo(query, { rcode: 'NXDOMAIN', records: 0 })];
  if (name.startsWith('chain.')) {
    return [replyTo(query, { answer: ['@ 300 IN CNAME end.example.', 'end.example. 20 IN A 192.0.2.2'] })];
  }
  if (name.startsWith('turn.')) {
    return [replyTo(query, { answer: ['@ 300 IN CNAME round.example.', 'round.example. 300 IN CNAME @'] })];
  }
  return [replyTo(query, { answer: [`@ ${name.startsWith('short.') ? 5 : 300} IN A 192.0.2.1`] })];
};
const FILE = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
      - name: out
        dns: { records: [{ type: CNAME, ttl: 10 }] }
        instances: [{ id: l-1, attributes: { AWS_INSTANCE_CNAME: chain.example } }]
      - name: self
        dns: { records: [{ type: CNAME, ttl: 10 }] }
        instances: [{ id: s-1, attributes: { AWS_INSTANCE_CNAME: self.corp.internal } }]
      - name: a
        dns: { records: [{ type: CNAME, ttl: 10 }] }
        instances: [{ id: a-1, attributes: { AWS_INSTANCE_CNAME: b.corp.internal } }]
      - name: b
        dns: { records: [{ type: CNAME, ttl: 10 }] }
        instances: [{ id: b-1, attributes: { AWS_INSTANCE_CNAME: A.corp.internal } }]
records:
  - { name: printer.example, type: A, value: 10.9.9.9, ttl: 40 }
  - { name: printer.example, type: TXT, value: upstairs, ttl: 6 }
`;

const ttlOf = async (endpoint: string, question: string) => {
  const { summary, names } = await explain(endpoint, question);
  const sentences = summary.filter((sentence) => /^The TTL|^Clients may remember/.test(sentence));
  return { sentences, json: names.map(({ answeredTtl }) => answeredTtl) };
};

describe('a TTL', () => {
  const forwarding = shareForwarding({ behaviours: [knowing], file: () => FILE });
  const endpoint = (): string => forwarding().daemon.endpoint;

  it('is what the upstream gave, and then what is left of that', async () => {
    const given = { configuredTtlSeconds: 300, ttlCappedBy: null, source: 'upstream', isNegative: false };
    expect(await ttlOf(endpoint(), 'www.example')).toEqual({
      sentences: ['The TTL is 300 s, as the upstream gave it.'],
      json: [{ ttlSeconds: 300, ...given }],
    });
    const later = await waitFor('a second', async () => {
      const found = await ttlOf(endpoint(), 'www.example');
      return found.json[0]?.ttlSeconds === 300 ? null : found;
    });
    const ttl = later.json[0]?.ttlSeconds as number;
    expect(ttl).toBeLessThan(300);
    expect(later).toEqual({
      sentences: [`The TTL is ${ttl} s, what is left of the upstream's 300 s.`],
      json: [{ ttlSeconds: ttl, ...given }],
    });
  });

  it('is told of each name of a chain, in its place', async () => {
    const { sentences, json } = await ttlOf(endpoint(), 'out.corp.internal');
    expect(sentences).toEqual([
      'The TTL is 10 s, as the service says of CNAME.',
      'The TTL of chain.example is 300 s, as the upstream gave it.',
      'The TTL of end.example is 20 s, as the upstream gave it.',
    ]);
    expect(json.map((each) => each?.configuredTtlSeconds ?? null)).toEqual([null, 300, 20]);
  });

  it('of nothing is that of the SOA, where there is one', async () => {
    expect(await ttlOf(endpoint(), 'none.example')).toEqual({
      sentences: ['Clients may remember that for 60 s, as the upstream gave it with its SOA.'],
      json: [{ ttlSeconds: 60, configuredTtlSeconds: 60, ttlCappedBy: null, source: 'upstream', isNegative: true }],
    });
    expect(await ttlOf(endpoint(), 'silly.example')).toEqual({ sentences: [], json: [null] });
  });

  it('of a name of the settings is what they say of the type', async () => {
    const base = { ttlCappedBy: null, isNegative: false };
    expect(await ttlOf(endpoint(), 'printer.example')).toEqual({
      sentences: ['The TTL is 40 s, as `records` says.'],
      json: [{ ttlSeconds: 40, configuredTtlSeconds: 40, source: 'records', ...base }],
    });
    expect((await ttlOf(endpoint(), 'Printer.example TXT')).sentences).toEqual(['The TTL is 6 s, as `records` says.']);
    expect(await ttlOf(endpoint(), 'printer.example MX')).toEqual({
      sentences: ['Clients may remember that for 5 s, as CLOUDMAPD_SOA_TTL says.'],
      json: [{ ttlSeconds: 5, configuredTtlSeconds: 5, source: 'soa-ttl', ttlCappedBy: null, isNegative: true }],
    });
    expect((await ttlOf(endpoint(), 'data-cloudmap')).json).toEqual([
      { ttlSeconds: 5, configuredTtlSeconds: 5, source: 'own-name', ...base },
    ]);
  });
});

describe('a TTL that CLOUDMAPD_DNS_MAX_TTL caps', () => {
  const forwarding = shareForwarding({
    behaviours: [knowing],
    file: () => FILE,
    settings: () => ({ DNS_MAX_TTL: '4', SOA_TTL: '30' }),
  });
  const by = 'which CLOUDMAPD_DNS_MAX_TTL has made of';

  it.each([
    ['www.example', `The TTL is 4 s, ${by} the upstream's 300 s.`],
    ['none.example', `Clients may remember that for 4 s, ${by} the upstream's 60 s of its SOA.`],
    ['printer.example', `The TTL is 4 s, ${by} the 40 s of \`records\`.`],
    ['cloudmap', `The TTL is 4 s, ${by} the 5 s of the daemon's own name.`],
    ['printer.example MX', `Clients may remember that for 4 s, ${by} the 30 s of CLOUDMAPD_SOA_TTL.`],
    ['localhost', `The TTL is 4 s, ${by} the 30 s of CLOUDMAPD_SOA_TTL.`],
  ])('of %s says so', async (question, sentence) => {
    const { sentences, json } = await ttlOf(forwarding().daemon.endpoint, question);
    expect(sentences).toEqual([sentence]);
    expect(json[0]).toMatchObject({ ttlSeconds: 4, ttlCappedBy: 'CLOUDMAPD_DNS_MAX_TTL' });
  });

  it('is no longer capped once less than that is left of it', async () => {
    const found = await waitFor('less', async () => {
      const now = await ttlOf(forwarding().daemon.endpoint, 'short.example');
      return (now.json[0]?.ttlSeconds ?? 9) < 4 ? now : null;
    });
    expect(found.json[0]).toMatchObject({ configuredTtlSeconds: 5, ttlCappedBy: null });
    expect(found.sentences).toEqual([
      expect.stringMatching(/^The TTL is [0-3] s, what is left of the upstream's 5 s\.$/),
    ]);
  });
});

describe('names of the settings', () => {
  const journey = setUpJourney();

  it('are told as the file has them by now', async () => {
    const config = journey.writeFile('c.yaml', FILE);
    const daemon = await journey.start({ settings: { STORE: 'memory', CONFIG: config } });
    expect((await ttlOf(daemon.endpoint, 'printer.example')).sentences).toEqual([
      'The TTL is 40 s, as `records` says.',
    ]);
    writeFileSync(config, FILE.replace('ttl: 40', 'ttl: 41'));
    await waitFor('the other TTL', async () => {
      const { sentences } = await ttlOf(daemon.endpoint, 'printer.example');
      return sentences[0] === 'The TTL is 41 s, as `records` says.' ? true : null;
    });
  });
});

describe('a chain that goes in a circle', () => {
  const forwarding = shareForwarding({ behaviours: [knowing], file: () => FILE });
  const of = (service: string): string[] => [
    `It is the service ${service} (srv-*) of the namespace corp.internal (ns-*).`,
    'Nobody checks the health of its instances: 1 instance can be answered.',
    'The TTL is 10 s, as the service says of CNAME.',
  ];
  const end = ': the chain goes in a circle, and the answer ends there.';
  const ZONE = 'The zone corp.internal is at serial N.';

  it.each([
    [
      'self.corp.internal',
      ['self.corp.internal'],
      [...of('self'), `self.corp.internal is a CNAME, and it leads back to itself${end}`, ZONE],
    ],
    [
      'a.corp.internal',
      ['a.corp.internal', 'b.corp.internal'],
      [
        ...of('a'),
        'a.corp.internal is a CNAME, and it leads to b.corp.internal.',
        ...of('b'),
        `b.corp.internal is a CNAME, and it leads back to a.corp.internal${end}`,
        ZONE,
      ],
    ],
  ])('has each name once: %s', async (question, names, summary) => {
    const explained = await explain(forwarding().daemon.endpoint, question);
    expect(explained.summary.map(stable).slice(1)).toEqual(summary);
    expect(explained.names.map(({ name }) => name)).toEqual(names);
    expect(explained.leadsBackTo).toBe(question);
  });

  it('is one outside too', async () => {
    const explained = await explain(forwarding().daemon.endpoint, 'turn.example');
    expect(explained.names.map(({ name }) => name)).toEqual(['turn.example', 'round.example']);
    expect(explained.summary.at(-1)).toBe(`round.example is a CNAME, and it leads back to turn.example${end}`);
  });

  it('goes in none where it ends', async () => {
    const explained = await explain(forwarding().daemon.endpoint, 'out.corp.internal');
    expect(explained.leadsBackTo).toBe(null);
    expect(explained.summary.join()).not.toContain('circle');
  });
});
