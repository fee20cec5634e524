/** The commands that end by themselves, as child processes. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Ended } from './journey-tools.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const COMPILE_CACHE = join(tmpdir(), 'cloudmapd-test-compile-cache');

export interface CliOptions {
  /** In full: `{ CLOUDMAPD_ENDPOINT: 'http://...' }`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly main?: string;
  /** A command and its arguments that execute what follows them. */
  readonly launcher?: readonly string[];
}

/** Runs `cloudmapd` with these arguments to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  return startCli(args, options).ended;
}

export function startCli(args: readonly string[], options: CliOptions = {}) {
  const { env = {}, stdin = '', cwd, main = MAIN, launcher = [] } = options;
  const [command, ...rest] = [...launcher, process.execPath, main, ...args] as [string, ...string[]];
  const child = spawn(command, rest, {
    cwd,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      // No test is to ask the machine that it runs on for credentials, nor read its user's.
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // It may end without having read it.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs it, and expects that it succeeds and says nothing on stderr. @returns its stdout */
export async function runWell(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** How a command fails: with nothing on stdout and one line on stderr that has all of these in it. */
export function expectFailure({ code, stdout, stderr }: Ended, expected: 1 | 2, ...parts: readonly string[]): void {
  expect(stderr).toMatch(/^(cloudmapd|error): [^\n]+\n$/);
  for (const part of parts) expect(stderr).toContain(part);
  expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
}
