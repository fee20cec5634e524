import { expect, it } from 'vitest';
import { updateService } from '../../src/registry/services.ts';
import { endOperation } from '../../src/registry/work.ts';
import { namespaceCommand, openRegistry, registerCommand, serviceCommand } from '../support/registry.ts';

/** What waits begins with what is the rule when its time has come, not when it was accepted. */
it('a registration whose service gets a check meanwhile begins as checked instances do', async () => {
  const { registry, clock } = await openRegistry({ operationDelayMs: 1000, newInstanceStatus: 'UNHEALTHY' });
  const end = async (operationId: string): Promise<void> => {
    clock.now += 1000;
    await registry.submit((state, context) => endOperation(state, operationId, context));
    expect(registry.state.operation(operationId)?.status).toBe('SUCCESS');
  };
  const { operationId: created } = await registry.submit(namespaceCommand('shop.example', { type: 'DNS_PUBLIC' }));
  await end(created);
  const namespaceId = registry.state.operation(created)?.targets.NAMESPACE as string;
  const { id } = await registry.submit(serviceCommand(namespaceId, 'web'));
  const update = {
    description: null,
    records: null,
    healthCheck: { type: 'TCP', path: null, failureThreshold: null },
  } as const;
  const attributes = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' };
  const { operationId: updated } = await registry.submit((state, context) =>
    updateService(state, { id, update }, context),
  );
  const { operationId: registered } = await registry.submit(registerCommand(id, 'a', attributes));
  await end(updated);
  await end(registered);
  expect(registry.state.instance(id, 'a')?.health.status).toBe('UNHEALTHY');
});
