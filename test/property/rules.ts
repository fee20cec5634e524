/**
 * The rules of Cloud Map in their simplest form: what one call makes of the model. They know nothing of batches,
 * durability or messages, and share no code with the daemon.
 *
 * What the daemon chooses (ids, the suffix of an HttpName) is taken from the outcome; what the outcome cannot show
 * (whether two things happened within one millisecond) is kept open by giving back several models.
 */
import type { Call, Outcome } from './calls.ts';
import { type Model, putNamespace, putService, refused, type Texts, without } from './model.ts';
import * as instances from './model-instances.ts';
import * as namespaces from './model-namespaces.ts';
import * as services from './model-services.ts';

/** @returns what may be after the call, as far as its outcome tells; nothing where the outcome breaks the rules */
export function applyCall(model: Model, call: Call, outcome: Outcome): Model[] {
  switch (call.action) {
    case 'CreateHttpNamespace':
    case 'CreatePrivateDnsNamespace':
    case 'CreatePublicDnsNamespace':
      return namespaces.create(model, call.action, call.input, outcome);
    case 'UpdateHttpNamespace':
    case 'UpdatePrivateDnsNamespace':
    case 'UpdatePublicDnsNamespace':
      return namespaces.update(model, call.action, call.input, outcome);
    case 'DeleteNamespace':
      return namespaces.remove(model, call.input.Id, outcome);
    case 'CreateService':
      return services.create(model, call.input, outcome);
    case 'UpdateService':
      return services.update(model, call.input, outcome);
    case 'DeleteService':
      return services.remove(model, call.input.Id, outcome);
    case 'RegisterInstance':
      return instances.register(model, call.input, outcome);
    case 'DeregisterInstance':
      return instances.deregister(model, call.input, outcome);
    case 'UpdateInstanceCustomHealthStatus':
      return instances.setHealth(model, call.input, outcome);
    case 'TagResource':
      return tag(model, call.input.ResourceARN, outcome, (tags) => ({
        ...tags,
        ...Object.fromEntries(call.input.Tags.map(({ Key, Value }) => [Key, Value])),
      }));
    case 'UntagResource':
      return tag(model, call.input.ResourceARN, outcome, (tags) => without(tags, call.input.TagKeys));
    case 'UpdateServiceAttributes':
      return services.setAttributes(model, call.input.ServiceId, outcome, (attributes) => ({
        ...attributes,
        ...call.input.Attributes,
      }));
    case 'DeleteServiceAttributes':
      return services.setAttributes(model, call.input.ServiceId, outcome, (attributes) =>
        without(attributes, call.input.Attributes),
      );
  }
}

function tag(model: Model, arn: string, outcome: Outcome, change: (tags: Texts) => Texts): Model[] {
  const id = arn.slice(arn.lastIndexOf('/') + 1);
  const namespace = model.namespaces[id];
  const service = model.services[id];
  if (namespace === undefined && service === undefined) return refused(model, outcome, 'ResourceNotFoundException');
  if (outcome.error !== null) return [];
  if (namespace !== undefined) return [putNamespace(model, { ...namespace, tags: change(namespace.tags) })];
  return service === undefined ? [] : [putService(model, { ...service, tags: change(service.tags) })];
}
