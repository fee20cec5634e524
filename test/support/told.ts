/** A responder that is told what upstreams say, as a relay tells it, without any socket. */
import { createRandom } from '../../src/answers/selection.ts';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import type { Client } from '../../src/dns/clients.ts';
import type { Told } from '../../src/dns/outside.ts';
import { DROP, FORWARD, Responder } from '../../src/dns/respond.ts';
import type { Outcome, ResolverOptions } from '../../src/resolver/resolver.ts';
import { compileLocalNames, compileLocalTails, type LocalOptions } from '../../src/synthesis/local-names.ts';
import { toTextName } from '../../src/wire/names.ts';
import { type Zones, zoneSetOf } from './answering.ts';
import { readReply } from './message.ts';
import { ANYONE, makeResolver } from './resolving.ts';
import { heldOf, type ReplyParts } from './upstream-reply.ts';

/** An upstream that is configured, and never asked. */
export const UPSTREAM = { address: '127.0.0.1', port: 9 };
/** Rounds after which the relay gives up. */
const MAX_ROUNDS = 8;

/** What an upstream has just replied to `www.example.com A`, or the stale answer to that. */
export function says(question: string, parts: ReplyParts, isStale = false): Outcome {
  return { held: heldOf(question, parts), isStale, failure: null };
}

export interface TeachingOptions {
  readonly zones?: Zones;
  readonly local?: Partial<LocalOptions>;
  readonly resolver?: Partial<ResolverOptions>;
  readonly maxTtlSeconds?: number | null;
  readonly nowMs?: number;
  readonly seed?: number;
}

export interface AskOptions {
  readonly overTcp?: boolean;
  readonly client?: Client;
  readonly local?: Uint8Array | null;
}

/** By the name that is asked, with its ending dot: what upstreams say; what is not here they do not know. */
export type World = Readonly<Record<string, Outcome>>;

export class ToldResponder {
  readonly responder: Responder;
  /** The names that were wanted of the upstreams, in order. */
  readonly wanted: string[] = [];
  readonly #reply = new Uint8Array(65_535);

  constructor({ zones = {}, local = {}, resolver = {}, maxTtlSeconds = null, nowMs = 0, seed = 1 }: TeachingOptions) {
    const options = {
      ...{ records: [], ownName: null, soaTtlSeconds: 5, maxTtlSeconds },
      ...{ addresses: { ipv4: [], ipv6: [] }, ...local },
    };
    const locals = new ZoneSet();
    locals.apply(compileLocalNames(options));
    this.responder = new Responder({
      zones: zoneSetOf(zones),
      locals,
      random: createRandom(seed),
      resolver: makeResolver([UPSTREAM], resolver),
      tails: compileLocalTails(options),
      maxTtlSeconds,
      clock: () => nowMs,
    });
  }

  /** @returns a copy of the reply. @throws Error where the query is dropped, or asks of the world for ever */
  ask(query: Uint8Array, world: World = {}, { overTcp = false, client = ANYONE, local = null }: AskOptions = {}) {
    const tellings: Told[] = [];
    for (let round = 0; round <= MAX_ROUNDS; round++) {
      const length = this.responder.respond(query, query.length, this.#reply, overTcp, local, client, tellings);
      if (length === DROP) throw new Error('the query is dropped');
      if (length !== FORWARD) return this.#reply.slice(0, length);
      const { question, group, ...rest } = this.responder.takeWanted();
      const name = toTextName(question.name);
      this.wanted.push(name);
      const outcome = world[name];
      if (group === null || outcome === undefined) throw new Error(`nobody knows ${name}`);
      tellings.push({ question, outcome, ...rest });
    }
    throw new Error(`asked for ${this.wanted.join(' ')} without end`);
  }

  /** The reply read strictly. */
  read(query: Uint8Array, world: World = {}, options: AskOptions = {}) {
    return readReply(this.ask(query, world, options));
  }
}
