/** What the benchmarks share: children pinned to a core, their CPU time, medians. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = new URL('../..', import.meta.url).pathname;
export const SERVER_CORE = '0';
export const CLIENT_CORE = '1';

const children: ChildProcess[] = [];
export const folder = mkdtempSync(join(tmpdir(), 'cloudmapd-bench-'));

/** Ends what was started and removes what was written. */
export function cleanUp(): void {
  for (const child of children) child.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}

/** On the servers' core. @returns the child, once it has said `readyText` */
export function startPinned(
  command: string,
  args: string[],
  readyText: string,
  env: Record<string, string>,
): Promise<ChildProcess> {
  return startOn(SERVER_CORE, command, args, readyText, env);
}

export async function startOn(
  core: string,
  command: string,
  args: string[],
  readyText: string,
  env: Record<string, string> = {},
): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', core, command, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    const read = (chunk: Buffer): void => {
      said += chunk;
      if (said.includes(readyText)) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}: ${said}`)));
  });
  return child;
}

/** User and system time of a process and of all below it: NSD answers in a grandchild. */
export function cpuSeconds(pid: number): number {
  const ticks = withDescendants(pid).reduce((sum, one) => {
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1]?.split(' ') as string[];
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
  return ticks / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
}

function withDescendants(pid: number): number[] {
  const children = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean);
  return [pid, ...children.flatMap((child) => withDescendants(Number(child)))];
}

export function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
