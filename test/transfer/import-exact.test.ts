/** `--format json`: records by their ids, refused whole where anything of them cannot be. */
import { describe, expect, it } from 'vitest';
import { declare } from '../../src/declared/declare.ts';
import { readContent } from '../../src/declared/schema.ts';
import { parseYaml } from '../../src/declared/yaml.ts';
import type { RegistryOptions } from '../../src/registry/decision.ts';
import { createNamespace, deleteNamespace } from '../../src/registry/namespaces.ts';
import { updateService } from '../../src/registry/services.ts';
import { endOperation } from '../../src/registry/work.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { StoreError } from '../../src/store/store.ts';
import { importText } from '../../src/transfer/import.ts';
import {
  deregisterCommand,
  dump,
  namespaceCommand,
  openRegistry,
  registerCommand,
  UNLIMITED,
} from '../support/registry.ts';
import { exported, imported, inChunks, storedIn } from '../support/transfer.ts';

interface Parts {
  readonly namespaces: Record<string, unknown>[];
  readonly services: Record<string, unknown>[];
  readonly instances: Record<string, unknown>[];
  readonly operations: Record<string, unknown>[];
  readonly [key: string]: unknown;
}

const NAMESPACE = {
  id: 'ns-1',
  name: 'corp.test',
  type: 'DNS_PRIVATE',
  vpc: 'vpc-1',
  hostedZoneId: 'Z1',
  createdAt: 1,
};
const A = { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 60 }] };
const SRV = { routingPolicy: 'MULTIVALUE', records: [{ type: 'SRV', ttlSeconds: 60 }] };
const WEB = { id: 'srv-web', namespaceId: 'ns-1', name: 'web', dns: A, createdAt: 2, revision: 50 };
const WEB_1 = { serviceId: 'srv-web', id: 'web-1', attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' }, registeredAt: 3 };

/** A namespace with a service with an instance, and what the change makes of it. */
function documentOf(change: (parts: Parts) => unknown = () => {}): Parts {
  const parts: Parts = structuredClone({
    cloudmapd: 1,
    namespaces: [NAMESPACE],
    services: [WEB],
    instances: [WEB_1],
    operations: [],
  });
  change(parts);
  return parts;
}

/** A pending one. */
const creation = (id: string, change: object): Record<string, unknown> => ({
  id,
  type: 'CREATE_NAMESPACE',
  status: 'PENDING',
  createdAt: 5,
  targets: { NAMESPACE: 'ns-2' },
  work: { kind: 'create-namespace', namespace: { ...NAMESPACE, id: 'ns-2', name: 'other.test', ...change } },
});

const first = (records: readonly Record<string, unknown>[]): Record<string, unknown> =>
  records[0] as Record<string, unknown>;

async function withContent(options: Partial<RegistryOptions> = {}) {
  const world = await openRegistry(options);
  await imported(world.registry, documentOf());
  return world;
}

describe('what cannot be', () => {
  it.each<[string, (parts: Parts) => unknown, (string | number)[], RegExp]>([
    [
      'an unknown member',
      (d) => Object.assign(first(d.instances), { extra: 1 }),
      ['instances', 0, 'extra'],
      /is not a known key/,
    ],
    [
      'a member of the wrong type',
      (d) => Object.assign(first(d.services), { attributes: { a: 1 } }),
      ['services', 0, 'attributes', 'a'],
      /expected string/,
    ],
    ['a missing id', (d) => delete first(d.namespaces).id, ['namespaces', 0, 'id'], /expected string/],
    [
      'an id that the store has no key for',
      (d) => Object.assign(first(d.namespaces), { id: 'ns/1' }),
      ['namespaces', 0, 'id'],
      /is no id/,
    ],
    ['a list that is none', (d) => Object.assign(d, { services: {} }), ['services'], /a list is expected/],
    ['an unknown key', (d) => Object.assign(d, { settings: {} }), ['settings'], /is not a known key/],
    ['another version', (d) => Object.assign(d, { cloudmapd: 2 }), ['cloudmapd'], /is 2, this cloudmapd knows 1/],
    [
      'another region',
      (d) => Object.assign(d, { region: 'eu-west-1' }),
      ['region'],
      /is "eu-west-1", and "us-east-1" here: set CLOUDMAPD_REGION/,
    ],
    [
      'another account',
      (d) => Object.assign(d, { accountId: '210987654321' }),
      ['accountId'],
      /set CLOUDMAPD_ACCOUNT_ID/,
    ],
    ['a namespace twice', (d) => d.namespaces.push({ ...NAMESPACE }), ['namespaces', 1], /\(ns-1\): is there twice/],
    ['a service twice', (d) => d.services.push({ ...WEB }), ['services', 1], /\(srv-web\): is there twice/],
    [
      'an instance twice',
      (d) => d.instances.push({ ...WEB_1 }),
      ['instances', 1],
      /\(srv-web\/web-1\): is there twice/,
    ],
    [
      'a namespace name of another',
      (d) => d.namespaces.push({ ...NAMESPACE, id: 'ns-2', httpName: 'x' }),
      ['namespaces', 1, 'name'],
      /is the name of ns-1 already/,
    ],
    [
      'an httpName of another',
      (d) => d.namespaces.push({ ...NAMESPACE, id: 'ns-2', vpc: 'vpc-2' }),
      ['namespaces', 1, 'httpName'],
      /"corp.test" is that of ns-1 already/,
    ],
    [
      'a name that no namespace has',
      (d) => Object.assign(first(d.namespaces), { name: 'a..b' }),
      ['namespaces', 0, 'name'],
      /cannot be served as a domain name/,
    ],
    [
      'a reserved tag',
      (d) => Object.assign(first(d.namespaces), { tags: { 'aws:x': '' } }),
      ['namespaces', 0, 'tags'],
      /reserved/,
    ],
    [
      'a service of nowhere',
      (d) => Object.assign(first(d.services), { namespaceId: 'ns-9' }),
      ['services', 0, 'namespaceId'],
      /ns-9 is neither in the document nor here/,
    ],
    [
      'a service name of another',
      (d) => d.services.push({ ...WEB, id: 'srv-2' }),
      ['services', 1, 'name'],
      /is the name of srv-web already/,
    ],
    [
      'a service name of another but for its case',
      (d) => d.services.push({ ...WEB, id: 'srv-2', name: 'WEB' }),
      ['services', 1, 'name'],
      /is the name of srv-web already/,
    ],
    [
      'records that do not go together',
      (d) => Object.assign(first(d.services), { dns: { ...A, records: [...A.records, ...SRV.records] } }),
      ['services', 0],
      /\(srv-web "web"\): DnsRecords are/,
    ],
    [
      'a check that private namespaces do not have',
      (d) => Object.assign(first(d.services), { healthCheck: { type: 'TCP' } }),
      ['services', 0],
      /HealthCheckConfig is for public/,
    ],
    [
      'an instance of nowhere',
      (d) => Object.assign(first(d.instances), { serviceId: 'srv-9' }),
      ['instances', 0, 'serviceId'],
      /\(srv-9\/web-1\): srv-9 is neither/,
    ],
    [
      'an instance without what its service wants',
      (d) => Object.assign(first(d.instances), { attributes: {} }),
      ['instances', 0],
      /^instances\[0\] \(srv-web\/web-1\): .*AWS_INSTANCE_IPV4 is required/,
    ],
    [
      'an address that is none',
      (d) => Object.assign(first(d.instances), { attributes: { AWS_INSTANCE_IPV4: '10' } }),
      ['instances', 0],
      /is not an IPv4 address/,
    ],
    [
      'an instance id with a space',
      (d) => Object.assign(first(d.instances), { id: 'web 1' }),
      ['instances', 0],
      /is no instance id/,
    ],
    [
      'an EC2 instance that nobody knows',
      (d) => Object.assign(first(d.instances), { attributes: { AWS_EC2_INSTANCE_ID: 'i-9' } }),
      ['instances', 0],
      /AWS_EC2_INSTANCE_ID is for HTTP namespaces/,
    ],
    [
      'a pending operation without its work',
      (d) => d.operations.push({ id: 'op-1', type: 'DELETE_NAMESPACE', status: 'PENDING', createdAt: 1, targets: {} }),
      ['operations', 0, 'work'],
      /is there while the status is PENDING/,
    ],
    [
      'an operation twice',
      (d) =>
        d.operations.push(...[1, 2].map(() => ({ id: 'op-1', type: 'DELETE_NAMESPACE', createdAt: 1, targets: {} }))),
      ['operations', 1],
      /is there twice/,
    ],
    [
      'two pending operations on one target',
      (d) =>
        d.operations.push(
          ...['op-1', 'op-2'].map((id) => ({
            id,
            type: 'DELETE_NAMESPACE',
            status: 'PENDING',
            createdAt: 1,
            targets: {},
            work: { kind: 'delete-namespace', id: 'ns-1' },
          })),
        ),
      ['operations', 1],
      /is pending, and so is op-1/,
    ],
    ...(
      [
        ['revision', 'services', 'revision'],
        ['time of a service', 'services', 'createdAt'],
        ['time of a namespace', 'namespaces', 'createdAt'],
        ['time of an instance', 'instances', 'registeredAt'],
      ] as const
    ).map(
      ([what, list, member]) =>
        [
          `a ${what} that the next one would not be greater than`,
          (d: Parts) =>
            Object.assign(first(d[list] as Record<string, unknown>[]), { [member]: Number.MAX_SAFE_INTEGER }),
          [list, 0, member],
          /is no time in milliseconds: more than 8640000000000000/,
        ] as [string, (parts: Parts) => unknown, (string | number)[], RegExp],
    ),
    ...[
      ['of no name', { name: 'a..b' }, /op-1\): "a\.\.b" cannot be served as a domain name: it has an empty label/],
      ['with a label too long', { name: `${'x'.repeat(70)}.test` }, /a label longer than 63 octets/],
      ['with a name too long', { name: `${'x.'.repeat(150)}test` }, /is no name|is longer than 253/],
      ['with the id of another', { id: 'ns-1' }, /creates ns-1, which is the id of another namespace already/],
      ['with a reserved tag', { tags: { 'aws:x': '' } }, /reserved/],
    ].map(
      ([what, change, message]) =>
        [
          `a namespace ${what} that is being created`,
          (d: Parts) => d.operations.push(creation('op-1', change as object)),
          ['operations', 0, 'work'],
          message,
        ] as [string, (parts: Parts) => unknown, (string | number)[], RegExp],
    ),
    [
      'two namespaces with one id that are being created',
      (d) => d.operations.push(creation('op-1', {}), creation('op-2', { name: 'second.test' })),
      ['operations', 1, 'work'],
      /creates ns-2, which is the id of another namespace already/,
    ],
    [
      'a pending registration of what is no instance id',
      (d) =>
        d.operations.push({
          ...creation('op-1', {}),
          type: 'REGISTER_INSTANCE',
          work: { kind: 'register-instance', instance: { ...WEB_1, id: 'a b' } },
        }),
      ['operations', 0, 'work'],
      /is no instance id/,
    ],
    [
      'an operation that works on what is not of its type',
      (d) => d.operations.push({ ...creation('op-1', {}), type: 'DELETE_NAMESPACE' }),
      ['operations', 0, 'type'],
      /is DELETE_NAMESPACE, and its work create-namespace/,
    ],
  ])('%s is refused, and nothing is in', async (_, change, path, message) => {
    const { registry, store } = await openRegistry();
    await registry.submit(namespaceCommand('there.test'));
    const before = [dump(registry.state), await storedIn(store)];
    for (const dryRun of [true, false]) {
      const error = await imported(registry, documentOf(change), dryRun).catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'ImportError', path, message: expect.stringMatching(message) });
      expect(error.message).not.toContain('\n');
    }
    expect([dump(registry.state), await storedIn(store)]).toEqual(before);
  });

  it('is a mistake behind a million others, too: all of it is checked before any of it is in', async () => {
    const { registry, store } = await openRegistry();
    const document = documentOf((d) => {
      for (let i = 2; i < 2000; i++) d.instances.push({ ...WEB_1, id: `web-${i}` });
      d.instances.push({ ...WEB_1, id: 'web-2000', attributes: {} });
    });
    await expect(imported(registry, document)).rejects.toThrow(/^instances\[1999\] \(srv-web\/web-2000\): /);
    expect((await storedIn(store)).records).toEqual([]);
  });

  it.each([
    ['no JSON', '{"cloudmapd":1,\n"namespaces":[\n{"id":"ns-1",}]}', /no JSON, behind cloudmapd: /],
    ['half of it', '{"cloudmapd":1,"namespaces":[', /no JSON, behind cloudmapd: /],
    ['more behind it', '{"cloudmapd":1} {}', /no JSON, behind cloudmapd: /],
    ['nothing', '', /no export of cloudmapd/],
    ['a number', '5', /no export of cloudmapd/],
    ['a list', '[{}]', /no export of cloudmapd/],
    ['an empty object', '{}', /no export of cloudmapd/],
    ['a member twice', '{"cloudmapd":1,"namespaces":[],"namespaces":[]}', /^namespaces: is there twice$/],
    [
      'a record without an end',
      `{"cloudmapd":1,"instances":[{"id":"${'x'.repeat(1_200_000)}`,
      /a record has more than 1048576 bytes/,
    ],
    [
      'a long document whose form is not known',
      `{"namespaces":[${' '.repeat(64 * 1024 * 1024)}`,
      /has to be one of --format json/,
    ],
  ])('%s is refused', async (_, text, message) => {
    const { registry } = await openRegistry();
    await expect(imported(registry, text)).rejects.toThrow(message);
  });
});

describe('what no document begins with', () => {
  const endless = (head: string, chunk: string) => {
    const read = { chunks: 0 };
    const chunks = (async function* () {
      yield Buffer.from(head);
      for (; read.chunks < 100; read.chunks++) yield Buffer.from(chunk.repeat(1000));
    })();
    return { read, chunks };
  };

  it.each([
    ['an unknown key', '{"cloudmapd":1,', '"m0":0,', /^m0: is not a known key$/],
    ['an unknown key before its form is known', '{', '"m0":0,', /^m0: is not a known key$/],
    ['a key of the other form', '{"cloudmapd":1,', '"ec2Instances":{},', /^ec2Instances: is not a known key$/],
    ['an object for a list', '{"cloudmapd":1,"instances":{', '"m0":0,', /^instances: a list is expected$/],
    ['a text for a list', '{"namespaces":"a",', '"m0":0,', /^namespaces: a list is expected$/],
    ['a list', '[', '0,', /no export of cloudmapd/],
    ['lists in lists', '{"namespaces":', '[', /^namespaces\[0\]: is nested too deeply$/],
    ['objects in objects', '{"ec2Instances":', '{"a":', /^ec2Instances: is nested too deeply$/],
    ['a key twice', '{"namespaces":[{"a":1},{"a":0,', '"a":0,', /^namespaces\[1\]: has the key "a" twice$/],
  ])('%s is refused before the rest is read', async (_, head, chunk, message) => {
    const { registry } = await openRegistry();
    const { read, chunks } = endless(head, chunk);
    await expect(importText(registry, chunks, { dryRun: true })).rejects.toThrow(message);
    expect(read.chunks).toBeLessThan(2);
  });

  it.each<[string, string, RegExp]>([
    ['a record', '{"id":"ns-1","name":"a.test","type":"HTTP","name":"b.test"}', /has the key "name" twice/],
    ['a map', '{"id":"ns-1","name":"a","type":"HTTP","tags":{"a":"1","b":"2","a":"3"}}', /has the key "a" twice/],
    [
      'a map of many',
      `{"tags":{${Array.from({ length: 100 }, (_, i) => `"k${i}":""`)},"k99":""}}`,
      /has the key "k99" twice/,
    ],
    ['one that is written otherwise', '{"id":"ns-1","\\u0069d":"ns-2"}', /has the key "id" twice/],
    ['what objects have a meaning for', '{"tags":{"__proto__":"1","__proto__":"2"}}', /has the key "__proto__" twice/],
  ])('a key twice in %s is refused, which would be the last one that is read otherwise', async (_, record, message) => {
    const { registry } = await openRegistry();
    for (const form of ['"cloudmapd":1,', '']) {
      const text = `{${form}"namespaces":[{"id":"ns-0","name":"x","type":"HTTP"},${record}]}`;
      await expect(imported(registry, text)).rejects.toMatchObject({
        path: ['namespaces', 1],
        message: expect.stringMatching(message),
      });
    }
  });
});

describe('a document', () => {
  it('may have the same key in one record after the other, and leave a list to null', async () => {
    const { registry } = await openRegistry();
    await imported(registry, '{"namespaces":[{"name":"a","type":"HTTP"},{"name":"b","type":"HTTP"}]}');
    await imported(registry, '{"ec2Instances":null,"namespaces":null}');
    expect([...registry.state.namespaces()].map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('may have its members in any order, and any white space', async () => {
    const from = await withContent();
    const text = exported(from.registry, 'json');
    const { cloudmapd, ...rest } = JSON.parse(text);
    for (const other of [
      { ...Object.fromEntries(Object.entries(rest).reverse()), cloudmapd },
      { cloudmapd, ...rest },
    ]) {
      const to = await openRegistry();
      await imported(to.registry, JSON.stringify(other, null, 2));
      expect(exported(to.registry, 'json')).toBe(text);
    }
  });

  it('keeps U+FEFF wherever a text has it, raw and escaped, and may begin with one itself', async () => {
    const odd = ['\ufeffhello', 'a\ufeffé\ufeff', '\ufeff', '\ufeff\ufeff'];
    const tags = Object.fromEntries([...odd.map((key) => [key, key]), ['hello', 'another']]);
    const document = documentOf((d) => Object.assign(first(d.namespaces), { description: odd[0], tags }));
    const raw = JSON.stringify(document);
    for (const text of [raw, raw.replaceAll('\ufeff', '\\uFEFF'), `\ufeff${raw}`]) {
      // Cut in the midst of characters and escapes as well.
      for (const size of [1, 7, 10_000]) {
        const { registry } = await openRegistry();
        await importText(registry, inChunks(text, size), { dryRun: false });
        expect(registry.state.namespace('ns-1')).toMatchObject({ description: odd[0], tags });
        expect(exported(registry, 'json')).not.toContain('\ufeff');
      }
    }
  });

  it('may leave out what is made anew, which stays when it comes again', async () => {
    const { registry, store, clock } = await openRegistry();
    const document = documentOf((d) => {
      for (const record of [first(d.namespaces), first(d.services), first(d.instances)]) {
        for (const key of ['createdAt', 'registeredAt', 'revision', 'hostedZoneId']) delete record[key];
      }
    });
    await imported(registry, document);
    expect(registry.state.namespace('ns-1')).toMatchObject({
      createdAt: clock.now,
      hostedZoneId: expect.stringMatching(/^Z/),
    });
    expect(registry.state.revision('srv-web')).toBeGreaterThanOrEqual(clock.now);
    const before = await storedIn(store);
    clock.now += 5000;
    expect((await imported(registry, document)).differences).toEqual([]);
    expect(await storedIn(store)).toEqual(before);
  });

  it('changes what is there by its id, says what, and leaves the rest alone', async () => {
    const { registry } = await withContent();
    await registry.submit(registerCommand('srv-web', 'other', { AWS_INSTANCE_IPV4: '10.0.0.9' }));
    const document = documentOf((d) => {
      Object.assign(first(d.namespaces), { description: 'new' });
      Object.assign(first(d.services), { tags: { team: 'shop' } });
      Object.assign(first(d.instances), {
        attributes: { AWS_INSTANCE_IPV4: '10.0.0.2', stage: 'beta' },
        health: { status: 'UNHEALTHY', lastHealthyAt: 7 },
      });
    });
    expect(await imported(registry, document)).toEqual({
      dryRun: false,
      created: { namespaces: 0, services: 0, instances: 0 },
      changed: { namespaces: 1, services: 1, instances: 1 },
      unchanged: { namespaces: 0, services: 0, instances: 0 },
      differences: [
        { action: 'change', kind: 'namespace', name: 'corp.test', id: 'ns-1', members: ['description: none -> new'] },
        {
          action: 'change',
          kind: 'service',
          name: 'corp.test/web',
          id: 'srv-web',
          members: ['tags.team: none -> shop'],
        },
        {
          action: 'change',
          kind: 'instance',
          name: 'corp.test/web/web-1',
          id: 'web-1',
          members: [
            'attributes.AWS_INSTANCE_IPV4: 10.0.0.1 -> 10.0.0.2',
            'attributes.stage: none -> beta',
            'health.status: HEALTHY -> UNHEALTHY',
            'health.lastHealthyAt: none -> 7',
          ],
        },
      ],
    });
    expect(registry.state.instance('srv-web', 'other')).toBeDefined();
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['name', { name: 'other.test' }, /is "corp.test" here: that cannot change/],
    ['type', { type: 'DNS_PUBLIC' }, /is "DNS_PRIVATE" here/],
    ['time of creation', { createdAt: 9 }, /is 1 here/],
  ])("cannot change a namespace's %s", async (_, change, message) => {
    const { registry } = await withContent();
    await expect(
      imported(
        registry,
        documentOf((d) => Object.assign(first(d.namespaces), change)),
      ),
    ).rejects.toThrow(message);
  });

  it('cannot move a service, or call it otherwise but for the case', async () => {
    const { registry } = await withContent();
    await registry.submit(namespaceCommand('second'));
    const second = registry.state.namespaceByHttpName('second')?.id;
    const change = (members: object) =>
      imported(
        registry,
        documentOf((d) => Object.assign(first(d.services), members)),
      );
    await expect(change({ namespaceId: second, dns: null })).rejects.toThrow(/namespaceId.*is ns-1 here/);
    await expect(change({ name: 'api' })).rejects.toThrow(/name.*is "web" here/);
    await change({ name: 'Web' });
    expect(registry.state.serviceByName('ns-1', 'Web')?.id).toBe('srv-web');
  });

  it('refuses a service that instances which it does not have would not fit', async () => {
    const { registry } = await withContent();
    await registry.submit(registerCommand('srv-web', 'other', { AWS_INSTANCE_IPV4: '10.0.0.9' }));
    const document = documentOf((d) => {
      Object.assign(first(d.services), { dns: SRV });
      Object.assign(first(d.instances), { attributes: { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' } });
    });
    await expect(imported(registry, document)).rejects.toThrow(
      /the instance "other", which is here alone, would not fit/,
    );
    await registry.submit(deregisterCommand('srv-web', 'other'));
    await imported(registry, document);
    expect(registry.state.holderOf('ns-1', 'web-1.web')).toBe('instance/srv-web/web-1');
  });

  it('brings back instances that a later change of their service has made misfits', async () => {
    const { registry } = await openRegistry({ allowsPrivateHealthChecks: true });
    await imported(registry, documentOf());
    const records = A.records as never;
    const update = {
      description: null,
      records,
      healthCheck: { type: 'TCP' as const, path: null, failureThreshold: null },
    };
    await registry.submit((state, context) => updateService(state, { id: 'srv-web', update }, context));
    const to = await openRegistry({ allowsPrivateHealthChecks: true });
    await imported(to.registry, exported(registry, 'json'));
    expect(to.registry.state.instance('srv-web', 'web-1')).toBeDefined();
    // A file with it would be refused.
    expect(exported(registry, 'yaml')).toContain('# left out: web-1: The service has a HealthCheckConfig');
  });
});

describe('the revision of a service', () => {
  const revisionAfter = async (
    document: Parts,
    here: (world: Awaited<ReturnType<typeof withContent>>) => unknown = () => {},
  ) => {
    const world = await withContent();
    await here(world);
    const before = world.registry.state.revision('srv-web');
    await imported(world.registry, document);
    return { before, after: world.registry.state.revision('srv-web') };
  };
  const changed = (revision?: number) =>
    documentOf((d) => {
      Object.assign(first(d.instances), { attributes: { AWS_INSTANCE_IPV4: '10.0.0.2' } });
      Object.assign(first(d.services), { revision });
    });

  it("is the document's where that is greater", async () => {
    expect(await revisionAfter(changed(51))).toEqual({ before: 50, after: 51 });
    expect(await revisionAfter(documentOf((d) => Object.assign(first(d.services), { revision: 51 })))).toEqual({
      before: 50,
      after: 51,
    });
  });

  it('never goes back, and grows with what changes', async () => {
    for (const revision of [undefined, 49, 50]) {
      const { before, after } = await revisionAfter(changed(revision));
      expect(after).toBeGreaterThan(before);
    }
    expect(await revisionAfter(documentOf((d) => Object.assign(first(d.services), { revision: 49 })))).toEqual({
      before: 50,
      after: 50,
    });
  });

  it('goes on from what the registry gave before all of it was deleted', async () => {
    const { registry } = await withContent();
    const text = exported(registry, 'json');
    await registry.submit(registerCommand('srv-web', 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' }));
    const before = registry.state.revision('srv-web');
    await registry.submit(deregisterCommand('srv-web', 'web-1'));
    await registry.submit(deregisterCommand('srv-web', 'web-2'));
    await registry.submit((state) => ({
      changes: [
        ...[
          { kind: 'service' as const, id: 'srv-web', value: null },
          { kind: 'revision' as const, id: 'srv-web', value: null },
          { kind: 'revision' as const, id: '*', value: state.revision('srv-web') },
        ],
      ],
      result: null,
    }));
    await imported(registry, text);
    expect(registry.state.revision('srv-web')).toBeGreaterThan(before);
  });
});

describe('who manages what is imported', () => {
  const quotas = { ...UNLIMITED, namespaces: 1, instancesPerService: 1, instancesPerNamespace: 1 };

  it('counts against no quota, also where the API registers it anew', async () => {
    const { registry } = await withContent({ quotas });
    const document = documentOf((d) => d.instances.push({ ...WEB_1, id: 'web-2' }));
    await imported(registry, document);
    expect(registry.state.instance('srv-web', 'web-2')?.manager).toBe('import');
    await registry.submit(registerCommand('srv-web', 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.3' }));
    expect(registry.state.instance('srv-web', 'web-2')?.manager).toBe('import');
    await registry.submit(registerCommand('srv-web', 'api-1', { AWS_INSTANCE_IPV4: '10.0.0.4' }));
    await expect(
      registry.submit(registerCommand('srv-web', 'api-2', { AWS_INSTANCE_IPV4: '10.0.0.5' })),
    ).rejects.toThrow(/quota/);
    await registry.submit(namespaceCommand('of.api'));
    await expect(registry.submit(namespaceCommand('of.api.too'))).rejects.toThrow(/quota/);
  });

  it('counts where it is gone and the API makes it anew', async () => {
    const { registry } = await withContent({ quotas });
    await registry.submit(deregisterCommand('srv-web', 'web-1'));
    await registry.submit(registerCommand('srv-web', 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' }));
    expect(registry.state.instance('srv-web', 'web-1')?.manager).toBe('api');
    expect(registry.state.countedInstances('srv-web')).toBe(1);
  });

  it("stays the API's where an import changes what it made", async () => {
    const { registry } = await withContent({ quotas });
    await registry.submit(registerCommand('srv-web', 'api-1', { AWS_INSTANCE_IPV4: '10.0.0.4' }));
    await imported(
      registry,
      documentOf((d) => d.instances.push({ ...WEB_1, id: 'api-1' })),
    );
    expect(registry.state.instance('srv-web', 'api-1')).toMatchObject({ attributes: WEB_1.attributes, manager: 'api' });
  });

  it('is refused beside what a configuration file has made under the name, with the way round it', async () => {
    const { registry } = await openRegistry();
    const yaml = parseYaml('shop.yaml', 'namespaces: [{ name: corp.test, type: DNS_PRIVATE, vpc: vpc-1 }]');
    await declare(registry, readContent(yaml), yaml);
    await expect(imported(registry, documentOf())).rejects.toThrow(
      /is the name of ns-\w+ already, of the configuration file: import into a new data folder before the first start/,
    );
  });

  it('is the file where the running configuration declares it', async () => {
    const declared = new Set([
      JSON.stringify(['namespace-name/DNS_PRIVATE/vpc-1/corp.test', null, null]),
      JSON.stringify(['namespace-name/DNS_PRIVATE/vpc-1/corp.test', 'web', 'web-1']),
    ]);
    const { registry } = await withContent({ declared });
    expect(registry.state.namespace('ns-1')?.manager).toBe('file');
    expect(registry.state.service('srv-web')?.manager).toBe('import');
    expect(registry.state.instance('srv-web', 'web-1')?.manager).toBe('file');
  });
});

describe('operations', () => {
  it('are remembered: a repeated request gets the id of the first', async () => {
    const from = await openRegistry();
    const command = {
      type: 'HTTP' as const,
      name: 'x',
      description: null,
      vpc: null,
      soaTtlSeconds: null,
      tags: [],
      creatorRequestId: 'r1',
    };
    const create = (registry: typeof from.registry) =>
      registry.submit((state, context) => createNamespace(state, command, context));
    const { operationId } = await create(from.registry);
    const to = await openRegistry();
    await imported(to.registry, exported(from.registry, 'json'));
    expect(await create(to.registry)).toEqual({ operationId });
    expect(to.registry.state.operationCount).toBe(1);
  });

  it('make no namespace in the place of another, or one that DNS cannot name, however they came', async () => {
    const { registry } = await withContent({ operationDelayMs: 1000 });
    const before = registry.state.namespace('ns-1');
    const wrong = [creation('op-1', { id: 'ns-1' }), creation('op-2', { name: 'a..b' })];
    await registry.submit(() => ({
      changes: wrong.map((value) => ({
        kind: 'operation' as const,
        id: value.id as string,
        value: { error: null, request: null, dueAt: 5, updatedAt: 5, ...value } as never,
      })),
      result: null,
    }));
    for (const id of ['op-1', 'op-2']) {
      await registry.submit((state, context) => endOperation(state, id, context));
      expect(registry.state.operation(id)?.status).toBe('FAIL');
    }
    expect([...registry.state.namespaces()]).toEqual([before]);
  });

  it('that have ended here do not begin again', async () => {
    const { registry, clock } = await openRegistry({ operationDelayMs: 1000 });
    await registry.submit(namespaceCommand('x'));
    const text = exported(registry, 'json');
    expect(JSON.parse(text).operations[0].status).toBe('PENDING');
    const id: string = JSON.parse(text).operations[0].id;
    clock.now += 1000;
    await registry.submit((state, context) => endOperation(state, id, context));
    await imported(registry, text);
    expect(registry.state.operation(id)?.status).toBe('SUCCESS');
    // Nor are they in the way of one that is under way by now on the same name.
    const [made] = [...registry.state.namespaces()];
    await registry.submit((state, context) => deleteNamespace(state, { id: made?.id as string }, context));
    const update = {
      ...JSON.parse(text).operations[0],
      type: 'DELETE_NAMESPACE',
      work: { kind: 'delete-namespace', id: made?.id },
    };
    await imported(registry, { cloudmapd: 1, operations: [update] });
    expect(registry.state.pendingCount).toBe(1);
  });
});

describe('an import of many pieces', () => {
  const many = (count: number): Parts =>
    documentOf((d) => {
      for (let i = 2; i <= count; i++) d.instances.push({ ...WEB_1, id: `web-${i}` });
    });

  it('says how much is in where the store fails in between, and brings the rest when it is repeated', async () => {
    const memory = openMemoryStore();
    let left = 2;
    const failing = {
      ...memory,
      commit: async (...args: Parameters<typeof memory.commit>) => {
        if (left-- <= 0) throw new StoreError('the disk is full');
        return memory.commit(...args);
      },
    };
    const { registry, reopen } = await openRegistry({}, failing as typeof memory);
    const document = many(2500);
    await expect(imported(registry, document)).rejects.toThrow(
      /the disk is full \(\d+ of 2502 records are in; the import can be repeated\)/,
    );
    expect(registry.state.instancesOf('srv-web').size).toBeLessThan(2500);
    left = Number.POSITIVE_INFINITY;
    const report = await imported(registry, document);
    expect(report.created.instances + report.unchanged.instances).toBe(2500);
    expect(report.unchanged.instances).toBeGreaterThan(0);
    expect(registry.state.revision('srv-web')).toBe(50);
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));
  });

  it.each<[string, number, Record<string, unknown>]>([
    ['new ones', 0, {}],
    ['changed ones', 50, { attributes: { AWS_INSTANCE_IPV4: '10.0.0.2' } }],
  ])('has a revision for %s with each piece, and the document’s when all is in', async (_, before, change) => {
    const memory = openMemoryStore();
    let left = Number.POSITIVE_INFINITY;
    const failing = {
      ...memory,
      commit: async (...args: Parameters<typeof memory.commit>) => {
        if (left-- <= 0) throw new StoreError('the disk is full');
        return memory.commit(...args);
      },
    };
    const { registry, reopen } = await openRegistry({}, failing as typeof memory);
    if (before > 0) await imported(registry, many(1200));
    expect(registry.state.revision('srv-web')).toBe(before);
    const told: number[] = [];
    const unmoved: string[][] = [];
    registry.subscribe(async (changes) => {
      const kinds = new Set(changes.map((each) => each.change.kind));
      if ((kinds.has('instance') || kinds.has('service')) && !kinds.has('revision')) unmoved.push([...kinds]);
      if (kinds.has('revision')) told.push(registry.state.revision('srv-web'));
    });
    const document = documentOf((d) => {
      for (let i = 2; i <= 1200; i++) d.instances.push({ ...WEB_1, id: `web-${i}`, ...change });
      Object.assign(first(d.services), { revision: 1000 });
      Object.assign(first(d.instances), change);
    });
    left = 2;
    await expect(imported(registry, document)).rejects.toThrow(/the disk is full \(/);
    const between = registry.state.revision('srv-web');
    expect(between).toBeGreaterThan(before);
    expect(between).toBeLessThan(1000);
    expect((await reopen()).state.revision('srv-web')).toBe(between);
    left = Number.POSITIVE_INFINITY;
    await imported(registry, document);
    expect((await reopen()).state.revision('srv-web')).toBe(1000);
    expect(unmoved).toEqual([]);
    expect(told.length).toBeGreaterThan(2);
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  });

  it('says nothing of it where the first piece fails', async () => {
    const memory = openMemoryStore();
    const commit = async () => {
      throw new StoreError('the disk is full');
    };
    const { registry } = await openRegistry({}, { ...memory, commit } as typeof memory);
    await expect(imported(registry, many(10))).rejects.toThrow(/^the disk is full$/);
  });

  it('takes nothing from whoever writes meanwhile', async () => {
    const { registry, reopen } = await withContent();
    const importing = imported(registry, many(5000));
    let isDone = false;
    void importing.finally(() => {
      isDone = true;
    });
    let written = 0;
    // The import's own instances among them: whichever comes last stands, and both are there.
    for (; !isDone; written++) {
      await registry.submit(registerCommand('srv-web', `api-${written}`, { AWS_INSTANCE_IPV4: '10.1.0.1' }));
      if (written % 10 === 0) await registry.submit(deregisterCommand('srv-web', `api-${written}`));
    }
    expect((await importing).created.instances).toBe(4999);
    expect(written).toBeGreaterThan(3);
    for (let i = 0; i < written; i++)
      expect(registry.state.instance('srv-web', `api-${i}`) === undefined).toBe(i % 10 === 0);
    expect(dump((await reopen()).state)).toEqual(dump(registry.state));
  });

  it('tells of the first thousand differences and counts the others', async () => {
    const { registry } = await openRegistry();
    const report = await imported(registry, many(1500), true);
    expect(report.differences).toHaveLength(1000);
    expect(report.moreDifferences).toBe(502);
  });
});

it('takes a document that names no region for its own', async () => {
  const { registry } = await openRegistry({ region: 'eu-west-1' });
  await imported(registry, documentOf());
  expect(exported(registry, 'json')).toContain('arn:aws:servicediscovery:eu-west-1:');
});
