/**
 * Keeps the answering threads supplied: deltas out, acknowledgements in. A thread that dies, or does not acknowledge
 * within a second, is replaced and refilled from a snapshot while the others go on; writes wait for live threads only.
 */
import { isIP } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  InjectedFault,
  ListenAddress,
  LoopNames,
  ResolverFigures,
  SocketKind,
  Trial,
  TrialQuery,
} from '../answers/thread-protocol.ts';
import type { QueryCounters } from '../telemetry/query-counters.ts';
import { type AnsweringThread, ThreadLostError } from './answering-thread.ts';
import { News } from './news.ts';
import { QueryAudience } from './query-audience.ts';
import { addFigures, withoutCache } from './resolver-figures.ts';
import { type PoolOptions, ThreadPool } from './thread-pool.ts';

const ACKNOWLEDGE_TIMEOUT_MS = 1000;
/** A chunk of a snapshot, and what comes behind it, may take longer than a delta: the thread grows meanwhile. */
const CHUNK_TIMEOUT_MS = 5000;
/** A trial waits for upstreams as a client's query does, which takes some seconds. */
const TRIAL_TIMEOUT_MS = 10_000;
/** Whoever asks for figures gets those of the last time from a thread that has no time for it. */
const FIGURES_TIMEOUT_MS = 500;
/** Chunks that were sent and not yet taken in, whose memory waits with the thread. */
const MAX_CHUNKS_UNDER_WAY = 2;

export interface PublisherOptions extends PoolOptions {
  /** So many answer on the same ports, 1 or more. */
  readonly threads: number;
}

export interface PublisherEvents {
  onReplaced(reason: Error): void;
  onReplaceFailed(error: unknown): void;
  /** An address that came up under a wildcard answers from now on, or why it does not. */
  onAddress(address: string, problem: string | null): void;
  /** An upstream leads back to this daemon, or does no more. */
  onLoop(upstream: ListenAddress, names: LoopNames, isLoop: boolean): void;
}

/** Everything that is to be answered, piece by piece: each is made when it is asked for, and in memory of its own. */
export type TakeSnapshot = () => Iterable<Uint8Array>;

export class Publisher {
  readonly #pool: ThreadPool;
  #takeSnapshot: TakeSnapshot | null = null;
  readonly #supplying = new Set<Promise<void>>();
  /** Those that came after the start; null: none did. */
  #localNames: Uint8Array | null = null;
  #faults: readonly InjectedFault[] = [];
  #sequence = 0;
  #lastLoss: unknown = null;
  /** For a thread that answers. */
  readonly #waiting: (() => void)[] = [];
  readonly #loops: News<AnsweringThread, boolean>;
  #isClosing = false;
  /** Who looks on as queries are answered. */
  readonly queries = new QueryAudience(async (every) => {
    await Promise.all(this.threads.map((thread) => this.#watch(thread, every)));
  });
  /** Of threads that are gone. */
  #pastFigures: ResolverFigures = addFigures([]);

  private constructor(pool: ThreadPool, loops: News<AnsweringThread, boolean>) {
    this.#pool = pool;
    this.#loops = loops;
  }

  /** Starts the threads; they answer SERVFAIL until `fill`. @throws BindError, SocketsError, ThreadLostError */
  static async start({ threads, ...options }: PublisherOptions, events: PublisherEvents): Promise<Publisher> {
    const loops = new News<AnsweringThread, boolean>();
    const addresses = new News<AnsweringThread, string | null>();
    let publisher: Publisher | null = null;
    const pool = await ThreadPool.start(options, threads, {
      onReplaced: (reason) => events.onReplaced(reason),
      onReplaceFailed: (error) => events.onReplaceFailed(error),
      onStarted(thread) {
        thread.onAddress((at, problem) => {
          if (addresses.isNew(formatAddress(at), problem, thread)) events.onAddress(at.address, problem);
        });
        thread.onLoop((upstream, names, isLoop) => {
          if (loops.isNew(JSON.stringify([upstream, names]), isLoop, thread)) events.onLoop(upstream, names, isLoop);
        });
        thread.onProbe((nonce) => {
          for (const other of publisher?.threads ?? []) if (other !== thread) other.heard(nonce);
        });
        thread.onQueries((shown) => publisher?.queries.show(shown));
        if (publisher !== null && publisher.queries.every > 0) {
          void publisher.#watch(thread, publisher.queries.every);
        }
        if (publisher !== null) publisher.#supplyLater(thread);
      },
      onLost(thread) {
        addresses.forget(thread);
        loops.forget(thread);
        if (publisher !== null) publisher.#keepFigures(thread);
      },
    });
    publisher = new Publisher(pool, loops);
    return publisher;
  }

  get addresses(): readonly ListenAddress[] {
    return this.#pool.first.addresses;
  }

  /** Wildcard listeners that the machine has no IPv6 for. */
  get skipped(): readonly ListenAddress[] {
    return this.#pool.first.skipped;
  }

  /** Why the first thread's sockets are plain, where batched ones were looked for. */
  get plainReason(): string | null {
    return this.#pool.first.plainReason;
  }

  /** Of the thread that was started last. */
  get sockets(): SocketKind {
    return this.#pool.sockets;
  }

  /** What each thread has counted, with those in whose place it is. */
  get counters(): readonly QueryCounters[] {
    return this.#pool.counters;
  }

  /** How many there are when none is being replaced. */
  get threadCount(): number {
    return this.#pool.count;
  }

  /** Those that are there now: all of them, but for those that are being replaced. */
  get threads(): readonly AnsweringThread[] {
    return this.#pool.threads;
  }

  /** Upstreams that lead back to this daemon, each as JSON of the address and the names, as `onLoop` has them. */
  get loops(): ReadonlySet<string> {
    return this.#loops.subjectsIn(true);
  }

  /** Whether a thread answers from what was published. */
  get isReady(): boolean {
    return !this.#isClosing && this.threads.some(({ isFilled }) => isFilled);
  }

  /**
   * Resolves when a thread answers by it.
   * @param takeSnapshot called now, and again for each thread that replaces a lost one
   * @throws Error where no thread that is there takes it in
   */
  async fill(takeSnapshot: TakeSnapshot): Promise<void> {
    this.#takeSnapshot = takeSnapshot;
    const { threads } = this;
    await this.#supply(threads, takeSnapshot);
    if (threads.length > 0 && !this.isReady) {
      throw new Error('no answering thread took the snapshot in', { cause: this.#lastLoss });
    }
    // All of them are being replaced, and those that come are given it too.
    if (!this.isReady && !this.#isClosing) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Has threads that replace lost ones filled from another source, which the others need not be told of: it gives what
   * they have. Resolves when no thread is being filled from the former one, which knows nothing of deltas to come.
   */
  async fillLaterFrom(takeSnapshot: TakeSnapshot): Promise<void> {
    this.#takeSnapshot = takeSnapshot;
    while (this.#supplying.size > 0) await Promise.allSettled(this.#supplying);
  }

  /**
   * Resolves when every live thread answers by the delta, or will when it answers at all: one that is being filled takes
   * it in behind the chunks that it was sent before. Never rejects: a lost thread gets a snapshot that has it.
   */
  async publish(delta: Uint8Array): Promise<void> {
    if (this.#takeSnapshot === null) return;
    await Promise.all(this.threads.map((thread) => this.#deliver(thread, delta, timeoutOf(thread))));
  }

  /** Who is asked for names that no rule names, or for those of one label, from now on. */
  setUpstreams(upstreams: readonly ListenAddress[], which: 'default' | 'single-label'): void {
    this.#pool.setUpstreams(upstreams, which);
  }

  /** @param names as in `PublisherOptions`. Resolves when every live thread answers by them; never rejects. */
  async setLocalNames(names: Uint8Array): Promise<void> {
    this.#localNames = names;
    await Promise.all(this.threads.map((thread) => this.#tellLocalNames(thread, names)));
  }

  /** In place of those before. Resolves when queries meet these alone; never rejects. */
  async setFaults(faults: readonly InjectedFault[]): Promise<void> {
    this.#faults = faults;
    await Promise.all(this.threads.map((thread) => this.#tellFaults(thread, faults)));
  }

  /** Has upstreams' answers forgotten. @param name null: all; @returns how many answers, of all threads */
  flush(name: string | null, isBelow: boolean): Promise<number> {
    return this.#forget((thread) => thread.flush(++this.#sequence, name, isBelow, timeoutOf(thread)));
  }

  /** Has all of them forgotten, and how upstreams are, and answers mixed as from the start. @returns how many, of all threads */
  reset(): Promise<number> {
    return this.#forget((thread) => thread.reset(++this.#sequence, timeoutOf(thread)));
  }

  async #forget(ask: (thread: AnsweringThread) => Promise<number>): Promise<number> {
    const counts = await Promise.all(
      this.threads.map((thread) =>
        ask(thread).catch((error) => {
          // Whoever replaces it has nothing to forget.
          this.#lose(thread, error);
          return 0;
        }),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * Has a query that nobody has sent answered by one of the threads; where it is lost meanwhile, by another one.
   * @returns null: none answers now
   */
  async try(trial: TrialQuery): Promise<Trial | null> {
    for (const thread of this.threads) {
      if (!thread.isFilled) continue;
      try {
        return await thread.try(++this.#sequence, trial, TRIAL_TIMEOUT_MS);
      } catch (error) {
        // Whoever waits for its acknowledgements finds out whether it is of any use.
        if (!(error instanceof ThreadLostError)) throw error;
      }
    }
    return null;
  }

  /** What all threads know of names outside. */
  async figures(): Promise<ResolverFigures> {
    // One that is lost meanwhile has its counts with those that are gone.
    await Promise.allSettled(this.threads.map((thread) => thread.askFigures(++this.#sequence, FIGURES_TIMEOUT_MS)));
    return addFigures([this.#pastFigures, ...this.threads.flatMap(({ figures }) => figures ?? [])]);
  }

  #keepFigures({ figures }: AnsweringThread): void {
    if (figures !== null) this.#pastFigures = addFigures([this.#pastFigures, withoutCache(figures)]);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
    await this.#pool.close();
  }

  /** Never rejects: whoever takes its place is told too. */
  async #watch(thread: AnsweringThread, every: number): Promise<void> {
    try {
      await thread.watch(++this.#sequence, every, timeoutOf(thread));
    } catch (error) {
      this.#lose(thread, error);
    }
  }

  async #tellLocalNames(thread: AnsweringThread, names: Uint8Array): Promise<void> {
    try {
      await thread.setLocalNames(++this.#sequence, names, timeoutOf(thread));
    } catch (error) {
      this.#lose(thread, error);
    }
  }

  async #tellFaults(thread: AnsweringThread, faults: readonly InjectedFault[]): Promise<void> {
    try {
      await thread.setFaults(++this.#sequence, faults, timeoutOf(thread));
    } catch (error) {
      this.#lose(thread, error);
    }
  }

  /** Fills a thread that replaces a lost one; before the first `fill` there is nothing that it could have missed. */
  #supplyLater(thread: AnsweringThread): void {
    // In front of what it is filled with: until it is, it answers nothing.
    if (this.#localNames !== null) void this.#tellLocalNames(thread, this.#localNames);
    if (this.#faults.length > 0) void this.#tellFaults(thread, this.#faults);
    if (this.#takeSnapshot === null || this.#isClosing) return;
    // Up to the first chunk at once: no delta may come in front of it.
    this.#supply([thread], this.#takeSnapshot).catch((error) => this.#lose(thread, error));
  }

  /** Sends a snapshot, a few chunks ahead of what was taken in, and lets others have their turn in between. */
  #supply(threads: readonly AnsweringThread[], takeSnapshot: TakeSnapshot): Promise<void> {
    const supplying = this.#sendChunks(threads, takeSnapshot).finally(() => this.#supplying.delete(supplying));
    this.#supplying.add(supplying);
    return supplying;
  }

  async #sendChunks(threads: readonly AnsweringThread[], takeSnapshot: TakeSnapshot): Promise<void> {
    const areThere = (): AnsweringThread[] => threads.filter((thread) => this.threads.includes(thread));
    const underWay: Promise<unknown>[] = [];
    for (const chunk of takeSnapshot()) {
      const receivers = areThere();
      if (this.#isClosing || receivers.length === 0) return;
      // In the turn in which it was made: a delta that is newer than the chunk has to come behind it.
      const isHandedOver = receivers.length === 1;
      underWay.push(
        Promise.all(receivers.map((thread) => this.#deliver(thread, chunk, CHUNK_TIMEOUT_MS, isHandedOver))),
      );
      if (underWay.length >= MAX_CHUNKS_UNDER_WAY) await underWay.shift();
      await nextTurn();
    }
    await Promise.all(underWay);
    const filled = areThere();
    for (const thread of filled) thread.isFilled = true;
    if (filled.length > 0) for (const resolve of this.#waiting.splice(0)) resolve();
    // Loops are looked for when all of them answer, as what one of them asks may come in at another.
    for (const thread of filled) thread.serve();
  }

  /** Never rejects: a thread that does not acknowledge is lost. */
  async #deliver(thread: AnsweringThread, delta: Uint8Array, timeoutMs: number, isHandedOver = false): Promise<void> {
    try {
      await thread.publish(++this.#sequence, delta, timeoutMs, isHandedOver);
    } catch (error) {
      this.#lose(thread, error);
    }
  }

  #lose(thread: AnsweringThread, reason: unknown): void {
    this.#lastLoss = reason;
    this.#pool.lose(thread, reason);
  }
}

function timeoutOf({ isFilled }: AnsweringThread): number {
  return isFilled ? ACKNOWLEDGE_TIMEOUT_MS : CHUNK_TIMEOUT_MS;
}

/** `127.0.0.1:53` or `[::1]:53`. */
export function formatAddress({ address, port }: ListenAddress): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
