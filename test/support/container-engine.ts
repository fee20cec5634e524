/**
 * A container engine of a test's own, podman, whose containers reach each other and nothing else: it runs in
 * namespaces for network, mounts and processes, so that nothing leaves the machine, nothing of the machine's own
 * engine is touched, and all of it ends with this process.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from './daemon.ts';
import { TOOL_ENV, waitFor } from './journey-tools.ts';

/** The longest: building an image where the machine is busy with other tests. */
const COMMAND_TIMEOUT_MS = 300_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Argument: the engine's folder. What is hidden is where engines of one machine share something. The nameservers are
 * those of the machine, to begin with, as what names them may have been in /run. The shell collects the ended processes
 * that others left to it, and all others end with it.
 */
const HOLD = `set -e
folder=$1
read -r pid _ </proc/self/stat
resolv=$(readlink -f /etc/resolv.conf)
cat /etc/resolv.conf >"$folder/resolv.conf"
mount -t proc proc /proc
mkdir -p /var/lib/containers
for shared in /run /dev/shm /var/lib/containers; do mount -t tmpfs tmpfs "$shared"; done
mkdir -p "$(dirname "$resolv")"
[ -e "$resolv" ] || touch "$resolv"
mount --bind "$folder/resolv.conf" "$resolv"
ip link set lo up
echo "$pid"
read -r _ || exit 0`;

/**
 * cgroupfs and a file for events, as there may be no systemd; the limits are below those of machines that let nobody
 * raise them.
 */
const containersConf = (folder: string): string => `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=512:512"]
default_sysctls = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "${folder}/networks"
`;

/** vfs copies whole images, and needs nothing of the file system that it is on. */
const storageConf = (folder: string): string => `[storage]
driver = "vfs"
graphroot = "${folder}/storage"
runroot = "/run/containers/storage"
`;

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class ContainerEngine {
  /** For files of the test's own: containers may mount what is in it. */
  readonly folder: string;
  readonly #remove: () => void;
  readonly #holder: ChildProcess;
  readonly #pid: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #foreignCgroups: readonly string[];

  private constructor(folder: { path: string; remove: () => void }, holder: ChildProcess, pid: string) {
    this.folder = folder.path;
    this.#remove = folder.remove;
    this.#holder = holder;
    this.#pid = pid;
    this.#foreignCgroups = podmanCgroups();
    writeFileSync(join(this.folder, 'containers.conf'), containersConf(this.folder));
    writeFileSync(join(this.folder, 'storage.conf'), storageConf(this.folder));
    this.#env = {
      ...TOOL_ENV,
      CONTAINERS_CONF: join(this.folder, 'containers.conf'),
      CONTAINERS_STORAGE_CONF: join(this.folder, 'storage.conf'),
      // What is running of systemd is the machine's: see `checkHealth`.
      DISABLE_HC_SYSTEMD: 'true',
      DOCKER_HOST: `unix://${this.folder}/engine.sock`,
      TMPDIR: this.folder,
    };
  }

  /**
   * Makes the namespaces, in which the engine is shown to work.
   * @returns the engine, to be closed; a text: why there is none on this machine
   */
  static async create(): Promise<ContainerEngine | string> {
    if (process.getuid?.() !== 0) return 'a container engine in namespaces of its own needs root';
    const folder = makeFolder();
    const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child'];
    const holder = spawn('unshare', [...flags, 'bash', '-c', HOLD, 'bash', folder.path], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: TOOL_ENV,
    });
    let stderr = '';
    holder.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    holder.once('error', ({ message }) => {
      stderr += message;
    });
    const [line] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'close').catch(() => [])]);
    if (!Buffer.isBuffer(line)) {
      folder.remove();
      return `no namespaces can be made here: ${stderr.trim()}`;
    }
    const engine = new ContainerEngine(folder, holder, line.toString().trim());
    const reason = await engine.#start().catch(async (error) => {
      await engine.close();
      throw error;
    });
    if (reason === null) return engine;
    await engine.close();
    return reason;
  }

  /** Executes the command that follows among the containers: in their network, with the engine's mounts. */
  get launcher(): readonly string[] {
    return [...this.#enterMounts, '--net', '--'];
  }

  get #enterMounts(): readonly string[] {
    return ['nsenter', '--target', this.#pid, '--mount', '--pid'];
  }

  /** From now on, whom containers' names are asked of where the engine does not know them. */
  useNameserver(address: string): void {
    writeFileSync(join(this.folder, 'resolv.conf'), `nameserver ${address}\n`);
  }

  /** Runs a command to its end, among the containers. */
  run(command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Output> {
    return execute([...this.launcher, ...command], { ...this.#env, ...env });
  }

  /** @returns what it says on stdout. @throws Error where it fails */
  async podman(...args: readonly string[]): Promise<string> {
    return outputOf(args, await this.run(['podman', ...args]));
  }

  /** @returns what it says on stdout. @throws Error where it fails */
  async compose(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
    return outputOf(args, await this.run(['docker-compose', ...args], env));
  }

  /** `podman build` in the machine's own network, for what the build fetches. @throws Error where it fails */
  async build(...args: readonly string[]): Promise<void> {
    // Without layers, as every one of them would be a copy of the whole image.
    const flags = ['build', '--network', 'host', '--layers=false', '--format', 'docker'];
    outputOf(args, await execute([...this.#enterMounts, '--', 'podman', ...flags, ...args], this.#env));
  }

  /** The image is made from a folder that is a root file system. */
  async importRoot(root: string, image: string): Promise<void> {
    const tar = `${root}.tar`;
    outputOf([tar], await execute(['tar', '-C', root, '-cf', tar, '.'], this.#env));
    await this.podman('import', '--quiet', tar, image);
  }

  /** Runs a container in a network. @returns why it cannot, as on machines whose kernel lacks a part */
  async tryOut(image: string): Promise<string | null> {
    const network = ['--network', 'try-out'];
    for (const args of [
      ['network', 'create', 'try-out'],
      ['run', '--rm', ...network, image, 'true'],
      ['network', 'rm', 'try-out'],
    ]) {
      const output = await this.run(['podman', ...args]);
      if (output.code !== 0) return `containers do not work here: ${reasonOf(output)}`;
    }
    return null;
  }

  /** Runs a container's HEALTHCHECK once, as nobody else does it in here; there may be no such container yet. */
  async checkHealth(container: string): Promise<void> {
    await this.run(['podman', 'healthcheck', 'run', container]);
  }

  /**
   * Lets each network's bridge keep its MAC address. By itself it takes another one as containers come, and for some
   * ten seconds those that were there before send what is for their gateway to nobody.
   */
  async pinBridges(): Promise<void> {
    const { stdout } = await this.run(['ip', '-json', 'link', 'show', 'type', 'bridge']);
    for (const { ifname, address } of JSON.parse(stdout || '[]') as { ifname: string; address: string }[]) {
      await this.run(['ip', 'link', 'set', 'dev', ifname, 'address', address]);
    }
  }

  async close(): Promise<void> {
    await this.run(['podman', 'rm', '--all', '--force', '--time', '0']);
    const ended = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await ended;
    for (const cgroup of podmanCgroups()) if (!this.#foreignCgroups.includes(cgroup)) removeCgroup(cgroup);
    this.#remove();
  }

  /** @returns why it cannot */
  async #start(): Promise<string | null> {
    // What `--version` says, it says on machines too on which no container can run.
    const info = await this.run(['podman', 'info']).catch(String);
    if (typeof info === 'string' || info.code !== 0) return `podman does not work here: ${reasonOf(info)}`;
    const service = ['podman', 'system', 'service', '--time=0', `unix://${this.folder}/engine.sock`];
    const [command, ...args] = [...this.launcher, ...service] as [string, ...string[]];
    spawn(command, args, { env: this.#env, stdio: 'ignore' });
    await waitFor("the engine's socket", () => (existsSync(join(this.folder, 'engine.sock')) ? true : null));
    const file = join(this.folder, 'none.yaml');
    writeFileSync(file, 'services: { none: { image: none } }\n');
    // It asks the engine over the socket.
    const ps = await this.run(['docker-compose', '-f', file, 'ps']).catch(String);
    return typeof ps === 'string' || ps.code !== 0 ? `docker-compose does not work here: ${reasonOf(ps)}` : null;
  }
}

function reasonOf(output: Output | string): string {
  return (typeof output === 'string' ? output : output.stderr).trim().split('\n').at(-1) ?? '';
}

function outputOf(args: readonly string[], { code, stdout, stderr }: Output): string {
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** @throws Error where it cannot be started, or does not end in time */
function execute([command, ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<Output> {
  const limits = { timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
  return new Promise((resolve, reject) => {
    execFile(command as string, args, { env, ...limits }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else reject(error);
    });
  });
}

/** cgroups are the machine's, in whatever namespace: of each hierarchy that of podman, where there is one. */
function podmanCgroups(): string[] {
  const top = '/sys/fs/cgroup';
  const hierarchies = existsSync(top) ? [top, ...foldersIn(top)] : [];
  return hierarchies.map((path) => join(path, 'libpod_parent')).filter((path) => existsSync(path));
}

function removeCgroup(path: string): void {
  for (const child of foldersIn(path)) removeCgroup(child);
  try {
    rmdirSync(path);
  } catch {
    // By now the machine's own engine has containers in it.
  }
}

function foldersIn(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
}
