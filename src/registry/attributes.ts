/** The rules of an instance's attributes (Cloud Map: RegisterInstance, Attributes). */
import { Address4, Address6 } from 'ip-address';
import type { RegistryOptions } from './decision.ts';
import { invalidInput, ServiceError } from './errors.ts';
import { ATTRIBUTE_KEY, ATTRIBUTE_VALUE, MAX_ATTRIBUTES_TEXT } from './limits.ts';
import type { Namespace, Service } from './model.ts';
import { domainNameProblem } from './owner-names.ts';
import { hasRecord, REQUIRED_ATTRIBUTES } from './record-types.ts';

export type Attributes = Readonly<Record<string, string>>;

/** What an EC2-compatible endpoint says of an EC2 instance: its primary private IPv4 address, or why it has none. */
export type Ec2Answer = { readonly address: string } | { readonly problem: string };

/** Attributes with a meaning of their own. Our choice: every other key is custom, also in other case or with AWS_. */
const RESERVED: Readonly<Record<string, (value: string) => string | null>> = {
  AWS_INSTANCE_IPV4: (value) => (isIpv4(value) ? null : 'is not an IPv4 address'),
  AWS_INSTANCE_IPV6: (value) => (isIpv6(value) ? null : 'is not an IPv6 address'),
  AWS_INSTANCE_PORT: (value) => (isPort(value) ? null : 'is not a port number from 1 to 65535'),
  AWS_INSTANCE_CNAME: domainNameValue,
  AWS_ALIAS_DNS_NAME: domainNameValue,
  AWS_EC2_INSTANCE_ID: (value) => (value === '' ? 'is empty' : null),
  AWS_INIT_HEALTH_STATUS: (value) =>
    value === 'HEALTHY' || value === 'UNHEALTHY' ? null : 'is neither HEALTHY nor UNHEALTHY',
};

/**
 * Checks what was given for an instance of the service and completes it: an EC2 instance id brings its address.
 * @param ec2 of the instance that AWS_EC2_INSTANCE_ID names, where the configured map does not know it; null: nobody was asked
 * @throws ServiceError InvalidInput that names the attribute
 */
export function checkAttributes(
  namespace: Namespace,
  service: Service,
  attributes: Attributes,
  { ec2Instances, quotas }: Pick<RegistryOptions, 'ec2Instances' | 'quotas'>,
  ec2: Ec2Answer | null,
): Attributes {
  checkSyntax(attributes, quotas.customAttributes);
  // AWS says what it is for, not what it does elsewhere; ours refuses it.
  if (attributes.AWS_INIT_HEALTH_STATUS !== undefined && !service.hasCustomHealthCheck) {
    throw invalidInput('AWS_INIT_HEALTH_STATUS is for services with a HealthCheckCustomConfig.');
  }
  if (attributes.AWS_EC2_INSTANCE_ID !== undefined) return completeEc2(namespace, attributes, ec2Instances, ec2);
  if (attributes.AWS_ALIAS_DNS_NAME !== undefined) checkAlias(service, attributes);
  else checkRequired(service, attributes);
  return attributes;
}

/** @param quota of custom attributes; 0 = unlimited */
function checkSyntax(attributes: Attributes, quota: number): void {
  let text = 0;
  let custom = 0;
  for (const [key, value] of Object.entries(attributes)) {
    if (!ATTRIBUTE_KEY.test(key))
      throw invalidInput(`The attribute key "${key}" is not 1 to 255 printable characters without a space.`);
    if (!ATTRIBUTE_VALUE.test(value)) {
      throw invalidInput(
        `The value of the attribute "${key}" is longer than 1024 characters, not printable ASCII, or begins with white space.`,
      );
    }
    const problem = Object.hasOwn(RESERVED, key) ? RESERVED[key]?.(value) : undefined;
    if (typeof problem === 'string') throw invalidInput(`The attribute ${key} "${value}" ${problem}.`);
    if (problem === undefined) custom++;
    text += key.length + value.length;
  }
  // AWS names neither the error nor whether reserved attributes count; here they do not.
  if (quota > 0 && custom > quota) {
    throw invalidInput(`An instance has at most ${quota} custom attributes; ${custom} are given.`);
  }
  if (text > MAX_ATTRIBUTES_TEXT) {
    throw invalidInput(
      `All attributes' keys and values together have ${text} characters; the limit is ${MAX_ATTRIBUTES_TEXT}.`,
    );
  }
}

function completeEc2(
  namespace: Namespace,
  attributes: Attributes,
  ec2Instances: Readonly<Record<string, string>>,
  ec2: Ec2Answer | null,
): Attributes {
  const id = attributes.AWS_EC2_INSTANCE_ID as string;
  if (namespace.type !== 'HTTP') throw invalidInput('AWS_EC2_INSTANCE_ID is for HTTP namespaces.');
  for (const key of Object.keys(attributes)) {
    if (key !== 'AWS_EC2_INSTANCE_ID' && key !== 'AWS_INIT_HEALTH_STATUS') {
      throw invalidInput(`AWS_INIT_HEALTH_STATUS alone may accompany AWS_EC2_INSTANCE_ID; given: ${key}.`);
    }
  }
  // AWS asks EC2 itself; the map comes first, so that a file can say otherwise than the endpoint.
  const answer = ec2AnswerOfMap(id, ec2Instances) ?? ec2 ?? { problem: 'no endpoint of EC2 is configured' };
  if ('address' in answer) return { ...attributes, AWS_INSTANCE_IPV4: answer.address };
  throw new UnknownEc2Instance(id, answer.problem);
}

/** Nothing that has been asked so far knows the address of the EC2 instance. */
export class UnknownEc2Instance extends ServiceError {
  readonly instanceId: string;

  constructor(instanceId: string, problem: string) {
    super('InvalidInput', unknownEc2Instance(instanceId, problem));
    this.instanceId = instanceId;
  }
}

/** The mend is the same for whoever calls and whoever writes the file. */
export function unknownEc2Instance(id: string, problem: string): string {
  return `The address of the EC2 instance "${id}" is not known, ${problem}: add it under "ec2Instances" in the configuration file, or set CLOUDMAPD_EC2_ENDPOINT to where DescribeInstances knows it.`;
}

export function ec2AnswerOfMap(id: string, ec2Instances: Readonly<Record<string, string>>): Ec2Answer | null {
  const address = Object.hasOwn(ec2Instances, id) ? ec2Instances[id] : undefined;
  return address === undefined ? null : { address };
}

/** Attributes that were kept, as they were given: the address that an EC2 instance id brought stands apart. */
export function givenAttributes(attributes: Attributes): { given: Attributes; ec2: Ec2Answer | null } {
  if (attributes.AWS_EC2_INSTANCE_ID === undefined) return { given: attributes, ec2: null };
  const { AWS_INSTANCE_IPV4: address, ...given } = attributes;
  return { given, ec2: address === undefined ? null : { address } };
}

function checkAlias({ dns }: Service, attributes: Attributes): void {
  const hasAddresses = dns !== null && (hasRecord(dns.records, 'A') || hasRecord(dns.records, 'AAAA'));
  if (!hasAddresses || dns.routingPolicy !== 'WEIGHTED') {
    throw invalidInput('AWS_ALIAS_DNS_NAME is for services with A or AAAA records and the RoutingPolicy WEIGHTED.');
  }
  for (const key of Object.keys(attributes)) {
    if (key.startsWith('AWS_INSTANCE_')) throw invalidInput(`AWS_ALIAS_DNS_NAME excludes ${key}.`);
  }
}

function checkRequired({ dns, healthCheck }: Service, attributes: Attributes): void {
  for (const { type } of dns?.records ?? []) {
    for (const group of REQUIRED_ATTRIBUTES[type]) {
      if (group.some((key) => attributes[key] !== undefined)) continue;
      throw invalidInput(`The service has a record of type ${type}, so ${group.join(' or ')} is required.`);
    }
  }
  if (healthCheck !== null && attributes.AWS_INSTANCE_PORT === undefined) {
    throw invalidInput('The service has a HealthCheckConfig, so AWS_INSTANCE_PORT is required.');
  }
}

export function isIpv4(text: string): boolean {
  // ip-address takes a subnet too, which is no address of an instance.
  return !text.includes('/') && Address4.isValid(text);
}

/** Any form of RFC 4291 s2.2, without a zone or prefix length. */
export function isIpv6(text: string): boolean {
  return !/[/%]/.test(text) && Address6.isValid(text);
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function domainNameValue(value: string): string | null {
  if (/[\s]/.test(value)) return 'is not a domain name: it has white space';
  const problem = domainNameProblem(value.endsWith('.') ? value.slice(0, -1) : value);
  return problem === null ? null : `is not a domain name: it ${problem}`;
}
