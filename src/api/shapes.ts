/** Shapes that several actions share, in and out (Cloud Map: the service model). Wire members are PascalCase here alone. */
import { z } from 'zod';
import { visibleStatus } from '../registry/health-status.ts';
import { arnOf } from '../registry/ids.ts';
import {
  ATTRIBUTE_KEY,
  ATTRIBUTE_VALUE,
  characters,
  INSTANCE_ID,
  MAX_DESCRIPTION,
  MAX_FAILURE_THRESHOLD,
  MAX_ID,
  MAX_ID_OR_ARN,
  MAX_RESOURCE_ARN,
  MAX_RESOURCE_PATH,
  MAX_SERVICE_ATTRIBUTE_KEY,
  MAX_SERVICE_ATTRIBUTE_VALUE,
  MAX_TAG_KEY,
  MAX_TAG_VALUE,
  MAX_TAGS_PER_REQUEST,
  MAX_TTL_SECONDS,
} from '../registry/limits.ts';
import type { Instance, Namespace, Operation, Service } from '../registry/model.ts';
import { RECORD_TYPES } from '../registry/record-types.ts';
import type { Registry } from '../registry/registry.ts';
import { text } from './text.ts';

// --- in ---

export const idOrArn = text(MAX_ID_OR_ARN);
export const resourceId = text(MAX_ID);
export const newInstanceId = resourceId.regex(INSTANCE_ID);
export const description = text(MAX_DESCRIPTION);
export const ownerAccount = z.string().regex(/^\d{12}$/);
export const recordTtl = z.int().min(0).max(MAX_TTL_SECONDS);
export const tagKey = text(MAX_TAG_KEY, 1);
export const tagList = z.array(z.object({ Key: tagKey, Value: text(MAX_TAG_VALUE) })).max(MAX_TAGS_PER_REQUEST);
/**
 * A map from texts to texts. Zod's own record would leave a key called `__proto__` out.
 * @param problemOf what is wrong with a key and value, or null
 */
const textMap = (problemOf: (key: string, value: string) => string | null) =>
  z.transform((input: unknown, { issues }): Record<string, string> => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      issues.push({
        code: 'invalid_type',
        expected: 'record',
        input,
        message: 'a map from texts to texts is expected',
      });
      return z.NEVER;
    }
    for (const [key, value] of Object.entries(input)) {
      if (typeof value !== 'string') {
        issues.push({ code: 'invalid_type', expected: 'string', input: value, path: [key] });
        continue;
      }
      const message = problemOf(key, value);
      if (message !== null) issues.push({ code: 'custom', input: value, path: [key], message });
    }
    return { ...input } as Record<string, string>;
  });

/** How many there may be, and what the reserved ones hold, is the registry's to say. */
export const attributeMap = textMap((key, value) => {
  if (!ATTRIBUTE_KEY.test(key)) return 'is no attribute key: 1 to 255 printable characters without a space are';
  if (ATTRIBUTE_VALUE.test(value)) return null;
  return 'has a value that is longer than 1024 characters, not printable ASCII, or begins with white space';
});

export const serviceAttributeKey = text(MAX_SERVICE_ATTRIBUTE_KEY);
export const serviceAttributeMap = textMap((key, value) => {
  if (characters(key) > MAX_SERVICE_ATTRIBUTE_KEY) return `is longer than ${MAX_SERVICE_ATTRIBUTE_KEY} characters`;
  return characters(value) > MAX_SERVICE_ATTRIBUTE_VALUE
    ? `has a value of over ${MAX_SERVICE_ATTRIBUTE_VALUE} characters`
    : null;
}).refine((map) => Object.keys(map).length > 0, 'at least one attribute is expected');
export const resourceArn = text(MAX_RESOURCE_ARN, 1);
export const dnsRecords = z.array(z.object({ Type: z.enum(RECORD_TYPES), TTL: recordTtl }));
export const healthCheckConfig = z.object({
  Type: z.enum(['HTTP', 'HTTPS', 'TCP']),
  ResourcePath: text(MAX_RESOURCE_PATH).optional(),
  FailureThreshold: z.int().min(1).max(MAX_FAILURE_THRESHOLD).optional(),
});
export const customHealthStatus = z.enum(['HEALTHY', 'UNHEALTHY']);

export function toTags(tags: z.output<typeof tagList> | undefined): { key: string; value: string }[] {
  return (tags ?? []).map(({ Key, Value }) => ({ key: Key, value: Value }));
}

// --- out ---

/** Epoch ms to the wire's epoch seconds with fraction. */
export function toTimestamp(epochMs: number): number {
  return epochMs / 1000;
}

/** Without the members that are null or undefined: absent optionals are left out. */
function present<T extends object>(members: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== null && value !== undefined),
  ) as Partial<T>;
}

export function namespaceSummary(namespace: Namespace, { options, state }: Registry): object {
  const { hostedZoneId, soaTtlSeconds } = namespace;
  return present({
    Id: namespace.id,
    Arn: arnOf(options, 'namespace', namespace.id),
    ResourceOwner: options.accountId,
    Name: namespace.name,
    Type: namespace.type,
    Description: namespace.description,
    ServiceCount: state.serviceCount(namespace.id),
    Properties: {
      DnsProperties: present({ HostedZoneId: hostedZoneId, SOA: present({ TTL: soaTtlSeconds }) }),
      HttpProperties: { HttpName: namespace.httpName },
    },
    CreateDate: toTimestamp(namespace.createdAt),
  });
}

export function namespaceShape(namespace: Namespace, registry: Registry): object {
  return { ...namespaceSummary(namespace, registry), ...present({ CreatorRequestId: namespace.creatorRequestId }) };
}

export function serviceSummary(service: Service, { options, state }: Registry): object {
  const { dns, healthCheck } = service;
  return present({
    Id: service.id,
    Arn: arnOf(options, 'service', service.id),
    ResourceOwner: options.accountId,
    Name: service.name,
    Type: service.type,
    Description: service.description,
    InstanceCount: state.instancesOf(service.id).size,
    DnsConfig:
      dns === null
        ? {}
        : {
            NamespaceId: service.namespaceId,
            RoutingPolicy: dns.routingPolicy,
            DnsRecords: dns.records.map(({ type, ttlSeconds }) => ({ Type: type, TTL: ttlSeconds })),
          },
    HealthCheckConfig:
      healthCheck === null
        ? null
        : present({
            Type: healthCheck.type,
            ResourcePath: healthCheck.path,
            FailureThreshold: healthCheck.failureThreshold,
          }),
    // Always 1, whatever was sent.
    HealthCheckCustomConfig: service.hasCustomHealthCheck ? { FailureThreshold: 1 } : null,
    CreateDate: toTimestamp(service.createdAt),
    CreatedByAccount: options.accountId,
  });
}

export function serviceShape(service: Service, registry: Registry): object {
  return {
    ...serviceSummary(service, registry),
    NamespaceId: service.namespaceId,
    ...present({ CreatorRequestId: service.creatorRequestId }),
  };
}

export function instanceSummary(instance: Instance, { options }: Registry): object {
  return { Id: instance.id, Attributes: instance.attributes, CreatedByAccount: options.accountId };
}

export function instanceShape(instance: Instance, registry: Registry): object {
  return { ...instanceSummary(instance, registry), ...present({ CreatorRequestId: instance.creatorRequestId }) };
}

export function discoveredInstance(namespace: Namespace, service: Service, instance: Instance): object {
  return {
    InstanceId: instance.id,
    NamespaceName: namespace.httpName,
    ServiceName: service.name,
    HealthStatus: visibleStatus(service, instance),
    Attributes: instance.attributes,
  };
}

export function operationShape(operation: Operation, { options }: Registry): object {
  return present({
    Id: operation.id,
    OwnerAccount: options.accountId,
    Type: operation.type,
    Status: operation.status,
    ErrorMessage: operation.error?.message,
    ErrorCode: operation.error?.code,
    CreateDate: toTimestamp(operation.createdAt),
    UpdateDate: toTimestamp(operation.updatedAt),
    Targets: operation.targets,
  });
}
