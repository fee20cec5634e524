/**
 * Records of the exact form: those of the model but for who manages them, with what is null, empty or the usual left
 * out. What is left out where nothing is usual is made anew, or stays as it is: a time, a revision, a hosted zone.
 */
import { z } from 'zod';
import { mapOf, textUpTo } from '../declared/shapes.ts';
import {
  characters,
  MAX_DESCRIPTION,
  MAX_FAILURE_THRESHOLD,
  MAX_ID,
  MAX_RESOURCE_PATH,
  MAX_SERVICE_ATTRIBUTE_KEY,
  MAX_SERVICE_ATTRIBUTE_VALUE,
  MAX_TAG_KEY,
  MAX_TAG_VALUE,
  MAX_TTL_SECONDS,
} from '../registry/limits.ts';
import { OPERATION_TYPES } from '../registry/model.ts';
import { RECORD_TYPES } from '../registry/record-types.ts';
import { sharedHealth } from '../registry/records.ts';

/** The store's keys are made of them, with a slash in between. */
const id = z.string().regex(/^[0-9a-zA-Z_-]{1,64}$/, 'is no id: 1 to 64 letters, digits, _ and - are');
/** The last time that a Date can be; what is made behind it by adding to it is still a safe integer. */
const MAX_TIME = 8.64e15;
const time = z.int().min(0).max(MAX_TIME, `is no time in milliseconds: more than ${MAX_TIME}`);
const ttl = z.int().min(0).max(MAX_TTL_SECONDS);
const description = textUpTo(MAX_DESCRIPTION);
const requestId = textUpTo(MAX_ID);
const status = z.enum(['HEALTHY', 'UNHEALTHY']);
const attributes = mapOf(z.string());
const tags = limitedMap(MAX_TAG_KEY, MAX_TAG_VALUE);

const orNull = <T extends z.ZodType>(shape: T) => shape.nullable().default(null as never);

function limitedMap(maxKey: number, maxValue: number) {
  return attributes.refine(
    (map) => Object.entries(map).every(([key, value]) => characters(key) <= maxKey && characters(value) <= maxValue),
    `keys of at most ${maxKey} and values of at most ${maxValue} characters are expected`,
  );
}

export const namespaceShape = z.strictObject({
  id,
  arn: z.string().optional(),
  name: z.string(),
  httpName: z.string().min(1).optional(),
  type: z.enum(['HTTP', 'DNS_PUBLIC', 'DNS_PRIVATE']),
  description: orNull(description),
  vpc: orNull(textUpTo(MAX_ID)),
  hostedZoneId: z.string().nullish(),
  soaTtlSeconds: orNull(ttl),
  tags: tags.default({}),
  creatorRequestId: orNull(requestId),
  operationId: orNull(id),
  createdAt: time.optional(),
});

const record = z.strictObject({ type: z.enum(RECORD_TYPES), ttlSeconds: ttl });

const healthCheck = z.strictObject({
  type: z.enum(['HTTP', 'HTTPS', 'TCP']),
  path: orNull(textUpTo(MAX_RESOURCE_PATH)),
  failureThreshold: orNull(z.int().min(1).max(MAX_FAILURE_THRESHOLD)),
});

export const serviceShape = z.strictObject({
  id,
  arn: z.string().optional(),
  namespaceId: id,
  name: z.string(),
  type: z.enum(['DNS_HTTP', 'HTTP']).default('DNS_HTTP'),
  description: orNull(description),
  dns: orNull(z.strictObject({ routingPolicy: z.enum(['MULTIVALUE', 'WEIGHTED']), records: z.array(record).min(1) })),
  healthCheck: orNull(healthCheck),
  hasCustomHealthCheck: z.boolean().default(false),
  attributes: limitedMap(MAX_SERVICE_ATTRIBUTE_KEY, MAX_SERVICE_ATTRIBUTE_VALUE).default({}),
  tags: tags.default({}),
  creatorRequestId: orNull(requestId),
  requestDigest: orNull(z.string()),
  createdAt: time.optional(),
  // Epoch ms as well, or a little more: the next ones go on from it.
  revision: time.optional(),
});

const health = z
  .strictObject({
    status,
    lastHealthyAt: orNull(time),
    pending: orNull(z.strictObject({ status, dueAt: time })),
    transitions: z.array(z.strictObject({ at: time, status, reason: z.string() })).optional(),
  })
  .transform(({ transitions, ...rest }) => sharedHealth(transitions === undefined ? rest : { ...rest, transitions }));

export const instanceShape = z.strictObject({
  serviceId: id,
  id: z.string(),
  attributes: attributes.default({}),
  health: health.default(sharedHealth({ status: 'HEALTHY', lastHealthyAt: null, pending: null })),
  creatorRequestId: orNull(requestId),
  operationId: orNull(id),
  registeredAt: time.optional(),
});

const namespaceUpdate = z.strictObject({ description: orNull(description), soaTtlSeconds: orNull(ttl) });
const serviceUpdate = z.strictObject({
  description: orNull(description),
  records: orNull(z.array(record)),
  healthCheck: orNull(healthCheck),
});

const work = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('create-namespace'), namespace: namespaceShape.required({ createdAt: true }) }),
  z.strictObject({ kind: z.literal('update-namespace'), id, update: namespaceUpdate }),
  z.strictObject({ kind: z.literal('delete-namespace'), id }),
  z.strictObject({ kind: z.literal('update-service'), id, update: serviceUpdate }),
  z.strictObject({ kind: z.literal('register-instance'), instance: instanceShape.required({ registeredAt: true }) }),
  z.strictObject({ kind: z.literal('deregister-instance'), serviceId: id, instanceId: z.string() }),
]);

export const operationShape = z
  .strictObject({
    id,
    type: z.enum(OPERATION_TYPES),
    status: z.enum(['PENDING', 'SUCCESS', 'FAIL']).default('SUCCESS'),
    createdAt: time,
    updatedAt: time.optional(),
    targets: z.partialRecord(z.enum(['NAMESPACE', 'SERVICE', 'INSTANCE']), z.string()),
    error: orNull(z.strictObject({ code: z.string(), message: z.string() })),
    work: orNull(work),
    dueAt: time.optional(),
    request: orNull(z.strictObject({ key: z.string(), digest: z.string() })),
  })
  .refine((operation) => (operation.status === 'PENDING') === (operation.work !== null), {
    message: 'is there while the status is PENDING, and only then',
    path: ['work'],
  });

export type ExactNamespace = z.output<typeof namespaceShape>;
export type ExactService = z.output<typeof serviceShape>;
export type ExactInstance = z.output<typeof instanceShape>;
export type ExactOperation = z.output<typeof operationShape>;
