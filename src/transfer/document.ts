/** What is to be imported, as it is read: its form, and its records by their shapes. */
import { z } from 'zod';
import { cloudMapContent, type DeclaredContent } from '../declared/schema.ts';
import type { Owner } from '../registry/ids.ts';
import {
  type ExactInstance,
  type ExactNamespace,
  type ExactOperation,
  type ExactService,
  instanceShape,
  namespaceShape,
  operationShape,
  serviceShape,
} from './exact-shapes.ts';
import { EXACT_VERSION } from './export-json.ts';
import { LISTS, type List, notAnObject, type Reader } from './reader.ts';
import { ImportError, type KeyPath } from './report.ts';

/** A record, and which one of its list it was. */
export interface Row<T> {
  readonly index: number;
  readonly value: T;
}

/** The instances of one service: there may be a million in all, so that they are no rows. */
export interface InstanceGroup {
  readonly serviceId: string;
  readonly instances: ExactInstance[];
  readonly indexes: number[];
}

export interface ExactDocument {
  readonly namespaces: Row<ExactNamespace>[];
  readonly services: Map<string, Row<ExactService>>;
  /** By service id. */
  readonly instances: Map<string, InstanceGroup>;
  readonly operations: Row<ExactOperation>[];
}

export type Document =
  | { readonly form: 'declared'; readonly content: Pick<DeclaredContent, 'namespaces' | 'ec2Instances'> }
  | { readonly form: 'exact'; readonly content: ExactDocument };

/** Of text that has to be held until its form is known: more than any file that is declared by hand. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** Far more than the API's limits let one be. */
const MAX_RECORD_BYTES = 1024 * 1024;

const DECLARED_KEYS: ReadonlySet<string> = new Set(Object.keys(cloudMapContent));
/** Of the exact form, and of that whose form is not known yet. */
const KEYS: ReadonlySet<string> = new Set(['cloudmapd', 'region', 'accountId', ...LISTS]);

const declaredShape = z.strictObject(cloudMapContent);

/** Puts a document together. Records of the exact form are read as they come, where it says first that it is one. */
export class DocumentReader implements Reader {
  readonly #owner: Owner;
  readonly #exact: ExactDocument = { namespaces: [], services: new Map(), instances: new Map(), operations: [] };
  readonly #ids: Readonly<Record<'namespaces' | 'operations', Set<string>>> = {
    namespaces: new Set(),
    operations: new Set(),
  };
  #isExact = false;
  /** What came before the form was known. */
  readonly #members = new Map<string, unknown>();
  readonly #held = new Map<List, unknown[]>();

  /** @param owner whose registry it is for */
  constructor(owner: Owner) {
    this.#owner = owner;
  }

  key(key: string): void {
    const isKnown = KEYS.has(key) || (!this.#isExact && DECLARED_KEYS.has(key));
    if (!isKnown) throw new ImportError([key], 'is not a known key');
  }

  member(key: string, value: unknown): void {
    if (key === 'cloudmapd') {
      if (value !== EXACT_VERSION) {
        throw new ImportError([key], `is ${JSON.stringify(value)}, this cloudmapd knows ${EXACT_VERSION}`);
      }
      this.#isExact = true;
      for (const [list, records] of this.#held) {
        for (const [index, record] of records.entries()) this.#take(list, index, record);
      }
      this.#held.clear();
    }
    this.#members.set(key, value);
  }

  record(list: List, index: number, value: unknown): void {
    if (this.#isExact) {
      this.#take(list, index, value);
      return;
    }
    const held = this.#held.get(list);
    if (held === undefined) this.#held.set(list, [value]);
    else held.push(value);
  }

  progress(bytes: number, unfinished: number): void {
    if (this.#isExact && unfinished > MAX_RECORD_BYTES) {
      throw new ImportError(null, `a record has more than ${MAX_RECORD_BYTES} bytes`);
    }
    if (!this.#isExact && bytes > MAX_HELD_BYTES) {
      const problem = `a document of more than ${MAX_HELD_BYTES} bytes has to be one of --format json, with "cloudmapd": 1 in front`;
      throw new ImportError(null, problem);
    }
  }

  /** @throws ImportError */
  finish(): Document {
    if (this.#isExact) {
      this.#checkMembers();
      return { form: 'exact', content: this.#exact };
    }
    if (!this.#members.has('namespaces')) throw notAnObject();
    const tree = Object.fromEntries([...this.#members].map(([key, value]) => [key, this.#heldOf(key) ?? value]));
    const result = declaredShape.safeParse(tree);
    if (!result.success) throw shapeError([], result.error);
    const { namespaces, ec2Instances } = result.data;
    return { form: 'declared', content: { namespaces: namespaces ?? [], ec2Instances: ec2Instances ?? {} } };
  }

  #heldOf(key: string): unknown[] | undefined {
    return this.#held.get(key as List);
  }

  #checkMembers(): void {
    for (const [key, value] of this.#members) {
      if (key === 'region') this.#requireOwn(key, 'CLOUDMAPD_REGION', value, this.#owner.region);
      else if (key === 'accountId') this.#requireOwn(key, 'CLOUDMAPD_ACCOUNT_ID', value, this.#owner.accountId);
      else if (LISTS.some((list) => list === key)) {
        if (!Array.isArray(value)) throw new ImportError([key], 'a list is expected');
      } else if (key !== 'cloudmapd') throw new ImportError([key], 'is not a known key');
    }
  }

  /** ARNs and what clients know of them would be others. */
  #requireOwn(key: string, setting: string, value: unknown, own: string): void {
    if (value === own) return;
    const problem = `is ${JSON.stringify(value)}, and "${own}" here: set ${setting} to that of the document, or change it there`;
    throw new ImportError([key], problem);
  }

  #take(list: List, index: number, value: unknown): void {
    switch (list) {
      case 'namespaces': {
        const row = rowOf(list, namespaceShape, index, value);
        this.#requireNew(list, row);
        this.#exact.namespaces.push(row);
        return;
      }
      case 'services': {
        const row = rowOf(list, serviceShape, index, value);
        if (this.#exact.services.has(row.value.id)) throw twice(list, row);
        this.#exact.services.set(row.value.id, row);
        return;
      }
      case 'operations': {
        const row = rowOf(list, operationShape, index, value);
        this.#requireNew(list, row);
        this.#exact.operations.push(row);
        return;
      }
      case 'instances':
        this.#takeInstance(rowOf(list, instanceShape, index, value));
    }
  }

  #requireNew(list: 'namespaces' | 'operations', row: Row<{ id: string }>): void {
    if (this.#ids[list].has(row.value.id)) throw twice(list, row);
    this.#ids[list].add(row.value.id);
  }

  /** Whether one is there twice is found when they are checked, service by service. */
  #takeInstance({ index, value }: Row<ExactInstance>): void {
    let group = this.#exact.instances.get(value.serviceId);
    if (group === undefined) {
      group = { serviceId: value.serviceId, instances: [], indexes: [] };
      this.#exact.instances.set(value.serviceId, group);
    }
    group.instances.push(value);
    group.indexes.push(index);
  }
}

function twice(list: List, { index, value }: Row<{ id: string }>): ImportError {
  return new ImportError([list, index], 'is there twice', value.id);
}

function rowOf<S extends z.ZodType>(list: List, shape: S, index: number, value: unknown): Row<z.output<S>> {
  const result = shape.safeParse(value);
  if (result.success) return { index, value: result.data };
  throw shapeError([list, index], result.error);
}

function shapeError(at: KeyPath, error: z.ZodError): ImportError {
  const issue = error.issues[0] as z.core.$ZodIssue;
  const path = [...at, ...(issue.path as (string | number)[])];
  if (issue.code === 'unrecognized_keys')
    return new ImportError([...path, issue.keys[0] as string], 'is not a known key');
  return new ImportError(path, issue.message);
}
