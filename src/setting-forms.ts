/** The forms that values of settings have, as flags and the environment write them in text, and YAML in its own types. */
import { isIP } from 'node:net';
import { Address4, Address6 } from 'ip-address';
import { z } from 'zod';
import { NameError, toWireName } from './wire/names.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** From text as flags and the environment have it, or from YAML's own types. */
export const number = (schema: z.ZodType<number, number>) =>
  z.preprocess((value) => (typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value), schema);
export const milliseconds = number(
  z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
);
export const interval = number(
  z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
);
export const quota = number(z.int().min(0));
export const flag = z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean());
export const seconds = number(
  z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
);

/** One of so many: `off` (0), `all` (1), or `1/100`. */
export const sampling = z
  .string('off, all or a part such as 1/100 is expected')
  .regex(/^(off|all|1\/[1-9]\d{0,8})$/, 'off, all or a part such as 1/100 is expected')
  .transform((text) => (text === 'off' ? 0 : text === 'all' ? 1 : Number(text.slice(2))));

/** A comma list as text, or a YAML sequence. */
const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value),
  z.array(z.string().min(1, 'a value is missing')).min(1),
);

/** Addresses of our own, with a port each; 0: any. */
export const listeners = list.transform((items, context): Endpoint[] =>
  items.map((item) => {
    const endpoint = parseEndpoint(item, null);
    if (endpoint !== null) return endpoint;
    context.addIssue({ code: 'custom', message: `"${item}" is not of the form ip:port or [ipv6]:port` });
    return z.NEVER;
  }),
);

/** Null, and the context told: no address that could be asked. */
function parseUpstream(text: string, context: z.core.$RefinementCtx, where = ''): Endpoint | null {
  const endpoint = parseEndpoint(text, DNS_PORT);
  if (endpoint !== null && endpoint.port > 0) return endpoint;
  const problem = endpoint === null ? 'is not of the form ip, ip:port or [ipv6]:port' : 'has no port that can be asked';
  context.addIssue({ code: 'custom', message: `"${text}"${where} ${problem}` });
  return null;
}

const DNS_PORT = 53;

export const upstreams = z.preprocess(
  (value) => (Array.isArray(value) && value.length === 1 ? value[0] : value),
  z.union([
    z.literal(['none', 'system']),
    list.transform((items, context) => items.map((item) => parseUpstream(item, context) ?? z.NEVER)),
  ]),
);

export const cidrs = list.transform((items, context) =>
  items.map((item) => {
    const block = parseCidr(item);
    if (block !== null) return block;
    context.addIssue({ code: 'custom', message: `"${item}" is no address block such as 10.0.0.0/8` });
    return z.NEVER;
  }),
);

/** Upstreams of a suffix. */
export interface ForwardRule {
  /** Lower case, without a dot at either end; empty: the root. */
  readonly suffix: string;
  readonly upstreams: readonly Endpoint[];
}

/** `corp.example=10.0.0.1 10.0.0.2,consul=127.0.0.1:8600`, or a YAML mapping of suffixes to lists. */
export const forwardRules = z
  .preprocess(
    (value) => (typeof value === 'string' ? parseForwardText(value) : entriesOf(value)),
    z.array(z.tuple([z.string(), list]), 'rules of the form suffix=address are expected, or a mapping'),
  )
  .transform((rules, context): ForwardRule[] =>
    rules.map(([suffix, addresses]) => ({
      suffix: parseSuffix(suffix, context),
      upstreams: addresses.map((address) => parseUpstream(address, context, ` for ${suffix}`) ?? z.NEVER),
    })),
  )
  .superRefine((rules, context) => {
    const twice = rules.find(({ suffix }, at) => rules.findIndex((other) => other.suffix === suffix) < at);
    if (twice === undefined) return;
    context.addIssue({ code: 'custom', message: `"${twice.suffix}" has two rules: write its upstreams in one` });
  });

/** Suffixes of names; `none`: there are none. */
export const suffixes = list.transform((items, context): string[] =>
  items.length === 1 && items[0] === 'none' ? [] : items.map((item) => parseSuffix(item, context)),
);

/** A domain name of letters as hosts have them; `none`: there is none. */
export const hostName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i,
    'a host name such as cloudmap is expected',
  )
  // The name with `data-` in front of it is one too.
  .refine((name) => name.length <= 248 && name.split('.').every((label, i) => label.length <= (i === 0 ? 58 : 63)), {
    message: 'is too long for a host name',
  })
  .transform((name) => (name === 'none' ? null : name.toLowerCase()));

/** Pairs, as a mapping's entries are: a suffix that is there twice is not to go unseen. */
function parseForwardText(text: string): [string, string[]][] {
  return text
    .split(',')
    .map((rule) => rule.trim())
    .filter((rule) => rule !== '' && rule !== 'none')
    .map((rule) => {
      const [suffix = '', addresses = ''] = rule.split('=', 2);
      return [suffix.trim(), addresses.trim().split(/\s+/)];
    });
}

function entriesOf(value: unknown): unknown {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : value;
}

/** The root is `.` alone: a suffix that was left out is a slip of the pen, and would be a rule for every name. */
function parseSuffix(text: string, context: z.core.$RefinementCtx): string {
  if (text === '.') return '';
  const suffix = text.toLowerCase().replace(/^\.|\.$/g, '');
  if (suffix === '') {
    context.addIssue({ code: 'custom', message: `"${text}" is no suffix of names: "." is the one of all names` });
    return z.NEVER;
  }
  try {
    toWireName(suffix);
    return suffix;
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
    return z.NEVER;
  }
}

/** `defaultPort` null: the text must have one. Null: not of the form. */
export function parseEndpoint(text: string, defaultPort: number | null): Endpoint | null {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([0-9.]+)(?::(\d{1,5}))?$/.exec(text);
  const [, address = text, port] = bracketed ?? plain ?? [];
  if (isIP(address) === 0 || address.includes('%')) return null;
  const number = port === undefined ? defaultPort : Number(port);
  return number === null || number > 65_535 ? null : { address, port: number };
}

/** With its prefix length, also where the text is an address alone; null: no such block. */
function parseCidr(text: string): string | null {
  if (Address4.isValid(text)) return text.includes('/') ? text : `${text}/32`;
  if (Address6.isValid(text) && !text.includes('%')) return text.includes('/') ? text : `${text}/128`;
  return null;
}
