/** Names that mean nothing to the outside are answered here and asked of nobody (RFC 6761, RFC 6762, RFC 6303 ...). */
import { describe, expect, it } from 'vitest';
import { onlyAddress } from '../support/fake-upstream.ts';
import { type Forwarding, shareForwarding } from '../support/forwarding.ts';
import type { Reply } from '../support/message.ts';

const REVERSE_ZONES = [
  // RFC 6303 s4.1 and s4.2: private, this network, loopback, link-local, documentation, broadcast.
  '10.in-addr.arpa',
  ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa`),
  '168.192.in-addr.arpa',
  '0.in-addr.arpa',
  '127.in-addr.arpa',
  '254.169.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  // s4.4 to s4.6: unique local, link-local, documentation.
  'd.f.ip6.arpa',
  '8.e.f.ip6.arpa',
  '9.e.f.ip6.arpa',
  'a.e.f.ip6.arpa',
  'b.e.f.ip6.arpa',
  '8.b.d.0.1.0.0.2.ip6.arpa',
];
/** s4.2 and s4.3: zones of one address, the broadcast one, `::` and `::1`. */
const REVERSE_ADDRESSES = [
  '255.255.255.255.in-addr.arpa',
  `${'0.'.repeat(32)}ip6.arpa`,
  `1.${'0.'.repeat(31)}ip6.arpa`,
];
const SUFFIXES = ['local', 'invalid', 'test', 'onion', 'home.arpa'];

const nobodyWasAsked = ({ upstreams }: Forwarding): void => expect(upstreams.flatMap(({ seen }) => seen)).toEqual([]);

function expectNoSuchName({ status, answer, authority }: Reply): void {
  expect({ status, answer }).toEqual({ status: 'NXDOMAIN AA RD RA', answer: [] });
  expect(authority).toHaveLength(1);
  expect(authority[0]).toContain(' IN SOA ');
}

describe('by default', () => {
  const forwarding = shareForwarding({ behaviours: [onlyAddress('192.0.2.1')] });

  it.each([
    ...SUFFIXES.flatMap((suffix) => [
      `www.${suffix} A`,
      `a.b.${suffix} TYPE65`,
      `${suffix} A`,
      `WWW.${suffix.toUpperCase()} A`,
    ]),
    ...REVERSE_ZONES.map((zone) => `7.${zone} PTR`),
    ...REVERSE_ADDRESSES.map((name) => `${name} PTR`),
    'db A',
    'printer AAAA',
    'com NS',
    'xn--nxasmq6b A',
  ])('%s is NXDOMAIN with authority and a SOA, which resolvers remember', async (question) => {
    for (const options of [{}, { overTcp: true }, { opt: {} }]) {
      expectNoSuchName(await forwarding().ask(question, options));
    }
    nobodyWasAsked(forwarding());
  });

  it.each<[string, readonly string[]]>([
    ['localhost A', ['localhost. IN A 127.0.0.1']],
    ['localhost AAAA', ['localhost. IN AAAA ::1']],
    ['foo.localhost A', ['foo.localhost. IN A 127.0.0.1']],
    ['a.b.localhost AAAA', ['a.b.localhost. IN AAAA ::1']],
    ['LOCALHOST A', ['LOCALHOST. IN A 127.0.0.1']],
    ['localhost MX', []],
    ['foo.localhost TXT', []],
  ])('%s is loopback (RFC 6761 s6.3)', async (question, expected) => {
    const { status, answer, authority } = await forwarding().ask(question);
    expect(status).toBe('NOERROR AA RD RA');
    expect(answer.map((record) => record.replace(/ \d+ /, ' '))).toEqual(expected);
    expect(authority.length).toBe(expected.length === 0 ? 1 : 0);
    nobodyWasAsked(forwarding());
  });

  it.each([
    'web.corp.internal A',
    'internal.example A',
    'mylocal.example A',
    'xlocal.com A',
    'test.example A',
    'arpa.home A',
    'in-addr.arpa.example A',
    '7.32.172.in-addr.arpa A',
    '7.15.172.in-addr.arpa A',
    '7.11.in-addr.arpa A',
    '7.169.192.in-addr.arpa A',
    '7.c.f.ip6.arpa A',
    // RFC 7534 has servers for what AS112 gathers; this one belongs to nobody's inside.
    '8.8.8.8.in-addr.arpa A',
  ])('%s is forwarded', async (question) => {
    expect(await forwarding().ask(question)).toMatchObject({ status: 'NOERROR RD RA', answer: [expect.any(String)] });
    expect(forwarding().upstream.seen).toHaveLength(1);
  });

  it('they are refused without RD, as nobody wanted recursion', async () => {
    for (const name of ['www.local', 'db', 'localhost', '7.10.in-addr.arpa']) {
      expect((await forwarding().ask(`${name} A`, { flags: '' })).status).toBe('REFUSED RA');
    }
  });
});

describe('with forwarding off', () => {
  const forwarding = shareForwarding({ behaviours: [], settings: () => ({ UPSTREAMS: 'none' }) });

  it.each(['www.example', 'www.local', 'db', 'localhost', 'x.localhost', '7.10.in-addr.arpa', 'web.internal'])(
    '%s is refused like every name out of zone',
    async (name) => {
      for (const flags of ['', 'RD']) {
        const reply = await forwarding().ask(`${name} A`, { flags });
        expect(reply.status).toBe(flags === '' ? 'REFUSED' : 'REFUSED RD');
        expect([...reply.answer, ...reply.authority]).toEqual([]);
      }
    },
  );
});

describe('CLOUDMAPD_SPECIAL_USE_NAMES', () => {
  describe('none', () => {
    const forwarding = shareForwarding({ settings: () => ({ SPECIAL_USE_NAMES: 'none' }) });

    it('forwards them all', async () => {
      const names = [
        ...SUFFIXES.map((suffix) => `www.${suffix}`),
        ...REVERSE_ADDRESSES,
        'db',
        'localhost',
        '7.10.in-addr.arpa',
      ];
      for (const name of names) expect((await forwarding().ask(`${name} A`)).status).toBe('NOERROR RD RA');
      expect(forwarding().upstream.seen).toHaveLength(names.length);
    });
  });

  describe('a list', () => {
    const forwarding = shareForwarding({ settings: () => ({ SPECIAL_USE_NAMES: 'lan.example,rfc6303' }) });

    it('takes the place of the default one', async () => {
      for (const name of ['lan.example', 'x.lan.example', '7.10.in-addr.arpa']) {
        expectNoSuchName(await forwarding().ask(`${name} A`));
      }
      nobodyWasAsked(forwarding());
      for (const name of ['www.local', 'db', 'localhost']) {
        expect((await forwarding().ask(`${name} A`)).status).toBe('NOERROR RD RA');
      }
    });
  });
});

describe('CLOUDMAPD_SINGLE_LABEL_UPSTREAMS', () => {
  const forwarding = shareForwarding({
    behaviours: [onlyAddress('192.0.2.1'), onlyAddress('192.0.2.2')],
    settings: ([general, engine]) => ({
      UPSTREAMS: String(general?.endpoint),
      SINGLE_LABEL_UPSTREAMS: String(engine?.endpoint),
    }),
  });

  it('are asked for single labels, and for nothing else', async () => {
    expect((await forwarding().ask('db A')).answer).toEqual(['db. 30 IN A 192.0.2.2']);
    expect((await forwarding().ask('www.example A')).answer).toEqual(['www.example. 30 IN A 192.0.2.1']);
    const [general, engine] = forwarding().upstreams;
    expect([general?.timesAsked('db'), engine?.timesAsked('www.example')]).toEqual([0, 0]);
  });

  it('are not asked for the daemon’s own name, for localhost and for other special ones', async () => {
    expect((await forwarding().ask('cloudmap A')).answer.map((record) => record.split(' ')[4])).toEqual(['127.0.0.1']);
    expect((await forwarding().ask('localhost A')).answer.map((record) => record.split(' ')[4])).toEqual(['127.0.0.1']);
    for (const name of ['local', 'invalid', 'x.test']) expectNoSuchName(await forwarding().ask(`${name} A`));
    nobodyWasAsked(forwarding());
  });
});
