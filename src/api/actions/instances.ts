/** Actions on instances (Cloud Map API: section "instances"). */
import { z } from 'zod';
import { ec2AnswerOfMap } from '../../registry/attributes.ts';
import { updateCustomHealth } from '../../registry/health.ts';
import { visibleStatus } from '../../registry/health-status.ts';
import { deregisterInstance, registerInstance, requireInstance } from '../../registry/instances.ts';
import { requireService } from '../../registry/services.ts';
import { type Action, action } from '../action.ts';
import { pageInput, pageOf } from '../page.ts';
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
      const ec2Id = input.Attributes.AWS_EC2_INSTANCE_ID;
      const isAsked = ec2Id !== undefined && ec2AnswerOfMap(ec2Id, registry.options.ec2Instances) === null;
      const command = {
        serviceId: input.ServiceId,
        instanceId: input.InstanceId,
        attributes: input.Attributes,
        // Asked beforehand, since a decision waits for nothing.
        ec2: isAsked && ec2 !== null ? await ec2(ec2Id) : null,
        creatorRequestId: input.CreatorRequestId ?? null,
      };
      const { operationId } = await registry.submit((state, context) => registerInstance(state, command, context));
      return { OperationId: operationId };
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
      const instances =
        // AWS does not say what an unknown id in the list does; here it is InstanceNotFound.
        wanted?.map((id) => requireInstance(registry.state, service.id, id)) ??
        registry.state.instancesOf(service.id).values();
      const { items, ...next } = pageOf(instances, ({ id }) => id, input, `GetInstancesHealthStatus/${service.id}`);
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
