/** What becomes of names outside our zones, from the settings: whom to ask, and what not to ask anybody. */

import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Forwarding, LoopNames, RuleAction } from './answers/thread-protocol.ts';
import type { Settings } from './config.ts';
import { isWildcard } from './listener-addresses.ts';
import { formatAddress } from './publish/publisher.ts';
import { readResolvConf, watchResolvConf } from './resolver/resolv-conf.ts';
import { LOCALLY_SERVED_ZONES } from './resolver/rules.ts';
import type { Endpoint } from './setting-forms.ts';

const RESOLV_CONF = '/etc/resolv.conf';
/** Words of CLOUDMAPD_SPECIAL_USE_NAMES that stand for more than a suffix. */
const SINGLE_LABEL = 'single-label';
const LOCALHOST = 'localhost';
const RFC_6303 = 'rfc6303';

/** The servers that the system names now; none where the settings do not say `system`. */
export function systemServers({ upstreams, singleLabelUpstreams }: Settings): Endpoint[] {
  return upstreams === 'system' || singleLabelUpstreams === 'system' ? readResolvConf(RESOLV_CONF) : [];
}

/**
 * @param dns addresses of our own listeners
 * @param system the servers that the system names
 * @param warn told of upstreams that are left out
 */
export function forwardingOf(
  settings: Settings,
  dns: readonly Endpoint[],
  system: readonly Endpoint[],
  warn: (line: string) => void,
): Forwarding {
  const asking = (upstreams: readonly Endpoint[] | 'system', setting: string): RuleAction => ({
    kind: 'ask',
    upstreams: withoutSelf(upstreams === 'system' ? system : upstreams, dns, setting, warn),
  });
  const { upstreams, singleLabelUpstreams, specialUseNames } = settings;
  const rules = [
    ...settings.forward.map((rule) => ({ suffix: rule.suffix, action: asking(rule.upstreams, 'CLOUDMAPD_FORWARD') })),
    ...settings.refuse.map((suffix) => ({ suffix, action: { kind: 'refuse' } as const })),
    ...specialUseNames.flatMap(specialUseRules),
  ];
  const singleLabel =
    singleLabelUpstreams !== 'none'
      ? asking(singleLabelUpstreams, 'CLOUDMAPD_SINGLE_LABEL_UPSTREAMS')
      : specialUseNames.includes(SINGLE_LABEL)
        ? ({ kind: 'nxdomain' } as const)
        : null;
  const current = currentUpstreams(settings, dns, system, warn);
  // The system may name some later; of those that the setting names none is left.
  const hasUpstreams = upstreams === 'system' || current.length > 0;
  return {
    isOn: hasUpstreams || settings.forward.length > 0 || singleLabelUpstreams !== 'none',
    upstreams: hasUpstreams ? current : null,
    rules,
    singleLabel,
    cacheBytes: settings.cacheBytes,
    staleSeconds: settings.cacheStaleSeconds,
  };
}

/** Follows the system's upstreams where the settings say `system`. @param system as known so far. @returns stops */
export function followSystem(
  settings: Settings,
  dns: readonly Endpoint[],
  system: readonly Endpoint[],
  warn: (line: string) => void,
  onChange: (upstreams: Endpoint[], which: 'default' | 'single-label') => void,
): () => void {
  const { upstreams, singleLabelUpstreams } = settings;
  if (upstreams !== 'system' && singleLabelUpstreams !== 'system') return () => undefined;
  return watchResolvConf(RESOLV_CONF, system, (servers) => {
    if (upstreams === 'system') onChange(currentUpstreams(settings, dns, servers, warn), 'default');
    if (singleLabelUpstreams !== 'system') return;
    onChange(withoutSelf(servers, dns, 'CLOUDMAPD_SINGLE_LABEL_UPSTREAMS', warn), 'single-label');
  });
}

/** The environment's name of the setting that says who is asked such names. */
export function settingOf(names: LoopNames): string {
  if (names === 'all') return 'CLOUDMAPD_UPSTREAMS';
  return names.suffix === null ? 'CLOUDMAPD_SINGLE_LABEL_UPSTREAMS' : 'CLOUDMAPD_FORWARD';
}

/** One that a setting names. */
export interface WantedUpstream {
  /** The environment's name of the setting. */
  readonly setting: string;
  readonly names: 'all' | 'single-label' | { readonly suffix: string };
  readonly endpoint: Endpoint;
  /** It is one of our own listeners, so it is left out. */
  readonly isSelf: boolean;
}

/** Everybody whom the settings name, those that are left out included. @param dns addresses of our own listeners */
export function wantedUpstreams(settings: Settings, dns: readonly Endpoint[]): WantedUpstream[] {
  const { upstreams, singleLabelUpstreams, forward } = settings;
  const system = systemServers(settings);
  const listed = (from: readonly Endpoint[] | 'system' | 'none'): readonly Endpoint[] =>
    from === 'none' ? [] : from === 'system' ? system : from;
  const wanted = (from: readonly Endpoint[], names: WantedUpstream['names'], loops: LoopNames): WantedUpstream[] =>
    from.map((endpoint) => ({ setting: settingOf(loops), names, endpoint, isSelf: isOwn(endpoint, dns) }));
  return [
    ...wanted(listed(upstreams), 'all', 'all'),
    ...wanted(listed(singleLabelUpstreams), 'single-label', { suffix: null }),
    ...forward.flatMap(({ suffix, upstreams: rule }) => wanted(rule, { suffix }, { suffix })),
  ];
}

function currentUpstreams(
  { upstreams }: Settings,
  dns: readonly Endpoint[],
  system: readonly Endpoint[],
  warn: (line: string) => void,
): Endpoint[] {
  if (upstreams === 'none') return [];
  const wanted = upstreams === 'system' ? system : upstreams;
  if (wanted.length === 0) {
    warn(`CLOUDMAPD_UPSTREAMS: ${RESOLV_CONF} names no nameserver, so names outside the namespaces are not resolved`);
  }
  return withoutSelf(wanted, dns, 'CLOUDMAPD_UPSTREAMS', warn);
}

function specialUseRules(word: string): { suffix: string; action: RuleAction }[] {
  if (word === SINGLE_LABEL) return [];
  if (word === LOCALHOST) return [{ suffix: LOCALHOST, action: { kind: 'localhost' } }];
  const suffixes = word === RFC_6303 ? LOCALLY_SERVED_ZONES : [word];
  return suffixes.map((suffix) => ({ suffix, action: { kind: 'nxdomain' } }));
}

/** A query forwarded to ourselves would come back for as long as there is time. */
function withoutSelf(
  upstreams: readonly Endpoint[],
  dns: readonly Endpoint[],
  setting: string,
  warn: (line: string) => void,
): Endpoint[] {
  return upstreams.filter((upstream) => {
    const isSelf = isOwn(upstream, dns);
    if (isSelf) {
      warn(
        `${setting}: ${formatAddress(upstream)} is this daemon itself and is left out: name the resolver that it is to ask`,
      );
    }
    return !isSelf;
  });
}

/** @param dns addresses of our own listeners */
function isOwn(upstream: Endpoint, dns: readonly Endpoint[]): boolean {
  return dns.some(
    ({ address, port }) => port === upstream.port && (address === upstream.address || isWildcardFor(address, upstream)),
  );
}

/** Not every 127.* address: on Docker's user networks 127.0.0.11 is the engine's resolver, not us. */
function isWildcardFor(address: string, upstream: Endpoint): boolean {
  if (!isWildcard(address) || isIPv6(address) !== isIPv6(upstream.address)) return false;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some((info) => info.address === upstream.address);
}
