/**
 * Replays calls as well-known clients were seen to make them, in their order and with their headers, and checks what
 * those clients read out of the answers. The tables are ours; each says in which public source its calls were read.
 */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { CONTENT_TYPE, rawRequest, TARGET, UUID, type WireBody } from './api.ts';
import type { RunningDaemon } from './daemon.ts';
import { dig } from './dns.ts';
import { waitFor } from './journey-tools.ts';

/** One call. In strings, `$name` stands for what an earlier answer was kept as. */
export interface Call {
  readonly call: string;
  readonly body: object;
  /** What the client looks at in the answer. */
  readonly reads?: object;
  /** What it compares as a whole: path in the answer -> all that is to be there; the empty path is the answer. */
  readonly exactly?: Readonly<Record<string, unknown>>;
  /** The error that the client acts upon; there is no answer then. */
  readonly refused?: string;
  /** Name -> path in the answer, such as `Operation.Targets.NAMESPACE`. */
  readonly keep?: Readonly<Record<string, string>>;
  /** Made again until the operation has ended. */
  readonly polls?: boolean;
}

/** One question of DNS. */
export interface Question {
  readonly ask: readonly [name: string, type: string];
  /** The records in order of their text, or the RCODE where there are none. */
  readonly answer: readonly string[] | string;
  /** It may take until something outside has been asked. */
  readonly eventually?: boolean;
}

export type Step = Call | Question;
export type Kept = Readonly<Record<string, unknown>>;

/** The headers of a client, by what is called; the prefix is where the service model has one. */
export type Client = (operation: string, body: string, daemon: RunningDaemon) => Readonly<Record<string, string>>;

const PREFIXED: readonly string[] = ['DiscoverInstances', 'DiscoverInstancesRevision'];
const SIGNED_AT = '20261122T201507Z';

function commonHeaders(operation: string, body: string, { httpPort }: RunningDaemon, signed: string): object {
  return {
    Host: `${PREFIXED.includes(operation) ? 'data-' : ''}cloudmap:${httpPort}`,
    'Content-Type': CONTENT_TYPE,
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Amz-Date': SIGNED_AT,
    'X-Amz-Target': `${TARGET}${operation}`,
    Authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/servicediscovery/aws4_request, SignedHeaders=${signed}, Signature=${'5d'.repeat(32)}`,
  };
}

/**
 * aws/aws-sdk-go-v2: content type and target as in service/servicediscovery/serializers.go, the rest as in logs of it.
 * @param product what stands before the SDK in the user agent
 */
export function goV2(product: string, maxAttempts: number): Client {
  return (operation, body, daemon) => ({
    ...commonHeaders(
      operation,
      body,
      daemon,
      'amz-sdk-invocation-id;content-length;content-type;host;x-amz-date;x-amz-target',
    ),
    'User-Agent': `${product} aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.8 md/GOOS#linux md/GOARCH#amd64 api/servicediscovery#1.35.3 m/E`,
    'Amz-Sdk-Invocation-Id': randomUUID(),
    'Amz-Sdk-Request': `attempt=1; max=${maxAttempts}`,
    'Accept-Encoding': 'gzip',
  });
}

/** aws/aws-sdk-go, the one before: it counts no attempts. @param product what stands behind the SDK */
export function goV1(product: string): Client {
  return (operation, body, daemon) => ({
    ...commonHeaders(operation, body, daemon, 'content-length;content-type;host;x-amz-date;x-amz-target'),
    'User-Agent': `aws-sdk-go/1.44.311 (go1.21.5; linux; amd64) ${product}`,
    'Accept-Encoding': 'gzip',
  });
}

/** aws/aws-sdk-js-v3 in a Lambda function, as in logs of it: session credentials, and the body's hash as a header. */
export const lambdaJs: Client = (operation, body, daemon) => ({
  ...commonHeaders(
    operation,
    body,
    daemon,
    'amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target;x-amz-user-agent',
  ),
  'user-agent':
    'aws-sdk-js/3.632.0 ua/2.0 os/linux#5.10 lang/js md/nodejs#20.18.0 api/servicediscovery#3.632.0 exec-env/AWS_Lambda_nodejs20.x',
  'x-amz-user-agent': 'aws-sdk-js/3.632.0',
  'x-amz-security-token': 'session',
  'x-amz-content-sha256': 'ab'.repeat(32),
  'amz-sdk-invocation-id': randomUUID(),
  'amz-sdk-request': 'attempt=1; max=3',
});

/** A service of AWS itself. How it calls is not public: what every signed call has, and the name CloudTrail shows. */
export function awsService(name: string): Client {
  return (operation, body, daemon) => ({
    ...commonHeaders(operation, body, daemon, 'content-type;host;x-amz-date;x-amz-security-token;x-amz-target'),
    'User-Agent': `${name}.amazonaws.com`,
    'X-Amz-Security-Token': 'session',
  });
}

/** GetOperation until it has ended, as clients do with whatever answers an OperationId; it has to have succeeded. */
export function waits(operation: string, rest: Pick<Call, 'keep' | 'reads'> = {}): Call {
  const reads = { Operation: { Status: 'SUCCESS' }, ...rest.reads };
  return { call: 'GetOperation', body: { OperationId: operation }, polls: true, ...rest, reads };
}

/** Takes the steps in order. @returns what was kept, also from before */
export async function replay(
  daemon: RunningDaemon,
  client: Client,
  steps: readonly Step[],
  before: Kept = {},
): Promise<Kept> {
  const kept: Record<string, unknown> = { ...before };
  for (const [i, step] of steps.entries()) {
    if ('ask' in step) {
      await ask(daemon, step, `step ${i}`);
      continue;
    }
    const reply = await send(daemon, client, fill(step, kept) as Call, `step ${i}: ${step.call}`);
    for (const [name, path] of Object.entries(step.keep ?? {})) {
      kept[name] = at(reply, path);
      expect(kept[name], `step ${i}: ${step.call} ${path}`).toBeDefined();
    }
  }
  return kept;
}

async function ask({ dnsPort }: RunningDaemon, { ask: [name, type], answer, eventually }: Question, where: string) {
  const found = async () => {
    const { rcode, answer: records } = await dig(dnsPort, name, type);
    return records.length > 0 ? records.sort() : rcode;
  };
  if (eventually) await waitFor(`${name} ${type}`, async () => (Array.isArray(await found()) ? true : null));
  expect(await found(), `${where}: ${name} ${type}`).toEqual(answer);
}

/** One call without placeholders. @param where for a failure's message @returns the answer */
export async function send(
  daemon: RunningDaemon,
  client: Client,
  call: Call,
  where: string = call.call,
): Promise<Partial<WireBody>> {
  const body = JSON.stringify(call.body);
  const headers = client(call.call, body, daemon);
  const { status, headers: answered, text } = await rawRequest(daemon.httpPort, { headers, body });
  const reply = JSON.parse(text) as Partial<WireBody>;
  expect(answered['content-type'], where).toBe(CONTENT_TYPE);
  expect(answered['x-amzn-requestid'], where).toMatch(UUID);
  if (call.refused !== undefined) {
    expect({ status, ...reply }, where).toMatchObject({
      status: 400,
      __type: call.refused,
      Message: expect.stringMatching(/\S/),
    });
    return reply;
  }
  expect({ status, text }, `${where} ${body}`).toEqual({ status: 200, text });
  if (call.polls && ['SUBMITTED', 'PENDING'].includes(`${reply.Operation?.Status}`)) {
    return send(daemon, client, call, where);
  }
  expect(reply, where).toMatchObject(call.reads ?? {});
  for (const [path, value] of Object.entries(call.exactly ?? {})) {
    expect(at(reply, path), `${where} ${path}`).toEqual(value);
  }
  return reply;
}

/** Puts what was kept in the place of `$name`; matchers of expect stay what they are. */
function fill(value: unknown, kept: Kept): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(/\$([a-z]\w*)/gi, (_, name: string) => {
      if (kept[name] === undefined) throw new Error(`nothing was kept as ${name}`);
      return String(kept[name]);
    });
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, kept));
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member, kept)]));
}

function at(value: unknown, path: string): unknown {
  if (path === '') return value;
  return path.split('.').reduce<unknown>((inner, key) => (inner as Kept | undefined)?.[key], value);
}
