/** What a program's thread and the thread of its daemon say to each other. */
import type { StartOptions } from './index.cjs';

/** Whoever takes the log stays behind. */
export type GivenOptions = Omit<StartOptions, 'log'> & { readonly log?: boolean };

export interface Started {
  readonly endpoint: string;
  readonly dns: { readonly address: string; readonly port: number };
}

export type CallName = 'reset' | 'add-fault' | 'list-faults' | 'remove-fault' | 'clear-faults' | 'close';

export interface ToDaemon {
  readonly id: number;
  readonly call: CallName;
  readonly argument: unknown;
}

export type FromDaemon =
  | ({ readonly kind: 'started' } & Started)
  /** It has not started, and ends. */
  | { readonly kind: 'failed'; readonly name: string; readonly message: string }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly name: string; readonly message: string };
