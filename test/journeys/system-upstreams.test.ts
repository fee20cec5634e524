/**
 * CLOUDMAPD_UPSTREAMS=system: the nameservers of /etc/resolv.conf, in a network and an /etc of the test's own. Each test
 * names outside names of its own, so that no answer is one of the cache.
 */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { makeNetwork, startInside, type TestNetwork } from '../support/test-network.ts';

const journey = setUpJourney();
const RESIDENT = new URL('../support/resident-upstream.ts', import.meta.url).pathname;
/** Its argument is the folder that is /etc. */
const WITH_ETC = 'mount --bind "$1" /etc && shift && exec "$@"';
const OWN_ZONE = {
  namespaces: [
    {
      name: 'own.internal',
      type: 'DNS_PRIVATE',
      services: [
        {
          name: 'web',
          dns: { records: [{ type: 'A', ttl: 10 }] },
          instances: [{ id: 'web-1', attributes: { AWS_INSTANCE_IPV4: '10.0.0.7' } }],
        },
      ],
    },
  ],
};

/** A folder that stands for /etc, where resolv.conf has these nameservers. */
function makeEtc(...nameservers: readonly string[]): string {
  const folder = journey.newPath('etc');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'resolv.conf'), resolvConf(...nameservers));
  return folder;
}

function resolvConf(...nameservers: readonly string[]): string {
  return ['# of a test', 'search lan.example', ...nameservers.map((address) => `nameserver ${address}`), ''].join('\n');
}

/** Says that every name has the address, on port 53 of its own. */
async function runUpstream(network: TestNetwork, address: string, answer: string): Promise<void> {
  const { stdout } = network.start(process.execPath, RESIDENT, address, '53', 'answer', answer);
  await waitFor('the upstream', () => (stdout().includes('ready') ? true : null));
}

interface Inside {
  readonly network: TestNetwork;
  readonly stderr: () => string;
  /** What a name is, one that was never asked for where none is given; empty: SERVFAIL, REFUSED or nothing. */
  outside(name?: string): Promise<string>;
}

let names = 0;

async function startSystem(
  context: TestContext,
  network: TestNetwork,
  etc: string,
  dns = '127.0.0.1:5353',
  more: Readonly<Record<string, string>> = {},
): Promise<Inside> {
  const launcher = [...network.launcher, 'unshare', '--mount', 'sh', '-c', WITH_ETC, 'sh', etc];
  const settings = { UPSTREAMS: 'system', DNS: dns, ...more };
  const { stderr } = await startInside(context, { ...network, launcher }, journey, OWN_ZONE, settings);
  const [, address, port] = /^(.+):(\d+)$/.exec(dns.replace('0.0.0.0', '127.0.0.1')) as unknown as [
    string,
    string,
    string,
  ];
  const dig = async (name: string): Promise<string> =>
    (await network.run('dig', `@${address}`, '-p', port, '+short', '+tries=1', '+time=6', name, 'A')).trim();
  // Whatever becomes of the outside.
  expect(await dig('web.own.internal')).toBe('10.0.0.7');
  return { network, stderr, outside: (name = `n${names++}.outside.example`) => dig(name) };
}

const [FIRST, SECOND] = ['127.0.0.101', '127.0.0.102'];

async function makeServedNetwork(context: TestContext): Promise<TestNetwork> {
  const network = await makeNetwork(context);
  await Promise.all([runUpstream(network, FIRST, '192.0.2.1'), runUpstream(network, SECOND, '192.0.2.2')]);
  return network;
}

/** Messages of the log, from warnings on. */
function warningsOf(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .filter(({ level }) => level >= 40)
    .map(({ msg }) => msg);
}

describe('resolv.conf', () => {
  const replace = (path: string, text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };

  it.for<[string, (etc: string, text: string) => void]>([
    ['written anew in place', (etc, text) => writeFileSync(join(etc, 'resolv.conf'), text)],
    ['replaced by another file', (etc, text) => replace(join(etc, 'resolv.conf'), text)],
  ])('that is %s has its nameservers asked from then on', async ([, write], context) => {
    const network = await makeServedNetwork(context);
    const etc = makeEtc(FIRST);
    const { outside } = await startSystem(context, network, etc);
    expect(await outside()).toBe('192.0.2.1');
    write(etc, resolvConf(SECOND));
    await waitFor('the second nameserver', async () => ((await outside()) === '192.0.2.2' ? true : null));
    // Not only once.
    write(etc, resolvConf(FIRST));
    await waitFor('the first nameserver', async () => ((await outside()) === '192.0.2.1' ? true : null));
  });

  it('that is a link is followed where what it leads to is replaced', async (context) => {
    const network = await makeServedNetwork(context);
    const etc = makeEtc();
    mkdirSync(join(etc, 'run'));
    writeFileSync(join(etc, 'run', 'stub.conf'), resolvConf(FIRST));
    symlinkSync('run/stub.conf', join(etc, 'link'));
    renameSync(join(etc, 'link'), join(etc, 'resolv.conf'));
    const { outside } = await startSystem(context, network, etc);
    expect(await outside()).toBe('192.0.2.1');
    replace(join(etc, 'run', 'stub.conf'), resolvConf(SECOND));
    await waitFor('the second nameserver', async () => ((await outside()) === '192.0.2.2' ? true : null));
  });

  it('without a nameserver stops no start, and one that comes is asked', async (context) => {
    const network = await makeServedNetwork(context);
    const etc = makeEtc();
    const { outside } = await startSystem(context, network, etc);
    expect(await outside()).toBe('');
    writeFileSync(join(etc, 'resolv.conf'), resolvConf(FIRST));
    await waitFor('the nameserver', async () => ((await outside()) === '192.0.2.1' ? true : null));
  });

  it('that names nobody who can be reached stops no start, and no other nameserver', async (context) => {
    const network = await makeServedNetwork(context);
    // There is no route to either.
    const unreachable = ['203.0.113.1', '2001:db8::1'];
    const etc = makeEtc(...unreachable);
    const { outside } = await startSystem(context, network, etc);
    expect(await outside()).toBe('');
    writeFileSync(join(etc, 'resolv.conf'), resolvConf(...unreachable, FIRST));
    await waitFor('the nameserver', async () => ((await outside()) === '192.0.2.1' ? true : null));
  });
});

describe('CLOUDMAPD_SINGLE_LABEL_UPSTREAMS=system', () => {
  it.for<[string, Record<string, string>, string]>([
    ['as other names do', {}, '192.0.2.2'],
    ['though other names do not', { UPSTREAMS: `${FIRST}:53` }, '192.0.2.1'],
  ])('has names of one label follow resolv.conf, %s', async ([, more, others], context) => {
    const network = await makeServedNetwork(context);
    const etc = makeEtc(FIRST);
    const { outside } = await startSystem(context, network, etc, undefined, {
      SINGLE_LABEL_UPSTREAMS: 'system',
      ...more,
    });
    expect(await outside('first')).toBe('192.0.2.1');
    writeFileSync(join(etc, 'resolv.conf'), resolvConf(SECOND));
    let n = 0;
    await waitFor('the second nameserver', async () => ((await outside(`web${n++}`)) === '192.0.2.2' ? true : null));
    expect(await outside()).toBe(others);
  });
});

describe('the daemon’s own address', () => {
  it.for<[string, string]>([
    ['127.0.0.1', '127.0.0.1:53'],
    ['127.0.0.1', '0.0.0.0:53'],
    ['10.99.0.1', '10.99.0.1:53'],
  ])('%s, while it listens on %s, is left out, with one line', async ([own, dns], context) => {
    const network = await makeNetwork(context);
    if (!dns.startsWith('0.')) await runUpstream(network, FIRST, '192.0.2.1');
    const etc = makeEtc(own, ...(dns.startsWith('0.') ? [] : [FIRST]));
    const { outside, stderr } = await startSystem(context, network, etc, dns);
    expect(await outside()).toBe(dns.startsWith('0.') ? '' : '192.0.2.1');
    const lines = warningsOf(stderr()).filter((line) => line.includes(own));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('CLOUDMAPD_UPSTREAMS');
  });

  it('that comes into resolv.conf later is left out too', async (context) => {
    const network = await makeServedNetwork(context);
    const etc = makeEtc(FIRST);
    const { outside, stderr } = await startSystem(context, network, etc, '127.0.0.1:53');
    expect(await outside()).toBe('192.0.2.1');
    writeFileSync(join(etc, 'resolv.conf'), resolvConf('127.0.0.1', SECOND));
    await waitFor('the second nameserver', async () => ((await outside()) === '192.0.2.2' ? true : null));
    expect(warningsOf(stderr()).filter((line) => line.includes('CLOUDMAPD_UPSTREAMS'))).toHaveLength(1);
  });
});

describe('a stub that leads back', () => {
  it.for(['127.0.0.53', '127.0.0.11'])(
    'at %s is found at the start, and one line says what to change',
    async (stub, context) => {
      const network = await makeServedNetwork(context);
      const { stdout } = network.start(process.execPath, RESIDENT, stub, '53', 'relay', '10.99.0.1', '53');
      await waitFor('the stub', () => (stdout().includes('ready') ? true : null));
      const etc = makeEtc(stub, FIRST);
      const { outside, stderr } = await startSystem(context, network, etc, '10.99.0.1:53');
      const [line] = await waitFor('the warning', () => {
        const lines = warningsOf(stderr()).filter((text) => text.includes(stub));
        return lines.length > 0 ? lines : null;
      });
      expect(line).toContain('CLOUDMAPD_UPSTREAMS');
      // Who asks goes to the nameserver that does not lead back.
      expect(await outside()).toBe('192.0.2.1');
      expect(await outside()).toBe('192.0.2.1');
      expect(warningsOf(stderr()).filter((text) => text.includes(stub))).toHaveLength(1);
    },
  );
});
