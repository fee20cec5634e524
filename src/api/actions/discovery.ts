/** Actions of discovery (Cloud Map API: section "discovery"). */
import { z } from 'zod';
import { discoverInstances, findDiscoverable } from '../../registry/discovery.ts';
import { NAMESPACE_NAME, SERVICE_NAME } from '../../registry/limits.ts';
import { type Action, action } from '../action.ts';
import { attributeMap, discoveredInstance, ownerAccount } from '../shapes.ts';

const DEFAULT_RESULTS = 100;

export const discoveryActions: Readonly<Record<string, Action>> = {
  DiscoverInstances: action(
    z.object({
      NamespaceName: z.string().regex(NAMESPACE_NAME),
      ServiceName: z.string().regex(SERVICE_NAME),
      MaxResults: z.int().min(1).max(1000).optional(),
      QueryParameters: attributeMap.optional(),
      OptionalParameters: attributeMap.optional(),
      HealthStatus: z.enum(['HEALTHY', 'UNHEALTHY', 'ALL', 'HEALTHY_OR_ELSE_ALL']).optional(),
      OwnerAccount: ownerAccount.optional(),
    }),
    (input, registry) => {
      const query = {
        namespaceName: input.NamespaceName,
        serviceName: input.ServiceName,
        maxResults: input.MaxResults ?? DEFAULT_RESULTS,
        queryParameters: input.QueryParameters ?? {},
        optionalParameters: input.OptionalParameters ?? {},
        // AWS's guide says that healthy ones are found by default, not what if there are none; ours does not fail open.
        healthStatus: input.HealthStatus ?? 'HEALTHY',
        ownerAccount: input.OwnerAccount ?? null,
      };
      const { namespace, service, instances, revision } = discoverInstances(registry.state, query, registry.context());
      return {
        Instances: instances.map((instance) => discoveredInstance(namespace, service, instance)),
        InstancesRevision: revision,
      };
    },
  ),

  DiscoverInstancesRevision: action(
    z.object({
      NamespaceName: z.string().regex(NAMESPACE_NAME),
      ServiceName: z.string().regex(SERVICE_NAME),
      OwnerAccount: ownerAccount.optional(),
    }),
    (input, registry) => {
      const query = {
        namespaceName: input.NamespaceName,
        serviceName: input.ServiceName,
        ownerAccount: input.OwnerAccount ?? null,
      };
      const { service } = findDiscoverable(registry.state, query, registry);
      return { InstancesRevision: registry.state.revision(service.id) };
    },
  ),
};
