import { describe, expect, it } from 'vitest';
import { type Action, LOCALLY_SERVED_ZONES, type Rule, Rules } from '../../src/resolver/rules.ts';
import { NameView, toTextName, toWireName } from '../../src/wire/names.ts';

const ask = (port: number): Action => ({ kind: 'ask', upstreams: [{ address: '10.0.0.1', port }] });
const REFUSE: Action = { kind: 'refuse' };
const NXDOMAIN: Action = { kind: 'nxdomain' };

function rulesOf(table: Readonly<Record<string, Action>>, singleLabel: Action | null = null): Rules {
  return new Rules(
    Object.entries(table).map(([suffix, action]): Rule => ({ suffix, action })),
    singleLabel,
  );
}

/** `ask 54 at b.c.`: what becomes of the name, and the suffix that says so. The name stands in a message. */
function route(rules: Rules, name: string | Uint8Array): string {
  const wire = typeof name === 'string' ? toWireName(name, true) : name;
  const message = Uint8Array.from([9, 9, 9, ...wire, 9]);
  const view = new NameView();
  expect(view.read(message, 3, message.length)).toBe(true);
  const { action, label } = rules.find(message, view);
  const what = action.kind === 'ask' ? `ask ${action.upstreams[0]?.port}` : action.kind;
  return action.kind === 'default' ? what : `${what} at ${toTextName(message, view.offsets[label])}`;
}

describe('Rules', () => {
  const rules = rulesOf({
    'corp.example': ask(1),
    'dev.corp.example': ask(2),
    'x.dev.corp.example': REFUSE,
    test: NXDOMAIN,
    'consul.test': ask(3),
  });

  it.each([
    ['corp.example', 'ask 1 at corp.example.'],
    ['CORP.Example', 'ask 1 at CORP.Example.'],
    ['a.b.corp.example', 'ask 1 at corp.example.'],
    ['dev.corp.example', 'ask 2 at dev.corp.example.'],
    ['a.dev.corp.example', 'ask 2 at dev.corp.example.'],
    ['x.dev.corp.example', 'refuse at x.dev.corp.example.'],
    ['a.X.dev.corp.example', 'refuse at X.dev.corp.example.'],
    ['a.test', 'nxdomain at test.'],
    ['consul.test', 'ask 3 at consul.test.'],
    ['notcorp.example', 'default'],
    ['example', 'default'],
    ['corp.example.com', 'default'],
    ['', 'default'],
  ])('the longest suffix counts, whole labels alone: %s', (name, expected) => {
    expect(route(rules, name)).toBe(expected);
  });

  it('a dot inside a label is no end of a label (RFC 2181 s11)', () => {
    const name = Uint8Array.from([12, ...Buffer.from('corp.example'), 0]);
    expect(route(rules, name)).toBe('default');
    expect(route(rulesOf({ example: REFUSE }), name)).toBe('default');
  });

  it('of two rules with one suffix the first counts, in whatever case', () => {
    const twice = new Rules(
      [
        { suffix: 'a.b', action: ask(1) },
        { suffix: 'A.B', action: REFUSE },
      ],
      null,
    );
    expect(route(twice, 'x.a.b')).toBe('ask 1 at a.b.');
  });

  it('names of one label have a rule of their own, which any rule that names them beats', () => {
    const single = rulesOf({ printer: ask(1), '': ask(9), 'b.c': REFUSE }, NXDOMAIN);
    expect(route(single, 'host')).toBe('nxdomain at .');
    expect(route(single, 'Printer')).toBe('ask 1 at Printer.');
    expect(route(single, 'a.b')).toBe('ask 9 at .');
    expect(route(single, 'b.c')).toBe('refuse at b.c.');
    // The root has no label: it is no host's name.
    expect(route(single, '')).toBe('ask 9 at .');
    expect(route(rulesOf({}, NXDOMAIN), '')).toBe('default');
  });

  it('a rule for the root is for every name that no other names', () => {
    const root = rulesOf({ '': ask(1), 'a.b': ask(2) });
    expect([route(root, ''), route(root, 'x'), route(root, 'x.a.b')]).toEqual([
      'ask 1 at .',
      'ask 1 at .',
      'ask 2 at a.b.',
    ]);
  });

  it('names and suffixes may have 255 octets', () => {
    const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    expect(route(rulesOf({ [longest]: REFUSE }), longest)).toBe(`refuse at ${longest}.`);
    const most = Array.from({ length: 127 }, () => 'x').join('.');
    expect(route(rulesOf({ x: REFUSE }), most)).toBe('refuse at x.');
  });
});

describe('LOCALLY_SERVED_ZONES (RFC 6303 s4)', () => {
  const rules = rulesOf(Object.fromEntries(LOCALLY_SERVED_ZONES.map((zone) => [zone, NXDOMAIN])));
  const zeros = (count: number): string => '0.'.repeat(count);

  it.each([
    '1.2.3.10.in-addr.arpa',
    '1.2.16.172.in-addr.arpa',
    '1.2.31.172.in-addr.arpa',
    '1.0.168.192.in-addr.arpa',
    '1.0.0.127.in-addr.arpa',
    '1.1.254.169.in-addr.arpa',
    '9.2.0.192.in-addr.arpa',
    '9.100.51.198.in-addr.arpa',
    '9.113.0.203.in-addr.arpa',
    '255.255.255.255.in-addr.arpa',
    `${zeros(32)}ip6.arpa`,
    `1.${zeros(31)}ip6.arpa`,
    '1.d.f.ip6.arpa',
    '1.8.e.f.ip6.arpa',
    '1.b.e.f.ip6.arpa',
    '1.8.b.d.0.1.0.0.2.ip6.arpa',
  ])('%s is one', (name) => {
    expect(route(rules, name)).toMatch(/^nxdomain/);
  });

  it.each([
    '1.2.15.172.in-addr.arpa',
    '1.2.32.172.in-addr.arpa',
    '1.0.169.192.in-addr.arpa',
    '1.1.1.1.in-addr.arpa',
    `2.${zeros(31)}ip6.arpa`,
    '1.7.e.f.ip6.arpa',
    '1.c.e.f.ip6.arpa',
    '1.c.f.ip6.arpa',
    'in-addr.arpa',
  ])('%s is none', (name) => {
    expect(route(rules, name)).toBe('default');
  });
});
