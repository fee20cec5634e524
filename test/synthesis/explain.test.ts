/** What the registry has of a name, and what it says of each instance: held against what is compiled for DNS. */
import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/registry/model.ts';
import { instanceSentences } from '../../src/synthesis/explain-instances.ts';
import { explainName, MAX_INSTANCES } from '../../src/synthesis/explain-name.ts';
import type { ExplainedName } from '../../src/synthesis/explanation.ts';
import { messageText } from '../../src/wire/presentation.ts';
import {
  COMPILE_OPTIONS,
  Content,
  type InstanceSpec,
  putInstance,
  putNamespace,
  putService,
  putTarget,
  type ServiceSpec,
} from '../support/content.ts';
import { buildQuery } from '../support/dns.ts';

const NOW = 1_700_000_000_000;
const NAME = 'web.corp.internal';

interface World {
  readonly service?: ServiceSpec;
  readonly instances: readonly InstanceSpec[];
  readonly more?: readonly Change[];
  readonly fallback?: 'last-healthy' | 'all';
  readonly maxTtlSeconds?: number;
}

function contentOf({ service = {}, instances, more = [], ...options }: World): Content {
  const content = new Content([putNamespace(), putService(service), ...instances.map(putInstance)], options);
  content.change(...more);
  return content;
}

/** Of one real answer, as it is drawn now. */
function explained(world: World, type = 'A'): ExplainedName {
  const content = contentOf(world);
  const reply = content.asker.send(buildQuery(NAME, type));
  if (typeof reply === 'string') throw new Error(`the query got "${reply}"`);
  const { answerTails } = messageText(reply);
  const found = explainName(content.state, NAME, type, new Set(answerTails), { ...COMPILE_OPTIONS, ...world });
  if (found === null) throw new Error('the name is in no namespace');
  return found;
}

const verdicts = (world: World, type?: string): string[] =>
  explained(world, type).instances.map(({ id, health, verdict }) => `${id} ${health} ${verdict}`);
const sentences = (world: World, type = 'A'): string[] => {
  const found = explained(world, type);
  if (found.service === null) throw new Error('no service has the name');
  return instanceSentences(found, found.service, type, NOW);
};

const SICK = { status: 'UNHEALTHY' } as const;
const custom: ServiceSpec = { check: 'custom' };

describe('an instance', () => {
  it.each<[string, World, string[]]>([
    [
      'is left out where others are healthy',
      {
        service: custom,
        instances: [
          { id: 'a', ipv4: '10.0.0.1' },
          { id: 'b', ipv4: '10.0.0.2', ...SICK },
        ],
      },
      ['a HEALTHY answered', 'b UNHEALTHY unhealthy'],
    ],
    [
      'is left out where others were healthy later',
      {
        service: custom,
        instances: [
          { id: 'a', ipv4: '10.0.0.1', ...SICK, lastHealthyAt: NOW - 2000 },
          { id: 'b', ipv4: '10.0.0.2', ...SICK, lastHealthyAt: NOW - 1000 },
          { id: 'c', ipv4: '10.0.0.3', ...SICK },
        ],
      },
      ['a UNHEALTHY not-last-healthy', 'b UNHEALTHY answered', 'c UNHEALTHY not-last-healthy'],
    ],
    [
      'ties with another that was healthy as late',
      {
        service: custom,
        instances: [
          { id: 'a', ipv4: '10.0.0.1', ...SICK, lastHealthyAt: NOW },
          { id: 'b', ipv4: '10.0.0.2', ...SICK, lastHealthyAt: NOW },
        ],
      },
      ['a UNHEALTHY answered', 'b UNHEALTHY answered'],
    ],
    [
      'is answered whatever its health where the setting says so',
      {
        service: custom,
        fallback: 'all',
        instances: [
          { id: 'a', ipv4: '10.0.0.1', ...SICK, lastHealthyAt: NOW },
          { id: 'b', ipv4: '10.0.0.2', ...SICK },
        ],
      },
      ['a UNHEALTHY answered', 'b UNHEALTHY answered'],
    ],
    [
      'without a check is answered, and its health is not known',
      { instances: [{ id: 'a', ipv4: '10.0.0.1', ...SICK }] },
      ['a UNKNOWN answered'],
    ],
    [
      'without the attribute has no record, and is not counted among those whose health decides',
      {
        service: custom,
        instances: [
          { id: 'a', ipv6: 'fd00::1' },
          { id: 'b', ipv4: '10.0.0.2', ...SICK },
        ],
      },
      ['a HEALTHY no-record', 'b UNHEALTHY answered'],
    ],
    [
      'with the record of another is in the answer as that one is',
      {
        instances: [
          { id: 'a', ipv4: '10.0.0.1' },
          { id: 'b', ipv4: '10.0.0.1' },
        ],
      },
      ['a UNKNOWN answered', 'b UNKNOWN answered'],
    ],
    [
      'that is an alias is as healthy as its target',
      {
        service: { policy: 'WEIGHTED', check: 'custom' },
        instances: [
          { id: 'up', alias: 'one.example', ...SICK },
          { id: 'down', alias: 'two.example' },
          { id: 'new', alias: 'three.example' },
        ],
        more: [
          putTarget('one.example', { ipv4: ['192.0.2.1'] }),
          putTarget('two.example', { ipv4: ['192.0.2.2'], isHealthy: false, lastHealthyAt: NOW - 5000 }),
        ],
      },
      ['up HEALTHY answered', 'down UNHEALTHY unhealthy', 'new UNHEALTHY alias-unresolved'],
    ],
  ])('%s', (_title, world, expected) => {
    expect(verdicts(world)).toEqual(expected);
  });

  it('beyond the number that is shown is counted all the same, and who is left out is shown before', () => {
    const count = MAX_INSTANCES + 500;
    const instances = Array.from({ length: count }, (_, n) => ({
      id: `i-${n}`,
      ipv4: `10.1.${n >> 8}.${n & 255}`,
      ...(n >= count - 20 && SICK),
    }));
    const found = explained({ service: custom, instances });
    expect(found.instances).toHaveLength(MAX_INSTANCES);
    expect(found.counts).toEqual({ answered: 8, unhealthy: 20, 'not-drawn': count - 28 });
    expect(found.instances.slice(0, 28).map(({ verdict }) => verdict)).toEqual([
      ...Array.from({ length: 8 }, () => 'answered'),
      ...Array.from({ length: 20 }, () => 'unhealthy'),
    ]);
    expect({ all: found.instanceCount, healthy: found.healthyCount }).toEqual({ all: count, healthy: count - 20 });
  });
});

describe('the sentences', () => {
  it.each<[string, World, string, string[]]>([
    [
      'name whose health decides where another has no such record',
      {
        service: custom,
        instances: [
          { id: 'a', ipv6: 'fd00::1' },
          { id: 'b', ipv4: '10.0.0.2', ...SICK, lastHealthyAt: NOW - 90_000 },
        ],
      },
      'A',
      [
        'Its one instance with a record of type A is not healthy, so what was healthy last is answered: b, healthy until 90 s ago (CLOUDMAPD_DNS_FALLBACK=last-healthy).',
        'a has no AWS_INSTANCE_IPV4, and so no A record.',
        'The TTL is 60 s, as the service says of A.',
      ],
    ],
    [
      'name five of those that are left out, and count the others',
      {
        service: custom,
        instances: Array.from({ length: 8 }, (_, n) => ({ id: `i-${n}`, ipv4: `10.0.0.${n}`, ...(n > 0 && SICK) })),
      },
      'A',
      [
        '1 of its 8 instances is healthy, and that one alone can be answered.',
        ...[1, 2, 3, 4, 5].map((n) => `i-${n} is left out: UNHEALTHY since it was registered, 19675 days ago.`),
        'So are 2 more, for not being healthy.',
        'The TTL is 60 s, as the service says of A.',
      ],
    ],
    [
      'tell what an alias stands for, and since when it does not resolve',
      {
        service: { policy: 'WEIGHTED', check: 'custom' },
        instances: [
          { id: 'up', alias: 'one.example' },
          { id: 'down', alias: 'two.example' },
        ],
        more: [
          putTarget('one.example', { ipv4: ['192.0.2.1'], ttlSeconds: 300 }),
          putTarget('two.example', { ipv4: ['192.0.2.2'], isHealthy: false, lastHealthyAt: NOW - 7_200_000 }),
        ],
        maxTtlSeconds: 100,
      },
      'A',
      [
        '1 of its 2 instances is healthy, and that one alone can be answered.',
        'down is left out: two.example does not resolve since 2 h ago.',
        'up stands for one.example (AWS_ALIAS_DNS_NAME), whose addresses it has, under a TTL of 100 s (CLOUDMAPD_DNS_MAX_TTL).',
      ],
    ],
    [
      'tell which types there are',
      { service: { records: 'A 60, AAAA 30' }, instances: [{ id: 'a', ipv4: '10.0.0.1', ipv6: 'fd00::1' }] },
      'TXT',
      ['The service has A and AAAA records, and none of type TXT.'],
    ],
    [
      'of ANY tell of the first type that there is (RFC 8482)',
      { service: { records: 'AAAA 30, A 60' }, instances: [{ id: 'a', ipv4: '10.0.0.1' }] },
      'ANY',
      [
        'Nobody checks the health of its instances: 1 instance can be answered.',
        'The TTL is 60 s, as the service says of A.',
      ],
    ],
  ])('%s', (_title, world, type, expected) => {
    expect(sentences(world, type)).toEqual(expected);
  });
});
