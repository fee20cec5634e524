/** What several threads find out each for itself, and are to be heard of once. */

/** Subjects beyond so many are forgotten, the oldest first: addresses come and go. */
const MAX_SUBJECTS = 1000;

export class News<Source, State> {
  readonly #told = new Map<string, { readonly state: State; readonly by: Set<Source> }>();

  /**
   * Each source speaks of a subject when it finds it changed.
   * @returns whether it is new: not what another source was the first to say since this one spoke last
   */
  isNew(subject: string, state: State, source: Source): boolean {
    const told = this.#told.get(subject);
    if (told !== undefined && told.state === state && !told.by.has(source)) {
      told.by.add(source);
      return false;
    }
    this.#told.delete(subject);
    this.#told.set(subject, { state, by: new Set([source]) });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_SUBJECTS && oldest !== undefined) this.#told.delete(oldest);
    return true;
  }

  /** The source says nothing any more. What it alone has said is no longer known. */
  forget(source: Source): void {
    for (const [subject, { by }] of this.#told) if (by.delete(source) && by.size === 0) this.#told.delete(subject);
  }

  /** Subjects that are in that state, as far as anybody has said. */
  subjectsIn(state: State): Set<string> {
    return new Set([...this.#told].flatMap(([subject, told]) => (told.state === state ? subject : [])));
  }
}
