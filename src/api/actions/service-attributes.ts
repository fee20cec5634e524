/** Actions on service attributes (Cloud Map API: section "services"). */
import { z } from 'zod';
import { arnOf } from '../../registry/ids.ts';
import { MAX_SERVICE_ATTRIBUTES } from '../../registry/limits.ts';
import { deleteServiceAttributes, updateServiceAttributes } from '../../registry/service-attributes.ts';
import { requireService } from '../../registry/services.ts';
import { type Action, action } from '../action.ts';
import { idOrArn, serviceAttributeKey, serviceAttributeMap } from '../shapes.ts';

export const serviceAttributeActions: Readonly<Record<string, Action>> = {
  UpdateServiceAttributes: action(
    z.object({ ServiceId: idOrArn, Attributes: serviceAttributeMap }),
    async (input, registry) => {
      const command = { serviceId: input.ServiceId, attributes: input.Attributes };
      await registry.submit((state, context) => updateServiceAttributes(state, command, context));
      return {};
    },
  ),

  DeleteServiceAttributes: action(
    z.object({ ServiceId: idOrArn, Attributes: z.array(serviceAttributeKey).min(1).max(MAX_SERVICE_ATTRIBUTES) }),
    async (input, registry) => {
      const command = { serviceId: input.ServiceId, keys: input.Attributes };
      await registry.submit((state, context) => deleteServiceAttributes(state, command, context));
      return {};
    },
  ),

  GetServiceAttributes: action(z.object({ ServiceId: idOrArn }), (input, registry) => {
    const { options } = registry;
    const service = requireService(registry.state, registry, input.ServiceId);
    return {
      ServiceAttributes: {
        ServiceArn: arnOf(options, 'service', service.id),
        ResourceOwner: options.accountId,
        Attributes: service.attributes,
      },
    };
  }),
};
