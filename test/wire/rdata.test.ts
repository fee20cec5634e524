import { describe, expect, it } from 'vitest';
import { TYPE } from '../../src/wire/header.ts';
import { toTextName, toWireName } from '../../src/wire/names.ts';
import {
  aaaaRdata,
  aRdata,
  cnameRdata,
  nsRdata,
  ptrRdata,
  recordTail,
  soaRdata,
  srvRdata,
  txtRdata,
} from '../../src/wire/rdata.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('A', () => {
  it.each([
    ['10.0.0.7', '0a000007'],
    ['0.0.0.0', '00000000'],
    ['255.255.255.255', 'ffffffff'],
    ['127.0.0.1', '7f000001'],
  ])('%s', (address, expected) => {
    expect(hex(aRdata(address))).toBe(expected);
  });

  it.each([
    '10.0.0',
    '10.0.0.256',
    '10.0.0.1.2',
    '10..0.1',
    '10.0.0.1.',
    '.10.0.0.1',
    '10.0.0.1 ',
    '10.0.0.-1',
    '::1',
    'localhost',
    '',
  ])('refuses "%s"', (address) => {
    expect(() => aRdata(address)).toThrow();
  });
});

describe('AAAA, in every form of RFC 4291 s2.2', () => {
  it.each([
    ['2001:db8:0:0:8:800:200c:417a', '20010db80000000000080800200c417a'],
    ['2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'],
    ['2001:DB8::8:800:200C:417A', '20010db80000000000080800200c417a'],
    ['ff01::101', 'ff010000000000000000000000000101'],
    ['fe80::', 'fe800000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['0:0:0:0:0:0:0:0', '00000000000000000000000000000000'],
    ['0:0:0:0:0:0:13.1.68.3', '0000000000000000000000000d014403'],
    ['::13.1.68.3', '0000000000000000000000000d014403'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
    ['0:0:0:0:0:ffff:129.144.52.38', '00000000000000000000ffff81903426'],
    ['::ffff:102:304', '00000000000000000000ffff01020304'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['8000::', '80000000000000000000000000000000'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffffffffffffffffffffffffffffffff'],
  ])('%s', (address, expected) => {
    expect(hex(aaaaRdata(address))).toBe(expected);
  });

  it.each(['1.2.3.4', '1::2::3', '1:2:3', '12345::', ':::', ''])('refuses "%s"', (address) => {
    expect(() => aaaaRdata(address)).toThrow();
  });
});

describe('names in RDATA', () => {
  it.each([
    ['web.corp.internal', 'web.corp.internal.'],
    ['web.corp.internal.', 'web.corp.internal.'],
    ['Mixed.Case.example', 'Mixed.Case.example.'],
    ['_x._tcp.example', '_x._tcp.example.'],
  ])('CNAME, PTR and NS to %s', (target, expected) => {
    expect(toTextName(cnameRdata(target))).toBe(expected);
    expect(toTextName(ptrRdata(target))).toBe(expected);
    expect(toTextName(nsRdata(target))).toBe(expected);
    expect(hex(cnameRdata(target))).toBe(hex(toWireName(target, true)));
  });

  it('takes a name of 255 octets', () => {
    const label = 'a'.repeat(63);
    const longest = `${label}.${label}.${label}.${'b'.repeat(61)}`;
    expect(cnameRdata(longest)).toHaveLength(255);
    expect(srvRdata(1, 1, 1, longest)).toHaveLength(6 + 255);
  });
});

describe('TXT, in character strings of up to 255 octets (RFC 1035 s3.3.14)', () => {
  it.each([
    ['', '00'],
    ['a', '0161'],
    ['v=spf1 -all', '0b763d73706631202d616c6c'],
    ['"\\', '02225c'],
    ['\u00e9', '02c3a9'],
  ])('"%s"', (text, expected) => {
    expect(hex(txtRdata(text))).toBe(expected);
  });

  it.each([
    [255, [255]],
    [256, [255, 1]],
    [510, [255, 255]],
    [511, [255, 255, 1]],
  ])('%d octets', (length, strings) => {
    const rdata = txtRdata('x'.repeat(length));
    const found: number[] = [];
    for (let at = 0; at < rdata.length; at += 1 + (rdata[at] as number)) found.push(rdata[at] as number);
    expect(found).toEqual(strings);
    expect(rdata).toHaveLength(length + strings.length);
  });
});

describe('SRV', () => {
  it('writes priority, weight, port and the target in full', () => {
    expect(hex(srvRdata(1, 1, 8080, 'a.web.x'))).toBe(`000100011f90${hex(toWireName('a.web.x'))}`);
    expect(hex(srvRdata(0, 65535, 65535, 'a.'))).toBe(`0000ffffffff${hex(toWireName('a'))}`);
  });

  it('never compresses the target, not even against itself (RFC 2782)', () => {
    const rdata = srvRdata(1, 1, 80, 'web.example.web.example');
    expect(hex(rdata.subarray(6))).toBe(hex(toWireName('web.example.web.example')));
  });

  it('keeps characters that an instance id may have', () => {
    expect(hex(srvRdata(1, 1, 80, 'i/d:1@x_y.web.x').subarray(6))).toBe(hex(toWireName('i/d:1@x_y.web.x')));
  });
});

describe('SOA', () => {
  it('writes two whole names and five numbers', () => {
    const rdata = soaRdata({
      mname: 'ns.corp.internal',
      rname: 'hostmaster.corp.internal',
      serial: 4_294_967_295,
      refresh: 7200,
      retry: 900,
      expire: 1_209_600,
      minimum: 5,
    });
    expect(hex(rdata)).toBe(
      `${hex(toWireName('ns.corp.internal'))}${hex(toWireName('hostmaster.corp.internal'))}ffffffff00001c200000038400127500${'00000005'}`,
    );
  });
});

describe('recordTail', () => {
  it.each([
    [0, '00000000'],
    [60, '0000003c'],
    [2_147_483_647, '7fffffff'],
  ])('carries the TTL %d', (ttl, expected) => {
    expect(hex(recordTail(TYPE.A, ttl, aRdata('10.0.0.7')))).toBe(`00010001${expected}00040a000007`);
  });
});
