/**
 * Queries that nobody has sent, answered as any other, for whoever asks why an answer is what it is. They have a
 * responder of their own, so that the draws of clients' answers stay as they are and nothing is counted.
 */
import { createRandom } from '../answers/selection.ts';
import type { ThreadOptions, Trial, TrialQuery, TriedName, TriedRoute } from '../answers/thread-protocol.ts';
import type { ZoneSet } from '../answers/zone-set.ts';
import type { Resolver } from '../resolver/resolver.ts';
import type { Route } from '../resolver/rules.ts';
import { readU16 } from '../wire/bytes.ts';
import { FLAG, HEADER_BYTES, MAX_MESSAGE_BYTES, QUESTION_TAIL_BYTES, TYPE } from '../wire/header.ts';
import { equalNames, expandName, FOLD, MAX_NAME_BYTES, NameView, skipName } from '../wire/names.ts';
import { AddressedClient, type Clients } from './clients.ts';
import { FaultTable } from './faults.ts';
import { addressOctets } from './local-address.ts';
import { OUTCOMES } from './outcome.ts';
import { createRelay, type Relay } from './relay.ts';
import { FORWARD, Responder } from './respond.ts';

interface Own {
  readonly responder: Responder;
  readonly relay: Relay;
  readonly reply: Uint8Array;
}

export class Trials {
  readonly #zones: ZoneSet;
  readonly #locals: ZoneSet;
  readonly #resolver: Resolver;
  readonly #clients: Clients;
  readonly #options: ThreadOptions;
  /** Those of the clients, from a chance of its own. */
  readonly faults = new FaultTable();
  // Made when first needed: hardly any thread is ever asked.
  #own: Own | null = null;

  /** @param options of the thread, by which the others were made */
  constructor(zones: ZoneSet, locals: ZoneSet, resolver: Resolver, clients: Clients, options: ThreadOptions) {
    this.#zones = zones;
    this.#locals = locals;
    this.#resolver = resolver;
    this.#clients = clients;
    this.#options = options;
  }

  /** @param onTried called once, perhaps before this returns */
  run({ query, from, to, overTcp }: TrialQuery, onTried: (trial: Trial) => void): void {
    const { responder, relay, reply } = this.#make();
    const client = new AddressedClient(this.#clients);
    client.address = from;
    const local = to === null ? null : addressOctets(to);
    const startedAt = performance.now();
    const finish = (answered: Uint8Array): void => {
      const { names, leadsBackTo } = chainOf(query, answered);
      onTried({
        reply: answered,
        outcome: OUTCOMES[responder.outcome] as string,
        tookMs: performance.now() - startedAt,
        mayRecurse: client.mayRecurse(),
        names: names.map((name) => this.#look(query, name)),
        leadsBackTo,
      });
    };
    const length = responder.respond(query, query.length, reply, overTcp, local, client);
    if (length === FORWARD) relay.relay(query, overTcp, local, finish);
    else finish(reply.slice(0, length));
  }

  #make(): Own {
    if (this.#own !== null) return this.#own;
    const { seed, localTails: tails, maxTtlSeconds } = this.#options;
    const responder = new Responder({
      zones: this.#zones,
      locals: this.#locals,
      random: createRandom(seed),
      resolver: this.#resolver,
      tails,
      maxTtlSeconds,
      faults: this.faults,
      // Whoever asks reads of the delay, and need not wait for it.
      isDelayed: false,
    });
    const relay = createRelay(responder, this.#resolver);
    this.#own = { responder, relay, reply: new Uint8Array(MAX_MESSAGE_BYTES) };
    return this.#own;
  }

  #look(query: Uint8Array, name: Uint8Array): TriedName {
    const view = new NameView();
    view.read(name, 0, name.length);
    return {
      name,
      isRegistered: this.#zones.find(name, view).zone !== null,
      isLocal: this.#locals.find(name, view).zone !== null,
      route: this.#routeOf(query, name, view),
    };
  }

  #routeOf(query: Uint8Array, name: Uint8Array, view: NameView): TriedRoute {
    const route = this.#resolver.rules.find(name, view);
    // The resolver was given that very object.
    const isSingleLabel = route.action === this.#options.forwarding.singleLabel;
    const { kind } = route.action;
    const hasRule = kind !== 'default' && !isSingleLabel;
    return {
      kind,
      suffix: hasRule ? name.slice(view.offsets[route.label] as number) : null,
      isSingleLabel,
      ...this.#askedOf(query, name, route),
    };
  }

  #askedOf(query: Uint8Array, name: Uint8Array, route: Route): Pick<TriedRoute, 'upstreams' | 'held'> {
    const resolver = this.#resolver;
    const group = resolver.groupOf(route);
    if (group === null) return { upstreams: null, held: null };
    const type = readU16(query, skipName(query, HEADER_BYTES, query.length));
    const bits = readU16(query, 2) & (FLAG.AD | FLAG.CD);
    const nowMs = Date.now();
    const times = resolver.timesOf(name, type, bits, nowMs);
    const ageSeconds = times === null ? 0 : Math.max(0, Math.floor((nowMs - times.storedAtMs) / 1000));
    return {
      upstreams: group.upstreams.map((upstream) => ({
        address: upstream.address,
        port: upstream.port,
        isLooping: group.looping.has(upstream),
        isDown: upstream.isDown,
        rttMs: upstream.rttMs < 0 ? null : upstream.rttMs,
      })),
      held: times === null ? null : { ...times, ageSeconds },
    };
  }
}

interface Chain {
  readonly names: readonly Uint8Array[];
  /** See Trial. */
  readonly leadsBackTo: number | null;
}

/** The QNAME and the targets of the CNAMEs behind it, in lower case, each once. @param query whose name is well formed */
function chainOf(query: Uint8Array, reply: Uint8Array): Chain {
  const names = [nameAt(query, HEADER_BYTES) as Uint8Array];
  const chain = { names, leadsBackTo: null };
  if (reply.length < HEADER_BYTES) return chain;
  // Nothing follows a CNAME that was asked for itself.
  const type = readU16(query, skipName(query, HEADER_BYTES, query.length));
  if (type === TYPE.CNAME || type === TYPE.ANY) return chain;
  let at = HEADER_BYTES;
  for (let left = readU16(reply, 4); left > 0; left--) at = skipName(reply, at, reply.length) + QUESTION_TAIL_BYTES;
  for (let left = readU16(reply, 6); left > 0; left--) {
    const owner = nameAt(reply, at);
    const fields = skipName(reply, at, reply.length);
    if (owner === null || fields < 0) break;
    at = fields + 10 + readU16(reply, fields + 8);
    const last = names.at(-1) as Uint8Array;
    if (readU16(reply, fields) !== TYPE.CNAME || !isSame(owner, last)) continue;
    const target = nameAt(reply, fields + 10);
    if (target === null) break;
    const leadsBackTo = names.findIndex((name) => isSame(name, target));
    if (leadsBackTo >= 0) return { names, leadsBackTo };
    names.push(target);
  }
  return chain;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && equalNames(a, 0, b, 0, a.length);
}

function nameAt(message: Uint8Array, at: number): Uint8Array | null {
  const out = new Uint8Array(MAX_NAME_BYTES);
  const length = expandName(message, at, message.length, out, 0);
  return length < 0 ? null : out.slice(0, length).map((byte) => FOLD[byte] as number);
}
