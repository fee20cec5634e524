/** The daemon: whether it is ready, and answers where it listens. */
import { isIPv6 } from 'node:net';
import { formatAddress } from '../../publish/publisher.ts';
import type { Endpoint } from '../../setting-forms.ts';
import type { Answered, DaemonFacts, Facts, ListenerFacts } from './facts.ts';
import { type Finding, note, ok, problem } from './finding.ts';

export function readiness({ endpoint }: Facts, { info, notReady, dns }: DaemonFacts): Finding[] {
  const at = `cloudmapd ${info.version} (pid ${info.pid}) at ${endpoint.href.replace(/\/$/, '')}`;
  if (notReady !== '') {
    const isDisk = info.dataDir !== null && /disk|store|write|space/i.test(notReady);
    return [problem('ready', `${at} is not ready: ${notReady}`, isDisk ? [`df -h ${info.dataDir}`] : [])];
  }
  const old = dns === null ? [note('daemon', 'the daemon is older than this command, and tells less', [])] : [];
  return [ok('ready', `${at} is ready`), ...old];
}

export function listeners(facts: Facts, daemon: DaemonFacts): Finding[] {
  const { listeners: all, dns } = daemon;
  const findings = all.flatMap((listener) => listenerFindings(facts, daemon, listener));
  const skipped = (dns?.skipped ?? []).map((address) =>
    note('ipv6', `${address} is left out: the daemon's machine has no IPv6`, []),
  );
  if (findings.length > 0) return [...findings, ...skipped];
  const places = all.map(({ endpoint: own }) => formatAddress(own)).join(', ');
  return [...(places === '' ? [] : [ok('listener', `DNS is answered on ${places}, over UDP and TCP`)]), ...skipped];
}

function listenerFindings(facts: Facts, daemon: DaemonFacts, { endpoint, asked, udp, tcp }: ListenerFacts): Finding[] {
  const where = formatAddress(endpoint);
  if (asked === null || udp === null || tcp === null) {
    const message = `DNS on ${where} is for the daemon's own machine alone, and ${facts.endpoint.hostname} is another`;
    return [note('listener', message, [`CLOUDMAPD_DNS=0.0.0.0:${endpoint.port}`])];
  }
  const place = formatAddress(asked) === where ? where : `${where}, asked at ${formatAddress(asked)},`;
  const [overUdp, overTcp] = [faultOf(udp), faultOf(tcp)];
  const mend = listenerMend(facts, daemon, asked);
  if (overUdp !== null && overUdp === overTcp) return [problem('listener', `DNS on ${place} ${overUdp}`, mend)];
  return [
    ...(overUdp === null ? [] : [problem('listener', `DNS over UDP on ${place} ${overUdp}`, mend)]),
    ...(overTcp === null ? [] : [problem('listener', `DNS over TCP on ${place} ${overTcp}`, mend)]),
  ];
}

function faultOf(answered: Answered): string | null {
  if (answered === 'own') return null;
  if (answered === 'other') return 'is answered by something else than the daemon';
  return `does not answer: ${answered.problem}`;
}

function listenerMend(facts: Facts, { info }: DaemonFacts, { address, port }: Endpoint): string[] {
  if (!facts.isLocal) {
    return ['udp', 'tcp'].map((transport) => `sudo iptables -I INPUT -p ${transport} --dport ${port} -j ACCEPT`);
  }
  if (facts.holders === null || facts.holders.some(({ process }) => process?.pid === info.pid)) return [];
  // Somebody else has the API's port here and hands it on: an engine, for a container.
  const host = `${isIPv6(address) ? `[${address}]` : address}:${PUBLISHED_PORT}`;
  return [
    '# if it is in a container, its DNS has to be published as its API is:',
    `docker run -p ${host}:${port}/udp -p ${host}:${port}/tcp ...`,
    `cloudmapd doctor --endpoint ${facts.endpoint.href.replace(/\/$/, '')} --dns ${host}`,
  ];
}

/** One that needs no privilege, as the daemon's own. */
const PUBLISHED_PORT = 1053;
