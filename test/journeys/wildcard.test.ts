/**
 * A wildcard listener in a network namespace of its own, whose addresses come and go: who asks an address gets the
 * answer from that address.
 */
import { describe, expect, it } from 'vitest';
import { requireIpv6, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { makeNetwork, startInside, type TestNetwork } from '../support/test-network.ts';
import { HAS_BATCHED } from '../support/udp-listeners.ts';

const journey = setUpJourney();
const KINDS = ['plain', ...(HAS_BATCHED ? ['batched'] : [])];
const CONTENT = { namespaces: [{ name: 'corp.internal', type: 'DNS_PRIVATE' }] };

/** dig drops replies that come from another address than it asked. @returns the records; null: no answer in time */
async function ask(network: TestNetwork, server: string, type = 'A', ...options: string[]): Promise<string[] | null> {
  return askName(network, 'ns.corp.internal', server, type, ...options);
}

async function askName(network: TestNetwork, name: string, server: string, type: string, ...options: string[]) {
  const args = [`@${server}`, '-p', '5353', '+short', '+time=1', '+tries=1', ...options, name, type];
  const output = await network.run('dig', ...args).catch(() => null);
  return output === null ? null : output.trim().split('\n').sort();
}

describe.each(KINDS)('a wildcard listener on %s sockets', (DNS_SOCKETS) => {
  it('answers from each address of the machine, which is also what ns.<zone> is to whoever asked there', async (context) => {
    const network = await makeNetwork(context);
    await network.run('ip', 'address', 'add', '10.99.0.2/24', 'dev', 'eth9');
    await startInside(context, network, journey, CONTENT, { DNS: '0.0.0.0:5353', DNS_SOCKETS });
    for (const address of ['127.0.0.1', '10.99.0.1', '10.99.0.2']) {
      expect(await ask(network, address)).toEqual([address]);
      expect(await ask(network, address, 'A', '+tcp')).toEqual([address]);
    }
  });

  it('has no IPv6 address for who asks over IPv4 where the machine has none but loopback', async (context) => {
    const network = await makeNetwork(context);
    await startInside(context, network, journey, CONTENT, { DNS: '0.0.0.0:5353,[::]:5353', DNS_SOCKETS });
    for (const name of ['cloudmap', 'data-cloudmap']) {
      for (const overTcp of [[], ['+tcp']]) {
        expect(await askName(network, name, '10.99.0.1', 'A', ...overTcp)).toEqual(['10.99.0.1']);
        expect(await askName(network, name, '10.99.0.1', 'AAAA', ...overTcp)).toEqual(['']);
      }
    }
    const loopback = await network.run('ip', 'address', 'show', 'dev', 'lo');
    if (loopback.includes('::1')) expect(await askName(network, 'cloudmap', '::1', 'AAAA')).toEqual(['::1']);
  });

  it('follows addresses that come and go, and says so', async (context) => {
    const network = await makeNetwork(context);
    const { stderr } = await startInside(context, network, journey, CONTENT, { DNS: '0.0.0.0:5353', DNS_SOCKETS });
    expect(await ask(network, '10.99.0.1')).toEqual(['10.99.0.1']);
    await network.run('ip', 'address', 'add', '10.99.0.7/24', 'dev', 'eth9');
    expect(await waitFor('the new address', () => ask(network, '10.99.0.7'))).toEqual(['10.99.0.7']);
    await waitFor('the line', () => (stderr().includes('DNS is answered on 10.99.0.7 too') ? true : null));
    await network.run('ip', 'address', 'delete', '10.99.0.7/24', 'dev', 'eth9');
    await network.run('ip', 'address', 'add', '10.99.0.8/24', 'dev', 'eth9');
    expect(await waitFor('the next address', () => ask(network, '10.99.0.8'))).toEqual(['10.99.0.8']);
    // Somebody else can have the one that went, so it is not held any longer.
    await network.run('ip', 'address', 'add', '10.99.0.7/24', 'dev', 'eth9');
    expect(await waitFor('the address that came back', () => ask(network, '10.99.0.7'))).toEqual(['10.99.0.7']);
  });

  it('of several threads is one: each has all addresses, and one that comes up is told once', async (context) => {
    const network = await makeNetwork(context);
    const settings = { DNS: '0.0.0.0:5353', DNS_SOCKETS, DNS_THREADS: '2' };
    const { stderr } = await startInside(context, network, journey, CONTENT, settings);
    const sockets = async (address: string): Promise<number> =>
      (await network.run('ss', '-Hlun', 'src', `${address}:5353`)).split('\n').filter(Boolean).length;
    for (const address of ['127.0.0.1', '10.99.0.1']) {
      expect(await sockets(address)).toBe(2);
      for (let i = 0; i < 10; i++) expect(await ask(network, address)).toEqual([address]);
    }
    await network.run('ip', 'address', 'add', '10.99.0.7/24', 'dev', 'eth9');
    await waitFor('the sockets of both threads', async () => ((await sockets('10.99.0.7')) === 2 ? true : null));
    for (let i = 0; i < 10; i++) expect(await ask(network, '10.99.0.7')).toEqual(['10.99.0.7']);
    for (let i = 0; i < 4; i++) expect(await ask(network, '10.99.0.7', 'A', '+tcp')).toEqual(['10.99.0.7']);
    await network.run('ip', 'address', 'delete', '10.99.0.7/24', 'dev', 'eth9');
    await waitFor('no socket', async () => ((await sockets('10.99.0.7')) === 0 ? true : null));
    await network.run('ip', 'address', 'add', '10.99.0.7/24', 'dev', 'eth9');
    await waitFor('the sockets of both threads', async () => ((await sockets('10.99.0.7')) === 2 ? true : null));
    const told = (): number => stderr().split('DNS is answered on 10.99.0.7 too').length - 1;
    await waitFor('the lines', () => (told() >= 2 ? true : null));
    expect(told()).toBe(2);
  });

  // To a client elsewhere ::1 is itself: it would connect to nobody, as busybox's wget does, or to somebody else.
  it('has nothing of the other family for who asked over the network, where loopback alone has it', async (context) => {
    requireIpv6(context);
    const network = await makeNetwork(context);
    await startInside(context, network, journey, CONTENT, { DNS: '0.0.0.0:5353,[::]:5353', DNS_SOCKETS });
    for (const name of ['ns.corp.internal', 'cloudmap', 'data-cloudmap']) {
      const dig = (type: string) => network.run('dig', '@10.99.0.1', '-p', '5353', '+short', name, type);
      expect(await dig('A')).toBe('10.99.0.1\n');
      expect(await dig('AAAA')).toBe('');
    }
  });

  it('is of both families', async (context) => {
    const network = await makeNetwork(context);
    const added = await network.run('ip', 'address', 'add', 'fd00:99::1/64', 'dev', 'eth9', 'nodad').catch(() => null);
    if (added === null) return context.skip('this machine has no IPv6');
    await network.run('ip', 'address', 'add', 'fe80::99:1/64', 'dev', 'eth9', 'nodad');
    await startInside(context, network, journey, CONTENT, { DNS: '0.0.0.0:5353,[::]:5353', DNS_SOCKETS });
    // Of a link of its own, where an address alone leads nowhere.
    expect(await ask(network, 'fe80::99:1%eth9', 'AAAA')).toEqual(['fe80::99:1']);
    expect(await ask(network, 'fd00:99::1', 'AAAA')).toEqual(['fd00:99::1']);
    expect(await ask(network, '::1', 'AAAA')).toEqual(['::1']);
    // Of the other family than the one that was asked there are those of the machine.
    expect(await ask(network, 'fd00:99::1', 'A')).toEqual(['10.99.0.1']);
    expect(await ask(network, '10.99.0.1', 'AAAA')).toEqual(['fd00:99::1']);
    expect(await ask(network, '10.99.0.1', 'A')).toEqual(['10.99.0.1']);
  });
});
