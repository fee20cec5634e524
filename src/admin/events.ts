/** `GET /admin/events`: registry changes and health transitions as they happen, a line of JSON each. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Registry } from '../registry/registry.ts';
import { type EventFilter, eventsOf, isWanted, type RegistryEvent } from './event-lines.ts';
import { LineStreams } from './line-stream.ts';

const query = z.strictObject({ namespace: z.string().min(1).optional(), service: z.string().min(1).optional() });

/**
 * `?namespace=&service=`: of those alone, by name or id.
 * @returns ends the streams: whoever looks on would keep the daemon from stopping
 */
export function registerEvents(app: FastifyInstance, registry: () => Registry | null, clock: () => number): () => void {
  const streams = new LineStreams<EventFilter>();
  let watched: Registry | null = null;
  const tell = (event: RegistryEvent): void => {
    const line = () => JSON.stringify({ at: new Date(clock()).toISOString(), ...event });
    streams.write(line, (filter) => isWanted(event, filter));
  };
  // HEAD would ask for what has no end.
  app.get('/admin/events', { exposeHeadRoute: false }, async (request, reply) => {
    const wanted = query.safeParse(request.query);
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      return reply.code(400).send({ error: `${issue?.path.join('.') || 'the query'}: ${issue?.message}` });
    }
    const { namespace = null, service = null } = wanted.data;
    const loaded = registry();
    if (loaded === null) return reply.code(503).send({ error: 'the state is being loaded' });
    if (watched === null) {
      // From the first client on: nobody else pays for it.
      watched = loaded;
      loaded.subscribe(async (changes) => {
        if (streams.size > 0) for (const event of eventsOf(changes, loaded.state)) tell(event);
      });
      loaded.onOutage((outage) =>
        tell(outage === null ? { event: 'store-recovered' } : { event: 'store-failed', reason: outage.message }),
      );
    }
    if (!streams.open(reply, { namespace, service })) {
      return reply.code(503).send({ error: 'too many clients look on already' });
    }
    return reply;
  });
  return () => streams.close();
}
