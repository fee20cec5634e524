/** Pages of a list, whatever the order that its items are held in. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pageOf } from '../../src/api/page.ts';

it('pages hold every item once, in the order of their keys, and all but the last are full', () => {
  const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 0, maxLength: 200 });
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 12 }), (items, size) => {
      const pages: (readonly string[])[] = [];
      let token: string | undefined;
      do {
        const page = pageOf(items, (item) => item, { MaxResults: size, NextToken: token }, 'list');
        pages.push(page.items);
        token = page.NextToken;
      } while (token !== undefined);
      expect(pages.flat()).toEqual([...items].sort((a, b) => (a < b ? -1 : 1)));
      expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
    }),
  );
});
