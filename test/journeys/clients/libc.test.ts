/** getaddrinfo and res_search of glibc and musl, in one small C program, with the resolv.conf that they read. */
import { beforeEach, describe, expect, it } from 'vitest';
import { requireTool } from '../../support/journey-tools.ts';
import { requireNamespace, shareNamespacedDaemon } from '../../support/network-namespace.ts';
import {
  BIG_SRV,
  BIG_SRV_RECORDS,
  CASES,
  CHAIN,
  CHAIN_ADDRESSES,
  EIGHT_ADDRESSES,
  type Outcome,
  registerContent,
} from './content.ts';
import { shareProgram, sourceFile } from './programs.ts';

type Family = 'inet' | 'inet6' | 'unspec';

const shared = shareNamespacedDaemon(registerContent);

class Lookup {
  readonly #program: () => string;

  constructor(program: () => string) {
    this.#program = program;
  }

  /** getaddrinfo. @returns the addresses in order and the canonical name, or the error's name */
  async addresses(name: string, family: Family, options: readonly string[] = []): Promise<object | string> {
    const [first = '', ...addresses] = await this.#run(['addresses', name, family], options);
    if (!first.startsWith('canonical ')) return first;
    return { canonical: first.slice('canonical '.length), addresses: addresses.sort() };
  }

  /** res_search. */
  async records(name: string, type: string): Promise<Outcome> {
    const lines = await this.#run(['records', name, type]);
    const last = lines.at(-1);
    if (last === 'NODATA' || last === 'NXDOMAIN') return last;
    // Owner, TTL and type stand in front; what a CNAME leads to is of another type than it.
    const records = lines.map((line) => line.split(' ')).filter((fields) => fields[2] === type);
    return records.map((fields) => fields.slice(3).join(' ')).sort();
  }

  async #run(args: readonly string[], options?: readonly string[]): Promise<string[]> {
    const { code, stdout, stderr } = await shared().namespace.run(this.#program(), args, options);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return stdout.trimEnd().split('\n');
  }
}

const COMPILERS = { glibc: 'gcc', musl: 'musl-gcc' } as const;
type Libc = keyof typeof COMPILERS;

/** Call in a `describe`, whose tests are skipped, or fail under CI, where compiler or namespace are missing. */
function shareLookup(libc: Libc): Lookup {
  const flags = libc === 'musl' ? ['-static'] : [];
  const sources = [sourceFile('lookup.c'), '-lresolv'];
  const lookup = new Lookup(shareProgram(COMPILERS[libc], (output) => [...flags, '-O1', '-o', output, ...sources]));
  beforeEach((context) => {
    requireTool(context, COMPILERS[libc]);
    requireNamespace(context);
  });
  return lookup;
}

/** musl had no code for it until 1.2.4. */
const NO_DATA = {
  glibc: expect.stringMatching(/^EAI_(NODATA|ADDRFAMILY)$/),
  musl: expect.stringMatching(/^EAI_(NODATA|NONAME)$/),
};

describe.each(['glibc', 'musl'] as const)('%s', (libc) => {
  const lookup = shareLookup(libc);

  it.each(CASES)('has of %s %s what there is', async (name, type, outcome) => {
    expect(await lookup.records(name, type)).toEqual(outcome);
  });

  it('has the addresses of one family', async () => {
    expect(await lookup.addresses('eight.corp.internal', 'inet')).toEqual({
      canonical: 'eight.corp.internal',
      addresses: EIGHT_ADDRESSES,
    });
    expect(await lookup.addresses('dual.corp.internal', 'inet')).toMatchObject({
      addresses: ['10.0.2.1', '10.0.2.2'],
    });
    expect(await lookup.addresses('dual.corp.internal', 'inet6')).toMatchObject({
      addresses: ['fd00::2:1', 'fd00::2:2'],
    });
  });

  // Both types are asked at once; NXDOMAIN to one of them would hide what the other has.
  it.each([
    ['web.corp.internal', ['10.0.0.7']],
    ['six.corp.internal', ['fd00::6']],
    ['dual.corp.internal', ['10.0.2.1', '10.0.2.2', 'fd00::2:1', 'fd00::2:2']],
    ['db-1._db._tcp.corp.internal', ['10.0.4.1', 'fd00::4:1']],
    ['sick.corp.internal', ['10.0.5.2']],
  ])('has what there is of both families at %s', async (name, addresses) => {
    expect(await lookup.addresses(name, 'unspec')).toEqual({ canonical: name, addresses });
  });

  it('follows a CNAME, its target being the canonical name', async () => {
    for (const family of ['inet', 'unspec'] as const) {
      expect(await lookup.addresses('shop.corp.internal', family)).toEqual({
        canonical: 'web.corp.internal',
        addresses: ['10.0.0.7'],
      });
    }
    expect(await lookup.addresses('shop.corp.internal', 'inet6')).toMatch(/^EAI_(NODATA|NONAME)$/);
    expect(await lookup.addresses('lost.corp.internal', 'unspec')).toBe('EAI_NONAME');
  });

  it('has of a name without such records that it has none, and of no name that there is none', async () => {
    for (const [name, family] of [
      ['web.corp.internal', 'inet6'],
      ['six.corp.internal', 'inet'],
      ['_db._tcp.corp.internal', 'unspec'],
      ['_tcp.corp.internal', 'unspec'],
    ] as const) {
      expect(await lookup.addresses(name, family), name).toEqual(NO_DATA[libc]);
    }
    for (const family of ['inet', 'inet6', 'unspec'] as const) {
      expect(await lookup.addresses('none.corp.internal', family)).toBe('EAI_NONAME');
    }
  });

  it('finds short names by the search list, whatever their case', async () => {
    for (const name of ['web', 'WEB', 'Web.Corp.Internal']) {
      expect(await lookup.addresses(name, 'unspec')).toMatchObject({ addresses: ['10.0.0.7'] });
    }
    expect(await lookup.addresses('db-1._db._tcp', 'inet', ['ndots:3'])).toEqual({
      canonical: 'db-1._db._tcp.corp.internal',
      addresses: ['10.0.4.1'],
    });
  });

  it('follows register and deregister at once', async () => {
    const { api, namespaceId } = shared();
    const name = `live-${libc}.corp.internal`;
    const service = await api.createService(namespaceId, `live-${libc}`);
    expect(await lookup.addresses(name, 'unspec')).toBe('EAI_NONAME');
    await api.register(service, '1', { AWS_INSTANCE_IPV4: '10.0.9.1' });
    await api.register(service, '2', { AWS_INSTANCE_IPV4: '10.0.9.2' });
    expect(await lookup.addresses(name, 'unspec')).toMatchObject({ addresses: ['10.0.9.1', '10.0.9.2'] });
    await api.deregister(service, '1');
    expect(await lookup.addresses(name, 'unspec')).toMatchObject({ addresses: ['10.0.9.2'] });
    await api.deregister(service, '2');
    expect(await lookup.addresses(name, 'unspec')).toBe('EAI_NONAME');
  });
});

// musl knows none of these.
describe('glibc with the option', () => {
  const lookup = shareLookup('glibc');

  it.each([
    [[]],
    [['edns0']],
    [['trust-ad', 'edns0']],
    [['single-request']],
    [['single-request-reopen']],
    [['use-vc']],
    [['use-vc', 'edns0']],
    [['use-vc', 'single-request']],
    [['no-tld-query']],
  ])('%j resolves the same', async (options) => {
    expect(await lookup.addresses('dual', 'unspec', options)).toEqual({
      canonical: 'dual.corp.internal',
      addresses: ['10.0.2.1', '10.0.2.2', 'fd00::2:1', 'fd00::2:2'],
    });
    expect(await lookup.addresses('shop', 'unspec', options)).toMatchObject({ addresses: ['10.0.0.7'] });
    expect(await lookup.addresses('web', 'inet6', options)).toEqual(NO_DATA.glibc);
    expect(await lookup.addresses('none.corp.internal', 'unspec', options)).toBe('EAI_NONAME');
    // Beyond 512 octets: by TCP without EDNS, both types on one connection; by UDP with it.
    expect(await lookup.addresses(CHAIN, 'unspec', options)).toEqual({
      canonical: 'end.corp.internal',
      addresses: [...CHAIN_ADDRESSES.A, ...CHAIN_ADDRESSES.AAAA],
    });
  });

  it('none has SRV records beyond 1232 octets', async () => {
    expect(await lookup.records(BIG_SRV, 'SRV')).toEqual(BIG_SRV_RECORDS);
  });
});
