/** Images made of what is on this machine: no registry of images is asked. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { ContainerEngine } from './container-engine.ts';
import { TOOL_ENV, type Tool } from './journey-tools.ts';

const PROJECT = new URL('../..', import.meta.url).pathname;
const LOOKUP_SOURCE = new URL('../journeys/clients/lookup.c', import.meta.url).pathname;

export const BUSYBOX_IMAGE = 'localhost/busybox:test';
export const DEBIAN_IMAGE = 'localhost/debian:test';
export const CLOUDMAPD_IMAGE = 'localhost/cloudmapd:test';

/** What they are made with. */
export const IMAGE_TOOLS = ['gcc', 'musl-gcc', 'busybox', 'setcap', 'npm'] as const satisfies readonly Tool[];

/** What the Dockerfile and the containers of the tests call. */
const DEBIAN_COMMANDS = ['cat', 'chown', 'cp', 'dash', 'env', 'mkdir', 'rm', 'setcap', 'sleep'];

/** busybox, and `lookup` with musl's resolver. */
export async function importBusybox(engine: ContainerEngine): Promise<void> {
  const root = makeRoot(engine, 'busybox');
  copyPrograms(root, { '/bin/busybox': pathOf('busybox') });
  const applets = output('busybox', '--list').split('\n');
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  output('musl-gcc', '-static', '-O1', '-o', join(root, 'bin/lookup'), LOOKUP_SOURCE, '-lresolv');
  await engine.importRoot(root, BUSYBOX_IMAGE);
}

/** The pinned Node, this machine's npm, `lookup` with glibc's resolver, and a few commands of Debian's. */
export async function importDebian(engine: ContainerEngine): Promise<void> {
  const root = makeRoot(engine, 'debian');
  const lookup = join(engine.folder, 'lookup');
  output('gcc', '-O1', '-o', lookup, LOOKUP_SOURCE, '-lresolv');
  const commands = DEBIAN_COMMANDS.map((name) => [`/bin/${name}`, pathOf(name)]);
  copyPrograms(root, {
    ...Object.fromEntries(commands),
    // A part of glibc, so that every Debian has it; Node itself does not load it, other programs in the build do.
    ...Object.fromEntries([join(dirname(libcPath()), 'librt.so.1')].map((path) => [path, path])),
    '/bin/lookup': lookup,
    '/usr/local/bin/node': process.execPath,
  });
  symlinkSync('dash', join(root, 'bin/sh'));
  mkdirSync(join(root, 'usr/bin'));
  symlinkSync('/bin/env', join(root, 'usr/bin/env'));
  // Not as npm itself says: under `npm test` the pinned Node's folder is its prefix, where it is not.
  const npm = dirname(dirname(realpathSync(pathOf('npm'))));
  cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  // Where packages come from, and who vouches for it, is as on this machine.
  writeFileSync(join(root, 'etc/certificates.pem'), getCACertificates().join('\n'));
  mkdirSync(join(root, 'root'));
  const registry = output('npm', 'config', 'get', 'registry');
  writeFileSync(join(root, 'root/.npmrc'), `registry=${registry}\ncafile=/etc/certificates.pem\n`);
  await engine.importRoot(root, DEBIAN_IMAGE);
}

/** The project's Dockerfile on `importDebian`'s image. */
export async function buildCloudmapd(engine: ContainerEngine): Promise<void> {
  await engine.build('--build-arg', `BASE=${DEBIAN_IMAGE}`, '--tag', CLOUDMAPD_IMAGE, PROJECT);
}

function makeRoot(engine: ContainerEngine, name: string): string {
  const root = join(engine.folder, name);
  for (const folder of ['bin', 'etc', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  return root;
}

/** With the libraries that they load. @param programs from the path in the root to that on this machine */
function copyPrograms(root: string, programs: Readonly<Record<string, string>>): void {
  const copies = new Map(Object.entries(programs));
  for (const program of copies.values()) {
    // Of a program without libraries ldd says so, and fails.
    const libraries = spawnSync('ldd', [program], { encoding: 'utf8' }).stdout.matchAll(/\s(\/\S+) \(0x/g);
    for (const [, library] of libraries) copies.set(library as string, library as string);
  }
  for (const [inside, outside] of copies) {
    mkdirSync(dirname(join(root, inside)), { recursive: true });
    copyFileSync(realpathSync(outside), join(root, inside));
  }
}

function libcPath(): string {
  return /\s(\/\S+\/libc\.so\.6) /.exec(output('ldd', process.execPath))?.[1] as string;
}

function pathOf(command: string): string {
  return output('sh', '-c', 'command -v "$1"', 'sh', command);
}

function output(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', env: TOOL_ENV, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}
