import { describe, expect, it } from 'vitest';
import type { Change, Service } from '../../src/registry/model.ts';
import { type Applied, serialChanges } from '../../src/registry/serials.ts';
import { State } from '../../src/registry/state.ts';
import { dropInstance, dropNamespace, dropService, putInstance, putNamespace, putService } from '../support/content.ts';

const SECOND = 1_700_000_000;

/** A state with a zone, a service and an instance, and the serials that further batches get. */
function setUp() {
  const state = new State();
  const apply = (changes: readonly Change[], second: number): Change[] => {
    const applied: Applied[] = changes.map((change) => ({ change, undo: state.apply(change) }));
    const serials = serialChanges(state, applied, second * 1000);
    for (const serial of serials) state.apply(serial);
    return serials;
  };
  apply([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.1' })], SECOND);
  return { state, apply };
}

const zone = (value: number | null, id = 'corp.internal'): Change => ({ kind: 'serial', id, value });

describe('the serial of a zone', () => {
  it('is the time in seconds', () => {
    const { state, apply } = setUp();
    expect(state.serial('corp.internal')).toBe(SECOND);
    expect(apply([dropInstance('a')], SECOND + 100)).toEqual([zone(SECOND + 100)]);
  });

  it('is one more than the last where changes come faster, or the clock steps back', () => {
    const { apply } = setUp();
    expect(apply([dropInstance('a')], SECOND)).toEqual([zone(SECOND + 1)]);
    expect(apply([putInstance({ id: 'a', ipv4: '10.0.0.1' })], SECOND - 3600)).toEqual([zone(SECOND + 2)]);
  });

  it.each<[string, Change[]]>([
    ['a namespace with another SOA TTL', [putNamespace({ soaTtlSeconds: 60 })]],
    ['a new service', [putService({ id: 'srv-2', name: 'api' })]],
    ['a service with another TTL', [putService({ records: 'A 5' })]],
    ['a service that gets a health check', [putService({ check: 'custom' })]],
    ['a service that leaves DNS', [putService({ records: null })]],
    ['an instance that comes', [putInstance({ id: 'b', ipv4: '10.0.0.2' })]],
    ['an instance that turns unhealthy', [putInstance({ id: 'a', ipv4: '10.0.0.1', status: 'UNHEALTHY' })]],
    ['an instance and its service that go', [dropInstance('a'), dropService('srv-1')]],
  ])('grows with %s', (_, changes) => {
    const { apply } = setUp();
    expect(apply(changes, SECOND + 9)).toEqual([zone(SECOND + 9)]);
  });

  it.each<[string, Change[]]>([
    ['a service without DNS', [putService({ id: 'srv-2', name: 'api', records: null })]],
    ['an HTTP namespace', [putNamespace({ id: 'ns-2', name: 'jobs', type: 'HTTP' })]],
    ['a revision', [{ kind: 'revision', id: 'srv-1', value: 7 }]],
    ['an alias target that nobody stands for', [{ kind: 'alias-target', id: 'lb.example', value: null }]],
  ])('stays with %s', (_, changes) => {
    const { apply } = setUp();
    expect(apply(changes, SECOND + 9)).toEqual([]);
  });

  it('stays with tags', () => {
    const { state, apply } = setUp();
    const service = state.service('srv-1') as Service;
    const tagged: Change = { kind: 'service', id: service.id, value: { ...service, tags: { a: 'b' } } };
    expect(apply([tagged], SECOND + 9)).toEqual([]);
  });

  it('stays where a younger namespace of the same name, which is not in DNS, changes', () => {
    const { apply } = setUp();
    apply([putNamespace({ id: 'ns-2', createdAt: 2 })], SECOND);
    expect(apply([putService({ id: 'srv-2', namespaceId: 'ns-2' })], SECOND + 9)).toEqual([]);
  });

  it('goes on growing when the zone is deleted and made anew', () => {
    const { apply } = setUp();
    const gone = apply([dropInstance('a'), dropService('srv-1'), dropNamespace('ns-1')], SECOND);
    expect(gone).toEqual([zone(null), zone(SECOND + 1, '')]);
    expect(apply([putNamespace({ id: 'ns-2' })], SECOND - 100)).toEqual([zone(SECOND + 2)]);
  });
});
