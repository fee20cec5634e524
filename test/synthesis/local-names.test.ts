/** Static records, the daemon's own name and special-use names as a responder answers them. */
import { afterAll, describe, expect, it } from 'vitest';
import type { LocalRecord } from '../../src/synthesis/local-names.ts';
import { compileLocalTails } from '../../src/synthesis/local-names.ts';
import { rrset } from '../support/answering.ts';
import { queryBytes } from '../support/message.ts';
import { closeResolvers } from '../support/resolving.ts';
import { type TeachingOptions, ToldResponder } from '../support/told.ts';

afterAll(closeResolvers);

const OFF = { isOn: false, upstreams: null };

function local(name: string, type: LocalRecord['type'], value: string, ttl = 60): LocalRecord {
  return { name, type, value, ttl };
}

/** `NOERROR AA`, then the records of answer and authority. */
function ask(options: TeachingOptions, question: string, asked: Uint8Array | null = null): string[] {
  const responder = new ToldResponder({ resolver: OFF, ...options });
  const { status, answer, authority } = responder.read(queryBytes(question), {}, { local: asked });
  return [status, ...answer, ...authority];
}

const soaOf = (name: string, ttl = 5): string =>
  `${name}. ${ttl} IN SOA ${name}. nobody.invalid. 1 3600 1200 604800 ${ttl}`;

describe('static records', () => {
  const records = [
    local('printer.corp.example', 'A', '10.0.0.5'),
    local('Printer.corp.example.', 'A', '10.0.0.6', 30),
    local('printer.corp.example', 'AAAA', '2001:db8::5'),
    local('printer.corp.example', 'TXT', 'in the hall'),
    local('alias.corp.example', 'CNAME', 'Printer.corp.example'),
    local('5.0.0.10.in-addr.arpa', 'PTR', 'printer.corp.example.'),
    local('web.shop.internal', 'A', '10.9.9.9'),
    local('empty.example', 'TXT', ''),
    local('_x._tcp.example', 'TXT', 'x'.repeat(300)),
  ];
  const options: TeachingOptions = {
    local: { records },
    zones: { 'shop.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } },
  };

  it.each<[string, string[]]>([
    [
      'printer.corp.example A',
      ['NOERROR AA', 'printer.corp.example. 60 IN A 10.0.0.5', 'printer.corp.example. 30 IN A 10.0.0.6'],
    ],
    ['PRINTER.corp.example AAAA', ['NOERROR AA', 'PRINTER.corp.example. 60 IN AAAA 2001:db8::5']],
    ['printer.corp.example TXT', ['NOERROR AA', 'printer.corp.example. 60 IN TXT \\# 12 0b696e207468652068616c6c']],
    ['alias.corp.example CNAME', ['NOERROR AA', 'alias.corp.example. 60 IN CNAME Printer.corp.example.']],
    [
      'alias.corp.example AAAA',
      [
        'NOERROR AA',
        'alias.corp.example. 60 IN CNAME Printer.corp.example.',
        'Printer.corp.example. 60 IN AAAA 2001:db8::5',
      ],
    ],
    ['5.0.0.10.in-addr.arpa PTR', ['NOERROR AA', '5.0.0.10.in-addr.arpa. 60 IN PTR printer.corp.example.']],
    ['empty.example TXT', ['NOERROR AA', 'empty.example. 60 IN TXT \\# 1 00']],
    ['printer.corp.example MX', ['NOERROR AA', soaOf('printer.corp.example')]],
    ['printer.corp.example SOA', ['NOERROR AA', soaOf('printer.corp.example')]],
    // A registered name wins.
    ['web.shop.internal A', ['NOERROR AA', 'web.shop.internal. 60 IN A 10.0.0.1']],
    // What is beside them, above them or below them is outside.
    ['corp.example A', ['REFUSED']],
    ['x.printer.corp.example A', ['REFUSED']],
    ['xprinter.corp.example A', ['REFUSED']],
  ])('%s', (question, expected) => {
    expect(ask(options, question)).toEqual(expected);
  });

  it('TTLs are capped as all others are', () => {
    const capped = { local: { records, soaTtlSeconds: 500 }, maxTtlSeconds: 40 };
    expect(ask(capped, 'printer.corp.example AAAA')[1]).toContain(' 40 IN ');
    expect(ask(capped, 'printer.corp.example MX')[1]).toBe(soaOf('printer.corp.example', 40));
  });

  it('one that is written twice is answered once (RFC 2181 s5)', () => {
    const twice = [
      local('a.example', 'A', '10.0.0.1'),
      local('a.example', 'A', '10.0.0.1'),
      local('a.example', 'A', '10.0.0.2'),
    ];
    expect(ask({ local: { records: twice } }, 'a.example A').slice(1)).toHaveLength(2);
    const aaaa = [local('a.example', 'AAAA', '2001:db8::1'), local('a.example', 'AAAA', '2001:DB8:0::1')];
    expect(ask({ local: { records: aaaa } }, 'a.example AAAA').slice(1)).toHaveLength(1);
  });

  it('names may have 255 octets', () => {
    const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    const long = { local: { records: [local(longest, 'CNAME', longest.toUpperCase())] } };
    expect(ask(long, `${longest} CNAME`)).toEqual(['NOERROR AA TC']);
    const responder = new ToldResponder({ resolver: OFF, ...long });
    const { answer } = responder.read(queryBytes(`${longest} CNAME`), {}, { overTcp: true });
    expect(answer).toEqual([`${longest}. 60 IN CNAME ${longest.toUpperCase()}.`]);
  });
});

describe('the daemon’s own name', () => {
  const own = {
    local: { ownName: 'cloudmap', addresses: { ipv4: ['10.0.0.2', '10.1.0.2'], ipv6: ['2001:db8::2'] } },
  };

  it('is answered with the address that was asked', () => {
    const asked = Uint8Array.of(172, 17, 0, 2);
    for (const name of ['cloudmap', 'data-cloudmap', 'CloudMap'])
      expect(ask(own, `${name} A`, asked)).toEqual(['NOERROR AA', `${name}. 5 IN A 172.17.0.2`]);
  });

  it('is answered with all there are of the other family, and where it is not known what was asked', () => {
    const both = ['NOERROR AA', 'cloudmap. 5 IN A 10.0.0.2', 'cloudmap. 5 IN A 10.1.0.2'];
    expect(ask(own, 'cloudmap A', new Uint8Array(16).fill(1))).toEqual(both);
    expect(ask(own, 'cloudmap A')).toEqual(both);
    expect(ask(own, 'cloudmap AAAA', Uint8Array.of(10, 0, 0, 2))).toEqual([
      'NOERROR AA',
      'cloudmap. 5 IN AAAA 2001:db8::2',
    ]);
  });

  it('leaves out loopback where that was not asked: to another machine it is that machine', () => {
    const ipv4 = Uint8Array.of(172, 17, 0, 2);
    const loopback = Uint8Array.of(...Array<number>(15).fill(0), 1);
    const local = { ownName: 'cloudmap', addresses: { ipv4: ['127.0.0.1', '10.0.0.2'], ipv6: ['::1'] } };
    for (const asked of [ipv4, null]) {
      expect(ask({ local }, 'cloudmap AAAA', asked)).toEqual(['NOERROR AA', soaOf('cloudmap')]);
    }
    expect(ask({ local }, 'cloudmap AAAA', loopback)).toEqual(['NOERROR AA', 'cloudmap. 5 IN AAAA ::1']);
    expect(ask({ local }, 'cloudmap A', loopback)).toEqual(['NOERROR AA', 'cloudmap. 5 IN A 10.0.0.2']);
    // Of a family without any other address, the address asked is right all the same.
    const linkLocal = Uint8Array.of(0xfe, 0x80, ...Array<number>(13).fill(0), 9);
    expect(ask({ local }, 'data-cloudmap AAAA', linkLocal)[1]).toBe('data-cloudmap. 5 IN AAAA fe80::9');
  });

  it('has to ANY what there is for whoever asks', () => {
    const local = { ownName: 'cloudmap', addresses: { ipv4: ['127.0.0.1'], ipv6: ['::1'] } };
    expect(ask({ local }, 'cloudmap ANY', new Uint8Array(16).fill(1))[1]).toBe(
      'cloudmap. 5 IN AAAA 101:101:101:101:101:101:101:101',
    );
    expect(ask({ local }, 'cloudmap ANY', Uint8Array.of(127, 0, 0, 1))[1]).toBe('cloudmap. 5 IN A 127.0.0.1');
    expect(ask({ local }, 'cloudmap ANY')[1]).toBe(soaOf('cloudmap'));
  });

  it('has no address of a family that nobody listens on', () => {
    const ipv4 = { local: { ownName: 'cloudmap', addresses: { ipv4: ['10.0.0.2'], ipv6: [] } } };
    expect(ask(ipv4, 'cloudmap AAAA')).toEqual(['NOERROR AA', soaOf('cloudmap')]);
  });

  it('has what the records say where they name it', () => {
    const records = [local('cloudmap', 'A', '10.7.7.7')];
    const said = { local: { ...own.local, records } };
    expect(ask(said, 'cloudmap A', Uint8Array.of(10, 0, 0, 2))).toEqual(['NOERROR AA', 'cloudmap. 60 IN A 10.7.7.7']);
    expect(ask(said, 'data-cloudmap A', Uint8Array.of(10, 0, 0, 2))).toEqual([
      'NOERROR AA',
      'data-cloudmap. 5 IN A 10.0.0.2',
    ]);
  });

  it('is none where there is none', () => {
    expect(ask({ local: { ownName: null } }, 'cloudmap A')).toEqual(['REFUSED']);
  });
});

describe('compileLocalTails', () => {
  it('has the SOA’s TTL, capped', () => {
    const options = { records: [], ownName: null, soaTtlSeconds: 30, addresses: { ipv4: [], ipv6: [] } };
    const ttls = (maxTtlSeconds: number | null): number[] =>
      Object.values(compileLocalTails({ ...options, maxTtlSeconds })).map((tail) => Buffer.from(tail).readUInt32BE(4));
    expect([ttls(null), ttls(7)]).toEqual([
      [30, 30, 30],
      [7, 7, 7],
    ]);
  });
});
