/** Operations with the indexes that decisions need, oldest first. */
import type { Operation } from './model.ts';
import { targetsOf } from './targets.ts';

export class OperationTable {
  readonly #operations = new Map<string, Operation>();
  readonly #pending = new Map<string, Operation>();
  readonly #pendingByTarget = new Map<string, string>();
  readonly #requests = new Map<string, string>();
  /** Operations that an undo has put back, and so behind younger ones. */
  readonly #misplaced = new Set<string>();
  #youngestAt = 0;

  get size(): number {
    return this.#operations.size;
  }

  get(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  /** Oldest first. */
  all(): MapIterator<Operation> {
    if (this.#misplaced.size > 0) this.#sort();
    return this.#operations.values();
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
    return this.#operations.get(this.#requests.get(key) ?? '');
  }

  /** @param value null: removed; @returns what was there before */
  put(id: string, value: Operation | null): Operation | null {
    const previous = this.#operations.get(id) ?? null;
    if (previous !== null) this.#unlink(id, previous);
    if (value === null) {
      this.#operations.delete(id);
      this.#misplaced.delete(id);
      return previous;
    }
    if (previous === null && value.createdAt < this.#youngestAt) this.#misplaced.add(id);
    this.#youngestAt = Math.max(this.#youngestAt, value.createdAt);
    this.#operations.set(id, value);
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

  #sort(): void {
    for (const operations of [this.#operations, this.#pending]) {
      const sorted = [...operations].sort(([, a], [, b]) => a.createdAt - b.createdAt);
      operations.clear();
      for (const [id, operation] of sorted) operations.set(id, operation);
    }
    this.#misplaced.clear();
  }
}
