/**
 * On Docker's user networks a client asks 127.0.0.11, which asks us and, where it takes our answer for a failure, the
 * next nameserver, whose answer is another. The rules are those of the stand-in in test/support/docker-resolver.ts.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { type Answer, askTcp, askUdp, buildQuery, type QueryOptions, readAnswer } from '../support/dns.ts';
import { DOCKER_RELEASES, type DockerRelease, DockerResolver } from '../support/docker-resolver.ts';
import { type Behaviour, FakeUpstream, replyTo } from '../support/fake-upstream.ts';
import { waitFor } from '../support/journey-tools.ts';

const CONTENT = `namespaces:
  - name: own.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.7 } }]
      - name: _db._tcp
        dns: { records: [{ type: SRV, ttl: 10 }] }
        instances:
${Array.from({ length: 8 }, (_, i) => `          - { id: "a-rather-long-instance-id-${i}", attributes: { AWS_INSTANCE_IPV4: 10.0.1.${i}, AWS_INSTANCE_PORT: "5432" } }`).join('\n')}
`;
/** Records of an answer that is too long for UDP. */
const MANY = 60;
/** The next nameserver has two addresses for everything, our upstream one. */
const DECOY_RECORDS = 2;

/** As a recursive server replies: no AA. Names tell what is wanted; their case may be any. */
const upstreamBehaviour: Behaviour = (query, overTcp) => {
  const asksFor = (label: string): boolean => query.toString('latin1').toLowerCase().includes(label);
  if (asksFor('many'))
    return [overTcp ? replyTo(query, { records: MANY }) : replyTo(query, { records: 0, truncated: true })];
  if (asksFor('nodata')) return [replyTo(query, { records: 0 })];
  if (asksFor('positive')) return [replyTo(query)];
  const nxdomain = replyTo(query, { records: 0 });
  nxdomain.writeUInt16BE(nxdomain.readUInt16BE(2) | 3, 2);
  return [nxdomain];
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function openResolver(release: DockerRelease, ...nameservers: readonly number[]): Promise<DockerResolver> {
  const resolver = await DockerResolver.open(release, nameservers);
  cleanups.push(() => resolver.close());
  return resolver;
}

/** With RD, as clients ask. @returns null where the resolver says nothing */
async function ask(
  resolver: DockerResolver,
  name: string,
  type: string,
  options: QueryOptions & { overTcp?: boolean } = {},
): Promise<Answer | null> {
  const query = buildQuery(name, type, { rd: true, ...options });
  const reply = options.overTcp
    ? (await askTcp(resolver.port, [query]))[0]
    : await askUdp(resolver.port, query, { timeoutMs: 15_000 });
  return reply ? readAnswer(reply) : null;
}

let decoy: FakeUpstream;
let upstream: FakeUpstream;
let daemon: RunningDaemon;
const folder = makeFolder();
beforeAll(async () => {
  decoy = await FakeUpstream.open((query) => [replyTo(query, { records: DECOY_RECORDS })]);
  upstream = await FakeUpstream.open(upstreamBehaviour);
  const CONFIG = join(folder.path, 'cloudmapd.yaml');
  writeFileSync(CONFIG, CONTENT);
  const settings = { STORE: 'memory', CONFIG, UPSTREAMS: `127.0.0.1:${upstream.port}` };
  daemon = await startTestDaemon({ dataDir: folder.path, settings });
});
beforeEach(() => {
  decoy.seen.length = 0;
});
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await Promise.all([upstream?.close(), decoy?.close()]);
  folder.remove();
});

/** What nobody else may be asked: question, RCODE, first record of the answer without its TTL. */
const OWN_NAMES = [
  ['web.own.internal', 'A', 'NOERROR', 'web.own.internal. IN A 10.0.0.7'],
  ['WEB.Own.Internal', 'A', 'NOERROR', 'WEB.Own.Internal. IN A 10.0.0.7'],
  ['web.own.internal', 'AAAA', 'NOERROR', null],
  ['web.own.internal', 'MX', 'NOERROR', null],
  ['own.internal', 'A', 'NOERROR', null],
  ['_tcp.own.internal', 'A', 'NOERROR', null],
  ['none.own.internal', 'A', 'NXDOMAIN', null],
  ['none.own.internal', 'AAAA', 'NXDOMAIN', null],
  ['_none._tcp.own.internal', 'SRV', 'NXDOMAIN', null],
] as const;
const SPECIAL_USE_NAMES = [
  ['foo', 'A', 'NXDOMAIN', null],
  ['foo', 'AAAA', 'NXDOMAIN', null],
  ['foo.local', 'A', 'NXDOMAIN', null],
  ['foo.test', 'A', 'NXDOMAIN', null],
  ['foo.home.arpa', 'A', 'NXDOMAIN', null],
  ['1.2.0.10.in-addr.arpa', 'PTR', 'NXDOMAIN', null],
  ['localhost', 'A', 'NOERROR', 'localhost. IN A 127.0.0.1'],
  ['cloudmap', 'A', 'NOERROR', 'cloudmap. IN A 127.0.0.1'],
  ['data-cloudmap', 'AAAA', 'NOERROR', null],
] as const;

describe.each(DOCKER_RELEASES)('the resolver of Docker %s', (release) => {
  /** Those that take NXDOMAIN without AA for a failure. */
  const movesOnWithoutAa = release !== '24.0.1 and later';
  const ways = [{}, { edns: 1232 }, { overTcp: true }];

  it.each([...OWN_NAMES, ...SPECIAL_USE_NAMES])(
    'hands on what we say to %s %s: %s',
    async (name, type, rcode, first) => {
      const resolver = await openResolver(release, daemon.dnsPort, decoy.port);
      for (const way of ways) {
        const { answer, authority, ...rest } = (await ask(resolver, name, type, way)) as Answer;
        expect(rest).toMatchObject({ rcode, aa: true, ra: true });
        expect(answer[0]?.replace(/ \d+ IN /, ' IN ') ?? null).toBe(first);
        if (first === null) expect(authority).toEqual([expect.stringContaining(' IN SOA ')]);
      }
      expect(resolver.failOvers).toEqual([]);
    },
  );

  it('hands on eight SRV records, or TC where they are too long for the client', async () => {
    const resolver = await openResolver(release, daemon.dnsPort, decoy.port);
    const name = '_db._tcp.own.internal';
    expect(await ask(resolver, name, 'SRV')).toMatchObject({ rcode: 'NOERROR', aa: true, tc: true });
    for (const way of [{ edns: 4096 }, { overTcp: true }]) {
      const answer = (await ask(resolver, name, 'SRV', way)) as Answer;
      expect(answer).toMatchObject({ rcode: 'NOERROR', aa: true, tc: false });
      expect(answer.answer).toHaveLength(8);
    }
    expect(resolver.failOvers).toEqual([]);
  });

  it('hands on what upstreams have and have not at a name', async () => {
    const resolver = await openResolver(release, daemon.dnsPort, decoy.port);
    for (const way of ways) {
      const positive = await ask(resolver, 'positive.example.com', 'A', way);
      expect(positive).toMatchObject({ rcode: 'NOERROR', ra: true });
      expect(positive?.answer).toEqual([expect.stringMatching(/^positive\.example\.com\. \d+ IN A 192\.0\.0\.1$/)]);
      const nodata = await ask(resolver, 'nodata.example.com', 'AAAA', way);
      expect(nodata).toMatchObject({ rcode: 'NOERROR', ra: true, answer: [] });
    }
    const cut = await ask(resolver, 'many.example.com', 'A');
    expect(cut).toMatchObject({ rcode: 'NOERROR', tc: true });
    const whole = await ask(resolver, 'many.example.com', 'A', { overTcp: true });
    expect(whole).toMatchObject({ rcode: 'NOERROR', tc: false });
    expect(whole?.answer).toHaveLength(MANY);
    expect(resolver.failOvers).toEqual([]);
  });

  // AA would make the old ones take it, but would say that we are the name's authority, which we are not.
  it(`${movesOnWithoutAa ? 'asks the next nameserver' : 'hands on NXDOMAIN'} where an upstream has no such name`, async () => {
    const beside = await openResolver(release, daemon.dnsPort, decoy.port);
    const alone = await openResolver(release, daemon.dnsPort);
    for (const way of ways) {
      beside.failOvers.length = 0;
      const answer = (await ask(beside, 'none.example.com', 'A', way)) as Answer;
      if (movesOnWithoutAa) expect(answer.answer).toHaveLength(DECOY_RECORDS);
      else expect(answer).toMatchObject({ rcode: 'NXDOMAIN', aa: false, answer: [] });
      expect(beside.failOvers).toEqual(movesOnWithoutAa ? ['NXDOMAIN'] : []);
      // The only nameserver, as the compose example has it.
      const rcode = release === '24.0.0' ? 'SERVFAIL' : 'NXDOMAIN';
      expect(await ask(alone, 'none.example.com', 'A', way)).toMatchObject({ rcode, answer: [] });
    }
  });
});

describe('without upstreams', () => {
  let offline: RunningDaemon;
  beforeAll(async () => {
    const settings = { STORE: 'memory', CONFIG: join(folder.path, 'cloudmapd.yaml') };
    offline = await startTestDaemon({ dataDir: join(folder.path, 'offline'), settings });
  });
  afterAll(() => offline?.stop('SIGKILL'));

  it.each(DOCKER_RELEASES)('the resolver of Docker %s asks the next nameserver for names outside', async (release) => {
    const resolver = await openResolver(release, offline.dnsPort, decoy.port);
    const outside = await ask(resolver, 'www.example.com', 'A');
    expect(outside?.answer).toHaveLength(DECOY_RECORDS);
    expect(resolver.failOvers).toEqual(['REFUSED']);
    expect(await ask(resolver, 'web.own.internal', 'A')).toMatchObject({ rcode: 'NOERROR', aa: true });
    expect(await ask(resolver, 'none.own.internal', 'A')).toMatchObject({ rcode: 'NXDOMAIN', aa: true });
    expect(resolver.failOvers).toEqual(['REFUSED']);
  });
});

describe('upstreams that fall silent', () => {
  let isSilent = false;
  let fading: FakeUpstream;
  let waiting: RunningDaemon;
  beforeAll(async () => {
    fading = await FakeUpstream.open((query) => {
      if (isSilent) return [];
      // For a second, so that it is soon over.
      const reply = replyTo(query);
      const record = query.indexOf(0, 12) + 5;
      reply.writeUInt32BE(1, record + 6);
      return [reply];
    });
    const settings = { STORE: 'memory', UPSTREAMS: `127.0.0.1:${fading.port}` };
    waiting = await startTestDaemon({ dataDir: join(folder.path, 'waiting'), settings });
  });
  afterAll(async () => {
    await waiting?.stop('SIGKILL');
    await fading?.close();
  });

  // Its 4 seconds are what counts: were our SERVFAIL later than them, `timeout` would be the reason.
  it('make SERVFAIL before any release gives us up; then it asks the next nameserver', async () => {
    isSilent = true;
    const askAll = DOCKER_RELEASES.map(async (release, i) => {
      const beside = await openResolver(release, waiting.dnsPort, decoy.port);
      const alone = await openResolver(release, waiting.dnsPort);
      const answers = await Promise.all([
        ask(beside, `udp${i}.example.com`, 'A'),
        ask(beside, `tcp${i}.example.com`, 'A', { overTcp: true }),
        ask(alone, `alone${i}.example.com`, 'A'),
      ]);
      return { failOvers: beside.failOvers, answers };
    });
    for (const { failOvers, answers } of await Promise.all(askAll)) {
      expect(failOvers).toEqual(['SERVFAIL', 'SERVFAIL']);
      const [overUdp, overTcp, only] = answers;
      for (const answer of [overUdp, overTcp]) expect(answer?.answer).toHaveLength(DECOY_RECORDS);
      expect(only).toMatchObject({ rcode: 'SERVFAIL', answer: [] });
    }
  });

  it('do not take away what was known: every release hands on the stale answer', async () => {
    isSilent = false;
    const resolvers = await Promise.all(DOCKER_RELEASES.map((each) => openResolver(each, waiting.dnsPort, decoy.port)));
    const name = 'known.example.com';
    expect((await ask(resolvers[0] as DockerResolver, name, 'A'))?.answer).toEqual([`${name}. 1 IN A 192.0.0.1`]);
    isSilent = true;
    for (const resolver of resolvers) {
      // Until its second is over it is as fresh as any.
      const stale = await waitFor('a stale answer', async () => {
        const answer = await ask(resolver, name, 'A');
        return answer?.answer[0]?.includes(' 30 IN A ') ? answer : null;
      });
      expect(stale).toMatchObject({ rcode: 'NOERROR', answer: [`${name}. 30 IN A 192.0.0.1`] });
      expect(resolver.failOvers).toEqual([]);
    }
  });
});

/** What the tests above rest on: that the stand-in does fail over. */
describe('the stand-in', () => {
  const header = (query: Buffer, bits: number, id = query.readUInt16BE(0)): Buffer => {
    const reply = replyTo(query, { records: 0 });
    reply.writeUInt16BE(id, 0);
    reply.writeUInt16BE(bits, 2);
    return reply;
  };
  const long = (query: Buffer): Buffer => replyTo(query, { records: MANY });
  type Reasons = readonly (string | null)[];
  const cases: [what: string, reply: (query: Buffer) => Buffer, reasons: Reasons][] = [
    ['SERVFAIL', (query) => header(query, 0x8182), ['SERVFAIL', 'SERVFAIL', 'SERVFAIL']],
    ['REFUSED', (query) => header(query, 0x8185), ['REFUSED', 'REFUSED', 'REFUSED']],
    ['FORMERR', (query) => header(query, 0x8181), ['FORMERR', 'FORMERR', null]],
    ['NXDOMAIN', (query) => header(query, 0x8183), ['NXDOMAIN', 'NXDOMAIN', null]],
    ['NXDOMAIN with AA', (query) => header(query, 0x8583), [null, null, null]],
    ['TC', (query) => header(query, 0x8380), [null, null, null]],
    ['half a record', (query) => long(query).subarray(0, 100), ['unreadable', 'unreadable', 'unreadable']],
    ['more than 512 octets without EDNS', long, ['unreadable', null, null]],
  ];

  it.each(cases)('given %s fails over in the releases that do so', async (_, reply, reasons) => {
    const first = await FakeUpstream.open((query) => [reply(query)]);
    cleanups.push(() => first.close());
    const seen: Reasons[] = [];
    for (const release of DOCKER_RELEASES) {
      const resolver = await openResolver(release, first.port, decoy.port);
      await ask(resolver, 'www.example.com', 'A');
      seen.push(resolver.failOvers);
    }
    expect(seen).toEqual(reasons.map((reason) => (reason === null ? [] : [reason])));
    expect(decoy.seen).toHaveLength(seen.flat().length);
  });

  it('compares the ID of a reply since 24.0.0, and gives a silent nameserver up after 4 seconds', async () => {
    const other = await FakeUpstream.open((query) => [header(query, 0x8180, query.readUInt16BE(0) ^ 1)]);
    cleanups.push(() => other.close());
    const reasons = await Promise.all(
      DOCKER_RELEASES.map(async (release) => {
        const resolver = await openResolver(release, other.port, decoy.port);
        await ask(resolver, 'www.example.com', 'A');
        return resolver.failOvers;
      }),
    );
    expect(reasons).toEqual([[], ['timeout'], ['timeout']]);
  });
});
