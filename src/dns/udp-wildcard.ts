/**
 * A wildcard address over UDP: one socket per address of the machine, followed as addresses come and go
 * (`docker network connect`). A socket on the wildcard itself would answer from whatever address the way back starts
 * with, and clients drop replies from an address that they did not ask (RFC 2181 s4).
 *
 * Of several threads each follows by itself, and joins the others' sockets. Nobody looks whether a stranger shares a port
 * in that way on an address that has come up: no other daemon can be there, as each needs TCP's port for itself when it
 * starts (`port-claim.ts`), and the wildcard's TCP listeners hold that on every address that there will be.
 */
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clients } from './clients.ts';
import type { Relay } from './relay.ts';
import type { Responder } from './respond.ts';
import { type ListenUdp, listenUdp, type UdpListener } from './udp.ts';

/** How soon a new address answers. Node has no event for it, and asking takes microseconds. */
const FOLLOW_INTERVAL_MS = 1000;

export interface WildcardEvents {
  /** A new address answers (`error` null), or cannot be bound, told once; it is tried again and again. */
  onAddress(address: string, error: Error | null): void;
}

/**
 * @param wildcard `0.0.0.0` or `::`
 * @param port 0 = any, the same for all addresses
 * @param isReplacement of a listener that has followed addresses, or beside one: what cannot be bound is tried again
 * @param listen makes the socket of one address
 * @throws the socket's error where an address cannot be bound; EADDRNOTAVAIL where the machine has none of the family
 */
export async function listenUdpWildcard(
  wildcard: string,
  port: number,
  responder: Responder,
  relay: Relay,
  clients: Clients,
  events: WildcardEvents,
  isReplacement = false,
  listen: ListenUdp = listenUdp,
): Promise<UdpListener> {
  const sockets = new Map<string, UdpListener>();
  const failed = new Set<string>();
  const end = new AbortController();
  let bound = port;

  const close = async (): Promise<void> => {
    end.abort();
    await following;
    await Promise.all([...sockets.values()].map((socket) => socket.close()));
  };

  const bind = async (address: string): Promise<void> => {
    const socket = await listen(address, bound, responder, relay, clients);
    bound = socket.port;
    sockets.set(address, socket);
  };

  const follow = async (): Promise<void> => {
    const present = new Set(localAddresses(wildcard));
    for (const [address, socket] of sockets) {
      if (present.has(address)) continue;
      sockets.delete(address);
      await socket.close();
    }
    for (const address of [...failed]) if (!present.has(address)) failed.delete(address);
    for (const address of present) {
      if (sockets.has(address)) continue;
      try {
        await bind(address);
        failed.delete(address);
        events.onAddress(address, null);
      } catch (error) {
        // An IPv6 address cannot be bound before the network has found it to be nobody else's.
        if ((error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL' || failed.has(address)) continue;
        failed.add(address);
        events.onAddress(address, error as Error);
      }
    }
  };

  const followOn = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await delay(FOLLOW_INTERVAL_MS, undefined, { signal: end.signal, ref: false }).catch(() => undefined);
      if (!end.signal.aborted) await follow();
    }
  };

  let following: Promise<void> = Promise.resolve();
  try {
    for (const address of localAddresses(wildcard)) {
      await bind(address).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRNOTAVAIL' && !isReplacement) throw error;
      });
    }
    if (sockets.size === 0) throw Object.assign(new Error('no address'), { code: 'EADDRNOTAVAIL' });
  } catch (error) {
    await close();
    throw error;
  }
  following = followOn();
  return { port: bound, close };
}

/** The machine's addresses of the wildcard's family, link-local ones with their zone (RFC 4007 s11). */
function localAddresses(wildcard: string): string[] {
  const family = isIPv6(wildcard) ? 'IPv6' : 'IPv4';
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter((info) => info.family === family)
      .map((info) => (info.family === 'IPv6' && info.scopeid > 0 ? `${info.address}%${name}` : info.address)),
  );
}
