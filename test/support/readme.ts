/** The README's code blocks, as a reader would paste them. */
import { readFileSync } from 'node:fs';

const README = new URL('../../README.md', import.meta.url).pathname;

export interface CodeBlock {
  /** Headings above it, the nearest last, without their marks. */
  readonly headings: readonly string[];
  /** Such as `sh`; empty: none was given. */
  readonly language: string;
  readonly text: string;
  /** Of its first line, counted from 1. */
  readonly line: number;
}

/** In their order. @throws Error where a block does not end */
export function readCodeBlocks(text = readFileSync(README, 'utf8')): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const headings: string[] = [];
  let open: { language: string; lines: string[]; line: number } | null = null;
  for (const [i, line] of text.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (open === null) {
      const [, marks = '', heading = ''] = /^(#+) (.*)$/.exec(line) ?? [];
      if (marks !== '') headings.splice(marks.length - 1, headings.length, heading);
      if (fence !== null) open = { language: fence[1] as string, lines: [], line: i + 2 };
    } else if (fence === null) {
      open.lines.push(line);
    } else {
      const { language, lines, line: first } = open;
      blocks.push({ headings: [...headings], language, text: `${lines.join('\n')}\n`, line: first });
      open = null;
    }
  }
  if (open !== null) throw new Error(`the block at line ${open.line} of the README does not end`);
  return blocks;
}

/** Those directly below a heading. @throws Error where there is none */
export function blocksUnder(heading: string, language: string): CodeBlock[] {
  const found = readCodeBlocks().filter((block) => block.headings.at(-1) === heading && block.language === language);
  if (found.length === 0) throw new Error(`the README has no ${language} block under "${heading}"`);
  return found;
}

/** What stands below a heading, up to the next one. @throws Error where there is no such heading */
export function readSection(heading: string, text = readFileSync(README, 'utf8')): string {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) => line.replace(/^#+ /, '') === heading && line.startsWith('#'));
  if (begin < 0) throw new Error(`the README has no heading "${heading}"`);
  const length = lines.slice(begin + 1).findIndex((line) => /^#+ /.test(line));
  return lines.slice(begin + 1, length < 0 ? undefined : begin + 1 + length).join('\n');
}
