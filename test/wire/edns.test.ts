import { describe, expect, it } from 'vitest';
import {
  EdnsView,
  headerRcode,
  OPT_BYTES,
  OPTION,
  writeExtendedError,
  writeOpt,
  writeOption,
} from '../../src/wire/edns.ts';
import { RCODE } from '../../src/wire/header.ts';
import { toWireName } from '../../src/wire/names.ts';

interface OptParts {
  owner?: number[];
  size?: number;
  version?: number;
  flags?: number;
  options?: number[];
}

function opt({ owner = [0], size = 1232, version = 0, flags = 0, options = [] }: OptParts = {}): number[] {
  return [
    ...owner,
    ...[0, 41, size >> 8, size & 255, 0, version, flags >> 8, flags & 255, options.length >> 8, options.length & 255],
    ...options,
  ];
}

const A_RECORD = [...toWireName('x'), 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4];

/** Reads records that stand behind three other octets. */
function read(records: readonly number[][], additionals = records.length): EdnsView | null {
  const bytes = Uint8Array.from([7, 7, 7, ...records.flat()]);
  const view = new EdnsView();
  return view.read(bytes, 3, bytes.length, records.length, additionals) ? view : null;
}

describe('EdnsView.read', () => {
  it('finds no OPT where there is none', () => {
    expect(read([])).toMatchObject({ present: false, version: 0, payloadBytes: 512, dnssecOk: false });
    expect(read([A_RECORD, A_RECORD])).toMatchObject({ present: false });
  });

  it('reads size, version and DO', () => {
    const view = read([opt({ size: 4096, version: 3, flags: 0x8000 })]);
    expect(view).toMatchObject({ present: true, payloadBytes: 4096, version: 3, dnssecOk: true });
  });

  it('takes DO from its own bit alone', () => {
    expect(read([opt({ flags: 0x7fff })])).toMatchObject({ present: true, dnssecOk: false });
  });

  it.each([
    [0, 512],
    [511, 512],
    [512, 512],
    [513, 513],
    [65_535, 65_535],
  ])('takes a payload size of %d as %d (RFC 6891 s6.2.3)', (size, expected) => {
    expect(read([opt({ size })])?.payloadBytes).toBe(expected);
  });

  it.each([
    ['in front of other records', [opt(), A_RECORD]],
    ['behind other records', [A_RECORD, opt()]],
    ['behind a record with a compressed owner', [[0xc0, 12, ...A_RECORD.slice(3)], opt()]],
    ['with options', [opt({ options: [0, 10, 0, 2, 9, 9, 0, 3, 0, 0] })]],
  ])('finds an OPT %s', (_, records) => {
    expect(read(records)).toMatchObject({ present: true, payloadBytes: 1232 });
  });

  it('does not take an OPT outside the additional section for one', () => {
    expect(read([opt(), A_RECORD], 1)).toMatchObject({ present: false });
  });

  it.each([
    ['two OPTs', [opt(), opt()]],
    ['an owner other than the root', [opt({ owner: [1, 0x61, 0] })]],
    ['a pointer as the owner', [opt({ owner: [0xc0, 3] })]],
    ['an option that overruns', [opt({ options: [0, 10, 0, 3, 9, 9] })]],
    ['an option header that overruns', [opt({ options: [0, 10, 0] })]],
    ['octets behind the last option', [opt({ options: [0, 10, 0, 0, 9] })]],
    ['RDATA that overruns', [[...toWireName('x'), 0, 1, 0, 1, 0, 0, 0, 9, 0, 5, 1, 2, 3, 4]]],
    ['a record cut short', [opt().slice(0, -1)]],
    ['an owner that overruns', [[5, 0x61]]],
    ['an owner of a reserved label type', [[0x40, ...A_RECORD]]],
    ['a pointer cut short', [[0xc0]]],
  ])('refuses %s', (_, records) => {
    expect(read(records)).toBeNull();
  });

  it('refuses records that are missing and octets that trail', () => {
    const bytes = Uint8Array.from(opt());
    const view = new EdnsView();
    expect(view.read(bytes, 0, bytes.length, 1, 1)).toBe(true);
    expect(view.read(bytes, 0, bytes.length, 2, 2)).toBe(false);
    expect(view.read(bytes, 0, bytes.length, 0, 0)).toBe(false);
  });

  it('forgets the message before', () => {
    const view = new EdnsView();
    const bytes = Uint8Array.from(opt({ size: 4096, version: 1, flags: 0x8000 }));
    view.read(bytes, 0, bytes.length, 1, 1);
    view.read(bytes, bytes.length, bytes.length, 0, 0);
    expect(view).toMatchObject({ present: false, version: 0, payloadBytes: 512, dnssecOk: false });
  });
});

describe('the client subnet option (RFC 7871 s6)', () => {
  const option = (code: number, data: readonly number[]): number[] => [0, code, 0, data.length, ...data];
  // 192.0.2.0/24.
  const V4 = [0, 1, 24, 0, 192, 0, 2];
  // 2001:db8::/56.
  const V6 = [0, 2, 56, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0];

  it.each([
    ['alone', option(8, V4), 18, V4],
    ['of IPv6', option(8, V6), 18, V6],
    ['behind others', [...option(10, [1, 2, 3]), ...option(8, V4)], 25, V4],
    ['in front of others', [...option(8, V4), ...option(12, [])], 18, V4],
    ['of no address: not to be told of', option(8, [0, 0, 0, 0]), 18, [0, 0, 0, 0]],
  ])('is found %s', (_, options, at, data) => {
    // Behind three other octets, the root and the OPT's fixed fields.
    expect(read([opt({ options })])).toMatchObject({ subnetAt: at, subnetLength: data.length });
  });

  it('is not taken from other options, and forgotten with the message', () => {
    expect(read([opt({ options: option(10, V4) })])).toMatchObject({ subnetAt: 0, subnetLength: 0 });
    const view = new EdnsView();
    const bytes = Uint8Array.from(opt({ options: option(8, V4) }));
    view.read(bytes, 0, bytes.length, 1, 1);
    view.read(bytes, bytes.length, bytes.length, 0, 0);
    expect(view.subnetAt).toBe(0);
  });

  it.each([
    ['without its fields', []],
    ['cut in the fields', [0, 1, 24]],
    ['with too few octets of the address', [0, 1, 24, 0, 192, 0]],
    ['with too many', [0, 1, 24, 0, 192, 0, 2, 0]],
    ['that is longer than an address of its family', [0, 1, 40, 0, 192, 0, 2, 1, 0]],
    ['as long as a message', [0, 1, 24, 0, ...Array<number>(200).fill(1)]],
  ])('%s is none, which is seen, since upstreams would be asked with it', (_, data) => {
    expect(read([opt({ options: option(8, data) })])).toMatchObject({ subnetAt: 0, hasBrokenSubnet: true });
  });
});

describe('writeOption', () => {
  const DATA = Uint8Array.of(1, 2, 3);

  it('adds an option, and another', () => {
    const reply = new Uint8Array(40).fill(0xee);
    const first = writeOption(reply, 2, writeOpt(reply, 2, 0, false), 40, OPTION.clientSubnet, DATA);
    const end = writeOption(reply, 2, first, 40, 10, new Uint8Array(0));
    expect([first, end, reply[end]]).toEqual([2 + 11 + 7, 2 + 11 + 7 + 4, 0xee]);
    expect(Buffer.from(reply.subarray(2, end)).toString('hex')).toBe('00002904d000000000000b00080003010203000a0000');
  });

  it('leaves out what does not fit, to the octet', () => {
    for (const [limit, end] of [
      [18, 18],
      [17, 11],
      [11, 11],
    ] as const) {
      const reply = new Uint8Array(30).fill(0xee);
      expect(writeOption(reply, 0, writeOpt(reply, 0, 0, false), limit, 10, DATA), `limit ${limit}`).toBe(end);
      expect(reply[10], `limit ${limit}`).toBe(end - 11);
      expect(reply[end], `limit ${limit}`).toBe(0xee);
    }
  });

  it('goes together with an extended error, whose text is cut where there is no room', () => {
    const text = new TextEncoder().encode('no upstream');
    const reply = new Uint8Array(60).fill(0xee);
    const option = writeOption(reply, 0, writeOpt(reply, 0, 0, false), 40, OPTION.clientSubnet, DATA);
    const end = writeExtendedError(reply, 0, option, 27, 22, text, text.length);
    expect(end).toBe(27);
    expect(Buffer.from(reply.subarray(9, end)).toString('hex')).toBe('001000080003010203000f000500166e6f20');
    expect(writeExtendedError(reply, 0, option, 23, 22, text, text.length)).toBe(18);
  });
});

describe('writeOpt', () => {
  it.each([
    ['NOERROR', RCODE.NOERROR, false, '00002904d0000000000000'],
    ['NXDOMAIN with DO', RCODE.NXDOMAIN, true, '00002904d0000080000000'],
    ['BADVERS, whose high bits it carries', RCODE.BADVERS, false, '00002904d0010000000000'],
  ])('%s', (_, rcode, dnssecOk, expected) => {
    const reply = new Uint8Array(20).fill(0xee);
    expect(writeOpt(reply, 4, rcode, dnssecOk)).toBe(4 + OPT_BYTES);
    expect(Buffer.from(reply.subarray(4, 15)).toString('hex')).toBe(expected);
    expect(reply[15]).toBe(0xee);
  });

  it('leaves the low bits to the header', () => {
    expect(headerRcode(RCODE.BADVERS)).toBe(0);
    expect(headerRcode(RCODE.REFUSED)).toBe(5);
  });
});
