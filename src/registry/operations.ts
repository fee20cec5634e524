/** Operations: accepted, pending for as long as the delay says, ended; and how a repeated request finds its first. */
import { createHash } from 'node:crypto';
import type { Context, Decision } from './decision.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { operationId } from './ids.ts';
import type { Change, Operation, OperationType, TargetType, Work } from './model.ts';
import type { State } from './state.ts';

/** AWS does not say how long operations can be looked up; these bound the memory they take. */
export const OPERATION_RETENTION_MS = 30 * 24 * 3600 * 1000;
export const MAX_OPERATIONS = 100_000;

/**
 * A request that may be repeated: the action, what it is about, the caller's request id; and its parameters. AWS says
 * what request ids are for, not how they are compared: their scope, and how long they are remembered, are our choice.
 */
export interface RequestMark {
  readonly key: string;
  readonly digest: string;
}

/** @param requestId the caller's CreatorRequestId; null: cannot be repeated */
export function markRequest(scope: string, requestId: string | null, parameters: unknown): RequestMark | null {
  if (requestId === null) return null;
  return { key: `${scope}/${requestId}`, digest: digestOf(parameters) };
}

/** Equal for equal parameters, whatever the order of their keys. */
export function digestOf(parameters: unknown): string {
  const sorted = JSON.stringify(parameters, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(sorted).digest('base64url').slice(0, 22);
}

/**
 * The operation that the request got the first time, or undefined where it is new (or failed then).
 * @throws ServiceError InvalidInput where its id came with other parameters before
 */
export function recallRequest(state: State, request: RequestMark | null): Operation | undefined {
  if (request === null) return undefined;
  const earlier = state.operationByRequest(request.key);
  if (earlier === undefined || earlier.status === 'FAIL') return undefined;
  if (earlier.request?.digest !== request.digest) {
    throw invalidInput('The request id was used before, with other parameters.');
  }
  return earlier;
}

/** @throws ServiceError DuplicateRequest where an operation on the target has not ended */
export function requireNonePending(state: State, target: string): void {
  const pending = state.pendingOperationOn(target);
  if (pending === undefined) return;
  throw new ServiceError(
    'DuplicateRequest',
    `Another operation of type ${pending.type} and id ${pending.id} is in progress.`,
    {
      DuplicateOperationId: pending.id,
    },
  );
}

/**
 * Accepts an operation. Without a delay it is carried out in the same decision.
 * @param carryOut the work's changes
 */
export function acceptOperation<W extends Work>(
  state: State,
  context: Context,
  accepted: {
    type: OperationType;
    targets: Partial<Record<TargetType, string>>;
    request: RequestMark | null;
    work: (operationId: string) => W;
  },
  carryOut: (work: W) => Change[],
): Decision<{ operationId: string }> {
  const { now, options } = context;
  const id = operationId(context.random, now);
  const work = accepted.work(id);
  const isDelayed = options.operationDelayMs > 0;
  if (isDelayed && state.pendingCount >= MAX_OPERATIONS) {
    throw new ServiceError('ResourceLimitExceeded', `${MAX_OPERATIONS} operations are pending; wait until some end.`);
  }
  const operation: Operation = {
    id,
    type: accepted.type,
    status: isDelayed ? 'PENDING' : 'SUCCESS',
    createdAt: now,
    updatedAt: now,
    targets: accepted.targets,
    error: null,
    work: isDelayed ? work : null,
    dueAt: now + options.operationDelayMs,
    request: accepted.request,
  };
  return {
    changes: [
      ...(isDelayed ? [] : carryOut(work)),
      { kind: 'operation', id, value: operation },
      ...dropOldest(state, now),
    ],
    result: { operationId: id },
  };
}

/** Ended operations that are too old, or too many now that one more comes. */
function dropOldest(state: State, now: number): Change[] {
  const changes: Change[] = [];
  let left = state.operationCount + 1;
  for (const operation of state.operations()) {
    if (left <= MAX_OPERATIONS && operation.createdAt > now - OPERATION_RETENTION_MS) break;
    if (operation.status === 'PENDING') continue;
    changes.push({ kind: 'operation', id: operation.id, value: null });
    left--;
  }
  return changes;
}

/** What the operation made is gone or replaced, so its request may be made again (cloud map: CreatorRequestId). */
export function forgetRequest(state: State, operationId: string | null): Change[] {
  const operation = state.operation(operationId ?? '');
  if (operation === undefined || operation.request === null) return [];
  return [{ kind: 'operation', id: operation.id, value: { ...operation, request: null } }];
}
