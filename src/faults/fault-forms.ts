/** What a fault looks like to whoever asks for it, and what is wrong with one that cannot be had. */
import { z } from 'zod';
import { TYPE } from '../wire/header.ts';
import { NameError, toWireName } from '../wire/names.ts';

export const DNS_FAULTS = ['servfail', 'delay', 'drop', 'truncate'] as const;
export const API_FAULTS = ['throttle', 'fail', 'delay'] as const;

export interface DnsFault {
  readonly name: string;
  /** Null: all types. */
  readonly type: string | null;
  /** Names below it too. */
  readonly below: boolean;
  readonly fault: (typeof DNS_FAULTS)[number];
  /** Of a delay; else 0. */
  readonly delayMs: number;
  /** How many of a hundred queries meet it, by chance. */
  readonly percent: number;
}

export interface ApiFault {
  /** `*`: every one. */
  readonly operation: string;
  readonly fault: (typeof API_FAULTS)[number];
  readonly delayMs: number;
  readonly percent: number;
}

/** What waits takes memory; clients have long given up. */
const MAX_DELAY_MS = 60_000;
const MAX_SECONDS = 7 * 24 * 3600;

/** Types that have no meaning for us, which queries ask for all the same. */
const OTHER_TYPES: Readonly<Record<string, number>> = { NAPTR: 35, SVCB: 64, HTTPS: 65, CAA: 257 };

/** Of a mnemonic or `TYPE65` (RFC 3597); -1: there is no such type. */
export function typeCode(text: string): number {
  const name = text.toUpperCase();
  const code = (TYPE as Readonly<Record<string, number>>)[name] ?? OTHER_TYPES[name];
  if (code !== undefined) return code;
  const digits = /^TYPE(\d{1,5})$/.exec(name)?.[1];
  return digits === undefined || Number(digits) > 65_535 ? -1 : Number(digits);
}

const times = {
  delayMs: z.int().min(1).max(MAX_DELAY_MS).optional(),
  percent: z.int().min(1).max(100).default(100),
};

const dns = z.strictObject({
  name: z.string().min(1).refine(isName, 'is no domain name'),
  type: z
    .string()
    .refine((type) => typeCode(type) > 0, 'is no type of records')
    .transform((type) => type.toUpperCase())
    .nullable()
    .default(null),
  below: z.boolean().default(false),
  fault: z.enum(DNS_FAULTS),
  ...times,
});
const api = z.strictObject({ operation: z.string(), fault: z.enum(API_FAULTS), ...times });

const form = z.strictObject({
  dns: dns.optional(),
  api: api.optional(),
  forSeconds: z.number().positive().max(MAX_SECONDS).nullable().default(null),
});

/** @returns the fault, or what is wrong with it: a line that names the member */
export function parseFault(
  input: unknown,
  operations: ReadonlySet<string>,
): string | (({ dns: DnsFault } | { api: ApiFault }) & { forSeconds: number | null }) {
  const result = form.safeParse(input);
  if (!result.success) {
    const issue = result.error.issues[0];
    return `${issue?.path.join('.') || 'fault'}: ${issue?.message}`;
  }
  const { dns, api, forSeconds } = result.data;
  if ((dns === undefined) === (api === undefined)) return 'fault: one of dns and api is expected';
  const [kind, { fault, delayMs }] = dns === undefined ? ['api', api as NonNullable<typeof api>] : ['dns', dns];
  if ((fault === 'delay') !== (delayMs !== undefined)) return `${kind}.delayMs: goes with the fault "delay"`;
  if (dns !== undefined) return { dns: { ...dns, delayMs: delayMs ?? 0 }, forSeconds };
  const { operation, percent } = api as NonNullable<typeof api>;
  if (operation !== '*' && !operations.has(operation))
    return `api.operation: "${operation}" is no operation of the API`;
  return { api: { operation, fault: fault as ApiFault['fault'], delayMs: delayMs ?? 0, percent }, forSeconds };
}

function isName(name: string): boolean {
  try {
    toWireName(name);
    return true;
  } catch (error) {
    if (error instanceof NameError) return false;
    throw error;
  }
}
