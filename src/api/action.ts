/** One operation of the API: its request's schema and its handler, together. */
import type { z } from 'zod';
import type { Registry } from '../registry/registry.ts';

export interface Action {
  readonly schema: z.ZodType;
  /** @returns the response's body; @throws ServiceError */
  handle(input: unknown, registry: Registry): object | Promise<object>;
}

/** Ties the handler's input to the schema's output. */
export function action<S extends z.ZodType>(
  schema: S,
  handle: (input: z.output<S>, registry: Registry) => object | Promise<object>,
): Action {
  return { schema, handle: (input, registry) => handle(input as z.output<S>, registry) };
}
