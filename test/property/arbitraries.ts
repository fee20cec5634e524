/** Random sequences of commands. */
import * as fc from 'fast-check';
import type { RecordType } from './calls.ts';
import { type Command, GONE, INSTANCE_IDS, NAMESPACE_NAMES, type Pick, SERVICE_NAMES, type Step } from './commands.ts';

const IPV4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
/** Two are the same address. */
const IPV6 = ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', '2001:db8::2'];
const PORTS = ['80', '8080'];
/** The last one is in nobody's zone. */
const CNAMES = ['web.corp.test', 'a.web.corp.test', 'web.web.corp.test', 'www.outside.test'];
const TTLS = [0, 10, 60];
const REQUEST_IDS = ['r1', 'r2', 'r3'];
const KEYS = ['stage', 'team'];

/** One of these, each with its weight. */
function weighted<T>(...choices: readonly (readonly [number, fc.Arbitrary<T>])[]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

function maybe<T>(items: readonly T[], weight = 1): fc.Arbitrary<T | undefined> {
  return weighted<T | undefined>([3, fc.constant(undefined)], [weight, fc.constantFrom(...items)]);
}

/** A command of the kind, or of one of the kinds. */
function command<K extends Command['kind']>(
  kinds: readonly K[],
  members: { [M in keyof Omit<Command & { kind: K }, 'kind'>]: fc.Arbitrary<(Command & { kind: K })[M]> },
): fc.Arbitrary<Command> {
  const record: fc.Arbitrary<unknown> = fc.record(
    { kind: fc.constantFrom(...kinds), ...members },
    { noNullPrototype: true },
  );
  return record as fc.Arbitrary<Command>;
}

const USUALLY = 40;
const seldom = weighted([15, fc.constant(false)], [1, fc.constant(true)]);
// The first of all is picked most, so that much happens to one thing.
const pick = weighted<Pick>([12, fc.constant(0)], [12, fc.nat(5)], [1, fc.constant(GONE)]);
const request = maybe(REQUEST_IDS, 2);
const soaTtl = maybe([0, 15, 60]);
const ttls = fc.tuple(fc.constantFrom(...TTLS), fc.constantFrom(...TTLS));
const recordTypes = weighted<RecordType[]>(
  [4, fc.constant(['A'])],
  [5, fc.constant(['SRV'])],
  [3, fc.constant(['A', 'AAAA'])],
  [1, fc.constant(['AAAA'])],
  [3, fc.constant(['CNAME'])],
  [1, fc.constantFrom<RecordType[]>(['A', 'SRV'], ['CNAME', 'A'], ['A', 'A'], [])],
);
const instanceId = fc.constantFrom(...INSTANCE_IDS);
const keyAndValue = { key: fc.constantFrom(...KEYS), value: fc.constantFrom('', 'one') };

const createNamespace = command(['create-namespace'], {
  type: weighted([6, fc.constantFrom('PrivateDns', 'PublicDns')], [1, fc.constant('Http')]),
  name: fc.constantFrom(...NAMESPACE_NAMES),
  vpc: fc.constantFrom('vpc-1', 'vpc-2'),
  description: maybe(['first', 'other']),
  soaTtl,
  request,
});
const updateNamespace = command(['update-namespace'], {
  namespace: pick,
  type: maybe(['Http', 'PrivateDns', 'PublicDns']),
  description: maybe(['', 'other']),
  soaTtl,
  request,
});
const createService = command(['create-service'], {
  namespace: pick,
  name: fc.constantFrom(...SERVICE_NAMES),
  dns: weighted([15, fc.record({ types: recordTypes, ttls }, { noNullPrototype: true })], [1, fc.constant(undefined)]),
  policy: maybe(['MULTIVALUE', 'WEIGHTED']),
  isHttp: seldom,
  isMisfit: seldom,
  check: weighted([14, fc.constant('custom')], [4, fc.constant('none')], [1, fc.constant('both')]),
  request,
});
const updateService = command(['update-service'], {
  service: pick,
  description: maybe(['', 'other']),
  types: weighted<readonly RecordType[] | 'own' | undefined>(
    [4, fc.constant('own')],
    [2, recordTypes],
    [2, fc.constant(undefined)],
  ),
  ttls,
});
const register = command(['register'], {
  service: pick,
  id: instanceId,
  ipv4: maybe(IPV4, USUALLY),
  ipv6: maybe(IPV6, USUALLY),
  port: maybe(PORTS, USUALLY),
  cname: maybe(CNAMES, USUALLY),
  init: maybe(['UNHEALTHY', 'UNHEALTHY', 'HEALTHY'], 4),
  isMisfit: seldom,
  stage: maybe(['beta']),
  request,
});
const health = command(['health'], {
  service: pick,
  instance: pick,
  status: fc.constantFrom('UNHEALTHY', 'UNHEALTHY', 'HEALTHY'),
});

const anyCommand = weighted(
  [14, register],
  [10, health],
  [8, command(['again'], { back: fc.nat(5) })],
  [5, command(['deregister'], { service: pick, instance: pick })],
  [5, createService],
  [3, updateService],
  [3, command(['delete-service'], { service: pick })],
  [2, command(['empty-service'], { service: pick })],
  [3, createNamespace],
  [2, updateNamespace],
  [2, command(['delete-namespace'], { namespace: pick })],
  [1, command(['tag', 'untag'], { on: fc.constantFrom('namespace', 'service'), pick, ...keyAndValue })],
  [1, command(['set-attribute', 'delete-attribute'], { service: pick, ...keyAndValue })],
);

const together = (minLength: number, maxLength: number) => fc.array(anyCommand, { minLength, maxLength, size: 'max' });

/** Commands of one moment that are about the same things. */
const contest = fc
  .tuple(fc.nat(1), instanceId, together(2, 4))
  .map(([at, id, commands]) => commands.map((one) => aimed(one, at, id)));

function aimed(one: Command, at: Pick, id: string): Command {
  switch (one.kind) {
    case 'create-namespace':
    case 'again':
      return one;
    case 'update-namespace':
    case 'delete-namespace':
    case 'create-service':
      return { ...one, namespace: at };
    case 'register':
      return { ...one, service: at, id };
    case 'deregister':
    case 'health':
      return { ...one, service: at, instance: at };
    case 'tag':
    case 'untag':
      return { ...one, pick: at };
    default:
      return { ...one, service: at };
  }
}

const moment = weighted([4, together(1, 1)], [1, together(2, 4)], [2, contest]);

/**
 * Steps, of which the first make namespaces, services and instances: without those there is little to do.
 * @param maxSteps besides those
 */
export function stepsArbitrary(maxSteps: number, restarts: boolean): fc.Arbitrary<Step[]> {
  const step = restarts ? weighted<Step>([4, moment], [1, fc.constant('restart')]) : moment;
  const several = (one: fc.Arbitrary<Command>, maxLength: number) =>
    fc.array(one, { minLength: 1, maxLength, size: 'max' });
  return fc
    .tuple(
      several(createNamespace, 3),
      several(createService, 5),
      fc.array(several(register, 4), { maxLength: 3, size: 'max' }),
      fc.array<Step>(step, { maxLength: maxSteps, size: 'max' }),
    )
    .map(([namespaces, services, instances, steps]) => [namespaces, services, ...instances, ...steps]);
}
