/**
 * A network namespace of a test's own, for clients that know a nameserver by /etc/resolv.conf alone, where no port can
 * be written: in there port 53 is free. As root, or in a user namespace where the system lets users make one.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from './daemon.ts';
import { Api } from './journey-api.ts';
import { type Ended, runCommand, skipOrFail, TOOL_ENV } from './journey-tools.ts';

const RELAY = new URL('./namespace-relay.ts', import.meta.url).pathname;
const SET_UP = 'ip link set lo up && echo ready && exec cat';
/** Arguments: resolv.conf, nsswitch.conf, the command. The mounts end with it, as does their namespace. */
const WITH_FILES = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"';

let knownFlags: readonly string[] | null | undefined;

/** The flags of unshare that work here; null: none do, or something that is needed is missing. */
export function unshareFlags(): readonly string[] | null {
  knownFlags ??= findFlags();
  return knownFlags;
}

function findFlags(): readonly string[] | null {
  const choices = [['--net'], ['--user', '--map-root-user', '--net']];
  const tries = (flags: readonly string[]): boolean =>
    spawnSync('unshare', [...flags, '--mount', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore', env: TOOL_ENV })
      .status === 0;
  return choices.find(tries) ?? null;
}

/** Skips the test, saying why, where no namespace can be made; under CI that is a failure. */
export function requireNamespace(context: TestContext): void {
  if (unshareFlags() === null) skipOrFail(context, 'no network namespace can be made here with unshare and ip');
}

export class NetworkNamespace {
  /** Executes the command that follows in the namespace's network, with the files of the machine. */
  readonly launcher: readonly string[];
  readonly #holder: ChildProcess;
  readonly #relays: ChildProcess[] = [];
  readonly #folder = makeFolder();

  private constructor(holder: ChildProcess, flags: readonly string[]) {
    this.#holder = holder;
    const user = flags.includes('--user') ? ['--user', '--preserve-credentials'] : [];
    this.launcher = ['nsenter', '--target', `${holder.pid}`, ...user, '--net', '--'];
  }

  /** @throws Error where none can be made */
  static async create(): Promise<NetworkNamespace> {
    const flags = unshareFlags();
    if (flags === null) throw new Error('no network namespace can be made here');
    // It ends with its stdin, and so with this process.
    const holder = spawn('unshare', [...flags, 'sh', '-c', SET_UP], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: TOOL_ENV,
    });
    await once(holder.stdout as NonNullable<typeof holder.stdout>, 'data');
    return new NetworkNamespace(holder, flags);
  }

  /**
   * Runs a command to its end; its nameserver is 127.0.0.1, its search list `corp.internal`.
   * @param options of resolv.conf, such as `use-vc`
   */
  run(command: string, args: readonly string[], options: readonly string[] = []): Promise<Ended> {
    const lines = ['nameserver 127.0.0.1', 'search corp.internal', ...options.map((option) => `options ${option}`)];
    const resolv = this.#writeFile(`resolv-${options.join('-').replaceAll(/\W/g, '-')}.conf`, lines);
    // Without what a desktop puts in front of DNS, which would answer from outside of the namespace.
    const nsswitch = this.#writeFile('nsswitch.conf', ['hosts: files dns']);
    const inside = ['unshare', '--mount', 'sh', '-c', WITH_FILES, 'sh', resolv, nsswitch, command, ...args];
    const [first, ...rest] = [...this.launcher, ...inside] as [string, ...string[]];
    return runCommand(first, rest);
  }

  /** From an endpoint in the namespace to one outside that leads there. */
  async reach(endpoint: string): Promise<string> {
    const relayCommand = [...this.launcher, process.execPath, RELAY, new URL(endpoint).port];
    const [command, ...args] = relayCommand as [string, ...string[]];
    const relay = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: TOOL_ENV });
    this.#relays.push(relay);
    // A socket stays in the namespace that it was made in, whoever accepts from it.
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    relay.send('listen', server, () => server.close());
    await once(relay, 'message');
    return `http://127.0.0.1:${port}`;
  }

  /** What runs in it has to be stopped before. */
  async close(): Promise<void> {
    // A child that was sent a socket tells of its exit alone.
    const ended = [this.#holder, ...this.#relays].map((child) => once(child, 'exit'));
    for (const relay of this.#relays) relay.disconnect();
    this.#holder.stdin?.end();
    await Promise.all(ended);
    this.#folder.remove();
  }

  /** Once: a command that runs at the same time may be reading it. */
  #writeFile(name: string, lines: readonly string[]): string {
    const path = join(this.#folder.path, name);
    if (!existsSync(path)) writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }
}

export interface NamespacedDaemon {
  readonly namespace: NetworkNamespace;
  readonly api: Api;
  /** What `register` returned. */
  readonly namespaceId: string;
}

/**
 * One daemon on port 53 of a namespace for all tests of the file that this is called in, where a namespace can be made:
 * tests begin with `requireNamespace`.
 * @param register makes the content. @returns the id of its Cloud Map namespace
 */
export function shareNamespacedDaemon(register: (api: Api) => Promise<string>): () => NamespacedDaemon {
  const folder = makeFolder();
  let namespace: NetworkNamespace | undefined;
  let daemon: RunningDaemon | undefined;
  let shared: NamespacedDaemon;
  beforeAll(async () => {
    if (unshareFlags() === null) return;
    const inside = await NetworkNamespace.create();
    namespace = inside;
    daemon = await startTestDaemon({
      dataDir: folder.path,
      settings: { DNS: '127.0.0.1:53', STORE: 'memory' },
      launcher: inside.launcher,
      reach: (endpoint) => inside.reach(endpoint),
    });
    const api = new Api(daemon.endpoint);
    shared = { namespace: inside, api, namespaceId: await register(api) };
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    await namespace?.close();
    folder.remove();
  });
  return () => shared;
}
