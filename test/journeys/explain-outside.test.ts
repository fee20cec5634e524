/** `GET /admin/explain` of names outside the namespaces: rules, upstreams, the cache, and who is refused. */
import { describe, expect, it } from 'vitest';
import { explain, stable, summaryOf } from '../support/explaining.ts';
import { type Behaviour, questionOf, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';

const FILE = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
      - name: out
        dns: { records: [{ type: CNAME, ttl: 10 }] }
        instances:
          - { id: l-1, attributes: { AWS_INSTANCE_CNAME: www.example.com } }
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances:
          - { id: w-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
refuse: [ads.example]
`;

const knowing: Behaviour = (query) => {
  const { name } = questionOf(query);
  if (name.startsWith('none.')) return [replyTo(query, { rcode: 'NXDOMAIN', records: 0, authority: [SOA] })];
  if (name.startsWith('ill.')) return [replyTo(query, { rcode: 'SERVFAIL', records: 0 })];
  if (name.startsWith('brief.')) return [replyTo(query, { answer: ['@ 1 IN A 192.0.2.2'] })];
  if (name === 'back.example') return [replyTo(query, { answer: ['@ 300 IN CNAME web.corp.internal.'] })];
  if (name.startsWith('big.')) return [replyTo(query, { records: 100 })];
  return [replyTo(query, { answer: ['@ 300 IN A 192.0.2.1'] })];
};
const SOA = 'example. 300 IN SOA ns.example. host.example. 7 3600 600 86400 60';
const SILENT: Behaviour = () => [];

const forwarding = shareForwarding({
  file: () => FILE,
  behaviours: [knowing, SILENT],
  settings: ([good, silent]) => ({
    UPSTREAMS: `${good?.endpoint}`,
    FORWARD: `slow.example=${silent?.endpoint},two.example=${good?.endpoint} ${silent?.endpoint}`,
  }),
});
const endpoint = (): string => forwarding().daemon.endpoint;
const good = (): string => forwarding().upstream.endpoint;
const silent = (): string => forwarding().upstreams[1]?.endpoint as string;

const OUTSIDE = 'It is in no namespace here.';
const asked = (): string => `Names outside are asked of ${good()} (CLOUDMAPD_UPSTREAMS).`;
const IN_CNAME = [
  'It is the service out (srv-*) of the namespace corp.internal (ns-*).',
  'Nobody checks the health of its instances: 1 instance can be answered.',
  'The TTL is 10 s, as the service says of CNAME.',
];
const ZONE = 'The zone corp.internal is at serial N.';

describe('a name outside', () => {
  it('is asked of the upstreams, and then answered from the cache', async () => {
    const first = await explain(endpoint(), 'first.example');
    expect(first.outcome).toBe('upstream');
    expect(first.summary.map(stable)).toEqual([
      'first.example A is answered with 192.0.2.1.',
      OUTSIDE,
      asked(),
      'The answer came just now, in T, and is kept for another T.',
      'The TTL is 300 s, as the upstream gave it.',
    ]);
    const again = await explain(endpoint(), 'first.example');
    expect(again.outcome).toBe('cache');
    expect(again.summary.map(stable).slice(2)).toEqual([
      asked(),
      'The answer is from the cache: it came T ago, and is kept for another T.',
      expect.stringMatching(/^The TTL is \d+ s, (as the upstream gave it|what is left of the upstream's 300 s)\.$/),
    ]);
    const { cache, upstreams, ...rule } = again.names[0]?.outside ?? {};
    expect(rule).toMatchObject({ rule: 'default', suffix: null, setting: 'CLOUDMAPD_UPSTREAMS', isClientServed: true });
    expect(upstreams).toEqual([{ address: good(), isLooping: false, isDown: false, rttMs: expect.any(Number) }]);
    const { storedAt = '', expiresAt = '' } = cache ?? {};
    expect(Date.parse(expiresAt) - Date.parse(storedAt)).toBe(300_000);
    expect(forwarding().upstream.timesAsked('first.example')).toBe(1);
  });

  it('that a client has asked for is in the cache, and what is explained is in it for clients', async () => {
    await forwarding().ask('known.example A');
    expect((await explain(endpoint(), 'known.example', '10.1.1.1')).outcome).toBe('upstream');
    await explain(endpoint(), 'dig.example');
    const query = { flags: 'RD AD', opt: {} };
    expect((await forwarding().ask('dig.example A', query)).answer).toHaveLength(1);
    expect(forwarding().upstream.timesAsked('dig.example')).toBe(1);
  });

  it('that does not exist is so by what the upstreams say', async () => {
    expect(await summaryOf(endpoint(), 'none.example')).toEqual([
      'none.example A is answered with NXDOMAIN: there is no such name.',
      OUTSIDE,
      asked(),
      'The answer came just now, in T, and is kept for another T.',
      'It says that none.example does not exist.',
      'Clients may remember that for 60 s, as the upstream gave it with its SOA.',
    ]);
  });

  it('that the upstreams fail at is told so, and who is down', async () => {
    expect(await summaryOf(endpoint(), 'ill.example')).toEqual([
      'ill.example A is answered with SERVFAIL: the upstreams could not answer (CLOUDMAPD_UPSTREAMS).',
      OUTSIDE,
      asked(),
      'It gave no answer that could be used.',
    ]);
    const silence = await explain(endpoint(), 'a.slow.example');
    expect(silence.outcome).toBe('failed');
    expect(silence.summary).toEqual([
      'a.slow.example A is answered with SERVFAIL: no upstream answered in time (CLOUDMAPD_UPSTREAMS).',
      OUTSIDE,
      `Names that end in slow.example are asked of ${silent()} (CLOUDMAPD_FORWARD).`,
      `${silent()} has not answered lately.`,
      'It gave no answer that could be used.',
    ]);
  });

  it('is asked of those whom a rule names', async () => {
    expect((await summaryOf(endpoint(), 'www.two.example')).slice(1, 3)).toEqual([
      OUTSIDE,
      `Names that end in two.example are asked of ${good()} and ${silent()} (CLOUDMAPD_FORWARD).`,
    ]);
  });

  it('is asked over TCP where dig would', async () => {
    const { summary, transport, dig, answer } = await explain(endpoint(), 'big.example');
    expect(summary[0]).toBe('big.example A is answered with 100 records, over TCP, as that is too much for UDP.');
    expect({ transport, count: answer.length }).toEqual({ transport: 'tcp', count: 100 });
    expect(dig).toMatch(/^;; Truncated, retrying in TCP mode\.\n;; Got answer:\n/);
  });

  it('is answered stale where the upstreams are silent, and says so', async () => {
    await explain(endpoint(), 'brief.example');
    forwarding().upstream.behaviour = SILENT;
    const stale = await waitFor('a stale answer', async () => {
      const explained = await explain(endpoint(), 'brief.example');
      return explained.outcome === 'stale' ? explained : null;
    });
    expect(stale.extendedErrors.map(({ code, name }) => [code, name])).toEqual([[3, 'Stale Answer']]);
    expect(stale.summary.map(stable).slice(-2)).toEqual([
      'No upstream answered: what was known from T ago is answered again.',
      'The TTL is 30 s, as of all that is answered after its time.',
    ]);
  });

  it.each([
    [
      'x.ads.example',
      undefined,
      ['x.ads.example A is REFUSED.', OUTSIDE, 'Names that end in ads.example are refused (CLOUDMAPD_REFUSE).'],
    ],
    [
      'www.example.com',
      '192.0.2.7',
      [
        'www.example.com A is REFUSED.',
        OUTSIDE,
        'Names outside are not looked up for 192.0.2.7, which is not among the clients of CLOUDMAPD_RECURSION_CLIENTS.',
      ],
    ],
    [
      'out.corp.internal',
      '2001:db8::7',
      [
        'out.corp.internal A is answered with a CNAME alone.',
        ...IN_CNAME,
        'out.corp.internal is a CNAME, and it leads to www.example.com.',
        OUTSIDE,
        'Names outside are not looked up for 2001:db8::7, which is not among the clients of CLOUDMAPD_RECURSION_CLIENTS.',
        ZONE,
      ],
    ],
    [
      'some.test',
      undefined,
      [
        'some.test A is answered with NXDOMAIN: there is no such name.',
        OUTSIDE,
        'Names that end in test are for local use, and nobody is asked for them (CLOUDMAPD_SPECIAL_USE_NAMES).',
        'Clients may remember that for 5 s, as CLOUDMAPD_SOA_TTL says.',
      ],
    ],
    [
      'a.localhost AAAA',
      undefined,
      [
        'a.localhost AAAA is answered with ::1.',
        OUTSIDE,
        'Names that end in localhost are loopback (CLOUDMAPD_SPECIAL_USE_NAMES).',
        'The TTL is 5 s, as CLOUDMAPD_SOA_TTL says.',
      ],
    ],
  ])('%s from %s', async (question, from, summary) => {
    expect(await summaryOf(endpoint(), question, from)).toEqual(summary);
    expect(forwarding().upstream.seen).toEqual([]);
  });
});

describe('a CNAME', () => {
  it('that leads outside is followed to where the answer came from', async () => {
    expect(await summaryOf(endpoint(), 'out.corp.internal')).toEqual([
      'out.corp.internal A is answered with 192.0.2.1.',
      ...IN_CNAME,
      'out.corp.internal is a CNAME, and it leads to www.example.com.',
      OUTSIDE,
      asked(),
      'The answer came just now, in T, and is kept for another T.',
      expect.stringMatching(/^The TTL is \d+ s, (as the upstream gave it|what is left of the upstream's 300 s)\.$/),
      ZONE,
    ]);
  });

  it('from outside that leads into a namespace is followed home', async () => {
    const { names, answer, summary } = await explain(endpoint(), 'back.example');
    expect(names.map(({ name, source }) => [name, source])).toEqual([
      ['back.example', 'outside'],
      ['web.corp.internal', 'registry'],
    ]);
    expect(answer.map(({ rdata }) => rdata)).toEqual(['web.corp.internal.', '10.0.0.1']);
    expect(summary.map(stable)).toEqual([
      'back.example A is answered with 10.0.0.1.',
      OUTSIDE,
      asked(),
      'The TTL is 300 s, as the upstream gave it.',
      'back.example is a CNAME, and it leads to web.corp.internal.',
      'It is the service web (srv-*) of the namespace corp.internal (ns-*).',
      'Nobody checks the health of its instances: 1 instance can be answered.',
      'The TTL is 10 s, as the service says of A.',
      ZONE,
    ]);
  });
});
