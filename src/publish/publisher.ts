/**
 * Keeps the answering threads supplied: deltas out, acknowledgements in. A thread that dies, or does not acknowledge
 * within a second, is replaced and refilled from a snapshot; writes wait for live threads only.
 */
import { isIP } from 'node:net';
import type { ListenAddress, LoopNames, SocketKind, ThreadOptions } from '../answers/thread-protocol.ts';
import { AnsweringThread, type StartedThread } from './answering-thread.ts';

const ACKNOWLEDGE_TIMEOUT_MS = 1000;
/** A snapshot of a million instances takes longer than a delta. */
const SNAPSHOT_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 1000;
/** Between attempts to replace a thread whose replacement failed too. */
const REPLACE_RETRY_MS = 500;

export interface PublisherEvents {
  onReplaced(reason: Error): void;
  onReplaceFailed(error: unknown): void;
  /** An address that came up under a wildcard answers from now on, or why it does not. */
  onAddress(address: string, problem: string | null): void;
  /** An upstream leads back to this daemon, or does no more. */
  onLoop(upstream: ListenAddress, names: LoopNames, isLoop: boolean): void;
}

export class Publisher {
  #options: ThreadOptions;
  readonly #events: PublisherEvents;
  /** Wildcard listeners that the machine has no IPv6 for. */
  readonly skipped: readonly ListenAddress[];
  readonly addresses: readonly ListenAddress[];
  /** Why the first thread's sockets are plain, where batched ones were looked for. */
  readonly plainReason: string | null;
  #sockets: SocketKind;
  #thread: AnsweringThread | null;
  #takeSnapshot: (() => Uint8Array) | null = null;
  #sequence = 0;
  #isReady = false;
  #isClosing = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #replacing: Promise<void> | null = null;

  private constructor(options: ThreadOptions, events: PublisherEvents, started: StartedThread) {
    this.addresses = started.addresses;
    this.skipped = started.skipped;
    this.plainReason = started.plainReason;
    this.#sockets = started.sockets;
    // A replacement binds what is bound now, also where any port was asked for.
    this.#options = { ...options, listen: started.addresses, isReplacement: true };
    this.#events = events;
    this.#thread = started.thread;
    this.#watch(started.thread);
  }

  /** Starts the thread; it answers SERVFAIL until `fill`. @throws BindError, SocketsError */
  static async start(wanted: Omit<ThreadOptions, 'isReplacement'>, events: PublisherEvents): Promise<Publisher> {
    const options = { ...wanted, isReplacement: false };
    return new Publisher(options, events, await AnsweringThread.start(options));
  }

  /** Whether a thread answers from what was published. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Of the thread that was started last. */
  get sockets(): SocketKind {
    return this.#sockets;
  }

  /** The thread that answers now; null while it is being replaced. */
  get thread(): AnsweringThread | null {
    return this.#thread;
  }

  /** @param takeSnapshot everything that is to be answered at the moment of the call */
  async fill(takeSnapshot: () => Uint8Array): Promise<void> {
    this.#takeSnapshot = takeSnapshot;
    if (this.#thread !== null) await this.#refill(this.#thread);
  }

  /** Resolves when every live thread answers by the delta. Never rejects: a lost thread gets a snapshot that has it. */
  async publish(delta: Uint8Array): Promise<void> {
    const thread = this.#thread;
    if (thread === null || this.#takeSnapshot === null) return;
    try {
      // While a snapshot is being taken in, what comes behind it has to wait for that.
      const timeoutMs = this.#isReady ? ACKNOWLEDGE_TIMEOUT_MS : SNAPSHOT_TIMEOUT_MS;
      await thread.publish(++this.#sequence, delta, timeoutMs);
    } catch (error) {
      this.#lose(thread, error as Error);
    }
  }

  /** Who is asked for names that no rule names, or for those of one label, from now on. */
  setUpstreams(upstreams: readonly ListenAddress[], which: 'default' | 'single-label'): void {
    const { forwarding } = this.#options;
    const changed = which === 'default' ? { upstreams } : { singleLabel: { kind: 'ask', upstreams } as const };
    this.#options = { ...this.#options, forwarding: { ...forwarding, ...changed } };
    this.#thread?.setUpstreams(upstreams, which);
  }

  /** Has upstreams' answers forgotten. @param name null: all; @returns how many answers */
  async flush(name: string | null, isBelow: boolean): Promise<number> {
    // A thread that has yet to replace a lost one has nothing to forget.
    return (await this.#thread?.flush(++this.#sequence, name, isBelow, ACKNOWLEDGE_TIMEOUT_MS)) ?? 0;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#isReady = false;
    clearTimeout(this.#retryTimer);
    await this.#replacing;
    await this.#thread?.close(CLOSE_TIMEOUT_MS);
    this.#thread = null;
  }

  #watch(thread: AnsweringThread): void {
    thread.onLost((error) => this.#lose(thread, error));
    thread.onAddress((address, problem) => this.#events.onAddress(address, problem));
    thread.onLoop((upstream, names, isLoop) => this.#events.onLoop(upstream, names, isLoop));
  }

  async #refill(thread: AnsweringThread): Promise<void> {
    const snapshot = (this.#takeSnapshot as () => Uint8Array)();
    await thread.publish(++this.#sequence, snapshot, SNAPSHOT_TIMEOUT_MS);
    this.#isReady = true;
  }

  #lose(thread: AnsweringThread, reason: Error): void {
    // While a replacement is being filled, its own failure is dealt with there.
    if (this.#thread !== thread || this.#isClosing || this.#replacing !== null) return;
    this.#thread = null;
    this.#isReady = false;
    this.#events.onReplaced(reason);
    this.#replacing = this.#replace(thread).finally(() => {
      this.#replacing = null;
    });
  }

  async #replace(lost: AnsweringThread): Promise<void> {
    // Its sockets have to be gone before the new thread can bind the addresses.
    await lost.terminate();
    let started: AnsweringThread | null = null;
    try {
      const options = this.#options;
      const said = await AnsweringThread.start(options);
      started = said.thread;
      // They may have changed meanwhile.
      const { upstreams, singleLabel } = this.#options.forwarding;
      const { forwarding: before } = options;
      if (upstreams !== null && upstreams !== before.upstreams) started.setUpstreams(upstreams, 'default');
      if (singleLabel?.kind === 'ask' && singleLabel !== before.singleLabel) {
        started.setUpstreams(singleLabel.upstreams, 'single-label');
      }
      this.#sockets = said.sockets;
      // From here on deltas go to it too; the snapshot is taken now and sent first.
      this.#thread = started;
      this.#watch(started);
      if (this.#takeSnapshot !== null) await this.#refill(started);
    } catch (error) {
      this.#thread = null;
      await started?.terminate();
      this.#events.onReplaceFailed(error);
      if (!this.#isClosing) this.#retryTimer = setTimeout(() => this.#retry(lost), REPLACE_RETRY_MS);
    }
  }

  #retry(lost: AnsweringThread): void {
    if (this.#isClosing) return;
    this.#replacing = this.#replace(lost).finally(() => {
      this.#replacing = null;
    });
  }
}

/** `127.0.0.1:53` or `[::1]:53`. */
export function formatAddress({ address, port }: ListenAddress): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
