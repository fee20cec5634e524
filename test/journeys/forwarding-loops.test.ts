/** Upstreams that lead back to the daemon: found at the start and later, said in one line, and no query goes round. */
import { afterEach, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { type Behaviour, closedPort, FakeUpstream, onlyAddress, relaying } from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();
const opened: FakeUpstream[] = [];
afterEach(async () => {
  for (const upstream of opened.splice(0)) await upstream.close();
});

async function open(behaviour: Behaviour, seesLoopChecks = false): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.open(behaviour, { seesLoopChecks });
  opened.push(upstream);
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

function start(settings: Record<string, string>): Promise<RunningDaemon> {
  return journey.start({ settings: { STORE: 'memory', CONFIG: journey.writeFile('zone.yaml', CONTENT), ...settings } });
}

/** The log's lines on the setting. */
function linesOf({ stderr }: RunningDaemon): string[] {
  return stderr()
    .split('\n')
    .filter((line) => line.includes('CLOUDMAPD_UPSTREAMS'));
}

async function waitForLine(daemon: RunningDaemon, endpoint: string): Promise<string> {
  return waitFor('the warning', () => linesOf(daemon).find((line) => line.includes(endpoint)) ?? null);
}

const OWN = { status: 'NOERROR AA RD RA', answer: ['web.own.internal. 10 IN A 10.0.0.7'] };

it('two daemons that are upstreams of each other say so, and answer SERVFAIL', async () => {
  const port = await closedPort();
  const first = await start({ UPSTREAMS: `127.0.0.1:${port}` });
  const second = await start({ DNS: `127.0.0.1:${port}`, UPSTREAMS: `127.0.0.1:${first.dnsPort}` });
  const line = await waitForLine(second, `127.0.0.1:${first.dnsPort}`);
  expect(JSON.parse(line)).toMatchObject({ level: 40 });
  for (const daemon of [first, second]) {
    expect((await ask(daemon.dnsPort, 'www.example A')).status).toBe('SERVFAIL RD RA');
    expect(await ask(daemon.dnsPort, 'web.own.internal A')).toMatchObject(OWN);
  }
  expect(linesOf(second)).toHaveLength(1);
});

it('an upstream that leads back is found at the start, and the other one is asked', async () => {
  const port = await closedPort();
  const loop = await open(relaying('127.0.0.1', port), true);
  const good = await open(onlyAddress('192.0.2.1'));
  const daemon = await start({ DNS: `127.0.0.1:${port}`, UPSTREAMS: `${loop.endpoint},${good.endpoint}` });
  const line = await waitForLine(daemon, loop.endpoint);
  expect(JSON.parse(line)).toMatchObject({ level: 40 });
  for (let i = 0; i < 5; i++) {
    expect((await ask(port, `n${i}.example A`)).answer).toEqual([`n${i}.example. 30 IN A 192.0.2.1`]);
  }
  expect(await ask(port, 'web.own.internal A')).toMatchObject(OWN);
  expect(linesOf(daemon)).toHaveLength(1);
});

it('a loop that is made while the daemon runs is found, and no query goes round for long', async () => {
  const port = await closedPort();
  const answering = onlyAddress('192.0.2.2');
  const relay = relaying('127.0.0.1', port);
  const turning = await open(answering, true);
  const good = await open(onlyAddress('192.0.2.1'));
  const daemon = await start({
    DNS: `127.0.0.1:${port}`,
    UPSTREAMS: turning.endpoint,
    FORWARD: `corp.example=${good.endpoint}`,
  });
  expect((await ask(port, 'before.example A')).answer).toEqual(['before.example. 30 IN A 192.0.2.2']);
  expect(linesOf(daemon)).toEqual([]);

  turning.behaviour = relay;
  turning.seen.length = 0;
  let n = 0;
  await waitFor('the warning', async () => {
    expect((await ask(port, `looped${n++}.example A`)).status).toBe('SERVFAIL RD RA');
    return linesOf(daemon).some((line) => line.includes(turning.endpoint)) ? true : null;
  });
  // A handful for each name at most: tries, and none of what comes back is asked again.
  for (let i = 0; i < n; i++) expect(turning.timesAsked(`looped${i}.example`)).toBeLessThan(30);
  expect((await ask(port, 'www.corp.example A')).answer).toEqual(['www.corp.example. 30 IN A 192.0.2.1']);
  expect(await ask(port, 'web.own.internal A')).toMatchObject(OWN);
  expect(linesOf(daemon)).toHaveLength(1);

  // Once the upstream is mended, it is asked as before.
  turning.behaviour = answering;
  await waitFor('an answer', async () => {
    const { answer } = await ask(port, `mended${n++}.example A`);
    return answer.length === 1 ? true : null;
  });
});

it('rules that lead back are found too, and the line names the setting that has them', async () => {
  const port = await closedPort();
  const loop = await open(relaying('127.0.0.1', port), true);
  const good = await open(onlyAddress('192.0.2.1'));
  const FORWARD = `corp.example=${loop.endpoint}`;
  const daemon = await start({ DNS: `127.0.0.1:${port}`, UPSTREAMS: good.endpoint, FORWARD });
  const line = await waitFor(
    'the warning',
    () =>
      daemon
        .stderr()
        .split('\n')
        .find((text) => text.includes(loop.endpoint)) ?? null,
  );
  expect((await ask(port, 'www.corp.example A')).status).toBe('SERVFAIL RD RA');
  expect((await ask(port, 'www.example A')).answer).toHaveLength(1);
  expect(line).toContain('CLOUDMAPD_FORWARD');
});
