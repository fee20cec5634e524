/**
 * `cloudmapd doctor` about the machine itself: nameservers, port 53, the order of look-ups, hosts. Each machine is a network
 * namespace whose files are the test's own; what the command says mends it is done there and looked at again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { type Diagnosis, readDiagnosis } from '../support/doctor.ts';
import { Api } from '../support/journey-api.ts';
import { runCommand, setUpJourney, TOOL_ENV } from '../support/journey-tools.ts';
import { NetworkNamespace, requireNamespace } from '../support/network-namespace.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const RESIDENT = new URL('../support/resident-upstream.ts', import.meta.url).pathname;
const journey = setUpJourney();
const servers: ChildProcess[] = [];
const daemons: RunningDaemon[] = [];
let machine: NetworkNamespace;
let etc: string;

beforeEach(async (context) => {
  requireNamespace(context);
  machine = await NetworkNamespace.create();
  etc = journey.newPath('etc');
  mkdirSync(etc, { recursive: true });
  put('resolv.conf', '');
  put('nsswitch.conf', 'hosts: files dns\n');
  put('hosts', '127.0.0.1 localhost\n');
  put('resolved.conf', '');
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.stop('SIGKILL');
  for (const server of servers.splice(0)) {
    const ended = once(server, 'close');
    server.kill('SIGKILL');
    await ended;
  }
  await machine?.close();
});

function put(name: string, text: string): void {
  writeFileSync(join(etc, name), text);
}

// $1 has the files. What the machine itself runs is not there.
const WITH_FILES = `set -e
for file in resolv.conf nsswitch.conf hosts; do mount --bind "$1/$file" /etc/$file; done
mount -t tmpfs tmpfs /run
if [ -s "$1/resolved.conf" ]; then mkdir -p /run/systemd/resolve; cp "$1/resolved.conf" /run/systemd/resolve/resolv.conf; fi
if [ -e "$1/NetworkManager" ]; then mkdir /run/NetworkManager; fi
shift
exec "$@"`;

interface Asking {
  readonly endpoint?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that executes the one that follows. */
  readonly launcher?: readonly string[];
}

async function examine({ endpoint, env = {}, launcher = [] }: Asking = {}): Promise<Diagnosis> {
  const asked = endpoint ?? `http://127.0.0.1:${daemons[0]?.httpPort ?? 8053}`;
  const doctor = [...launcher, process.execPath, MAIN, 'doctor', '--json', '--endpoint', asked];
  const inside = [...machine.launcher, 'unshare', '--mount', 'sh', '-c', WITH_FILES, 'sh', etc, ...doctor];
  const [command = '', ...args] = inside;
  // Nothing of the AWS configuration of whoever runs the test.
  return readDiagnosis(await runCommand(command, args, { PATH: TOOL_ENV.PATH, HOME: etc, ...env }));
}

/** With a namespace, on port 53 where nothing else is said. */
async function startDaemon(settings: Readonly<Record<string, string>> = {}, name = 'shop.internal'): Promise<void> {
  const daemon = await journey.start({
    settings: { STORE: 'memory', DNS: '127.0.0.1:53', ...settings },
    launcher: machine.launcher,
    reach: (endpoint) => machine.reach(endpoint),
  });
  daemons.push(daemon);
  await new Api(daemon.endpoint).createNamespace(name);
}

/** A server on port 53 that has this address for every name. @param name as the system knows the process */
async function startServer(address: string, name = 'node'): Promise<ChildProcess> {
  const program = join(etc, name);
  if (name !== 'node') symlinkSync(process.execPath, program);
  const executable = name === 'node' ? process.execPath : program;
  const [command = '', ...args] = [...machine.launcher, executable, RESIDENT, address, '53', 'answer', '198.51.100.7'];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: TOOL_ENV });
  servers.push(child);
  await once(child.stdout, 'data');
  return child;
}

/** Carries a line out on the test's own files. */
async function carryOut(line: string): Promise<void> {
  const own = line.replaceAll(/\bsudo /g, '').replaceAll('/etc/', `${etc}/`);
  const [command = '', ...args] = [...machine.launcher, 'sh', '-ec', own];
  expect(await runCommand(command, args)).toMatchObject({ code: 0, stderr: '' });
}

describe('nameservers', () => {
  it('are in order where the daemon is the only one, and knows whom to ask for the rest', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ UPSTREAMS: '127.0.0.2' });
    put('resolv.conf', 'nameserver 127.0.0.1\n');
    const { code, findings, of } = await examine();
    expect({ code, nameserver: of('nameserver'), names: of('names') }).toEqual({ code: 0, nameserver: [], names: [] });
    const messages = findings.map(({ message }) => message);
    expect(messages).toContain('programs of this machine find names of shop.internal');
    expect(messages).toContain('names outside are asked of 127.0.0.2:53, and all answer');
    expect(messages.find((message) => message.startsWith('port 53'))).toContain('the daemon');
  });

  it.each([
    ['', '9.9.9.9'],
    ['nameserver 127.0.0.53\nnameserver 192.0.2.7\nnameserver 192.0.2.8\n', '192.0.2.7,192.0.2.8'],
  ])('are not, where it has no upstreams: those of systemd-resolved are offered', async (resolved, upstreams) => {
    await startDaemon();
    put('resolv.conf', 'nameserver 127.0.0.1\n');
    put('resolved.conf', resolved);
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of('nameserver')).toEqual([
      {
        check: 'nameserver',
        status: 'problem',
        message:
          'the daemon is the only nameserver of /etc/resolv.conf, and no other name resolves: it has no upstreams',
        mend: [`CLOUDMAPD_UPSTREAMS=${upstreams} cloudmapd serve`],
      },
    ]);
  });

  it('are not, where another one beside the daemon knows nothing of the namespaces', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ UPSTREAMS: '127.0.0.2' });
    put('resolv.conf', 'nameserver 127.0.0.2\nnameserver 127.0.0.1\n');
    const { of } = await examine();
    const [finding] = of('nameserver');
    expect(finding?.message).toContain('/etc/resolv.conf names 127.0.0.2 beside the daemon');
    for (const line of finding?.mend ?? []) await carryOut(line);
    expect(readFileSync(join(etc, 'resolv.conf'), 'utf8')).toBe('nameserver 127.0.0.1\n');
    expect(await examine()).toMatchObject({ code: 0, problems: 0 });
  });

  it('are not, where one does not answer', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ UPSTREAMS: '127.0.0.2' });
    put('resolv.conf', 'nameserver 127.0.0.1\nnameserver 127.0.0.9\n');
    const [finding] = (await examine()).of('nameserver');
    expect(finding?.message).toBe('127.0.0.9, a nameserver of /etc/resolv.conf, does not answer: nobody listens there');
    for (const line of finding?.mend ?? []) await carryOut(line);
    expect(await examine()).toMatchObject({ code: 0, problems: 0 });
  });
});

describe('names', () => {
  it('are not found through another nameserver: lines of both kinds, as nothing tells which', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ DNS: '127.0.0.1:1053' });
    put('resolv.conf', 'nameserver 127.0.0.2\n');
    const { code, of, setups } = await examine();
    expect(code).toBe(0);
    const [finding] = of('names');
    expect(finding).toMatchObject({
      status: 'note',
      message: expect.stringContaining('do not find names of shop.internal'),
    });
    expect(finding?.mend.filter((line) => !line.startsWith('#'))).toEqual([
      ...(setups.resolved as string[]),
      ...(setups.networkmanager as string[]),
    ]);
  });

  it('are not found through systemd-resolved, which is told of them', async () => {
    const stub = await startServer('127.0.0.53', 'systemd-resolved');
    await startDaemon({ DNS: '127.0.0.1:1053' });
    put('resolv.conf', 'nameserver 127.0.0.53\n');
    const { findings, of, setups } = await examine();
    expect(of('names')[0]?.mend.slice(1)).toEqual(setups.resolved);
    expect(findings.find(({ check }) => check === 'port')?.message).toBe(
      `port 53: systemd-resolved (pid ${stub.pid}) on 127.0.0.53 UDP, 127.0.0.53 TCP; the daemon has another one`,
    );
  });

  it('are not found with NetworkManager, whose dnsmasq is', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ DNS: '127.0.0.1:1053' });
    put('resolv.conf', 'nameserver 127.0.0.2\n');
    put('NetworkManager', '');
    const { of, setups } = await examine();
    expect(of('names')[0]?.mend.slice(1)).toEqual(setups.networkmanager);
  });

  it('under `local` are asked of multicast DNS alone, until the line of nsswitch.conf is another', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ UPSTREAMS: '127.0.0.2' }, 'shop.local');
    put('resolv.conf', 'nameserver 127.0.0.1\n');
    put('nsswitch.conf', 'passwd: files\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n');
    const { code, of } = await examine();
    expect(code).toBe(1);
    const [finding] = of('names');
    expect(finding?.message).toContain('shop.local: /etc/nsswitch.conf has names under .local asked of multicast DNS');
    for (const line of finding?.mend ?? []) await carryOut(line);
    expect(readFileSync(join(etc, 'nsswitch.conf'), 'utf8')).toBe('passwd: files\nhosts: files dns\n');
    expect(await examine()).toMatchObject({ code: 0 });
  });
});

describe('port 53, before the daemon is there', () => {
  it("is systemd-resolved's on one address, beside which there is room", async () => {
    const stub = await startServer('127.0.0.53', 'systemd-resolved');
    const { of } = await examine({ env: { CLOUDMAPD_DNS: '0.0.0.0:53' } });
    const [finding] = of('port');
    expect(finding?.message).toBe(
      `0.0.0.0:53 (UDP and TCP, CLOUDMAPD_DNS): systemd-resolved (pid ${stub.pid}) holds 127.0.0.53:53`,
    );
    expect(finding?.mend).toContain('CLOUDMAPD_DNS=127.0.0.1:53 cloudmapd serve');
    expect(finding?.mend.join('\n')).toContain('DNSStubListener=no');
    // It does start there.
    await startDaemon({ DNS: '127.0.0.1:53' });
  });

  it("is dnsmasq's, whose service is stopped by name", async () => {
    await startServer('127.0.0.1', 'dnsmasq');
    const { of } = await examine({ env: { CLOUDMAPD_DNS: '127.0.0.1:53' } });
    expect(of('port')[0]?.mend).toContain('sudo systemctl stop dnsmasq');
    expect(of('port')[0]?.mend).toContain('CLOUDMAPD_DNS=127.0.0.1:10053 cloudmapd serve');
  });

  it('needs a privilege, until the system gives it to everybody', async () => {
    const asking = {
      env: { CLOUDMAPD_DNS: '127.0.0.1:53' },
      launcher: ['setpriv', '--inh-caps=-net_bind_service', '--bounding-set=-net_bind_service'],
    };
    const [finding] = (await examine(asking)).of('port');
    expect(finding?.message).toContain('127.0.0.1:53 (CLOUDMAPD_DNS) needs a privilege');
    for (const line of finding?.mend ?? []) await carryOut(line.replace('sysctl -w', 'sysctl -qw'));
    expect((await examine(asking)).of('port')).toEqual([]);
    // Nobody needs it who has the capability.
    expect((await examine({ env: asking.env })).of('port')).toEqual([]);
  });
});

describe("the endpoint's name", () => {
  it('needs a `data-` name beside it, which the line gives it', async () => {
    // Elsewhere than where a machine without nameservers asks.
    await startDaemon({ DNS: '127.0.0.1:1053' });
    put('hosts', '127.0.0.1 localhost cloudmap\n');
    const endpoint = `http://cloudmap:${daemons[0]?.httpPort}`;
    const [finding] = (await examine({ endpoint })).of('data-prefix');
    expect(finding).toMatchObject({
      status: 'problem',
      message: 'SDKs ask data-cloudmap for DiscoverInstances, which does not resolve',
    });
    const line = finding?.mend.find((each) => each.includes('/etc/hosts')) as string;
    await carryOut(line);
    expect((await examine({ endpoint })).of('data-prefix')).toEqual([]);
  });

  it('says where the `data-` name leads elsewhere', async () => {
    await startDaemon();
    put('hosts', '127.0.0.1 localhost cloudmap\n127.0.0.9 data-cloudmap\n');
    const [finding] = (await examine({ endpoint: `http://cloudmap:${daemons[0]?.httpPort}` })).of('data-prefix');
    expect(finding?.message).toBe('SDKs ask data-cloudmap for DiscoverInstances, which is 127.0.0.9 and not 127.0.0.1');
  });

  it('resolves by the daemon itself, where that is the nameserver', async () => {
    await startServer('127.0.0.2');
    await startDaemon({ UPSTREAMS: '127.0.0.2' });
    put('resolv.conf', 'nameserver 127.0.0.1\n');
    expect(await examine({ endpoint: `http://cloudmap:${daemons[0]?.httpPort}` })).toMatchObject({ code: 0 });
  });
});
