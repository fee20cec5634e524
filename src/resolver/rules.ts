/** Who is asked for a name: the rule with the longest suffix of it (RFC 6761 for the special-use names). */
import { equalNames, type NameView, toWireName } from '../wire/names.ts';
import { makeQuestion } from './question.ts';
import type { Address } from './upstreams.ts';

export type Action =
  | { readonly kind: 'ask'; readonly upstreams: readonly Address[] }
  /** The upstreams of every other name. */
  | { readonly kind: 'default' }
  | { readonly kind: 'refuse' | 'nxdomain' | 'localhost' };

export interface Rule {
  /** Lower case; empty: the root, and so every name. */
  readonly suffix: string;
  readonly action: Action;
}

export interface Route {
  readonly action: Action;
  /** Which label of the name the suffix begins at; the count of its labels: the root. */
  label: number;
}

interface Entry {
  readonly suffix: Uint8Array;
  readonly route: Route;
}

export class Rules {
  readonly #byHash = new Map<number, Entry[]>();
  readonly #singleLabel: Route | null;
  readonly #default: Route = { action: { kind: 'default' }, label: 0 };

  /**
   * @param rules of two with one suffix the first counts
   * @param singleLabel what becomes of names of one label that no rule names; null: what becomes of all others
   */
  constructor(rules: readonly Rule[], singleLabel: Action | null) {
    for (const { suffix, action } of rules) {
      const { name, nameHash } = makeQuestion(toWireName(suffix), 0, 0);
      const entries = this.#byHash.get(nameHash) ?? [];
      if (entries.some((entry) => sameName(entry.suffix, name))) continue;
      this.#byHash.set(nameHash, [...entries, { suffix: name, route: { action, label: 0 } }]);
    }
    this.#singleLabel = singleLabel === null ? null : { action: singleLabel, label: 0 };
  }

  /** @param view of the name in `message`. @returns the route, good until the next call */
  find(message: Uint8Array, view: NameView): Route {
    for (let label = 0; label < view.count; label++) {
      const route = this.#at(message, view, label);
      if (route !== null) return route;
    }
    if (view.count === 1 && this.#singleLabel !== null) {
      this.#singleLabel.label = 1;
      return this.#singleLabel;
    }
    return this.#at(message, view, view.count) ?? this.#default;
  }

  #at(message: Uint8Array, view: NameView, label: number): Route | null {
    const entries = this.#byHash.get(view.hashes[label] as number);
    if (entries === undefined) return null;
    const at = view.offsets[label] as number;
    for (const { suffix, route } of entries) {
      if (suffix.length !== view.end - at || !equalNames(suffix, 0, message, at, suffix.length)) continue;
      route.label = label;
      return route;
    }
    return null;
  }
}

function sameName(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && equalNames(a, 0, b, 0, a.length);
}

/**
 * Reverse zones that are served locally (RFC 6303 s4), of which nobody but the local network could know.
 */
export const LOCALLY_SERVED_ZONES: readonly string[] = [
  '10.in-addr.arpa',
  ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa`),
  '168.192.in-addr.arpa',
  '0.in-addr.arpa',
  '127.in-addr.arpa',
  '254.169.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  '255.255.255.255.in-addr.arpa',
  `${'0.'.repeat(32)}ip6.arpa`,
  `1.${'0.'.repeat(31)}ip6.arpa`,
  'd.f.ip6.arpa',
  ...['8', '9', 'a', 'b'].map((nibble) => `${nibble}.e.f.ip6.arpa`),
  '8.b.d.0.1.0.0.2.ip6.arpa',
];
