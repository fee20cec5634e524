/** Messages: what is dropped, malformed, not implemented or refused, and what of a query's header comes back. */
import {
  messageBytes,
  nameBytes,
  optBytes,
  optionBytes,
  queryBytes,
  questionBytes,
  recordBytes,
} from '../../support/message.ts';
import { answered, FORMERR, FORMERR_UNREAD, NOTIMP, nxdomain, OPT, type RfcCase, WEB_A } from './case.ts';

const WEB = questionBytes('web.corp.internal A');
const CORP = [...nameBytes('corp.internal')];
const A_IN = [0, 1, 0, 1];
const label = (length: number): number[] => [length, ...Array<number>(length).fill(0x61)];
const reply = queryBytes('web.corp.internal A');
const question = (...body: number[]): Uint8Array => messageBytes({ body });

const DROPPED: readonly RfcCase[] = [
  ['RFC 1035 s4.1.1', 'a message with QR is a reply', messageBytes({ isReply: true, body: WEB })],
  [
    'RFC 1035 s4.1.1',
    'a reply with RCODE and AA',
    messageBytes({ isReply: true, rcode: 3, flags: 'AA RD RA', body: WEB }),
  ],
  ['RFC 1035 s4.1.1', 'a reply of another opcode', messageBytes({ isReply: true, opcode: 5, body: WEB })],
  ['RFC 1035 s4.1.1', 'a malformed reply', messageBytes({ isReply: true, counts: [9, 9, 9, 9], body: [0xc0] })],
  ['RFC 1035 s4.1.1', 'a header short by one octet', reply.subarray(0, 11)],
  ['RFC 1035 s4.1.1', 'an ID alone', reply.subarray(0, 2)],
  ['RFC 1035 s4.1.1', 'one octet', reply.subarray(0, 1)],
  ['RFC 1035 s4.1.1', 'nothing at all', reply.subarray(0, 0)],
].map(([source, what, query]) => ({ source, behaviour: `drops: ${what}`, query, reply: 'dropped' }) as RfcCase);

const MALFORMED: readonly RfcCase[] = [
  ['RFC 1035 s4.1.2', 'a bare header', messageBytes({ counts: [0, 0, 0, 0] })],
  ['RFC 1035 s4.1.2', 'QDCOUNT 0 in front of a question', messageBytes({ counts: [0, 0, 0, 0], body: WEB })],
  ['RFC 1035 s4.1.1', 'QDCOUNT 1 without a question', question()],
  [
    'RFC 9619 s4',
    'two questions',
    messageBytes({ counts: [2, 0, 0, 0], body: [...WEB, ...questionBytes('v4.corp.internal A')] }),
  ],
  ['RFC 9619 s4', 'the same question twice', messageBytes({ counts: [2, 0, 0, 0], body: [...WEB, ...WEB] })],
  ['RFC 9619 s4', 'QDCOUNT 2 with one question', messageBytes({ counts: [2, 0, 0, 0], body: WEB })],
  ['RFC 9619 s4', 'QDCOUNT 65,535', messageBytes({ counts: [65_535, 0, 0, 0], body: WEB })],
  ['RFC 1035 s3.1', 'a QNAME without its root label', question(3, 0x77, 0x65, 0x62)],
  ['RFC 1035 s3.1', 'a label that is longer than the message', question(63, 0x77, 0, 0, 1, 0, 1)],
  ['RFC 1035 s4.1.2', 'a question without QTYPE', question(...CORP)],
  ['RFC 1035 s4.1.2', 'a question cut in QCLASS', question(...WEB.slice(0, -1))],
  ['RFC 1035 s4.1.4', 'a pointer in the question, to itself', question(0xc0, 12, ...A_IN)],
  ['RFC 1035 s4.1.4', 'a pointer in the question, into the header', question(3, 0x77, 0x65, 0x62, 0xc0, 4, ...A_IN)],
  ['RFC 1035 s4.1.4', 'a pointer in the question, forward', question(0xc0, 18, ...A_IN, ...CORP)],
  ['RFC 1035 s4.1.4', 'a pointer behind a label of the question', question(3, 0x77, 0x65, 0x62, 0xc0, 12, ...A_IN)],
  ['RFC 1035 s4.1.4', 'the label type 10', question(0x80, 0x61, 0, ...A_IN)],
  ['RFC 6891 s5', 'the label type 01, of extended labels', question(0x41, 0x61, 0, ...A_IN)],
  ['RFC 6891 s5', 'a bit-string label in front of a name', question(0x41, 8, 0xff, ...CORP, ...A_IN)],
  ['RFC 1035 s2.3.4', 'a name of 256 octets', question(...[63, 63, 63, 62].flatMap(label), 0, ...A_IN)],
  [
    'RFC 1035 s2.3.4',
    'a name of 300 octets that ends in our zone',
    question(...[63, 63, 63, 63, 27].flatMap(label), ...CORP, ...A_IN),
  ],
  ['RFC 1035 s2.3.4', 'a label of 64 octets', question(...label(64), ...CORP, ...A_IN)],
].map(([source, what, query]) => ({ source, behaviour: `FORMERR: ${what}`, query, reply: FORMERR_UNREAD }) as RfcCase);

const OVERRUN: readonly RfcCase[] = [
  ['RFC 1035 s4.1', 'an octet behind the question', question(...WEB, 0)],
  ['RFC 1035 s4.1', 'a second question that no count tells of', question(...WEB, ...WEB)],
  ['RFC 1035 s4.1.1', 'ANCOUNT 1 without a record', messageBytes({ counts: [1, 1, 0, 0], body: WEB })],
  ['RFC 1035 s4.1.1', 'NSCOUNT 1 without a record', messageBytes({ counts: [1, 0, 1, 0], body: WEB })],
  ['RFC 1035 s4.1.1', 'ARCOUNT 1 without a record', messageBytes({ counts: [1, 0, 0, 1], body: WEB })],
  [
    'RFC 1035 s4.1.1',
    'ARCOUNT 65,535 with one record',
    messageBytes({ counts: [1, 0, 0, 65_535], body: [...WEB, ...optBytes()] }),
  ],
  [
    'RFC 1035 s4.1.3',
    'a record cut in RDLENGTH',
    messageBytes({ counts: [1, 0, 0, 1], body: [...WEB, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0] }),
  ],
  [
    'RFC 1035 s4.1.3',
    'RDATA shorter than RDLENGTH',
    messageBytes({ counts: [1, 0, 0, 1], body: [...WEB, ...recordBytes('.', 'A', [1, 2, 3, 4]).slice(0, -1)] }),
  ],
  [
    'RFC 1035 s4.1.4',
    'a record whose owner has a reserved label type',
    messageBytes({ counts: [1, 0, 0, 1], body: [...WEB, 0x80, 0x61, ...recordBytes('.', 'A', [1, 2, 3, 4])] }),
  ],
  [
    'RFC 1035 s4.1.4',
    'a record whose owner is half a pointer',
    messageBytes({ counts: [1, 0, 0, 1], body: [...WEB, 0xc0] }),
  ],
].map(
  ([source, what, query]) =>
    ({ source, behaviour: `FORMERR: ${what}`, query, reply: { ...FORMERR, opt: 'either' } }) as RfcCase,
);

const OPCODES: readonly RfcCase[] = [
  ...(
    [
      ['RFC 1035 s4.1.1', 'IQUERY', 1],
      ['RFC 1035 s4.1.1', 'STATUS', 2],
      ['RFC 6895 s2.2', 'the unassigned opcode 3', 3],
      ['RFC 1035 s4.1.1', 'NOTIFY', 4],
      ['RFC 1035 s4.1.1', 'UPDATE', 5],
      ['RFC 1035 s4.1.1', 'DSO', 6],
      ['RFC 8906 s3.1.4', 'the unassigned opcode 15', 15],
    ] as const
  ).map(([source, what, opcode]) => ({
    source,
    behaviour: `NOTIMP: ${what}`,
    query: queryBytes('corp.internal SOA', { opcode, flags: 'RD' }),
    reply: { ...NOTIMP, status: 'NOTIMP RD' },
  })),
  {
    source: 'RFC 8906 s8.1.4',
    behaviour: 'NOTIMP: opcode 15 as a bare header',
    query: messageBytes({ opcode: 15, counts: [0, 0, 0, 0] }),
    reply: NOTIMP,
  },
  {
    source: 'RFC 8906 s3.1.4',
    behaviour: 'NOTIMP: opcode 14 whatever follows its header, as its sections may be of another form',
    query: messageBytes({ opcode: 14, counts: [7, 7, 7, 7], body: [0xff, 0xff, 0xff] }),
    reply: NOTIMP,
  },
  {
    source: 'RFC 6891 s6.1.1',
    behaviour: 'NOTIMP has an OPT where the query had one',
    query: queryBytes('corp.internal SOA', { opcode: 2, opts: [{}] }),
    reply: { ...NOTIMP, opt: OPT },
  },
  {
    source: 'RFC 7873 s5.4',
    behaviour: 'QDCOUNT 0 with a COOKIE, from whom does not know that we have no cookies, is FORMERR with an OPT',
    query: messageBytes({
      counts: [0, 0, 0, 1],
      body: optBytes({ options: optionBytes(10, [1, 2, 3, 4, 5, 6, 7, 8]) }),
    }),
    reply: { ...FORMERR_UNREAD, opt: OPT },
  },
  {
    source: 'RFC 6891 s6.1.1',
    behaviour: 'FORMERR for two questions has an OPT where the query had one',
    query: messageBytes({ counts: [2, 0, 0, 1], body: [...WEB, ...WEB, ...optBytes()] }),
    reply: { ...FORMERR_UNREAD, opt: OPT },
  },
];

const NOT_OURS: readonly RfcCase[] = [
  ['RFC 1035 s3.2.4', 'version.bind in CHAOS', queryBytes('version.bind TXT CH')],
  ['RFC 4892 s2', 'hostname.bind in CHAOS', queryBytes('hostname.bind TXT CH')],
  ['RFC 4892 s2', 'id.server in CHAOS', queryBytes('id.server TXT CH')],
  ['RFC 1035 s3.2.4', 'a name of ours in CHAOS', queryBytes('web.corp.internal A CH')],
  ['RFC 1035 s3.2.4', 'a name of ours in HESIOD', queryBytes('web.corp.internal A HS')],
  ['RFC 6895 s3.2', 'a name of ours in NONE', queryBytes('web.corp.internal A NONE')],
  ['RFC 1035 s3.2.5', 'a name of ours in any class', queryBytes('web.corp.internal A ANY')],
  ['RFC 6895 s3.2', 'a name of ours in the reserved class 0', queryBytes('web.corp.internal A CLASS0')],
  ['RFC 1035 s4.1.1', 'AXFR over TCP', queryBytes('corp.internal AXFR'), 'TCP'],
  ['RFC 5936 s4.2', 'AXFR over UDP', queryBytes('corp.internal AXFR'), 'UDP'],
  ['RFC 1035 s4.1.1', 'AXFR of a zone that is not ours', queryBytes('example.com AXFR')],
  [
    'RFC 1995 s3',
    'IXFR with the SOA that the client has',
    messageBytes({
      counts: [1, 0, 1, 0],
      body: [
        ...questionBytes('corp.internal TYPE251'),
        ...recordBytes('corp.internal', 'SOA', [0, 0, ...Array<number>(20).fill(0)]),
      ],
    }),
  ],
  ['RFC 1035 s4.1.1', 'a name outside our zones', queryBytes('www.example.com A')],
  ['RFC 1035 s4.1.1', 'a name outside our zones, recursion desired', queryBytes('www.example.com A', { flags: 'RD' })],
  ['RFC 1035 s4.1.1', 'the root', queryBytes('. NS')],
  ['RFC 1035 s4.1.1', 'the parent of our zones', queryBytes('internal SOA')],
  ['RFC 1034 s4.3.2', 'a name that ends in the text of a zone, not in its labels', queryBytes('xcorp.internal A')],
].map(([source, what, query, over]) => {
  const isRd = ((query as Uint8Array)[2] as number) & 1;
  const status = isRd ? 'REFUSED RD' : 'REFUSED';
  return { source, behaviour: `REFUSED: ${what}`, query, over, reply: { status } } as RfcCase;
});

const HEADERS: readonly RfcCase[] = [
  ['RFC 1035 s4.1.1', 'copies the ID 0', { id: 0 }, ''],
  ['RFC 1035 s4.1.1', 'copies the ID 65,535', { id: 65_535 }, ''],
  ['RFC 1035 s4.1.1', 'copies RD, and has no RA without an upstream', { flags: 'RD' }, ' RD'],
  ['RFC 1035 s4.1.1', 'takes no AA, TC and RA from a query', { flags: 'AA TC RA' }, ''],
  ['RFC 1035 s4.1.1', 'takes no RCODE from a query', { rcode: 5 }, ''],
  ['RFC 8906 s8.1.3.3', 'answers with Z set, which it does not copy', { flags: 'Z' }, ''],
  ['RFC 8906 s8.1.3.2', 'answers with AD set, which it does not copy', { flags: 'AD' }, ''],
  ['RFC 4035 s3.1.6', 'clears CD in an authoritative answer', { flags: 'CD' }, ''],
  ['RFC 4035 s3.1.6', 'clears AD and CD, and copies RD', { flags: 'RD AD CD' }, ' RD'],
].map(
  ([source, behaviour, spec, flags]) =>
    ({
      source,
      behaviour,
      query: queryBytes('web.corp.internal A', spec as object),
      reply: { ...answered(...WEB_A), status: `NOERROR AA${flags}` },
    }) as RfcCase,
);

const LONGEST: readonly RfcCase[] = [
  {
    source: 'RFC 1035 s2.3.4',
    behaviour: 'a name of 255 octets is legal',
    // 240 octets of labels in front of the zone's 15.
    query: question(...[59, 59, 59, 59].flatMap(label), ...CORP, ...A_IN),
    reply: nxdomain(),
  },
  {
    source: 'RFC 1035 s2.3.4',
    behaviour: 'a name of 122 labels is legal',
    query: question(...Array.from({ length: 120 }, () => label(1)).flat(), ...CORP, ...A_IN),
    reply: nxdomain(),
  },
  {
    source: 'RFC 1035 s2.3.4',
    behaviour: 'a label of 63 octets is legal',
    query: question(...label(63), ...CORP, ...A_IN),
    reply: nxdomain(),
  },
];

export const SCREENING: readonly RfcCase[] = [
  ...DROPPED,
  ...MALFORMED,
  ...OVERRUN,
  ...OPCODES,
  ...NOT_OURS,
  ...HEADERS,
  ...LONGEST,
];
