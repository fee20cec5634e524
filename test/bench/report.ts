/** What a bench found, and the one place that prints it, judges it and writes it down. */
import { writeFileSync } from 'node:fs';
import { describeMachine } from './machine.ts';
import { median } from './support.ts';

/** Of each server, the figure of each round; cloudmapd's are under CLOUDMAPD, where it has any. */
export type Series = Readonly<Record<string, readonly number[]>>;

export const CLOUDMAPD = 'cloudmapd';

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly series: Series;
  /** Null: there is none. */
  readonly target: Target | null;
  /** Stands in the JSON alone. */
  readonly isDetail?: boolean;
}

/** `of`: cloudmapd's figure as a part of each of these servers'; without it, the figure itself. */
export interface Target {
  readonly atMost: number;
  readonly of?: readonly string[];
}

export interface Section {
  readonly bench: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** What was left out or went wrong, a line each. */
  readonly notes: readonly string[];
}

export interface BenchOptions {
  readonly isQuick: boolean;
  /** The folder of another checkout, for the benches that can be measured beside one. */
  readonly against: string | null;
}

interface Judged {
  readonly bench: string;
  readonly name: string;
  readonly unit: string;
  readonly figures: Readonly<Record<string, { median: number; rounds: readonly number[] }>>;
  /** cloudmapd's figure by each other server's, the median over the rounds. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly target: string | null;
  /** Null: there is no target, or nothing here to hold against it. */
  readonly isReached: boolean | null;
}

export function judge(bench: string, { name, unit, series, target }: Row): Judged {
  const figures: Record<string, { median: number; rounds: readonly number[] }> = {};
  const ratios: Record<string, number> = {};
  const own = series[CLOUDMAPD] ?? [];
  for (const [server, rounds] of Object.entries(series)) {
    if (rounds.length === 0) continue;
    figures[server] = { median: median(rounds), rounds };
    if (server !== CLOUDMAPD && own.length === rounds.length) {
      const ratio = median(own.map((figure, i) => figure / (rounds[i] as number)));
      // Of two counts that are 0 there is none.
      if (Number.isFinite(ratio)) ratios[server] = ratio;
    }
  }
  return {
    bench,
    name,
    unit,
    figures,
    ratios,
    target: describe(target),
    isReached: isReached(target, figures, ratios),
  };
}

function isReached(target: Target | null, figures: Judged['figures'], ratios: Judged['ratios']): boolean | null {
  if (target === null) return null;
  const own = figures[CLOUDMAPD]?.median;
  const held =
    target.of === undefined ? [own] : target.of.filter((server) => server in ratios).map((server) => ratios[server]);
  const known = held.filter((value) => value !== undefined);
  return known.length === 0 ? null : known.every((value) => value <= target.atMost);
}

function describe(target: Target | null): string | null {
  if (target === null) return null;
  return target.of === undefined ? `<= ${target.atMost}` : `<= ${target.atMost} of ${target.of.join(', ')}`;
}

/** A table in Markdown, so that it can be quoted as it is; ratios stand in brackets. */
export function printSection({ bench, title, rows, notes }: Section): void {
  console.log(`\n${bench}: ${title}`);
  const judged = rows.filter(({ isDetail }) => isDetail !== true).map((row) => judge(bench, row));
  if (judged.length > 0) {
    const servers = [...new Set(judged.flatMap(({ figures }) => Object.keys(figures)))];
    const hasTarget = judged.some(({ target }) => target !== null);
    const lines = [
      ['', ...servers, ...(hasTarget ? ['target', ''] : [])],
      ...judged.map((row) => [
        `${row.name}, ${row.unit}`,
        ...servers.map((server) => cell(row, server)),
        ...(hasTarget ? [row.target ?? '', verdict(row.isReached, row.target)] : []),
      ]),
    ];
    const widths = servers.concat(hasTarget ? ['', '', ''] : ['']).map((_, column) => {
      return Math.max(3, ...lines.map((line) => line[column]?.length ?? 0));
    });
    lines.splice(
      1,
      0,
      widths.map((width) => '-'.repeat(width)),
    );
    for (const line of lines) console.log(`| ${line.map((text, i) => text.padEnd(widths[i] as number)).join(' | ')} |`);
  }
  for (const note of notes) console.log(`- ${note}`);
}

function cell({ figures, ratios }: Judged, server: string): string {
  const figure = figures[server];
  if (figure === undefined) return '';
  const ratio = ratios[server];
  return ratio === undefined ? digits(figure.median) : `${digits(figure.median)} (${ratio.toFixed(2)})`;
}

function verdict(reached: boolean | null, target: string | null): string {
  if (target === null) return '';
  return reached === null ? 'not known' : reached ? 'reached' : 'MISSED';
}

/** Three digits that say something. */
function digits(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0);
}

export function writeJson(path: string, sections: readonly Section[], isQuick: boolean): void {
  const rows = sections.flatMap(({ bench, rows: list }) => list.map((row) => judge(bench, row)));
  const notes = sections.flatMap(({ bench, notes: list }) => list.map((note) => `${bench}: ${note}`));
  const titles = sections.map(({ bench, title }) => ({ bench, title }));
  writeFileSync(
    path,
    `${JSON.stringify({ machine: describeMachine(), isQuick, sections: titles, rows, notes }, null, 2)}\n`,
  );
}
