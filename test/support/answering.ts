/** Zones written as zone-file-like tables, and a responder to ask about them without a socket. */
import { encodeAnswerSet, type Policy, type Rrset } from '../../src/answers/answer-set.ts';
import { DeltaWriter } from '../../src/answers/delta.ts';
import { createRandom } from '../../src/answers/selection.ts';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { DROP, FORWARD, Responder } from '../../src/dns/respond.ts';
import { TYPE } from '../../src/wire/header.ts';
import { toWireName } from '../../src/wire/names.ts';
import { aaaaRdata, aRdata, cnameRdata, nsRdata, recordTail, soaRdata, srvRdata } from '../../src/wire/rdata.ts';
import { type Answer, buildQuery, type QueryOptions, readAnswer } from './dns.ts';
import { ANYONE, outside } from './resolving.ts';

export const SOA_TTL = 5;

/** The SOA record that `zoneSetOf` gives every zone, as text. */
export function soaText(apex: string): string {
  return `${apex}. ${SOA_TTL} IN SOA ns.${apex}. hostmaster.${apex}. 1 7200 900 1209600 ${SOA_TTL}`;
}

/** Text such as `60 IN A 10.0.0.7` or `60 IN SRV 1 1 80 a.web.corp.internal.` to a record without its owner. */
export function tailOf(text: string): Uint8Array {
  const [ttl, , type, ...rdata] = text.split(' ') as [string, string, keyof typeof TYPE, ...string[]];
  return recordTail(TYPE[type], Number(ttl), rdataOf(type, rdata));
}

function rdataOf(type: string, [first = '', ...rest]: string[]): Uint8Array {
  if (type === 'A') return aRdata(first);
  if (type === 'AAAA') return aaaaRdata(first);
  if (type === 'CNAME') return cnameRdata(first);
  if (type === 'NS') return nsRdata(first);
  if (type === 'SRV') return srvRdata(Number(first), Number(rest[0]), Number(rest[1]), rest[2] as string);
  throw new Error(`no RDATA of type ${type} from text`);
}

/** One RRset whose records are choices of one record each. */
export function rrset(records: readonly string[], policy: Policy = 'all'): Rrset {
  const type = TYPE[records[0]?.split(' ')[2] as keyof typeof TYPE];
  return { type, policy, choices: records.map((text) => ({ answers: [tailOf(text)], additionals: [] })) };
}

/** Apex -> owner relative to it (`` is the apex) -> RRsets. Each apex gets an SOA record besides. */
export type Zones = Readonly<Record<string, Readonly<Record<string, readonly Rrset[]>>>>;

export function deltaOf(zones: Zones): Uint8Array {
  const delta = new DeltaWriter();
  delta.reset();
  for (const [apex, owners] of Object.entries(zones)) {
    const zone = toWireName(apex);
    delta.putZone(zone);
    for (const [owner, rrsets] of Object.entries({ '': [], ...owners })) {
      const own = owner === '' ? [...rrsets, soaRrset(apex)] : rrsets;
      delta.putSet(zone, toWireName(owner === '' ? apex : `${owner}.${apex}`), encodeAnswerSet(own));
    }
  }
  delta.complete();
  return delta.finish();
}

/** The SOA of `soaText`. */
export function soaRrset(apex: string): Rrset {
  const rdata = soaRdata({
    mname: `ns.${apex}`,
    rname: `hostmaster.${apex}`,
    serial: 1,
    refresh: 7200,
    retry: 900,
    expire: 1_209_600,
    minimum: SOA_TTL,
  });
  const tail = recordTail(TYPE.SOA, SOA_TTL, rdata);
  return { type: TYPE.SOA, policy: 'all', choices: [{ answers: [tail], additionals: [] }] };
}

export function zoneSetOf(zones: Zones): ZoneSet {
  const set = new ZoneSet();
  set.apply(deltaOf(zones));
  return set;
}

export interface AskOptions extends QueryOptions {
  readonly overTcp?: boolean;
}

/** A responder with its reply's memory, asked in bytes or by name. */
export class Asker {
  readonly responder: Responder;
  readonly #reply = new Uint8Array(65_535);

  constructor(
    zones: ZoneSet,
    { recursionAvailable = false, seed = 1, random = createRandom(seed), clock = Date.now } = {},
  ) {
    this.responder = new Responder({ zones, random, clock, ...outside(recursionAvailable) });
  }

  /** @returns a copy of the reply, `drop` or `forward` */
  send(query: Uint8Array, overTcp = false): Uint8Array | 'drop' | 'forward' {
    const length = this.responder.respond(query, query.length, this.#reply, overTcp, null, ANYONE);
    if (length === DROP) return 'drop';
    return length === FORWARD ? 'forward' : this.#reply.slice(0, length);
  }

  /** @throws Error where there is no reply, or one that cannot be decoded */
  ask(name: string, type: string | number, { overTcp = false, ...options }: AskOptions = {}): Answer {
    const reply = this.send(buildQuery(name, type, options), overTcp);
    if (typeof reply === 'string') throw new Error(`the query for ${name} ${type} got "${reply}"`);
    return readAnswer(reply);
  }
}
