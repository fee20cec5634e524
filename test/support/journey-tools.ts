/** What journeys share: daemons and folders that are gone after each test, outside commands, waiting without delays. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, type TestContext } from 'vitest';
import { type DaemonOptions, makeFolder, type RunningDaemon, spawnDaemon, startTestDaemon } from './daemon.ts';
import { askTcp, askUdp, buildQuery, readAnswer } from './dns.ts';

/** Bounds every wait below the test's own timeout, so that a failure says what was waited for. */
const PATIENCE_MS = 50_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Journey {
  /** A fresh path; nothing is there yet. */
  newPath(name?: string): string;
  /** Writes a file of the test's own. @returns its path */
  writeFile(name: string, text: string): string;
  /** Starts a daemon, on a data folder of its own where none is given. */
  start(options?: Partial<DaemonOptions>): Promise<RunningDaemon>;
  /** Runs a daemon that is expected to end by itself. @throws Error where it serves instead */
  runToEnd(options?: Partial<DaemonOptions>): Promise<Ended>;
}

/** Call once per file, outside of tests: after each test its daemons are killed and its folders removed. */
export function setUpJourney(): Journey {
  const cleanups: (() => unknown)[] = [];
  let root: string | null = null;
  let paths = 0;
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    root = null;
  });
  const rootFolder = (): string => {
    if (root !== null) return root;
    const folder = makeFolder();
    cleanups.push(folder.remove);
    root = folder.path;
    return root;
  };
  const newPath = (name = 'data'): string => join(rootFolder(), `${paths++}`, name);
  return {
    newPath,
    writeFile(name, text) {
      const path = newPath(name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, text);
      return path;
    },
    async start(options = {}) {
      const daemon = await startTestDaemon({ dataDir: newPath(), ...options });
      // Not SIGTERM: tidying up must not depend on what is tested.
      cleanups.push(() => daemon.stop('SIGKILL'));
      return daemon;
    },
    async runToEnd(options = {}) {
      const { child, stdout, stderr, exited } = spawnDaemon({ dataDir: newPath(), ...options });
      cleanups.push(() => {
        child.kill('SIGKILL');
        return exited;
      });
      const hasStarted = new Promise<never>((_, reject) => {
        child.stdout?.on('data', () => {
          if (stdout().includes('list-namespaces'))
            reject(new Error('the daemon has started, and was to end by itself'));
        });
      });
      const code = await Promise.race([exited, hasStarted]);
      return { code, stdout: stdout(), stderr: stderr() };
    },
  };
}

/**
 * One daemon for all tests of the file or `describe` that this is called in, as starting takes longer than most tests.
 * What a test makes in it the next one finds.
 */
export function shareDaemon(options: Partial<DaemonOptions> = {}): () => RunningDaemon {
  const folder = makeFolder();
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startTestDaemon({ dataDir: folder.path, ...options });
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    folder.remove();
  });
  return () => daemon;
}

/** How wrong settings end: exit code 2, nothing on stdout, one line on stderr that has all of these in it. */
export function expectRefusal({ code, stdout, stderr }: Ended, ...parts: readonly string[]): void {
  expect(stderr).toMatch(/^cloudmapd: [^\n]+\n$/);
  for (const part of parts) expect(stderr).toContain(part);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
}

/** The probe, and DNS over UDP and TCP. */
export async function expectServing({ endpoint, dnsPort }: RunningDaemon): Promise<void> {
  expect((await fetch(`${endpoint}/readyz`)).status).toBe(200);
  const query = buildQuery('none.example', 'A');
  for (const reply of [await askUdp(dnsPort, query), ...(await askTcp(dnsPort, [query]))]) {
    expect(readAnswer(reply as Buffer).rcode).toBe('REFUSED');
  }
}

/** Every file below a folder with a digest of its content; null where there is no such folder. */
export function readFolder(path: string): Record<string, string> | null {
  if (!existsSync(path)) return null;
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(path, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, digestOf(join(path, name))]));
}

function digestOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

// How to see that it works. Where a path stands here, no other of that name in the PATH will do.
const PROBES = {
  dig: ['dig', '-v'],
  curl: ['curl', '--version'],
  aws: ['aws', '--version'],
  gcc: ['gcc', '--version'],
  'musl-gcc': ['musl-gcc', '--version'],
  go: ['go', 'version'],
  unbound: ['unbound', '-V'],
  haproxy: ['haproxy', '-v'],
  named: ['named', '-v'],
  nsd: ['nsd', '-v'],
  knotd: ['knotd', '-V'],
  busybox: ['busybox', 'true'],
  dnsmasq: ['dnsmasq', '--version'],
  promtool: ['promtool', '--version'],
  prometheus: ['prometheus', '--version'],
  // It has no way to do nothing but to complain.
  setcap: ['sh', '-c', 'command -v setcap'],
  npm: ['npm', '--version'],
  // Both take a second to do anything; whether they work shows in what they are needed for.
  "Debian's AWS CLI": ['test', '-x', '/usr/bin/aws'],
  "Debian's boto3": [
    '/usr/bin/python3',
    '-c',
    'import sys, importlib.util as i; sys.exit(i.find_spec("boto3") is None)',
  ],
} as const;
export type Tool = keyof typeof PROBES;

/** Debian keeps servers and `ip` where a user's PATH does not lead. */
export const TOOL_ENV: NodeJS.ProcessEnv = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

export function hasTool(tool: Tool): boolean {
  const [command, ...args] = PROBES[tool];
  return runsToSuccess(command, args);
}

/** Skips the test, saying why, where the command is missing; under CI that is a failure. */
export function requireTool(context: TestContext, tool: Tool): void {
  if (!hasTool(tool)) skipOrFail(context, `${tool} does not work on this machine`);
}

export function runsToSuccess(command: string, args: readonly string[]): boolean {
  const { error, status } = spawnSync(command, args, { stdio: 'ignore', env: TOOL_ENV });
  return error === undefined && status === 0;
}

/** Skips the test, saying why, where loopback has no IPv6 address. No CI can install that, so it never fails. */
export function requireIpv6(context: TestContext): void {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  if (!addresses.some(({ address }) => address === '::1')) context.skip('this machine has no ::1');
}

/** Skips the test, saying why, where 127.0.0.1 is the only address of its kind. No CI can change that. */
export function requireLoopbackBlock(context: TestContext): void {
  if (process.platform !== 'linux') context.skip('this machine has no loopback address but 127.0.0.1');
}

/** Skips the test for the reason; under CI, where everything can be installed, that is a failure. */
export function skipOrFail(context: TestContext, reason: string): never {
  if (process.env.CI === 'true' || process.env.CI === '1') throw new Error(`${reason}, and CI has to have it`);
  return context.skip(reason);
}

/** Runs an outside command to its end. */
export function runCommand(command: string, args: readonly string[], env = TOOL_ENV): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** `dig` at the port with these arguments. @throws Error where it fails, or finds anything wrong with the reply */
export async function runDig(port: number, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand('dig', ['@127.0.0.1', '-p', String(port), ...args]);
  const complaint = /Warning|malformed|extra bytes|mismatch|unexpected|communications error|timed out/.exec(stdout);
  if (code !== 0 || stderr !== '' || complaint !== null) {
    throw new Error(`dig ${args.join(' ')} ended with ${code} (${complaint?.[0] ?? stderr}):\n${stdout}`);
  }
  return stdout;
}

/** Asks again and again, without delay, until the answer is not null. @param what for the failure's message */
export async function waitFor<T>(what: string, ask: () => T | null | Promise<T | null>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await nextTurn();
  }
}

/** What was done before and what is done after have different timestamps, in the daemon too. */
export async function nextMillisecond(): Promise<void> {
  const before = Date.now();
  await waitFor('the clock', () => (Date.now() > before ? true : null));
}
