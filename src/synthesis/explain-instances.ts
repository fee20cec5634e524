/** What there is to say of a service's instances: who is healthy, who is answered, who is left out, and why. */
import { MULTIVALUE_RECORDS } from '../answers/selection.ts';
import type { ExplainedInstance, ExplainedName, ExplainedRecords, ExplainedService, Verdict } from './explanation.ts';
import { counted, listed, span } from './wording.ts';

/** So many are named; of the others there is a number. */
const MAX_NAMED = 5;
/** Of those that may be in an answer. */
const CHOSEN: readonly Verdict[] = ['answered', 'not-drawn', 'fault', 'failed'];

/** @param type that was asked for */
export function instanceSentences(
  found: ExplainedName,
  service: ExplainedService,
  type: string,
  now: number,
): string[] {
  const { records, instances, instanceCount } = found;
  if (instanceCount === 0)
    return ['No instance of it is registered, so there are no records.', ...pendingSentences(found, now)];
  if (records === null) return [...missingSentences(found, service, type), ...pendingSentences(found, now)];
  return [
    healthSentence(found, service, records, now),
    ...leftOutSentences(found, records.type, now),
    ...drawSentences(service, records, instances),
    ...pendingSentences(found, now),
    ...ttlSentences(records, instances),
  ];
}

/** Of a service with instances that has no records of the type. */
function missingSentences({ instances }: ExplainedName, service: ExplainedService, type: string): string[] {
  const types = service.records.map((record) => record.type);
  if (!types.some((each) => each === type))
    return [`The service has ${listed(types, 'and')} records, and none of type ${type}.`];
  const aliases = instances.filter(({ alias }) => alias !== null);
  if (aliases.length === 0)
    return [`None of its instances has what a ${type} record is made of (${attributeOf(type)}).`];
  return aliases
    .slice(0, MAX_NAMED)
    .map(({ id, alias }) => `${id} stands for ${alias} (AWS_ALIAS_DNS_NAME), of which no ${type} record is known.`);
}

function healthSentence(
  { instances, instanceCount }: ExplainedName,
  service: ExplainedService,
  { fallback, ableCount, eligibleCount, type }: ExplainedRecords,
  now: number,
): string {
  const those = ableCount === instanceCount ? 'instances' : `instances with a record of type ${type}`;
  const one = `Its one ${those.replace('instances', 'instance')}`;
  if (fallback !== null) {
    const none =
      ableCount === 1 ? `${one} is not healthy` : `${ableCount === 2 ? 'Neither' : 'None'} of its ${those} is healthy`;
    if (fallback.kind === 'all') {
      const never = fallback.setting === 'all' ? '' : ' and none ever was, as far as is known';
      const all = ableCount === 1 ? 'it is answered' : ableCount === 2 ? 'both count' : `all ${ableCount} count`;
      return `${none}${ableCount === 1 ? '' : never}, so ${all} nevertheless (CLOUDMAPD_DNS_FALLBACK=${fallback.setting}).`;
    }
    const last = instances.filter(({ verdict }) => CHOSEN.includes(verdict));
    const since =
      fallback.lastHealthyAt === null ? '' : `, healthy until ${span(now - Date.parse(fallback.lastHealthyAt))} ago`;
    const ids = named(
      last.map(({ id }) => id),
      eligibleCount,
    );
    return `${none}, so what was healthy last is answered: ${ids}${since} (CLOUDMAPD_DNS_FALLBACK=${fallback.setting}).`;
  }
  if (eligibleCount === ableCount) {
    const all = ableCount === 1 ? `${one} is` : `${ableCount === 2 ? 'Both' : `All ${ableCount}`} of its ${those} are`;
    const isChecked = service.check !== 'none' || instances.some(({ alias }) => alias !== null);
    return isChecked
      ? `${all} healthy.`
      : `Nobody checks the health of its instances: ${counted(ableCount, 'instance')} can be answered.`;
  }
  return `${eligibleCount} of its ${ableCount} ${those} ${eligibleCount === 1 ? 'is' : 'are'} healthy, and ${eligibleCount === 1 ? 'that one' : 'those'} alone can be answered.`;
}

function leftOutSentences({ instances, counts }: ExplainedName, type: string, now: number): string[] {
  const sentences: string[] = [];
  const isUnfit = ({ verdict }: ExplainedInstance): boolean =>
    verdict === 'unhealthy' || verdict === 'not-last-healthy';
  const unfit = instances.filter(isUnfit);
  for (const instance of unfit.slice(0, MAX_NAMED))
    sentences.push(`${instance.id} is left out: ${statusText(instance, now)}.`);
  const others = (counts.unhealthy ?? 0) + (counts['not-last-healthy'] ?? 0) - MAX_NAMED;
  if (others > 0) sentences.push(`So ${others === 1 ? 'is' : 'are'} ${others} more, for not being healthy.`);
  const bare = instances.filter(({ verdict }) => verdict === 'no-record').map(({ id }) => id);
  if (bare.length > 0)
    sentences.push(
      `${named(bare, counts['no-record'])} ${bare.length === 1 ? 'has' : 'have'} no ${attributeOf(type)}, and so no ${type} record.`,
    );
  for (const { id, alias } of instances.filter(({ verdict }) => verdict === 'alias-unresolved').slice(0, MAX_NAMED)) {
    sentences.push(`${id} stands for ${alias} (AWS_ALIAS_DNS_NAME), of which no ${type} record is known.`);
  }
  return sentences;
}

/** What is yet to come: operations that wait, and custom statuses. */
function pendingSentences({ instances, pending }: ExplainedName, now: number): string[] {
  const due = (at: string): string => `in ${span(Date.parse(at) - now)}`;
  return [
    ...pending.slice(0, MAX_NAMED).map(({ type, instance, at }) => {
      const what = type === 'REGISTER_INSTANCE' ? 'will be registered' : 'will be deregistered';
      return `${instance} ${what} ${due(at)} (CLOUDMAPD_OPERATION_DELAY_MS).`;
    }),
    ...instances
      .flatMap(({ id, pending: next }) =>
        next === null ? [] : [`${id} will be ${next.health} ${due(next.at)} (CLOUDMAPD_CUSTOM_HEALTH_DELAY_MS).`],
      )
      .slice(0, MAX_NAMED),
  ];
}

/** `UNHEALTHY for 40 s (connect ECONNREFUSED, 3 in a row)`. */
export function statusText(
  { health, alias, lastTransition, registeredAt, lastHealthyAt }: ExplainedInstance,
  now: number,
): string {
  if (alias !== null) {
    const since = lastHealthyAt === null ? '' : ` since ${span(now - Date.parse(lastHealthyAt))} ago`;
    return health === 'HEALTHY' ? `${alias} resolves` : `${alias} does not resolve${since}`;
  }
  if (lastTransition === null) return `${health} since it was registered, ${span(now - Date.parse(registeredAt))} ago`;
  return `${health} for ${span(now - Date.parse(lastTransition.at))} (${lastTransition.reason})`;
}

function drawSentences(
  service: ExplainedService,
  { eligibleCount }: ExplainedRecords,
  instances: readonly ExplainedInstance[],
): string[] {
  if (eligibleCount === 1) return [];
  if (service.routingPolicy === 'WEIGHTED') {
    const drawn = instances.filter(({ verdict }) => verdict === 'answered').map(({ id }) => id);
    const one = drawn.length > 0 ? `, this time ${listed(drawn, 'or')}` : '';
    return [`WEIGHTED: each answer has one of the ${eligibleCount}, drawn anew${one}.`];
  }
  if (eligibleCount <= MULTIVALUE_RECORDS) return [`MULTIVALUE: an answer has all ${eligibleCount}, in random order.`];
  return [`MULTIVALUE: each answer has ${MULTIVALUE_RECORDS} of the ${eligibleCount} that could be in it, drawn anew.`];
}

function ttlSentences(records: ExplainedRecords, instances: readonly ExplainedInstance[]): string[] {
  const sentences = instances
    .filter(({ alias, verdict }) => alias !== null && verdict === 'answered')
    .slice(0, MAX_NAMED)
    .map(({ id, alias, ttlSeconds: own, ttlCappedBy: capped }) => {
      const under = capped === null ? `under their TTL of ${own} s` : `under a TTL of ${own} s (${capped})`;
      return `${id} stands for ${alias} (AWS_ALIAS_DNS_NAME), whose addresses it has, ${under}.`;
    });
  return records.ttlSeconds === null ? sentences : [...sentences, ttlSentence(records, records.type)];
}

/** @param type of the records that the service says it of */
export function ttlSentence({ ttlSeconds, configuredTtlSeconds, ttlCappedBy }: ExplainedRecords, type: string): string {
  const cap =
    ttlCappedBy === null
      ? `as the service says of ${type}`
      : `which ${ttlCappedBy} has made of the service's ${configuredTtlSeconds} s`;
  return `The TTL is ${ttlSeconds} s, ${cap}.`;
}

/** The attribute that a record of the type is made of. */
function attributeOf(type: string): string {
  const attribute = { A: 'AWS_INSTANCE_IPV4', AAAA: 'AWS_INSTANCE_IPV6', CNAME: 'AWS_INSTANCE_CNAME' }[type];
  return attribute ?? 'AWS_INSTANCE_PORT';
}

/** @param count how many there are in all */
function named(ids: readonly string[], count = ids.length): string {
  if (count <= MAX_NAMED) return listed(ids, 'and');
  const shown = ids.slice(0, MAX_NAMED);
  return listed([...shown, `${count - shown.length} more`], 'and');
}
