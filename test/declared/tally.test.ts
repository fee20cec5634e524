import { describe, expect, it } from 'vitest';
import { declare } from '../../src/declared/declare.ts';
import { readContent } from '../../src/declared/schema.ts';
import { describeTallies, tallyRecords } from '../../src/declared/tally.ts';
import { parseYaml } from '../../src/declared/yaml.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { openRegistry } from '../support/registry.ts';

const NAMESPACE = 'namespaces:\n  - name: shop.internal\n    type: DNS_PRIVATE\n    services:\n';
const web = (address: string, rest = '', ttl = 10): string =>
  `      - { name: web, dns: { records: [{ type: A, ttl: ${ttl} }] }, ${rest}instances: [{ id: a, attributes: { AWS_INSTANCE_IPV4: ${address} } }] }\n`;
const MAIL = '      - { name: mail, attributes: { team: post } }\n';

async function tallyOf(registry: Registry, text: string): Promise<string> {
  const yaml = parseYaml('shop.yaml', text);
  return describeTallies(await declare(registry, readContent(yaml), yaml));
}

describe('the tally of a reconcile', () => {
  it('counts namespaces, services and instances, each once', async () => {
    const { registry } = await openRegistry();
    const steps: [text: string, expected: string][] = [
      ['', 'nothing changed'],
      [NAMESPACE + web('10.0.0.1'), '3 created'],
      [NAMESPACE + web('10.0.0.1'), 'nothing changed'],
      [NAMESPACE + web('10.0.0.2') + MAIL, '1 created, 1 changed'],
      [NAMESPACE + web('10.0.0.3', '', 20), '2 changed, 1 removed'],
      // Instances begin to be checked with their service; that is no change of theirs.
      [NAMESPACE + web('10.0.0.3', 'healthCheckCustom: {}, ', 20), '1 changed'],
      [NAMESPACE + MAIL, '1 created, 2 removed'],
      ['namespaces: []\n', '2 removed'],
    ];
    for (const [text, expected] of steps) expect(await tallyOf(registry, text), text).toBe(expected);
  });
});

describe('the tally of static records and EC2 addresses', () => {
  const read = (text: string) => readContent(parseYaml('shop.yaml', text));
  const records = (...all: string[]) => read(`records:\n${all.map((each) => `  - { ${each} }\n`).join('')}`);
  const printer = (value: string, rest = '') => `name: printer.example, type: A, value: ${value}${rest}`;

  it.each<[string, ReturnType<typeof read>, ReturnType<typeof read>, string]>([
    ['none', read(''), read(''), 'nothing changed'],
    ['a new name', read(''), records(printer('10.0.0.1')), '1 created'],
    ['a name that is gone', records(printer('10.0.0.1')), read(''), '1 removed'],
    ['another address', records(printer('10.0.0.1')), records(printer('10.0.0.2')), '1 changed'],
    ['another TTL', records(printer('10.0.0.1')), records(printer('10.0.0.1', ', ttl: 9')), '1 changed'],
    ['one more address', records(printer('10.0.0.1')), records(printer('10.0.0.1'), printer('10.0.0.2')), '1 changed'],
    [
      'one more type',
      records(printer('10.0.0.1')),
      records(printer('10.0.0.1'), 'name: printer.example, type: TXT, value: here'),
      '1 created',
    ],
    [
      'the name in another case',
      records(printer('10.0.0.1')),
      records('name: Printer.Example., type: A, value: 10.0.0.1'),
      'nothing changed',
    ],
    [
      'an EC2 address',
      read('ec2Instances: { i-1: 10.0.0.1, i-2: 10.0.0.2 }'),
      read('ec2Instances: { i-1: 10.0.0.9, i-3: 10.0.0.3 }'),
      '1 created, 1 changed, 1 removed',
    ],
  ])('%s', (_, before, after, expected) => {
    expect(describeTallies(tallyRecords(before, after))).toBe(expected);
  });
});
