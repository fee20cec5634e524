/**
 * The same content as zone files, from the rules of Cloud Map's DNS alone: nothing here is the daemon's synthesiser,
 * which is what the name servers' answers are held against.
 */
import type { DeclaredInstance, DeclaredNamespace, DeclaredService } from '../../src/declared/schema.ts';

/** Where a namespace sets none (CLOUDMAPD_SOA_TTL). */
const DEFAULT_SOA_TTL = 5;
/** Where the daemon under test listens. */
const NAME_SERVER_ADDRESS = '127.0.0.1';

/** @param serial the SOA's, which the daemon makes from its clock */
export function zoneFileOf(namespace: DeclaredNamespace, serial: number): string {
  const { name: zone, soaTtl = DEFAULT_SOA_TTL, services } = namespace;
  // A zone whose name leaves no room for a label is its own name server and mailbox.
  const below = (label: string): string => (label.length + 1 + zone.length > 253 ? zone : `${label}.${zone}`);
  const nameServer = absolute(below('ns'));
  const lines = [
    `${absolute(zone)} ${soaTtl} IN SOA ${nameServer} ${absolute(below('hostmaster'))} ${serial} 7200 900 1209600 ${soaTtl}`,
    `${absolute(zone)} ${soaTtl} IN NS ${nameServer}`,
  ];
  const records = services.flatMap((service) => recordsOf(service, zone));
  const hasOwnNs = records.some((line) => line.toLowerCase().startsWith(`${nameServer.toLowerCase()} `));
  if (!hasOwnNs && below('ns') !== zone) lines.push(`${nameServer} ${soaTtl} IN A ${NAME_SERVER_ADDRESS}`);
  // An RRset has no record twice, however many instances say the same.
  return `${[...new Set([...lines, ...records])].join('\n')}\n`;
}

function recordsOf({ name, dns, instances }: DeclaredService, zone: string): string[] {
  const owner = name === '.' ? zone : `${name}.${zone}`;
  return (dns?.records ?? []).flatMap(({ type, ttl }) =>
    instances.flatMap((instance) => {
      const at = `${absolute(owner)} ${ttl} IN`;
      const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6, AWS_INSTANCE_CNAME: cname = '' } = instance.attributes;
      if (type === 'A') return [`${at} A ${ipv4}`];
      if (type === 'AAAA') return [`${at} AAAA ${ipv6}`];
      if (type === 'CNAME') return [`${at} CNAME ${absolute(cname)}`];
      return srvRecords(instance, owner, ttl);
    }),
  );
}

/** The SRV record, and its target's addresses. */
function srvRecords({ id, attributes }: DeclaredInstance, owner: string, ttl: number): string[] {
  const target = absolute(`${id}.${owner}`);
  return [
    `${absolute(owner)} ${ttl} IN SRV 1 1 ${attributes.AWS_INSTANCE_PORT} ${target}`,
    `${target} ${ttl} IN A ${attributes.AWS_INSTANCE_IPV4}`,
    `${target} ${ttl} IN AAAA ${attributes.AWS_INSTANCE_IPV6}`,
  ];
}

/** Text with its dots to a name in a zone file, all that could mean something there escaped (RFC 1035 s5.1). */
export function absolute(name: string): string {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const escaped = bare.replace(/[^\w.-]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`);
  return `${escaped}.`;
}
