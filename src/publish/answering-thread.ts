/** One answering thread as the main thread sees it: started, told of deltas, asked to close. */
import { Worker } from 'node:worker_threads';
import type {
  FromThread,
  InjectedFault,
  ListenAddress,
  LoopNames,
  ResolverFigures,
  ThreadOptions,
  ToThread,
  Trial,
  TrialQuery,
} from '../answers/thread-protocol.ts';

/** A DNS listener could not be bound. */
export class BindError extends Error {
  override readonly name = 'BindError';
  readonly address: ListenAddress;
  readonly transport: string;
  /** The system's error code, such as EADDRINUSE. */
  readonly code: string;

  constructor(failure: Extract<FromThread, { kind: 'bind-failed' }>) {
    super(failure.message);
    this.address = failure.address;
    this.transport = failure.transport;
    this.code = failure.code;
  }
}

/** The thread cannot have the sockets that it was to have. */
export class SocketsError extends Error {
  override readonly name = 'SocketsError';
}

/** The thread ended, or did not acknowledge in time. */
export class ThreadLostError extends Error {
  override readonly name = 'ThreadLostError';
}

/** A thread and what it said when its listeners were bound. */
export type StartedThread = Omit<Extract<FromThread, { kind: 'bound' }>, 'kind'> & { readonly thread: AnsweringThread };

/** What a thread says to what it was asked. */
type Reply = Extract<FromThread, { sequence: number }>;

// Packed for npm the sources are JavaScript, and the thread's entry stands beside them as such.
const ENTRY = new URL(`../dns/thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** What a thread shows of its queries. */
export type ShownQueries = Omit<Extract<FromThread, { kind: 'queries' }>, 'kind'>;

/** A thread takes in ten times as much of a delta, on a machine that does nothing else. */
const READ_BYTES_PER_MS = 5000;

export class AnsweringThread {
  /** It answers from what was published; before it says SERVFAIL. */
  isFilled = false;
  readonly #worker: Worker;
  readonly #acks = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  readonly #exited: Promise<void>;
  #hasExited = false;
  #onLost: (error: Error) => void = () => undefined;
  #onAddress: (at: ListenAddress, problem: string | null) => void = () => undefined;
  #onLoop: (upstream: ListenAddress, names: LoopNames, isLoop: boolean) => void = () => undefined;
  #onProbe: (nonce: string) => void = () => undefined;
  #onQueries: (shown: ShownQueries) => void = () => undefined;
  /** What it said last of names outside, by itself some time after that changed; null: nothing yet. */
  figures: ResolverFigures | null = null;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exited = new Promise((resolve) => {
      let cause: Error | undefined;
      worker.on('error', (error) => {
        cause = error as Error;
      });
      worker.once('exit', (code) => {
        this.#hasExited = true;
        const error = new ThreadLostError(`the answering thread ended (code ${code})`, { cause });
        for (const { reject } of this.#acks.values()) reject(error);
        this.#acks.clear();
        this.#onLost(error);
        resolve();
      });
    });
    worker.on('message', (message: FromThread) => {
      if ('sequence' in message) {
        if (message.kind === 'figures') this.figures = message.figures;
        this.#acks.get(message.sequence)?.resolve(message);
        this.#acks.delete(message.sequence);
      } else if (message.kind === 'loop') {
        this.#onLoop(message.upstream, message.names, message.isLoop);
      } else if (message.kind === 'probe-heard') {
        this.#onProbe(message.nonce);
      } else if (message.kind === 'queries') {
        const beganMs = performance.now();
        this.#onQueries(message);
        // Queries may come faster than they can be shown: as much time again is for all else that the main thread does.
        const restMs = Math.ceil(performance.now() - beganMs);
        setTimeout(() => this.#send({ kind: 'queries-taken' }), restMs).unref();
      } else if (message.kind === 'address') {
        this.#onAddress(message.at, message.error);
      }
    });
  }

  /**
   * Starts a thread and waits until its listeners are bound.
   * @throws BindError, SocketsError, ThreadLostError
   */
  static async start(options: ThreadOptions): Promise<StartedThread> {
    // What the process was started with is for whoever started it: a test runner's preloads, or `--input-type`.
    const worker = new Worker(ENTRY, { workerData: options, name: 'dns', execArgv: [] });
    const thread = new AnsweringThread(worker);
    const bound = new Promise<Extract<FromThread, { kind: 'bound' }>>((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'bound') resolve(message);
        if (message.kind === 'bind-failed') reject(new BindError(message));
        if (message.kind === 'sockets-failed') reject(new SocketsError(message.message));
      });
      thread.#onLost = reject;
    });
    try {
      const said = await bound;
      thread.#onLost = () => undefined;
      return { ...said, thread };
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /** @param listener called once when the thread ends without having been asked to */
  onLost(listener: (error: Error) => void): void {
    this.#onLost = listener;
  }

  /** @param listener told of each address that comes up under a wildcard: whether it answers, or why not */
  onAddress(listener: (at: ListenAddress, problem: string | null) => void): void {
    this.#onAddress = listener;
  }

  /** @param listener told of each upstream that leads back to this daemon, or does no more */
  onLoop(listener: (upstream: ListenAddress, names: LoopNames, isLoop: boolean) => void): void {
    this.#onLoop = listener;
  }

  /** @param listener told of each question that came in by which a sibling looks for loops: it is to be told there */
  onProbe(listener: (nonce: string) => void): void {
    this.#onProbe = listener;
  }

  /** @param listener shown queries, where it is to be shown any */
  onQueries(listener: (shown: ShownQueries) => void): void {
    this.#onQueries = listener;
  }

  /** @param every one of so many is shown from when this resolves; 0: none is; @throws ThreadLostError as above */
  async watch(sequence: number, every: number, timeoutMs: number): Promise<void> {
    await this.#ask(sequence, { kind: 'watch', sequence, every }, timeoutMs);
  }

  /** Has `figures` brought up to now. @throws ThreadLostError where it ends or takes too long */
  async askFigures(sequence: number, timeoutMs: number): Promise<void> {
    await this.#ask(sequence, { kind: 'figures', sequence }, timeoutMs);
  }

  heard(nonce: string): void {
    this.#send({ kind: 'probe-heard', nonce });
  }

  /** Whatever leads back to the daemon arrives where it is seen. */
  serve(): void {
    this.#send({ kind: 'serve' });
  }

  setUpstreams(upstreams: readonly ListenAddress[], which: 'default' | 'single-label'): void {
    this.#send({ kind: 'upstreams', upstreams, which });
  }

  /** Has upstreams' answers forgotten. @returns how many; @throws ThreadLostError */
  async flush(sequence: number, name: string | null, isBelow: boolean, timeoutMs: number): Promise<number> {
    const reply = await this.#ask(sequence, { kind: 'flush', sequence, name, isBelow }, timeoutMs);
    return reply.kind === 'flushed' ? reply.count : 0;
  }

  /** Has a query answered that nobody has sent. @throws ThreadLostError where it ends or takes too long */
  async try(sequence: number, trial: TrialQuery, timeoutMs: number): Promise<Trial> {
    const reply = await this.#ask(sequence, { kind: 'try', sequence, trial }, timeoutMs);
    if (reply.kind !== 'tried') throw new Error(`"${reply.kind}" is no reply to a trial`);
    return reply.trial;
  }

  /** Has what upstreams said and how they are forgotten, and answers mixed as from the start. @returns how many; @throws ThreadLostError */
  async reset(sequence: number, timeoutMs: number): Promise<number> {
    const reply = await this.#ask(sequence, { kind: 'reset', sequence }, timeoutMs);
    return reply.kind === 'flushed' ? reply.count : 0;
  }

  /**
   * Sends a delta.
   * @param isHandedOver the caller has no more use for it: its memory is the thread's from then on, where it is all there is
   * @returns when the thread answers by it; @throws ThreadLostError where it ends or takes too long
   */
  async publish(sequence: number, delta: Uint8Array, timeoutMs: number, isHandedOver = false): Promise<void> {
    const { buffer } = delta;
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === delta.byteLength;
    await this.#ask(
      sequence,
      { kind: 'delta', sequence, delta },
      timeoutMs,
      isHandedOver && isWhole ? [buffer] : undefined,
    );
  }

  /** @returns when the thread answers by them; @throws ThreadLostError where it ends or takes too long */
  async setLocalNames(sequence: number, delta: Uint8Array, timeoutMs: number): Promise<void> {
    await this.#ask(sequence, { kind: 'local-names', sequence, delta }, timeoutMs);
  }

  /** @returns when queries meet these alone; @throws ThreadLostError where it ends or takes too long */
  async setFaults(sequence: number, faults: readonly InjectedFault[], timeoutMs: number): Promise<void> {
    await this.#ask(sequence, { kind: 'faults', sequence, faults }, timeoutMs);
  }

  async #ask(sequence: number, message: ToThread, timeoutMs: number, transfer?: ArrayBuffer[]): Promise<Reply> {
    if (this.#hasExited) throw new ThreadLostError('the answering thread has ended');
    const acknowledged = new Promise<Reply>((resolve, reject) => {
      this.#acks.set(sequence, { resolve, reject });
    });
    const bytes = 'delta' in message ? message.delta.length : 0;
    const allMs = timeoutMs + Math.round(bytes / READ_BYTES_PER_MS);
    this.#send(message, transfer);
    const giveUp = (): void => {
      this.#acks
        .get(sequence)
        ?.reject(new ThreadLostError(`the answering thread did not acknowledge within ${allMs} ms`));
      this.#acks.delete(sequence);
    };
    // It may be this thread that did nothing meanwhile, and the acknowledgement lies there to be read.
    const timer = setTimeout(() => setImmediate(giveUp), allMs);
    try {
      return await acknowledged;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes its sockets, waits for the end. @param timeoutMs after it the thread is ended the hard way */
  async close(timeoutMs: number): Promise<void> {
    this.#onLost = () => undefined;
    if (this.#hasExited) return;
    this.#send({ kind: 'close' });
    const timer = setTimeout(() => void this.#worker.terminate(), timeoutMs);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Ends the thread at once; its sockets are closed when this resolves. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
    await this.#exited;
  }

  #send(message: ToThread, transfer?: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }
}
