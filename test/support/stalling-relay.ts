/** A way to a daemon that takes so much in either direction, and the rest when it is told to. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach } from 'vitest';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** @param bytes of each connection and direction that go through at once. Closed after the test */
export async function stallingRelayTo(
  endpoint: string,
  bytes: number,
): Promise<{ endpoint: string; open: () => void }> {
  let open = (): void => undefined;
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  const gate = (): Transform => {
    let carried = 0;
    return new Transform({
      transform(chunk: Buffer, _encoding, done) {
        carried += chunk.length;
        if (carried <= bytes) done(null, chunk);
        else void isOpen.then(() => done(null, chunk));
      },
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const daemon = connect({ port: Number(new URL(endpoint).port), host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(client, daemon);
    for (const [from, to] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      // One side may go away in the middle.
      pipeline(from, gate(), to).catch(() => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open };
}
