/** What does not fit: additional records first and without TC, then the answer with TC, which TCP has whole. */
import { queryBytes } from '../../support/message.ts';
import { LONG_IDS } from '../rfc-content.ts';
import { type ExpectedReply, nodata, nxdomain, OPT, type RfcCase } from './case.ts';

const targets = (service: string, count: number): string[] =>
  LONG_IDS.slice(0, count).map((id) => `${id}.${service}.corp.internal.`);
const srvOf = (service: string, count: number): string[] =>
  targets(service, count).map((target) => `${service}.corp.internal. 60 IN SRV 1 1 80 ${target}`);
const addressesOf = (service: string, count: number): string[] =>
  targets(service, count).map((target, i) => `${target} 60 IN A 10.0.6.${i}`);
const all = (count: number): ExpectedReply => ({ status: 'NOERROR AA', answer: { count, of: [] } });
const TC: ExpectedReply = { status: 'NOERROR AA TC' };

const MID = '_mid._tcp.corp.internal SRV';
const LONG = '_long._tcp.corp.internal SRV';
const FITS_512 = `${'e'.repeat(15)}.bytes.internal A`;
const OVER_512 = `${'f'.repeat(16)}.bytes.internal A`;
const OVER_1232 = `${'j'.repeat(21)}.bytes.internal A`;
const long = (letter: string): string => [1, 2, 3].map(() => letter.repeat(60)).join('.');
const CHAIN = ['a', 'b'].map(
  (letter, i) => `${long(letter)}.bytes.internal. 20 IN CNAME ${long(['b', 'c'][i] as string)}.bytes.internal.`,
);

export const FITTING_CASES: readonly RfcCase[] = [
  {
    source: 'RFC 1035 s4.2.1',
    behaviour: 'without EDNS a reply of 512 octets goes over UDP',
    query: queryBytes(FITS_512),
    over: 'UDP',
    reply: { ...all(29), length: 512 },
  },
  {
    source: 'RFC 1035 s4.2.1',
    behaviour: 'without EDNS one of 513 octets does not: TC, and no part of the RRset',
    query: queryBytes(OVER_512),
    over: 'UDP',
    reply: TC,
  },
  {
    source: 'RFC 7766 s5',
    behaviour: 'TCP has the whole of what UDP has not, without EDNS',
    query: queryBytes(OVER_512),
    over: 'TCP',
    reply: { ...all(29), length: 513 },
  },
  {
    source: 'RFC 6891 s6.2.3',
    behaviour: 'the size of an OPT is for UDP alone',
    query: queryBytes(OVER_1232, { opts: [{ size: 512 }] }),
    over: 'TCP',
    reply: { ...all(73), opt: OPT, length: 1233 },
  },
  {
    source: 'RFC 1035 s4.2.2',
    behaviour: 'a reply of 64,000 octets goes over TCP',
    query: queryBytes('huge.bytes.internal A'),
    over: 'TCP',
    reply: all(4000),
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'a truncated reply has its OPT',
    query: queryBytes('huge.bytes.internal A', { opts: [{ size: 4096 }] }),
    over: 'UDP',
    reply: { ...TC, opt: OPT },
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'additional records that do not fit 512 octets are left out without TC, the answer is whole',
    query: queryBytes(MID),
    over: 'UDP',
    reply: {
      status: 'NOERROR AA',
      answer: srvOf('_mid._tcp', 4),
      additional: { count: 1, of: addressesOf('_mid._tcp', 4) },
    },
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'additional records make room for the OPT, without TC',
    query: queryBytes(LONG, { opts: [{ size: 1232 }] }),
    over: 'UDP',
    reply: {
      status: 'NOERROR AA',
      answer: srvOf('_long._tcp', 8),
      additional: { count: 5, of: addressesOf('_long._tcp', 8) },
      opt: OPT,
    },
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'additional records that fit are all there',
    query: queryBytes(MID, { opts: [{ size: 1232 }] }),
    reply: { status: 'NOERROR AA', answer: srvOf('_mid._tcp', 4), additional: addressesOf('_mid._tcp', 4), opt: OPT },
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'eight SRV records that do not fit 512 octets are not sent in part',
    query: queryBytes(LONG),
    over: 'UDP',
    reply: TC,
  },
  {
    source: 'RFC 7766 s5',
    behaviour: 'eight SRV records and all addresses of their targets over TCP',
    query: queryBytes(LONG),
    over: 'TCP',
    reply: { status: 'NOERROR AA', answer: srvOf('_long._tcp', 8), additional: addressesOf('_long._tcp', 8) },
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'a denial behind CNAMEs that do not fit is TC: its SOA is required',
    query: queryBytes(`${long('a')}.bytes.internal A`),
    over: 'UDP',
    reply: { status: 'NXDOMAIN AA TC' },
  },
  {
    source: 'RFC 7766 s5',
    behaviour: 'a denial behind long CNAMEs is whole over TCP',
    query: queryBytes(`${long('a')}.bytes.internal A`),
    over: 'TCP',
    reply: { ...nxdomain('bytes.internal'), answer: CHAIN },
  },
  {
    source: 'RFC 2181 s9',
    behaviour: 'NODATA for a long name fits 512 octets',
    query: queryBytes(`${LONG_IDS[0]}._long._tcp.corp.internal TXT`),
    over: 'UDP',
    reply: nodata(),
  },
];
