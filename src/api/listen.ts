/** The addresses of the HTTP server. */
import type { Server } from 'node:http';
import { isIPv6 } from 'node:net';
import type { FastifyInstance } from 'fastify';

// An `import` of it makes Node load its WebSocket client, and all of fetch with that: some 30 ms and 4 MB.
const { createServer } = process.getBuiltinModule('node:http');

export interface HttpAddress {
  readonly address: string;
  readonly port: number;
}

/** An HTTP listener could not be bound. */
export class HttpBindError extends Error {
  override readonly name = 'HttpBindError';
  readonly address: HttpAddress;
  /** The system's error code, such as EADDRINUSE. */
  readonly code: string;

  constructor(address: HttpAddress, cause: NodeJS.ErrnoException) {
    super(cause.message, { cause });
    this.address = address;
    this.code = cause.code ?? '';
  }
}

const TIDY_MS = 20;

export interface HttpListeners {
  readonly addresses: readonly HttpAddress[];
  /** Wildcard IPv6 addresses that the machine has no IPv6 for. */
  readonly skipped: readonly HttpAddress[];
  /** Stops accepting and waits for requests under way, at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Binds every address, exclusively.
 * @throws HttpBindError; then none stays bound
 */
export async function listenHttp(app: FastifyInstance, wanted: readonly HttpAddress[]): Promise<HttpListeners> {
  await app.ready();
  const servers: Server[] = [];
  const addresses: HttpAddress[] = [];
  const skipped: HttpAddress[] = [];
  for (const address of wanted) {
    const server = createServer({ requireHostHeader: false }, (request, response) => app.routing(request, response));
    // A tunnel is a proxy's business too.
    server.on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n'));
    try {
      addresses.push({ address: address.address, port: await bind(server, address) });
      servers.push(server);
    } catch (cause) {
      const { code = '' } = cause as NodeJS.ErrnoException;
      if (address.address === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
        skipped.push(address);
        continue;
      }
      for (const bound of servers) bound.close();
      throw new HttpBindError(address, cause as NodeJS.ErrnoException);
    }
  }
  return {
    addresses,
    skipped,
    close: async (timeoutMs) => {
      const timer = setTimeout(() => {
        for (const server of servers) server.closeAllConnections();
      }, timeoutMs);
      // A connection that has been answered is kept by its client, and idle only from then on.
      const tidying = setInterval(() => {
        for (const server of servers) server.closeIdleConnections();
      }, TIDY_MS);
      // close() ends idle connections itself and waits for the others.
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
      clearTimeout(timer);
      clearInterval(tidying);
      await app.close();
    },
  };
}

function bind(server: Server, { address, port }: HttpAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: address, ipv6Only: isIPv6(address), exclusive: true }, () => {
      server.off('error', reject);
      resolve((server.address() as { port: number }).port);
    });
  });
}
