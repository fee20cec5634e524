/** Queries outside our zones, relayed to the upstreams as bytes, in bounded number and time. */
import { BlockList, isIPv6 } from 'node:net';
import { readU16 } from '../wire/bytes.ts';
import { FLAG } from '../wire/header.ts';
import { askOverTcp, askOverUdp, type Upstream } from './upstream.ts';

export interface ForwarderOptions {
  readonly upstreams: readonly Upstream[];
  /** CIDR blocks whose clients are served. */
  readonly clients: readonly string[];
}

/** A client's resolver has mostly given up after five seconds; an answer after that is for nobody. */
export const FORWARD_TIMEOUT_MS = 4000;
/** How long one upstream is waited for before the next one, or the same once more, is asked. */
const ATTEMPT_TIMEOUT_MS = 1000;
/** Queries under way at once; each holds a socket. */
const MAX_PENDING = 1000;

export class Forwarder {
  readonly #upstreams: readonly Upstream[];
  readonly #clients = new BlockList();
  #pending = 0;

  constructor(options: ForwarderOptions) {
    this.#upstreams = options.upstreams;
    for (const block of options.clients) {
      const [address, prefix] = block.split('/') as [string, string];
      this.#clients.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
    }
  }

  get isAvailable(): boolean {
    return this.#upstreams.length > 0;
  }

  /** Whether the client's queries are forwarded. @param address as sockets report it, perhaps with a zone id */
  isAllowed(address: string): boolean {
    const bare = address.split('%', 1)[0] as string;
    return this.#clients.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
  }

  /**
   * Asks the upstreams in their order, again from the first while time is left.
   * @param query a whole query that was screened, owned by the forwarder until the result is there
   * @param questionEnd the octet behind its question
   * @returns the reply with the query's ID, or null: none came in time, or too many queries are under way
   */
  async forward(query: Uint8Array, questionEnd: number): Promise<Uint8Array | null> {
    if (this.#pending >= MAX_PENDING) return null;
    this.#pending++;
    try {
      return await this.#ask(query, questionEnd);
    } finally {
      this.#pending--;
    }
  }

  async #ask(query: Uint8Array, questionEnd: number): Promise<Uint8Array | null> {
    const deadline = Date.now() + FORWARD_TIMEOUT_MS;
    for (;;) {
      let hasWaited = false;
      for (const upstream of this.#upstreams) {
        const startedAt = Date.now();
        const leftMs = deadline - startedAt;
        if (leftMs <= 0) return null;
        try {
          const reply = await askOverUdp(upstream, query, questionEnd, Math.min(ATTEMPT_TIMEOUT_MS, leftMs));
          if ((readU16(reply, 2) & FLAG.TC) === 0) return reply;
          return await askOverTcp(upstream, query, questionEnd, Math.max(1, deadline - Date.now()));
        } catch {
          // The next upstream may do better; why this one did not is the operator's `doctor` to find out.
          hasWaited ||= Date.now() - startedAt >= ATTEMPT_TIMEOUT_MS / 2;
        }
      }
      // All of them refused at once: asking again would only spin.
      if (!hasWaited) return null;
    }
  }
}
