import { describe, expect, it } from 'vitest';
import type { InjectedFault } from '../../src/answers/thread-protocol.ts';
import { FaultTable } from '../../src/dns/faults.ts';
import { describeDnsFault, FaultError, Faults, FaultsOffError, findDnsFaults } from '../../src/faults/faults.ts';
import { HEADER_BYTES, TYPE } from '../../src/wire/header.ts';
import { NameView } from '../../src/wire/names.ts';
import { buildQuery } from '../support/dns.ts';

const NOW = Date.UTC(2030, 0, 1);

/** With what the threads were told last, and a clock that stands still. */
function open({ isOn = true, seed = 1 } = {}) {
  const told: (readonly InjectedFault[])[] = [];
  const clock = { now: NOW };
  const faults = new Faults({
    isOn,
    operations: new Set(['RegisterInstance', 'DiscoverInstances']),
    clock: () => clock.now,
    seed,
    tell: async (list) => void told.push(list),
  });
  return { faults, told, clock };
}

const web = { name: 'web.shop.internal', fault: 'servfail' } as const;

describe('faults', () => {
  it('are told to the threads in wire form, each time all of them', async () => {
    const { faults, told } = open();
    const one = await faults.add({ dns: { ...web, name: 'Web.Shop.internal.', type: 'aaaa' }, forSeconds: 1.5 });
    await faults.add({ dns: { name: '.', below: true, fault: 'delay', delayMs: 7, percent: 50 } });
    await faults.add({ api: { operation: '*', fault: 'fail' } });
    expect(told).toHaveLength(2);
    expect(told.at(-1)).toEqual([
      {
        name: new Uint8Array(Buffer.from('\x03web\x04shop\x08internal\0', 'latin1')),
        ...{
          id: 'fault-1',
          type: TYPE.AAAA,
          isBelow: false,
          kind: 'servfail',
          delayMs: 0,
          percent: 100,
          untilMs: NOW + 1500,
        },
      },
      {
        id: 'fault-2',
        name: Uint8Array.of(0),
        type: null,
        isBelow: true,
        kind: 'delay',
        delayMs: 7,
        percent: 50,
        untilMs: null,
      },
    ]);
    await faults.remove(one);
    expect(told.at(-1)).toHaveLength(1);
    expect(await faults.clear()).toBe(2);
    expect(told.at(-1)).toEqual([]);
  });

  it('have an id of their own each, and end at their time', async () => {
    const { faults, clock } = open();
    const ids = [
      await faults.add({ dns: web, forSeconds: 10 }),
      await faults.add({ api: { operation: 'RegisterInstance', fault: 'throttle' }, forSeconds: 20 }),
      await faults.add({ dns: web }),
    ];
    expect(new Set(ids).size).toBe(3);
    expect(faults.list().map(({ id, until }) => [id, until])).toEqual([
      [ids[0], NOW + 10_000],
      [ids[1], NOW + 20_000],
      [ids[2], null],
    ]);
    clock.now = NOW + 10_000;
    expect(faults.list().map(({ id }) => id)).toEqual(ids.slice(1));
    expect(await faults.remove(ids[0] as string)).toBe(false);
    expect(faults.disturb('RegisterInstance')?.outcome).toBe('throttle');
    clock.now = NOW + 20_000;
    expect(faults.disturb('RegisterInstance')).toBe(null);
    faults.close();
  });

  it('of the API: those of the operation and of all, the worst of them', async () => {
    const { faults } = open();
    expect(faults.disturb('RegisterInstance')).toBe(null);
    await faults.add({ api: { operation: 'RegisterInstance', fault: 'fail' } });
    await faults.add({ api: { operation: '*', fault: 'throttle' } });
    expect(faults.disturb('RegisterInstance')?.outcome).toBe('fail');
    expect(faults.disturb('DiscoverInstances')?.outcome).toBe('throttle');
    await faults.clear();
    await faults.add({ dns: web });
    expect(faults.disturb('RegisterInstance')).toBe(null);
  });

  it('let calls that wait go on when they are cleared, and when the daemon ends', async () => {
    const { faults } = open();
    const held = async () => {
      await faults.add({ api: { operation: '*', fault: 'delay', delayMs: 60_000 } });
      return faults.disturb('RegisterInstance')?.wait();
    };
    const first = held();
    const second = held();
    await new Promise((resolve) => setImmediate(resolve));
    await faults.clear();
    expect(await Promise.all([first, second])).toEqual([undefined, undefined]);
    const third = held();
    await new Promise((resolve) => setImmediate(resolve));
    faults.close();
    await third;
    await expect(faults.add({ dns: web })).rejects.toThrow('the daemon is stopping');
  });

  it('let calls that wait go on when their time is over, but for those that another one holds up', async () => {
    const { faults, clock } = open();
    const delay = (operation: string) => ({ api: { operation, fault: 'delay', delayMs: 60_000 } }) as const;
    // Its timer is real: it looks at the clock when it comes.
    await faults.add({ ...delay('RegisterInstance'), forSeconds: 0.05 });
    const ended = faults.disturb('RegisterInstance')?.wait();
    await faults.add(delay('*'));
    let isOver = false;
    const both = faults.disturb('RegisterInstance')?.wait();
    void both?.then(() => {
      isOver = true;
    });
    clock.now = NOW + 50;
    await ended;
    expect(isOver).toBe(false);
    await faults.clear();
    await both;
  });

  it('hit so many of a hundred, and with a seed the same ones', async () => {
    const hits = async (seed: number): Promise<string> => {
      const { faults } = open({ seed });
      const draw = () =>
        Array.from({ length: 1000 }, () => (faults.disturb('DiscoverInstances') === null ? 0 : 1)).join('');
      const add = () => faults.add({ api: { operation: '*', fault: 'fail', percent: 30 } });
      await add();
      const drawn = draw();
      await faults.clear();
      await add();
      expect(draw()).toBe(drawn);
      return drawn;
    };
    const drawn = await hits(5);
    expect(await hits(6)).not.toBe(drawn);
    const count = drawn.replaceAll('0', '').length;
    expect(count).toBeGreaterThan(240);
    expect(count).toBeLessThan(360);
  });

  it('are not had where they are off', async () => {
    const { faults } = open({ isOn: false });
    await expect(faults.add({ dns: web })).rejects.toThrow(FaultsOffError);
    await expect(faults.remove('fault-1')).rejects.toThrow(/CLOUDMAPD_FAULTS/);
    expect(() => faults.list()).toThrow(FaultsOffError);
    expect(faults.inForce()).toEqual([]);
    expect(await faults.clear()).toBe(0);
  });

  it('are no more than a thousand', async () => {
    const { faults } = open();
    for (let n = 0; n < 1000; n++) await faults.add({ dns: web });
    await expect(faults.add({ dns: web })).rejects.toThrow('1000 faults are in force');
  });

  it.each<[string, unknown, string]>([
    ['no object', 'servfail', 'fault: '],
    ['nothing', {}, 'fault: one of dns and api is expected'],
    ['both', { dns: web, api: { operation: '*', fault: 'fail' } }, 'fault: one of dns and api is expected'],
    ['an unknown member', { dns: web, minutes: 1 }, 'fault: '],
    ['an unknown member of dns', { dns: { ...web, rcode: 3 } }, 'dns: '],
    ['no name', { dns: { fault: 'servfail' } }, 'dns.name: '],
    ['an empty name', { dns: { ...web, name: '' } }, 'dns.name: '],
    ['no domain name', { dns: { ...web, name: 'a..b' } }, 'dns.name: is no domain name'],
    ['a label of 64 octets', { dns: { ...web, name: 'x'.repeat(64) } }, 'dns.name: is no domain name'],
    ['no type', { dns: { ...web, type: 'B' } }, 'dns.type: is no type of records'],
    ['a type beyond 16 bits', { dns: { ...web, type: 'TYPE65536' } }, 'dns.type: '],
    ['a fault of the API', { dns: { ...web, fault: 'throttle' } }, 'dns.fault: '],
    ['a delay of no length', { dns: { ...web, fault: 'delay' } }, 'dns.delayMs: goes with the fault "delay"'],
    ['the length of no delay', { dns: { ...web, delayMs: 5 } }, 'dns.delayMs: goes with the fault "delay"'],
    ['a delay of none', { dns: { ...web, fault: 'delay', delayMs: 0 } }, 'dns.delayMs: '],
    ['a delay over a minute', { dns: { ...web, fault: 'delay', delayMs: 60_001 } }, 'dns.delayMs: '],
    ['none of a hundred', { dns: { ...web, percent: 0 } }, 'dns.percent: '],
    ['more than all', { api: { operation: '*', fault: 'fail', percent: 101 } }, 'api.percent: '],
    [
      'an unknown operation',
      { api: { operation: 'Register', fault: 'fail' } },
      'api.operation: "Register" is no operation of the API',
    ],
    ['a fault of DNS', { api: { operation: '*', fault: 'drop' } }, 'api.fault: '],
    ['no time', { dns: web, forSeconds: 0 }, 'forSeconds: '],
    ['more than a week', { dns: web, forSeconds: 604_801 }, 'forSeconds: '],
  ])('are refused: %s', async (_, input, problem) => {
    const { faults } = open();
    const error = await faults.add(input).catch((reason) => reason);
    expect(error).toBeInstanceOf(FaultError);
    expect(error.message.slice(0, problem.length)).toBe(problem);
    expect(faults.list()).toEqual([]);
  });
});

describe('which faults a query meets', () => {
  const QUERIES: readonly (readonly [name: string, type: string])[] = [
    ['web.shop.internal', 'A'],
    ['WEB.shop.Internal', 'A'],
    ['web.shop.internal', 'AAAA'],
    ['a.web.shop.internal', 'A'],
    ['b.a.web.shop.internal', 'SRV'],
    ['shop.internal', 'SOA'],
    ['xweb.shop.internal', 'A'],
    ['internal', 'A'],
    ['.', 'NS'],
  ];

  it.each<[object, number[]]>([
    [{ name: 'web.shop.internal' }, [0, 1, 2]],
    [{ name: 'WEB.SHOP.INTERNAL.', type: 'A' }, [0, 1]],
    [{ name: 'web.shop.internal', type: 'TYPE28' }, [2]],
    [{ name: 'web.shop.internal', below: true }, [0, 1, 2, 3, 4]],
    [{ name: 'web.shop.internal', below: true, type: 'srv' }, [4]],
    [{ name: 'shop.internal', below: true, type: 'SOA' }, [5]],
    [{ name: '.' }, [8]],
    [{ name: '.', below: true }, [0, 1, 2, 3, 4, 5, 6, 7, 8]],
    [{ name: 'none.internal', below: true }, []],
  ])('of %j, in the thread and to who explains', async (dns, met) => {
    const { faults, told } = open();
    await faults.add({ dns: { ...dns, fault: 'servfail' }, forSeconds: 10 });
    const table = new FaultTable();
    table.set(told.at(-1) ?? [], 1);
    const inThread = (now: number) => (name: string, type: string) => {
      const query = buildQuery(name, type);
      const view = new NameView();
      view.read(query, HEADER_BYTES, query.length);
      return table.find(query, view, TYPE[type as 'A'], now);
    };
    const toExplain = (now: number) => (name: string, type: string) =>
      findDnsFaults(faults.list(), name, type, now).length === 1;
    for (const find of [inThread, toExplain]) {
      const at = (now: number) => QUERIES.flatMap(([name, type], n) => (find(now)(name, type) ? n : []));
      expect(at(NOW)).toEqual(met);
      expect(at(NOW + 9999)).toEqual(met);
      expect(at(NOW + 10_000)).toEqual([]);
    }
  });

  it('is told in a few words', async () => {
    const { faults } = open();
    for (const fault of ['servfail', 'drop', 'truncate']) await faults.add({ dns: { ...web, fault } });
    await faults.add({ dns: { ...web, fault: 'delay', delayMs: 200, percent: 30 } });
    const found = findDnsFaults(faults.inForce(), 'web.shop.internal', 'A', NOW);
    expect(found.map(({ dns }) => dns && describeDnsFault(dns))).toEqual([
      ...['SERVFAIL', 'no reply', 'TC over UDP', 'a delay of 200 ms, for 30 of 100 queries'],
    ]);
  });

  it('of several: the longest delay, and the worst of the others', async () => {
    const { faults, told } = open();
    const table = new FaultTable();
    const query = buildQuery('web.shop.internal', 'A');
    const view = new NameView();
    view.read(query, HEADER_BYTES, query.length);
    const expectMet = (delayMs: number, kind: string | null): void => {
      table.set(told.at(-1) ?? [], 1);
      expect(table.find(query, view, TYPE.A, NOW)).toBe(true);
      expect(table).toMatchObject({ delayMs, kind });
    };
    const add = (fault: string, delayMs?: number) => faults.add({ dns: { ...web, fault, delayMs } });
    await add('delay', 20);
    expectMet(20, null);
    await faults.add({ dns: { name: 'internal', below: true, fault: 'delay', delayMs: 30 } });
    await add('truncate');
    expectMet(30, 'truncate');
    await add('drop');
    await add('servfail');
    expectMet(30, 'drop');
  });
});
