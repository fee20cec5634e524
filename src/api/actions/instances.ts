/** Actions on instances (Cloud Map API: section "instances"). */
import { z } from 'zod';
import { type Ec2Answer, UnknownEc2Instance } from '../../registry/attributes.ts';
import { updateCustomHealth } from '../../registry/health.ts';
import { visibleStatus } from '../../registry/health-status.ts';
import { deregisterInstance, registerInstance, requireInstance } from '../../registry/instances.ts';
import { requireService } from '../../registry/services.ts';
import { type Action, action } from '../action.ts';
import { isBehind, pageInput, pageOf } from '../page.ts';
import {
  attributeMap,
  customHealthStatus,
  idOrArn,
  instanceShape,
  instanceSummary,
  newInstanceId,
  resourceId,
} from '../shapes.ts';

export const instanceActions: Readonly<Record<string, Action>> = {
  RegisterInstance: action(
    z.object({
      ServiceId: idOrArn,
      InstanceId: newInstanceId,
      Attributes: attributeMap,
      CreatorRequestId: resourceId.optional(),
    }),
    async (input, registry, { ec2 }) => {
      const command = {
        serviceId: input.ServiceId,
        instanceId: input.InstanceId,
        attributes: input.Attributes,
        creatorRequestId: input.CreatorRequestId ?? null,
      };
      const submit = (answer: Ec2Answer | null): Promise<{ operationId: string }> =>
        registry.submit((state, context) => registerInstance(state, { ...command, ec2: answer }, context));
      try {
        return { OperationId: (await submit(null)).operationId };
      } catch (error) {
        // A decision waits for nothing, so it says that it needs the address, and is made anew with it.
        if (!(error instanceof UnknownEc2Instance) || ec2 === null) throw error;
        return { OperationId: (await submit(await ec2(error.instanceId))).operationId };
      }
    },
  ),

  DeregisterInstance: action(z.object({ ServiceId: idOrArn, InstanceId: resourceId }), async (input, registry) => {
    const command = { serviceId: input.ServiceId, instanceId: input.InstanceId };
    const { operationId } = await registry.submit((state, context) => deregisterInstance(state, command, context));
    return { OperationId: operationId };
  }),

  GetInstance: action(z.object({ ServiceId: idOrArn, InstanceId: resourceId }), (input, registry) => {
    const service = requireService(registry.state, registry, input.ServiceId);
    const instance = requireInstance(registry.state, service.id, input.InstanceId);
    return { Instance: instanceShape(instance, registry), ResourceOwner: registry.options.accountId };
  }),

  ListInstances: action(z.object({ ServiceId: idOrArn, ...pageInput }), (input, registry) => {
    const { id } = requireService(registry.state, registry, input.ServiceId);
    const instances = registry.state.instancesOf(id).values();
    const { items, ...next } = pageOf(instances, (instance) => instance.id, input, `ListInstances/${id}`);
    return {
      Instances: items.map((instance) => instanceSummary(instance, registry)),
      ResourceOwner: registry.options.accountId,
      ...next,
    };
  }),

  GetInstancesHealthStatus: action(
    z.object({ ServiceId: idOrArn, Instances: z.array(resourceId).min(1).optional(), ...pageInput }),
    (input, registry) => {
      const service = requireService(registry.state, registry, input.ServiceId);
      const wanted = input.Instances === undefined ? null : [...new Set(input.Instances)];
      const scope = `GetInstancesHealthStatus/${service.id}`;
      const instances =
        wanted
          // What an earlier page has answered may have gone since.
          ?.filter((id) => !isBehind(id, input, scope))
          // AWS names no error for an id in the list that is not registered; ours is that of every other call.
          .map((id) => requireInstance(registry.state, service.id, id)) ??
        registry.state.instancesOf(service.id).values();
      const { items, ...next } = pageOf(instances, ({ id }) => id, input, scope);
      return {
        Status: Object.fromEntries(items.map((instance) => [instance.id, visibleStatus(service, instance)])),
        ...next,
      };
    },
  ),

  UpdateInstanceCustomHealthStatus: action(
    z.object({ ServiceId: idOrArn, InstanceId: resourceId, Status: customHealthStatus }),
    async (input, registry) => {
      const command = { serviceId: input.ServiceId, instanceId: input.InstanceId, status: input.Status };
      await registry.submit((state, context) => updateCustomHealth(state, command, context));
      return {};
    },
  ),
};
