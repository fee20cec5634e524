/** The HTTP server that the API and the admin routes share: what it refuses whoever asks. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';

/** @param ownNames host names under which the daemon's own pages may be asked for, besides localhost and addresses */
export function createApp(ownNames: readonly string[] = []): FastifyInstance {
  const app = fastify({
    logger: false,
    // No route has a schema for fastify to check or to write by, so its compilers of schemas need not be loaded.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
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

function noSchemas(): never {
  throw new Error('routes have no schemas');
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
