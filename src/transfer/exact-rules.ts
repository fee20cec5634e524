/**
 * Records of the exact form, one by one into a state: the API's rules hold for what is new or changed, but for those
 * that a record can have come to break by itself. Whatever is equal stays untouched, down to the very object.
 */
import { checkAttributes, givenAttributes } from '../registry/attributes.ts';
import type { Context } from '../registry/decision.ts';
import { managerOf } from '../registry/declared-keys.ts';
import { hostedZoneId } from '../registry/ids.ts';
import { checkInstanceId, checkInstanceName } from '../registry/instances.ts';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import { checkNamespaceName, nextCreation } from '../registry/namespaces.ts';
import { forgetRequest } from '../registry/operations.ts';
import { requireFreeOwners } from '../registry/owner-holders.ts';
import { requireAttributeQuota } from '../registry/service-attributes.ts';
import { checkService } from '../registry/service-rules.ts';
import { findSameService } from '../registry/services.ts';
import { namespaceNameTarget } from '../registry/targets.ts';
import { beginChecks } from '../registry/verdicts.ts';
import type { InstanceGroup, Row } from './document.ts';
import { OperationRules } from './exact-operations.ts';
import { Revisions } from './exact-revisions.ts';
import type { ExactInstance, ExactNamespace, ExactService } from './exact-shapes.ts';
import {
  checkTags,
  type Fail,
  guard,
  keepEqual,
  nameTaken,
  outcomeOf,
  pathOf,
  requireFixed,
  type Target,
} from './exact-target.ts';
import { ImportError } from './report.ts';
import { changed, membersChanged, type Outcome, type Tally } from './tally.ts';

/** Nobody wants to read of these. */
const UNNAMED = ['manager'];
/** Namespaces and services never change these: to the API, and to DNS, they are what the thing is. */
const FIXED_OF_NAMESPACE = ['name', 'type', 'vpc', 'httpName', 'hostedZoneId', 'createdAt'] as const;

export class ExactRules {
  readonly revisions: Revisions;
  readonly operations: OperationRules;
  readonly #target: Target;
  readonly #context: Context;
  readonly #tally: Tally;
  /** What names of namespaces are taken, and by whose id; null: not needed so far. */
  #names: Map<string, string> | null = null;

  constructor(target: Target, context: Context, tally: Tally) {
    this.#target = target;
    this.#context = context;
    this.#tally = tally;
    this.revisions = new Revisions(target, context);
    this.operations = new OperationRules(target, context, (wanted) => this.#namespaceOf(wanted, undefined));
  }

  putNamespace({ index, value: wanted }: Row<ExactNamespace>): void {
    const { state } = this.#target;
    const existing = state.namespace(wanted.id);
    const fail = (member: string | null, problem: string): ImportError =>
      new ImportError(pathOf('namespaces', index, member), problem, `${wanted.id} "${wanted.name}"`);
    const value = keepEqual(existing, this.#namespaceOf(wanted, existing));
    const outcome = outcomeOf(existing, value);
    if (outcome !== 'unchanged') {
      if (existing !== undefined) requireFixed(FIXED_OF_NAMESPACE, existing, value, fail);
      else this.#requireFreeNames(value, fail);
      guard(fail, 'tags', () => checkTags(value.tags, value.id, this.#context));
      this.#target.add([{ kind: 'namespace', id: value.id, value }]);
    }
    this.#tell('namespace', outcome, value.id, () => value.name, existing, value);
  }

  #namespaceOf(wanted: ExactNamespace, existing: Namespace | undefined): Namespace {
    const { id, name, type, description, vpc, soaTtlSeconds, tags, creatorRequestId, operationId } = wanted;
    const { random, options, now } = this.#context;
    const newZone = (): string | null => (type === 'HTTP' ? null : hostedZoneId(random));
    return {
      ...{ id, name, type, description, vpc, soaTtlSeconds, tags, creatorRequestId, operationId },
      httpName: wanted.httpName ?? name,
      hostedZoneId: wanted.hostedZoneId === undefined ? (existing?.hostedZoneId ?? newZone()) : wanted.hostedZoneId,
      createdAt: wanted.createdAt ?? existing?.createdAt ?? nextCreation(this.#target.state, name, now),
      manager: existing?.manager ?? managerOf(options.declared, wanted, undefined, undefined, 'import'),
    };
  }

  #requireFreeNames(value: Namespace, fail: Fail): void {
    const { state } = this.#target;
    guard(fail, 'name', () => checkNamespaceName(value.type, value.name));
    if (this.#names === null) {
      this.#names = new Map();
      for (const each of state.namespaces()) this.#names.set(namespaceNameTarget(each), each.id);
    }
    const target = namespaceNameTarget(value);
    const holder = this.#names.get(target);
    if (holder !== undefined) throw fail('name', nameTaken(holder, state.namespace(holder)));
    const other = state.namespaceByHttpName(value.httpName);
    if (other !== undefined) {
      throw fail(
        'httpName',
        `"${value.httpName}" is that of ${other.id} already, and discovery tells them apart by it`,
      );
    }
    this.#names.set(target, value.id);
  }

  /** @param group the document's instances of it; they are put afterwards */
  putService({ index, value: wanted }: Row<ExactService>, group: InstanceGroup | undefined): Outcome {
    const { state } = this.#target;
    const existing = state.service(wanted.id);
    const fail = (member: string | null, problem: string): ImportError =>
      new ImportError(pathOf('services', index, member), problem, `${wanted.id} "${wanted.name}"`);
    const namespace = state.namespace(wanted.namespaceId);
    if (namespace === undefined) {
      throw fail('namespaceId', `${wanted.namespaceId} is neither in the document nor here`);
    }
    const value = keepEqual(existing, this.#serviceOf(wanted, namespace, existing));
    const outcome = outcomeOf(existing, value);
    if (outcome !== 'unchanged') {
      this.#checkService(namespace, value, existing, fail);
      this.revisions.touch(value.id);
      this.#target.add([{ kind: 'service', id: value.id, value }]);
      if (existing !== undefined) this.#keepOthers(namespace, existing, value, group, fail);
    }
    const revision = this.#target.revision(value.id);
    const isBehind = outcome === 'unchanged' && wanted.revision !== undefined && wanted.revision > revision;
    if (isBehind) this.revisions.touch(value.id);
    const told = isBehind ? 'changed' : outcome;
    const more = isBehind ? [changed('revision', revision, wanted.revision)] : [];
    this.#tell('service', told, value.id, () => `${namespace.name}/${value.name}`, existing, value, more);
    return outcome;
  }

  #serviceOf(wanted: ExactService, namespace: Namespace, existing: Service | undefined): Service {
    const { arn: _, revision: __, ...rest } = wanted;
    const { now, options } = this.#context;
    return {
      ...rest,
      createdAt: wanted.createdAt ?? existing?.createdAt ?? now,
      manager: existing?.manager ?? managerOf(options.declared, namespace, wanted.name, undefined, 'import'),
    };
  }

  #checkService(namespace: Namespace, value: Service, existing: Service | undefined, fail: Fail): void {
    const { state } = this.#target;
    if (existing !== undefined && existing.namespaceId !== value.namespaceId) {
      throw fail('namespaceId', `is ${existing.namespaceId} here: that cannot change`);
    }
    // A file may write the name of a service in another case.
    if (existing !== undefined && existing.name.toLowerCase() !== value.name.toLowerCase()) {
      throw fail('name', `is "${existing.name}" here: that cannot change`);
    }
    guard(fail, null, () => checkService(namespace, { ...value, isHttpOnly: value.type === 'HTTP' }, this.#context));
    const same = guard(fail, 'name', () => findSameService(state, namespace.id, value.name, value.dns));
    if (same !== undefined && same.id !== value.id) throw fail('name', nameTaken(same.id, same));
    if (existing !== undefined) guard(fail, 'name', () => requireFreeOwners(state, value));
    const { creatorRequestId } = value;
    const repeated = creatorRequestId === null ? undefined : state.serviceByRequest(namespace.id, creatorRequestId);
    if (repeated !== undefined && repeated.id !== value.id) {
      throw fail('creatorRequestId', `is that of ${repeated.id} already`);
    }
    guard(fail, 'attributes', () => requireAttributeQuota(value.attributes, value.id, this.#context));
    guard(fail, 'tags', () => checkTags(value.tags, value.id, this.#context));
  }

  /** Instances that the document does not have must fit what the service has become, and begin its checks. */
  #keepOthers(
    namespace: Namespace,
    before: Service,
    after: Service,
    group: InstanceGroup | undefined,
    fail: Fail,
  ): void {
    const given = new Set(group?.instances.map(({ id }) => id));
    const kept = this.#target.instances(after.id).filter(({ id }) => !given.has(id));
    for (const { id, attributes } of kept) {
      guard(
        (_, problem) => fail(null, `the instance "${id}", which is here alone, would not fit: ${problem}`),
        null,
        () => this.#checkInstance(namespace, after, id, attributes),
      );
    }
    const ids = new Set(kept.map(({ id }) => id));
    const begun = beginChecks(this.#target.state, before, after, this.#context);
    this.#target.add(begun.filter((change) => ids.has(change.id)));
  }

  putInstance({ serviceId, instances, indexes }: InstanceGroup, at: number): void {
    const { state } = this.#target;
    const wanted = instances[at] as ExactInstance;
    const fail = (member: string | null, problem: string): ImportError =>
      new ImportError(pathOf('instances', indexes[at] as number, member), problem, `${serviceId}/${wanted.id}`);
    const service = state.service(serviceId);
    const namespace = service === undefined ? undefined : state.namespace(service.namespaceId);
    if (service === undefined || namespace === undefined) {
      throw fail('serviceId', `${serviceId} is neither in the document nor here`);
    }
    const existing = this.#target.instance(serviceId, wanted.id);
    let value = keepEqual(existing, this.#instanceOf(wanted, namespace, service, existing));
    const outcome = outcomeOf(existing, value);
    if (outcome !== 'unchanged') {
      const attributes = guard(fail, null, () => this.#checkInstance(namespace, service, value.id, value.attributes));
      // An EC2 instance whose address the document leaves to the map of the configuration.
      if (value.attributes.AWS_INSTANCE_IPV4 === undefined) value = { ...value, attributes };
      this.revisions.touch(serviceId);
      const previous = existing?.operationId === value.operationId ? null : (existing?.operationId ?? null);
      this.#target.add([{ kind: 'instance', serviceId, id: value.id, value }, ...forgetRequest(state, previous)]);
    }
    this.#tell('instance', outcome, value.id, () => `${namespace.name}/${service.name}/${value.id}`, existing, value);
  }

  #instanceOf(wanted: ExactInstance, namespace: Namespace, service: Service, existing: Instance | undefined): Instance {
    const { id, attributes, health, creatorRequestId, operationId } = wanted;
    const { now, options } = this.#context;
    return {
      // The service's own string, for all its instances.
      ...{ serviceId: service.id, id, attributes, health, creatorRequestId, operationId },
      registeredAt: wanted.registeredAt ?? existing?.registeredAt ?? now,
      manager: existing?.manager ?? managerOf(options.declared, namespace, service.name, id, 'import'),
    };
  }

  /** @returns the attributes, completed */
  #checkInstance(namespace: Namespace, service: Service, id: string, attributes: Instance['attributes']) {
    const { given, ec2 } = givenAttributes(attributes);
    checkInstanceId(id);
    const completed = checkAttributes(namespace, asRegistered(service, given), given, this.#context.options, ec2);
    checkInstanceName(this.#target.state, namespace, service, id);
    return completed;
  }

  #tell<T extends Namespace | Service | Instance>(
    kind: 'namespace' | 'service' | 'instance',
    outcome: Outcome,
    id: string,
    name: () => string,
    before: T | undefined,
    after: T,
    more: readonly string[] = [],
  ): void {
    const members = (): string[] => [...(before === undefined ? [] : membersChanged(before, after, UNNAMED)), ...more];
    this.#tally.add(kind, outcome, id, name, members);
  }
}

/** A service that takes an instance as it was when that was registered: a check may have come since, DNS have gone. */
function asRegistered(service: Service, attributes: Instance['attributes']): Service {
  const hasLeftDns = service.dns === null && service.type === 'DNS_HTTP' && attributes.AWS_ALIAS_DNS_NAME !== undefined;
  const dns: Service['dns'] = hasLeftDns
    ? { routingPolicy: 'WEIGHTED', records: [{ type: 'A', ttlSeconds: 0 }] }
    : service.dns;
  return { ...service, dns, healthCheck: null };
}
