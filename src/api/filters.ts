/** Filters of the list operations (Cloud Map: NamespaceFilter, ServiceFilter, OperationFilter). */
import { z } from 'zod';
import { invalidInput } from '../registry/errors.ts';
import { text } from './text.ts';

const CONDITIONS = ['EQ', 'IN', 'BETWEEN', 'BEGINS_WITH'] as const;
type Condition = (typeof CONDITIONS)[number];

export const filterList = z
  .array(
    z.object({
      Name: z.string(),
      Values: z.array(text(255, 1)),
      Condition: z.enum(CONDITIONS).optional(),
    }),
  )
  .optional();

/** What a filter name compares, and by which conditions. */
export interface FilterRule<T> {
  readonly conditions: readonly Condition[];
  /** The values that a filter may name; absent: any. */
  readonly values?: readonly string[];
  /** The test that an item passes or not. @throws ServiceError InvalidInput on values that say nothing */
  predicate(values: readonly string[], condition: Condition): (item: T) => boolean;
}

/** How many values each condition takes. */
const VALUE_COUNTS: Record<Condition, (count: number) => boolean> = {
  EQ: (count) => count === 1,
  BEGINS_WITH: (count) => count === 1,
  IN: (count) => count >= 1,
  BETWEEN: (count) => count === 2,
};

/**
 * All filters as one predicate. AWS lists what each filter takes, not what becomes of the rest: that it is refused is
 * our choice.
 * @throws ServiceError InvalidInput on a name, condition or value that the operation does not have
 */
export function compileFilters<T>(
  filters: z.output<typeof filterList>,
  rules: Readonly<Record<string, FilterRule<T>>>,
): (item: T) => boolean {
  const predicates = (filters ?? []).map(({ Name, Values, Condition: condition = 'EQ' }, i) => {
    const rule = Object.hasOwn(rules, Name) ? rules[Name] : undefined;
    if (rule === undefined)
      throw invalidInput(`Filters.${i}.Name: "${Name}" is no filter here; there is ${Object.keys(rules).join(', ')}.`);
    if (!rule.conditions.includes(condition)) {
      throw invalidInput(`The filter ${Name} takes the condition ${rule.conditions.join(' or ')}, not ${condition}.`);
    }
    if (!VALUE_COUNTS[condition](Values.length)) {
      throw invalidInput(`The filter ${Name} with the condition ${condition} does not take ${Values.length} value(s).`);
    }
    const unknown =
      condition === 'BEGINS_WITH' ? undefined : Values.find((value) => rule.values?.includes(value) === false);
    if (unknown !== undefined)
      throw invalidInput(`The filter ${Name} takes ${rule.values?.join(', ')}, not "${unknown}".`);
    return rule.predicate(Values, condition);
  });
  return (item) => predicates.every((passes) => passes(item));
}

/** A rule that compares one text of the item, whole or by its beginning. @param read what the value stands for */
export function textFilter<T>(
  conditions: readonly Condition[],
  textOf: (item: T) => string | undefined,
  values?: readonly string[],
  read: (value: string) => string = (value) => value,
): FilterRule<T> {
  return {
    conditions,
    ...(values === undefined ? {} : { values }),
    predicate: (given, condition) => {
      const wanted = given.map(read);
      return (item) => {
        const text = textOf(item);
        if (text === undefined) return false;
        return wanted.some((value) => (condition === 'BEGINS_WITH' ? text.startsWith(value) : text === value));
      };
    },
  };
}

/** One account, so everything is our own. */
export function ownerFilter<T>(): FilterRule<T> {
  return textFilter(['EQ'], () => 'SELF', ['SELF', 'OTHER_ACCOUNTS']);
}
