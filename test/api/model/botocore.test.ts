/** The table of limits and the SDK's model, compared with botocore's copy of the service model. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, type TestContext } from 'vitest';
import { skipOrFail } from '../../support/journey-tools.ts';
import { type Limits, limitsOf } from './limits.ts';
import { readInputs, type Shape, type Structure } from './sdk-model.ts';

const INPUTS = readInputs();

/** What of botocore's model is read here. */
interface Model {
  readonly operations: Readonly<Record<string, { readonly input: { readonly shape: string } }>>;
  readonly shapes: Readonly<Record<string, ModelShape>>;
}
interface ModelShape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly required?: readonly string[];
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly enum?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
}

/** Where the table is to differ from the model, whatever its age. */
const CHOSEN = [
  // The ARN of a namespace, which has more than 64 characters, is taken here as it is wherever a namespace is named.
  /^DnsConfig\.NamespaceId max 64 -> 255$/,
  // The model asks for twelve characters; account numbers are twelve digits.
  /^\w+Request\.OwnerAccount pattern undefined -> /,
];

/** What AWS has added since the botocore of Debian 12, which is of 2022. */
const ADDED = [
  // August 2025: ARNs in place of ids, and the owners that this needs.
  /^\w+Request\.(Id|ServiceId|NamespaceId|OperationId) max 64 -> 255$/,
  /^\w+Request\.OwnerAccount is new$/,
  /^\w+Request\.NamespaceName pattern undefined -> /,
  /^Create(Http|PrivateDns)NamespaceRequest\.Name pattern \^\[!-~\]\{1,(1024|253)\}\$ -> \^\(\?!arn:\)/,
  /^NamespaceFilter\.Name enum HTTP_NAME,NAME,TYPE -> HTTP_NAME,NAME,RESOURCE_OWNER,TYPE$/,
  /^ServiceFilter\.Name enum NAMESPACE_ID -> NAMESPACE_ID,RESOURCE_OWNER$/,
  // Whole operations.
  /^(DiscoverInstancesRevision|(Delete|Get|Update)ServiceAttributes) is new$/,
];

describe("botocore's service model", () => {
  it('has the same limits, required members and enumerations, but for known differences', (context) => {
    const known = [...CHOSEN, ...ADDED];
    const differences = differencesFrom(readBotocoreModel(context));
    expect(differences.filter((difference) => !known.some((pattern) => pattern.test(difference)))).toEqual([]);
  });
});

/** Of whatever Python's botocore there is; skips the test where there is none. */
function readBotocoreModel(context: TestContext): Model {
  const { stdout } = spawnSync('python3', ['-c', 'import botocore; print(botocore.__path__[0])'], { encoding: 'utf8' });
  const file = `${stdout ?? ''}`.trim().concat('/data/servicediscovery/2017-03-14/service-2.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Model;
  const compressed = `${file}.gz`;
  if (!existsSync(compressed)) skipOrFail(context, 'Python has no botocore on this machine');
  return JSON.parse(gunzipSync(readFileSync(compressed)).toString()) as Model;
}

/** `what theirs -> ours`, or `what is new` where the model does not have it. */
function differencesFrom({ operations, shapes }: Model): string[] {
  const differences = new Set<string>();
  const compare = (what: string, theirs: unknown, ours: unknown) => {
    if (String(theirs) !== String(ours)) differences.add(`${what} ${theirs} -> ${ours}`);
  };
  const compareLimits = (what: string, theirs: ModelShape, ours: Limits) => {
    for (const aspect of ['min', 'max', 'pattern'] as const) compare(`${what} ${aspect}`, theirs[aspect], ours[aspect]);
  };
  const compareValue = (what: string, theirs: ModelShape, ours: Shape, limits: () => Limits) => {
    const types = { text: ['string'], number: ['integer', 'long'], boolean: ['boolean'], list: ['list'], map: ['map'] };
    if (ours.kind === 'structure') return compareStructure(theirs, ours);
    expect(types[ours.kind], what).toContain(theirs.type);
    if (ours.kind === 'text' && ours.values !== undefined) {
      return compare(`${what} enum`, [...(theirs.enum ?? [])].sort(), [...ours.values].sort());
    }
    compareLimits(what, theirs, limits());
    const inner = (reference: { readonly shape: string } | undefined) => shapes[`${reference?.shape}`] as ModelShape;
    if (ours.kind === 'list') {
      compareValue(`${what} item`, inner(theirs.member), ours.item, () => limits().item ?? {});
    }
    if (ours.kind === 'map') {
      compareLimits(`${what} key`, inner(theirs.key), limits().key ?? {});
      compareValue(`${what} value`, inner(theirs.value), ours.value, () => limits().value ?? {});
    }
  };
  const compareStructure = (theirs: ModelShape, { name, members }: Structure) => {
    const known = theirs.members ?? {};
    for (const member of Object.keys(known)) if (!members.has(member)) differences.add(`${name}.${member} is missing`);
    for (const [member, { isRequired, shape }] of members) {
      const reference = known[member];
      if (reference === undefined) {
        differences.add(`${name}.${member} is new`);
        continue;
      }
      compare(`${name}.${member} required`, theirs.required?.includes(member) ?? false, isRequired);
      const limits = () => limitsOf(name, member);
      compareValue(`${name}.${member}`, shapes[reference.shape] as ModelShape, shape, limits);
    }
  };
  for (const operation of Object.keys(operations))
    if (!INPUTS.has(operation)) differences.add(`${operation} is missing`);
  for (const [operation, input] of INPUTS) {
    const known = operations[operation];
    if (known === undefined) differences.add(`${operation} is new`);
    else compareStructure(shapes[known.input.shape] as ModelShape, input);
  }
  return [...differences];
}
