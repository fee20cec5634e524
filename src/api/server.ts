/** The HTTP server that the API and the admin routes share: its addresses, and what it refuses whoever asks. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';

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

export interface HttpListeners {
  readonly addresses: readonly HttpAddress[];
  /** Wildcard IPv6 addresses that the machine has no IPv6 for. */
  readonly skipped: readonly HttpAddress[];
  /** Stops accepting and waits for requests under way, at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/** @param ownNames host names under which the daemon's own pages may be asked for, besides localhost and addresses */
export function createApp(ownNames: readonly string[] = []): FastifyInstance {
  const app = fastify({
    logger: false,
    // A client behind a proxy setting sends the whole URL (RFC 9112 s3.2.2); the path alone routes.
    // Before any route is looked for: a path that cannot be decoded.
    frameworkErrors: (error, _request, reply) => {
      refuse(reply as FastifyReply, 400, 'BadRequest', error.message);
    },
    rewriteUrl: ({ url = '/' }) => url.replace(ABSOLUTE_FORM, '').replace(/^(?!\/)/, '/'),
  });
  app.addHook('onRequest', async (request, reply) => {
    // To fastify an empty content type is an unknown one; a missing one is not.
    if (request.headers['content-type'] === '') delete request.headers['content-type'];
    if (isForAnotherHost(request.raw, request.originalUrl)) {
      return refuse(reply, 403, 'AccessDeniedException', 'This is not a proxy: it serves the Cloud Map API alone.');
    }
    // The path of the route: that of the request may be written in many ways, such as `/%61dmin`.
    if (OWN_PAGES.test(request.routeOptions.url ?? request.url) && !isOwnHost(request.headers.host, ownNames)) {
      return refuse(reply, 403, 'AccessDeniedException', `"${request.headers.host}" is no name of this daemon.`);
    }
    if (!isFromAnotherSite(request.headers)) return;
    return refuse(reply, 403, 'AccessDeniedException', 'Requests that a browser sends from another site are refused.');
  });
  return app;
}

/** Of an operation's name in X-Amz-Target. */
export const TARGET_PREFIX = 'Route53AutoNaming_v20170314.';
export const CONTENT_TYPE = 'application/x-amz-json-1.1';

/** What is for whoever runs the daemon, not for the API's clients. */
const OWN_PAGES = /^\/(admin|ui)([/?#]|$)/i;

/**
 * A page's own name may be made to lead here (DNS rebinding), and then its requests are of one site with ours. Calls of
 * the API come under any name; the daemon's own pages under its own names alone.
 */
function isOwnHost(host: string | undefined, ownNames: readonly string[]): boolean {
  if (host === undefined) return true;
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[|\]$|\.$/g, '')
    .toLowerCase();
  return isIP(name) !== 0 || /^(.*\.)?localhost$/.test(name) || ownNames.includes(name);
}

const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;

/**
 * A call of the API is served whatever host it names, since SDKs behind a proxy setting send the whole URL. Anything
 * else with the URL of another host takes us for a proxy (RFC 9112 s3.2.2).
 */
function isForAnotherHost({ method, headers, socket }: IncomingMessage, target: string): boolean {
  const authority = ABSOLUTE_FORM.exec(target)?.[1];
  if (authority === undefined) return false;
  if (method === 'POST' && String(headers['x-amz-target']).startsWith(TARGET_PREFIX)) return false;
  const host = authority
    .replace(/^.*@|:\d*$/g, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  return host !== 'localhost' && !/^127\.[\d.]+$|^::1$/.test(host) && host !== socket.localAddress;
}

function refuse(reply: FastifyReply, status: number, type: string, message: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', CONTENT_TYPE)
    .header('x-amzn-requestid', randomUUID())
    .send(Buffer.from(JSON.stringify({ __type: type, Message: message })));
}

/**
 * A web page that somebody visits must not be able to change the registry behind their back. Browsers say where a
 * request comes from; other clients send neither header.
 */
function isFromAnotherSite(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host } = headers;
  return origin !== undefined && origin !== `http://${String(host)}`;
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
      // close() ends idle connections itself and waits for the others.
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
      clearTimeout(timer);
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
