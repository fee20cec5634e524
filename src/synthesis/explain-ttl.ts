/** For how long what is answered of names in no namespace may be kept, and who says so. */
import type { Trial, TriedHeld, TriedName } from '../answers/thread-protocol.ts';
import { toTextName } from '../wire/names.ts';
import type { TextMessage, TextRecord } from '../wire/presentation.ts';
import { cappedTtl } from './compile-options.ts';
import { MAX_TTL_SETTING } from './explain-name.ts';
import type { AnsweredTtl, ExplainedStep } from './explanation.ts';
import { type LocalOptions, ttlSourceOf } from './local-names.ts';

/** RFC 8767 s5.2, as `dns/outside.ts` has it. */
const STALE_TTL_SECONDS = 30;

/** @param place of the name in the chain; @param name text, lower case, without an ending dot; @param type mnemonic */
export function answeredTtlOf(
  trial: Trial,
  place: number,
  name: string,
  type: string,
  message: TextMessage | null,
  local: LocalOptions,
  now: number,
): AnsweredTtl | null {
  const tried = trial.names[place];
  if (message === null || tried === undefined || tried.isRegistered) return null;
  const record = message.answer.find((each) => isOf(each, name, type));
  const isLast = place === trial.names.length - 1;
  const soa = isLast && ['NOERROR', 'NXDOMAIN'].includes(message.rcode) ? soaOf(message) : undefined;
  const ttl = record?.ttl ?? soa?.ttl;
  if (ttl === undefined) return null;
  const base = { ttlSeconds: ttl, isNegative: record === undefined };
  const own = record === undefined || !tried.isLocal ? null : ttlSourceOf(name, record.type, ttl, local);
  if (own !== null) return { ...base, ...capOf(ttl, own.ttlSeconds, own.ttlSeconds, local), source: own.source };
  if (tried.isLocal || tried.route.kind === 'nxdomain' || tried.route.kind === 'localhost') {
    return { ...base, ...capOf(ttl, local.soaTtlSeconds, local.soaTtlSeconds, local), source: 'soa-ttl' };
  }
  const { held, index } = givenAt(trial, place, record ?? (soa as TextRecord), message);
  const given = held?.ttls[index] ?? null;
  const hasEnded = held !== null && held.expiresAtMs <= now && trial.outcome !== 'upstream';
  const isStale = hasEnded && ttl === cappedTtl(STALE_TTL_SECONDS, local);
  const left = isStale ? STALE_TTL_SECONDS : given === null ? null : given - (held?.ageSeconds ?? 0);
  return { ...base, ...capOf(ttl, given, left, local), source: isStale ? 'stale' : 'upstream' };
}

/** What upstreams said in one go begins where the chain left our names: its records are those of that reply in order. */
function givenAt(
  { names }: Trial,
  place: number,
  record: TextRecord,
  { answer, authority }: TextMessage,
): { held: TriedHeld | null; index: number } {
  let first = place;
  while (first > 0 && isOutside(names[first - 1])) first--;
  const { name, route } = names[first] as TriedName;
  const begin = answer.findIndex((each) => each.name.toLowerCase() === toTextName(name).toLowerCase());
  const index = answer.includes(record) ? answer.indexOf(record) : answer.length + authority.indexOf(record);
  return { held: route.held, index: index - (begin >= 0 ? begin : answer.length) };
}

function isOutside(tried: Trial['names'][number] | undefined): boolean {
  return tried !== undefined && !tried.isRegistered && !tried.isLocal;
}

function isOf(record: TextRecord, name: string, type: string): boolean {
  const isWanted = type === 'ANY' || [type, 'CNAME'].includes(record.type);
  return isWanted && record.name.toLowerCase() === (name === '' ? '.' : `${name}.`);
}

function soaOf({ authority }: TextMessage): TextRecord | undefined {
  return authority.find(({ type }) => type === 'SOA');
}

/** @param left of what was given, when it was answered; null: not known */
function capOf(
  ttl: number,
  configuredTtlSeconds: number | null,
  left: number | null,
  options: LocalOptions,
): Pick<AnsweredTtl, 'configuredTtlSeconds' | 'ttlCappedBy'> {
  const isCapped = left === null ? ttl === options.maxTtlSeconds : cappedTtl(left, options) < left;
  return { configuredTtlSeconds, ttlCappedBy: isCapped ? MAX_TTL_SETTING : null };
}

/** @param steps names of the chain that are told of together */
export function ttlSentences(steps: readonly ExplainedStep[]): string[] {
  const told = steps.flatMap(({ name, answeredTtl }) => (answeredTtl === null ? [] : [{ name, ttl: answeredTtl }]));
  return told.map(({ name, ttl }) => {
    const whose = told.length > 1 && !ttl.isNegative ? ` of ${name}` : '';
    const what = ttl.isNegative ? 'Clients may remember that for' : `The TTL${whose} is`;
    return `${what} ${ttl.ttlSeconds} s, ${whyOf(ttl)}.`;
  });
}

function whyOf({ ttlSeconds, configuredTtlSeconds, ttlCappedBy, source, isNegative }: AnsweredTtl): string {
  const soa = isNegative ? ' of its SOA' : '';
  const [says, whole] = {
    upstream: [`as the upstream gave it${soa && ' with its SOA'}`, `the upstream's ${configuredTtlSeconds} s${soa}`],
    stale: ['as of all that is answered after its time', 'that of all that is answered after its time'],
    records: ['as `records` says', `the ${configuredTtlSeconds} s of \`records\``],
    'own-name': ["as always of the daemon's own name", `the ${configuredTtlSeconds} s of the daemon's own name`],
    'soa-ttl': ['as CLOUDMAPD_SOA_TTL says', `the ${configuredTtlSeconds} s of CLOUDMAPD_SOA_TTL`],
  }[source] as [string, string];
  if (ttlCappedBy !== null) {
    return configuredTtlSeconds === null
      ? `the most that ${ttlCappedBy} lets through`
      : `which ${ttlCappedBy} has made of ${whole}`;
  }
  const isCountedDown = source === 'upstream' && configuredTtlSeconds !== null && ttlSeconds < configuredTtlSeconds;
  return isCountedDown ? `what is left of ${whole}` : says;
}
