import { describe, expect, it } from 'vitest';
import { encodeAnswerSet, isEmptySet } from '../../src/answers/answer-set.ts';
import { DeltaWriter } from '../../src/answers/delta.ts';
import { createRandom } from '../../src/answers/selection.ts';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { NameView, toTextName, toWireName } from '../../src/wire/names.ts';
import { rrset } from '../support/answering.ts';

const SET = encodeAnswerSet([rrset(['60 IN A 10.0.0.1'])]);

function change(zones: ZoneSet, write: (delta: DeltaWriter) => void): void {
  const delta = new DeltaWriter();
  write(delta);
  zones.apply(delta.finish());
}

/** `<zone> answers`, `<zone> empty` (NODATA), `<zone> nothing` (NXDOMAIN), or `not ours`. */
function look(zones: ZoneSet, name: string): string {
  const wire = toWireName(name, true);
  const view = new NameView();
  view.read(wire, 0, wire.length);
  const { zone, set, apexLabel } = zones.find(wire, view);
  if (zone === null) return 'not ours';
  const apex = toTextName(wire, view.offsets[apexLabel]).toLowerCase();
  expect(apex).toBe(toTextName(zone.apex));
  if (set === 0) return `${apex} nothing`;
  return isEmptySet(zone.names.bytes, set) ? `${apex} empty` : `${apex} answers`;
}

function zonesOf(...apexes: string[]): ZoneSet {
  const zones = new ZoneSet();
  change(zones, (delta) => {
    for (const apex of apexes) delta.putZone(toWireName(apex));
  });
  return zones;
}

function put(zones: ZoneSet, apex: string, owner: string): void {
  change(zones, (delta) => delta.putSet(toWireName(apex), toWireName(owner), SET));
}

function drop(zones: ZoneSet, apex: string, owner: string): void {
  change(zones, (delta) => delta.dropSet(toWireName(apex), toWireName(owner)));
}

describe('ZoneSet', () => {
  it('is not filled before the first delta', () => {
    expect(new ZoneSet().isFilled).toBe(false);
    expect(look(new ZoneSet(), 'web.corp')).toBe('not ours');
    expect(zonesOf('corp').isFilled).toBe(true);
  });

  it('is filled by a snapshot without zones', () => {
    const zones = new ZoneSet();
    change(zones, (delta) => {
      delta.reset();
      delta.complete();
    });
    expect(zones.isFilled).toBe(true);
    expect(look(zones, 'web.corp')).toBe('not ours');
  });

  it('is not filled before the last part of a snapshot, whatever comes in between', () => {
    const zones = new ZoneSet();
    change(zones, (delta) => delta.reset());
    put(zones, 'corp', 'web.corp');
    change(zones, (delta) => delta.putZone(toWireName('corp')));
    expect(zones.isFilled).toBe(false);
    change(zones, (delta) => delta.complete());
    expect([zones.isFilled, look(zones, 'corp')]).toEqual([true, 'corp. empty']);
  });

  it('finds names in any case, and nothing else', () => {
    const zones = zonesOf('corp.internal');
    put(zones, 'corp.internal', 'web.corp.internal');
    expect(look(zones, 'WEB.Corp.Internal')).toBe('corp.internal. answers');
    expect(look(zones, 'x.web.corp.internal')).toBe('corp.internal. nothing');
    expect(look(zones, 'wob.corp.internal')).toBe('corp.internal. nothing');
    expect(look(zones, 'corp.internal')).toBe('corp.internal. empty');
    expect(look(zones, 'internal')).toBe('not ours');
    expect(look(zones, 'webcorp.internal')).toBe('not ours');
    expect(look(zones, '.')).toBe('not ours');
  });

  it('takes the root as a zone', () => {
    const zones = zonesOf('');
    put(zones, '', 'web');
    expect(look(zones, 'web')).toBe('. answers');
    expect(look(zones, 'web.corp')).toBe('. nothing');
    expect(look(zones, '.')).toBe('. empty');
  });

  describe('empty non-terminals (RFC 8020)', () => {
    it('appear above a name, up to the apex', () => {
      const zones = zonesOf('corp');
      put(zones, 'corp', 'a._x._tcp.corp');
      expect(look(zones, '_x._tcp.corp')).toBe('corp. empty');
      expect(look(zones, '_tcp.corp')).toBe('corp. empty');
      expect(look(zones, 'corp')).toBe('corp. empty');
      expect(look(zones, 'b._x._tcp.corp')).toBe('corp. nothing');
    });

    it('vanish with the last name below them', () => {
      const zones = zonesOf('corp');
      put(zones, 'corp', 'a._x._tcp.corp');
      put(zones, 'corp', 'b._x._tcp.corp');
      put(zones, 'corp', '_y._tcp.corp');
      drop(zones, 'corp', 'a._x._tcp.corp');
      expect(look(zones, '_x._tcp.corp')).toBe('corp. empty');
      drop(zones, 'corp', 'b._x._tcp.corp');
      expect(look(zones, '_x._tcp.corp')).toBe('corp. nothing');
      expect(look(zones, '_tcp.corp')).toBe('corp. empty');
      drop(zones, 'corp', '_y._tcp.corp');
      expect(look(zones, '_tcp.corp')).toBe('corp. nothing');
      expect(look(zones, 'corp')).toBe('corp. empty');
    });

    it('become names with records and go back to being empty', () => {
      const zones = zonesOf('corp');
      put(zones, 'corp', 'a.web.corp');
      put(zones, 'corp', 'web.corp');
      expect(look(zones, 'web.corp')).toBe('corp. answers');
      drop(zones, 'corp', 'web.corp');
      expect(look(zones, 'web.corp')).toBe('corp. empty');
      drop(zones, 'corp', 'a.web.corp');
      expect(look(zones, 'web.corp')).toBe('corp. nothing');
    });

    it('do not vanish where they have records of their own', () => {
      const zones = zonesOf('corp');
      put(zones, 'corp', 'web.corp');
      put(zones, 'corp', 'a.web.corp');
      drop(zones, 'corp', 'a.web.corp');
      expect(look(zones, 'web.corp')).toBe('corp. answers');
    });
  });

  it('puts and drops more than once without harm', () => {
    const zones = zonesOf('corp');
    for (let i = 0; i < 3; i++) put(zones, 'corp', 'a.web.corp');
    for (let i = 0; i < 3; i++) drop(zones, 'corp', 'a.web.corp');
    drop(zones, 'corp', 'never.there.corp');
    expect(look(zones, 'a.web.corp')).toBe('corp. nothing');
    expect(look(zones, 'web.corp')).toBe('corp. nothing');
    expect(look(zones, 'never.there.corp')).toBe('corp. nothing');
  });

  it('keeps the apex when its records are dropped', () => {
    const zones = zonesOf('corp');
    put(zones, 'corp', 'corp');
    expect(look(zones, 'corp')).toBe('corp. answers');
    drop(zones, 'corp', 'corp');
    expect(look(zones, 'corp')).toBe('corp. empty');
    put(zones, 'corp', 'web.corp');
    drop(zones, 'corp', 'web.corp');
    expect(look(zones, 'corp')).toBe('corp. empty');
  });

  it('answers nested zones from the longest one', () => {
    const zones = zonesOf('corp', 'dev.corp', 'a.b.dev.corp');
    put(zones, 'corp', 'web.corp');
    put(zones, 'corp', 'hidden.dev.corp');
    put(zones, 'dev.corp', 'web.dev.corp');
    expect(look(zones, 'web.corp')).toBe('corp. answers');
    expect(look(zones, 'web.dev.corp')).toBe('dev.corp. answers');
    expect(look(zones, 'hidden.dev.corp')).toBe('dev.corp. nothing');
    expect(look(zones, 'b.dev.corp')).toBe('dev.corp. nothing');
    expect(look(zones, 'x.a.b.dev.corp')).toBe('a.b.dev.corp. nothing');
    change(zones, (delta) => delta.dropZone(toWireName('dev.corp')));
    expect(look(zones, 'hidden.dev.corp')).toBe('corp. answers');
    expect(look(zones, 'web.dev.corp')).toBe('corp. nothing');
    expect(look(zones, 'x.a.b.dev.corp')).toBe('a.b.dev.corp. nothing');
  });

  it('drops a zone with all of its names, and takes it again empty', () => {
    const zones = zonesOf('corp', 'other');
    put(zones, 'corp', 'web.corp');
    put(zones, 'other', 'web.other');
    change(zones, (delta) => {
      delta.dropZone(toWireName('corp'));
      delta.dropZone(toWireName('unknown'));
    });
    expect(look(zones, 'web.corp')).toBe('not ours');
    expect(look(zones, 'web.other')).toBe('other. answers');
    change(zones, (delta) => delta.putZone(toWireName('corp')));
    expect(look(zones, 'web.corp')).toBe('corp. nothing');
    expect(look(zones, 'web.other')).toBe('other. answers');
  });

  it('keeps the names of a zone that is put again', () => {
    const zones = zonesOf('corp');
    put(zones, 'corp', 'web.corp');
    change(zones, (delta) => delta.putZone(toWireName('corp')));
    expect(look(zones, 'web.corp')).toBe('corp. answers');
  });

  it('forgets everything at a reset', () => {
    const zones = zonesOf('corp', 'other', 'third');
    put(zones, 'corp', 'web.corp');
    change(zones, (delta) => {
      delta.reset();
      delta.putZone(toWireName('other'));
    });
    expect(look(zones, 'web.corp')).toBe('not ours');
    expect(look(zones, 'web.other')).toBe('other. nothing');
    expect(look(zones, 'web.third')).toBe('not ours');
  });

  it('does nothing for names of a zone that is not there', () => {
    const zones = zonesOf('corp');
    put(zones, 'gone', 'web.gone');
    drop(zones, 'gone', 'web.gone');
    expect(look(zones, 'web.gone')).toBe('not ours');
  });

  it('refuses a delta that is not well formed', () => {
    expect(() => new ZoneSet().apply(Uint8Array.of(1, 4, 1))).toThrow('in the middle');
  });

  it.each([11, 12, 13])('agrees with a plain set of names over 6,000 random changes (seed %d)', (seed) => {
    const random = createRandom(seed);
    const apexes = ['corp', 'dev.corp', 'x.y.internal'];
    const zones = zonesOf(...apexes);
    const owners = new Map<string, Set<string>>(apexes.map((apex) => [apex, new Set()]));
    const nameIn = (apex: string): string =>
      [...Array.from({ length: random(4) }, () => `l${random(3)}`), apex].join('.');
    const expected = (name: string): string => {
      const apex = [...owners.keys()]
        .filter((each) => name === each || name.endsWith(`.${each}`))
        .sort((a, b) => b.length - a.length)[0];
      if (apex === undefined) return 'not ours';
      const names = owners.get(apex) as Set<string>;
      if (names.has(name)) return `${apex}. answers`;
      const isAbove = name === apex || [...names].some((each) => each.endsWith(`.${name}`));
      return `${apex}. ${isAbove ? 'empty' : 'nothing'}`;
    };
    for (let step = 0; step < 6000; step++) {
      const apex = apexes[random(3)] as string;
      const name = nameIn(apex);
      const dice = random(200);
      if (dice === 0) {
        change(zones, (delta) => delta.dropZone(toWireName(apex)));
        owners.delete(apex);
      } else if (dice < 4) {
        change(zones, (delta) => delta.putZone(toWireName(apex)));
        if (!owners.has(apex)) owners.set(apex, new Set());
      } else if (dice < 90) {
        put(zones, apex, name);
        owners.get(apex)?.add(name);
      } else {
        drop(zones, apex, name);
        owners.get(apex)?.delete(name);
      }
      const probe = nameIn(apexes[random(3)] as string);
      if (look(zones, probe) !== expected(probe))
        throw new Error(`step ${step}: ${probe} is ${look(zones, probe)}, not ${expected(probe)}`);
    }
  });
});

describe('a zone of one name', () => {
  function named(...apexes: string[]): ZoneSet {
    const zones = new ZoneSet();
    change(zones, (delta) => {
      for (const apex of apexes) {
        delta.putNameZone(toWireName(apex));
        delta.putSet(toWireName(apex), toWireName(apex), SET);
      }
    });
    return zones;
  }

  it('has that name, in any case, and none below, above or beside it', () => {
    const zones = named('printer.corp.example');
    expect(look(zones, 'Printer.CORP.example')).toBe('printer.corp.example. answers');
    for (const name of ['x.printer.corp.example', 'corp.example', 'other.corp.example', 'xprinter.corp.example', ''])
      expect(look(zones, name), name).toBe('not ours');
  });

  it('lets names below it be of a shorter zone, or a longer one', () => {
    const zones = named('b.c');
    change(zones, (delta) => {
      delta.putZone(toWireName('c'));
      delta.putZone(toWireName('a.b.c'));
    });
    expect(look(zones, 'b.c')).toBe('b.c. answers');
    expect(look(zones, 'x.b.c')).toBe('c. nothing');
    expect(look(zones, 'x.a.b.c')).toBe('a.b.c. nothing');
  });

  it('is above those whose names it is an end of', () => {
    const wire = toWireName('corp.example');
    const view = new NameView();
    view.read(wire, 0, wire.length);
    expect(named('printer.corp.example').isAboveZone(wire, view)).toBe(true);
    expect(named('printer.example').isAboveZone(wire, view)).toBe(false);
  });

  it('goes like any other', () => {
    const zones = named('a.x', 'b.x');
    change(zones, (delta) => delta.dropZone(toWireName('a.x')));
    expect([look(zones, 'a.x'), look(zones, 'b.x')]).toEqual(['not ours', 'b.x. answers']);
    change(zones, (delta) => delta.reset());
    expect(look(zones, 'b.x')).toBe('not ours');
  });

  it('may be of the root, and is then the root alone', () => {
    const zones = named('');
    expect([look(zones, ''), look(zones, 'x')]).toEqual(['. answers', 'not ours']);
  });
});
