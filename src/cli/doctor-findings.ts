/** What `cloudmapd doctor` makes of what it found out: each thing that is wrong with the lines that mend it. */
import { isIP, isIPv6 } from 'node:net';
import type { UpstreamReport, UpstreamTrial } from '../admin/dns.ts';
import { formatAddress } from '../publish/publisher.ts';
import type { Endpoint } from '../setting-forms.ts';
import type { DaemonFacts, Facts } from './doctor-facts.ts';
import { SETUP_TITLES, type Setup, setupLines } from './name-setups.ts';
import type { Holder } from './port-holders.ts';

export interface Finding {
  /** What was looked at; a key that stays. */
  readonly check:
    | 'daemon'
    | 'ready'
    | 'listener'
    | 'port'
    | 'loop'
    | 'upstream'
    | 'nameserver'
    | 'names'
    | 'data-prefix'
    | 'ipv6';
  /** `note`: nothing is wrong, but it may not be what is wanted. */
  readonly status: 'ok' | 'note' | 'problem';
  /** One line. */
  readonly message: string;
  /** Lines for a shell, or settings; what begins with `#` says which is for what. */
  readonly mend: readonly string[];
}

type Check = Finding['check'];

const ok = (check: Check, message: string): Finding => ({ check, status: 'ok', message, mend: [] });
const note = (check: Check, message: string, mend: readonly string[]): Finding => ({
  check,
  status: 'note',
  message,
  mend,
});
const problem = (check: Check, message: string, mend: readonly string[]): Finding => ({
  check,
  status: 'problem',
  message,
  mend,
});

export function findingsOf(facts: Facts): Finding[] {
  const { daemon } = facts;
  if (typeof daemon === 'string') return [...withoutDaemon(facts, daemon), ...dataPrefix(facts)];
  return [
    ...readiness(facts, daemon),
    ...listeners(facts, daemon),
    ...dnsPort(facts, daemon),
    ...upstreams(facts, daemon),
    ...(facts.isLocal ? [...nameservers(facts, daemon), ...names(facts, daemon)] : []),
    ...dataPrefix(facts),
    ...ipv6(facts, daemon),
  ];
}

// --- no daemon ---

function withoutDaemon(facts: Facts, why: string): Finding[] {
  const { endpoint, isLocal, planned } = facts;
  const at = endpoint.href.replace(/\/$/, '');
  const findings: Finding[] = [];
  const port = Number(endpoint.port || 80);
  const [holder] = holdersOf(facts, 'TCP', { address: endpoint.hostname.replace(/^\[|\]$/g, ''), port });
  if (isLocal && holder !== undefined) {
    findings.push(problem('daemon', `${at}: ${why}; ${describe(holder)} holds the port`, freed(holder)));
  } else {
    findings.push(problem('daemon', `no cloudmapd answers at ${at}: ${why}`, isLocal ? ['cloudmapd serve'] : []));
  }
  if (!isLocal) return findings;
  if (typeof planned === 'string') return [...findings, problem('daemon', `it would not start: ${planned}`, [])];
  const wanted = [
    ...planned.http.map((own) => ({ own, setting: 'CLOUDMAPD_HTTP', transports: ['TCP'] as const })),
    ...planned.dns.map((own) => ({ own, setting: 'CLOUDMAPD_DNS', transports: ['UDP', 'TCP'] as const })),
  ];
  for (const { own, setting, transports } of wanted) {
    const found = transports.flatMap((transport) => holdersOf(facts, transport, own));
    const others = found.filter(
      (each) => each.port !== port || holder === undefined || each.process?.pid !== holder.process?.pid,
    );
    if (others.length > 0) findings.push(portTaken(own, setting, others));
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

function portTaken(own: Endpoint, setting: string, holders: readonly Holder[]): Finding {
  const [first] = holders as [Holder];
  const transports = [...new Set(holders.map(({ transport }) => transport))].join(' and ');
  const message = `${formatAddress(own)} (${transports}, ${setting}): ${describe(first)} holds ${formatAddress(first)}`;
  // What stands on some addresses leaves room on others.
  const isBeside = isWildcard(own.address) && !isWildcard(first.address);
  const other = isBeside ? { address: '127.0.0.1', port: own.port } : { ...own, port: own.port + 10_000 };
  const isStillTaken = holders.some((holder) => collides(other, holder));
  const elsewhere = isStillTaken ? { ...other, port: other.port + 10_000 } : other;
  return problem('port', message, [
    '# the daemon beside it:',
    `${setting}=${formatAddress(elsewhere)} cloudmapd serve`,
    '# or in its place:',
    ...freed(first),
  ]);
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

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

// --- the daemon ---

function readiness({ endpoint }: Facts, { info, notReady, dns }: DaemonFacts): Finding[] {
  const at = `cloudmapd ${info.version} (pid ${info.pid}) at ${endpoint.href.replace(/\/$/, '')}`;
  if (notReady !== '') {
    const isDisk = info.dataDir !== null && /disk|store|write|space/i.test(notReady);
    return [problem('ready', `${at} is not ready: ${notReady}`, isDisk ? [`df -h ${info.dataDir}`] : [])];
  }
  const old = dns === null ? [note('daemon', 'the daemon is older than this command, and tells less', [])] : [];
  return [ok('ready', `${at} is ready`), ...old];
}

function listeners({ endpoint }: Facts, { listeners: all, dns }: DaemonFacts): Finding[] {
  const findings = all.flatMap(({ endpoint: own, asked, udp, tcp }): Finding[] => {
    const where = formatAddress(own);
    if (asked === null || udp === null || tcp === null) {
      return [
        note(
          'listener',
          `DNS on ${where} is for the daemon's own machine alone, so ${endpoint.hostname} has to be asked there`,
          [`CLOUDMAPD_DNS=0.0.0.0:${own.port}`],
        ),
      ];
    }
    return [
      { transport: 'UDP', answered: udp },
      { transport: 'TCP', answered: tcp },
    ].flatMap(({ transport, answered }): Finding[] => {
      if (answered === 'own') return [];
      const via = formatAddress(asked) === where ? where : `${where}, asked at ${formatAddress(asked)},`;
      const why = answered === 'other' ? 'is answered by something else than the daemon' : answered.problem;
      const firewall = asked.address.startsWith('127.')
        ? []
        : [`sudo iptables -I INPUT -p ${transport.toLowerCase()} --dport ${asked.port} -j ACCEPT`];
      return [
        problem(
          'listener',
          `DNS over ${transport} on ${via} ${answered === 'other' ? why : `does not answer: ${why}`}`,
          firewall,
        ),
      ];
    });
  });
  const skipped = (dns?.skipped ?? []).map((address) =>
    note('ipv6', `${address} is left out: the daemon's machine has no IPv6`, []),
  );
  if (findings.length > 0) return [...findings, ...skipped];
  const places = all.map(({ endpoint: own }) => formatAddress(own)).join(', ');
  return [...(places === '' ? [] : [ok('listener', `DNS is answered on ${places}, over UDP and TCP`)]), ...skipped];
}

const DNS_PORT = 53;

/** The one port that a nameserver can be named with in resolv.conf. */
function dnsPort(facts: Facts, { listeners: all, info }: DaemonFacts): Finding[] {
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

// --- upstreams ---

function upstreams(facts: Facts, { dns }: DaemonFacts): Finding[] {
  if (dns === null) return [];
  const findings = dns.upstreams.flatMap((upstream): Finding[] => {
    const { setting, address, state, udp, tcp } = upstream;
    const mend = [settingWithout(upstream, dns.upstreams, facts)];
    if (state === 'itself') {
      return [problem('loop', `${address} (${setting}) is the daemon itself, and is left out`, mend)];
    }
    if (state === 'loops') {
      return [problem('loop', `${address} (${setting}) leads back to the daemon, and is not asked`, mend)];
    }
    const silent = faultOf(udp);
    if (silent !== null) return [problem('upstream', `${address} (${setting}) ${silent}`, mend)];
    const overTcp = faultOf(tcp);
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
function faultOf(trial: UpstreamTrial | undefined): string | null {
  if (trial === undefined) return null;
  if ('problem' in trial) return `does not answer: ${trial.problem}`;
  return ['NOERROR', 'NXDOMAIN'].includes(trial.rcode) ? null : `answers ${trial.rcode}`;
}

/** The setting with those alone that can be asked; where none is left, with what the machine's own resolver asks. */
function settingWithout(wrong: UpstreamReport, all: readonly UpstreamReport[], { resolvedServers }: Facts): string {
  const { setting, names } = wrong;
  const isGood = ({ state, udp }: UpstreamReport): boolean => state === 'asked' && faultOf(udp) === null;
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

// --- the machine's own names ---

function nameservers(facts: Facts, { dns }: DaemonFacts): Finding[] {
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

function names(facts: Facts, daemon: DaemonFacts): Finding[] {
  const zones = (daemon.dns?.zones ?? []).filter(isPlain);
  const server = serverOf(daemon);
  if (zones.length === 0 || server === null) return [];
  const list = zones.length > 5 ? `${zones.slice(0, 5).join(', ')} and ${zones.length - 5} more` : zones.join(', ');
  const findings = mdns(facts, zones);
  const isFound =
    facts.platform === 'darwin'
      ? zones.every((zone) => facts.resolverFiles.get(zone)?.includes(`nameserver ${server.address}`))
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

// --- clients ---

function dataPrefix({ endpoint, prefix, isLocal, daemon }: Facts): Finding[] {
  const { host, addresses, hostAddresses, switchedOffBy } = prefix;
  if (switchedOffBy !== null) {
    return [ok('data-prefix', `${switchedOffBy} has the AWS CLI and SDKs leave \`data-\` out`)];
  }
  const isSame = addresses.length > 0 && addresses.every((address) => hostAddresses.includes(address));
  if (isSame)
    return [ok('data-prefix', `${host}, which SDKs ask for DiscoverInstances, resolves as the endpoint does`)];
  const dns = typeof daemon === 'string' ? null : daemon.dns;
  const name = dns?.ownName ?? 'cloudmap';
  const address = hostAddresses[0] ?? '127.0.0.1';
  const isName = isIP(endpoint.hostname.replace(/^\[|\]$/g, '')) === 0 && endpoint.hostname !== 'localhost';
  const hosts = isName ? `${address} ${endpoint.hostname} ${host}` : `${address} ${name} data-${name}`;
  const port = endpoint.port === '' ? '' : `:${endpoint.port}`;
  const lines = [
    'export AWS_DISABLE_HOST_PREFIX_INJECTION=true',
    '# or, for clients that do not know that:',
    `echo '${hosts}' | sudo tee -a /etc/hosts`,
    ...(isName ? [] : [`# and the endpoint http://${name}${port}`]),
  ];
  const what =
    addresses.length === 0
      ? `SDKs ask ${host} for DiscoverInstances, which does not resolve`
      : `SDKs ask ${host} for DiscoverInstances, which is ${addresses.join(', ')} and not ${hostAddresses.join(', ')}`;
  // A name was made for clients to use; an address is what everybody begins with.
  return [isName && isLocal ? problem('data-prefix', what, lines) : note('data-prefix', what, lines)];
}

/** A name of both families, of which the daemon has one: clients that try the other first wait, or give up. */
function ipv6({ endpoint, endpointAddresses }: Facts, { listeners: all }: DaemonFacts): Finding[] {
  const lost = endpointAddresses.filter(({ isReached }) => !isReached).map(({ address }) => address);
  if (lost.length === 0) return [];
  const port = endpoint.port || '80';
  const reached = endpointAddresses.filter(({ isReached }) => isReached).map(({ address }) => address);
  const both = [...reached, ...lost].map((address) => formatAddress({ address, port: Number(port) }));
  const dns = all.map(({ endpoint: own }) => formatAddress(own));
  const more = lost
    .filter(isIPv6)
    .flatMap((address) =>
      dns.some((each) => each.startsWith('['))
        ? []
        : `CLOUDMAPD_DNS=${[...dns, formatAddress({ address, port: all[0]?.endpoint.port ?? DNS_PORT })].join(',')}`,
    );
  return [
    note(
      'ipv6',
      `${endpoint.hostname} is ${lost.join(', ')} too, where the daemon does not listen: some clients try that first`,
      [`CLOUDMAPD_HTTP=${both.join(',')}`, ...more.slice(0, 1)],
    ),
  ];
}
