/** Texts of extended errors (RFC 8914): why DNS answers what it answers. ASCII, at most 255 octets each. */
import type { RrsetNote } from '../answers/answer-set.ts';
import type { Namespace } from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import type { Eligible } from './eligible.ts';

const MAX_TEXT_BYTES = 255;

/** @param count instances with a record of the type; @returns undefined where what is answered is healthy */
export function fallbackNote(count: number, { instances, fallback, lastHealthyAt }: Eligible): RrsetNote | undefined {
  if (fallback === null) return undefined;
  const [first, second, ...others] = instances.map(({ id }) => id);
  const last =
    second === undefined ? first : others.length === 0 ? `${first} and ${second}` : `${instances.length} of them`;
  const answered = fallback === 'all' ? (count === 1 ? first : 'any of them') : last;
  return {
    text: textOf(`${counted(count)}, none healthy, answering ${answered}`),
    lastHealthySeconds: lastHealthyAt === null ? 0 : Math.floor(lastHealthyAt / 1000),
  };
}

/** Why an owner name has no records although a service has the name; null: none has. */
export function absenceNote(state: State, namespace: Namespace, owner: string): Uint8Array | null {
  const [kind, serviceId = ''] = (state.holderOf(namespace.id, owner) ?? '').split('/');
  const service = kind === 'service' ? state.service(serviceId) : undefined;
  if (service === undefined) return null;
  const registered = state.instancesOf(service.id).size;
  // With instances there are records, but for aliases whose target has not resolved.
  const reason = registered === 0 ? '' : ', no address known yet';
  return textOf(`service ${service.name} exists, ${counted(registered)} registered${reason}`);
}

function counted(count: number): string {
  return `${count} ${count === 1 ? 'instance' : 'instances'}`;
}

function textOf(text: string): Uint8Array {
  return Buffer.from(text.slice(0, MAX_TEXT_BYTES), 'latin1');
}
