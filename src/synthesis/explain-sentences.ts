/** An explanation in plain sentences: first what the answer is, then why, then for how long. */

import { instanceSentences } from './explain-instances.ts';
import type { ExplainedName } from './explain-name.ts';
import type { ExplainedRoute, ExplainedStep, Explanation } from './explanation.ts';
import { counted, listed, span } from './wording.ts';

type Explained = Omit<Explanation, 'summary'>;

/** @param now epoch ms */
export function sentencesOf(explained: Explained, now: number): string[] {
  const { names, faults } = explained;
  const sentences = [headline(explained)];
  for (const { fault, endsAt } of faults) {
    const end = endsAt === null ? '' : `, for another ${span(Date.parse(endsAt) - now)}`;
    sentences.push(`A fault is set for the name: ${fault}${end} (/admin/faults).`);
  }
  names.forEach((step, i) => {
    const before = names[i - 1];
    if (before !== undefined) sentences.push(`${before.name} is a CNAME, and it leads to ${step.name}.`);
    if (step.registry !== null) sentences.push(...registrySentences(step, step.registry, explained, now));
    else if (step.source === 'registry') {
      sentences.push(`${step.name} is the reverse name of an address that is registered (CLOUDMAPD_DNS_PTR).`);
    } else if (step.source === 'settings') {
      sentences.push(`${step.name} is a name of the settings: of \`records\` in the file, or CLOUDMAPD_OWN_NAME.`);
    } else if (before?.source !== 'outside') {
      // Who answered for the last name that was looked up outside is what the outcome tells.
      const isLast = names.slice(i).every(({ source }) => source === 'outside');
      sentences.push(...outsideSentences(step, isLast ? explained.outcome : null, explained, now));
    }
  });
  const zones = new Map(
    names.flatMap(({ registry }) => (registry === null ? [] : [[registry.namespace.name, registry]])),
  );
  for (const [zone, { namespace }] of zones) sentences.push(`The zone ${zone} is at serial ${namespace.serial}.`);
  return sentences;
}

function headline({ question, rcode, answer, extendedErrors, transport }: Explained): string {
  const asked = `${question.name} ${question.type}`;
  if (rcode === null) return `${asked} gets no answer at all.`;
  const over = transport === 'tcp' ? ', over TCP, as it is too long for UDP' : '';
  if (rcode === 'NXDOMAIN') return `${asked} is answered with NXDOMAIN: there is no such name.`;
  // Why it was refused is told below, and why something failed by whoever has failed.
  if (rcode === 'REFUSED') return `${asked} is REFUSED.`;
  if (rcode !== 'NOERROR') {
    const told = extendedErrors.map(({ text }) => text).filter((text) => text !== '');
    return `${asked} is answered with ${rcode}${told.length > 0 ? `: ${told.join('; ')}` : ''}.`;
  }
  if (answer.length === 0) return `${asked} is answered with no record: NODATA.`;
  return `${asked} is answered with ${counted(answer.length, 'record')}${over}.`;
}

// --- names of namespaces ---

function registrySentences(step: ExplainedStep, found: ExplainedName, { question }: Explained, now: number): string[] {
  const { kind, namespace, service, records, instances } = found;
  const where = `the namespace ${namespace.name} (${namespace.id})`;
  const sentences: string[] = [];
  if (kind === 'apex') sentences.push(`It is the name of ${where} itself, which has SOA and NS alone.`);
  else if (kind === 'name-server') sentences.push(`It is the name server of ${where}: this daemon.`);
  else if (service === null) sentences.push(...nothingSentences(found, where));
  else if (kind === 'instance') {
    const id = instances[0]?.id;
    sentences.push(
      `It is what the SRV record of ${id} leads to, an instance of the service ${service.name} in ${where}.`,
      records === null ? `${id} has no ${question.type} record there.` : 'It is answered whatever its health.',
    );
  } else {
    sentences.push(`It is the service ${service.name} (${service.id}) of ${where}.`);
    sentences.push(...instanceSentences(found, service, question.type, now));
  }
  sentences.push(...shadowSentences(found, step));
  if (records === null) {
    const isDefault = `for ${namespace.negativeTtl} s, the TTL of the zone's SOA`;
    if (kind !== 'apex' && kind !== 'name-server') sentences.push(`Clients may remember that ${isDefault}.`);
  }
  return sentences;
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
      : `None of the ${counted(namespace.serviceCount, 'service')} of ${where} has that name.`,
  ];
  if (similar.length > 0) sentences.push(`There is ${listed(similar, 'and')}.`);
  return sentences;
}

/** What else has the name, and does not count. */
function shadowSentences(
  { namespace, shadowed }: ExplainedName,
  { isShadowingSettings, outside }: ExplainedStep,
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
    sentences.push('`records` in the file, or CLOUDMAPD_OWN_NAME, has the name too: registered names come first.');
  }
  if (outside.suffix !== null) {
    sentences.push(`The rule for ${outside.suffix} (${outside.setting}) does not count: registered names come first.`);
  }
  return sentences;
}

// --- names outside ---

/** @param outcome null: other names come behind it, and it is not told where its part of the answer came from */
function outsideSentences(
  { name, outside }: ExplainedStep,
  outcome: string | null,
  { question, tookMs, rcode, extendedErrors }: Explained,
  now: number,
): string[] {
  const { rule, setting, suffix, upstreams, httpNamespaces, fullNames } = outside;
  const sentences = ['It is in no namespace here.'];
  for (const http of httpNamespaces) {
    sentences.push(`The namespace ${http} is of type HTTP: its services are for DiscoverInstances alone, not for DNS.`);
  }
  if (fullNames.length > 0) sentences.push(`There is ${listed(fullNames, 'and')}: ask for the whole name.`);
  const below = suffix === null ? '' : suffix === '.' ? 'The rule for all names' : `The rule for ${suffix}`;
  if (outcome === 'refused') return [...sentences, ...refusalSentences(outside, question.from, below)];
  if (rule === 'refuse' || rule === 'nxdomain' || rule === 'localhost') {
    const whose = below === '' ? 'Names of one label are' : `${below} says that it is`;
    sentences.push(
      rule === 'localhost'
        ? `${below} says that it is loopback (${setting}).`
        : `${whose} for local use, and nobody is asked (${setting}).`,
    );
    return sentences;
  }
  const asked = upstreams ?? [];
  const addresses = asked.filter(({ isLooping }) => !isLooping).map(({ address }) => address);
  const who = addresses.length === 0 ? 'nobody' : listed(addresses, 'and');
  const leads = `${below === '' ? 'Such names are' : `${below} has it`} asked of ${who} (${setting}).`;
  sentences.push(leads);
  for (const { address, isLooping, isDown } of asked) {
    if (isLooping) sentences.push(`${address} leads back to this daemon, and is not asked.`);
    else if (isDown) sentences.push(`${address} has not answered lately.`);
  }
  sentences.push(...outcomeSentences(outside, outcome, tookMs, now));
  if (rcode === 'NXDOMAIN' && outcome !== null && outcome !== 'failed')
    sentences.push(`They say that ${name} does not exist.`);
  if (outcome !== 'failed')
    for (const { text } of extendedErrors) if (text !== '') sentences.push(`The answer says: ${text}.`);
  return sentences;
}

function outcomeSentences({ cache }: ExplainedRoute, outcome: string | null, tookMs: number, now: number): string[] {
  const age = cache === null ? null : span(now - Date.parse(cache.storedAt));
  const left = cache === null ? 0 : Date.parse(cache.expiresAt) - now;
  const kept = left > 0 ? `, and is kept for another ${span(left)}` : '';
  if (outcome === 'cache') return [`The answer is from the cache: it came ${age ?? 'some time'} ago${kept}.`];
  if (outcome === 'upstream') return [`The answer came just now, in ${Math.max(1, Math.round(tookMs))} ms${kept}.`];
  if (outcome === 'stale')
    return [`No upstream answered: what was known from ${age ?? 'some time'} ago is answered again.`];
  if (outcome === 'failed') return ['None of them gave an answer that could be used.'];
  return [];
}

function refusalSentences(
  { rule, setting, upstreams, isClientServed }: ExplainedRoute,
  from: string,
  below: string,
): string[] {
  if (rule === 'refuse' && isClientServed) return [`${below} refuses it (${setting}).`];
  if (upstreams === null && rule === 'default')
    return ['Such names are not looked up: no upstreams are set (CLOUDMAPD_UPSTREAMS).'];
  if (!isClientServed) {
    return [`They are not looked up for ${from}, which is not among those of CLOUDMAPD_RECURSION_CLIENTS.`];
  }
  return ['Nothing is looked up: no upstreams are set (CLOUDMAPD_UPSTREAMS).'];
}
