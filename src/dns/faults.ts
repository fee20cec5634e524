/** Faults that are injected, as a query meets them: found by its name and type, without anything being allocated. */
import { createRandom, type Random } from '../answers/selection.ts';
import type { InjectedFault } from '../answers/thread-protocol.ts';
import { equalNames, NameView } from '../wire/names.ts';

/** What becomes of a query, the worst first. */
const KINDS = ['drop', 'servfail', 'truncate'] as const;
export type FaultKind = (typeof KINDS)[number];

/** A query that waits. */
export interface HeldQuery {
  readonly delayMs: number;
  /** The fault that it waits for. */
  readonly delayId: string;
  /** What becomes of it then; null: it is answered. */
  readonly kind: FaultKind | null;
  /** The fault that makes it so; '': there is none. */
  readonly kindId: string;
  /** Whether names outside our zones are looked up for whoever sent it. */
  readonly mayRecurse: boolean;
}

export class FaultTable {
  /** While it is 0 there is nothing to find. */
  size = 0;
  /** What `find` has found: for how long the query waits; 0: not at all. */
  delayMs = 0;
  /** And what becomes of it then; null: it is answered. */
  kind: FaultKind | null = null;
  /** The faults that say so. */
  delayId = '';
  kindId = '';
  #ids: ReadonlySet<string> = new Set();
  readonly #byHash = new Map<number, InjectedFault[]>();
  #random: Random = createRandom(0);

  /** In place of those that were there. @param seed of the chances, which begin anew where there were none */
  set(faults: readonly InjectedFault[], seed: number): void {
    if (this.size === 0) this.#random = createRandom(seed);
    this.size = faults.length;
    this.#ids = new Set(faults.map(({ id }) => id));
    this.#byHash.clear();
    const view = new NameView();
    for (const fault of faults) {
      view.read(fault.name, 0, fault.name.length);
      const hash = view.hashes[0] as number;
      const others = this.#byHash.get(hash);
      if (others === undefined) this.#byHash.set(hash, [fault]);
      else others.push(fault);
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /**
   * Of several faults the longest delay counts, and the worst of what comes after it.
   * @param name was read from `message`
   * @returns whether there is any; then `delayMs`, `kind` and whose they are are set
   */
  find(message: Uint8Array, name: NameView, qtype: number, nowMs: number): boolean {
    this.delayMs = 0;
    this.kind = null;
    this.kindId = '';
    let isAny = false;
    for (let label = 0; label <= name.count; label++) {
      const faults = this.#byHash.get(name.hashes[label] as number);
      if (faults === undefined) continue;
      const at = name.offsets[label] as number;
      for (const fault of faults) {
        if (label > 0 && !fault.isBelow) continue;
        if (fault.type !== null && fault.type !== qtype) continue;
        if (fault.untilMs !== null && nowMs >= fault.untilMs) continue;
        const { length } = fault.name;
        if (length !== name.end - at || !equalNames(fault.name, 0, message, at, length)) continue;
        if (fault.percent < 100 && this.#random(100) >= fault.percent) continue;
        isAny = true;
        const { kind } = fault;
        if (kind === 'delay') {
          if (fault.delayMs <= this.delayMs) continue;
          this.delayMs = fault.delayMs;
          this.delayId = fault.id;
        } else if (this.kind === null || KINDS.indexOf(kind) < KINDS.indexOf(this.kind)) {
          this.kind = kind;
          this.kindId = fault.id;
        }
      }
    }
    return isAny;
  }
}
