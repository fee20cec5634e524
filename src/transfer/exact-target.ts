/** Where records of the exact form are put, and how what is wrong with one is told. */
import { isDeepStrictEqual } from 'node:util';
import type { Context } from '../registry/decision.ts';
import { ServiceError } from '../registry/errors.ts';
import type { Change, Instance, Namespace, Service } from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import { readTags, requireTagQuota } from '../registry/tags.ts';
import type { ImportError } from './report.ts';
import type { Outcome } from './tally.ts';

export interface Target {
  readonly state: State;
  /** Makes the changes visible in `state`. */
  add(changes: readonly Change[]): void;
  /** The instances that are there. */
  instance(serviceId: string, id: string): Instance | undefined;
  instances(serviceId: string): readonly Instance[];
  revision(serviceId: string): number;
  hasOperation(id: string): boolean;
}

/** @param member of the record; null: the whole of it */
export type Fail = (member: string | null, problem: string) => ImportError;

export function pathOf(list: string, index: number, member: string | null): (string | number)[] {
  return member === null ? [list, index] : [list, index, member];
}

/** What a configuration file has made got ids of its own, and makes it again wherever it is deleted. */
export function nameTaken(id: string, holder: Namespace | Service | undefined): string {
  const mend = ': import into a new data folder before the first start with that file, which takes it over';
  return `is the name of ${id} already${holder?.manager === 'file' ? `, of the configuration file${mend}` : ''}`;
}

export function guard<T>(fail: Fail, member: string | null, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof ServiceError) throw fail(member, error.message);
    throw error;
  }
}

export function requireFixed<T>(members: readonly (keyof T & string)[], existing: T, value: T, fail: Fail): void {
  for (const member of members) {
    if (existing[member] === value[member]) continue;
    throw fail(member, `is ${JSON.stringify(existing[member])} here: that cannot change`);
  }
}

export function outcomeOf<T>(existing: T | undefined, value: T): Outcome {
  if (existing === undefined) return 'created';
  return existing === value ? 'unchanged' : 'changed';
}

/** Whoever compares a member with what it was may do so by the object: equal members are those of before. */
export function keepEqual<T extends object>(existing: T | undefined, value: T): T {
  if (existing === undefined) return value;
  let isEqual = true;
  const kept = { ...value };
  for (const key of Object.keys(value) as (keyof T)[]) {
    if (isDeepStrictEqual(existing[key], value[key])) kept[key] = existing[key];
    else isEqual = false;
  }
  return isEqual ? existing : kept;
}

/** @throws ServiceError */
export function checkTags(tags: Readonly<Record<string, string>>, resource: string, context: Context): void {
  readTags(Object.entries(tags).map(([key, value]) => ({ key, value })));
  requireTagQuota(tags, resource, context);
}
