/** What the generated cases are made of: the table of limits, and the reading of the SDK. */
import { describe, expect, it } from 'vitest';
import { type Limits, limitsOf, textsOf } from './limits.ts';
import { readDeclaredMembers, readInputs, type Shape, type Structure } from './sdk-model.ts';

const INPUTS = readInputs();

/** Every structure of the inputs, once. */
const STRUCTURES = new Map([...INPUTS.values()].flatMap(structuresIn).map((each) => [each.name, each]));

function structuresIn(shape: Shape): Structure[] {
  if (shape.kind === 'list') return structuresIn(shape.item);
  if (shape.kind !== 'structure') return [];
  return [shape, ...[...shape.members.values()].flatMap((member) => structuresIn(member.shape))];
}

function isEnum(shape: Shape): boolean {
  return shape.kind === 'text' && shape.values !== undefined;
}

/** Every set of limits in the table that a member has, with the member's name. */
function everyLimits(): [string, Limits][] {
  const all: [string, Limits][] = [];
  for (const { name, members } of STRUCTURES.values()) {
    for (const [member, { shape }] of members) {
      if (shape.kind === 'structure' || isEnum(shape)) continue;
      const limits = limitsOf(name, member);
      all.push([`${name}.${member}`, limits]);
      for (const part of ['item', 'key', 'value'] as const) {
        if (limits[part] !== undefined) all.push([`${name}.${member} ${part}`, limits[part]]);
      }
    }
  }
  return all;
}

describe('the table of limits', () => {
  it.each(everyLimits().filter(([, { pattern }]) => pattern !== undefined))(
    'has texts of %s that are what they are said to be',
    (_, limits) => {
      const { pattern, max, legal = [], illegal = [] } = limits;
      const expression = new RegExp(`${pattern}`);
      for (const text of legal) expect([text, expression.test(text)]).toEqual([text, true]);
      for (const text of illegal) expect([text, expression.test(text)]).toEqual([text, false]);
      if (max === undefined) return;
      for (const text of textsOf(limits, max)) expect([text, expression.test(text)]).toEqual([text, true]);
      // Refused for the length alone.
      for (const text of textsOf(limits, max + 1)) {
        expect(text).toHaveLength(max + 1);
        expect(new RegExp(`${pattern}`.replaceAll(/\{1,\d+\}/g, '+').replace('{12}', '+')).test(text)).toBe(true);
      }
    },
  );
});

describe("the reading of the SDK's schemas", () => {
  it('finds the members and the required ones that its type declarations have', () => {
    const declared = readDeclaredMembers();
    for (const { name, members } of STRUCTURES.values()) {
      const own = declared.filter((member) => member.name.startsWith(`${name}.`));
      expect([...members].map(([member, { isRequired }]) => [`${name}.${member}`, isRequired]).sort()).toEqual(
        own.map((member) => [member.name, !member.isOptional]).sort(),
      );
    }
  });

  it('finds a value of every kind', () => {
    const kinds = new Set([...STRUCTURES.values()].flatMap(({ members }) => [...members.values()]).map(kindOf));
    expect([...kinds].sort()).toEqual(['enum', 'list', 'map', 'number', 'structure', 'text']);
  });
});

function kindOf({ shape }: { shape: Shape }): string {
  return isEnum(shape) ? 'enum' : shape.kind;
}
