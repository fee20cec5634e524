import { describe, expect, it } from 'vitest';
import { choiceBytes, encodeChoice } from '../../src/answers/answer-set.ts';
import { ChoiceTable } from '../../src/answers/choice-table.ts';
import { createRandom } from '../../src/answers/selection.ts';

/** A choice of one record tail of the length. */
function choiceOf(length: number, fill: number): Uint8Array {
  return encodeChoice({ answers: [new Uint8Array(length).fill(fill)], additionals: [] });
}

function read(table: ChoiceTable, index: number): Buffer {
  const at = table.at(index);
  return Buffer.from(table.bytes.subarray(at, at + choiceBytes(table.bytes, at)));
}

describe('ChoiceTable', () => {
  it('refuses numbers that it does not have', () => {
    const table = new ChoiceTable();
    expect(() => table.put(1, choiceOf(4, 1))).toThrow('choice 1 of a table of 0');
    expect(() => table.drop(0)).toThrow('choice 0 of a table of 0');
    table.put(0, choiceOf(4, 1));
    expect(() => table.drop(1)).toThrow('choice 1 of a table of 1');
    expect(table.count).toBe(1);
  });

  it('gives the last choice the number of one that is gone', () => {
    const table = new ChoiceTable();
    for (let i = 0; i < 3; i++) table.put(i, choiceOf(4, i));
    table.drop(0);
    expect([table.count, read(table, 0), read(table, 1)]).toEqual([
      2,
      Buffer.from(choiceOf(4, 2)),
      Buffer.from(choiceOf(4, 1)),
    ]);
    table.drop(1);
    table.drop(0);
    expect(table.count).toBe(0);
  });

  it('does not grow while its choices are replaced', () => {
    const table = new ChoiceTable();
    const random = createRandom(5);
    for (let i = 0; i < 40; i++) table.put(i, choiceOf(10, i));
    for (let i = 0; i < 20_000; i++) table.put(random(40), choiceOf(random(60), i & 255));
    // Forty choices of at most 65 octets.
    expect(table.bytes.length).toBeLessThanOrEqual(8192);
  });

  it.each([1, 2, 3])('does what an array does over 20,000 random changes (seed %d)', (seed) => {
    const random = createRandom(seed);
    const table = new ChoiceTable();
    const model: Buffer[] = [];
    for (let step = 0; step < 20_000; step++) {
      const isGrowing = Math.floor(step / 4000) % 2 === 0;
      if (model.length > 0 && random(10) < (isGrowing ? 2 : 7)) {
        const index = random(model.length);
        table.drop(index);
        const last = model.pop() as Buffer;
        if (index < model.length) model[index] = last;
      } else {
        const index = random(model.length + 1);
        const choice = choiceOf(random(4) === 0 ? random(80) : 14, random(256));
        table.put(index, choice);
        model[index] = Buffer.from(choice);
      }
      expect(table.count).toBe(model.length);
      if (step % 500 === 0) expect(model.map((_, i) => read(table, i))).toEqual(model);
    }
  });
});
