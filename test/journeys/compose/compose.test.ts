/** The compose example in a real container engine, twice side by side: cloudmapd is its containers' only nameserver. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ComposeStack, type StackService } from '../../support/compose-stack.ts';
import { ContainerEngine } from '../../support/container-engine.ts';
import {
  BUSYBOX_IMAGE,
  buildCloudmapd,
  IMAGE_TOOLS,
  importBusybox,
  importDebian,
} from '../../support/container-images.ts';
import { hasTool, skipOrFail, waitFor } from '../../support/journey-tools.ts';

/** An image is built and two stacks start, while other tests run. */
const SET_UP_TIMEOUT_MS = 400_000;
/** Every command in a container is a process of the engine's, too. */
vi.setConfig({ testTimeout: 180_000 });

const OUTSIDE_SERVER = new URL('../../support/resident-upstream.ts', import.meta.url).pathname;
const OUTSIDE_NAMESERVER = '192.0.2.53';
const OUTSIDE_NAME = 'www.outside.example';
/** Of every name that the outside is asked for. */
const OUTSIDE_ADDRESS = '198.51.100.7';

let engine: ContainerEngine | string;
let stacks: Readonly<Record<'first' | 'second', ComposeStack>>;
/** The names that the outside was asked for so far. */
const outsideNames: string[] = [];

beforeAll(async () => {
  const missing = IMAGE_TOOLS.find((tool) => !hasTool(tool));
  engine = missing === undefined ? await ContainerEngine.create() : `${missing} does not work on this machine`;
  if (typeof engine === 'string') return;
  await importBusybox(engine);
  const problem = await engine.tryOut(BUSYBOX_IMAGE);
  if (problem !== null) {
    await engine.close();
    engine = problem;
    return;
  }
  await importDebian(engine);
  await buildCloudmapd(engine);
  await startOutside(engine);
  stacks = {
    // As a user has it: cloudmapd asks the engine's resolver, and that asks the outside.
    first: new ComposeStack(engine, 'first', '172.31.61'),
    // cloudmapd asks the outside itself, and the engine's resolver for single labels alone.
    second: new ComposeStack(engine, 'second', '172.31.62', {
      UPSTREAMS: OUTSIDE_NAMESERVER,
      SINGLE_LABEL_UPSTREAMS: '172.31.62.1',
    }),
  };
  await stacks.first.up();
  await stacks.second.up();
}, SET_UP_TIMEOUT_MS);
afterAll(async () => {
  if (typeof engine === 'object') await engine.close();
}, SET_UP_TIMEOUT_MS);

beforeEach((context) => {
  if (typeof engine === 'string') skipOrFail(context, engine);
});

async function startOutside(inside: ContainerEngine): Promise<void> {
  await inside.run(['ip', 'address', 'add', `${OUTSIDE_NAMESERVER}/32`, 'dev', 'lo']);
  const server = [process.execPath, OUTSIDE_SERVER, OUTSIDE_NAMESERVER, '53', 'answer', OUTSIDE_ADDRESS];
  const [command, ...args] = [...inside.launcher, ...server] as [string, ...string[]];
  // It ends with the engine.
  const { stdout } = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: stdout as Readable });
  await once(lines, 'line');
  lines.on('line', (line) => outsideNames.push(line));
  inside.useNameserver(OUTSIDE_NAMESERVER);
}

/** @returns the addresses of both families; none: the resolver is sure that there are none */
type Resolver = (stack: ComposeStack, name: string) => Promise<string[]>;

/** getaddrinfo of the C library that the program `lookup` was built with there. */
function libcOf(service: StackService): Resolver {
  return async (stack, name) => {
    const { code, stdout, stderr } = await stack.exec(service, 'lookup', 'addresses', name, 'unspec');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [first, ...addresses] = stdout.trimEnd().split('\n');
    if (first?.startsWith('canonical ')) return addresses.sort();
    expect(first).toMatch(/^EAI_(NONAME|NODATA|ADDRFAMILY)$/);
    return [];
  };
}

const RESOLVERS: readonly (readonly [string, Resolver])[] = [
  ['glibc', libcOf('debian')],
  ['musl', libcOf('client')],
  [
    "busybox's nslookup",
    async (stack, name) => {
      const { code, stdout } = await stack.exec('client', 'nslookup', name);
      if (code !== 0) expect(stdout).toMatch(/NXDOMAIN|No answer/);
      // The nameserver's own address has a port behind it.
      return [...stdout.matchAll(/^Address: ([\da-f.:]+)$/gm)].map(([, address]) => address as string).sort();
    },
  ],
];

async function expectEverywhere(stack: ComposeStack, name: string, addresses: readonly string[]): Promise<void> {
  for (const [resolver, resolve] of RESOLVERS) {
    expect({ resolver, addresses: await resolve(stack, name) }).toEqual({ resolver, addresses });
  }
}

/** A call of the SDK from inside. */
async function call<T>(stack: ComposeStack, operation: string, input: object): Promise<T> {
  const command = ['node', '/app/sdk-call.ts', operation, JSON.stringify(input)];
  const { code, stdout, stderr } = await stack.exec('debian', ...command);
  expect({ operation, code, stderr }).toEqual({ operation, code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe.each(['first', 'second'] as const)('the %s stack', (which) => {
  let stack: ComposeStack;
  beforeEach(() => {
    stack = stacks[which];
  });

  it('has cloudmapd as the only nameserver of its containers', async () => {
    for (const service of ['web', 'api', 'client'] as const) {
      const { stdout } = await stack.exec(service, 'cat', '/etc/resolv.conf');
      expect(stdout.match(/^nameserver.*$/gm), service).toEqual([`nameserver ${stack.nameserver}`]);
    }
  });

  it('has services that registered themselves, and a client that reached them by name', async () => {
    const said = await waitFor('the client', async () => {
      const logs = await stack.logs('client');
      return logs.includes('web of ') && logs.includes('api of ') ? logs : null;
    });
    const { stdout } = await stack.exec('web', 'hostname');
    expect(said).toContain(`web of ${stdout}`);
  });

  it.each(RESOLVERS)('resolves its services with %s, each to where it is in its own subnet', async (_, resolve) => {
    for (const service of ['web', 'api'] as const) {
      const address = await stack.address(service);
      expect(address.replace(/\d+$/, '53')).toBe(stack.nameserver);
      expect(await resolve(stack, `${service}.stack.internal`)).toEqual([address]);
    }
    expect(await resolve(stack, 'none.stack.internal')).toEqual([]);
  });

  it.each(RESOLVERS)('resolves outside names with %s, through the upstream', async (_, resolve) => {
    expect(await resolve(stack, OUTSIDE_NAME)).toEqual([OUTSIDE_ADDRESS]);
    expect(outsideNames).toContain(OUTSIDE_NAME);
    // What the stack knows itself does not get out.
    expect(outsideNames.filter((name) => /(^|\.)internal$|^[^.]*$/.test(name))).toEqual([]);
  });

  it('has what a program in it registers by SDK, and no more once it deregisters', async () => {
    const { Namespaces } = await call<{ Namespaces: { Id: string }[] }>(stack, 'ListNamespaces', {});
    const { Service } = await call<{ Service: { Id: string } }>(stack, 'CreateService', {
      Name: 'orders',
      NamespaceId: Namespaces[0]?.Id,
      // Who remembered an answer would have it for that long.
      DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 3600 }] },
    });
    const name = 'orders.stack.internal';
    const instance = { ServiceId: Service.Id, InstanceId: 'orders-1' };
    const address = await stack.address('debian');
    await expectEverywhere(stack, name, []);
    await call(stack, 'RegisterInstance', { ...instance, Attributes: { AWS_INSTANCE_IPV4: address } });
    await expectEverywhere(stack, name, [address]);
    await call(stack, 'DeregisterInstance', instance);
    await expectEverywhere(stack, name, []);
  });

  it('lets a service go when it is stopped, and has it again when it is started', async () => {
    const name = 'api.stack.internal';
    await stack.compose('stop', 'api');
    await expectEverywhere(stack, name, []);
    await stack.compose('start', 'api');
    const [, glibc] = RESOLVERS[0] as (typeof RESOLVERS)[number];
    await waitFor('the service', async () => ((await glibc(stack, name)).length > 0 ? true : null));
    await expectEverywhere(stack, name, [await stack.address('api')]);
  });

  it("has cloudmapd's own names at the nameserver's address, the container having no other", async () => {
    for (const name of ['cloudmap', 'data-cloudmap', 'ns.stack.internal']) {
      await expectEverywhere(stack, name, [stack.nameserver]);
    }
  });

  it('is discovered by the SDK with its `data-` prefix', async () => {
    const { Instances } = await call<{ Instances: object[] }>(stack, 'DiscoverInstances', {
      NamespaceName: 'stack.internal',
      ServiceName: 'web',
    });
    const address = await stack.address('web');
    expect(Instances).toMatchObject([{ Attributes: { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: '8080' } }]);
  });
});

describe("names of one label, which are the engine's", () => {
  it('do not exist where nobody is named to ask for them', async () => {
    await expectEverywhere(stacks.first, 'web', []);
  });

  it("are those of its containers where its resolver is CLOUDMAPD_SINGLE_LABEL_UPSTREAMS's", async () => {
    await expectEverywhere(stacks.second, 'web', [await stacks.second.address('web')]);
    await expectEverywhere(stacks.second, 'none', []);
  });
});
