/** What the commands that end by themselves share: how they fail, and what a signal does to them. */
import { constants } from 'node:os';
import { SettingError } from '../config.ts';
import { ConfigFileError } from '../declared/yaml.ts';
import { StoreError } from '../store/store.ts';
import { EXIT_FAILURE, EXIT_USAGE } from './exit-codes.ts';

/** It could not be done; the message is one line that says what and where. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  /** Whether what was typed can never be right. */
  readonly isUsage: boolean = false;
}

/** The command was not called rightly. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
  override readonly isUsage = true;
}

/** Runs a command to its end: what goes wrong is one line on stderr, and the exit code says of which kind it is. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  // In place of the entry's own handlers: an export that was interrupted has not been made.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.removeAllListeners(signal).on(signal, () => {
      undoAll();
      // An end in order would wait for a read that may never return, of a pipe that nobody writes to.
      process.removeAllListeners(signal).kill(process.pid, signal);
      // The first process of a container does not obey.
      process.exit(128 + constants.signals[signal]);
    });
  }
  // What nobody waits for, such as an error of a stream that has been read enough of.
  process.on('uncaughtException', (error) => {
    undoAll();
    tell(error);
    process.exit();
  });
  try {
    await command();
  } catch (error) {
    tell(error);
  }
}

/** For a command that has no other end than that, or the reader's: nothing went wrong. */
export function endAtSignal(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(signal).on(signal, () => process.exit(0));
  }
}

/** Where the reason is none that is foreseen, its stack is told to whoever asks for everything. */
function tell(error: unknown): void {
  const isCommand = error instanceof CommandError;
  const isUsage = isCommand ? error.isUsage : error instanceof SettingError || error instanceof ConfigFileError;
  const isForeseen = isUsage || isCommand || error instanceof StoreError;
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  if (!isForeseen && process.env.CLOUDMAPD_LOG === 'debug') process.stderr.write(`${stack}\n`);
  process.stderr.write(`cloudmapd: ${printable(message || name)}\n`);
  process.exitCode = isUsage ? EXIT_USAGE : EXIT_FAILURE;
}

function undoAll(): void {
  for (const undo of undos) undo();
}

const undos = new Set<() => void>();

/** @param undo called where a signal ends the command. @returns what calls it off */
export function undoAtSignal(undo: () => void): () => void {
  undos.add(undo);
  return () => undos.delete(undo);
}

/** On one line, and without what a terminal would obey: names and values may come from anywhere. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
