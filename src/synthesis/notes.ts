/** Texts of extended errors (RFC 8914): why DNS answers what it answers. ASCII, at most 255 octets each. */
import type { RrsetNote } from '../answers/answer-set.ts';
import { MULTIVALUE_RECORDS } from '../answers/selection.ts';
import type { Namespace } from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import type { Eligible } from './eligible.ts';

const MAX_TEXT_BYTES = 255;

/** @param count instances with a record of the type; @returns undefined where what is answered is healthy */
export function fallbackNote(
  count: number,
  { instances, fallback, lastHealthyAt }: Eligible,
  isWeighted: boolean,
): RrsetNote | undefined {
  if (fallback === null) return undefined;
  const answered = answeredText(
    instances.map(({ id }) => id),
    isWeighted,
  );
  return {
    text: textOf(`${counted(count)}, none healthy, answering ${answered}`),
    lastHealthySeconds: lastHealthyAt === null ? 0 : Math.floor(lastHealthyAt / 1000),
  };
}

/** What one answer carries of the instances with these ids. */
function answeredText(ids: readonly string[], isWeighted: boolean): string {
  const [first, second] = ids;
  if (ids.length === 1) return `${first}`;
  if (ids.length === 2) return isWeighted ? `${first} or ${second}` : `${first} and ${second}`;
  const answered = isWeighted ? 1 : Math.min(MULTIVALUE_RECORDS, ids.length);
  return answered === ids.length ? `all ${answered}` : `${answered} of ${ids.length}`;
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
