/** A way to a daemon that breaks off in the middle of a long answer. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

const MANY_BYTES = 10_000;

/** @param onMuch told of a connection that brought some kilobytes from there, instead of the rest. Closed after the test */
export async function relayTo(endpoint: string, onMuch: (client: Socket) => void): Promise<{ endpoint: string }> {
  const server = createServer((client) => {
    const daemon = connect(Number(new URL(endpoint).port), '127.0.0.1');
    let bytes = 0;
    client.pipe(daemon);
    daemon.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes < MANY_BYTES) client.write(chunk);
      else if (bytes - chunk.length < MANY_BYTES) client.write(chunk, () => onMuch(client));
    });
    daemon.on('end', () => {
      if (bytes < MANY_BYTES) client.end();
    });
    for (const socket of [client, daemon]) socket.on('error', () => {});
    client.on('close', () => daemon.destroy());
    sockets.push(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
