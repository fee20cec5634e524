/** Several threads that answer DNS (CLOUDMAPD_DNS_THREADS), as the daemon's user sees them. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { closedPort, FakeUpstream, onlyAddress, relaying } from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import {
  expectRefusal,
  expectServing,
  runsToSuccess,
  setUpJourney,
  skipOrFail,
  waitFor,
} from '../support/journey-tools.ts';
import { socketsAt } from '../support/sockets-at.ts';
import { HAS_BATCHED } from '../support/udp-listeners.ts';

const journey = setUpJourney();
const SANDBOX = new URL('../support/without-sharing.py', import.meta.url).pathname;
const PYTHON = '/usr/bin/python3';
const closing: FakeUpstream[] = [];
afterEach(async () => {
  for (const upstream of closing.splice(0)) await upstream.close();
});

async function readyz({ endpoint }: RunningDaemon): Promise<Record<string, unknown>> {
  return (await (await fetch(`${endpoint}/readyz`)).json()) as Record<string, unknown>;
}

describe.skipIf(process.platform !== 'linux')('answering threads', () => {
  it('are as many as the setting says, in the start lines and in the probe too', async () => {
    const daemon = await journey.start({ args: ['--dns-threads', '3'] });
    await expectServing(daemon);
    expect(await readyz(daemon)).toMatchObject({ status: 'ready', dns: [`127.0.0.1:${daemon.dnsPort}`], threads: 3 });
    expect(daemon.stdout()).toContain('; 3 threads)\n');
    expect(socketsAt(daemon.dnsPort)).toEqual({ udp: 3, tcp: 3 });
    expect(await daemon.stop('SIGTERM')).toBe(0);
    expect(socketsAt(daemon.dnsPort)).toEqual({ udp: 0, tcp: 0 });
  });

  it('are one where nothing is said, and nothing is said of it', async () => {
    const daemon = await journey.start();
    expect(await readyz(daemon)).not.toHaveProperty('threads');
    expect(daemon.stdout()).not.toContain('thread');
    expect(socketsAt(daemon.dnsPort)).toEqual({ udp: 1, tcp: 1 });
  });

  it.each([
    ['1', '2'],
    ['2', '1'],
    ['2', '2'],
  ])('%s of a daemon keep its port from another one with %s', async (threads, others) => {
    const first = await journey.start({ settings: { DNS_THREADS: threads } });
    for (const DNS of [`127.0.0.1:${first.dnsPort}`, `0.0.0.0:${first.dnsPort}`]) {
      const second = await journey.runToEnd({ settings: { DNS, DNS_THREADS: others } });
      expectRefusal(second, 'CLOUDMAPD_DNS: ', '--dns', 'in use');
    }
    await expectServing(first);
  });

  it.for(['plain', ...(HAS_BATCHED ? ['batched'] : [])])(
    'are refused in one line where the system shares no ports, on %s sockets, and one is not',
    async (DNS_SOCKETS, context) => {
      const launcher = [PYTHON, SANDBOX, 'EOPNOTSUPP'];
      if (!runsToSuccess(PYTHON, [SANDBOX, 'EOPNOTSUPP', 'true'])) skipOrFail(context, `${SANDBOX} does not work`);
      const several = await journey.runToEnd({ launcher, settings: { DNS_THREADS: '2', DNS_SOCKETS } });
      expectRefusal(several, 'CLOUDMAPD_DNS_THREADS: ', 'to 1');
      await expectServing(await journey.start({ launcher, settings: { DNS_THREADS: '1', DNS_SOCKETS } }));
    },
  );

  it('find an upstream that leads back, at whichever of them its questions come in, and say so once', async () => {
    const port = await closedPort();
    const loop = await FakeUpstream.open(relaying('127.0.0.1', port), { seesLoopChecks: true });
    const good = await FakeUpstream.open(onlyAddress('192.0.2.1'));
    closing.push(loop, good);
    const daemon = await journey.start({
      settings: { DNS: `127.0.0.1:${port}`, DNS_THREADS: '4', UPSTREAMS: `${loop.endpoint},${good.endpoint}` },
    });
    const lines = (): string[] =>
      daemon
        .stderr()
        .split('\n')
        .filter((line) => line.includes('leads back'));
    await waitFor('the warning', () => (lines().length > 0 ? true : null));
    // Each asks by itself; a name that only one of them is asked shows whether it knows by now.
    let n = 0;
    await waitFor('threads that all know', async () => {
      const names = Array.from({ length: 40 }, () => `n${n++}.example`);
      for (const name of names) expect((await ask(port, `${name} A`)).answer).toEqual([`${name}. 30 IN A 192.0.2.1`]);
      return names.every((name) => loop.timesAsked(name) === 0) ? true : null;
    });
    expect(lines()).toEqual([expect.stringContaining(loop.endpoint)]);
  });
});
