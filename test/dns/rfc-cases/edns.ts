/** EDNS (RFC 6891): where a reply has an OPT, versions, flags, options, and the sizes that the two sides take. */
import {
  messageBytes,
  nameBytes,
  type OptSpec,
  optBytes,
  optionBytes,
  queryBytes,
  questionBytes,
  recordBytes,
} from '../../support/message.ts';
import {
  answered,
  type ExpectedReply,
  FORMERR,
  nodata,
  nxdomain,
  OPT,
  OPT_DO,
  type RfcCase,
  soa,
  WEB_A,
} from './case.ts';

const WEB = 'web.corp.internal A';
const web = (...opts: OptSpec[]): Uint8Array => queryBytes(WEB, { opts });
/** WEB with an additional section of these records. */
const withRecords = (count: number, ...records: number[][]): Uint8Array =>
  messageBytes({ counts: [1, 0, 0, count], body: [...questionBytes(WEB), ...records.flat()] });
const A_RECORD = recordBytes('x.example', 'A', [192, 0, 2, 1]);
const UNKNOWN_FLAG = 0x0040;
const DO = 0x8000;

const answeredWith = (opt: string): ExpectedReply => ({ ...answered(...WEB_A), opt });
const BADVERS: ExpectedReply = { status: 'BADVERS', opt: OPT };

const PRESENCE: readonly RfcCase[] = (
  [
    ['RFC 8906 s8.2.1', 'an answer', web({}), answeredWith(OPT)],
    ['RFC 6891 s6.1.1', 'NXDOMAIN', queryBytes('nobody.corp.internal A', { opts: [{}] }), nxdomain()],
    ['RFC 6891 s6.1.1', 'NODATA', queryBytes('web.corp.internal TXT', { opts: [{}] }), nodata()],
    ['RFC 6891 s6.1.1', 'REFUSED', queryBytes('www.example.com A', { opts: [{}] }), { status: 'REFUSED' }],
    [
      'RFC 6891 s6.1.1',
      'REFUSED for another class',
      queryBytes('version.bind TXT CH', { opts: [{}] }),
      { status: 'REFUSED' },
    ],
    ['RFC 6891 s6.1.1', 'REFUSED for AXFR', queryBytes('corp.internal AXFR', { opts: [{}] }), { status: 'REFUSED' }],
    ['RFC 6891 s7', 'FORMERR for an octet that trails the OPT', withRecords(1, [...optBytes(), 0]), FORMERR],
  ] as const
).map(([source, what, query, reply]) => ({
  source,
  behaviour: `a query with an OPT gets one: ${what}`,
  query,
  reply: { ...reply, opt: OPT },
}));

const ABSENCE: readonly RfcCase[] = (
  [
    ['an answer', queryBytes(WEB), answered(...WEB_A)],
    ['NXDOMAIN', queryBytes('nobody.corp.internal A'), nxdomain()],
    [
      'an OPT in the answer section is none',
      messageBytes({ counts: [1, 1, 0, 0], body: [...questionBytes(WEB), ...optBytes({ size: 512 })] }),
      answered(...WEB_A),
    ],
  ] as const
).map(([what, query, reply]) => ({
  source: 'RFC 6891 s6.1.1',
  behaviour: `a query without an OPT gets none: ${what}`,
  query,
  reply,
}));

const ONE_OPT: readonly RfcCase[] = (
  [
    ['FORMERR for two OPTs', web({}, {}), FORMERR],
    ['FORMERR for two OPTs of which one is of version 1', web({}, { version: 1 }), FORMERR],
    ['FORMERR for three OPTs', web({}, {}, {}), FORMERR],
    ['FORMERR for an OPT whose owner is not the root', web({ owner: [1, 0x61, 0] }), FORMERR],
    ['FORMERR for an OPT that the question owns', web({ owner: [0xc0, 12] }), FORMERR],
    ['takes an OPT behind another record', withRecords(2, A_RECORD, optBytes()), answeredWith(OPT)],
    ['takes an OPT in front of other records', withRecords(3, optBytes(), A_RECORD, A_RECORD), answeredWith(OPT)],
  ] as const
).map(([behaviour, query, reply]) => ({
  source: 'RFC 6891 s6.1.1',
  behaviour,
  query,
  reply: reply === FORMERR ? { ...FORMERR, opt: 'either' } : reply,
}));

const VERSIONS: readonly RfcCase[] = (
  [
    ['RFC 8906 s8.2.2', 'version 1', web({ version: 1 }), BADVERS],
    ['RFC 6891 s6.1.3', 'version 255', web({ version: 255 }), BADVERS],
    ['RFC 8906 s8.2.5', 'version 1 with a flag that nobody knows', web({ version: 1, flags: UNKNOWN_FLAG }), BADVERS],
    [
      'RFC 8906 s8.2.6',
      'version 1 with an option that nobody knows',
      web({ version: 1, options: optionBytes(100) }),
      BADVERS,
    ],
    ['RFC 8906 s8.2.9', 'version 1 with DO', web({ version: 1, flags: DO }), { ...BADVERS, opt: OPT_DO }],
    [
      'RFC 6891 s6.1.3',
      'version 1 and a name that does not exist',
      queryBytes('nobody.corp.internal A', { opts: [{ version: 1 }] }),
      BADVERS,
    ],
    [
      'RFC 6891 s6.1.3',
      'version 1 and a name outside our zones',
      queryBytes('example.com A', { opts: [{ version: 1 }] }),
      BADVERS,
    ],
  ] as const
).map(([source, what, query, reply]) => ({ source, behaviour: `BADVERS in version 0: ${what}`, query, reply }));

const FLAGS: readonly RfcCase[] = (
  [
    ['RFC 8906 s8.2.4', 'ignores a flag that nobody knows, and does not copy it', web({ flags: UNKNOWN_FLAG }), OPT],
    ['RFC 6891 s6.1.4', 'ignores all fifteen of them', web({ flags: 0x7fff }), OPT],
    ['RFC 3225 s3', 'copies DO', web({ flags: DO }), OPT_DO],
    ['RFC 3225 s3', 'copies DO alone', web({ flags: 0xffff }), OPT_DO],
    ['RFC 3225 s3', 'sets no DO of its own', web({ flags: 0 }), OPT],
    ['RFC 6891 s6.1.3', 'ignores an extended RCODE in a query', web({ extendedRcode: 255 }), OPT],
  ] as const
).map(([source, behaviour, query, opt]) => ({ source, behaviour, query, reply: answeredWith(opt) }));

const DO_ELSEWHERE: readonly RfcCase[] = [
  {
    source: 'RFC 3225 s3',
    behaviour: 'copies DO into a denial',
    query: queryBytes('nobody.corp.internal A', { opts: [{ flags: DO }] }),
    reply: { ...nxdomain(), opt: OPT_DO },
  },
  {
    source: 'RFC 8906 s8.2.8',
    behaviour: 'answers DO without signatures, as no zone of ours is signed',
    query: queryBytes('corp.internal SOA', { opts: [{ flags: DO }] }),
    reply: { ...answered(soa('corp.internal')), opt: OPT_DO },
  },
];

const NSID = optionBytes(3);
const COOKIE = optionBytes(10, [1, 2, 3, 4, 5, 6, 7, 8]);
const SUBNET = optionBytes(8, [0, 1, 0, 0]);
const EXPIRE = optionBytes(9);
const OPTIONS: readonly RfcCase[] = (
  [
    ['RFC 8906 s8.2.3', 'an option that nobody knows', optionBytes(100)],
    ['RFC 6891 s6.1.2', 'an option of the code 65,535', optionBytes(65_535, [1, 2, 3])],
    ['RFC 6891 s6.1.2', 'an option of the reserved code 0', optionBytes(0, [1])],
    [
      'RFC 6891 s6.1.2',
      'the same option three times',
      [...optionBytes(100), ...optionBytes(100, [1]), ...optionBytes(100)],
    ],
    ['RFC 6891 s6.1.2', 'an option of 400 octets', optionBytes(100, Array<number>(400).fill(0xff))],
    ['RFC 8906 s8.2.10', 'NSID, COOKIE, EXPIRE and SUBNET', [...NSID, ...COOKIE, ...EXPIRE, ...SUBNET]],
    ['RFC 6891 s6.1.2', 'a COOKIE that is too short to be one', optionBytes(10, [1])],
    ['RFC 6891 s6.1.2', 'PADDING', optionBytes(12, Array<number>(100).fill(0))],
  ] as const
).map(([source, what, options]) => ({
  source,
  behaviour: `ignores and does not copy ${what}`,
  query: web({ options }),
  reply: answeredWith(OPT),
}));
const KEEPALIVE: RfcCase = {
  source: 'RFC 7828 s3.3.1',
  behaviour: 'ignores KEEPALIVE over UDP',
  query: web({ options: optionBytes(11) }),
  over: 'UDP',
  reply: answeredWith(OPT),
};

const BROKEN_OPTIONS: readonly RfcCase[] = (
  [
    ['an option that overruns RDLENGTH by one octet', optionBytes(10, [1, 2, 3]).slice(0, -1)],
    ['an option of 65,535 octets that are not there', [0, 10, 0xff, 0xff]],
    ['an option without its length', [0, 10]],
    ['an option cut in its length', [0, 10, 0]],
    ['one octet', [0]],
    ['a whole option with an octet behind it', [...optionBytes(10, [1]), 0]],
    ['a whole option with another that overruns', [...optionBytes(10, [1]), 0, 10, 0, 1]],
  ] as const
).map(([what, options]) => ({
  source: 'RFC 6891 s6.1.2',
  behaviour: `FORMERR where the OPT's RDATA is ${what}`,
  query: web({ options }),
  reply: { ...FORMERR, opt: 'either' },
}));

// 464 octets of records: a reply of 512 octets with the names, and one of 513; 21 of them are question and OPT's.
const FITS_512 = `${'g'.repeat(4)}.bytes.internal A`;
const OVER_512 = `${'h'.repeat(5)}.bytes.internal A`;
const SIZES: readonly RfcCase[] = [0, 1, 100, 511, 512].flatMap((size): RfcCase[] => [
  {
    source: 'RFC 6891 s6.2.3',
    behaviour: `reads the size ${size} as 512, which a reply of 512 octets fits`,
    query: queryBytes(FITS_512, { opts: [{ size }] }),
    over: 'UDP',
    reply: { status: 'NOERROR AA', answer: { count: 29, of: [] }, opt: OPT, length: 512 },
  },
  {
    source: 'RFC 6891 s6.2.3',
    behaviour: `reads the size ${size} as 512, which a reply of 513 octets does not fit`,
    query: queryBytes(OVER_512, { opts: [{ size }] }),
    over: 'UDP',
    reply: { status: 'NOERROR AA TC', opt: OPT, length: nameBytes('hhhhh.bytes.internal').length + 16 + 11 },
  },
]);
const OWN_SIZE: readonly RfcCase[] = [1232, 1233, 4096, 65_535].flatMap((size): RfcCase[] => [
  {
    source: 'RFC 6891 s6.2.5',
    behaviour: `sends 1,232 octets to a client that takes ${size}`,
    query: queryBytes(`${'i'.repeat(20)}.bytes.internal A`, { opts: [{ size }] }),
    over: 'UDP',
    reply: { status: 'NOERROR AA', answer: { count: 73, of: [] }, opt: OPT, length: 1232 },
  },
  {
    source: 'RFC 6891 s6.2.5',
    behaviour: `sends no more than 1,232 octets to a client that takes ${size}`,
    query: queryBytes(`${'j'.repeat(21)}.bytes.internal A`, { opts: [{ size }] }),
    over: 'UDP',
    reply: { status: 'NOERROR AA TC', opt: OPT },
  },
]);

export const EDNS: readonly RfcCase[] = [
  ...PRESENCE,
  ...ABSENCE,
  ...ONE_OPT,
  ...VERSIONS,
  ...FLAGS,
  ...DO_ELSEWHERE,
  ...OPTIONS,
  KEEPALIVE,
  ...BROKEN_OPTIONS,
  ...SIZES,
  ...OWN_SIZE,
];
