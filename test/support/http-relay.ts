/** A way to a daemon on which requests are seen, and held up until the test lets them go. */
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

export interface HttpRelay {
  readonly endpoint: string;
  /** Of each request that came so far the operation, or method and path. */
  readonly seen: readonly string[];
  /** The next such request is held up. Resolves when it is there, with what lets it go. */
  hold(what: string): Promise<() => void>;
}

export interface RelayOptions {
  /** Headers in place of the client's. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Closed after the test. */
export async function httpRelayTo(daemon: string, { headers = {} }: RelayOptions = {}): Promise<HttpRelay> {
  const { port } = new URL(daemon);
  const seen: string[] = [];
  const holds = new Map<string, (letGo: () => void) => void>();
  const server = createServer(async (request, response) => {
    const { method, url: path } = request;
    const what = nameOf(request);
    seen.push(what);
    const arrived = holds.get(what);
    holds.delete(what);
    if (arrived !== undefined) await new Promise<void>((letGo) => arrived(letGo));
    const onward = httpRequest({ port, method, path, headers: { ...request.headers, ...headers } }, (from) => {
      response.writeHead(from.statusCode as number, from.headers);
      from.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    hold: (what) => new Promise((resolve) => holds.set(what, resolve)),
  };
}

function nameOf({ method, url = '', headers }: IncomingMessage): string {
  const target = headers['x-amz-target'];
  return typeof target === 'string' ? (target.split('.').at(-1) as string) : `${method} ${url.replace(/\?.*/, '')}`;
}
