/**
 * That a port is nobody else's, where several threads are to share it. Sockets with SO_REUSEPORT share a port, but with
 * any other such sockets of the same user, of another daemon too; without it a socket is refused where anybody is. So
 * before the first thread binds what its siblings join, the port is claimed:
 *
 *   1. UDP is bound without SO_REUSEPORT, and
 *   2. TCP listens without it, which both fail where anybody is;
 *   3. UDP is let go, and bound with it;
 *   4. TCP is let go, and listens with it.
 *
 * So whoever claims has both alone at one moment, TCP alone until it has UDP for good, and UDP from then on. Of two that
 * start at once, one of which may be a daemon of one thread that stops at 2, the other gets no further than step 2: UDP
 * may come free for it in the midst of step 3, TCP does not. It ends then, and for so long steps 3 and 4 are tried
 * again. As all take UDP first, one of them does get both.
 *
 * What is left: a program of the same user that itself sets SO_REUSEPORT without looking may take a part of the
 * queries; the kernel has no way to let siblings alone share. And a connection that comes in between steps 2 and 4 is
 * reset, where one that comes before them is refused.
 */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { bindTcp, type TcpListener } from './tcp.ts';

/** How long somebody who claims the port in vain is waited for. */
const ATTEMPTS = 20;
const ATTEMPT_MS = 50;

/** Step 2. Who connects is let go. @throws the server's error */
export async function holdTcp(address: string, port: number): Promise<TcpListener> {
  const server = createServer((socket) => socket.destroy());
  await bindTcp(server, address, port, false);
  return { port, close: () => new Promise((resolve) => server.close(() => resolve())) };
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
