/** One operation of the API: its request's schema and its handler, together. */
import type { z } from 'zod';
import type { Ec2Answer } from '../registry/attributes.ts';
import type { Registry } from '../registry/registry.ts';

/** What a handler may ask outside the registry. */
export interface Outside {
  /** DescribeInstances of the EC2 instance; null: no endpoint is configured. Never rejects. */
  readonly ec2: ((id: string) => Promise<Ec2Answer>) | null;
}

/** A fault that a call meets: what becomes of it once it has waited; null: it is carried out. */
export interface Disturbance {
  readonly outcome: 'throttle' | 'fail' | null;
  wait(): Promise<void>;
}

export interface Action {
  readonly schema: z.ZodType;
  /** @returns the response's body; @throws ServiceError */
  handle(input: unknown, registry: Registry, outside: Outside): object | Promise<object>;
}

/** Ties the handler's input to the schema's output. */
export function action<S extends z.ZodType>(
  schema: S,
  handle: (input: z.output<S>, registry: Registry, outside: Outside) => object | Promise<object>,
): Action {
  return { schema, handle: (input, registry, outside) => handle(input as z.output<S>, registry, outside) };
}
