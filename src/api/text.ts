/** Texts of limited length, as members of requests. */
import { z } from 'zod';

/** Lengths count Unicode characters (Smithy: the length trait), of which some are two units of a string. */
export function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** A text of `min` to `max` characters. */
export function text(max: number, min = 0): z.ZodString {
  return z
    .string()
    .refine((value) => characters(value) <= max, `at most ${max} characters are expected`)
    .refine((value) => value.length >= min, `at least ${min} characters are expected`);
}
