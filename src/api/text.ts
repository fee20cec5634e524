/** Texts of limited length, as members of requests. */
import { z } from 'zod';
import { characters } from '../registry/limits.ts';

/** A text of `min` to `max` characters. */
export function text(max: number, min = 0): z.ZodString {
  return z
    .string()
    .refine((value) => characters(value) <= max, `at most ${max} characters are expected`)
    .refine((value) => value.length >= min, `at least ${min} characters are expected`);
}
