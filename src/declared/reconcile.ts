/**
 * Declared content into the registry: missing is created, changed is set back, removed is deleted; what was made
 * through the API is never touched, and what was imported becomes the file's where the file declares it. An import puts
 * such content once, and removes nothing.
 */
import { givenAttributes } from '../registry/attributes.ts';
import type { Context, Decision } from '../registry/decision.ts';
import { managerOf } from '../registry/declared-keys.ts';
import { Draft } from '../registry/draft.ts';
import { ServiceError } from '../registry/errors.ts';
import { hostedZoneId, namespaceId, serviceId } from '../registry/ids.ts';
import { buildInstance, checkInstance, checkInstanceId, putInstance, removeInstance } from '../registry/instances.ts';
import type { Change, Instance, Manager, Namespace, Service } from '../registry/model.ts';
import {
  checkNamespaceName,
  findSameNamespace,
  nextCreation,
  putNewNamespace,
  removeNamespace,
} from '../registry/namespaces.ts';
import { digestOf } from '../registry/operations.ts';
import { requireFreeOwners } from '../registry/owner-holders.ts';
import { requireAttributeQuota } from '../registry/service-attributes.ts';
import { checkService, type ServiceSpec } from '../registry/service-rules.ts';
import { findSameService, putNewService, removeService } from '../registry/services.ts';
import type { State } from '../registry/state.ts';
import { readTags, requireTagQuota } from '../registry/tags.ts';
import { namespaceNameTarget } from '../registry/targets.ts';
import { beginChecks } from '../registry/verdicts.ts';
import type { DeclaredContent, DeclaredInstance, DeclaredNamespace, DeclaredService } from './schema.ts';
import type { KeyPath } from './yaml.ts';

/** Declared content that the registry's rules refuse; `path` says which part of it. */
export class DeclaredError extends Error {
  override readonly name = 'DeclaredError';
  readonly path: KeyPath;

  constructor(path: KeyPath, message: string) {
    super(message);
    this.path = path;
  }
}

/** Told of each thing that is put: what was there, and what is there now, which may be the same. */
export interface PutListener {
  namespace(before: Namespace | undefined, after: Namespace): void;
  service(before: Service | undefined, after: Service, namespace: Namespace): void;
  instance(before: Instance | undefined, after: Instance, service: Service, namespace: Namespace): void;
}

/** @throws DeclaredError; nothing is changed then */
export function reconcile(state: State, content: DeclaredContent, context: Context): Decision<null> {
  const draft = new Draft(state);
  try {
    putFile(draft, content, context);
    return { changes: draft.changes, result: null };
  } finally {
    draft.rollBack();
  }
}

/**
 * As `reconcile`, on top of what the draft has.
 * @param draft its state is changed, and `rollBack` is the caller's
 * @throws DeclaredError
 */
export function putFile(draft: Draft, content: DeclaredContent, context: Context): void {
  const run = new Reconciler(draft, context, 'file', null);
  run.removeUndeclared(content);
  for (const [index, namespace] of content.namespaces.entries()) run.putNamespace(namespace, ['namespaces', index]);
}

/**
 * Once, for an import: missing is created, changed is set, whoever made it, and nothing is removed.
 * @param draft its state is changed, and `rollBack` is the caller's
 * @throws DeclaredError
 */
export function putDeclared(
  draft: Draft,
  { namespaces }: Pick<DeclaredContent, 'namespaces'>,
  context: Context,
  listener: PutListener,
): void {
  const run = new Reconciler(draft, context, 'import', listener);
  for (const [index, namespace] of namespaces.entries()) run.putNamespace(namespace, ['namespaces', index]);
}

class Reconciler {
  readonly #draft: Draft;
  readonly #state: State;
  readonly #context: Context;
  readonly #manager: 'file' | 'import';
  readonly #listener: PutListener | null;
  readonly #seen = new Set<string>();

  /** @param manager of what is made; an import makes the file's own where the running configuration declares it */
  constructor(draft: Draft, context: Context, manager: 'file' | 'import', listener: PutListener | null) {
    this.#draft = draft;
    this.#state = draft.state;
    this.#context = context;
    this.#manager = manager;
    this.#listener = listener;
  }

  #managerOf(namespace: Pick<Namespace, 'type' | 'name' | 'vpc'>, service?: string, instance?: string): Manager {
    if (this.#manager === 'file') return 'file';
    return managerOf(this.#context.options.declared, namespace, service, instance, this.#manager);
  }

  /** First, so that what takes a removed thing's place finds it free. */
  removeUndeclared(content: DeclaredContent): void {
    const state = this.#state;
    for (const namespace of [...state.namespaces()]) {
      const declared = content.namespaces.find((other) => isSameNamespace(namespace, other));
      for (const service of state.servicesOf(namespace.id)) {
        const declaredService = declared?.services.find(({ name }) => name === service.name);
        for (const instance of [...state.instancesOf(service.id).values()]) {
          if (instance.manager !== 'file') continue;
          if (declaredService?.instances.some(({ id }) => id === instance.id)) continue;
          this.#draft.add(removeInstance(state, service.id, instance.id, this.#context.now));
        }
        if (service.manager === 'file' && declaredService === undefined) this.#dropService(service);
      }
      if (namespace.manager === 'file' && declared === undefined) this.#dropNamespace(namespace);
    }
  }

  /** What the API has put into a thing keeps it: it goes with a later reconcile, or is declared again. */
  #dropService(service: Service): void {
    if (this.#state.instancesOf(service.id).size === 0) this.#draft.add(removeService(this.#state, service.id));
  }

  #dropNamespace(namespace: Namespace): void {
    if (this.#state.serviceCount(namespace.id) === 0) this.#draft.add(removeNamespace(this.#state, namespace.id));
  }

  putNamespace(declared: DeclaredNamespace, path: KeyPath): void {
    const { name, type } = declared;
    const wanted = { name, type, vpc: declared.vpc ?? null };
    const found = findSameNamespace(this.#state, wanted);
    this.#requireOwn(found, namespaceNameTarget(wanted), `the namespace "${name}"`, [...path, 'name']);
    const existing = this.#adopt('namespace', found);
    this.#at([...path, 'name'], () => checkNamespaceName(type, name));
    const described = {
      description: declared.description ?? null,
      soaTtlSeconds: declared.soaTtl ?? null,
      tags: this.#tags(declared.tags, name, path),
    };
    let namespace: Namespace;
    if (existing === undefined) {
      namespace = {
        id: namespaceId(this.#context.random),
        httpName: name,
        hostedZoneId: type === 'HTTP' ? null : hostedZoneId(this.#context.random),
        creatorRequestId: null,
        operationId: null,
        createdAt: nextCreation(this.#state, name, this.#context.now),
        manager: this.#managerOf(wanted),
        ...wanted,
        ...described,
      };
      this.#draft.add(putNewNamespace(this.#state, namespace, this.#context));
    } else {
      namespace = { ...existing, ...described };
      if (isChanged(namespace, existing)) this.#draft.add([{ kind: 'namespace', id: existing.id, value: namespace }]);
      else namespace = existing;
    }
    this.#listener?.namespace(existing, namespace);
    for (const [index, service] of declared.services.entries()) {
      this.#putService(namespace, service, [...path, 'services', index]);
    }
  }

  #putService(namespace: Namespace, declared: DeclaredService, path: KeyPath): void {
    const { name } = declared;
    const spec: ServiceSpec = {
      name,
      isHttpOnly: false,
      description: declared.description ?? null,
      dns:
        declared.dns === undefined
          ? null
          : {
              routingPolicy: declared.dns.routingPolicy ?? null,
              records: declared.dns.records.map(({ type, ttl }) => ({ type, ttlSeconds: ttl })),
            },
      healthCheck:
        declared.healthCheck === undefined
          ? null
          : {
              type: declared.healthCheck.type,
              path: declared.healthCheck.path ?? null,
              failureThreshold: declared.healthCheck.failureThreshold ?? null,
            },
      hasCustomHealthCheck: declared.healthCheckCustom !== undefined,
    };
    const dns = this.#at(path, () => checkService(namespace, spec, this.#context));
    const found = this.#at([...path, 'name'], () => findSameService(this.#state, namespace.id, name, dns));
    this.#requireOwn(found, `${namespace.id} ${found?.name ?? name}`, `the service "${name}"`, [...path, 'name']);
    const existing = this.#adopt('service', found);
    this.#at([...path, 'attributes'], () => requireAttributeQuota(declared.attributes, name, this.#context));
    const described = {
      // A name in DNS may be written in another case.
      name,
      type: dns === null ? typeWithoutDns(existing) : ('DNS_HTTP' as const),
      description: spec.description,
      dns,
      healthCheck: spec.healthCheck,
      hasCustomHealthCheck: spec.hasCustomHealthCheck,
      attributes: declared.attributes,
      tags: this.#tags(declared.tags, name, path),
    };
    let service: Service;
    if (existing === undefined) {
      service = {
        id: serviceId(this.#context.random),
        namespaceId: namespace.id,
        creatorRequestId: null,
        requestDigest: null,
        createdAt: this.#context.now,
        manager: this.#managerOf(namespace, name),
        ...described,
      };
      this.#draft.add(putNewService(this.#state, service, this.#context.now));
    } else {
      service = { ...existing, ...described };
      if (isChanged(service, existing)) {
        this.#at([...path, 'name'], () => requireFreeOwners(this.#state, service));
        this.#draft.add([{ kind: 'service', id: service.id, value: service }]);
        this.#draft.add(beginChecks(this.#state, existing, service, this.#context));
        this.#checkKept(namespace, service, declared, path);
      } else service = existing;
    }
    this.#listener?.service(existing, service, namespace);
    for (const [index, instance] of declared.instances.entries()) {
      this.#putInstance(namespace, service, instance, [...path, 'instances', index]);
    }
  }

  /** Instances that others have brought into the service must fit what it has become. */
  #checkKept(namespace: Namespace, service: Service, declared: DeclaredService, path: KeyPath): void {
    for (const { id, attributes, manager } of this.#state.instancesOf(service.id).values()) {
      if (declared.instances.some((instance) => instance.id === id)) continue;
      try {
        const { given, ec2 } = givenAttributes(attributes);
        checkInstance(this.#state, namespace, service, id, given, ec2, this.#context);
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        const origin = { api: 'registered through the API', file: 'declared in the file', import: 'imported' }[manager];
        throw new DeclaredError(path, `the instance "${id}", ${origin}, does not fit: ${error.message}`);
      }
    }
  }

  #putInstance(namespace: Namespace, service: Service, declared: DeclaredInstance, path: KeyPath): void {
    const { id } = declared;
    const found = this.#state.instance(service.id, id);
    this.#requireOwn(found, `${service.id} ${id}`, `the instance "${id}"`, [...path, 'id']);
    const existing = this.#adoptInstance(found);
    this.#at([...path, 'id'], () => checkInstanceId(id));
    const attributes = this.#at([...path, 'attributes'], () =>
      checkInstance(this.#state, namespace, service, id, declared.attributes, null, this.#context),
    );
    if (existing !== undefined && !isChanged(attributes, existing.attributes)) {
      this.#listener?.instance(existing, existing, service, namespace);
      return;
    }
    const manager = this.#managerOf(namespace, service.name, id);
    const origin = { creatorRequestId: null, operationId: null, manager };
    const instance = buildInstance(service, id, attributes, this.#context, origin);
    this.#draft.add(putInstance(this.#state, instance, this.#context.now));
    this.#listener?.instance(existing, this.#state.instance(service.id, id) as Instance, service, namespace);
  }

  /** @throws DeclaredError where the thing is declared twice, or a file's would be somebody else's */
  #requireOwn(existing: { manager: Manager } | undefined, key: string, what: string, path: KeyPath): void {
    if (this.#seen.has(key)) throw new DeclaredError(path, `${what} is declared twice`);
    this.#seen.add(key);
    if (this.#manager === 'file' && existing?.manager === 'api') {
      throw new DeclaredError(
        path,
        `${what} exists already and was made through the API: take it out of the file to start, and delete it there`,
      );
    }
  }

  /** What was imported is the file's from now on: how else could a daemon with a file be restored? */
  #adopt<T extends Namespace | Service>(kind: 'namespace' | 'service', found: T | undefined): T | undefined {
    if (this.#manager !== 'file' || found?.manager !== 'import') return found;
    const value: T = { ...found, manager: 'file' };
    this.#draft.add([{ kind, id: value.id, value } as Change]);
    return value;
  }

  #adoptInstance(found: Instance | undefined): Instance | undefined {
    if (this.#manager !== 'file' || found?.manager !== 'import') return found;
    const value: Instance = { ...found, manager: 'file' };
    this.#draft.add([{ kind: 'instance', serviceId: value.serviceId, id: value.id, value }]);
    return value;
  }

  #tags(tags: Readonly<Record<string, string>>, resource: string, path: KeyPath): Record<string, string> {
    const list = Object.entries(tags).map(([key, value]) => ({ key, value }));
    return this.#at([...path, 'tags'], () => {
      const read = readTags(list);
      requireTagQuota(read, resource, this.#context);
      return read;
    });
  }

  #at<T>(path: KeyPath, check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (error instanceof ServiceError) throw new DeclaredError(path, error.message);
      throw error;
    }
  }
}

/** One that has left DNS keeps its type (Cloud Map: UpdateService), which a file cannot say. */
function typeWithoutDns(existing: Service | undefined): Service['type'] {
  return existing?.dns === null ? existing.type : 'HTTP';
}

/** Whether it is the one that is declared. */
export function isSameNamespace(namespace: Namespace, declared: DeclaredNamespace): boolean {
  const isSameName =
    namespace.type === 'HTTP'
      ? namespace.name === declared.name
      : namespace.name.toLowerCase() === declared.name.toLowerCase();
  return isSameName && namespace.type === declared.type && namespace.vpc === (declared.vpc ?? null);
}

function isChanged(next: unknown, previous: unknown): boolean {
  return digestOf(next) !== digestOf(previous);
}
