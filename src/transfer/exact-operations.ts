/** Operations of the exact form: what had ended, for whoever asks of it again, and what is yet to be done. */
import type { Context } from '../registry/decision.ts';
import { managerOf } from '../registry/declared-keys.ts';
import { checkInstanceId } from '../registry/instances.ts';
import type { Namespace, Operation, Work } from '../registry/model.ts';
import { checkNamespaceName } from '../registry/namespaces.ts';
import { targetsOf } from '../registry/targets.ts';
import type { Row } from './document.ts';
import type { ExactNamespace, ExactOperation } from './exact-shapes.ts';
import { checkTags, type Fail, guard, pathOf, type Target } from './exact-target.ts';
import { ImportError } from './report.ts';

export class OperationRules {
  readonly #target: Target;
  readonly #context: Context;
  readonly #namespaceOf: (wanted: ExactNamespace) => Namespace;
  /** Ids of namespaces that are yet to be made; null: not needed so far. */
  #pendingNamespaces: Set<string> | null = null;

  /** @param namespaceOf what becomes of a namespace that is not there */
  constructor(target: Target, context: Context, namespaceOf: (wanted: ExactNamespace) => Namespace) {
    this.#target = target;
    this.#context = context;
    this.#namespaceOf = namespaceOf;
  }

  /** Operations that are here already stay as they are: what has ended does not begin again. */
  put({ index, value: wanted }: Row<ExactOperation>): void {
    const { state } = this.#target;
    if (this.#target.hasOperation(wanted.id)) return;
    const fail = (member: string | null, problem: string): ImportError =>
      new ImportError(pathOf('operations', index, member), problem, wanted.id);
    if (wanted.work !== null) this.#checkWork(wanted.work, wanted.type, fail);
    let value = this.#operationOf(wanted);
    const answering = value.request === null ? undefined : state.operationByRequest(value.request.key);
    // Whoever repeats the request here has got that one's id.
    if (answering !== undefined && answering.status !== 'FAIL') value = { ...value, request: null };
    for (const target of targetsOf(value)) {
      const other = state.pendingOperationOn(target);
      if (other === undefined) continue;
      throw fail(null, `is pending, and so is ${other.id} on the same target`);
    }
    this.#target.add([{ kind: 'operation', id: value.id, value }]);
  }

  /**
   * What no call could have been accepted for. Whether it can (still) be done shows when its time comes, as ever: an
   * operation may well have become impossible since.
   */
  #checkWork(work: NonNullable<ExactOperation['work']>, type: Operation['type'], fail: Fail): void {
    if (type !== work.kind.toUpperCase().replace('-', '_')) throw fail('type', `is ${type}, and its work ${work.kind}`);
    if (work.kind === 'create-namespace') {
      const { namespace } = work;
      guard(fail, 'work', () => checkNamespaceName(namespace.type, namespace.name));
      guard(fail, 'work', () => checkTags(namespace.tags, namespace.id, this.#context));
      if (this.#target.state.namespace(namespace.id) !== undefined || this.#pendingIds().has(namespace.id)) {
        throw fail('work', `creates ${namespace.id}, which is the id of another namespace already`);
      }
      this.#pendingIds().add(namespace.id);
    }
    if (work.kind === 'register-instance') guard(fail, 'work', () => checkInstanceId(work.instance.id));
    if (work.kind === 'deregister-instance') guard(fail, 'work', () => checkInstanceId(work.instanceId));
  }

  /** Of namespaces that are yet to be made. */
  #pendingIds(): Set<string> {
    if (this.#pendingNamespaces === null) {
      this.#pendingNamespaces = new Set();
      for (const { work } of this.#target.state.pendingOperations()) {
        if (work?.kind === 'create-namespace') this.#pendingNamespaces.add(work.namespace.id);
      }
    }
    return this.#pendingNamespaces;
  }

  #operationOf(wanted: ExactOperation): Operation {
    const { createdAt, updatedAt = createdAt, dueAt = createdAt, work, targets, ...rest } = wanted;
    return { ...rest, targets: targets as Operation['targets'], createdAt, updatedAt, dueAt, work: this.#workOf(work) };
  }

  #workOf(work: ExactOperation['work']): Work | null {
    const { declared } = this.#context.options;
    if (work?.kind === 'create-namespace') {
      return { kind: work.kind, namespace: this.#namespaceOf(work.namespace) };
    }
    if (work?.kind !== 'register-instance') return work;
    const service = this.#target.state.service(work.instance.serviceId);
    const namespace = service === undefined ? undefined : this.#target.state.namespace(service.namespaceId);
    const manager =
      service === undefined || namespace === undefined
        ? 'import'
        : managerOf(declared, namespace, service.name, work.instance.id, 'import');
    return { kind: work.kind, instance: { ...work.instance, manager } };
  }
}
