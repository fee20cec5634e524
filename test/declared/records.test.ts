import { describe, expect, it } from 'vitest';
import { type DeclaredRecord, readContent } from '../../src/declared/schema.ts';
import { ConfigFileError, parseYaml } from '../../src/declared/yaml.ts';
import { txtRdata } from '../../src/wire/rdata.ts';

function read(...records: string[]): readonly DeclaredRecord[] {
  return readContent(parseYaml('shop.yaml', `records:\n${records.map((each) => `  - ${each}\n`).join('')}`)).records;
}

function problemOf(...records: string[]): string | null {
  try {
    read(...records);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigFileError);
    return (error as Error).message;
  }
}

describe('records of the file', () => {
  it.each<[string, DeclaredRecord]>([
    ['{ name: a.x, type: A, value: 10.0.0.5 }', { name: 'a.x', type: 'A', value: '10.0.0.5', ttl: 60 }],
    ['{ name: a.x., type: A, value: 10.0.0.5, ttl: 0 }', { name: 'a.x.', type: 'A', value: '10.0.0.5', ttl: 0 }],
    [
      '{ name: a, type: AAAA, value: "::ffff:10.0.0.1" }',
      { name: 'a', type: 'AAAA', value: '::ffff:10.0.0.1', ttl: 60 },
    ],
    ['{ name: a.x, type: CNAME, value: B.x. }', { name: 'a.x', type: 'CNAME', value: 'B.x.', ttl: 60 }],
    [
      '{ name: 5.0.0.10.in-addr.arpa, type: PTR, value: a.x }',
      { name: '5.0.0.10.in-addr.arpa', type: 'PTR', value: 'a.x', ttl: 60 },
    ],
    ['{ name: _x._tcp.a, type: TXT, value: 10 }', { name: '_x._tcp.a', type: 'TXT', value: '10', ttl: 60 }],
    ['{ name: a.x, type: TXT, value: "" }', { name: 'a.x', type: 'TXT', value: '', ttl: 60 }],
    [
      '{ name: a.x, type: TXT, value: yes, ttl: 2147483647 }',
      { name: 'a.x', type: 'TXT', value: 'yes', ttl: 2_147_483_647 },
    ],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual([expected]);
  });

  it('may be none', () => {
    expect(readContent(parseYaml('shop.yaml', 'records:\n')).records).toEqual([]);
    expect(readContent(parseYaml('shop.yaml', 'namespaces: []\n')).records).toEqual([]);
  });

  it.each([
    ['no name', '{ type: A, value: 10.0.0.5 }', 'name'],
    ['an empty name', '{ name: "", type: A, value: 10.0.0.5 }', 'name'],
    ['the root', '{ name: ".", type: A, value: 10.0.0.5 }', 'name: is no domain name'],
    ['an empty label', '{ name: a..x, type: A, value: 10.0.0.5 }', 'name: is no domain name'],
    ['a label of 64 octets', `{ name: ${'a'.repeat(64)}.x, type: A, value: 10.0.0.5 }`, 'name: is no domain name'],
    ['a character that is no octet', '{ name: snow☃.x, type: A, value: 10.0.0.5 }', 'name: is no domain name'],
    ['another type', '{ name: a.x, type: MX, value: b.x }', 'type'],
    ['no value', '{ name: a.x, type: A }', 'value'],
    ['an A record with a name', '{ name: a.x, type: A, value: b.x }', 'value: is no IPv4 address'],
    ['an A record with an IPv6 address', '{ name: a.x, type: A, value: "::1" }', 'value: is no IPv4 address'],
    ['an A record of three numbers', '{ name: a.x, type: A, value: 10.0.1 }', 'value: is no IPv4 address'],
    ['an AAAA record with an IPv4 address', '{ name: a.x, type: AAAA, value: 10.0.0.5 }', 'value: is no IPv6 address'],
    ['an AAAA record with a zone', '{ name: a.x, type: AAAA, value: "fe80::1%eth0" }', 'value: is no IPv6 address'],
    ['a CNAME to nothing', '{ name: a.x, type: CNAME, value: "" }', 'value: is no domain name'],
    ['a PTR to two words', '{ name: a.x, type: PTR, value: b..x }', 'value: is no domain name'],
    ['a PTR to what is no octet', '{ name: a.x, type: PTR, value: snow☃.x }', 'value: is no domain name'],
    ['a TTL below 0', '{ name: a.x, type: TXT, value: b, ttl: -1 }', 'ttl'],
    ['a TTL over 31 bits', '{ name: a.x, type: TXT, value: b, ttl: 2147483648 }', 'ttl'],
    ['another key', '{ name: a.x, type: TXT, value: b, weight: 1 }', 'weight: is not a known key'],
    [
      'a text that no reply could carry',
      `{ name: a.x, type: TXT, value: ${'t'.repeat(66_000)} }`,
      'value: is too long',
    ],
  ])('%s is refused, at its place', (_, record, problem) => {
    const expected = `shop.yaml:3: records[1].${problem}`;
    expect(problemOf('{ name: ok.x, type: A, value: 10.0.0.1 }', record)?.slice(0, expected.length)).toBe(expected);
  });

  it('a text may be as long as its RDATA can be answered', () => {
    expect(problemOf(`{ name: a.x, type: TXT, value: ${'t'.repeat(64_000)} }`)).toBeNull();
    expect(txtRdata('t'.repeat(64_000)).length).toBeLessThan(65_000);
  });
});

describe('an alias is alone (RFC 1034 s3.6.2)', () => {
  const alias = (name: string): string => `{ name: ${name}, type: CNAME, value: b.x }`;
  it.each([
    ['beside another record', [alias('a.x'), '{ name: A.x., type: A, value: 10.0.0.1 }'], 2],
    ['behind another record', ['{ name: A.x., type: TXT, value: t }', alias('a.x')], 3],
    ['twice', [alias('a.x'), alias('a.x')], 2],
  ])('%s it is refused', (_, records, line) => {
    expect(problemOf(...records)).toMatch(new RegExp(`^shop\\.yaml:${line}: records\\[${line - 2}\\]\\.name: .*CNAME`));
  });

  it('of another name is no matter', () => {
    expect(problemOf(alias('a.x'), alias('b.x'), '{ name: x, type: A, value: 10.0.0.1 }')).toBeNull();
  });
});
