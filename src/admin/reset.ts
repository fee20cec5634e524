/** `POST /admin/reset`: back to the declared content, DNS included, before it is answered. */
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../store/store.ts';

/**
 * Answers how many things it has created, changed and removed, and how many answers of upstreams it has forgotten.
 * @param reset null: the state is not loaded
 */
export function registerReset(app: FastifyInstance, reset: () => Promise<object> | null): void {
  app.post('/admin/reset', async (_request, reply) => {
    try {
      const report = reset();
      if (report === null) return reply.code(503).send({ error: 'the state is being loaded' });
      return await report;
    } catch (error) {
      if (error instanceof StoreError)
        return reply.code(500).send({ error: `the registry is as it was, and faults have ended: ${error.message}` });
      throw error;
    }
  });
}
