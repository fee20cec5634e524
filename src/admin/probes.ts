/** `/healthz`: the process runs. `/readyz`: state is loaded, every listener is bound, a thread answers. */
import type { FastifyInstance } from 'fastify';

export interface Readiness {
  readonly isReady: boolean;
  /** What is waited for, where it is not. */
  readonly reason: string;
  /** Bound addresses, such as `127.0.0.1:8053`. */
  readonly http: readonly string[];
  readonly dns: readonly string[];
  /** Of DNS over UDP. */
  readonly sockets: 'batched' | 'plain';
  /** So many threads answer now, where there are to be more than one. */
  readonly threads?: number;
}

export function registerProbes(app: FastifyInstance, readiness: () => Readiness): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { isReady, reason, http, dns, sockets, threads } = readiness();
    if (!isReady) reply.code(503);
    return isReady ? { status: 'ready', http, dns, sockets, threads } : { status: 'not ready', reason };
  });
}
