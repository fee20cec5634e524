/** Attributes of services (Cloud Map: UpdateServiceAttributes, DeleteServiceAttributes). */
import type { Context, Decision } from './decision.ts';
import { ServiceError } from './errors.ts';
import { requireService } from './services.ts';
import type { State } from './state.ts';

/** Adds and overwrites, keeps the rest, which AWS leaves open; the quota counts the result. */
export function updateServiceAttributes(
  state: State,
  command: { serviceId: string; attributes: Readonly<Record<string, string>> },
  context: Context,
): Decision<null> {
  const service = requireService(state, context, command.serviceId);
  const attributes = { ...service.attributes, ...command.attributes };
  requireAttributeQuota(attributes, service.id, context);
  return { changes: [{ kind: 'service', id: service.id, value: { ...service, attributes } }], result: null };
}

/** @throws ServiceError ServiceAttributesLimitExceededException */
export function requireAttributeQuota(
  attributes: Readonly<Record<string, string>>,
  service: string,
  { options }: Pick<Context, 'options'>,
): void {
  const count = Object.keys(attributes).length;
  const { serviceAttributes: quota } = options.quotas;
  if (quota === 0 || count <= quota) return;
  const message = `A service has at most ${quota} attributes; ${service} would have ${count}.`;
  throw new ServiceError('ServiceAttributesLimitExceededException', message);
}

/** A key that the service does not have is no error; AWS names none. */
export function deleteServiceAttributes(
  state: State,
  command: { serviceId: string; keys: readonly string[] },
  context: Context,
): Decision<null> {
  const service = requireService(state, context, command.serviceId);
  const left = Object.entries(service.attributes).filter(([key]) => !command.keys.includes(key));
  const value = { ...service, attributes: Object.fromEntries(left) };
  return { changes: [{ kind: 'service', id: service.id, value }], result: null };
}
