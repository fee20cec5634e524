import { describe, expect, it } from 'vitest';
import { InstanceTable } from '../../src/registry/instance-table.ts';
import type { Instance } from '../../src/registry/model.ts';
import { seededRandom } from '../support/registry.ts';

const instance = (id: string, n = 0): Instance => ({
  serviceId: 'srv-1',
  id,
  attributes: { n: String(n) },
  health: { status: 'HEALTHY', lastHealthyAt: null, pending: null },
  creatorRequestId: null,
  operationId: null,
  registeredAt: 0,
  manager: 'api',
});

describe('a table of instances', () => {
  it.each([3, 60])('is what a Map would be under random changes of %i ids', (ids) => {
    const random = seededRandom(ids);
    const table = new InstanceTable();
    const map = new Map<string, Instance>();
    for (let n = 0; n < 2000; n++) {
      const id = `i-${random(ids)}`;
      // Now mostly coming, now mostly going, so that it is small and large by turns.
      if (random(4) > (Math.floor(n / 200) % 2 === 0 ? 0 : 2)) {
        table.put(instance(id, n));
        map.set(id, instance(id, n));
      } else {
        table.delete(id);
        map.delete(id);
      }
      expect(table.size).toBe(map.size);
      expect(table.get(id)).toEqual(map.get(id));
      expect([...table.keys()]).toEqual([...map.keys()]);
      expect([...table.values()]).toEqual([...map.values()]);
    }
  });

  it.each([0, 10, 16, 17, 1000])('is filled with %i instances at once', (count) => {
    const all = Array.from({ length: count }, (_, n) => instance(`i-${n}`, n));
    const table = new InstanceTable(all);
    table.put(instance('more'));
    expect([...table.values()]).toEqual([...all, instance('more')]);
    for (const { id } of all) expect(table.get(id)?.id).toBe(id);
    expect(table.get('other')).toBeUndefined();
  });

  it('lets whoever walks along a short one see it as it was', () => {
    const table = new InstanceTable([instance('a'), instance('b'), instance('c')]);
    const seen: string[] = [];
    for (const { id } of table.values()) {
      seen.push(id);
      table.delete(id);
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(table.size).toBe(0);
  });
});
