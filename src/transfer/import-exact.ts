/**
 * The exact form into the registry. All of it is checked first, beside the state; then it goes in by pieces, each one
 * decision like any other, so that whoever writes meanwhile gets a turn and loses nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lastResetOf } from '../declared/declare.ts';
import type { Context } from '../registry/decision.ts';
import { Draft } from '../registry/draft.ts';
import type { Change } from '../registry/model.ts';
import { MAX_OPERATIONS } from '../registry/operations.ts';
import { hasRecord } from '../registry/record-types.ts';
import type { Registry } from '../registry/registry.ts';
import { State } from '../registry/state.ts';
import { StoreError } from '../store/store.ts';
import type { ExactDocument, InstanceGroup, Row } from './document.ts';
import { ExactRules } from './exact-rules.ts';
import type { ExactOperation } from './exact-shapes.ts';
import type { Target } from './exact-target.ts';
import type { ImportOptions } from './import-options.ts';
import { ImportError, type ImportProgress, type ImportReport } from './report.ts';
import { Tally } from './tally.ts';

/** Of a piece, but for a service that changes: its instances go with it. */
const PIECE_RECORDS = 500;
/** Others get their turn after so long. */
const MAX_TURN_MS = 10;

/** A part of the document that is put at once. */
interface Part {
  readonly records: number;
  put(rules: ExactRules): void;
}

/** @throws ImportError, and nothing is in, or as much as it says; StoreError, which says so too */
export async function importExact(
  registry: Registry,
  document: ExactDocument,
  { dryRun, onProgress = () => undefined, signal }: ImportOptions,
): Promise<ImportReport> {
  const check = new Check(registry, document, onProgress, signal);
  await check.run();
  return dryRun ? check.tally.report(true) : apply(registry, document, check.changedServices, onProgress, signal);
}

type OnProgress = (progress: ImportProgress) => void;

/** The whole document against the rules, in a state of its own that holds what its names could meet. */
class Check {
  readonly tally = new Tally();
  /** Ids of services that are there and become others. */
  readonly changedServices = new Set<string>();
  readonly #registry: Registry;
  readonly #document: ExactDocument;
  readonly #state = new State();
  readonly #turns = new Turns();
  readonly #onProgress: OnProgress;
  readonly #signal: AbortSignal | undefined;
  readonly #total: number;
  #done = 0;

  constructor(registry: Registry, document: ExactDocument, onProgress: OnProgress, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#registry = registry;
    this.#document = document;
    this.#onProgress = onProgress;
    this.#total = countRecords(document);
  }

  async run(): Promise<void> {
    this.#tell();
    await this.#fill();
    const rules = new ExactRules(this.#target(), this.#registry.context(), this.tally);
    const { namespaces, services, instances, operations } = this.#document;
    for (const row of namespaces) {
      rules.putNamespace(row);
      this.#done++;
      if (this.#turns.isLong) await this.#turn();
    }
    // As `partsOf` has them, so that a dry run tells of the same in the same order.
    for (const row of services.values()) {
      const group = instances.get(row.value.id);
      if (rules.putService(row, group) === 'changed') this.changedServices.add(row.value.id);
      this.#done++;
      if (group !== undefined) await this.#checkGroup(rules, group);
      if (this.#turns.isLong) await this.#turn();
    }
    for (const group of instances.values()) if (!services.has(group.serviceId)) await this.#checkGroup(rules, group);
    for (const row of operations) {
      rules.operations.put(row);
      this.#done++;
      if (this.#turns.isLong) await this.#turn();
    }
  }

  async #turn(): Promise<void> {
    this.#tell();
    await this.#turns.next();
    throwIfStopping(this.#signal);
  }

  #tell(): void {
    this.#onProgress({ phase: 'checking', done: this.#done, total: this.#total });
  }

  async #checkGroup(rules: ExactRules, group: InstanceGroup): Promise<void> {
    const ids = new Set<string>();
    for (const [at, { id }] of group.instances.entries()) {
      if (ids.has(id)) {
        throw new ImportError(['instances', group.indexes[at] as number], 'is there twice', `${group.serviceId}/${id}`);
      }
      ids.add(id);
      rules.putInstance(group, at);
      this.#done++;
      if (this.#turns.isLong) await this.#turn();
    }
  }

  #target(): Target {
    const { state } = this.#registry;
    const scratch = this.#state;
    return {
      state: scratch,
      add: (changes) => {
        for (const change of changes) if (this.#matters(change)) scratch.apply(change);
      },
      instance: (serviceId, id) => state.instance(serviceId, id),
      instances: (serviceId) => state.instancesOf(serviceId).now(),
      revision: (serviceId) => state.revision(serviceId),
      hasOperation: (id) => state.operation(id) !== undefined,
    };
  }

  /** Of instances the names in DNS, of operations those that are pending: the rest meets nobody. */
  #matters(change: Change): boolean {
    if (change.kind === 'instance') return this.#hasTargets(change.serviceId);
    return change.kind !== 'operation' || change.value?.status === 'PENDING';
  }

  #hasTargets(serviceId: string): boolean {
    const dns = this.#state.service(serviceId)?.dns ?? null;
    return dns !== null && hasRecord(dns.records, 'SRV');
  }

  /** What is there already: all namespaces, and what is in those that the document has something in. */
  async #fill(): Promise<void> {
    const { state } = this.#registry;
    const { services, instances } = this.#document;
    const namespaceIds = new Set([...services.values()].map(({ value }) => value.namespaceId));
    for (const id of [...services.keys(), ...instances.keys()]) {
      const service = state.service(id);
      if (service !== undefined) namespaceIds.add(service.namespaceId);
    }
    for (const namespace of [...state.namespaces()]) {
      this.#state.apply({ kind: 'namespace', id: namespace.id, value: namespace });
    }
    for (const namespaceId of namespaceIds) {
      for (const service of state.servicesOf(namespaceId)) {
        this.#state.apply({ kind: 'service', id: service.id, value: service });
        const next = services.get(service.id)?.value.dns ?? null;
        const getsTargets = next !== null && hasRecord(next.records, 'SRV');
        if (this.#hasTargets(service.id) || getsTargets) {
          this.#state.fillService(service.id, state.instancesOf(service.id).now());
        }
        if (this.#turns.isLong) await this.#turns.next();
      }
    }
    for (const operation of [...state.pendingOperations()]) {
      this.#state.apply({ kind: 'operation', id: operation.id, value: operation });
    }
  }
}

async function apply(
  registry: Registry,
  document: ExactDocument,
  changedServices: ReadonlySet<string>,
  onProgress: OnProgress,
  signal: AbortSignal | undefined,
): Promise<ImportReport> {
  const tally = new Tally();
  const total = countRecords(document);
  let done = 0;
  let lastReset = lastResetOf(registry);
  onProgress({ phase: 'importing', done, total });
  for (const piece of piecesOf(partsOf(registry, document, changedServices))) {
    try {
      throwIfStopping(signal);
      const put = registry.submit((state, context) => {
        // Before the first one it is the import that comes after; among them nothing may follow what is gone.
        if (done === 0) lastReset = lastResetOf(registry);
        else if (lastResetOf(registry) !== lastReset) throw new ResetMeanwhile();
        return decide(new Draft(state), piece, context);
      });
      tally.join(await put);
    } catch (error) {
      throw done === 0 ? error : interrupted(error, done, total);
    }
    done += recordsOf(piece);
    onProgress({ phase: 'importing', done, total });
  }
  return tally.report(false);
}

/** Whoever stops waits for what is under way, and a million records take some time. @throws StoreError */
function throwIfStopping(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new StoreError('the daemon is stopping');
}

/** The registry has been reset between two pieces. */
class ResetMeanwhile extends Error {}

/** @throws ImportError where somebody else's change since the check stands in the way */
function decide(draft: Draft, piece: readonly Part[], context: Context): { changes: Change[]; result: Tally } {
  const tally = new Tally();
  const { state } = draft;
  const target: Target = {
    state,
    add: (changes) => draft.add(changes),
    instance: (serviceId, id) => state.instance(serviceId, id),
    instances: (serviceId) => state.instancesOf(serviceId).now(),
    revision: (serviceId) => state.revision(serviceId),
    hasOperation: (id) => state.operation(id) !== undefined,
  };
  try {
    const rules = new ExactRules(target, context, tally);
    for (const part of piece) part.put(rules);
    rules.revisions.endPiece();
    return { changes: draft.changes, result: tally };
  } finally {
    draft.rollBack();
  }
}

/** In the order in which they need each other. The document lets go of instances as they go: there may be a million. */
function* partsOf(
  registry: Registry,
  { namespaces, services, instances, operations }: ExactDocument,
  changedServices: ReadonlySet<string>,
): Generator<Part> {
  for (const row of namespaces) yield { records: 1, put: (rules) => rules.putNamespace(row) };
  for (const row of services.values()) {
    const { id, revision } = row.value;
    const group = instances.get(id);
    instances.delete(id);
    const put = (rules: ExactRules): void => {
      rules.putService(row, group);
      rules.revisions.endService(id, revision, false);
    };
    const parts = group === undefined ? [] : [...groupParts(group, revision)];
    const end = (rules: ExactRules): void => rules.revisions.endService(id, revision, true);
    if (changedServices.has(id) || parts.length === 0) {
      // A service that changes and its instances may not fit each other before both are there.
      yield joined([{ records: 1, put }, ...parts, ...(parts.length === 0 ? [{ records: 0, put: end }] : [])]);
    } else {
      yield { records: 1, put };
      yield* parts;
    }
  }
  for (const group of instances.values()) yield* groupParts(group, undefined);
  for (const row of withinBounds(registry, operations)) yield { records: 1, put: (rules) => rules.operations.put(row) };
}

function* groupParts(group: InstanceGroup, revision: number | undefined): Generator<Part> {
  const count = group.instances.length;
  for (let from = 0; from < count; from += PIECE_RECORDS) {
    const to = Math.min(from + PIECE_RECORDS, count);
    yield {
      records: to - from,
      put: (rules) => {
        for (let at = from; at < to; at++) rules.putInstance(group, at);
        rules.revisions.endService(group.serviceId, revision, to === count);
      },
    };
  }
}

function joined(parts: readonly Part[]): Part {
  return {
    records: recordsOf(parts),
    put: (rules) => {
      for (const part of parts) part.put(rules);
    },
  };
}

function* piecesOf(parts: Iterable<Part>): Generator<Part[]> {
  let piece: Part[] = [];
  let records = 0;
  for (const part of parts) {
    if (piece.length > 0 && records + part.records > PIECE_RECORDS) {
      yield piece;
      piece = [];
      records = 0;
    }
    piece.push(part);
    records += part.records;
  }
  if (piece.length > 0) yield piece;
}

function recordsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { records }) => sum + records, 0);
}

/** Oldest first; the oldest that have ended are left out where there would be more than the registry keeps. */
function withinBounds({ state }: Registry, operations: readonly Row<ExactOperation>[]): Row<ExactOperation>[] {
  const sorted = operations.toSorted((a, b) => a.value.createdAt - b.value.createdAt);
  let excess = state.operationCount + sorted.filter(({ value }) => state.operation(value.id) === undefined).length;
  excess -= MAX_OPERATIONS;
  return sorted.filter(({ value }) => {
    const isLeftOut = excess > 0 && value.status !== 'PENDING' && state.operation(value.id) === undefined;
    if (isLeftOut) excess--;
    return !isLeftOut;
  });
}

function countRecords({ namespaces, services, instances, operations }: ExactDocument): number {
  let count = namespaces.length + services.size + operations.length;
  for (const group of instances.values()) count += group.instances.length;
  return count;
}

function interrupted(error: unknown, done: number, all: number): unknown {
  if (error instanceof ResetMeanwhile) {
    return new ImportError(
      null,
      `the registry was reset when ${done} of ${all} records were in: they are gone with it, and no others follow`,
      null,
      { cause: error },
    );
  }
  const rest = `(${done} of ${all} records are in; the import can be repeated)`;
  if (error instanceof ImportError) return error.withMore(rest);
  if (error instanceof StoreError) return new StoreError(`${error.message} ${rest}`, { cause: error });
  return error;
}

class Turns {
  #endMs = performance.now() + MAX_TURN_MS;

  /** Whether others are to have a turn now. */
  get isLong(): boolean {
    return performance.now() >= this.#endMs;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#endMs = performance.now() + MAX_TURN_MS;
  }
}
