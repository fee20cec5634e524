/** Tags of namespaces and services (Cloud Map: Tag). */
import { invalidInput, ServiceError } from './errors.ts';
import { MAX_TAGS } from './limits.ts';

/**
 * A request's tag list as a map.
 * @param resource what TooManyTagsException names
 * @throws ServiceError InvalidInput: a key twice or reserved; TooManyTagsException: more than 50
 */
export function checkTags(tags: readonly { key: string; value: string }[], resource: string): Record<string, string> {
  const checked = new Map<string, string>();
  for (const { key, value } of tags) {
    if (checked.has(key)) throw invalidInput(`The tag key "${key}" is given twice.`);
    if (key.toLowerCase().startsWith('aws:'))
      throw invalidInput(`The tag key "${key}" begins with the reserved "aws:".`);
    checked.set(key, value);
  }
  if (checked.size > MAX_TAGS) {
    throw new ServiceError(
      'TooManyTagsException',
      `A resource has at most ${MAX_TAGS} tags; ${checked.size} are given.`,
      {
        ResourceName: resource,
      },
    );
  }
  return Object.fromEntries(checked);
}
