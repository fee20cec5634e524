/** The declared form: what an export writes as YAML, and what an import makes of such content. */
import { describe, expect, it } from 'vitest';
import { checkContent, declare } from '../../src/declared/declare.ts';
import { NO_CONTENT, readContent } from '../../src/declared/schema.ts';
import { parseYaml } from '../../src/declared/yaml.ts';
import type { Ec2Answer } from '../../src/registry/attributes.ts';
import { createNamespace } from '../../src/registry/namespaces.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { importTree } from '../../src/transfer/import.ts';
import { yamlPair, yamlText } from '../../src/transfer/yaml-text.ts';
import {
  dump,
  namespaceCommand,
  OPTIONS,
  openRegistry,
  registerCommand,
  serviceCommand,
  UNLIMITED,
  withService,
} from '../support/registry.ts';
import { exported, imported, storedIn } from '../support/transfer.ts';

const treeOf = (yaml: string): unknown => parseYaml('test.yaml', yaml).value;

const SHOP = `
namespaces:
  - name: shop.test
    type: HTTP
    services:
      - name: api
        instances:
          - { id: api-1, attributes: { stage: beta } }
`;

describe('a text in YAML', () => {
  it.each([
    ['web', 'web'],
    ['AWS_INSTANCE_IPV4', 'AWS_INSTANCE_IPV4'],
    ['10.0.0.7', '10.0.0.7'],
    ['_db._tcp', '_db._tcp'],
    ['8080', '"8080"'],
    ['1.10', '"1.10"'],
    ['0x10', '"0x10"'],
    ['1e3', '"1e3"'],
    ['.inf', '".inf"'],
    ['true', '"true"'],
    ['No', '"No"'],
    ['NULL', '"NULL"'],
    ['', '""'],
    ['two words', '"two words"'],
    ['a: b', '"a: b"'],
    ['a:', '"a:"'],
    ['# c', '"# c"'],
    ['2001:db8::1', '"2001:db8::1"'],
    ['a\nb', '"a\\nb"'],
    ['é☃😀', '"é☃😀"'],
    ['\u0085\u2028\ufeff\u007f', '"\\u0085\\u2028\\ufeff\\u007f"'],
    ['\ud800', '"\\ud800"'],
  ])('%j is %s, and read back as it was', (text, yaml) => {
    expect(yamlText(text)).toBe(yaml);
    expect(treeOf(`${yamlPair('', text, text)}`)).toEqual({ [text]: text });
    expect(treeOf(`a:\n${yamlPair('  ', text, text)}  last: ${yamlText(text)}\n`)).toEqual({
      a: { last: text, [text]: text },
    });
  });

  it.each(['x'.repeat(2000), '\u0001'.repeat(255), '☃'.repeat(255)])('may be a key of any length', (key) => {
    const map = parseYaml('test.yaml', `a:\n${yamlPair('  ', key, 'v')}${yamlPair('  ', 'b', key)}`).value;
    expect(map).toEqual({ a: { [key]: 'v', b: key } });
  });

  it('may be the key that objects have a meaning for', () => {
    const map = treeOf(yamlPair('', '__proto__', 'v')) as object;
    expect(Object.entries(map)).toEqual([['__proto__', 'v']]);
  });
});

describe('an export', () => {
  it('is what one would have written', async () => {
    const { registry } = await openRegistry({ ec2Instances: { 'i-1': '10.0.0.9' } });
    const shop = {
      type: 'DNS_PRIVATE' as const,
      name: 'shop.internal',
      description: 'The shop:\nall of it',
      vpc: 'vpc-1',
    };
    const tags = [{ key: 'env', value: 'dev' }];
    const rest = { soaTtlSeconds: 15, tags, creatorRequestId: null };
    await registry.submit((state, context) => createNamespace(state, { ...shop, ...rest }, context));
    await registry.submit(namespaceCommand('calls'));
    const [shopId, callsId] = [...registry.state.namespaces()].map(({ id }) => id) as [string, string];
    const web = await registry.submit(
      serviceCommand(shopId, 'web', {
        dns: { routingPolicy: 'WEIGHTED', records: [{ type: 'A', ttlSeconds: 10 }] },
        hasCustomHealthCheck: true,
        tags,
      }),
    );
    await registry.submit(registerCommand(web.id, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' }));
    await registry.submit(registerCommand(web.id, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80' }));
    await registry.submit(serviceCommand(shopId, 'later'));
    const healthCheck = { type: 'HTTP' as const, path: '/health', failureThreshold: 2 };
    const rpc = await registry.submit(serviceCommand(callsId, 'rpc', { healthCheck: null }));
    await registry.submit(serviceCommand(callsId, 'checked', { healthCheck }));
    await registry.submit(registerCommand(rpc.id, 'of-ec2', { AWS_EC2_INSTANCE_ID: 'i-1' }));
    expect(exported(registry, 'yaml')).toBe(`ec2Instances:
  i-1: 10.0.0.9
namespaces:
  - name: calls
    type: HTTP
    services:
      - name: checked
        healthCheck:
          type: HTTP
          path: "/health"
          failureThreshold: 2
      - name: rpc
        instances:
          - id: of-ec2
            attributes:
              AWS_EC2_INSTANCE_ID: i-1
  - name: shop.internal
    type: DNS_PRIVATE
    description: "The shop:\\nall of it"
    vpc: vpc-1
    soaTtl: 15
    tags:
      env: dev
    services:
      - name: later
      - name: web
        dns: { routingPolicy: WEIGHTED, records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        tags:
          env: dev
        instances:
          - id: web-1
            attributes:
              AWS_INSTANCE_IPV4: 10.0.0.1
              AWS_INSTANCE_PORT: "80"
          - id: web-2
            attributes:
              AWS_INSTANCE_IPV4: 10.0.0.2
`);
  });

  it('of nothing is a file, too', async () => {
    const { registry } = await openRegistry();
    const yaml = parseYaml('export.yaml', exported(registry, 'yaml'));
    checkContent(readContent(yaml), yaml, OPTIONS);
    expect(exported(registry, 'yaml')).toBe('namespaces: []\n');
  });
});

describe('an import', () => {
  it('creates what is missing and removes nothing', async () => {
    const { registry } = await openRegistry();
    await withService(registry);
    const before = dump(registry.state) as { namespaces: object[]; services: object[] };
    const report = await imported(registry, treeOf(SHOP));
    expect(report.created).toEqual({ namespaces: 1, services: 1, instances: 1 });
    const after = dump(registry.state) as typeof before;
    expect(after.namespaces).toEqual(expect.arrayContaining(before.namespaces));
    expect(after.services).toEqual(expect.arrayContaining(before.services));
    expect((await imported(registry, { namespaces: [] })).differences).toEqual([]);
    expect(dump(registry.state)).toEqual(after);
  });

  it('sets what is there, whoever made it, who goes on to manage it', async () => {
    const { registry } = await openRegistry();
    await registry.submit(namespaceCommand('shop.test'));
    const { id } = registry.state.namespaceByHttpName('shop.test') as { id: string };
    const service = await registry.submit(serviceCommand(id, 'api'));
    await registry.submit(registerCommand(service.id, 'api-1', { stage: 'prod' }));
    const { changed, differences } = await imported(registry, treeOf(SHOP));
    expect(changed).toEqual({ namespaces: 0, services: 0, instances: 1 });
    expect(differences).toEqual([
      {
        action: 'change',
        kind: 'instance',
        name: 'shop.test/api/api-1',
        id: 'api-1',
        members: ['attributes.stage: prod -> beta'],
      },
    ]);
    expect(registry.state.instance(service.id, 'api-1')?.manager).toBe('api');
  });

  it('is one commit', async () => {
    const { registry, store } = await openRegistry();
    const before = (await storedIn(store)).revision;
    await imported(registry, treeOf(SHOP));
    expect((await storedIn(store)).revision).toBe(before + 1);
  });

  it('counts against no quota', async () => {
    const { registry } = await openRegistry({ quotas: { ...UNLIMITED, namespaces: 1, instancesPerService: 1 } });
    await registry.submit(namespaceCommand('of.api'));
    await imported(registry, treeOf(SHOP));
    const [service] = [...registry.state.services()];
    expect(registry.state.instance(service?.id as string, 'api-1')?.manager).toBe('import');
    await registry.submit(registerCommand(service?.id as string, 'of-api', {}));
    await expect(registry.submit(registerCommand(service?.id as string, 'too-many', {}))).rejects.toThrow(/quota/);
  });

  it("makes the file's own things where the running configuration declares them", async () => {
    const declared = new Set([JSON.stringify(['namespace-name/HTTP//shop.test', 'api', null])]);
    const { registry } = await openRegistry({ declared });
    await imported(registry, treeOf(SHOP));
    const [service] = [...registry.state.services()];
    expect([service?.manager, registry.state.namespace(service?.namespaceId as string)?.manager]).toEqual([
      'file',
      'import',
    ]);
  });

  it('is not touched by a file that says nothing of it', async () => {
    const { registry } = await openRegistry();
    await imported(registry, treeOf(SHOP));
    const before = dump(registry.state);
    expect(await declare(registry, NO_CONTENT, null)).toEqual({ created: 0, changed: 0, removed: 0 });
    expect(dump(registry.state)).toEqual(before);
  });

  it('becomes the own content of a file that declares it, as it is', async () => {
    const { registry, reopen } = await openRegistry();
    await imported(registry, treeOf(SHOP));
    const before = exported(registry, 'json');
    const yaml = parseYaml('file.yaml', SHOP.trimStart());
    expect(await declare(registry, readContent(yaml), yaml)).toEqual({ created: 0, changed: 0, removed: 0 });
    for (const { state, options } of [registry, await reopen()]) {
      expect(exported({ state, options }, 'json')).toBe(before);
      const [service] = [...state.services()];
      const things = [...state.namespaces(), service, ...state.instancesOf(service?.id as string).values()];
      expect(things.map((thing) => thing?.manager)).toEqual(['file', 'file', 'file']);
    }
    // And so it goes with the file.
    expect(await declare(registry, NO_CONTENT, null)).toEqual({ created: 0, changed: 0, removed: 3 });
    expect([...registry.state.namespaces()]).toEqual([]);
  });

  it('is set to what the file says of it, with the ids that it has, and the rest of it is left', async () => {
    const { registry } = await openRegistry();
    await imported(registry, treeOf(SHOP.replace('instances:', 'instances:\n          - { id: more }')));
    const [service] = [...registry.state.services()];
    const id = service?.id as string;
    const before = registry.state.revision(id);
    const yaml = parseYaml(
      'file.yaml',
      SHOP.replace('- name: api', '- name: api\n        description: d').replace('beta', 'prod'),
    );
    expect(await declare(registry, readContent(yaml), yaml)).toEqual({ created: 0, changed: 2, removed: 0 });
    expect(registry.state.service(id)).toMatchObject({ description: 'd', manager: 'file' });
    expect(registry.state.instance(id, 'api-1')).toMatchObject({ attributes: { stage: 'prod' }, manager: 'file' });
    expect(registry.state.instance(id, 'more')?.manager).toBe('import');
    expect(registry.state.revision(id)).toBeGreaterThan(before);
    await declare(registry, NO_CONTENT, null);
    expect([...registry.state.instancesOf(id).keys()]).toEqual(['more']);
  });

  it('is no way for a file to what the API has made in it', async () => {
    const { registry } = await openRegistry();
    await imported(registry, treeOf(SHOP));
    const [service] = [...registry.state.services()];
    await registry.submit(registerCommand(service?.id as string, 'of-api', {}));
    const before = dump(registry.state);
    const yaml = parseYaml('file.yaml', `${SHOP.trim()}\n          - { id: of-api }\n`);
    await expect(declare(registry, readContent(yaml), yaml)).rejects.toThrow(/"of-api" exists already and was made/);
    expect(dump(registry.state)).toEqual(before);
  });

  it('asks for the addresses of EC2 instances that no map knows, its own first', async () => {
    const asked: string[] = [];
    const ec2 = async (id: string): Promise<Ec2Answer> => {
      asked.push(id);
      return id === 'i-4' ? { problem: 'nobody knows it' } : { address: '10.0.0.3' };
    };
    const { registry } = await openRegistry({ ec2Instances: { 'i-1': '10.0.0.1', 'i-2': '10.0.0.1' } });
    const tree = (ids: readonly string[]): unknown => ({
      ec2Instances: { 'i-2': '10.0.0.2' },
      namespaces: [
        {
          name: 'shop.test',
          type: 'HTTP',
          services: [{ name: 'api', instances: ids.map((id) => ({ id, attributes: { AWS_EC2_INSTANCE_ID: id } })) }],
        },
      ],
    });
    const run = (ids: readonly string[]) => importTree(registry, tree(ids), { dryRun: false, ec2 });
    await expect(run(['i-1', 'i-4'])).rejects.toMatchObject({
      path: ['namespaces', 0, 'services', 0, 'instances', 1, 'attributes', 'AWS_EC2_INSTANCE_ID'],
      message: expect.stringContaining('nobody knows it'),
    });
    expect([...registry.state.namespaces()]).toEqual([]);
    await run(['i-1', 'i-2', 'i-3']);
    expect(asked).toEqual(['i-4', 'i-3']);
    expect(addressesIn(registry)).toEqual({ 'i-1': '10.0.0.1', 'i-2': '10.0.0.2', 'i-3': '10.0.0.3' });
  });

  it('is refused where it says a thing twice', async () => {
    const { registry } = await openRegistry();
    const twice = { namespaces: [1, 2].map(() => ({ name: 'shop.test', type: 'HTTP' })) };
    await expect(imported(registry, twice)).rejects.toMatchObject({
      path: ['namespaces', 1, 'name'],
      problem: 'the namespace "shop.test" is declared twice',
    });
    expect([...registry.state.namespaces()]).toEqual([]);
  });
});

function addressesIn({ state }: Registry): Record<string, string | undefined> {
  const instances = [...state.services()].flatMap(({ id }) => [...state.instancesOf(id).values()]);
  return Object.fromEntries(instances.map(({ id, attributes }) => [id, attributes.AWS_INSTANCE_IPV4]));
}
