/** What happens to a query that `respond` wants forwarded, for UDP and TCP alike. */
import { EXCHANGE_TIMEOUT_MS } from '../resolver/exchange.ts';
import type { Outcome, Resolver } from '../resolver/resolver.ts';
import { MAX_MESSAGE_BYTES, RCODE } from '../wire/header.ts';
import type { Client } from './clients.ts';
import { FIXED_ERRORS } from './extended-error.ts';
import type { HeldQuery } from './faults.ts';
import { OUTCOME } from './outcome.ts';
import type { Told } from './outside.ts';
import { DROP, FORWARD, type Responder } from './respond.ts';

/** @param reply in memory of its own; @param wasAsked whether upstreams were asked: not of one that was only held up */
export type Send = (reply: Uint8Array, wasAsked: boolean) => void;

export interface Relay {
  /**
   * To be called right after `respond` said FORWARD, before it is called again.
   * @param query the whole message, kept: hand over a copy
   * @param local octets of the address that was asked; null: not known
   * @param send is called once, never before this returns
   */
  relay(query: Uint8Array, overTcp: boolean, local: Uint8Array | null, send: Send): void;
  /** Lets queries that injected delays hold up go on. */
  release(): void;
}

/** CNAMEs may lead out of our zones, into them and out again; whoever asks for more rounds goes in circles. */
const MAX_ROUNDS = 8;
/** Whoever waits for an upstream has been found to be allowed to. */
const SERVED: Client = { mayRecurse: () => true };
const NOT_SERVED: Client = { mayRecurse: () => false };
/** Queries that injected delays hold up at once, in a thread. */
const MAX_HELD = 1000;

export function createRelay(responder: Responder, resolver: Resolver): Relay {
  const scratch = new Uint8Array(MAX_MESSAGE_BYTES);
  /** Those that are held up: what each goes on by. */
  const held = new Set<() => void>();
  return {
    relay(query, overTcp, local, send) {
      const tellings: Told[] = [];
      let deadlineMs = performance.now() + EXCHANGE_TIMEOUT_MS;
      let timer: NodeJS.Timeout | undefined;
      let isDone = false;
      let wasAsked = false;
      const finish = (length: number): void => {
        isDone = true;
        clearTimeout(timer);
        send(scratch.slice(0, length), wasAsked);
      };
      const giveUp = (): void => {
        if (isDone) return;
        finish(responder.refuse(query, scratch, overTcp, RCODE.SERVFAIL, FIXED_ERRORS.upstreamsSilent));
      };
      const ask = (): void => {
        wasAsked = true;
        const { question, group, picks } = responder.takeWanted();
        const { length: rounds } = tellings;
        // The first exchange ends in time by itself; those of the names behind it have what is left.
        if (rounds === 1) timer = setTimeout(giveUp, Math.max(0, deadlineMs - performance.now()));
        const onOutcome = (outcome: Outcome): void => {
          if (isDone) return;
          tellings.push({ question, outcome, picks });
          const length = responder.respond(query, query.length, scratch, overTcp, local, SERVED, tellings);
          if (length === DROP) return;
          if (length !== FORWARD) finish(length);
          else if (rounds < MAX_ROUNDS) ask();
          else giveUp();
        };
        resolver.ask(question, group, Date.now(), onOutcome, rounds === 0 ? query : null);
      };
      const hold = ({ delayMs, kind: kindThen, mayRecurse }: HeldQuery): void => {
        let kind = kindThen;
        const isTooMany = held.size >= MAX_HELD;
        const goOn = (): void => {
          clearTimeout(holding);
          if (isTooMany) {
            const { tooManyHeld } = FIXED_ERRORS;
            finish(responder.refuse(query, scratch, overTcp, RCODE.SERVFAIL, tooManyHeld, OUTCOME.fault));
            return;
          }
          held.delete(letGo);
          deadlineMs = performance.now() + EXCHANGE_TIMEOUT_MS;
          const client = mayRecurse ? SERVED : NOT_SERVED;
          const length =
            kind === null
              ? responder.respond(query, query.length, scratch, overTcp, local, client, tellings)
              : responder.fault(query, scratch, overTcp, kind);
          if (length === FORWARD) ask();
          else if (length !== DROP) finish(length);
        };
        const letGo = (): void => {
          // What was to come behind the delay has ended with it.
          kind = null;
          goOn();
        };
        // A thread that is to end does not wait for it.
        const holding = setTimeout(goOn, isTooMany ? 0 : delayMs).unref();
        if (!isTooMany) held.add(letGo);
      };
      const toHold = responder.takeHeld();
      if (toHold === null) ask();
      else hold(toHold);
    },
    release() {
      for (const letGo of [...held]) letGo();
    },
  };
}
