/** Tags of namespaces and services (Cloud Map: TagResource, UntagResource, ListTagsForResource). */
import type { Context, Decision } from './decision.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { idFrom } from './ids.ts';
import type { Change, Namespace, Service } from './model.ts';
import type { State } from './state.ts';

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/**
 * A request's tag list as a map. AWS names no error for a key given twice or reserved; ours is InvalidInput.
 * @throws ServiceError InvalidInput
 */
export function readTags(tags: readonly Tag[]): Record<string, string> {
  const given = new Map<string, string>();
  for (const { key, value } of tags) {
    if (given.has(key)) throw invalidInput(`The tag key "${key}" is given twice.`);
    if (key.toLowerCase().startsWith('aws:')) {
      throw invalidInput(`The tag key "${key}" begins with the reserved "aws:".`);
    }
    given.set(key, value);
  }
  return Object.fromEntries(given);
}

/**
 * @param resource what TooManyTagsException names
 * @throws ServiceError TooManyTagsException
 */
export function requireTagQuota(
  tags: Readonly<Record<string, string>>,
  resource: string,
  { options }: Pick<Context, 'options'>,
): void {
  const count = Object.keys(tags).length;
  const { tags: quota } = options.quotas;
  if (quota === 0 || count <= quota) return;
  const message = `A resource has at most ${quota} tags; it would have ${count}.`;
  throw new ServiceError('TooManyTagsException', message, { ResourceName: resource });
}

export function tagResource(
  state: State,
  command: { arn: string; tags: readonly Tag[] },
  context: Context,
): Decision<null> {
  const found = requireTaggable(state, command.arn, context);
  const tags = { ...found.value.tags, ...readTags(command.tags) };
  requireTagQuota(tags, command.arn, context);
  return { changes: putTags(found, tags), result: null };
}

/** A key that the resource does not have is no error; AWS names none. */
export function untagResource(
  state: State,
  command: { arn: string; keys: readonly string[] },
  context: Context,
): Decision<null> {
  const found = requireTaggable(state, command.arn, context);
  const left = Object.entries(found.value.tags).filter(([key]) => !command.keys.includes(key));
  return { changes: putTags(found, Object.fromEntries(left)), result: null };
}

type Taggable = { kind: 'namespace'; value: Namespace } | { kind: 'service'; value: Service };

/** @throws ServiceError InvalidInput: no ARN; ResourceNotFoundException: of nothing here */
export function requireTaggable(state: State, arn: string, { options }: Pick<Context, 'options'>): Taggable {
  // AWS does not tell the two errors apart; here what is no ARN at all is InvalidInput.
  if (!/^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+$/.test(arn)) throw invalidInput(`"${arn}" is not an ARN.`);
  const namespace = state.namespace(idFrom(options, 'namespace', arn));
  if (namespace !== undefined) return { kind: 'namespace', value: namespace };
  const service = state.service(idFrom(options, 'service', arn));
  if (service !== undefined) return { kind: 'service', value: service };
  throw new ServiceError('ResourceNotFoundException', `Nothing here has the ARN "${arn}".`);
}

function putTags(found: Taggable, tags: Record<string, string>): Change[] {
  return found.kind === 'namespace'
    ? [{ kind: 'namespace', id: found.value.id, value: { ...found.value, tags } }]
    : [{ kind: 'service', id: found.value.id, value: { ...found.value, tags } }];
}
