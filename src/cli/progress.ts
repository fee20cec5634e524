/** How far long work is: one line on stderr that is drawn again and again, on a terminal alone. */
import { printable, undoAtSignal } from './command.ts';

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
/** To the beginning of the line, and what stands there is gone. */
const CLEAR = '\r\u001b[K';

export interface Progress {
  /** @param text what is under way @param fraction 0 to 1, drawn as a bar; absent: nobody knows */
  show(text: string, fraction?: number): void;
  /** The line is gone. Whatever is written next to the terminal begins where it was. */
  end(): void;
}

/** @param mayDraw false: what is written to stdout goes to the same terminal meanwhile */
export function startProgress(mayDraw = true, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY || !mayDraw || process.env.TERM === 'dumb') return { show: () => undefined, end: () => undefined };
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  const clear = (): void => {
    if (drawnAtMs > 0) stream.write(CLEAR);
  };
  const forget = undoAtSignal(clear);
  return {
    show(text, fraction) {
      const nowMs = performance.now();
      if (nowMs - drawnAtMs < REDRAW_MS) return;
      drawnAtMs = nowMs;
      // One that is wrapped would not be cleared.
      const line = lineOf(text, fraction).slice(0, (stream.columns || DEFAULT_COLUMNS) - 1);
      stream.write(`${CLEAR}${line}`);
    },
    end() {
      clear();
      forget();
    },
  };
}

function lineOf(text: string, fraction: number | undefined): string {
  if (fraction === undefined) return printable(text);
  const done = Math.min(1, Math.max(0, fraction));
  const bar = '#'.repeat(Math.round(done * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
  return `[${bar}] ${String(Math.floor(done * 100)).padStart(3)} %  ${printable(text)}`;
}

/** `1.2 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
