/**
 * The fixed parts of a DNS message (RFC 1035 s4.1.1) as the answering thread reads and writes them: offsets, flag
 * bits and the handful of codes that decide there. A test holds the codes against the codec's tables.
 */

export const HEADER_BYTES = 12;
/** Octets of QTYPE and QCLASS behind QNAME. */
export const QUESTION_TAIL_BYTES = 4;
/** The largest message over TCP, whose length prefix has two octets (RFC 1035 s4.2.2). */
export const MAX_MESSAGE_BYTES = 65_535;
/** Without EDNS a UDP message has at most these octets (RFC 1035 s4.2.1). */
export const MIN_UDP_BYTES = 512;

/** Bits of the two flag octets, read as one 16-bit number. */
export const FLAG = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  /** Authentic data (RFC 4035 s3.2.3); in a query: the client understands it (RFC 6840 s5.7). */
  AD: 0x0020,
  CD: 0x0010,
} as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Its high bits travel in the OPT record (RFC 6891 s6.1.3). */
  BADVERS: 16,
} as const;

export const CLASS_IN = 1;

/** RFC 2181 s8: a TTL is 31 bits, and one with the highest bit set counts as 0. */
export const MAX_TTL_SECONDS = 0x7fff_ffff;

/** Types whose meaning the query path knows; every other type is a number that is looked up. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

/** Offset of a name in a message, as a compression pointer (RFC 1035 s4.1.4); offsets end at 0x3fff. */
export const POINTER = 0xc000;
