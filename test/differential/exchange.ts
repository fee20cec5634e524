/** One query and what two servers said to it, and in what they differ. */
import type { DeclaredNamespace } from '../../src/declared/schema.ts';
import { ownersOf } from './content.ts';
import type { Reply } from './message.ts';
import type { Query } from './queries.ts';
import type { ServerName } from './servers.ts';

/** `reply`: whether one came. `flags`: those of the OPT, DO among them. */
export const FIELDS = [
  ...(['reply', 'rcode', 'opcode', 'aa', 'tc', 'rd', 'ra', 'z', 'ad', 'cd', 'question'] as const),
  ...(['answer', 'authority', 'additional', 'opt', 'size', 'version', 'flags'] as const),
];
export type Field = (typeof FIELDS)[number];

export interface Exchange {
  readonly query: Query;
  readonly server: ServerName;
  readonly ours: Reply | null;
  readonly theirs: Reply | null;
  readonly facts: Facts;
}

/** Where both replied. */
export interface Answered extends Exchange {
  readonly ours: Reply;
  readonly theirs: Reply;
  /** The same over TCP, where the query came over UDP and something of a reply did not fit; else the same. */
  readonly oursWhole: Reply;
  readonly theirsWhole: Reply;
}

/** In which fields the replies differ. */
export function compare(ours: Reply | null, theirs: Reply | null): Field[] {
  if (ours === null || theirs === null) return ours === theirs ? [] : ['reply'];
  const fields: Field[] = [];
  for (const field of ['rcode', 'opcode', 'aa', 'tc', 'rd', 'ra', 'z', 'ad', 'cd', 'question'] as const) {
    if (ours[field] !== theirs[field]) fields.push(field);
  }
  for (const field of ['answer', 'authority', 'additional'] as const) {
    if (!isSame(ours[field], theirs[field])) fields.push(field);
  }
  const { opt } = ours;
  const { opt: other } = theirs;
  if (opt === null || other === null) return opt === other ? fields : [...fields, 'opt'];
  if (opt.size !== other.size) fields.push('size');
  if (opt.version !== other.version) fields.push('version');
  if (opt.dnssecOk !== other.dnssecOk || opt.z !== other.z) fields.push('flags');
  return fields;
}

/** Of sorted lists. */
export function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

export function isPart(part: readonly string[], whole: readonly string[]): boolean {
  const known = new Set(whole);
  return part.every((item) => known.has(item));
}

/** Why an exchange may differ that only the content tells. Names are as `decodeReply` writes them. */
export class Facts {
  readonly #zones: ReadonlySet<string>;
  /** Owner names with more records than one answer has -> how many it has. */
  readonly #drawn = new Map<string, number>();
  /** Names of a namespace that a nested one hides, and names between them. */
  readonly #hidden = new Set<string>();

  constructor(namespaces: readonly DeclaredNamespace[]) {
    this.#zones = new Set(namespaces.map(({ name }) => asDecoded(name)));
    for (const { name: zone, services } of namespaces) {
      for (const { name, dns, instances } of services) {
        const most = dns?.routingPolicy === 'WEIGHTED' ? 1 : 8;
        if (instances.length > most) this.#drawn.set(asDecoded(name === '.' ? zone : `${name}.${zone}`), most);
      }
    }
    for (const namespace of namespaces) this.#addHidden(namespace);
  }

  /** The longest namespace that the name is in. */
  zoneOf(name: string): string | null {
    for (let at = 0; at !== -1 && at < name.length; ) {
      const suffix = name.slice(at);
      if (this.#zones.has(suffix)) return suffix;
      const dot = name.indexOf('.', at);
      at = dot === -1 ? -1 : dot + 1;
    }
    return null;
  }

  #addHidden(namespace: DeclaredNamespace): void {
    const apex = asDecoded(namespace.name);
    for (const relative of ownersOf(namespace)) {
      let name = relative === '' ? apex : asDecoded(`${relative}.${namespace.name}`);
      for (; name !== apex; name = name.slice(name.indexOf('.') + 1)) {
        if (this.zoneOf(name) !== apex) this.#hidden.add(name);
      }
    }
  }

  /** Whether a zone around the name's own has, or would have, records there or below. */
  isHidden(name: string): boolean {
    return this.#hidden.has(name);
  }

  /** Whether a nested zone lies below the name. */
  isAboveZone(name: string): boolean {
    return [...this.#zones].some((apex) => apex.endsWith(`.${name}`));
  }

  isZone(name: string): boolean {
    return this.#zones.has(name);
  }

  /** How many records one answer has at the name, where there are more; null: all. */
  drawnAt(name: string): number | null {
    return this.#drawn.get(name) ?? null;
  }
}

function asDecoded(name: string): string {
  return `${name.replaceAll('\\', '\\\\')}.`.toLowerCase();
}

/** A record's text in parts. */
export function partsOf(record: string): { owner: string; type: string; rdata: string } {
  // Owner names may hold spaces; what follows them does not, up to the RDATA.
  const match = / \d+ \d+ ([A-Z0-9]+) (.*)$/.exec(record);
  return { owner: record.slice(0, match?.index), type: match?.[1] ?? '', rdata: match?.[2] ?? '' };
}

/** The QNAME as `decodeReply` writes names. */
export function qnameOf({ labels }: Query): string {
  const text = labels.map((label) => Buffer.from(label).toString('latin1').replace(/[.\\]/g, '\\$&'));
  return `${text.join('.')}.`.toLowerCase();
}

/** The CNAMEs that lead on from a name, in order; a loop ends where it closes. */
export function chainOf(qname: string, answer: readonly string[]): string[] {
  const byOwner = new Map<string, string>();
  for (const record of answer) if (partsOf(record).type === 'CNAME') byOwner.set(partsOf(record).owner, record);
  const chain: string[] = [];
  for (let name = qname; byOwner.has(name); ) {
    const record = byOwner.get(name) as string;
    chain.push(record);
    byOwner.delete(name);
    name = partsOf(record).rdata;
  }
  return chain;
}

/** The octets that the client takes. */
export function limitOf({ edns, overTcp }: Query): number {
  if (overTcp) return 65_535;
  return edns === null ? 512 : Math.min(1232, Math.max(512, edns.size));
}

/** The items of `list` that `other` does not have. */
export function without(list: readonly string[], other: readonly string[]): string[] {
  const known = new Set(other);
  return list.filter((item) => !known.has(item));
}

/** The types of records, each once. */
export function typesOf(records: readonly string[]): string[] {
  return [...new Set(records.map((record) => partsOf(record).type))];
}
