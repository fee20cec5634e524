/** Random content, made by the registry's own decisions: whatever of it is refused is left out. */
import * as fc from 'fast-check';
import { ServiceError } from '../../src/registry/errors.ts';
import { updateCustomHealth } from '../../src/registry/health.ts';
import type { RecordType } from '../../src/registry/model.ts';
import { createNamespace, deleteNamespace, updateNamespace } from '../../src/registry/namespaces.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { updateServiceAttributes } from '../../src/registry/service-attributes.ts';
import { deleteService, updateService } from '../../src/registry/services.ts';
import { turnHealth } from '../../src/registry/verdicts.ts';
import { endOperation } from '../../src/registry/work.ts';
import { deregisterCommand, registerCommand, serviceCommand } from '../support/registry.ts';

/** Which one of those that are there. */
type Pick = number;

export interface Act {
  /** What the clock goes on by before it. */
  readonly ms: number;
  run(registry: Registry): Promise<unknown>;
}

const ODD_TEXTS = [
  '',
  ' ',
  '10',
  '1e3',
  '0x10',
  '010',
  'true',
  'No',
  '~',
  'null',
  '- a',
  'a: b',
  '# c',
  '"',
  "'",
  '\\',
  '{',
  '*a',
  '&a',
  '!b',
  '%c',
  '@d',
  '`e',
  '<<',
  '1_000',
  '12:30:45',
  '2030-01-01',
  '.inf',
  'line\nline\n',
  '\ttab',
  'é☃😀',
  '\u2028\u0085\ufeff\u007f',
  '\ud800',
  '\ufeff',
  '\\ufeff',
  'x'.repeat(300),
  ' end ',
  '=',
  '---',
  '...',
];
/** What some reader or other takes away, or for something else, at the beginning or the end of a text. */
const ODD_ENDS = [
  '\ufeff',
  '\ufeff\ufeff',
  '\ufffe',
  '\uffff',
  '\ufffd',
  '\u0000',
  '\u00a0',
  '\u0085',
  '\u2028',
  '\u2029',
  '\u200b',
  '\u2060',
  '\u3000',
  '\ud83d',
  '\ude00',
  '\\',
  '\\u',
  '/',
  '\r',
  '\n',
  '\t',
  ' ',
  '"',
];
const PRINTABLE_KEYS = [
  'stage',
  '__proto__',
  'constructor',
  'toString',
  '10',
  '<<',
  'a:b',
  '"',
  '#',
  '-',
  '?',
  'AWS_OTHER',
  'null',
  'k'.repeat(255),
];
const PRINTABLE_VALUES = [
  '',
  '10',
  '010',
  '1e3',
  'true',
  'null',
  '~',
  'a: b',
  'x # y',
  '"',
  "'",
  '{',
  '- a',
  '[',
  '#',
  '!',
  '%',
  'two words',
  'a\tb',
  'v'.repeat(1024),
];

const pick = fc.nat(5);
const maybe = <T>(items: readonly T[]) => fc.option(fc.constantFrom(...items), { nil: null, freq: 2 });
const oddMap = (keys: readonly string[], values: readonly string[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...keys), fc.oneof(fc.constantFrom(...values))), { maxLength: 4 })
    .map((pairs) => Object.fromEntries(pairs));
const oddEnd = fc.constantFrom('', ...ODD_ENDS);
const oddlyEnded = fc
  .tuple(oddEnd, fc.constantFrom('', 'a', 'é', '😀', 'a\ufeffb'), oddEnd)
  .map((parts) => parts.join(''));
const anyText = fc.oneof(fc.constantFrom(...ODD_TEXTS), oddlyEnded, fc.string({ unit: 'binary', maxLength: 20 }));
const tagMap = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom('env', '__proto__', '10', 'é', ': ', '\u0001'.repeat(100)),
        oddlyEnded,
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
      ),
      anyText.map((text) => text.slice(0, 200)),
    ),
    { maxLength: 3 },
  )
  .map((pairs) => pairs.filter(([key]) => key !== '' && !key.toLowerCase().startsWith('aws:')))
  .map((pairs) => [...new Map(pairs)].map(([key, value]) => ({ key, value })));
const serviceAttributes = fc
  .array(
    fc.tuple(fc.oneof(fc.constantFrom('team', '__proto__', '\u0002'.repeat(255), '1.10', 'é'), anyText), anyText),
    { maxLength: 4 },
  )
  .map((pairs) => Object.fromEntries(pairs.map(([key, value]) => [key.slice(0, 255), value])));
const requestId = maybe(['r1', 'r2', 'r 3', '__proto__', '\ufeffr1', 'r1\ufeff']);

function at<T>(items: Iterable<T>, index: Pick): T | undefined {
  const all = [...items];
  return all[index % Math.max(1, all.length)];
}

const namespaceAct = fc
  .record({
    type: fc.constantFrom('HTTP', 'DNS_PRIVATE', 'DNS_PRIVATE', 'DNS_PUBLIC'),
    name: fc.constantFrom('corp.test', 'Corp.test', 'other.test', '1.10'),
    vpc: fc.constantFrom('vpc-1', 'vpc: 2', '10', '\ufeffvpc-1'),
    description: fc.option(anyText, { nil: null }),
    soaTtlSeconds: maybe([0, 60]),
    tags: tagMap,
    creatorRequestId: requestId,
  })
  .map((command) => (registry: Registry) => {
    const vpc = command.type === 'DNS_PRIVATE' ? command.vpc : null;
    const soaTtlSeconds = command.type === 'HTTP' ? null : command.soaTtlSeconds;
    return registry.submit((state, context) =>
      createNamespace(state, { ...command, vpc, soaTtlSeconds } as never, context),
    );
  });

const RECORDS: readonly RecordType[][] = [['A'], ['A'], ['A', 'AAAA'], ['SRV'], ['CNAME']];

const serviceAct = fc
  .record({
    namespace: pick,
    name: fc.constantFrom('web', 'api', 'a.web', '_db._tcp', '.', '10'),
    records: maybe(RECORDS),
    ttl: fc.constantFrom(0, 60),
    routingPolicy: maybe(['MULTIVALUE', 'WEIGHTED'] as const),
    check: fc.constantFrom('none', 'custom', 'custom', 'probe'),
    path: maybe(['', '/health', '/a: b']),
    description: fc.option(anyText, { nil: null }),
    tags: tagMap,
    creatorRequestId: requestId,
  })
  .map(({ namespace, name, records, ttl, routingPolicy, check, path, ...rest }) => (registry: Registry) => {
    const found = at(registry.state.namespaces(), namespace);
    if (found === undefined) return Promise.resolve();
    const dns =
      records === null || found.type === 'HTTP'
        ? null
        : { routingPolicy, records: records.map((type) => ({ type, ttlSeconds: ttl })) };
    return registry.submit(
      serviceCommand(found.id, name, {
        ...rest,
        dns,
        hasCustomHealthCheck: check === 'custom',
        healthCheck: check === 'probe' ? { type: 'HTTP', path, failureThreshold: ttl === 0 ? null : 2 } : null,
      }),
    );
  });

const instanceAct = fc
  .record({
    service: pick,
    id: fc.constantFrom('a', 'b', 'web', '10', 'true', 'x/y', 'h:1', '1e3'),
    extra: oddMap(PRINTABLE_KEYS, PRINTABLE_VALUES),
    ipv4: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    kind: fc.constantFrom('plain', 'plain', 'plain', 'plain', 'bare', 'alias', 'ec2'),
    init: maybe(['HEALTHY', 'UNHEALTHY']),
    request: requestId,
  })
  .map(({ service, id, extra, ipv4, kind, init, request }) => (registry: Registry) => {
    const found = at(registry.state.services(), service);
    if (found === undefined) return Promise.resolve();
    const types = found.dns?.records.map(({ type }) => type) ?? [];
    const status = found.hasCustomHealthCheck && init !== null ? { AWS_INIT_HEALTH_STATUS: init } : {};
    const own = {
      plain: {
        AWS_INSTANCE_IPV4: ipv4,
        AWS_INSTANCE_IPV6: '2001:db8::1',
        AWS_INSTANCE_PORT: '8080',
        ...(types.includes('CNAME') ? { AWS_INSTANCE_CNAME: 'a.example' } : {}),
        ...extra,
      },
      bare: { AWS_INSTANCE_IPV4: ipv4, ...extra },
      alias: { AWS_ALIAS_DNS_NAME: 'lb.example' },
      ec2: { AWS_EC2_INSTANCE_ID: 'i-1' },
    }[kind];
    return registry.submit(registerCommand(found.id, id, { ...own, ...status }, request));
  });

const changeAct = fc
  .record({
    what: fc.constantFrom(
      'health',
      'health',
      'verdict',
      'service',
      'service',
      'attributes',
      'namespace',
      'deregister',
      'delete-service',
      'delete-namespace',
      'end',
    ),
    pick,
    other: pick,
    status: fc.constantFrom('HEALTHY', 'UNHEALTHY', 'UNHEALTHY'),
    description: anyText,
    attributes: serviceAttributes,
    keeps: fc.boolean(),
    checks: fc.boolean(),
  })
  .map((change) => (registry: Registry) => {
    const { state } = registry;
    const service = at(state.services(), change.pick);
    const instance = service && at(state.instancesOf(service.id).values(), change.other);
    const namespace = at(state.namespaces(), change.pick);
    return registry.submit((_, context): { changes: readonly never[]; result: unknown } => {
      const none = { changes: [], result: null };
      const decide = (): unknown => {
        switch (change.what) {
          case 'health':
            if (service === undefined || instance === undefined) return none;
            return updateCustomHealth(
              state,
              { serviceId: service.id, instanceId: instance.id, status: change.status as 'HEALTHY' },
              context,
            );
          case 'verdict':
            if (service?.healthCheck == null || instance === undefined) return none;
            return turnHealth(
              state,
              {
                ...instance,
                check: service.healthCheck,
                status: change.status as 'HEALTHY',
                reason: 'connect ECONNREFUSED',
              },
              context,
            );
          case 'service':
            if (service === undefined) return none;
            return updateService(
              state,
              {
                id: service.id,
                update: {
                  description: change.description,
                  records: change.keeps ? (service.dns?.records ?? null) : null,
                  healthCheck:
                    change.checks && !service.hasCustomHealthCheck
                      ? { type: 'TCP', path: null, failureThreshold: 3 }
                      : null,
                },
              },
              context,
            );
          case 'attributes':
            return service === undefined
              ? none
              : updateServiceAttributes(state, { serviceId: service.id, attributes: change.attributes }, context);
          case 'namespace':
            return namespace === undefined
              ? none
              : updateNamespace(
                  state,
                  {
                    id: namespace.id,
                    type: namespace.type,
                    description: change.description,
                    soaTtlSeconds: 7,
                    updaterRequestId: null,
                  },
                  context,
                );
          case 'deregister':
            return service === undefined || instance === undefined
              ? none
              : deregisterCommand(service.id, instance.id)(state, context);
          case 'delete-service':
            return service === undefined ? none : deleteService(state, { id: service.id }, context);
          case 'delete-namespace':
            return namespace === undefined ? none : deleteNamespace(state, { id: namespace.id }, context);
          case 'end': {
            const pending = at(state.pendingOperations(), change.pick);
            return pending === undefined ? none : endOperation(state, pending.id, { ...context, now: pending.dueAt });
          }
        }
      };
      return decide() as { changes: readonly never[]; result: unknown };
    });
  });

const act: fc.Arbitrary<Act> = fc
  .tuple(
    fc.constantFrom(0, 1, 1000),
    fc.oneof(
      { weight: 2, arbitrary: namespaceAct },
      { weight: 4, arbitrary: serviceAct },
      { weight: 7, arbitrary: instanceAct },
      { weight: 6, arbitrary: changeAct },
    ),
  )
  .map(([ms, run]) => ({ ms, run }));

/** Some namespaces first, then services: without those there is little to do. */
export const actsArbitrary: fc.Arbitrary<Act[]> = fc
  .tuple(
    fc.array(namespaceAct, { minLength: 1, maxLength: 3 }),
    fc.array(serviceAct, { minLength: 1, maxLength: 5 }),
    fc.array(act, { maxLength: 30, size: 'max' }),
  )
  .map(([namespaces, services, rest]) => [...[...namespaces, ...services].map((run) => ({ ms: 1, run })), ...rest]);

/** Does them one after the other. */
export async function doAll(registry: Registry, clock: { now: number }, acts: readonly Act[]): Promise<void> {
  for (const { ms, run } of acts) {
    clock.now += ms;
    await run(registry).catch((error) => {
      if (!(error instanceof ServiceError)) throw error;
    });
  }
}
