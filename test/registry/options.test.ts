/** Options that come with a decision: in force with its changes, for whatever is decided behind it. */
import { describe, expect, it } from 'vitest';
import type { Decider, RegistryOptions } from '../../src/registry/decision.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { type Store, StoreConflictError, StoreError } from '../../src/store/store.ts';
import { namespaceCommand, OPTIONS, openRegistry, registerCommand, withService } from '../support/registry.ts';

const NEXT: RegistryOptions = { ...OPTIONS, ec2Instances: { 'i-1': '10.0.0.1' } };
const OF_EC2 = { AWS_EC2_INSTANCE_ID: 'i-1' };
const bring =
  (name: string): Decider<unknown> =>
  (state, context) => ({ ...namespaceCommand(name)(state, context), options: NEXT });

/** A store whose next commits fail as they are told to. */
function failingStore(...failures: Error[]): { store: Store; failures: Error[] } {
  const inner = openMemoryStore();
  const commit: Store['commit'] = async (...batch) => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return inner.commit(...batch);
  };
  return { store: { ...inner, commit }, failures };
}

describe('options that a decision brings', () => {
  it('are in force for those behind it in the same batch, and not for those before', async () => {
    const { registry } = await openRegistry();
    const { serviceId } = await withService(registry);
    const [before, brought, behind] = await Promise.allSettled([
      registry.submit(registerCommand(serviceId, 'before', OF_EC2)),
      registry.submit(bring('other')),
      registry.submit(registerCommand(serviceId, 'behind', OF_EC2)),
    ]);
    expect(before).toMatchObject({ status: 'rejected', reason: { code: 'InvalidInput' } });
    expect([brought.status, behind.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(registry.state.instance(serviceId, 'behind')?.attributes).toMatchObject({ AWS_INSTANCE_IPV4: '10.0.0.1' });
    expect(registry.options).toBe(NEXT);
  });

  it('are in force where nothing else changes', async () => {
    const { registry } = await openRegistry();
    await registry.submit(() => ({ changes: [], result: null, options: NEXT }));
    expect(registry.options).toBe(NEXT);
    expect(registry.context().options).toBe(NEXT);
  });

  it('are not, for anybody, where the decision is refused or the batch cannot be stored', async () => {
    const { store, failures } = failingStore();
    const { registry } = await openRegistry({}, store);
    const { serviceId } = await withService(registry);
    const before = registry.options;
    await registry.submit(namespaceCommand('taken'));
    await expect(registry.submit(bring('taken'))).rejects.toMatchObject({ code: 'NamespaceAlreadyExists' });
    expect(registry.options).toBe(before);

    failures.push(new StoreError('the disk is full'));
    const outcomes = await Promise.allSettled([
      registry.submit(bring('other')),
      registry.submit(registerCommand(serviceId, 'behind', OF_EC2)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(registry.options).toBe(before);
    await expect(registry.submit(registerCommand(serviceId, 'later', OF_EC2))).rejects.toMatchObject({
      code: 'InvalidInput',
    });
  });

  it('are in force after a batch that had to be decided anew', async () => {
    const { store } = failingStore(new StoreConflictError('another was faster'));
    const { registry } = await openRegistry({}, store);
    await registry.submit(bring('other'));
    expect(registry.options).toBe(NEXT);
    expect([...registry.state.namespaces()].map(({ name }) => name)).toEqual(['other']);
  });
});
