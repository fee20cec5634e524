/** What one case of the table says. */

/** Records of a section where chance chooses: so many of these. */
export interface Some {
  readonly count: number;
  readonly of: readonly string[];
}

export interface ExpectedReply {
  /** RCODE and flags other than QR, as `NOERROR AA RD`. */
  readonly status: string;
  /** Records as zone-file text, none where left out; those of one owner and type in any order; SOA serials as 1. */
  readonly answer?: readonly string[] | Some;
  readonly authority?: readonly string[];
  readonly additional?: readonly string[] | Some;
  /** `EDNS 0; udp 1232`, `either`, or left out: no OPT. An extended error (RFC 8914) may always be in it. */
  readonly opt?: string;
  /** `echoed`, octet for octet, where left out. */
  readonly question?: 'echoed' | 'none';
  /** The reply's length in octets. */
  readonly length?: number;
}

export interface RfcCase {
  /** RFC and section, or where an RFC has no numbers the heading. */
  readonly source: string;
  readonly behaviour: string;
  readonly query: Uint8Array;
  /** Both where left out. */
  readonly over?: 'UDP' | 'TCP';
  readonly reply: ExpectedReply | 'dropped';
}

export const OPT = 'EDNS 0; udp 1232';
export const OPT_DO = 'EDNS 0 DO; udp 1232';

/** The SOA of a zone of the content, its TTL and negative TTL both `ttl`; `owner` where the question's case differs. */
export function soa(zone: string, ttl = 5, owner = zone): string {
  return `${owner}. ${ttl} IN SOA ns.${zone}. hostmaster.${zone}. 1 7200 900 1209600 ${ttl}`;
}

export function answered(...answer: string[]): ExpectedReply {
  return { status: 'NOERROR AA', answer };
}

export function nodata(zone = 'corp.internal', ttl = 5): ExpectedReply {
  return { status: 'NOERROR AA', authority: [soa(zone, ttl)] };
}

export function nxdomain(zone = 'corp.internal', ttl = 5): ExpectedReply {
  return { status: 'NXDOMAIN AA', authority: [soa(zone, ttl)] };
}

export const FORMERR: ExpectedReply = { status: 'FORMERR' };
/** Where the question cannot be read, so that nothing can be echoed. */
export const FORMERR_UNREAD: ExpectedReply = { status: 'FORMERR', question: 'none' };
export const NOTIMP: ExpectedReply = { status: 'NOTIMP', question: 'none' };

export const WEB_A = ['web.corp.internal. 60 IN A 10.0.0.1', 'web.corp.internal. 60 IN A 10.0.0.2'] as const;
