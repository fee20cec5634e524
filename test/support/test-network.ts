/** A network of a test's own, whose addresses and routes come and go as the test says. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { TestContext } from 'vitest';
import { spawnDaemon } from './daemon.ts';
import { type Journey, requireTool, runCommand, waitFor } from './journey-tools.ts';
import { NetworkNamespace, requireNamespace } from './network-namespace.ts';

export interface TestNetwork {
  /** Runs a command inside. @throws Error where it fails */
  run(command: string, ...args: string[]): Promise<string>;
  /** Starts a command inside; it is killed when the test ends. @returns what it has said so far */
  start(command: string, ...args: string[]): Started;
  /** The same, with its stdin. */
  feed(stdin: string, command: string, ...args: string[]): Started;
  readonly launcher: readonly string[];
}

export interface Started {
  readonly child: ChildProcess;
  readonly stdout: () => string;
}

/** With loopback up, and an interface `eth9` that leads nowhere and has 10.99.0.1/24; gone when the test ends. */
export async function makeNetwork(context: TestContext): Promise<TestNetwork> {
  requireNamespace(context);
  requireTool(context, 'dig');
  const namespace = await NetworkNamespace.create();
  context.onTestFinished(() => namespace.close());
  const [enter, ...entering] = namespace.launcher as [string, ...string[]];
  const run = async (command: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(enter, [...entering, command, ...args]);
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const feed = (stdin: string, command: string, ...args: string[]): Started => {
    const child = spawn(enter, [...entering, command, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(stdin);
    context.onTestFinished(() => void child.kill('SIGKILL'));
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    return { child, stdout: () => stdout };
  };
  const start = (command: string, ...args: string[]): Started => feed('', command, ...args);
  await run('ip', 'link', 'add', 'eth9', 'type', 'veth', 'peer', 'name', 'eth8');
  await run('ip', 'link', 'set', 'eth8', 'up');
  await run('ip', 'link', 'set', 'eth9', 'up');
  await run('ip', 'address', 'add', '10.99.0.1/24', 'dev', 'eth9');
  return { run, start, feed, launcher: namespace.launcher };
}

/** Starts a daemon inside that serves the content; it is killed when the test ends. */
export async function startInside(
  context: TestContext,
  network: TestNetwork,
  journey: Journey,
  content: object,
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly stderr: () => string; readonly pid: number }> {
  const CONFIG = journey.writeFile('zone.yaml', JSON.stringify(content));
  const daemon = spawnDaemon({
    settings: { CONFIG, STORE: 'memory', ...settings },
    dataDir: journey.newPath(),
    launcher: network.launcher,
  });
  context.onTestFinished(async () => {
    daemon.child.kill('SIGKILL');
    await daemon.exited;
  });
  await waitFor('the start lines', () => {
    if (daemon.child.exitCode !== null) throw new Error(daemon.stderr());
    return daemon.stdout().includes('list-namespaces') ? true : null;
  });
  // What enters the network becomes the daemon.
  return { stderr: daemon.stderr, pid: daemon.child.pid as number };
}
