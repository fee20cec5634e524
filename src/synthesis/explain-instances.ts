/** What there is to say of a service's instances: who is healthy, who is answered, who is left out, and why. */
import { MULTIVALUE_RECORDS } from '../answers/selection.ts';
import type { ExplainedInstance, ExplainedName, ExplainedRecords, ExplainedService } from './explain-name.ts';
import { counted, listed, span } from './wording.ts';

/** So many are named; of the others there is a number. */
const MAX_NAMED = 5;

/** @param type that was asked for */
export function instanceSentences(
  found: ExplainedName,
  service: ExplainedService,
  type: string,
  now: number,
): string[] {
  const { records, instances, instanceCount } = found;
  if (instanceCount === 0) return ['No instance of it is registered.'];
  if (records === null) return missingSentences(found, service, type);
  return [
    healthSentence(found, service, records, now),
    ...leftOutSentences(instances, records.type, now),
    ...drawSentences(service, records, instances),
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
  { instances, instanceCount, healthyCount }: ExplainedName,
  service: ExplainedService,
  records: ExplainedRecords,
  now: number,
): string {
  const { fallback, eligibleCount } = records;
  const all = counted(instanceCount, 'instance');
  if (fallback !== null) {
    const last = instances.filter(({ verdict }) => verdict === 'answered' || verdict === 'not-drawn');
    const none = instanceCount === 1 ? 'Its one instance is not healthy' : `None of its ${all} is healthy`;
    if (fallback.kind === 'all') {
      const why = last.every(({ lastHealthyAt }) => lastHealthyAt === null) ? ' and none ever ceased to be' : '';
      return `${none}${why}, so ${eligibleCount === 1 ? 'it is' : 'all are'} answered nevertheless (CLOUDMAPD_DNS_FALLBACK).`;
    }
    const since =
      fallback.lastHealthyAt === null ? '' : `, healthy until ${span(now - Date.parse(fallback.lastHealthyAt))} ago`;
    return `${none}, so what was healthy last is answered (CLOUDMAPD_DNS_FALLBACK): ${named(last.map(({ id }) => id))}${since}.`;
  }
  if (service.healthCheck === 'none' && healthyCount === instanceCount) {
    return `It has ${all}, whose health nobody checks: ${instanceCount === 1 ? 'it counts' : 'they count'} as healthy.`;
  }
  if (healthyCount === instanceCount)
    return instanceCount === 1 ? 'Its one instance is healthy.' : `All of its ${all} are healthy.`;
  return `${healthyCount} of its ${all} ${healthyCount === 1 ? 'is' : 'are'} healthy, and ${healthyCount === 1 ? 'that one' : 'those'} alone can be answered.`;
}

function leftOutSentences(instances: readonly ExplainedInstance[], type: string, now: number): string[] {
  const sentences: string[] = [];
  const isUnfit = ({ verdict }: ExplainedInstance): boolean =>
    verdict === 'unhealthy' || verdict === 'not-last-healthy';
  const unfit = instances.filter(isUnfit);
  for (const instance of unfit.slice(0, MAX_NAMED))
    sentences.push(`${instance.id} is left out: ${statusText(instance, now)}.`);
  if (unfit.length > MAX_NAMED) sentences.push(`So are ${unfit.length - MAX_NAMED} more.`);
  const bare = instances.filter(({ verdict }) => verdict === 'no-record').map(({ id }) => id);
  if (bare.length > 0)
    sentences.push(
      `${named(bare)} ${bare.length === 1 ? 'has' : 'have'} no ${attributeOf(type)}, and so no ${type} record.`,
    );
  for (const { id, alias } of instances.filter(({ verdict }) => verdict === 'alias-unresolved').slice(0, MAX_NAMED)) {
    sentences.push(`${id} stands for ${alias} (AWS_ALIAS_DNS_NAME), of which no ${type} record is known.`);
  }
  return sentences;
}

/** `UNHEALTHY for 40 s (connect ECONNREFUSED, 3 in a row)`. */
export function statusText(
  { status, alias, lastTransition, registeredAt, lastHealthyAt }: ExplainedInstance,
  now: number,
): string {
  if (alias !== null) {
    const since = lastHealthyAt === null ? '' : ` since ${span(now - Date.parse(lastHealthyAt))} ago`;
    return status === 'HEALTHY' ? `${alias} resolves` : `${alias} does not resolve${since}`;
  }
  if (lastTransition === null) return `${status} since it was registered, ${span(now - Date.parse(registeredAt))} ago`;
  return `${status} for ${span(now - Date.parse(lastTransition.at))} (${lastTransition.reason})`;
}

function drawSentences(
  service: ExplainedService,
  { eligibleCount, type }: ExplainedRecords,
  instances: readonly ExplainedInstance[],
): string[] {
  if (eligibleCount === 1) return [];
  if (service.routingPolicy === 'WEIGHTED') {
    const drawn = instances.filter(({ verdict }) => verdict === 'answered').map(({ id }) => id);
    const one = drawn.length > 0 ? `, this time ${named(drawn, 'or')}` : '';
    return [`WEIGHTED: each answer has one of the ${eligibleCount}, drawn anew${one}.`];
  }
  if (eligibleCount <= MULTIVALUE_RECORDS) return [`MULTIVALUE: an answer has all ${eligibleCount}, in random order.`];
  return [
    `MULTIVALUE: each answer has ${MULTIVALUE_RECORDS} of the ${eligibleCount} that could be in it, drawn anew (${type}).`,
  ];
}

function ttlSentences(
  { ttl, configuredTtl, ttlCappedBy, type }: ExplainedRecords,
  instances: readonly ExplainedInstance[],
): string[] {
  const sentences = instances
    .filter(({ alias, verdict }) => alias !== null && verdict === 'answered')
    .slice(0, MAX_NAMED)
    .map(
      ({ id, alias, ttl: own }) =>
        `${id} stands for ${alias} (AWS_ALIAS_DNS_NAME), whose addresses and TTL of ${own} s it has.`,
    );
  if (ttl === null) return sentences;
  const cap =
    ttlCappedBy === null
      ? `as the service says of ${type}`
      : `which ${ttlCappedBy} has made of the service's ${configuredTtl} s`;
  return [...sentences, `The TTL is ${ttl} s, ${cap}.`];
}

/** The attribute that a record of the type is made of. */
function attributeOf(type: string): string {
  const attribute = { A: 'AWS_INSTANCE_IPV4', AAAA: 'AWS_INSTANCE_IPV6', CNAME: 'AWS_INSTANCE_CNAME' }[type];
  return attribute ?? 'AWS_INSTANCE_PORT';
}

function named(ids: readonly string[], word: 'and' | 'or' = 'and'): string {
  if (ids.length <= MAX_NAMED) return listed(ids, word);
  return listed([...ids.slice(0, MAX_NAMED), `${ids.length - MAX_NAMED} more`], word);
}
