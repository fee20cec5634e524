/** What somebody may have had in mind who asks for a name that nothing has. */
import type { Namespace } from '../registry/model.ts';
import { ownerOfService } from '../registry/owner-names.ts';
import type { State } from '../registry/state.ts';
import type { Hints } from './explanation.ts';

const MAX_HINTS = 5;

export const NO_HINTS: Hints = { apiOnlyService: null, below: [], similar: [] };

/** @param owner relative to the namespace, lower case */
export function hintsOf(state: State, namespace: Namespace, owner: string): Hints {
  const services = state.servicesOf(namespace.id);
  const owners = services.flatMap((service) => ownerOfService(service) ?? []);
  const full = (names: readonly string[]): string[] =>
    names.slice(0, MAX_HINTS).map((each) => `${each}.${namespace.name}`);
  return {
    apiOnlyService: services.find(({ name, dns }) => dns === null && name.toLowerCase() === owner)?.name ?? null,
    below: full(owners.filter((each) => each.endsWith(`.${owner}`))),
    similar: full(owners.filter((each) => areSimilar(each, owner))),
  };
}

/** One is the other with another label in front, or two letters of it are others, too many or missing. */
function areSimilar(a: string, b: string): boolean {
  if (a === '' || a === b) return false;
  if (a.endsWith(`.${b}`) || b.endsWith(`.${a}`)) return true;
  if (a.replaceAll(/[-_.]/g, '') === b.replaceAll(/[-_.]/g, '')) return true;
  return (
    Math.abs(a.length - b.length) <= 2 && distance(a, b) <= Math.min(2, Math.floor(Math.min(a.length, b.length) / 3))
  );
}

/** Levenshtein's, where two neighbours that have changed places count as one letter. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const [left, up, diagonal] = [next[j - 1] as number, row[j] as number, row[j - 1] as number];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(left + 1, up + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1), swapped));
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}
