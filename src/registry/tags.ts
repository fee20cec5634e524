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
 * A request's tag list as a map.
 * @param resource what TooManyTagsException names
 * @param earlier tags that the resource has; a key given again gets the new value
 * @throws ServiceError InvalidInput: a key twice or reserved; TooManyTagsException: more than the quota, merged
 */
export function checkTags(
  tags: readonly Tag[],
  resource: string,
  { options }: Pick<Context, 'options'>,
  earlier: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const given = new Map<string, string>();
  for (const { key, value } of tags) {
    if (given.has(key)) throw invalidInput(`The tag key "${key}" is given twice.`);
    if (key.toLowerCase().startsWith('aws:')) {
      throw invalidInput(`The tag key "${key}" begins with the reserved "aws:".`);
    }
    given.set(key, value);
  }
  const merged = new Map([...Object.entries(earlier), ...given]);
  const { tags: quota } = options.quotas;
  if (quota > 0 && merged.size > quota) {
    const message = `A resource has at most ${quota} tags; it would have ${merged.size}.`;
    throw new ServiceError('TooManyTagsException', message, { ResourceName: resource });
  }
  return Object.fromEntries(merged);
}

export function tagResource(
  state: State,
  command: { arn: string; tags: readonly Tag[] },
  context: Context,
): Decision<null> {
  const found = requireTaggable(state, command.arn, context);
  return { changes: putTags(found, checkTags(command.tags, command.arn, context, found.value.tags)), result: null };
}

/** A key that the resource does not have is no error. */
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
  if (!arn.startsWith('arn:')) throw invalidInput(`"${arn}" is not an ARN.`);
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
