/**
 * What the answering threads are told: at first the answers that an earlier run has kept, where they are of what the
 * store has, so that nobody waits for the registry to be read; from then on what becomes of the registry.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from './log.ts';
import { AnswersFile } from './publish/answers-file.ts';
import type { Publisher } from './publish/publisher.ts';
import type { AppliedChange, Listener, Registry } from './registry/registry.ts';
import type { Store } from './store/store.ts';
import type { CompileOptions } from './synthesis/compile-options.ts';
import { Synthesizer } from './synthesis/synthesizer.ts';
import { readVersion } from './version.ts';

export class Supply {
  readonly #publisher: Publisher;
  readonly #options: CompileOptions;
  readonly #log: Log;
  /** Null: the store's content has no name by which they could be known again. */
  readonly #answers: AnswersFile | null;
  /** With what was kept; null: nothing was. */
  #filling: Promise<boolean> | null = null;
  #isResumed = false;
  #isClosed = false;
  #tell: Listener | null = null;

  constructor(publisher: Publisher, options: CompileOptions, store: Store, dataDir: string, log: Log) {
    this.#publisher = publisher;
    this.#options = options;
    this.#log = log;
    this.#answers =
      store.version === null
        ? null
        : new AnswersFile({
            dataDir,
            basis: [readVersion(), options],
            version: () => store.version as string,
            onGivenUp: (error) =>
              log.warn(
                { err: error },
                'compiled answers cannot be kept: the next start answers DNS only after it has read the store',
              ),
          });
  }

  /** Has the threads answer by what was kept, if it was. Nothing of it is waited for. */
  begin(): void {
    const kept = this.#answers?.open() ?? null;
    if (kept === null) return;
    this.#filling = this.#publisher.fill(kept).then(
      () => true,
      (error: unknown) => {
        // Then nobody wants them any more.
        if (this.#isClosed) return false;
        this.#log.warn({ err: error }, 'compiled answers that were kept are of no use');
        this.#answers?.discard();
        return false;
      },
    );
  }

  /** The registry is there, as the store has it; before anything changes in it. */
  async resume(registry: Registry): Promise<void> {
    if ((await this.#filling) !== true) return;
    const synthesizer = new Synthesizer(registry.state, this.#options);
    for (const _ of synthesizer.resume()) await nextTurn();
    await this.#publisher.fillLaterFrom(() => synthesizer.snapshot());
    this.#follow(registry, synthesizer);
    this.#isResumed = true;
  }

  /**
   * Aliases that lead to our own names have been resolved. What aliases stood for is not in the store, so what was kept
   * of them may be of any age: from now on they are answered as after any other start.
   */
  async renewAliases({ state }: Registry): Promise<void> {
    if (!this.#isResumed || this.#tell === null) return;
    const changes = [...state.aliasNames()].map((id) => {
      const change = { kind: 'alias-target', id, value: state.aliasTarget(id) ?? null } as const;
      return { change, undo: change };
    });
    if (changes.length > 0) await this.#tell(changes);
  }

  /** What was declared has come in. Resolves when a thread answers by the registry. */
  async complete(registry: Registry): Promise<void> {
    if (this.#isResumed) return;
    const synthesizer = new Synthesizer(registry.state, this.#options);
    // Before the snapshot is taken: a verdict may come in at any moment.
    this.#follow(registry, synthesizer);
    const takeSnapshot = () => this.#answers?.keep(synthesizer.snapshot()) ?? synthesizer.snapshot();
    // Kept answers may have been of no use, and be on their way to a thread nevertheless.
    await this.#publisher.fillLaterFrom(takeSnapshot);
    await this.#publisher.fill(takeSnapshot);
  }

  close(): void {
    this.#isClosed = true;
    this.#answers?.close();
  }

  #follow(registry: Registry, synthesizer: Synthesizer): void {
    this.#answers?.renewFrom(() => synthesizer.snapshot());
    this.#tell = (changes) => this.#bring(synthesizer, changes);
    registry.subscribe(this.#tell);
  }

  async #bring(synthesizer: Synthesizer, changes: readonly AppliedChange[]): Promise<void> {
    try {
      const delta = synthesizer.delta(changes);
      this.#answers?.append(delta);
      if (delta !== null) await this.#publisher.publish(delta);
    } catch (error) {
      // The change is durable already: its call must be answered, and everyone else's must go on.
      this.#log.error({ err: error }, 'a change could not be brought into DNS');
      this.#answers?.giveUp(error);
    }
  }
}
