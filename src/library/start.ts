/**
 * The daemon for a program's tests: what `index.cjs` has loaded, and its types describe. It runs in a thread of
 * its own, so that a test which waits in a blocking call for somebody who asks the daemon gets an answer, and one that
 * fakes timers stops its own alone.
 */
import { Worker } from 'node:worker_threads';
import type { Cloudmapd, Fault, StartOptions } from './index.cjs';
import type { CallName, FromDaemon, GivenOptions, Started, ToDaemon } from './protocol.ts';

// Packed for npm the sources are JavaScript, and the thread's entry stands beside them as such.
const ENTRY = new URL(`./thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

type ListedFault = Fault & { readonly id: string; readonly until: Date | null };

/** @throws Error whose message says what of the options is wrong; then nothing is left running */
export async function start(options: StartOptions = {}): Promise<Cloudmapd> {
  const { log, ...rest } = options;
  const thread = new DaemonThread(log === undefined ? rest : { ...rest, log: true }, log);
  const { endpoint, dns } = await thread.started;
  let closing: Promise<void> | null = null;
  return {
    endpoint,
    dns,
    reset: async () => void (await thread.call('reset')),
    faults: {
      add: (fault) => thread.call<string>('add-fault', fault),
      list: async () => {
        const list = await thread.call<(Fault & { id: string; until: number | null })[]>('list-faults');
        return list.map(
          (fault): ListedFault => ({ ...fault, until: fault.until === null ? null : new Date(fault.until) }),
        );
      },
      remove: (id) => thread.call<boolean>('remove-fault', id),
      clear: async () => void (await thread.call('clear-faults')),
    },
    close: () => {
      closing ??= thread.close();
      return closing;
    },
  };
}

class DaemonThread {
  readonly started: Promise<Started>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #calls = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;
  /** Why nothing can be asked of it any more. */
  #end: Error | null = null;

  constructor(options: GivenOptions, log: ((line: string) => void) | undefined) {
    // What the process was started with is for whoever started it: a test runner's preloads, or `--input-type`.
    this.#worker = new Worker(ENTRY, { workerData: options, name: 'cloudmapd', execArgv: [] });
    const { promise, resolve, reject } = Promise.withResolvers<Started>();
    this.started = promise;
    this.#worker.on('message', (message: FromDaemon) => {
      if (message.kind === 'started') resolve({ endpoint: message.endpoint, dns: message.dns });
      else if (message.kind === 'failed') reject(errorOf(message));
      else if (message.kind === 'log') log?.(message.line);
      else {
        const call = this.#calls.get(message.id);
        this.#calls.delete(message.id);
        if (message.kind === 'done') call?.resolve(message.result);
        else call?.reject(errorOf(message));
      }
    });
    this.#worker.on('error', (cause) => {
      this.#end = new Error(`the daemon has ended: ${(cause as Error).message}`, { cause });
    });
    this.#exited = new Promise((exited) => {
      this.#worker.once('exit', () => {
        this.#end ??= new Error('the daemon is closed');
        reject(this.#end);
        for (const call of this.#calls.values()) call.reject(this.#end);
        this.#calls.clear();
        exited();
      });
    });
  }

  async call<Result>(call: CallName, argument?: unknown): Promise<Result> {
    if (this.#end !== null) throw this.#end;
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#worker.postMessage({ id, call, argument } satisfies ToDaemon);
    this.#calls.set(id, { resolve, reject });
    return (await promise) as Result;
  }

  async close(): Promise<void> {
    // One that has ended by itself is closed.
    await this.call('close').catch((error: unknown) => {
      if (error !== this.#end) throw error;
    });
    await this.#exited;
  }
}

function errorOf({ name, message }: { name: string; message: string }): Error {
  return Object.assign(new Error(message), { name });
}
