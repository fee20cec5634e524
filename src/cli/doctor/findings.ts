/** What `cloudmapd doctor` makes of what it found out: each thing that is wrong with the lines that mend it. */
import { dataPrefix, ipv6 } from './clients.ts';
import { listeners, readiness } from './daemon.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';
import { names, nameservers } from './names.ts';
import { dnsPort, withoutDaemon } from './ports.ts';
import { upstreams } from './upstreams.ts';

export function findingsOf(facts: Facts): Finding[] {
  const { daemon } = facts;
  if (typeof daemon === 'string') return [...withoutDaemon(facts, daemon), ...dataPrefix(facts)];
  return [
    ...readiness(facts, daemon),
    ...listeners(facts, daemon),
    ...dnsPort(facts, daemon),
    ...upstreams(facts, daemon),
    ...nameservers(facts, daemon),
    ...names(facts, daemon),
    ...dataPrefix(facts),
    ...ipv6(facts, daemon),
  ];
}
