import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/answers/selection.ts';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import type { Change, Instance } from '../../src/registry/model.ts';
import { choicesIn } from '../support/choices.ts';
import {
  Content,
  dropInstance,
  dropNamespace,
  dropService,
  instanceOf,
  putInstance,
  putNamespace,
  putService,
  putTarget,
} from '../support/content.ts';

const WEB = 'web.corp.internal';

const TYPES = ['A', 'AAAA', 'SRV', 'CNAME'] as const;

/** What the names have that the script below makes. */
function everything(zones: ZoneSet): unknown {
  const names = [WEB, 'corp.internal', ...Array.from({ length: 80 }, (_, i) => i).map((i) => `i${i}.${WEB}`)];
  return names.map((name) => [name, TYPES.map((type) => choicesIn(zones, name, type))]);
}

/** A thread of its own, which is told everything at once. */
function fresh(content: Content): ZoneSet {
  const zones = new ZoneSet();
  for (const part of content.snapshot()) zones.apply(part);
  return zones;
}

function of(count: number, records = 'A 60'): Content {
  const instances = Array.from({ length: count }, (_, i) => putInstance({ id: `i${i}`, ipv4: address(i), port: i }));
  return new Content([putNamespace(), putService({ records }), ...instances]);
}

function address(i: number): string {
  return `10.0.${i >> 8}.${i & 255}`;
}

describe('a change of one instance', () => {
  it.each(['A 60', 'SRV 60'])('of a service of a thousand (%s) is told as one of a few are', (records) => {
    const sizes = [10, 1000].map((count) => {
      const content = of(count, records);
      // The first change of a large service numbers its choices, and tells all of them.
      content.change(putInstance({ id: 'first', ipv4: '10.9.0.1', port: 1 }));
      content.change(putInstance({ id: 'second', ipv4: '10.9.0.2', port: 2 }));
      expect(choicesIn(content.zones, WEB, records.startsWith('A') ? 'A' : 'SRV')).toHaveLength(count + 2);
      return content.delta?.length as number;
    });
    expect(sizes[1]).toBeLessThan(sizes[0] as number);
  });

  it('is answered at once', () => {
    const content = of(40);
    for (let i = 40; i < 60; i++) content.change(putInstance({ id: `i${i}`, ipv4: address(i) }));
    const seen = new Set<string>();
    // Eight of sixty: each of them is bound to come up.
    for (let n = 0; n < 200; n++) for (const line of content.dig(WEB, 'A')) seen.add(line);
    expect(seen.size).toBe(60);
    content.change(dropInstance('i7'), dropInstance('i59'));
    for (let n = 0; n < 200; n++)
      for (const line of content.dig(WEB, 'A')) expect(line).not.toMatch(/10\.0\.0\.(7|59)$/);
  });
});

describe('the choices of a large service', () => {
  it('have an address that two instances share until both are gone', () => {
    const content = of(40);
    content.change(putInstance({ id: 'same', ipv4: address(3) }));
    content.change(putInstance({ id: 'again', ipv4: address(3) }));
    for (const [id, count] of [
      ['i3', 40],
      ['same', 40],
      ['again', 39],
    ] as const) {
      content.change(dropInstance(id));
      expect(choicesIn(content.zones, WEB, 'A')).toHaveLength(count);
    }
  });

  it('are the last healthy ones when none is healthy, and the healthy ones again', () => {
    const content = new Content([putNamespace(), putService({ check: 'custom' })]);
    const put = (i: number, isHealthy: boolean): Change =>
      putInstance({ id: `i${i}`, ipv4: address(i), status: isHealthy ? 'HEALTHY' : 'UNHEALTHY', lastHealthyAt: i });
    content.change(...Array.from({ length: 40 }, (_, i) => put(i, true)));
    for (let i = 0; i < 40; i++) content.change(put(i, false));
    expect(content.dig(WEB, 'A')).toEqual([`${WEB}. 60 IN A 10.0.0.39`]);
    content.change(put(5, true));
    expect(content.dig(WEB, 'A')).toEqual([`${WEB}. 60 IN A 10.0.0.5`]);
    content.change(put(6, true));
    expect(content.dig(WEB, 'A')).toHaveLength(2);
  });

  it.each([
    ['loses a type', 'A 60, AAAA 60', 'AAAA 60'],
    ['has its types in another order', 'A 60, AAAA 60', 'AAAA 60, A 60'],
    ['gets another TTL', 'A 60, AAAA 60', 'A 5, AAAA 60'],
    ['loses the type whose targets have names', 'A 60, SRV 60', 'A 60'],
    ['leaves DNS', 'SRV 60', null],
  ])('follow a service that %s while instances come and go', (_, before, after) => {
    const instances = Array.from({ length: 40 }, (_, i) =>
      putInstance({ id: `i${i}`, ipv4: address(i), port: i, ...(i < 5 ? { ipv6: `2001:db8::${i}` } : {}) }),
    );
    const content = new Content([putNamespace(), putService({ records: before }), ...instances]);
    // From here on they are numbered.
    content.change(putInstance({ id: 'first', ipv4: '10.9.0.1', port: 1 }));
    const come = [60, 61].map((i) => putInstance({ id: `i${i}`, ipv4: address(i), port: i, ipv6: `2001:db8::${i}` }));
    content.change(dropInstance('i3'), ...come, putService({ records: after }), dropInstance('i20'));
    const names = [WEB, ...[2, 3, 20, 60, 61].map((i) => `i${i}.${WEB}`)];
    const all = (zones: ZoneSet) => names.map((name) => [name, TYPES.map((type) => choicesIn(zones, name, type))]);
    expect(all(content.zones)).toEqual(all(fresh(content)));
    content.change(dropInstance('i4'), putInstance({ id: 'last', ipv4: '10.9.0.2', port: 2 }));
    expect(all(content.zones)).toEqual(all(fresh(content)));
  });

  it.each(['before', 'behind'])('reach a thread whose snapshot is made while they change, %s many others', (where) => {
    const others = [putNamespace({ id: 'ns-2', name: 'many.internal' })];
    for (let n = 0; n < 5000; n++) {
      const [id, name] = [`srv-many-${n}`, `s${n}`];
      others.push(
        putService({ id, namespaceId: 'ns-2', name }),
        putInstance({ serviceId: id, id: 'i', ipv4: '10.1.1.1' }),
      );
    }
    const own = [putNamespace(), putService()];
    for (let i = 0; i < 400; i++) own.push(putInstance({ id: `i${i}`, ipv4: address(i) }));
    const content = new Content(where === 'before' ? [...own, ...others] : [...others, ...own]);
    const other = new ZoneSet();
    let parts = 0;
    for (const part of content.snapshot()) {
      other.apply(part);
      parts++;
      for (const change of [putInstance({ id: `new-${parts}`, ipv4: `10.7.0.${parts}` }), dropInstance(`i${parts}`)]) {
        content.change(change);
        other.apply(content.delta as Uint8Array);
      }
    }
    expect(parts).toBeGreaterThan(3);
    expect(choicesIn(other, WEB, 'A')).toEqual(choicesIn(content.zones, WEB, 'A'));
    expect(choicesIn(other, WEB, 'A')).toHaveLength(400);
  });

  it.each([1, 2, 3, 4, 5, 6])('are what a new thread is told, over 150 random batches (seed %d)', (seed) => {
    const random = createRandom(seed);
    const content = new Content([putNamespace(), ...serviceOf(random)]);
    content.change(...Array.from({ length: 40 }, (_, i) => putInstance(instance(random, i))));
    let tabled = 0;
    for (let batch = 0; batch < 150; batch++) {
      content.change(...Array.from({ length: 1 + random(4) }, () => someChange(content, random)).flat());
      const other = fresh(content);
      expect(everything(content.zones), `seed ${seed}, batch ${batch}`).toEqual(everything(other));
      // Told anew, by somebody who numbers nothing.
      const { state } = content;
      const again = new Content([
        ...[...state.namespaces()].map((value): Change => ({ kind: 'namespace', id: value.id, value })),
        ...[...state.services()].map((value): Change => ({ kind: 'service', id: value.id, value })),
        ...[...state.instancesOf('srv-1').values()].map(
          (value): Change => ({ kind: 'instance', serviceId: 'srv-1', id: value.id, value }),
        ),
        putTarget('elsewhere.example', { ipv4: ['192.0.2.9'] }),
      ]);
      expect(everything(content.zones), `seed ${seed}, batch ${batch}, anew`).toEqual(everything(again.zones));
      if (content.delta !== null && content.delta.length < 1000) tabled++;
    }
    // Else nothing was numbered, most of the time.
    expect(tabled).toBeGreaterThan(20);
  });
});

function serviceOf(random: Random): Change[] {
  const records = ['A 60', 'A 60, AAAA 30', 'SRV 20', 'A 5'][random(4)] as string;
  const check = (['none', 'custom'] as const)[random(2)] as 'none' | 'custom';
  const name = random(6) === 0 ? '.' : 'web';
  return [putService({ records, check, name, policy: random(2) === 0 ? 'WEIGHTED' : 'MULTIVALUE' })];
}

function instance(random: Random, i: number, isAlias = false) {
  return {
    id: `i${i}`,
    ...(isAlias
      ? { alias: 'elsewhere.example' }
      : // Few enough that some are the same.
        {
          ipv4: address(random(200)),
          port: random(3),
          ...(random(2) === 0 ? { ipv6: `2001:db8::${random(9)}` } : {}),
        }),
    status: (random(8) === 0 ? 'UNHEALTHY' : 'HEALTHY') as 'UNHEALTHY' | 'HEALTHY',
    lastHealthyAt: random(3) === 0 ? null : random(5),
  };
}

function someChange(content: Content, random: Random): Change[] {
  const { state } = content;
  const ids = [...state.instancesOf('srv-1').keys()];
  const dice = random(100);
  if (state.service('srv-1') === undefined) {
    const namespace = state.namespace('ns-1') === undefined ? [putNamespace()] : [];
    return [...namespace, ...serviceOf(random)];
  }
  if (dice === 0) return [...ids.map((id) => dropInstance(id)), dropService('srv-1'), dropNamespace('ns-1')];
  if (dice < 4)
    return [...serviceOf(random), ...(ids.length > 0 ? [dropInstance(ids[random(ids.length)] as string)] : [])];
  if (dice === 2)
    return [putTarget('elsewhere.example', { ipv4: ['192.0.2.9'] }), putInstance(instance(random, 99, true))];
  if (dice < 10) return [dropInstance('i99')];
  if (dice < 13) return ids.map((id) => flipped(state.instance('srv-1', id) as Instance, dice === 12));
  if (dice < 40 && ids.length > 0) return [dropInstance(ids[random(ids.length)] as string)];
  if (dice < 60 && ids.length > 0)
    return [flipped(state.instance('srv-1', ids[random(ids.length)] as string) as Instance, random(3) > 0)];
  return [putInstance(instance(random, random(80)))];
}

function flipped(value: Instance, isHealthy: boolean): Change {
  const { health } = instanceOf({ id: value.id, status: isHealthy ? 'HEALTHY' : 'UNHEALTHY', lastHealthyAt: 3 });
  return { kind: 'instance', serviceId: value.serviceId, id: value.id, value: { ...value, health } };
}
