/** CNAMEs that lead out of our zones, and back into them. */
import { describe, expect, it } from 'vitest';
import { askTcp, askUdp } from '../support/dns.ts';
import { type Behaviour, questionOf, type ReplySpec, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { queryBytes, readReply } from '../support/message.ts';

const SOA = 'outside.example. 300 IN SOA ns.outside.example. host.outside.example. 7 3600 600 86400 60';

/** What the upstream says of each name; of every other one NXDOMAIN. */
const OUTSIDE: Readonly<Record<string, ReplySpec>> = {
  'www.outside.example': { answer: ['@ 100 IN A 192.0.2.1'] },
  'chain.outside.example': {
    answer: ['@ 100 IN CNAME www.outside.example.', 'www.outside.example. 90 IN A 192.0.2.1'],
  },
  'back.outside.example': { answer: ['@ 100 IN CNAME web.own.internal.'] },
  // As a resolver has it that follows the CNAME and knows nothing of our zones.
  'lost.outside.example': { rcode: 'NXDOMAIN', answer: ['@ 100 IN CNAME web.own.internal.'], authority: [SOA] },
  'empty.outside.example': { answer: [], authority: [SOA] },
  ...slowChain('udp'),
  ...slowChain('tcp'),
  'loop.outside.example': { answer: ['@ 100 IN CNAME loop.own.internal.'] },
};
/** `udp1.corp.example` leads to `udp1.slow.example`, that to `udp2.corp.example`, and so on. */
function slowChain(chain: string): Record<string, ReplySpec> {
  return {
    [`${chain}1.slow.example`]: { answer: [`@ 100 IN CNAME ${chain}2.corp.example.`] },
    [`${chain}2.slow.example`]: { answer: [`@ 100 IN CNAME ${chain}3.corp.example.`] },
    [`${chain}3.slow.example`]: { answer: ['@ 100 IN A 192.0.2.3'] },
  };
}
const KNOWN: Behaviour = (query) => [
  replyTo(query, OUTSIDE[questionOf(query).name] ?? { rcode: 'NXDOMAIN', answer: [], authority: [SOA] }),
];

const service = (name: string, type: string, attributes: object) => ({
  name,
  dns: { routingPolicy: 'WEIGHTED', records: [{ type, ttl: 10 }] },
  instances: [{ id: `${name}-1`, attributes }],
});
const alias = (name: string, target: string) => service(name, 'CNAME', { AWS_INSTANCE_CNAME: target });
const CONTENT = {
  namespaces: [
    {
      name: 'own.internal',
      type: 'DNS_PRIVATE',
      services: [
        service('web', 'A', { AWS_INSTANCE_IPV4: '10.0.0.7' }),
        alias('out', 'www.outside.example'),
        alias('out-chain', 'chain.outside.example'),
        alias('out-back', 'back.outside.example'),
        alias('out-empty', 'empty.outside.example'),
        alias('out-gone', 'gone.outside.example'),
        alias('out-refused', 'www.refused.example'),
        alias('out-special', 'www.invalid'),
        alias('out-static', 'printer.corp.example'),
        alias('loop', 'loop.outside.example'),
      ],
    },
  ],
  records: [
    { name: 'printer.corp.example', type: 'A', value: '10.0.0.5', ttl: 60 },
    { name: 'static.corp.example', type: 'CNAME', value: 'www.outside.example' },
    ...['udp', 'tcp'].flatMap((chain) =>
      [1, 2, 3].map((hop) => ({
        name: `${chain}${hop}.corp.example`,
        type: 'CNAME',
        value: `${chain}${hop}.slow.example`,
      })),
    ),
    { name: 'inside.corp.example', type: 'CNAME', value: 'web.own.internal' },
  ],
};

const forwarding = shareForwarding({
  behaviours: [KNOWN],
  settings: () => ({ REFUSE: 'refused.example' }),
  file: () => JSON.stringify(CONTENT),
});
const asked = (): string[] => forwarding().upstream.seen.map(({ query }) => questionOf(query).name);

describe('a CNAME of our zones to the outside', () => {
  it('is followed for whom asks for recursion', async () => {
    const reply = await forwarding().ask('out.own.internal A');
    expect(reply.status).toMatch(/^NOERROR /);
    expect(reply.answer).toEqual([
      'out.own.internal. 10 IN CNAME www.outside.example.',
      'www.outside.example. 100 IN A 192.0.2.1',
    ]);
    expect(asked()).toEqual(['www.outside.example']);
  });

  it('is followed once for all: what it leads to is cached', async () => {
    for (let i = 0; i < 2; i++) {
      const { answer } = await forwarding().ask('out.own.internal A', { overTcp: i === 1 });
      expect(answer.map((record) => record.replace(/ \d+ /, ' '))).toEqual([
        'out.own.internal. IN CNAME www.outside.example.',
        'www.outside.example. IN A 192.0.2.1',
      ]);
    }
    expect(asked().length).toBeLessThanOrEqual(1);
  });

  it('is all that there is for whom asks for none', async () => {
    const reply = await forwarding().ask('out.own.internal A', { flags: '' });
    expect(reply).toMatchObject({
      status: 'NOERROR AA RA',
      answer: ['out.own.internal. 10 IN CNAME www.outside.example.'],
    });
    expect(asked()).toEqual([]);
  });

  it('is all that there is for whom asks for CNAME', async () => {
    const { answer } = await forwarding().ask('out.own.internal CNAME');
    expect(answer).toEqual(['out.own.internal. 10 IN CNAME www.outside.example.']);
    expect(asked()).toEqual([]);
  });

  it('has behind it what the outside says of further CNAMEs', async () => {
    const { answer } = await forwarding().ask('out-chain.own.internal A');
    expect(answer).toEqual([
      'out-chain.own.internal. 10 IN CNAME chain.outside.example.',
      'chain.outside.example. 100 IN CNAME www.outside.example.',
      'www.outside.example. 90 IN A 192.0.2.1',
    ]);
  });

  it('and back into them ends with our answer', async () => {
    const { status, answer } = await forwarding().ask('out-back.own.internal A');
    expect(status).toMatch(/^NOERROR /);
    expect(answer).toEqual([
      'out-back.own.internal. 10 IN CNAME back.outside.example.',
      'back.outside.example. 100 IN CNAME web.own.internal.',
      'web.own.internal. 10 IN A 10.0.0.7',
    ]);
    expect(asked()).toEqual(['back.outside.example']);
  });

  it.each([
    ['empty', 'NOERROR'],
    ['gone', 'NXDOMAIN'],
  ])('that ends at a name that is %s is %s with the SOA from there (RFC 2308 s2)', async (kind, rcode) => {
    const reply = await forwarding().ask(`out-${kind}.own.internal A`);
    expect(reply.status.split(' ')[0]).toBe(rcode);
    expect(reply.answer).toEqual([`out-${kind}.own.internal. 10 IN CNAME ${kind}.outside.example.`]);
    expect(reply.authority.map((record) => record.replace(/ \d+ IN SOA .*/, ' SOA'))).toEqual(['outside.example. SOA']);
  });

  it('to a special name ends there', async () => {
    const reply = await forwarding().ask('out-special.own.internal A');
    expect(reply.status.split(' ')[0]).toBe('NXDOMAIN');
    expect(reply.answer).toEqual(['out-special.own.internal. 10 IN CNAME www.invalid.']);
    expect(asked()).toEqual([]);
  });

  it('to a static record has it behind it', async () => {
    const { answer } = await forwarding().ask('out-static.own.internal A');
    expect(answer).toEqual([
      'out-static.own.internal. 10 IN CNAME printer.corp.example.',
      'printer.corp.example. 60 IN A 10.0.0.5',
    ]);
    expect(asked()).toEqual([]);
  });

  it('to a name that is refused is still told', async () => {
    const { answer } = await forwarding().ask('out-refused.own.internal A');
    expect(answer).toEqual(['out-refused.own.internal. 10 IN CNAME www.refused.example.']);
    expect(asked()).toEqual([]);
  });

  it('that comes back to itself ends', async () => {
    const { answer } = await forwarding().ask('loop.own.internal A');
    expect(answer.slice(0, 2)).toEqual([
      'loop.own.internal. 10 IN CNAME loop.outside.example.',
      'loop.outside.example. 100 IN CNAME loop.own.internal.',
    ]);
    expect(answer.length).toBeLessThan(20);
    expect(asked().length).toBeLessThanOrEqual(2);
  });
});

describe('a CNAME of the outside into our zones', () => {
  it.each([
    ['the upstream leaves it at that', 'back.outside.example'],
    ['the upstream says that there is no such name', 'lost.outside.example'],
  ])('has our answer behind it, where %s', async (_, name) => {
    const { status, answer, authority } = await forwarding().ask(`${name} A`);
    expect(status).toMatch(/^NOERROR /);
    expect(answer.map((record) => record.replace(/ \d+ IN CNAME/, ' CNAME'))).toEqual([
      `${name}. CNAME web.own.internal.`,
      'web.own.internal. 10 IN A 10.0.0.7',
    ]);
    expect(authority).toEqual([]);
  });
});

describe('a static CNAME', () => {
  it('is followed to the outside', async () => {
    const { answer } = await forwarding().ask('static.corp.example A');
    expect(answer.map((record) => record.replace(/ \d+ IN A/, ' A'))).toEqual([
      'static.corp.example. 60 IN CNAME www.outside.example.',
      'www.outside.example. A 192.0.2.1',
    ]);
  });

  it('is followed into our zones', async () => {
    const { answer } = await forwarding().ask('inside.corp.example A');
    expect(answer).toEqual([
      'inside.corp.example. 60 IN CNAME web.own.internal.',
      'web.own.internal. 10 IN A 10.0.0.7',
    ]);
    expect(asked()).toEqual([]);
  });
});

describe('a chain through several names of a slow upstream', () => {
  it.each(['udp', 'tcp'])('has its reply over %s before a client gives up', async (transport) => {
    const { daemon, upstream } = forwarding();
    // One of these is in time, three are not.
    upstream.behaviour = async (query, overTcp, seen) => {
      await new Promise((resolve) => setTimeout(resolve, 2500));
      return KNOWN(query, overTcp, seen);
    };
    const query = queryBytes(`${transport}1.corp.example A`, { flags: 'RD' });
    const timeoutMs = 4500;
    const reply =
      transport === 'udp'
        ? await askUdp(daemon.dnsPort, query, { timeoutMs })
        : await Promise.race([
            askTcp(daemon.dnsPort, [query]).then(([message]) => message),
            new Promise<null>((resolve) => setTimeout(() => resolve(null), timeoutMs)),
          ]);
    expect(readReply(reply ?? expect.unreachable('no reply in time')).status).toBe('SERVFAIL RD RA');
  });
});
