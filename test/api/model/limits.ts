/**
 * Lengths, sizes, ranges and patterns of input members (Cloud Map: the service model). The SDK for JavaScript does not
 * carry them; `limits.test.ts` compares this table with botocore's copy of the model.
 */

export interface Limits {
  /** Of a text its length, of a list or map its size, of a number itself. */
  readonly min?: number;
  readonly max?: number;
  /** As the model has it. */
  readonly pattern?: string;
  /** Texts on the edges of the pattern; a legal one is used once at most, since some have to be new. */
  readonly legal?: readonly string[];
  readonly illegal?: readonly string[];
  /** A legal text of any length up to `max`, and one past it; by default a letter, then a character of two UTF-16 units. */
  readonly ofLength?: readonly ((length: number) => string)[];
  /** Of a list. */
  readonly item?: Limits;
  readonly itemAt?: (index: number) => unknown;
  /** Of a map. */
  readonly key?: Limits;
  readonly value?: Limits;
  /** What is refused past `max` where InvalidInput is not it. */
  readonly past?: string;
}

const repeated = (character: string) => (length: number) => character.repeat(length);
/** A domain name with labels of 49. */
const domain = (length: number) => Array.from({ length }, (_, i) => (i % 50 === 49 ? '.' : 'l')).join('');
const label = (length: number) => 'l'.repeat(length);

const CAFE = 'caf\u00e9';
const NO_PRINTABLE = ['', ' ', 'a b', '\ta', 'a\n', 'a\u007f', CAFE];

const RESOURCE_ID: Limits = { max: 64 };
const ID_OR_ARN: Limits = { max: 255 };
const SERVICE_NAME: Limits = {
  pattern:
    '((?=^.{1,127}$)^([a-zA-Z0-9_][a-zA-Z0-9-_]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9])(\\.([a-zA-Z0-9_][a-zA-Z0-9-_]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9]))*$)|(^\\.$)',
  legal: ['a', 'Z', '0', '__', '_x._tcp', 'b_', 'A-b_c.D', 'a--b', label(63), domain(127), '.'],
  illegal: [
    ...NO_PRINTABLE,
    '_',
    '-',
    '-a',
    'a-',
    'a-.b',
    'a..b',
    '.a',
    'a.',
    '..',
    'a:b',
    'a/b',
    'a@b',
    label(64),
    `a.${label(64)}`,
    domain(128),
  ],
};
const TAG_KEY: Limits = { min: 1, max: 128 };
const SERVICE_ATTRIBUTE_KEY: Limits = { max: 255 };
const MAX_RESULTS: Limits = { min: 1, max: 100 };
const ATTRIBUTES: Limits = {
  key: {
    max: 255,
    pattern: '^[a-zA-Z0-9!-~]+$',
    legal: ['!', '~', '"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}', 'AWS_SOMETHING_NEW', 'constructor'],
    illegal: NO_PRINTABLE,
    ofLength: [label],
  },
  value: {
    max: 1024,
    pattern: '^([a-zA-Z0-9!-~][ \\ta-zA-Z0-9!-~]*){0,1}[a-zA-Z0-9!-~]{0,1}$',
    legal: ['', '!', '~', 'a b\tc', 'ends in a space ', 'ends in a tab\t'],
    illegal: [' ', '\t', ' a', '\ta', 'a\nb', 'a\n', 'a\u0000', 'a\u007f', CAFE],
    ofLength: [label],
  },
};
const FILTERS: Limits = {};

/** By member, or by structure and member where the name alone does not say it. Enumerated members have none. */
const MEMBERS: Readonly<Record<string, Limits>> = {
  CreatorRequestId: RESOURCE_ID,
  UpdaterRequestId: RESOURCE_ID,
  Description: { max: 1024 },
  Id: ID_OR_ARN,
  ServiceId: ID_OR_ARN,
  NamespaceId: ID_OR_ARN,
  InstanceId: RESOURCE_ID,
  OperationId: { max: 255 },
  Vpc: RESOURCE_ID,
  OwnerAccount: {
    min: 12,
    max: 12,
    pattern: '^\\d{12}$',
    illegal: ['12345678901a', ' 12345678901'],
    ofLength: [repeated('1')],
  },
  NextToken: { max: 4096 },
  MaxResults: MAX_RESULTS,

  'CreateHttpNamespaceRequest.Name': {
    max: 1024,
    pattern: '^(?!arn:)[!-~]{1,1024}$',
    legal: ['!', '~', 'arn', 'ARN:a', 'an-arn:a'],
    illegal: [...NO_PRINTABLE, 'arn:', 'arn:aws:x'],
    ofLength: [label],
  },
  'CreatePrivateDnsNamespaceRequest.Name': {
    max: 253,
    pattern: '^(?!arn:)[!-~]{1,253}$',
    legal: ['!', '~', 'drone-private', '_under_score.local', 'arn', 'ARN:a'],
    illegal: [...NO_PRINTABLE, 'arn:', 'arn:aws:x'],
    ofLength: [domain],
  },
  'CreatePublicDnsNamespaceRequest.Name': {
    max: 253,
    pattern: '^([a-zA-Z0-9]([a-zA-Z0-9\\-]{0,61}[a-zA-Z0-9])?\\.)+[a-zA-Z0-9]([a-zA-Z0-9\\-]{0,61}[a-zA-Z0-9])?$',
    legal: ['a.b', 'xn--caf-dma.example', '1.2.3.example', 'A-b.Example', `${label(63)}.a`, `a.${label(63)}`],
    illegal: [
      ...NO_PRINTABLE,
      'one-label',
      'under_score.example',
      '-a.example',
      'a-.example',
      'a.-b',
      'a.b-',
      'a.example.',
      '.example',
      'a..b',
      `${label(64)}.a`,
      `a.${label(64)}`,
    ],
    ofLength: [domain],
  },
  NamespaceName: {
    max: 1024,
    pattern: '^[!-~]{1,1024}$',
    // Not the names that CreateHttpNamespace is tried with: these are to be unknown.
    legal: ['!!', '~~', 'arn:aws:x'],
    illegal: NO_PRINTABLE,
    ofLength: [repeated('n')],
  },
  'CreateServiceRequest.Name': SERVICE_NAME,
  ServiceName: SERVICE_NAME,

  TTL: { min: 0, max: 2_147_483_647 },
  FailureThreshold: { min: 1, max: 10 },
  ResourcePath: { max: 255 },
  DnsRecords: {},

  'RegisterInstanceRequest.InstanceId': {
    max: 64,
    pattern: '^[0-9a-zA-Z_/:.@-]+$',
    legal: ['0', 'z', 'A', '_', '/', ':', '.', '@', '-', 'a_b/c:d.e@f-g'],
    illegal: ['', ' ', 'a b', 'a\n', 'a!', 'a#b', 'a%b', 'a\\b', 'a~', CAFE],
    ofLength: [label],
  },
  'RegisterInstanceRequest.Attributes': ATTRIBUTES,
  QueryParameters: ATTRIBUTES,
  OptionalParameters: ATTRIBUTES,
  Instances: { min: 1, item: RESOURCE_ID },
  'DiscoverInstancesRequest.MaxResults': { min: 1, max: 1000 },

  'UpdateServiceAttributesRequest.Attributes': {
    min: 1,
    max: 30,
    key: SERVICE_ATTRIBUTE_KEY,
    value: { max: 1024 },
    past: 'ServiceAttributesLimitExceededException',
  },
  'DeleteServiceAttributesRequest.Attributes': { min: 1, max: 30, item: SERVICE_ATTRIBUTE_KEY },

  ResourceARN: {
    min: 1,
    max: 1011,
    ofLength: [
      (length) => 'arn:aws:servicediscovery:us-east-1:123456789012:service/'.padEnd(length, 's').slice(0, length),
    ],
  },
  Tags: { min: 0, max: 200, itemAt: (i) => ({ Key: `key-${i}`, Value: '' }) },
  'Tag.Key': TAG_KEY,
  'Tag.Value': { min: 0, max: 256 },
  TagKeys: { min: 0, max: 200, item: TAG_KEY },

  Filters: FILTERS,
  Values: { item: { min: 1, max: 255 } },
};

/** @throws Error on a member that the table does not have: a newer SDK has brought it */
export function limitsOf(structure: string, member: string): Limits {
  const limits = MEMBERS[`${structure}.${member}`] ?? MEMBERS[member];
  if (limits === undefined) throw new Error(`${structure}.${member} has no limits in ${import.meta.filename}`);
  return limits;
}

/** Texts as long as that, one for each way to count characters that must not matter. */
export function textsOf(limits: Limits, length: number): string[] {
  return (limits.ofLength ?? [label, repeated('\u{1f600}')]).map((make) => make(length));
}
