/** `/admin/faults`: faults are injected, listed and ended, where the settings allow it. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Fault, FaultError, type Faults, FaultsOffError } from '../faults/faults.ts';

/**
 * `POST` adds one and answers `{"id"}`, `GET` lists them as `{"faults": [...]}`, `DELETE` ends one by its id, or all:
 * `{"cleared": 2}`. Each is in force, or out of it, when it is answered. 403 where CLOUDMAPD_FAULTS is false.
 * @param faults null: not there yet
 */
export function registerFaults(app: FastifyInstance, faults: () => Faults | null): void {
  const serve = async (reply: FastifyReply, answer: (faults: Faults) => object | Promise<object>) => {
    const known = faults();
    if (known === null) return reply.code(503).send({ error: 'the state is being loaded' });
    try {
      return await answer(known);
    } catch (error) {
      if (error instanceof FaultsOffError) return reply.code(403).send({ error: error.message });
      if (error instanceof FaultError) return reply.code(400).send({ error: error.message });
      throw error;
    }
  };
  app.get('/admin/faults', (_request, reply) => serve(reply, (known) => ({ faults: known.list().map(shown) })));
  app.post('/admin/faults', (request, reply) =>
    serve(reply, async (known) => ({ id: await known.add(parseJson(request.body)) })),
  );
  app.delete('/admin/faults', (_request, reply) =>
    serve(reply, async (known) => {
      known.list();
      return { cleared: await known.clear() };
    }),
  );
  app.delete<{ Params: { id: string } }>('/admin/faults/:id', (request, reply) =>
    serve(reply, async (known) => {
      const { id } = request.params;
      if (await known.remove(id)) return { cleared: 1 };
      return reply.code(404).send({ error: `no fault "${id}" is in force` });
    }),
  );
}

/** A fault as JSON has it: its end as ISO 8601 has it. */
export function shown({ until, ...fault }: Fault): object {
  return { ...fault, until: until === null ? null : new Date(until).toISOString() };
}

/** Bodies reach routes as text. @returns what no fault looks like where it is no JSON */
function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return text;
  }
}
