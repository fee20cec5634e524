/**
 * The declared form: the YAML that a configuration file takes. What it cannot say stays out: ids, revisions, health,
 * operations; an instance that could not be registered as its service is now is told of in a comment.
 */
import { checkAttributes, givenAttributes } from '../registry/attributes.ts';
import { ServiceError } from '../registry/errors.ts';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import { compareText, type ServiceContent, type Snapshot, sortInTurns } from './snapshot.ts';
import { yamlPair, yamlText } from './yaml-text.ts';

/** @returns pieces of lines, some of them empty */
export function* yamlLines(snapshot: Snapshot): Generator<string> {
  const namespaces = [...snapshot.namespaces].sort(compareNamespaces);
  const services = new Map<string, ServiceContent[]>();
  const addresses = new Map<string, { address: string; registeredAt: number }>();
  for (const each of snapshot.services) {
    const { namespaceId } = each.service;
    const others = services.get(namespaceId);
    if (others === undefined) services.set(namespaceId, [each]);
    else others.push(each);
    for (const instance of each.instances) noteAddress(addresses, instance);
    yield '';
  }
  if (addresses.size > 0) yield 'ec2Instances:\n';
  for (const [id, { address }] of [...addresses].sort(([a], [b]) => compareText(a, b))) {
    yield yamlPair('  ', id, address);
  }
  yield namespaces.length === 0 ? 'namespaces: []\n' : 'namespaces:\n';
  for (const namespace of namespaces) {
    yield namespaceText(namespace);
    const own = yield* sortInTurns(services.get(namespace.id) ?? [], (a, b) =>
      compareText(a.service.name, b.service.name),
    );
    if (own.length > 0) yield '    services:\n';
    for (const each of own) yield* serviceLines(namespace, each, snapshot);
  }
}

/** The map of the file says one address for each EC2 instance: that of the last registration. */
function noteAddress(
  addresses: Map<string, { address: string; registeredAt: number }>,
  { attributes, registeredAt }: Instance,
): void {
  const { AWS_EC2_INSTANCE_ID: id, AWS_INSTANCE_IPV4: address } = attributes;
  if (id === undefined || address === undefined) return;
  const known = addresses.get(id);
  if (known === undefined || known.registeredAt < registeredAt) addresses.set(id, { address, registeredAt });
}

/** Of DNS namespaces with one name the oldest owns the zone: it has to come first. */
function compareNamespaces(a: Namespace, b: Namespace): number {
  const byName = compareText(a.name.toLowerCase(), b.name.toLowerCase());
  const areDns = Number(b.type === 'HTTP') - Number(a.type === 'HTTP');
  if (byName !== 0 || areDns !== 0) return byName || -areDns;
  return a.type === 'HTTP' ? compareText(a.name, b.name) : a.createdAt - b.createdAt || compareText(a.id, b.id);
}

function namespaceText({ name, type, description, vpc, soaTtlSeconds, tags }: Namespace): string {
  return [
    `  - name: ${yamlText(name)}\n`,
    `    type: ${type}\n`,
    description === null ? '' : yamlPair('    ', 'description', description),
    vpc === null ? '' : yamlPair('    ', 'vpc', vpc),
    soaTtlSeconds === null ? '' : `    soaTtl: ${soaTtlSeconds}\n`,
    mapText('    ', 'tags', tags),
  ].join('');
}

function* serviceLines(namespace: Namespace, content: ServiceContent, { options }: Snapshot): Generator<string> {
  const { service } = content;
  yield serviceText(service);
  const instances = yield* sortInTurns(content.instances, (a, b) => compareText(a.id, b.id));
  let hasSome = false;
  for (const { id, attributes } of instances) {
    const { given, ec2 } = givenAttributes(attributes);
    try {
      checkAttributes(namespace, service, given, options, ec2);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      // A check was added, or DNS left, since it was registered: a file with it would be refused.
      yield `        # left out: ${yamlText(id)}: ${error.message.replaceAll('\n', ' ')}\n`;
      continue;
    }
    if (!hasSome) yield '        instances:\n';
    hasSome = true;
    yield `          - id: ${yamlText(id)}\n${mapText('            ', 'attributes', given)}`;
  }
}

function serviceText({ name, description, dns, healthCheck, hasCustomHealthCheck, attributes, tags }: Service): string {
  const records = dns?.records.map(({ type, ttlSeconds }) => `{ type: ${type}, ttl: ${ttlSeconds} }`).join(', ');
  return [
    `      - name: ${yamlText(name)}\n`,
    description === null ? '' : yamlPair('        ', 'description', description),
    dns === null ? '' : `        dns: { routingPolicy: ${dns.routingPolicy}, records: [${records}] }\n`,
    healthCheck === null ? '' : `        healthCheck:\n          type: ${healthCheck.type}\n`,
    healthCheck === null || healthCheck.path === null ? '' : yamlPair('          ', 'path', healthCheck.path),
    healthCheck?.failureThreshold == null ? '' : `          failureThreshold: ${healthCheck.failureThreshold}\n`,
    hasCustomHealthCheck ? '        healthCheckCustom: {}\n' : '',
    mapText('        ', 'attributes', attributes),
    mapText('        ', 'tags', tags),
  ].join('');
}

function mapText(indent: string, key: string, map: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(map).sort(([a], [b]) => compareText(a, b));
  if (pairs.length === 0) return '';
  return `${indent}${key}:\n${pairs.map(([name, value]) => yamlPair(`${indent}  `, name, value)).join('')}`;
}
