/** Which sockets DNS over UDP has: batched ones where the machine has what they need, plain ones where it has not. */
import { describe, expect, it, type TestContext } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { expectRefusal, expectServing, runsToSuccess, setUpJourney, skipOrFail } from '../support/journey-tools.ts';
import { HAS_BATCHED } from '../support/udp-listeners.ts';

const journey = setUpJourney();
const SANDBOX = new URL('../support/without-batches.py', import.meta.url).pathname;

/** What keeps batched sockets from a machine that could have them: a launcher, and what is said of it. */
const OBSTACLES: readonly (readonly [what: string, launcher: readonly string[], reason: RegExp])[] = [
  ['a sandbox without the system calls', ['/usr/bin/python3', SANDBOX, 'ENOSYS'], /recvmmsg ENOSYS/],
  ['a sandbox that forbids the system calls', ['/usr/bin/python3', SANDBOX, 'EPERM'], /recvmmsg EPERM/],
  ['a Node that loads no addons', ['env', 'NODE_OPTIONS=--no-addons'], /koffi|[Aa]ddon/],
];

async function expectSockets(daemon: RunningDaemon, kind: string): Promise<void> {
  await expectServing(daemon);
  expect(await (await fetch(`${daemon.endpoint}/readyz`)).json()).toMatchObject({ status: 'ready', sockets: kind });
  expect(daemon.stdout()).toContain(`  DNS  127.0.0.1:${daemon.dnsPort} (UDP on ${kind} sockets, and TCP)\n`);
}

function requireLauncher(context: TestContext, [command, ...args]: readonly string[]): void {
  if (!HAS_BATCHED) context.skip('there are no batched sockets here at all');
  if (!runsToSuccess(command as string, [...args, 'true'])) skipOrFail(context, `${command} ${args[0]} does not work`);
}

describe('sockets', () => {
  it('are batched on Linux without being asked for', async () => {
    const daemon = await journey.start();
    await expectSockets(daemon, HAS_BATCHED ? 'batched' : 'plain');
    expect(daemon.stderr().includes('DNS over UDP has plain sockets: ')).toBe(!HAS_BATCHED);
  });

  it('are plain where that is asked for, and nothing more is said', async () => {
    const daemon = await journey.start({ settings: { DNS_SOCKETS: 'plain' } });
    await expectSockets(daemon, 'plain');
    expect(daemon.stderr()).not.toContain('plain sockets');
  });

  it.for(OBSTACLES)('are plain in %s, and the reason is said', async ([, launcher, reason], context) => {
    requireLauncher(context, launcher);
    const daemon = await journey.start({ launcher });
    await expectSockets(daemon, 'plain');
    const told = daemon
      .stderr()
      .split('\n')
      .filter((line) => line.includes('DNS over UDP has plain sockets: '));
    expect(told).toEqual([expect.stringMatching(reason)]);
  });

  it.for(OBSTACLES)('end the start where they must be batched, in %s', async ([, launcher, reason], context) => {
    requireLauncher(context, launcher);
    const ended = await journey.runToEnd({ launcher, settings: { DNS_SOCKETS: 'batched' } });
    expectRefusal(ended, 'CLOUDMAPD_DNS_SOCKETS', 'choose auto or plain', '--dns-sockets');
    expect(ended.stderr).toMatch(reason);
  });
});
