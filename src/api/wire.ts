/** AWS JSON 1.1: the target header picks the action, its schema reads the body, errors get their wire form. */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Log } from '../log.ts';
import { ServiceError } from '../registry/errors.ts';
import { isStoreFailure, type Registry } from '../registry/registry.ts';
import type { Action, Disturbance, Outside } from './action.ts';
import { discoveryActions } from './actions/discovery.ts';
import { instanceActions } from './actions/instances.ts';
import { namespaceActions } from './actions/namespaces.ts';
import { operationActions } from './actions/operations.ts';
import { serviceAttributeActions } from './actions/service-attributes.ts';
import { serviceActions } from './actions/services.ts';
import { tagActions } from './actions/tags.ts';
import { CONTENT_TYPE, TARGET_PREFIX } from './server.ts';

/** Every action there is, by its wire name. */
export const ACTIONS: ReadonlyMap<string, Action> = new Map(
  Object.entries({
    ...namespaceActions,
    ...serviceActions,
    ...serviceAttributeActions,
    ...instanceActions,
    ...discoveryActions,
    ...operationActions,
    ...tagActions,
  }),
);

/** An error of the protocol rather than of the service. AWS documents none: names and statuses are our choice. */
class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** A call that was answered. */
export interface AnsweredCall {
  /** `unknown`: there is no such one. */
  readonly operation: string;
  /** The error's type; `none`: it succeeded. */
  readonly error: string;
  readonly seconds: number;
}

/** Of replies that say an error: its type. */
const errorTypes = new WeakMap<FastifyReply, string>();
/** What the server says before a call comes this far. */
const REFUSED_TYPE = 'AccessDeniedException';

/** @param onCall told of each call of the API when its answer has been sent */
export function observeCalls(app: FastifyInstance, onCall: (call: AnsweredCall) => void): void {
  app.addHook('onResponse', async (request, reply) => {
    if (request.routeOptions.url !== '/') return;
    const name = operationOf(request.headers['x-amz-target']);
    const error = errorTypes.get(reply) ?? (reply.statusCode < 400 ? 'none' : REFUSED_TYPE);
    onCall({ operation: ACTIONS.has(name) ? name : 'unknown', error, seconds: reply.elapsedTime / 1000 });
  });
}

/** Calls under way at once: each waits in memory for its commit. Clients take the refusal for what it is and try again. */
export const MAX_CALLS = 10_000;

/**
 * Serves the API at `POST /`.
 * @param registry the registry, or null while the state is not loaded
 * @param outside what handlers may ask besides the registry
 * @param disturb what fault a call of the operation meets; null: none
 * @param throttles by wire name, each called before its action is carried out and throwing where there were too many
 * @param maxCalls so many may be under way at once
 */
export function registerApi(
  app: FastifyInstance,
  registry: () => Registry | null,
  throttles: ReadonlyMap<string, () => void>,
  outside: Outside,
  log: Log,
  maxCalls = MAX_CALLS,
  disturb: (operation: string) => Disturbance | null = () => null,
): void {
  let underWay = 0;
  // Clients send the API's own content type, curl sends a form's: the body is read as JSON whatever it is called.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  app.post('/', async (request, reply) => {
    const loaded = registry();
    if (loaded === null) throw new ProtocolError('ServiceUnavailable', 503, 'The state is being loaded.');
    const { name, action } = pickAction(request.headers['x-amz-target']);
    throttles.get(name)?.();
    const input = readInput(action.schema, parseBody(request.body));
    if (underWay >= maxCalls) {
      throw new ProtocolError('ServiceUnavailable', 503, `${maxCalls} calls are under way already.`);
    }
    underWay++;
    try {
      const disturbance = disturb(name);
      if (disturbance !== null) await meet(disturbance);
      return send(reply, 200, await action.handle(input, loaded, outside));
    } finally {
      underWay--;
    }
  });

  app.setNotFoundHandler((request, reply) => {
    const isApi = request.url.split('?', 1)[0] === '/';
    if (isApi) reply.header('allow', 'POST');
    const error = isApi
      ? new ProtocolError('MethodNotAllowed', 405, `The API takes POST, not ${request.method}.`)
      : new ProtocolError('NotFound', 404, `There is nothing at ${request.url}.`);
    return sendError(reply, error);
  });

  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof ServiceError || error instanceof ProtocolError) return sendError(reply, error);
    // What fastify itself refuses: a body that is too large or does not come whole.
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return sendError(reply, new ProtocolError('SerializationException', 400, error.message));
    }
    // One line for all that fail meanwhile is in the log already.
    if (isStoreFailure(error)) {
      return sendError(reply, new ProtocolError('InternalFailure', 500, `Nothing was changed: ${error.message}.`));
    }
    log.error({ err: error }, 'a request failed');
    return sendError(
      reply,
      new ProtocolError('InternalFailure', 500, 'The request could not be carried out; the log says why.'),
    );
  });
}

/** @throws ServiceError, ProtocolError: what the fault makes of the call */
async function meet({ outcome, wait }: Disturbance): Promise<void> {
  await wait();
  const message = 'A fault is injected here (/admin/faults); nothing was changed.';
  if (outcome === 'throttle') throw new ServiceError('RequestLimitExceeded', message);
  if (outcome === 'fail') throw new ProtocolError('InternalFailure', 500, message);
}

function pickAction(target: string | string[] | undefined): { name: string; action: Action } {
  const name = operationOf(target);
  const action = ACTIONS.get(name);
  if (action !== undefined) return { name, action };
  const reason = `X-Amz-Target is "${String(target ?? '')}"; ${TARGET_PREFIX}<operation> is expected.`;
  throw new ProtocolError('UnknownOperationException', 400, reason);
}

/** Empty where the header names none. */
function operationOf(target: string | string[] | undefined): string {
  const text = String(target ?? '');
  return text.startsWith(TARGET_PREFIX) ? text.slice(TARGET_PREFIX.length) : '';
}

function parseBody(body: unknown): unknown {
  // AWS's clients send {} where there is no input; that an empty body is the same is our choice.
  if (typeof body !== 'string' || body === '') return {};
  try {
    return withoutNulls(JSON.parse(body));
  } catch (cause) {
    throw new ProtocolError('SerializationException', 400, `The body is not JSON: ${(cause as Error).message}`);
  }
}

/** JSON null is an absent member: AWS says so of responses, of requests it is our choice. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  const members: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    // Defined, not assigned: a member may be called __proto__.
    if (member !== null) Object.defineProperty(members, key, { value: withoutNulls(member), enumerable: true });
  }
  return members;
}

/** Members that the schema does not have are ignored: AWS does not say what becomes of them. */
function readInput(schema: z.ZodType, body: unknown): unknown {
  const result = schema.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  const { issues } = result.error;
  // AWS does not document the order of its checks. Ours: types, then lengths, ranges and patterns, then what the
  // registry says: not found, the rules across members, conflicts, quotas.
  const mistyped = issues.find(isMistyped);
  if (mistyped !== undefined) {
    throw new ProtocolError(
      'SerializationException',
      400,
      `${mistyped.path.join('.') || 'The body'}: ${mistyped.message}`,
    );
  }
  const issue = issues[0] as z.core.$ZodIssue;
  throw new ServiceError(
    'InvalidInput',
    `${issue.path.join('.')}: ${isMissing(issue) ? 'is required' : issue.message}`,
  );
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return (issue.code === 'invalid_type' || issue.code === 'invalid_value') && issue.input === undefined;
}

/** The value has another JSON type than the member; a number with a fraction, or beyond 2^53, has the right one. */
function isMistyped(issue: z.core.$ZodIssue): boolean {
  if (isMissing(issue)) return false;
  if (issue.code === 'invalid_value') return typeof issue.input !== 'string';
  return (
    issue.code === 'invalid_type' && !(typeof issue.input === 'number' && ['int', 'number'].includes(issue.expected))
  );
}

function sendError(reply: FastifyReply, error: ServiceError | ProtocolError): FastifyReply {
  const members = error instanceof ServiceError ? error.members : {};
  // 400 for every error, as the API reference says; the service model's 404, 409 and 429 are not used on the wire.
  const status = error instanceof ServiceError ? 400 : error.status;
  errorTypes.set(reply, error.code);
  return send(reply, status, { __type: error.code, Message: error.message, ...members });
}

function send(reply: FastifyReply, status: number, body: object): FastifyReply {
  return (
    reply
      .code(status)
      .header('content-type', CONTENT_TYPE)
      .header('x-amzn-requestid', randomUUID())
      // As bytes: to text fastify adds a charset, which the API's content type does not have.
      .send(Buffer.from(JSON.stringify(body)))
  );
}
