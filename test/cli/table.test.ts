/** Tables for people, and durations as flags give them. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { readDuration } from '../../src/cli/duration.ts';
import { healthCell, type Paint, paintFor, rowLine, tableLines } from '../../src/cli/table.ts';

const plain: Paint = (_, text) => text;
const marked: Paint = (style, text) => `<${style}>${text}</>`;

describe('tableLines', () => {
  it('aligns texts at the left and numbers at the right, and ends no line with blanks', () => {
    const rows = [
      ['a', 1, 'x'],
      ['much longer', 1000, ''],
    ];
    expect(tableLines(['NAME', 'COUNT', 'REST'], rows, plain)).toEqual([
      'NAME         COUNT  REST',
      'a                1  x',
      'much longer   1000',
    ]);
  });

  it('aligns by what is seen, not by its colour', () => {
    const rows = [[healthCell('HEALTHY'), 'a'] as const, [healthCell('UNHEALTHY'), 'b'] as const];
    expect(tableLines(['HEALTH', 'ID'], rows, marked)).toEqual([
      '<bold>HEALTH</>     <bold>ID</>',
      '<green>HEALTHY</>    a',
      '<red>UNHEALTHY</>  b',
    ]);
  });

  it('shows what a terminal would obey as codes', () => {
    expect(tableLines(['NAME', 'REST'], [['\u001b[31mred', 'x\u009by']], plain)[1]).toBe('\\u001b[31mred  x\\u009by');
  });

  it('has its titles where there are no rows', () => {
    expect(tableLines(['NAME', 'COUNT'], [], plain)).toEqual(['NAME  COUNT']);
  });
});

it('rowLine moves what follows something that is wider than its column', () => {
  expect(rowLine(['ab', 'c', 7, 'd'], [4, 2, 3], plain)).toBe('ab    c     7  d');
  expect(rowLine(['abcdef', 'c', 7777, 'd'], [4, 2, 3], plain)).toBe('abcdef  c   7777  d');
});

describe('paintFor', () => {
  it.each([
    [true, {}, true],
    [true, { NO_COLOR: '' }, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, false],
  ])('on a terminal: %s, with %j: %s', (isTTY, env, isColoured) => {
    expect(paintFor({ isTTY }, env)('red', 'x')).toBe(isColoured ? '\u001b[31mx\u001b[39m' : 'x');
  });
});

describe('readDuration', () => {
  it.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['60', 60_000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0', 0],
  ])('%s is %d ms', (text, durationMs) => {
    expect(readDuration(text, '--timeout')).toBe(durationMs);
  });

  it.each(['', 's', '-1s', '1 s', '1d', '1e3s', '600h', '.5s'])('"%s" is none', (text) => {
    expect(() => readDuration(text, '--timeout')).toThrow(UsageError);
  });
});
