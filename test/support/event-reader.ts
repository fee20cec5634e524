/** Reads `/admin/events`, or another stream of JSON lines, a line at a time. */
import { linesOf } from '../../src/cli/lines.ts';

// biome-ignore lint/suspicious/noExplicitAny: members depend on the event, and a wrong one fails the test
export type EventLine = any;

export interface EventReader {
  readonly response: Response;
  /** The next line; null: the stream has ended. */
  next(): Promise<EventLine | null>;
  /** The next lines, so many. @throws Error where the stream ends before */
  take(count: number): Promise<EventLine[]>;
  close(): void;
}

/** Resolves when whatever happens from now on is told. */
export async function readEvents(endpoint: string, query = ''): Promise<EventReader> {
  const stopper = new AbortController();
  return readLines(await fetch(`${endpoint}/admin/events${query}`, { signal: stopper.signal }), stopper);
}

/** @param stopper ends the request */
export function readLines(response: Response, stopper = new AbortController()): EventReader {
  const lines = linesOf(response.body as AsyncIterable<Uint8Array>);
  const next = async (): Promise<EventLine | null> => {
    try {
      const { value, done } = await lines.next();
      return done ? null : JSON.parse(value);
    } catch (error) {
      if (stopper.signal.aborted) return null;
      throw error;
    }
  };
  return {
    response,
    next,
    async take(count) {
      const taken: EventLine[] = [];
      while (taken.length < count) {
        const line = await next();
        if (line === null) throw new Error(`the stream ended after ${taken.length} lines`);
        taken.push(line);
      }
      return taken;
    },
    close: () => stopper.abort(),
  };
}
