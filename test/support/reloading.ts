/** A daemon whose file is edited while it runs: what its log says, and all that can be seen of it from outside. */
import {
  GetInstanceCommand,
  GetServiceAttributesCommand,
  GetServiceCommand,
  ListNamespacesCommand,
  ListServicesCommand,
  ListTagsForResourceCommand,
} from '@aws-sdk/client-servicediscovery';
import type { RunningDaemon } from './daemon.ts';
import { dig } from './dns.ts';
import { Api } from './journey-api.ts';
import { waitFor } from './journey-tools.ts';

/** pino's numbers. */
export const LEVEL = { info: 30, warn: 40, error: 50 } as const;

export interface Logged {
  readonly level: number;
  readonly msg: string;
}

/** Whole lines of the log so far. */
export function logOf({ stderr }: Pick<RunningDaemon, 'stderr'>): Logged[] {
  const lines = stderr().split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Logged);
}

/** Lines of the log about reading the file again. */
export function reloadsOf(daemon: Pick<RunningDaemon, 'stderr'>): string[] {
  return logOf(daemon).flatMap(({ msg }) => /was read again: (.+)$/.exec(msg)?.[1] ?? []);
}

/** Does it, and waits for the line that comes of it. @returns what it says */
export async function reloadBy(daemon: RunningDaemon, act: () => void): Promise<string> {
  const before = reloadsOf(daemon).length;
  act();
  return waitFor('the file to be read again', () => reloadsOf(daemon)[before] ?? null);
}

/** Sends SIGHUP and waits for the file to have been read again. @returns what the log says of it */
export function hangUp(daemon: RunningDaemon): Promise<string> {
  return reloadBy(daemon, () => process.kill(daemon.pid, 'SIGHUP'));
}

/** Lines of errors so far. */
export function errorsOf(daemon: RunningDaemon): string[] {
  return logOf(daemon).flatMap(({ level, msg }) => (level === LEVEL.error ? msg : []));
}

/** Does it, and waits for the error that comes of it. */
export async function failBy(daemon: RunningDaemon, act: () => void): Promise<string> {
  const before = errorsOf(daemon).length;
  act();
  return waitFor('the error', () => errorsOf(daemon)[before] ?? null);
}

/** Everything that the API shows, ids, revisions and times included, and what DNS answers to these questions. */
export async function viewOf(daemon: RunningDaemon, questions: readonly string[]): Promise<unknown> {
  const api = new Api(daemon.endpoint);
  const { Namespaces = [] } = await api.sdk.send(new ListNamespacesCommand({}));
  const { Services = [] } = await api.sdk.send(new ListServicesCommand({}));
  const tagsOf = async (ResourceARN = '') => (await api.sdk.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags;
  const services = await Promise.all(
    Services.map(async (service) => {
      const ServiceId = service.Id as string;
      const { Service } = await api.sdk.send(new GetServiceCommand({ Id: ServiceId }));
      const { Name: namespace = '' } = Namespaces.find(({ Id }) => Id === Service?.NamespaceId) ?? {};
      const ids = await api.instanceIds(ServiceId);
      return {
        service,
        tags: await tagsOf(service.Arn),
        attributes: (await api.sdk.send(new GetServiceAttributesCommand({ ServiceId }))).ServiceAttributes,
        instances: await Promise.all(
          ids.map(
            async (InstanceId) => (await api.sdk.send(new GetInstanceCommand({ ServiceId, InstanceId }))).Instance,
          ),
        ),
        discovered: await api.discover(namespace, service.Name as string),
      };
    }),
  );
  const namespaces = await Promise.all(Namespaces.map(async (each) => ({ ...each, tags: await tagsOf(each.Arn) })));
  const answers = await Promise.all(
    questions.map(async (question) => {
      const [name = '', type = ''] = question.split(' ');
      const { rcode, answer, authority } = await dig(daemon.dnsPort, name, type);
      return { question, rcode, answer: answer.sort(), authority };
    }),
  );
  api.sdk.destroy();
  return JSON.parse(JSON.stringify({ namespaces, services, answers }));
}
