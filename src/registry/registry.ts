/**
 * The shell around the state: the one writer. Commands that arrive together form a batch; each is decided against the
 * state with the batch's earlier changes, the batch is committed once and only then applied for anyone to read. What
 * the store's watch reports goes into the state the same way, whoever committed it.
 */
import type { Store, StoreBatch, StoreChange } from '../store/store.ts';
import { StoreConflictError, StoreError } from '../store/store.ts';
import type { Context, Decider, RegistryOptions } from './decision.ts';
import { Draft } from './draft.ts';
import type { Random } from './ids.ts';
import { loadState } from './load.ts';
import { type Change, isStored } from './model.ts';
import { decodeChange, encodeChange, keyOf } from './records.ts';
import { serialChanges } from './serials.ts';
import { State } from './state.ts';

/** A change that everybody can read now, and what it replaced. */
export interface AppliedChange {
  readonly change: Change;
  /** The change that would undo it: `undo.value` is what was there before. */
  readonly undo: Change;
}

/** Told of every batch; it is waited for before the batch's commands are answered, and must never reject. */
export type Listener = (changes: readonly AppliedChange[]) => Promise<void>;

export interface RegistryShell {
  readonly store: Store;
  readonly options: RegistryOptions;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly random: Random;
}

interface Queued {
  readonly decide: Decider<unknown>;
  /** Whether the store is to be written to also where nothing changes. */
  readonly isTrial: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Bounds how long one batch keeps the event loop. */
const MAX_BATCH = 500;

export class Registry {
  readonly state = new State();
  #options: RegistryOptions;
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #random: Random;
  readonly #listeners: Listener[] = [];
  readonly #outageListeners: ((outage: StoreError | null) => void)[] = [];
  readonly #queue: Queued[] = [];
  #outage: StoreError | null = null;
  #isClosed = false;
  #writing: Promise<void> | null = null;
  #revision = 0;
  /** What is being committed: as the store has it, and as it will be applied. */
  #inFlight: { readonly encoded: readonly StoreChange[]; readonly changes: readonly Change[] } | null = null;
  /** Settles when the listeners have dealt with all batches that were applied so far. */
  #announced: Promise<void> = Promise.resolve();

  private constructor({ store, options, clock, random }: RegistryShell) {
    this.#store = store;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
  }

  /** Reads the whole store. @throws StoreError */
  static async open(shell: RegistryShell): Promise<Registry> {
    const registry = new Registry(shell);
    await registry.#load();
    return registry;
  }

  async #load(): Promise<void> {
    this.#revision = await loadState(this.#store, this.state);
    this.#store.watch((batch) => this.#take(batch));
  }

  /** Those in force: a decision may have brought others. */
  get options(): RegistryOptions {
    return this.#options;
  }

  /** What decides now is given: reads that depend on time or chance use it too. */
  context(): Context {
    return { now: this.#clock(), random: this.#random, options: this.options };
  }

  /** @param listener called for each batch in order, before its commands are answered */
  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /**
   * Decides, commits, applies, announces; then resolves with the decision's result.
   * @throws ServiceError where the decider refuses; StoreError where the batch could not be made durable, and then
   * nothing of the batch happened
   */
  submit<Result>(decide: Decider<Result>): Promise<Result> {
    return this.#enqueue(decide, false);
  }

  /** Writes to the store without changing anything: whether it can. @throws StoreError */
  async tryStore(): Promise<void> {
    await this.#enqueue(() => ({ changes: [], result: null }), true);
  }

  /** Why the last batch could not be made durable; null: it was. */
  get outage(): StoreError | null {
    return this.#outage;
  }

  /** @param listener told when the store ceases to take batches, and (null) when it takes them again */
  onOutage(listener: (outage: StoreError | null) => void): void {
    this.#outageListeners.push(listener);
  }

  /** Resolves when every command that was submitted has been answered; from then on they are refused. */
  async close(): Promise<void> {
    await this.settle();
    this.#isClosed = true;
  }

  #enqueue<Result>(decide: Decider<Result>, isTrial: boolean): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new StoreError('the daemon is stopping'));
    return new Promise<Result>((resolve, reject) => {
      this.#queue.push({ decide, isTrial, resolve: resolve as (result: unknown) => void, reject });
      // Commands of the same turn of the event loop share a commit.
      this.#writing ??= new Promise((done) => setImmediate(() => void this.#write().finally(done)));
    });
  }

  /** Resolves when every command that was submitted has been answered. */
  async settle(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#announced;
  }

  async #write(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#writeBatch(this.#queue.splice(0, MAX_BATCH));
        // Sockets and timers get their turn between batches, whatever keeps submitting.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#writing = null;
    }
  }

  async #writeBatch(batch: Queued[]): Promise<void> {
    for (;;) {
      const { accepted, changes, options } = this.#decide(batch);
      try {
        await this.#commit(
          changes,
          accepted.some(({ queued }) => queued.isTrial),
        );
      } catch (error) {
        // Another writer was faster; its batch has been taken in, so this one is decided anew.
        if (error instanceof StoreConflictError) {
          batch = accepted.map(({ queued }) => queued);
          continue;
        }
        if (error instanceof StoreError) this.#setOutage(error);
        for (const { queued } of accepted) queued.reject(error);
        return;
      } finally {
        this.#inFlight = null;
      }
      this.#options = options;
      // Not waited for here: the next batch can be committed while the threads acknowledge this one.
      void this.#announced.then(() => {
        for (const { queued, result } of accepted) queued.resolve(result);
      });
      return;
    }
  }

  async #commit(changes: readonly Change[], isTrial: boolean): Promise<void> {
    const encoded = encodeBatch(changes);
    if (encoded.length === 0 && !isTrial) {
      if (changes.length > 0) this.#apply(changes);
      return;
    }
    this.#inFlight = { encoded, changes };
    await this.#store.commit(encoded, this.#revision);
    this.#setOutage(null);
  }

  #setOutage(outage: StoreError | null): void {
    const isNew = (this.#outage === null) !== (outage === null);
    this.#outage = outage;
    if (isNew) for (const listener of this.#outageListeners) listener(outage);
  }

  /** Decides each command on top of the earlier ones, and leaves the state as it was. */
  #decide(batch: readonly Queued[]): {
    accepted: { queued: Queued; result: unknown }[];
    changes: Change[];
    options: RegistryOptions;
  } {
    const accepted: { queued: Queued; result: unknown }[] = [];
    const draft = new Draft(this.state);
    let context = this.context();
    for (const queued of batch) {
      try {
        const decision = queued.decide(this.state, context);
        accepted.push({ queued, result: decision.result });
        draft.add(decision.changes);
        if (decision.options !== undefined) context = { ...context, options: decision.options };
      } catch (error) {
        queued.reject(error);
      }
    }
    draft.add(serialChanges(this.state, draft.applied(), context.now));
    draft.rollBack();
    return { accepted, changes: draft.changes, options: context.options };
  }

  /** A batch has become durable: apply it and tell the listeners. */
  #take(batch: StoreBatch): void {
    // Our own batch need not be decoded; another writer's can come in while ours is under way.
    const isOwn = batch.changes === this.#inFlight?.encoded;
    const changes = isOwn ? (this.#inFlight?.changes ?? []) : batch.changes.map(decodeChange);
    this.#revision = batch.revision;
    this.#apply(changes);
  }

  #apply(changes: readonly Change[]): void {
    const applied = changes.map((change) => ({ change, undo: this.state.apply(change) }));
    const told = this.#listeners.map((listener) => listener(applied));
    const before = this.#announced;
    this.#announced = before.then(() => Promise.all(told)).then(() => undefined);
  }
}

/** Whether a command failed because its changes could not be made durable; nothing of it happened then. */
export function isStoreFailure(error: unknown): error is Error {
  return error instanceof StoreError;
}

/** A key that a batch changes twice is written once, as it ends up. */
function encodeBatch(changes: readonly Change[]): StoreChange[] {
  const lasts = new Map(changes.filter(isStored).map((change) => [keyOf(change), change]));
  return [...lasts.values()].map(encodeChange);
}
