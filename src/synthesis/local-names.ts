/**
 * Names that are neither registered nor looked up outside: static records and the daemon's own name, each compiled to
 * a zone of that name alone, so that names below it stay outside; and what special-use names are answered with.
 */
import { type Choice, encodeAnswerSet, type Rrset } from '../answers/answer-set.ts';
import { DeltaWriter } from '../answers/delta.ts';
import { TYPE } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { aaaaRdata, aRdata, cnameRdata, ptrRdata, recordTail, soaRdata, txtRdata } from '../wire/rdata.ts';
import { askedAddresses } from './asked-addresses.ts';

export interface LocalRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'PTR';
  /** An address, a domain name, or text. */
  readonly value: string;
  /** Seconds. */
  readonly ttl: number;
}

export interface LocalOptions {
  readonly records: readonly LocalRecord[];
  /** Answered, as `data-<ownName>` is, with the address that was asked; null: neither. */
  readonly ownName: string | null;
  /** Of names that have no such record, and of special-use names; seconds. */
  readonly soaTtlSeconds: number;
  /** Caps every TTL; null: as given. */
  readonly maxTtlSeconds: number | null;
  /** Of the listeners: what of them is no loopback the own name has where the address asked is of the other family. */
  readonly addresses: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] };
}

const RDATA_OF: Readonly<Record<LocalRecord['type'], (value: string) => Uint8Array>> = {
  A: aRdata,
  AAAA: aaaaRdata,
  CNAME: cnameRdata,
  TXT: txtRdata,
  PTR: ptrRdata,
};
/** The API's own host name may come and go with containers. */
const OWN_NAME_TTL_SECONDS = 5;

/**
 * Who says what TTL the records of such a name have, before it is capped; null: it has none of the type.
 * @param name lower case, without an ending dot; @param ttlSeconds as one of them is answered
 */
export function ttlSourceOf(
  name: string,
  type: string,
  ttlSeconds: number,
  options: LocalOptions,
): { readonly source: 'records' | 'own-name'; readonly ttlSeconds: number } | null {
  const ofName = options.records.filter((record) => plainName(record.name) === name);
  const ofType = ofName.filter((record) => record.type === type);
  const record = ofType.find(({ ttl }) => cap(ttl, options) === ttlSeconds) ?? ofType[0];
  if (record !== undefined) return { source: 'records', ttlSeconds: record.ttl };
  const isOwn = options.ownName !== null && [options.ownName, `data-${options.ownName}`].includes(name);
  return isOwn && ofName.length === 0 ? { source: 'own-name', ttlSeconds: OWN_NAME_TTL_SECONDS } : null;
}

/** Everything as a snapshot of one delta, for the zone set that is looked into behind the registered zones. */
export function compileLocalNames(options: LocalOptions): Uint8Array {
  const delta = new DeltaWriter();
  delta.reset();
  const byName = new Map<string, LocalRecord[]>();
  for (const record of options.records) {
    const name = plainName(record.name);
    byName.set(name, [...(byName.get(name) ?? []), record]);
  }
  for (const [name, records] of byName) putName(delta, name, staticRrsets(records, options), options);
  const own = options.ownName === null ? [] : [options.ownName, `data-${options.ownName}`];
  for (const name of own)
    if (!byName.has(name))
      putName(delta, name, askedAddresses(options.addresses, cap(OWN_NAME_TTL_SECONDS, options)), options);
  delta.complete();
  return delta.finish();
}

/** Record tails of what special-use names get (RFC 6303 s3: the SOA's owner is the name of the list). */
export function compileLocalTails(options: LocalOptions): {
  soa: Uint8Array;
  localhostA: Uint8Array;
  localhostAaaa: Uint8Array;
} {
  const ttl = cap(options.soaTtlSeconds, options);
  return {
    soa: recordTail(TYPE.SOA, ttl, soaOf('localhost', options)),
    localhostA: recordTail(TYPE.A, ttl, aRdata('127.0.0.1')),
    localhostAaaa: recordTail(TYPE.AAAA, ttl, aaaaRdata('::1')),
  };
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function putName(delta: DeltaWriter, name: string, rrsets: Rrset[], options: LocalOptions): void {
  const apex = toWireName(name);
  const soa = recordTail(TYPE.SOA, cap(options.soaTtlSeconds, options), soaOf(name, options));
  delta.putNameZone(apex);
  delta.putSet(apex, apex, encodeAnswerSet([...rrsets, rrsetOf(TYPE.SOA, 'all', [soa])]));
}

function staticRrsets(records: readonly LocalRecord[], options: LocalOptions): Rrset[] {
  const types = [...new Set(records.map(({ type }) => type))];
  return types.map((type) => {
    // By RDATA: one that is written twice is one record (RFC 2181 s5).
    const tails = new Map<string, Uint8Array>();
    for (const record of records.filter((each) => each.type === type)) {
      const rdata = RDATA_OF[type](record.value);
      const key = Buffer.from(rdata).toString('latin1');
      if (!tails.has(key)) tails.set(key, recordTail(TYPE[type], cap(record.ttl, options), rdata));
    }
    return rrsetOf(TYPE[type], 'all', [...tails.values()]);
  });
}

function rrsetOf(type: number, policy: Rrset['policy'], tails: readonly Uint8Array[]): Rrset {
  const choices: Choice[] = tails.map((tail) => ({ answers: [tail], additionals: [] }));
  return { type, policy, choices };
}

/** RFC 6303 s3 has these fields; the negative TTL is ours. Nobody transfers such a zone, so its serial says nothing. */
function soaOf(mname: string, options: LocalOptions): Uint8Array {
  const minimum = cap(options.soaTtlSeconds, options);
  return soaRdata({ mname, rname: 'nobody.invalid', serial: 1, refresh: 3600, retry: 1200, expire: 604_800, minimum });
}

function cap(ttlSeconds: number, { maxTtlSeconds }: LocalOptions): number {
  return Math.min(ttlSeconds, maxTtlSeconds ?? ttlSeconds);
}
