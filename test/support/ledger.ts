/**
 * What calls have made of things, by their answers alone: what each thing is now, and what else it may turn out to be
 * after a crash, where calls were refused or lost that nobody has heard of since.
 */

/** Whatever tells one state of a thing from every other; null: it is not there. */
export type ThingState = string | null;

/** A call that changes one thing. Calls on one thing are made one after the other. */
export interface LedgerCall {
  /** The thing, such as `instance corp.internal/web/web-1`. */
  readonly key: string;
  readonly next: ThingState;
  /** The type of the operation that goes with it; null: none does. */
  readonly operation: string | null;
}

export type Outcome = 'acknowledged' | 'refused' | 'lost';

/** An operation as calls know it: `REGISTER_INSTANCE instance corp.internal/web/web-1`. */
export function operationName(type: string, key: string): string {
  return `${type} ${key}`;
}

export class Ledger {
  readonly counts: Record<Outcome | 'foundAfterAll', number> = {
    acknowledged: 0,
    refused: 0,
    lost: 0,
    foundAfterAll: 0,
  };
  /** Of acknowledged calls since the last settling: operation's id -> its name. */
  readonly operations = new Map<string, string>();
  /** The same of all settlings before. */
  readonly olderOperations: [id: string, name: string][] = [];
  readonly #now = new Map<string, string>();
  readonly #unanswered = new Map<string, LedgerCall[]>();

  stateOf(key: string): ThingState {
    return this.#now.get(key) ?? null;
  }

  /**
   * Makes the call, and notes what its answer says.
   * @param send resolves with the operation's id, if there is one
   * @throws what the call was refused with, where that is not the store's failure
   */
  async carryOut(call: LedgerCall, send: () => Promise<string | undefined>): Promise<Outcome> {
    const outcome = await this.#send(call, send);
    this.counts[outcome]++;
    if (outcome === 'acknowledged') {
      this.#put(call.key, call.next);
      // They were behind this one, or never.
      this.#unanswered.delete(call.key);
    } else {
      const calls = this.#unanswered.get(call.key) ?? [];
      calls.push(call);
      this.#unanswered.set(call.key, calls);
    }
    return outcome;
  }

  /** Where what is there is not what was acknowledged: while the process lives that is all that may be seen. */
  differences(found: ReadonlyMap<string, string>): string[] {
    return this.#compare(found, () => []);
  }

  /**
   * The process was killed, and this is what its successor has: calls without an answer are there wholly or not at all.
   * @returns where it is not so, and the operations of the calls that took effect without an answer
   */
  settle(found: ReadonlyMap<string, string>): { problems: string[]; operations: string[] } {
    const problems = this.#compare(found, (key) => this.#unanswered.get(key) ?? []);
    const operations: string[] = [];
    for (const [key, calls] of this.#unanswered) {
      const state = found.get(key) ?? null;
      if (state === this.stateOf(key)) continue;
      const call = calls.find(({ next }) => next === state);
      if (call === undefined) continue;
      this.counts.foundAfterAll++;
      if (call.operation !== null) operations.push(operationName(call.operation, key));
    }
    this.#unanswered.clear();
    this.#now.clear();
    for (const [key, state] of found) this.#put(key, state);
    return { problems, operations };
  }

  /** What was acknowledged so far is old from now on. */
  turnPage(): void {
    this.olderOperations.push(...this.operations);
    this.operations.clear();
  }

  #compare(found: ReadonlyMap<string, string>, others: (key: string) => readonly LedgerCall[]): string[] {
    const keys = new Set([...this.#now.keys(), ...found.keys()]);
    return [...keys].flatMap((key) => {
      const state = found.get(key) ?? null;
      const possible = [this.stateOf(key), ...others(key).map(({ next }) => next)];
      return possible.includes(state) ? [] : [`${key}: ${state} is there, and ${possible.join(' or ')} was to be`];
    });
  }

  #put(key: string, state: ThingState): void {
    if (state === null) this.#now.delete(key);
    else this.#now.set(key, state);
  }

  async #send(call: LedgerCall, send: () => Promise<string | undefined>): Promise<Outcome> {
    try {
      const id = await send();
      if (call.operation !== null) this.operations.set(id as string, operationName(call.operation, call.key));
      return 'acknowledged';
    } catch (error) {
      const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
      const status = $metadata?.httpStatusCode;
      if (name === 'InternalFailure' && status === 500) return 'refused';
      // No answer, or half of one; or the daemon is being stopped.
      if (status === undefined || status === 200 || status === 503) return 'lost';
      throw new Error(`${call.key} -> ${call.next}: ${name}`, { cause: error });
    }
  }
}

/** Numbers that never go back, however often they are read. */
export class Watermarks {
  readonly problems: string[] = [];
  readonly #greatest = new Map<string, number>();

  /** Readings of one key come one after the other. */
  note(key: string, value: number): void {
    const greatest = this.#greatest.get(key) ?? 0;
    if (value < greatest) this.problems.push(`${key} went back from ${greatest} to ${value}`);
    else this.#greatest.set(key, value);
  }
}
