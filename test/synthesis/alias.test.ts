import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/registry/model.ts';
import type { CompileOptions } from '../../src/synthesis/compile-options.ts';
import {
  Content,
  type InstanceSpec,
  putInstance,
  putNamespace,
  putService,
  putTarget,
  type ServiceSpec,
} from '../support/content.ts';

function contentOf(service: ServiceSpec, instances: readonly InstanceSpec[], options: Partial<CompileOptions> = {}) {
  return new Content([putNamespace(), putService(service), ...instances.map(putInstance)], options);
}

/** AWS_ALIAS_DNS_NAME: an alias is as healthy as its target, and falls back as any instance does. */
describe('an alias', () => {
  const A1: InstanceSpec = { id: 'a', ipv4: '10.0.0.1' };
  const LB1: InstanceSpec = { id: 'lb-1', alias: 'One.example.' };
  const LB2: InstanceSpec = { id: 'lb-2', alias: 'two.example' };
  const SICK: InstanceSpec = { ...A1, status: 'UNHEALTHY', lastHealthyAt: 1000 };
  const one = (target: object = {}): Change =>
    putTarget('one.example', { ipv4: ['192.0.2.1', '192.0.2.2'], ...target });
  const two = (target: object = {}): Change => putTarget('two.example', { ipv4: ['192.0.2.9'], ...target });
  const ceased = (lastHealthyAt: number | null) => ({ isHealthy: false, lastHealthyAt });
  const [ONE, TWO, PLAIN] = ['192.0.2.1 192.0.2.2', '192.0.2.9', '10.0.0.1'];

  /** Every choice that DNS answers, its addresses joined. */
  function choicesOf(
    instances: readonly InstanceSpec[],
    targets: readonly Change[],
    { records = 'A 60', options = {} }: { records?: string; options?: Partial<CompileOptions> } = {},
  ): string[] {
    const service = { records, policy: 'WEIGHTED', check: 'custom' } as const;
    const content = contentOf(service, instances, options);
    content.change(...targets);
    const seen = new Set<string>();
    const type = records.split(' ')[0] as string;
    for (let i = 0; i < 50; i++) {
      const answer = content.dig('web.corp.internal', type);
      seen.add(answer.map((record) => record.split(' ').at(-1)).join(' '));
    }
    return [...seen].sort();
  }

  it.each<[string, InstanceSpec[], Change[], string[]]>([
    ['that resolves is healthy, its own status notwithstanding', [{ ...LB1, status: 'UNHEALTHY' }], [one()], [ONE]],
    ['that resolves wins over the last healthy instance', [LB1, SICK], [one()], [ONE]],
    ['that has ceased to resolve gives way to a healthy instance', [LB1, A1], [one(ceased(2000))], [PLAIN]],
    ['that has ceased to resolve gives way to one that does', [LB1, LB2], [one(ceased(2000)), two()], [TWO]],
    ['that ceased last of two is answered', [LB1, LB2], [one(ceased(2000)), two(ceased(2001))], [TWO]],
    ['that ceased last of two is answered (the other)', [LB1, LB2], [one(ceased(2001)), two(ceased(2000))], [ONE]],
    ['ties with another of the same millisecond', [LB1, LB2], [one(ceased(2000)), two(ceased(2000))], [ONE, TWO]],
    ['that ceased after the last instance did', [LB1, SICK], [one(ceased(1001))], [ONE]],
    ['that ceased before the last instance did', [LB1, SICK], [one(ceased(999))], [PLAIN]],
    ['that ceased in the millisecond in which the last instance did', [LB1, SICK], [one(ceased(1000))], [PLAIN, ONE]],
    [
      'is as healthy as its target, when it itself was last healthy notwithstanding',
      [{ ...LB1, lastHealthyAt: 5000, status: 'UNHEALTHY' }, SICK],
      [one(ceased(999))],
      [PLAIN],
    ],
    ['that never resolved has nothing to answer', [LB1, SICK], [putTarget('one.example', ceased(null))], [PLAIN]],
    ['that nobody has asked for yet has nothing to answer', [LB1, SICK], [], [PLAIN]],
    [
      'whose target has no address of the family is none of it',
      [LB1, SICK],
      [one({ ipv4: [], ipv6: ['fd00::1'] })],
      [PLAIN],
    ],
  ])('%s', (_, instances, targets, expected) => {
    expect(choicesOf(instances, targets)).toEqual([...expected].sort());
  });

  it('answers each of its addresses once, however they are written', () => {
    const written = one({ ipv6: ['fd00::1', 'FD00:0:0::1', 'fd00::2'] });
    expect(choicesOf([LB1], [written], { records: 'AAAA 60' })).toEqual(['fd00::1 fd00::2']);
  });

  it('is one of all where the fallback says so', () => {
    const targets = [one(ceased(2000)), two(ceased(2001))];
    const options = { fallback: 'all' } as const;
    expect(choicesOf([LB1, LB2, SICK], targets, { options })).toEqual([ONE, TWO, PLAIN].sort());
  });

  it('is the last healthy one of its family alone', () => {
    const targets = [one({ ...ceased(2000), ipv6: ['fd00::1'] }), two(ceased(2001))];
    expect(choicesOf([LB1, LB2], targets, { records: 'AAAA 60' })).toEqual(['fd00::1']);
    expect(choicesOf([LB1, LB2], targets)).toEqual([TWO]);
  });

  it('that has ceased to resolve is answered on, with the addresses and the TTL that it had', () => {
    const content = contentOf({ records: 'A 60', policy: 'WEIGHTED' }, [LB1]);
    expect(content.dig('web.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    content.change(one({ ttlSeconds: 7 }));
    const answer = ['web.corp.internal. 7 IN A 192.0.2.1', 'web.corp.internal. 7 IN A 192.0.2.2'];
    expect(content.dig('web.corp.internal', 'A')).toEqual(answer);
    content.change(one({ ttlSeconds: 7, ...ceased(2000) }));
    expect(content.dig('web.corp.internal', 'A')).toEqual(answer);
  });

  it('answers all addresses of its target, however many: over TCP, and TC over UDP', () => {
    const ipv4 = Array.from({ length: 300 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
    const content = contentOf({ policy: 'WEIGHTED' }, [LB1]);
    content.change(one({ ipv4 }));
    expect(content.asker.ask('web.corp.internal', 'A', { overTcp: true }).answer).toHaveLength(300);
    expect(content.asker.ask('web.corp.internal', 'A', { edns: 1232 })).toMatchObject({ tc: true, answer: [] });
  });
});
