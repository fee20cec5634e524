/**
 * Messages that the daemon answers without looking at content, by decision: its RCODE is held against `decidedRcode`.
 * Here is what the others make of them, as an RCODE or as silence (null).
 */
import type { Query } from './queries.ts';
import type { ServerName } from './servers.ts';

export interface Refusal {
  readonly name: string;
  readonly reason: string;
  applies(query: Query): boolean;
  readonly others: Readonly<Record<ServerName, readonly (number | null)[]>>;
}

const [NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS] = [0, 1, 2, 3, 4, 5, 9, 16] as const;
const BADVERS_AND_NOTAUTH = BADVERS | NOTAUTH;
/** NSD sends no more than 100 errors a second. */
const SILENT = null;

export const REFUSALS: readonly Refusal[] = [
  {
    name: 'another opcode',
    reason:
      'RFC 1035 s4.1.1: NOTIMP for a kind of query that is not supported, and none but QUERY is. The others take NOTIFY (RFC 1996) and UPDATE (RFC 2136) apart and refuse them one by one.',
    applies: ({ opcode }) => opcode !== 0,
    others: {
      bind: [NOERROR, FORMERR, NOTIMP, REFUSED, NOTAUTH, BADVERS],
      nsd: [NOTIMP, NXDOMAIN, REFUSED, SILENT],
      knot: [FORMERR, NOTIMP, NOTAUTH, BADVERS],
    },
  },
  {
    name: 'not exactly one question',
    reason:
      'RFC 9619 s4: FORMERR for QDCOUNT above 1; for 0 nothing is asked. NSD answers 0 as RFC 7873 s5.4 has it for cookies, which there are none of here.',
    applies: ({ damage }) =>
      damage === 'no question' || damage === 'question not counted' || damage === 'two questions',
    others: {
      bind: [FORMERR, SERVFAIL, BADVERS],
      nsd: [FORMERR, NOERROR, BADVERS, SILENT],
      knot: [FORMERR, BADVERS, SILENT],
    },
  },
  {
    name: 'a question that cannot be read',
    reason: 'RFC 1035 s4.1.1: FORMERR where the server cannot interpret the query. Knot says nothing.',
    applies: ({ damage }) =>
      damage === 'cut question' || damage === 'pointer' || damage === 'label type' || damage === 'long name',
    others: {
      bind: [FORMERR],
      nsd: [FORMERR, SILENT],
      knot: [SILENT],
    },
  },
  {
    name: 'octets behind the last record',
    reason:
      'The counts say what the message holds, so what trails is a malformed message (RFC 1035 s4.1.1), as Knot has it.',
    applies: ({ damage }) => damage === 'trailing',
    others: {
      bind: [NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS, SERVFAIL],
      nsd: [NOERROR, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS],
      knot: [FORMERR],
    },
  },
  {
    name: 'a record that is counted and missing',
    reason: 'All say FORMERR (RFC 1035 s4.1.1); whether with an OPT depends on whether theirs had been read.',
    applies: ({ damage }) => damage === 'missing record',
    others: {
      bind: [FORMERR],
      nsd: [FORMERR, SILENT],
      knot: [FORMERR],
    },
  },
  {
    name: 'an OPT that is malformed',
    reason:
      'RFC 6891 s6.1.1: FORMERR for a second OPT, and an OPT in the reply wherever the query has one; s6.1.2: its owner is the root.',
    applies: ({ damage }) => damage === 'two OPT' || damage === 'OPT owner' || damage === 'option overrun',
    others: {
      bind: [FORMERR],
      nsd: [FORMERR, BADVERS, SILENT],
      knot: [NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS],
    },
  },
  {
    name: 'EDNS version above 0',
    reason:
      "RFC 6891 s6.1.3: BADVERS. NSD copies header flags that are not the query's to set, and BIND and Knot look for other faults first.",
    applies: ({ edns }) => edns !== null && edns.version > 0,
    others: {
      bind: [FORMERR, SERVFAIL, BADVERS],
      nsd: [FORMERR, BADVERS, BADVERS_AND_NOTAUTH, SILENT],
      knot: [FORMERR, BADVERS],
    },
  },
  {
    name: 'a class other than IN',
    reason:
      'There is nothing but IN here, CHAOS included: REFUSED. NSD and Knot answer ANY from IN; BIND answers from built-in CHAOS zones, a few times a second.',
    applies: ({ qclass }) => qclass !== 1,
    others: {
      bind: [NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, SILENT],
      nsd: [NOERROR, NXDOMAIN, REFUSED],
      knot: [NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH],
    },
  },
  {
    name: 'a transfer',
    reason:
      'Zone transfers are not ours to give (RFC 5936 s5 leaves that to the server): REFUSED, whatever the name and the transport.',
    applies: ({ qtype }) => qtype === 251 || qtype === 252,
    others: {
      bind: [FORMERR, REFUSED, NOTAUTH],
      nsd: [FORMERR, NOTIMP, REFUSED, NOTAUTH, SILENT],
      knot: [FORMERR, NOTIMP, REFUSED, NOTAUTH],
    },
  },
];
