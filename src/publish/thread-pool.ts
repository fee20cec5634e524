/** The answering threads, all on the same ports: started, and each replaced where it is lost. */
import { randomBytes } from 'node:crypto';
import type { ListenAddress, PortSharing, Siblings, SocketKind, ThreadOptions } from '../answers/thread-protocol.ts';
import { QueryCounters } from '../telemetry/query-counters.ts';
import { AnsweringThread, type StartedThread } from './answering-thread.ts';

const CLOSE_TIMEOUT_MS = 1000;
/** Between attempts to replace a thread whose replacement failed too. */
const REPLACE_RETRY_MS = 500;
const LOOP_KEY_BYTES = 16;

/** Of each thread, but for what its place among the others makes of it. */
export type PoolOptions = Omit<ThreadOptions, 'isReplacement' | 'sharing' | 'siblings' | 'counters'>;

export interface PoolEvents {
  /** Called before anything else happens with it. */
  onStarted(thread: AnsweringThread): void;
  /** It is not among `threads` any more. */
  onLost(thread: AnsweringThread): void;
  onReplaced(reason: Error): void;
  onReplaceFailed(error: unknown): void;
}

/** Where one thread belongs. */
interface Place {
  /** Of the generator that mixes its answers. */
  readonly seed: number;
  /** Of all threads that were ever there. */
  readonly counters: QueryCounters;
  /** Null while it is being replaced. */
  thread: AnsweringThread | null;
  replacing: Promise<void> | null;
  retryTimer: NodeJS.Timeout | undefined;
}

export class ThreadPool {
  #options: PoolOptions;
  readonly #siblings: Siblings | null;
  readonly #events: PoolEvents;
  /** What the first thread said when it was started. */
  readonly first: Omit<StartedThread, 'thread'>;
  #sockets: SocketKind;
  readonly #places: Place[];
  /** Threads that hold the ports, and those that were lost and may still do so. */
  readonly #bound = new Set<AnsweringThread>();
  readonly #leaving = new Set<AnsweringThread>();
  /** Replacements are started one by one: where nobody holds the ports, the first of them is alone there. */
  #turn: Promise<unknown> = Promise.resolve();
  #isClosing = false;

  private constructor(
    options: PoolOptions,
    siblings: Siblings | null,
    count: number,
    events: PoolEvents,
    counters: QueryCounters,
    started: StartedThread,
  ) {
    // Whoever comes later binds what is bound now, also where any port was asked for.
    this.#options = { ...options, listen: started.addresses };
    this.#siblings = siblings;
    this.#events = events;
    this.first = started;
    this.#sockets = started.sockets;
    this.#places = Array.from({ length: count }, (_, n) => ({
      seed: seedOf(options.seed, n),
      counters: n === 0 ? counters : new QueryCounters(),
      thread: null,
      replacing: null,
      retryTimer: undefined,
    }));
    this.#settle(this.#places[0] as Place, started);
  }

  /** Starts so many threads, the first one before the others. @throws BindError, SocketsError, ThreadLostError */
  static async start(options: PoolOptions, count: number, events: PoolEvents): Promise<ThreadPool> {
    const siblings = count === 1 ? null : { count, loopKey: randomBytes(LOOP_KEY_BYTES) };
    const sharing = count === 1 ? 'alone' : 'first';
    const counters = new QueryCounters();
    const isReplacement = false;
    const first = await AnsweringThread.start({
      ...options,
      counters: counters.memory,
      sharing,
      siblings,
      isReplacement,
    });
    const pool = new ThreadPool(options, siblings, count, events, counters, first);
    const others = await Promise.allSettled(
      pool.#places.slice(1).map(async (place) => pool.#settle(place, await pool.#start(place, 'join'))),
    );
    const failed = others.find((result) => result.status === 'rejected');
    if (failed === undefined) return pool;
    await pool.close();
    throw failed.reason;
  }

  /** Those that are there now: all of them, but for those that are being replaced. */
  get threads(): readonly AnsweringThread[] {
    return this.#places.flatMap(({ thread }) => thread ?? []);
  }

  /** Of each place. */
  get counters(): readonly QueryCounters[] {
    return this.#places.map(({ counters }) => counters);
  }

  /** How many there are when none is being replaced. */
  get count(): number {
    return this.#places.length;
  }

  /** Of the thread that was started last. */
  get sockets(): SocketKind {
    return this.#sockets;
  }

  /** Of each thread from now on, those that are there included. */
  setUpstreams(upstreams: readonly ListenAddress[], which: 'default' | 'single-label'): void {
    const { forwarding } = this.#options;
    const changed = which === 'default' ? { upstreams } : { singleLabel: { kind: 'ask', upstreams } as const };
    this.#options = { ...this.#options, forwarding: { ...forwarding, ...changed } };
    for (const thread of this.threads) thread.setUpstreams(upstreams, which);
  }

  /** Has a thread replaced that ended, or is of no use. One that was lost before does not matter. */
  lose(thread: AnsweringThread, reason: unknown): void {
    const place = this.#places.find((one) => one.thread === thread);
    if (place === undefined || this.#isClosing) return;
    place.thread = null;
    this.#bound.delete(thread);
    this.#leaving.add(thread);
    this.#events.onLost(thread);
    if (thread.isFilled) {
      this.#events.onReplaced(reason as Error);
      this.#replace(place, thread);
    } else {
      // One that is lost over what it is filled with may be followed by many.
      this.#events.onReplaceFailed(reason);
      place.replacing = thread.terminate().then(() => this.#retry(place, thread));
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { retryTimer } of this.#places) clearTimeout(retryTimer);
    await Promise.all(
      this.#places.map(async (place) => {
        await place.replacing;
        await place.thread?.close(CLOSE_TIMEOUT_MS);
        place.thread = null;
      }),
    );
  }

  #start(place: Place, sharing: PortSharing): Promise<StartedThread> {
    const siblings = this.#siblings;
    const { seed, counters } = place;
    const own = { seed, counters: counters.memory, sharing, siblings, isReplacement: true };
    return AnsweringThread.start({ ...this.#options, ...own });
  }

  #settle(place: Place, { thread, sockets }: StartedThread): void {
    this.#bound.add(thread);
    this.#sockets = sockets;
    place.thread = thread;
    thread.onLost((error) => this.lose(thread, error));
    this.#events.onStarted(thread);
  }

  #replace(place: Place, lost: AnsweringThread): void {
    const next = this.#turn.then(() => this.#startNext(place, lost));
    this.#turn = next;
    place.replacing = next;
  }

  async #startNext(place: Place, lost: AnsweringThread): Promise<void> {
    const { forwarding: before } = this.#options;
    try {
      // Its sockets have to be gone, lest the system gives it queries, or refuses the addresses to the next one.
      await lost.terminate();
      this.#leaving.delete(lost);
      if (this.#isClosing) return;
      const isAlone = this.#bound.size === 0;
      if (isAlone) for (const other of this.#leaving) await other.terminate();
      const started = await this.#start(place, this.#siblings === null ? 'alone' : isAlone ? 'first' : 'join');
      // They may have changed meanwhile.
      const { upstreams, singleLabel } = this.#options.forwarding;
      if (upstreams !== null && upstreams !== before.upstreams) started.thread.setUpstreams(upstreams, 'default');
      if (singleLabel?.kind === 'ask' && singleLabel !== before.singleLabel) {
        started.thread.setUpstreams(singleLabel.upstreams, 'single-label');
      }
      this.#settle(place, started);
    } catch (error) {
      this.#events.onReplaceFailed(error);
      this.#retry(place, lost);
    }
  }

  #retry(place: Place, lost: AnsweringThread): void {
    if (this.#isClosing) return;
    place.retryTimer = setTimeout(() => this.#replace(place, lost), REPLACE_RETRY_MS);
  }
}

/** Each thread's own, the first one's the seed itself. */
export function seedOf(seed: number, place: number): number {
  // 2^32 by the golden ratio: the seeds of any number of threads lie far apart.
  return (seed + Math.imul(place, 0x9e37_79b9)) >>> 0;
}
