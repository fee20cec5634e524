/** What the benchmarks share: children pinned to a core, their CPU time, free ports, medians. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = new URL('../..', import.meta.url).pathname;
export const SERVER_CORE = '0';
export const CLIENT_CORE = '1';
export const ALL_CORES = `${SERVER_CORE},${CLIENT_CORE}`;

/** Long enough for a million instances on a busy machine. */
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 5000;

const children = new Set<ChildProcess>();
/** Of this process, and gone with it. */
export const folder = mkdtempSync(join(tmpdir(), 'cloudmapd-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Ends what was started, and waits for it: what still runs would cost the next bench its time. */
export async function stopAll(): Promise<void> {
  await Promise.all([...children].map((child) => stop(child)));
}

export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill(signal);
  await exited;
  clearTimeout(killer);
}

/** A folder in the benches' own one. */
export function makeHome(name: string): string {
  const home = join(folder, name);
  mkdirSync(home);
  return home;
}

/** On the servers' core. @returns the child, once it has said `readyText` */
export function startPinned(
  command: string,
  args: readonly string[],
  readyText: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  return startOn(SERVER_CORE, command, args, readyText, env);
}

/**
 * @param readyText empty: it is not waited for
 * @throws Error with what it said where it ends before, or says nothing of the kind
 */
export async function startOn(
  cores: string,
  command: string,
  args: readonly string[],
  readyText: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', cores, command, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    const fail = (what: string): void => reject(new Error(`${command} ${what}: ${said}`));
    const timer = setTimeout(() => fail('is not ready'), START_TIMEOUT_MS);
    const read = (chunk: Buffer): void => {
      // Read to the end all the same: a full pipe would stop the child.
      if (said.length < 100_000) said += chunk;
      if (!said.includes(readyText)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      children.delete(child);
      fail(`ended with ${code}`);
    });
    if (readyText === '') read(Buffer.alloc(0));
  });
  return child;
}

/** Moves a process with all its threads to these cores, as far as they are there. */
export function pin(pid: number, cores: string): void {
  execFileSync('taskset', ['-acp', cores, String(pid)], { stdio: 'ignore' });
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/**
 * User and system time of a process and of all below it, ended ones included: NSD answers in a grandchild, dnsmasq has
 * a child for each TCP connection.
 */
export function cpuSeconds(pid: number): number {
  const ticks = withDescendants(pid).reduce((sum, one) => {
    const fields = statOf(one);
    return sum + [11, 12, 13, 14].reduce((own, i) => own + Number(fields[i]), 0);
  }, 0);
  return ticks / TICKS_PER_SECOND;
}

/** Memory of a process and of all below it, in octets. */
export function residentBytes(pid: number): number {
  return withDescendants(pid).reduce((sum, one) => sum + 1024 * memoryOf(one), 0);
}

function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** What stands in /proc/<pid>/stat behind the command's name; nothing where the process has ended. */
function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  } catch {
    return Array(15).fill('0');
  }
}

function withDescendants(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(statOf(Number(entry))[1]);
    parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
  }
  const found = [pid];
  for (const one of found) found.push(...(parents.get(one) ?? []));
  return found;
}

export function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

/** A port of loopback that is free for UDP and TCP. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const socket = createSocket('udp4');
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise<void>((resolve) => socket.close(resolve));
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** @returns the same permutation each time it is called for so many */
export function shuffled<T>(values: readonly T[]): T[] {
  const result = [...values];
  let seed = 1;
  for (let i = result.length - 1; i > 0; i--) {
    // Park and Miller's generator.
    seed = (seed * 48_271) % 2_147_483_647;
    const other = seed % (i + 1);
    [result[i], result[other]] = [result[other] as T, result[i] as T];
  }
  return result;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
