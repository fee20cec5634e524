/** How far long work is: one line on stderr that is drawn again and again, on a terminal alone. */
import { printable, undoAtSignal } from './command.ts';
import type { Source } from './output.ts';

/** What is over before is not worth a line. */
const FIRST_DRAW_MS = 300;
const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
/** To the beginning of the line, and what stands there is gone. */
const CLEAR = '\r\u001b[K';

export interface Progress {
  /** @param text what is under way @param fraction 0 to 1, drawn as a bar; absent: nobody knows */
  show(text: string, fraction?: number): void;
  /** The line is gone, for what is written next to begin there. */
  end(): void;
}

/** @param mayDraw false: what goes to stdout goes to the same terminal meanwhile */
export function startProgress(mayDraw = true, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY || !mayDraw || process.env.TERM === 'dumb') return { show: () => undefined, end: () => undefined };
  const startMs = performance.now();
  let current: { readonly text: string; readonly fraction: number | undefined } | null = null;
  let isDrawn = false;
  // By the clock, as work may wait long for others.
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startMs;
    if (current === null || elapsedMs < FIRST_DRAW_MS) return;
    const seconds = elapsedMs < 1000 ? '' : `, ${Math.floor(elapsedMs / 1000)} s`;
    const line = `${barOf(current.fraction)}${printable(current.text)}${seconds}`;
    // One that is wrapped would not be cleared whole.
    stream.write(CLEAR + line.slice(0, (stream.columns || DEFAULT_COLUMNS) - 1));
    isDrawn = true;
  }, REDRAW_MS).unref();
  const clear = (): void => {
    clearInterval(timer);
    if (isDrawn) stream.write(CLEAR);
    isDrawn = false;
  };
  const forget = undoAtSignal(clear);
  return {
    show(text, fraction) {
      current = { text, fraction };
    },
    end() {
      clear();
      forget();
    },
  };
}

function barOf(fraction: number | undefined): string {
  if (fraction === undefined) return '';
  const done = Math.min(1, Math.max(0, fraction));
  const bar = '#'.repeat(Math.round(done * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
  return `[${bar}] ${String(Math.floor(done * 100)).padStart(3)} %  `;
}

/**
 * The same pieces, and how many bytes of them have gone by.
 * @param what is under way, such as `exporting` @param total in bytes; null: nobody knows
 */
export async function* withProgress(
  source: Source,
  progress: Progress,
  what: string,
  total: number | null,
): AsyncGenerator<string | Uint8Array> {
  let bytes = 0;
  progress.show(what);
  for await (const piece of source) {
    yield piece;
    bytes += Buffer.byteLength(piece);
    if (total === null) progress.show(`${what}: ${sizeText(bytes)}`);
    else progress.show(`${what}: ${sizeText(bytes)} of ${sizeText(total)}`, bytes / total);
  }
}

/** `1.2 MB`. */
function sizeText(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
