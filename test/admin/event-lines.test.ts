/** What is told of batches, and who is told it. */
import { expect, it } from 'vitest';
import { eventsOf, isWanted, type RegistryEvent } from '../../src/admin/event-lines.ts';
import { deleteNamespace } from '../../src/registry/namespaces.ts';
import { deleteService } from '../../src/registry/services.ts';
import { deregisterCommand, openRegistry, registerCommand, withService } from '../support/registry.ts';

it('names what a batch took away, the service and the namespace being gone by then', async () => {
  const { registry } = await openRegistry();
  const { namespaceId, serviceId } = await withService(registry);
  await registry.submit(registerCommand(serviceId, 'one', { k: 'v' }));
  const batches: RegistryEvent[][] = [];
  registry.subscribe(async (changes) => {
    batches.push(eventsOf(changes, registry.state));
  });
  await Promise.all([
    registry.submit(deregisterCommand(serviceId, 'one')),
    registry.submit((state, context) => deleteService(state, { id: serviceId }, context)),
    registry.submit((state, context) => deleteNamespace(state, { id: namespaceId }, context)),
  ]);
  const inNamespace = { namespace: 'space', namespaceId, manager: 'api' };
  const inService = { ...inNamespace, service: 'service', serviceId };
  // One batch, as they came in one turn.
  expect(batches).toEqual([
    [
      { event: 'instance-removed', ...inService, instance: 'one', attributes: { k: 'v' } },
      { event: 'service-removed', ...inService },
      { event: 'namespace-removed', ...inNamespace },
    ],
  ]);
});

it('tells nothing where nothing is other than it was', async () => {
  const { registry } = await openRegistry();
  const { serviceId } = await withService(registry);
  await registry.submit(registerCommand(serviceId, 'one', { k: 'v' }));
  const events: RegistryEvent[] = [];
  registry.subscribe(async (changes) => {
    events.push(...eventsOf(changes, registry.state));
  });
  await registry.submit(registerCommand(serviceId, 'one', { k: 'v' }));
  expect(events).toEqual([]);
});

it('lets through what was asked for, and what concerns everybody', () => {
  const subject = { namespace: 'shop.internal', namespaceId: 'ns-1', service: 'api', serviceId: 'srv-1' };
  const event: RegistryEvent = { event: 'service-created', ...subject, manager: 'api' };
  const alias: RegistryEvent = {
    event: 'alias-changed',
    alias: 'a.example',
    resolves: false,
    ipv4: [],
    ipv6: [],
    subjects: [{ ...subject, service: 'front', serviceId: 'srv-2' }, subject],
  };
  const cases: [RegistryEvent, string | null, string | null, boolean][] = [
    [event, null, null, true],
    [event, 'Shop.internal', null, true],
    [event, 'ns-1', 'srv-1', true],
    [event, 'ns-1', 'API', true],
    [event, 'ns-2', null, false],
    [event, 'ns-1', 'web', false],
    [event, null, 'api', true],
    [alias, 'shop.internal', 'front', true],
    [alias, 'shop.internal', 'web', false],
    [
      { event: 'namespace-removed', namespace: 'shop.internal', namespaceId: 'ns-1', manager: 'api' },
      'ns-1',
      'api',
      true,
    ],
    [
      { event: 'namespace-removed', namespace: 'shop.internal', namespaceId: 'ns-1', manager: 'api' },
      'ns-2',
      'api',
      false,
    ],
    [{ event: 'store-failed', reason: 'disk full' }, 'ns-2', 'api', true],
    [{ event: 'store-recovered' }, 'ns-2', null, true],
  ];
  for (const [given, namespace, service, isLetThrough] of cases) {
    expect([given, namespace, service, isWanted(given, { namespace, service })]).toEqual([
      given,
      namespace,
      service,
      isLetThrough,
    ]);
  }
});
