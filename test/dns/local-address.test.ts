import { expect, it } from 'vitest';
import { addressOctets } from '../../src/dns/local-address.ts';

it.each([
  ['127.0.0.1', '7f000001'],
  ['10.0.200.255', '0a00c8ff'],
  ['::1', '00000000000000000000000000000001'],
  ['::', '00000000000000000000000000000000'],
  ['fe80::1ff:fe23:4567:890a%eth2', 'fe8000000000000001fffe234567890a'],
  ['2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'],
])('%s has the octets %s', (address, octets) => {
  expect(Buffer.from(addressOctets(address) ?? []).toString('hex')).toBe(octets);
});

it.each(['', 'localhost', '1.2.3'])('%j is no address', (text) => {
  expect(addressOctets(text)).toBeNull();
});
