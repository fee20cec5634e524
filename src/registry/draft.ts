/** Changes decided one on top of the other on a state that must look untouched afterwards. */
import type { Change } from './model.ts';
import type { State } from './state.ts';

export class Draft {
  readonly state: State;
  readonly changes: Change[] = [];
  readonly #undo: Change[] = [];

  constructor(state: State) {
    this.state = state;
  }

  /** Makes the changes visible in `state` until `rollBack`. */
  add(changes: readonly Change[]): void {
    for (const change of changes) {
      this.changes.push(change);
      this.#undo.push(this.state.apply(change));
    }
  }

  /** The changes so far, each with what undoes it. */
  applied(): { change: Change; undo: Change }[] {
    return this.changes.map((change, index) => ({ change, undo: this.#undo[index] as Change }));
  }

  /** The state is as it was; `changes` stays. */
  rollBack(): void {
    for (const change of this.#undo.splice(0).reverse()) this.state.apply(change);
  }
}
