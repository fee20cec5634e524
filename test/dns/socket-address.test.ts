import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { decodeSocketAddress, encodeSocketAddress, writeIpv4SocketAddress } from '../../src/dns/socket-address.ts';

describe('socket addresses', () => {
  it.each([
    ['127.0.0.1', 53, '020000357f0000010000000000000000', '127.0.0.1'],
    ['255.254.0.1', 65_535, '0200fffffffe00010000000000000000', '255.254.0.1'],
    ['::', 0, `0a000000${'0'.repeat(48)}`, '0:0:0:0:0:0:0:0'],
    ['2001:db8::a0:1', 1053, '0a00041d0000000020010db8000000000000000000a0000100000000', '2001:db8:0:0:0:0:a0:1'],
  ])('%s port %i', (address, port, hex, text) => {
    const bytes = encodeSocketAddress(address, port);
    expect(Buffer.from(bytes).toString('hex')).toBe(hex);
    expect(decodeSocketAddress(bytes, 0)).toEqual({ address: text, port });
    if (bytes.length === 16) {
      const written = new Uint8Array(16);
      writeIpv4SocketAddress(written, 0, address, port);
      expect(written).toEqual(bytes);
    }
    // Anywhere in memory, whatever stands around it.
    const memory = new Uint8Array(100).fill(0xff);
    memory.set(bytes, 17);
    expect(decodeSocketAddress(memory, 17)).toEqual({ address: text, port });
  });

  it('of a link have its zone', (context) => {
    const found = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses.map(({ address, scopeid = 0 }) => ({ name, address, scopeid })),
    );
    const link = found.find(({ scopeid }) => scopeid > 0);
    if (link === undefined) return context.skip('this machine has no link-local address');
    const bytes = encodeSocketAddress(`${link.address}%${link.name}`, 53);
    expect(bytes[24]).toBe(link.scopeid);
    expect(decodeSocketAddress(bytes, 0).address).toMatch(new RegExp(`^fe80:[0-9a-f:]+%${link.name}$`));
  });

  it.each([
    ['no address', 'localhost'],
    ['a zone that is not here', 'fe80::1%nowhere0'],
  ])('are refused: %s', (_, address) => {
    expect(() => encodeSocketAddress(address, 53)).toThrow(address.split('%').at(-1) as string);
  });

  it('with a zone that went away name its number', () => {
    const bytes = encodeSocketAddress('fe80::1', 53);
    bytes[26] = 1;
    expect(decodeSocketAddress(bytes, 0).address).toBe('fe80:0:0:0:0:0:0:1%65536');
  });
});
