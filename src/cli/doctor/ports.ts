/** Ports: who holds those that the daemon has or would have. */
import { isIPv6 } from 'node:net';
import { formatAddress } from '../../publish/publisher.ts';
import type { Endpoint } from '../../setting-forms.ts';
import type { DaemonFacts, Facts } from './facts.ts';
import { type Finding, ok, problem } from './finding.ts';
import { alternativePorts, type Holder } from './port-holders.ts';

export function withoutDaemon(facts: Facts, why: string): Finding[] {
  const { endpoint, isLocal, planned } = facts;
  const at = endpoint.href.replace(/\/$/, '');
  const findings: Finding[] = [];
  const port = portOf(endpoint);
  const [holder] = holdersOf(facts, 'TCP', { address: endpoint.hostname.replace(/^\[|\]$/g, ''), port });
  if (isLocal && holder !== undefined) {
    findings.push(problem('daemon', `${at}: ${why}; ${describe(holder)} holds the port`, freed(holder)));
  } else {
    findings.push(problem('daemon', `no cloudmapd answers at ${at}: ${why}`, isLocal ? [startLine(facts)] : []));
  }
  if (!isLocal) return findings;
  if (typeof planned === 'string') return [...findings, problem('daemon', `it would not start: ${planned}`, [])];
  // One that is started for the endpoint does not bind what else the settings say.
  const http = isPlanned(facts) ? planned.http : [apiAddress(facts)];
  const wanted = [
    ...http.map((own) => ({ own, setting: 'CLOUDMAPD_HTTP', transports: ['TCP'] as const })),
    ...planned.dns.map((own) => ({ own, setting: 'CLOUDMAPD_DNS', transports: ['UDP', 'TCP'] as const })),
  ];
  for (const { own, setting, transports } of wanted) {
    const found = transports.flatMap((transport) => holdersOf(facts, transport, own));
    const others = found.filter(
      (each) => each.port !== port || holder === undefined || each.process?.pid !== holder.process?.pid,
    );
    if (others.length > 0) findings.push(portTaken(facts, own, setting, others));
    else if (found.length === 0 && facts.leastFreePort !== null && own.port > 0 && own.port < facts.leastFreePort) {
      findings.push(
        problem('port', `${formatAddress(own)} (${setting}) needs a privilege that a daemon of yours would not have`, [
          `sudo sysctl -w net.ipv4.ip_unprivileged_port_start=${own.port}`,
        ]),
      );
    }
  }
  return findings;
}

/** Starts a daemon that answers at the endpoint. @param settings of it that are others than those as they are */
function startLine(facts: Facts, settings: Readonly<Record<string, string>> = {}): string {
  const { config } = facts;
  const needed = isPlanned(facts) ? {} : { CLOUDMAPD_HTTP: formatAddress(apiAddress(facts)) };
  const assignments = Object.entries({ ...needed, ...settings }).map(([name, value]) => `${name}=${value}`);
  return [...assignments.reverse(), 'cloudmapd serve', ...(config === null ? [] : ['--config', quoted(config)])].join(
    ' ',
  );
}

/** As a word of a shell's. */
function quoted(text: string): string {
  return /^[\w./@%+:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Whether a daemon with the settings as they are would answer at the endpoint. */
function isPlanned({ endpoint, endpointAddresses, planned }: Facts): boolean {
  if (typeof planned === 'string') return true;
  const isAt = (own: Endpoint, address: string): boolean =>
    own.address === address || (isWildcard(own.address) && isIPv6(own.address) === isIPv6(address));
  return planned.http.some(
    (own) => own.port === portOf(endpoint) && endpointAddresses.some(({ address }) => isAt(own, address)),
  );
}

/** Of the endpoint, as a setting takes it: an address, and one of IPv4 where its name has both. */
function apiAddress({ endpoint, endpointAddresses }: Facts): Endpoint {
  const addresses = endpointAddresses.map((each) => each.address);
  const address = addresses.find((each) => !isIPv6(each)) ?? addresses[0] ?? '127.0.0.1';
  return { address, port: portOf(endpoint) };
}

function portOf({ port }: URL): number {
  return Number(port || 80);
}

function portTaken(facts: Facts, own: Endpoint, setting: string, holders: readonly Holder[]): Finding {
  const [first] = holders as [Holder];
  const transports = [...new Set(holders.map(({ transport }) => transport))].join(' and ');
  const message = `${formatAddress(own)} (${transports}, ${setting}): ${describe(first)} holds ${formatAddress(first)}`;
  const free = placesInstead(own).find((place) => !(facts.holders ?? []).some((holder) => collides(place, holder)));
  const beside = free && ['# the daemon beside it:', startLine(facts, { [setting]: formatAddress(free) })];
  return problem('port', message, [...(beside ?? []), '# or in its place:', ...freed(first)]);
}

/** What stands on some addresses leaves room on others; otherwise it is another port. */
function placesInstead(own: Endpoint): Endpoint[] {
  const loopback = isIPv6(own.address) ? '::1' : '127.0.0.1';
  const sameFamily = isWildcard(own.address) ? [{ address: loopback, port: own.port }] : [];
  return [...sameFamily, ...alternativePorts(own.port).map((port) => ({ ...own, port }))];
}

/** Services that a system starts again where their process alone is ended. */
const SERVICES: Readonly<Record<string, string>> = {
  dnsmasq: 'dnsmasq',
  named: 'named',
  unbound: 'unbound',
  pdns_server: 'pdns',
  pdns_recursor: 'pdns-recursor',
  knotd: 'knot',
  kresd: 'kresd@1',
  coredns: 'coredns',
};

function freed({ process, port, transport }: Holder): string[] {
  if (process === null) return [`sudo ss -lnp${transport === 'UDP' ? 'u' : 't'} 'sport = :${port}'`];
  const { name, pid } = process;
  if (isResolved(name)) {
    return [
      'sudo mkdir -p /etc/systemd/resolved.conf.d',
      "printf '[Resolve]\\nDNSStubListener=no\\n' | sudo tee /etc/systemd/resolved.conf.d/no-stub.conf",
      'sudo ln -sf /run/systemd/resolve/resolv.conf /etc/resolv.conf',
      'sudo systemctl restart systemd-resolved',
    ];
  }
  const service = SERVICES[name];
  return [service === undefined ? `kill ${pid}` : `sudo systemctl stop ${service}`];
}

function isResolved(name: string): boolean {
  return name === 'systemd-resolved';
}

function describe({ process, transport, port }: Holder): string {
  if (process === null) return `a process of another user (${transport} port ${port})`;
  const { name, pid, command } = process;
  return `${isResolved(name) ? 'systemd-resolved' : command} (pid ${pid})`;
}

/** Those that keep the endpoint from being bound. */
function holdersOf({ holders }: Facts, transport: Holder['transport'], own: Endpoint): Holder[] {
  return (holders ?? []).filter((holder) => holder.transport === transport && collides(own, holder));
}

function collides(own: Endpoint, holder: Endpoint): boolean {
  if (own.port === 0 || own.port !== holder.port) return false;
  if (own.address === holder.address) return true;
  // One of `::` may be of IPv4 too; nothing tells.
  if (holder.address === '::') return true;
  const isOneFamily = isIPv6(own.address) === isIPv6(holder.address);
  return isOneFamily && (isWildcard(own.address) || isWildcard(holder.address));
}

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

const DNS_PORT = 53;

/** The one port that a nameserver can be named with in resolv.conf. */
export function dnsPort(facts: Facts, { listeners: all, info }: DaemonFacts): Finding[] {
  if (!facts.isLocal || facts.holders === null) return [];
  const held = facts.holders.filter(({ port, process }) => port === DNS_PORT && process?.pid !== info.pid);
  if (all.some(({ endpoint }) => endpoint.port === DNS_PORT)) {
    return held.length === 0
      ? [ok('port', "port 53 is the daemon's")]
      : [ok('port', `port 53 is shared by address: ${listOf(held)} beside the daemon`)];
  }
  if (held.length === 0) return [ok('port', 'nobody holds port 53')];
  return [ok('port', `port 53: ${listOf(held)}; the daemon has another one`)];
}

function listOf(holders: readonly Holder[]): string {
  const lines = new Map<string, string[]>();
  for (const holder of holders) {
    const who = holder.process === null ? 'a process of another user' : describe(holder);
    lines.set(who, [...(lines.get(who) ?? []), `${holder.address} ${holder.transport}`]);
  }
  return [...lines].map(([who, places]) => `${who} on ${places.join(', ')}`).join('; ');
}
