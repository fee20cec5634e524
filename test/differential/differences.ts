/**
 * Every way in which BIND 9.18, NSD 4.6 and Knot 3.2 are known to answer otherwise than the daemon, with the reason why
 * it stays so. What is not accounted for here fails the test.
 */
import {
  type Answered,
  chainOf,
  type Exchange,
  type Field,
  isPart,
  isSame,
  limitOf,
  partsOf,
  qnameOf,
  typesOf,
  without,
} from './exchange.ts';
import type { Reply } from './message.ts';
import { decidedRcode, type Query } from './queries.ts';
import { REFUSALS } from './refusals.ts';
import { SERVER_NAMES, type ServerName } from './servers.ts';

export interface Difference {
  readonly name: string;
  readonly servers: readonly ServerName[];
  /** What it accounts for where both replied. */
  readonly fields: readonly Field[];
  readonly reason: string;
  applies(exchange: Answered): boolean;
  /** Whether it accounts for theirs not having replied. */
  silences?(exchange: Exchange): boolean;
}

const [NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, NOTAUTH] = [0, 1, 2, 3, 4, 9] as const;
const [TYPE_OPT, TYPE_DS, TYPE_ANY] = [41, 43, 255] as const;
const [OPTION_CLIENT_SUBNET, OPTION_EXPIRE, OPTION_COOKIE, OPTION_KEY_TAG] = [8, 9, 10, 14] as const;
/** The CNAMEs of one of Knot's answers. */
const KNOT_CHAIN = 5;
/** An error instead of an answer, or the other way round. */
const OUTCOME: readonly Field[] = ['rcode', 'aa', 'tc', 'answer', 'authority', 'additional'];
/** What an error is dressed in. */
const DRESS: readonly Field[] = ['rd', 'ra', 'z', 'ad', 'cd', 'question', 'opt', 'flags'];

const REFUSED: readonly Difference[] = REFUSALS.map(({ name, reason, applies, others }) => ({
  name,
  reason,
  servers: SERVER_NAMES,
  fields: [...OUTCOME, ...DRESS],
  applies: ({ query, server, theirs }) =>
    decidedRcode(query) !== null && applies(query) && others[server].includes(theirs.rcode),
  silences: ({ query, server }) => applies(query) && others[server].includes(null),
}));

const ERRORS: readonly Difference[] = [
  {
    name: 'an option that does not follow its RFC',
    servers: ['bind', 'knot'],
    fields: [...OUTCOME, ...DRESS],
    reason:
      'COOKIE, client subnet, EXPIRE, key tag: servers that have them answer FORMERR (RFC 7873 s5.2.2, RFC 7871 s6). Here they are unknown options, which RFC 6891 s6.1.2 has ignored.',
    applies: ({ query, theirs }) => theirs.rcode === FORMERR && hasBadOption(query),
  },
  {
    name: 'a UDP size of 1',
    servers: ['knot'],
    fields: [...OUTCOME, ...DRESS],
    reason: 'RFC 6891 s6.2.3: values below 512 are taken as 512.',
    applies: ({ query, theirs }) => theirs.rcode === FORMERR && query.edns?.size === 1,
  },
  {
    name: 'a query type that is none',
    servers: ['bind', 'knot'],
    fields: [...OUTCOME, ...DRESS],
    reason:
      'OPT, TKEY, TSIG, MAILB, MAILA, the unassigned range of query types, and 0 for Knot: no name has such records, and RFC 3597 s3 has what is unknown treated like any other type: NODATA.',
    applies: ({ query: { qtype }, theirs, server }) =>
      server === 'bind'
        ? (qtype === TYPE_OPT || (qtype >= 128 && qtype <= 254)) &&
          (theirs.rcode === FORMERR || theirs.rcode === NOTIMP)
        : qtype === 0 && theirs.rcode === NOTIMP,
  },
  {
    name: 'a TSIG',
    servers: SERVER_NAMES,
    fields: [...OUTCOME, ...DRESS],
    reason:
      'RFC 8945 s5.2.1 has NOTAUTH for a key that is not known. There are no keys here, and whoever signs a query learns from the unsigned reply that it was not checked (s5.4), as from every server without TSIG.',
    applies: ({ query, theirs }) => query.extra === 'TSIG' && theirs.rcode === NOTAUTH,
  },
  {
    name: 'an OPT outside the additional section',
    servers: SERVER_NAMES,
    fields: [...OUTCOME, ...DRESS],
    reason:
      'RFC 6891 s6.1.1 knows an OPT in the additional section alone. One elsewhere is a record that a query has no use for, and is passed over like any other.',
    applies: ({ query, theirs }) => query.extra === 'OPT in answer' && theirs.rcode === FORMERR,
  },
  {
    name: 'records that a query has no use for',
    servers: ['nsd'],
    fields: [...OUTCOME, ...DRESS],
    reason:
      'NSD takes an OPT and a TSIG, and an SOA with IXFR, and calls the rest FORMERR, up to a hundred times a second; no RFC forbids them.',
    applies: ({ query, theirs }) => query.extra !== null && query.extra !== 'TSIG' && theirs.rcode === FORMERR,
    silences: ({ query }) => query.extra !== null,
  },
  {
    name: 'CD in an answer with authority',
    servers: ['bind'],
    fields: ['cd'],
    reason: 'RFC 4035 s3.1.6: it is cleared, as in NSD and Knot. BIND goes by s3, which has it copied.',
    applies: ({ ours, theirs }) => ours.aa && !ours.cd && theirs.cd,
  },
  {
    name: 'CD in an answer without authority',
    servers: ['nsd', 'knot'],
    fields: ['cd'],
    reason: 'RFC 4035 s3: it is copied, as in BIND; s3.1.6 has it cleared where the answer is authoritative.',
    applies: ({ ours, theirs }) => !ours.aa && ours.cd && !theirs.cd,
  },
  {
    name: 'AD where nothing is answered',
    servers: ['bind'],
    fields: ['ad'],
    reason: 'RFC 4035 s3.1.6: nothing here is authenticated. BIND sets it where no record was found that is not.',
    applies: ({ ours, theirs }) => !ours.ad && theirs.ad && (theirs.tc || theirs.answer.length === 0),
  },
];

const CHAINS: readonly Difference[] = [
  {
    name: 'a CNAME into another zone',
    servers: ['bind', 'knot'],
    fields: OUTCOME,
    reason:
      'RFC 1034 s4.3.2 step 3a starts anew with the canonical name, whichever of the zones it is in, as NSD does. BIND and Knot leave the rest to the resolver.',
    applies: ({ query, facts, theirs, oursWhole }) => {
      const start = qnameOf(query);
      const zone = facts.zoneOf(start);
      const chain = chainOf(start, oursWhole.answer);
      const leaves = chain.findIndex((record) => facts.zoneOf(partsOf(record).rdata) !== zone);
      const rest = leaves === -1 ? null : facts.zoneOf(partsOf(chain[leaves] as string).rdata);
      return (
        rest !== null &&
        theirs.rcode === NOERROR &&
        isSame(theirs.answer, theirs.tc ? theirs.answer : chain.slice(0, leaves + 1).sort()) &&
        theirs.authority.length === 0
      );
    },
  },
  {
    name: 'a loop of CNAMEs, or a chain that is too long for BIND',
    servers: ['bind'],
    fields: OUTCOME,
    reason:
      'No RFC says how a loop ends. BIND ends it, and a chain of more than eleven, with SERVFAIL; here as in NSD and Knot the CNAMEs are answered, and the resolver that follows them sees the loop.',
    applies: ({ query, theirs, oursWhole }) => {
      const chain = chainOf(qnameOf(query), oursWhole.answer);
      const isKnown = isPart(theirs.answer, oursWhole.answer);
      return theirs.rcode === SERVFAIL && isKnown && (chain.length > 11 || isLoop(chain));
    },
  },
  {
    name: 'a chain that is too long for Knot',
    servers: ['knot'],
    fields: OUTCOME,
    reason:
      'Knot follows five CNAMEs; here sixteen are followed. The resolver goes on from the last (RFC 1034 s5.3.3).',
    applies: ({ query, theirs, oursWhole }) => {
      const chain = chainOf(qnameOf(query), oursWhole.answer);
      const isCut = theirs.tc || isSame(theirs.answer, chain.slice(0, KNOT_CHAIN).sort());
      return chain.length >= KNOT_CHAIN && isCut && theirs.rcode === NOERROR && theirs.authority.length === 0;
    },
  },
  {
    name: 'a chain of more than sixteen',
    servers: ['nsd'],
    fields: OUTCOME,
    reason: 'Sixteen CNAMEs are followed, more than the eleven or so at which resolvers give up.',
    applies: ({ query, theirs, oursWhole }) =>
      chainOf(qnameOf(query), oursWhole.answer).length >= 16 && (theirs.tc || isPart(oursWhole.answer, theirs.answer)),
  },
  {
    name: 'a type that may stand beside a CNAME',
    servers: SERVER_NAMES,
    fields: OUTCOME,
    reason:
      'RFC 4035 s2.5 has RRSIG and NSEC beside a CNAME, RFC 5155 NSEC3 at hashed names, so each of the others finds some of them missing instead of following. Nothing is signed here, and RFC 1034 s4.3.2 follows for every type but CNAME.',
    applies: ({ query, facts, theirs, oursWhole }) =>
      [46, 47, 50].includes(query.qtype) &&
      chainOf(qnameOf(query), oursWhole.answer).length > 0 &&
      theirs.rcode === NOERROR &&
      theirs.answer.length === 0 &&
      theirs.authority.every((record) => partsOf(record).owner === facts.zoneOf(qnameOf(query))),
  },
  {
    name: 'DS at the apex of a nested zone',
    servers: SERVER_NAMES,
    fields: ['rcode', 'authority', 'tc'],
    reason:
      'RFC 4035 s3.1.4.1 has a DS asked of the parent. A namespace has no delegations, so its parent would say that the name does not exist, and a resolver that heeds RFC 8020 would lose all that the nested one has.',
    applies: ({ query, facts, theirs, oursWhole }) => {
      const name = endOf(query, oursWhole);
      const parent = facts.zoneOf(name.slice(name.indexOf('.') + 1));
      return (
        query.qtype === TYPE_DS &&
        facts.isZone(name) &&
        parent !== null &&
        theirs.authority.every((record) => partsOf(record).owner === parent)
      );
    },
  },
];

const NESTED: readonly Difference[] = [
  {
    name: 'a name between two nested zones',
    servers: SERVER_NAMES,
    fields: ['rcode'],
    reason:
      'The zone files have no delegations, so to the others a name that only leads to a nested zone is none. It has a descendant: NODATA (RFC 8020 s2), or a resolver that minimises names loses the nested zone.',
    applies: ({ query, facts, ours, theirs, oursWhole }) =>
      ours.rcode === NOERROR && theirs.rcode === NXDOMAIN && facts.isAboveZone(endOf(query, oursWhole)),
  },
  {
    name: 'a name that a nested zone hides',
    servers: ['nsd'],
    fields: ['rcode'],
    reason:
      'NSD keeps the names of all zones in one tree, so that what the surrounding zone has below a nested one exists, without records, in the nested one too. It does not: NXDOMAIN (RFC 1034 s4.3.2).',
    applies: ({ query, facts, ours, theirs, oursWhole }) =>
      ours.rcode === NXDOMAIN && theirs.rcode === NOERROR && facts.isHidden(endOf(query, oursWhole)),
  },
  {
    name: 'a CNAME into a nested zone',
    servers: ['knot'],
    fields: ['rcode', 'answer', 'authority', 'additional'],
    reason:
      'Knot follows inside the zone of the QNAME, also below the apex of a nested zone; RFC 1034 s4.3.2 step 2 looks for the nearest zone anew.',
    applies: ({ query, facts, theirs, oursWhole }) => {
      const chain = chainOf(qnameOf(query), oursWhole.answer);
      const zone = facts.zoneOf(qnameOf(query));
      const entersNested = chain.some((record) => {
        const { rdata } = partsOf(record);
        return facts.zoneOf(rdata) !== zone && rdata.endsWith(`.${zone}`);
      });
      return entersNested && isPart(chain.slice(0, 1), theirs.answer) && !isError(theirs);
    },
  },
];

const SIZES: readonly Difference[] = [
  {
    name: 'what is left of a truncated answer',
    servers: SERVER_NAMES,
    fields: ['answer', 'authority', 'additional'],
    reason: 'RFC 2181 s9: what a truncated reply holds is ignored, and the query repeated over TCP, as it is here.',
    applies: ({ ours, theirs }) => ours.tc && theirs.tc,
  },
  {
    name: 'a reply that is longer here',
    servers: SERVER_NAMES,
    fields: ['tc', 'answer', 'authority', 'additional'],
    reason:
      'Names in RDATA are not compressed here, which RFC 1035 s4.1.4 leaves free and RFC 2782 wants for SRV; so replies with names of a hundred octets reach the limit sooner.',
    applies: ({ query, ours, theirs, oursWhole }) => ours.tc && !theirs.tc && oursWhole.coreOctets > limitOf(query),
  },
  {
    name: 'a reply that is longer there',
    servers: SERVER_NAMES,
    fields: ['tc', 'answer', 'authority', 'additional'],
    reason:
      'BIND points to names of equal case alone, so that it repeats a name which the query has in another case; and where a policy draws, the others answer more records.',
    applies: ({ query, ours, theirs, theirsWhole }) => !ours.tc && theirs.tc && theirsWhole.octets > limitOf(query),
  },
  {
    name: 'additional records that do not fit',
    servers: SERVER_NAMES,
    fields: ['additional'],
    reason: 'RFC 2181 s9: they are left out without TC. Which ones, each decides for itself.',
    applies: ({ query, ours, theirs, oursWhole, theirsWhole }) =>
      !ours.tc &&
      !theirs.tc &&
      Math.max(oursWhole.octets, theirsWhole.octets) > limitOf(query) &&
      isPart(ours.additional, oursWhole.additional) &&
      isPart(theirs.additional, theirsWhole.additional),
  },
];

const EXTRAS: readonly Difference[] = [
  {
    name: 'addresses beside SRV where EDNS says 512',
    servers: ['bind'],
    fields: ['additional'],
    reason: 'BIND leaves the section empty where a client takes 512 octets by EDNS, and not where it has no EDNS.',
    applies: ({ query: { edns, overTcp }, theirs }) =>
      !overTcp && edns !== null && edns.size <= 512 && theirs.additional.length === 0,
  },
  {
    name: 'the name server beside an answer',
    servers: ['nsd'],
    fields: ['authority'],
    reason:
      'RFC 1034 s4.3.2 does not ask for it; BIND can leave it out, Knot does, and NSD cannot without leaving out the addresses beside SRV too.',
    applies: ({ ours, theirs }) =>
      theirs.answer.length > 0 && ours.authority.length === 0 && isSame(typesOf(theirs.authority), ['NS']),
  },
  {
    name: 'the addresses of a name server',
    servers: SERVER_NAMES,
    fields: ['additional'],
    reason:
      'RFC 1034 s4.3.2 step 6: what may be useful. Nobody follows the NS records of a namespace: its clients were given the address that they ask.',
    applies: ({ ours, theirs }) => isSame(withoutGlue(theirs), ours.additional),
  },
  {
    name: 'as many records as the routing policy draws',
    servers: SERVER_NAMES,
    fields: ['answer', 'additional'],
    reason: 'Cloud Map: MULTIVALUE answers up to eight records, WEIGHTED one; a zone file has them all.',
    applies: ({ facts, ours, theirs }) => {
      const drawn = without(theirs.answer, ours.answer);
      const owners = [...new Set(drawn.map((record) => partsOf(record).owner))];
      const [owner] = owners;
      const most = owner === undefined ? null : facts.drawnAt(owner);
      const isDrawn = owners.length === 1 && most !== null && isPart(ours.answer, theirs.answer);
      const counts = new Map<string, number>();
      for (const record of ours.answer) {
        const { owner: at, type } = partsOf(record);
        if (at === owner) counts.set(type, (counts.get(type) ?? 0) + 1);
      }
      return isDrawn && [...counts.values()].every((count) => count === most);
    },
  },
  {
    name: 'which RRset ANY gets',
    servers: SERVER_NAMES,
    fields: ['answer', 'additional', 'tc', 'authority'],
    reason:
      "RFC 8482 s4.1: one RRset of the server's choice, over both transports. BIND sends all of them over TCP, and with none of them addresses.",
    applies: ({ query, theirs, oursWhole }) =>
      query.qtype === TYPE_ANY &&
      typesOf(oursWhole.answer).length === 1 &&
      (theirs.tc || theirs.answer.every((record) => partsOf(record).owner === qnameOf(query))),
  },
];

/** The first that applies to a field accounts for it. */
export const DIFFERENCES: readonly Difference[] = [...REFUSED, ...ERRORS, ...CHAINS, ...NESTED, ...SIZES, ...EXTRAS];

function isError({ rcode }: Reply): boolean {
  return rcode !== NOERROR && rcode !== NXDOMAIN;
}

/** The name that a chain of CNAMEs ends at. */
function endOf(query: Query, ours: Reply): string {
  const last = chainOf(qnameOf(query), ours.answer).at(-1);
  return last === undefined ? qnameOf(query) : partsOf(last).rdata;
}

function isLoop(chain: readonly string[]): boolean {
  const last = chain.at(-1);
  return last !== undefined && chain.some((record) => partsOf(record).owner === partsOf(last).rdata);
}

/** The additional section without the addresses of name servers that the other sections have. */
function withoutGlue({ answer, authority, additional }: Reply): string[] {
  const records = [...answer, ...authority].map(partsOf);
  const nameServers = new Set(records.filter(({ type }) => type === 'NS').map(({ rdata }) => rdata));
  return additional.filter((record) => !nameServers.has(partsOf(record).owner));
}

/** Whether BIND or Knot take an option apart that does not follow its RFC. */
function hasBadOption({ edns }: Query): boolean {
  return (edns?.options ?? []).some(({ code, data }) => {
    if (code === OPTION_EXPIRE) return data.length > 0;
    if (code === OPTION_KEY_TAG) return data.length === 0 || data.length % 2 === 1;
    if (code === OPTION_COOKIE) return data.length !== 8 && (data.length < 16 || data.length > 40);
    if (code !== OPTION_CLIENT_SUBNET) return false;
    const [, family = 0, prefix = 0, scope = 0] = data;
    return (family !== 1 && family !== 2) || scope !== 0 || data.length !== 4 + Math.ceil(prefix / 8);
  });
}
