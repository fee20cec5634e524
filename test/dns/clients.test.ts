import { describe, expect, it } from 'vitest';
import { AddressedClient, Clients } from '../../src/dns/clients.ts';

const clients = new Clients([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.0.2.7/32',
  '::1/128',
  'fe80::/10',
  'fd00::/8',
]);

const CASES: readonly [string, boolean][] = [
  ['127.0.0.1', true],
  ['127.255.255.255', true],
  ['10.200.0.9', true],
  ['172.31.255.255', true],
  ['172.32.0.0', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['8.8.8.8', false],
  ['255.255.255.255', false],
  ['::1', true],
  ['::2', false],
  ['fe80::1%eth0', true],
  ['fd12:3456::1', true],
  ['2001:db8::1', false],
  ['::ffff:10.0.0.1', true],
  ['::ffff:7f00:1', true],
  ['::ffff:8.8.8.8', false],
];

describe('areServed', () => {
  it.each(CASES)('%s: %s, also when it is remembered', (address, expected) => {
    expect([clients.areServed(address), clients.areServed(address)]).toEqual([expected, expected]);
  });

  it('serves nobody where there are no blocks, and everybody where they say so', () => {
    expect(new Clients([]).areServed('127.0.0.1')).toBe(false);
    const open = new Clients(['0.0.0.0/0', '::/0']);
    for (const address of ['8.8.8.8', '2001:db8::1', '::ffff:8.8.8.8']) expect(open.areServed(address)).toBe(true);
  });

  it('does not serve a client without an address: a connection that was reset before it was accepted', () => {
    expect(clients.areServed('')).toBe(false);
    expect(new Clients(['0.0.0.0/0', '::/0']).areServed('')).toBe(false);
  });

  it('says the same of each of more than it remembers', () => {
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 2500; n++) {
        expect(clients.areServed(`10.0.${n >> 8}.${n & 255}`)).toBe(true);
        expect(clients.areServed(`11.0.${n >> 8}.${n & 255}`)).toBe(false);
      }
    }
  });
});

describe('areServedIpv4', () => {
  it.each(CASES.filter(([address]) => !address.includes(':')))('%s: %s', (address, expected) => {
    const number = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
    expect([clients.areServedIpv4(number), clients.areServedIpv4(number)]).toEqual([expected, expected]);
    // As one signed word.
    expect(clients.areServedIpv4(number | 0)).toBe(expected);
  });
});

describe('AddressedClient', () => {
  it('is whoever it says at the time', () => {
    const client = new AddressedClient(clients);
    const may = (address: string): boolean => {
      client.address = address;
      return client.mayRecurse();
    };
    expect([may('10.0.0.1'), may('8.8.8.8'), may('::1')]).toEqual([true, false, true]);
  });
});
