/** What the figures were measured on. */
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

/** Each peer's own word for its version; what has none is not installed. */
const VERSIONS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  NSD: ['nsd', '-v'],
  Knot: ['knotd', '--version'],
  BIND: ['named', '-v'],
  dnsmasq: ['dnsmasq', '--version'],
  PowerDNS: ['pdns_server', '--version'],
  Unbound: ['unbound', '-V'],
  dnsperf: ['dnsperf', '-d', '/dev/null', '-n', '1'],
};

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly peers: Readonly<Record<string, string>>;
}

export function describeMachine(): Machine {
  const peers: Record<string, string> = {};
  for (const [name, [command, ...args]] of Object.entries(VERSIONS)) {
    const { error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    const version = /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`.replace(/^\w{3} \d+ [\d:]+/, ''))?.[0];
    if (error === undefined && version !== undefined) peers[name] = version;
  }
  const list = cpus();
  return {
    date: new Date().toISOString(),
    cpu: list[0]?.model ?? 'unknown',
    cores: list.length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    peers,
  };
}

/** One line of it. */
export function machineLine({ cpu, cores, kernel, node, peers }: Machine): string {
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${kernel}, Node ${node}; ${versions.join(', ')}`;
}
