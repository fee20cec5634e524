/** One probe of one endpoint, as Route 53's health checkers make it (cloud map: HealthCheckConfig). */
import { request as httpsRequest } from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { HealthCheckType } from '../registry/model.ts';

// As in api/listen.ts: an `import` of it loads all of fetch.
const { request: httpRequest } = process.getBuiltinModule('node:http');

export interface ProbeTarget {
  readonly type: HealthCheckType;
  /** Literal, the one that is connected to. */
  readonly address: string;
  readonly port: number;
  /** HTTP and HTTPS: the service's DNS name, for the Host header. */
  readonly host: string;
  /** HTTP and HTTPS: path and query. */
  readonly path: string;
}

export interface ProbeTimeouts {
  /** TCP: until the connection stands. */
  readonly tcpMs: number;
  /** HTTP, HTTPS: until the connection stands. */
  readonly connectMs: number;
  /** HTTP, HTTPS: from then until the response's head is there, a TLS handshake included. */
  readonly responseMs: number;
}

export type ProbeResult =
  | { readonly kind: 'passed' }
  /** `reason` such as `connect ECONNREFUSED`; local: it says nothing of the endpoint, and all of our own network. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isLocal: boolean }
  /** Our own means gave out, such as file descriptors: no verdict. */
  | { readonly kind: 'none'; readonly reason: string };

export type Probe = (target: ProbeTarget, timeouts: ProbeTimeouts, signal: AbortSignal) => Promise<ProbeResult>;

/** Cookies and policies make some heads longer than Node's 16 kB. */
const MAX_HEADER_BYTES = 256 * 1024;

const LOCAL_CODES = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL']);
const OWN_CODES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
const DEFAULT_PORTS: Readonly<Partial<Record<HealthCheckType, number>>> = { HTTP: 80, HTTPS: 443 };

/**
 * Route 53 takes TLS 1.0, whose signatures OpenSSL allows at security level 0 alone. Nothing secret is sent, and no
 * answer is trusted for more than its status. Shared: making one for each probe costs 0.2 ms, and the first of all 10.
 */
function sharedSecureContext(): SecureContext {
  secureContext ??= createSecureContext({ minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' });
  return secureContext;
}
let secureContext: SecureContext | undefined;

/** Never rejects; after an abort the result means nothing. */
export const probe: Probe = (target, timeouts, signal) =>
  target.type === 'TCP' ? probeTcp(target, timeouts, signal) : probeHttp(target, timeouts, signal);

function probeTcp({ address, port }: ProbeTarget, { tcpMs }: ProbeTimeouts, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const finish = (result: ProbeResult): void => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(result);
    };
    const abort = (): void => finish({ kind: 'none', reason: 'aborted' });
    const timer = startTimer(tcpMs, () => finish(timedOut(tcpMs)));
    signal.addEventListener('abort', abort);
    socket.once('connect', () => finish({ kind: 'passed' }));
    // Stays: an error may come after the verdict.
    socket.on('error', (error) => finish(failed(error)));
  });
}

function probeHttp(target: ProbeTarget, timeouts: ProbeTimeouts, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const { type, address, port, host, path } = target;
    const isTls = type === 'HTTPS';
    const request = (isTls ? httpsRequest : httpRequest)({
      host: address,
      port,
      path: pathOf(path),
      headers: {
        host: port === DEFAULT_PORTS[type] ? host : `${host}:${port}`,
        'user-agent': 'cloudmapd-health-check',
        accept: '*/*',
        connection: 'close',
      },
      // A connection per probe: what is to be known is whether a new client would get an answer.
      agent: false,
      // The status is what counts, whatever is wrong with the headers behind it.
      insecureHTTPParser: true,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Route 53 does not validate certificates.
      ...(isTls
        ? { rejectUnauthorized: false, secureContext: sharedSecureContext(), servername: isIP(host) ? '' : host }
        : {}),
    });
    const finish = (result: ProbeResult): void => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
      request.destroy();
      resolve(result);
    };
    const abort = (): void => finish({ kind: 'none', reason: 'aborted' });
    let timer = startTimer(timeouts.connectMs, () => finish(timedOut(timeouts.connectMs)));
    signal.addEventListener('abort', abort);
    request.once('socket', (socket: Socket) => {
      // Of a TLS socket too: `secureConnect` is what comes after the handshake.
      socket.once('connect', () => {
        timer.cancel();
        timer = startTimer(timeouts.responseMs, () => finish(timedOut(timeouts.responseMs)));
      });
    });
    request.once('response', ({ statusCode = 0 }) => {
      // Redirects are not followed: 3xx says that somebody answers (Route 53).
      const isHealthy = statusCode >= 200 && statusCode < 400;
      finish(isHealthy ? { kind: 'passed' } : { kind: 'failed', reason: `HTTP ${statusCode}`, isLocal: false });
    });
    // An answer of 101 is no response to Node; it is none of 2xx and 3xx either.
    request.once('upgrade', () => finish({ kind: 'failed', reason: 'HTTP 101', isLocal: false }));
    request.on('error', (error) => finish(failed(error)));
    request.end();
  });
}

/** A ResourcePath is any text; what a request line cannot hold is escaped. */
function pathOf(path: string): string {
  const escaped = path.replace(/[^!-~]/gu, (character) => encodeURIComponent(character.toWellFormed()));
  return escaped.startsWith('/') ? escaped : `/${escaped}`;
}

function timedOut(timeoutMs: number): ProbeResult {
  return { kind: 'failed', reason: `timeout after ${timeoutMs} ms`, isLocal: false };
}

function failed(error: NodeJS.ErrnoException): ProbeResult {
  const { code = '', syscall } = error;
  const reason = code === '' ? error.message : syscall === undefined ? code : `${syscall} ${code}`;
  if (OWN_CODES.has(code)) return { kind: 'none', reason };
  return { kind: 'failed', reason, isLocal: LOCAL_CODES.has(code) };
}

/**
 * When the time is over, what the network has brought meanwhile is looked at first: a busy event loop must not make
 * an endpoint late.
 */
function startTimer(timeoutMs: number, ring: () => void): { cancel(): void } {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    immediate = setImmediate(ring);
  }, timeoutMs);
  return {
    cancel: () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    },
  };
}
