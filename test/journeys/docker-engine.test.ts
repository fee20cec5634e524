/**
 * The engine's own resolver, 127.0.0.11, in front of us: containers on a user-defined network, whose nameserver (`--dns`)
 * we are, resolve our names and those outside through it. The rules that it has are in test/support/docker-resolver.ts.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { DockerEngine, missingForDocker } from '../support/docker-engine.ts';
import { requireTool, runCommand, skipOrFail } from '../support/journey-tools.ts';
import { NetworkNamespace, requireNamespace } from '../support/network-namespace.ts';

const SUBNET = '172.31.99.0/24';
/** The engine's side of the containers' network, where we listen. */
const OURS = '172.31.99.1';
/** The nameserver after us, which has addresses for what we have not. */
const NEXT = '172.31.98.1';
const NEXT_ADDRESS = '203.0.113.66';

interface World {
  readonly engine: DockerEngine;
  /** Process ids of a container whose only nameserver we are, and of one that has another after us. */
  readonly alone: string;
  readonly beside: string;
}

const folder = makeFolder();
const daemons: RunningDaemon[] = [];
let namespace: NetworkNamespace | undefined;
let engine: DockerEngine | undefined;
/** A text: why there is none. */
let world: World | string;

/** @param services name, namespace and address of each */
async function startDaemon(
  inside: NetworkNamespace,
  name: string,
  services: readonly (readonly [string, string, string])[],
  settings: Record<string, string>,
): Promise<void> {
  const CONFIG = join(folder.path, `${name}.yaml`);
  const lines = services.flatMap(([service, apex, address]) => [
    `  - name: ${apex}`,
    '    type: DNS_PRIVATE',
    '    services:',
    `      - name: ${service}`,
    '        dns: { records: [{ type: A, ttl: 10 }] }',
    `        instances: [{ id: i, attributes: { AWS_INSTANCE_IPV4: ${address} } }]`,
  ]);
  writeFileSync(CONFIG, `namespaces:\n${lines.join('\n')}\n`);
  const daemon = await startTestDaemon({
    dataDir: join(folder.path, name),
    settings: { STORE: 'memory', CONFIG, ...settings },
    launcher: inside.launcher,
    reach: (endpoint) => inside.reach(endpoint),
  });
  daemons.push(daemon);
}

async function startContainer(docker: DockerEngine, name: string, ...nameservers: readonly string[]): Promise<string> {
  const dns = nameservers.flatMap((address) => ['--dns', address]);
  const options = ['--detach', '--name', name, '--network', 'user', '--stop-signal', 'KILL', ...dns];
  await docker.docker('run', ...options, 'busybox', 'sleep', '3600');
  return docker.docker('inspect', '--format', '{{.State.Pid}}', name);
}

async function startWorld(inside: NetworkNamespace, docker: DockerEngine): Promise<World> {
  await docker.docker('network', 'create', '--subnet', SUBNET, '--gateway', OURS, 'user');
  const [enter = '', ...args] = inside.launcher;
  const { code, stderr } = await runCommand(enter, [...args, 'ip', 'address', 'add', NEXT, 'dev', 'lo']);
  if (code !== 0) throw new Error(`no address for the next nameserver: ${stderr}`);
  const nobodyElses = ['own.internal', 'outside.example'].map((apex) => ['none', apex, NEXT_ADDRESS] as const);
  const [alone, beside] = await Promise.all([
    startContainer(docker, 'alone', OURS),
    startContainer(docker, 'beside', OURS, NEXT),
    startDaemon(inside, 'outside', [['www', 'outside.example', '192.0.2.80']], { DNS: '127.0.0.1:5300' }),
    startDaemon(inside, 'next', nobodyElses, { DNS: `${NEXT}:53` }),
    startDaemon(inside, 'ours', [['web', 'own.internal', '10.0.0.7']], {
      DNS: `${OURS}:53`,
      UPSTREAMS: '127.0.0.1:5300',
    }),
  ]);
  return { engine: docker, alone, beside };
}

beforeAll(async () => {
  const missing = missingForDocker();
  if (missing !== null) {
    world = missing;
    return;
  }
  namespace = await NetworkNamespace.create();
  const started = await DockerEngine.start(namespace);
  if (typeof started === 'string') {
    world = started;
    return;
  }
  engine = started;
  world = await startWorld(namespace, started);
});
afterAll(async () => {
  for (const daemon of daemons) await daemon.stop('SIGKILL');
  await engine?.stop();
  await namespace?.close();
  folder.remove();
});

/** Skips the test, saying why, where no engine can be started; under CI that is a failure. */
function requireWorld(context: TestContext): World {
  requireNamespace(context);
  requireTool(context, 'dig');
  return typeof world === 'string' ? skipOrFail(context, world) : world;
}

interface Reply {
  readonly status: string;
  readonly flags: readonly string[];
  readonly records: readonly string[];
}

/** Asks 127.0.0.11 in the network of a container, over UDP and TCP, which have to agree but for the TTLs. */
async function digInside(pid: string, name: string, type: string): Promise<Reply> {
  const [overUdp, overTcp] = await Promise.all(
    ['+notcp', '+tcp'].map(async (transport): Promise<Reply> => {
      const dig = ['dig', '@127.0.0.11', name, type, transport, '+tries=1', '+timeout=20'];
      const { stdout } = await runCommand('nsenter', ['--target', pid, '--net', '--', ...dig]);
      const [, status = '', flags = ''] = /status: (\w+)[\s\S]*?flags: ([a-z ]+);/.exec(stdout) ?? [];
      const lines = stdout.split('\n').filter((line) => /^[^;\s]/.test(line));
      const records = lines.map((line) => line.replace(/\s+\d+\s+IN\s+/, ' IN ').replaceAll(/\s+/g, ' '));
      return { status, flags: flags.split(' '), records };
    }),
  );
  expect(overTcp).toEqual(overUdp);
  return overUdp as Reply;
}

describe('a container on a user-defined network', () => {
  it('resolves our names and names outside with its own resolver, which knows 127.0.0.11 alone', async (context) => {
    const { engine: docker } = requireWorld(context);
    const { stdout } = await docker.exec('alone', 'busybox', 'cat', '/etc/resolv.conf');
    expect(stdout.match(/^nameserver .*/gm)).toEqual(['nameserver 127.0.0.11']);
    for (const [name, address] of [
      ['web.own.internal', '10.0.0.7'],
      ['www.outside.example', '192.0.2.80'],
    ] as const) {
      const found = await docker.exec('alone', 'nslookup', name);
      expect(found.stdout).toContain(`Name:\t${name}\nAddress: ${address}\n`);
      expect(found.code).toBe(0);
    }
    const none = await docker.exec('alone', 'nslookup', 'none.own.internal');
    expect(none.stdout + none.stderr).toContain("can't find none.own.internal: NXDOMAIN");
    expect(none.code).toBe(1);
  });

  it.for([
    ['web.own.internal', 'A', 'NOERROR', /^web\.own\.internal\. IN A 10\.0\.0\.7$/],
    ['web.own.internal', 'AAAA', 'NOERROR', /^own\.internal\. IN SOA /],
    ['none.own.internal', 'A', 'NXDOMAIN', /^own\.internal\. IN SOA /],
    ['none.own.internal', 'AAAA', 'NXDOMAIN', /^own\.internal\. IN SOA /],
    ['foo', 'A', 'NXDOMAIN', / IN SOA /],
    ['foo.local', 'A', 'NXDOMAIN', / IN SOA /],
    ['cloudmap', 'A', 'NOERROR', /^cloudmap\. IN A 172\.31\.99\.1$/],
  ] as const)("gets our answer to %s %s, not the next nameserver's", async ([name, type, status, record], context) => {
    const reply = await digInside(requireWorld(context).beside, name, type);
    expect(reply).toMatchObject({ status, records: [expect.stringMatching(record)] });
    expect(reply.flags).toContain('aa');
  });

  it('is told that a name outside does not exist, unless its release asks the next nameserver, which has it', async (context) => {
    const { engine: docker, alone, beside } = requireWorld(context);
    const release = await docker.docker('version', '--format', '{{.Server.Version}}');
    const [major = 0, minor = 0, patch = 0] = release.split(/\D/, 3).map(Number);
    const is2400 = major === 24 && minor === 0 && patch === 0;
    const status = is2400 ? 'SERVFAIL' : 'NXDOMAIN';
    expect(await digInside(alone, 'none.outside.example', 'A')).toMatchObject({ status });
    const reply = await digInside(beside, 'none.outside.example', 'A');
    if (major < 24 || is2400) expect(reply.records).toEqual([`none.outside.example. IN A ${NEXT_ADDRESS}`]);
    else expect(reply).toMatchObject({ status: 'NXDOMAIN' });
  });
});
