/** Whether programs of this machine find the namespaces' names, and all others. */
import { isIP, isIPv6 } from 'node:net';
import type { Endpoint } from '../../setting-forms.ts';
import type { DaemonFacts, Facts } from './facts.ts';
import { type Finding, note, ok, problem } from './finding.ts';
import { SETUP_TITLES, type Setup, setupLines } from './name-setups.ts';
import { isWildcard } from './ports.ts';

export function nameservers(facts: Facts, { dns }: DaemonFacts): Finding[] {
  if (dns === null || facts.platform !== 'linux') return [];
  const findings: Finding[] = [];
  const own = facts.nameservers.filter(({ answered }) => answered === 'own');
  for (const { endpoint, answered } of facts.nameservers) {
    if (answered === null || typeof answered === 'string') continue;
    findings.push(
      problem(
        'nameserver',
        `${endpoint.address}, a nameserver of /etc/resolv.conf, does not answer: ${answered.problem}`,
        [`sudo sed -i '/^nameserver ${endpoint.address.replaceAll('.', '\\.')}$/d' /etc/resolv.conf`],
      ),
    );
  }
  const others = facts.nameservers.filter(({ answered }) => answered === 'other');
  if (own.length > 0 && others.length > 0) {
    const list = others.map(({ endpoint }) => endpoint.address);
    findings.push(
      problem(
        'nameserver',
        `/etc/resolv.conf names ${list.join(', ')} beside the daemon: whoever is asked first is believed, and it does not know the namespaces`,
        list.map((address) => `sudo sed -i '/^nameserver ${address.replaceAll('.', '\\.')}$/d' /etc/resolv.conf`),
      ),
    );
  }
  const isOnly = own.length > 0 && others.length === 0;
  const isTheDaemon = own.some(({ endpoint }) => isListener(facts, endpoint));
  if (isOnly && isTheDaemon && dns.forwards === 'none' && dns.upstreams.length === 0) {
    const servers = facts.resolvedServers.filter((server) => !server.startsWith('127.'));
    findings.push(
      problem(
        'nameserver',
        'the daemon is the only nameserver of /etc/resolv.conf, and no other name resolves: it has no upstreams',
        [`CLOUDMAPD_UPSTREAMS=${servers.join(',') || '9.9.9.9'} cloudmapd serve`],
      ),
    );
  }
  return findings;
}

function isListener({ daemon }: Facts, { address, port }: Endpoint): boolean {
  if (typeof daemon === 'string') return false;
  return daemon.listeners.some(
    ({ endpoint: own }) =>
      own.port === port &&
      (own.address === address || (isWildcard(own.address) && isIPv6(own.address) === isIPv6(address))),
  );
}

export function names(facts: Facts, daemon: DaemonFacts): Finding[] {
  const zones = (daemon.dns?.zones ?? []).filter(isPlain);
  const server = serverOf(daemon);
  if (zones.length === 0 || server === null) return [];
  const list = zones.length > 5 ? `${zones.slice(0, 5).join(', ')} and ${zones.length - 5} more` : zones.join(', ');
  const findings = mdns(facts, zones);
  const isFound =
    facts.platform === 'darwin'
      ? zones.every((zone) => leadsTo(facts.resolverFiles.get(zone) ?? '', server))
      : facts.nameservers.length > 0 && facts.nameservers.every(({ answered }) => answered === 'own');
  if (isFound) return [ok('names', `programs of this machine find names of ${list}`), ...findings];
  const lines = setupsFor(facts).flatMap((setup) => [
    `# ${SETUP_TITLES[setup]}`,
    ...setupLines(setup, { names: zones, server }),
  ]);
  return [
    note(
      'names',
      `programs of this machine that know nothing of cloudmapd do not find names of ${list}; to have them found:`,
      lines,
    ),
    ...findings,
  ];
}

/** Whether a file of /etc/resolver names the server (resolver(5)). */
function leadsTo(file: string, { address, port }: Endpoint): boolean {
  const named = /^nameserver\s+(\S+)/m.exec(file)?.[1];
  return named === address && Number(/^port\s+(\d+)/m.exec(file)?.[1] ?? 53) === port;
}

/** Where this machine asks the daemon. */
export function serverOf({ listeners: all }: DaemonFacts): Endpoint | null {
  const asked = all.flatMap(({ asked }) => asked ?? []);
  return asked.find(({ address }) => isIP(address) === 4) ?? asked[0] ?? null;
}

/** What stands in files and shells as it is. */
function isPlain(zone: string): boolean {
  return /^[a-z0-9._-]+$/.test(zone);
}

/** Those that fit the machine; where none is known to, all that there may be. */
function setupsFor({ platform, nameservers: servers, resolvedServers, hasNetworkManager }: Facts): Setup[] {
  if (platform === 'darwin') return ['macos'];
  const hasResolved =
    resolvedServers.length > 0 || servers.some(({ endpoint }) => /^127\.0\.0\.5[34]$/.test(endpoint.address));
  if (hasResolved) return ['resolved'];
  return hasNetworkManager ? ['networkmanager'] : ['resolved', 'networkmanager'];
}

/** `.local` is multicast DNS's (RFC 6762), and many systems ask nobody else for it. */
function mdns({ hostsOrder, platform }: Facts, zones: readonly string[]): Finding[] {
  const local = zones.filter((zone) => /(^|\.)local$/.test(zone));
  if (local.length === 0 || platform !== 'linux') return [];
  const stop = /\bmdns4?(?:_minimal)? \[NOTFOUND=return\] ?/.exec(hostsOrder);
  if (stop === null) return [];
  const pattern = stop[0].trim().replaceAll('[', '\\[').replaceAll(']', '\\]');
  return [
    problem('names', `${local.join(', ')}: /etc/nsswitch.conf has names under .local asked of multicast DNS alone`, [
      `sudo sed -i 's/${pattern} *//' /etc/nsswitch.conf`,
    ]),
  ];
}
