/** What happens to a query that `respond` wants forwarded, for UDP and TCP alike. */
import type { Resolver } from '../resolver/resolver.ts';
import { MAX_MESSAGE_BYTES, RCODE } from '../wire/header.ts';
import type { Client } from './clients.ts';
import { FIXED_ERRORS } from './extended-error.ts';
import type { Told } from './outside.ts';
import { DROP, FORWARD, type Responder } from './respond.ts';

export interface Relay {
  /**
   * To be called right after `respond` said FORWARD, before it is called again.
   * @param query the whole message, kept: hand over a copy
   * @param local octets of the address that was asked; null: not known
   * @param send is called once, never before this returns, with the reply in memory of its own
   */
  relay(query: Uint8Array, overTcp: boolean, local: Uint8Array | null, send: (reply: Uint8Array) => void): void;
}

/** CNAMEs may lead out of our zones, into them and out again; whoever asks for more rounds goes in circles. */
const MAX_ROUNDS = 8;
/** Whoever waits for an upstream has been found to be allowed to. */
const SERVED: Client = { mayRecurse: () => true };

export function createRelay(responder: Responder, resolver: Resolver): Relay {
  const scratch = new Uint8Array(MAX_MESSAGE_BYTES);
  return {
    relay(query, overTcp, local, send) {
      const tellings: Told[] = [];
      const ask = (): void => {
        const { question, group, picks } = responder.takeWanted();
        const { length: rounds } = tellings;
        resolver.ask(
          question,
          group,
          Date.now(),
          (outcome) => {
            tellings.push({ question, outcome, picks });
            const length = responder.respond(query, query.length, scratch, overTcp, local, SERVED, tellings);
            if (length === DROP) return;
            if (length !== FORWARD) return send(scratch.slice(0, length));
            if (rounds < MAX_ROUNDS) return ask();
            const end = responder.refuse(query, scratch, overTcp, RCODE.SERVFAIL, FIXED_ERRORS.upstreamsFailed);
            send(scratch.slice(0, end));
          },
          rounds === 0 ? query : null,
        );
      };
      ask();
    },
  };
}
