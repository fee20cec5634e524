/** Programs that a test builds, and servers of others that it starts. */
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { makeFolder } from '../../support/daemon.ts';
import { hasTool, TOOL_ENV, type Tool, waitFor } from '../../support/journey-tools.ts';

/** Go without a compiled standard library compiles it first. */
const BUILD_TIMEOUT_MS = 120_000;
const execute = promisify(execFile);

/**
 * Builds a program of this folder once for the file or `describe` that this is called in, where the compiler is there:
 * tests begin with `requireTool`.
 * @param args from the path of the program to be made to the compiler's arguments
 * @param env from a folder that goes with it to settings of the compiler
 * @returns the program's path
 */
export function shareProgram(
  compiler: Tool,
  args: (output: string) => readonly string[],
  env: (folder: string) => NodeJS.ProcessEnv = () => ({}),
): () => string {
  const folder = makeFolder();
  const output = join(folder.path, 'lookup');
  beforeAll(async () => {
    if (!hasTool(compiler)) return;
    await execute(compiler, args(output), { env: { ...TOOL_ENV, ...env(folder.path) }, timeout: BUILD_TIMEOUT_MS });
  }, BUILD_TIMEOUT_MS);
  afterAll(folder.remove);
  return () => output;
}

/** Without cgo there is Go's own resolver alone. Nothing is fetched, nothing is left outside of the folder. */
export function goEnv(folder: string): NodeJS.ProcessEnv {
  return {
    CGO_ENABLED: '0',
    GOCACHE: join(folder, 'cache'),
    GOPATH: join(folder, 'path'),
    GOPROXY: 'off',
    GOTOOLCHAIN: 'local',
  };
}

/** The path of a source file in this folder. */
export function sourceFile(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

export interface RunningServer {
  readonly pid: number;
  readonly output: () => string;
  /** Asks again and again until the server answers so. @throws Error with its output where it ends, or never does */
  until(what: string, ask: () => boolean | Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server that stays in the foreground; its output is at hand for a failure's message. */
export function startServer(command: string, args: readonly string[]): RunningServer {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: TOOL_ENV });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  let hasEnded = false;
  const closed = once(child, 'close').then(() => {
    hasEnded = true;
  });
  return {
    pid: child.pid as number,
    output: () => output,
    until: async (what, ask) => {
      try {
        await waitFor(what, async () => {
          if (await ask()) return true;
          if (hasEnded) throw new Error(`${command} ended before ${what}`);
          return null;
        });
      } catch (cause) {
        throw new Error(`${(cause as Error).message}; ${command} said:\n${output}`, { cause });
      }
    },
    stop: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

/** A port of 127.0.0.1 that is free for UDP and TCP, for servers that cannot take any one by themselves. */
export async function freePort(): Promise<number> {
  for (;;) {
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as { port: number };
    const udp = createSocket('udp4');
    const isFree = await new Promise<boolean>((resolve) => {
      udp.once('error', () => resolve(false));
      udp.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
    });
    udp.close();
    tcp.close();
    await once(tcp, 'close');
    if (isFree) return port;
  }
}
