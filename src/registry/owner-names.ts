/**
 * Owner names that services and instances take in their namespace's zone. They are compared without case, relative to
 * the namespace; the apex is the empty name.
 */
import type { Instance, Namespace, Service } from './model.ts';
import { hasRecord } from './record-types.ts';

/** Why `name` cannot be served as a domain name (RFC 1035 s2.3.4), or null. */
export function domainNameProblem(name: string): string | null {
  if (name.length === 0) return 'is empty';
  if (name.length > 253) return 'is longer than 253 characters';
  for (const label of name.split('.')) {
    if (label.length === 0) return 'has an empty label';
    if (label.length > 63) return `has a label longer than 63 octets ("${label}")`;
  }
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0xff) return 'has a character that is not one octet';
  return null;
}

/** `.` stands for the namespace's own name: AWS takes the name and does not say what it means. */
export function serviceOwner(serviceName: string): string {
  return serviceName === '.' ? '' : serviceName.toLowerCase();
}

/** The SRV target of an instance, where its companion A and AAAA records are. */
export function instanceOwner(serviceName: string, instanceId: string): string {
  const owner = serviceOwner(serviceName);
  return owner === '' ? instanceId.toLowerCase() : `${instanceId.toLowerCase()}.${owner}`;
}

/** Relative owner name to a full name, without an ending dot. */
export function absoluteName(relative: string, namespace: Namespace): string {
  return relative === '' ? namespace.name : `${relative}.${namespace.name}`;
}

/** The owner name that the service itself takes, or null: it has no records. */
export function ownerOfService(service: Service): string | null {
  return service.dns === null ? null : serviceOwner(service.name);
}

/** The owner name that the instance takes besides its service's, or null. */
export function ownerOfInstance(service: Service, instance: Pick<Instance, 'id'>): string | null {
  return service.dns !== null && hasRecord(service.dns.records, 'SRV')
    ? instanceOwner(service.name, instance.id)
    : null;
}
