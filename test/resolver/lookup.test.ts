import { afterEach, expect, it } from 'vitest';
import { putAliasTarget } from '../../src/registry/alias-targets.ts';
import { createLookup } from '../../src/resolver/lookup.ts';
import { decodeMessage, TYPE_CODES } from '../../src/wire/codec.ts';
import { Content, putInstance, putNamespace, putService } from '../support/content.ts';
import { FakeUpstream, replyTo } from '../support/fake-upstream.ts';
import { closeResolvers, makeResolver } from '../support/resolving.ts';

let upstream: FakeUpstream | undefined;
afterEach(async () => {
  closeResolvers();
  await upstream?.close();
  upstream = undefined;
});

/** Answers A with 192.0.2.1, and AAAA with this RCODE. */
async function lookUp(rcodeOfAaaa: number) {
  upstream = await FakeUpstream.open((query) => {
    const isA = decodeMessage(query).questions[0]?.type === TYPE_CODES.A;
    const reply = replyTo(query, { records: isA ? 1 : 0 });
    if (!isA) reply[3] = (reply[3] as number) | rcodeOfAaaa;
    return [reply];
  });
  return createLookup(makeResolver([{ address: '127.0.0.1', port: upstream.port }]))('lb.example');
}

it.each([
  ['NODATA', 0, []],
  ['NXDOMAIN', 3, []],
  // Nobody could say: what was known before stays.
  ['SERVFAIL', 2, null],
  ['REFUSED', 5, null],
])('the other family answered with %s', async (_, rcode, ipv6) => {
  expect(await lookUp(rcode)).toEqual({ ipv4: ['192.0.0.1'], ipv6, ttlSeconds: 9 });
});

it('a family that nobody could tell of keeps the addresses that it had', () => {
  const alias = putInstance({ id: 'lb' }) as { kind: 'instance'; value: { attributes: object } };
  const value = { ...alias.value, attributes: { AWS_ALIAS_DNS_NAME: 'lb.example' } };
  const content = new Content([
    putNamespace(),
    putService({ policy: 'WEIGHTED', records: 'A 60, AAAA 60' }),
    { ...alias, value } as never,
  ]);
  const put = (ipv6: string[] | null): void => {
    const { changes } = putAliasTarget(content.state, 'lb.example', { ipv4: ['192.0.2.1'], ipv6, ttlSeconds: 30 }, 1);
    content.change(...changes);
  };
  put(['2001:db8::1']);
  const six = ['web.corp.internal. 30 IN AAAA 2001:db8:0:0:0:0:0:1'];
  expect(content.dig('web.corp.internal', 'AAAA').map((line) => line.replace('::', ':0:0:0:0:0:'))).toEqual(six);
  put(null);
  expect(content.dig('web.corp.internal', 'AAAA').map((line) => line.replace('::', ':0:0:0:0:0:'))).toEqual(six);
  put([]);
  expect(content.dig('web.corp.internal', 'AAAA')).toEqual(['NODATA']);
});
