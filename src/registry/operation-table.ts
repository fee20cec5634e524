/** Operations with the indexes that decisions need, oldest first. */
import type { Operation } from './model.ts';
import { targetsOf } from './targets.ts';

/**
 * The oldest ones are what goes as new ones come. A Map walks over the places of all that went before it comes to the
 * first that is left, so one Map has no more than this many.
 */
const RUN = 1000;

export class OperationTable {
  /** Runs of operations, which together are all of them, oldest first. */
  #runs: Map<string, Operation>[] = [];
  /** By id the run that has it. */
  readonly #runOf = new Map<string, Map<string, Operation>>();
  readonly #pending = new Map<string, Operation>();
  readonly #pendingByTarget = new Map<string, string>();
  readonly #requests = new Map<string, string>();
  /** Operations that an undo has put back, and so behind younger ones. */
  readonly #misplaced = new Set<string>();
  #youngestAt = 0;

  get size(): number {
    return this.#runOf.size;
  }

  get(id: string): Operation | undefined {
    return this.#runOf.get(id)?.get(id);
  }

  /** Oldest first. */
  *all(): Generator<Operation> {
    if (this.#misplaced.size > 0) this.#sort();
    for (const run of this.#runs) yield* run.values();
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Those that have not ended, oldest first. */
  pending(): MapIterator<Operation> {
    if (this.#misplaced.size > 0) this.#sort();
    return this.#pending.values();
  }

  /** The pending one on a target (`targetsOf`). */
  pendingOn(target: string): Operation | undefined {
    return this.#pending.get(this.#pendingByTarget.get(target) ?? '');
  }

  /** The one that answered a request, while it is remembered. */
  byRequest(key: string): Operation | undefined {
    return this.get(this.#requests.get(key) ?? '');
  }

  /** @param value null: removed; @returns what was there before */
  put(id: string, value: Operation | null): Operation | null {
    const previous = this.get(id) ?? null;
    if (previous !== null) this.#unlink(id, previous);
    if (value === null) {
      this.#remove(id);
      this.#misplaced.delete(id);
      return previous;
    }
    if (previous === null && value.createdAt < this.#youngestAt) this.#misplaced.add(id);
    this.#youngestAt = Math.max(this.#youngestAt, value.createdAt);
    this.#set(id, value);
    if (value.request !== null) this.#requests.set(value.request.key, id);
    if (value.status === 'PENDING') this.#pending.set(id, value);
    for (const target of targetsOf(value)) this.#pendingByTarget.set(target, id);
    return previous;
  }

  #unlink(id: string, previous: Operation): void {
    // The request may have got another operation since, where this one had failed.
    const key = previous.request?.key ?? '';
    if (this.#requests.get(key) === id) this.#requests.delete(key);
    this.#pending.delete(id);
    for (const target of targetsOf(previous)) this.#pendingByTarget.delete(target);
  }

  #set(id: string, value: Operation): void {
    let run = this.#runOf.get(id) ?? this.#runs.at(-1);
    if (run === undefined || (run.size >= RUN && !run.has(id))) {
      run = new Map();
      this.#runs.push(run);
    }
    run.set(id, value);
    this.#runOf.set(id, run);
  }

  #remove(id: string): void {
    const run = this.#runOf.get(id);
    this.#runOf.delete(id);
    run?.delete(id);
    if (run?.size === 0) this.#runs = this.#runs.filter((other) => other !== run);
  }

  #sort(): void {
    const sorted = this.#runs.flatMap((run) => [...run]).sort(([, a], [, b]) => a.createdAt - b.createdAt);
    this.#runs = [];
    this.#runOf.clear();
    for (const [id, operation] of sorted) this.#set(id, operation);
    const pending = [...this.#pending].sort(([, a], [, b]) => a.createdAt - b.createdAt);
    this.#pending.clear();
    for (const [id, operation] of pending) this.#pending.set(id, operation);
    this.#misplaced.clear();
  }
}
