/** How DNS is answered and who is asked, as it is now: what `GET /admin/dns` tells. */
import type { DnsReport, UpstreamReport, UpstreamTrial } from './admin/dns.ts';
import type { Settings } from './config.ts';
import { type WantedUpstream, wantedUpstreams } from './forwarding.ts';
import { formatAddress, type Publisher } from './publish/publisher.ts';
import type { Registry } from './registry/registry.ts';
import { type Transport, tryServer } from './resolver/trial.ts';
import { TYPE } from './wire/header.ts';

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
/** Every resolver that goes anywhere knows the root's name servers. */
const ROOT = '';

/** @param registry null while the state is not loaded @param hasTrials each upstream is asked whether it answers */
export async function reportDns(
  settings: Settings,
  registry: Registry | null,
  publisher: Publisher,
  hasTrials: boolean,
): Promise<DnsReport> {
  const { loops } = publisher;
  const wanted = wantedUpstreams(settings, publisher.addresses);
  const upstreams = await Promise.all(
    wanted.map(async (upstream): Promise<UpstreamReport> => {
      const { setting, names, endpoint, isSelf } = upstream;
      const key = JSON.stringify([{ address: endpoint.address, port: endpoint.port }, loopNamesOf(names)]);
      const state = isSelf ? 'itself' : loops.has(key) ? 'loops' : 'asked';
      const about = { setting, names, address: formatAddress(endpoint), state } as const;
      if (!hasTrials || state !== 'asked') return about;
      const [udp, tcp] = await Promise.all((['UDP', 'TCP'] as const).map((each) => tryUpstream(upstream, each)));
      return { ...about, udp: udp as UpstreamTrial, tcp: tcp as UpstreamTrial };
    }),
  );
  return {
    listeners: publisher.addresses.map(formatAddress),
    skipped: publisher.skipped.map(formatAddress),
    sockets: publisher.sockets,
    threads: publisher.threads.filter(({ isFilled }) => isFilled).length,
    zones: registry === null ? [] : zonesOf(registry),
    ownName: settings.ownName,
    forwards: Array.isArray(settings.upstreams) ? 'listed' : (settings.upstreams as 'none' | 'system'),
    upstreams,
  };
}

function zonesOf({ state }: Registry): string[] {
  const names = [...state.namespaces()].filter(({ type }) => type !== 'HTTP').map(({ name }) => name.toLowerCase());
  return [...new Set(names)].sort();
}

/** As a thread names them. */
function loopNamesOf(names: WantedUpstream['names']): 'all' | { suffix: string | null } {
  return names === 'single-label' ? { suffix: null } : names;
}

async function tryUpstream({ endpoint, names }: WantedUpstream, transport: Transport): Promise<UpstreamTrial> {
  const name = typeof names === 'object' ? names.suffix : ROOT;
  const trial = await tryServer(endpoint, name, name === ROOT ? TYPE.NS : TYPE.SOA, transport);
  if ('problem' in trial) return trial;
  const rcode = (trial.reply[3] as number) & 15;
  return { rcode: RCODES[rcode] ?? `RCODE${rcode}`, ms: trial.ms };
}
