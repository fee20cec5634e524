/** Shapes of texts and maps that hold what the API takes: content made by it has to be declarable. */
import { z } from 'zod';
import { characters } from '../registry/limits.ts';

export function textUpTo(max: number): z.ZodString {
  return z.string().refine((text) => characters(text) <= max, `at most ${max} characters are expected`);
}

/** Zod's own record would leave a key called `__proto__` out. */
export function mapOf<T>(value: z.ZodType<T>) {
  return z.transform((input: unknown, { issues }): Record<string, T> => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      issues.push({ code: 'invalid_type', expected: 'record', input, message: 'a map is expected' });
      return z.NEVER;
    }
    const entries: [string, T][] = [];
    for (const [key, member] of Object.entries(input)) {
      const result = value.safeParse(member);
      if (result.success) entries.push([key, result.data]);
      else
        for (const issue of result.error.issues) issues.push({ ...issue, path: [key, ...issue.path], input: member });
    }
    return Object.fromEntries(entries);
  });
}
