/**
 * Why an answer is what it is: what an answering thread made of the question, and what the registry has of each name on
 * the way. Pure.
 */
import type { Trial, TriedName } from '../answers/thread-protocol.ts';
import type { State } from '../registry/state.ts';
import { digText, extendedErrorName } from '../wire/dig-text.ts';
import { toTextName } from '../wire/names.ts';
import { messageText, plainName, type TextMessage, type TextRecord } from '../wire/presentation.ts';
import { type ExplainOptions, explainName } from './explain-name.ts';
import { addressOfReverse, instancesWith } from './explain-reverse.ts';
import { sentencesOf } from './explain-sentences.ts';
import { answeredTtlOf } from './explain-ttl.ts';
import type { ActiveFault, ExplainedQuestion, ExplainedRoute, ExplainedStep, Explanation } from './explanation.ts';
import type { LocalOptions } from './local-names.ts';

export interface ExplainInput {
  readonly question: ExplainedQuestion;
  /** Over UDP, and over TCP where that was too long. */
  readonly trials: readonly [Trial, ...Trial[]];
  readonly state: State;
  readonly options: ExplainOptions;
  readonly local: LocalOptions;
  /** Epoch ms. */
  readonly now: number;
  readonly faults: readonly ActiveFault[];
  readonly apiFaults: readonly ActiveFault[];
}

const MAX_NAMES = 5;

export function explain(input: ExplainInput): Explanation {
  const { question, trials, now, faults, apiFaults } = input;
  const trial = trials.at(-1) as Trial;
  const message = trial.reply.length === 0 ? null : messageText(trial.reply);
  const names = trial.names.map((tried, place) => stepOf(tried, place, trial, message, input));
  const explained = {
    question,
    at: new Date(now).toISOString(),
    rcode: message?.rcode ?? null,
    outcome: trial.outcome,
    transport: trials.length > 1 ? ('tcp' as const) : ('udp' as const),
    tookMs: toTenths(trials.reduce((sum, { tookMs }) => sum + tookMs, 0)),
    extendedErrors: (message?.opt?.errors ?? []).map((error) => ({ ...error, name: extendedErrorName(error.code) })),
    names,
    leadsBackTo: trial.leadsBackTo === null ? null : (names[trial.leadsBackTo]?.name ?? null),
    faults,
    apiFaults,
    answer: message?.answer ?? [],
    authority: message?.authority ?? [],
    additional: message?.additional ?? [],
    dig: digOf(message, trials.length > 1),
  };
  return { ...explained, summary: sentencesOf(explained, now) };
}

function digOf(message: TextMessage | null, isRetried: boolean): string {
  if (message === null) return ';; no servers could be reached\n';
  const retry = isRetried ? ';; Truncated, retrying in TCP mode.\n' : '';
  return `${retry};; Got answer:\n${digText(message)};; MSG SIZE  rcvd: ${message.size}\n`;
}

function stepOf(
  tried: TriedName,
  place: number,
  trial: Trial,
  message: TextMessage | null,
  { question: { type }, state, options, local, now }: ExplainInput,
): ExplainedStep {
  const name = toTextName(tried.name).slice(0, -1);
  const plain = plainName(tried.name);
  const isAtName = (record: TextRecord | undefined): boolean =>
    record?.name.toLowerCase() === `${name}.` && (type === 'ANY' || [type, 'CNAME'].includes(record.type));
  const tails = (message?.answerTails ?? []).filter((_tail, i) => isAtName(message?.answer[i]));
  const answered = trial.outcome === 'fault' ? null : new Set(tails);
  return {
    name: name === '' ? '.' : name,
    source: tried.isRegistered ? 'registry' : tried.isLocal ? 'settings' : 'outside',
    registry: tried.isRegistered ? explainName(state, plain, type, answered, options) : null,
    outside: routeOf(tried, trial, plain, state),
    answeredTtl: answeredTtlOf(trial, place, name.toLowerCase(), type, message, local, now),
    registered: registeredWith(state, plain),
    isShadowingSettings: tried.isRegistered && tried.isLocal,
  };
}

function routeOf({ route }: TriedName, trial: Trial, name: string, state: State): ExplainedRoute {
  const { kind, suffix, isSingleLabel, upstreams, held } = route;
  return {
    rule: kind,
    suffix: suffix === null ? null : toTextName(suffix).replace(/(.)\.$/, '$1'),
    setting: settingOf(kind, isSingleLabel),
    upstreams:
      upstreams?.map(({ address, port, rttMs, ...rest }) => ({
        address: endpointText(address, port),
        ...rest,
        rttMs: rttMs === null ? null : toTenths(rttMs),
      })) ?? null,
    cache:
      held === null
        ? null
        : { storedAt: new Date(held.storedAtMs).toISOString(), expiresAt: new Date(held.expiresAtMs).toISOString() },
    isClientServed: trial.mayRecurse,
    httpNamespaces: httpNamespacesOf(state, name),
    fullNames: name.includes('.') ? [] : fullNamesOf(state, name),
  };
}

function registeredWith(state: State, name: string): string[] {
  const address = addressOfReverse(name);
  return address === null ? [] : instancesWith(state, address, MAX_NAMES);
}

function settingOf(kind: ExplainedRoute['rule'], isSingleLabel: boolean): string {
  if (kind === 'refuse') return 'CLOUDMAPD_REFUSE';
  if (kind === 'default') return 'CLOUDMAPD_UPSTREAMS';
  if (kind !== 'ask') return 'CLOUDMAPD_SPECIAL_USE_NAMES';
  return isSingleLabel ? 'CLOUDMAPD_SINGLE_LABEL_UPSTREAMS' : 'CLOUDMAPD_FORWARD';
}

function toTenths(ms: number): number {
  return Math.round(10 * ms) / 10;
}

function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function httpNamespacesOf(state: State, name: string): string[] {
  const found: string[] = [];
  for (const namespace of state.namespaces()) {
    const suffix = namespace.name.toLowerCase();
    if (namespace.type === 'HTTP' && (name === suffix || name.endsWith(`.${suffix}`))) found.push(namespace.name);
  }
  return found.slice(0, MAX_NAMES);
}

function fullNamesOf(state: State, label: string): string[] {
  const found: string[] = [];
  for (const namespace of state.namespaces()) {
    if (namespace.type !== 'HTTP' && state.holderOf(namespace.id, label) !== undefined)
      found.push(`${label}.${namespace.name}`);
    if (found.length === MAX_NAMES) break;
  }
  return found;
}
