/**
 * That a port is nobody else's, where several threads are to share it. Sockets with SO_REUSEPORT share a port, but with
 * any other such sockets of the same user, of another daemon too; without it a socket is refused where anybody is. So
 * before the first thread binds what its siblings join, the port is claimed:
 *
 *   1. TCP listens without SO_REUSEPORT, which fails where anybody listens;
 *   2. UDP is bound without it, and let go again, to see that nobody is there;
 *   3. UDP is bound with it, and stays;
 *   4. TCP of step 1 is let go, and listens with it.
 *
 * Whoever claims holds TCP alone until it has UDP for good, and UDP from then on. Another daemon needs both alone at
 * some moment, so of two that start at once one gets neither: TCP is refused to it before step 4, UDP behind step 3. It
 * may hold one of them for the moment that it takes to find out; steps 3 and 4 are tried again for as long.
 *
 * What is left: a program of the same user that itself sets SO_REUSEPORT without looking may take a part of the
 * queries; the kernel has no way to let siblings alone share. And a connection that comes in between steps 1 and 4 is
 * reset, as one that had come before them is refused.
 */
import { createServer, isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isWildcardAddress } from './local-address.ts';
import { bindTcp, type TcpListener } from './tcp.ts';
import { bindUdp } from './udp.ts';
import { localAddresses } from './udp-wildcard.ts';

/** How long a daemon that claims in vain is waited for: another one, which ends thereby. */
const ATTEMPTS = 20;
const ATTEMPT_MS = 50;

/** Step 1. Who connects is let go with it. @param port 0 = any; @throws the server's error */
export async function holdTcp(address: string, port: number): Promise<TcpListener> {
  const server = createServer((socket) => socket.destroy());
  await bindTcp(server, address, port, false);
  return {
    port: (server.address() as { port: number }).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/**
 * Step 2.
 * @param isReplacement of listeners that may have given up an address of a wildcard to somebody
 * @throws the socket's error where somebody is there
 */
export async function expectFreeUdp(address: string, port: number, isReplacement: boolean): Promise<void> {
  const isWildcard = isWildcardAddress(address);
  for (const own of isWildcard ? localAddresses(address) : [address]) {
    try {
      const socket = await bindUdp(isIPv6(own) ? 6 : 4, { port, address: own, exclusive: true });
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    } catch (error) {
      const isGone = (error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL';
      if (!isWildcard || !(isGone || isReplacement)) throw error;
    }
  }
}

/** Steps 3 and 4. @throws the listener's error where it stays */
export async function insist<T>(listen: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === ATTEMPTS) throw error;
    }
    await delay(ATTEMPT_MS);
  }
}
