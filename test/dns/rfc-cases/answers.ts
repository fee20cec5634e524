/** What is answered, denied and followed. */
import { nameBytes, queryBytes } from '../../support/message.ts';
import { answered, type ExpectedReply, nodata, nxdomain, type RfcCase, soa, WEB_A } from './case.ts';

const WEB_AAAA = ['web.corp.internal. 30 IN AAAA 2001:db8::1', 'web.corp.internal. 30 IN AAAA 2001:db8::2'] as const;
const DB_SRV = [
  '_db._tcp.corp.internal. 60 IN SRV 1 1 5432 db-1._db._tcp.corp.internal.',
  '_db._tcp.corp.internal. 60 IN SRV 1 1 5433 db-2._db._tcp.corp.internal.',
] as const;
const DB_ADDRESSES = [
  'db-1._db._tcp.corp.internal. 60 IN A 10.0.1.1',
  'db-1._db._tcp.corp.internal. 60 IN AAAA 2001:db8:1::1',
  'db-2._db._tcp.corp.internal. 60 IN A 10.0.1.2',
] as const;
const DB: ExpectedReply = { ...answered(...DB_SRV), additional: DB_ADDRESSES };
const cname = (owner: string, target: string): string => `${owner}. 20 IN CNAME ${target}.`;
const SHOP = cname('shop.corp.internal', 'Web.Corp.internal');
const SHOP_A = WEB_A.map((record) => record.replace('web.corp', 'Web.Corp'));

type Row = readonly [source: string, behaviour: string, question: string, reply: ExpectedReply];
const cases = (rows: readonly Row[]): RfcCase[] =>
  rows.map(([source, behaviour, question, reply]) => ({ source, behaviour, query: queryBytes(question), reply }));

const RECORDS: readonly RfcCase[] = cases([
  ['RFC 1035 s3.4.1', 'A of a service, one for each instance', 'web.corp.internal A', answered(...WEB_A)],
  ['RFC 3596 s2.1', 'AAAA of a service', 'web.corp.internal AAAA', answered(...WEB_AAAA)],
  [
    'RFC 2181 s5',
    'an RRset has no record twice',
    'twice.corp.internal A',
    answered('twice.corp.internal. 60 IN A 10.0.0.7'),
  ],
  ['RFC 1035 s3.2.1', 'a TTL of 0', 'zero.corp.internal A', answered('zero.corp.internal. 0 IN A 10.0.0.3')],
  [
    'RFC 2181 s8',
    'the greatest TTL',
    'years.corp.internal A',
    answered('years.corp.internal. 2147483647 IN A 10.0.0.3'),
  ],
  [
    'RFC 1034 s4.2.1',
    'A of a service named `.`, at the apex',
    'corp.internal A',
    answered('corp.internal. 60 IN A 10.0.0.9'),
  ],
  ['RFC 1034 s4.2.1', 'SOA of the apex', 'corp.internal SOA', answered(soa('corp.internal'))],
  ['RFC 1034 s4.2.1', 'NS of the apex', 'corp.internal NS', answered('corp.internal. 5 IN NS ns.corp.internal.')],
  [
    'RFC 1034 s4.2.1',
    'the name server has addresses: A',
    'ns.corp.internal A',
    answered('ns.corp.internal. 5 IN A 127.0.0.1'),
  ],
  [
    'RFC 3596 s2.1',
    'the name server has addresses: AAAA',
    'ns.corp.internal AAAA',
    answered('ns.corp.internal. 5 IN AAAA ::1'),
  ],
  [
    'RFC 1035 s3.3.13',
    'the SOA has the TTL that the namespace sets',
    'other.internal SOA',
    answered(soa('other.internal', 30)),
  ],
]);

const SRV: readonly RfcCase[] = cases([
  [
    'RFC 2782 Target',
    'SRV names targets uncompressed, with their addresses beside them',
    '_db._tcp.corp.internal SRV',
    DB,
  ],
  ['RFC 2782 Target', 'a target has an address: A', 'db-1._db._tcp.corp.internal A', answered(DB_ADDRESSES[0])],
  ['RFC 2782 Target', 'a target has an address: AAAA', 'db-1._db._tcp.corp.internal AAAA', answered(DB_ADDRESSES[1])],
  [
    'RFC 4343 s3',
    'a target registered as DB-2 is found',
    'Db-2._db._tcp.corp.internal A',
    answered('Db-2._db._tcp.corp.internal. 60 IN A 10.0.1.2'),
  ],
  ['RFC 2308 s2.2', 'a target without IPv6 has no AAAA', 'db-2._db._tcp.corp.internal AAAA', nodata()],
  ['RFC 2308 s2.2', 'a target is no service', 'db-1._db._tcp.corp.internal SRV', nodata()],
  ['RFC 2308 s2.2', 'an SRV service has no A', '_db._tcp.corp.internal A', nodata()],
  ['RFC 2308 s2.1', 'a target that is not registered does not exist', 'db-3._db._tcp.corp.internal A', nxdomain()],
]);

const CASE: readonly RfcCase[] = cases([
  [
    'RFC 4343 s3',
    'names are found without regard to case',
    'WEB.CORP.INTERNAL A',
    answered(...WEB_A.map((record) => record.replace('web.corp.internal', 'WEB.CORP.INTERNAL'))),
  ],
  [
    'RFC 4343 s4.1',
    'the question keeps its case, letter for letter (0x20)',
    'wEb.CoRp.iNtErNaL A',
    answered(...WEB_A.map((record) => record.replace('web.corp.internal', 'wEb.CoRp.iNtErNaL'))),
  ],
  [
    'RFC 4343 s4.1',
    'a denial keeps the case of the question (0x20)',
    'NoBody.cOrP.InTernal A',
    { status: 'NXDOMAIN AA', authority: [soa('corp.internal', 5, 'cOrP.InTernal')] },
  ],
  [
    'RFC 4343 s4.1',
    'the SOA of an apex asked in capitals',
    'CORP.internal SOA',
    answered(soa('corp.internal', 5, 'CORP.internal')),
  ],
  [
    'RFC 4343 s4.1',
    'additional records keep the case of the question (0x20)',
    '_DB._tcp.Corp.internal SRV',
    {
      ...answered(...DB_SRV.map((record) => record.replace('_db._tcp.corp', '_DB._tcp.Corp'))),
      additional: DB_ADDRESSES.map((record) => record.replace('_db._tcp.corp', '_DB._tcp.Corp')),
    },
  ],
  [
    'RFC 4343 s3',
    'a namespace and a service created in capitals are found',
    'api.mixed.internal A',
    answered('api.mixed.internal. 60 IN A 10.0.4.1'),
  ],
  [
    'RFC 4343 s2.1',
    'octets that are no ASCII letters have no case',
    '\\196.bytes.internal A',
    nxdomain('bytes.internal'),
  ],
  ['RFC 4343 s3', '{ is not the small letter of [', 'x[.bytes.internal A', nxdomain('bytes.internal')],
]);

const OCTETS: readonly RfcCase[] = [
  ['a\\.b', 'a dot'],
  ['nul\\000', 'zero'],
  ['sp\\032ace', 'a space'],
  ['\\255', 'the octet 255'],
  ['\\228', 'a letter of Latin-1'],
  ['caf\\195\\169', 'UTF-8'],
  ['back\\\\slash', 'a backslash'],
  ['\\001\\002', 'control characters'],
  ['x{', 'a brace'],
].map(([label, what], i) => ({
  source: 'RFC 2181 s11',
  behaviour: `a label with ${what} is matched and echoed`,
  query: queryBytes(`${label}.bytes.internal A`),
  reply: answered(`${label}.bytes.internal. 60 IN A 10.2.0.${i + 1}`),
}));

const OTHER_OCTETS: readonly RfcCase[] = cases([
  [
    'RFC 2181 s11',
    'a dot inside a label is not one between labels: denied',
    'a.b.bytes.internal A',
    nxdomain('bytes.internal'),
  ],
  [
    'RFC 2181 s11',
    'a dot inside a label is not one between labels: not our zone',
    'web.corp\\.internal A',
    { status: 'REFUSED' },
  ],
  [
    'RFC 2181 s11',
    'a name ending in zero octets is another name',
    'nul\\000\\000.bytes.internal A',
    nxdomain('bytes.internal'),
  ],
  [
    'RFC 2181 s11',
    'any octets of a name that does not exist are echoed',
    '\\000\\001\\.\\\\\\127\\255.corp.internal A',
    nxdomain(),
  ],
  ['RFC 4592 s2.3', 'an asterisk in the question is a label like any other', '*.corp.internal A', nxdomain()],
]);

const NODATA: readonly RfcCase[] = [
  ...cases([
    ['RFC 2308 s2.2', 'a service without IPv6 has no AAAA', 'v4.corp.internal AAAA', nodata()],
    ['RFC 2308 s2.2', 'a service of A and AAAA has no SRV', 'web.corp.internal SRV', nodata()],
    ['RFC 2308 s2.2', 'no TXT', 'web.corp.internal TXT', nodata()],
    ['RFC 2308 s2.2', 'no MX', 'web.corp.internal MX', nodata()],
    ['RFC 2308 s2.2', 'no CNAME where none is', 'web.corp.internal CNAME', nodata()],
    ['RFC 2308 s2.2', 'no NS below the apex', 'web.corp.internal NS', nodata()],
    ['RFC 2308 s2.2', 'no SOA below the apex', 'web.corp.internal SOA', nodata()],
    ['RFC 8906 s3.1.2', 'no SVCB', 'web.corp.internal TYPE64', nodata()],
    ['RFC 8906 s3.1.2', 'no HTTPS', 'web.corp.internal TYPE65', nodata()],
    ['RFC 8906 s3.1.2', 'no HTTPS at the apex', 'corp.internal TYPE65', nodata()],
    ['RFC 4035 s3.1.4.1', 'no DS at the apex, of whose parent we are no servers', 'corp.internal TYPE43', nodata()],
    ['RFC 8906 s8.1.2', 'no record of the unassigned type 1000', 'corp.internal TYPE1000', nodata()],
    ['RFC 3597 s3', 'no record of the private type 65,280', 'web.corp.internal TYPE65280', nodata()],
    ['RFC 3597 s3', 'no record of the type 65,535', 'web.corp.internal TYPE65535', nodata()],
    [
      'RFC 2308 s3',
      'the negative TTL of NODATA is the one that the namespace sets',
      'db.other.internal TXT',
      nodata('other.internal', 30),
    ],
    ['RFC 4592 s2.2.2', 'an empty non-terminal exists: _tcp', '_tcp.corp.internal A', nodata()],
    ['RFC 8020 s3.1', 'an empty non-terminal exists: b', 'b.corp.internal A', nodata()],
    [
      'RFC 8020 s3.1',
      'an empty non-terminal below another exists: a.b',
      'A.B.corp.internal AAAA',
      { status: 'NOERROR AA', authority: [soa('corp.internal')] },
    ],
  ]),
];

const NXDOMAIN: readonly RfcCase[] = cases([
  ['RFC 2308 s2.1', 'a name that is not there', 'nobody.corp.internal A', nxdomain()],
  ['RFC 2308 s2.1', 'a name that is not there, whatever the type', 'nobody.corp.internal TYPE65280', nxdomain()],
  ['RFC 8020 s2', 'a name below one that is not there', 'x.y.nobody.corp.internal A', nxdomain()],
  ['RFC 2308 s2.1', 'a name below a service', 'x.web.corp.internal A', nxdomain()],
  ['RFC 2308 s2.1', 'a name beside what an empty non-terminal has', 'c.b.corp.internal A', nxdomain()],
  [
    'RFC 1034 s3.6.2',
    'a name below an alias, which is followed for its own name alone',
    'x.shop.corp.internal A',
    nxdomain(),
  ],
  [
    'RFC 2308 s3',
    'the negative TTL of NXDOMAIN is the one that the namespace sets',
    'nobody.other.internal A',
    nxdomain('other.internal', 30),
  ],
]);

const NESTED: readonly RfcCase[] = cases([
  [
    'RFC 1034 s4.3.2',
    'a name of the nested namespace',
    'api.sub.corp.internal A',
    answered('api.sub.corp.internal. 60 IN A 10.0.2.1'),
  ],
  [
    'RFC 1034 s4.3.2',
    'the nested namespace has an SOA',
    'sub.corp.internal SOA',
    answered(soa('sub.corp.internal', 15)),
  ],
  [
    'RFC 1034 s4.3.2',
    'the nested namespace denies its own names',
    'web.sub.corp.internal A',
    nxdomain('sub.corp.internal', 15),
  ],
  [
    'RFC 1034 s4.3.2',
    'the apex of the nested namespace has no A',
    'sub.corp.internal A',
    nodata('sub.corp.internal', 15),
  ],
  ['RFC 1034 s4.3.2', "what merely ends like it is the outer namespace's", 'xsub.corp.internal A', nxdomain()],
]);

const ANY: readonly RfcCase[] = cases([
  ['RFC 8482 s4.1', 'ANY gets one RRset', 'web.corp.internal ANY', answered(...WEB_A)],
  ['RFC 8482 s4.1', 'ANY gets a CNAME, which is not followed', 'shop.corp.internal ANY', answered(SHOP)],
  ['RFC 8482 s4.1', 'ANY gets SRV where that is what is there', '_db._tcp.corp.internal ANY', DB],
  ['RFC 8482 s4.1', 'ANY at the apex gets one RRset', 'other.internal ANY', answered(soa('other.internal', 30))],
  ['RFC 2308 s2.2', 'ANY of an empty non-terminal is NODATA', '_tcp.corp.internal ANY', nodata()],
  ['RFC 2308 s2.1', 'ANY of a name that is not there is NXDOMAIN', 'nobody.corp.internal ANY', nxdomain()],
]);

const LOST = cname('lost.corp.internal', 'nobody.corp.internal');
const ALIASES: readonly RfcCase[] = cases([
  ['RFC 1034 s4.3.2', 'a CNAME is followed to A', 'shop.corp.internal A', answered(SHOP, ...SHOP_A)],
  [
    'RFC 1034 s4.3.2',
    'a CNAME is followed to AAAA',
    'shop.corp.internal AAAA',
    answered(SHOP, ...WEB_AAAA.map((record) => record.replace('web.corp', 'Web.Corp'))),
  ],
  ['RFC 1034 s3.6.2', 'a CNAME is the answer to CNAME', 'shop.corp.internal CNAME', answered(SHOP)],
  [
    'RFC 1034 s4.3.2',
    'three CNAMEs are followed in their order',
    'link1.corp.internal A',
    answered(
      cname('link1.corp.internal', 'link2.corp.internal'),
      cname('link2.corp.internal', 'shop.corp.internal'),
      SHOP,
      ...SHOP_A,
    ),
  ],
  [
    'RFC 1034 s4.3.2',
    'a CNAME is followed to SRV, with addresses',
    'to-srv.corp.internal SRV',
    { ...answered(cname('to-srv.corp.internal', '_db._tcp.corp.internal'), ...DB_SRV), additional: DB_ADDRESSES },
  ],
  [
    'RFC 1034 s4.3.2',
    'a CNAME is followed to the apex',
    'to-apex.corp.internal A',
    answered(cname('to-apex.corp.internal', 'corp.internal'), 'corp.internal. 60 IN A 10.0.0.9'),
  ],
  [
    'RFC 1034 s4.3.2',
    'a CNAME is followed into another namespace',
    'cross.corp.internal A',
    answered(cname('cross.corp.internal', 'db.other.internal'), 'db.other.internal. 60 IN A 10.0.3.1'),
  ],
  [
    'RFC 1034 s4.3.2',
    'a CNAME is followed into a nested namespace',
    'down.corp.internal A',
    answered(cname('down.corp.internal', 'api.sub.corp.internal'), 'api.sub.corp.internal. 60 IN A 10.0.2.1'),
  ],
  [
    'RFC 1034 s4.3.2',
    'a CNAME that leaves our zones ends there',
    'far.corp.internal A',
    answered(cname('far.corp.internal', 'www.example.com')),
  ],
  [
    'RFC 2308 s2.2',
    'a CNAME to a name without the type is NODATA',
    'shop.corp.internal TXT',
    { status: 'NOERROR AA', answer: [SHOP], authority: [soa('corp.internal', 5, 'Corp.internal')] },
  ],
  [
    'RFC 2308 s2.2',
    'a CNAME to an empty non-terminal is NODATA',
    'half.corp.internal A',
    { ...nodata(), answer: [cname('half.corp.internal', '_tcp.corp.internal')] },
  ],
  [
    'RFC 6604 s3',
    'a CNAME to a name that is not there is NXDOMAIN',
    'lost.corp.internal A',
    { ...nxdomain(), answer: [LOST] },
  ],
  [
    'RFC 2308 s2.1',
    'the SOA behind a CNAME is the one of the zone that denies',
    'cross-lost.corp.internal A',
    { ...nxdomain('other.internal', 30), answer: [cname('cross-lost.corp.internal', 'nobody.other.internal')] },
  ],
  [
    'RFC 2308 s2.1',
    'CNAME of an alias is there, whatever becomes of its target',
    'lost.corp.internal CNAME',
    answered(LOST),
  ],
  [
    'RFC 1034 s3.6.2',
    'two CNAMEs that lead to each other are answered once each',
    'ping.corp.internal A',
    answered(cname('ping.corp.internal', 'pong.corp.internal'), cname('pong.corp.internal', 'ping.corp.internal')),
  ],
  [
    'RFC 1034 s3.6.2',
    'a CNAME to itself is answered once',
    'self.corp.internal A',
    answered(cname('self.corp.internal', 'self.corp.internal')),
  ],
]);

/** The question's own name serves as owner, and comes to two octets with each record of it. */
const COMPRESSED: RfcCase = {
  source: 'RFC 1035 s4.1.4',
  behaviour: 'owners are pointers to the question',
  query: queryBytes('web.corp.internal A'),
  reply: { ...answered(...WEB_A), length: 12 + nameBytes('web.corp.internal').length + 4 + 2 * 16 },
};

export const ANSWERS: readonly RfcCase[] = [
  ...RECORDS,
  ...SRV,
  ...CASE,
  ...OCTETS,
  ...OTHER_OCTETS,
  ...NODATA,
  ...NXDOMAIN,
  ...NESTED,
  ...ANY,
  ...ALIASES,
  COMPRESSED,
];
