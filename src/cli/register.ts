/** `cloudmapd register` and `deregister`: one instance into a service, or out of it. */
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { UsageError } from './command.ts';
import { readDuration } from './duration.ts';
import { findPlace, instanceNotThere, isNotFound, type Place } from './lookup.ts';
import { awaitOperation } from './operation.ts';
import { readPairs } from './pairs.ts';
import { writeResult } from './result.ts';

export interface ChangeFlags extends AskFlags {
  /** False: the operation's end is not waited for. */
  readonly wait: boolean;
  readonly timeout: string;
}

export interface RegisterFlags extends ChangeFlags {
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly cname?: string;
  readonly port?: string;
  readonly attribute?: readonly string[];
}

const RESERVED = {
  ipv4: 'AWS_INSTANCE_IPV4',
  ipv6: 'AWS_INSTANCE_IPV6',
  cname: 'AWS_INSTANCE_CNAME',
  port: 'AWS_INSTANCE_PORT',
} as const;

/** An instance that is there is replaced, with all of its attributes. */
export async function register(
  namespaceName: string,
  serviceName: string,
  id: string,
  flags: RegisterFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const attributes = attributesOf(flags);
  const timeoutMs = readDuration(flags.timeout, '--timeout');
  const api = new ApiClient(endpointOf(flags, env));
  const place = await findPlace(api, namespaceName, serviceName);
  const input = { ServiceId: place.service.Id, InstanceId: id, Attributes: attributes };
  const { OperationId } = await api.call<{ OperationId: string }>('RegisterInstance', input);
  await follow(api, { place, id, operationId: OperationId, timeoutMs, done: 'registered in' }, flags);
}

function attributesOf(flags: RegisterFlags): Record<string, string> {
  const attributes = readPairs(flags.attribute, '--attribute');
  for (const [flag, key] of Object.entries(RESERVED)) {
    const value = flags[flag as keyof typeof RESERVED];
    if (value === undefined) continue;
    if (Object.hasOwn(attributes, key)) throw new UsageError(`--${flag} and --attribute ${key} are the same: say one`);
    attributes[key] = value;
  }
  return attributes;
}

export async function deregister(
  namespaceName: string,
  serviceName: string,
  id: string,
  flags: ChangeFlags,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const timeoutMs = readDuration(flags.timeout, '--timeout');
  const api = new ApiClient(endpointOf(flags, env));
  const place = await findPlace(api, namespaceName, serviceName);
  const { OperationId } = await api
    .call<{ OperationId: string }>('DeregisterInstance', { ServiceId: place.service.Id, InstanceId: id })
    .catch(async (error: unknown) => {
      throw isNotFound(error) ? await instanceNotThere(api, place, id) : error;
    });
  await follow(api, { place, id, operationId: OperationId, timeoutMs, done: 'deregistered from' }, flags);
}

interface Change {
  readonly place: Place;
  readonly id: string;
  readonly operationId: string;
  readonly timeoutMs: number;
  /** What has become of the instance, for people. */
  readonly done: string;
}

async function follow(api: ApiClient, change: Change, flags: ChangeFlags): Promise<void> {
  const { place, id, operationId, timeoutMs, done } = change;
  const status = flags.wait ? await awaitOperation(api, operationId, timeoutMs, flags.timeout) : 'SUBMITTED';
  const value = {
    namespace: place.namespace.Name,
    service: place.service.Name,
    instance: id,
    operation: { id: operationId, status },
  };
  await writeResult(flags.json, value, () => [
    flags.wait ? `${id} ${done} ${place.name}` : `${id}: operation ${operationId} is under way`,
  ]);
}
