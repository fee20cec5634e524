/** Names outside our zones go to the upstreams; our own never do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { askTcp, askUdp, buildQuery, dig, readAnswer } from '../support/dns.ts';
import {
  type Behaviour,
  closedPort,
  FakeUpstream,
  NEVER,
  onlyAddress,
  questionOf,
  replyTo,
} from '../support/fake-upstream.ts';
import { requireTool, runDig, setUpJourney } from '../support/journey-tools.ts';

const journey = setUpJourney();
const upstreams: FakeUpstream[] = [];
afterEach(async () => {
  for (const upstream of upstreams.splice(0)) await upstream.close();
});

async function openUpstream(behaviour: Behaviour): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.open(behaviour);
  upstreams.push(upstream);
  return upstream;
}

const CONTENT = `namespaces:
  - name: own.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.7 } }]
`;

/** Serves own.internal beside the upstreams. */
async function startForwarding(
  ports: readonly number[],
  settings: Record<string, string> = {},
): Promise<RunningDaemon> {
  const CONFIG = journey.writeFile('cloudmapd.yaml', CONTENT);
  const UPSTREAMS = ports.length === 0 ? 'none' : ports.map((port) => `127.0.0.1:${port}`).join();
  return journey.start({ settings: { STORE: 'memory', CONFIG, UPSTREAMS, ...settings } });
}

const OWN = { rcode: 'NOERROR', aa: true, answer: ['web.own.internal. 10 IN A 10.0.0.7'] };
const ONE = onlyAddress('192.0.2.1');
const MANY = Array.from({ length: 60 }, (_, i) => `30 IN A 192.0.2.${i}`);
const many: Behaviour = (query, overTcp) => [
  overTcp ? replyTo(query, { answer: MANY.map((record) => `@ ${record}`) }) : replyTo(query, { truncated: true }),
];

describe('an upstream', () => {
  const folder = makeFolder();
  let upstream: FakeUpstream;
  let dnsPort: number;
  let daemon: RunningDaemon;

  beforeAll(async () => {
    upstream = await FakeUpstream.open(ONE);
    const CONFIG = join(folder.path, 'cloudmapd.yaml');
    writeFileSync(CONFIG, CONTENT);
    const settings = { STORE: 'memory', CONFIG, UPSTREAMS: upstream.endpoint };
    daemon = await startTestDaemon({ dataDir: folder.path, settings });
    ({ dnsPort } = daemon);
  });
  beforeEach(() => {
    upstream.seen.length = 0;
    upstream.behaviour = ONE;
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    await upstream?.close();
    folder.remove();
  });

  it('is asked over UDP for names outside our zones, and the client has its own question and ID back', async () => {
    for (const [i, transport] of ['udp', 'tcp'].entries()) {
      const query = buildQuery(`WwW${i}.ExAmPlE.cOm`, 'A', { id: 0x4242, rd: true });
      const reply = (
        transport === 'udp' ? await askUdp(dnsPort, query) : (await askTcp(dnsPort, [query]))[0]
      ) as Buffer;
      expect(reply.readUInt16BE(0)).toBe(0x4242);
      expect(reply.subarray(12, query.length)).toEqual(Buffer.from(query.subarray(12)));
      const { answer, ...rest } = readAnswer(reply);
      expect(rest).toMatchObject({ rcode: 'NOERROR', aa: false, tc: false, rd: true, ra: true });
      expect(answer.map((record) => record.toLowerCase())).toEqual([`www${i}.example.com. 30 in a 192.0.2.1`]);
    }
    expect(upstream.seen.map(({ query }) => questionOf(query).name)).toEqual(['www0.example.com', 'www1.example.com']);
    expect(upstream.seen.map(({ overTcp }) => overTcp)).toEqual([false, false]);
  });

  it('is not asked for our own names, and those say that recursion is available', async () => {
    expect(await dig(dnsPort, 'web.own.internal', 'A', { rd: true })).toMatchObject({ ...OWN, ra: true });
    expect(await dig(dnsPort, 'none.own.internal', 'A', { rd: true })).toMatchObject({ rcode: 'NXDOMAIN', ra: true });
    // Without RD nobody wants recursion.
    expect(await dig(dnsPort, 'www.example.com', 'A')).toMatchObject({ rcode: 'REFUSED', ra: true });
    expect(upstream.seen).toEqual([]);
  });

  it('is asked once more over TCP where its UDP reply is truncated', async () => {
    upstream.behaviour = (query, overTcp, seen) =>
      (questionOf(query).name.startsWith('many') || !overTcp ? many : ONE)(query, overTcp, seen);
    expect(await dig(dnsPort, 'few.example.com', 'A', { rd: true })).toMatchObject({
      rcode: 'NOERROR',
      tc: false,
      ra: true,
      answer: ['few.example.com. 30 IN A 192.0.2.1'],
    });
    expect(upstream.seen.map(({ overTcp }) => overTcp)).toEqual([false, true]);

    // What this client cannot take over UDP it is to ask over TCP itself, and gets there.
    const query = buildQuery('many.example.com', 'A', { rd: true });
    const overUdp = (await askUdp(dnsPort, query)) as Buffer;
    expect(overUdp.length).toBeLessThanOrEqual(512);
    expect(readAnswer(overUdp)).toMatchObject({ tc: true, ra: true });
    const [overTcp] = (await askTcp(dnsPort, [query])) as [Buffer];
    expect(readAnswer(overTcp)).toMatchObject({ rcode: 'NOERROR', tc: false });
    expect(readAnswer(overTcp).answer).toEqual(MANY.map((record) => `many.example.com. ${record}`));
  });

  it('gives dig nothing to complain of', async (context) => {
    requireTool(context, 'dig');
    upstream.behaviour = many;
    for (const flags of [[], ['+tcp'], ['+noedns']]) {
      const output = await runDig(dnsPort, ['dug.example.com', 'A', ...flags]);
      expect(output).not.toContain('WARNING');
      expect(output.match(/^dug\.example\.com\.\s+30\s+IN\s+A\s/gm)).toHaveLength(MANY.length);
    }
  });

  it('that stays silent makes SERVFAIL within 4.5 seconds, and holds nothing else up', async () => {
    upstream.behaviour = () => NEVER;
    const startedAt = performance.now();
    const query = buildQuery('silent.example.com', 'A', { rd: true });
    let isWaiting = true;
    const outside = Promise.all([askUdp(dnsPort, query, { timeoutMs: 10_000 }), askTcp(dnsPort, [query])]).finally(
      () => {
        isWaiting = false;
      },
    );
    let answeredMeanwhile = 0;
    while (isWaiting) {
      expect(await dig(dnsPort, 'web.own.internal', 'A', { rd: true })).toMatchObject({ ...OWN, ra: true });
      answeredMeanwhile++;
    }
    const [overUdp, [overTcp]] = await outside;
    expect(performance.now() - startedAt).toBeLessThan(4500);
    for (const reply of [overUdp, overTcp]) {
      expect(readAnswer(reply as Buffer)).toMatchObject({ rcode: 'SERVFAIL', ra: true, answer: [] });
    }
    expect(answeredMeanwhile).toBeGreaterThan(100);
  });
});

describe('upstreams', () => {
  it('are asked in turn where the first one is gone', async () => {
    const upstream = await openUpstream(ONE);
    const { dnsPort } = await startForwarding([await closedPort(), upstream.port]);
    expect(await dig(dnsPort, 'www.example.com', 'A', { rd: true })).toMatchObject({
      rcode: 'NOERROR',
      answer: ['www.example.com. 30 IN A 192.0.2.1'],
    });
  });

  it('are asked for allowed clients alone', async () => {
    const upstream = await openUpstream(ONE);
    const { dnsPort } = await startForwarding([upstream.port], { RECURSION_CLIENTS: '10.0.0.0/8' });
    const query = buildQuery('www.example.com', 'A', { rd: true });
    const replies = [await askUdp(dnsPort, query), ...(await askTcp(dnsPort, [query]))] as Buffer[];
    for (const reply of replies) expect(readAnswer(reply)).toMatchObject({ rcode: 'REFUSED', answer: [] });
    expect(await dig(dnsPort, 'web.own.internal', 'A', { rd: true })).toMatchObject(OWN);
    expect(upstream.seen).toEqual([]);
  });

  it('make SERVFAIL at once where their ports are closed', async () => {
    const { dnsPort } = await startForwarding([await closedPort()]);
    const startedAt = performance.now();
    expect(await dig(dnsPort, 'www.example.com', 'A', { rd: true })).toMatchObject({ rcode: 'SERVFAIL', ra: true });
    expect(performance.now() - startedAt).toBeLessThan(4500);
    expect(await dig(dnsPort, 'web.own.internal', 'A', { rd: true })).toMatchObject(OWN);
  });
});

it('refuses names outside our zones, and offers no recursion, where there is no upstream', async () => {
  const { dnsPort } = await startForwarding([]);
  expect(await dig(dnsPort, 'www.example.com', 'A', { rd: true })).toMatchObject({ rcode: 'REFUSED', ra: false });
  expect(await dig(dnsPort, 'web.own.internal', 'A', { rd: true })).toMatchObject({ ...OWN, ra: false });
});

describe('an upstream on the port of a wildcard listener', () => {
  it.each([
    ['127.0.0.11', 'is the container engine’s resolver, and asked', true],
    ['127.0.0.1', 'is the daemon itself, and left out', false],
  ])('at %s %s', async (address, _, ra) => {
    const port = await closedPort();
    const daemon = await startTestDaemon({
      dataDir: journey.newPath(),
      settings: { DNS: `0.0.0.0:${port}`, UPSTREAMS: `${address}:${port}` },
    });
    try {
      expect((await dig(daemon.dnsPort, 'www.example.com', 'A')).ra).toBe(ra);
    } finally {
      await daemon.stop();
    }
  });
});
