/**
 * The exact form: one JSON document with a record on each line, in an order of its own, so that equal registries give
 * equal texts. Read back by `exact-shapes.ts`.
 */
import { arnOf } from '../registry/ids.ts';
import type { Instance, InstanceHealth, Namespace, Operation, Work } from '../registry/model.ts';
import { compareText, type ServiceContent, type Snapshot, sortInTurns } from './snapshot.ts';

/** Of the exact form. */
export const EXACT_VERSION = 1;

/** @returns lines, some of them empty */
export function* jsonLines(snapshot: Snapshot): Generator<string> {
  const { region, accountId } = snapshot.options;
  const owner = `"region":${JSON.stringify(region)},"accountId":${JSON.stringify(accountId)}`;
  yield `{"cloudmapd":${EXACT_VERSION},${owner},\n`;
  const byId = (a: { id: string }, b: { id: string }): number => compareText(a.id, b.id);
  const namespaces = yield* sortInTurns(snapshot.namespaces, byId);
  const services = yield* sortInTurns(snapshot.services, (a, b) => byId(a.service, b.service));
  yield* list(
    'namespaces',
    namespaces.values().map((each) => exactNamespace(each, snapshot)),
  );
  yield ',\n';
  yield* list(
    'services',
    services.values().map((each) => exactService(each, snapshot)),
  );
  yield ',\n';
  yield* list('instances', instanceRecords(services));
  yield ',\n';
  const byAge = (a: Operation, b: Operation): number => a.createdAt - b.createdAt || byId(a, b);
  const operations = yield* sortInTurns(snapshot.operations, byAge);
  yield* list(
    'operations',
    operations.values().map((each) => exactOperation(each, snapshot)),
  );
  yield '}\n';
}

function* instanceRecords(services: readonly ServiceContent[]): Generator<object | null> {
  for (const { instances } of services) {
    const byId = sortInTurns(instances, (a, b) => compareText(a.id, b.id));
    let step = byId.next();
    for (; step.done !== true; step = byId.next()) yield null;
    for (const instance of step.value) yield exactInstance(instance);
  }
}

/** @param records null: nothing yet */
function* list(key: string, records: Iterable<object | null>): Generator<string> {
  yield `"${key}":[\n`;
  let isFirst = true;
  for (const record of records) {
    if (record === null) yield '';
    else yield `${isFirst ? '' : ',\n'}${jsonText(record)}`;
    if (record !== null) isFirst = false;
  }
  yield isFirst ? ']' : '\n]';
}

/** U+FEFF escaped: many a reader takes it for a byte order mark, and away. */
function jsonText(record: object): string {
  return JSON.stringify(record).replaceAll('\ufeff', '\\ufeff');
}

// What JSON leaves out is undefined.

function exactNamespace(namespace: Namespace, { options }: Pick<Snapshot, 'options'>): object {
  const { id, name, httpName, type, hostedZoneId } = namespace;
  return {
    id,
    arn: arnOf(options, 'namespace', id),
    name,
    httpName: httpName === name ? undefined : httpName,
    type,
    description: namespace.description ?? undefined,
    vpc: namespace.vpc ?? undefined,
    // One that is left out is made anew for a namespace that is in DNS.
    hostedZoneId: type === 'HTTP' ? (hostedZoneId ?? undefined) : hostedZoneId,
    soaTtlSeconds: namespace.soaTtlSeconds ?? undefined,
    tags: unlessEmpty(namespace.tags),
    creatorRequestId: namespace.creatorRequestId ?? undefined,
    operationId: namespace.operationId ?? undefined,
    createdAt: namespace.createdAt,
  };
}

function exactService({ service, revision }: ServiceContent, { options }: Snapshot): object {
  const { id, namespaceId, name, type, dns, healthCheck } = service;
  return {
    id,
    arn: arnOf(options, 'service', id),
    namespaceId,
    name,
    type: type === 'DNS_HTTP' ? undefined : type,
    description: service.description ?? undefined,
    dns: dns ?? undefined,
    healthCheck: healthCheck === null ? undefined : withoutNulls(healthCheck),
    hasCustomHealthCheck: service.hasCustomHealthCheck || undefined,
    attributes: unlessEmpty(service.attributes),
    tags: unlessEmpty(service.tags),
    creatorRequestId: service.creatorRequestId ?? undefined,
    requestDigest: service.requestDigest ?? undefined,
    createdAt: service.createdAt,
    revision,
  };
}

function exactInstance(instance: Instance): object {
  return {
    serviceId: instance.serviceId,
    id: instance.id,
    attributes: unlessEmpty(instance.attributes),
    health: isUsual(instance.health) ? undefined : withoutNulls(instance.health),
    creatorRequestId: instance.creatorRequestId ?? undefined,
    operationId: instance.operationId ?? undefined,
    registeredAt: instance.registeredAt,
  };
}

function exactOperation(operation: Operation, snapshot: Snapshot): object {
  const { id, type, status, createdAt, updatedAt, targets, error, work, dueAt, request } = operation;
  return {
    id,
    type,
    status: status === 'SUCCESS' ? undefined : status,
    createdAt,
    updatedAt: updatedAt === createdAt ? undefined : updatedAt,
    targets,
    error: error ?? undefined,
    work: work === null ? undefined : exactWork(work, snapshot),
    dueAt: dueAt === createdAt ? undefined : dueAt,
    request: request ?? undefined,
  };
}

function exactWork(work: Work, snapshot: Snapshot): object {
  if (work.kind === 'create-namespace') return { ...work, namespace: exactNamespace(work.namespace, snapshot) };
  if (work.kind === 'register-instance') return { ...work, instance: exactInstance(work.instance) };
  return work;
}

function isUsual({ status, lastHealthyAt, pending, transitions }: InstanceHealth): boolean {
  return status === 'HEALTHY' && lastHealthyAt === null && pending === null && transitions === undefined;
}

function withoutNulls(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}

function unlessEmpty(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  for (const _ in map) return map;
  return undefined;
}
