/** `GET /admin/export`: everything that the registry holds, as it is when the request comes. */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Registry } from '../registry/registry.ts';

/** Others get their turn after so long. */
const MAX_TURN_MS = 10;

const query = z.strictObject({ format: z.enum(['yaml', 'json']).default('yaml') });

/** `?format=yaml` as a configuration file declares it, `?format=json` as `POST /admin/import` brings it back exactly. */
export function registerExport(app: FastifyInstance, registry: () => Registry | null): void {
  app.get('/admin/export', async (request, reply) => {
    const wanted = query.safeParse(request.query);
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      return reply.code(400).send({ error: `${issue?.path.join('.') || 'the query'}: ${issue?.message}` });
    }
    const loaded = registry();
    if (loaded === null) return reply.code(503).send({ error: 'the state is being loaded' });
    // Loaded when first needed: hardly any start is followed by one.
    const { exportText } = await import('../transfer/export.ts');
    const { format } = wanted.data;
    reply.header('content-type', `application/${format}; charset=utf-8`);
    return reply.send(Readable.from(withTurns(exportText(loaded, format)), { objectMode: false }));
  });
}

/** Pieces are made as the client takes them. */
async function* withTurns(pieces: Iterable<string>): AsyncGenerator<string> {
  let endMs = performance.now() + MAX_TURN_MS;
  for (const piece of pieces) {
    if (piece !== '') yield piece;
    if (performance.now() < endMs) continue;
    await nextTurn();
    endMs = performance.now() + MAX_TURN_MS;
  }
}
