/** Messages as text, held against zone-file text that is written by hand. That dig prints the same shows a journey. */
import { describe, expect, it } from 'vitest';
import { digText } from '../../src/wire/dig-text.ts';
import { messageText, plainName } from '../../src/wire/presentation.ts';
import { MessageError, rdataText } from '../../src/wire/rdata-text.ts';
import { typeCode, typeText } from '../../src/wire/type-names.ts';
import { buildQuery } from '../support/dns.ts';
import { type ReplySpec, replyTo } from '../support/fake-upstream.ts';
import { nameBytes } from '../support/message.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const read = (type: number, octets: Uint8Array): string => rdataText(octets, type, 0, octets.length);
const reply = (spec: ReplySpec, edns: number | null = 1232): Uint8Array =>
  Uint8Array.from(replyTo(buildQuery('web.corp.internal', 'A', { rd: true, edns }), spec));

describe('RDATA', () => {
  it.each([
    ['A', '0a000007', '10.0.0.7'],
    ['AAAA', `fd${'00'.repeat(14)}01`, 'fd00::1'],
    ['AAAA', '20010db8000000010000000000000001', '2001:db8:0:1::1'],
    ['AAAA', '20010db8000100020003000400050006', '2001:db8:1:2:3:4:5:6'],
    ['AAAA', '00000000000000000000000000000000', '::'],
    ['CNAME', '01610362 2e6300', String.raw`a.b\.c.`],
    ['PTR', '00', '.'],
    ['SOA', '01 61 00 01 62 00 00000007 00001c20 00000384 00127500 00000005', 'a. b. 7 7200 900 1209600 5'],
    ['MX', '000a 01 61 00', '10 a.'],
    ['SRV', '0001 0002 1538 01 61 00', '1 2 5432 a.'],
    ['TXT', '02 6162 00 03 225c0a', String.raw`"ab" "" "\"\\\010"`],
    ['HINFO', '01 61 01 62', '"a" "b"'],
    ['NAPTR', '0001 0002 01 73 03 534950 00 01 61 00', '1 2 "s" "SIP" "" a.'],
    ['CAA', '00 05 6973737565 63612e78', '0 issue "ca.x"'],
    ['DS', 'ec45 08 02 abcd', '60485 8 2 ABCD'],
    ['TLSA', '03 01 01 00ff', '3 1 1 00FF'],
    ['SSHFP', '04 02 0102', '4 2 0102'],
    ['HTTPS', '0001 00', '1 .'],
    ['HTTPS', '0001 00 0001 0006 02 6832 02 6833', '1 . alpn="h2,h3"'],
    [
      'SVCB',
      '0010 01 61 00 0000 0004 0001 0003 0002 0000 0003 0002 01bb 0004 0008 c0000201 c0000202',
      '16 a. mandatory=alpn,port no-default-alpn port=443 ipv4hint=192.0.2.1,192.0.2.2',
    ],
    ['SVCB', '0001 00 0005 0003 010203 029a 0002 6869', '1 . ech=AQID key666="hi"'],
    ['TYPE65280', 'c0ffee', String.raw`\# 3 C0FFEE`],
    ['TYPE65280', '', String.raw`\# 0`],
  ])('%s %s is %s', (type, octets, text) => {
    expect(read(typeCode(type) as number, hex(octets))).toBe(text);
  });

  it.each([
    ['A', '0a0000'],
    ['A', '0a00000708'],
    ['AAAA', 'fd00'],
    ['MX', '000a'],
    ['MX', '000a 05 61'],
    ['TXT', '05 6162'],
    ['CAA', '00 02 2022 78'],
    ['SOA', '01 61 00 01 62 00 00000007'],
    ['HTTPS', '0001 00 0003 0003 01bb00'],
    ['HTTPS', '0001 00 0004 0003 010203'],
    ['HTTPS', '0001 00 0001 0006 02 6832'],
  ])('that is broken stands as octets: %s %s (RFC 3597)', (type, octets) => {
    const bytes = hex(octets);
    const digits = Buffer.from(bytes).toString('hex').toUpperCase();
    expect(read(typeCode(type) as number, bytes)).toBe(String.raw`\# ${bytes.length} ${digits}`);
  });
});

describe('a type', () => {
  it.each([
    ['a', 1],
    ['HTTPS', 65],
    ['TYPE65', 65],
    ['type65535', 65535],
    ['TYPE65536', null],
    ['TYPE', null],
    ['', null],
    ['constructor', null],
  ])('%j is %s', (text, code) => {
    expect(typeCode(text)).toBe(code);
  });

  it('has a text that leads back to it', () => {
    for (let code = 0; code < 300; code++) expect(typeCode(typeText(code))).toBe(code);
  });
});

describe('a message', () => {
  it('has its header, sections and extended errors', () => {
    const error = Uint8Array.from([0, 15, 0, 6, 0, 18, ...Buffer.from('why?')]);
    const message = messageText(
      reply({
        rcode: 'NXDOMAIN',
        answer: ['@ 30 IN CNAME x.example.'],
        authority: ['example. 5 IN NS a.example.'],
        additional: ['a.example. 6 IN A 192.0.2.1'],
        authentic: true,
        opt: { options: [...error], flags: 0x8000 },
      }),
    );
    expect(message).toEqual({
      id: 0x1234,
      opcode: 'QUERY',
      rcode: 'NXDOMAIN',
      flags: ['qr', 'rd', 'ra', 'ad'],
      questions: [{ name: 'web.corp.internal.', class: 'IN', type: 'A' }],
      answer: [{ name: 'web.corp.internal.', ttl: 30, class: 'IN', type: 'CNAME', rdata: 'x.example.' }],
      answerTails: ['\0\x05\0\x01\0\0\0\x1e\0\x0b\x01x\x07example\0'],
      authority: [{ name: 'example.', ttl: 5, class: 'IN', type: 'NS', rdata: 'a.example.' }],
      additional: [{ name: 'a.example.', ttl: 6, class: 'IN', type: 'A', rdata: '192.0.2.1' }],
      opt: { version: 0, dnssecOk: true, payloadBytes: 1232, errors: [{ code: 18, text: 'why?' }] },
      size: expect.any(Number),
    });
  });

  it('has the bits of its RCODE that are in the OPT (RFC 6891 s6.1.3)', () => {
    expect(messageText(reply({ answer: [], opt: { extendedRcode: 1 } })).rcode).toBe('BADVERS');
  });

  it('cut anywhere is no message, or has less of it', () => {
    const whole = reply({ answer: ['@ 30 IN CNAME x.example.'], authority: ['example. 5 IN NS a.example.'] });
    for (let length = 0; length < whole.length; length++) {
      expect(() => messageText(whole.subarray(0, length))).toThrow(MessageError);
    }
    expect(messageText(whole).size).toBe(whole.length);
  });
});

describe('as dig prints it', () => {
  it('a message is in columns, and has nothing that a terminal would obey', () => {
    const text = [...Buffer.from('\u001b[31mred\n')];
    const error = [0, 15, 0, 2 + text.length, 0, 99, ...text];
    const message = messageText(
      reply({
        answer: ['@ 30 IN A 192.0.2.1', 'a-name-that-is-longer-than-its-column.example. 30 IN TYPE65280 \\# 1 1b'],
        opt: { options: error },
      }),
    );
    expect(digText(message)).toBe(
      [
        ';; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4660',
        ';; flags: qr rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1',
        '',
        ';; OPT PSEUDOSECTION:',
        '; EDNS: version: 0, flags:; udp: 1232',
        '; EDE: 99: (.[31mred.)',
        ';; QUESTION SECTION:',
        ';web.corp.internal.\t\tIN\tA',
        '',
        ';; ANSWER SECTION:',
        'web.corp.internal.\t30\tIN\tA\t192.0.2.1',
        'a-name-that-is-longer-than-its-column.example. 30 IN TYPE65280 \\# 1 1B',
        '',
        '',
      ].join('\n'),
    );
  });
});

describe('a name without escapes', () => {
  it.each([
    ['web.corp.internal.', 'web.corp.internal'],
    ['.', ''],
    [String.raw`a\228.b.`, 'aä.b'],
  ])('%s is %s', (text, plain) => {
    expect(plainName(Uint8Array.from(nameBytes(text)))).toBe(plain);
  });
});
