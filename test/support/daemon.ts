/** The real daemon as a child process on free ports, as a user would run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

// Suites start dozens of daemons; most of a start is compiling the same modules.
const COMPILE_CACHE = join(tmpdir(), 'cloudmapd-test-compile-cache');

export interface RunningDaemon {
  readonly endpoint: string;
  readonly httpPort: number;
  readonly dnsPort: number;
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code, or null where a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface DaemonOptions {
  /** Without CLOUDMAPD_: `{ DNS_FALLBACK: 'all' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly dataDir: string;
  /** The command's entry, where it is not that of the sources. */
  readonly main?: string;
  /** A command and its arguments that execute what follows them: the daemon's own command. */
  readonly launcher?: readonly string[];
  /** From the endpoint that the daemon prints to one that leads there from this process. */
  readonly reach?: (endpoint: string) => Promise<string>;
}

/** A folder of its own, removed by `remove`. */
export function makeFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'cloudmapd-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function spawnDaemon({ settings = {}, args = [], dataDir, main = MAIN, launcher = [] }: DaemonOptions): {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  exited: Promise<number | null>;
} {
  const env: NodeJS.ProcessEnv = {
    CLOUDMAPD_HTTP: '127.0.0.1:0',
    CLOUDMAPD_DNS: '127.0.0.1:0',
    CLOUDMAPD_DATA_DIR: dataDir,
  };
  for (const [key, value] of Object.entries(settings)) env[`CLOUDMAPD_${key}`] = value;
  const [command, ...commandArgs] = [...launcher, process.execPath, main, 'serve', ...args] as [string, ...string[]];
  const child = spawn(command, commandArgs, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, stdout: () => stdout, stderr: () => stderr, exited };
}

/** Starts a daemon and waits until `/readyz` says ready. @throws Error with its stderr where it ends before */
export async function startTestDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const { child, stdout, stderr, exited } = spawnDaemon(options);
  // The start lines are printed once everything is ready.
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', () => {
      if (stdout().includes('list-namespaces')) resolve();
    });
    void exited.then((code) => reject(new Error(`the daemon ended with ${code}: ${stderr()}`)));
  });
  const printed = /API {2}(http:\/\/\S+?)(,|\s)/.exec(stdout())?.[1] as string;
  const endpoint = (await options.reach?.(printed)) ?? printed;
  const response = await fetch(`${endpoint}/readyz`);
  const { dns } = (await response.json()) as { dns: string[] };
  return {
    endpoint,
    httpPort: Number(new URL(printed).port),
    dnsPort: Number(/:(\d+)$/.exec(dns[0] as string)?.[1]),
    pid: child.pid as number,
    stdout,
    stderr,
    exited,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
  };
}
