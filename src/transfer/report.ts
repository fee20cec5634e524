/** What an import did or would do, and why it could not. */

export type KeyPath = readonly (string | number)[];

/** Why a document cannot be imported: one line that names what and where. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
  /** Where in the document, such as `['namespaces', 0, 'name']`; null: nowhere in particular. */
  readonly path: KeyPath | null;
  /** The line without the place. */
  readonly problem: string;
  readonly #what: string | null;

  /** @param what it stands at the path, for people: `srv-x/web-1` */
  constructor(path: KeyPath | null, problem: string, what: string | null = null, options: ErrorOptions = {}) {
    const place = path === null || path.length === 0 ? '' : formatPath(path);
    const named = what === null ? place : `${place} (${what})`;
    super(named === '' ? problem : `${named}: ${problem}`, options);
    this.path = path;
    this.problem = problem;
    this.#what = what;
  }

  /** The same mistake, and what else there is to say. */
  withMore(more: string): ImportError {
    return new ImportError(this.path, `${this.problem} ${more}`, this.#what, { cause: this });
  }
}

export function formatPath(path: KeyPath): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  );
}

/** How far an import is. */
export interface ImportProgress {
  /** `checking`: nothing is in yet; `importing`: as many records are in. */
  readonly phase: 'checking' | 'importing';
  readonly done: number;
  /** Of records in the document. */
  readonly total: number;
}

export interface Counts {
  readonly namespaces: number;
  readonly services: number;
  readonly instances: number;
}

export interface Difference {
  readonly action: 'create' | 'change';
  readonly kind: 'namespace' | 'service' | 'instance';
  /** `shop.internal`, `shop.internal/api`, `shop.internal/api/api-1`. */
  readonly name: string;
  /** Absent where it is not known yet: what a dry run of the declared form would create. */
  readonly id?: string;
  /** Of a change: `attributes.AWS_INSTANCE_IPV4: 10.0.0.1 -> 10.0.0.2`. */
  readonly members: readonly string[];
}

export interface ImportReport {
  readonly dryRun: boolean;
  readonly created: Counts;
  readonly changed: Counts;
  readonly unchanged: Counts;
  /** The first ones, in the order of the document. */
  readonly differences: readonly Difference[];
  /** So many more there are. */
  readonly moreDifferences?: number;
}
