import { describe, expect, it } from 'vitest';
import { loadConfiguration, registryOptions } from '../../src/config.ts';
import { checkContent } from '../../src/declared/declare.ts';
import { readContent } from '../../src/declared/schema.ts';
import { ConfigFileError, parseYaml } from '../../src/declared/yaml.ts';

/** What `cloudmapd check` would say of the file, or null. */
function problemOf(text: string): string | null {
  try {
    const yaml = parseYaml('shop.yaml', text);
    const content = readContent(yaml);
    checkContent(content, yaml, registryOptions({ ...loadConfiguration({}, {}), content }));
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigFileError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
}

describe('a mistake names file, line and key', () => {
  it.each([
    ['no YAML', 'namespaces: [', 'shop.yaml:1: '],
    ['a key twice', 'namespaces: []\nnamespaces: []\n', 'shop.yaml:2: '],
    ['an alias without an anchor', 'http: 127.0.0.1:0\nnamespaces: *none\n', 'shop.yaml:2: '],
    ['an unknown tag', 'namespaces: !!shop []\n', 'shop.yaml:1: '],
    ['a key that is a mapping', 'namespaces:\n  - ? { a: b }\n    : c\n', 'shop.yaml:2: '],
    [
      "a service's attributes",
      `namespaces:\n  - name: x\n    type: HTTP\n    services:\n      - name: s\n        attributes: {${Array.from({ length: 31 }, (_, n) => ` k${n}: v`)} }\n`,
      'shop.yaml:6: namespaces[0].services[0].attributes: A service has at most 30 attributes',
    ],
    [
      'an instance id',
      'namespaces:\n  - name: x\n    type: HTTP\n    services:\n      - name: s\n        instances:\n          - id: a b\n',
      'shop.yaml:7: namespaces[0].services[0].instances[0].id: ',
    ],
    ['a wrong type', 'namespaces:\n  name: x\n', 'shop.yaml:2: namespaces: '],
    ['a list of text', 'namespaces:\n  - shop\n', 'shop.yaml:2: namespaces[0]: '],
    ['a missing key', 'namespaces:\n  - type: HTTP\n', 'shop.yaml:2: namespaces[0].name: '],
    ['an unknown type', 'namespaces:\n  - name: x\n    type: DNS\n', 'shop.yaml:3: namespaces[0].type: '],
    [
      'a key of a namespace that there is not',
      'namespaces:\n  - name: x\n    type: HTTP\n    colour: red\n',
      'shop.yaml:4: namespaces[0].colour: is not a known key',
    ],
    [
      'a key of a service that there is not',
      'namespaces:\n  - name: x\n    type: HTTP\n    services:\n      - name: s\n        dnz: {}\n',
      'shop.yaml:6: namespaces[0].services[0].dnz: is not a known key',
    ],
    [
      'a key of an instance that there is not',
      'namespaces:\n  - name: x\n    type: HTTP\n    services:\n      - name: s\n        instances:\n          - id: i\n            port: 80\n',
      'shop.yaml:8: namespaces[0].services[0].instances[0].port: is not a known key',
    ],
    [
      'a key of a record that there is not',
      'namespaces:\n  - name: x.y\n    type: DNS_PUBLIC\n    services:\n      - name: s\n        dns:\n          records:\n            - { type: A, ttl: 1, weight: 5 }\n',
      'shop.yaml:8: namespaces[0].services[0].dns.records[0].weight: is not a known key',
    ],
    [
      'a TTL that is text',
      'namespaces:\n  - name: x.y\n    type: DNS_PUBLIC\n    soaTtl: soon\n',
      'shop.yaml:4: namespaces[0].soaTtl: ',
    ],
    ['a bad address', 'ec2Instances:\n  i-1: nowhere\n', 'shop.yaml:2: ec2Instances.i-1: '],
  ])('%s', (_, text, expected) => {
    expect(problemOf(text)?.slice(0, expected.length)).toBe(expected);
  });
});

describe("what breaks the API's rules names its place too", () => {
  const service = (lines: string) =>
    `namespaces:\n  - name: corp.internal\n    type: DNS_PRIVATE\n    services:\n${lines}`;
  it.each([
    ['a name', 'namespaces:\n  - name: two words\n    type: HTTP\n', 'shop.yaml:2: namespaces[0].name: '],
    ["a service's name", service('      - name: ok\n      - name: -x\n'), 'shop.yaml:6: namespaces[0].services[1]'],
    [
      'a health check in a private namespace',
      service('      - name: s\n        healthCheck: { type: TCP }\n'),
      'shop.yaml:5: namespaces[0].services[0]',
    ],
    [
      'a set of records',
      service('      - name: s\n        dns: { records: [{ type: SRV, ttl: 1 }, { type: A, ttl: 1 }] }\n'),
      'shop.yaml:5: namespaces[0].services[0]',
    ],
    [
      'an attribute',
      service(
        '      - name: s\n        dns: { records: [{ type: A, ttl: 1 }] }\n        instances:\n          - id: i\n            attributes:\n              stage: beta\n',
      ),
      'shop.yaml:10: namespaces[0].services[0].instances[0].attributes: ',
    ],
    [
      'an instance id',
      service('      - name: s\n        instances:\n          - id: a b\n'),
      'shop.yaml:7: namespaces[0].services[0].instances[0]',
    ],
    [
      'a namespace twice',
      'namespaces:\n  - { name: Corp.internal, type: DNS_PRIVATE }\n  - { name: corp.INTERNAL, type: DNS_PRIVATE }\n',
      'shop.yaml:3: namespaces[1].name: ',
    ],
    ['a service twice', service('      - name: s\n      - name: s\n'), 'shop.yaml:6: namespaces[0].services[1].name: '],
    [
      'a service twice but for its case',
      service(
        '      - { name: s, dns: { records: [{ type: A, ttl: 1 }] } }\n      - { name: S, dns: { records: [{ type: A, ttl: 1 }] } }\n',
      ),
      'shop.yaml:6: namespaces[0].services[1].name: ',
    ],
    [
      'an instance twice',
      service('      - name: s\n        instances:\n          - id: i\n          - id: i\n'),
      'shop.yaml:8: namespaces[0].services[0].instances[1].id: ',
    ],
    [
      'an SRV target that is a service',
      service(
        '      - { name: web.x, dns: { records: [{ type: A, ttl: 1 }] } }\n      - name: x\n        dns: { records: [{ type: SRV, ttl: 1 }] }\n        instances:\n          - { id: web, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1, AWS_INSTANCE_PORT: 80 } }\n',
      ),
      'shop.yaml:9: namespaces[0].services[1].instances[0]',
    ],
    [
      'a reserved tag',
      'namespaces:\n  - name: x\n    type: HTTP\n    tags:\n      aws:x: y\n',
      'shop.yaml:5: namespaces[0].tags',
    ],
  ])('%s', (_, text, expected) => {
    expect(problemOf(text)?.slice(0, expected.length)).toBe(expected);
  });
});

describe('sound content', () => {
  it.each([
    ['an empty file', ''],
    ['a comment', '# nothing yet\n'],
    ['an empty list', 'namespaces:\n'],
    [
      'a name in two VPCs and as another type',
      [
        'namespaces:',
        '  - { name: a.b, type: DNS_PRIVATE, vpc: vpc-1 }',
        '  - { name: a.b, type: DNS_PRIVATE, vpc: vpc-2 }',
        '  - { name: a.b, type: DNS_PUBLIC }',
        '  - { name: a.b, type: HTTP }',
        '  - { name: A.b, type: HTTP }',
      ].join('\n'),
    ],
    [
      'numbers and booleans as values',
      [
        'namespaces:',
        '  - name: a',
        '    type: HTTP',
        '    tags: { build: 5, done: true }',
        '    services:',
        '      - { name: s, healthCheckCustom: , instances: [{ id: 1, attributes: { AWS_INSTANCE_PORT: 80, on: true } }] }',
      ].join('\n'),
    ],
  ])('is taken: %s', (_, text) => {
    expect(problemOf(text)).toBeNull();
  });

  it('is read with its values as text', () => {
    const text =
      'namespaces: [{ name: a, type: HTTP, services: [{ name: s, instances: [{ id: 1, attributes: { n: 80 } }] }] }]';
    const { namespaces } = readContent(parseYaml('shop.yaml', text));
    expect(namespaces[0]?.services[0]?.instances).toEqual([{ id: '1', attributes: { n: '80' } }]);
  });

  it('gives an EC2 instance its address', () => {
    const text = [
      'ec2Instances: { i-1: 10.0.0.1 }',
      'namespaces:',
      '  - { name: a, type: HTTP, services: [{ name: s, instances: [{ id: i, attributes: { AWS_EC2_INSTANCE_ID: i-1 } }] }] }',
    ].join('\n');
    expect(problemOf(text)).toBeNull();
    expect(problemOf(text.replace('ec2Instances: { i-1', 'ec2Instances: { i-2'))).toMatch(/ec2Instances/);
  });
});

describe('what is written', () => {
  const attributesOf = (lines: string) => {
    const text = `namespaces:\n  - name: x\n    type: HTTP\n    services:\n      - name: s\n        instances:\n          - id: 010\n            attributes:\n${lines}`;
    return readContent(parseYaml('shop.yaml', text)).namespaces[0]?.services[0]?.instances[0];
  };

  it.each([
    ['1.10', '1.10'],
    ['0x10', '0x10'],
    ['12345678901234567890', '12345678901234567890'],
    ['8080', '8080'],
    ['True', 'True'],
    ['false', 'false'],
    ['"8080"', '8080'],
  ])('as %s is kept as it stands there', (written, kept) => {
    expect(attributesOf(`              v: ${written}\n`)).toEqual({ id: '010', attributes: { v: kept } });
  });

  it('empty is as if it were not there', () => {
    expect(problemOf('namespaces:\n')).toBeNull();
    expect(problemOf('namespaces:\n  - name: x\n    type: HTTP\n    services:\n')).toBeNull();
    expect(problemOf('namespaces:\n  - { name: x, type: HTTP, services: [{ name: s, instances: }] }\n')).toBeNull();
  });

  it('with aliases that expand without end is refused in one line', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i}: &l${i} [${Array(10).fill(i === 0 ? 'x' : `*l${i - 1}`)}]\n`,
    );
    expect(problemOf(levels.join(''))).toMatch(/^shop\.yaml:1: .*alias/i);
  });
});
