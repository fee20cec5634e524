/** Pages of lists: opaque tokens that say behind which key to go on, so that items may come and go between pages. */
import { z } from 'zod';
import { invalidInput } from '../registry/errors.ts';
import { text } from './text.ts';

const DEFAULT_PAGE = 100;
/** So many pages' items are gathered before the smallest are kept. */
const SORT_SIZES = 4;

/** The paging members of a request. */
export const pageInput = {
  MaxResults: z.int().min(1).max(100).optional(),
  NextToken: text(4096).optional(),
};

export interface PageInput {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** Whether a page of this list would begin behind the key. @throws ServiceError InvalidInput on a foreign token */
export function isBehind(key: string, { NextToken }: PageInput, scope: string): boolean {
  return NextToken !== undefined && key <= readToken(NextToken, scope);
}

/**
 * The items behind the token, at most MaxResults of them, in the order of their keys. AWS leaves the order open, and
 * cuts its pages before it filters; here they come filtered, so that only the last page is short.
 * @param scope which list it is: a token of another one is refused
 * @throws ServiceError InvalidInput on a token that this list did not give
 */
export function pageOf<T>(
  items: Iterable<T>,
  keyOf: (item: T) => string,
  input: PageInput,
  scope: string,
): { items: T[]; NextToken?: string } {
  const after = input.NextToken === undefined ? null : readToken(input.NextToken, scope);
  const size = input.MaxResults ?? DEFAULT_PAGE;
  let rest: { key: string; item: T }[] = [];
  // The last key that could still be on the page, once there are more than enough.
  let most: string | null = null;
  const sort = (): void => {
    rest.sort((a, b) => (a.key < b.key ? -1 : 1));
  };
  for (const item of items) {
    const key = keyOf(item);
    if ((after !== null && key <= after) || (most !== null && key >= most)) continue;
    // Sorting all that is behind the token would make a list's pages cost the square of its length.
    if (rest.push({ key, item }) < SORT_SIZES * (size + 1)) continue;
    sort();
    rest = rest.slice(0, size + 1);
    most = (rest[size] as { key: string }).key;
  }
  sort();
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    ...(rest.length > size && last !== undefined ? { NextToken: writeToken(scope, last.key) } : {}),
  };
}

function writeToken(scope: string, key: string): string {
  return Buffer.from(JSON.stringify([scope, key])).toString('base64url');
}

const tokenContent = z.tuple([z.string(), z.string()]);

/** AWS names no error for a token that it did not give; ours is InvalidInput. */
function readToken(token: string, scope: string): string {
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw invalidInput('The NextToken is not one that this operation gave.');
  }
  const parsed = tokenContent.safeParse(content);
  if (!parsed.success || parsed.data[0] !== scope)
    throw invalidInput('The NextToken is not one that this operation gave.');
  return parsed.data[1];
}
