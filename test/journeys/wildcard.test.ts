/**
 * A wildcard listener in a network namespace of its own, whose addresses come and go: who asks an address gets the
 * answer from that address.
 */
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { spawnDaemon } from '../support/daemon.ts';
import { requireTool, runCommand, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { NetworkNamespace, requireNamespace } from '../support/network-namespace.ts';

const journey = setUpJourney();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** With loopback up and an interface `eth9` that leads nowhere. */
async function makeNetwork(context: TestContext): Promise<Network> {
  requireNamespace(context);
  requireTool(context, 'dig');
  const namespace = await NetworkNamespace.create();
  cleanups.push(() => namespace.close());
  const network = new Network(namespace.launcher);
  await network.run('ip', 'link', 'add', 'eth9', 'type', 'veth', 'peer', 'name', 'eth8');
  await network.run('ip', 'link', 'set', 'eth8', 'up');
  await network.run('ip', 'link', 'set', 'eth9', 'up');
  await network.run('ip', 'address', 'add', '10.99.0.1/24', 'dev', 'eth9');
  return network;
}

class Network {
  readonly launcher: readonly string[];

  constructor(launcher: readonly string[]) {
    this.launcher = launcher;
  }

  /** Runs a command inside. @throws Error where it fails */
  async run(...words: string[]): Promise<string> {
    const [command, ...args] = [...this.launcher, ...words] as [string, ...string[]];
    const { code, stdout, stderr } = await runCommand(command, args);
    if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
    return stdout;
  }
}

async function startInside(network: Network, dns: string): Promise<{ stderr: () => string }> {
  const file = journey.writeFile('zone.yaml', 'namespaces: [{ name: corp.internal, type: DNS_PRIVATE }]\n');
  const daemon = spawnDaemon({
    settings: { CONFIG: file, DNS: dns, STORE: 'memory' },
    dataDir: journey.newPath(),
    launcher: network.launcher,
  });
  cleanups.push(() => {
    daemon.child.kill('SIGKILL');
    return daemon.exited;
  });
  await waitFor('the start lines', () => {
    if (daemon.child.exitCode !== null) throw new Error(daemon.stderr());
    return daemon.stdout().includes('list-namespaces') ? true : null;
  });
  return daemon;
}

/** dig drops replies that come from another address than it asked. @returns the records; null: no answer in time */
async function ask(network: Network, server: string, type = 'A', ...options: string[]): Promise<string[] | null> {
  const args = [`@${server}`, '-p', '5353', '+short', '+time=1', '+tries=1', ...options, 'ns.corp.internal', type];
  const output = await network.run('dig', ...args).catch(() => null);
  return output === null ? null : output.trim().split('\n').sort();
}

describe('a wildcard listener', () => {
  it('answers from each address of the machine, which is also what ns.<zone> is to whoever asked there', async (context) => {
    const network = await makeNetwork(context);
    await network.run('ip', 'address', 'add', '10.99.0.2/24', 'dev', 'eth9');
    await startInside(network, '0.0.0.0:5353');
    for (const address of ['127.0.0.1', '10.99.0.1', '10.99.0.2']) {
      expect(await ask(network, address)).toEqual([address]);
      expect(await ask(network, address, 'A', '+tcp')).toEqual([address]);
    }
  });

  it('follows addresses that come and go, and says so', async (context) => {
    const network = await makeNetwork(context);
    const { stderr } = await startInside(network, '0.0.0.0:5353');
    expect(await ask(network, '10.99.0.1')).toEqual(['10.99.0.1']);
    await network.run('ip', 'address', 'add', '10.99.0.7/24', 'dev', 'eth9');
    expect(await waitFor('the new address', () => ask(network, '10.99.0.7'))).toEqual(['10.99.0.7']);
    expect(stderr()).toContain('DNS is answered on 10.99.0.7 too');
    await network.run('ip', 'address', 'delete', '10.99.0.7/24', 'dev', 'eth9');
    await network.run('ip', 'address', 'add', '10.99.0.8/24', 'dev', 'eth9');
    expect(await waitFor('the next address', () => ask(network, '10.99.0.8'))).toEqual(['10.99.0.8']);
    // Somebody else can have the one that went, so it is not held any longer.
    await network.run('ip', 'address', 'add', '10.99.0.7/24', 'dev', 'eth9');
    expect(await waitFor('the address that came back', () => ask(network, '10.99.0.7'))).toEqual(['10.99.0.7']);
  });

  it('is of both families', async (context) => {
    const network = await makeNetwork(context);
    const added = await network.run('ip', 'address', 'add', 'fd00:99::1/64', 'dev', 'eth9', 'nodad').catch(() => null);
    if (added === null) return context.skip('this machine has no IPv6');
    await startInside(network, '0.0.0.0:5353,[::]:5353');
    expect(await ask(network, 'fd00:99::1', 'AAAA')).toEqual(['fd00:99::1']);
    expect(await ask(network, '::1', 'AAAA')).toEqual(['::1']);
    // Of the other family than the one that was asked there are those of the machine.
    expect(await ask(network, 'fd00:99::1', 'A')).toEqual(['10.99.0.1']);
    expect(await ask(network, '10.99.0.1', 'AAAA')).toEqual(['fd00:99::1']);
    expect(await ask(network, '10.99.0.1', 'A')).toEqual(['10.99.0.1']);
  });
});
