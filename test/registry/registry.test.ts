import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Decider } from '../../src/registry/decision.ts';
import { Draft } from '../../src/registry/draft.ts';
import { settleCustomHealth, updateCustomHealth } from '../../src/registry/health.ts';
import type { Change, Namespace, Operation } from '../../src/registry/model.ts';
import { deleteNamespace } from '../../src/registry/namespaces.ts';
import { MAX_OPERATIONS, OPERATION_RETENTION_MS } from '../../src/registry/operations.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { deleteService } from '../../src/registry/services.ts';
import { tryFailedStore } from '../../src/registry/store-trials.ts';
import { endOperation } from '../../src/registry/work.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { type Store, type StoreBatch, StoreError } from '../../src/store/store.ts';
import {
  deregisterCommand,
  dump,
  namespaceCommand,
  openRegistry,
  registerCommand,
  seededRandom,
  serviceCommand,
  type TestRegistry,
  UNLIMITED,
  withService,
} from '../support/registry.ts';

const names = (registry: Registry) => [...registry.state.namespaces()].map(({ name }) => name).sort();

/** What `watch` tells of a store, batch by batch. */
function watched(store: Store): StoreBatch[] {
  const batches: StoreBatch[] = [];
  store.watch((batch) => batches.push(batch));
  return batches;
}

describe('batches', () => {
  it('commit the commands of one turn once', async () => {
    const { registry, store } = await openRegistry();
    const batches = watched(store);
    await Promise.all(Array.from({ length: 20 }, (_, i) => registry.submit(namespaceCommand(`n-${i}`))));
    expect(batches).toHaveLength(1);
    expect(names(registry)).toHaveLength(20);
    await registry.submit(namespaceCommand('later'));
    expect(batches).toHaveLength(2);
  });

  it('decide each command on top of the earlier ones', async () => {
    const { registry, store } = await openRegistry();
    const batches = watched(store);
    const { serviceId } = await withService(registry);
    batches.length = 0;
    await Promise.all([
      registry.submit(registerCommand(serviceId, 'one', { n: '1' })),
      registry.submit(registerCommand(serviceId, 'one', { n: '2' })),
      registry.submit(deregisterCommand(serviceId, 'one')),
      registry.submit(registerCommand(serviceId, 'one', { n: '3' })),
    ]);
    expect(batches).toHaveLength(1);
    expect(registry.state.instance(serviceId, 'one')?.attributes).toEqual({ n: '3' });
    // A key that the batch changes several times is written once, as it ends up.
    const keys = batches[0]?.changes.map(({ key }) => key) ?? [];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('let one of two creates of a name win', async () => {
    const { registry } = await openRegistry();
    const [first, second] = await Promise.allSettled([
      registry.submit(namespaceCommand('same')),
      registry.submit(namespaceCommand('same')),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'NamespaceAlreadyExists' } });
    expect(names(registry)).toEqual(['same']);
  });

  it('answer two equal requests of one turn with one operation', async () => {
    const { registry } = await openRegistry();
    const command = namespaceCommand('same', { creatorRequestId: 'r' });
    const [first, second] = await Promise.all([registry.submit(command), registry.submit(command)]);
    expect(second).toEqual(first);
  });

  it('give the last place under a quota to one', async () => {
    const quotas = { ...UNLIMITED, namespaces: 3, instancesPerService: 2 };
    const { registry } = await openRegistry({ quotas });
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c', 'd', 'e'].map((n) => registry.submit(namespaceCommand(n))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(3).fill('fulfilled'), ...Array(2).fill('rejected')]);
    expect(outcomes[4]).toMatchObject({ reason: { code: 'ResourceLimitExceeded' } });
    const { id } = [...registry.state.namespaces()][0] as Namespace;
    const service = await registry.submit(serviceCommand(id, 's'));
    const places = await Promise.allSettled(
      ['i', 'j', 'k'].map((instance) => registry.submit(registerCommand(service.id, instance))),
    );
    expect(places[2]).toMatchObject({ status: 'rejected', reason: { code: 'ResourceLimitExceeded' } });
    expect([...registry.state.instancesOf(service.id).keys()]).toEqual(['i', 'j']);
  });

  it('are not hurt by a command that is refused', async () => {
    const { registry, store } = await openRegistry();
    const batches = watched(store);
    const bug: Decider<never> = () => {
      throw new TypeError('a bug');
    };
    const outcomes = await Promise.allSettled([
      registry.submit(namespaceCommand('a')),
      registry.submit(bug),
      registry.submit(namespaceCommand('not a name')),
      registry.submit(namespaceCommand('b')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { message: 'a bug' } });
    expect(names(registry)).toEqual(['a', 'b']);
    expect(batches).toHaveLength(1);
  });

  it('write nothing where nothing changes', async () => {
    const { registry, store } = await openRegistry();
    const command = namespaceCommand('a', { creatorRequestId: 'r' });
    const first = await registry.submit(command);
    const batches = watched(store);
    expect(await registry.submit(command)).toEqual(first);
    expect(batches).toEqual([]);
  });

  it('take more commands than one batch holds', async () => {
    const { registry, store } = await openRegistry();
    const batches = watched(store);
    await Promise.all(Array.from({ length: 1200 }, (_, i) => registry.submit(namespaceCommand(`n-${i}`))));
    expect(names(registry)).toHaveLength(1200);
    expect(batches.length).toBeGreaterThan(1);
    expect(batches.length).toBeLessThan(10);
  });

  it('take a command that arrives while another batch is being committed', async () => {
    const { store, gate } = gatedStore();
    const { registry } = await openRegistry({}, store);
    const opened = gate.hold();
    const first = registry.submit(namespaceCommand('first'));
    await gate.reached;
    const second = registry.submit(namespaceCommand('second'));
    expect(names(registry)).toEqual([]);
    opened();
    await Promise.all([first, second]);
    expect(names(registry)).toEqual(['first', 'second']);
  });

  it('show nothing before they are durable', async () => {
    const { store, gate } = gatedStore();
    const { registry } = await openRegistry({}, store);
    const open = gate.hold();
    const write = registry.submit(namespaceCommand('hidden'));
    await gate.reached;
    expect(names(registry)).toEqual([]);
    expect(registry.state.operationCount).toBe(0);
    expect(registry.state.countedNamespaces).toBe(0);
    open();
    await write;
    expect(names(registry)).toEqual(['hidden']);
  });
});

describe('listeners', () => {
  it('are told of each change and what it replaced, and waited for', async () => {
    const { registry } = await openRegistry();
    const { serviceId } = await withService(registry);
    const told: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    registry.subscribe(async (changes) => {
      for (const { change, undo } of changes) {
        if (change.kind !== 'instance' || undo.kind !== 'instance') continue;
        told.push(`${undo.value?.attributes.n} -> ${change.value?.attributes.n}`);
      }
      await promise;
    });
    let isAnswered = false;
    const write = registry.submit(registerCommand(serviceId, 'one', { n: '1' })).then(() => {
      isAnswered = true;
    });
    // A command that changes nothing goes through the same queue, and waits for what was announced before it.
    const behind = registry.submit(() => ({ changes: [], result: null }));
    for (let turn = 0; turn < 10; turn++) await new Promise((done) => setImmediate(done));
    expect({ told, isAnswered }).toEqual({ told: ['undefined -> 1'], isAnswered: false });
    // Readers see it all the same: it is durable.
    expect(registry.state.instance(serviceId, 'one')).toBeDefined();
    resolve();
    await Promise.all([write, behind]);
    await registry.submit(registerCommand(serviceId, 'one', { n: '2' }));
    await registry.submit(deregisterCommand(serviceId, 'one'));
    expect(told).toEqual(['undefined -> 1', '1 -> 2', '2 -> undefined']);
  });

  it('are waited for by settle', async () => {
    const { registry } = await openRegistry();
    let isDone = false;
    registry.subscribe(async () => {
      await new Promise((done) => setImmediate(done));
      isDone = true;
    });
    void registry.submit(namespaceCommand('a'));
    await registry.settle();
    expect(isDone).toBe(true);
    expect(names(registry)).toEqual(['a']);
  });
});

describe('a store that fails', () => {
  it('has the whole batch refused, and the state is as it was', async () => {
    const { store, failure } = failingStore();
    const { registry, reopen } = await openRegistry({}, store);
    const { serviceId } = await withService(registry);
    await registry.submit(registerCommand(serviceId, 'one', { n: '1' }, 'r'));
    const before = dump(registry.state);
    failure.error = new StoreError('the disk is full');
    const outcomes = await Promise.allSettled([
      registry.submit(namespaceCommand('other')),
      registry.submit(registerCommand(serviceId, 'one', { n: '2' })),
      registry.submit(registerCommand(serviceId, 'two')),
      registry.submit(serviceCommand([...registry.state.namespaces()][0]?.id ?? '', 'more')),
    ]);
    for (const outcome of outcomes) expect(outcome).toEqual({ status: 'rejected', reason: failure.error });
    expect(dump(registry.state)).toEqual(before);
    expect(dump((await reopen()).state)).toEqual(before);

    failure.error = null;
    await registry.submit(registerCommand(serviceId, 'two'));
    expect(registry.state.instance(serviceId, 'two')).toBeDefined();
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));
  });

  it('is an outage, told once, until it takes a batch again', async () => {
    const { store, failure } = failingStore();
    const { registry } = await openRegistry({}, store);
    const told: (string | null)[] = [];
    registry.onOutage((outage) => told.push(outage?.message ?? null));
    failure.error = new StoreError('the disk is full');
    for (const name of ['a', 'b']) await expect(registry.submit(namespaceCommand(name))).rejects.toThrow();
    failure.error = new StoreError('the disk is gone');
    await expect(registry.tryStore()).rejects.toThrow('the disk is gone');
    expect(told).toEqual(['the disk is full']);
    expect(registry.outage?.message).toBe('the disk is gone');
    // A call that changes nothing says nothing of the store.
    await registry.submit(() => ({ changes: [], result: null }));
    expect(registry.outage).not.toBeNull();

    failure.error = null;
    const { revision } = await store.load();
    await registry.tryStore();
    expect(registry.outage).toBeNull();
    expect(told).toEqual(['the disk is full', null]);
    expect((await store.load()).revision).toBe(revision + 1);
    expect(names(registry)).toEqual([]);
  });

  it('is tried until it takes batches, and then no more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { store, failure } = failingStore();
    const { registry } = await openRegistry({}, store);
    const batches = watched(store);
    const trials = tryFailedStore(registry);
    onTestFinished(() => trials.close());
    expect(vi.getTimerCount()).toBe(0);
    failure.error = new StoreError('the disk is full');
    await expect(registry.submit(namespaceCommand('a'))).rejects.toThrow();
    for (let n = 0; n < 3; n++) {
      await vi.advanceTimersByTimeAsync(1000);
      await registry.settle();
      expect(registry.outage).not.toBeNull();
    }
    failure.error = null;
    await vi.advanceTimersByTimeAsync(1000);
    await registry.settle();
    expect(registry.outage).toBeNull();
    expect(batches).toMatchObject([{ changes: [] }]);
    expect(vi.getTimerCount()).toBe(0);
    // A second time, and closed meanwhile.
    failure.error = new StoreError('the disk is full');
    await expect(registry.submit(namespaceCommand('a'))).rejects.toThrow();
    expect(vi.getTimerCount()).toBe(1);
    trials.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is tried less often where it fails again soon after it took a batch', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { store, failure } = failingStore();
    const { registry } = await openRegistry({}, store);
    let nowMs = 0;
    const trials = tryFailedStore(registry, () => nowMs);
    onTestFinished(() => trials.close());
    /** After how long the next trial ends the outage. */
    const outage = async (): Promise<number> => {
      failure.error = new StoreError('the disk is full');
      await expect(registry.submit(namespaceCommand(`n-${nowMs}`))).rejects.toThrow();
      failure.error = null;
      const since = nowMs;
      while (registry.outage !== null) {
        nowMs += 500;
        await vi.advanceTimersByTimeAsync(500);
        await registry.settle();
      }
      return nowMs - since;
    };
    const waited: number[] = [];
    for (let n = 0; n < 6; n++) waited.push(await outage());
    expect(waited).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
    nowMs += 60_000;
    expect(await outage()).toBe(500);
  });

  it('is not written to any more once the registry is closed', async () => {
    const { store } = failingStore();
    const { registry } = await openRegistry({}, store);
    const batches = watched(store);
    const last = registry.submit(namespaceCommand('last'));
    await registry.close();
    await last;
    await expect(registry.submit(namespaceCommand('late'))).rejects.toThrow('the daemon is stopping');
    expect(registry.outage).toBeNull();
    expect(batches).toHaveLength(1);
  });

  it('does not give an InstancesRevision a second time', async () => {
    const { store, failure } = failingStore();
    const { registry } = await openRegistry({}, store);
    const { serviceId } = await withService(registry);
    await registry.submit(registerCommand(serviceId, 'one'));
    const before = registry.state.revision(serviceId);
    failure.error = new StoreError('the disk is full');
    await expect(registry.submit(registerCommand(serviceId, 'two'))).rejects.toThrow('the disk is full');
    expect(registry.state.revision(serviceId)).toBe(before);
    failure.error = null;
    await registry.submit(registerCommand(serviceId, 'two'));
    expect(registry.state.revision(serviceId)).toBeGreaterThan(before);
  });
});

describe('another writer of the same store', () => {
  it('has its batches taken in', async () => {
    const { registry, store, reopen } = await openRegistry();
    const other = await reopen();
    await other.submit(namespaceCommand('theirs'));
    expect(names(registry)).toEqual(['theirs']);
    expect(dump(registry.state)).toEqual(dump(other.state));
    const batches = watched(store);
    await registry.submit(namespaceCommand('ours'));
    expect(batches).toHaveLength(1);
    expect(dump(other.state)).toEqual(dump(registry.state));
  });

  it('that commits first has our batch decided anew', async () => {
    const { store, before } = racedStore();
    const { registry, reopen } = await openRegistry({}, store);
    const other = await reopen();
    before.commit = () => other.submit(namespaceCommand('theirs'));
    await registry.submit(namespaceCommand('ours'));
    expect(names(registry)).toEqual(['ours', 'theirs']);
    expect(dump(other.state)).toEqual(dump(registry.state));
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));
  });

  it('that takes the name first has ours refused', async () => {
    const { store, before } = racedStore();
    const { registry, reopen } = await openRegistry({}, store);
    const other = await reopen();
    before.commit = () => other.submit(namespaceCommand('same'));
    const [refused, accepted] = await Promise.allSettled([
      registry.submit(namespaceCommand('same')),
      registry.submit(namespaceCommand('ours')),
    ]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'NamespaceAlreadyExists' } });
    expect(accepted.status).toBe('fulfilled');
    expect(names(registry)).toEqual(['ours', 'same']);
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));
  });

  it('that ends a pending operation has ours find it ended', async () => {
    const { registry, reopen, clock } = await openRegistry({ operationDelayMs: 100 });
    const other = await reopen();
    const { operationId } = await registry.submit(namespaceCommand('n'));
    clock.now += 100;
    await Promise.all([
      registry.submit((state, context) => endOperation(state, operationId, context)),
      other.submit((state, context) => endOperation(state, operationId, context)),
    ]);
    expect(names(registry)).toEqual(['n']);
    expect(registry.state.operation(operationId)?.status).toBe('SUCCESS');
    expect(dump(other.state)).toEqual(dump(registry.state));
  });
});

describe('open', () => {
  it('refuses a record that it did not write', async () => {
    const store = openMemoryStore();
    await store.commit([{ key: 'recipe/soup', value: '{}' }], 0);
    await expect(openRegistry({}, store)).rejects.toThrow('recipe');
  });

  it.each([
    ['at once', 0, 0],
    ['with a delay', 40, 25],
  ])(
    'reads back what a random sequence of commands left: operations end %s',
    async (_, operationDelayMs, healthDelay) => {
      const quotas = { ...UNLIMITED, namespaces: 8, instancesPerNamespace: 30, instancesPerService: 12 };
      const test = await openRegistry({ operationDelayMs, customHealthDelayMs: healthDelay, quotas });
      const accepted = await runRandomCommands(test, 3000);
      // The sequence must have done something.
      expect(accepted).toBeGreaterThan(1000);
      expect(test.registry.state.operationCount).toBeGreaterThan(300);
      expect(dump((await test.reopen()).state)).toEqual(dump(test.registry.state));
    },
  );

  it('keeps operations in the order in which they were accepted', async () => {
    const { registry, clock, reopen } = await openRegistry();
    for (let i = 0; i < 30; i++) {
      clock.now++;
      await registry.submit(namespaceCommand(`n-${i}`));
    }
    const ids = [...registry.state.operations()].map(({ id }) => id);
    expect([...(await reopen()).state.operations()].map(({ id }) => id)).toEqual(ids);
  });

  it('goes on with pending operations', async () => {
    const { registry, clock, reopen } = await openRegistry({ operationDelayMs: 100 });
    const { operationId } = await registry.submit(namespaceCommand('n', { creatorRequestId: 'r' }));
    clock.now += 99;
    const again = await reopen();
    expect(await again.submit(namespaceCommand('n', { creatorRequestId: 'r' }))).toEqual({ operationId });
    await expect(again.submit(namespaceCommand('n'))).rejects.toMatchObject({ code: 'DuplicateRequest' });
    await again.submit((state, context) => endOperation(state, operationId, context));
    expect(again.state.operation(operationId)?.status).toBe('PENDING');
    clock.now++;
    await again.submit((state, context) => endOperation(state, operationId, context));
    expect(again.state.operation(operationId)).toMatchObject({ status: 'SUCCESS', updatedAt: clock.now });
    expect(names(again)).toEqual(['n']);
  });

  it('keeps request ids', async () => {
    const { registry, reopen } = await openRegistry();
    const { namespaceId, serviceId } = await withService(registry, { creatorRequestId: 's' });
    const registered = await registry.submit(registerCommand(serviceId, 'i', {}, 'r'));
    const again = await reopen();
    expect(await again.submit(registerCommand(serviceId, 'i', {}, 'r'))).toEqual(registered);
    const service = await again.submit(serviceCommand(namespaceId, 'service', { creatorRequestId: 's' }));
    expect(service.id).toBe(serviceId);
  });
});

describe('InstancesRevision', () => {
  it('grows where the clock goes back, also across a restart', async () => {
    const { registry, clock, reopen } = await openRegistry();
    const { serviceId } = await withService(registry);
    await registry.submit(registerCommand(serviceId, 'one'));
    const first = registry.state.revision(serviceId);
    clock.now -= 3_600_000;
    await registry.submit(registerCommand(serviceId, 'two'));
    const second = registry.state.revision(serviceId);
    expect(second).toBeGreaterThan(first);
    const again = await reopen();
    expect(again.state.revision(serviceId)).toBe(second);
    await again.submit(deregisterCommand(serviceId, 'one'));
    expect(again.state.revision(serviceId)).toBeGreaterThan(second);
  });

  it('grows on where the service was made anew after a restart, whatever the clock', async () => {
    const { registry, clock, reopen } = await openRegistry();
    const { namespaceId, serviceId } = await withService(registry);
    await registry.submit(registerCommand(serviceId, 'one'));
    await registry.submit(deregisterCommand(serviceId, 'one'));
    const last = registry.state.revision(serviceId);
    await registry.submit((state, context) => deleteService(state, { id: serviceId }, context));
    clock.now -= 3_600_000;
    const again = await reopen();
    const made = await again.submit(serviceCommand(namespaceId, 'service'));
    expect(again.state.revision(made.id)).toBeGreaterThanOrEqual(last);
    await again.submit(registerCommand(made.id, 'one'));
    expect(again.state.revision(made.id)).toBeGreaterThan(last);
  });
});

describe('operations', () => {
  it('are kept up to 100,000, of which the oldest ended ones go', async () => {
    const { registry } = await openRegistry();
    const pending = await registry.submit(namespaceCommand('pending'));
    const first = registry.state.operation(pending.operationId) as Operation;
    const filler = Array.from({ length: MAX_OPERATIONS }, (_, n): Change => {
      const id = `op-${n}`;
      return { kind: 'operation', id, value: { ...first, id, request: null } };
    });
    const work = { kind: 'delete-namespace', id: 'ns-of-nobody' } as const;
    await registry.submit(() => ({
      changes: [{ kind: 'operation', id: first.id, value: { ...first, status: 'PENDING', work } }, ...filler],
      result: null,
    }));
    expect(registry.state.operationCount).toBe(MAX_OPERATIONS + 1);
    const { operationId } = await registry.submit(namespaceCommand('one-more'));
    expect(registry.state.operationCount).toBe(MAX_OPERATIONS);
    expect(registry.state.operation(first.id)).toBeDefined();
    expect(registry.state.operation('op-1')).toBeUndefined();
    expect(registry.state.operation('op-2')).toBeDefined();
    expect(registry.state.operation(operationId)).toBeDefined();
  });

  it('are kept for 30 days, pending ones longer', async () => {
    const { registry, clock, reopen } = await openRegistry();
    const old = await registry.submit(namespaceCommand('old'));
    clock.now += OPERATION_RETENTION_MS - 1;
    const young = await registry.submit(namespaceCommand('young'));
    expect(registry.state.operation(old.operationId)).toBeDefined();
    clock.now += 1;
    await registry.submit(namespaceCommand('now'));
    expect(registry.state.operation(old.operationId)).toBeUndefined();
    expect(registry.state.operation(young.operationId)).toBeDefined();
    expect(names(registry)).toEqual(['now', 'old', 'young']);
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));

    const slow = await reopen({ operationDelayMs: 2 * OPERATION_RETENTION_MS });
    const pending = await slow.submit(namespaceCommand('pending'));
    clock.now += OPERATION_RETENTION_MS + 1;
    await slow.submit(namespaceCommand('other'));
    expect(slow.state.operation(pending.operationId)?.status).toBe('PENDING');
    expect(slow.state.operation(young.operationId)).toBeUndefined();
  });
});

describe('Draft', () => {
  it('shows its changes until it is rolled back, and then everything is as before', async () => {
    const test = await openRegistry({ operationDelayMs: 40, customHealthDelayMs: 25 });
    await runRandomCommands(test, 500);
    const { registry, clock } = test;
    const { state } = registry;
    const before = dump(state);
    const draft = new Draft(state);
    // Everything there is, removed and put back in another form, children before parents.
    for (const service of [...state.services()]) {
      for (const instance of [...state.instancesOf(service.id).values()]) {
        const key = { kind: 'instance' as const, serviceId: service.id, id: instance.id };
        draft.add([
          { ...key, value: { ...instance, attributes: {}, manager: 'file' } },
          { ...key, value: null },
          { kind: 'revision', id: service.id, value: clock.now + 1 },
        ]);
      }
      draft.add([
        { kind: 'service', id: service.id, value: { ...service, name: 'renamed', dns: null } },
        { kind: 'service', id: service.id, value: null },
      ]);
    }
    for (const { id } of [...state.operations()].slice(0, 20)) draft.add([{ kind: 'operation', id, value: null }]);
    for (const { id } of [...state.namespaces()]) draft.add([{ kind: 'namespace', id, value: null }]);
    expect([...state.namespaces()]).toEqual([]);
    expect([...state.services()]).toEqual([]);
    const { length } = draft.changes;
    expect(length).toBeGreaterThan(50);

    draft.rollBack();
    expect(draft.changes).toHaveLength(length);
    expect(dump(state)).toEqual(before);
  });

  it('puts removed operations back in their places: they are dropped oldest first', async () => {
    const { registry, clock } = await openRegistry({ operationDelayMs: 10 });
    for (const name of ['a', 'b', 'c']) {
      clock.now++;
      await registry.submit(namespaceCommand(name));
    }
    const { state } = registry;
    const order = () => ({
      all: [...state.operations()].map(({ id }) => id),
      pending: [...state.pendingOperations()].map(({ id }) => id),
    });
    const before = order();
    expect(before.pending).toHaveLength(3);
    const draft = new Draft(state);
    draft.add([{ kind: 'operation', id: before.all[0] as string, value: null }]);
    draft.rollBack();
    expect(order()).toEqual(before);
  });
});

/** @returns how many were accepted */
async function runRandomCommands({ registry, clock }: TestRegistry, count: number): Promise<number> {
  const random = seededRandom(42);
  const pick = <T>(items: Iterable<T>): T | undefined => {
    const list = [...items];
    return list.length === 0 ? undefined : list[random(list.length)];
  };
  const requestId = () => (random(2) === 0 ? null : `r-${random(6)}`);
  const { state } = registry;
  const next = (): Decider<unknown> => {
    const service = pick(state.services());
    const instance = service && pick(state.instancesOf(service.id).values());
    switch (random(12)) {
      case 0:
        return namespaceCommand(`name-${random(5)}`, {
          type: (['HTTP', 'DNS_PRIVATE', 'HTTP'] as const)[random(3)] ?? 'HTTP',
          ...(random(2) === 0 ? {} : { creatorRequestId: `r-${random(6)}` }),
        });
      case 1: {
        const id = random(4) === 0 ? (pick(state.namespaces())?.id ?? 'none') : 'none';
        return (current, context) => deleteNamespace(current, { id }, context);
      }
      case 2:
      case 3: {
        const namespace = pick(state.namespaces());
        const hasDns = namespace?.type === 'DNS_PRIVATE' && random(4) > 0;
        return serviceCommand(namespace?.id ?? 'none', `Service-${random(4)}`, {
          dns: hasDns ? { routingPolicy: null, records: [{ type: 'SRV', ttlSeconds: 1 }] } : null,
          hasCustomHealthCheck: random(2) === 0,
          creatorRequestId: requestId(),
        });
      }
      case 4:
        return (current, context) => deleteService(current, { id: service?.id ?? 'none' }, context);
      case 5:
        return deregisterCommand(service?.id ?? 'none', instance?.id ?? 'none');
      case 6:
      case 7: {
        const status = random(2) === 0 ? 'HEALTHY' : 'UNHEALTHY';
        const command = { serviceId: service?.id ?? 'none', instanceId: instance?.id ?? 'none', status } as const;
        return (current, context) => updateCustomHealth(current, command, context);
      }
      default:
        return registerCommand(
          service?.id ?? 'none',
          `Instance-${random(9)}`,
          { AWS_INSTANCE_IPV4: `10.0.0.${random(5)}`, AWS_INSTANCE_PORT: '80' },
          requestId(),
        );
    }
  };
  let accepted = 0;
  for (let done = 0; done < count; ) {
    const batch = Array.from({ length: 1 + random(4) }, next);
    done += batch.length;
    const due = [...state.pendingOperations()].filter(({ dueAt }) => dueAt <= clock.now).map(({ id }) => id);
    const work: Decider<unknown>[] = due.map((id) => (current, context) => endOperation(current, id, context));
    const outcomes = await Promise.allSettled(
      [...work, settleCustomHealth, ...batch].map((decide) => registry.submit(decide)),
    );
    accepted += outcomes.slice(-batch.length).filter(({ status }) => status === 'fulfilled').length;
    clock.now += random(15);
  }
  await registry.settle();
  return accepted;
}

/** A store whose commits wait while the gate is held. */
function gatedStore(): { store: Store; gate: { hold(): () => void; reached: Promise<void> } } {
  const inner = openMemoryStore();
  let opened: Promise<void> = Promise.resolve();
  const reached = Promise.withResolvers<void>();
  return {
    store: {
      ...inner,
      async commit(changes, basis) {
        reached.resolve();
        await opened;
        return inner.commit(changes, basis);
      },
    },
    gate: {
      reached: reached.promise,
      hold: () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        opened = promise;
        return resolve;
      },
    },
  };
}

/** A store that cannot write while there is an error. */
function failingStore(): { store: Store; failure: { error: StoreError | null } } {
  const inner = openMemoryStore();
  const failure: { error: StoreError | null } = { error: null };
  return {
    failure,
    store: {
      ...inner,
      async commit(changes, basis) {
        if (failure.error !== null) throw failure.error;
        return inner.commit(changes, basis);
      },
    },
  };
}

/** A store on which somebody else is a little faster, once. */
function racedStore(): { store: Store; before: { commit: (() => Promise<unknown>) | null } } {
  const inner = openMemoryStore();
  const before: { commit: (() => Promise<unknown>) | null } = { commit: null };
  return {
    before,
    store: {
      ...inner,
      async commit(changes, basis) {
        const faster = before.commit;
        before.commit = null;
        await faster?.();
        return inner.commit(changes, basis);
      },
    },
  };
}
