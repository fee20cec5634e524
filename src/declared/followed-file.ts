/**
 * A file that is read anew when it has changed. It is looked at once in a while: of what befalls files in containers,
 * on network file systems and behind Kubernetes' symbolic links, watches of the system's miss some. Editors may empty
 * it before they write, and to read it in between would take away everything that it declares: what counts is what
 * two looks in a row find, and what was not written to while it was read.
 */
import { hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';

/** Its text, or why it cannot be read. */
export type Reading = string | Error;

export class FollowedFile {
  readonly #file: string;
  /** What stood there at the last look. */
  #seen: string | null = null;
  /** What stood there when it was read, one look after it had come; null: it is to be read whatever stands there. */
  #read: string | null = null;
  /** Of what was read last: a time that changes with nothing else is no change. */
  #digest: string;
  #isAsked = false;

  /** @param digest of the text that is known already */
  constructor(file: string, digest: string) {
    this.#file = file;
    this.#digest = digest;
  }

  /** What the file has changed to since it was read last; null: it has not, or it is still being written. */
  async look(): Promise<Reading | null> {
    const stamp = await stampOf(this.#file);
    const isSettled = stamp === this.#seen;
    this.#seen = stamp;
    if (stamp === STREAM || !isSettled || (stamp === this.#read && !this.#isAsked)) return null;
    const reading = await this.#take(stamp, true);
    // Whatever comes next has another time: this one is older than a look. What could not be read is tried again.
    if (reading !== null && !(reading.text instanceof Error)) this.#read = stamp;
    return reading?.isNew ? reading.text : null;
  }

  /**
   * What stands there now, changed or not; null: it is being written, or empty as if it were, and the look that finds it
   * settled has it.
   */
  async read(): Promise<Reading | null> {
    this.#isAsked = true;
    this.#read = null;
    return (await this.#take(await stampOf(this.#file), false))?.text ?? null;
  }

  async #take(stamp: string, isSettled: boolean): Promise<{ text: Reading; isNew: boolean } | null> {
    const text =
      stamp === STREAM
        ? new Error('it is a pipe or a device, which says what it says once')
        : await readFile(this.#file, 'utf8').catch((error: Error) => error);
    if ((await stampOf(this.#file)) !== stamp || (text === '' && !isSettled)) return null;
    const digest = text instanceof Error ? text.message : digestOf(text);
    const isNew = this.#isAsked || digest !== this.#digest;
    this.#isAsked = false;
    this.#digest = digest;
    return { text, isNew };
  }
}

/** The same for the same text. */
export function digestOf(text: string): string {
  return hash('sha256', text);
}

/** Such as of `--config <(generate)`: read again it would be empty, or never end. */
const STREAM = 'stream';

/** Another one where the file was written, replaced, moved here or reached by another link. */
async function stampOf(file: string): Promise<string> {
  try {
    const stats = await stat(file, { bigint: true });
    if (!stats.isFile() && !stats.isDirectory()) return STREAM;
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
