/** Settings of `cloudmapd serve`: flag over environment over file over default, each checked by one schema. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { SOCKET_CHOICES } from './answers/thread-protocol.ts';
import { CONTENT_KEYS, type DeclaredContent, declaredKeys, NO_CONTENT, readContent } from './declared/schema.ts';
import { parseYaml, type YamlFile } from './declared/yaml.ts';
import { LOG_LEVELS } from './log.ts';
import type { RegistryOptions } from './registry/decision.ts';
import {
  cidrs,
  flag,
  forwardRules,
  hostName,
  interval,
  listeners,
  milliseconds,
  number,
  quota,
  sampling,
  seconds,
  suffixes,
  upstreams,
} from './setting-forms.ts';
import { STORE_KINDS } from './store/open.ts';

/** A setting that cannot be used; the message names it and the mend. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** Loopback, private, link-local (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291). */
const LOCAL_CLIENTS =
  '127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,::1/128,fc00::/7,fe80::/10';

/** RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 6303: nobody outside could know these. */
const SPECIAL_USE_NAMES = 'single-label,localhost,local,invalid,test,onion,home.arpa,rfc6303';

/**
 * Every setting with its meaning, by its key in the file; the environment's `CLOUDMAPD_DATA_DIR` and the flag
 * `--data-dir` are made from `dataDir`.
 */
const SETTINGS = {
  http: {
    schema: listeners,
    default: '127.0.0.1:8053',
    help: 'API, admin: comma list of addresses; port 0 = any',
  },
  dns: { schema: listeners, default: '127.0.0.1:1053', help: 'DNS over UDP and TCP: comma list; port 0 = any' },
  dnsSockets: {
    schema: z.enum(SOCKET_CHOICES),
    default: 'auto',
    help: 'of DNS over UDP: batched (Linux, x64 and arm64), plain, or auto: batched where they can be had',
  },
  dnsThreads: {
    schema: number(z.int().min(1).max(64)),
    default: 1,
    help: 'threads that answer DNS, each with the answers in memory of its own and a cache of its own',
  },
  dataDir: { schema: z.string().min(1), default: './data', help: 'where the embedded store keeps its file' },
  store: { schema: z.enum(STORE_KINDS), default: 'sqlite', help: 'sqlite or memory' },
  region: { schema: z.string().regex(/^[a-z0-9-]+$/), default: 'us-east-1', help: 'in ARNs' },
  accountId: {
    schema: z.string().regex(/^\d{12}$/, 'twelve digits are expected'),
    default: '123456789012',
    help: 'in ARNs and owners',
  },
  upstreams: { schema: upstreams, default: 'none', help: 'none, system, or ip[:port] comma list' },
  recursionClients: { schema: cidrs, default: LOCAL_CLIENTS, help: 'address blocks whose queries are forwarded' },
  forward: {
    schema: forwardRules,
    default: 'none',
    help: 'upstreams per suffix: suffix=ip[:port], several addresses with blanks between, rules with commas',
  },
  refuse: { schema: suffixes, default: 'none', help: 'suffixes of names that are answered REFUSED' },
  singleLabelUpstreams: {
    schema: upstreams,
    default: 'none',
    help: 'asked for names of one label, such as a container engine knows: none, system, or ip[:port] comma list',
  },
  specialUseNames: {
    schema: suffixes,
    default: SPECIAL_USE_NAMES,
    help: 'suffixes that are answered NXDOMAIN instead of being forwarded',
  },
  ownName: {
    schema: hostName,
    default: 'cloudmap',
    help: 'this name and data- in front of it are answered with the address that was asked; none: neither',
  },
  cacheBytes: {
    // Offsets in it are 31 bits.
    schema: number(
      z
        .int()
        .min(0)
        .max(2 ** 31 - 8),
    ),
    default: 16_777_216,
    help: 'memory for answers of upstreams, in octets; 0: none is kept',
  },
  cacheStaleSeconds: {
    schema: seconds,
    default: 86_400,
    help: 'how long after its end an answer is kept for when no upstream answers; 0: not at all',
  },
  dnsFallback: {
    schema: z.enum(['last-healthy', 'all']),
    default: 'last-healthy',
    help: 'answered when no instance is healthy',
  },
  seed: {
    schema: number(
      z
        .int()
        .min(0)
        .max(2 ** 32 - 1),
    ).optional(),
    default: undefined,
    help: 'makes the choice among records repeatable, for tests',
  },
  dnsMaxTtl: { schema: seconds.optional(), default: undefined, help: 'caps answered TTLs, in seconds' },
  dnsPtr: { schema: flag, default: false, help: 'PTR records for registered addresses; some 2 kB of memory each' },
  soaTtl: { schema: seconds, default: 5, help: 'SOA TTL and negative TTL where a namespace sets none, in seconds' },
  newInstance: {
    schema: z.enum(['healthy', 'unhealthy']),
    default: 'healthy',
    help: 'status of a checked instance before its first verdict',
  },
  healthIntervalMs: {
    schema: interval,
    default: 2000,
    help: 'between two probes of an instance (AWS: 30000); each costs some 0.3 ms of CPU',
  },
  healthConnectTimeoutMs: {
    schema: interval,
    default: 4000,
    help: 'HTTP and HTTPS probes: until the connection stands',
  },
  healthResponseTimeoutMs: {
    schema: interval,
    default: 2000,
    help: 'HTTP and HTTPS probes: from then until the response, a TLS handshake included',
  },
  healthTcpTimeoutMs: { schema: interval, default: 10_000, help: 'TCP probes: until the connection stands' },
  healthConcurrency: {
    schema: number(z.int().min(1)),
    default: 1000,
    help: 'probes under way at once, each a socket; when so many hang, the others come late',
  },
  healthHold: {
    schema: flag,
    default: false,
    help: 'statuses stay where all failures of an interval are of this machine, such as ENETUNREACH',
  },
  customHealthDelayMs: {
    schema: milliseconds,
    default: 0,
    help: 'until a custom status takes effect (AWS: about 30000)',
  },
  operationDelayMs: { schema: milliseconds, default: 0, help: 'how long an operation stays PENDING' },
  quotaNamespaces: { schema: quota, default: 50, help: '0 = unlimited' },
  quotaInstancesPerNamespace: { schema: quota, default: 2000, help: '0 = unlimited' },
  quotaInstancesPerService: { schema: quota, default: 1000, help: '0 = unlimited' },
  quotaCustomAttributes: { schema: quota, default: 30, help: 'per instance; 0 = unlimited' },
  quotaServiceAttributes: { schema: quota, default: 30, help: 'per service; 0 = unlimited' },
  quotaTags: { schema: quota, default: 50, help: 'per resource; 0 = unlimited' },
  quotaDiscoverInstances: {
    schema: quota,
    default: 0,
    help: 'calls per second, twice that in a burst (AWS: 1000); 0 = unlimited',
  },
  quotaDiscoverInstancesRevision: {
    schema: quota,
    default: 0,
    help: 'calls per second, twice that in a burst (AWS: 3000); 0 = unlimited',
  },
  allowPrivateHealthChecks: {
    schema: flag,
    default: false,
    help: 'HealthCheckConfig in private namespaces too, which AWS forbids',
  },
  faults: { schema: flag, default: false, help: 'whether faults may be injected, by /admin/faults' },
  ec2Endpoint: {
    schema: z.url({ protocol: /^https?$/, error: 'a URL such as http://127.0.0.1:4566 is expected' }).optional(),
    default: undefined,
    help: 'EC2-compatible endpoint that is asked for the address of an AWS_EC2_INSTANCE_ID',
  },
  queryLog: {
    schema: sampling,
    default: 'off',
    help: 'DNS queries in the log: off, all, or one of so many as chance has it, such as 1/100',
  },
  log: { schema: z.enum(LOG_LEVELS), default: 'info', help: 'debug, info, warn or error; on stderr' },
} as const;

export type SettingKey = keyof typeof SETTINGS;
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

export type Settings = { readonly [K in SettingKey]: z.output<(typeof SETTINGS)[K]['schema']> };

export interface Configuration {
  readonly settings: Settings;
  readonly content: DeclaredContent;
  /** Null: no file was given. */
  readonly yaml: YamlFile | null;
  /** The same flags and environment, and what the file says by then. @throws SettingError, ConfigFileError */
  again(readText: ReadText): Configuration;
}

/** @throws Error where the file cannot be read */
export type ReadText = (file: string) => string;

/** What commands offer as flags: `--data-dir <value>` and its help. */
export function settingFlags(): { flag: string; help: string; key: SettingKey }[] {
  return SETTING_KEYS.map((key) => {
    const { help, default: fallback } = SETTINGS[key];
    const shown = key === 'recursionClients' ? 'loopback, private, link-local' : (fallback ?? 'unset');
    return { key, flag: flagOf(key), help: `${help} (${envOf(key)}; default ${shown})` };
  });
}

/**
 * Reads the file that the flag or the environment names, and puts the settings together.
 * @param flags by setting key, and `config`
 * @throws SettingError, ConfigFileError
 */
export function loadConfiguration(
  flags: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
  readText: ReadText = (file) => readFileSync(file, 'utf8'),
): Configuration {
  const file = flags.config ?? nonEmpty(env.CLOUDMAPD_CONFIG);
  const source = flags.config === undefined ? 'CLOUDMAPD_CONFIG' : '--config';
  const yaml = file === undefined ? null : readYamlFile(file, source, readText);
  return { ...configurationOf(flags, env, yaml), again: (readText) => loadConfiguration(flags, env, readText) };
}

/**
 * What a program gives in place of a file, and settings that win over those in it.
 * @param yaml null: nothing
 * @throws SettingError, ConfigFileError
 */
export function givenConfiguration(
  settings: Readonly<Record<string, string | undefined>>,
  yaml: YamlFile | null,
): Configuration {
  const configuration = { ...configurationOf(settings, {}, yaml), again: () => configuration };
  return configuration;
}

function configurationOf(
  flags: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
  yaml: YamlFile | null,
): Omit<Configuration, 'again'> {
  const settings = {} as Record<SettingKey, unknown>;
  for (const key of SETTING_KEYS) settings[key] = readSetting(key, flags, env, yaml);
  if (yaml !== null) refuseUnknownKeys(yaml);
  return {
    settings: settings as Settings,
    content: yaml === null ? NO_CONTENT : readContent(yaml),
    yaml,
  };
}

/** Keys of the settings that are not the same in both. */
export function changedSettings(before: Settings, after: Settings): SettingKey[] {
  return SETTING_KEYS.filter((key) => !isDeepStrictEqual(before[key], after[key]));
}

/** What of the configuration the registry's decisions depend on. */
export function registryOptions({ settings, content }: Pick<Configuration, 'settings' | 'content'>): RegistryOptions {
  return {
    region: settings.region,
    accountId: settings.accountId,
    operationDelayMs: settings.operationDelayMs,
    customHealthDelayMs: settings.customHealthDelayMs,
    newInstanceStatus: settings.newInstance === 'healthy' ? 'HEALTHY' : 'UNHEALTHY',
    allowsPrivateHealthChecks: settings.allowPrivateHealthChecks,
    quotas: {
      namespaces: settings.quotaNamespaces,
      instancesPerNamespace: settings.quotaInstancesPerNamespace,
      instancesPerService: settings.quotaInstancesPerService,
      customAttributes: settings.quotaCustomAttributes,
      serviceAttributes: settings.quotaServiceAttributes,
      tags: settings.quotaTags,
    },
    declared: declaredKeys(content),
    ec2Instances: content.ec2Instances,
  };
}

function readYamlFile(file: string, source: string, readText: ReadText): YamlFile {
  let text: string;
  try {
    text = readText(file);
  } catch (cause) {
    throw new SettingError(`${source}: cannot read "${file}": ${(cause as Error).message}`, { cause });
  }
  return parseYaml(file, text);
}

function readSetting(
  key: SettingKey,
  flags: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
  yaml: YamlFile | null,
): unknown {
  const { schema, default: fallback } = SETTINGS[key];
  const inFile = fileValue(yaml, key);
  const fail = (problem: string): Error => {
    if (flags[key] !== undefined) return new SettingError(`${flagOf(key)}: ${problem}`);
    if (nonEmpty(env[envOf(key)]) !== undefined) return new SettingError(`${envOf(key)}: ${problem}`);
    return (yaml as YamlFile).errorAt([key], problem);
  };
  const value = flags[key] ?? nonEmpty(env[envOf(key)]) ?? inFile ?? fallback;
  if (key === 'store' && value === 'etcd') throw fail('etcd is not built yet: use sqlite or memory');
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw fail(`${describe(value)} cannot be used: ${problemOf(result.error)}`);
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
}

/** Of a union's issues, those of the alternative that came furthest say most. */
function problemOf(error: z.ZodError): string {
  const issue = error.issues[0] as z.core.$ZodIssue;
  if (issue.code !== 'invalid_union') return issue.message;
  return issue.errors.at(-1)?.[0]?.message ?? issue.message;
}

function fileValue(yaml: YamlFile | null, key: string): unknown {
  const root = yaml?.value;
  if (root === null || typeof root !== 'object' || Array.isArray(root)) return undefined;
  const value = Object.hasOwn(root, key) ? (root as Record<string, unknown>)[key] : undefined;
  // YAML reads twelve digits as a number, and an empty value as null.
  if (value === null) return undefined;
  return key === 'accountId' && typeof value === 'number' ? String(value) : value;
}

function refuseUnknownKeys(yaml: YamlFile): void {
  const root = yaml.value ?? {};
  if (typeof root !== 'object' || Array.isArray(root))
    throw yaml.errorAt([], 'a mapping of settings and content is expected');
  for (const key of Object.keys(root)) {
    if (!Object.hasOwn(SETTINGS, key) && !CONTENT_KEYS.includes(key)) throw yaml.errorAt([key], 'is not a known key');
  }
}

function envOf(key: string): string {
  return `CLOUDMAPD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** An empty variable is an unset one, as compose files write it. */
function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
