/**
 * A stand-in for Docker's embedded resolver (127.0.0.11) with the rules by which it forwards (moby/moby
 * libnetwork/resolver.go, in 20.10 and 23.0, in 24.0.0, and since #45565 in 24.0.1). Common to all of them:
 *
 * - A query goes out as it came, over UDP or TCP as it came, to the first of at most three nameservers; to the next one
 *   only where the one before failed. Each is waited for 4 s.
 * - A reply with TC is handed to the client, which is to ask over TCP itself. Over UDP what is longer than the client's
 *   EDNS size (512 octets without EDNS) is cut off, and what cannot be read then is a failure.
 * - NODATA is an answer like any other.
 *
 * Not here: the names of its own containers, and its bound of 1,024 queries under way.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { MAX_MESSAGE_BYTES, MIN_UDP_BYTES } from '../../src/wire/header.ts';
import { FakeUpstream } from './fake-upstream.ts';
import { type Reply, readReply } from './message.ts';
import { TcpClient } from './tcp-client.ts';

/** Which failures it moves on for, and what it says when every nameserver has failed. */
const RULES = {
  // The last reply that was read, if the last nameserver gave one; otherwise nothing, and the client waits in vain
  // (libnetwork#2613). The ID of a reply is not compared.
  '20.10 and 23.0': { movesOnWithoutAa: true, comparesIds: false, readsLongReplies: false, saysServfail: false },
  // NXDOMAIN without AA is a failure here too, and so becomes SERVFAIL (moby#45553).
  '24.0.0': { movesOnWithoutAa: true, comparesIds: true, readsLongReplies: true, saysServfail: true },
  '24.0.1 and later': { movesOnWithoutAa: false, comparesIds: true, readsLongReplies: true, saysServfail: true },
} as const;
export type DockerRelease = keyof typeof RULES;
export const DOCKER_RELEASES = Object.keys(RULES) as DockerRelease[];

const TIMEOUT_MS = 4000;

/** Asks one nameserver. @returns its reply, or why there is none */
type Exchange = (port: number, query: Buffer) => Promise<Buffer | string>;

export class DockerResolver {
  /** Why a nameserver was given up, in the order in which it happened: `NXDOMAIN`, `timeout`, `unreadable`. */
  readonly failOvers: string[] = [];
  readonly #release: DockerRelease;
  readonly #nameservers: readonly number[];
  #server: FakeUpstream | undefined;

  private constructor(release: DockerRelease, nameservers: readonly number[]) {
    this.#release = release;
    this.#nameservers = nameservers;
  }

  /** @param nameservers ports on 127.0.0.1, in their order */
  static async open(release: DockerRelease, nameservers: readonly number[]): Promise<DockerResolver> {
    const resolver = new DockerResolver(release, nameservers);
    resolver.#server = await FakeUpstream.open((query, overTcp) => resolver.#serve(query, overTcp));
    return resolver;
  }

  get port(): number {
    return (this.#server as FakeUpstream).port;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #serve(query: Buffer, overTcp: boolean): Promise<Uint8Array[]> {
    const { saysServfail } = RULES[this.#release];
    const exchange = overTcp ? askOverTcp : askOverUdp(this.#release);
    let last: Buffer | null = null;
    for (const port of this.#nameservers) {
      const reply = await exchange(port, query);
      const failure = typeof reply === 'string' ? reply : this.#failureOf(reply);
      last = typeof reply === 'string' ? null : reply;
      if (failure === null) return [reply as Buffer];
      this.failOvers.push(failure);
    }
    if (saysServfail) return [servfailTo(query)];
    return last === null ? [] : [last];
  }

  /** Null: it is what the client gets. */
  #failureOf(bytes: Buffer): string | null {
    const { movesOnWithoutAa, saysServfail } = RULES[this.#release];
    let reply: Reply;
    try {
      reply = readReply(bytes);
    } catch {
      // Of a broken reply the old ones hand on what has TC set.
      return !saysServfail && bytes.length >= 12 && (bytes.readUInt16BE(2) & 0x0200) !== 0 ? null : 'unreadable';
    }
    const [rcode = '', ...flags] = reply.status.split(' ');
    if (rcode === 'SERVFAIL' || rcode === 'REFUSED') return rcode;
    if (!movesOnWithoutAa || rcode === 'NOERROR') return null;
    return rcode === 'NXDOMAIN' && flags.includes('AA') ? null : rcode;
  }
}

function askOverUdp(release: DockerRelease): Exchange {
  const { comparesIds, readsLongReplies } = RULES[release];
  return async (port, query) => {
    const limit = udpSizeOf(query) ?? (readsLongReplies ? MAX_MESSAGE_BYTES : MIN_UDP_BYTES);
    const socket = createSocket('udp4');
    // Connected, so that a closed port is an error.
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Promise<Buffer | string>((resolve) => {
      const finish = (result: Buffer | string): void => {
        clearTimeout(timer);
        socket.removeAllListeners('message').close();
        resolve(result);
      };
      const timer = setTimeout(() => finish('timeout'), TIMEOUT_MS);
      socket.once('error', () => finish('unreachable'));
      socket.on('message', (reply) => {
        if (comparesIds && reply.length >= 2 && reply.readUInt16BE(0) !== query.readUInt16BE(0)) return;
        finish(reply.subarray(0, limit));
      });
      socket.send(query);
    });
  };
}

async function askOverTcp(port: number, query: Buffer): Promise<Buffer | string> {
  const client = await TcpClient.open(port).catch(() => null);
  if (client === null) return 'unreachable';
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    client.socket.destroy();
  }, TIMEOUT_MS);
  try {
    return await client.ask(query);
  } catch {
    return isLate ? 'timeout' : 'closed';
  } finally {
    clearTimeout(timer);
    client.socket.destroy();
  }
}

/** What a query with EDNS says that its sender can take; null: no EDNS. The OPT is its last record and has no options. */
function udpSizeOf(query: Buffer): number | null {
  if (query.readUInt16BE(10) === 0) return null;
  return Math.max(MIN_UDP_BYTES, query.readUInt16BE(query.length - 8));
}

/** Header and question alone, RD as it came. */
function servfailTo(query: Buffer): Buffer {
  const reply = Buffer.from(query.subarray(0, query.indexOf(0, 12) + 5));
  reply.writeUInt16BE(0x8002 | (query.readUInt16BE(2) & 0x0100), 2);
  reply.writeUInt32BE(0, 8);
  return reply;
}
