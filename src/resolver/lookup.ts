/** Addresses of a name, asked of the upstreams by the main thread; not for the query path. */
import { decodeMessage, RCODE_CODES, TYPE_CODES } from '../wire/codec.ts';
import { NameView, toWireName } from '../wire/names.ts';
import { makeQuestion } from './question.ts';
import { Reply, toMessage } from './reply.ts';
import type { Outcome, Resolver } from './resolver.ts';

export interface Addresses {
  /** Null: nobody could say whether there are any. */
  readonly ipv4: readonly string[] | null;
  readonly ipv6: readonly string[] | null;
  /** The least of the records'. */
  readonly ttlSeconds: number;
}

/** @returns asks for A and AAAA; its result is null where neither came: no such name, or no answer in time */
export function createLookup(resolver: Resolver): (name: string) => Promise<Addresses | null> {
  const ask = async (name: string, type: 'A' | 'AAAA'): Promise<{ addresses: string[] | null; ttlSeconds: number }> => {
    const code = TYPE_CODES[type] as number;
    const outcome = await resolve(resolver, toWireName(name), code);
    const held = outcome?.held ?? null;
    if (held === null) return { addresses: null, ttlSeconds: Number.MAX_SAFE_INTEGER };
    const message = decodeMessage(toMessage(new Reply().read(held.bytes, held.at), toWireName(name), code));
    // CNAMEs on the way stand in front of the addresses; theirs are the records that count.
    const records = message.header.rcode === RCODE_CODES.NOERROR ? message.answers : [];
    const found = records.filter((record) => record.type === code && record.address !== undefined);
    return {
      addresses: found.map(({ address }) => address as string),
      ttlSeconds: Math.min(Number.MAX_SAFE_INTEGER, ...records.map(({ ttl }) => ttl)),
    };
  };
  return async (name) => {
    const [v4, v6] = await Promise.all([ask(name, 'A'), ask(name, 'AAAA')]);
    if (!v4.addresses?.length && !v6.addresses?.length) return null;
    return { ipv4: v4.addresses, ipv6: v6.addresses, ttlSeconds: Math.min(v4.ttlSeconds, v6.ttlSeconds) };
  };
}

/** Null: a rule keeps the name from being looked up. */
function resolve(resolver: Resolver, name: Uint8Array, type: number): Promise<Outcome | null> {
  const view = new NameView();
  view.read(name, 0, name.length);
  const group = resolver.isOn ? resolver.groupOf(resolver.rules.find(name, view)) : null;
  if (group === null) return Promise.resolve(null);
  return new Promise((resolve) => resolver.ask(makeQuestion(name, type, 0), group, Date.now(), resolve));
}
