/** What a responder needs besides zones, for tests of other things, and a resolver that asks the servers given. */
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { type Client, Clients } from '../../src/dns/clients.ts';
import { Resolver, type ResolverEvents, type ResolverOptions } from '../../src/resolver/resolver.ts';
import type { Address } from '../../src/resolver/upstreams.ts';
import { compileLocalTails } from '../../src/synthesis/local-names.ts';

export const ANYONE: Client = { mayRecurse: () => true };
export const NOBODY: Client = { mayRecurse: () => false };
export const LOCAL_CLIENTS = new Clients(['127.0.0.0/8', '::1/128']);

const LOCAL = { records: [], ownName: null, soaTtlSeconds: 5, maxTtlSeconds: null, addresses: { ipv4: [], ipv6: [] } };

const resolvers = new Set<Resolver>();

/** Without upstreams nothing is forwarded. */
export function makeResolver(
  upstreams: readonly Address[] = [],
  options: Partial<ResolverOptions> = {},
  events: ResolverEvents['onLoop'] | ResolverEvents = () => undefined,
): Resolver {
  const resolver = new Resolver(
    {
      isOn: upstreams.length > 0,
      upstreams: upstreams.length > 0 ? upstreams : null,
      rules: [],
      singleLabel: null,
      cacheBytes: 1_000_000,
      staleSeconds: 86_400,
      ...options,
    },
    typeof events === 'function' ? { onLoop: events } : events,
  );
  resolvers.add(resolver);
  return resolver;
}

/** Their sockets and timers. */
export function closeResolvers(): void {
  for (const resolver of resolvers) resolver.close();
  resolvers.clear();
}

/** Of a responder, besides `zones` and `random`. @param recursionAvailable with an upstream that is never asked */
export function outside(recursionAvailable = false): {
  locals: ZoneSet;
  resolver: Resolver;
  tails: ReturnType<typeof compileLocalTails>;
} {
  const upstreams = recursionAvailable ? [{ address: '127.0.0.1', port: 9 }] : [];
  return { locals: new ZoneSet(), resolver: makeResolver(upstreams), tails: compileLocalTails(LOCAL) };
}
