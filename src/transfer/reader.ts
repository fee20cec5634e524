/** Who is told of what a document holds, whatever it is read from. */
import { ImportError } from './report.ts';

/** Told of what a document holds, in its order. What it throws ends the reading. */
export interface Reader {
  /** Of a member that begins; one that no document has is refused before it is read. */
  key(key: string): void;
  /** A member of the document; a list without its records, which `record` was told of. */
  member(key: string, value: unknown): void;
  record(list: List, index: number, value: unknown): void;
  /** So many bytes were read, of which the last `unfinished` told of nothing yet. */
  progress(bytes: number, unfinished: number): void;
}

/** Lists that are read record by record. */
export const LISTS = ['namespaces', 'services', 'instances', 'operations'] as const;
export type List = (typeof LISTS)[number];

export function notAnObject(): ImportError {
  return new ImportError(null, 'the document is no export of cloudmapd: an object with "namespaces" is expected');
}
