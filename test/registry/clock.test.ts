/** A clock that is set back between two starts harms nothing. */
import { describe, expect, it } from 'vitest';
import { isDue } from '../../src/registry/decision.ts';
import { endOperation } from '../../src/registry/work.ts';
import { namespaceCommand, openRegistry } from '../support/registry.ts';

const HOUR_MS = 3_600_000;

describe('what was put off', () => {
  it.each([
    [1000, 1000, 10, true],
    [1000, 1001, 10, true],
    [1000, 999, 10, false],
    [1010, 1000, 10, false],
    [1011, 1000, 10, true],
    [HOUR_MS, 0, 10, true],
  ])('until %i is due at %i with a delay of %i: %s', (dueAt, now, delayMs, expected) => {
    expect(isDue(dueAt, now, delayMs)).toBe(expected);
  });

  it('is done at once where the clock was set back', async () => {
    const { registry, clock } = await openRegistry({ operationDelayMs: 10_000 });
    const { operationId } = await registry.submit(namespaceCommand('jobs'));
    const end = () => registry.submit((state, context) => endOperation(state, operationId, context));
    await end();
    expect(registry.state.operation(operationId)?.status).toBe('PENDING');
    clock.now -= HOUR_MS;
    await end();
    expect(registry.state.operation(operationId)?.status).toBe('SUCCESS');
  });
});

it('a namespace made while the clock was set back does not take the zone from the older one', async () => {
  const { registry, clock } = await openRegistry();
  const make = async (vpc: string): Promise<string> => {
    const command = namespaceCommand('corp.internal', { type: 'DNS_PRIVATE', ...({ vpc } as object) });
    const { operationId } = await registry.submit(command);
    return registry.state.operation(operationId)?.targets.NAMESPACE as string;
  };
  const older = await make('one');
  clock.now -= HOUR_MS;
  const younger = await make('two');
  expect(registry.state.zoneNamespaces('corp.internal').map(({ id }) => id)).toEqual([older, younger]);
});
