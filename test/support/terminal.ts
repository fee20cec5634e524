/** Commands under a real terminal: a pseudo-terminal that `script` of util-linux (Debian: bsdutils) holds the other end of. */
import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { TestContext } from 'vitest';
import { runsToSuccess, skipOrFail } from './journey-tools.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const COMPILE_CACHE = join(tmpdir(), 'cloudmapd-test-compile-cache');
const CTRL_C = '\u0003';

export interface Terminal {
  /** Everything that was written to it so far, colours and cursor movements included, with plain line feeds. */
  screen(): string;
  /** Without those. */
  text(): string;
  /** Resolves when the text has this in it. @throws Error where the command ends before */
  shows(part: string | RegExp): Promise<void>;
  /** As typed. */
  type(keys: string): void;
  interrupt(): void;
  /** The command's exit code; 128 and the signal's number where one ended it. */
  readonly ended: Promise<number | null>;
  /** What holds the terminal. */
  readonly child: ChildProcess;
}

export interface TerminalOptions {
  /** Besides PATH and HOME, in full: `{ CLOUDMAPD_ENDPOINT: 'http://...' }`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Follows the command in the shell's line, such as `> file`. */
  readonly redirect?: string;
  readonly columns?: number;
}

/** Skips the test, saying why, where the command is missing; under CI that is a failure. */
export function requireTerminal(context: TestContext): void {
  // BSD has another command of that name.
  if (!runsToSuccess('script', ['-qec', 'true', '/dev/null'])) {
    skipOrFail(context, "util-linux's script does not work on this machine");
  }
}

/** `cloudmapd` with these arguments, in a terminal of its own. */
export function startInTerminal(args: readonly string[], options: TerminalOptions = {}): Terminal {
  const { env = {}, redirect = '', columns = 100 } = options;
  const words = [process.execPath, MAIN, ...args].map(quote).join(' ');
  // In place of the shell, so that what ends the command ends all of it.
  const line = `stty cols ${columns} rows 30; exec ${words} ${redirect}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SHELL: '/bin/sh',
      TERM: 'xterm-256color',
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...env,
    },
    // It stays open: its end would be the terminal's.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let screen = '';
  let onOutput = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      screen += chunk.replaceAll('\r\n', '\n');
      onOutput();
    });
  }
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  const text = (): string => stripVTControlCharacters(screen);
  return {
    screen: () => screen,
    text,
    shows: (part) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (typeof part === 'string' ? text().includes(part) : part.test(text())) resolve();
        };
        onOutput = look;
        look();
        void ended.then((code) => {
          look();
          reject(new Error(`the command ended with ${code} and did not show ${part}:\n${text()}`));
        });
      }),
    type: (keys) => child.stdin.write(keys),
    interrupt: () => child.stdin.write(CTRL_C),
    ended,
    child,
  };
}

/** Runs it to its end. @returns its exit code, and everything that was written to the terminal */
export async function runInTerminal(
  args: readonly string[],
  options: TerminalOptions = {},
): Promise<{ code: number | null; screen: string; text: string }> {
  const terminal = startInTerminal(args, options);
  const code = await terminal.ended;
  return { code, screen: terminal.screen(), text: terminal.text() };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
