import { describe, expect, it } from 'vitest';
import { type DeltaChange, DeltaWriter, readDelta } from '../../src/answers/delta.ts';
import { createRandom, type Random } from '../../src/answers/selection.ts';
import { FUZZ_SEED, fuzzCount, withinMs } from './settings.ts';

const DELTAS = fuzzCount('FUZZ_DELTAS', 2000, 5000);
const FAULT = /^a delta (ends in the middle of a change|has a change of the unknown kind \d+)$/;

function noise(random: Random, most: number): Uint8Array {
  return Uint8Array.from({ length: random(most + 1) }, () => random(256));
}

function someChange(random: Random): DeltaChange {
  const [apex, owner] = [noise(random, 255), noise(random, 255)];
  const kinds = ['reset', 'put-zone', 'put-name-zone', 'drop-zone', 'put-set', 'drop-set'] as const;
  const kind = ([...kinds, 'put-choice', 'drop-choice', 'complete'] as const)[random(9)];
  if (kind === 'put-set') return { kind, apex, owner, set: noise(random, random(10) === 0 ? 5000 : 100) };
  if (kind === 'drop-set') return { kind, apex, owner };
  const [type, index] = [random(0x1_0000), random(0x1_0000_0000)];
  if (kind === 'put-choice') return { kind, apex, owner, type, index, choice: noise(random, 100) };
  if (kind === 'drop-choice') return { kind, apex, owner, type, index };
  if (kind === 'reset' || kind === 'complete') return { kind };
  return { kind: kind ?? 'drop-zone', apex };
}

function write(writer: DeltaWriter, change: DeltaChange): void {
  if (change.kind === 'reset') writer.reset();
  else if (change.kind === 'complete') writer.complete();
  else if (change.kind === 'put-choice') {
    writer.putChoice(change.apex, change.owner, change.type, change.index, change.choice);
  } else if (change.kind === 'drop-choice') writer.dropChoice(change.apex, change.owner, change.type, change.index);
  else if (change.kind === 'put-zone') writer.putZone(change.apex);
  else if (change.kind === 'put-name-zone') writer.putNameZone(change.apex);
  else if (change.kind === 'drop-zone') writer.dropZone(change.apex);
  else if (change.kind === 'put-set') writer.putSet(change.apex, change.owner, change.set);
  else if (change.kind === 'drop-set') writer.dropSet(change.apex, change.owner);
}

/** All that can be read, and what ended it: the delta's end, or an error. */
function readAll(delta: Uint8Array): { changes: DeltaChange[]; error: unknown } {
  const changes: DeltaChange[] = [];
  try {
    for (const change of readDelta(delta)) changes.push(change);
    return { changes, error: null };
  } catch (error) {
    return { changes, error };
  }
}

/** One line for each change, which is quicker to compare than octet by octet. */
function linesOf(changes: readonly DeltaChange[]): string[] {
  return changes.map((change) =>
    Object.values(change)
      .map((part: string | number | Uint8Array) =>
        part instanceof Uint8Array ? Buffer.from(part).toString('latin1') : String(part),
      )
      .join('|'),
  );
}

/** Whether all that the change points to is of the delta's own octets. */
function isWithin(change: DeltaChange, delta: Uint8Array): boolean {
  const parts = Object.values(change).filter((part) => part instanceof Uint8Array);
  const end = delta.byteOffset + delta.length;
  return parts.every(
    (part) =>
      part.buffer === delta.buffer && part.byteOffset >= delta.byteOffset && part.byteOffset + part.length <= end,
  );
}

describe(`${DELTAS} deltas (FUZZ_SEED=${FUZZ_SEED})`, () => {
  it(
    'are read as they were written, and broken ones up to where they are broken',
    () => {
      const random = createRandom(FUZZ_SEED);
      let broken = 0;
      for (let i = 0; i < DELTAS; i++) {
        const told = `FUZZ_SEED=${FUZZ_SEED}, delta ${i}`;
        const written = Array.from({ length: random(6) }, () => someChange(random));
        const writer = new DeltaWriter();
        for (const change of written) write(writer, change);
        const delta = writer.finish();
        const read = readAll(delta);
        expect([read.error, ...linesOf(read.changes)], told).toEqual([null, ...linesOf(written)]);

        if (delta.length === 0) continue;
        // In a larger buffer, so that reading past the end would find octets there.
        const memory = Uint8Array.from([...delta, ...noise(random, 300)]);
        const at = random(delta.length);
        if (random(2) === 0) memory[at] = random(256);
        const cut = memory.subarray(0, random(2) === 0 ? delta.length : at);
        const { changes, error } = readAll(cut);
        if (error !== null) {
          broken++;
          expect(error, told).toBeInstanceOf(Error);
          expect((error as Error).message, told).toMatch(FAULT);
        }
        expect(
          changes.every((change) => isWithin(change, cut)),
          told,
        ).toBe(true);
      }
      expect(broken).toBeGreaterThan(DELTAS / 10);
    },
    withinMs(DELTAS),
  );
});
