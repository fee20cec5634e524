/**
 * A Docker engine of the test's own, in a network namespace, a mount namespace and a folder of its own: what runs on
 * the machine besides, and what it has in /run and /etc, stays as it is. Needs root, as every engine of this kind does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from './daemon.ts';
import { type Ended, runCommand, runsToSuccess, TOOL_ENV, waitFor } from './journey-tools.ts';
import type { NetworkNamespace } from './network-namespace.ts';

/**
 * Arguments: its folder, its control group. /run and /opt are hidden, as it would keep files there, and use a containerd
 * that it finds there; /etc/docker, as it would write a key. It ends with its stdin, and so with this process.
 */
const SCRIPT = `
mkdir -p /etc/docker
for each in /run /opt /etc/docker; do mount -t tmpfs tmpfs "$each" || exit; done
dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/socket" \\
  --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$2" \\
  --bridge none --iptables=false --ip6tables=false &
exec 3<&0
{ cat <&3 >/dev/null; kill $!; } 2>/dev/null &
wait %1`;
const APPLETS = ['sh', 'sleep', 'nslookup'];

/** Why none can be started here; null: one can be tried. */
export function missingForDocker(): string | null {
  if (process.getuid?.() !== 0) return 'a Docker engine needs root';
  for (const command of ['docker', 'dockerd']) {
    if (!runsToSuccess(command, ['--version'])) return `${command} does not work on this machine`;
  }
  // In an image of its own nothing that it links to would be there.
  const isStatic = runsToSuccess('sh', ['-c', 'busybox true && ! ldd "$(command -v busybox)"']);
  return isStatic ? null : 'there is no static busybox on this machine';
}

export class DockerEngine {
  readonly #daemon: ChildProcess;
  #isEnded = false;
  readonly #folder = makeFolder();
  readonly #cgroup = `cloudmapd-test-${process.pid}`;
  #said = '';

  private constructor(namespace: NetworkNamespace) {
    const args = ['unshare', '--mount', 'sh', '-c', SCRIPT, 'sh', this.#folder.path, this.#cgroup];
    const [command, ...rest] = [...namespace.launcher, ...args] as [string, ...string[]];
    this.#daemon = spawn(command, rest, { stdio: ['pipe', 'ignore', 'pipe'], env: TOOL_ENV });
    this.#daemon.stderr?.on('data', (chunk) => {
      this.#said += chunk;
    });
    this.#daemon.once('close', () => {
      this.#isEnded = true;
    });
  }

  /** With an image `busybox`. @returns the engine, to be stopped; a text: why it does not come up */
  static async start(namespace: NetworkNamespace): Promise<DockerEngine | string> {
    const engine = new DockerEngine(namespace);
    const isUp = await waitFor('the Docker engine', async () => {
      if (engine.#isEnded) return 'no';
      return (await engine.#run(['info'])).code === 0 ? 'yes' : null;
    });
    if (isUp === 'no') {
      const reason = engine.#said.trim().split('\n').at(-1);
      await engine.stop();
      return `no Docker engine can be started here: ${reason}`;
    }
    await engine.#makeImage();
    return engine;
  }

  /** @returns what the client printed. @throws Error where it fails */
  async docker(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run(args);
    if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout.trim();
  }

  /** Runs a command in a container, whatever comes of it. */
  exec(container: string, ...command: readonly string[]): Promise<Ended> {
    return this.#run(['exec', container, ...command]);
  }

  async stop(): Promise<void> {
    const ended = this.#isEnded || once(this.#daemon, 'close');
    this.#daemon.stdin?.end();
    await ended;
    const tree = ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${this.#cgroup}*`];
    await runCommand('find', [...tree, '-exec', 'rmdir', '{}', '+']);
    this.#folder.remove();
  }

  #run(args: readonly string[]): Promise<Ended> {
    return runCommand('docker', ['--host', `unix://${this.#folder.path}/socket`, ...args]);
  }

  async #makeImage(): Promise<void> {
    const bin = join(this.#folder.path, 'root', 'bin');
    mkdirSync(bin, { recursive: true });
    const { stdout } = await runCommand('sh', ['-c', 'command -v busybox']);
    copyFileSync(stdout.trim(), join(bin, 'busybox'));
    for (const applet of APPLETS) symlinkSync('busybox', join(bin, applet));
    const tar = join(this.#folder.path, 'root.tar');
    await runCommand('tar', ['--create', '--file', tar, '--directory', join(bin, '..'), '.']);
    await this.docker('import', tar, 'busybox');
  }
}
