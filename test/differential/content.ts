/** Content for the registry, made from a seed: namespaces with all that the naming rules allow. */
import type { DeclaredInstance, DeclaredNamespace, DeclaredService } from '../../src/declared/schema.ts';
import { INSTANCE_ID, MAX_TTL_SECONDS, PRIVATE_NAMESPACE_NAME, SERVICE_NAME } from '../../src/registry/limits.ts';
import { domainNameProblem } from '../../src/registry/owner-names.ts';
import { Chance } from './chance.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
/** Characters of namespace names that mean something in zone files and configuration files. `*` is not among them: a
 * wildcard is something else to a name server than to Cloud Map, where no record can stand at one. */
const ODD = '!"#$%&\'()+,/:;<=>?@[\\]^`{|}~_';
const OUTSIDE = ['www.example.com', 'a.very.far.example.', 'com', 'X.Example.NET'];
const TTLS = [0, 1, 5, 10, 60, 300, 3600, 86_400, MAX_TTL_SECONDS];

/** @param count of namespaces */
export function makeContent(seed: number, count: number): DeclaredNamespace[] {
  const chance = new Chance(seed);
  const names = namespaceNames(chance, count);
  const namespaces = names.map((name) => makeNamespace(chance, name, names));
  for (const namespace of namespaces) addCnames(chance, namespace, namespaces);
  return namespaces;
}

function namespaceNames(chance: Chance, count: number): string[] {
  const names: string[] = [];
  const taken = new Set<string>();
  while (names.length < count) {
    const name = chance.weighted<() => string>([
      [4, () => `${label(chance)}.test`],
      [1, () => label(chance)],
      [4, () => `${label(chance)}.${label(chance)}.internal`],
      // Nested, directly and with a name between that is nobody's.
      [4, () => `${label(chance)}.${chance.pick([...names, 'internal'])}`],
      [2, () => `${label(chance)}.${label(chance)}.${chance.pick([...names, 'test'])}`],
      [1, () => chance.recase(`${label(chance)}.Mixed.Case`)],
      [1, () => `${chance.text(ODD, chance.between(1, 6))}.${label(chance)}.odd`],
      [1, () => `${chance.text(LETTERS, 63)}.${chance.text(LETTERS, 63)}.long`],
      [1, () => longestName(chance)],
      [1, () => `${'a.'.repeat(chance.between(20, 110))}deep${names.length}`],
    ])();
    const isName = PRIVATE_NAMESPACE_NAME.test(name) && domainNameProblem(name) === null;
    if (!isName || taken.has(name.toLowerCase())) continue;
    taken.add(name.toLowerCase());
    names.push(name);
  }
  return names;
}

function label(chance: Chance): string {
  return chance.weighted<() => string>([
    [10, () => chance.text(LETTERS, chance.between(1, 8))],
    [2, () => `${chance.text(LETTERS, 3)}-${chance.text(DIGITS, 2)}`],
    [1, () => chance.text(DIGITS, chance.between(1, 3))],
    [1, () => chance.recase(chance.text(LETTERS, chance.between(2, 6)))],
    [1, () => chance.text(LETTERS + DIGITS, chance.between(40, 63))],
  ])();
}

/** Of 240 to 253 characters: some leave room for a label in front, some do not. */
function longestName(chance: Chance): string {
  const labels = [63, 63, 63, chance.between(48, 61)].map((length) => chance.text(LETTERS, length));
  return labels.join('.');
}

function makeNamespace(chance: Chance, name: string, all: readonly string[]): DeclaredNamespace {
  const services: DeclaredService[] = [];
  const owners = new Set<string>();
  const space: Space = { name, services, owners };
  // BIND does not load a zone whose name server has no address; one so long that it is its own name server needs one.
  if (domainNameProblem(`ns.${name}`) !== null) {
    addService(chance, space, '.', ['A'], 1);
    return namespaceOf(chance, name, services);
  }
  owners.add('ns');
  if (chance.oneIn(12)) {
    owners.delete('ns');
    addService(chance, space, chance.pick(['ns', 'NS']), ['A'], chance.between(1, 3));
  }
  if (chance.oneIn(4)) addService(chance, space, '.', recordTypes(chance), instanceCount(chance));
  for (let left = chance.between(3, 12); left > 0; left--) {
    addService(chance, space, serviceName(chance, space), recordTypes(chance), instanceCount(chance));
  }
  // What stands at and below the name of a nested namespace is hidden by it.
  for (const nested of all.filter((other) => other.toLowerCase().endsWith(`.${name.toLowerCase()}`))) {
    // Where nothing does, the names between the two have no more than the nested one below them.
    if (chance.oneIn(3)) continue;
    const relative = nested.slice(0, -name.length - 1);
    const [first = '', ...rest] = relative.split('.');
    if (chance.oneIn(3)) addService(chance, space, rest.length === 0 ? '.' : rest.join('.'), ['SRV'], 2, [first]);
    addService(chance, space, chance.pick([relative, `web.${relative}`]), recordTypes(chance), 2);
  }
  return namespaceOf(chance, name, services);
}

function namespaceOf(chance: Chance, name: string, services: DeclaredService[]): DeclaredNamespace {
  const soaTtl = chance.oneIn(3) ? { soaTtl: ttl(chance) } : {};
  return { name, type: 'DNS_PRIVATE', tags: {}, ...soaTtl, services };
}

interface Space {
  readonly name: string;
  readonly services: DeclaredService[];
  /** Relative owner names that are taken, lower case. */
  readonly owners: Set<string>;
}

type AddressTypes = readonly ('A' | 'AAAA' | 'SRV' | 'CNAME')[];

function recordTypes(chance: Chance): AddressTypes {
  return chance.weighted<AddressTypes>([
    [4, ['A']],
    [2, ['AAAA']],
    [3, ['A', 'AAAA']],
    [5, ['SRV']],
  ]);
}

function instanceCount(chance: Chance): number {
  return chance.weighted([
    [1, 0],
    [6, 1],
    [6, chance.between(2, 5)],
    [3, 8],
    [1, chance.between(9, 12)],
  ]);
}

function serviceName(chance: Chance, { services }: Space): string {
  const known = services.filter(({ name }) => name !== '.').map(({ name }) => name);
  return chance.weighted<() => string>([
    [6, () => label(chance)],
    [3, () => `_${chance.text(LETTERS, 4)}._${chance.pick(['tcp', 'udp', 'TCP'])}`],
    [2, () => `${label(chance)}.${label(chance)}.${label(chance)}`],
    [2, () => `${label(chance)}.${chance.pick([...known, 'below'])}`],
    [1, () => `_${chance.text(LETTERS, 3)}_`],
    [1, () => [1, 2].map(() => chance.text(LETTERS, 61)).join('.')],
  ])();
}

/** Nothing happens where the name is not allowed, or somebody's already. */
function addService(
  chance: Chance,
  space: Space,
  name: string,
  types: AddressTypes,
  wanted: number,
  ids: readonly string[] = [],
): void {
  const owner = name === '.' ? '' : name.toLowerCase();
  if (!SERVICE_NAME.test(name) || !fits(owner, space.name) || space.owners.has(owner)) return;
  space.owners.add(owner);
  const isWeighted = chance.oneIn(6);
  const routingPolicy = isWeighted ? { routingPolicy: 'WEIGHTED' as const } : {};
  const instances: DeclaredInstance[] = ids.map((id) => ({ id, attributes: attributes(chance) }));
  for (const id of ids) space.owners.add(owner === '' ? id.toLowerCase() : `${id.toLowerCase()}.${owner}`);
  const most = isWeighted ? chance.pick([1, 1, 1, 3]) : 12;
  for (let left = Math.min(wanted, most); left > 0; left--) {
    const id = instanceId(chance, space, owner, types);
    const isFree = id !== null && instances.every((other) => other.id !== id);
    if (isFree) instances.push({ id, attributes: attributes(chance) });
  }
  const each = ttl(chance);
  const records = types.map((type) => ({ type, ttl: each }));
  space.services.push({ name, dns: { ...routingPolicy, records }, attributes: {}, tags: {}, instances });
}

function instanceId(chance: Chance, space: Space, owner: string, types: AddressTypes): string | null {
  const id = chance.weighted<() => string>([
    [8, () => `${chance.pick(['i', 'web', 'Node'])}-${chance.below(1000)}`],
    [2, () => `${label(chance)}.${label(chance)}`.slice(0, 64)],
    [2, () => `${label(chance)}/${chance.text(`${LETTERS}/:@`, 5)}`.slice(0, 63)],
    [1, () => `_${chance.text(`${LETTERS}_-`, 62)}`],
    [1, () => chance.text(DIGITS, chance.between(1, 12))],
  ])();
  const taken = owner === '' ? id.toLowerCase() : `${id.toLowerCase()}.${owner}`;
  if (!INSTANCE_ID.test(id)) return null;
  if (!types.includes('SRV')) return id;
  if (!fits(taken, space.name) || space.owners.has(taken)) return null;
  space.owners.add(taken);
  return id;
}

/** More than the service needs: the keys that its records do not use must not show. */
function attributes(chance: Chance): Record<string, string> {
  const last = chance.below(256);
  return {
    AWS_INSTANCE_IPV4: `10.${chance.below(4)}.0.${last}`,
    AWS_INSTANCE_IPV6: chance.pick([`fd00::${last}`, `::ffff:10.0.0.${last}`, '::', `2001:DB8:0:0:1::${last}`]),
    AWS_INSTANCE_PORT: String(chance.between(1, 65_535)),
  };
}

function ttl(chance: Chance): number {
  return chance.oneIn(4) ? chance.below(MAX_TTL_SECONDS) : chance.pick(TTLS);
}

function fits(owner: string, namespace: string): boolean {
  return domainNameProblem(owner === '' ? namespace : `${owner}.${namespace}`) === null;
}

/** CNAMEs come last: they lead to what is there by then, to nothing, outside, to each other and in circles. */
function addCnames(chance: Chance, namespace: DeclaredNamespace, all: readonly DeclaredNamespace[]): void {
  const { name, services } = namespace;
  const space: Space = { name, services: [...services], owners: ownersOf(namespace) };
  const nameOf = (owner: string, { name: zone }: DeclaredNamespace): string => `${owner}.${zone}`;
  const targetIn = (other: DeclaredNamespace): string => {
    const owners = [...ownersOf(other)];
    return owners.length === 0 ? other.name : nameOf(chance.pick(owners), other).replace(/^\./, '');
  };
  const add = (service: string, target: string): void => {
    const owner = service.toLowerCase();
    const bare = target.endsWith('.') ? target.slice(0, -1) : target;
    if (space.owners.has(owner) || !fits(owner, name) || domainNameProblem(bare) !== null) return;
    space.owners.add(owner);
    const instances = [{ id: `i-${chance.below(100)}`, attributes: { AWS_INSTANCE_CNAME: target } }];
    const dns = { records: [{ type: 'CNAME' as const, ttl: ttl(chance) }] };
    services.push({ name: service, dns, attributes: {}, tags: {}, instances });
  };
  for (let left = chance.between(1, 4); left > 0; left--) {
    const service = label(chance);
    const target = chance.weighted<() => string>([
      [5, () => targetIn(namespace)],
      [3, () => targetIn(chance.pick(all))],
      [1, () => nameOf(`missing-${chance.below(10)}`, namespace)],
      [1, () => nameOf(`missing-${chance.below(10)}`, chance.pick(all))],
      [2, () => chance.pick(OUTSIDE)],
      [1, () => nameOf(service, namespace)],
    ])();
    if (SERVICE_NAME.test(service)) add(service, chance.oneIn(3) ? chance.recase(target) : target);
  }
  if (chance.oneIn(3)) {
    // A chain, the end of which may be its beginning.
    const length = chance.weighted([
      [6, chance.between(2, 7)],
      [1, 20],
    ]);
    const end = chance.oneIn(4) ? nameOf('chain-0', namespace) : targetIn(namespace);
    for (let i = 0; i < length; i++) add(`chain-${i}`, i === length - 1 ? end : nameOf(`chain-${i + 1}`, namespace));
  }
}

/** Owner names of a namespace's content, relative to it, lower case. */
export function ownersOf({ services }: DeclaredNamespace): Set<string> {
  const owners = new Set<string>(['ns']);
  for (const { name, dns, instances } of services) {
    const owner = name === '.' ? '' : name.toLowerCase();
    owners.add(owner);
    if (dns?.records[0]?.type !== 'SRV') continue;
    for (const { id } of instances) owners.add(owner === '' ? id.toLowerCase() : `${id.toLowerCase()}.${owner}`);
  }
  return owners;
}
