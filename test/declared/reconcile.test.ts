import { describe, expect, it } from 'vitest';
import { declare } from '../../src/declared/declare.ts';
import { watchOverrides } from '../../src/declared/overrides.ts';
import { readContent } from '../../src/declared/schema.ts';
import { ConfigFileError, parseYaml } from '../../src/declared/yaml.ts';
import type { Decider } from '../../src/registry/decision.ts';
import { updateCustomHealth } from '../../src/registry/health.ts';
import type { DnsRecord, Namespace, Service } from '../../src/registry/model.ts';
import { deleteNamespace } from '../../src/registry/namespaces.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { deleteService, updateService } from '../../src/registry/services.ts';
import { endOperation } from '../../src/registry/work.ts';
import {
  deregisterCommand,
  dump,
  namespaceCommand,
  openRegistry,
  registerCommand,
  serviceCommand,
  UNLIMITED,
} from '../support/registry.ts';

const CONTENT = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    description: All of it
    soaTtl: 9
    tags: { env: dev }
    services:
      - name: web
        description: Pages
        dns: { routingPolicy: WEIGHTED, records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        attributes: { team: shop }
        tags: { tier: front }
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
          - { id: web-2, attributes: { AWS_INSTANCE_IPV4: 10.0.0.2 } }
      - name: jobs
        instances: [{ id: job-1 }]
  - { name: http, type: HTTP }
`;

/** A namespace with this service alone. */
const oneService = (text: string) =>
  `namespaces:\n  - name: corp.internal\n    type: DNS_PRIVATE\n    services: [${text}]\n`;
const updateCommand =
  (id: string, records: readonly DnsRecord[] | null): Decider<{ operationId: string }> =>
  (state, context) =>
    updateService(state, { id, update: { description: null, records, healthCheck: null } }, context);

const apply = (registry: Registry, text: string) => {
  const yaml = parseYaml('shop.yaml', text);
  return declare(registry, readContent(yaml), yaml);
};
const namespace = (registry: Registry, name: string) =>
  [...registry.state.namespaces()].find((other) => other.name === name) as Namespace;
const service = (registry: Registry, name: string) =>
  [...registry.state.services()].find((other) => other.name === name) as Service;
const instances = (registry: Registry, name: string) =>
  [...registry.state.instancesOf(service(registry, name)?.id).keys()].sort();
const allNames = ({ state }: Registry) => ({
  namespaces: [...state.namespaces()].map(({ name }) => name).sort(),
  services: [...state.services()].map(({ name }) => name).sort(),
});
const open = async (...[options]: Parameters<typeof openRegistry>) => {
  const test = await openRegistry(options);
  await apply(test.registry, CONTENT);
  return test;
};

describe('what is declared', () => {
  it('is created in one commit', async () => {
    const { registry, store } = await openRegistry();
    let batches = 0;
    store.watch(() => batches++);
    await apply(registry, CONTENT);
    expect(batches).toBe(1);
    expect(namespace(registry, 'corp.internal')).toMatchObject({
      type: 'DNS_PRIVATE',
      httpName: 'corp.internal',
      description: 'All of it',
      soaTtlSeconds: 9,
      tags: { env: 'dev' },
      manager: 'file',
      creatorRequestId: null,
    });
    expect(service(registry, 'web')).toMatchObject({
      type: 'DNS_HTTP',
      description: 'Pages',
      dns: { routingPolicy: 'WEIGHTED', records: [{ type: 'A', ttlSeconds: 10 }] },
      hasCustomHealthCheck: true,
      attributes: { team: 'shop' },
      tags: { tier: 'front' },
      manager: 'file',
    });
    expect(service(registry, 'jobs')).toMatchObject({ type: 'HTTP', dns: null, hasCustomHealthCheck: false });
    expect(registry.state.instance(service(registry, 'web').id, 'web-2')).toMatchObject({
      attributes: { AWS_INSTANCE_IPV4: '10.0.0.2' },
      health: { status: 'HEALTHY', lastHealthyAt: null },
      manager: 'file',
    });
    expect(instances(registry, 'jobs')).toEqual(['job-1']);
  });

  it('is there at once, whatever the delay of operations', async () => {
    const { registry } = await open({ operationDelayMs: 60_000 });
    expect(allNames(registry)).toEqual({ namespaces: ['corp.internal', 'http'], services: ['jobs', 'web'] });
    expect([...registry.state.operations()]).toEqual([]);
  });

  it('is not counted against quotas', async () => {
    const quotas = { ...UNLIMITED, namespaces: 1, instancesPerNamespace: 2, instancesPerService: 1 };
    const { registry } = await open({ quotas });
    expect(instances(registry, 'web')).toEqual(['web-1', 'web-2']);
    await registry.submit(namespaceCommand('own'));
    await registry.submit(registerCommand(service(registry, 'web').id, 'own', { AWS_INSTANCE_IPV4: '10.0.0.9' }));
    await expect(registry.submit(namespaceCommand('more'))).rejects.toMatchObject({ code: 'ResourceLimitExceeded' });
    const more = registerCommand(service(registry, 'web').id, 'more', { AWS_INSTANCE_IPV4: '10.0.0.9' });
    await expect(registry.submit(more)).rejects.toMatchObject({ code: 'ResourceLimitExceeded' });
  });
});

describe('what is declared again', () => {
  it('changes nothing and writes nothing', async () => {
    const { registry, store, clock } = await open();
    const before = dump(registry.state);
    clock.now += 1000;
    let batches = 0;
    store.watch(() => batches++);
    await apply(registry, CONTENT);
    expect(batches).toBe(0);
    expect(dump(registry.state)).toEqual(before);
  });

  it('changes nothing after a restart, and in another order', async () => {
    const { registry, reopen } = await open();
    const before = dump(registry.state);
    const again = await reopen();
    await apply(again, CONTENT.replace('{ AWS_INSTANCE_IPV4: 10.0.0.1 }', '{ "AWS_INSTANCE_IPV4": "10.0.0.1" }'));
    expect(dump(again.state)).toEqual(before);
  });

  it('leaves the health of an instance as it is', async () => {
    const { registry } = await open();
    const command = { serviceId: service(registry, 'web').id, instanceId: 'web-1', status: 'UNHEALTHY' } as const;
    await registry.submit((state, context) => updateCustomHealth(state, command, context));
    await apply(registry, CONTENT);
    expect(registry.state.instance(command.serviceId, 'web-1')?.health.status).toBe('UNHEALTHY');
  });

  it('keeps the id of what changes, and sets each member', async () => {
    const { registry } = await open();
    const ids = { namespace: namespace(registry, 'corp.internal').id, service: service(registry, 'web').id };
    const changed = CONTENT.replace('All of it', 'Some of it')
      .replace('soaTtl: 9', 'soaTtl: 8')
      .replace('env: dev', 'env: test')
      .replace('Pages', 'Sites')
      .replace('ttl: 10', 'ttl: 11')
      .replace('WEIGHTED', 'MULTIVALUE')
      .replace('team: shop', 'team: site')
      .replace('tier: front', 'tier: back');
    await apply(registry, changed);
    expect(namespace(registry, 'corp.internal')).toMatchObject({
      id: ids.namespace,
      description: 'Some of it',
      soaTtlSeconds: 8,
      tags: { env: 'test' },
    });
    expect(service(registry, 'web')).toMatchObject({
      id: ids.service,
      description: 'Sites',
      dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 11 }] },
      attributes: { team: 'site' },
      tags: { tier: 'back' },
    });
  });

  it('registers an instance anew where its attributes changed, and no other', async () => {
    const { registry, clock } = await open();
    const web = service(registry, 'web').id;
    const jobs = service(registry, 'jobs').id;
    const before = { web: registry.state.revision(web), jobs: registry.state.revision(jobs) };
    const untouched = registry.state.instance(web, 'web-1');
    clock.now += 1000;
    await apply(registry, CONTENT.replace('10.0.0.2', '10.0.0.3'));
    expect(registry.state.instance(web, 'web-2')?.attributes).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.3' });
    expect(registry.state.instance(web, 'web-1')).toEqual(untouched);
    expect(registry.state.revision(web)).toBeGreaterThan(before.web);
    expect(registry.state.revision(jobs)).toBe(before.jobs);
  });

  it('sets back what the API changed, and creates again what it removed', async () => {
    const { registry } = await open();
    const web = service(registry, 'web').id;
    const jobs = service(registry, 'jobs').id;
    await registry.submit(registerCommand(web, 'web-1', { AWS_INSTANCE_IPV4: '10.9.9.9', mine: 'yes' }));
    await registry.submit(deregisterCommand(web, 'web-2'));
    await registry.submit(deregisterCommand(jobs, 'job-1'));
    await registry.submit((state, context) => deleteService(state, { id: jobs }, context));
    const http = namespace(registry, 'http').id;
    await registry.submit((state, context) => deleteNamespace(state, { id: http }, context));
    await apply(registry, CONTENT);
    expect(registry.state.instance(web, 'web-1')?.attributes).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.1' });
    expect(instances(registry, 'web')).toEqual(['web-1', 'web-2']);
    expect(instances(registry, 'jobs')).toEqual(['job-1']);
    expect(allNames(registry)).toEqual({ namespaces: ['corp.internal', 'http'], services: ['jobs', 'web'] });
  });

  it('sets back what updates changed, DNS too', async () => {
    const { registry } = await open();
    const before = service(registry, 'web');
    await registry.submit(updateCommand(before.id, null));
    expect(service(registry, 'web')).toMatchObject({ dns: null, description: 'Pages' });
    await apply(registry, CONTENT);
    expect(service(registry, 'web')).toEqual(before);
  });

  it.each([
    ['the name in another case', 'Svc'],
    ['the target of an instance', 'one.svc'],
  ])('is refused where it lost its DNS and the API has given %s away', async (_, name) => {
    const text = oneService(`{ name: svc, dns: { records: [{ type: SRV, ttl: 60 }] } }`);
    const { registry } = await openRegistry();
    await apply(registry, text);
    const { id, namespaceId } = service(registry, 'svc');
    const attributes = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' };
    await registry.submit(registerCommand(id, 'one', attributes));
    await registry.submit(updateCommand(id, null));
    const dns = { routingPolicy: null, records: [{ type: 'A' as const, ttlSeconds: 1 }] };
    await registry.submit(serviceCommand(namespaceId, name, { dns }));
    const before = dump(registry.state);
    await expect(apply(registry, text)).rejects.toThrow(/^shop\.yaml:4: namespaces\[0\]\.services\[0\]\.name: .*taken/);
    expect(dump(registry.state)).toEqual(before);
  });
});

describe('what is declared no longer', () => {
  it('is deleted, children first', async () => {
    const { registry } = await open();
    await apply(registry, '');
    expect(allNames(registry)).toEqual({ namespaces: [], services: [] });
    expect(registry.state.holderOf('any', 'web')).toBeUndefined();
  });

  it('is deleted alone', async () => {
    const { registry } = await open();
    await apply(registry, CONTENT.replace(/ +- \{ id: web-2.*\n/, '').replace(/ +- name: jobs\n.*\n/, ''));
    expect(allNames(registry)).toEqual({ namespaces: ['corp.internal', 'http'], services: ['web'] });
    expect(instances(registry, 'web')).toEqual(['web-1']);
  });

  it('is free for what takes its name in the same file', async () => {
    const { registry } = await open();
    const srv = `namespaces:
      - name: corp.internal
        type: DNS_PRIVATE
        services:
          - { name: x, dns: { records: [{ type: SRV, ttl: 1 }] },
              instances: [{ id: web, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1, AWS_INSTANCE_PORT: 1 } }] }`;
    await apply(registry, srv);
    await apply(registry, srv.replace('name: x,', 'name: web.x,').replace(/SRV(.*\n.*)id: web/, 'A$1id: any'));
    expect(allNames(registry).services).toEqual(['web.x']);
    await apply(registry, srv);
    expect(instances(registry, 'x')).toEqual(['web']);
  });
});

describe('what was made through the API', () => {
  it('is never touched', async () => {
    const { registry } = await open();
    await registry.submit(namespaceCommand('own'));
    const own = await registry.submit(serviceCommand(namespace(registry, 'own').id, 'own-service'));
    await registry.submit(registerCommand(own.id, 'own-instance'));
    const inFile = await registry.submit(serviceCommand(namespace(registry, 'corp.internal').id, 'api-service'));
    await registry.submit(registerCommand(inFile.id, 'api-instance'));
    const beside = service(registry, 'jobs').id;
    await registry.submit(registerCommand(beside, 'beside'));
    const before = dump(registry.state);
    await apply(registry, CONTENT);
    expect(dump(registry.state)).toEqual(before);
  });

  it('survives in what is declared no longer, which stays for it and can be declared again', async () => {
    const { registry } = await open();
    const corp = namespace(registry, 'corp.internal').id;
    const jobs = service(registry, 'jobs').id;
    await registry.submit(registerCommand(jobs, 'own'));
    const web = service(registry, 'web').id;
    await apply(registry, 'namespaces: [{ name: http, type: HTTP }]');
    expect(allNames(registry)).toEqual({ namespaces: ['corp.internal', 'http'], services: ['jobs'] });
    expect(instances(registry, 'jobs')).toEqual(['own']);
    expect(registry.state.service(web)).toBeUndefined();
    expect(registry.state.service(jobs)?.manager).toBe('file');
    await apply(registry, '');
    expect(allNames(registry)).toEqual({ namespaces: ['corp.internal'], services: ['jobs'] });
    await apply(registry, CONTENT);
    expect(namespace(registry, 'corp.internal').id).toBe(corp);
    expect(service(registry, 'jobs').id).toBe(jobs);
    expect(instances(registry, 'jobs')).toEqual(['job-1', 'own']);
    expect(registry.state.instance(jobs, 'own')?.manager).toBe('api');
    await registry.submit(deregisterCommand(jobs, 'own'));
    await apply(registry, '');
    expect(allNames(registry)).toEqual({ namespaces: [], services: [] });
  });

  it('stays in a service whose name is written in another case', async () => {
    const { registry } = await open();
    const web = service(registry, 'web').id;
    await registry.submit(registerCommand(web, 'own', { AWS_INSTANCE_IPV4: '10.0.0.9' }));
    await apply(registry, CONTENT.replace('- name: web', '- name: Web'));
    expect(service(registry, 'Web').id).toBe(web);
    expect(instances(registry, 'Web')).toEqual(['own', 'web-1', 'web-2']);
  });

  it.each([
    ['whose id is no label', ['a..b'], /has an empty label/],
    ['whose id is longer than a label', ['a'.repeat(64)], /has a label longer than 63 octets/],
    ['without a port', ['own'], /AWS_INSTANCE_PORT is required/],
    ['whose ids differ only by case', ['Own', 'own'], /is taken by/],
  ])('is not lost to a record type that it does not fit: instances %s', async (name, ids, problem) => {
    const { registry } = await open();
    const web = service(registry, 'web').id;
    const port = name === 'without a port' ? {} : { AWS_INSTANCE_PORT: '80' };
    for (const id of ids) await registry.submit(registerCommand(web, id, { AWS_INSTANCE_IPV4: '10.0.0.9', ...port }));
    const before = dump(registry.state);
    const changed = CONTENT.replace('type: A,', 'type: SRV,').replaceAll(
      /(AWS_INSTANCE_IPV4: 10.0.0..)/g,
      '$1, AWS_INSTANCE_PORT: 80',
    );
    await expect(apply(registry, changed)).rejects.toThrow(
      /^shop\.yaml:8: namespaces\[0\]\.services\[0\]: the instance/,
    );
    await expect(apply(registry, changed)).rejects.toThrow(problem);
    expect(dump(registry.state)).toEqual(before);
  });

  it.each([
    [
      'a namespace',
      async (registry: Registry) => void (await registry.submit(namespaceCommand('late', { type: 'HTTP' }))),
      'namespaces:\n  - { name: first, type: HTTP }\n  - { name: late, type: HTTP }\n',
      'shop.yaml:3: namespaces[1].name: ',
    ],
    [
      'a service',
      async (registry: Registry) => {
        await registry.submit(serviceCommand(namespace(registry, 'http').id, 'late'));
      },
      'namespaces:\n  - name: http\n    type: HTTP\n    services:\n      - { name: first }\n      - { name: late }\n',
      'shop.yaml:6: namespaces[0].services[1].name: ',
    ],
    [
      'an instance',
      async (registry: Registry) => {
        await registry.submit(registerCommand(service(registry, 'jobs').id, 'late'));
      },
      `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services: [{ name: jobs, instances: [{ id: first }, { id: late }] }]
`,
      'shop.yaml:4: namespaces[0].services[0].instances[1].id: ',
    ],
  ])('is not taken over: %s of the same name is refused, and nothing is applied', async (_, make, text, expected) => {
    const { registry, reopen } = await open();
    await make(registry);
    const before = dump(registry.state);
    const error = await apply(registry, text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigFileError);
    expect((error as Error).message.slice(0, expected.length)).toBe(expected);
    expect(dump(registry.state)).toEqual(before);
    expect(dump((await reopen()).state)).toEqual(before);
  });

  it('keeps a file’s instance the file’s, also where the API registers it anew', async () => {
    const { registry } = await open();
    await registry.submit(registerCommand(service(registry, 'jobs').id, 'job-1', { own: 'yes' }));
    expect(registry.state.instance(service(registry, 'jobs').id, 'job-1')?.manager).toBe('file');
    await apply(registry, CONTENT.replace('instances: [{ id: job-1 }]', ''));
    expect(instances(registry, 'jobs')).toEqual([]);
  });
});

/** An operation may be pending as the daemon stops, and the file be another one when it starts. */
describe('what is pending through the API', () => {
  const SLOW = { operationDelayMs: 100 };
  const end = async (registry: Registry, clock: { now: number }, operationId: string) => {
    clock.now += 100;
    await registry.submit((state, context) => endOperation(state, operationId, context));
    return registry.state.operation(operationId);
  };

  it('fails where the service that it was for is declared no longer', async () => {
    const { registry, clock } = await open(SLOW);
    const jobs = service(registry, 'jobs').id;
    const { operationId } = await registry.submit(registerCommand(jobs, 'pending'));
    await apply(registry, '');
    const ended = await end(registry, clock, operationId);
    if (registry.state.service(jobs) === undefined) {
      expect(ended).toMatchObject({ status: 'FAIL', error: { code: expect.any(String) }, work: null });
      expect(registry.state.instance(jobs, 'pending')).toBeUndefined();
    } else {
      expect(registry.state.instance(jobs, 'pending')).toBeDefined();
    }
  });

  it.each([
    ['has other record types by then', oneService('{ name: web, dns: { records: [{ type: SRV, ttl: 60 }] } }')],
    ['has no DNS by then', oneService('{ name: web }')],
    ['is declared no longer', 'namespaces: []'],
  ])('fails as an update of a service that %s', async (_, text) => {
    const { registry, clock } = await openRegistry(SLOW);
    await apply(registry, oneService('{ name: web, dns: { records: [{ type: A, ttl: 60 }] } }'));
    const { id } = service(registry, 'web');
    const { operationId } = await registry.submit(updateCommand(id, [{ type: 'A', ttlSeconds: 7 }]));
    await apply(registry, text);
    const before = registry.state.service(id);
    expect(await end(registry, clock, operationId)).toMatchObject({ status: 'FAIL', work: null });
    expect(registry.state.service(id)).toEqual(before);
  });

  it('makes no second namespace beside a declared one', async () => {
    const { registry, clock } = await open(SLOW);
    const { operationId } = await registry.submit(namespaceCommand('twice'));
    await apply(registry, `${CONTENT}  - { name: twice, type: HTTP }\n`);
    expect(await end(registry, clock, operationId)).toMatchObject({ status: 'FAIL' });
    expect(allNames(registry).namespaces).toEqual(['corp.internal', 'http', 'twice']);
  });

  it('deletes no namespace that has services by then', async () => {
    const { registry, clock, reopen } = await open(SLOW);
    const { id } = namespace(registry, 'http');
    const { operationId } = await registry.submit((state, context) => deleteNamespace(state, { id }, context));
    await apply(
      registry,
      CONTENT.replace('{ name: http, type: HTTP }', '{ name: http, type: HTTP, services: [{ name: new }] }'),
    );
    expect(await end(registry, clock, operationId)).toMatchObject({ status: 'FAIL' });
    expect(registry.state.namespace(id)).toBeDefined();
    expect(registry.state.namespace(service(registry, 'new').namespaceId)).toBeDefined();
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));
  });

  it('takes no owner name that a declared service has by then', async () => {
    const srv = `namespaces:
      - name: corp.internal
        type: DNS_PRIVATE
        services:
          - { name: x, dns: { records: [{ type: SRV, ttl: 1 }] } }
`;
    const { registry, clock } = await openRegistry(SLOW);
    await apply(registry, srv);
    const x = service(registry, 'x').id;
    const attributes = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '1' };
    const { operationId } = await registry.submit(registerCommand(x, 'web', attributes));
    await apply(registry, `${srv}          - { name: web.x, dns: { records: [{ type: A, ttl: 1 }] } }\n`);
    expect(await end(registry, clock, operationId)).toMatchObject({ status: 'FAIL' });
    const declared = service(registry, 'web.x');
    expect(registry.state.holderOf(declared.namespaceId, 'web.x')).toBe(`service/${declared.id}`);
  });
});

describe('overrides', () => {
  it('are told of, and nothing else is', async () => {
    const { registry } = await open();
    const told: string[] = [];
    watchOverrides(registry, (key, isGone) => told.push(`${key} ${isGone ? 'gone' : 'changed'}`));
    const jobs = service(registry, 'jobs').id;
    const web = service(registry, 'web').id;
    await registry.submit(registerCommand(jobs, 'own'));
    await registry.submit(deregisterCommand(jobs, 'own'));
    const command = { serviceId: web, instanceId: 'web-1', status: 'UNHEALTHY' } as const;
    await registry.submit((state, context) => updateCustomHealth(state, command, context));
    expect(told).toEqual([]);
    await registry.submit(registerCommand(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.8' }));
    await registry.submit(deregisterCommand(jobs, 'job-1'));
    await registry.submit((state, context) => deleteService(state, { id: jobs }, context));
    expect(told).toEqual([`instance/${web}/web-1 changed`, `instance/${jobs}/job-1 gone`, `service/${jobs} gone`]);
  });
});
