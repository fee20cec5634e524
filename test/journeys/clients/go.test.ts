/** Go's own resolver, as every Go program without cgo has it. */
import { beforeEach, expect, it } from 'vitest';
import { requireTool } from '../../support/journey-tools.ts';
import { requireNamespace, shareNamespacedDaemon } from '../../support/network-namespace.ts';
import {
  BIG_SRV,
  BIG_SRV_RECORDS,
  CASES,
  CHAIN,
  CHAIN_ADDRESSES,
  EIGHT_ADDRESSES,
  registerContent,
} from './content.ts';
import { goEnv, shareProgram, sourceFile } from './programs.ts';

const shared = shareNamespacedDaemon(registerContent);
const program = shareProgram('go', (output) => ['build', '-o', output, sourceFile('lookup.go')], goEnv);

beforeEach((context) => {
  requireTool(context, 'go');
  requireNamespace(context);
});

/** The lines that the program prints, in order. */
async function lookup(name: string, kind: string, options: readonly string[] = []): Promise<string[]> {
  const { code, stdout, stderr } = await shared().namespace.run(program(), [name, kind], options);
  expect({ name, kind, code, stderr }).toEqual({ name, kind, code: 0, stderr: '' });
  return stdout.trimEnd().split('\n').sort();
}

const NOT_FOUND = ['not found'];

it.each(CASES)('has of %s %s what there is', async (name, type, outcome) => {
  // It does not tell NODATA and NXDOMAIN apart; anything else than these would be another error.
  expect(await lookup(name, type)).toEqual(typeof outcome === 'string' ? NOT_FOUND : outcome);
});

// Both types are asked at once.
it.each([
  ['web', ['10.0.0.7']],
  ['WEB.Corp.Internal', ['10.0.0.7']],
  ['eight', EIGHT_ADDRESSES],
  ['six.corp.internal', ['fd00::6']],
  ['dual', ['10.0.2.1', '10.0.2.2', 'fd00::2:1', 'fd00::2:2']],
  ['db-1._db._tcp.corp.internal', ['10.0.4.1', 'fd00::4:1']],
  ['shop', ['10.0.0.7']],
  ['lost.corp.internal', NOT_FOUND],
  ['_tcp.corp.internal', NOT_FOUND],
  ['none.corp.internal', NOT_FOUND],
])('has what there is of both families at %s', async (name, addresses) => {
  expect(await lookup(name, 'both')).toEqual(addresses);
});

it('has the end of a chain of CNAMEs as the canonical name', async () => {
  expect(await lookup('shop', 'CNAME')).toEqual(['web.corp.internal.']);
  expect(await lookup(CHAIN, 'CNAME')).toEqual(['end.corp.internal.']);
  expect(await lookup('web.corp.internal', 'CNAME')).toEqual(['web.corp.internal.']);
});

it.each([[[]], [['use-vc']], [['single-request']], [['ndots:5']], [['trust-ad']]])(
  'resolves the same with the options %j, also beyond 512 octets',
  async (options) => {
    expect(await lookup('dual', 'both', options)).toEqual(['10.0.2.1', '10.0.2.2', 'fd00::2:1', 'fd00::2:2']);
    expect(await lookup('none.corp.internal', 'both', options)).toEqual(NOT_FOUND);
    expect(await lookup(CHAIN, 'both', options)).toEqual([...CHAIN_ADDRESSES.A, ...CHAIN_ADDRESSES.AAAA]);
    expect(await lookup(BIG_SRV, 'SRV', options)).toEqual(BIG_SRV_RECORDS);
  },
);

it('follows register and deregister at once', async () => {
  const { api, namespaceId } = shared();
  const service = await api.createService(namespaceId, '_live._tcp', { records: [['SRV', 60]] });
  const name = '_live._tcp.corp.internal';
  expect(await lookup(name, 'SRV')).toEqual(NOT_FOUND);
  await api.register(service, 'a', { AWS_INSTANCE_IPV4: '10.0.9.1', AWS_INSTANCE_PORT: '81' });
  await api.register(service, 'b', { AWS_INSTANCE_IPV4: '10.0.9.2', AWS_INSTANCE_PORT: '82' });
  expect(await lookup(name, 'SRV')).toEqual([`1 1 81 a.${name}.`, `1 1 82 b.${name}.`]);
  await api.deregister(service, 'a');
  expect(await lookup(name, 'SRV')).toEqual([`1 1 82 b.${name}.`]);
  await api.deregister(service, 'b');
  expect(await lookup(name, 'SRV')).toEqual(NOT_FOUND);
});
