/**
 * Kept answers are used by a later start, of another cloudmapd perhaps. What that one compiles otherwise it must not take
 * from a file that says the same format.
 */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { FORMAT } from '../../src/publish/answer-frames.ts';
import { Content, putInstance, putNamespace, putService, putTarget } from '../support/content.ts';

/** By format: of what the content below was compiled to when it was raised. */
const DIGESTS: Readonly<Record<number, string>> = {
  1: '35a84819d0d468570783f6bce6573ff6580e09b47ad0d67ffc0feab9a4ff352b',
};

it('another form of compiled answers is another format: raise FORMAT, and note its digest here', () => {
  const content = new Content(
    [
      putNamespace(),
      putNamespace({ id: 'ns-2', name: 'other.internal' }),
      putService({ records: 'A 60, AAAA 30', check: 'custom' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1', ipv6: '2001:db8::1' }),
      putInstance({ id: 'b', ipv4: '10.0.0.2', status: 'UNHEALTHY' }),
      putService({ id: 'srv-2', name: '_db._tcp', records: 'SRV 20', check: 'custom' }),
      putInstance({ serviceId: 'srv-2', id: 'c', ipv4: '10.0.0.3', port: 5432, status: 'UNHEALTHY', lastHealthyAt: 7 }),
      putService({ id: 'srv-3', name: 'alias', policy: 'WEIGHTED' }),
      putInstance({ serviceId: 'srv-3', id: 'd', alias: 'elsewhere.example' }),
      putTarget('elsewhere.example', { ipv4: ['192.0.2.9', '192.0.2.10'] }),
      putService({ id: 'srv-4', name: 'name', records: 'CNAME 60', policy: 'WEIGHTED' }),
      putInstance({ serviceId: 'srv-4', id: 'e', cname: 'www.example.com' }),
      putService({ id: 'srv-5', name: 'large' }),
      ...Array.from({ length: 40 }, (_, i) => putInstance({ serviceId: 'srv-5', id: `l${i}`, ipv4: `10.1.0.${i}` })),
      putService({ id: 'srv-6', name: 'empty' }),
    ],
    { hasPtr: true },
  );
  const delta = (id: string): Uint8Array => {
    content.change(putInstance({ serviceId: 'srv-5', id, ipv4: '10.1.1.1' }));
    return content.delta as Uint8Array;
  };
  // The second one is of single choices.
  const all = Buffer.concat([...content.snapshot(), delta('m'), delta('n')]);
  expect(createHash('sha256').update(all).digest('hex')).toBe(DIGESTS[FORMAT]);
});
