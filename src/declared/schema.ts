/** Declared content as the YAML file writes it. What the API's rules say of it is checked when it is reconciled. */
import { z } from 'zod';
import { declaredKey } from '../registry/declared-keys.ts';
import {
  MAX_DESCRIPTION,
  MAX_FAILURE_THRESHOLD,
  MAX_ID,
  MAX_RESOURCE_PATH,
  MAX_TTL_SECONDS,
} from '../registry/limits.ts';
import { NAMESPACE_TYPES } from '../registry/model.ts';
import { domainNameProblem } from '../registry/owner-names.ts';
import { RECORD_TYPES } from '../registry/record-types.ts';
import { mapOf, textUpTo } from './shapes.ts';
import type { YamlFile } from './yaml.ts';

/** Numbers are written without quotes easily; where that would change them, the reader keeps them as text. */
const text = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]);
const textMap = mapOf(text);
const ttl = z.int().min(0).max(MAX_TTL_SECONDS);
const description = textUpTo(MAX_DESCRIPTION);

const instance = z.strictObject({ id: text, attributes: textMap.default({}) });

const service = z.strictObject({
  name: z.string(),
  description: description.optional(),
  dns: z
    .strictObject({
      routingPolicy: z.enum(['MULTIVALUE', 'WEIGHTED']).optional(),
      records: z.array(z.strictObject({ type: z.enum(RECORD_TYPES), ttl })).min(1),
    })
    .optional(),
  healthCheck: z
    .strictObject({
      type: z.enum(['HTTP', 'HTTPS', 'TCP']),
      path: textUpTo(MAX_RESOURCE_PATH).optional(),
      failureThreshold: z.int().min(1).max(MAX_FAILURE_THRESHOLD).optional(),
    })
    .optional(),
  healthCheckCustom: z.strictObject({ failureThreshold: z.int().optional() }).nullish(),
  attributes: textMap.default({}),
  tags: textMap.default({}),
  instances: z
    .array(instance)
    .nullish()
    .transform((list) => list ?? []),
});

const namespace = z.strictObject({
  name: z.string(),
  type: z.enum(NAMESPACE_TYPES),
  description: description.optional(),
  vpc: textUpTo(MAX_ID).optional(),
  soaTtl: ttl.optional(),
  tags: textMap.default({}),
  services: z
    .array(service)
    .nullish()
    .transform((list) => list ?? []),
});

/** With a length for every 255 octets, a question and an OPT, a message of 65,535 octets holds some more. */
const MAX_TEXT_BYTES = 64_000;

const record = z
  .strictObject({
    name: z.string().min(1),
    type: z.enum(['A', 'AAAA', 'CNAME', 'TXT', 'PTR']),
    value: text,
    ttl: ttl.default(60),
  })
  .superRefine(({ name, type, value }, context) => {
    const wrong = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (!isDomainName(name)) wrong('name', 'is no domain name');
    if (type === 'A' && !z.ipv4().safeParse(value).success) wrong('value', 'is no IPv4 address');
    if (type === 'AAAA' && !z.ipv6().safeParse(value).success) wrong('value', 'is no IPv6 address');
    if (type === 'TXT' && Buffer.byteLength(value) > MAX_TEXT_BYTES) wrong('value', 'is too long for a reply');
    if ((type === 'CNAME' || type === 'PTR') && !isDomainName(value)) wrong('value', 'is no domain name');
  });

/** What can be declared of Cloud Map: namespaces, and what they need to know. */
export const cloudMapContent = {
  namespaces: z.array(namespace).nullish(),
  ec2Instances: mapOf(z.ipv4()).nullish(),
};

const content = z.object({ records: z.array(record).nullish(), ...cloudMapContent });

export type DeclaredNamespace = z.output<typeof namespace>;
export type DeclaredService = z.output<typeof service>;
export type DeclaredInstance = z.output<typeof instance>;

export type DeclaredRecord = z.output<typeof record>;

export interface DeclaredContent {
  /** For names outside Cloud Map. */
  readonly records: readonly DeclaredRecord[];
  readonly namespaces: readonly DeclaredNamespace[];
  /** EC2 instance id -> IPv4 address. */
  readonly ec2Instances: Readonly<Record<string, string>>;
}

/** Keys of the file that are content; every other one is a setting. */
export const CONTENT_KEYS: readonly string[] = Object.keys(content.shape);

/** What the content declares, for the registry to know the file's own things by. */
export function declaredKeys({ namespaces }: DeclaredContent): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { type, name, vpc = null, services } of namespaces) {
    const namespace = { type, name, vpc };
    keys.add(declaredKey(namespace));
    for (const service of services) {
      keys.add(declaredKey(namespace, service.name));
      for (const { id } of service.instances) keys.add(declaredKey(namespace, service.name, id));
    }
  }
  return keys;
}

export const NO_CONTENT: DeclaredContent = { records: [], namespaces: [], ec2Instances: {} };

/** @throws ConfigFileError that names line and key */
export function readContent(yaml: YamlFile): DeclaredContent {
  const result = content.safeParse(yaml.value ?? {});
  if (result.success) {
    const records = result.data.records ?? [];
    refuseMixedAliases(yaml, records);
    return { records, namespaces: result.data.namespaces ?? [], ec2Instances: result.data.ec2Instances ?? {} };
  }
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  const path = issue.path as (string | number)[];
  if (issue.code === 'unrecognized_keys') throw yaml.errorAt([...path, issue.keys[0] as string], 'is not a known key');
  throw yaml.errorAt(path, issue.message);
}

function isDomainName(name: string): boolean {
  return domainNameProblem(name.replace(/\.$/, '')) === null;
}

/** An alias has no other records, and one target (RFC 1034 s3.6.2). @throws ConfigFileError */
function refuseMixedAliases(yaml: YamlFile, records: readonly DeclaredRecord[]): void {
  const ownerOf = ({ name }: DeclaredRecord): string => name.toLowerCase().replace(/\.$/, '');
  for (const [at, record] of records.entries()) {
    if (record.type !== 'CNAME') continue;
    if (records.some((other, i) => i !== at && ownerOf(other) === ownerOf(record))) {
      throw yaml.errorAt(['records', at, 'name'], `"${record.name}" has a CNAME, so it can have no other record`);
    }
  }
}
