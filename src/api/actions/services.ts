/** Actions on services (Cloud Map API: section "services"). */
import { z } from 'zod';
import { idFrom } from '../../registry/ids.ts';
import { SERVICE_NAME } from '../../registry/limits.ts';
import type { DnsRecord, HealthCheck, Service } from '../../registry/model.ts';
import { createService, deleteService, requireService, updateService } from '../../registry/services.ts';
import { type Action, action } from '../action.ts';
import { compileFilters, filterList, ownerFilter, textFilter } from '../filters.ts';
import { pageInput, pageOf } from '../page.ts';
import {
  description,
  dnsRecords,
  healthCheckConfig,
  idOrArn,
  resourceId,
  serviceShape,
  serviceSummary,
  tagList,
  toTags,
} from '../shapes.ts';

const createInput = z.object({
  Name: z.string().regex(SERVICE_NAME),
  NamespaceId: idOrArn.optional(),
  CreatorRequestId: resourceId.optional(),
  Description: description.optional(),
  DnsConfig: z
    .object({
      NamespaceId: idOrArn.optional(),
      RoutingPolicy: z.enum(['MULTIVALUE', 'WEIGHTED']).optional(),
      DnsRecords: dnsRecords,
    })
    .optional(),
  HealthCheckConfig: healthCheckConfig.optional(),
  HealthCheckCustomConfig: z.object({ FailureThreshold: z.int().min(1).max(10).optional() }).optional(),
  Tags: tagList.optional(),
  Type: z.literal('HTTP').optional(),
});

const updateInput = z.object({
  Id: idOrArn,
  Service: z.object({
    Description: description.optional(),
    DnsConfig: z.object({ DnsRecords: dnsRecords }).optional(),
    HealthCheckConfig: healthCheckConfig.optional(),
  }),
});

function toRecords(records: z.output<typeof dnsRecords>): DnsRecord[] {
  return records.map(({ Type, TTL }) => ({ type: Type, ttlSeconds: TTL }));
}

function toHealthCheck(check: z.output<typeof healthCheckConfig> | undefined): HealthCheck | null {
  if (check === undefined) return null;
  return { type: check.Type, path: check.ResourcePath ?? null, failureThreshold: check.FailureThreshold ?? null };
}

export const serviceActions: Readonly<Record<string, Action>> = {
  CreateService: action(createInput, async (input, registry) => {
    const { DnsConfig: dns } = input;
    const command = {
      name: input.Name,
      namespaceId: input.NamespaceId ?? null,
      dnsNamespaceId: dns?.NamespaceId ?? null,
      isHttpOnly: input.Type === 'HTTP',
      description: input.Description ?? null,
      dns:
        dns === undefined
          ? null
          : {
              routingPolicy: dns.RoutingPolicy ?? null,
              records: toRecords(dns.DnsRecords),
            },
      healthCheck: toHealthCheck(input.HealthCheckConfig),
      hasCustomHealthCheck: input.HealthCheckCustomConfig !== undefined,
      tags: toTags(input.Tags),
      creatorRequestId: input.CreatorRequestId ?? null,
    };
    const service = await registry.submit((state, context) => createService(state, command, context));
    return { Service: serviceShape(service, registry) };
  }),

  UpdateService: action(updateInput, async ({ Id, Service: change }, registry) => {
    const update = {
      description: change.Description ?? null,
      records: change.DnsConfig === undefined ? null : toRecords(change.DnsConfig.DnsRecords),
      healthCheck: toHealthCheck(change.HealthCheckConfig),
    };
    const { operationId } = await registry.submit((state, context) =>
      updateService(state, { id: Id, update }, context),
    );
    return { OperationId: operationId };
  }),

  DeleteService: action(z.object({ Id: idOrArn }), async ({ Id }, registry) => {
    await registry.submit((state, context) => deleteService(state, { id: Id }, context));
    return {};
  }),

  GetService: action(z.object({ Id: idOrArn }), ({ Id }, registry) => ({
    Service: serviceShape(requireService(registry.state, registry, Id), registry),
  })),

  ListServices: action(z.object({ Filters: filterList, ...pageInput }), (input, registry) => {
    const passes = compileFilters<Service>(input.Filters, {
      NAMESPACE_ID: textFilter(
        ['EQ'],
        ({ namespaceId }) => namespaceId,
        undefined,
        (value) => idFrom(registry.options, 'namespace', value),
      ),
      RESOURCE_OWNER: ownerFilter(),
    });
    const { items, ...next } = pageOf(registry.state.services().filter(passes), ({ id }) => id, input, 'ListServices');
    return { Services: items.map((service) => serviceSummary(service, registry)), ...next };
  }),
};
