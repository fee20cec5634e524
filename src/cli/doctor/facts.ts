/** What `cloudmapd doctor` finds out about the daemon and this machine, before it judges any of it. */
import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync } from 'node:fs';
import { connect, isIP } from 'node:net';
import { homedir, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { DnsReport } from '../../admin/dns.ts';
import type { Info } from '../../admin/info.ts';
import { loadConfiguration } from '../../config.ts';
import { readResolvConf } from '../../resolver/resolv-conf.ts';
import { type Transport, type Trial, tryServer } from '../../resolver/trial.ts';
import { type Endpoint, parseEndpoint } from '../../setting-forms.ts';
import { decodeMessage, RCODE_CODES, TYPE_CODES } from '../../wire/codec.ts';
import { ask, askInfo, readProblem, readText } from '../daemon-client.ts';
import { alternativePorts, findHolders, type Holder } from './port-holders.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Whether a server gave the daemon's own answer, another one's, or none (why, in a few words). */
export type Answered = 'own' | 'other' | { readonly problem: string };

export interface ListenerFacts {
  readonly endpoint: Endpoint;
  /** As this machine reaches it; null: it cannot know how. */
  readonly asked: Endpoint | null;
  readonly udp: Answered | null;
  readonly tcp: Answered | null;
}

export interface DaemonFacts {
  readonly info: Info;
  /** Empty: it is ready. */
  readonly notReady: string;
  /** Null: it is of a version that does not tell. */
  readonly dns: DnsReport | null;
  readonly listeners: readonly ListenerFacts[];
}

export interface Facts {
  readonly platform: NodeJS.Platform;
  readonly endpoint: URL;
  /** Whether the endpoint is on this machine, and so everything below is about the daemon's own. */
  readonly isLocal: boolean;
  /** Or why there is none. */
  readonly daemon: DaemonFacts | string;
  /** The file that `--config` names; null: none. */
  readonly config: string | null;
  /** Where a daemon that is started from here would listen; text: which setting keeps it from starting. */
  readonly planned: { readonly http: readonly Endpoint[]; readonly dns: readonly Endpoint[] } | string;
  /** Of the ports above, those that may be had in their place, and 53; null: this system does not tell. */
  readonly holders: readonly Holder[] | null;
  /** The least port that everybody may bind; null: this process may bind any. */
  readonly leastFreePort: number | null;
  /** Of /etc/resolv.conf; each with what it says to a question that the daemon has an answer to (null: not asked). */
  readonly nameservers: readonly { readonly endpoint: Endpoint; readonly answered: Answered | null }[];
  /** The servers that systemd-resolved asks. */
  readonly resolvedServers: readonly string[];
  readonly hasNetworkManager: boolean;
  /** The `hosts` line of nsswitch.conf; empty: there is none. */
  readonly hostsOrder: string;
  /** Names for which /etc/resolver has a file, with what is in it (macOS). */
  readonly resolverFiles: ReadonlyMap<string, string>;
  readonly prefix: PrefixFacts;
  /** Addresses of the endpoint's host, and whether anybody takes connections there. */
  readonly endpointAddresses: readonly { readonly address: string; readonly isReached: boolean }[];
}

export interface PrefixFacts {
  /** `data-<host>`. */
  readonly host: string;
  /** None: it does not resolve. */
  readonly addresses: readonly string[];
  readonly hostAddresses: readonly string[];
  /** The setting of the AWS CLI and SDKs that leaves the prefix out, where it is made. */
  readonly switchedOffBy: string | null;
}

/** Files of the machine, for tests to have others. */
export interface Places {
  readonly resolvConf: string;
  readonly resolvedConf: string;
  readonly nsswitch: string;
  readonly networkManager: string;
  readonly resolverFolder: string;
  readonly proc: string;
}

export const PLACES: Places = {
  resolvConf: '/etc/resolv.conf',
  resolvedConf: '/run/systemd/resolve/resolv.conf',
  nsswitch: '/etc/nsswitch.conf',
  networkManager: '/run/NetworkManager',
  resolverFolder: '/etc/resolver',
  proc: '/proc',
};

const DNS_PORT = 53;

/**
 * Never rejects.
 * @param config of a daemon that is yet to start
 * @param publishedDns where this machine reaches the daemon's DNS, if not where it listens; null: there
 */
export async function gatherFacts(
  endpoint: URL,
  config: string | undefined,
  publishedDns: Endpoint | null,
  env: Env,
  places: Places = PLACES,
  platform: NodeJS.Platform = process.platform,
): Promise<Facts> {
  const host = endpoint.hostname.replace(/^\[|\]$/g, '');
  const [daemon, hostAddresses] = await Promise.all([daemonFacts(endpoint, host, publishedDns), addressesOf(host)]);
  const isLocal = hostAddresses.some(isOwnAddress);
  const planned = plannedOf(config, env);
  const bound = typeof planned === 'string' ? [] : [...planned.http, ...planned.dns];
  const ports = [
    DNS_PORT,
    Number(endpoint.port || 80),
    ...bound.flatMap(({ port }) => [port, ...alternativePorts(port)]),
  ];
  const dns = typeof daemon === 'string' ? null : daemon.dns;
  const [nameservers, prefix, endpointAddresses] = await Promise.all([
    Promise.all(
      readResolvConf(places.resolvConf).map(async (server) => ({
        endpoint: server,
        answered: dns === null ? null : await answeredBy(server, dns, 'UDP', false),
      })),
    ),
    prefixFacts(host, hostAddresses, env),
    Promise.all(
      hostAddresses.map(async (address) => ({
        address,
        isReached: await takesConnections({ address, port: Number(endpoint.port || 80) }),
      })),
    ),
  ]);
  return {
    platform,
    endpoint,
    isLocal,
    daemon,
    config: config ?? null,
    planned,
    holders: findHolders(new Set(ports.filter((port) => port > 0)), places.proc),
    leastFreePort: leastFreePort(places.proc),
    nameservers,
    resolvedServers: readResolvConf(places.resolvedConf).map(({ address }) => address),
    hasNetworkManager: existsSync(places.networkManager),
    hostsOrder: /^hosts:\s*(.*)$/m.exec(readOrEmpty(places.nsswitch))?.[1]?.trim() ?? '',
    resolverFiles: new Map((dns?.zones ?? []).map((zone) => [zone, readOrEmpty(join(places.resolverFolder, zone))])),
    prefix,
    endpointAddresses,
  };
}

async function daemonFacts(endpoint: URL, host: string, published: Endpoint | null): Promise<DaemonFacts | string> {
  const info = await askInfo(endpoint);
  if (typeof info === 'string') return info;
  const [dns, ready] = await Promise.all([getJson(endpoint, '/admin/dns?trial=true'), getJson(endpoint, '/readyz')]);
  const report = Array.isArray(dns.listeners) ? (dns as unknown as DnsReport) : null;
  const bound = (report?.listeners ?? []).map((text) => parseEndpoint(text, DNS_PORT) as Endpoint);
  const listeners = await Promise.all(
    (published === null ? bound : [published]).map((each) => listenerFacts(each, host, report)),
  );
  return { info, notReady: typeof ready.reason === 'string' ? ready.reason : '', dns: report, listeners };
}

/** An answer of any status. */
async function getJson(endpoint: URL, path: string): Promise<Record<string, unknown>> {
  try {
    const response = await ask(endpoint, 'GET', path);
    if (response.statusCode !== 200) return await readProblem(endpoint, response);
    return JSON.parse(await readText(response));
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function listenerFacts(endpoint: Endpoint, host: string, dns: DnsReport | null): Promise<ListenerFacts> {
  const asked = await reachable(endpoint, host);
  if (asked === null || dns === null) return { endpoint, asked, udp: null, tcp: null };
  const [udp, tcp] = await Promise.all((['UDP', 'TCP'] as const).map((each) => answeredBy(asked, dns, each, true)));
  return { endpoint, asked, udp: udp as Answered, tcp: tcp as Answered };
}

/** A wildcard is reached where the API is; loopback from the daemon's own machine alone. */
async function reachable({ address, port }: Endpoint, host: string): Promise<Endpoint | null> {
  const addresses = await addressesOf(host);
  const isLocal = addresses.some(isOwnAddress);
  if (address !== '0.0.0.0' && address !== '::') return isLocal || !isOwnAddress(address) ? { address, port } : null;
  const family = address === '::' ? 6 : 4;
  const found = addresses.find((each) => isIP(each) === family);
  if (found !== undefined) return { address: found, port };
  return isLocal ? { address: family === 6 ? '::1' : '127.0.0.1', port } : null;
}

/**
 * Asks for what nobody else has the same answer to: the SOA of a namespace, or the daemon's own name.
 * @param isDirect the server itself is the daemon, as its answer's AA says
 */
async function answeredBy(
  server: Endpoint,
  { zones, ownName }: DnsReport,
  transport: Transport,
  isDirect: boolean,
): Promise<Answered> {
  const [zone] = zones;
  const name = zone ?? ownName ?? 'localhost';
  const type = TYPE_CODES[zone === undefined ? 'A' : 'SOA'] as number;
  const trial: Trial = await tryServer(server, name, type, transport);
  if ('problem' in trial) return trial;
  if (zone === undefined && ownName === null) return 'own';
  try {
    const { header, answers, authorities } = decodeMessage(trial.reply);
    if (header.rcode === RCODE_CODES.SERVFAIL && isDirect) return { problem: 'it answers SERVFAIL' };
    if (header.rcode !== RCODE_CODES.NOERROR) return 'other';
    if (isDirect && !header.aa) return 'other';
    if (zone === undefined) return answers.length + authorities.length > 0 ? 'own' : 'other';
    return answers.some(({ primary }) => String(primary).toLowerCase() === `ns.${zone}`) ? 'own' : 'other';
  } catch {
    return 'other';
  }
}

function plannedOf(config: string | undefined, env: Env): Facts['planned'] {
  try {
    const { http, dns } = loadConfiguration(config === undefined ? {} : { config }, env).settings;
    return { http, dns };
  } catch (error) {
    return (error as Error).message;
  }
}

async function prefixFacts(host: string, hostAddresses: readonly string[], env: Env): Promise<PrefixFacts> {
  const prefixed = `data-${host}`;
  // To look an address up with the prefix would send it to the outside.
  const addresses = isIP(host) === 0 ? await addressesOf(prefixed) : [];
  const variable = 'AWS_DISABLE_HOST_PREFIX_INJECTION';
  const file = env.AWS_CONFIG_FILE || join(env.HOME || homedir(), '.aws/config');
  const key = /^\s*disable_host_prefix_injection\s*=\s*true\s*$/im;
  const inFile = key.test(readOrEmpty(file)) ? file : null;
  const isInEnvironment = env[variable]?.toLowerCase() === 'true';
  return { host: prefixed, addresses, hostAddresses, switchedOffBy: isInEnvironment ? variable : inFile };
}

/** As programs find them; none: it does not resolve. */
async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    const found = await lookup(host, { all: true });
    return [...new Set(found.map(({ address }) => address))];
  } catch {
    return [];
  }
}

function isOwnAddress(address: string): boolean {
  if (/^127\.|^::1$/.test(address)) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}

const CONNECT_TIMEOUT_MS = 2000;

function takesConnections({ address, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (isTaken: boolean): void => {
      socket.destroy();
      resolve(isTaken);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

const NET_BIND_SERVICE = 10n;

/** Linux alone keeps the low ports from users; macOS does so for addresses that are no wildcard. */
function leastFreePort(proc: string): number | null {
  const text = readOrEmpty(join(proc, 'sys/net/ipv4/ip_unprivileged_port_start')).trim();
  if (text === '') return null;
  const capabilities = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readOrEmpty(join(proc, 'self/status')))?.[1] ?? '0'}`,
  );
  return ((capabilities >> NET_BIND_SERVICE) & 1n) === 1n ? null : Number(text);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
