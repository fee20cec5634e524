/** What commands write for people: aligned columns, in colour where a terminal shows it. */
import { styleText } from 'node:util';
import { printable } from './command.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** The text as it is shown in that style. */
export type Paint = (style: Style, text: string) => string;

/** A number stands at the right of its column. */
export type Cell = string | number | { readonly text: string; readonly style: Style };

/** Colour is for terminals alone, and not where NO_COLOR is set (https://no-color.org). */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Paint {
  const isColoured = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return isColoured ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
}

const GAP = '  ';

/**
 * @param titles one for each column
 * @param rows with as many cells each; whatever a terminal would obey is shown as its code
 * @returns lines, the titles' first
 */
export function tableLines(titles: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const widths = titles.map((title, i) => rows.reduce((width, row) => Math.max(width, widthOf(row[i])), title.length));
  const isNumeric = titles.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'));
  const head = titles.map((title, i): Cell => {
    // Its own title stands where the numbers do.
    const text = isNumeric[i] ? title.padStart(widths[i] ?? 0) : title;
    return { text, style: 'bold' };
  });
  return [head, ...rows].map((cells) => rowLine(cells, widths, paint));
}

/** One line of a table whose rows are not all known, as of a stream. @param widths what is wider moves the rest */
export function rowLine(cells: readonly Cell[], widths: readonly number[], paint: Paint): string {
  const parts = cells.map((cell, i) => {
    const text = shown(cell);
    // Behind the last one there would be nothing but blanks.
    const blanks = ' '.repeat(Math.max(0, (widths[i] ?? 0) - [...text].length));
    const styled = typeof cell === 'object' ? paint(cell.style, text) : text;
    if (typeof cell === 'number') return blanks + styled;
    return i === cells.length - 1 ? styled : styled + blanks;
  });
  return parts.join(GAP).trimEnd();
}

/** Local, to the millisecond: as a log of today has it. @param at ISO 8601 */
export function clockTime(at: string): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

/** A health status as a cell. */
export function healthCell(status: string): Cell {
  if (status === 'HEALTHY') return { text: status, style: 'green' };
  return { text: status, style: status === 'UNHEALTHY' ? 'red' : 'dim' };
}

function shown(cell: Cell): string {
  return printable(typeof cell === 'object' ? cell.text : String(cell));
}

function widthOf(cell: Cell | undefined): number {
  return cell === undefined ? 0 : [...shown(cell)].length;
}
