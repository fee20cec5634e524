/** Revisions of the services that an import touches: each says no less than what has changed. */
import { type Context, nextRevision } from '../registry/decision.ts';
import { RETIRED_REVISIONS } from '../registry/model.ts';
import type { Target } from './exact-target.ts';

export class Revisions {
  readonly #target: Target;
  readonly #context: Context;
  /** Services in which something has changed. */
  readonly #touched = new Set<string>();
  /** Services of which more is to come, and the document's revision. */
  readonly #unfinished = new Map<string, number | undefined>();

  constructor(target: Target, context: Context) {
    this.#target = target;
    this.#context = context;
  }

  touch(serviceId: string): void {
    this.#touched.add(serviceId);
  }

  /**
   * The revision of the service when (part of) its instances are in. It never goes back: the document's where that is
   * greater, else the next one where something has changed.
   * @param isLast whether the document has no more of its instances; its revision is given with the last
   */
  endService(serviceId: string, wanted: number | undefined, isLast: boolean): void {
    if (!isLast) {
      this.#unfinished.set(serviceId, wanted);
      return;
    }
    this.#unfinished.delete(serviceId);
    const { greatest, isAhead } = this.#compare(serviceId, wanted);
    if (isAhead) this.#put(serviceId, wanted ?? greatest);
    else if (this.#touched.has(serviceId)) this.#put(serviceId, this.#next());
  }

  /**
   * What is in by now is read by others, and is all there is where the import ends here: it has a revision of its own,
   * which leaves the document's for when all is in.
   */
  endPiece(): void {
    for (const [serviceId, wanted] of this.#unfinished) {
      if (!this.#touched.has(serviceId)) continue;
      const { greatest, isAhead } = this.#compare(serviceId, wanted);
      this.#put(serviceId, isAhead ? greatest + 1 : this.#next());
    }
  }

  #compare(serviceId: string, wanted: number | undefined): { greatest: number; isAhead: boolean } {
    const current = this.#target.revision(serviceId);
    const greatest = current > 0 ? current : this.#target.state.revision(RETIRED_REVISIONS);
    return { greatest, isAhead: wanted !== undefined && wanted > greatest };
  }

  #next(): number {
    return nextRevision(this.#target.state, this.#context.now);
  }

  #put(id: string, value: number): void {
    this.#target.add([{ kind: 'revision', id, value }]);
  }
}
