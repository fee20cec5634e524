import { describe, expect, it } from 'vitest';
import { type DeltaChange, DeltaWriter, readDelta } from '../../src/answers/delta.ts';
import { toTextName, toWireName } from '../../src/wire/names.ts';

const APEX = toWireName('corp.internal');
const OWNER = toWireName('web.corp.internal');

/** A change as one line, for comparing. */
function textOf(change: DeltaChange): string {
  const names = [
    'apex' in change ? toTextName(change.apex) : '',
    'owner' in change ? toTextName(change.owner) : '',
    'index' in change ? `${change.type} ${change.index}` : '',
    'set' in change ? Buffer.from(change.set).toString('hex') : '',
    'choice' in change ? Buffer.from(change.choice).toString('hex') : '',
  ];
  return [change.kind, ...names.filter((name) => name !== '')].join(' ').trim();
}

function read(bytes: Uint8Array): string[] {
  return [...readDelta(bytes)].map(textOf);
}

describe('a delta', () => {
  it('is read as it was written, in order', () => {
    const delta = new DeltaWriter();
    delta.reset();
    delta.putZone(APEX);
    delta.putSet(APEX, OWNER, Uint8Array.of(1, 2, 3));
    delta.dropSet(APEX, OWNER);
    delta.dropZone(APEX);
    delta.putSet(APEX, APEX, new Uint8Array(0));
    delta.putChoice(APEX, OWNER, 33, 70_000, Uint8Array.of(4, 5));
    delta.dropChoice(APEX, OWNER, 1, 2);
    delta.complete();
    expect(read(delta.finish())).toEqual([
      'reset',
      'put-zone corp.internal.',
      'put-set corp.internal. web.corp.internal. 010203',
      'drop-set corp.internal. web.corp.internal.',
      'drop-zone corp.internal.',
      'put-set corp.internal. corp.internal.',
      'put-choice corp.internal. web.corp.internal. 33 70000 0405',
      'drop-choice corp.internal. web.corp.internal. 1 2',
      'complete',
    ]);
  });

  it('is empty until the first change', () => {
    const delta = new DeltaWriter();
    expect([delta.isEmpty, delta.finish().length]).toEqual([true, 0]);
    expect(read(delta.finish())).toEqual([]);
    delta.reset();
    expect(delta.isEmpty).toBe(false);
  });

  it('grows to any size', () => {
    const delta = new DeltaWriter();
    const big = new Uint8Array(100_000).fill(7);
    for (let i = 0; i < 500; i++) delta.putSet(APEX, toWireName(`n${i}.corp.internal`), Uint8Array.of(i & 255));
    delta.putSet(APEX, OWNER, big);
    const changes = [...readDelta(delta.finish())];
    expect(changes).toHaveLength(501);
    expect(textOf(changes[499] as DeltaChange)).toBe('put-set corp.internal. n499.corp.internal. f3');
    expect((changes[500] as { set: Uint8Array }).set).toEqual(big);
  });

  it('takes names of 255 octets', () => {
    const label = 'a'.repeat(63);
    const longest = toWireName(`${label}.${label}.${label}.${'b'.repeat(61)}`);
    const delta = new DeltaWriter();
    delta.putSet(longest, longest, Uint8Array.of(9));
    expect(read(delta.finish())).toEqual([`put-set ${toTextName(longest)} ${toTextName(longest)} 09`]);
  });

  it('is memory of its own: more changes do not show in what was finished', () => {
    const delta = new DeltaWriter();
    delta.putZone(APEX);
    const first = delta.finish();
    delta.dropZone(APEX);
    expect(read(first)).toEqual(['put-zone corp.internal.']);
    expect(read(delta.finish())).toHaveLength(2);
  });

  it('is refused where it is cut short', () => {
    const delta = new DeltaWriter();
    delta.putSet(APEX, OWNER, Uint8Array.of(1, 2, 3));
    const whole = delta.finish();
    for (let length = 1; length < whole.length; length++)
      expect(() => read(whole.subarray(0, length))).toThrow('in the middle');
    expect(read(whole)).toHaveLength(1);
  });

  it('is refused where it has a change of an unknown kind', () => {
    expect(() => read(Uint8Array.of(99, 0))).toThrow('unknown kind 99');
  });
});
