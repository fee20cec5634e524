/**
 * Why a registered name is answered as it is: which namespace and service have it, what each instance brings, and which
 * of that was chosen. Pure; it goes by the same rules as what is compiled, and by them alone.
 */
import type { Choice } from '../answers/answer-set.ts';
import {
  type AliasTarget,
  aliasNameOf,
  hasHealthCheck,
  type Instance,
  type Namespace,
  type RecordType,
  type Service,
} from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import { readU16, readU32 } from '../wire/bytes.ts';
import { rdataText } from '../wire/rdata-text.ts';
import { typeText } from '../wire/type-names.ts';
import { addressTails, choiceOfAlias, choicesOfRecords, textOf } from './choices.ts';
import { NAME_SERVER_OWNER } from './compile.ts';
import { type CompileOptions, cappedTtl } from './compile-options.ts';
import { type Eligible, isHealthy, selectEligible } from './eligible.ts';
import { hintsOf, NO_HINTS } from './explain-hints.ts';
import {
  type ExplainedInstance,
  type ExplainedName,
  type ExplainedNamespace,
  type ExplainedRecords,
  type ExplainedService,
  type PendingOperation,
  VERDICTS,
  type Verdict,
} from './explanation.ts';

export type ExplainOptions = Pick<CompileOptions, 'fallback' | 'maxTtlSeconds' | 'soaTtlSeconds'>;

export const MAX_INSTANCES = 1000;
const MAX_PENDING = 5;
/** Octets of TYPE, CLASS, TTL and RDLENGTH in front of RDATA. */
const RDATA_AT = 10;
export const MAX_TTL_SETTING = 'CLOUDMAPD_DNS_MAX_TTL';

/**
 * @param name lower case, without an ending dot; @param type mnemonic
 * @param answered records that one answer has at the name, of the type or of a CNAME, as TextMessage.answerTails;
 *   null: a fault kept the answer back
 * @returns null: it is in no zone of a namespace
 */
export function explainName(
  state: State,
  name: string,
  type: string,
  answered: ReadonlySet<string> | null,
  options: ExplainOptions,
): ExplainedName | null {
  const [found, ...others] = zonesOf(state, name);
  if (found === undefined) return null;
  const { namespace, owner } = found;
  const holder = holderOf(state, namespace, owner);
  const base = {
    namespace: describeNamespace(state, namespace, options),
    shadowed: others.map(({ namespace: other, owner: relative }) => ({
      id: other.id,
      name: other.name,
      reason: other.name.toLowerCase() === namespace.name.toLowerCase() ? ('older' as const) : ('longer' as const),
      service: holderOf(state, other, relative)?.service.name ?? null,
    })),
    hints: holder === null && owner !== '' ? hintsOf(state, namespace, owner) : NO_HINTS,
  };
  const nobody = {
    service: null,
    records: null,
    instances: [],
    instanceCount: 0,
    healthyCount: 0,
    counts: {},
    pending: [],
  };
  if (holder === null) {
    const kind = owner === '' ? 'apex' : owner === NAME_SERVER_OWNER ? 'name-server' : 'nothing';
    return { ...base, ...nobody, kind };
  }
  const { service, instance } = holder;
  const described = { ...base, service: describeService(service) };
  if (instance !== null) return { ...described, ...explainCompanion(service, instance, type, answered, options) };
  return { ...described, kind: 'service', ...explainService(state, namespace, service, type, answered, options) };
}

/** Namespaces whose zone the name could be in, the one that is answered first. */
function zonesOf(state: State, name: string): { namespace: Namespace; owner: string }[] {
  const labels = name.split('.');
  return labels.flatMap((_label, i) =>
    state
      .zoneNamespaces(labels.slice(i).join('.'))
      .map((namespace) => ({ namespace, owner: labels.slice(0, i).join('.') })),
  );
}

function holderOf(
  state: State,
  namespace: Namespace,
  owner: string,
): { service: Service; instance: Instance | null } | null {
  const [kind, serviceId = '', ...instanceId] = (state.holderOf(namespace.id, owner) ?? '').split('/');
  const service = state.service(serviceId);
  if (service === undefined) return null;
  if (kind === 'service') return { service, instance: null };
  const instance = state.instance(service.id, instanceId.join('/'));
  return instance === undefined ? null : { service, instance };
}

function describeNamespace(state: State, namespace: Namespace, options: ExplainOptions): ExplainedNamespace {
  return {
    id: namespace.id,
    name: namespace.name,
    type: namespace.type,
    serial: state.serial(namespace.name.toLowerCase()),
    negativeTtlSeconds: cappedTtl(namespace.soaTtlSeconds ?? options.soaTtlSeconds, options),
    serviceCount: state.serviceCount(namespace.id),
  };
}

function describeService({ id, name, dns, healthCheck, hasCustomHealthCheck }: Service): ExplainedService {
  return {
    id,
    name,
    routingPolicy: dns?.routingPolicy ?? null,
    records: (dns?.records ?? []).map(({ type, ttlSeconds }) => ({ type, ttlSeconds })),
    check: healthCheck?.type ?? (hasCustomHealthCheck ? 'custom' : 'none'),
  };
}

type Explained = Pick<ExplainedName, 'records' | 'instances' | 'instanceCount' | 'healthyCount' | 'counts' | 'pending'>;

function explainService(
  state: State,
  namespace: Namespace,
  service: Service,
  type: string,
  answered: ReadonlySet<string> | null,
  options: ExplainOptions,
): Explained {
  const instances = [...state.instancesOf(service.id).values()];
  const aliasTarget = (name: string): AliasTarget | undefined => state.aliasTarget(name);
  const healthyCount = instances.filter((instance) => isHealthy(service, instance, aliasTarget)).length;
  /** What each of the instances brings of the type. */
  const choicesFor = (wanted: RecordType): (Choice | null)[] => {
    const record = service.dns?.records.find((each) => each.type === wanted);
    const choiceOf = record === undefined ? () => null : choicesOfRecords(namespace, service, record, options);
    return instances.map((instance) =>
      aliasNameOf(instance) === null ? choiceOf(instance) : choiceOfAlias(instance, wanted, aliasTarget, options),
    );
  };
  const has = (wanted: string): boolean => service.dns?.records.some((each) => each.type === wanted) === true;
  // As the query path chooses: a CNAME stands for every other type, ANY is the first that there is (RFC 8482 s4.1).
  const isThere = ({ type: wanted }: { type: RecordType }): boolean =>
    choicesFor(wanted).some((choice) => choice !== null);
  const wanted =
    type === 'ANY'
      ? (service.dns?.records.find(isThere)?.type ?? null)
      : has('CNAME')
        ? 'CNAME'
        : has(type)
          ? (type as RecordType)
          : null;
  const choices = wanted === null ? [] : choicesFor(wanted);
  const able = instances.filter((_instance, i) => (choices[i] ?? null) !== null);
  const eligible = able.length === 0 ? null : selectEligible(service, able, options.fallback, aliasTarget);
  const verdicts = judge(instances, choices, eligible, answered);
  const counts: Partial<Record<Verdict, number>> = {};
  for (const verdict of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return {
    records:
      eligible === null || wanted === null ? null : describeRecords(service, wanted, able.length, eligible, options),
    instances: shownOf(verdicts).map((i) =>
      describeInstance(
        service,
        instances[i] as Instance,
        aliasTarget,
        choices[i]?.answers ?? [],
        verdicts[i] as Verdict,
      ),
    ),
    instanceCount: instances.length,
    healthyCount,
    counts,
    pending: pendingOf(state, service),
  };
}

/** Which of them are shown: by their places. */
function shownOf(verdicts: readonly Verdict[]): number[] {
  const all = verdicts.map((_verdict, i) => i);
  if (all.length <= MAX_INSTANCES) return all;
  return VERDICTS.flatMap((verdict) => all.filter((i) => verdicts[i] === verdict)).slice(0, MAX_INSTANCES);
}

/** @param choices of each instance; @param eligible in the order of the instances */
function judge(
  instances: readonly Instance[],
  choices: readonly (Choice | null)[],
  eligible: Eligible | null,
  answered: ReadonlySet<string> | null,
): Verdict[] {
  let next = 0;
  return instances.map((instance, i) => {
    const choice = choices[i] ?? null;
    if (choice === null) return aliasNameOf(instance) === null ? 'no-record' : 'alias-unresolved';
    if (eligible?.instances[next] !== instance) return eligible?.fallback === null ? 'unhealthy' : 'not-last-healthy';
    next++;
    if (answered === null) return 'fault';
    return choice.answers.every((tail) => answered.has(textOf(tail))) ? 'answered' : 'not-drawn';
  });
}

function pendingOf(state: State, service: Service): PendingOperation[] {
  const found: PendingOperation[] = [];
  for (const { id, dueAt, work } of state.pendingOperations()) {
    if (found.length === MAX_PENDING) break;
    const at = new Date(dueAt).toISOString();
    if (work?.kind === 'register-instance' && work.instance.serviceId === service.id)
      found.push({ id, type: 'REGISTER_INSTANCE', instance: work.instance.id, at });
    if (work?.kind === 'deregister-instance' && work.serviceId === service.id)
      found.push({ id, type: 'DEREGISTER_INSTANCE', instance: work.instanceId, at });
  }
  return found;
}

function describeRecords(
  service: Service,
  type: RecordType,
  ableCount: number,
  { instances, fallback, lastHealthyAt }: Eligible,
  options: ExplainOptions,
): ExplainedRecords {
  const configured = service.dns?.records.find((each) => each.type === type)?.ttlSeconds ?? null;
  const areAliases = instances.every((instance) => aliasNameOf(instance) !== null);
  const ttl = configured === null || areAliases ? null : cappedTtl(configured, options);
  return {
    type,
    ttlSeconds: ttl,
    configuredTtlSeconds: configured,
    ttlCappedBy: ttl !== null && ttl !== configured ? MAX_TTL_SETTING : null,
    ableCount,
    eligibleCount: instances.length,
    fallback:
      fallback === null ? null : { kind: fallback, lastHealthyAt: timeOf(lastHealthyAt), setting: options.fallback },
  };
}

/** A and AAAA at an SRV target, whatever the instance's health. */
function explainCompanion(
  service: Service,
  instance: Instance,
  type: string,
  answered: ReadonlySet<string> | null,
  options: ExplainOptions,
): Explained & { kind: 'instance' } {
  const configured = service.dns?.records.find((record) => record.type === 'SRV')?.ttlSeconds ?? 0;
  const ttl = cappedTtl(configured, options);
  const tails = addressTails(instance, ttl).filter((each) => type === 'ANY' || typeText(each.type) === type);
  const [first] = tails;
  const isAnswered = tails.some(({ tail }) => answered?.has(textOf(tail)) === true);
  const verdict = isAnswered ? 'answered' : answered === null && first !== undefined ? 'fault' : 'no-record';
  return {
    kind: 'instance',
    records:
      first === undefined
        ? null
        : {
            type: typeText(first.type),
            ttlSeconds: ttl,
            configuredTtlSeconds: configured,
            ttlCappedBy: ttl === configured ? null : MAX_TTL_SETTING,
            ableCount: 1,
            eligibleCount: 1,
            fallback: null,
          },
    instances: [
      describeInstance(
        service,
        instance,
        () => undefined,
        tails.map(({ tail }) => tail),
        verdict,
      ),
    ],
    instanceCount: 1,
    healthyCount: isHealthy(service, instance) ? 1 : 0,
    counts: { [verdict]: 1 },
    pending: [],
  };
}

function describeInstance(
  service: Service,
  instance: Instance,
  aliasTarget: (name: string) => AliasTarget | undefined,
  tails: readonly Uint8Array[],
  verdict: Verdict,
): ExplainedInstance {
  const { id, health, registeredAt } = instance;
  const alias = aliasNameOf(instance);
  const target = alias === null ? undefined : aliasTarget(alias);
  const last = alias === null && hasHealthCheck(service) ? health.transitions?.at(-1) : undefined;
  const [tail] = tails;
  const ttl = tail === undefined ? null : readU32(tail, 4);
  const status = isHealthy(service, instance, aliasTarget) ? 'HEALTHY' : 'UNHEALTHY';
  return {
    id,
    health: alias === null && !hasHealthCheck(service) ? 'UNKNOWN' : status,
    alias,
    registeredAt: new Date(registeredAt).toISOString(),
    lastTransition:
      last === undefined ? null : { at: new Date(last.at).toISOString(), health: last.status, reason: last.reason },
    lastHealthyAt: timeOf((alias === null ? health.lastHealthyAt : target?.lastHealthyAt) ?? null),
    pending:
      health.pending === null
        ? null
        : { health: health.pending.status, at: new Date(health.pending.dueAt).toISOString() },
    records: tails.map(textOfTail),
    ttlSeconds: ttl,
    ttlCappedBy: ttl !== null && target !== undefined && ttl < target.ttlSeconds ? MAX_TTL_SETTING : null,
    verdict,
  };
}

function textOfTail(tail: Uint8Array): string {
  return rdataText(tail, readU16(tail, 0), RDATA_AT, tail.length);
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
