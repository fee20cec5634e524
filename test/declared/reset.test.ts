import { describe, expect, it } from 'vitest';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { declare, resetToDeclared } from '../../src/declared/declare.ts';
import { watchOverrides } from '../../src/declared/overrides.ts';
import { declaredKeys, readContent } from '../../src/declared/schema.ts';
import { parseYaml } from '../../src/declared/yaml.ts';
import { updateCustomHealth } from '../../src/registry/health.ts';
import type { Namespace, Service } from '../../src/registry/model.ts';
import { createNamespace, deleteNamespace } from '../../src/registry/namespaces.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { deleteService } from '../../src/registry/services.ts';
import type { State } from '../../src/registry/state.ts';
import { Synthesizer } from '../../src/synthesis/synthesizer.ts';
import { Asker } from '../support/answering.ts';
import { COMPILE_OPTIONS } from '../support/content.ts';
import {
  deregisterCommand,
  dump,
  namespaceCommand,
  openRegistry,
  registerCommand,
  seededRandom,
  serviceCommand,
} from '../support/registry.ts';

const CONTENT = `namespaces:
  - name: shop.internal
    type: DNS_PRIVATE
    vpc: vpc-1
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
          - { id: web-2, attributes: { AWS_INSTANCE_IPV4: 10.0.0.2 } }
      - name: db
        dns: { records: [{ type: SRV, ttl: 10 }] }
        instances:
          - { id: db-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.3, AWS_INSTANCE_PORT: 5432 } }
  - name: shop.internal
    type: DNS_PRIVATE
    vpc: vpc-2
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: other, attributes: { AWS_INSTANCE_IPV4: 10.0.9.9 } }]
  - { name: shop.internal, type: HTTP }
`;

const apply = (registry: Registry, text: string) => {
  const yaml = parseYaml('shop.yaml', text);
  const content = readContent(yaml);
  return declare(registry, content, yaml, { ...registry.options, declared: declaredKeys(content) });
};

/** All that is told of the content, by names instead of ids, and in order: of what a reset is to bring back all. */
function told({ state }: Registry): unknown {
  const byName = ({ name, httpName, type, vpc, description, tags, creatorRequestId, operationId }: Namespace) => ({
    ...{ name, type, vpc, description, tags, creatorRequestId, operationId, isOwnHttpName: httpName === name },
  });
  const services = ({ id }: Namespace) =>
    state.servicesOf(id).map((service) => ({
      ...{ ...service, id: null, namespaceId: null, createdAt: null },
      instances: [...state.instancesOf(service.id).values()].map((instance) => ({
        ...{ ...instance, serviceId: null, registeredAt: null },
      })),
    }));
  const sorted = <T extends { name: string }>(list: T[]): T[] => list.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    namespaces: [...state.namespaces()]
      .map((namespace) => ({ ...byName(namespace), services: sorted(services(namespace)) }))
      .sort((a, b) => (`${a.type} ${a.vpc}` < `${b.type} ${b.vpc}` ? -1 : 1)),
    operations: state.operationCount,
    pendingHealth: [...state.instancesWithPendingHealth()].length,
    counted: state.countedNamespaces,
  };
}

const QUESTIONS = ['web', '_db', 'db', 'db-1.db', 'extra', 'api'].flatMap((name) =>
  ['A', 'SRV'].map((type) => [`${name}.shop.internal`, type] as const),
);

function answersOf(zones: ZoneSet): unknown {
  const asker = new Asker(zones, { seed: 1 });
  return [...QUESTIONS, ['extra.made.internal', 'A'] as const].map(([name, type]) => {
    const { rcode, answer, additional } = asker.ask(name, type);
    return [name, type, rcode, answer, additional];
  });
}

function zonesOf(state: State): ZoneSet {
  const zones = new ZoneSet();
  for (const part of new Synthesizer(state, COMPILE_OPTIONS).snapshot()) zones.apply(part);
  return zones;
}

const namespaceBy = (registry: Registry, vpc: string | null): Namespace =>
  [...registry.state.namespaces()].find((namespace) => namespace.vpc === vpc) as Namespace;
const serviceBy = (registry: Registry, name: string): Service =>
  [...registry.state.services()].find((service) => service.name === name) as Service;

describe('a reset', () => {
  it('is one commit, and none where nothing is to be done', async () => {
    const { registry, store } = await openRegistry();
    await apply(registry, CONTENT);
    let batches = 0;
    store.watch(() => batches++);
    expect(await resetToDeclared(registry)).toEqual({ created: 0, changed: 0, removed: 0 });
    expect(batches).toBe(0);
    await registry.submit(namespaceCommand('made.internal'));
    await registry.submit(registerCommand(serviceBy(registry, 'web').id, 'web-3', { AWS_INSTANCE_IPV4: '10.0.0.4' }));
    expect(await resetToDeclared(registry)).toEqual({ created: 0, changed: 0, removed: 2 });
    expect(batches).toBe(3);
  });

  it('empties a registry for which nothing is declared', async () => {
    const { registry } = await openRegistry();
    const { operationId } = await registry.submit(namespaceCommand('made.internal'));
    expect(registry.state.operation(operationId)?.status).toBe('SUCCESS');
    expect(await resetToDeclared(registry)).toEqual({ created: 0, changed: 0, removed: 1 });
    expect(told(registry)).toEqual({ namespaces: [], operations: 0, pendingHealth: 0, counted: 0 });
  });

  it('brings back what was declared last, and nothing of a file that was refused', async () => {
    const { registry } = await openRegistry();
    await apply(registry, CONTENT);
    await apply(registry, 'namespaces: [{ name: later, type: HTTP }]');
    await registry.submit(namespaceCommand('api'));
    await expect(apply(registry, 'namespaces: [{ name: api, type: HTTP }]')).rejects.toThrow();
    await resetToDeclared(registry);
    expect([...registry.state.namespaces()].map(({ name }) => name)).toEqual(['later']);
  });

  it('ends operations and health that are pending', async () => {
    const { registry, clock } = await openRegistry({ operationDelayMs: 1000, customHealthDelayMs: 1000 });
    await apply(registry, CONTENT);
    await registry.submit(namespaceCommand('late.internal'));
    const command = { serviceId: serviceBy(registry, 'web').id, instanceId: 'web-1', status: 'UNHEALTHY' } as const;
    await registry.submit((state, context) => updateCustomHealth(state, command, context));
    expect(registry.state.pendingCount + [...registry.state.instancesWithPendingHealth()].length).toBe(2);
    clock.now += 10;
    expect(await resetToDeclared(registry)).toEqual({ created: 0, changed: 1, removed: 0 });
    expect(registry.state.pendingCount + [...registry.state.instancesWithPendingHealth()].length).toBe(0);
  });

  it('gives a zone back to the namespace that was declared first, and names to whom they belong', async () => {
    const { registry } = await openRegistry();
    await apply(registry, CONTENT);
    const before = [told(registry), answersOf(zonesOf(registry.state))];
    const { id } = namespaceBy(registry, 'vpc-1');
    for (const service of registry.state.servicesOf(id)) {
      for (const instance of registry.state.instancesOf(service.id).now())
        await registry.submit(deregisterCommand(service.id, instance.id));
      await registry.submit((state, context) => deleteService(state, { id: service.id }, context));
    }
    await registry.submit((state, context) => deleteNamespace(state, { id }, context));
    expect(answersOf(zonesOf(registry.state))).not.toEqual(before[1]);
    await resetToDeclared(registry);
    expect([told(registry), answersOf(zonesOf(registry.state))]).toEqual(before);
  });

  it('lets what is declared have its name in discovery once nobody else has it', async () => {
    const { registry } = await openRegistry();
    const rest = { description: null, soaTtlSeconds: null, tags: [], creatorRequestId: null, vpc: null };
    const made = { name: 'shop.internal', type: 'DNS_PUBLIC' as const, ...rest };
    await registry.submit((state, context) => createNamespace(state, made, context));
    await apply(registry, 'namespaces: [{ name: shop.internal, type: HTTP }]');
    expect(registry.state.namespaceByHttpName('shop.internal')?.manager).toBe('api');
    await resetToDeclared(registry);
    expect(registry.state.namespaceByHttpName('shop.internal')?.manager).toBe('file');
  });

  it('is no override that the log would tell of', async () => {
    const { registry } = await openRegistry();
    await apply(registry, CONTENT);
    const overrides: string[] = [];
    watchOverrides(registry, (key) => overrides.push(key));
    await registry.submit(deregisterCommand(serviceBy(registry, 'web').id, 'web-1'));
    expect(overrides).toHaveLength(1);
    await resetToDeclared(registry);
    expect(overrides).toHaveLength(1);
  });

  it.each(Array.from({ length: 25 }, (_, seed) => seed + 1))('undoes any calls (seed %i)', async (seed) => {
    const fresh = await openRegistry();
    await apply(fresh.registry, CONTENT);
    const { registry, clock, reopen } = await openRegistry();
    await apply(registry, CONTENT);
    const synthesizer = new Synthesizer(registry.state, COMPILE_OPTIONS);
    const zones = new ZoneSet();
    for (const part of synthesizer.snapshot()) zones.apply(part);
    registry.subscribe(async (changes) => {
      const delta = synthesizer.delta(changes);
      if (delta !== null) zones.apply(delta);
    });
    const random = seededRandom(seed);
    const pick = <T>(list: Iterable<T>): T => {
      const all = [...list];
      return all[random(all.length)] as T;
    };
    const ids = ['web-1', 'web-2', 'db-1', 'other', 'extra'];
    const callOnce = async (): Promise<void> => {
      const service = pick(registry.state.services());
      const namespace = pick(registry.state.namespaces());
      const id = pick(ids);
      switch (random(8)) {
        case 0: {
          const name = pick(['shop.internal', 'made.internal']);
          const type = pick(['DNS_PRIVATE', 'DNS_PUBLIC', 'HTTP'] as const);
          const vpc = type === 'DNS_PRIVATE' ? pick(['vpc-1', 'vpc-2']) : null;
          const rest = { description: null, soaTtlSeconds: null, tags: [], creatorRequestId: null };
          await registry.submit((state, context) => createNamespace(state, { name, type, vpc, ...rest }, context));
          break;
        }
        case 1:
          await registry.submit((state, context) => deleteNamespace(state, { id: namespace.id }, context));
          break;
        case 2: {
          const dns = { routingPolicy: 'MULTIVALUE' as const, records: [{ type: 'A' as const, ttlSeconds: 9 }] };
          const name = pick(['web', 'WEB', 'db', 'extra', 'db-1.db']);
          await registry.submit(
            serviceCommand(namespace.id, name, { dns: namespace.type === 'HTTP' ? null : dns, creatorRequestId: null }),
          );
          break;
        }
        case 3:
          for (const instance of registry.state.instancesOf(service.id).now())
            await registry.submit(deregisterCommand(service.id, instance.id));
          await registry.submit((state, context) => deleteService(state, { id: service.id }, context));
          break;
        case 4:
          await registry.submit(deregisterCommand(service.id, id));
          break;
        case 5:
          await registry.submit((state, context) =>
            updateCustomHealth(
              state,
              { serviceId: service.id, instanceId: id, status: pick(['HEALTHY', 'UNHEALTHY']) },
              context,
            ),
          );
          break;
        default:
          await registry.submit(
            registerCommand(service.id, id, { AWS_INSTANCE_IPV4: `10.1.0.${random(250)}`, AWS_INSTANCE_PORT: '80' }),
          );
      }
    };
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 25; n++) {
        clock.now += random(3);
        // What the rules refuse is as good as any other call.
        await callOnce().catch(() => undefined);
      }
      const revisions = [registry.state.highestRevision, registry.state.highestSerial];
      await resetToDeclared(registry);
      expect(told(registry)).toEqual(told(fresh.registry));
      expect(answersOf(zones)).toEqual(answersOf(zonesOf(fresh.registry.state)));
      expect(registry.state.highestRevision).toBeGreaterThanOrEqual(revisions[0] as number);
      expect(registry.state.highestSerial).toBeGreaterThanOrEqual(revisions[1] as number);
      expect(dump((await reopen()).state)).toEqual(dump(registry.state));
    }
  });
});
