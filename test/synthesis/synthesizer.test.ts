import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { Draft } from '../../src/registry/draft.ts';
import type { Change, Namespace, Service } from '../../src/registry/model.ts';
import { Synthesizer } from '../../src/synthesis/synthesizer.ts';
import {
  COMPILE_OPTIONS,
  Content,
  dropInstance,
  dropNamespace,
  dropService,
  putInstance,
  putNamespace,
  putService,
} from '../support/content.ts';

const A1 = 'web.corp.internal. 60 IN A 10.0.0.1';
const A2 = 'web.corp.internal. 60 IN A 10.0.0.2';

function serial(content: Content, zone = 'corp.internal'): number {
  return Number(content.dig(zone, 'SOA')[0]?.split(' ')[6]);
}

describe('deltas', () => {
  it('bring a zone, a service and an instance, each in its turn', () => {
    const content = new Content();
    expect(content.dig('corp.internal', 'NS')).toEqual(['REFUSED']);
    content.change(putNamespace());
    expect(content.dig('corp.internal', 'NS')).toEqual(['corp.internal. 5 IN NS ns.corp.internal.']);
    content.change(putService());
    expect(content.dig('web.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1' }));
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1]);
  });

  it('bring all of them in one batch, in any order of the instance and its service', () => {
    const content = new Content();
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1' }), putService(), putNamespace());
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1]);
  });

  it('take the name away with the last instance', () => {
    const content = new Content([
      putNamespace(),
      putService(),
      putInstance({ id: 'a', ipv4: '10.0.0.1' }),
      putInstance({ id: 'b', ipv4: '10.0.0.2' }),
    ]);
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1, A2]);
    content.change(dropInstance('a'));
    expect(content.dig('web.corp.internal', 'A')).toEqual([A2]);
    content.change(dropInstance('b'));
    expect(content.dig('web.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  });

  it('take SRV targets and the empty name above them away', () => {
    const content = new Content([
      putNamespace(),
      putService({ name: '_x._tcp', records: 'SRV 60' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1', port: 80 }),
    ]);
    expect(content.dig('a._x._tcp.corp.internal', 'A')).toEqual(['a._x._tcp.corp.internal. 60 IN A 10.0.0.1']);
    content.change(dropInstance('a'));
    for (const name of ['a._x._tcp.corp.internal', '_x._tcp.corp.internal', '_tcp.corp.internal'])
      expect(content.dig(name, 'A')).toEqual(['NXDOMAIN']);
  });

  it('take SRV targets away where instance and service go in one batch, in either order', () => {
    for (const batch of [
      [dropInstance('a'), dropService('srv-1')],
      [dropService('srv-1'), dropInstance('a')],
    ]) {
      const content = new Content([
        putNamespace(),
        putService({ records: 'SRV 60' }),
        putInstance({ id: 'a', ipv4: '10.0.0.1', port: 80 }),
      ]);
      content.change(...batch);
      expect(content.dig('web.corp.internal', 'SRV')).toEqual(['NXDOMAIN']);
      expect(content.dig('a.web.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    }
  });

  it('follow an instance that is registered anew with other attributes', () => {
    const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })]);
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.2' }));
    expect(content.dig('web.corp.internal', 'A')).toEqual([A2]);
  });

  it('follow health', () => {
    const sick = { status: 'UNHEALTHY', lastHealthyAt: 1000 } as const;
    const content = new Content([
      putNamespace(),
      putService({ check: 'custom' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1' }),
      putInstance({ id: 'b', ipv4: '10.0.0.2' }),
    ]);
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1', ...sick }));
    expect(content.dig('web.corp.internal', 'A')).toEqual([A2]);
    content.change(putInstance({ id: 'b', ipv4: '10.0.0.2', ...sick, lastHealthyAt: 2000 }));
    expect(content.dig('web.corp.internal', 'A')).toEqual([A2]);
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1', lastHealthyAt: 1000 }));
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1]);
  });

  it('follow a service whose TTL changes or that loses a record type', () => {
    const content = new Content([
      putNamespace(),
      putService({ records: 'A 60, AAAA 60' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1', ipv6: '2001:db8::1' }),
    ]);
    content.change(putService({ records: 'A 7' }));
    expect(content.dig('web.corp.internal', 'A')).toEqual(['web.corp.internal. 7 IN A 10.0.0.1']);
    expect(content.dig('web.corp.internal', 'AAAA')).toEqual(['NODATA']);
  });

  it('follow an SRV TTL to the targets', () => {
    const content = new Content([
      putNamespace(),
      putService({ records: 'SRV 60' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1', port: 80 }),
    ]);
    content.change(putService({ records: 'SRV 9' }));
    expect(content.dig('a.web.corp.internal', 'A')).toEqual(['a.web.corp.internal. 9 IN A 10.0.0.1']);
  });

  it('give the name server its name back when a service named ns goes', () => {
    const content = new Content([
      putNamespace(),
      putService({ name: 'ns' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1' }),
    ]);
    expect(content.dig('ns.corp.internal', 'A')).toEqual(['ns.corp.internal. 60 IN A 10.0.0.1']);
    content.change(dropInstance('a'), dropService('srv-1'));
    expect(content.dig('ns.corp.internal', 'A')).toEqual(['ns.corp.internal. 5 IN A 127.0.0.1']);
  });

  it('say nothing of operations, revisions, HTTP namespaces and services without DNS', () => {
    const content = new Content([putNamespace()]);
    expect(content.change({ kind: 'revision', id: 'srv-1', value: 7 })).toBe(false);
    expect(content.change(putNamespace({ id: 'ns-2', name: 'http', type: 'HTTP' }))).toBe(false);
    expect(content.change(putService({ id: 'srv-2', namespaceId: 'ns-2', records: null }))).toBe(false);
    expect(content.change(putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.1' }))).toBe(false);
    expect(content.change(putService({ id: 'srv-3', records: null }))).toBe(false);
    expect(content.change(putService({ id: 'srv-4' }))).toBe(true);
  });

  it('take a zone away, and bring it back without what it had', () => {
    const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })]);
    content.change(dropInstance('a'), dropService('srv-1'), dropNamespace('ns-1'));
    expect(content.dig('web.corp.internal', 'A')).toEqual(['REFUSED']);
    content.change(putNamespace({ id: 'ns-9' }));
    expect(content.dig('web.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  });

  it('follow a namespace whose SOA TTL changes, and keep what it holds', () => {
    const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })]);
    content.change(putNamespace({ soaTtlSeconds: 77 }));
    expect(content.dig('corp.internal', 'SOA')[0]).toMatch(/^corp\.internal\. 77 IN SOA .* 77$/);
    expect(content.dig('corp.internal', 'NS')).toEqual(['corp.internal. 77 IN NS ns.corp.internal.']);
    expect(content.dig('ns.corp.internal', 'A')).toEqual(['ns.corp.internal. 77 IN A 127.0.0.1']);
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1]);
  });

  it('follow a changed SOA TTL where the zone is too long for a name server of its own', () => {
    const name = `${'l'.repeat(62)}.`.repeat(4).slice(0, -1);
    const content = new Content([putNamespace({ name })]);
    content.change(putNamespace({ name, soaTtlSeconds: 77 }));
    expect(content.asker.ask(name, 'SOA', { overTcp: true }).answer[0]).toMatch(/ 77 IN SOA /);
  });

  it('say nothing of a namespace whose SOA TTL stays, nor of tags and attributes of a service', () => {
    const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })]);
    const namespace = content.state.namespace('ns-1') as Namespace;
    const service = content.state.service('srv-1') as Service;
    const before = serial(content);
    const tags = { t: '1' };
    expect(content.change({ kind: 'namespace', id: 'ns-1', value: { ...namespace, description: 'x', tags } })).toBe(
      false,
    );
    expect(content.change({ kind: 'service', id: 'srv-1', value: { ...service, attributes: { a: 'b' }, tags } })).toBe(
      false,
    );
    expect(serial(content)).toBe(before);
  });

  it('follow a check that a service gets or loses', () => {
    const content = new Content([
      putNamespace(),
      putService(),
      putInstance({ id: 'a', ipv4: '10.0.0.1' }),
      putInstance({ id: 'b', ipv4: '10.0.0.2', status: 'UNHEALTHY' }),
    ]);
    const service = content.state.service('srv-1') as Service;
    const put = (healthCheck: Service['healthCheck']) =>
      content.change({ kind: 'service', id: 'srv-1', value: { ...service, healthCheck } });
    put({ type: 'TCP', path: null, failureThreshold: null });
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1]);
    put(null);
    expect(content.dig('web.corp.internal', 'A')).toEqual([A1, A2]);
  });

  it.each([
    ['loses its DNS before the instance goes', [putService({ records: null }), dropInstance('a')]],
    ['loses its DNS after the instance has gone', [dropInstance('a'), putService({ records: null })]],
    ['loses its DNS, its instance, and goes', [putService({ records: null }), dropInstance('a'), dropService('srv-1')]],
  ])('take SRV targets away where in one batch the service %s', (_, changes) => {
    const content = new Content([
      putNamespace(),
      putService({ records: 'SRV 60' }),
      putInstance({ id: 'a', ipv4: '10.0.0.1', port: 80 }),
    ]);
    expect(content.dig('a.web.corp.internal', 'A')).toHaveLength(1);
    content.change(...changes);
    expect(content.dig('a.web.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    expect(content.dig('web.corp.internal', 'SRV')).toEqual(['NXDOMAIN']);
  });
});

describe('the serial', () => {
  it('grows with every change, also where the clock stands still or goes back', () => {
    const content = new Content([putNamespace(), putService()]);
    const seen = [serial(content)];
    for (let i = 0; i < 5; i++) {
      if (i === 3) content.now -= 3_600_000;
      content.change(putInstance({ id: 'a', ipv4: `10.0.0.${i}` }));
      seen.push(serial(content));
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBe(6);
  });

  it('is the time in seconds where changes are slower', () => {
    const content = new Content([putNamespace(), putService()]);
    content.now += 100_000;
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.1' }));
    expect(serial(content)).toBe(Math.floor(content.now / 1000));
  });

  it('does not go back when a zone is deleted and made again', () => {
    const content = new Content([putNamespace()]);
    for (let i = 0; i < 5; i++) content.change(putService({ id: `srv-${i}`, name: `s${i}` }));
    const before = serial(content);
    content.change(...[0, 1, 2, 3, 4].map((i) => dropService(`srv-${i}`)), dropNamespace('ns-1'));
    content.change(putNamespace({ id: 'ns-2' }));
    expect(serial(content)).toBeGreaterThan(before);
  });

  it('of a zone stays when another zone changes', () => {
    const content = new Content([putNamespace(), putNamespace({ id: 'ns-2', name: 'other.internal' })]);
    const before = serial(content);
    content.change(putService({ namespaceId: 'ns-2' }));
    expect(serial(content)).toBe(before);
    expect(serial(content, 'other.internal')).toBeGreaterThan(before);
  });
});

describe('two DNS namespaces of one name', () => {
  const OLD = putNamespace({ id: 'ns-old', name: 'corp.internal', createdAt: 10 });
  const YOUNG = putNamespace({ id: 'ns-young', name: 'Corp.Internal', type: 'DNS_PUBLIC', createdAt: 20 });
  const FILL = [
    putService({ id: 'srv-old', namespaceId: 'ns-old', name: 'old' }),
    putInstance({ serviceId: 'srv-old', id: 'a', ipv4: '10.0.0.1' }),
    putService({ id: 'srv-young', namespaceId: 'ns-young', name: 'young' }),
    putInstance({ serviceId: 'srv-young', id: 'a', ipv4: '10.0.0.2' }),
  ];
  const CLEAR_OLD = [dropInstance('a', 'srv-old'), dropService('srv-old'), dropNamespace('ns-old')];

  function expectOldOwns(content: Content): void {
    expect(content.dig('old.corp.internal', 'A')).toEqual(['old.corp.internal. 60 IN A 10.0.0.1']);
    expect(content.dig('young.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  }

  it('share nothing: the oldest owns the zone, in a snapshot', () => {
    expectOldOwns(new Content([YOUNG, OLD, ...FILL]));
  });

  it.each([
    ['the older one comes first', [OLD, YOUNG, ...FILL]],
    ['the older one comes last', [YOUNG, OLD, ...FILL]],
    ['the older one comes when the younger one is filled', [YOUNG, ...FILL.slice(2), OLD, ...FILL.slice(0, 2)]],
  ])('share nothing: the oldest owns the zone, where %s', (_, changes) => {
    const content = new Content();
    for (const change of changes) content.change(change);
    expectOldOwns(content);
  });

  it('pass the zone on when the owner is deleted', () => {
    const content = new Content([OLD, YOUNG, ...FILL]);
    const before = serial(content);
    content.change(...CLEAR_OLD);
    expect(content.dig('young.corp.internal', 'A')).toEqual(['young.corp.internal. 60 IN A 10.0.0.2']);
    expect(content.dig('old.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    expect(serial(content)).toBeGreaterThan(before);
    content.change(dropInstance('a', 'srv-young'), dropService('srv-young'), dropNamespace('ns-young'));
    expect(content.dig('young.corp.internal', 'A')).toEqual(['REFUSED']);
  });

  it('leave the zone alone when the other one is deleted', () => {
    const content = new Content([OLD, YOUNG, ...FILL]);
    content.change(dropInstance('a', 'srv-young'), dropService('srv-young'), dropNamespace('ns-young'));
    expectOldOwns(content);
  });

  it('say nothing when the other one changes', () => {
    const content = new Content([OLD, YOUNG, ...FILL]);
    expect(content.change(putInstance({ serviceId: 'srv-young', id: 'b', ipv4: '10.0.0.3' }))).toBe(false);
  });

  it('are ordered by id where they are equally old', () => {
    const content = new Content([
      putNamespace({ id: 'ns-b', createdAt: 10 }),
      putNamespace({ id: 'ns-a', createdAt: 10, type: 'DNS_PUBLIC' }),
      putService({ id: 'srv-a', namespaceId: 'ns-a', name: 'a' }),
      putInstance({ serviceId: 'srv-a', id: 'a', ipv4: '10.0.0.1' }),
    ]);
    expect(content.dig('a.corp.internal', 'A')).toEqual(['a.corp.internal. 60 IN A 10.0.0.1']);
  });
});

describe('nested namespaces', () => {
  const NESTED: Change[] = [
    putNamespace({ id: 'ns-1', name: 'corp.internal' }),
    putNamespace({ id: 'ns-2', name: 'dev.corp.internal' }),
    putService({ id: 'srv-1', namespaceId: 'ns-1', name: 'web.dev' }),
    putInstance({ serviceId: 'srv-1', id: 'a', ipv4: '10.0.0.1' }),
    putService({ id: 'srv-2', namespaceId: 'ns-2', name: 'api' }),
    putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.2' }),
  ];

  it('are answered by the longest one', () => {
    const content = new Content(NESTED);
    expect(content.dig('api.dev.corp.internal', 'A')).toEqual(['api.dev.corp.internal. 60 IN A 10.0.0.2']);
    const { rcode, authority } = content.asker.ask('web.dev.corp.internal', 'A');
    expect([rcode, authority[0]?.split(' ')[0]]).toEqual(['NXDOMAIN', 'dev.corp.internal.']);
  });

  it('are uncovered when the inner one goes', () => {
    const content = new Content(NESTED);
    content.change(dropInstance('a', 'srv-2'), dropService('srv-2'), dropNamespace('ns-2'));
    expect(content.dig('web.dev.corp.internal', 'A')).toEqual(['web.dev.corp.internal. 60 IN A 10.0.0.1']);
    expect(content.dig('api.dev.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  });
});

describe('deltas and snapshots agree', () => {
  const ZONES = ['corp.internal', 'dev.corp.internal', 'x.example'];
  const TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'NS', 'SOA'];
  const RECORDS = ['A 60', 'AAAA 60', 'A 60, AAAA 30', 'SRV 60', 'CNAME 60'];
  const LABELS = ['web', 'api', 'ns', 'a', 'i0', 'i1', '_x._tcp', '_tcp', 'dev'];

  /** Changes such as the registry makes: an owner name has one holder, a container empties before it goes. */
  class Script {
    readonly content = new Content();
    readonly #random: (bound: number) => number;
    #next = 1;

    constructor(seed: number) {
      this.#random = createRandom(seed);
    }

    step(): void {
      const draft = new Draft(this.content.state);
      for (let left = 1 + this.#random(8); left > 0; left--) draft.add(this.#change());
      draft.rollBack();
      this.content.change(...draft.changes);
    }

    #change(): Change[] {
      const { state } = this.content;
      const dice = this.#random(60);
      const namespaces = [...state.namespaces()];
      const services = [...state.services()];
      if (namespaces.length < 3 || (dice < 3 && namespaces.length < 6)) return this.#newNamespace();
      const namespace = this.#pick(namespaces);
      if (dice === 3) return this.#dropAll(namespace.id);
      if (dice === 4) return [{ kind: 'namespace', id: namespace.id, value: { ...namespace, tags: { t: '1' } } }];
      if (dice === 5) {
        const soaTtlSeconds = this.#random(100);
        return [{ kind: 'namespace', id: namespace.id, value: { ...namespace, soaTtlSeconds } }];
      }
      if (services.length === 0 || dice < 12) return this.#newService(namespace.id);
      const service = this.#pick(services);
      const instances = [...state.instancesOf(service.id).keys()];
      if (dice === 12) return [...instances.map((id) => dropInstance(id, service.id)), dropService(service.id)];
      if (dice < 24 && instances.length > 0) return [dropInstance(this.#pick(instances), service.id)];
      if (dice === 24) return this.#updateService(service);
      const id = `i${this.#random(3)}`;
      const holder = state.holderOf(service.namespaceId, `${id}.${service.name}`);
      if (holder !== undefined && !holder.startsWith('instance/')) return [];
      return [
        putInstance({
          serviceId: service.id,
          id,
          ipv4: `10.0.${this.#random(2)}.${this.#random(3)}`,
          ipv6: `2001:db8::${1 + this.#random(3)}`,
          port: 80 + this.#random(2),
          cname: `t${this.#random(2)}.other.example`,
          status: this.#random(2) === 0 ? 'HEALTHY' : 'UNHEALTHY',
          lastHealthyAt: this.#random(3) === 0 ? null : this.#random(4),
        }),
      ];
    }

    /** Another TTL, a type less, no DNS at all; another check. */
    #updateService(service: Service): Change[] {
      const kept = (service.dns?.records ?? []).filter(() => this.#random(4) > 0);
      const records = kept.map(({ type }) => ({ type, ttlSeconds: this.#random(100) }));
      const dns = service.dns === null || records.length === 0 ? null : { ...service.dns, records };
      const healthCheck = this.#random(2) === 0 ? null : { type: 'TCP' as const, path: null, failureThreshold: null };
      return [{ kind: 'service', id: service.id, value: { ...service, dns, healthCheck } }];
    }

    #newNamespace(): Change[] {
      const count = [...this.content.state.namespaces()].length;
      const name = count < 3 ? (ZONES[count] as string) : this.#pick(ZONES);
      const type = this.#pick(
        count < 3 ? (['DNS_PRIVATE', 'DNS_PUBLIC'] as const) : (['DNS_PRIVATE', 'DNS_PUBLIC', 'HTTP'] as const),
      );
      return [putNamespace({ id: `ns-${this.#next++}`, name, type, createdAt: this.#random(5) })];
    }

    #dropAll(namespaceId: string): Change[] {
      const { state } = this.content;
      const changes: Change[] = [];
      for (const { id } of state.servicesOf(namespaceId)) {
        for (const instance of state.instancesOf(id).keys()) changes.push(dropInstance(instance, id));
        changes.push(dropService(id));
      }
      return [...changes, dropNamespace(namespaceId)];
    }

    #newService(namespaceId: string): Change[] {
      const { state } = this.content;
      const name = this.#pick(LABELS);
      if (state.holderOf(namespaceId, name) !== undefined || state.serviceByName(namespaceId, name)) return [];
      const isHttp = state.namespace(namespaceId)?.type === 'HTTP';
      const records = isHttp ? null : this.#pick(RECORDS);
      const check = this.#pick(['none', 'custom', 'probe'] as const);
      return [putService({ id: `srv-${this.#next++}`, namespaceId, name, records, check })];
    }

    #pick<T>(items: readonly T[]): T {
      return items[this.#random(items.length)] as T;
    }
  }

  /** Every question about every name that the script can make; serials aside, which count changes. */
  function everything(content: Content): string[] {
    const lines: string[] = [];
    for (const zone of ZONES) {
      const names = LABELS.flatMap((label) => [label, `i0.${label}`, `i2.${label}`]);
      for (const name of [zone, ...names.map((each) => `${each}.${zone}`)]) {
        for (const type of TYPES)
          lines.push(
            `${name} ${type}: ${content
              .dig(name, type)
              .join('; ')
              .replace(/(SOA \S+ \S+) \d+/, '$1 -')}`,
          );
      }
    }
    return lines;
  }

  it.each([1, 2, 3, 4])('after each tenth of 120 random batches (seed %d)', (seed) => {
    const script = new Script(seed);
    let answered = 0;
    for (let batch = 1; batch <= 120; batch++) {
      script.step();
      if (batch % 12 !== 0) continue;
      const { state } = script.content;
      const fresh = new Content([
        ...[...state.namespaces()].map((value): Change => ({ kind: 'namespace', id: value.id, value })),
        ...[...state.services()].map((value): Change => ({ kind: 'service', id: value.id, value })),
        ...[...state.services()].flatMap(({ id }) =>
          [...state.instancesOf(id).values()].map(
            (value): Change => ({ kind: 'instance', serviceId: id, id: value.id, value }),
          ),
        ),
      ]);
      const expected = everything(fresh);
      expect(everything(script.content), `seed ${seed}, batch ${batch}`).toEqual(expected);
      answered += expected.filter((line) => / IN (A|SRV|CNAME) /.test(line)).length;
    }
    // Else the script compared nothing with nothing.
    expect(answered).toBeGreaterThan(80);
  });

  it('a snapshot resets a thread that knew other things', () => {
    const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })]);
    const other = new Content([putNamespace({ name: 'other.internal' })]);
    for (const part of new Synthesizer(other.state, COMPILE_OPTIONS).snapshot()) content.zones.apply(part);
    expect(content.dig('web.corp.internal', 'A')).toEqual(['REFUSED']);
    expect(content.dig('other.internal', 'NS')).toEqual(['other.internal. 5 IN NS ns.other.internal.']);
  });
});

describe('a namespace inside another', () => {
  const NESTED = putNamespace({ id: 'ns-2', name: 'a.b.corp.internal' });

  it('gives the names that lead to it existence, without records (RFC 8020 s2)', () => {
    const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })]);
    expect(content.dig('b.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    content.change(NESTED);
    expect(content.dig('b.corp.internal', 'A')).toEqual(['NODATA']);
    expect(content.dig('B.corp.internal', 'NS')).toEqual(['NODATA']);
    expect(content.dig('x.b.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    expect(content.dig('c.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    content.change(dropNamespace('ns-2'));
    expect(content.dig('b.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  });

  it('is counted for each of several', () => {
    const second = putNamespace({ id: 'ns-3', name: 'c.b.corp.internal' });
    const content = new Content([putNamespace(), NESTED, second]);
    content.change(dropNamespace('ns-2'));
    expect(content.dig('b.corp.internal', 'A')).toEqual(['NODATA']);
    content.change(dropNamespace('ns-3'));
    expect(content.dig('b.corp.internal', 'A')).toEqual(['NXDOMAIN']);
  });
});
