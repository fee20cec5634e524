/** Upstreams: those that lead back, are silent or refuse. */
import type { UpstreamReport, UpstreamTrial } from '../../admin/dns.ts';
import type { DaemonFacts, Facts } from './facts.ts';
import { type Finding, note, ok, problem } from './finding.ts';

export function upstreams(facts: Facts, { dns }: DaemonFacts): Finding[] {
  if (dns === null) return [];
  const findings = dns.upstreams.flatMap((upstream): Finding[] => {
    const { setting, address, state, names, udp, tcp } = upstream;
    const mend = [settingWithout(upstream, dns.upstreams, facts)];
    if (state === 'itself') {
      return [problem('loop', `${address} (${setting}) is the daemon itself, and is left out`, mend)];
    }
    if (state === 'loops') {
      return [problem('loop', `${address} (${setting}) leads back to the daemon, and is not asked`, mend)];
    }
    const silent = faultOf(udp, names);
    if (silent !== null) return [problem('upstream', `${address} (${setting}) ${silent}`, mend)];
    const overTcp = faultOf(tcp, names);
    if (overTcp === null) return [];
    return [note('upstream', `${address} (${setting}), over TCP, which long answers need, ${overTcp}`, mend)];
  });
  if (findings.length > 0 || dns.upstreams.length === 0) return findings;
  return [
    ok(
      'upstream',
      `names outside are asked of ${dns.upstreams.map(({ address }) => address).join(', ')}, and all answer`,
    ),
  ];
}

/** Null: none. What it says of a name that it was never meant for is not held against it. */
function faultOf(trial: UpstreamTrial | undefined, names: UpstreamReport['names']): string | null {
  if (trial === undefined) return null;
  if ('problem' in trial) return `does not answer: ${trial.problem}`;
  // Of a suffix it may know some zones below alone, and of single labels nothing of the root.
  if (names !== 'all') return null;
  return ['NOERROR', 'NXDOMAIN'].includes(trial.rcode) ? null : `answers ${trial.rcode}`;
}

/** The setting with those alone that can be asked; where none is left, with what the machine's own resolver asks. */
function settingWithout(wrong: UpstreamReport, all: readonly UpstreamReport[], { resolvedServers }: Facts): string {
  const { setting, names } = wrong;
  const isGood = ({ state, udp, names }: UpstreamReport): boolean => state === 'asked' && faultOf(udp, names) === null;
  const others = all.filter((each) => each.setting === setting && isGood(each));
  if (setting !== 'CLOUDMAPD_FORWARD') {
    const left = others.map(({ address }) => withoutDefaultPort(address));
    const servers = left.length > 0 ? left : resolvedServers.filter((server) => !server.startsWith('127.'));
    return `${setting}=${servers.join(',') || 'none'}`;
  }
  const suffixes = new Map<string, string[]>();
  for (const { names: of, address } of others) {
    if (typeof of !== 'object') continue;
    suffixes.set(of.suffix, [...(suffixes.get(of.suffix) ?? []), withoutDefaultPort(address)]);
  }
  const rules = [...suffixes].map(([suffix, addresses]) => `${suffix === '' ? '.' : suffix}=${addresses.join(' ')}`);
  const text = rules.join(',') || 'none';
  const isLast = typeof names === 'object' && !suffixes.has(names.suffix);
  return `${setting}=${/\s/.test(text) ? `'${text}'` : text}${isLast ? `   # without ${names.suffix || '.'}` : ''}`;
}

function withoutDefaultPort(address: string): string {
  return address.replace(/:53$/, '').replace(/^\[(.*)\]$/, '$1');
}
