/** What happens to a query that `respond` wants forwarded, for UDP and TCP alike. */
import type { Forwarder } from '../resolver/forwarder.ts';
import { MAX_MESSAGE_BYTES, RCODE } from '../wire/header.ts';
import { FIXED_ERRORS, type FixedError } from './extended-error.ts';
import type { Responder } from './respond.ts';

export interface Relay {
  /**
   * @param query the whole message, kept: hand over a copy
   * @returns the reply in memory of its own; REFUSED, SERVFAIL or TC are replies too
   */
  relay(query: Uint8Array, clientAddress: string, overTcp: boolean): Promise<Uint8Array>;
}

export function createRelay(responder: Responder, forwarder: Forwarder): Relay {
  const scratch = new Uint8Array(MAX_MESSAGE_BYTES);
  const empty = (
    query: Uint8Array,
    overTcp: boolean,
    rcode: number,
    error: FixedError | null,
    truncated = false,
  ): Uint8Array => {
    const length = responder.respondEmpty(query, query.length, scratch, overTcp, rcode, error, truncated);
    return scratch.slice(0, length);
  };
  return {
    async relay(query, clientAddress, overTcp) {
      if (!forwarder.isAllowed(clientAddress)) {
        return empty(query, overTcp, RCODE.REFUSED, FIXED_ERRORS.clientRefused);
      }
      // Read at once: they describe the query that was screened last, and that is this one until we wait.
      const { questionEnd, replyLimit } = responder;
      const reply = await forwarder.forward(query, questionEnd);
      if (reply === null) return empty(query, overTcp, RCODE.SERVFAIL, FIXED_ERRORS.upstreamsSilent);
      return reply.length > replyLimit ? empty(query, overTcp, RCODE.NOERROR, null, true) : reply;
    },
  };
}
