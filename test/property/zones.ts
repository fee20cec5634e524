/** What DNS has to say of a model: the zones with their records, and whether an answer is one that they allow. */
import type { Answer } from '../support/dns.ts';
import type { RecordType } from './calls.ts';
import type { Instance, Model, Namespace, Service } from './model.ts';
import { hasType, ownerOf, servicesOf, targetOf } from './model.ts';

const MULTIVALUE_RECORDS = 8;
/** CLOUDMAPD_SOA_TTL. */
const DEFAULT_SOA_TTL = 5;
/** Where the daemon listens. */
const NAME_SERVER = '127.0.0.1';

interface RecordSet {
  readonly ttl: number;
  /** How many of the records an answer has: one, or up to eight. */
  readonly isWeighted: boolean;
  /** RDATA as text, each once. */
  readonly records: readonly string[];
}

interface Zone {
  readonly soaTtl: number;
  /** By owner name, then by type. */
  readonly names: Map<string, Map<string, RecordSet>>;
  /** Records beside an SRV record, by its target. */
  readonly companions: Map<string, string[]>;
}

export type Zones = ReadonlyMap<string, Zone>;

export function zonesOf(model: Model): Zones {
  return new Map(
    Object.entries(model.zones).map(([name, [owner = '']]) => {
      return [name, zoneOf(model, name, model.namespaces[owner] as Namespace)];
    }),
  );
}

function zoneOf(model: Model, apex: string, namespace: Namespace): Zone {
  const soaTtl = namespace.soaTtl ?? DEFAULT_SOA_TTL;
  const names: Zone['names'] = new Map([[apex, new Map()]]);
  const companions: Zone['companions'] = new Map();
  const put = (name: string, type: string, set: RecordSet): void => {
    if (set.records.length > 0) names.set(name, (names.get(name) ?? new Map()).set(type, set));
  };
  const absolute = (owner: string) => (owner === '' ? apex : `${owner}.${apex}`);
  for (const service of servicesOf(model, namespace.id)) {
    const isWeighted = service.dns?.policy === 'WEIGHTED';
    const rdata = (type: RecordType) =>
      eligible(service).map(([id, { attributes }]) =>
        type === 'SRV'
          ? `1 1 ${attributes.AWS_INSTANCE_PORT} ${absolute(targetOf(service, id))}.`
          : rdataOf(type, attributes),
      );
    for (const { type, ttl } of service.dns?.records ?? [])
      put(absolute(ownerOf(service)), type, { ttl, isWeighted, records: [...new Set(rdata(type))] });
    if (!hasType(service, 'SRV')) continue;
    const ttl = service.dns?.records[0]?.ttl ?? 0;
    for (const [id, { attributes }] of Object.entries(service.instances)) {
      const name = absolute(targetOf(service, id));
      for (const type of ['A', 'AAAA'] as const) {
        if (attributes[ADDRESS_KEYS[type]] === undefined) continue;
        const record = rdataOf(type, attributes);
        put(name, type, { ttl, isWeighted: false, records: [record] });
        companions.set(name, [...(companions.get(name) ?? []), `${name}. ${ttl} IN ${type} ${record}`]);
      }
    }
  }
  const nameServer = `ns.${apex}`;
  if (!names.has(nameServer)) put(nameServer, 'A', { ttl: soaTtl, isWeighted: false, records: [NAME_SERVER] });
  return { soaTtl, names, companions };
}

/** Healthy ones; else the last healthy; else, where none ever was healthy, all. */
function eligible(service: Service): [string, Instance][] {
  const all = Object.entries(service.instances);
  if (!service.isChecked) return all;
  const healthy = all.filter(([, { status }]) => status === 'HEALTHY');
  if (healthy.length > 0) return healthy;
  const latest = Math.max(0, ...all.map(([, { lastHealthy }]) => lastHealthy));
  return all.filter(([, { lastHealthy }]) => lastHealthy === latest);
}

const ADDRESS_KEYS = { A: 'AWS_INSTANCE_IPV4', AAAA: 'AWS_INSTANCE_IPV6' } as const;
/** IPv6 addresses of the test to the text that a decoded record has. */
const SAME_ADDRESS: Readonly<Record<string, string>> = { '2001:DB8:0:0:0:0:0:1': '2001:db8::1' };

function rdataOf(type: 'A' | 'AAAA' | 'CNAME', attributes: Instance['attributes']): string {
  if (type === 'CNAME') return `${attributes.AWS_INSTANCE_CNAME}.`;
  const address = `${attributes[ADDRESS_KEYS[type]]}`;
  return SAME_ADDRESS[address] ?? address;
}

/** The zone with the longest name that `name` ends in. */
function findZone(zones: Zones, name: string): [string, Zone] | null {
  const labels = name.split('.');
  for (let first = 0; first < labels.length; first++) {
    const apex = labels.slice(first).join('.');
    const zone = zones.get(apex);
    if (zone !== undefined) return [apex, zone];
  }
  return null;
}

/** @returns what is wrong with the answer, or null */
export function problemOf(zones: Zones, qname: string, qtype: RecordType, answer: Answer): string | null {
  const left = [...answer.answer];
  const visited = new Set<string>();
  let name = qname;
  const end = (rcode: string, authority: RegExp | null = null): string | null => {
    if (answer.rcode !== rcode) return `${rcode} expected`;
    if (answer.aa !== (findZone(zones, qname) !== null)) return 'AA is wrong';
    if (left.length > 0) return `nothing expected behind ${left[0]}`;
    if (authority === null) return answer.authority.length === 0 ? null : 'no authority records expected';
    const [soa = ''] = answer.authority;
    return answer.authority.length === 1 && authority.test(soa) ? null : `an SOA record like ${authority} expected`;
  };
  for (;;) {
    const found = findZone(zones, name);
    if (found === null) return end(visited.size === 0 ? 'REFUSED' : 'NOERROR');
    // CNAMEs in a circle.
    if (visited.has(name)) return end('NOERROR');
    visited.add(name);
    const [apex, zone] = found;
    const sets = zone.names.get(name);
    const cname = sets?.get('CNAME');
    if (cname !== undefined && qtype !== 'CNAME') {
      const first = left.shift() ?? '';
      if (!textsOf(name, 'CNAME', cname).includes(first)) return `one of the CNAMEs of ${name} expected`;
      name = first.slice(first.lastIndexOf(' ') + 1, -1);
      continue;
    }
    const set = sets?.get(qtype);
    if (set === undefined) {
      const isThere = sets !== undefined || [...zone.names.keys()].some((other) => other.endsWith(`.${name}`));
      return end(isThere ? 'NOERROR' : 'NXDOMAIN', soaOf(apex, zone));
    }
    const records = left.splice(0);
    return (
      end('NOERROR') ??
      choiceProblem(textsOf(name, qtype, set), set.isWeighted ? 1 : MULTIVALUE_RECORDS, records) ??
      additionalProblem(zone, qtype, records, answer.additional)
    );
  }
}

function textsOf(name: string, type: string, { ttl, records }: RecordSet): string[] {
  return records.map((record) => `${name}. ${ttl} IN ${type} ${record}`);
}

/** The serial is whatever it is. */
function soaOf(apex: string, { soaTtl }: Zone): RegExp {
  const dots = apex.replaceAll('.', '\\.');
  return new RegExp(
    `^${dots}\\. ${soaTtl} IN SOA ns\\.${dots}\\. hostmaster\\.${dots}\\. \\d+ 7200 900 1209600 ${soaTtl}$`,
  );
}

function choiceProblem(allowed: readonly string[], atMost: number, records: readonly string[]): string | null {
  const count = Math.min(atMost, allowed.length);
  const isRight = records.length === count && new Set(records).size === count;
  return isRight && records.every((record) => allowed.includes(record))
    ? null
    : `${count} of ${JSON.stringify(allowed)} expected`;
}

function additionalProblem(
  zone: Zone,
  qtype: RecordType,
  records: readonly string[],
  additional: readonly string[],
): string | null {
  const targets = qtype === 'SRV' ? records.map((record) => record.slice(record.lastIndexOf(' ') + 1, -1)) : [];
  const expected = targets.flatMap((target) => zone.companions.get(target) ?? []).sort();
  return JSON.stringify([...additional].sort()) === JSON.stringify(expected)
    ? null
    : `the additional records ${JSON.stringify(expected)} expected`;
}
