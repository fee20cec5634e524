/** An explanation in plain sentences: first what the answer is, then why, then for how long. */

import { isIP } from 'node:net';
import type { TextRecord } from '../wire/presentation.ts';
import { aaaaRdata, aRdata } from '../wire/rdata.ts';
import { instanceSentences, ttlSentence } from './explain-instances.ts';
import { reverseOf } from './explain-reverse.ts';
import { ttlSentences } from './explain-ttl.ts';
import type { ActiveFault, ExplainedName, ExplainedRoute, ExplainedStep, Explanation } from './explanation.ts';
import { counted, listed, span } from './wording.ts';

type Explained = Omit<Explanation, 'summary'>;

/** Letters of records in the first sentence; of longer ones there is a number. */
const MAX_HEADLINE = 160;
/** Faults of the API's calls. */
const MAX_FAULTS = 5;

/** @param now epoch ms */
export function sentencesOf(explained: Explained, now: number): string[] {
  const { names, faults, outcome } = explained;
  const sentences = [headline(explained)];
  for (const fault of faults) sentences.push(`A fault is set for the name: ${faultText(fault, now)}.`);
  if (outcome === 'fault') sentences.push('A fault kept the answer back; this is what there would be to answer with:');
  names.forEach((step, i) => {
    const before = names[i - 1];
    if (before !== undefined) sentences.push(`${before.name} is a CNAME, and it leads to ${step.name}.`);
    if (step.registry !== null) sentences.push(...registrySentences(step, step.registry, explained, now));
    else if (step.source === 'registry') {
      // Where it was in a namespace that has gone meanwhile there is nothing to say.
      const who = listed(step.registered, 'and');
      const has = `It is the name of an address that ${who} has, and so it has a PTR record (CLOUDMAPD_DNS_PTR).`;
      if (who !== '') sentences.push(has);
      const ttl = explained.answer.find((record) => isAt(step, record))?.ttl;
      const least = `the least of its services' records, or CLOUDMAPD_DNS_MAX_TTL where that is less`;
      if (ttl !== undefined) sentences.push(`The TTL is ${ttl} s: ${least}.`);
    } else if (step.source === 'settings') {
      sentences.push(
        `${step.name} is a name of the settings: of \`records\` in the file, or CLOUDMAPD_OWN_NAME.`,
        ...ttlSentences([step]),
      );
    } else if (before?.source !== 'outside') {
      // Who answered for the last name that was looked up outside is what the outcome tells.
      const end = names.findIndex(({ source }, at) => at > i && source !== 'outside');
      const isLast = end === -1;
      sentences.push(
        ...outsideSentences(step, isLast ? outcome : null, explained, now),
        ...ttlSentences(names.slice(i, isLast ? undefined : end)),
      );
    }
  });
  sentences.push(...circleSentences(explained));
  const zones = new Map(
    names.flatMap(({ registry }) => (registry === null ? [] : [[registry.namespace.name, registry]])),
  );
  for (const [zone, { namespace }] of zones) sentences.push(`The zone ${zone} is at serial ${namespace.serial}.`);
  return [...sentences, ...apiFaultSentences(explained, now)];
}

function circleSentences({ names, leadsBackTo }: Explained): string[] {
  const last = names.at(-1)?.name;
  if (leadsBackTo === null) return [];
  const where = leadsBackTo === last ? 'itself' : leadsBackTo;
  return [`${last} is a CNAME, and it leads back to ${where}: the chain goes in a circle, and the answer ends there.`];
}

/** Whoever looks for what is wrong may not have thought of them. */
function apiFaultSentences({ apiFaults }: Explained, now: number): string[] {
  const told = apiFaults.slice(0, MAX_FAULTS).map((fault) => faultText(fault, now));
  const others = apiFaults.length - told.length;
  return [
    ...told.map((text) => `A fault is set for calls of the API, not for DNS: ${text}.`),
    ...(others > 0 ? [`So ${others === 1 ? 'is one more' : `are ${others} more`} (/admin/faults).`] : []),
  ];
}

function faultText({ fault, until }: ActiveFault, now: number): string {
  const end = until === null ? '' : `, for another ${span(Date.parse(until) - now)}`;
  return `${fault}${end} (/admin/faults)`;
}

function headline({ question, rcode, answer, extendedErrors, transport, names, faults }: Explained): string {
  const { type } = question;
  const asked = `${question.name} ${type}`;
  if (rcode === null) return `${asked} gets no answer at all.`;
  if (rcode === 'NXDOMAIN') return `${asked} is answered with NXDOMAIN: there is no such name.`;
  const told = extendedErrors.map(({ text }) => text).filter((text) => text !== '');
  // Why a name outside is refused is told below.
  if (rcode === 'REFUSED' && names[0]?.source === 'outside') return `${asked} is REFUSED.`;
  if (rcode !== 'NOERROR') return `${asked} is answered with ${rcode}${told.length > 0 ? `: ${told.join('; ')}` : ''}.`;
  if (answer.length === 0) return `${asked} is answered with no record: NODATA.`;
  const wanted = answer.filter((record) => type === 'ANY' || record.type === type);
  if (wanted.length === 0) return `${asked} is answered with a CNAME alone.`;
  const values = listed(
    wanted.map(({ rdata }) => rdata),
    'and',
  );
  const shown = values.length <= MAX_HEADLINE ? values : counted(wanted.length, 'record');
  const why = faults.length > 0 ? '' : ', as that is too much for UDP';
  const how = transport === 'tcp' ? `, over TCP${why}` : '';
  // A name has its ending dot already.
  return `${asked} is answered with ${shown}${how}`.replace(/\.?$/, '.');
}

// --- names of namespaces ---

function registrySentences(step: ExplainedStep, found: ExplainedName, explained: Explained, now: number): string[] {
  const { question, rcode, names, answer, outcome } = explained;
  const { kind, namespace, service, records, instances } = found;
  const where = `the namespace ${namespace.name} (${namespace.id})`;
  const isKeptBack = outcome === 'fault';
  const isAnswer = isKeptBack || rcode === 'NOERROR' || rcode === 'NXDOMAIN';
  const sentences: string[] = [];
  if (kind === 'apex') sentences.push(`It is the name of ${where} itself, which has SOA and NS alone.`);
  else if (kind === 'name-server') sentences.push(`It is the name server of ${where}: this daemon.`);
  else if (service === null) sentences.push(...nothingSentences(found, where));
  else if (kind === 'instance') {
    const id = instances[0]?.id;
    sentences.push(
      `It is what the SRV record of ${id} leads to, an instance of the service ${service.name} in ${where}.`,
      ...(records === null
        ? [`${id} has no ${question.type} record there.`]
        : ['It is answered whatever its health.', ttlSentence(records, 'SRV')]),
    );
  } else {
    sentences.push(`It is the service ${service.name} (${service.id}) of ${where}.`);
    if (isAnswer) sentences.push(...instanceSentences(found, service, question.type, now));
  }
  const isEmpty = !isKeptBack && !answer.some((record) => isAt(step, record));
  if (!isEmpty && isAnswer && (kind === 'apex' || kind === 'name-server')) {
    sentences.push(`The TTL is ${namespace.negativeTtlSeconds} s, that of the zone's SOA.`);
  }
  sentences.push(...shadowSentences(found, step, isEmpty));
  if (isEmpty && isAnswer && step === names.at(-1)) {
    sentences.push(`Clients may remember that for ${namespace.negativeTtlSeconds} s, the TTL of the zone's SOA.`);
  }
  return sentences;
}

function isAt({ name }: ExplainedStep, record: TextRecord): boolean {
  return record.name.toLowerCase() === `${name}.`;
}

function nothingSentences({ namespace, hints }: ExplainedName, where: string): string[] {
  const { apiOnlyService, below, similar } = hints;
  if (apiOnlyService !== null) {
    return [`The service ${apiOnlyService} of ${where} has no DnsConfig: it is for the API alone (DiscoverInstances).`];
  }
  if (below.length > 0) return [`In ${where} nothing has that name itself, but there is ${listed(below, 'and')}.`];
  const sentences = [
    namespace.serviceCount === 0
      ? `It would be in ${where}, which has no services.`
      : `No service of ${where} has that name (it has ${namespace.serviceCount}).`,
  ];
  if (similar.length > 0) sentences.push(`There is ${listed(similar, 'and')}.`);
  return sentences;
}

/** What else has the name, and does not count. @param isEmpty nothing is answered at the name */
function shadowSentences(
  { namespace, shadowed }: ExplainedName,
  { isShadowingSettings, outside }: ExplainedStep,
  isEmpty: boolean,
): string[] {
  const sentences: string[] = [];
  for (const { id, name, reason, service } of shadowed) {
    const has = service === null ? '' : `, whose service ${service} has the name too`;
    if (reason === 'older')
      sentences.push(`The namespace ${id} has the same name${has}: it is not in DNS, as ${namespace.id} is older.`);
    else if (service !== null)
      sentences.push(`The namespace ${name} (${id})${has}, does not count: ${namespace.name} is the longer name.`);
  }
  if (isShadowingSettings) {
    sentences.push('A name of the settings (`records`, CLOUDMAPD_OWN_NAME) is the same: registered names come first.');
  }
  if (isEmpty && outside.suffix !== null) {
    sentences.push(`The rule for ${outside.suffix} (${outside.setting}) does not count: registered names come first.`);
  }
  return sentences;
}

// --- names outside ---

/** @param outcome null: other names come behind it, and it is not told where its part of the answer came from */
function outsideSentences(
  { name, outside, registered }: ExplainedStep,
  outcome: string | null,
  { question, tookMs, rcode, extendedErrors }: Explained,
  now: number,
): string[] {
  const { rule, setting, upstreams, httpNamespaces, fullNames } = outside;
  const such = subjectOf(outside);
  const sentences = ['It is in no namespace here.'];
  for (const http of httpNamespaces) {
    sentences.push(`The namespace ${http} is of type HTTP: its services are for DiscoverInstances alone, not for DNS.`);
  }
  if (registered.length > 0) {
    sentences.push(
      `${listed(registered, 'and')} has the address, but PTR records are made by CLOUDMAPD_DNS_PTR alone.`,
    );
  }
  const address = isIP(question.name) === 0 ? null : isIP(question.name) === 4 ? aRdata(name) : aaaaRdata(name);
  if (address !== null) sentences.push(`It is an address, of which the name is ${reverseOf(address)}, with type PTR.`);
  if (fullNames.length > 0) sentences.push(`There is ${listed(fullNames, 'and')}: ask for the whole name.`);
  const isRefused = outcome === 'refused' || (outcome === 'fault' && wouldBeRefused(outside));
  if (isRefused) return [...sentences, refusalSentence(outside, question.from)];
  if (rule === 'localhost') return [...sentences, `${such} are loopback (${setting}).`];
  if (rule === 'nxdomain')
    return [...sentences, `${such} are for local use, and nobody is asked for them (${setting}).`];
  const asked = (upstreams ?? []).filter(({ isLooping }) => !isLooping).map(({ address }) => address);
  sentences.push(`${such} are asked of ${asked.length === 0 ? 'nobody' : listed(asked, 'and')} (${setting}).`);
  for (const { address, isLooping, isDown } of upstreams ?? []) {
    if (isLooping) sentences.push(`${address} leads back to this daemon, and is not asked.`);
    else if (isDown) sentences.push(`${address} has not answered lately.`);
  }
  sentences.push(...outcomeSentences(outside, outcome, asked.length, tookMs, now));
  if (rcode === 'NXDOMAIN' && outcome !== null) sentences.push(`It says that ${name} does not exist.`);
  const isTold = outcome === 'upstream' || outcome === 'cache';
  for (const { text } of isTold ? extendedErrors : []) if (text !== '') sentences.push(`It says: ${text}.`);
  return sentences;
}

/** The names that the rule is for. */
function subjectOf({ rule, suffix, setting }: ExplainedRoute): string {
  if (suffix !== null) return suffix === '.' ? 'All names outside' : `Names that end in ${suffix}`;
  const isOfOneLabel = rule === 'nxdomain' || setting === 'CLOUDMAPD_SINGLE_LABEL_UPSTREAMS';
  return isOfOneLabel ? 'Names of one label' : 'Names outside';
}

/** @param count of the upstreams that could be asked */
function outcomeSentences(
  { cache }: ExplainedRoute,
  outcome: string | null,
  count: number,
  tookMs: number,
  now: number,
): string[] {
  const age = cache === null ? 'some time' : span(now - Date.parse(cache.storedAt));
  const left = cache === null ? 0 : Date.parse(cache.expiresAt) - now;
  const kept = left > 0 ? `, and is kept for another ${span(left)}` : '';
  if (outcome === 'cache') return [`The answer is from the cache: it came ${age} ago${kept}.`];
  if (outcome === 'upstream') return [`The answer came just now, in ${Math.max(1, Math.round(tookMs))} ms${kept}.`];
  if (outcome === 'stale') return [`No upstream answered: what was known from ${age} ago is answered again.`];
  if (outcome === 'failed' && count > 0) {
    return [`${count === 1 ? 'It gave no answer' : 'None of them gave an answer'} that could be used.`];
  }
  return [];
}

function wouldBeRefused({ rule, upstreams, isClientServed }: ExplainedRoute): boolean {
  return !isClientServed || rule === 'refuse' || (rule === 'default' && upstreams === null);
}

function refusalSentence(route: ExplainedRoute, from: string): string {
  const { rule, setting, upstreams, isClientServed } = route;
  const isOff = upstreams === null && rule === 'default';
  if (!isClientServed && !isOff) {
    return `Names outside are not looked up for ${from}, which is not among the clients of CLOUDMAPD_RECURSION_CLIENTS.`;
  }
  if (rule === 'refuse') return `${subjectOf(route)} are refused (${setting}).`;
  return 'Names outside are not looked up: no upstreams are set (CLOUDMAPD_UPSTREAMS).';
}
