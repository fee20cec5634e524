/** What each operation's input may hold and what not, made from the SDK's model and the table of limits. */
import { type Limits, limitsOf, textsOf } from './limits.ts';
import type { Shape, Structure } from './sdk-model.ts';

/** One request: a sound input in which `value` stands at `path`. */
export interface Attempt {
  readonly path: Path;
  /** Undefined: the member is left out. */
  readonly value: unknown;
  /** The error's type; null: the member's value is a legal one. */
  readonly refusal: string | null;
  /** What the refusal's message has to begin with, where it is not the path: what is in a map is named by its key. */
  readonly names?: string;
}

/** Members, and the indexes of lists. */
export type Path = readonly string[];

/** The attempts of one test. */
export interface Case {
  readonly group: 'types' | 'validation';
  readonly name: string;
  readonly attempts: readonly Attempt[];
}

const INVALID = 'InvalidInput';
const MISTYPED = 'SerializationException';
const WRONG: Readonly<Record<Shape['kind'], readonly unknown[]>> = {
  text: [5, true, ['a'], [], { a: 'b' }, {}],
  number: ['5', '', true, [5], { a: 5 }, {}],
  boolean: ['true', 1, [true], {}],
  list: ['a', '', 5, true, { a: 'b' }, {}],
  map: ['a', '', 5, true, ['a'], [], [['a', 'b']]],
  structure: ['a', '', 5, true, ['a'], []],
};
const WORDS: Readonly<Record<Shape['kind'], string>> = {
  text: 'text',
  number: 'a number',
  boolean: 'a boolean',
  list: 'a list',
  map: 'a map',
  structure: 'an object',
};

/** All cases of an operation, those of a member together. */
export function casesOf(input: Structure): Case[] {
  return casesOfStructure(input, []);
}

function casesOfStructure({ name, members }: Structure, path: Path): Case[] {
  const unknown = { path: [...path, 'Colour'], value: { any: ['green', 5] }, refusal: null };
  return [
    {
      group: 'types',
      name: `${path.length === 0 ? 'the input' : path.join('.')} may have unknown members`,
      attempts: [unknown],
    },
    ...[...members].flatMap(([member, { isRequired, shape }]) => {
      const at = [...path, member];
      const refusal = isRequired ? INVALID : null;
      const absence: Case = {
        group: 'validation',
        name: `${at.join('.')} ${isRequired ? 'is required' : 'may be absent'}, null is absent`,
        attempts: [undefined, null].map((value) => ({ path: at, value, refusal })),
      };
      const limits = shape.kind === 'structure' || isEnum(shape) ? {} : limitsOf(name, member);
      return [absence, ...casesOfValue(shape, limits, at)];
    }),
  ];
}

function isEnum(shape: Shape): boolean {
  return shape.kind === 'text' && shape.values !== undefined;
}

function casesOfValue(shape: Shape, limits: Limits, path: Path): Case[] {
  const mistyped: Case = {
    group: 'types',
    name: `${path.join('.')} is ${WORDS[shape.kind]}`,
    attempts: WRONG[shape.kind].map((value) => ({ path, value, refusal: MISTYPED })),
  };
  switch (shape.kind) {
    case 'text':
      return [mistyped, ...(shape.values === undefined ? casesOfText(limits, path) : [caseOfEnum(shape.values, path)])];
    case 'number':
      return [mistyped, ...casesOfNumber(limits, path)];
    case 'list':
      return [mistyped, ...casesOfList(shape.item, limits, path)];
    case 'map':
      return [mistyped, ...casesOfMap(shape.value, limits, path)];
    case 'structure':
      return [mistyped, ...casesOfStructure(shape, path)];
    default:
      return [mistyped];
  }
}

function caseOfEnum(values: readonly string[], path: Path): Case {
  const foreign = ['', ' ', 'NONSENSE', 'constructor', `${values[0]} `, `${values[0]}`.toLowerCase()];
  return {
    group: 'validation',
    name: `${path.join('.')} is one of ${values.join(', ')}`,
    attempts: [
      ...values.map((value) => ({ path, value, refusal: null })),
      ...foreign.map((value) => ({ path, value, refusal: INVALID })),
    ],
  };
}

function casesOfText(limits: Limits, path: Path): Case[] {
  const at = path.join('.');
  return casesOfTexts(limits, (what, texts, refusal) => ({
    group: 'validation',
    name: `${at} ${what}`,
    attempts: texts.map((value) => ({ path, value, refusal })),
  }));
}

/** @param make a case of texts that are all legal, or all refused with the same error */
function casesOfTexts(
  limits: Limits,
  make: (what: string, texts: readonly string[], refusal: string | null) => Case,
): Case[] {
  const { min = 0, max, legal = [], illegal = [], pattern } = limits;
  const cases: Case[] = [];
  if (max !== undefined) {
    cases.push(make(`may have ${max} characters`, textsOf(limits, max), null));
    cases.push(make(`may not have ${max + 1}`, textsOf(limits, max + 1), INVALID));
  }
  if (min > 0) {
    if (min !== max) cases.push(make(`may have ${min}`, textsOf(limits, min), null));
    cases.push(make(`may not have ${min - 1}`, textsOf(limits, min - 1), INVALID));
  } else if (pattern === undefined) {
    cases.push(make('may be empty', [''], null));
  }
  if (legal.length > 0) cases.push(make(`may be ${list(legal)}`, legal, null));
  if (illegal.length > 0) cases.push(make(`may not be ${list(illegal)}`, illegal, INVALID));
  return cases;
}

function list(texts: readonly string[]): string {
  const visible = (text: string) => JSON.stringify(text).replace('\u007f', '\\u007f');
  return texts.map((text) => (text.length > 40 ? `${text.length} characters` : visible(text))).join(' ');
}

function casesOfNumber({ min, max }: Limits, path: Path): Case[] {
  if (min === undefined || max === undefined) throw new Error(`${path.join('.')} has no range`);
  const make = (what: string, values: readonly number[], refusal: string | null): Case => ({
    group: 'validation',
    name: `${path.join('.')} ${what}`,
    attempts: values.map((value) => ({ path, value, refusal })),
  });
  return [
    make(`may be ${min} and ${max}`, [min, max], null),
    make(`may not be ${min - 1} or ${max + 1}`, [min - 1, max + 1, -max, 2 ** 53, 1e300], INVALID),
    make('is a whole number', [min + 0.5, max - 0.5], INVALID),
  ];
}

function casesOfList(item: Shape, limits: Limits, path: Path): Case[] {
  const itemAt = limits.itemAt ?? ((i: number) => `item-${i}`);
  return [
    ...casesOfSize(limits, 'items', path, (size) => Array.from({ length: size }, (_, i) => itemAt(i))),
    ...casesOfValue(item, limits.item ?? {}, [...path, '0']),
  ];
}

function casesOfSize(
  { min, max, past = INVALID }: Limits,
  unit: string,
  path: Path,
  ofSize: (size: number) => unknown,
): Case[] {
  const at = path.join('.');
  const cases: Case[] = [];
  if (max !== undefined) {
    const attempts = [max, max + 1].map((size) => ({ path, value: ofSize(size), refusal: size === max ? null : past }));
    cases.push({ group: 'validation', name: `${at} may have ${max} ${unit}, not ${max + 1}`, attempts });
  }
  if (min === undefined) return cases;
  const smallest = { path, value: ofSize(min), refusal: null };
  const smaller = { path, value: ofSize(min - 1), refusal: INVALID };
  const attempts = min === 0 ? [smallest] : [smallest, smaller];
  cases.push({ group: 'validation', name: `${at} may have ${min}${min === 0 ? '' : `, not ${min - 1}`}`, attempts });
  return cases;
}

function casesOfMap(value: Shape, limits: Limits, path: Path): Case[] {
  const at = path.join('.');
  const entries = (size: number) => Object.fromEntries(Array.from({ length: size }, (_, i) => [`key-${i}`, '']));
  const make =
    (part: string, toMap: (text: string) => object) =>
    (what: string, texts: readonly string[], refusal: string | null) =>
      ({
        group: 'validation',
        name: `${at}: ${part} ${what}`,
        attempts: texts.map((text) => ({ path, value: toMap(text), refusal, names: at })),
      }) as const;
  return [
    ...casesOfSize(limits, 'entries', path, entries),
    {
      group: 'types',
      name: `${at} has ${WORDS[value.kind]} for values`,
      attempts: WRONG[value.kind].map((wrong) => ({
        path,
        value: { key: wrong },
        refusal: MISTYPED,
        names: `${at}.key`,
      })),
    },
    ...casesOfTexts(
      limits.key ?? {},
      make('a key', (key) => ({ [key]: 'value' })),
    ),
    ...casesOfTexts(
      limits.value ?? {},
      make('a value', (text) => ({ key: text })),
    ),
  ];
}
